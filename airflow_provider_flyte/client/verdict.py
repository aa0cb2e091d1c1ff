"""The one decision about a wait: whether it is over, and how. Pure: no clock, no network, no Airflow.

Poke, trigger and watcher all feed their observations into :func:`observe` and ask :func:`decide`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum

from airflow_provider_flyte.client.arguments import MISSING_AFTER, UNREACHABLE_AFTER, optional_seconds
from airflow_provider_flyte.client.phase import is_successful, is_terminal, phase_name


@dataclass(frozen=True, slots=True)
class RunError:
    """Why a run did not succeed."""

    kind: str
    """``USER``, ``SYSTEM``, ``ABORTED`` or ``UNKNOWN``."""

    message: str
    """The server's message."""


@dataclass(frozen=True, slots=True)
class Seen:
    """The server has the run, in this phase."""

    phase: int
    error: RunError | None = None


@dataclass(frozen=True, slots=True)
class Absent:
    """ListRuns answered and does not have the run. A NOT_FOUND of GetRunDetails is not this."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """No usable answer could be had."""

    message: str
    lasting: bool = False
    """Whether a repetition cannot help: refused credentials, TLS against plaintext."""


NOTIFIED_AFTER = 2
"""Calls in a row without an answer after which that is logged: one that fails between others is no outage. What lasts
is logged at once."""

Observation = Seen | Absent | Trouble


@dataclass(frozen=True, slots=True)
class WaitRules:
    """How long a wait tolerates a missing run and trouble."""

    missing_after: float | None = MISSING_AFTER
    """Seconds for which a run may not exist yet; None: for ever."""

    unreachable_after: float | None = UNREACHABLE_AFTER
    """Seconds of unbroken trouble after which the run's state is unknown; None: never."""

    def __post_init__(self) -> None:
        for name in ("missing_after", "unreachable_after"):
            object.__setattr__(self, name, optional_seconds(name, getattr(self, name)))

    def at_most(self, patience: float) -> float:
        """How long one observation repeats a transient failure, which is part of the trouble.

        :param patience: seconds that would make sense for this observation.
        """
        return patience if self.unreachable_after is None else min(patience, self.unreachable_after)


@dataclass(frozen=True, slots=True)
class WaitState:
    """What a wait knows of its run, in seconds of the caller's clock."""

    absent_since: float
    """When the wait began or, once the run had been seen, when it was first gone; 0.0 while it exists, so
    that the states of runs in the same phase are equal."""

    seen: Seen | None = None
    absent: bool = False
    trouble: Trouble | None = None
    trouble_since: float | None = None


class Outcome(str, Enum):
    """The outcome of a wait, so far."""

    WAITING = "waiting"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    MISSING = "missing"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True)
class Verdict:
    """The decision, with what is needed to explain it."""

    outcome: Outcome
    phase: int | None = None
    """Newest phase that was seen; None if none was."""

    kind: str = ""
    """For a failed run: ``USER``, ``SYSTEM``, ``ABORTED`` or ``UNKNOWN``; empty while the server has not sent it."""

    message: str = ""

    @property
    def over(self) -> bool:
        return self.outcome is not Outcome.WAITING

    @property
    def succeeded(self) -> bool:
        return self.outcome is Outcome.SUCCEEDED


def observe(state: WaitState, observation: Observation, now: float) -> WaitState:
    """The state of a wait after one more observation."""
    if isinstance(observation, Trouble):
        since = state.trouble_since if state.trouble_since is not None else now
        return replace(state, trouble=observation, trouble_since=since)
    state = replace(state, trouble=None, trouble_since=None)
    if isinstance(observation, Seen):
        return replace(state, seen=observation, absent=False, absent_since=0.0)
    was_there = state.seen is not None and not state.absent
    return replace(state, absent=True, absent_since=now if was_there else state.absent_since)


def trouble_over(state: WaitState) -> WaitState:
    """The state of a wait after an answer that had no news of its run: trouble is over."""
    return replace(state, trouble=None, trouble_since=None)


def decide(state: WaitState, now: float, rules: WaitRules) -> Verdict:
    """Decide on what is known at ``now``."""
    phase = state.seen.phase if state.seen else None
    if state.seen and is_terminal(state.seen.phase):
        # Believed from whatever source, and whatever trouble came after: a run that is over stays over.
        if is_successful(state.seen.phase):
            return Verdict(Outcome.SUCCEEDED, phase)
        error = state.seen.error or RunError("", "")
        return Verdict(Outcome.FAILED, phase, error.kind, error.message)
    if state.trouble and state.trouble_since is not None:
        lasted = now - state.trouble_since
        limit = rules.unreachable_after
        if limit is not None and (state.trouble.lasting or lasted >= limit):
            return Verdict(Outcome.UNREACHABLE, phase, message=state.trouble.message)
    elif state.absent and rules.missing_after is not None and now - state.absent_since >= rules.missing_after:
        return Verdict(Outcome.MISSING, phase)
    return Verdict(Outcome.WAITING, phase)


def decide_together(counts: Mapping[Outcome, int], *, any_one: bool, fail_fast: bool) -> Outcome:
    """Decide the outcome of a wait for several runs.

    :param counts: how many of the runs' own verdicts have which outcome.
    :param any_one: one success is enough, instead of all.
    :param fail_fast: the first run that ends without success ends the wait, instead of the last that could.
    """
    good, waiting = counts.get(Outcome.SUCCEEDED, 0), counts.get(Outcome.WAITING, 0)
    if any_one and good:
        return Outcome.SUCCEEDED
    bad = next((outcome for outcome in _WORST_FIRST if counts.get(outcome)), None)
    if bad and (fail_fast or not waiting):
        return bad
    return Outcome.WAITING if waiting or bad else Outcome.SUCCEEDED


_WORST_FIRST = (Outcome.FAILED, Outcome.MISSING, Outcome.UNREACHABLE)
"""A failed run cannot change any more, a missing one may come, an unreachable one may have succeeded."""


def describe(phase: int | None) -> str:
    """A phase for the log; None is a run that has not been seen yet."""
    return "not created yet" if phase is None else phase_name(phase)
