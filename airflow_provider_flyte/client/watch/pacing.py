"""The pace of polls, and the budget of calls. No network."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Awaitable, Callable
from types import TracebackType

from airflow_provider_flyte.client.backoff import backoff

POLL_INTERVAL = 5.0
MIN_POLL_INTERVAL = 0.5
MAX_CALLS_PER_SECOND = 60.0
"""A watcher's, where nothing else is set."""

SLOWER = 1.5
"""The factor by which a round without news lengthens the interval."""

_LONGEST_PAUSE_IN_TROUBLE = 2.0

CALLS_AT_ONCE = 10

_AT_FULL_LOAD = 6.0
"""How many times longer the interval of a project is whose stream works, while calls have to wait for each other."""


class Pace:
    """The interval between two rounds of polls of one project and domain.

    :param shortest: seconds; where rounds begin again when something is to be found.
    :param longest: seconds; where they arrive when all is quiet.
    :param spread: a number between two bounds; processes that wait for the same Flyte must not poll in step.
    """

    def __init__(
        self, shortest: float, longest: float, spread: Callable[[float, float], float] = random.uniform
    ) -> None:
        self.shortest = min(shortest, longest)
        self.longest = longest
        self._spread = spread
        self._interval = self.shortest
        self._rounds_in_trouble = 0
        self.last = self.shortest
        """The last interval that it gave."""

    def hurry(self) -> None:
        """Start again with the shortest interval: a wait is young, or a poll found an end that no stream had sent."""
        self._interval = self.shortest

    def answered(self) -> None:
        """Note that Flyte answered: trouble is over."""
        self._rounds_in_trouble = 0

    def failed(self) -> None:
        """Note that a whole round had no answer."""
        self._rounds_in_trouble += 1

    @property
    def in_trouble(self) -> bool:
        """Whether the last round had no answer."""
        return self._rounds_in_trouble > 0

    def next(self, wanted: float, took: float = 0.0, *, seldom: bool = False) -> float:
        """Seconds from the beginning of this round to that of the next.

        :param wanted: the least that a wait asks for.
        :param took: seconds until the answers were here; the next ones are to be here within the interval.
        :param seldom: there are more calls to make than may be made, and the stream sends these ends.
        """
        interval = min(self._interval, self.longest, wanted)
        if seldom:
            interval *= _AT_FULL_LOAD
        # A slow backend is left alone for as long as its answer took.
        interval = max(self.shortest, interval - took, took + min(took, self.longest))
        self._interval = min(self.longest, self._interval * SLOWER)
        if self._rounds_in_trouble:
            # Sooner than the interval, so that the end of an outage is noticed.
            pause = backoff(self._rounds_in_trouble, self.shortest, _LONGEST_PAUSE_IN_TROUBLE, self._spread)
            interval = min(interval, pause)
        self.last = interval
        return interval


class Budget:
    """The budget of calls: so many a second on average, and ten at once. First come, first served.

    Use it as ``async with budget`` around a call.

    :param max_calls_per_second: maximum on average.
    :param clock: seconds that only grow.
    :param sleep: how a call waits for its turn.
    """

    def __init__(
        self, max_calls_per_second: float, clock: Callable[[], float], sleep: Callable[[float], Awaitable[None]]
    ) -> None:
        self.max_calls_per_second = max_calls_per_second
        self._clock = clock
        self._sleep = sleep
        self._at_once = asyncio.Semaphore(CALLS_AT_ONCE)
        self._turn = asyncio.Lock()
        self._free_at = -math.inf
        self._waiting = 0

    @property
    def is_short(self) -> bool:
        """Whether more than a second's calls wait for their turn."""
        return self._waiting > self.max_calls_per_second

    def calls_within(self, seconds: float) -> int:
        """How many more calls there may be in this time, beside those that wait for their turn: at least one.

        A project that reads runs one by one must not put off the polls of all others.
        """
        return max(1, int(self.max_calls_per_second * seconds) - self._waiting)

    async def __aenter__(self) -> None:
        self._waiting += 1
        try:
            await self._at_once.acquire()
            try:
                async with self._turn:
                    if (ahead := self._free_at - self._clock()) > 0:
                        await self._sleep(ahead)
                    # Calls that come together need not wait for each other, as long as the average holds.
                    earliest = self._clock() - CALLS_AT_ONCE / self.max_calls_per_second
                    self._free_at = max(self._free_at, earliest) + 1 / self.max_calls_per_second
            except BaseException:
                self._at_once.release()
                raise
        finally:
            self._waiting -= 1

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._at_once.release()
