"""A proxy that terminates TLS in front of a plaintext server, and refuses clients with an alert."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import threading
from types import TracebackType


class TlsFront:
    """Use it as ``with TlsFront(context, port, "h2") as front``.

    :param context: of the server side.
    :param port: of the server behind it, on this machine.
    :param protocol: the protocol that ALPN selects.
    """

    def __init__(self, context: ssl.SSLContext, port: int, protocol: str) -> None:
        self._context = context
        self._context.set_alpn_protocols([protocol])
        self._behind = port
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.endpoint = f"localhost:{self._listening.getsockname()[1]}"
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> TlsFront:
        self._start(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for each in (self._listening, *self._open):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        for thread in self._threads:
            thread.join(10)

    def _start(self, work: object, *args: object) -> None:
        thread = threading.Thread(target=work, args=args, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                raw, _ = self._listening.accept()
                self._open.append(raw)
                self._start(self._serve, raw)

    def _serve(self, raw: socket.socket) -> None:
        with contextlib.suppress(OSError, ValueError):
            secure = self._context.wrap_socket(raw, server_side=True)
            behind = socket.create_connection(("127.0.0.1", self._behind))
            self._open += [secure, behind]
            with secure, behind:
                # In one thread, because OpenSSL does not allow two for one connection.
                while True:
                    ready = [secure] if secure.pending() else select.select([secure, behind], [], [])[0]
                    for source in ready:
                        part = source.recv(65536)
                        if not part:
                            return
                        (behind if source is secure else secure).sendall(part)
