"""A worker whose task is stopped: which runs it aborts, and what it logs about those that it does not."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from airflow_provider_flyte.client.phase import RunPhase
from airflow_provider_flyte.client.run_key import RunKey
from airflow_provider_flyte.compat import AirflowTaskTimeout
from airflow_provider_flyte.exceptions import FlyteTaskKilled
from airflow_provider_flyte.operators import FlyteRunOperator
from airflow_provider_flyte.testing import LocalFlyte, status
from airflow_provider_flyte.tries.attempt import TryRun
from airflow_provider_flyte.tries.held_client import HeldClient
from airflow_provider_flyte.tries.kill import Stopping
from tests.support.driving import OTHERS, DagRun, TaskInstance, lines_of, own_annotations
from tests.support.own_airflow import AIRFLOW, connection_json

pytestmark = pytest.mark.one_transport("grpc")

KEY = RunKey("flytesnacks", "development", "r1")
URL = "http://f/r1"
WHY = {
    "failed": "the task was marked failed, or its DAG run was",
    "success": "the task was marked success",
    "skipped": "the task was marked skipped, or its DAG run timed out",
    "removed": "the task was removed from its DAG",
    "restarting": "the task was cleared",
}
NOBODY = {"running": "it is running", "deferred": "it is deferred", None: "the scheduler has reset it"}


def the_run(*, ours: bool = True, endpoint: str | None = None) -> TryRun:
    return TryRun(KEY, URL, ours, endpoint)


class Unreadable(TaskInstance):
    """One whose state cannot be read."""

    def current_state(self) -> str:
        raise ConnectionError("no API server")


class Worker:
    """An execution of a task in this state, and the lines of its log."""

    def __init__(self, held: ExitStack, state: Any, *, signalled: bool = True, **arguments: Any) -> None:
        self.ti = Unreadable() if state is Unreadable else TaskInstance()
        self.ti.state = state
        self.task = FlyteRunOperator(task_id="train", task_name="demo.train", **arguments)
        self.lines = lines_of(self.task)
        self.task.stop_requested = signalled
        client = held.enter_context(HeldClient("flyte_default", self.task.log))
        context: Any = {"ti": self.ti, "dag_run": DagRun()}
        self.stopping = Stopping(self.task, context, client)

    def is_killed(self, run: TryRun) -> bool:
        """Whether it ends for that."""
        try:
            self.stopping.check(run)
        except FlyteTaskKilled:
            return True
        return False


@pytest.fixture
def worker() -> Iterator[Any]:
    with ExitStack() as held:
        yield lambda state, **given: Worker(held, state, **given)


ABORTED = f"Flyte run {KEY} was RUNNING and is now aborted."


# -- somebody stopped it


@pytest.mark.parametrize("how", ["signalled", "before deferral"])
@pytest.mark.parametrize("state", WHY)
@pytest.mark.parametrize("abort_on_kill", [False, True])
def test_the_run_of_a_task_that_was_stopped(
    flyte_default: LocalFlyte, worker: Any, state: str, abort_on_kill: bool, how: str
) -> None:
    run = flyte_default.run("r1", annotations=own_annotations()).move("RUNNING")
    made = worker(state, signalled=how == "signalled", abort_on_kill=abort_on_kill)
    if how == "signalled":
        assert made.is_killed(the_run())
        assert made.task.stop_requested is False  # once is enough
    else:
        with pytest.raises(FlyteTaskKilled) as raised:
            made.stopping.check_before_deferral(the_run())
        error = raised.value
        assert str(error) == f"The task was stopped in Airflow while it waited for Flyte run {KEY}. {URL}"
        assert (error.run, error.project, error.domain, error.url) == ("r1", "flytesnacks", "development", URL)
    if abort_on_kill or state == "restarting":
        assert run.phase == RunPhase.ABORTED
        assert made.lines == [f"INFO: Because {WHY[state]}: {ABORTED}"]
        [call] = flyte_default.calls("AbortRun")
        assert call.request.reason == f"Airflow: sales.train in manual__1: {WHY[state]}"
    else:
        assert run.phase == RunPhase.RUNNING
        assert made.lines == [
            f"INFO: Flyte run {KEY} is not aborted although {WHY[state]} (abort_on_kill=False). If it is still "
            f"running, it runs until it ends or somebody aborts it in Flyte: {URL}"
        ]


def test_nothing_is_launched_for_a_task_that_was_asked_to_stop(worker: Any) -> None:
    made = worker("running", project="p")
    with pytest.raises(FlyteTaskKilled, match="nothing is launched") as raised:
        made.stopping.check_before_launch()
    assert (raised.value.run, raised.value.project, raised.value.domain) == ("", "p", "")
    worker("failed", signalled=False).stopping.check_before_launch()


GIVEN_UP: dict[Any, str] = {
    **WHY,
    None: "the scheduler has reset the task",
    "up_for_retry": "Airflow has given this try up, and another one comes",
    "upstream_failed": "an upstream task has failed",
}
ELSEWHERE = ("deferred", "up_for_reschedule", "awaiting_input", *(("scheduled", "queued") if AIRFLOW >= (3,) else ()))
GIVEN_UP |= {state: f"the task is {state} by now, so Airflow has given this process up" for state in ELSEWHERE}


@pytest.mark.parametrize("state", GIVEN_UP)
def test_nothing_is_launched_for_a_try_that_airflow_has_given_up(worker: Any, state: str | None) -> None:
    """Though nobody has notified this process."""
    made = worker(state, signalled=False)
    with pytest.raises(FlyteTaskKilled) as raised:
        made.stopping.check_before_create()
    assert str(raised.value) == f"Nothing is launched, because {GIVEN_UP[state]}."


# Airflow 2.11 leaves a task of dag.test() as scheduled.
@pytest.mark.parametrize("state", ["running", *(() if AIRFLOW >= (3,) else ("scheduled", "queued")), Unreadable])
def test_a_try_that_is_airflows_may_launch(worker: Any, state: Any) -> None:
    worker(state, signalled=False).stopping.check_before_create()
    with pytest.raises(FlyteTaskKilled, match="stopped before"):
        worker(state).stopping.check_before_create()


def test_what_airflow_tasks_test_executes_has_no_state(worker: Any) -> None:
    made = worker("failed", signalled=False)
    made.ti.test_mode = True
    made.stopping.check_before_create()


@pytest.mark.parametrize("gone", ["its parent", "its socket"])
def test_a_process_without_its_supervisor_launches_nothing(
    worker: Any, monkeypatch: pytest.MonkeyPatch, gone: str
) -> None:
    made = worker("running", signalled=False)
    if gone == "its parent":
        monkeypatch.setattr("airflow_provider_flyte.tries.kill.os.getppid", lambda: 1)
    else:
        monkeypatch.setattr(made.ti, "current_state", lambda: socketpair_without_a_peer())
    with pytest.raises(FlyteTaskKilled, match="the process that supervised this one is gone"):
        made.stopping.check_before_create()


def socketpair_without_a_peer() -> str:
    """What Airflow 3's socket to the supervisor does without one."""
    here, there = socket.socketpair()
    there.close()
    with here:
        here.sendall(b"the state, please")
    return "running"


