"""What a task's log says about its Flyte runs: read by somebody who sees it for the first time."""

from __future__ import annotations

import os
import re
import signal
from importlib.metadata import version
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_flyte.client import RunDetails
from airflow_provider_flyte.exceptions import FlyteRunAborted, FlyteRunFailed, FlyteTaskKilled, FlyteWaitBroken
from airflow_provider_flyte.hooks import FlyteHook
from airflow_provider_flyte.operators import FlyteRunOperator
from airflow_provider_flyte.sensors import FlyteRunSensor
from airflow_provider_flyte.testing import Fault, LocalFlyte, no_name_filter
from airflow_provider_flyte.triggers import FlyteLaunchedRunTrigger
from tests.support.driving import MINE, DagRun, Driven, TaskInstance, lines_of, own_annotations

pytestmark = pytest.mark.one_transport("connect")

IS_3 = int(version("apache-airflow").split(".")[0]) > 2


@pytest.fixture
def operator(flyte_default: LocalFlyte) -> Any:
    """Makes one try of an operator that waits on a worker, and the lines of its log."""
    flyte_default.deploy("demo.train", outputs={"o0": int})
    dag_run = DagRun()

    def make(**arguments: Any) -> tuple[Driven, list[str]]:
        defaults: dict[str, Any] = {"task_id": "train", "task_name": "demo.train", "poll_interval": 0.1}
        task = FlyteRunOperator(**defaults | {"deferrable": False, "resume_after": 0} | arguments)
        return Driven(task, TaskInstance(), dag_run), lines_of(task)

    return make


def one(lines: list[str], part: str) -> str:
    [line] = [line for line in lines if part in line]
    return line


# -- how it ended


def test_a_run_without_a_log(flyte_default: LocalFlyte, operator: Any) -> None:
    """The run is right and the backend has no log of it: nobody is to check the run's name."""
    driven, lines = operator()
    flyte_default.on_launch(lambda run: run.fails(message="no rows"))
    with pytest.raises(FlyteRunFailed) as failed:
        driven.run()
    run = f'run:{{project:"flytesnacks" domain:"development" name:"{failed.value.url.rpartition("/")[2]}"}}'
    assert one(lines, "No log") == (
        f'INFO: No log of attempt 1: Flyte has none (NOT_FOUND: no log context found for action {run} name:"a0" '
        f"attempt 1). The run's page: {failed.value.url}"
    )


def test_an_empty_log(flyte_default: LocalFlyte, operator: Any) -> None:
    driven, lines = operator()
    flyte_default.on_launch(lambda run: run.move("RUNNING").logs().fails(message="no rows"))
    with pytest.raises(FlyteRunFailed):
        driven.run()
    assert one(lines, "No log").startswith("INFO: No log of attempt 1: Flyte sent no lines of it. The run's page: http")


def test_an_aborted_run_is_logged_once(flyte_default: LocalFlyte, operator: Any) -> None:
    driven, _ = operator()
    flyte_default.on_launch(lambda run: run.aborts("by hand"))
    with pytest.raises(FlyteRunAborted) as aborted:
        driven.run()
    [run] = flyte_default.runs()
    assert str(aborted.value).startswith(f"Flyte run flytesnacks/development/{run.name} is ABORTED: by hand\n")


@pytest.mark.parametrize("faults", [[], [no_name_filter()]], ids=["listed", "each by itself"])
def test_the_log_of_many_runs_is_short(flyte_default: LocalFlyte, faults: list[Fault]) -> None:
    for fault in faults:
        flyte_default.inject("*", fault)
    names = [f"r{number}" for number in range(60)]
    for name in names[:30]:
        flyte_default.run(name).phases("QUEUED", "RUNNING", "SUCCEEDED", every=0.01)
    for name in names[30:]:
        flyte_default.run(name).fails(message="no rows")
    sensor = FlyteRunSensor(task_id="wait", run_names=names, fail_fast=False)
    lines = lines_of(sensor)
    with pytest.raises(FlyteRunFailed, match=r"Of 60 Flyte runs, 30 did not succeed"):
        Driven(sensor, TaskInstance()).run()
    ends = [line for line in lines if re.match(r"INFO: Flyte run flytesnacks/development/r\d+: ", line)]
    assert len(ends) == 20
    assert all(": FAILED." in line for line in ends)
    timelines = [line for line in lines if line.startswith("INFO: Flyte: ")]
    assert len(timelines) == 3 * len(timelines_of(flyte_default, "r30"))
    assert one(lines, "further runs").startswith("INFO: The ends of further runs are not logged one by one")


def test_a_very_long_timeline_keeps_its_ends(flyte_default: LocalFlyte) -> None:
    flyte_default.run("r1").fails(message="no rows", attempts=100)
    whole = timelines_of(flyte_default, "r1")
    sensor = FlyteRunSensor(task_id="wait", run_name="r1")
    lines = lines_of(sensor)
    with pytest.raises(FlyteRunFailed):
        Driven(sensor, TaskInstance()).run()
    shown = [line.removeprefix("INFO: Flyte: ") for line in lines if line.startswith("INFO: Flyte: ")]
    assert shown == [*whole[:10], f"({len(whole) - 40} more lines are left out here)", *whole[-30:]]


def timelines_of(flyte: LocalFlyte, name: str) -> list[str]:
    with FlyteHook().get_client():
        return RunDetails.get(name).timeline()


# -- a process that is told to stop


