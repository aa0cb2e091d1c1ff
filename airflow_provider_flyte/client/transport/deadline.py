"""The time that a call has left. Libraries bound each read by itself, and a server may send a byte a second."""

from __future__ import annotations

import time


class Deadline(float):
    """Seconds from now on, for a whole call; a timeout that httpx and httpcore hand on as they were given it."""

    def __new__(cls, seconds: float) -> Deadline:
        deadline = super().__new__(cls, seconds)
        deadline._until = time.monotonic() + seconds
        return deadline

    _until: float

    def left(self) -> float:
        """Seconds that are left.

        :raises TimeoutError: where none are.
        """
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError("the time is over")
        return left


def left(timeout: float | None) -> float | None:
    """What is left of a timeout now, for one step of a call; raises TimeoutError where nothing is."""
    return timeout.left() if isinstance(timeout, Deadline) else timeout


def for_httpx(timeout: float, read: float | None) -> dict[str, float | None]:
    """Httpx's four timeouts.

    :param timeout: for all but reading.
    :param read: for reading; None for as long as it takes.
    """
    return {"connect": timeout, "pool": timeout, "write": timeout, "read": read}
