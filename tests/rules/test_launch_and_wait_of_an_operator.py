"""One execution of an operator: what it finds, launches, waits for and ends with. By a scripted Flyte and a clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_flyte import exceptions
from airflow_provider_flyte.client.errors import ConfigError, Status
from airflow_provider_flyte.client.phase import RunPhase
from airflow_provider_flyte.client.run_key import RunKey
from airflow_provider_flyte.compat import AirflowTaskTimeout, TaskDeferred, airflow_stats
from airflow_provider_flyte.launch import launched_wait, launching, trouble
from airflow_provider_flyte.operators import FlyteRunOperator
from airflow_provider_flyte.report.xcom import DETAILS, RUN_NAME, RUN_URL
from airflow_provider_flyte.tries import kill
from airflow_provider_flyte.wait.event import Ending, RunEvent
from airflow_provider_flyte.wait.resumption import OPERATOR, Settled
from tests.support.driving import DagRun, Driven, TaskInstance, lines_of, own_annotations
from tests.support.scripted_flyte import Asked, Connected, ScriptedFlyte, refusal

RUNNING, SUCCEEDED, FAILED, ABORTED = RunPhase.RUNNING, RunPhase.SUCCEEDED, RunPhase.FAILED, RunPhase.ABORTED
QUEUED = RunPhase.QUEUED
USER, SYSTEM = 1, 2
ARGUMENTS: dict[str, Any] = {
    "task_id": "train",
    "task_name": "demo.train",
    "version": "v1",
    "poll_interval": 10.0,
    "resume_after": 0.0,
    "log_lines": 0,
}


class Execution:
    """One try of an operator, by a clock that only pauses move.

    ``then`` says what happens at which time: it is called before each pause.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        self.pauses: list[float] = []
        self.then: Callable[[float], None] = lambda now: None
        self.flyte = ScriptedFlyte(lambda: self.now)
        self.connection = Connected(self.flyte, monkeypatch)
        self.dag_run = DagRun()
        self.metrics: list[tuple[str, dict[str, str]]] = []
        stats = airflow_stats()
        monkeypatch.setattr(
            stats, "incr", lambda name, *_, tags, **__: self.metrics.append((name, tags)), raising=False
        )
        monkeypatch.setattr(stats, "timing", lambda *_, **__: None, raising=False)
        clock = SimpleNamespace(time=lambda: self.now, sleep=self._sleep)
        for module in (launching, launched_wait, trouble, kill):
            monkeypatch.setattr(module, "time", clock)
        # What fails is not repeated in real time.
        for module in (launching, launched_wait):
            monkeypatch.setattr(module, "BRIEFLY", 0.0)
        monkeypatch.setattr(launched_wait, "patience", lambda event: 0.0)

    def _sleep(self, seconds: float) -> None:
        assert self.now < 1e5, "It would go on for ever."
        self.pauses.append(seconds)
        self.now += seconds
        self.then(self.now)

    def operator(self, number: int = 1, *, deferrable: bool = False, **arguments: Any) -> Driven:
        task = FlyteRunOperator(**ARGUMENTS | {"deferrable": deferrable} | arguments)
        driven = Driven(task, TaskInstance(number, 3), self.dag_run)
        self.lines = lines_of(task)
        return driven

    def deferral(self, driven: Driven, *given: Any) -> Any:
        """The arguments that it defers with."""
        with pytest.raises(TaskDeferred) as deferred:
            resume(driven, *given) if given else driven.task.execute(driven.context)
        return SimpleNamespace(
            trigger=deferred.value.trigger.serialize()[1], settled=Settled(**deferred.value.kwargs or {})
        )

    @property
    def run(self) -> RunKey:
        """The only run."""
        [key] = self.flyte.runs
        return key

    def count(self, rpc: str) -> int:
        return len(self.flyte.calls(rpc))

    def fails(self, code: Status, *rpcs: str) -> None:
        self.flyte.fails = lambda asked: refusal(code, "away") if not rpcs or asked.rpc in rpcs else None


def resume(driven: Driven, event: RunEvent, settled: Settled) -> Any:
    """Let the trigger's event resume a try that has settled this."""
    return driven.resume(event.to_payload(), **asdict(settled))


