"""The phases of a Flyte run, as plain Python: which are over, and which are a success."""

from __future__ import annotations

from enum import IntEnum


class RunPhase(IntEnum):
    """Phase of a run's root action; the numbers are those of ``flyteidl2.common.ActionPhase``."""

    UNSPECIFIED = 0
    QUEUED = 1
    WAITING_FOR_RESOURCES = 2
    INITIALIZING = 3
    RUNNING = 4
    SUCCEEDED = 5
    FAILED = 6
    ABORTED = 7
    TIMED_OUT = 8
    PAUSED = 9
    RECOVERED = 10


TERMINAL = frozenset({RunPhase.SUCCEEDED, RunPhase.FAILED, RunPhase.ABORTED, RunPhase.TIMED_OUT, RunPhase.RECOVERED})
NOT_OVER = frozenset(RunPhase) - {RunPhase.UNSPECIFIED} - TERMINAL
SUCCESSFUL = frozenset({RunPhase.SUCCEEDED, RunPhase.RECOVERED})


def is_terminal(phase: int) -> bool:
    """Whether a run in this phase is over. A number that we do not know is not: a newer server may send one."""
    return phase in TERMINAL


def is_successful(phase: int) -> bool:
    """Whether a run that is over in this phase has succeeded."""
    return phase in SUCCESSFUL


def is_known(phase: int) -> bool:
    """Whether this provider knows the phase's number."""
    return phase in RunPhase._value2member_map_


def phase_name(phase: int) -> str:
    """The phase's name, or ``phase 99`` for a number from a newer server."""
    return RunPhase(phase).name if is_known(phase) else f"phase {phase}"
