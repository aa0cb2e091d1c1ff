"""The trigger's event for the task: a small verdict, checked when it is read.

The details of the run are not in it. Airflow logs an event in full and keeps it in the metadata database, and the
worker reads the run again anyway.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

from airflow_provider_flyte.client.outside import LONGEST_IN_EVENT, marked, one_line, some_lines
from airflow_provider_flyte.client.phase import phase_name
from airflow_provider_flyte.client.run_key import is_run_name

if TYPE_CHECKING:
    from airflow_provider_flyte.task_log import TaskLog

VERSION = 1
_LONGEST_TRACEBACK = 20_000


class Ending(str, Enum):
    """Why the trigger woke the task."""

    FOUND = "found"
    """The run that was looked for is there; the task knows its name now, and waits for it."""
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    MISSING = "missing"
    UNREACHABLE = "unreachable"
    TIMED_OUT = "timed_out"
    TASK_TIMED_OUT = "task_timed_out"
    PAUSED = "paused"
    """The run waits for an answer, and on_paused="fail"; the worker checks whether it still does."""
    QUEUED = "queued"
    """queued_timeout has passed; the worker checks whether the run has left its queue."""
    NO_CONNECTION = "no_connection"
    CRASHED = "crashed"
    NOT_BEGUN = "not_begun"
    """The triggerer could not find out what to wait for; a worker begins."""


class EventError(ValueError):
    """A payload that this version cannot read."""


ANSWERED = (Ending.SUCCEEDED, Ending.FAILED)
"""What a trigger reports only after an answer of Flyte's."""


@dataclass(frozen=True)
class RunEvent:
    """The verdict on one wait."""

    ending: Ending
    run_name: str
    phase: int | None = None
    message: str = ""
    missing: int = 0
    """How many runs have been missing for the whole grace period."""

    version: int = VERSION
    logs: dict[str, Any] = field(default_factory=dict)
    """How far the logs of runs were written into the task's, by their names (``wait/run_logs.py``)."""

    def __post_init__(self) -> None:
        # Also those that are read: what has written them may be another version, or no trigger at all.
        for name in ("run_name", "message"):
            object.__setattr__(self, name, one_line(getattr(self, name), LONGEST_IN_EVENT))

    @property
    def answered(self) -> bool:
        """Whether Flyte has answered the triggerer about the run."""
        return self.ending in (Ending.SUCCEEDED, Ending.FAILED, Ending.MISSING)

    @property
    def late(self) -> bool:
        """Whether a timeout of the task has ended the wait."""
        return self.ending in (Ending.TIMED_OUT, Ending.TASK_TIMED_OUT)

    @property
    def found(self) -> str:
        """The name of the run that was looked for; '' where the event has none."""
        return self.run_name if self.ending is Ending.FOUND and is_run_name(self.run_name) else ""

    @property
    def explains(self) -> bool:
        """Whether it says why the wait has ended, where the task sees a run that is not over."""
        return not self.late and self.ending is not Ending.FOUND

    def describe(self) -> str:
        """What ended the wait, as a clause without a full stop."""
        run, phase = f"run {self.run_name}", phase_name(self.phase or 0)
        return {
            Ending.FOUND: f"{run} was found",
            Ending.SUCCEEDED: f"{run} has succeeded",
            Ending.FAILED: f"{run} is {phase}",
            Ending.MISSING: f"Flyte does not have {run} after the time that missing_after allows"
            if self.run_name
            else "there is no such run, and the window has closed",
            Ending.UNREACHABLE: "Flyte gave no usable answer",
            Ending.TIMED_OUT: "the sensor's timeout has passed",
            Ending.TASK_TIMED_OUT: "execution_timeout has passed",
            Ending.PAUSED: f"{run} waits for an answer (on_paused='fail')",
            Ending.QUEUED: "queued_timeout has passed, and a worker checks whether the run has left its queue",
            Ending.NO_CONNECTION: "the Airflow connection cannot be used",
            Ending.CRASHED: "the trigger failed",
            Ending.NOT_BEGUN: "the triggerer cannot tell what to wait for, so a worker begins",
        }[self.ending]

    def to_payload(self) -> dict[str, Any]:
        """The event as JSON types, a few hundred bytes."""
        payload = asdict(self) | {"ending": self.ending.value}
        if not self.logs:
            del payload["logs"]
        return payload

    @classmethod
    def from_payload(cls, payload: object) -> RunEvent:
        """Read an event.

        :raises EventError: with what is wrong, for anything that :meth:`to_payload` of this version did not write.
        """
        if not isinstance(payload, Mapping):
            raise EventError(f"the event is {type(payload).__name__}, not a mapping")
        version = payload.get("version")
        if version != VERSION:
            raise EventError(f"the event has version {version!r}, this provider reads {VERSION}")
        try:
            ending = Ending(payload["ending"])
            run_name, phase, message = payload["run_name"], payload["phase"], payload["message"]
            missing = payload.get("missing", 0)  # an older version's trigger does not send it
        except (KeyError, ValueError) as error:
            raise EventError(f"the event does not fit: {error}") from error
        if not isinstance(run_name, str) or not isinstance(message, str):
            raise EventError("the event does not fit: run_name and message must be texts")
        if phase is not None and (not isinstance(phase, int) or isinstance(phase, bool)):
            raise EventError("the event does not fit: phase must be a number or null")
        if not isinstance(missing, int) or isinstance(missing, bool) or missing < 0:
            raise EventError("the event does not fit: missing must be a number")
        logs = payload.get("logs", {})
        if not isinstance(logs, Mapping):
            raise EventError("the event does not fit: logs must be a mapping")
        return cls(ending, run_name, phase, message, missing, logs=dict(logs))


def ended_by(payload: object, ending: Ending) -> bool:
    """Whether a trigger's payload, which may be of any kind, has this ending."""
    return isinstance(payload, Mapping) and payload.get("ending") == ending.value


def with_settled(payload: Mapping[str, Any], settled: Mapping[str, Any]) -> dict[str, Any]:
    """A trigger's payload with what was settled in the triggerer, where the task began there.

    :param settled: of ``wait/resumption.py``; the task reads it with :func:`settled_in`.
    """
    return {**payload, "settled": settled}


def settled_in(payload: object) -> Mapping[str, Any]:
    """What was settled in the triggerer by a trigger's payload, which may be of any kind."""
    settled = payload.get("settled") if isinstance(payload, Mapping) else None
    return settled if isinstance(settled, Mapping) else {}


def log_traceback(kwargs: Mapping[str, Any], log: TaskLog) -> None:
    """Log why a trigger crashed, as far as Airflow knows.

    :param kwargs: what Airflow resumes the task with.
    :param log: the task's log.
    """
    if lines := kwargs.get("traceback"):
        text = some_lines("\n".join(str(line).rstrip() for line in lines), _LONGEST_TRACEBACK)
        log.error("The trigger failed in the triggerer:%s", marked(f"\n{text}"))


def read_event(payload: object, what: str, log: TaskLog) -> RunEvent | None:
    """The event, or None where this version cannot read it: then the task reads its runs itself.

    :param payload: what the trigger sent.
    :param what: what the task waits for, for its log.
    :param log: the task's log.
    """
    try:
        return RunEvent.from_payload(payload)
    except EventError as error:
        log.warning("The trigger's event cannot be read: %s. The task reads %s itself.", error, what)
        return None
