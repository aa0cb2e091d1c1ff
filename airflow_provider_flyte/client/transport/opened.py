"""Transports that are made when they are first used, and closed together."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from airflow_provider_flyte.client.errors import ClosedError, Status

Opened = TypeVar("Opened")


class OpenedTransports(Generic[Opened]):
    """Those of one client or loop. Calls in other threads may go on while it is closed: they leave none open."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._opened: dict[Hashable, Opened] = {}
        self._closed = False

    def __len__(self) -> int:
        return len(self._opened)

    def __contains__(self, key: Hashable) -> bool:
        return key in self._opened

    def __getitem__(self, key: Hashable) -> Opened:
        return self._opened[key]

    def get(
        self, key: Hashable, make: Callable[[], Opened], *, endpoint: str, method: str = "", run: str | None = None
    ) -> Opened:
        """The transport with this key. Once they are closed an earlier one, whose calls say so, and no new one.

        :param make: makes it, without connecting.
        :param endpoint: for the error.
        :param method: for the error.
        :param run: for the error.
        :raises ClosedError: where it would be a new one.
        """
        with self._lock:
            if key not in self._opened:
                if self._closed:
                    details = "the client was closed"
                    raise ClosedError(Status.CANCELLED, details, method=method, endpoint=endpoint, run=run)
                self._opened[key] = make()
            return self._opened[key]

    def to_close(self) -> list[Opened]:
        """Make no more of them; the caller closes these."""
        with self._lock:
            self._closed = True
            return list(self._opened.values())
