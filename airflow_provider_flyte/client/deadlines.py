"""The deadlines of all who wait, with one timer.

Timers of their own would stay in the loop until their time comes, even when they are cancelled.
"""

from __future__ import annotations

import asyncio
import contextvars
import math
from collections.abc import Collection

from airflow_provider_flyte.client.wait_results import WaitResults

_APART = 0.05
"""Least seconds between two looks at all who wait: 100,000 take 11 ms."""


class Deadlines:
    """Wakes those whose time is over.

    :param waiting: all who wait at the moment.
    """

    def __init__(self, waiting: Collection[WaitResults]) -> None:
        self._waiting = waiting
        self._timer: asyncio.TimerHandle | None = None

    def look_after(self, results: WaitResults) -> None:
        """See that these end in time."""
        if results.until < (self._timer.when() if self._timer else math.inf):
            self._set(results.until)

    def _set(self, when: float) -> None:
        self.close()
        # In an empty context, so that the one who came first does not stay alive in it.
        empty = contextvars.Context()
        self._timer = asyncio.get_running_loop().call_at(when, self._wake_late_ones, context=empty)

    def _wake_late_ones(self) -> None:
        self._timer, next_one, now = None, math.inf, asyncio.get_running_loop().time()
        for results in self._waiting:
            if results.until > now:
                next_one = min(next_one, results.until)
            else:
                results.wake()
        if next_one < math.inf:
            self._set(max(next_one, now + _APART))

    def close(self) -> None:
        """Nobody waits any more; who comes later starts the timer again."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
