"""Stopping a run, and only one that is running: AbortRun would overwrite a success with ABORTED."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from airflow_provider_flyte.client.errors import ConfigError, NotFoundError, RpcError
from airflow_provider_flyte.client.flows import calls
from airflow_provider_flyte.client.flows.calls import Call, Flow
from airflow_provider_flyte.client.flows.named_runs import observe_run, phase_of
from airflow_provider_flyte.client.idl.workflow import run_definition_pb2, run_service_pb2
from airflow_provider_flyte.client.phase import RunPhase, is_successful, is_terminal, phase_name
from airflow_provider_flyte.client.rpc import RunService
from airflow_provider_flyte.client.run_key import RunKey
from airflow_provider_flyte.client.verdict import Absent, Seen


class Abort(str, Enum):
    """The outcome of an abort."""

    ABORTED = "aborted"
    TOO_LATE = "too late"
    OVER = "over"
    MISSING = "missing"
    FOREIGN = "foreign"


@dataclass(frozen=True)
class AbortedRun:
    """The result of an abort."""

    key: RunKey
    """Project, domain and name."""

    outcome: Abort
    """``ABORTED``: it was running and was stopped. ``TOO_LATE``: it succeeded just before the abort arrived, and Flyte
    shows ABORTED all the same. ``OVER``: nothing was done. ``MISSING``: there is no such run. ``FOREIGN``: it is
    not the caller's, and nothing was done."""

    phase: int | None = None
    """The phase in which it was found."""

    def __str__(self) -> str:
        if self.outcome is Abort.MISSING:
            return f"Flyte has no run {self.key}, so nothing is aborted"
        if self.outcome is Abort.FOREIGN:
            return f"Flyte run {self.key} is not aborted, because its annotations say that somebody else launched it"
        phase = phase_name(self.phase or 0)
        if self.outcome is Abort.OVER:
            return f"Flyte run {self.key} is {phase} already, so it is not aborted"
        if self.outcome is Abort.TOO_LATE:
            return f"Flyte run {self.key} was {phase} and succeeded before the abort arrived; Flyte shows it as ABORTED"
        return f"Flyte run {self.key} was {phase} and is now aborted"


def check_reason(reason: object) -> str:
    """The reason, checked; it stands in the run's details."""
    if not isinstance(reason, str) or not reason.strip():
        raise ConfigError(
            f"reason is {reason!r}. Give the reason of the abort in a few words; the run's page shows it."
        )
    return reason


def abort(
    key: RunKey, org: str, reason: str, *, is_ours: Callable[[run_definition_pb2.RunDetails], bool] | None = None
) -> Flow[AbortedRun]:
    """Stop the run if it is running.

    :param is_ours: whether the run, as it was read right before, is the caller's; None: whosever it is, it is stopped.
    :raises NotFoundError: where ListRuns has the run, and its details, which ``is_ours`` needs, cannot be read.

    Between the read and the abort the run may still succeed, and the backend then overwrites the success: the gap is
    one call long and cannot be closed from outside. A second read shows whether it happened.
    """
    observation, details = yield from observe_run(key, org)
    if isinstance(observation, Absent):
        return AbortedRun(key, Abort.MISSING)
    assert isinstance(observation, Seen)
    # An end time proves it too, where the phase is a newer server's.
    if is_terminal(observation.phase) or (details is not None and details.action.status.HasField("end_time")):
        return AbortedRun(key, Abort.OVER, observation.phase)
    if is_ours is not None:
        if details is None:
            details = yield calls.get_run_details(calls.run_identifier(key, org))
        if not is_ours(details):
            return AbortedRun(key, Abort.FOREIGN, observation.phase)
    # An executor sends its events before it sets the phase.
    if details is not None and _succeeded(details):
        return AbortedRun(key, Abort.OVER, RunPhase.SUCCEEDED)
    request = run_service_pb2.AbortRunRequest(run_id=calls.run_identifier(key, org), reason=reason)
    unknown: RpcError | None = None
    try:
        yield Call(RunService.AbortRun, request, lambda response: None, run=key.name)
    except NotFoundError:
        phase_now = yield from phase_of(key, org)
        if phase_now is not None:
            raise
        return AbortedRun(key, Abort.MISSING)
    except RpcError as error:
        if not error.transient:
            raise
        # The answer is lost, or cannot be read. The abort is not repeated: the run shows whether it was carried out.
        unknown = error
    try:
        reread = calls.get_run_details(calls.run_identifier(key, org), final=RpcError)
        after: run_definition_pb2.RunDetails = yield reread
    except RpcError:
        if unknown is not None:
            raise unknown from None
        # The abort itself went well.
        return AbortedRun(key, Abort.ABORTED, observation.phase)
    phase: int = after.action.status.phase
    if unknown is not None and phase != RunPhase.ABORTED:
        raise unknown
    return AbortedRun(key, Abort.TOO_LATE if _succeeded(after) else Abort.ABORTED, observation.phase)


def _succeeded(details: run_definition_pb2.RunDetails) -> bool:
    """Whether its last attempt has: an abort changes the phase of the run, never the events before it
    (succeeded.json, call 10).
    """
    attempts = details.action.attempts
    return bool(attempts) and is_successful(attempts[-1].phase)
