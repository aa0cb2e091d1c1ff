"""The waits of one project and domain, what is known of their runs, and what to poll next. No network, no clock.

Runs that are known to exist stand in groups of at most ``NAMES_A_CALL``: one ListRuns asks which of a group are over,
and its request is made once for as long as the group stays the same. A run that has not been seen yet is *young*, and
asked for without the phase filter, because only that distinguishes a run that is running from one that does not exist.

What an answer costs depends on its news, not on how many wait: trouble belongs to a group and is passed on once to each
of its waits. Whatever may concern many waits is an iterator, which the watcher drives a slice at a time.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from airflow_provider_flyte.client.flows.calls import NAMES_A_CALL
from airflow_provider_flyte.client.run_key import ProjectDomain, RunKey
from airflow_provider_flyte.client.verdict import (
    NOTIFIED_AFTER,
    Observation,
    Seen,
    Trouble,
    Verdict,
    WaitState,
    decide,
    observe,
    trouble_over,
)
from airflow_provider_flyte.client.watch.results import WaitResults

PROOF_LASTS = 600.0
"""Seconds within which each run is asked for once without the phase filter, which would not show that it is gone."""

Work = Iterator[bool]
"""Something to do for many waits, one after the other: yields whether this one was notified."""


@dataclass(eq=False, slots=True)
class Wait:
    """One wait for one run."""

    project_domain: ProjectDomain
    name: str
    state: WaitState
    results: WaitResults
    end: Verdict | BaseException | None = None
    group: Group | None = None
    """The group of the run, if this is the only wait for it."""

    @property
    def key(self) -> RunKey:
        return self.project_domain.run(self.name)


class _Several:
    """Several waits for one run."""

    __slots__ = ("group", "waits")

    def __init__(self, first: Wait) -> None:
        self.waits: dict[Wait, None] = {first: None}
        self.group = first.group


class Group:
    """Runs that are polled together, and whether Flyte answers."""

    __slots__ = ("due", "failures", "names", "notified", "polled_at", "proved_at", "request", "since", "trouble")

    def __init__(self, proved_at: float) -> None:
        self.names: dict[str, None] = {}
        self.request: Any = None
        """The request that asks which of them are over; None: it has to be made anew."""

        self.proved_at = proved_at
        """When all of them were asked for without the phase filter."""

        self.polled_at = -math.inf
        """When the last poll began which showed that none of them was over."""

        self.failures = 0
        """Polls without an answer, in a row."""

        self.trouble: Trouble | None = None
        self.since = 0.0
        """When the trouble began."""

        self.notified = False
        """Whether each of the waits knows of the trouble."""

        self.due = math.inf
        """When the first of them gives up."""

    def add(self, name: str) -> None:
        self.names[name] = None
        self.request = None
        self.notified = False

    def discard(self, name: str) -> None:
        if self.names.pop(name, self) is None:
            self.request = None


class ProjectWaits:
    """The waits for runs of one project and domain."""

    def __init__(self) -> None:
        self._waits: dict[str, Wait | _Several] = {}
        """By name; mostly one waits for a run."""

        self._count = 0
        self.young = Group(math.inf)
        """Runs that have not been seen yet, or are gone: asked for without the phase filter, in calls of one page."""

        self.groups: list[Group] = []
        """Runs that exist."""

        self._newest_state: WaitState | None = None
        """Kept once for all waits that share it: most runs are in the same one."""

        self._troubled: dict[str, None] = {}
        """Names whose waits were notified of trouble."""

        self.new: set[str] = set()
        """Names for which a wait began since the last poll."""

    def __len__(self) -> int:
        return self._count

    def __bool__(self) -> bool:
        return bool(self._waits)

    def has(self, name: str) -> bool:
        return name in self._waits

    def names(self) -> Collection[str]:
        return self._waits.keys()

    # -- waits come and go

    def add(self, wait: Wait) -> None:
        name = wait.name
        current = self._waits.get(name)
        if current is None:
            self._waits[name] = wait
        else:
            if isinstance(current, Wait):
                current = self._waits[name] = _Several(current)
            current.waits[wait] = None
        self._count += 1
        self.new.add(name)
        self._put(name, self.young)

    def discard(self, wait: Wait) -> None:
        current = self._waits.get(wait.name)
        if current is wait:
            self._forget(wait.name)
        elif isinstance(current, _Several) and current.waits.pop(wait, wait) is None:
            self._count -= 1
            if not current.waits:
                self._forget(wait.name)

    def end_all(self, error: BaseException) -> None:
        for name in list(self._waits):
            for wait in self._pop(name):
                wait.results.finish(wait, error)

    def _pop(self, name: str) -> list[Wait]:
        """Remove the waits for the run, and return them."""
        waits = list(self._of(name))
        self._forget(name)
        return waits

    def _of(self, name: str) -> Iterable[Wait]:
        current = self._waits.get(name)
        return () if current is None else (current,) if isinstance(current, Wait) else current.waits

    def _forget(self, name: str) -> None:
        current = self._waits.pop(name, None)
        if current is None:
            return
        self._count -= 1 if isinstance(current, Wait) else len(current.waits)
        self._troubled.pop(name, None)
        self.new.discard(name)
        if current.group is not None:
            self._take_out(name, current.group)

    # -- groups

    def _put(self, name: str, group: Group) -> None:
        current = self._waits[name]
        before, current.group = current.group, group
        if before is not None and before is not group:
            self._take_out(name, before)
        group.add(name)

    def _take_out(self, name: str, group: Group) -> None:
        group.discard(name)
        if not group.names and group is not self.young:
            self.groups.remove(group)

    def _settle(self, name: str, now: float) -> None:
        """Move a run that exists to a group that is polled with the phase filter."""
        if not self.groups or len(self.groups[-1].names) >= NAMES_A_CALL:
            # Waits that have ended leave room in older groups.
            emptiest = min(self.groups, key=lambda group: len(group.names), default=None)
            if emptiest is not None and len(emptiest.names) <= NAMES_A_CALL / 2 and not emptiest.failures:
                self.groups.remove(emptiest)
                self.groups.append(emptiest)
            else:
                self.groups.append(Group(now))
        self._put(name, self.groups[-1])

    def tidy(self) -> None:
        """Make one group of two where both fit into one call: calls are not to outlive the waits that they were for.

        Only where nothing is wrong, because trouble is noted by group.
        """
        while len(self.groups) > 1:
            first, second = sorted(self.groups, key=lambda group: len(group.names))[:2]
            if len(first.names) + len(second.names) > NAMES_A_CALL or first.failures or second.failures:
                return
            second.proved_at = min(first.proved_at, second.proved_at)
            for name in list(first.names):
                self._put(name, second)

    def to_prove(self, now: float, within: float) -> list[Group]:
        """Groups that are to be asked for without the phase filter now.

        :param within: seconds until this is asked again. So that not all come at once, each time as many as it takes
            to go through all of them within ``PROOF_LASTS``; the oldest first.
        """
        share = math.ceil(len(self.groups) * min(1.0, within / PROOF_LASTS))
        old = [group for group in self.groups if now - group.proved_at >= PROOF_LASTS / 2]
        return sorted(old, key=lambda group: group.proved_at)[:share]

    # -- what polls show

    def saw(self, name: str, observation: Observation, now: float) -> Work:
        """Note an observation of one run."""
        current = self._waits.get(name)
        if current is None:
            return
        if isinstance(observation, Trouble):
            self._troubled[name] = None
        else:
            self._troubled.pop(name, None)
            if not isinstance(observation, Seen):
                self._put(name, self.young)
            elif current.group is self.young:
                self._settle(name, now)
        yield from self._note(name, observation, now)

    def answered(self, group: Group, now: float) -> Work:
        """Note that Flyte answered a poll of this group: trouble is over."""
        group.failures, group.trouble, group.notified, group.due = 0, None, False, math.inf
        if self._troubled:
            for name in [name for name in group.names if name in self._troubled]:
                if group.trouble is not None:
                    return
                self._troubled.pop(name, None)
                yield from self._note(name, None, now)

    def failed(self, group: Group, trouble: Trouble, now: float) -> Work:
        """Note that a poll of this group had no answer. Each wait is notified once, and again when it may give up."""
        group.failures += 1
        if group.failures == 1:
            group.since = now
        group.trouble = trouble
        if trouble.lasting or (group.failures >= NOTIFIED_AFTER and (not group.notified or now >= group.due)):
            group.notified, group.due = True, math.inf
            for name in list(group.names):
                if group.trouble is None:
                    return
                if name in group.names:
                    self._troubled[name] = None
                    yield from self._note(name, trouble, now, group)

    def _note(self, name: str, observation: Observation | None, now: float, group: Group | None = None) -> Work:
        """Apply an observation to the waits for a run; None: an answer had no news of it."""
        for wait in list(self._of(name)):
            before = wait.state
            if observation is None:
                state = trouble_over(before)
            elif isinstance(observation, Trouble) and group is not None and before.trouble is None:
                # Trouble of this wait does not count from before it began.
                state = observe(before, observation, max(group.since, wait.results.began))
            else:
                state = observe(before, observation, now)
            if state != self._newest_state:
                self._newest_state = state
            wait.state = self._newest_state
            verdict = decide(wait.state, now, wait.results.rules)
            notified = self._notify(wait, before, now)
            if verdict.over:
                self.discard(wait)
                wait.results.finish(wait, verdict)
                notified = True
            elif group is not None and wait.state.trouble_since is not None:
                limit = wait.results.rules.unreachable_after
                group.due = min(group.due, math.inf if limit is None else wait.state.trouble_since + limit)
            yield notified

    @staticmethod
    def _notify(wait: Wait, before: WaitState, now: float) -> bool:
        if wait.state.trouble is not None:
            if before.trouble is not None:
                return False
            return wait.results.notify(f"No answer from Flyte, still waiting: {wait.state.trouble.message}")
        if before.trouble_since is None:
            return False
        return wait.results.notify(f"Flyte answers again after {now - before.trouble_since:.0f} s.")
