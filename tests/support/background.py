"""Something that is done again and again beside a test, for as long as a ``with`` block lasts."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import TypeVar

_Background = TypeVar("_Background", bound="Background")


class Background:
    """Calls :meth:`look` in a thread.

    :param pause: seconds before each call.
    """

    def __init__(self, pause: float) -> None:
        self._pause = pause
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look_again, daemon=True)

    def __enter__(self: _Background) -> _Background:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def look(self) -> None:
        """Do it once."""
        raise NotImplementedError

    def _look_again(self) -> None:
        while not self._over.wait(self._pause):
            self.look()
