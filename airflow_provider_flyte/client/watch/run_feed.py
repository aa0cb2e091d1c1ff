"""RunFeed: the end of each run of a task, as soon as it is known, followed from its birth.

New runs are found by their creation (:mod:`~airflow_provider_flyte.client.watch.run_lists`). Their ends are waited for
by the :class:`~airflow_provider_flyte.client.watch.watcher.RunWatcher`, whose stream and polls serve all who wait.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import AsyncGenerator, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import TypeVar

from airflow_provider_flyte.client.backoff import backoff
from airflow_provider_flyte.client.client import FlyteClient
from airflow_provider_flyte.client.errors import is_lasting
from airflow_provider_flyte.client.flows.calls import PAGE_SIZE, Flow, chunks
from airflow_provider_flyte.client.flows.listed_runs import ended_rows
from airflow_provider_flyte.client.flows.named_runs import NameFilterRefused
from airflow_provider_flyte.client.flows.runs_by_creation import RunRow, has_labels
from airflow_provider_flyte.client.moments import now
from airflow_provider_flyte.client.phase import is_successful, is_terminal
from airflow_provider_flyte.client.run_key import ProjectDomain
from airflow_provider_flyte.client.verdict import NOTIFIED_AFTER, Outcome, WaitRules
from airflow_provider_flyte.client.watch.feed_state import FeedState
from airflow_provider_flyte.client.watch.results import WaitResults
from airflow_provider_flyte.client.watch.waking import pause_until
from airflow_provider_flyte.client.watch.watcher import RunWatcher

T = TypeVar("T")

MOST_UNREAD = 1000
"""Runs that are over and that nobody has read, from which on no more are listed until half of them are read."""

_READ_EVERY = 0.25
"""Minimum seconds between two times of reading runs that are over. The first is read at once; with a call for each few
of many, two feeds would use up the watcher's budget of calls at 100 ends a second."""