@pytest.fixture
def execution(monkeypatch: pytest.MonkeyPatch) -> Execution:
    return Execution(monkeypatch)


def success_of(execution: Execution, at: float = 1000.0) -> None:
    """Let the run succeed at this time."""

    def then(now: float) -> None:
        if now >= at:
            execution.flyte.runs.update(dict.fromkeys(execution.flyte.runs, SUCCEEDED))

    execution.then = then


def phase(value: Any) -> str:
    return str(value["action"]["status"]["phase"])


# -- a launch


def test_a_launch_and_its_end(execution: Execution) -> None:
    driven = execution.operator()
    success_of(execution, 1030.0)
    assert phase(driven.run()) == "ACTION_PHASE_SUCCEEDED"
    assert execution.count("CreateRun") == 1
    assert execution.metrics[0] == ("flyte.launches", {"flyte_conn_id": "flyte_default"})
    assert execution.metrics[-1] == ("flyte.outcomes", {"flyte_conn_id": "flyte_default", "outcome": "succeeded"})
    assert driven.ti.xcoms[RUN_NAME] == execution.run.name
    assert execution.run.name in driven.ti.xcoms[RUN_URL]
    # Ten seconds between two polls, in turns of half a second.
    assert set(execution.pauses) == {0.5}
    assert [round(asked.at) for asked in execution.flyte.calls("GetRunDetails")] == [1000, 1010, 1020, 1030]


def test_a_run_that_is_there_is_not_launched_again(execution: Execution) -> None:
    success_of(execution)
    execution.operator().run()
    execution.metrics.clear()
    execution.operator().run()
    assert execution.count("CreateRun") == 1
    assert [name for name, _ in execution.metrics] == ["flyte.outcomes"]


def test_what_does_not_wait_ends_with_the_launch(execution: Execution) -> None:
    assert phase(execution.operator(wait=False).run()) == "ACTION_PHASE_QUEUED"
    assert execution.pauses == []


def test_what_does_not_wait_can_be_killed_all_the_same(execution: Execution) -> None:
    driven = execution.operator(wait=False)

    def killed(asked: Asked) -> None:
        if asked.rpc == "GetRunDetails":
            driven.ti.state = "failed"
            driven.task.on_kill()

    execution.flyte.fails = killed
    with pytest.raises(exceptions.FlyteTaskKilled):
        driven.run()
    assert execution.flyte.runs == {execution.run: ABORTED}


# -- trouble before it


@pytest.mark.parametrize(("own", "other", "given_up"), [(45.0, 7.0, 1050.0), (7.0, 45.0, 1010.0)])
def test_a_worker_waits_for_flyte_as_long_as_its_own_limit_says(
    execution: Execution, own: float, other: float, given_up: float
) -> None:
    execution.fails(Status.UNAVAILABLE)
    with pytest.raises(exceptions.FlyteUnreachable, match="Nothing is launched"):
        execution.operator(launch_unreachable_after=own, unreachable_after=other).run()
    # Not longer than what is left of it.
    assert execution.now == 1000.0 + own
    assert execution.now <= given_up
    asked = [each.at for each in execution.flyte.asked if each.rpc == "ListRuns"]
    assert [at for at in asked if at == 1010.0] or own < 10


def test_without_a_limit_a_worker_waits_at_its_pace(execution: Execution) -> None:
    execution.fails(Status.UNAVAILABLE)

    def then(now: float) -> None:
        if now >= 1995.0:
            execution.flyte.fails = lambda asked: None
            success_of(execution)

    execution.then = then
    execution.operator(launch_unreachable_after=None).run()
    at = sorted({asked.at for asked in execution.flyte.asked if asked.at < 1995.0})
    assert at[:4] == [1000.0, 1010.0, 1020.0, 1030.0]
    assert len(at) == 100
    assert len([line for line in execution.lines if "before the launch" in line]) == 1
    assert "INFO: Flyte answers again." in execution.lines


def test_after_trouble_the_connection_is_read_again(execution: Execution) -> None:
    execution.fails(Status.UNAVAILABLE)

    def then(now: float) -> None:
        execution.connection.change(project="q")
        execution.flyte.fails = lambda asked: None
        success_of(execution)

    execution.then = then
    execution.operator().run()
    assert execution.run.project == "q"


