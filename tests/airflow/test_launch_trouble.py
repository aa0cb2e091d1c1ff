"""An operator that cannot reach Flyte before it launches: it logs so, gives its worker back, and launches once."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_flyte.client.phase import RunPhase
from airflow_provider_flyte.compat import AirflowTaskTimeout, TaskDeferred
from airflow_provider_flyte.exceptions import (
    FlyteConfigurationError,
    FlyteLaunchFailed,
    FlyteLaunchUncertain,
    FlyteTaskKilled,
    FlyteUnreachable,
)
from airflow_provider_flyte.launch.launching import Launching
from airflow_provider_flyte.operators import FlyteRunOperator
from airflow_provider_flyte.testing import LocalFlyte, lost_answer, status, unavailable
from airflow_provider_flyte.tries import kill_deferred
from airflow_provider_flyte.tries.kill import Stopping
from tests.support.driving import DagRun, Driven, TaskInstance, event_of, kwargs_of, lines_of, made_again
from tests.support.own_airflow import connection_json

pytestmark = [pytest.mark.one_transport("grpc"), pytest.mark.usefixtures("demo")]


@pytest.fixture
def demo(flyte_default: LocalFlyte, monkeypatch: pytest.MonkeyPatch) -> None:
    flyte_default.deploy("demo.train", outputs={"o0": int})
    flyte_default.on_launch(lambda run: run.succeeds({"o0": 1}))
    monkeypatch.setattr("airflow_provider_flyte.launch.launching.BRIEFLY", 0.2)


def operator(deferrable: bool, **arguments: Any) -> Driven:
    defaults: dict[str, Any] = {"task_id": "train", "task_name": "demo.train", "resume_after": 0, "poll_interval": 0.1}
    return Driven(FlyteRunOperator(**defaults | {"deferrable": deferrable} | arguments), TaskInstance(), DagRun())


def deferral(driven: Driven) -> TaskDeferred:
    with pytest.raises(TaskDeferred) as deferred:
        driven.task.execute(driven.context)
    return deferred.value


def phase(value: Any) -> str:
    return str(value["action"]["status"]["phase"])


# -- on a worker


def test_a_worker_logs_what_is_wrong_at_once_and_continues(
    flyte_default: LocalFlyte, monkeypatch: pytest.MonkeyPatch
) -> None:
    flyte_default.inject("ListRuns", unavailable("no route"))
    task = operator(False)
    lines = lines_of(task.task)
    attempts = []

    def paused(stopping: Stopping, seconds: float, check: Any) -> None:
        attempts.append([line for line in lines if "no route" in line])
        if len(attempts) == 2:
            flyte_default.clear_faults()

    monkeypatch.setattr(Stopping, "sleep", paused)
    assert phase(task.run()) == "ACTION_PHASE_SUCCEEDED"
    # Once, not with each look.
    assert attempts[0] == attempts[1]
    [line] = attempts[0]
    assert line.startswith(
        "WARNING: No answer from Flyte before the launch, still waiting: Nothing is launched, because"
    )
    assert "INFO: Flyte answers again." in lines
    assert [run.enqueued for run in flyte_default.runs()] == [1]


def test_a_worker_gives_its_slot_back_after_a_time_of_its_own(flyte_default: LocalFlyte) -> None:
    flyte_default.inject("ListRuns", unavailable("no route"))
    task = operator(False, launch_unreachable_after=0.3, unreachable_after=3600)
    with pytest.raises(FlyteUnreachable, match=r"Nothing is launched, because.*no route"):
        task.run()
    assert flyte_default.runs() == []


@pytest.mark.parametrize(
    ("deferrable", "limit"),
    [(False, "launch_unreachable_after"), (True, "unreachable_after")],
    ids=["worker", "deferred"],
)
def test_one_that_puts_up_with_no_trouble_asks_once(
    flyte_default: LocalFlyte, monkeypatch: pytest.MonkeyPatch, deferrable: bool, limit: str
) -> None:
    monkeypatch.setattr("airflow_provider_flyte.launch.launching.BRIEFLY", 5.0)
    flyte_default.inject("ListRuns", unavailable("no route"))
    with pytest.raises(FlyteUnreachable, match=r"Nothing is launched, because.*no route"):
        operator(deferrable, **{limit: 0}).run()
    assert flyte_default.calls.count("ListRuns") == 1


@pytest.mark.parametrize("method", ["GetTaskDetails", "CreateRun"])
def test_what_comes_after_the_read_is_waited_through_too(
    flyte_default: LocalFlyte, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    flyte_default.inject(method, unavailable("no route"))
    with pytest.raises(FlyteLaunchFailed, match=r"was not launched.*no route"):
        operator(False, launch_unreachable_after=0.3).run()
    task = operator(False)
    monkeypatch.setattr(Stopping, "sleep", lambda *arguments: flyte_default.clear_faults())
    assert phase(task.run()) == "ACTION_PHASE_SUCCEEDED"
    assert [run.enqueued for run in flyte_default.runs()] == [1]


def test_what_waiting_cannot_mend_ends_at_once(flyte_default: LocalFlyte) -> None:
    flyte_default.inject("ListRuns", status("UNAUTHENTICATED", "who are you"))
    for deferrable in (False, True):
        with pytest.raises(FlyteUnreachable, match="who are you"):
            operator(deferrable).run()


def test_a_worker_that_is_stopped_while_it_cannot_ask(
    flyte_default: LocalFlyte, monkeypatch: pytest.MonkeyPatch
) -> None:
    flyte_default.inject("ListRuns", unavailable("no route"))
    task = operator(False)
    waits = Launching._wait_for_flyte

    def killed_meanwhile(*arguments: Any) -> None:
        task.task.on_kill()
        waits(*arguments)

    monkeypatch.setattr(Launching, "_wait_for_flyte", killed_meanwhile)
    with pytest.raises(FlyteTaskKilled, match="nothing is launched"):
        task.run()
    assert flyte_default.runs() == []


# -- deferred


def test_a_deferred_one_waits_in_the_triggerer(flyte_default: LocalFlyte) -> None:
    flyte_default.inject("*", unavailable("no route"))
    task = operator(True)
    lines = lines_of(task.task)
    deferred = deferral(task)
    assert [
        line
        for line in lines
        if line.startswith("WARNING: No answer from Flyte before the launch") and "no route" in line
    ]
    assert "INFO: The task waits in the triggerer until Flyte answers, and launches then." in lines
    assert kwargs_of(deferred)["launched"] is False
    flyte_default.clear_faults()
    assert phase(task.go_on(deferred)) == "ACTION_PHASE_SUCCEEDED"
    assert [event["ending"] for event in task.events] == ["missing"]
    assert "INFO: Flyte answers again." in lines
    assert [run.enqueued for run in flyte_default.runs()] == [1]


def test_it_waits_with_all_other_waits_of_the_triggerer(flyte_default: LocalFlyte) -> None:
    """For its own run's name: that Flyte does not have it is the answer."""
    flyte_default.inject("*", unavailable("no route"))
    deferred = deferral(operator(True))
    trigger = made_again(deferred.trigger)
    assert (trigger.missing_after, trigger.launched, trigger.abort_for) == (0.0, False, None)
    lines = lines_of(trigger)
    trigger._log_beginning()
    assert f"Flyte to answer (Flyte run {trigger.run_name} is not launched yet)" in lines[0]