# -- nobody did: no server here, it is not even asked


@pytest.mark.parametrize("abort_on_kill", [False, True])
@pytest.mark.parametrize("state", NOBODY)
def test_the_run_of_a_task_that_nobody_stopped(worker: Any, state: str | None, abort_on_kill: bool) -> None:
    made = worker(state, abort_on_kill=abort_on_kill)
    assert not made.is_killed(the_run())
    assert not made.is_killed(the_run())
    made.stopping.check_before_deferral(the_run())
    assert made.lines == [
        f"WARNING: This worker process was asked to stop (SIGTERM), but nobody stopped the task: {NOBODY[state]}. "
        f"Flyte run {KEY} is not aborted; this process keeps waiting for it while it can, and a retry of the task does "
        "if it cannot."
    ]


@pytest.mark.parametrize("state", WHY)
def test_without_a_signal_airflow_is_not_asked(worker: Any, state: str) -> None:
    made = worker(state, signalled=False)
    assert not made.is_killed(the_run())
    assert made.lines == []


@pytest.mark.parametrize("test_mode", [False, True])
def test_a_state_that_cannot_be_read_is_no_reason(worker: Any, test_mode: bool) -> None:
    made = worker("failed" if test_mode else Unreadable)
    # What `airflow tasks test` of 2.11 would read is another execution's.
    made.ti.test_mode = test_mode
    assert not made.is_killed(the_run())
    [line] = made.lines
    assert "whether somebody stopped the task is not known, because its state could not be read" in line


# -- what is aborted, and what is logged about it


def test_a_run_of_somebody_else_goes_on(worker: Any) -> None:
    made = worker("failed")
    assert made.is_killed(the_run(ours=False))
    message = f"Flyte run {KEY} is not aborted, because this task did not launch it."
    assert made.lines == [f"INFO: Because {WHY['failed']}: {message}"]
    assert made.stopping.abort(the_run(ours=False), "it is late") == message


