"""What the trigger of an operator's run aborts, and what it leaves alone."""

from __future__ import annotations

import asyncio
from importlib.metadata import version
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_flyte.client.phase import RunPhase
from airflow_provider_flyte.exceptions import FlyteArgumentError
from airflow_provider_flyte.testing import LocalFlyte
from airflow_provider_flyte.tries import kill_deferred
from airflow_provider_flyte.triggers import FlyteLaunchedRunTrigger
from airflow_provider_flyte.wait.event import Ending, RunEvent
from tests.support.driving import MINE, OTHERS, lines_of, made_again, own_annotations

pytestmark = pytest.mark.one_transport("connect")

IS_3 = int(version("apache-airflow").split(".")[0]) > 2

OVER = 1.0
"""A deadline that has passed."""


def trigger(**arguments: Any) -> FlyteLaunchedRunTrigger:
    return FlyteLaunchedRunTrigger(**{"run_name": "r1", "abort_for": MINE} | arguments)


async def events_of(made: FlyteLaunchedRunTrigger) -> list[dict[str, Any]]:
    return [event.payload async for event in made.run()]


# -- at the task's time-out


@pytest.mark.parametrize(
    ("arguments", "aborted"),
    [
        ({"abort_on_timeout": True}, True),
        ({"abort_on_timeout": False}, False),
        # Not ours: whoever set the time-out of this task did not mean a run that it did not launch.
        ({"abort_on_timeout": True, "abort_for": None}, False),
    ],
)
@pytest.mark.usefixtures("no_watcher_left")
async def test_what_is_aborted_when_execution_timeout_has_passed(
    flyte_default: LocalFlyte, arguments: dict[str, Any], aborted: bool
) -> None:
    run = flyte_default.run("r1", annotations=own_annotations()).move("RUNNING")
    made = made_again(trigger(execution_deadline=OVER, **arguments))
    lines = lines_of(made)
    [event] = await events_of(made)
    assert event["ending"] == "task_timed_out"
    assert run.phase == (RunPhase.ABORTED if aborted else RunPhase.RUNNING)
    assert len(flyte_default.calls("AbortRun")) == aborted
    assert [line for line in lines if "abort" in line] == [
        "INFO: Because execution_timeout has passed: Flyte run flytesnacks/development/r1 was RUNNING and is now "
        "aborted."
    ] * aborted
    assert not [line for line in lines if line.startswith("ERROR")]


@pytest.mark.usefixtures("no_watcher_left")
async def test_another_deadline_aborts_nothing(flyte_default: LocalFlyte) -> None:
    run = flyte_default.run("r1", annotations=own_annotations()).move("QUEUED")
    [event] = await events_of(trigger(queued_deadline=OVER, abort_on_timeout=True))
    assert (event["ending"], run.phase) == ("queued", RunPhase.QUEUED)


@pytest.mark.usefixtures("no_watcher_left")
async def test_the_event_of_a_time_out_is_held_as_any_other(flyte_default: LocalFlyte) -> None:
    """Also after an abort: Airflow's scheduler may fail a task that resumes right after it deferred."""
    flyte_default.run("r1", annotations=own_annotations()).move("RUNNING")
    made, held = trigger(execution_deadline=OVER, abort_on_timeout=True, not_before=105.0), []
    made._now = lambda: 100.0

    async def sleep(seconds: float) -> None:
        held.append((seconds, len(flyte_default.calls("AbortRun"))))

    made._sleep = sleep  # type: ignore[assignment]
    assert len(await events_of(made)) == 1
    assert held == [(5.0, 1)]


# -- when the task was killed