def test_a_deferred_one_ends_too(flyte_default: LocalFlyte) -> None:
    flyte_default.inject("*", unavailable("no route"))
    task = operator(True, unreachable_after=0.8)
    with pytest.raises(FlyteUnreachable, match=r"Nothing is launched, because.*no route"):
        task.run()
    assert [event["ending"] for event in task.events] == ["unreachable"]
    assert flyte_default.runs() == []


@pytest.mark.parametrize("method", ["CreateRun", "ListRuns"])
def test_trouble_is_counted_over_deferrals(flyte_default: LocalFlyte, method: str) -> None:
    """Flyte answers the triggerer, and this worker never."""
    flyte_default.inject(method, unavailable("no route"))
    task = operator(True)
    lines = lines_of(task.task)
    first = deferral(task)
    flyte_default.clear_faults()
    event = event_of(first.trigger)
    assert event["ending"] == "missing"
    flyte_default.inject(method, unavailable("no route"))
    with pytest.raises(TaskDeferred) as second:
        task.resume(event, **kwargs_of(first))
    assert kwargs_of(second.value)["began"] == kwargs_of(first)["began"]
    with pytest.raises((FlyteLaunchFailed, FlyteUnreachable), match="no route"):
        task.resume(event, **kwargs_of(first) | {"began": kwargs_of(first)["began"] - 3600})
    assert "INFO: Flyte answers again." not in lines
    said = [line for line in lines if "Flyte has just answered the triggerer, and does not answer this worker" in line]
    # Once a resumption; of a launch that is refused nothing is known but that Flyte answers.
    assert len(said) == (2 if method == "ListRuns" else 0)
    assert flyte_default.runs() == []


