"""A server that speaks HTTP/2 frame by frame: a test sees the headers of a request as they are, and sends any frame."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from ssl import SSLContext

import h2.config
import h2.connection
import h2.events
import h2.exceptions


class Http2Server:
    """Gives the same answer to every gRPC call.

    :param message: what it answers, with gRPC's flag and length before it; b"" for NOT_FOUND.
    :param tls: for TLS.
    """

    def __init__(self, message: bytes = b"", flag: int = 0, tls: SSLContext | None = None) -> None:
        self.requests: list[dict[str, str]] = []
        """The headers of each."""
        self.page: int | None = None
        """The HTTP status of a page that answers instead."""
        self.status = "0" if message else "5"
        """gRPC's status at the end."""
        self.details: str | None = None
        """gRPC's text to it, as it stands on the wire."""
        self.goodbye: str | None = None
        """The text of a GOAWAY that answers instead."""
        self._message = message
        self._flag = flag
        self._tls = tls
        self._open: list[socket.socket] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self.endpoint = f"localhost:{self.port}"

    def serve(self) -> None:
        while True:
            try:
                raw, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._speak, args=(raw,), daemon=True).start()

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for each in self._open:
            each.close()

    def _speak(self, raw: socket.socket) -> None:
        try:
            stream = self._tls.wrap_socket(raw, server_side=True) if self._tls else raw
            self._open.append(stream)
            self._frames(stream)
        except (OSError, h2.exceptions.H2Error):  # somebody who only looks, or has seen enough
            raw.close()

    def _frames(self, stream: socket.socket) -> None:
        frames = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
        frames.initiate_connection()
        stream.sendall(frames.data_to_send())
        while data := stream.recv(65536):
            for event in frames.receive_data(data):
                if isinstance(event, h2.events.RequestReceived):
                    self.requests.append({str(name): str(value) for name, value in event.headers})
                elif isinstance(event, h2.events.StreamEnded):
                    self._answer(frames, event.stream_id)
            stream.sendall(frames.data_to_send())

    def _answer(self, frames: h2.connection.H2Connection, stream_id: int) -> None:
        if self.page is not None:
            page = [(":status", str(self.page)), ("content-type", "text/html")]
            frames.send_headers(stream_id, page, end_stream=True)
            return
        if self.goodbye is not None:
            frames.close_connection(error_code=2, additional_data=self.goodbye.encode(), last_stream_id=0)
            return
        frames.send_headers(stream_id, [(":status", "200"), ("content-type", "application/grpc")])
        if self._message:
            length = len(self._message).to_bytes(4, "big")
            frames.send_data(stream_id, bytes((self._flag,)) + length + self._message)
        details = [] if self.details is None else [("grpc-message", self.details)]
        frames.send_headers(stream_id, [("grpc-status", self.status), *details], end_stream=True)


@contextmanager
def http2_server(message: bytes = b"", flag: int = 0, tls: SSLContext | None = None) -> Iterator[Http2Server]:
    """Serve while the ``with`` block lasts."""
    server = Http2Server(message, flag, tls)
    thread = threading.Thread(target=server.serve, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.close()
        thread.join()
