"""A worker whose task is stopped: which runs it aborts, and what it says of those that it does not."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from airflow_provider_flyte.client.run_key import RunKey
from airflow_provider_flyte.stopping import Stopping, killed
from airflow_provider_flyte.testing import LocalFlyte, status
from airflow_provider_flyte.try_run import TryRun
from tests.driving import DagRun, TaskInstance

KEY = RunKey("flytesnacks", "development", "r1")
WHY = {
    "failed": "the task was marked failed, or its DAG run was",
    "success": "the task was marked success",
    "skipped": "the task was marked skipped, or its DAG run timed out",
    "removed": "the task was removed from its DAG",
    "restarting": "the task was cleared",
}
NOBODY = {"running": "it is running", "deferred": "it is deferred", None: "the scheduler has reset it"}


class Unreadable(TaskInstance):
    """One whose state cannot be read."""

    def current_state(self) -> str:
        raise ConnectionError("no API server")


def the_run(*, ours: bool = True, endpoint: str | None = None) -> TryRun:
    return TryRun(KEY, "http://f/r1", ours, endpoint)


def stopping(state: Any, *, abort_on_kill: bool = True) -> Stopping:
    ti = TaskInstance()
    ti.state = state
    context: Any = {"ti": ti, "dag_run": DagRun()}
    return Stopping(context, "flyte_default", abort_on_kill, logging.getLogger("a task"))


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Any:
    """The task's log."""
    caplog.set_level(logging.INFO)
    return lambda: [(record.levelname, record.getMessage()) for record in caplog.records if record.name == "a task"]


@pytest.mark.parametrize("signalled", [False, True])
@pytest.mark.parametrize("state", WHY)
@pytest.mark.parametrize("abort_on_kill", [False, True])
def test_the_run_of_a_task_that_was_stopped(
    flyte_default: LocalFlyte, lines: Any, state: str, abort_on_kill: bool, signalled: bool
) -> None:
    run = flyte_default.run("r1").move("RUNNING")
    assert stopping(state, abort_on_kill=abort_on_kill).was_killed(the_run(), signalled=signalled) is True
    if abort_on_kill or state == "restarting":
        assert run.phase.name == "ABORTED"
        assert lines() == [("INFO", f"Because {WHY[state]}: Flyte run {KEY} was RUNNING and is now aborted.")]
        [call] = flyte_default.calls("AbortRun")
        assert call.request.reason == f"Airflow: sales.train in manual__1: {WHY[state]}"
    else:
        assert run.phase.name == "RUNNING"
        assert lines() == [
            (
                "INFO",
                f"Flyte run {KEY} is not aborted although {WHY[state]} (abort_on_kill=False). If it is still running, "
                "it runs until it ends or somebody aborts it in Flyte: http://f/r1",
            )
        ]


@pytest.mark.parametrize("abort_on_kill", [False, True])
@pytest.mark.parametrize("state", NOBODY)
def test_the_run_of_a_task_that_nobody_stopped(lines: Any, state: str | None, abort_on_kill: bool) -> None:
    """No server: it is not even asked."""
    stops = stopping(state, abort_on_kill=abort_on_kill)
    assert stops.was_killed(the_run(), signalled=False) is False
    assert lines() == []
    assert stops.was_killed(the_run(), signalled=True) is False
    assert stops.was_killed(the_run(), signalled=True, ends=True) is False
    told = f"This worker process was told to stop (SIGTERM), but nobody stopped the task: {NOBODY[state]}. Flyte run"
    assert lines() == [
        (
            "WARNING",
            f"{told} {KEY} is not aborted; this process keeps waiting for it while it can, and a retry of the task "
            "does if it cannot.",
        ),
        ("WARNING", f"{told} {KEY} is not aborted; a retry of the task waits for it."),
    ]


@pytest.mark.parametrize("test_mode", [False, True])
def test_a_state_that_cannot_be_read_is_no_reason(lines: Any, test_mode: bool) -> None:
    stops = stopping("failed")
    if test_mode:
        # What `airflow tasks test` of 2.11 would read is another execution's.
        stops.context["ti"].test_mode = True
    else:
        stops.context["ti"].__class__ = Unreadable
    assert stops.was_killed(the_run(), signalled=True) is False
    [(level, line)] = lines()
    assert level == "WARNING"
    assert "whether somebody stopped the task is not known, because its state could not be read" in line


def test_a_run_of_somebody_else_goes_on(lines: Any) -> None:
    """No server: it is not even asked."""
    assert stopping("failed").was_killed(the_run(ours=False), signalled=True) is True
    said = f"Flyte run {KEY} is not aborted, because this task did not launch it."
    assert lines() == [("INFO", f"Because {WHY['failed']}: {said}")]
    assert stopping("failed").abort(the_run(ours=False), "it is late") == said


def test_what_was_done_is_said(flyte_default: LocalFlyte) -> None:
    flyte_default.run("r1").succeeds()
    done = stopping("failed").abort(the_run(), "it is late")
    assert done == f"Flyte run {KEY} is SUCCEEDED already, so it is not aborted."


@pytest.mark.parametrize("elsewhere", [False, True])
def test_a_run_that_is_missing_may_be_where_it_was_launched(flyte_default: LocalFlyte, elsewhere: bool) -> None:
    endpoint = "other:443" if elsewhere else flyte_default.endpoint
    done = stopping("failed").abort(the_run(endpoint=endpoint), "it is late")
    assert ("It was launched at other:443 and may still be running there" in done) == elsewhere


def test_an_abort_that_fails_is_an_error_in_the_log(flyte_default: LocalFlyte, lines: Any) -> None:
    flyte_default.run("r1").move("RUNNING")
    flyte_default.inject("AbortRun", status("PERMISSION_DENIED", "not you"))
    done = stopping("failed").abort(the_run(), "it is late")
    assert done == f"Flyte run {KEY} could not be aborted and may still be running."
    [(level, line)] = lines()
    assert level == "ERROR"
    assert line.startswith(f"Because it is late, Flyte run {KEY} was to be aborted. That failed, and it may still be")
    assert "http://f/r1" in line
    assert "not you" in line


def test_the_error_names_the_run() -> None:
    error = killed(the_run())
    assert str(error) == f"The task was stopped in Airflow while it waited for Flyte run {KEY}. http://f/r1"
    assert (error.run, error.project, error.domain, error.url) == ("r1", "flytesnacks", "development", "http://f/r1")
