"""The sensor deferred: when it defers, what it hands on, and what it makes of each event."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_flyte.compat import AirflowSkipException, AirflowTaskTimeout, TaskDeferred
from airflow_provider_flyte.exceptions import (
    FlyteRunFailed,
    FlyteRunMissing,
    FlyteRunTimeout,
    FlyteUnreachable,
    FlyteWaitBroken,
)
from airflow_provider_flyte.testing import LocalFlyte, unavailable
from airflow_provider_flyte.wait.event import Ending, RunEvent
from tests.support.driving import Try, kwargs_of, settled

pytestmark = pytest.mark.one_transport("grpc")

SECRET = "correct-horse-battery"


def test_a_run_that_is_over_is_not_deferred_on(flyte_default: LocalFlyte) -> None:
    flyte_default.run("r1").succeeds()
    task = Try(run_name="r1")
    assert task.run()["action"]["status"]["phase"] == "ACTION_PHASE_SUCCEEDED"
    assert task.deferrals == []


def test_a_deferred_wait_returns_the_details(flyte_default: LocalFlyte) -> None:
    flyte_default.run("r1", envs={"PASSWORD": SECRET}).phases("QUEUED", "RUNNING", "SUCCEEDED", every=1.5)
    task = Try(run_name="r1")
    value = task.run()
    assert value["action"]["id"]["run"]["name"] == "r1"
    assert value["runSpec"]["envs"]["values"] == [{"key": "PASSWORD", "value": "***"}]
    assert len(task.deferrals) == 1
    assert [event["ending"] for event in task.events] == ["succeeded"]
    assert SECRET not in repr((value, task.events))


def test_env_values_stay_where_the_author_wants_them(flyte_default: LocalFlyte) -> None:
    flyte_default.run("r1", envs={"PASSWORD": SECRET}).succeeds()
    value = Try(run_name="r1", redact_env=False).run()
    assert value["runSpec"]["envs"]["values"] == [{"key": "PASSWORD", "value": SECRET}]


def test_what_the_trigger_is_given(flyte_default: LocalFlyte) -> None:
    flyte_default.run("r1").phases("RUNNING")
    task = Try(run_name="r1", timeout=100, execution_timeout=timedelta(seconds=50), poke_interval=7, resume_after=10)
    before = time.time()
    with pytest.raises(TaskDeferred) as deferred:
        task.sensor.execute(task.context)
    kwargs = deferred.value.trigger.serialize()[1]
    assert kwargs["run_name"] == "r1"
    assert kwargs["poll_interval"] == 7
    assert before + 100 <= kwargs["deadline"] <= time.time() + 100
    assert kwargs["execution_deadline"] == task.ti.start_date.timestamp() + 50
    assert before + 10 <= kwargs["not_before"] <= time.time() + 10
    assert kwargs_of(deferred.value) == settled(
        "r1",
        began=kwargs["deadline"] - 100,
        deadline=kwargs["deadline"],
        execution_deadline=kwargs["execution_deadline"],
        endpoint=flyte_default.endpoint,
    )
    # Airflow's own timeout is only a backstop.
    assert deferred.value.timeout > timedelta(seconds=100)


def test_a_failed_run_fails_without_retry_and_leaves_its_details(flyte_default: LocalFlyte) -> None:
    run = flyte_default.run("r1", envs={"PASSWORD": SECRET})
    run.phases("RUNNING")
    task = Try(run_name="r1")
    with pytest.raises(TaskDeferred) as deferred:
        task.sensor.execute(task.context)
    run.fails(kind="USER", message="no rows", attempts=2)
    with pytest.raises(FlyteRunFailed) as failed:
        task.go_on(deferred.value)
    error = failed.value
    assert (error.run, error.phase, error.kind, error.message, error.attempts) == ("r1", "FAILED", "USER", "no rows", 2)
    assert error.url in str(error)
    assert "no rows" in str(error)
    assert task.ti.xcoms["return_value"]["action"]["status"]["phase"] == "ACTION_PHASE_FAILED"
    assert SECRET not in repr(task.ti.xcoms)


def test_do_xcom_push_false_keeps_details_out_of_xcom(flyte_default: LocalFlyte) -> None:
    flyte_default.run("r1").fails(message="no rows")
    task = Try(run_name="r1", do_xcom_push=False)
    with pytest.raises(FlyteRunFailed):
        task.run()
    assert set(task.ti.xcoms) - {"_flyte_runs"} == {"_link_FlyteRunLink"}


def test_the_error_that_comes_after_the_phase_is_waited_for(flyte_default: LocalFlyte) -> None:
    flyte_default.run("r1").fails(kind="SYSTEM", message="node lost", error_after=0.7)
    with pytest.raises(FlyteRunFailed, match=r"FAILED \(SYSTEM error\): node lost"):
        Try(run_name="r1").run()


@pytest.mark.parametrize("how", ["aborts", "times_out"])
def test_aborted_and_timed_out_runs_are_failures(flyte_default: LocalFlyte, how: str) -> None:
    getattr(flyte_default.run("r1"), how)()
    with pytest.raises(FlyteRunFailed) as failed:
        Try(run_name="r1").run()
    assert failed.value.phase == {"aborts": "ABORTED", "times_out": "TIMED_OUT"}[how]


def test_a_recovered_run_is_a_success(flyte_default: LocalFlyte) -> None:
    flyte_default.run("r1").recovers()
    assert Try(run_name="r1").run()["action"]["status"]["phase"] == "ACTION_PHASE_RECOVERED"


def test_the_timeout_comes_back_as_an_event(flyte_default: LocalFlyte) -> None:
    flyte_default.run("r1").phases("RUNNING")
    task = Try(run_name="r1", timeout=0.4)
    with pytest.raises(
        FlyteRunTimeout, match=r"timeout of 0.4 s has passed and Flyte run .*/r1 is not over: it is RUNNING"
    ):
        task.run()
    assert [event["ending"] for event in task.events] == ["timed_out"]
    assert task.ti.xcoms["return_value"]["action"]["status"]["phase"] == "ACTION_PHASE_RUNNING"


def test_execution_timeout_bounds_a_deferred_wait(flyte_default: LocalFlyte) -> None:
    flyte_default.run("r1").phases("RUNNING")
    task = Try(run_name="r1", execution_timeout=timedelta(seconds=0.5))
    with pytest.raises(AirflowTaskTimeout, match="execution_timeout has passed while waiting for Flyte run r1"):
        task.run()
    assert "return_value" in task.ti.xcoms


def test_a_run_that_ends_at_the_deadline_is_a_success(flyte_default: LocalFlyte) -> None:
    flyte_default.run("r1").succeeds()
    event = RunEvent(Ending.TIMED_OUT, "r1").to_payload()
    assert (
        Try(run_name="r1").resume(event, **settled("r1", deadline=1.0))["action"]["status"]["phase"]
        == "ACTION_PHASE_SUCCEEDED"
    )


def test_a_missing_run(flyte_default: LocalFlyte) -> None:
    task = Try(run_name="r1", missing_after=1.5)
    with pytest.raises(FlyteRunMissing, match="Flyte has no run 'r1' in project 'flytesnacks', domain 'development'"):
        task.run()
    assert [event["ending"] for event in task.events] == ["missing"]


def test_a_run_that_is_launched_within_the_grace_period(flyte_default: LocalFlyte) -> None:
    task = Try(run_name="r1", missing_after=30)
    with pytest.raises(TaskDeferred) as deferred:
        task.sensor.execute(task.context)
    flyte_default.run("r1").phases("RUNNING", "SUCCEEDED", every=0.2)
    assert task.go_on(deferred.value)["action"]["id"]["run"]["name"] == "r1"


def test_trouble_before_the_deferral_is_left_to_the_trigger(flyte_default: LocalFlyte) -> None:
    flyte_default.run("r1").succeeds()
    flyte_default.inject("*", unavailable())
    task = Try(run_name="r1", unreachable_after=0.2)
    with pytest.raises(FlyteUnreachable, match="state of Flyte run flytesnacks/development/r1 is not known"):
        task.run()
    flyte_default.clear_faults()
    # With time enough for the next look at a Flyte that was never reached.
    again = Try(run_name="r1")
    assert again.run()["action"]["status"]["phase"] == "ACTION_PHASE_SUCCEEDED"


# -- what Airflow itself says


CRASH = {
    "plain": FlyteWaitBroken,
    "soft_fail": FlyteWaitBroken,
    "never_fail": AirflowSkipException,
    "silent_fail": TaskDeferred,
}


@pytest.mark.parametrize("flag", list(CRASH))
def test_a_crashed_trigger_is_not_the_runs_failure(flyte_default: LocalFlyte, flag: str) -> None:
    flyte_default.run("r1").phases("RUNNING")
    flags = {} if flag == "plain" else {flag: True}
    task = Try(run_name="r1", **flags)
    with pytest.raises(CRASH[flag]) as ended:
        task.fail("Trigger failure", ["Traceback ...\n", "ValueError: odd\n"])
    if flag != "silent_fail":
        assert "The run itself may still be running" in str(ended.value)
        assert task.ti.xcoms["return_value"]["action"]["status"]["phase"] == "ACTION_PHASE_RUNNING"


def test_a_crashed_trigger_of_a_run_that_is_over_does_not_matter(flyte_default: LocalFlyte) -> None:
    flyte_default.run("r1").succeeds()
    assert Try(run_name="r1").fail("Trigger failure")["action"]["status"]["phase"] == "ACTION_PHASE_SUCCEEDED"


@pytest.mark.parametrize("words", ["Trigger timeout", "Trigger/execution timeout"])
def test_airflows_backstop_is_the_sensors_timeout(flyte_default: LocalFlyte, words: str) -> None:
    flyte_default.run("r1").phases("RUNNING")
    with pytest.raises(FlyteRunTimeout):
        Try(run_name="r1").fail(words)
    with pytest.raises(AirflowTaskTimeout):
        Try(run_name="r1", execution_timeout=timedelta(0)).fail(words)


# -- events that say something else than the run


def _still_waits(task: Try, event: Any) -> TaskDeferred:
    deadline = time.time() + 50
    with pytest.raises(TaskDeferred) as deferred:
        task.resume(event, **settled("r1", deadline=deadline))
    assert kwargs_of(deferred.value)["deadline"] == deadline
    return deferred.value


@pytest.mark.parametrize(
    "event",
    [
        None,
        "done",
        {},
        {"status": "success", "run_id": "r1"},
        RunEvent(Ending.SUCCEEDED, "r1").to_payload() | {"version": 0},
        RunEvent(Ending.SUCCEEDED, "r1").to_payload() | {"ending": "great"},
        RunEvent(Ending.SUCCEEDED, "r1").to_payload(),
        RunEvent(Ending.MISSING, "r1").to_payload(),
        RunEvent(Ending.UNREACHABLE, "r1").to_payload(),
    ],
)
def test_an_event_that_does_not_hold_goes_on_waiting_with_the_same_deadline(
    flyte_default: LocalFlyte, event: Any
) -> None:
    flyte_default.run("r1").phases("RUNNING")
    _still_waits(Try(run_name="r1"), event)


def test_an_event_of_an_older_trigger_ends_the_wait_when_the_run_is_over(flyte_default: LocalFlyte) -> None:
    flyte_default.run("r1").succeeds()
    value = Try(run_name="r1").resume({"status": "success", "run_id": "r1"})
    assert value["action"]["status"]["phase"] == "ACTION_PHASE_SUCCEEDED"


def test_a_success_whose_details_cannot_be_read_is_not_a_failed_run(flyte_default: LocalFlyte) -> None:
    flyte_default.run("r1").succeeds()
    flyte_default.inject("GetRunDetails", unavailable())
    task = Try(run_name="r1", unreachable_after=0.2)
    with pytest.raises(FlyteUnreachable):
        task.resume(RunEvent(Ending.SUCCEEDED, "r1", 5).to_payload())


def test_a_lost_deadline_counts_from_the_start_of_the_try(flyte_default: LocalFlyte) -> None:
    flyte_default.run("r1").phases("RUNNING")
    task = Try(run_name="r1", timeout=10)
    task.ti.start_date -= timedelta(seconds=20)
    with pytest.raises(FlyteRunTimeout):
        task.resume(None)