@pytest.mark.parametrize(
    ("state", "because"),
    [
        ("running", "but nobody stopped the task: it is running"),
        (None, "but nobody stopped the task: the scheduler has reset it"),
    ],
)
def test_sigterm_while_the_process_waits_on(
    flyte_default: LocalFlyte, operator: Any, state: str | None, because: str
) -> None:
    """Airflow 3 only calls on_kill, and the same process waits on."""
    driven, lines = operator()

    def script(run: Any) -> None:
        driven.ti.state = state
        driven.task.on_kill()
        run.phases("RUNNING", "RUNNING", every=0.7).succeeds({"o0": 1})

    flyte_default.on_launch(script)
    driven.run()
    [run] = flyte_default.runs()
    assert one(lines, "SIGTERM") == (
        f"WARNING: This worker process was asked to stop (SIGTERM), {because}. Flyte run "
        f"flytesnacks/development/{run.name} is not aborted; this process keeps waiting for it while it can, and a "
        "retry of the task does if it cannot."
    )


def test_sigterm_that_ends_the_process(flyte_default: LocalFlyte, operator: Any) -> None:
    """Airflow 2.11 raises out of its signal handler."""
    driven, lines = operator()

    def terminated(*args: object) -> None:
        driven.task.on_kill()
        raise SystemExit("Task received SIGTERM signal")

    before = signal.signal(signal.SIGUSR1, terminated)
    try:
        flyte_default.on_launch(lambda run: os.kill(os.getpid(), signal.SIGUSR1))
        with pytest.raises(SystemExit):
            driven.run()
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert one(lines, "SIGTERM").endswith(" is not aborted; a retry of the task waits for it.")


def test_a_state_that_cannot_be_read_is_not_taken_for_nobodys_doing(flyte_default: LocalFlyte, operator: Any) -> None:
    driven, lines = operator()

    def broken() -> str:
        raise ConnectionError("no API server")

    driven.ti.current_state = broken

    def script(run: Any) -> None:
        driven.task.on_kill()
        run.phases("RUNNING", "RUNNING", every=0.7).succeeds({"o0": 1})

    flyte_default.on_launch(script)
    driven.run()
    assert "whether somebody stopped the task is not known, because its state could not be read" in one(
        lines, "SIGTERM"
    )


@pytest.mark.parametrize("deferrable", [False, True])
def test_a_run_that_is_left_going_on_purpose(flyte_default: LocalFlyte, operator: Any, deferrable: bool) -> None:
    driven, lines = operator(abort_on_kill=False, deferrable=deferrable)

    def script(run: Any) -> None:
        driven.ti.state = "failed"
        driven.task.on_kill()
        run.move("RUNNING")

    flyte_default.on_launch(script)
    with pytest.raises(FlyteTaskKilled):
        driven.run()
    line = one(lines, "abort_on_kill=False")
    assert "is not aborted although the task was marked failed, or its DAG run was" in line
    assert "/runs/" in line
    assert flyte_default.calls("AbortRun") == []


# -- a trigger that is told to stop

ON_KILL = {
    "deferred": "This trigger was asked to stop, but nobody stopped the task: it is deferred. Flyte run r1 is not ",
    "queued": "Flyte run r1 is not aborted by this trigger, because its task is queued again. If it was cleared, its ",
    "failed": "Because the task was marked failed, or its DAG run was: Flyte run flytesnacks/development/r1 was ",
}

if IS_3:  # before, a trigger is not told

    @pytest.mark.parametrize("state", ON_KILL)
    async def test_a_trigger_logs_what_happens_to_its_run(
        flyte_default: LocalFlyte, monkeypatch: pytest.MonkeyPatch, state: str
    ) -> None:
        from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

        monkeypatch.setattr(RuntimeTaskInstance, "get_task_states", lambda **asked: {"manual__1": {"train": state}})
        flyte_default.run("r1", annotations=own_annotations()).move("RUNNING")
        made: Any = FlyteLaunchedRunTrigger(run_name="r1", abort_for=MINE)
        made.task_instance = SimpleNamespace(dag_id="sales", task_id="train", run_id="manual__1", map_index=-1)
        lines = lines_of(made)
        await made.on_kill()
        [line] = lines
        assert line.removeprefix("INFO: ").startswith(ON_KILL[state])


@pytest.mark.parametrize(
    ("arguments", "why"),
    [({"abort_on_kill": False}, "(abort_on_kill=False)"), ({"abort_for": None}, "because this task did not launch it")],
)
async def test_a_trigger_that_aborts_nothing_logs_why(arguments: dict[str, Any], why: str) -> None:
    made = FlyteLaunchedRunTrigger(**{"run_name": "r1", "abort_for": MINE} | arguments)
    lines = lines_of(made)
    await made.on_kill()
    [line] = lines
    assert line.startswith("INFO: Flyte run r1 is not aborted")
    assert why in line


@pytest.mark.parametrize("traceback", [['  File "x.py", line 1\n', "ValueError: boom\n"], []])
def test_the_traceback_of_a_trigger_is_one_line_of_the_log(
    flyte_default: LocalFlyte, operator: Any, traceback: list[str]
) -> None:
    operator(wait=False)[0].run()
    driven, lines = operator()
    with pytest.raises(FlyteWaitBroken, match="failed: boom"):
        driven.fail("boom", traceback)
    errors = [line for line in lines if line.startswith("ERROR")]
    line = 'ERROR: The trigger failed in the triggerer:\n  |   File "x.py", line 1\n  | ValueError: boom'
    assert errors == [line] * bool(traceback)


async def test_a_trigger_that_waits_for_flyte_before_a_launch(flyte_default: LocalFlyte, no_watcher_left: None) -> None:
    made = FlyteLaunchedRunTrigger(run_name="r1", abort_for=MINE, launched=False, missing_after=0.0)
    lines = lines_of(made)
    events = [event async for event in made.run()]
    assert len(events) == 1
    assert one(lines, "is over") == (
        "INFO: The wait for Flyte to answer (Flyte run r1 is not launched yet) is over: Flyte answers."
    )