def test_a_task_that_is_killed_meanwhile_launches_nothing(execution: Execution) -> None:
    execution.fails(Status.UNAVAILABLE)
    driven = execution.operator()
    execution.then = lambda now: driven.task.on_kill()
    with pytest.raises(exceptions.FlyteTaskKilled, match="before its Flyte run was launched"):
        driven.run()
    assert execution.now == 1000.5


def test_a_deferrable_task_waits_in_the_triggerer(execution: Execution) -> None:
    execution.fails(Status.UNAVAILABLE)
    driven = execution.operator(
        deferrable=True, run_name="nightly", unreachable_after=90.0, execution_timeout=timedelta(seconds=70)
    )
    made = execution.deferral(driven)
    start = driven.ti.start_date.timestamp()
    assert made.settled == Settled(
        OPERATOR,
        1,
        "p",
        "development",
        ["nightly"],
        "flyte.example:443",
        launched=False,
        asked_name="nightly",
        began=1000.0,
        execution_deadline=start + 70.0,
    )
    assert made.trigger["unreachable_after"] == 90.0
    assert "INFO: The task waits in the triggerer until Flyte answers, and launches then." in execution.lines


def answered(run: str = "nightly") -> RunEvent:
    """The event of a trigger when Flyte answers before a launch."""
    return RunEvent(Ending.MISSING, run)


def before_launch(**changed: Any) -> Settled:
    given: dict[str, Any] = {"launched": False, "asked_name": "nightly", "began": 950.0, "run_names": ["nightly"]}
    where = {"project": "p", "domain": "development", "endpoint": "flyte.example:443"}
    return Settled(OPERATOR, 1, **where | given | changed)


def test_trouble_is_counted_from_before_the_deferral(execution: Execution) -> None:
    execution.fails(Status.UNAVAILABLE)
    driven = execution.operator(deferrable=True, run_name="nightly", unreachable_after=90.0)
    made = execution.deferral(driven, answered(), before_launch(execution_deadline=7777.0))
    assert made.settled.began == 950.0
    assert made.trigger["unreachable_after"] == 40.0
    execution.now = 1040.0
    with pytest.raises(exceptions.FlyteUnreachable):
        driven.resume(answered().to_payload(), **asdict(before_launch()))


def test_after_it_the_launch_goes_by_what_was_settled(execution: Execution) -> None:
    """The connection and a template may give something else by now."""
    driven = execution.operator(deferrable=True, run_name="tuesday", project="q")
    made = execution.deferral(driven, answered(), before_launch(execution_deadline=7777.0))
    assert (execution.run.name, execution.run.project) == ("nightly", "p")
    assert (made.settled.launched, made.settled.ours, made.settled.execution_deadline) == (True, True, 7777.0)
    assert made.settled.began == pytest.approx(driven.ti.start_date.timestamp(), abs=600)
    assert made.settled.queued_until is None
    assert "INFO: Flyte answers again." in execution.lines


@pytest.mark.parametrize(
    ("launched", "words"), [(False, "Nothing was launched."), (None, "The run may have been launched.")]
)
def test_a_time_out_before_the_launch(execution: Execution, launched: bool | None, words: str) -> None:
    driven = execution.operator(deferrable=True, run_name="nightly")
    with pytest.raises(AirflowTaskTimeout, match=words):
        driven.resume(
            RunEvent(Ending.TASK_TIMED_OUT, "nightly").to_payload(), **asdict(before_launch(launched=launched))
        )
    assert execution.count("CreateRun") == 0


def test_after_a_trigger_that_crashed_it_does_not_defer_again(execution: Execution) -> None:
    execution.fails(Status.UNAVAILABLE)
    driven = execution.operator(deferrable=True, run_name="nightly")
    with pytest.raises(exceptions.FlyteUnreachable):
        resume(driven, RunEvent(Ending.CRASHED, ""), before_launch(began=999.0))


@pytest.mark.parametrize(("ending", "logs"), [(Ending.MISSING, True), (Ending.UNREACHABLE, False)])
def test_an_answer_that_only_the_triggerer_got(execution: Execution, ending: Ending, logs: bool) -> None:
    execution.fails(Status.UNAVAILABLE)
    driven = execution.operator(deferrable=True, run_name="nightly", unreachable_after=900.0)
    execution.deferral(driven, RunEvent(ending, "nightly"), before_launch())
    assert any("Flyte has just answered the triggerer" in line for line in execution.lines) is logs