def test_execution_timeout_bounds_it(flyte_default: LocalFlyte) -> None:
    flyte_default.inject("*", unavailable("no route"))
    with pytest.raises(AirflowTaskTimeout, match=r"before the launch\. Nothing was launched"):
        operator(True, execution_timeout=timedelta(seconds=1), abort_on_timeout=True).run()
    assert flyte_default.calls("AbortRun") == []


def test_a_connection_that_is_broken_meanwhile(flyte_default: LocalFlyte, monkeypatch: pytest.MonkeyPatch) -> None:
    flyte_default.inject("*", unavailable("no route"))
    task = operator(True)
    deferred = deferral(task)
    monkeypatch.setenv("AIRFLOW_CONN_FLYTE_DEFAULT", connection_json(flyte_default, transport="smoke"))
    with pytest.raises(FlyteConfigurationError, match="smoke"):
        task.go_on(deferred)
    assert [event["ending"] for event in task.events] == ["no_connection"]


def test_a_trigger_that_cannot_run_is_not_deferred_to_again(flyte_default: LocalFlyte) -> None:
    flyte_default.inject("*", unavailable("no route"))
    task = operator(True)
    deferral(task)
    with pytest.raises(FlyteUnreachable, match="no route"):
        task.fail("Trigger failure")


async def test_a_kill_before_the_launch_says_that_there_is_nothing(flyte_default: LocalFlyte) -> None:
    flyte_default.inject("*", unavailable("no route"))
    trigger = made_again(deferral(operator(True)).trigger)
    lines = lines_of(trigger)
    await trigger.on_kill()
    assert lines == ["INFO: Nothing was launched, so there is no Flyte run to abort."]


# -- a launch that nobody can tell of


@pytest.mark.parametrize("deferrable", [False, True], ids=["worker", "deferred"])
@pytest.mark.parametrize("launched", [False, True])
@pytest.mark.parametrize("how", ["scheduled", "tasks test", "dag.test"])
def test_a_launch_that_may_have_arrived_is_searched_for(
    flyte_default: LocalFlyte, monkeypatch: pytest.MonkeyPatch, deferrable: bool, launched: bool, how: str
) -> None:
    task = operator(deferrable)
    if how == "tasks test":
        task.ti.test_mode = True  # type: ignore[attr-defined]
    if how == "dag.test":
        dag_run = task.context["dag_run"]
        dag_run.run_after = dag_run.start_date
    if launched:

        def script(run: Any) -> None:
            run.succeeds({"o0": 1})
            flyte_default.inject("ListRuns", unavailable("no route"))

        flyte_default.on_launch(script)
        flyte_default.inject("CreateRun", lost_answer(times=1))
    else:
        flyte_default.inject("CreateRun", unavailable("no route", times=1))

        def break_lists(stopping: Stopping) -> None:
            flyte_default.inject("ListRuns", unavailable("no route"))

        monkeypatch.setattr(Stopping, "check_at_create", break_lists)
    _mend_while_waiting(flyte_default, monkeypatch)
    assert phase(task.run()) == "ACTION_PHASE_SUCCEEDED"
    assert [kwargs_of(deferred)["launched"] for deferred in task.deferrals] == ([None] if deferrable else [])
    assert [run.enqueued for run in flyte_default.runs()] == [1]


def _mend_while_waiting(flyte: LocalFlyte, monkeypatch: pytest.MonkeyPatch) -> None:
    waits = Launching._wait_for_flyte

    def mended(*arguments: Any) -> None:
        flyte.clear_faults()
        monkeypatch.setattr(Stopping, "check_at_create", lambda stopping: None)
        waits(*arguments)

    monkeypatch.setattr(Launching, "_wait_for_flyte", mended)


def test_while_it_waits_the_log_advises_nothing_that_the_task_does_itself(flyte_default: LocalFlyte) -> None:
    flyte_default.on_launch(lambda run: flyte_default.inject("ListRuns", unavailable("no route")))
    flyte_default.inject("CreateRun", lost_answer(times=1))
    task = operator(True)
    lines = lines_of(task.task)
    deferral(task)
    [line] = [line for line in lines if "No answer from Flyte" in line]
    assert "looks for it" in line
    assert "CreateRun" in line
    assert "a retry finds it" not in line
    assert "before you launch again" not in line


