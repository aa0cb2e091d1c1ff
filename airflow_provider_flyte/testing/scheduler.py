"""Functions that run later, in one thread, while the server is open."""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Callable


class Scheduler:
    """Runs functions at their time, one after the other. What is due while it is stopped runs when it starts."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._open = False

    def at(self, when: float, function: Callable[[], None]) -> None:
        """Run this at a time of ``time.monotonic``."""
        with self._changed:
            heapq.heappush(self._due, (when, next(self._order), function))
            self._changed.notify()

    def start(self) -> None:
        """Begin with what is due already."""
        self._open = True
        self._thread = threading.Thread(target=self._loop, name="local-flyte-scheduler", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread; what is not done yet stays."""
        with self._changed:
            self._open = False
            self._changed.notify()
        self._thread.join()

    def _loop(self) -> None:
        while True:
            with self._changed:
                if not self._open:
                    return
                ahead = self._due[0][0] - time.monotonic() if self._due else None
                if ahead is None or ahead > 0:
                    self._changed.wait(ahead)
                    continue
                function = heapq.heappop(self._due)[2]
            function()
