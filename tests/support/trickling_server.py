"""A server that sends a byte every now and then, so that each single read of it goes well."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_EACH = 0.02
"""Seconds between two bytes."""

_FOR = 10.0
"""Seconds after which it hangs up by itself: nobody waits for ever in a test that fails."""


class TricklingServer:
    """Says the beginning of an answer to each connection, and then one byte after the other.

    :param beginning: what it sends at once.
    :param drop: the byte that follows again and again.
    """

    def __init__(self, beginning: bytes, drop: bytes) -> None:
        self._beginning = beginning
        self._drop = drop
        self._enough = threading.Event()
        self.left = threading.Event()
        """Set when a client has hung up while it was being sent bytes."""
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.endpoint = f"127.0.0.1:{self._listening.getsockname()[1]}"

    def serve(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._trickle, args=(connection,), daemon=True).start()

    def close(self) -> None:
        self._enough.set()
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _trickle(self, connection: socket.socket) -> None:
        with connection:
            try:
                connection.sendall(self._beginning)
                for _ in range(int(_FOR / _EACH)):
                    if self._enough.wait(_EACH):
                        return
                    connection.sendall(self._drop)
            except OSError:
                self.left.set()


@contextmanager
def trickling_server(beginning: bytes, drop: bytes) -> Iterator[TricklingServer]:
    """Serve while the ``with`` block lasts."""
    server = TricklingServer(beginning, drop)
    thread = threading.Thread(target=server.serve, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.close()
        thread.join()
