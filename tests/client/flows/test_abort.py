"""Aborting, blocking and on a loop: only what is running is stopped, and the result says what was done."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest

from airflow_provider_flyte.client import Abort, AbortedRun, FlyteClient, RunDetails, RunKey
from airflow_provider_flyte.client.errors import ConfigError, InternalError, NotFoundError, UnavailableError
from airflow_provider_flyte.client.flows.calls import Call, get_run_details, run_identifier
from airflow_provider_flyte.client.idl.workflow import internal_run_service_pb2, run_definition_pb2
from airflow_provider_flyte.client.phase import RunPhase
from airflow_provider_flyte.client.rpc import InternalRunService
from airflow_provider_flyte.testing import LocalFlyte, database_down, status, unavailable
from airflow_provider_flyte.testing.faults import Fault
from airflow_provider_flyte.testing.script import RunHandle
from tests.client.conftest import config_for
from tests.support.both_ways import called


@dataclass(frozen=True)
class _NoRuns(Fault):
    """ListRuns that finds nothing."""

    def answer(self, message: Any) -> Any:
        return type(message)()


@dataclass(frozen=True)
class _BreaksTheReads(Fault):
    """From the call that meets it on, no run can be read."""

    flyte: LocalFlyte

    def before(self, method: str, call: Any) -> None:
        self.flyte.inject("GetRunDetails", unavailable())


def abort(flyte: LocalFlyte, way: str, *arguments: Any, **changed: Any) -> AbortedRun:
    client = FlyteClient(config_for(flyte, retry_budget=0.2))
    return called(client, client.abort, way, *arguments, **changed)


@pytest.mark.parametrize("phase", ["QUEUED", "WAITING_FOR_RESOURCES", "INITIALIZING", "RUNNING", "PAUSED", 99], ids=str)
def test_a_run_that_goes_on_is_stopped(local_flyte: LocalFlyte, way: str, phase: Any) -> None:
    run = local_flyte.run("r1").move(phase)
    done = abort(local_flyte, way, "r1", "no longer wanted")
    assert done.outcome is Abort.ABORTED
    assert (
        str(done)
        == f"Flyte run flytesnacks/development/r1 was {phase if phase != 99 else 'phase 99'} and is now aborted"
    )
    assert run.phase == RunPhase.ABORTED
    with FlyteClient(config_for(local_flyte)):
        error = RunDetails.get("r1").error
    assert error
    assert error.message == "no longer wanted"


@pytest.mark.parametrize("phase", ["SUCCEEDED", "FAILED", "ABORTED", "TIMED_OUT", "RECOVERED"])
def test_a_run_that_is_over_is_left_alone(local_flyte: LocalFlyte, way: str, phase: str) -> None:
    """AbortRun would overwrite a success."""
    run = local_flyte.run("r1").move(phase)
    done = abort(local_flyte, way, "r1", "no longer wanted")
    assert done.outcome is Abort.OVER
    assert str(done) == f"Flyte run flytesnacks/development/r1 is {phase} already, so it is not aborted"
    assert run.phase == RunPhase[phase]
    assert not local_flyte.calls("AbortRun")


def test_an_end_counts_where_the_phase_is_a_newer_servers(local_flyte: LocalFlyte, way: str) -> None:
    local_flyte.run("r1").move("SUCCEEDED").move(99)
    assert abort(local_flyte, way, "r1", "no longer wanted").outcome is Abort.OVER
    assert not local_flyte.calls("AbortRun")


@dataclass(frozen=True)
class _SucceedsMeanwhile(Fault):
    run: RunHandle

    def before(self, method: str, call: Any) -> None:
        self.run.succeeds()


def test_a_success_that_the_abort_overwrote_is_reported(local_flyte: LocalFlyte, way: str) -> None:
    """Nothing outside the server can close that gap."""
    run = local_flyte.run("r1").move("RUNNING")
    local_flyte.inject("AbortRun", _SucceedsMeanwhile(run))
    done = abort(local_flyte, way, "r1", "no longer wanted")
    assert done.outcome is Abort.TOO_LATE
    assert str(done).endswith("was RUNNING and succeeded before the abort arrived; Flyte shows it as ABORTED")


def test_a_success_that_only_the_events_show_is_not_overwritten(local_flyte: LocalFlyte, way: str) -> None:
    run = local_flyte.run("r1").move("RUNNING")
    event = run_definition_pb2.ActionEvent(attempt=1, phase="ACTION_PHASE_SUCCEEDED", version=1)
    event.id.name = "a0"
    event.id.run.CopyFrom(run_identifier(RunKey(run.project, run.domain, run.name), ""))
    request = internal_run_service_pb2.RecordActionEventsRequest(events=[event])
    with FlyteClient(config_for(local_flyte)) as executor:
        executor.execute(Call(InternalRunService.RecordActionEvents, request, lambda response: None))
    done = abort(local_flyte, way, "r1", "no longer wanted")
    assert (done.outcome, done.phase) == (Abort.OVER, RunPhase.SUCCEEDED)
    assert run.phase == RunPhase.RUNNING
    assert not local_flyte.calls("AbortRun")


def test_an_abort_that_worked_is_not_undone_by_the_read_after_it(local_flyte: LocalFlyte, way: str) -> None:
    run = local_flyte.run("r1").move("RUNNING")
    local_flyte.inject("AbortRun", _BreaksTheReads(local_flyte))
    assert abort(local_flyte, way, "r1", "no longer wanted").outcome is Abort.ABORTED
    assert run.phase == RunPhase.ABORTED
    # Not repeated: whoever kills a task has about a second.
    assert len(local_flyte.calls("GetRunDetails")) == 2


def test_what_is_not_there_cannot_be_stopped(local_flyte: LocalFlyte, way: str) -> None:
    done = abort(local_flyte, way, "r1", "no longer wanted")
    assert done.outcome is Abort.MISSING
    assert str(done) == "Flyte has no run flytesnacks/development/r1, so nothing is aborted"
    assert not local_flyte.calls("AbortRun")


def test_a_not_found_of_the_abort_is_believed_only_where_listruns_says_so_too(
    local_flyte: LocalFlyte, way: str
) -> None:
    local_flyte.run("r1")
    local_flyte.inject("AbortRun", status("NOT_FOUND", "failed to get run: connection refused"))
    with pytest.raises(NotFoundError, match="AbortRun for run r1"):
        abort(local_flyte, way, "r1", "no longer wanted")
    local_flyte.inject("ListRuns", _NoRuns())
    assert abort(local_flyte, way, "r1", "no longer wanted").outcome is Abort.MISSING


def test_a_database_that_is_down_is_no_missing_run(local_flyte: LocalFlyte, way: str) -> None:
    local_flyte.run("r1").move("RUNNING")
    local_flyte.inject("*", database_down())
    with pytest.raises(InternalError, match="connection refused"):
        abort(local_flyte, way, "r1", "no longer wanted")
    assert not local_flyte.calls("AbortRun")


def test_details_that_a_broken_database_hides_do_not_hide_the_end(local_flyte: LocalFlyte, way: str) -> None:
    run = local_flyte.run("r1").succeeds()
    local_flyte.inject("GetRunDetails", database_down())
    assert abort(local_flyte, way, "r1", "no longer wanted").outcome is Abort.OVER
    assert run.phase == RunPhase.SUCCEEDED


def test_an_abort_is_never_repeated(local_flyte: LocalFlyte, way: str) -> None:
    local_flyte.run("r1").move("RUNNING")
    local_flyte.inject("AbortRun", unavailable())
    with pytest.raises(UnavailableError):
        abort(local_flyte, way, "r1", "no longer wanted")
    assert len(local_flyte.calls("AbortRun")) == 1


def test_project_and_domain_can_be_others(local_flyte: LocalFlyte, way: str) -> None:
    run = local_flyte.run("r1", project="other", domain="staging").move("RUNNING")
    assert abort(local_flyte, way, "r1", "x", project="other", domain="staging").outcome is Abort.ABORTED
    assert run.phase == RunPhase.ABORTED


async def test_run_details_are_read_again_before_they_abort(local_flyte: LocalFlyte) -> None:
    """What was read may be old."""
    run = local_flyte.run("r1").move("RUNNING")
    local_flyte.run("r2", project="other").move("RUNNING")
    async with FlyteClient(config_for(local_flyte)) as client:
        details = await RunDetails.get.aio("r1")
        run.succeeds()
        assert (await details.abort.aio("no longer wanted")).outcome is Abort.OVER
        assert details.abort("no longer wanted").outcome is Abort.OVER
        other = await asyncio.to_thread(client.execute, _details_of("r2", "other"))
        done = RunDetails(other, client).abort("no longer wanted")
    assert done.outcome is Abort.ABORTED
    assert done.key == RunKey("other", "development", "r2")
    assert run.phase == RunPhase.SUCCEEDED


@pytest.mark.parametrize("part", ["project", "domain"])
def test_the_details_of_a_run_that_is_not_allowed_ask_nothing(local_flyte: LocalFlyte, part: str) -> None:
    """Details may come from elsewhere than this client, or from a connection that was narrowed since."""
    local_flyte.run("r1", project="other", domain="staging")
    with FlyteClient(config_for(local_flyte)) as free:
        pb2 = free.execute(get_run_details(run_identifier(RunKey("other", "staging", "r1"), "")))
    allowed = {"allowed_projects": ("flytesnacks",)} if part == "project" else {"allowed_domains": ("development",)}
    asked = len(local_flyte.calls)
    with FlyteClient(config_for(local_flyte, **allowed)) as client:
        details = RunDetails(pb2, client)
        for ask in (details.inputs, details.outputs, details.log_tail, lambda: details.abort("enough")):
            with pytest.raises(ConfigError, match=f"{part} .* is not allowed here"):
                ask()
    assert len(local_flyte.calls) == asked


def _details_of(name: str, project: str) -> Any:
    return get_run_details(run_identifier(RunKey(project, "development", name), ""))


@pytest.mark.parametrize(("name", "reason"), [("r1", ""), ("r1", None), ("r1", " "), ("Bad", "x")])
def test_bad_input_is_refused_before_any_call(local_flyte: LocalFlyte, way: str, name: str, reason: Any) -> None:
    with pytest.raises(ConfigError):
        abort(local_flyte, way, name, reason)
    assert not len(local_flyte.calls)
