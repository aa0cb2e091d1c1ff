"""The messages that describe an action: its row in a list, its details, the attempts built from its events."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from google.protobuf.timestamp_pb2 import Timestamp

from airflow_provider_flyte.client.idl.common import identifier_pb2
from airflow_provider_flyte.client.idl.workflow import run_definition_pb2 as pb
from airflow_provider_flyte.client.idl.workflow import run_service_pb2
from airflow_provider_flyte.client.phase import RunPhase
from airflow_provider_flyte.testing.action_tree import Node
from airflow_provider_flyte.testing.calls import Refusal
from airflow_provider_flyte.testing.store import Action

_ENDS_AN_ATTEMPT: frozenset[int] = frozenset(
    {RunPhase.SUCCEEDED, RunPhase.FAILED, RunPhase.ABORTED, RunPhase.TIMED_OUT}
)


def timestamp(ns: int) -> Timestamp:
    """A time as a message."""
    return Timestamp(seconds=ns // 1_000_000_000, nanos=ns % 1_000_000_000)


def nanoseconds(time: Timestamp) -> int:
    """A message as a time."""
    return time.seconds * 1_000_000_000 + time.nanos


def status(action: Action) -> pb.ActionStatus:
    """The status in lists and details."""
    message = pb.ActionStatus(
        phase=action.phase,  # type: ignore[arg-type]  # an open enum: unknown numbers pass
        start_time=timestamp(action.created_ns),
        attempts=action.attempts,
    )
    if action.ended_ns is not None:
        message.end_time.CopyFrom(timestamp(action.ended_ns))
    if action.duration_ms is not None:
        message.duration_ms = action.duration_ms
    return message


def identifier(action: Action) -> identifier_pb2.ActionIdentifier:
    """The action's identifier, without an org: the backend does not store it, so run ids in the answers to CreateRun,
    ListRuns and WatchRuns have none.
    """
    project, domain, run, name = action.key
    return identifier_pb2.ActionIdentifier(
        run=identifier_pb2.RunIdentifier(project=project, domain=domain, name=run), name=name
    )


def run_row(action: Action) -> pb.Run:
    """A run as CreateRun, ListRuns and WatchRuns show it."""
    if action.row is None:
        action.row = pb.Run(action=pb.Action(id=identifier(action), metadata=action.metadata, status=status(action)))
    return action.row


def action_row(action: Action) -> pb.Action:
    """An action as ListActions shows it: of the metadata only parent and group (executor.json, call 13)."""
    return pb.Action(
        id=identifier(action),
        metadata=pb.ActionMetadata(parent=action.parent, group=action.group),
        status=status(action),
    )


def watched_actions(shown: Iterable[tuple[Node, bool]]) -> run_service_pb2.WatchActionsResponse:
    """Actions as WatchActions shows them: the metadata lacks the action's type and the task's org (child_actions.json,
    call 16).
    """
    message = run_service_pb2.WatchActionsResponse()
    for node, meets_filter in shown:
        action = pb.Action(id=identifier(node.action), metadata=node.action.metadata, status=status(node.action))
        action.metadata.ClearField("action_type")
        if action.metadata.HasField("task"):
            action.metadata.task.id.ClearField("org")
        message.enriched_actions.add(action=action, meets_filter=meets_filter, children_phase_counts=node.counts)
    return message


def action_details(action: Action, asked: identifier_pb2.ActionIdentifier) -> pb.ActionDetails:
    """The details; the id is the one that was asked for, org included."""
    details = pb.ActionDetails(id=asked, metadata=action.metadata, status=status(action), attempts=attempts(action))
    if action.spec is not None:
        details.task.CopyFrom(action.spec)
    if action.condition is not None:
        details.condition.CopyFrom(action.condition)
    if action.phase == RunPhase.FAILED:
        # The error is that of the last attempt's events. They arrive after the phase; until then error_info is set
        # but empty (failed_user.json, call 2).
        if details.attempts:
            details.error_info.CopyFrom(details.attempts[-1].error_info)
    elif action.phase == RunPhase.ABORTED:
        details.abort_info.reason = action.abort_reason
    elif action.signal is not None:
        details.signal_info.output.CopyFrom(action.signal)
    return details


def events_are_terminal(action: Action) -> bool:
    """Whether the last attempt has ended by its events, whatever its status."""
    last = max((attempt for attempt, _, _ in action.events), default=None)
    return any(attempt == last and phase in _ENDS_AN_ATTEMPT for attempt, phase, _ in action.events)


def attempts(action: Action) -> list[pb.ActionAttempt]:
    """The attempts, built from nothing but the events; logs and the events of the cluster are left out."""
    by_attempt: dict[int, list[pb.ActionEvent]] = {}
    for key in sorted(action.events):
        by_attempt.setdefault(key[0], []).append(action.events[key])
    return [_attempt(number, events) for number, events in sorted(by_attempt.items())]


def _reported_ns(event: pb.ActionEvent) -> int:
    return nanoseconds(event.reported_time if event.HasField("reported_time") else event.updated_time)


def _attempt(number: int, events: Sequence[pb.ActionEvent]) -> pb.ActionAttempt:
    events = sorted(events, key=_reported_ns)
    last = next((event for event in events if event.phase in _ENDS_AN_ATTEMPT), events[-1])
    attempt = pb.ActionAttempt(
        attempt=number,
        phase=last.phase,
        start_time=events[0].updated_time,
        phase_transitions=_transitions(events),
        cluster=last.cluster,
    )
    if last.phase in _ENDS_AN_ATTEMPT:
        attempt.end_time.CopyFrom(max(last.updated_time, events[0].updated_time, key=nanoseconds))
    if last.HasField("error_info"):
        attempt.error_info.CopyFrom(last.error_info)
    if last.HasField("outputs"):
        attempt.outputs.CopyFrom(last.outputs)
    return attempt


def _transitions(events: Sequence[pb.ActionEvent]) -> list[pb.PhaseTransition]:
    """Each phase once, from its first event to the next phase's; the terminal one ends where it starts."""
    transitions: list[pb.PhaseTransition] = []
    for event in events:
        if any(event.phase == seen.phase for seen in transitions):
            continue
        if transitions:
            transitions[-1].end_time.CopyFrom(event.updated_time)
        transitions.append(pb.PhaseTransition(phase=event.phase, start_time=event.updated_time))
        if event.phase in _ENDS_AN_ATTEMPT:
            transitions[-1].end_time.CopyFrom(event.updated_time)
            break
    return transitions


def outputs_uri(action: Action) -> str:
    """The address of the outputs: empty before a success, then that in the last attempt's events."""
    if action.phase != RunPhase.SUCCEEDED:
        return ""
    made = attempts(action)
    if not made or not made[-1].outputs.output_uri:
        raise Refusal("NOT_FOUND", "outputs not available")
    return made[-1].outputs.output_uri