if IS_3:  # before, a trigger is not told

    @pytest.fixture
    def states(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
        """What Airflow answers when it is asked for states, by DAG run and task."""
        from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

        answer: dict[str, Any] = {}
        monkeypatch.setattr(RuntimeTaskInstance, "get_task_states", lambda **asked: answer)
        return answer

    def stop_requested(**arguments: Any) -> tuple[FlyteLaunchedRunTrigger, list[str]]:
        map_index = arguments.pop("map_index", -1)
        made: Any = trigger(**arguments)
        made.task_instance = SimpleNamespace(
            dag_id="sales", task_id="train", run_id="x", map_index=map_index, trigger_timeout=None
        )
        return made, lines_of(made)

    ABORTS = {
        "failed": "the task was marked failed, or its DAG run was",
        "success": "the task was marked success",
        "skipped": "the task was marked skipped, or its DAG run timed out",
        "removed": "the task was removed from its DAG",
        None: "the task was cleared",
    }
    LEAVES = ["deferred", "running", "queued", "scheduled", "up_for_retry"]

    @pytest.mark.parametrize("map_index", [-1, None, 0, 3])
    @pytest.mark.parametrize("state", ABORTS)
    async def test_a_run_whose_task_was_killed_is_aborted(
        flyte_default: LocalFlyte, states: dict[str, Any], state: str | None, map_index: int | None
    ) -> None:
        key = "train" if map_index in (-1, None) else f"train_{map_index}"
        # Of the others of a mapped task nothing is to be taken for this one's.
        states["x"] = {"train": "deferred", "train_0": "deferred", "train_3": "deferred", "train_1": "failed"}
        states["x"][key] = state
        run = flyte_default.run("r1", annotations=own_annotations()).move("RUNNING")
        made, lines = stop_requested(map_index=map_index)
        await made.on_kill()
        assert run.phase == RunPhase.ABORTED
        assert lines == [
            f"INFO: Because {ABORTS[state]}: Flyte run flytesnacks/development/r1 was RUNNING and is now aborted."
        ]
        [call] = flyte_default.calls("AbortRun")
        assert call.request.reason == f"Airflow: sales.train in manual__1: {ABORTS[state]}"
        assert not kill_deferred._aborting

    @pytest.mark.parametrize("state", LEAVES)
    async def test_a_run_whose_task_was_not_killed_goes_on(
        flyte_default: LocalFlyte, states: dict[str, Any], state: str
    ) -> None:
        states["x"] = {"train": state}
        run = flyte_default.run("r1", annotations=own_annotations()).move("RUNNING")
        made, lines = stop_requested()
        await made.on_kill()
        assert run.phase == RunPhase.RUNNING
        [line] = lines
        assert f"is {state}" in line
        assert ("its task is" in line) == (state != "deferred")

    @pytest.mark.parametrize("answer", [{}, {"x": {}}, {"x": {"train_0": None}}, {"y": {"train": None}}, {"x": None}])
    async def test_a_state_that_is_not_in_the_answer_aborts_nothing(
        flyte_default: LocalFlyte, states: dict[str, Any], answer: dict[str, Any]
    ) -> None:
        """It would be taken for that of a task that was cleared."""
        states |= answer
        run = flyte_default.run("r1", annotations=own_annotations()).move("RUNNING")
        made, lines = stop_requested()
        await made.on_kill()
        assert run.phase == RunPhase.RUNNING
        assert lines == [
            "INFO: This trigger was asked to stop, and whether somebody stopped the task is not known, because its "
            "state could not be read. Flyte run r1 is not aborted."
        ]

    async def test_an_airflow_that_does_not_answer_aborts_nothing(
        flyte_default: LocalFlyte, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

        def broken(**asked: Any) -> Any:
            raise ConnectionError("no API server")

        monkeypatch.setattr(RuntimeTaskInstance, "get_task_states", broken)
        run = flyte_default.run("r1", annotations=own_annotations()).move("RUNNING")
        made, lines = stop_requested()
        await made.on_kill()
        assert run.phase == RunPhase.RUNNING
        assert ["its state could not be read" in line for line in lines] == [True]

    async def test_an_abort_goes_on_when_airflow_cancels_the_trigger_once_more(
        flyte_default: LocalFlyte, states: dict[str, Any]
    ) -> None:
        states["x"] = {"train": "failed"}
        run = flyte_default.run("r1", annotations=own_annotations()).move("RUNNING")
        made, _ = stop_requested()
        killing = asyncio.ensure_future(made.on_kill())
        await asyncio.sleep(0)
        killing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await killing
        [aborting] = kill_deferred._aborting
        await aborting
        assert run.phase == RunPhase.ABORTED

    async def test_an_abort_that_fails_is_logged(states: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
        states["x"] = {"train": "failed"}
        monkeypatch.delenv("AIRFLOW_CONN_FLYTE_DEFAULT", raising=False)
        made, lines = stop_requested()
        await made.on_kill()
        [line] = lines
        assert line.startswith(
            "ERROR: Because the task was marked failed, or its DAG run was, Flyte run r1 was to be aborted. That failed"
        )

    @pytest.mark.parametrize("elsewhere", [False, True])
    async def test_nothing_is_aborted_where_the_run_was_not_launched(
        flyte_default: LocalFlyte, states: dict[str, Any], elsewhere: bool
    ) -> None:
        states["x"] = {"train": "failed"}
        run = flyte_default.run("r1", annotations=own_annotations()).move("RUNNING")
        made, lines = stop_requested(endpoint="other:443" if elsewhere else flyte_default.endpoint)
        await made.on_kill()
        [line] = lines
        assert ("was launched at other:443 and may still be running there" in line) == elsewhere
        assert run.phase == (RunPhase.RUNNING if elsewhere else RunPhase.ABORTED)


@pytest.mark.parametrize("other", [*OTHERS, None], ids=str)
async def test_a_run_whose_annotations_name_another_goes_on(
    flyte_default: LocalFlyte, other: dict[str, Any] | None
) -> None:
    run = flyte_default.run("r1", annotations=own_annotations(**other) if other else None).move("RUNNING")
    made = made_again(trigger())
    lines = lines_of(made)
    await kill_deferred.abort(made, "it is late")
    assert lines == [
        f"INFO: Because it is late: Flyte run {run.project}/{run.domain}/r1 is not aborted, because its annotations "
        "say that somebody else launched it."
    ]
    assert (run.phase, flyte_default.calls("AbortRun")) == (RunPhase.RUNNING, [])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"abort_for": None}, "Flyte run r1 is not aborted, because this task did not launch it."),
        ({"abort_for": None, "abort_on_kill": False}, "Flyte run r1 is not aborted, because this task did not"),
        ({"abort_for": None, "launched": False}, "Nothing was launched, so there is no Flyte run to abort."),
        ({"abort_on_kill": False}, "Flyte run r1 is not aborted (abort_on_kill=False)."),
        ({"abort_on_kill": False, "launched": False}, "Flyte run r1 is not aborted (abort_on_kill=False)."),
    ],
)
async def test_some_runs_are_not_aborted_whatever_the_state(arguments: dict[str, Any], message: str) -> None:
    made = trigger(**arguments)
    lines = lines_of(made)
    await made.on_kill()  # it has no task instance to ask about
    [line] = lines
    assert line.startswith(f"INFO: {message}")