def test_what_was_done_is_logged(flyte_default: LocalFlyte, worker: Any) -> None:
    flyte_default.run("r1", annotations=own_annotations()).succeeds()
    done = worker("failed").stopping.abort(the_run(), "it is late")
    assert done == f"Flyte run {KEY} is SUCCEEDED already, so it is not aborted."


@pytest.mark.parametrize("other", [*OTHERS, None], ids=str)
def test_a_run_whose_annotations_name_another_goes_on(
    flyte_default: LocalFlyte, worker: Any, other: dict[str, Any] | None
) -> None:
    """Whatever this task takes for its own: a name may be somebody else's by now."""
    run = flyte_default.run("r1", annotations=own_annotations(**other) if other else None).move("RUNNING")
    done = worker("failed").stopping.abort(the_run(), "it is late")
    assert done == f"Flyte run {KEY} is not aborted, because its annotations say that somebody else launched it."
    assert run.phase == RunPhase.RUNNING
    assert flyte_default.calls("AbortRun") == []


@pytest.mark.parametrize("elsewhere", [False, True])
def test_nothing_is_aborted_where_the_run_was_not_launched(
    flyte_default: LocalFlyte, worker: Any, elsewhere: bool
) -> None:
    """The other Flyte may have a run of the same name, launched by the same task before the connection changed."""
    run = flyte_default.run("r1", annotations=own_annotations()).move("RUNNING")
    endpoint = "other:443" if elsewhere else flyte_default.endpoint
    done = worker("failed").stopping.abort(the_run(endpoint=endpoint), "it is late")
    assert ("was launched at other:443 and may still be running there; abort it there" in done) == elsewhere
    assert run.phase == (RunPhase.RUNNING if elsewhere else RunPhase.ABORTED)
    assert len(flyte_default.calls("AbortRun")) == (not elsewhere)


def test_an_abort_that_fails_is_an_error_in_the_log(flyte_default: LocalFlyte, worker: Any) -> None:
    flyte_default.run("r1", annotations=own_annotations()).move("RUNNING")
    flyte_default.inject("AbortRun", status("PERMISSION_DENIED", "not you"))
    made = worker("failed")
    done = made.stopping.abort(the_run(), "it is late")
    assert done == f"Flyte run {KEY} could not be aborted and may still be running."
    [line] = made.lines
    assert line.startswith(f"ERROR: Because it is late, Flyte run {KEY} was to be aborted. That failed, and it may")
    assert URL in line
    assert "not you" in line


# -- what ends the process before it knows how the run ended


def ends(made: Worker, error: BaseException, run: TryRun | None) -> None:
    with pytest.raises(type(error)), made.stopping.watching(KEY, URL, lambda: run):
        raise error


@pytest.mark.parametrize(
    ("abort_on_timeout", "ours", "aborted"), [(True, True, True), (True, False, False), (False, True, False)]
)
def test_execution_timeout(
    flyte_default: LocalFlyte, worker: Any, abort_on_timeout: bool, ours: bool, aborted: bool
) -> None:
    run = flyte_default.run("r1", annotations=own_annotations()).move("RUNNING")
    made = worker("running", signalled=False, abort_on_timeout=abort_on_timeout)
    ends(made, AirflowTaskTimeout("late"), the_run(ours=ours))
    assert run.phase == (RunPhase.ABORTED if aborted else RunPhase.RUNNING)
    assert made.lines[:1] == ([f"INFO: Because execution_timeout has passed: {ABORTED}"] if aborted else made.lines[:1])
    assert bool(made.lines) == abort_on_timeout


@pytest.mark.parametrize("state", ["deferred", "up_for_retry", None])
def test_a_timeout_of_a_process_that_was_given_up_aborts_nothing(worker: Any, state: str | None) -> None:
    """The next try waits for the run by now."""
    made = worker(state, signalled=False, abort_on_timeout=True)
    ends(made, AirflowTaskTimeout("late"), the_run())
    assert made.lines == [
        f"WARNING: After execution_timeout Flyte run {KEY} is not aborted, because {GIVEN_UP[state]}, and the "
        "task's next try waits for the run."
    ]


