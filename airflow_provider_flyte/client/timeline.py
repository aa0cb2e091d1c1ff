"""What happened to a run and when, as lines for a log. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone

from google.protobuf.timestamp_pb2 import Timestamp

from airflow_provider_flyte.client.idl.workflow import run_definition_pb2
from airflow_provider_flyte.client.outside import LONGEST_NAME, one_line
from airflow_provider_flyte.client.phase import is_terminal, phase_name

_MOST_WARNINGS = 10
"""Of the cluster, an attempt: the newest."""


def timeline(details: run_definition_pb2.RunDetails) -> list[str]:
    """A line for each thing that Flyte reports: the launch, each phase of each attempt, the cluster's warnings, the
    end. In the order of time, as far as there are times.
    """
    entries = list(_entries(details.action))
    # Stable, so that what has the same time, or none, stays where Flyte has it.
    entries.sort(key=lambda entry: entry[0] or datetime.max.replace(tzinfo=timezone.utc))
    return [f"{_stamp(at)} {text}" for at, text in entries]


def _entries(action: run_definition_pb2.ActionDetails) -> Iterator[tuple[datetime | None, str]]:
    status = action.status
    yield moment(status.start_time), "launched"
    for attempt in action.attempts:
        name = f"attempt {attempt.attempt}"
        for phase in attempt.phase_transitions:
            text = f"{name}: {phase_name(phase.phase)}"
            if is_terminal(phase.phase):
                yield moment(phase.start_time), text + _because(attempt.error_info.message)
            else:
                yield moment(phase.start_time), text + _for(phase.start_time, phase.end_time)
        warnings = [event for event in attempt.cluster_events if event.type == event.TYPE_WARNING]
        for event in warnings[-_MOST_WARNINGS:]:
            often = f" ({event.count} times)" if event.count > 1 else ""
            reason = one_line(event.reason, LONGEST_NAME).strip() or "warning"
            yield moment(event.occurred_at), f"{name}: {reason}{often}{_because(event.message)}"
    if status.HasField("end_time"):
        reason = action.abort_info.reason if action.WhichOneof("result") == "abort_info" else ""
        text = f"{phase_name(status.phase)}{_for(status.start_time, status.end_time, 'after')}{_because(reason)}"
        yield moment(status.end_time), text


def moment(message: Timestamp) -> datetime | None:
    """A time of Flyte's; None where there is none, and where it is out of range."""
    if not message.ByteSize():
        return None
    try:
        return datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(
            seconds=message.seconds, microseconds=message.nanos // 1000
        )
    except OverflowError:
        return None


def _stamp(at: datetime | None) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z") if at else "at no known time"


def _for(start: Timestamp, end: Timestamp, word: str = "for") -> str:
    begun, ended = moment(start), moment(end)
    if begun is None or ended is None:
        return ""
    seconds = (ended - begun).total_seconds()
    return f" {word} {seconds:.2f} s" if seconds < 60 else f" {word} {timedelta(seconds=round(seconds))}"


def _because(text: str) -> str:
    line = one_line(text.strip().partition("\n")[0]).strip()
    return f": {line}" if line else ""