# -- what it is, and what it waits for


def test_what_is_stored_when_nothing_is_given() -> None:
    assert FlyteLaunchedRunTrigger().serialize() == (
        "airflow_provider_flyte.triggers.FlyteLaunchedRunTrigger",
        {
            "queued_deadline": None,
            "abort_for": None,
            "trying": None,
            "abort_on_kill": True,
            "abort_on_timeout": False,
            "endpoint": None,
            "launched": True,
        },
    )


def test_what_was_stored_comes_back() -> None:
    stored: dict[str, Any] = {
        "run_name": "r2",
        "project": "p",
        "domain": "d",
        "flyte_conn_id": "c",
        "poll_interval": 7.0,
        "execution_deadline": 8.0,
        "not_before": 9.0,
        "missing_after": 10.0,
        "unreachable_after": 11.0,
        "queued_deadline": 12.0,
        "abort_for": MINE,
        "trying": {"number": 2},
        "abort_on_kill": False,
        "abort_on_timeout": True,
        "endpoint": "f:443",
        "launched": False,
    }
    assert FlyteLaunchedRunTrigger(**stored).serialize()[1] == stored


def test_an_argument_that_no_trigger_takes_is_refused() -> None:
    with pytest.raises(TypeError, match="run_nam"):
        FlyteLaunchedRunTrigger(run_nam="r1")


def test_a_deadline_is_a_time() -> None:
    with pytest.raises(FlyteArgumentError, match="queued_deadline"):
        trigger(queued_deadline="soon")


ANSWERS = {Ending.MISSING, Ending.SUCCEEDED, Ending.FAILED}


@pytest.mark.parametrize("launched", [False, True])
@pytest.mark.parametrize("ending", list(Ending))
def test_before_the_launch_any_answer_will_do(ending: Ending, launched: bool) -> None:
    made, event = trigger(launched=launched), RunEvent(ending, "r1")
    assert made._why(event) == ("Flyte answers" if ending in ANSWERS and not launched else event.describe())
    assert made._what == ("Flyte run r1" if launched else "Flyte to answer (Flyte run r1 is not launched yet)")


@pytest.mark.parametrize(
    ("launched", "in_triggerer", "message"), [(True, False, True), (True, True, False), (False, False, False)]
)
def test_ctrl_c_is_logged_where_there_is_no_triggerer(launched: bool, in_triggerer: bool, message: bool) -> None:
    made = trigger(launched=launched, project="p", domain="d")
    if in_triggerer:
        made.task_instance = SimpleNamespace(task_id="train")  # type: ignore[assignment]
    lines = lines_of(made)
    made._cancelled()
    assert [line.startswith("WARNING: Interrupted (Ctrl-C). Flyte run p/d/r1 is") for line in lines] == [True] * message