def test_at_its_end_the_error_says_that_nobody_knows(flyte_default: LocalFlyte) -> None:
    flyte_default.on_launch(lambda run: flyte_default.inject("ListRuns", unavailable("no route")))
    flyte_default.inject("CreateRun", lost_answer(times=1))
    with pytest.raises(FlyteLaunchUncertain, match=r"may be going|may still be running"):
        operator(False, launch_unreachable_after=0.5).run()


@pytest.mark.parametrize("deferrable", [False, True], ids=["worker", "deferred"])
def test_a_connection_that_breaks_after_it_names_the_run(
    flyte_default: LocalFlyte, monkeypatch: pytest.MonkeyPatch, deferrable: bool
) -> None:
    flyte_default.on_launch(lambda run: flyte_default.inject("ListRuns", unavailable("no route")))
    flyte_default.inject("CreateRun", lost_answer(times=1))
    task = operator(deferrable)
    waits = Launching._wait_for_flyte

    def breaking(*arguments: Any) -> None:
        monkeypatch.setenv("AIRFLOW_CONN_FLYTE_DEFAULT", connection_json(flyte_default, transport="smoke"))
        waits(*arguments)

    monkeypatch.setattr(Launching, "_wait_for_flyte", breaking)
    with pytest.raises(FlyteConfigurationError, match=r"^Flyte run af-\w+ may still be running\. .*smoke"):
        task.run()


async def test_a_kill_aborts_what_may_have_been_launched(flyte_default: LocalFlyte) -> None:
    def script(run: Any) -> None:
        run.move("RUNNING")
        flyte_default.inject("ListRuns", unavailable("no route"))

    flyte_default.on_launch(script)
    flyte_default.inject("CreateRun", lost_answer(times=1))
    trigger = made_again(deferral(operator(True)).trigger)
    flyte_default.clear_faults()
    await kill_deferred.abort(trigger, "the task was marked failed, or its DAG run was")
    [run] = flyte_default.runs()
    assert run.phase == RunPhase.ABORTED


@pytest.mark.parametrize("moved", [False, True])
def test_a_connection_that_leads_elsewhere_after_it_is_logged(
    flyte_default: LocalFlyte, protocol: str, monkeypatch: pytest.MonkeyPatch, moved: bool
) -> None:
    """The run may be running where it was launched, and this is perhaps another Flyte."""
    flyte_default.on_launch(lambda run: flyte_default.inject("ListRuns", unavailable("no route")))
    flyte_default.inject("CreateRun", lost_answer(times=1))
    task = operator(True)
    lines = lines_of(task.task)
    deferred = deferral(task)
    [run] = flyte_default.runs()
    flyte_default.clear_faults()
    run.succeeds({"o0": 1})
    with LocalFlyte(transports=(protocol,)) as other:
        other.deploy("demo.train", outputs={"o0": int})
        other.on_launch(lambda run: run.succeeds({"o0": 1}))
        if moved:
            monkeypatch.setenv("AIRFLOW_CONN_FLYTE_DEFAULT", connection_json(other))
        task.go_on(deferred)
    warned = [line for line in lines if f"may have been launched at {flyte_default.endpoint}" in line]
    assert [f"Flyte run {run.project}/{run.domain}/{run.name}" in line for line in warned] == [True] * moved


def test_the_wait_is_not_longer_than_what_is_left(flyte_default: LocalFlyte) -> None:
    flyte_default.inject("ListRuns", unavailable("no route"))
    task = operator(False, poll_interval=3600, launch_unreachable_after=0.4)
    began = time.monotonic()
    with pytest.raises(FlyteUnreachable):
        task.run()
    assert time.monotonic() - began < 3600


@pytest.mark.parametrize("wait", [False, True])
def test_a_task_that_does_not_wait_does_not_log_that_it_does(flyte_default: LocalFlyte, wait: bool) -> None:
    flyte_default.on_launch(lambda run: run.move("RUNNING"))
    first, again = operator(True, wait=False), operator(True, wait=wait)
    again.context["dag_run"] = first.context["dag_run"]
    first.run()
    lines = lines_of(again.task)
    if wait:
        deferral(again)
    else:
        again.run()
    [line] = [line for line in lines if "Nothing is launched" in line]
    assert line.endswith("the task waits for this run.") == wait
