"""What Flyte shows of the runs of a task -> what a worker decides, logs and raises. By a table of runs and a clock."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_flyte import exceptions
from airflow_provider_flyte.client import FlyteClient
from airflow_provider_flyte.client.errors import Status
from airflow_provider_flyte.client.flows.run_log import LogPosition
from airflow_provider_flyte.client.phase import RunPhase
from airflow_provider_flyte.client.verdict import Outcome, WaitRules
from airflow_provider_flyte.tries.held_client import HeldClient
from airflow_provider_flyte.wait.event import Ending, RunEvent
from airflow_provider_flyte.wait.resumption import SENSOR, Settled
from airflow_provider_flyte.wait.task_wait import TaskWait, patience
from tests.support.scripted_flyte import HERE, Asked, Connected, ScriptedFlyte, refusal

RUNNING, SUCCEEDED, FAILED, ABORTED = RunPhase.RUNNING, RunPhase.SUCCEEDED, RunPhase.FAILED, RunPhase.ABORTED
USER, SYSTEM = 1, 2
RULES = WaitRules(60.0, 300.0)


class Worker:
    """Waits for runs, by a clock that only pauses move."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        self.pauses: list[float] = []
        self.flyte = ScriptedFlyte(lambda: self.now)
        self.connection = Connected(self.flyte, monkeypatch)
        self.held = HeldClient("flyte_default", logging.getLogger("task"))

    def _sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds

    def waits(self, *names: str, several: bool | None = None, **arguments: Any) -> TaskWait:
        given: dict[str, Any] = {"rules": RULES, "began": 1000.0, "log": logging.getLogger("task")}
        given |= {"now": lambda: self.now, "sleep": self._sleep, "project": None, "domain": None}
        given["several"] = len(names) > 1 if several is None else several
        return TaskWait(self.held, names, **given | arguments)

    def fails(self, code: Status, *rpcs: str, names: tuple[str, ...] = ()) -> None:
        self.flyte.fails = lambda asked: (
            refusal(code, "away")
            if (not rpcs or asked.rpc in rpcs) and (not names or set(names) & set(asked.names))
            else None
        )

    def asked(self) -> list[tuple[str, tuple[str, ...]]]:
        """The calls since the last time."""
        asked, self.flyte.asked[:] = [(each.rpc, each.names) for each in self.flyte.asked], []
        return asked


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Worker:
    caplog.set_level(logging.INFO, "task")
    return Worker(monkeypatch)


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "task"]


def reads(*names: str) -> list[tuple[str, tuple[str, ...]]]:
    return [("GetRunDetails", (name,)) for name in names]


# -- who waits for what


@pytest.mark.parametrize("ending", list(Ending))
def test_a_run_that_is_over_has_to_be_read(ending: Ending) -> None:
    assert patience(RunEvent(ending, "r1")) == (60.0 if ending in (Ending.SUCCEEDED, Ending.FAILED) else 5.0)
    assert patience(None) == 60.0


def test_the_project_is_the_connections_where_none_is_given(worker: Worker) -> None:
    settled = Settled(SENSOR, 1, None, None, ["r1"])
    here = worker.waits("r1").settle(settled)
    assert (here.project, here.domain, here.endpoint) == ("p", "development", "flyte.example:443")
    there = worker.waits("r1", project="q", domain="staging").settle(Settled(SENSOR, 1, None, None, ["r1"], "old:1"))
    assert (there.project, there.domain, there.endpoint) == ("q", "staging", "old:1")


def test_without_a_project_nothing_can_be_asked(worker: Worker) -> None:
    worker.connection.change(project="")
    with pytest.raises(exceptions.FlyteConfigurationError, match=r"roject.*\(Flyte connection 'flyte_default'\)"):
        worker.waits("r1")


def test_the_block_closes_the_client(worker: Worker) -> None:
    with worker.waits("r1") as wait:
        client = wait.client
        assert wait.client is client
    assert worker.held._client is None


# -- one run


