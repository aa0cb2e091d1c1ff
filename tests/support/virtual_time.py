"""An event loop whose time passes only while there is nothing else to do: an hour of waiting takes no time at all."""

from __future__ import annotations

import asyncio
import selectors
from typing import Any

_A_THREADS = 10.0
"""The longest that a thread may take, in seconds of real time."""

_END = 1e7
"""The end of virtual time, in seconds: no test waits so long."""


class _Selector(selectors.DefaultSelector):
    """A selector that advances the time instead of waiting; only for threads it waits."""

    now = 0.0
    threads = 0
    """How many threads work for the loop."""

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        while self.threads and timeout != 0 and not ready:
            ready = super().select(_A_THREADS)
        if ready or timeout == 0:
            return ready
        if timeout is None:
            # When a loop ends, another thread joins its last ones.
            ready = super().select(_A_THREADS)
            if not ready:
                raise RuntimeError("What the test waits for never comes.")
            return ready
        self.now += timeout
        if self.now > _END:
            raise RuntimeError("What the test waits for does not come in months.")
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop in which each sleep returns at once, after its full time on the loop's clock."""

    def __init__(self) -> None:
        self._virtual = _Selector()
        super().__init__(self._virtual)

    def time(self) -> float:
        return self._virtual.now

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:  # type: ignore[override]
        self._virtual.threads += 1
        done = super().run_in_executor(executor, func, *args)
        done.add_done_callback(self._thread_is_done)
        return done

    def _thread_is_done(self, done: Any) -> None:
        self._virtual.threads -= 1


async def until(at: float) -> None:
    """Advance the time, and do everything that is due until then."""
    await asyncio.sleep(max(0.0, at - asyncio.get_running_loop().time()))
    for _ in range(50):
        await asyncio.sleep(0)
