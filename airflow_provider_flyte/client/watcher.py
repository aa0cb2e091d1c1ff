"""RunWatcher: many waits, one question, one stream.

Everything that is waited for over one client is asked for together: one terminal-only ListRuns for at most 2,000 names
an interval is the truth. What no answer has shown yet, or not for ten minutes, is asked for without the phase filter,
which tells a run that does not exist from one that goes on. A WatchRuns stream a project is the hint that ends a wait
at once. A wait costs a dictionary entry and a future.
"""

from __future__ import annotations

import asyncio
import contextvars
import itertools
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from airflow_provider_flyte.client.arguments import positive, seconds
from airflow_provider_flyte.client.calls import chunks
from airflow_provider_flyte.client.client import FlyteClient
from airflow_provider_flyte.client.deadlines import Deadlines
from airflow_provider_flyte.client.hints import Hints
from airflow_provider_flyte.client.pace import Pace
from airflow_provider_flyte.client.phase import is_known, is_terminal, phase_name
from airflow_provider_flyte.client.questions import NAMES_A_CALL, Answer, Questions
from airflow_provider_flyte.client.run_key import Place, RunKey
from airflow_provider_flyte.client.wait_results import WaitResult, WaitResults
from airflow_provider_flyte.client.waiting import Seen, Trouble, WaitRules, WaitState
from airflow_provider_flyte.client.waits import PlaceWaits, Wait

log = logging.getLogger(__name__)

PROGRESS_EVERY = 60.0
"""Seconds between two lines of progress in one wait's log."""

_A_SLICE = 20
"""How many waits are told something before the loop has a turn: each may write a line to a log."""

_UNTOLD = 0.1
"""What a run costs whose waits are told nothing, as a part of one whose wait is."""

_HINT_MAY_TAKE = 1.0
"""Seconds by which a question may be quicker than the hint of the same end."""

_RENEW_AFTER_TROUBLE = 30.0


@dataclass(frozen=True)
class WatcherStatus:
    """How the waiting goes: counts since the watcher was made."""

    waits: int
    """Open now."""

    calls: int
    streams: int
    """How many were opened."""

    hints_work: bool
    """Whether every place with waits has a stream that seems to work."""

    ends_by_hint: int
    ends_by_question: int
    answered_ago: float | None
    """Seconds since Flyte answered; None: not yet."""

    def __str__(self) -> str:
        ago = "has not answered yet" if self.answered_ago is None else f"last answered {self.answered_ago:.0f} s ago"
        stream = "sends updates by stream" if self.hints_work else "is polled, because there is no stream of updates"
        return f"Still waiting ({self.waits} waits share this connection to Flyte). Flyte {ago} and {stream}."