def test_one_run_is_read_by_itself(worker: Worker) -> None:
    worker.flyte.run("r1", SUCCEEDED)
    wait = worker.waits("r1")
    assert wait.details is None
    assert wait.observe(5.0).outcome is Outcome.SUCCEEDED
    assert worker.asked() == reads("r1")
    assert wait.details is not None
    assert (wait.complete, wait.trouble) == (True, "")
    value = wait.value(redact_env=True)
    assert value is not None
    assert value["action"]["id"]["run"]["name"] == "r1"
    wait.read_ended()
    assert worker.asked() == []


def test_before_anything_was_read_there_is_no_value(worker: Worker) -> None:
    assert worker.waits("r1").value(redact_env=True) is None
    assert worker.waits("r1", several=True).value(redact_env=True) == {}


# -- several runs


def test_one_list_shows_which_are_over(worker: Worker, caplog: pytest.LogCaptureFixture) -> None:
    names = ["r1", "r2", "r3"]
    for name in names:
        worker.flyte.run(name, RUNNING)
    wait = worker.waits(*names, "gone")
    assert wait.observe(5.0).outcome is Outcome.WAITING
    assert worker.asked() == [("ListRuns", (*names, "gone"))]
    assert [run.absent for run in wait._runs] == [False, False, False, True]
    assert lines(caplog) == ["Of 4 Flyte runs: 3 RUNNING, 1 not created yet."]
    # Another one of the same: nothing to log.
    wait.observe(5.0)
    assert len(lines(caplog)) == 1
    worker.asked()
    worker.flyte.run("gone", RUNNING)
    worker.flyte.run("r1", SUCCEEDED)
    wait.observe(5.0)
    # Details are read when the wait is over, and not before.
    assert [rpc for rpc, _ in worker.asked()] == ["ListRuns"]
    assert not any(run.absent for run in wait._runs)
    for name in ("r2", "r3", "gone"):
        worker.flyte.run(name, SUCCEEDED)
    assert not wait.complete
    assert wait.observe(5.0).outcome is Outcome.SUCCEEDED
    assert worker.asked() == [("ListRuns", (*names, "gone")), *reads(*names, "gone")]
    assert wait.complete
    assert set(wait.value(redact_env=True) or {}) == {*names, "gone"}
    # What is settled is not asked for again.
    wait.observe(5.0)
    assert worker.asked() == []


@pytest.mark.parametrize(
    ("phases", "any_one", "fail_fast", "outcome"),
    [
        ((SUCCEEDED, RUNNING), False, True, Outcome.WAITING),
        ((SUCCEEDED, RUNNING), True, True, Outcome.SUCCEEDED),
        ((ABORTED, RUNNING), False, True, Outcome.FAILED),
        ((ABORTED, RUNNING), False, False, Outcome.WAITING),
        ((ABORTED, SUCCEEDED), False, False, Outcome.FAILED),
    ],
)
def test_the_verdict_on_several_runs(
    worker: Worker, phases: tuple[int, int], any_one: bool, fail_fast: bool, outcome: Outcome
) -> None:
    for name, phase in zip(("r1", "r2"), phases, strict=True):
        worker.flyte.run(name, phase)
    assert worker.waits("r1", "r2", any_one=any_one, fail_fast=fail_fast).observe(5.0).outcome is outcome


def test_of_those_that_are_not_over_no_details_are_given(worker: Worker, caplog: pytest.LogCaptureFixture) -> None:
    worker.flyte.run("r1", ABORTED)
    worker.flyte.run("r2", RUNNING)
    wait = worker.waits("r1", "r2")
    wait.observe(5.0)
    assert worker.asked() == [("ListRuns", ("r1", "r2")), *reads("r1")]
    assert set(wait.value(redact_env=True) or {}) == {"r1"}
    assert [line.split(":")[0] for line in lines(caplog) if line.startswith("Flyte run ")] == [
        "Flyte run p/development/r1"
    ]


def test_errors_that_come_a_moment_later_are_waited_for(worker: Worker) -> None:
    for name in ("r1", "r2"):
        worker.flyte.run(name, FAILED)
    worker.flyte.errors[HERE.run("r1")] = USER, "no rows"

    def later(asked: Asked) -> None:
        if worker.now >= 1001.5:
            worker.flyte.errors[HERE.run("r2")] = USER, "no columns"

    worker.flyte.fails = later
    wait = worker.waits("r1", "r2", fail_fast=False)
    assert wait.observe(5.0).outcome is Outcome.FAILED
    listed = [("ListActions", ("r1",)), ("ListActions", ("r2",))]
    assert worker.asked() == [("ListRuns", ("r1", "r2")), *reads("r1", "r2", "r2", "r2", "r2"), *listed]
    assert worker.pauses == [0.5] * 3


