"""RunFeed: the end of each run of a task, as soon as it is known, followed from its birth.

New runs are found by their creation: each ``interval`` in a list from the newest one on, and at longer intervals in one
that goes back further, beside a list of all that are not over. Their ends are waited for by the
:class:`~airflow_provider_flyte.client.watch.watcher.RunWatcher`, whose stream and polls serve all who wait.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Collection, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import TypeVar

from airflow_provider_flyte.client.backoff import backoff
from airflow_provider_flyte.client.client import FlyteClient
from airflow_provider_flyte.client.errors import is_lasting
from airflow_provider_flyte.client.flows.calls import PAGE_SIZE, Call, Flow, chunks
from airflow_provider_flyte.client.flows.named_runs import NameFilterRefused, read_run
from airflow_provider_flyte.client.flows.runs_by_creation import Listing, Page, RunRow, ended_rows, row_of
from airflow_provider_flyte.client.outside import LONGEST_NAME, one_line
from airflow_provider_flyte.client.phase import is_successful, is_terminal
from airflow_provider_flyte.client.run_key import ProjectDomain
from airflow_provider_flyte.client.verdict import Outcome, WaitRules
from airflow_provider_flyte.client.watch.feed_state import FeedState
from airflow_provider_flyte.client.watch.results import WaitResults
from airflow_provider_flyte.client.watch.watcher import RunWatcher

T = TypeVar("T")

FULL_LIST_EVERY = 30.0
"""Minimum seconds from the end of one full list to the beginning of the next."""

_SHARE = 0.05
"""Most of the time that full lists may take."""

_NEAR = 10_000_000
"""Microseconds by which the other lists go back before the newest run."""

_READ_EVERY = 0.25
"""Minimum seconds between two times of reading runs that are over. The first is read at once; with a call for each few
of many, two feeds would use up the watcher's budget of calls at 100 ends a second."""

_DETAILS_AT_ONCE = 10
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 5.0
_NOTIFIED_AFTER = 2
"""Calls in a row without an answer after which that is reported: one that fails between others is no outage."""

_RULES = WaitRules(unreachable_after=None)


@dataclass(frozen=True, slots=True)
class EndedRun:
    """A run that is over."""

    row: RunRow
    labels: Mapping[str, str] | None
    """None where nobody asked for them."""

    @property
    def name(self) -> str:
        """Its name."""
        return self.row.name


class _NoAnswerError(Exception):
    """A call had no answer, and was reported where that was due."""