class RunWatcher:
    """Waits for any number of runs over one client; use it as ``async with RunWatcher(client) as watcher``.

    :param client: the client to ask with; it is not closed.
    :param interval: most seconds between two questions when all is quiet. A wait may ask for less.
    :param rules: how long a wait puts up with a missing run and with trouble; a wait may bring its own.
    :param shortest_interval: seconds between two questions while there is something to find.
    :param calls_per_second: never more calls than this on average, even if it takes longer than ``interval``.
    :param hints: whether to have Flyte tell of ends by itself (WatchRuns), which ends a wait at once.
    :param renew: asked for another client when calls are refused, or fail for half a minute; None: there is none.
    :param clock: seconds that only grow.
    :param sleep: how the watcher waits between two questions.
    """

    def __init__(
        self,
        client: FlyteClient,
        *,
        interval: float = 5.0,
        rules: WaitRules | None = None,
        shortest_interval: float = 0.5,
        calls_per_second: float = 20.0,
        hints: bool = True,
        renew: Callable[[], Awaitable[FlyteClient | None]] | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._client = client
        self._rules = rules or WaitRules()
        self._clock = clock
        self._sleep = sleep
        self._pace = Pace(
            seconds("shortest_interval", shortest_interval, above_least=True),
            seconds("interval", interval, above_least=True),
            positive("calls_per_second", calls_per_second),
        )
        self._questions = Questions(lambda: self._client, clock)
        self._hints = Hints(lambda: self._client, self._heard, clock, sleep) if hints else None
        self._renew = renew
        self._renewing = asyncio.Lock()
        self._renewed_at = self._answered_at = clock()
        self._places: dict[Place, PlaceWaits] = {}
        self._intervals: Counter[float] = Counter()
        """Of the open waits: the least of them counts."""

        self._open: dict[WaitResults, None] = {}
        """Who waits, the longest untold of progress first."""

        self._closing = self._close
        """Bound once, not for each."""

        self._deadlines = Deadlines(self._open.keys())

        self._owed: dict[RunKey, float] = {}
        """Ends that a question found and no hint has told of yet, and since when."""

        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._said: set[int] = set()
        self._answered = False
        self._free_at = 0.0
        """When the budget allows for more calls."""

        self._ends_by_hint = self._ends_by_question = 0

    async def __aenter__(self) -> RunWatcher:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    def __len__(self) -> int:
        return sum(map(len, self._places.values()))

    @property
    def status(self) -> WatcherStatus:
        """How the waiting goes."""
        return WatcherStatus(
            waits=len(self),
            calls=self._questions.calls,
            streams=self._hints.opened if self._hints else 0,
            hints_work=self._hints is not None and all(map(self._hints.working, self._places)),
            ends_by_hint=self._ends_by_hint,
            ends_by_question=self._ends_by_question,
            answered_ago=self._clock() - self._answered_at if self._answered else None,
        )

    def close(self) -> None:
        """End the background tasks, and waits that are still open as cancelled; more than once does no harm."""
        if self._task is not None:
            self._task.cancel()
            self._task = None
        self._stop(asyncio.CancelledError())

    async def aclose(self) -> None:
        """The same, and wait for the background tasks: nobody closes the client or the loop under them then."""
        ending = [each for each in (self._task, *(self._hints.tasks if self._hints else ())) if each]
        self.close()
        await asyncio.gather(*ending, return_exceptions=True)

    async def wait(
        self,
        name: str,
        *,
        project: str | None = None,
        domain: str | None = None,
        interval: float | None = None,
        rules: WaitRules | None = None,
        on_news: Callable[[str], None] | None = None,
        on_progress: Callable[[str], None] | None = None,
    ) -> WaitResult:
        """Wait until the run is over, missing or unreachable; which one it is stands in the result's ``outcome``.

        :param name: the run's name; it need not exist yet.
        :param project: by default the config's.
        :param domain: by default the config's.
        :param interval: most seconds until an end is noticed where no hint tells of it; by default the watcher's.
        :param rules: by default the watcher's rules.
        :param on_news: called in the caller's own context with a line for its log when trouble begins and ends.
        :param on_progress: the same, once a minute at most, with how the waiting goes.
        :raises ConfigError: for a name that no run can have, or without project or domain.
        """
        with self.wait_each(
            [name],
            project=project,
            domain=domain,
            interval=interval,
            rules=rules,
            on_news=on_news,
            on_progress=on_progress,
        ) as results:
            return await anext(results)

    def wait_each(
        self,
        names: Iterable[str],
        *,
        project: str | None = None,
        domain: str | None = None,
        interval: float | None = None,
        rules: WaitRules | None = None,
        timeout: float | None = None,
        on_news: Callable[[str], None] | None = None,
        on_progress: Callable[[str], None] | None = None,
    ) -> WaitResults:
        """Wait for several runs, and give each result as soon as it is there; the arguments are those of :meth:`wait`.

        ``with watcher.wait_each(names) as results``, then ``async for result in results``: the end of the block is the
        end of the waits that are left. Each line is told once, however many of the runs it concerns.

        :param names: the runs' names, each once.
        :param timeout: seconds after which the iteration ends, whatever is left; None: never.
        """
        keys = [self._client.config.key(name, project, domain) for name in names]
        loop, now = asyncio.get_running_loop(), self._clock()
        results = WaitResults(
            rules=rules or self._rules,
            interval=self._pace.longest if interval is None else seconds("interval", interval, above_least=True),
            on_news=on_news,
            on_progress=on_progress,
            told_at=now,
            close=self._closing,
        )
        state = WaitState(absent_since=now)
        results.take(tuple(Wait(key, state, results) for key in keys))
        for wait in results.waits:
            self._places.setdefault(Place(wait.key.project, wait.key.domain), PlaceWaits()).add(wait)
        self._open[results] = None
        self._intervals[results.interval] += 1
        if timeout is not None:
            results.until = loop.time() + timeout
            self._deadlines.look_after(results)
        self._wake.set()
        if self._task is None or self._task.done():
            # In an empty context: a task's log follows its context, and this task works for all waits.
            self._task = contextvars.Context().run(loop.create_task, self._watch())
        return results

    # -- waits come and go

    def _close(self, results: WaitResults) -> None:
        if results not in self._open:
            return
        del self._open[results]
        self._intervals[results.interval] -= 1
        if not self._intervals[results.interval]:
            del self._intervals[results.interval]
        for wait in results.waits:
            place = Place(wait.key.project, wait.key.domain)
            if waits := self._places.get(place):
                waits.discard(wait)
            self._leave_empty(place)
        if not self._open:
            self._deadlines.close()

    def _leave_empty(self, place: Place) -> None:
        if not self._places.get(place, True):
            del self._places[place]
        if not self._places:
            # Nobody waits, so the background tasks end; the next wait starts others.
            self._wake.set()

    def _stop(self, error: BaseException) -> None:
        for waits in self._places.values():
            waits.end_all(error)
        self._places.clear()
        self._owed.clear()
        if self._hints:
            self._hints.close()

    # -- the background task

    async def _watch(self) -> None:
        me = asyncio.current_task()
        try:
            while self._places:
                if self._hints:
                    self._hints.want(self._places)
                due = self._clock() + await self._ask(only_new=False)
                self._look_after_hints()
                self._tell_progress()
                while self._places and (left := due - self._clock()) > 0:
                    new = any(waits.new for waits in self._places.values())
                    # New waits are asked for at once, as far as the budget of calls allows.
                    pause = self._free_at - self._clock() if new else left
                    if pause > 0:
                        await self._sleep_or_wake(min(pause, left))
                    else:
                        due = min(due, self._clock() + await self._ask(only_new=True))
            if self._hints:
                self._hints.close()
        except Exception as error:
            # A wait must not hang because its watcher broke.
            self._stop(error)
        finally:
            if self._task is me:
                self._task = None

    async def _sleep_or_wake(self, seconds: float) -> None:
        self._wake.clear()
        sleeping, waking = (asyncio.ensure_future(each) for each in (self._sleep(seconds), self._wake.wait()))
        try:
            await asyncio.wait({sleeping, waking}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeping.cancel()
            waking.cancel()

    # -- questions

    async def _ask(self, *, only_new: bool) -> float:
        """One round of questions, in as few calls as it takes; gives the seconds until the next."""
        # One turn of the loop, so that waits that begin together are asked for together.
        await asyncio.sleep(0)
        calls, now = self._questions.calls, self._clock()
        asked: list[Coroutine[Any, Any, None]] = []
        for place, waits in self._places.items():
            if waits.new and not (self._hints and self._hints.working(place)):
                self._pace.hurry()
            new = list(waits.new)
            to_prove, proven = waits.questions(now, only_new=only_new)
            if self._questions.can_list(place):
                asked += [self._list(place, waits, names, False) for names in chunks(to_prove, NAMES_A_CALL)]
                asked += [self._list(place, waits, names, True) for names in chunks(proven, NAMES_A_CALL)]
            elif new or not only_new:
                asked.append(self._look_at_each(place, waits, new if only_new else waits.names(), first=only_new))
        if asked:
            self._pace.failed()
            await asyncio.gather(*asked)
        calls = self._questions.calls - calls
        self._free_at = now + calls / self._pace.calls_per_second
        wanted = min(self._intervals, default=self._pace.longest)
        return self._pace.next(wanted, calls, self._clock() - now)

    async def _list(self, place: Place, waits: PlaceWaits, names: Sequence[str], terminal_only: bool) -> None:
        client = self._client
        answer = await self._questions.list(place, names, terminal_only=terminal_only)
        if await self._another_client(client, answer):
            answer = await self._questions.list(place, names, terminal_only=terminal_only)
        if self._questions.can_list(place):
            await self._saw(place, waits, answer, surprising=terminal_only)
        else:
            await self._look_at_each(place, waits, names)

    async def _look_at_each(
        self, place: Place, waits: PlaceWaits, names: Sequence[str], *, first: bool = False
    ) -> None:
        client, most = self._client, self._pace.calls_in_an_interval()
        answer = await self._questions.look_at_each(place, names, most, first=first)
        if await self._another_client(client, answer):
            answer = await self._questions.look_at_each(place, list(answer.looks), most, first=True)
        await self._saw(place, waits, answer, surprising=False)

    async def _saw(self, place: Place, waits: PlaceWaits, answer: Answer, *, surprising: bool) -> None:
        """Tell the waits what a question showed.

        :param surprising: whether an end in it has come about since the question before.
        """
        now = self._clock()
        if answer.no_news or any(not isinstance(look, Trouble) for look in answer.looks.values()):
            self._pace.answered()
            self._answered, self._answered_at = True, now
        work = 0.0
        for name, look in (*answer.looks.items(), *((name, None) for name in waits.troubled(answer.no_news))):
            if isinstance(look, Seen):
                self._note_phase(place.run(name), look.phase)
                if is_terminal(look.phase) and waits.has(name):
                    self._ends_by_question += 1
                    if surprising:
                        self._owe(place, name, now)
            work += 1 if waits.saw(name, look, now) else _UNTOLD
            if work >= _A_SLICE:
                work = 0.0
                await asyncio.sleep(0)
        self._leave_empty(place)

    def _note_phase(self, key: RunKey, phase: int) -> None:
        if not is_known(phase) and phase not in self._said:
            self._said.add(phase)
            log.warning(
                "Flyte run %s is in %s, which this provider does not know: it counts as not over. A newer provider may "
                "know it.",
                key,
                phase_name(phase),
            )

    async def _another_client(self, client: FlyteClient, answer: Answer) -> bool:
        """Whether there is another client than the one whose question had nothing but trouble."""
        troubles = [look for look in answer.looks.values() if isinstance(look, Trouble)]
        if not self._renew or not troubles or len(troubles) < len(answer.looks):
            return False
        lasting = troubles[0].lasting
        async with self._renewing:
            now = self._clock()
            since = max(self._answered_at, self._renewed_at)
            if self._client is client and (lasting or now - since >= _RENEW_AFTER_TROUBLE):
                self._renewed_at = now
                try:
                    fresh = await self._renew()
                except Exception:
                    log.debug("There is no other client", exc_info=True)
                    fresh = None
                if fresh is not None:
                    self._client = fresh
                    if self._hints:
                        self._hints.renew()
            return self._client is not client

    # -- hints

    def _heard(self, key: RunKey, phase: int) -> None:
        self._owed.pop(key, None)
        place = Place(key.project, key.domain)
        waits = self._places.get(place)
        if waits is None or not waits.has(key.name):
            return
        self._note_phase(key, phase)
        self._ends_by_hint += is_terminal(phase)
        waits.saw(key.name, Seen(phase), self._clock())
        self._leave_empty(place)

    def _owe(self, place: Place, name: str, now: float) -> None:
        if self._hints and self._hints.working(place):
            self._owed[place.run(name)] = now
        else:
            self._pace.hurry()

    def _look_after_hints(self) -> None:
        """Renew streams that should have told of an end and have not."""
        if not self._owed or not self._hints:
            return
        now = self._clock()
        late = [key for key, since in self._owed.items() if now - since >= _HINT_MAY_TAKE]
        for key in late:
            del self._owed[key]
        for place, ends in Counter(Place(key.project, key.domain) for key in late).items():
            self._hints.missed(place, ends)
            self._pace.hurry()

    # -- progress

    def _tell_progress(self) -> None:
        now, line = self._clock(), str(self.status)
        for results in list(itertools.islice(self._open, _A_SLICE)):
            if now - results.told_at < PROGRESS_EVERY:
                break
            self._open[results] = self._open.pop(results)
            results.tell_progress(results.trouble(now) or line, now)