def test_a_timeout_of_a_process_without_its_supervisor_aborts_nothing(
    worker: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = worker("running", signalled=False, abort_on_timeout=True)
    monkeypatch.setattr("airflow_provider_flyte.tries.kill.os.getppid", lambda: 1)
    ends(made, AirflowTaskTimeout("late"), the_run())
    [line] = made.lines
    assert "is not aborted, because the process that supervised this one is gone" in line


def test_execution_timeout_before_anything_is_known(worker: Any) -> None:
    made = worker("running", abort_on_timeout=True)
    ends(made, AirflowTaskTimeout("late"), None)
    assert made.lines == []


def test_ctrl_c_says_how_to_end_the_run(worker: Any) -> None:
    made = worker("failed")
    ends(made, KeyboardInterrupt(), the_run())
    [line] = made.lines
    assert line.startswith(f"WARNING: Interrupted (Ctrl-C). Flyte run {KEY} is not aborted")
    assert line.endswith(f"or its page: {URL}")


def test_a_signal_that_ends_the_process(flyte_default: LocalFlyte, worker: Any) -> None:
    """Airflow 2.11 raises out of its signal handler."""
    run = flyte_default.run("r1", annotations=own_annotations()).move("RUNNING")
    nobody = worker("running")
    ends(nobody, SystemExit(), the_run())
    assert run.phase == RunPhase.RUNNING
    [line] = nobody.lines
    assert line.endswith(f"Flyte run {KEY} is not aborted; a retry of the task waits for it.")
    ends(worker("failed", signalled=False), SystemExit(), the_run())
    ends(worker("failed"), SystemExit(), None)
    assert run.phase == RunPhase.RUNNING
    ends(worker("failed"), SystemExit(), the_run())
    assert run.phase == RunPhase.ABORTED


def test_a_run_that_cannot_be_searched_for_is_logged(worker: Any) -> None:
    def find() -> TryRun | None:
        raise ConnectionError("no Flyte")

    made = worker("failed")
    with pytest.raises(SystemExit), made.stopping.watching(KEY, URL, find):
        raise SystemExit
    assert made.lines == [f"WARNING: Flyte run {KEY} may have been launched, but could not be searched for. no Flyte"]


def test_what_goes_well_is_left_alone(worker: Any) -> None:
    made = worker("failed")
    with made.stopping.watching(KEY, URL, the_run):
        pass
    assert made.lines == []


# -- the connection may have changed meanwhile


@pytest.mark.parametrize("mended", [False, True])
def test_an_abort_reads_the_connection_again_where_it_is_refused(
    flyte_default: LocalFlyte, protocol: str, worker: Any, monkeypatch: pytest.MonkeyPatch, mended: bool
) -> None:
    """The secret may have been replaced while the task waited."""
    run = flyte_default.run("r1", annotations=own_annotations()).move("RUNNING")
    with LocalFlyte(transports=(protocol,)) as other:
        other.inject("AbortRun", status("UNAUTHENTICATED", "who are you"))
        other.run("r1", annotations=own_annotations()).move("RUNNING")
        monkeypatch.setenv("AIRFLOW_CONN_FLYTE_DEFAULT", connection_json(other))
        made = worker("failed")
        made.stopping._client.get()
        if mended:
            monkeypatch.setenv("AIRFLOW_CONN_FLYTE_DEFAULT", connection_json(flyte_default))
        done = made.stopping.abort(the_run(), "it is late")
        assert len(other.calls("AbortRun")) == 1
    assert run.phase == (RunPhase.ABORTED if mended else RunPhase.RUNNING)
    assert ("could not be aborted" in done) != mended
    assert mended or "who are you" in made.lines[-1]


# -- a worker that sleeps


@pytest.mark.parametrize(("seconds", "checks"), [(-1.0, 0), (0.0, 0), (0.3, 1), (1.2, 3)])
def test_a_sleep_checks_now_and_then(worker: Any, monkeypatch: pytest.MonkeyPatch, seconds: float, checks: int) -> None:
    slept: list[float] = []
    checks_made: list[int] = []
    # A binary fraction, so that the rest is exact.
    monkeypatch.setattr("airflow_provider_flyte.tries.kill.time.time", lambda: 1024.0 + sum(slept))
    monkeypatch.setattr("airflow_provider_flyte.tries.kill.time.sleep", slept.append)
    worker("running").stopping.sleep(seconds, lambda: checks_made.append(len(slept)))
    assert checks_made == list(range(checks))
    assert sum(slept) == pytest.approx(max(0.0, seconds))
    assert all(0 < each <= 0.5 for each in slept)


def test_what_a_check_raises_ends_the_sleep(worker: Any) -> None:
    def check() -> None:
        raise FlyteTaskKilled("stopped", run="", project="", domain="")

    with pytest.raises(FlyteTaskKilled):
        worker("failed").stopping.sleep(3600.0, check)