def lose_the_answer(execution: Execution) -> None:
    """Launch the run, and lose the answer."""

    def lost(asked: Asked) -> Exception | None:
        if asked.rpc == "CreateRun":
            execution.flyte.fails = lambda asked: None
            execution.flyte._answer(asked)
            execution.fails(Status.UNAVAILABLE)
        return refusal(Status.UNAVAILABLE, "away") if execution.flyte.runs else None

    execution.flyte.fails = lost


def test_a_launch_that_may_have_arrived_is_searched_for_by_its_name(execution: Execution) -> None:
    lose_the_answer(execution)
    driven = execution.operator(deferrable=True, run_name="nightly")
    made = execution.deferral(driven)
    assert (made.settled.launched, made.settled.run_names) == (None, ["nightly"])
    # Today's name is another one, and the event has none.
    execution.flyte.fails = lambda asked: None
    for event in (RunEvent(Ending.CRASHED, ""), RunEvent(Ending.MISSING, "nightly")):
        again = execution.operator(deferrable=True, run_name="tuesday")
        after = execution.deferral(again, event, made.settled)
        assert (after.settled.launched, after.settled.ours, after.settled.run_names) == (True, True, ["nightly"])
    assert execution.count("CreateRun") == 1


def test_on_a_worker_it_is_searched_for_too(execution: Execution) -> None:
    lose_the_answer(execution)

    def then(now: float) -> None:
        execution.flyte.fails = lambda asked: None
        success_of(execution)

    execution.then = then
    execution.operator().run()
    assert execution.count("CreateRun") == 1
    # It was not counted as launched just now.
    assert ("flyte.launches", {"flyte_conn_id": "flyte_default"}) not in execution.metrics


@pytest.mark.parametrize("uncertain", [True, False])
def test_the_name_of_a_launch_that_may_have_arrived_outlives_the_connection(
    execution: Execution, uncertain: bool
) -> None:
    if uncertain:
        lose_the_answer(execution)
    else:
        execution.fails(Status.UNAVAILABLE)

    def then(now: float) -> None:
        execution.connection.change(run_name_prefix="acme")
        execution.flyte.fails = lambda asked: None
        success_of(execution)

    execution.then = then
    execution.operator().run()
    assert execution.run.name.startswith("acme") is not uncertain


def test_where_airflow_has_lost_what_was_settled_the_event_names_the_run(execution: Execution) -> None:
    success_of(execution)
    driven = execution.operator(run_name="monday")
    driven.run()
    again = execution.operator(run_name="tuesday")
    value = again.resume(RunEvent(Ending.SUCCEEDED, "monday").to_payload())
    assert value["action"]["id"]["run"]["name"] == "monday"
    assert execution.count("CreateRun") == 1


@pytest.mark.parametrize("launched", [False, None])
def test_a_connection_that_breaks_meanwhile(execution: Execution, launched: bool | None) -> None:
    execution.connection.change(timeout="soon")
    driven = execution.operator(deferrable=True, run_name="nightly")
    with pytest.raises(exceptions.FlyteConfigurationError) as raised:
        driven.resume(answered().to_payload(), **asdict(before_launch(launched=launched)))
    # Only where a run may be running it is named.
    assert str(raised.value).startswith("Flyte run nightly may still be running. ") is (launched is None)
    assert ("may still be running" in str(raised.value)) is (launched is None)
    # Of a run that is there an event may be left, and nothing is uncertain.
    with pytest.raises(exceptions.FlyteConfigurationError) as raised:
        driven.resume(RunEvent(Ending.SUCCEEDED, "monday").to_payload())
    assert "may still be running" not in str(raised.value)


@pytest.mark.parametrize("kind", [exceptions.FlyteConfigurationError, exceptions.FlyteArgumentError])
def test_the_kind_of_an_error_is_kept_when_it_names_the_run(kind: type[Exception]) -> None:
    with pytest.raises(exceptions.FlyteConfigurationError) as raised, launching.naming("r1"):
        raise kind("broken")
    assert type(raised.value) is kind


