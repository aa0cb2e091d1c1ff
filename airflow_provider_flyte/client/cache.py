"""A cache that outlives a process' clients: bounded, and safe for threads and for forks."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Cache(Generic[K, V]):
    """A cache of values by key; the least recently used one makes room.

    :param most: how many there are at most.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._values: dict[K, V] = {}
        # Another thread may have held the lock during the fork.
        os.register_at_fork(after_in_child=self._after_fork)

    def get(self, key: K, make: Callable[[], V], good: Callable[[V], bool] = lambda value: True) -> V:
        """The value that is kept, or a new one where none is usable."""
        with self._lock:
            value = self._values.pop(key, None)
            if value is None or not good(value):
                value = make()
            while len(self._values) >= self._most:
                del self._values[next(iter(self._values))]
            self._values[key] = value
            return value

    def values(self) -> list[V]:
        return list(self._values.values())

    def clear(self) -> None:
        self._values.clear()

    def _after_fork(self) -> None:
        self._lock = threading.Lock()
