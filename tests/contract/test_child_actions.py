"""What runs inside a run, as the client sees it."""

from __future__ import annotations

from airflow_provider_flyte.client.flows.failed_actions import FailedActions, failed_actions
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