class RunFeed:
    """The ends of the runs of a task, or of all tasks of a project.

    Use ``async for run in feed.ends()``, and ``state.settle(run.name)`` for each run whose end has been kept: until
    then it stays open in the state, and whoever goes on from that is told of it again.

    :param watcher: waits for the ends, and asks whatever else is to be asked.
    :param where: the project and domain.
    :param task_name: the task; '' for the runs of all tasks.
    :param state: what is known of the runs. It is changed.
    :param outcomes: which ends are told: ``Outcome.SUCCEEDED``, ``Outcome.FAILED``, or both.
    :param labels: only runs that have these labels; None: whatever they have, and their labels are not read, which
        takes a call a run.
    :param interval: maximum seconds until a new run is noticed, and an end that no stream sends.
    :param on_trouble: called with a line for a log when trouble begins and ends.
    :param now: microseconds since the epoch.
    """

    def __init__(
        self,
        watcher: RunWatcher,
        where: ProjectDomain,
        task_name: str,
        state: FeedState,
        *,
        outcomes: Collection[Outcome] = (Outcome.SUCCEEDED,),
        labels: Mapping[str, str] | None = None,
        interval: float,
        on_trouble: Callable[[str], None] = lambda line: None,
        now: Callable[[], int] = lambda: time.time_ns() // 1000,
    ) -> None:
        self.state = state
        self._watcher = watcher
        self._where = where
        self._task_name = task_name
        self._outcomes = outcomes
        self._labels = labels
        self._interval = interval
        self._on_trouble = on_trouble
        self._loop = asyncio.get_running_loop()
        self._over: dict[str, None] = {}
        """Runs that are over, and are still to be read."""

        self._read_due = 0.0
        self._again: dict[str, None] = {}
        """Runs that were over and could not be read."""

        self._wake = asyncio.Event()
        self._waits: set[asyncio.Task[None]] = set()
        self._broken: Exception | None = None
        self._lists = _Lists(where, task_name, interval, self._loop.time, now)
        self._failures = 0
        self._failed_at = 0.0
        self._no_answer = False

    async def ends(self) -> AsyncGenerator[EndedRun, None]:
        """Each run that is over, once. It ends only with what breaks it; an outage of Flyte does not."""
        try:
            self._follow([name for name in self.state.open if name not in self.state.told])
            while True:
                if self._broken:
                    raise self._broken
                pause = 0.0
                try:
                    if self._over and self._loop.time() >= self._read_due:
                        async with aclosing(self._read_over()) as runs:
                            async for run in runs:
                                yield run
                    listing = self._lists.next(self.state)
                    if listing is not None:
                        async with aclosing(self._read(listing)) as runs:
                            async for run in runs:
                                yield run
                        continue
                except _NoAnswerError:
                    pause = backoff(self._failures, _FIRST_PAUSE, _LONGEST_PAUSE)
                await self._pause(pause)
        finally:
            for wait in self._waits:
                wait.cancel()

    # -- new runs

    async def _read(self, listing: Listing) -> AsyncGenerator[EndedRun, None]:
        """Read a page of a list: yield what is over, and wait for the others."""
        began = self._loop.time()
        page = await self._ask(lambda client: listing.call(client.config.org))
        took = self._loop.time() - began
        found = self.state.new(page.rows)
        if self._lists.take(listing, page, took):
            self._follow(list(self._again))
            self._again.clear()
            if self._lists.full:
                self.state.listed(self._lists.began_at)
        self._follow([row.name for row in found if not is_terminal(row.phase)])
        over = [row for row in found if is_terminal(row.phase) and self._is_wanted(row.name, row.phase)]
        if self._labels is not None:
            self._over.update(dict.fromkeys(row.name for row in over))
            return
        for row in over:
            yield self._tell(EndedRun(row, None))

    def _follow(self, names: Sequence[str]) -> None:
        if names:
            results = self._watcher.wait_each(
                names,
                project=self._where.project,
                domain=self._where.domain,
                interval=self._interval,
                rules=_RULES,
            )
            wait = asyncio.create_task(self._collect(results))
            self._waits.add(wait)
            wait.add_done_callback(self._waits.discard)

    async def _collect(self, results: WaitResults) -> None:
        try:
            with results:
                async for result in results:
                    if result.outcome is Outcome.MISSING:
                        self.state.forget(result.name)
                    elif result.phase is not None and self._is_wanted(result.name, result.phase):
                        self._over[result.name] = None
                        self._wake.set()
        except Exception as error:
            # Whoever reads the ends has to know: the watcher is gone.
            self._broken = error
            self._wake.set()

    def _is_wanted(self, name: str, phase: int) -> bool:
        """Whether such an end is to be told; where not, it is settled."""
        outcome = Outcome.SUCCEEDED if is_successful(phase) else Outcome.FAILED
        if outcome not in self._outcomes:
            self.state.settle(name)
        return outcome in self._outcomes

    # -- ends

    async def _read_over(self) -> AsyncGenerator[EndedRun, None]:
        """Read the runs that are over, and yield them."""
        self._read_due = self._loop.time() + _READ_EVERY
        for names in chunks(list(self._over), PAGE_SIZE):
            runs = await self._rows(names) if self._labels is None else await self._details(names)
            for name in names:
                del self._over[name]
            # Not over after all, gone, or unreadable: with the next list these are waited for again.
            self._again.update(dict.fromkeys(name for name in names if name not in runs))
            for name, run in runs.items():
                if all((run.labels or {}).get(key) == value for key, value in (self._labels or {}).items()):
                    yield self._tell(run)
                else:
                    self.state.settle(name)

    async def _rows(self, names: Sequence[str]) -> dict[str, EndedRun]:
        try:
            rows = await self._ask(lambda client: ended_rows(self._where, names, client.config.org))
        except NameFilterRefused:
            return await self._details(names)
        return {name: EndedRun(row, None) for name, row in rows.items()}

    async def _details(self, names: Sequence[str]) -> dict[str, EndedRun]:
        """Read each by itself, also past some that cannot be read."""
        found: dict[str, EndedRun] = {}
        for some in chunks(names, _DETAILS_AT_ONCE):
            runs = await asyncio.gather(*map(self._run, some), return_exceptions=True)
            errors = {name: run for name, run in zip(some, runs, strict=True) if isinstance(run, BaseException)}
            if len(errors) == len(some):
                raise next(iter(errors.values()))
            for name, error in errors.items():
                self._on_trouble(f"Flyte run {name} is over, and told of once it can be read: {error}")
            found.update({run.name: run for run in runs if isinstance(run, EndedRun)})
        return found

    async def _run(self, name: str) -> EndedRun | None:
        key = self._where.run(name)
        details = await self._ask(lambda client: read_run(key, client.config.org))
        if details is None or not is_terminal(details.action.status.phase):
            return None
        given = details.run_spec.labels.values
        labels = {one_line(name, LONGEST_NAME): one_line(given[name], LONGEST_NAME) for name in sorted(given)}
        return EndedRun(row_of(details.action), None if self._labels is None else labels)

    def _tell(self, run: EndedRun) -> EndedRun:
        self.state.told.add(run.name)
        return run

    # -- calls

    async def _ask(self, make: Callable[[FlyteClient], Call[T] | Flow[T]]) -> T:
        """Make a call, and report where it is the first without an answer, or with one again.

        :raises _NoAnswerError: where it had none.
        """
        try:
            answer = await self._watcher.asking.ask(make)
        except NameFilterRefused:
            raise
        except Exception as error:
            if not self._failures:
                self._failed_at = self._loop.time()
            self._failures += 1
            if not self._no_answer and (is_lasting(error) or self._failures >= _NOTIFIED_AFTER):
                self._no_answer = True
                self._on_trouble(f"No answer from Flyte, still watching: {error}")
            raise _NoAnswerError(str(error)) from error
        if self._no_answer:
            self._no_answer = False
            self._on_trouble(f"Flyte answers again after {self._loop.time() - self._failed_at:.0f} s.")
        self._failures = 0
        return answer

    async def _pause(self, seconds: float) -> None:
        """Wait for so long, or until there is something to do."""
        if seconds:
            await asyncio.sleep(seconds)
            return
        due_in = self._lists.due_in
        if self._over:
            due_in = min(due_in, max(0.0, self._read_due - self._loop.time()))
        waking = asyncio.ensure_future(self._wake.wait())
        try:
            await asyncio.wait({waking}, timeout=due_in)
        finally:
            waking.cancel()
        self._wake.clear()


