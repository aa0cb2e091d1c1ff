"""One run, from its launch to each of its ends, as the client sees it."""

from __future__ import annotations

import pytest

from airflow_provider_flyte.client.errors import InvalidArgumentError, NotFoundError
from airflow_provider_flyte.client.flows.named_runs import observe_run
from airflow_provider_flyte.client.idl.workflow import run_service_pb2
from airflow_provider_flyte.client.phase import RunPhase
from airflow_provider_flyte.client.rpc import RunService
from airflow_provider_flyte.client.verdict import (
    Absent,
    Outcome,
    RunError,
    Verdict,
    WaitRules,
    WaitState,
    decide,
    observe,
)
from tests.contract.conftest import ORG, Backend


def verdict(backend: Backend, name: str) -> Verdict:
    """The decision after one observation, past any grace period."""
    observation, _ = backend.client.execute(observe_run(backend.client.config.key(name), ORG))
    return decide(observe(WaitState(absent_since=0.0), observation, 100.0), 100.0, WaitRules(missing_after=60.0))


def test_a_launched_run_is_queued(backend: Backend) -> None:
    name = backend.launch()
    details = backend.details(name)
    assert details.phase == RunPhase.QUEUED
    assert not details.done()
    assert details.error is None
    assert details.name == name
    assert details.task_name == backend.task.name
    assert details.action_id.name == "a0"
    assert details.key == backend.client.config.key(name)
    assert verdict(backend, name) == Verdict(Outcome.WAITING, RunPhase.QUEUED)


def test_inputs_are_filled_from_the_tasks_defaults(backend: Backend) -> None:
    details = backend.details(backend.launch())
    inputs = details.inputs()
    assert inputs["rows"] == 100
    assert inputs["rate"] == 0.5
    assert inputs["tags"] == ["a"]
    assert inputs["opts"] == {"x": 1}
    assert details.outputs() == {}


@pytest.mark.parametrize(
    "phase",
    [RunPhase.WAITING_FOR_RESOURCES, RunPhase.INITIALIZING, RunPhase.RUNNING],
    ids=lambda phase: str(phase.name),
)
def test_a_run_that_goes_on(backend: Backend, phase: RunPhase) -> None:
    name = backend.launch()
    backend.move(name, phase)
    assert backend.details(name).phase == phase
    assert verdict(backend, name) == Verdict(Outcome.WAITING, phase)


def test_a_paused_run_is_not_over(backend: Backend) -> None:
    name = backend.launch()
    backend.move(name, RunPhase.RUNNING)
    backend.status(name, RunPhase.PAUSED)
    assert not backend.details(name).done()
    assert verdict(backend, name) == Verdict(Outcome.WAITING, RunPhase.PAUSED)


def test_a_success(backend: Backend) -> None:
    name = backend.launch()
    backend.move(name, RunPhase.WAITING_FOR_RESOURCES, RunPhase.INITIALIZING, RunPhase.RUNNING, RunPhase.SUCCEEDED)
    details = backend.details(name)
    assert details.done()
    assert details.error is None
    assert details.to_dict()["action"]["status"]["phase"] == "ACTION_PHASE_SUCCEEDED"
    assert verdict(backend, name) == Verdict(Outcome.SUCCEEDED, RunPhase.SUCCEEDED)
    # The task declares outputs, and nobody wrote any.
    with pytest.raises(NotFoundError, match="outputs not available"):
        details.outputs()
    # A finished run does not go back.
    backend.status(name, RunPhase.RUNNING)
    assert backend.details(name).phase == RunPhase.SUCCEEDED


def test_a_recovered_run_is_a_success(backend: Backend) -> None:
    name = backend.launch()
    backend.status(name, RunPhase.RECOVERED)
    assert backend.details(name).done()
    assert verdict(backend, name) == Verdict(Outcome.SUCCEEDED, RunPhase.RECOVERED)


@pytest.mark.parametrize("kind", ["USER", "SYSTEM"])
def test_a_failure(backend: Backend, kind: str) -> None:
    name = backend.launch()
    backend.move(name, RunPhase.RUNNING, RunPhase.FAILED, error=(kind, "no rows"))
    assert backend.details(name).error == RunError(kind, "no rows")
    assert verdict(backend, name) == Verdict(Outcome.FAILED, RunPhase.FAILED, kind, "no rows")


def test_the_error_comes_after_the_phase(backend: Backend) -> None:
    name = backend.launch()
    backend.move(name, RunPhase.RUNNING)
    backend.status(name, RunPhase.FAILED)
    details = backend.details(name)
    assert details.done()
    assert details.error is None
    backend.event(name, RunPhase.FAILED, error=("USER", "no rows"))
    assert backend.details(name).error == RunError("USER", "no rows")


def test_a_failed_attempt_that_is_retried_is_not_the_end(backend: Backend) -> None:
    name = backend.launch()
    backend.move(name, RunPhase.RUNNING)
    backend.event(name, RunPhase.FAILED, error=("SYSTEM", "node lost"))
    backend.status(name, RunPhase.QUEUED, attempt=2)
    assert not backend.details(name).done()
    assert verdict(backend, name).outcome is Outcome.WAITING
    backend.move(name, RunPhase.RUNNING, RunPhase.SUCCEEDED, attempt=2)
    details = backend.details(name)
    assert verdict(backend, name).outcome is Outcome.SUCCEEDED
    assert details.pb2.action.status.attempts == 2
    assert [attempt.attempt for attempt in details.pb2.action.attempts] == [1, 2]


def test_a_run_that_was_aborted(backend: Backend) -> None:
    name = backend.launch()
    backend.move(name, RunPhase.RUNNING)
    backend.abort(name, "stopped by an operator")
    assert backend.details(name).error == RunError("ABORTED", "stopped by an operator")
    assert verdict(backend, name).outcome is Outcome.FAILED


def test_abort_overwrites_a_success(backend: Backend) -> None:
    """Why nothing may be aborted that is over."""
    name = backend.launch()
    backend.move(name, RunPhase.RUNNING, RunPhase.SUCCEEDED)
    backend.abort(name, "too late")
    assert backend.details(name).phase == RunPhase.ABORTED


def test_a_run_that_timed_out(backend: Backend) -> None:
    name = backend.launch()
    backend.move(name, RunPhase.RUNNING)
    backend.status(name, RunPhase.TIMED_OUT)
    assert verdict(backend, name) == Verdict(Outcome.FAILED, RunPhase.TIMED_OUT)


def test_a_run_that_is_not_there(backend: Backend) -> None:
    name = backend.new_name()
    with pytest.raises(NotFoundError) as missing:
        backend.details(name)
    assert missing.value.run == name
    observation, details = backend.client.execute(observe_run(backend.client.config.key(name), ORG))
    assert (observation, details) == (Absent(), None)
    assert verdict(backend, name).outcome is Outcome.MISSING


def test_the_same_name_again_is_the_same_run(backend: Backend) -> None:
    name = backend.launch()
    backend.move(name, RunPhase.RUNNING, RunPhase.SUCCEEDED)
    backend.launch(name)
    assert backend.details(name).phase == RunPhase.SUCCEEDED


def test_a_name_that_we_refuse_is_refused_there_too(backend: Backend) -> None:
    request = run_service_pb2.CreateRunRequest(run_id=backend.run_id("ok"), task_id=backend.task)
    for name in ("Upper", "a" * 31, "end-", "1st"):
        request.run_id.name = name
        with pytest.raises(InvalidArgumentError):
            backend._ask(RunService.CreateRun, request)
