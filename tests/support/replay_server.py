"""A server that answers with given bytes, cut wherever a test wants, to try how a transport reads them."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from types import TracebackType


@dataclass
class Answer:
    """The bytes of an answer; after the body the connection is closed, or kept open and silent."""

    status: int | None = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: Iterable[bytes] = ()
    chunked: bool = True
    """Framed as HTTP chunks; else closing the connection ends the body."""
    complete: bool = True
    """Whether the last HTTP chunk comes."""
    stays_open: bool = False


class ReplayServer:
    """Gives the same answer to every request; ``requests`` holds what was asked.

    ``answers`` has others for some methods, by their names.
    """

    def __init__(self, answer: Answer, port: int = 0) -> None:
        self.answer = answer
        self.answers: dict[str, Answer] = {}
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self._open: list[socket.socket] = []
        self._listening = socket.create_server(("127.0.0.1", port))
        self.endpoint = f"127.0.0.1:{self._listening.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> ReplayServer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Close all connections; calling it twice does no harm."""
        if self._listening.fileno() < 0:
            return
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for connection in self._open:
            connection.close()
        self._thread.join()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            try:
                if self._answer(connection):
                    self._open.append(connection)
                    continue
            except OSError:  # the client has seen enough
                pass
            connection.close()

    def _answer(self, connection: socket.socket) -> bool:
        if connection.recv(4, socket.MSG_PEEK) != b"POST":
            # gRPC's preface, or the beginning of TLS, which a web server refuses as a bad request.
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            return False
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with connection.makefile("rb") as lines:
            path = lines.readline().split()[1].decode()
            headers = {}
            while (line := lines.readline().strip()) != b"":
                name, _, value = line.decode().partition(":")
                headers[name.lower()] = value.strip()
            body = lines.read(int(headers.get("content-length", "0")))
        self.requests.append((path, headers, body))
        answer = self.answers.get(path.rpartition("/")[2], self.answer)
        if answer.status is not None:
            # Announced, because otherwise the next request on this connection would fail.
            framing = {"connection": "close"} | ({"transfer-encoding": "chunked"} if answer.chunked else {})
            head = [f"HTTP/1.1 {answer.status} x", *(f"{k}: {v}" for k, v in (answer.headers | framing).items())]
            connection.sendall("\r\n".join([*head, "", ""]).encode())
            for part in answer.body:
                connection.sendall(b"%x\r\n%b\r\n" % (len(part), part) if answer.chunked else part)
            if answer.chunked and answer.complete and not answer.stays_open:
                connection.sendall(b"0\r\n\r\n")
        return answer.stays_open
