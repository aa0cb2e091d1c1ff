"""A sensor that waits for several runs: all or any, fast or to the end, the same in every mode."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_flyte.compat import AirflowFailException, AirflowSkipException, TaskDeferred
from airflow_provider_flyte.exceptions import (
    FlyteArgumentError,
    FlyteRunFailed,
    FlyteRunFailedForGood,
    FlyteRunMissing,
    FlyteRunTimeout,
    FlyteUnreachable,
)
from airflow_provider_flyte.report import xcom
from airflow_provider_flyte.sensors import FlyteRunSensor
from airflow_provider_flyte.testing import LocalFlyte, no_name_filter, unavailable
from airflow_provider_flyte.triggers import FlyteRunTrigger
from airflow_provider_flyte.wait.event import Ending, RunEvent
from tests.airflow.test_triggers import ending
from tests.support.driving import TaskInstance, Try, lines_of, settled

pytestmark = pytest.mark.one_transport("grpc")

NAMES = ["r1", "r2", "r3"]


@pytest.fixture(params=[False, True], ids=["poke", "deferred"])
def several(request: pytest.FixtureRequest) -> Callable[..., Try]:
    def make(**arguments: Any) -> Try:
        return Try(**{"run_names": NAMES, "deferrable": request.param} | arguments)

    return make


def phases(value: dict[str, Any]) -> dict[str, str]:
    return {name: details["action"]["status"]["phase"].removeprefix("ACTION_PHASE_") for name, details in value.items()}


def test_all_of_them(flyte_default: LocalFlyte, several: Callable[..., Try]) -> None:
    secret = "correct-horse-battery"
    for number, name in enumerate(NAMES):
        flyte_default.run(name, envs={"PASSWORD": secret}).phases("RUNNING", "SUCCEEDED", every=0.2 * (number + 1))
    task = several()
    value = task.run()
    assert phases(value) == dict.fromkeys(NAMES, "SUCCEEDED")
    assert secret not in json.dumps([value, task.events])
    assert [event["ending"] for event in task.events] == ["succeeded"] * len(task.deferrals)
    assert len(task.deferrals) <= 1


def test_one_name_in_a_list_gives_a_dict_too(flyte_default: LocalFlyte, several: Callable[..., Try]) -> None:
    flyte_default.run("r1").succeeds()
    assert phases(several(run_names=["r1", "r1"]).run()) == {"r1": "SUCCEEDED"}


def test_any_of_them(flyte_default: LocalFlyte, several: Callable[..., Try]) -> None:
    for name in NAMES:
        flyte_default.run(name).phases("RUNNING")
    flyte_default.run("r2").phases("RUNNING", "SUCCEEDED", every=0.3)
    assert phases(several(wait_for="any").run()) == {"r2": "SUCCEEDED"}


@pytest.mark.parametrize("wait_for", ["all", "any"])
def test_the_first_failure_ends_the_wait(flyte_default: LocalFlyte, several: Callable[..., Try], wait_for: str) -> None:
    flyte_default.run("r1").phases("RUNNING")
    flyte_default.run("r2").fails(kind="USER", message="no rows")
    flyte_default.run("r3").phases("RUNNING")
    task = several(wait_for=wait_for)
    with pytest.raises(
        FlyteRunFailed, match=r"Of 3 Flyte runs, 1 did not succeed:\n.*r2 is FAILED \(USER error\): no rows"
    ):
        task.run()
    assert phases(task.ti.xcoms["return_value"]) == {"r2": "FAILED"}


def test_all_are_let_finish_and_each_is_reported(flyte_default: LocalFlyte, several: Callable[..., Try]) -> None:
    flyte_default.run("r1").fails(kind="SYSTEM", message="node lost", error_after=0.3)
    flyte_default.run("r2").phases("RUNNING", "SUCCEEDED", every=0.4)
    task = several(run_names=[*NAMES, "r4"], fail_fast=False, missing_after=0.2)
    flyte_default.run("r4").fails(kind="USER", message="no rows")
    with pytest.raises(FlyteRunFailed) as failed:
        task.run()
    error = failed.value
    assert isinstance(error, AirflowFailException)
    assert [(type(each), each.run) for each in error.errors] == [
        (FlyteRunFailedForGood, "r1"),
        (FlyteRunFailedForGood, "r4"),
        (FlyteRunMissing, "r3"),
    ]
    assert (error.run, error.kind, error.message) == ("r1", "SYSTEM", "node lost")
    assert "Of 4 Flyte runs, 3 did not succeed:" in str(error)
    for each in error.errors:
        assert each.url in str(error)
    assert phases(task.ti.xcoms["return_value"]) == {"r1": "FAILED", "r2": "SUCCEEDED", "r4": "FAILED"}


def test_a_success_is_waited_for_past_failures(flyte_default: LocalFlyte, several: Callable[..., Try]) -> None:
    flyte_default.run("r1").fails(message="no rows")
    flyte_default.run("r2").phases("RUNNING", "SUCCEEDED", every=0.3)
    flyte_default.run("r3").phases("RUNNING")
    value = several(wait_for="any", fail_fast=False).run()
    assert phases(value) == {"r1": "FAILED", "r2": "SUCCEEDED"}


def test_no_success_is_left_to_wait_for(flyte_default: LocalFlyte, several: Callable[..., Try]) -> None:
    for name in NAMES:
        flyte_default.run(name).fails(message="no rows")
    with pytest.raises(FlyteRunFailed, match="Of 3 Flyte runs, 3 did not succeed"):
        several(wait_for="any", fail_fast=False).run()


def test_a_missing_run(flyte_default: LocalFlyte, several: Callable[..., Try]) -> None:
    flyte_default.run("r1").phases("RUNNING")
    flyte_default.run("r2").succeeds()
    task = several(missing_after=0.3)
    with pytest.raises(FlyteRunMissing, match="Flyte has no run 'r3'") as missing:
        task.run()
    assert [each.run for each in missing.value.errors] == ["r3"]
    assert phases(task.ti.xcoms["return_value"]) == {"r2": "SUCCEEDED"}


def test_a_run_that_comes_into_being_later(flyte_default: LocalFlyte, several: Callable[..., Try]) -> None:
    flyte_default.run("r1").succeeds()
    flyte_default.run("r2").phases("RUNNING", "SUCCEEDED", every=0.6)
    task = several(run_names=["r1", "r2"], missing_after=0.1)
    assert phases(task.run()) == dict.fromkeys(["r1", "r2"], "SUCCEEDED")


def test_unreachable(flyte_default: LocalFlyte, several: Callable[..., Try], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow_provider_flyte.wait.task_wait.BRIEFLY", 0.0)
    for name in NAMES:
        flyte_default.run(name).phases("RUNNING")
    flyte_default.inject("*", unavailable("try later"))
    with pytest.raises(FlyteUnreachable, match="try later") as unreachable:
        several(unreachable_after=0.4).run()
    assert [each.run for each in unreachable.value.errors] == NAMES


def test_the_timeout_names_who_is_not_over(flyte_default: LocalFlyte, several: Callable[..., Try]) -> None:
    flyte_default.run("r1").succeeds()
    flyte_default.run("r2").phases("RUNNING")
    flyte_default.run("r3").phases("QUEUED")
    with pytest.raises(FlyteRunTimeout) as timeout:
        several(timeout=0.4).run()
    assert [each.run for each in timeout.value.errors] == ["r2", "r3"]
    assert "r2 is not over: it is RUNNING" in str(timeout.value)


def test_what_is_over_at_the_timeout_is_in_xcom(flyte_default: LocalFlyte, several: Callable[..., Try]) -> None:
    flyte_default.run("r1").succeeds()
    flyte_default.run("r2").phases("RUNNING")
    task = several(run_names=["r1", "r2"], timeout=0.4)
    with pytest.raises(FlyteRunTimeout):
        task.run()
    assert phases(task.ti.xcoms["return_value"]) == {"r1": "SUCCEEDED"}


@pytest.mark.parametrize(("flag", "ends"), [("soft_fail", AirflowSkipException), ("never_fail", AirflowSkipException)])
def test_the_flags(flyte_default: LocalFlyte, several: Callable[..., Try], flag: str, ends: type[Exception]) -> None:
    flyte_default.run("r1").fails(message="no rows")
    with pytest.raises(ends, match="no rows"):
        several(**{flag: True}).run()


def test_silent_fail_waits_for_a_missing_run(flyte_default: LocalFlyte, several: Callable[..., Try]) -> None:
    flyte_default.run("r1").succeeds()
    with pytest.raises(FlyteRunTimeout, match="r2 is not over: Flyte does not have it"):
        several(run_names=["r1", "r2"], silent_fail=True, missing_after=0.1, timeout=0.6).run()


@pytest.mark.parametrize("code", ["INVALID_ARGUMENT", "UNIMPLEMENTED", "INTERNAL"])
def test_a_backend_that_refuses_to_list_by_name(
    flyte_default: LocalFlyte, several: Callable[..., Try], code: str
) -> None:
    for name in NAMES:
        flyte_default.run(name).succeeds()
    flyte_default.inject("*", no_name_filter(code))
    assert phases(several().run()) == dict.fromkeys(NAMES, "SUCCEEDED")


def test_runs_that_are_read_one_by_one_share_one_budget(flyte_default: LocalFlyte) -> None:
    for name in NAMES:
        flyte_default.run(name).phases("RUNNING")
    flyte_default.inject("*", no_name_filter())
    flyte_default.inject("GetRunDetails", unavailable())
    sensor = Try(run_names=NAMES).sensor
    lines = lines_of(sensor)
    context: Any = {"ti": TaskInstance()}
    with sensor._open(context, 0.0) as wait:
        assert not wait.observe(0.0).over
    assert len(flyte_default.calls("GetRunDetails")) == 1
    assert [line for line in lines if "No answer" in line] == [
        line for line in lines if line.startswith("WARNING: No answer from Flyte, still waiting: ")
    ]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"run_name": "r1"}, "run_name and run_names are both given"),
        ({"run_names": "['r1']"}, "run_names is \"['r1']\" (str), not a list of names"),
        ({"run_names": 7}, "run_names is 7 (int), not a list of names"),
        ({"run_names": []}, "run_names is empty; give at least one name"),
        ({"run_names": ["r1", None]}, "run_name is None (NoneType), not the name of a run"),
        ({"run_names": ["r1", ["r2"]]}, "run_name is a list of 1, not the name of a run"),
        ({"wait_for": "some"}, "wait_for is 'some'; give one of 'all', 'any'"),
        ({"fail_fast": "no"}, "fail_fast is 'no'; give True or False"),
    ],
)
def test_bad_arguments(
    flyte_default: LocalFlyte, several: Callable[..., Try], arguments: dict[str, Any], words: str
) -> None:
    with pytest.raises(FlyteArgumentError) as refused:
        several(**arguments).run()
    assert words in str(refused.value)
    assert flyte_default.calls() == []


def test_neither_name_nor_names(flyte_default: LocalFlyte) -> None:
    with pytest.raises(FlyteArgumentError, match="run_name is None"):
        Try().run()
    assert FlyteRunSensor(task_id="wait").run_name is None


# -- details that cannot be read


def test_an_outage_while_details_are_read_is_no_failure(flyte_default: LocalFlyte, several: Callable[..., Try]) -> None:
    """One has failed and one has succeeded, which is enough; only what it gives is not to be had."""
    flyte_default.run("r1").fails(message="no rows")
    flyte_default.run("r2").succeeds()
    flyte_default.inject("GetRunDetails", unavailable("try later"))
    with pytest.raises(FlyteUnreachable, match="try later"):
        several(run_names=["r1", "r2"], wait_for="any", fail_fast=False, unreachable_after=0.3).run()
    flyte_default.clear_faults()
    value = several(run_names=["r1", "r2"], wait_for="any", fail_fast=False, unreachable_after=0.3).run()
    assert phases(value) == {"r1": "FAILED", "r2": "SUCCEEDED"}


def test_details_are_waited_for_as_long_as_flyte_is(
    flyte_default: LocalFlyte, several: Callable[..., Try], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_provider_flyte.wait.task_wait.BRIEFLY", 0.0)
    for name in NAMES:
        flyte_default.run(name).succeeds()
    flyte_default.inject("GetRunDetails", unavailable(times=3))
    assert phases(several().run()) == dict.fromkeys(NAMES, "SUCCEEDED")


def test_one_budget_for_the_details_of_all(flyte_default: LocalFlyte) -> None:
    names = [f"r{number}" for number in range(50)]
    for name in names:
        flyte_default.run(name).succeeds()
    flyte_default.inject("GetRunDetails", unavailable())
    task = Try(run_names=names, unreachable_after=0.2)
    with pytest.raises(FlyteUnreachable) as unreachable:
        task.resume(RunEvent(Ending.SUCCEEDED, "r0", 5).to_payload())
    assert len(unreachable.value.errors) == 50
    # The tries for the first; after those nobody asks for the others.
    assert {call.request.run_id.name for call in flyte_default.calls("GetRunDetails")} == {"r0"}


def test_a_wait_that_goes_on_reads_no_details(flyte_default: LocalFlyte) -> None:
    """In reschedule mode each poke would read them again."""
    for name in NAMES[1:]:
        flyte_default.run(name).succeeds()
    flyte_default.run("r1").phases("RUNNING")
    for _ in range(3):
        task = Try(run_names=NAMES, deferrable=False, mode="reschedule")
        assert not task.sensor.poke(task.context)
    assert flyte_default.calls("GetRunDetails") == []


@pytest.mark.parametrize("arguments", [{"run_name": "r1"}, {"run_names": ["r1"]}])
def test_one_empty_list_proves_nothing_to_a_worker_that_resumes(
    flyte_default: LocalFlyte, arguments: dict[str, Any]
) -> None:
    task = Try(timeout=36000, **arguments)
    began = time.time() - 3600
    with pytest.raises(TaskDeferred):
        task.resume(RunEvent(Ending.SUCCEEDED, "r1", 5).to_payload(), **settled("r1", began=began))
    with pytest.raises(FlyteRunMissing):
        task.resume(RunEvent(Ending.MISSING, "r1", missing=1).to_payload(), **settled("r1", began=began))


def test_the_failed_run_is_named_however_many_are_missing(flyte_default: LocalFlyte) -> None:
    names = [f"r{number}" for number in range(30)]
    flyte_default.run(names[-1]).fails(message="no rows")
    with pytest.raises(FlyteRunFailed, match=r"r29 is FAILED.*: no rows"):
        Try(run_names=names, deferrable=False, fail_fast=False, missing_after=0.0).run()


# -- many


def test_five_hundred_runs_cost_a_handful_of_calls(flyte_default: LocalFlyte) -> None:
    names = [f"r{number}" for number in range(500)]
    for name in names:
        flyte_default.run(name).phases("RUNNING")
    task = Try(run_names=names, fail_fast=False)
    with pytest.raises(TaskDeferred) as deferred:
        task.sensor.execute(task.context)
    # Three pages of 200.
    assert flyte_default.calls.count("ListRuns") == 3
    assert flyte_default.calls.count("GetRunDetails") == 0
    for name in names:
        flyte_default.run(name).fails(message="no rows")
    flyte_default.calls.clear()
    with pytest.raises(FlyteRunFailed) as failed:
        task.go_on(deferred.value)
    assert len(failed.value.errors) == 500
    assert "... and 480 more" in str(failed.value)
    # Airflow logs an event in full and keeps it in its database.
    assert len(json.dumps(task.events)) < 1000
    assert flyte_default.calls.count("GetRunDetails") == 500
    assert flyte_default.calls.count("ListRuns") < 20


@pytest.mark.usefixtures("no_watcher_left")
async def test_a_wait_that_ends_leaves_no_other_behind(flyte_default: LocalFlyte) -> None:
    names = [f"r{number}" for number in range(50)]
    for name in names:
        flyte_default.run(name).phases("RUNNING")
    made = FlyteRunTrigger(run_names=names, any_one=True, poll_interval=0.5)
    before = asyncio.all_tasks()

    waiting = asyncio.ensure_future(ending(made))
    await flyte_default.wait_for_call_async("ListRuns")
    # One task for all, and the watcher's own.
    assert len(asyncio.all_tasks() - before) < 10
    assert made._lease is not None
    watcher = await made._lease.watcher()
    assert len(watcher) == 50
    flyte_default.run("r7").succeeds()
    event = await waiting
    assert (event["ending"], event["run_name"]) == ("succeeded", "r7")
    assert len(watcher) == 0


@pytest.mark.usefixtures("no_watcher_left")
async def test_trouble_is_logged_once_and_not_for_each(flyte_default: LocalFlyte) -> None:
    names = [f"r{number}" for number in range(100)]
    for name in names:
        flyte_default.run(name).phases("RUNNING")
    flyte_default.inject("ListRuns", unavailable("try later", times=5))
    made = FlyteRunTrigger(run_names=names, poll_interval=0.5)

    text: list[str] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            text.append(record.getMessage())

    log = logging.getLogger("test.several")
    log.setLevel(logging.INFO)
    log.addHandler(Handler())
    made._log = log  # type: ignore[assignment]
    waiting = asyncio.ensure_future(ending(made))
    await flyte_default.wait_for_call_async("ListRuns", 6)
    for name in names:
        flyte_default.run(name).succeeds()
    assert (await waiting)["ending"] == "succeeded"
    # A update may say in between that Flyte answers.
    assert 1 <= len([line for line in text if line.startswith("No answer from Flyte")]) <= 3
    # A line for each of the first ones; a task may wait for thousands.
    assert len([line for line in text if "of 100 Flyte runs: run r" in line]) == 20
    assert "64 of 100 Flyte runs have ended." in text
    assert "100 of 100 Flyte runs have ended." in text


def test_their_details_share_a_bound(
    flyte_default: LocalFlyte, several: Callable[..., Try], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(xcom, "MOST_OF_ALL", 30_000)
    for name in NAMES:
        flyte_default.run(name, annotations={f"a{number}": "x" * 1000 for number in range(20)}).move("SUCCEEDED")
    value = several().run()
    assert set(phases(value).values()) == {"SUCCEEDED"}
    assert len(json.dumps(value)) <= 30_000
