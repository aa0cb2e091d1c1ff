"""What runs inside a run, as the client sees it."""

from __future__ import annotations

import time

from airflow_provider_flyte.client.flows.failed_actions import FailedActions, failed_actions
from airflow_provider_flyte.client.flows.progress import ProgressOfRun
from airflow_provider_flyte.client.phase import RunPhase
from tests.contract.conftest import ORG, Backend


def failed(backend: Backend, name: str) -> FailedActions:
    return backend.client.execute(failed_actions(backend.client.config.key(name), ORG))


def test_those_that_failed_with_their_errors(backend: Backend) -> None:
    name = backend.launch()
    backend.move(name, RunPhase.RUNNING)
    for action in ("c0", "c1", "c2"):
        backend.child(name, action)
        backend.status(name, RunPhase.RUNNING, action=action)
    backend.status(name, RunPhase.SUCCEEDED, action="c0")
    backend.event(name, RunPhase.FAILED, error=("USER", "no rows\nTraceback"), action="c2")
    backend.status(name, RunPhase.FAILED, action="c2")
    backend.status(name, RunPhase.TIMED_OUT, action="c1")
    backend.move(name, RunPhase.FAILED, error=("USER", "a child failed"))
    seen = failed(backend, name)
    task = backend.task.name
    assert [str(each) for each in seen.first] == [
        f"c2 ({task}): FAILED (USER error): no rows",
        f"c1 ({task}): TIMED_OUT",
    ]
    assert (seen.more, seen.trouble) == (0, "")


def test_a_run_without_any(backend: Backend) -> None:
    name = backend.launch()
    backend.move(name, RunPhase.RUNNING, RunPhase.FAILED, error=("USER", "no rows"))
    assert failed(backend, name) == FailedActions()


def test_a_run_that_is_not_there(backend: Backend) -> None:
    assert failed(backend, backend.new_name()) == FailedActions()


def test_how_far_they_are(backend: Backend) -> None:
    name = backend.launch()
    backend.move(name, RunPhase.RUNNING)
    progress = ProgressOfRun(backend.client.config.key(name), ORG, time.monotonic)
    backend.client.execute(progress.ask())
    assert progress.line() == ""
    for action in ("c0", "c1", "c2", "c3"):
        backend.child(name, action)
        backend.status(name, RunPhase.RUNNING, action=action)
    backend.status(name, RunPhase.SUCCEEDED, action="c0")
    backend.status(name, RunPhase.FAILED, action="c1")
    backend.status(name, RunPhase.PAUSED, action="c2")
    backend.client.execute(progress.ask())
    backend.client.execute(progress.name_failed())
    failed = f"1 failed ({backend.task.name} c1)"
    assert progress.line() == f"Flyte run {name}: 2 of 4 actions done, 1 running, {failed}, 1 paused."
    assert progress.line() == ""
    assert not progress.over
    backend.move(name, RunPhase.SUCCEEDED)
    backend.client.execute(progress.ask())
    assert progress.over
