"""Things to do later, in one thread that lives while the server is open."""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable

log = logging.getLogger(__name__)


class Scheduler:
    """Runs functions at their time, one after the other. What is due while it is stopped runs when it starts."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._thread: threading.Thread | None = None
        self._open = False

    def at(self, when: float, function: Callable[[], None]) -> None:
        """Run this at a time of ``time.monotonic``."""
        with self._changed:
            heapq.heappush(self._due, (when, next(self._order), function))
            self._changed.notify_all()
            if self._open and self._thread is None:
                self._begin()

    def start(self) -> None:
        """Catch up, then go on in a thread."""
        while (function := self._take(time.monotonic())) is not None:
            _run(function)
        with self._changed:
            self._open = True
            if self._due and self._thread is None:
                self._begin()

    def stop(self) -> None:
        """End the thread; what is not done yet stays."""
        with self._changed:
            self._open = False
            thread, self._thread = self._thread, None
            self._changed.notify_all()
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    def _begin(self) -> None:
        self._thread = threading.Thread(target=self._loop, name="local-flyte-scheduler", daemon=True)
        self._thread.start()

    def _take(self, now: float) -> Callable[[], None] | None:
        with self._changed:
            if self._due and self._due[0][0] <= now:
                return heapq.heappop(self._due)[2]
            return None

    def _loop(self) -> None:
        while True:
            with self._changed:
                if not self._open:
                    return
                now = time.monotonic()
                if not self._due or self._due[0][0] > now:
                    self._changed.wait(self._due[0][0] - now if self._due else None)
                    continue
            function = self._take(now)
            if function is not None:
                _run(function)


def _run(function: Callable[[], None]) -> None:
    try:
        function()
    except Exception:
        log.exception("a step of a run's script failed")