def test_a_setting_that_cannot_be_used_names_the_run_too() -> None:
    words = "Flyte run r1 may still be running"
    with pytest.raises(exceptions.FlyteConfigurationError, match=words) as raised, launching.naming("r1"):
        raise ConfigError("broken")
    assert type(raised.value) is exceptions.FlyteConfigurationError


def test_before_a_launch_a_name_is_that_of_today(execution: Execution) -> None:
    """Nothing was launched under the name before."""
    settled = before_launch(asked_name=None, run_names=["of-another-prefix"])
    execution.connection.change(run_name_prefix="acme")
    execution.deferral(execution.operator(deferrable=True), answered("of-another-prefix"), settled)
    assert execution.run.name.startswith("acme")


def test_in_a_task_loop_that_is_not_known_nothing_is_launched(execution: Execution) -> None:
    driven = execution.operator()
    driven.context["loop"] = 7
    with pytest.raises(exceptions.FlyteArgumentError, match="is in a task loop, and which iteration"):
        driven.run()
    assert execution.flyte.asked == []


@pytest.mark.parametrize("values", ["a text", 7, ["A=1"]])
def test_env_vars_that_no_run_can_have(execution: Execution, values: Any) -> None:
    with pytest.raises(exceptions.FlyteArgumentError, match="env_vars is a "):
        execution.operator(env_vars=values).run()
    assert execution.flyte.asked == []


def test_a_prefix_of_the_connection(execution: Execution) -> None:
    execution.connection.change(run_name_prefix="acme")
    execution.operator(wait=False).run()
    assert execution.run.name.startswith("acme")


def test_annotations_are_the_users_and_the_tries(execution: Execution) -> None:
    execution.operator(wait=False, annotations={"team": "sales"}).run()
    kept = execution.flyte.annotations[execution.run]
    assert kept["team"] == "sales"
    assert kept["airflow.apache.org/task_id"] == "train"


# -- the wait


def there(**changed: Any) -> Settled:
    """A run that the try has launched before it deferred."""
    given: dict[str, Any] = {"ours": True, "began": 900.0}
    return Settled(OPERATOR, 1, "p", "development", ["r1"], "flyte.example:443", **given | changed)


def resumed(execution: Execution, phase: int, **arguments: Any) -> Driven:
    execution.flyte.run("r1", phase)
    execution.flyte.annotations[execution.run] = own_annotations()
    return execution.operator(**{"deferrable": True} | arguments)


@pytest.mark.parametrize("ending", [Ending.SUCCEEDED, Ending.FAILED, Ending.MISSING, Ending.QUEUED, Ending.UNREACHABLE])
def test_what_the_worker_sees_counts(execution: Execution, ending: Ending) -> None:
    driven = resumed(execution, SUCCEEDED)
    assert phase(resume(driven, RunEvent(ending, "r1"), there())) == "ACTION_PHASE_SUCCEEDED"
    assert DETAILS not in driven.ti.xcoms


def test_an_event_that_does_not_hold_any_more_leads_to_another_deferral(execution: Execution) -> None:
    driven = resumed(execution, RUNNING)
    made = execution.deferral(driven, RunEvent(Ending.SUCCEEDED, "r1"), there())
    assert made.settled == there()
    assert made.trigger["launched"] is True


def test_a_crash_of_the_trigger_ends_the_try_with_details(execution: Execution) -> None:
    driven = resumed(execution, RUNNING)
    with pytest.raises(exceptions.FlyteWaitBroken, match="it broke"):
        resume(driven, RunEvent(Ending.CRASHED, "r1", message="it broke"), there())
    assert phase(driven.ti.xcoms[DETAILS]) == "ACTION_PHASE_RUNNING"


@pytest.mark.parametrize(
    ("run_phase", "times_out"), [(RUNNING, True), (ABORTED, True), (SUCCEEDED, False), (RunPhase.TIMED_OUT, False)]
)
def test_execution_timeout_in_the_triggerer(execution: Execution, run_phase: int, times_out: bool) -> None:
    """The trigger may have aborted the run because of it."""
    driven = resumed(execution, run_phase)
    event = RunEvent(Ending.TASK_TIMED_OUT, "r1").to_payload()
    if times_out:
        with pytest.raises(AirflowTaskTimeout, match="execution_timeout has passed while the task waited"):
            driven.resume(event, **asdict(there()))
    elif run_phase == SUCCEEDED:
        driven.resume(event, **asdict(there()))
    else:
        with pytest.raises(exceptions.FlyteRunTimedOut):
            driven.resume(event, **asdict(there()))


