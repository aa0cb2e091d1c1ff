"""The deadlines of all who wait, with one timer.

Timers of their own would stay in the loop until their time comes, even when they are cancelled.
"""

from __future__ import annotations

import asyncio
import contextvars
import heapq
import itertools
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_provider_flyte.client.watch.results import WaitResults

_APART = 0.05
"""Minimum seconds between two calls of the timer."""


@dataclass(order=True, slots=True)
class Entry:
    """The deadline of one caller who waits."""

    until: float
    order: int
    results: WaitResults | None = field(compare=False)


class Deadlines:
    """Ends the waits whose time is over: the next deadline is at the top of a heap."""

    def __init__(self) -> None:
        self._heap: list[Entry] = []
        self._order = itertools.count()
        self._stale = 0
        """How many entries of the heap wait no more."""

        self._timer: asyncio.TimerHandle | None = None

    def add(self, results: WaitResults, until: float) -> None:
        """Add the deadline of these results.

        :param until: by the loop's clock.
        """
        results.deadline = Entry(until, next(self._order), results)
        heapq.heappush(self._heap, results.deadline)
        if until < (self._timer.when() if self._timer else math.inf):
            self._set(until)

    def leave(self, results: WaitResults) -> None:
        """Remove the deadline of these results. The entry stays until half of the heap is such."""
        entry, results.deadline = results.deadline, None
        if entry is None:
            return
        entry.results = None
        self._stale += 1
        if self._stale * 2 > len(self._heap):
            self._heap = [entry for entry in self._heap if entry.results]
            heapq.heapify(self._heap)
            self._stale = 0
            if not self._heap:
                self._stop()

    def _set(self, when: float) -> None:
        self._stop()
        # In an empty context, so that it does not keep the first caller alive.
        empty = contextvars.Context()
        self._timer = asyncio.get_running_loop().call_at(when, self._expire, context=empty)

    def _expire(self) -> None:
        self._timer, now = None, asyncio.get_running_loop().time()
        while self._heap and (self._heap[0].results is None or self._heap[0].until <= now):
            results = heapq.heappop(self._heap).results
            if results is None:
                self._stale -= 1
            else:
                results.deadline = None
                results.expire()
        if self._heap:
            self._set(max(self._heap[0].until, now + _APART))

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
