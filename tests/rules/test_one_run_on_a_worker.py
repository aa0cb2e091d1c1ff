"""What Flyte shows of a run -> what a worker decides, logs and raises. By a table of runs and a clock."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from airflow_provider_flyte import exceptions
from airflow_provider_flyte.client.errors import ConfigError, NotFoundError, Status
from airflow_provider_flyte.client.phase import RunPhase
from airflow_provider_flyte.client.verdict import Absent, Outcome, Seen, Trouble, Verdict, WaitRules
from airflow_provider_flyte.wait import run_wait
from airflow_provider_flyte.wait.run_wait import Advice, RunWait, trouble_of
from tests.support.scripted_flyte import HERE, Asked, ScriptedFlyte, refusal

RUNNING, SUCCEEDED, FAILED = RunPhase.RUNNING, RunPhase.SUCCEEDED, RunPhase.FAILED
R1 = HERE.run("r1")
USER, SYSTEM = 1, 2


class Worker:
    """A wait for the run ``r1``, by a clock that only its pauses move."""

    def __init__(self, **arguments: Any) -> None:
        self.now = 1000.0
        self.pauses: list[float] = []
        self.flyte = ScriptedFlyte(lambda: self.now)
        given: dict[str, Any] = {"rules": WaitRules(60.0, 300.0), "began": 1000.0, "log": logging.getLogger("task")}
        self.wait = RunWait(self.flyte.client, R1, now=lambda: self.now, sleep=self._sleep, **given | arguments)

    def _sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds

    def fails(self, code: Status, *rpcs: str) -> None:
        self.flyte.fails = lambda asked: refusal(code, "away") if not rpcs or asked.rpc in rpcs else None


@pytest.fixture
def worker(caplog: pytest.LogCaptureFixture) -> Worker:
    caplog.set_level(logging.INFO, "task")
    return Worker()


# -- one poll


@pytest.mark.parametrize(
    ("phase", "outcome"),
    [
        (None, Outcome.WAITING),
        (RUNNING, Outcome.WAITING),
        (99, Outcome.WAITING),
        (SUCCEEDED, Outcome.SUCCEEDED),
        (RunPhase.RECOVERED, Outcome.SUCCEEDED),
        (RunPhase.ABORTED, Outcome.FAILED),
        (RunPhase.TIMED_OUT, Outcome.FAILED),
    ],
)
def test_a_poll(worker: Worker, phase: int | None, outcome: Outcome) -> None:
    if phase is not None:
        worker.flyte.run("r1", phase)
    verdict = worker.wait.observe(0.0)
    assert (verdict.outcome, verdict.phase) == (outcome, phase)
    assert worker.wait.verdict == verdict == worker.wait.verdict_without_details
    assert (worker.wait.settled, worker.wait.is_over) == (verdict.over, verdict.over)
    assert (worker.wait.absent, worker.wait.trouble, worker.wait.stuck) == (phase is None, "", False)
    assert (worker.wait.details is None) == (phase is None)
    assert worker.pauses == []
    if phase is None:
        assert worker.wait.state == "Flyte does not have it"


def test_before_the_first_poll(worker: Worker) -> None:
    assert worker.wait.state == "it is not created yet"
    assert (worker.wait.absent, worker.wait.is_over, worker.wait.settled, worker.wait.stuck) == (False,) * 4


def test_a_run_that_is_missing(worker: Worker) -> None:
    worker.now = 1059.9
    assert worker.wait.observe(0.0).outcome is Outcome.WAITING
    worker.now = 1060.0
    verdict = worker.wait.observe(0.0)
    assert verdict.outcome is Outcome.MISSING
    assert type(worker.wait.error(verdict)) is exceptions.FlyteRunMissing
    assert not worker.wait.settled


def test_the_error_of_a_failed_run_comes_a_moment_later(worker: Worker) -> None:
    worker.flyte.run("r1", FAILED)
    asked = worker.flyte.asked

    def later(call: Asked) -> None:
        if len(asked) == 4:
            worker.flyte.errors[R1] = USER, "no rows"

    worker.flyte.fails = later
    verdict = worker.wait.observe(0.0)
    assert (verdict.outcome, verdict.kind, verdict.message) == (Outcome.FAILED, "USER", "no rows")
    assert worker.pauses == [0.5] * 3
    assert worker.wait.settled


def test_an_error_that_never_comes_is_waited_for_five_seconds(worker: Worker) -> None:
    worker.flyte.run("r1", FAILED)
    verdict = worker.wait.observe(0.0)
    assert (verdict.outcome, verdict.kind, verdict.message) == (Outcome.FAILED, "", "")
    assert worker.pauses == [0.5] * 10
    assert not worker.wait.settled


def test_details_that_are_behind_the_list_are_waited_for(worker: Worker) -> None:
    worker.flyte.run("r1", SUCCEEDED)
    worker.flyte.details[R1] = RUNNING
    worker.wait.listed(SUCCEEDED)
    assert (worker.wait.is_over, worker.wait.settled) == (True, False)
    assert worker.wait.lacks_details(worker.wait.verdict)
    worker.wait.read(0.0)
    # Whatever a list has shown, the details decide.
    assert not worker.wait.settled


# -- trouble


def test_trouble_is_counted_from_its_first_call(worker: Worker) -> None:
    worker.flyte.run("r1", RUNNING)
    worker.wait.observe(0.0)
    worker.fails(Status.UNAVAILABLE)

    def slow(asked: Asked) -> Exception:
        worker.now += 100.0
        return refusal(Status.UNAVAILABLE, "away")

    worker.flyte.fails = slow
    for outcome in (Outcome.WAITING, Outcome.WAITING, Outcome.UNREACHABLE):
        assert (worker.wait.observe(0.0).outcome, worker.wait.stuck) == (outcome, outcome is Outcome.UNREACHABLE)
    assert "away" in worker.wait.trouble
    assert worker.wait.state == f"its state is unknown ({worker.wait.trouble})"
    error = worker.wait.error(worker.wait.verdict)
    assert type(error) is exceptions.FlyteUnreachable
    assert "It was last seen RUNNING." in str(error)


def test_a_refusal_is_hopeless_at_once(worker: Worker) -> None:
    worker.fails(Status.PERMISSION_DENIED)
    assert worker.wait.observe(0.0).outcome is Outcome.UNREACHABLE
    assert worker.wait.stuck
    assert "It was last seen" not in str(worker.wait.error(worker.wait.verdict))


def test_while_there_is_trouble_nothing_is_absent(worker: Worker) -> None:
    worker.wait.observe(0.0)
    assert worker.wait.absent
    worker.fails(Status.UNAVAILABLE)
    worker.wait.observe(0.0)
    assert not worker.wait.absent


def test_trouble_is_shared_with_its_time(worker: Worker) -> None:
    other = Worker().wait
    worker.wait.share_trouble(other)
    assert other.trouble == ""
    worker.wait.note(Trouble("away"), 800.0)
    worker.wait.share_trouble(other)
    assert other.trouble == "away"
    assert other.verdict.outcome is Outcome.WAITING
    third = Worker().wait
    worker.wait.note(Seen(RUNNING))
    worker.wait.note(Trouble("away"), 700.0)
    worker.wait.share_trouble(third)
    assert third.verdict.outcome is Outcome.UNREACHABLE


@pytest.mark.parametrize(
    ("error", "lasting"),
    [
        (refusal(Status.UNAVAILABLE), False),
        (refusal(Status.NOT_FOUND), False),
        (refusal(Status.PERMISSION_DENIED), True),
        (ConfigError("no key"), True),
    ],
)
def test_what_a_failed_call_is(error: Any, lasting: bool) -> None:
    assert trouble_of(error) == Trouble(str(error), lasting)


def test_of_a_run_that_is_over_by_a_list_trouble_hides_the_end(worker: Worker) -> None:
    """Its details are what the task returns."""
    worker.wait.listed(SUCCEEDED)
    outcomes = [worker.wait.verdict.outcome]
    worker.wait.note(Trouble("away"), 1000.0)
    outcomes.append(worker.wait.verdict.outcome)
    assert outcomes == [Outcome.SUCCEEDED, Outcome.WAITING]
    assert worker.wait.verdict_without_details.outcome is Outcome.SUCCEEDED
    # A list cannot end this trouble.
    worker.wait.listed(SUCCEEDED)
    assert worker.wait.trouble == "away"
    worker.now = 1300.0
    assert worker.wait.verdict.outcome is Outcome.UNREACHABLE
    worker.flyte.run("r1", SUCCEEDED)
    assert worker.wait.observe(0.0).outcome is Outcome.SUCCEEDED
    assert (worker.wait.trouble, worker.wait.settled) == ("", True)


def test_a_list_notes_what_is_not_over(worker: Worker) -> None:
    worker.wait.note(Trouble("away"))
    worker.wait.listed(RUNNING)
    assert (worker.wait.trouble, worker.wait.state, worker.wait.is_over) == ("", "it is RUNNING", False)
    worker.wait.note(Absent())
    assert worker.wait.absent


def test_an_end_by_a_list_whose_details_never_come(worker: Worker) -> None:
    worker.wait.listed(SUCCEEDED)
    error = worker.wait.error(worker.wait.verdict)
    assert type(error) is exceptions.FlyteUnreachable
    assert "Its details could not be read." in str(error)


# -- how it ended


@pytest.mark.parametrize("for_good", [False, True])
@pytest.mark.parametrize(
    ("phase", "retried", "final"),
    [
        (FAILED, exceptions.FlyteRunFailed, exceptions.FlyteRunFailedForGood),
        (RunPhase.ABORTED, exceptions.FlyteRunAborted, exceptions.FlyteRunAbortedForGood),
        (RunPhase.TIMED_OUT, exceptions.FlyteRunTimedOut, exceptions.FlyteRunTimedOutForGood),
        (None, exceptions.FlyteRunFailed, exceptions.FlyteRunFailedForGood),
    ],
)
def test_the_exception_of_a_failed_run(for_good: bool, phase: int | None, retried: Any, final: Any) -> None:
    worker = Worker(advise=lambda verdict: Advice(for_good, "Look at {url}."))
    error: Any = worker.wait.error(Verdict(Outcome.FAILED, phase, "USER", "no rows"))
    assert type(error) is (final if for_good else retried)
    assert (error.run, error.project, error.domain, error.url) == ("r1", "p", "development", worker.wait.url)
    assert (error.kind, error.message, error.attempts) == ("USER", "no rows", 0)
    assert str(error).endswith(f" (USER error): no rows\nLook at {worker.wait.url}.")


@pytest.mark.parametrize(
    ("kind", "message", "attempts", "words"),
    [
        ("USER", "no rows", 0, "is FAILED (USER error): no rows\n"),
        ("SYSTEM", "no rows", 1, "is FAILED (SYSTEM error): no rows\n"),
        ("UNKNOWN", " no rows\n", 2, "is FAILED after 2 attempts: no rows\n"),
        ("", "", 0, "is FAILED: Flyte gives no reason\n"),
        ("ABORTED", "  ", 3, "is FAILED after 3 attempts: Flyte gives no reason\n"),
    ],
)
def test_the_text_of_a_failure(worker: Worker, kind: str, message: str, attempts: int, words: str) -> None:
    worker.flyte.run("r1", FAILED)
    worker.flyte.errors[R1] = USER, "x"
    worker.wait.observe(0.0)
    assert worker.wait.details is not None
    worker.wait.details.pb2.action.status.attempts = attempts
    error: Any = worker.wait.error(Verdict(Outcome.FAILED, FAILED, kind, message))
    assert words in str(error)
    assert (error.phase, error.kind, error.message, error.attempts) == ("FAILED", kind, message, attempts)
    # A task that only waits is not retried.
    assert isinstance(error, exceptions.FlyteRunFailedForGood)


@pytest.mark.parametrize(
    ("endpoint", "moved"), [(None, False), ("flyte.example:443", False), ("elsewhere.example:443", True)]
)
def test_a_run_that_another_flyte_has_is_not_missing(endpoint: str | None, moved: bool) -> None:
    error = Worker(endpoint=endpoint).wait.missing()
    assert type(error) is (exceptions.FlyteUnreachable if moved else exceptions.FlyteRunMissing)
    assert ("led to elsewhere.example:443 when" in str(error)) is moved


@pytest.mark.parametrize(
    ("missing_after", "words"), [(None, ": the grace period passed"), (60.0, ": the grace period of 60 s passed")]
)
def test_the_text_of_a_run_that_is_missing(missing_after: float | None, words: str) -> None:
    assert words in str(Worker(rules=WaitRules(missing_after, None)).wait.missing())


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (Status.NOT_FOUND, "their file is gone from Flyte's store"),
        (Status.PERMISSION_DENIED, "A retry helps only after that is mended"),
        (Status.UNAVAILABLE, "A retry may find Flyte better"),
    ],
)
def test_the_text_of_outputs_that_cannot_be_read(worker: Worker, code: Status, words: str) -> None:
    error: Any = refusal(code)
    assert words in str(worker.wait.outputs_unreadable(error))


def test_the_text_of_a_timeout_and_of_a_wait_that_broke(worker: Worker) -> None:
    assert "timeout of 90 s has passed and Flyte run p/development/r1 is not over: it is not" in str(
        worker.wait.timed_out(90.0)
    )
    assert "failed: Airflow gives no reason. The run" in str(worker.wait.broken(""))
    assert "failed: it broke. The run" in str(worker.wait.broken("it broke"))


# -- its outputs


def test_outputs_that_come_a_moment_later(worker: Worker) -> None:
    worker.flyte.run("r1", SUCCEEDED)
    worker.wait.observe(0.0)
    details: Any = worker.wait.details
    details.pb2.action.task.task_template.interface.outputs.variables.add(key="o0")
    asked = worker.flyte.asked
    worker.flyte.fails = lambda call: refusal(Status.NOT_FOUND) if len(asked) < 4 else None
    assert worker.wait.read_outputs(0.0) == {}
    assert worker.pauses == [0.5] * 2
    worker.fails(Status.NOT_FOUND)
    with pytest.raises(NotFoundError):
        worker.wait.read_outputs(0.0)
    assert worker.pauses == [0.5] * 12


# -- its log


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "task"]


def test_each_phase_is_logged_once(worker: Worker, caplog: pytest.LogCaptureFixture) -> None:
    worker.wait.observe(0.0)
    for phase in (RUNNING, RUNNING, 99, RunPhase.ABORTED):
        worker.flyte.run("r1", phase)
        worker.wait.observe(0.0)
    assert lines(caplog)[:4] == [
        f"Flyte run p/development/r1: not created yet. {worker.wait.url}",
        "Flyte run r1: not created yet -> RUNNING.",
        "Flyte run r1: RUNNING -> phase 99.",
        "Flyte run r1: phase 99 -> ABORTED.",
    ]
    assert all(line.startswith("Flyte: ") for line in lines(caplog)[4:])
    assert len(lines(caplog)) > 4


@pytest.mark.parametrize(("timeline", "phase"), [(True, RUNNING), (False, SUCCEEDED)])
def test_when_there_is_no_timeline(
    worker: Worker, caplog: pytest.LogCaptureFixture, timeline: bool, phase: int
) -> None:
    worker.flyte.run("r1", phase)
    worker.wait.read(0.0)
    worker.wait.log_change(worker.wait.verdict, timeline=timeline)
    assert len(lines(caplog)) == 1


def test_a_run_that_is_gone_is_logged_as_such(worker: Worker, caplog: pytest.LogCaptureFixture) -> None:
    worker.flyte.run("r1", RUNNING)
    worker.wait.observe(0.0)
    worker.flyte.runs.clear()
    worker.wait.observe(0.0)
    assert lines(caplog)[-1] == "Flyte run r1: RUNNING -> not created yet."


def test_trouble_is_logged_instead(worker: Worker, caplog: pytest.LogCaptureFixture) -> None:
    worker.fails(Status.UNAVAILABLE)
    for _ in range(2):
        worker.wait.observe(0.0)
    [line] = lines(caplog)
    assert line.startswith("No answer from Flyte about run r1, still waiting: ")


@pytest.mark.parametrize(("count", "first", "last"), [(40, 40, 0), (41, 10, 30), (100, 10, 30)])
def test_a_long_timeline_is_shortened(count: int, first: int, last: int) -> None:
    long = [str(number) for number in range(count)]
    short = run_wait._shortened(long)
    assert short[:first] == long[:first]
    if last:
        assert short[first] == f"({count - 40} more lines are left out here)"
        assert short[first + 1 :] == long[-last:]
    else:
        assert short == long