def test_a_run_that_was_aborted_is_that_without_a_time_out(execution: Execution) -> None:
    driven = resumed(execution, ABORTED)
    with pytest.raises(exceptions.FlyteRunAborted):
        resume(driven, RunEvent(Ending.FAILED, "r1"), there())
    assert execution.metrics == [("flyte.outcomes", {"flyte_conn_id": "flyte_default", "outcome": "failed"})]
    assert phase(driven.ti.xcoms[DETAILS]) == "ACTION_PHASE_ABORTED"


@pytest.mark.parametrize(
    ("fail_fast_on", "kind", "for_good"), [("user", USER, True), ("user", SYSTEM, False), (None, USER, False)]
)
def test_which_failures_are_not_retried(
    execution: Execution, fail_fast_on: str | None, kind: int, for_good: bool
) -> None:
    driven = resumed(execution, FAILED, fail_fast_on=fail_fast_on, retry_as="rerun")
    execution.flyte.errors[execution.run] = kind, "no rows"
    with pytest.raises(exceptions.FlyteRunFailed) as raised:
        resume(driven, RunEvent(Ending.FAILED, "r1"), there())
    assert isinstance(raised.value, exceptions.FlyteRunFailedForGood) is for_good
    assert ("a retry, if there is one, launches another run (retry_as='rerun')" in str(raised.value)) is not for_good
    assert raised.value.url in str(raised.value).splitlines()[-1]


@pytest.mark.parametrize("lines", [0, 7])
def test_the_last_lines_of_a_failed_run(execution: Execution, monkeypatch: pytest.MonkeyPatch, lines: int) -> None:
    asked: list[int] = []

    def tail_log(client: Any, name: Any, *, lines: int, **_: Any) -> Any:
        asked.append(lines)
        return SimpleNamespace(lines=[], trouble="")

    monkeypatch.setattr("airflow_provider_flyte.client.FlyteClient.tail_log", tail_log)
    driven = resumed(execution, FAILED, log_lines=lines)
    execution.flyte.errors[execution.run] = USER, "no rows"
    with pytest.raises(exceptions.FlyteRunFailed):
        resume(driven, RunEvent(Ending.FAILED, "r1"), there())
    assert asked == [lines] * bool(lines)


# -- the queue


@pytest.mark.parametrize("ours", [True, False])
def test_a_run_that_never_left_its_queue(execution: Execution, ours: bool) -> None:
    driven = resumed(execution, QUEUED, queued_timeout=60.0)
    event = RunEvent(Ending.QUEUED, "r1").to_payload()
    with pytest.raises(exceptions.FlyteRunStuck) as raised:
        driven.resume(event, **asdict(there(queued_until=1000.0, ours=ours)))
    error = raised.value
    assert "did not leave its queue in 60 s (queued_timeout)" in str(error)
    assert (error.run, error.project, error.domain, error.phase) == ("r1", "p", "development", "QUEUED")
    assert error.url in str(error)
    assert execution.flyte.runs[execution.run] == (ABORTED if ours else QUEUED)
    if ours:
        reason = execution.flyte.reasons[execution.run]
        assert reason.endswith("it did not leave its queue in 60 s (queued_timeout)")
    assert [name for name, _ in execution.metrics] == ["flyte.outcomes"]
    assert phase(driven.ti.xcoms[DETAILS]) == "ACTION_PHASE_QUEUED"


@pytest.mark.parametrize(
    ("queued_until", "run_phase"), [(None, QUEUED), (1000.1, QUEUED), (1000.0, RUNNING), (1000.0, RunPhase.PAUSED)]
)
def test_a_run_that_may_stay_in_its_queue(execution: Execution, queued_until: float | None, run_phase: int) -> None:
    driven = resumed(execution, run_phase, queued_timeout=60.0)
    made = execution.deferral(driven, RunEvent(Ending.QUEUED, "r1"), there(queued_until=queued_until))
    assert not [line for line in execution.lines if "no longer so" in line]
    # What was checked once is not checked again.
    assert made.settled.queued_until == (1000.1 if queued_until == 1000.1 else None)


