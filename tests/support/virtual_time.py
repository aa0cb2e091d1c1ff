"""An event loop whose time passes only while nothing else is to be done: an hour of waiting takes no time at all."""

from __future__ import annotations

import asyncio
import selectors
from typing import Any

_END = 1e7
"""Seconds after which nothing that a test waits for comes any more."""


class _Selector(selectors.DefaultSelector):
    """One that lets time pass instead of waiting."""

    now = 0.0

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if timeout is None:
            # For a thread, at the end of a loop.
            ready = super().select(1)
            if not ready:
                raise RuntimeError("What the test waits for never comes.")
            return ready
        self.now += timeout
        if self.now > _END:
            raise RuntimeError("What the test waits for does not come in months.")
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop of which each sleep is over at once, and has taken as long as it says."""

    def __init__(self) -> None:
        self._virtual = _Selector()
        super().__init__(self._virtual)

    def time(self) -> float:
        return self._virtual.now


async def until(at: float) -> None:
    """Let time pass, and all be done that is due until then."""
    await asyncio.sleep(max(0.0, at - asyncio.get_running_loop().time()))
    for _ in range(50):
        await asyncio.sleep(0)