def test_errors_that_never_come_are_not_waited_for_long(worker: Worker) -> None:
    worker.flyte.run("r1", FAILED)
    assert worker.waits("r1", several=True).observe(5.0).outcome is Outcome.FAILED
    assert worker.pauses == [0.5] * 10


def test_many_are_listed_in_several_calls(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow_provider_flyte.client.flows.calls.NAMES_A_CALL", 2)
    for name in ("r1", "r2", "r3"):
        worker.flyte.run(name, RUNNING)
    worker.waits("r1", "r2", "r3").observe(5.0)
    assert worker.asked() == [("ListRuns", ("r1", "r2")), ("ListRuns", ("r3",))]


def test_where_lists_are_refused_each_is_read(worker: Worker) -> None:
    worker.flyte.run("r1", RUNNING)
    worker.flyte.run("r2", SUCCEEDED)
    worker.fails(Status.UNIMPLEMENTED, "ListRuns")
    wait = worker.waits("r1", "r2")
    assert wait.observe(0.0).outcome is Outcome.WAITING
    assert worker.asked() == [("ListRuns", ("r1", "r2")), *reads("r1", "r2")]
    wait.observe(0.0)
    assert worker.asked() == [("ListRuns", ("r1",)), *reads("r1")]


def test_details_of_those_that_are_over_without_the_others(worker: Worker, caplog: pytest.LogCaptureFixture) -> None:
    worker.flyte.run("r1", SUCCEEDED)
    worker.flyte.run("r2", RUNNING)
    wait = worker.waits("r1", "r2")
    wait.observe(5.0)
    worker.asked()
    wait.read_ended()
    assert worker.asked() == reads("r1")
    assert lines(caplog)[-1].startswith("Flyte run p/development/r1: SUCCEEDED.")


# -- trouble


def test_trouble_of_a_list_is_that_of_all_that_are_not_over(worker: Worker, caplog: pytest.LogCaptureFixture) -> None:
    worker.flyte.run("r1", SUCCEEDED)
    worker.flyte.run("r2", RUNNING)
    wait = worker.waits("r1", "r2")
    wait.observe(0.0)
    worker.fails(Status.UNAVAILABLE)
    for _ in range(2):
        assert wait.observe(0.0).outcome is Outcome.WAITING
    assert "away" in wait.trouble
    assert len([line for line in lines(caplog) if line.startswith("No answer from Flyte, still waiting: ")]) == 1
    worker.now += 300.0
    verdict = wait.observe(0.0)
    assert verdict.outcome is Outcome.UNREACHABLE
    error: Any = wait.errors.error(verdict)
    assert type(error) is exceptions.FlyteUnreachable
    assert [each.run for each in error.errors] == ["r2"]


def test_a_list_that_failed_once_is_no_trouble_with_a_run_that_is_over(worker: Worker) -> None:
    worker.flyte.run("r1", SUCCEEDED)
    worker.flyte.run("r2", RUNNING)
    wait = worker.waits("r1", "r2")
    worker.fails(Status.UNAVAILABLE)
    assert wait.observe(0.0).outcome is Outcome.WAITING
    worker.flyte.fails = lambda asked: None
    assert wait.observe(0.0).outcome is Outcome.WAITING
    # Nobody asks for the first any more: its trouble has ended with the list that showed its end.
    worker.now += 300.0
    assert wait.observe(0.0).outcome is Outcome.WAITING
    worker.flyte.run("r2", SUCCEEDED)
    assert wait.observe(0.0).outcome is Outcome.SUCCEEDED


def test_trouble_is_counted_from_its_call(worker: Worker) -> None:
    worker.flyte.run("r1", RUNNING)
    wait = worker.waits("r1", several=True)

    def slow(asked: Asked) -> Exception:
        worker.now += 290.0
        return refusal(Status.UNAVAILABLE)

    worker.flyte.fails = slow
    assert wait.observe(0.0).outcome is Outcome.WAITING
    worker.fails(Status.UNAVAILABLE)
    worker.now += 10.0
    assert wait.observe(0.0).outcome is Outcome.UNREACHABLE


def test_one_budget_for_all_reads(worker: Worker) -> None:
    """Once trouble has spent it the others are not read: their trouble is the same."""
    names = [f"r{number}" for number in range(5)]
    for name in names:
        worker.flyte.run(name, ABORTED)
    worker.fails(Status.UNAVAILABLE, "GetRunDetails")
    wait = worker.waits(*names, fail_fast=False)
    assert wait.observe(0.0).outcome is Outcome.WAITING
    assert [call for call in worker.asked() if call[0] == "GetRunDetails"][:2] == reads("r0")
    assert all(run.trouble for run in wait._runs)


def test_a_read_that_is_refused_concerns_one_run(worker: Worker) -> None:
    for name in ("r1", "r2"):
        worker.flyte.run(name, ABORTED)
    worker.fails(Status.PERMISSION_DENIED, "GetRunDetails", names=("r1",))
    wait = worker.waits("r1", "r2", fail_fast=False)
    wait.observe(5.0)
    assert [bool(run.trouble) for run in wait._runs] == [True, False]


def test_how_long_a_poll_repeats_what_may_pass(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[float] = []
    execute = FlyteClient.execute

    def noting(client: FlyteClient, asked: Any, *, retry_for: float | None = None) -> Any:
        assert retry_for is not None
        given.append(retry_for)
        worker.now += 2.0
        return execute(client, asked, retry_for=0.0)

    monkeypatch.setattr(FlyteClient, "execute", noting)
    for name in ("r1", "r2"):
        worker.flyte.run(name, SUCCEEDED)
    worker.waits("r1").observe(7.0)
    worker.waits("r1", rules=WaitRules(60.0, 3.0)).observe(7.0)
    worker.waits("r1", "r2").observe(3.0)
    # The list and two reads share one budget.
    assert given == [7.0, 3.0, 3.0, 1.0, 0.0]


def test_where_nothing_helps_the_connection_is_read_again(worker: Worker) -> None:
    """Its secret may have been replaced during the wait."""
    worker.flyte.run("r1", RUNNING)
    wait = worker.waits("r1")
    wait.observe(0.0)
    worker.fails(Status.UNAUTHENTICATED)
    old = wait.client
    # It has not changed.
    assert wait.observe(0.0).outcome is Outcome.UNREACHABLE
    assert wait.client is old
    worker.connection.change(timeout=7)
    worker.asked()

    def refuses_the_old_one(asked: Asked) -> Exception | None:
        return refusal(Status.UNAUTHENTICATED) if len(worker.flyte.asked) == 1 else None

    worker.flyte.fails = refuses_the_old_one
    assert wait.observe(0.0).outcome is Outcome.WAITING
    assert worker.asked() == reads("r1", "r1")
    assert wait.client is not old
    assert wait._runs[0].client is wait.client


def test_of_several_one_that_is_refused_is_enough(worker: Worker) -> None:
    for name in ("r1", "r2"):
        worker.flyte.run(name, ABORTED)
    worker.fails(Status.PERMISSION_DENIED, "GetRunDetails", names=("r1",))
    wait = worker.waits("r1", "r2", fail_fast=False)
    worker.connection.change(timeout=7)
    wait.observe(5.0)
    assert [names for rpc, names in worker.asked() if rpc == "GetRunDetails"] == [("r1",), ("r2",), ("r1",)]


def test_trouble_that_may_pass_leaves_the_connection_alone(worker: Worker) -> None:
    wait = worker.waits("r1")
    worker.fails(Status.UNAVAILABLE)
    worker.connection.change(timeout=7)
    old = wait.client
    wait.observe(0.0)
    assert wait.client is old


# -- its log


def test_ends_are_logged_first_those_that_did_not_succeed(worker: Worker, caplog: pytest.LogCaptureFixture) -> None:
    worker.flyte.run("r1", SUCCEEDED)
    for number in range(2, 7):
        worker.flyte.run(f"r{number}", ABORTED)
    names = [f"r{number}" for number in range(1, 7)]
    worker.waits(*names, fail_fast=False).observe(5.0)
    ends = [line.split(":")[0] for line in lines(caplog) if line.startswith("Flyte run ")]
    assert ends == [f"Flyte run p/development/r{number}" for number in (2, 3, 4, 5, 6, 1)]
    # Of three it is logged what happened.
    stories = [number for number, line in enumerate(lines(caplog)) if line.startswith("Flyte: ")]
    heads = [number for number, line in enumerate(lines(caplog)) if line.startswith("Flyte run ")]
    assert heads[0] < stories[0]
    assert heads[3] > stories[-1] > heads[2]


def test_the_ends_of_twenty_are_logged(worker: Worker, caplog: pytest.LogCaptureFixture) -> None:
    names = [f"r{number}" for number in range(25)]
    for name in names:
        worker.flyte.run(name, SUCCEEDED)
    wait = worker.waits(*names)
    wait.observe(5.0)
    said = lines(caplog)
    assert len([line for line in said if line.startswith("Flyte run ")]) == 20
    assert len([line for line in said if line.startswith("The ends of further runs are not logged")]) == 1
    assert not [line for line in said if line.startswith("Flyte: ")]
    wait.read_ended()
    assert lines(caplog) == said


# -- its errors


def failed(worker: Worker, *names: str, **arguments: Any) -> tuple[TaskWait, Any]:
    for name in names:
        worker.flyte.run(name, FAILED)
        worker.flyte.errors[HERE.run(name)] = USER, f"no rows in {name}\nand more"
    wait = worker.waits(*names, several=True, fail_fast=False, **arguments)
    return wait, wait.errors.error(wait.observe(5.0))


def test_one_error_for_all(worker: Worker) -> None:
    wait, error = failed(worker, "r1", "r2")
    assert type(error) is exceptions.FlyteRunFailedForGood
    first, *rest = str(error).splitlines()
    assert first == "Of 2 Flyte runs, 2 did not succeed:"
    # Only the first line of each, and where to look.
    assert rest[0] == f"Flyte run p/development/r1 is FAILED (USER error): no rows in r1 {wait.url}"
    assert len(rest) == 3
    assert rest[2].startswith("Runs that are over cannot change")
    assert [each.run for each in error.errors] == ["r1", "r2"]
    assert (error.run, error.kind) == ("r1", "USER")


def test_where_to_look_is_said_once_for_each(worker: Worker) -> None:
    wait = worker.waits("r1", "r2")
    first, second = str(wait.errors.timed_out(9.0)).splitlines()[1:]
    for name, line in (("r1", first), ("r2", second)):
        assert line.count(worker.held.get().config.run_url(HERE.run(name))) == 1


@pytest.mark.parametrize(("count", "more"), [(20, None), (21, "... and 1 more"), (30, "... and 10 more")])
def test_twenty_runs_are_named(worker: Worker, count: int, more: str | None) -> None:
    _, error = failed(worker, *(f"r{number}" for number in range(count)))
    named = [line for line in str(error).splitlines() if line.startswith("Flyte run ")]
    assert len(named) == 20
    assert [line for line in str(error).splitlines() if line.startswith("...")] == ([more] if more else [])
    assert len(error.errors) == count


def test_the_kind_is_that_of_the_run_with_the_least_hope(worker: Worker) -> None:
    worker.flyte.run("r1", RUNNING)
    worker.flyte.run("r2", ABORTED)
    worker.now += 60.0
    wait = worker.waits("gone", "r1", "r2", fail_fast=False)
    wait.observe(5.0)
    worker.flyte.run("r1", SUCCEEDED)
    error: Any = wait.errors.error(wait.observe(5.0))
    assert type(error) is exceptions.FlyteRunAbortedForGood
    assert [(each.run, type(each).__name__) for each in error.errors] == [
        ("r2", "FlyteRunAbortedForGood"),
        ("gone", "FlyteRunMissing"),
    ]


def test_enough_have_succeeded_but_cannot_be_read(worker: Worker) -> None:
    worker.flyte.run("r1", SUCCEEDED)
    worker.flyte.run("r2", ABORTED)
    worker.fails(Status.NOT_FOUND, "GetRunDetails", names=("r1",))
    wait = worker.waits("r1", "r2", any_one=True)
    verdict = wait.observe(0.0)
    assert verdict.outcome is Outcome.SUCCEEDED
    error: Any = wait.errors.error(verdict)
    assert type(error) is exceptions.FlyteUnreachable
    assert [each.run for each in error.errors] == ["r1"]


def test_an_error_is_about_those_whom_it_concerns(worker: Worker) -> None:
    worker.flyte.run("r1", RUNNING)
    worker.flyte.run("r2", SUCCEEDED)
    wait = worker.waits("r1", "r2", "gone")
    # Nothing is known yet, so it is about all.
    assert [each.run for each in wait.errors.missing().errors] == ["r1", "r2", "gone"]
    assert [each.run for each in wait.errors.unreachable("why").errors] == ["r1", "r2", "gone"]
    wait.observe(5.0)
    wait.read_ended()
    assert [each.run for each in wait.errors.missing().errors] == ["gone"]
    assert [each.run for each in wait.errors.timed_out(9.0).errors] == ["r1", "gone"]
    assert [each.run for each in wait.errors.broken("why").errors] == ["r1", "gone"]
    worker.fails(Status.UNAVAILABLE)
    wait.observe(0.0)
    assert [each.run for each in wait.errors.unreachable("why").errors] == ["r1", "gone"]
    # Of one run it is that run's own.
    assert worker.waits("r1").errors.timed_out(9.0).errors == ()


# -- the trigger's event


@pytest.mark.parametrize(
    ("ending", "trouble", "there", "kind"),
    [
        (Ending.MISSING, False, False, exceptions.FlyteRunMissing),
        (Ending.MISSING, False, True, None),
        (Ending.MISSING, True, False, None),
        (Ending.SUCCEEDED, True, True, exceptions.FlyteUnreachable),
        (Ending.FAILED, True, True, exceptions.FlyteUnreachable),
        (Ending.SUCCEEDED, False, True, None),
        (Ending.UNREACHABLE, True, True, exceptions.FlyteUnreachable),
        (Ending.UNREACHABLE, False, True, None),
        (Ending.CRASHED, False, True, exceptions.FlyteWaitBroken),
        (Ending.CRASHED, True, True, exceptions.FlyteWaitBroken),
        (Ending.NO_CONNECTION, False, True, exceptions.FlyteConfigurationError),
    ],
)
def test_whether_an_event_still_holds(
    worker: Worker, caplog: pytest.LogCaptureFixture, ending: Ending, trouble: bool, there: bool, kind: type | None
) -> None:
    wait = worker.waits("r1")
    if there:
        worker.flyte.run("r1", RUNNING)
    if trouble:
        worker.fails(Status.UNAVAILABLE)
    wait.observe(0.0)
    before = len(lines(caplog))
    error = wait.errors.explain(RunEvent(ending, "r1", message="so it was"))
    assert type(error) is (type(None) if kind is None else kind)
    said = lines(caplog)[before:]
    if kind is not None:
        assert said == []
    elif ending is Ending.UNREACHABLE:
        assert said[0].startswith("Flyte answers this worker, and gave the triggerer no usable answer.")
        assert said[0].endswith("so it was")
    else:
        assert "This is no longer so, and the task keeps waiting." in said[0]
    if kind is exceptions.FlyteUnreachable:
        assert ("compare how the two reach Flyte" in str(error)) == (ending is not Ending.UNREACHABLE)
        assert "away" in str(error)
    if kind is exceptions.FlyteConfigurationError:
        assert str(error).endswith(f"{wait.url} so it was")


# -- what a run leaves


def with_outputs(worker: Worker, **arguments: Any) -> TaskWait:
    worker.flyte.run("r1", SUCCEEDED)
    wait = worker.waits("r1", **arguments)
    wait.observe(0.0)
    assert wait.details is not None
    wait.details.pb2.action.task.task_template.interface.outputs.variables.add(key="o0")
    return wait


def away_until(worker: Worker, until: float, code: Status = Status.UNAVAILABLE) -> None:
    def fails(asked: Asked) -> Exception | None:
        worker.now += 10.0
        return refusal(code, "away") if worker.now < until else None

    worker.flyte.fails = fails


def test_outputs_are_asked_for_until_they_come(worker: Worker, caplog: pytest.LogCaptureFixture) -> None:
    wait = with_outputs(worker)
    away_until(worker, 1050.0)
    assert wait.outputs(0.0) == {}
    said = [line for line in lines(caplog) if "does not give its outputs yet" in line]
    assert len(said) == 1
    assert "Asking for 290 s more (unreachable_after)." in said[0]


@pytest.mark.parametrize("limit", [None, 300.0, 301.0])
def test_outputs_are_given_up_after_unreachable_after(
    worker: Worker, caplog: pytest.LogCaptureFixture, limit: float | None
) -> None:
    wait = with_outputs(worker, rules=WaitRules(60.0, limit))
    away_until(worker, 1400.0)
    if limit is None:
        assert wait.outputs(0.0) == {}
        assert "Asking until it does." in caplog.text
        return
    with pytest.raises(exceptions.FlyteOutputsUnreadable):
        wait.outputs(0.0)
    assert worker.now == (1300.0 if limit == 300.0 else 1310.0)


@pytest.mark.parametrize("code", [Status.PERMISSION_DENIED, Status.UNIMPLEMENTED])
def test_outputs_that_are_refused_are_given_up_at_once(worker: Worker, code: Status) -> None:
    wait = with_outputs(worker)
    worker.fails(code, "GetActionData")
    with pytest.raises(exceptions.FlyteOutputsUnreadable):
        wait.outputs(0.0)
    assert worker.now == 1000.0


def test_outputs_are_asked_for_with_another_secret(worker: Worker) -> None:
    wait = with_outputs(worker)
    away_until(worker, 1015.0, Status.UNAUTHENTICATED)
    worker.connection.change(timeout=7)
    assert wait.outputs(0.0) == {}


@pytest.mark.parametrize(("brief", "limit", "given"), [(5.0, 300.0, 5.0), (5.0, 3.0, 3.0), (5.0, None, 5.0)])
def test_how_long_one_read_of_outputs_takes_trouble(
    worker: Worker, monkeypatch: pytest.MonkeyPatch, brief: float, limit: float | None, given: float
) -> None:
    wait = with_outputs(worker, rules=WaitRules(60.0, limit))
    seen: list[float | None] = []
    execute = FlyteClient.execute

    def noting(client: FlyteClient, asked: Any, *, retry_for: float | None = None) -> Any:
        seen.append(retry_for)
        return execute(client, asked, retry_for=0.0)

    monkeypatch.setattr(FlyteClient, "execute", noting)
    wait.outputs(brief)
    assert seen == [given]


@pytest.mark.parametrize(("tail", "trouble", "words"), [
    (["a", "b"], "", "The end of the log of attempt 2:\n  | a\n  | b"),
    ([], "no such service.", "No log of attempt 2: no such service. The run's page: "),
    ([], "", "No log of attempt 2: Flyte sent no lines of it. The run's page: "),
])  # fmt: skip
def test_the_last_lines_of_the_run(
    worker: Worker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture,
    tail: list[str], trouble: str, words: str,
) -> None:  # fmt: skip
    asked: dict[str, Any] = {}

    def tail_log(client: FlyteClient, name: str, **how: Any) -> Any:
        asked.update(how, name=name)
        return SimpleNamespace(lines=tail, trouble=trouble)

    monkeypatch.setattr(FlyteClient, "tail_log", tail_log)
    wait = with_outputs(worker)
    assert wait.details is not None
    wait.details.pb2.action.status.attempts = 2
    wait.log_last_lines(0)
    assert asked == {}
    wait.log_last_lines(7)
    written = LogPosition()
    assert asked == {
        "name": "r1", "attempt": 2, "lines": 7, "project": "p", "domain": "development", "written": written
    }  # fmt: skip
    assert lines(caplog)[-1].startswith(words)
    wait.details.pb2.action.status.attempts = 0
    wait.log_last_lines(7)
    assert asked["attempt"] == 1


def test_without_details_there_are_no_last_lines(worker: Worker) -> None:
    worker.waits("r1").log_last_lines(7)
    assert worker.asked() == []