def test_a_run_that_is_queued_again_has_left_its_queue(execution: Execution) -> None:
    driven = resumed(execution, QUEUED, queued_timeout=60.0)
    execution.flyte.steps[execution.run] = [QUEUED, RUNNING]
    execution.deferral(driven, RunEvent(Ending.QUEUED, "r1"), there(queued_until=1000.0))
    assert execution.flyte.runs[execution.run] == QUEUED


def test_on_a_worker_the_queue_is_checked_when_it_is_time(execution: Execution) -> None:
    driven = resumed(execution, QUEUED, deferrable=False, queued_timeout=25.0)
    with pytest.raises(exceptions.FlyteRunStuck):
        resume(driven, RunEvent(Ending.UNREACHABLE, "r1"), there(queued_until=1025.0))
    assert execution.now == 1030.0


def test_while_flyte_does_not_answer_nobody_knows_of_the_queue(execution: Execution) -> None:
    driven = resumed(execution, QUEUED, queued_timeout=60.0, unreachable_after=None)
    execution.fails(Status.UNAVAILABLE)
    made = execution.deferral(driven, RunEvent(Ending.QUEUED, "r1"), there(queued_until=1000.0))
    assert made.settled.queued_until == 1000.0


# -- a kill


@pytest.mark.parametrize("ours", [True, False])
def test_a_worker_that_is_asked_to_stop(execution: Execution, ours: bool) -> None:
    driven = resumed(execution, RUNNING, deferrable=False)
    driven.ti.state = "failed"
    execution.then = lambda now: driven.task.on_kill()
    with pytest.raises(exceptions.FlyteTaskKilled):
        resume(driven, RunEvent(Ending.UNREACHABLE, "r1"), there(ours=ours))
    assert execution.now == 1000.5
    assert execution.flyte.runs[execution.run] == (ABORTED if ours else RUNNING)


def test_a_worker_that_was_asked_to_stop_before_it_sleeps(execution: Execution) -> None:
    driven = resumed(execution, RUNNING, deferrable=True)
    driven.ti.state = "failed"
    driven.task.on_kill()
    with pytest.raises(exceptions.FlyteTaskKilled):
        resume(driven, RunEvent(Ending.UNREACHABLE, "r1"), there())
    assert driven.task.stop_requested is False
    assert execution.flyte.runs[execution.run] == ABORTED


def test_a_worker_that_is_asked_to_stop_by_nobody_who_stopped_the_task_defers(execution: Execution) -> None:
    driven = resumed(execution, RUNNING)
    driven.task.on_kill()
    execution.deferral(driven, RunEvent(Ending.UNREACHABLE, "r1"), there())
    assert [line for line in execution.lines if line.startswith("WARNING: This worker process was asked to stop")]
    assert driven.task.stop_requested is False


def test_before_it_defers_the_state_of_the_task_is_read(execution: Execution) -> None:
    """Who is notified only after that would never abort the run."""
    driven = resumed(execution, RUNNING)
    driven.ti.state = "failed"
    with pytest.raises(exceptions.FlyteTaskKilled):
        resume(driven, RunEvent(Ending.UNREACHABLE, "r1"), there())
    assert execution.flyte.runs[execution.run] == ABORTED


# -- its outputs


@pytest.mark.parametrize("push", [True, False])
def test_outputs_that_cannot_be_read(execution: Execution, push: bool) -> None:
    driven = resumed(execution, SUCCEEDED, do_xcom_push=push)
    execution.fails(Status.PERMISSION_DENIED, "GetActionData")
    event = RunEvent(Ending.SUCCEEDED, "r1")
    if not push:
        assert phase(resume(driven, event, there())) == "ACTION_PHASE_SUCCEEDED"
        assert execution.count("GetActionData") == 0
        return
    with pytest.raises(exceptions.FlyteOutputsUnreadable):
        resume(driven, event, there())
    # What is known goes into XCom all the same.
    assert phase(driven.ti.xcoms[DETAILS]) == "ACTION_PHASE_SUCCEEDED"