_DETAILS_AT_ONCE = 10
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 5.0

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
    then it stays open in the state, and it is reported again to whoever goes on from that.

    :param watcher: waits for the ends, and asks whatever else is to be asked.
    :param where: the project and domain.
    :param task_name: the task; '' for the runs of all tasks.
    :param state: what is known of the runs. It is changed.
    :param outcomes: which ends are reported: ``Outcome.SUCCEEDED``, ``Outcome.FAILED``, or both.
    :param labels: only runs that have these labels; None: whatever they have, and their labels are not read, which
        takes a call a run where Flyte's lists do not show them.
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
        now: Callable[[], int] = now,
    ) -> None:
        self.state = state
        self.task_name = task_name
        self.interval = interval
        self.now = now
        self.wants_more = asyncio.Event()
        self.wants_more.set()
        self._watcher = watcher
        self._where = where
        self._lists = watcher.asking.run_lists(where)
        self._outcomes = outcomes
        self._labels = labels
        self._trouble = _TroubleOfCalls(on_trouble)
        self._clock = asyncio.get_running_loop().time
        self._over: dict[str, RunRow | None] = {}
        """Runs that are over and are still to be reported, and what a list has shown of them."""

        self._read_due = 0.0
        self._again: dict[str, None] = {}
        """Runs that were over and could not be read."""

        self._lists_show_labels = False
        self._unreadable: dict[str, None] = {}
        """Those whose read had no answer."""

        self._wake = asyncio.Event()
        self._waits: set[asyncio.Task[None]] = set()
        self._broken: Exception | None = None

    async def ends(self) -> AsyncGenerator[EndedRun, None]:
        """Each run that is over, once. It ends only with what breaks it; an outage of Flyte does not."""
        failures = 0
        try:
            self._follow([name for name in self.state.open if name not in self.state.reported])
            self._lists.join(self)
            while True:
                if self._broken:
                    raise self._broken
                self._wake.clear()
                try:
                    async with aclosing(self._report_over()) as runs:
                        async for run in runs:
                            yield run
                except _NoAnswerError:
                    failures += 1
                    await asyncio.sleep(backoff(failures, _FIRST_PAUSE, _LONGEST_PAUSE))
                else:
                    failures = 0
                    await self._pause()
        finally:
            for wait in self._waits:
                wait.cancel()
            await self._lists.leave(self)

    # -- for the lists of new runs

    @property
    def since(self) -> int:
        """From when on all runs are to be listed, in microseconds since the epoch."""
        return self.state.since

    def take(self, rows: Sequence[RunRow]) -> None:
        """Take runs that a list shows: wait for those that are not over, and report the others."""
        self._trouble.answered()
        self._lists_show_labels = self._lists_show_labels or any(row.labels for row in rows)
        found = self.state.new(rows)
        self._follow([row.name for row in found if not is_terminal(row.phase)])
        over = [row for row in found if is_terminal(row.phase) and self._is_wanted(row.name, row.phase)]
        self._are_over({row.name: row for row in over})

    def listed(self, full_at: int | None) -> None:
        """Note that a list has been taken whole.

        :param full_at: when it was begun, if it had all runs since ``since``, and all that are not over.
        """
        again, self._again = list(self._again), {}
        self._follow(again)
        if full_at is not None:
            self.state.listed(full_at)

    def no_answer(self, error: Exception) -> None:
        """Note that a list had none."""
        self._trouble.no_answer(error)

    def broke(self, error: Exception) -> None:
        """End with this: what is over would not be known any more."""
        self._broken = error
        self._wake.set()

    # -- ends

    def _follow(self, names: Sequence[str]) -> None:
        if names:
            results = self._watcher.wait_each(
                names,
                project=self._where.project,
                domain=self._where.domain,
                interval=self.interval,
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
                        self._are_over({result.name: None})
        except Exception as error:
            # Whoever reads the ends has to know: the watcher is gone.
            self.broke(error)

    def _is_wanted(self, name: str, phase: int) -> bool:
        """Whether such an end is to be reported; where not, it is settled."""
        outcome = Outcome.SUCCEEDED if is_successful(phase) else Outcome.FAILED
        if outcome not in self._outcomes:
            self.state.settle(name)
        return outcome in self._outcomes

    def _are_over(self, runs: Mapping[str, RunRow | None]) -> None:
        if runs:
            self._over.update(runs)
            self._wake.set()
        if len(self._over) >= MOST_UNREAD and self.wants_more.is_set():
            self.wants_more.clear()
            if not self._lists_are_enough:
                self._trouble.line(
                    f"{len(self._over)} Flyte runs are over and wait for their labels to be read, which takes a call "
                    "each; they are reported later."
                )

    async def _report_over(self) -> AsyncGenerator[EndedRun, None]:
        """Yield what is over, and read what is not known of it."""
        to_read: Sequence[str] = ()
        if self._clock() >= self._read_due and self._over:
            self._read_due = self._clock() + _READ_EVERY
            to_read = list(self._over)
        for some in ((), *chunks(to_read, PAGE_SIZE if self._lists_are_enough else _DETAILS_AT_ONCE)):
            if names := [name for name in some if name in self._over]:
                async with aclosing(self._read(names)) as runs:
                    async for run in runs:
                        yield run
            # Again each time: to read many takes a while.
            for name, row in list(self._over.items()):
                if row is not None and self._is_enough(row):
                    del self._over[name]
                    if chosen := self._chosen(row):
                        yield chosen
            if len(self._over) < MOST_UNREAD // 2 and not self.wants_more.is_set():
                self.wants_more.set()
                self._lists.wake()

    @property
    def _lists_are_enough(self) -> bool:
        return self._labels is None or self._lists_show_labels

    def _is_enough(self, row: RunRow) -> bool:
        """Whether what a list shows is all that is to be reported. One without labels may be one that shows none."""
        return self._labels is None or bool(row.labels)

    def _chosen(self, row: RunRow) -> EndedRun | None:
        """The run as it is reported; None for one with other labels, which is settled."""
        if not has_labels(row.labels, self._labels or {}):
            self.state.settle(row.name)
            return None
        self.state.reported.add(row.name)
        return EndedRun(row, None if self._labels is None else row.labels)

    async def _read(self, names: Sequence[str]) -> AsyncGenerator[EndedRun, None]:
        """Read runs that are over, and yield them."""
        one_by_one = list(names)
        if self._lists_are_enough:
            one_by_one = [name for name in names if self._over[name] is not None]
            if unknown := [name for name in names if self._over[name] is None]:
                rows = await self._rows(unknown)
                one_by_one += [name for name in unknown if name in self._over and name not in rows]
                self._over.update(rows)
        for some in chunks(one_by_one, _DETAILS_AT_ONCE):
            for row in await self._read_each(some):
                if run := self._chosen(row):
                    yield run

    async def _rows(self, names: Sequence[str]) -> dict[str, RunRow]:
        """List runs that are over; without those that have to be read by themselves."""
        try:
            rows = await self._asked(lambda client: ended_rows(self._where, names, client.config.org))
        except NameFilterRefused:
            return {}
        # Not over after all, or gone: with the next list these are waited for again.
        self._again_with_the_next_list(name for name in names if name not in rows)
        return {name: row for name, row in rows.items() if self._is_enough(row)}

    async def _read_each(self, names: Sequence[str]) -> list[RunRow]:
        """Read each by itself, also past some that cannot be read.

        :raises _NoAnswerError: where none can be.
        """
        keys = map(self._where.run, names)
        found = await asyncio.gather(*map(self._watcher.asking.ended_runs.read, keys), return_exceptions=True)
        errors = {name: each for name, each in zip(names, found, strict=True) if isinstance(each, BaseException)}
        is_outage = len(errors) == len(names)
        for name, error in errors.items():
            # Whether there is an outage is known by the next list.
            if not is_outage or name in self._unreadable:
                self._trouble.line(f"Flyte run {name} is over, and reported once it can be read: {error}")
        self._unreadable.update(dict.fromkeys(errors))
        self._again_with_the_next_list(
            name for name, each in zip(names, found, strict=True) if not isinstance(each, RunRow)
        )
        rows = [each for each in found if isinstance(each, RunRow)]
        for row in rows:
            del self._over[row.name]
            self._unreadable.pop(row.name, None)
        if is_outage:
            raise _NoAnswerError(str(next(iter(errors.values()))))
        return rows

    def _again_with_the_next_list(self, names: Iterable[str]) -> None:
        for name in names:
            del self._over[name]
            self._again[name] = None

    async def _asked(self, make: Callable[[FlyteClient], Flow[T]]) -> T:
        """Make a call.

        :raises _NoAnswerError: where it has no answer.
        """
        try:
            answer = await self._watcher.asking.ask(make)
        except NameFilterRefused:
            raise
        except Exception as error:
            self._trouble.no_answer(error)
            raise _NoAnswerError(str(error)) from error
        self._trouble.answered()
        return answer

    async def _pause(self) -> None:
        """Wait until there is something to do."""
        await pause_until(self._wake, self._read_due - self._clock() if self._over else None)


class _TroubleOfCalls:
    """What is said of calls without an answer: when that begins, and when it is over.

    :param on_trouble: called with each line, in the context of whoever made this.
    """

    def __init__(self, on_trouble: Callable[[str], None]) -> None:
        self._on_trouble = on_trouble
        self._context = contextvars.copy_context()
        self._clock = asyncio.get_running_loop().time
        self._failures = 0
        self._failed_at = 0.0
        self._noted = False

    def line(self, line: str) -> None:
        """Give a line."""
        self._context.run(self._on_trouble, line)

    def no_answer(self, error: Exception) -> None:
        """Note that a call had none."""
        if not self._failures:
            self._failed_at = self._clock()
        self._failures += 1
        if not self._noted and (is_lasting(error) or self._failures >= NOTIFIED_AFTER):
            self._noted = True
            self.line(f"No answer from Flyte, still watching: {error}")

    def answered(self) -> None:
        """Note that a call had one."""
        if self._noted:
            self._noted = False
            self.line(f"Flyte answers again after {self._clock() - self._failed_at:.0f} s.")
        self._failures = 0
