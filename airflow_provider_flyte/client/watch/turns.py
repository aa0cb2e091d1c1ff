"""Work that concerns many waits, done a slice in each turn of the loop, which others use too."""

from __future__ import annotations

import asyncio
import contextvars
from collections import deque
from collections.abc import Callable, Iterator

_A_SLICE = 20.0
"""How many waits are notified in one turn: each may write a line to a log."""

_NOT_NOTIFIED = 0.05
"""What a wait costs that is not notified, as a part of one that is."""


class Turns:
    """A queue of work, done in the order in which it came.

    :param after: called after each slice.
    :param broke: called with what a piece of work raised; the rest is done all the same.
    """

    def __init__(self, after: Callable[[], None], broke: Callable[[Exception], None]) -> None:
        self._after = after
        self._broke = broke
        self._work: deque[Iterator[bool]] = deque()
        self._next: asyncio.Handle | None = None

    def do(self, work: Iterator[bool]) -> None:
        """Do this once everything before it is done; a first slice at once, if nothing is."""
        self._work.append(work)
        if self._next is None:
            self._slice()

    def _slice(self) -> None:
        self._next = None
        spent = 0.0
        while self._work and spent < _A_SLICE:
            try:
                spent += 1.0 if next(self._work[0]) else _NOT_NOTIFIED
            except StopIteration:
                self._work.popleft()
                spent += _NOT_NOTIFIED
            except Exception as error:
                self._work.popleft()
                self._broke(error)
        if self._work:
            # In an empty context: a log line follows its context, and this works for all waits.
            self._next = asyncio.get_running_loop().call_soon(self._slice, context=contextvars.Context())
        self._after()

    def close(self) -> None:
        """Do nothing more."""
        self._work.clear()
        if self._next is not None:
            self._next.cancel()
            self._next = None