class _Lists:
    """Which list comes next, and when.

    :param clock: seconds that only grow.
    :param now: microseconds since the epoch.
    """

    def __init__(
        self,
        where: ProjectDomain,
        task_name: str,
        interval: float,
        clock: Callable[[], float],
        now: Callable[[], int],
    ) -> None:
        self._where = where
        self._task_name = task_name
        self._interval = interval
        self._clock = clock
        self._now = now
        self._left: deque[Listing] = deque()
        self.full = False
        """Whether this is a full list, of all that may be new and all that are not over."""

        self.began_at = 0
        """When this list was begun, in microseconds since the epoch."""

        self._took = 0.0
        self._full_due = self._due = clock()
        self._newest = 0
        """When the newest run that was listed was created."""

    @property
    def due_in(self) -> float:
        """Seconds until the next list."""
        return max(0.0, min(self._due, self._full_due) - self._clock())

    def next(self, state: FeedState) -> Listing | None:
        """The next page to be asked for, None for none yet."""
        now = self._clock()
        if not self._left and now >= min(self._due, self._full_due):
            self._took, self.began_at, self.full = 0.0, self._now(), now >= self._full_due
            if self.full:
                self._left.append(self._listing(state.since))
                self._left.append(self._listing(0, not_over=True))
            else:
                # By the newest run and not by this clock, which may be ahead of Flyte's.
                newest = min(self._newest, self.began_at)
                self._left.append(self._listing(max(state.since, newest - _NEAR)))
        return self._left[0] if self._left else None

    def _listing(self, since: int, *, not_over: bool = False) -> Listing:
        return Listing(self._where, self._task_name, since, not_over)

    def take(self, listing: Listing, page: Page, took: float) -> bool:
        """Take a page; returns whether it was the last one.

        :param took: seconds until it was here.
        """
        self._left.popleft()
        if page.following is not None:
            self._left.appendleft(page.following)
        if not listing.not_over:
            self._newest = max(self._newest, page.last)
        self._took += took
        if self._left:
            return False
        now = self._clock()
        self._due = now + self._interval
        if self.full:
            self._full_due = now + max(FULL_LIST_EVERY, self._took / _SHARE)
        return True
