"""The Connect transport: a small ASGI application under uvicorn, over HTTP/1.1, in a thread with a loop of its own.

It answers as ``connect.json`` records of the real one; handlers run in threads, as behind the gRPC transport.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
import ssl
import tempfile
import threading
from collections.abc import Awaitable, Callable, Collection, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import uvicorn
from google.protobuf.message import DecodeError, Message

from airflow_provider_flyte.client import rpc
from airflow_provider_flyte.client.errors import Status
from airflow_provider_flyte.client.transport import connect_protocol as connect
from airflow_provider_flyte.testing.calls import Call, Panic, Refusal
from airflow_provider_flyte.testing.dispatch import Dispatcher, Row

THREADS = 1024
"""A stream holds a thread for as long as it is open; threads are made when they are needed."""

_Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
_Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class ConnectServer:
    """A listening port that speaks Connect to a dispatcher. Opened once; a new one is made to open again."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        tls: tuple[bytes, bytes] | None,
        client_roots: bytes | None = None,
        cluster: int | None = None,
        rows: Collection[Row] = rpc.METHODS,
    ) -> None:
        self._dispatcher = dispatcher
        self._cluster = cluster
        self._rows = {row.path: row for row in rows}
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="local-flyte-connect")
        self._calls: set[Call] = set()
        self._hung_up = False
        config = uvicorn.Config(
            self._answer,
            loop="asyncio",
            http="h11",
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            log_level="warning",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            date_header=False,
        )
        config.load()
        config.ssl = server_context(tls, client_roots) if tls is not None else None
        self._server = _Server(config, self._hang_up)

    def open(self, host: str, port: int) -> int:
        """Listen, and return the port. ``OSError`` if it is taken."""
        # The protocol is named because asyncio switches Nagle's algorithm off only where it is: 40 ms a call otherwise.
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind((host, port))
        except OSError as error:
            listening.close()
            self._threads.shutdown()
            raise OSError(f"cannot listen on {host}:{port}: {error.strerror}") from error
        self._serving = threading.Thread(
            target=self._server.run, kwargs={"sockets": [listening]}, name="local-flyte-connect-transport", daemon=True
        )
        bound: int = listening.getsockname()[1]
        self._serving.start()
        self._server.up.wait()
        return bound

    def close(self) -> None:
        """Close all connections at once, as a server that dies does; its threads have ended afterwards."""
        self._server.end()
        self._serving.join()
        self._threads.shutdown(wait=True)

    def _hang_up(self) -> None:
        self._hung_up = True
        for call in list(self._calls):
            call.close()

    async def _answer(self, scope: MutableMapping[str, Any], receive: _Receive, send: _Send) -> None:
        exchange = _Exchange(scope, receive, send)
        row = self._rows.get(scope["path"])
        if row is None:
            # The text of Go's own HTTP server, which the backend uses.
            return await exchange.reply(404, {"content-type": "text/plain; charset=utf-8"}, b"404 page not found\n")
        if scope["method"] != "POST":
            return await exchange.reply(405, {"allow": "POST"})
        streaming = isinstance(row, rpc.ServerStream)
        if exchange.headers.get("content-type") != (connect.STREAM if streaming else connect.UNARY):
            return await exchange.reply(415)
        call = Call(
            exchange.headers,
            transport="connect",
            authority=exchange.headers.get("host", ""),
            cluster=self._cluster,
        )
        self._calls.add(call)
        deadline = _Deadline(call, exchange.headers.get("connect-timeout-ms"))
        try:
            body = await exchange.body()
            if streaming:
                await self._stream(row, body, exchange, call, deadline)
            else:
                await self._unary(row, body, exchange, call, deadline)
        except Panic:
            await self._server.drop(scope["client"])
        finally:
            deadline.cancel()
            call.close()
            self._calls.discard(call)

    async def _unary(self, row: Row, body: bytes, exchange: _Exchange, call: Call, deadline: _Deadline) -> None:
        head = {"accept-encoding": "gzip"}
        try:
            request = _parse(row, body)
            with exchange.watched(call):
                answer = await self._in_a_thread(self._dispatcher.unary, row, request, call)
            if deadline.passed:
                raise Refusal("DEADLINE_EXCEEDED", "context deadline exceeded")
        except Refusal as refusal:
            status = Status[refusal.code]
            text = _compact(connect.error_json(status, refusal.details))
            return await exchange.reply(connect.HTTP_STATUS[status], head | {"content-type": connect.JSON}, text)
        data = _serialize(answer)
        # What a fault has made is sent as it is.
        if data and answer is not data and "gzip" in exchange.headers.get("accept-encoding", ""):
            head, data = head | {"content-encoding": "gzip"}, gzip.compress(data, 1)
        return await exchange.reply(200, head | {"content-type": connect.UNARY}, data)

    async def _stream(self, row: Row, body: bytes, exchange: _Exchange, call: Call, deadline: _Deadline) -> None:
        compressing = "gzip" in exchange.headers.get("connect-accept-encoding", "")
        head = {"connect-accept-encoding": "gzip", "content-type": connect.STREAM}
        if compressing:
            head["connect-content-encoding"] = "gzip"
        loop = asyncio.get_running_loop()

        def push(data: bytes) -> None:
            """Send from the handler's thread, and hold it while the client does not read."""
            # As the real one, send not even headers before the first message.
            asyncio.run_coroutine_threadsafe(exchange.send_part(head, data), loop).result()

        def pump() -> bytes:
            try:
                for message in self._dispatcher.stream(row, _parse(row, _only_envelope(body)), call):
                    data = _serialize(message)
                    packs = compressing and data is not message
                    packed = (gzip.compress(data, 1), connect.COMPRESSED) if packs else (data, 0)
                    push(connect.envelope(*packed))
            except Refusal as refusal:
                if not deadline.passed:
                    error = connect.error_json(Status[refusal.code], refusal.details)
                    return connect.envelope(_compact({"error": error}), connect.LAST)
            return connect.envelope(b"{}", connect.LAST)

        with exchange.watched(call):
            last = await self._in_a_thread(pump)
        if not self._hung_up:
            await exchange.send_part(head, last, more=False)

    async def _in_a_thread(self, function: Callable[..., Any], *args: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._threads, function, *args)


class _Server(uvicorn.Server):
    """uvicorn without its pauses: it reports when it is up, ends when it is asked to, and hangs up as it ends."""

    def __init__(self, config: uvicorn.Config, hang_up: Callable[[], None]) -> None:
        super().__init__(config)
        self.up = threading.Event()
        self._hang_up = hang_up

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._loop, self._ending = asyncio.get_running_loop(), asyncio.Event()
        self.up.set()

    async def drop(self, client: tuple[str, int]) -> None:
        """Close the connection of this client without an answer, as Go's server does when a handler panics."""
        for connection in list(self.server_state.connections):
            if connection.transport.get_extra_info("peername")[:2] == client:
                connection.transport.close()
        # uvicorn notices in the loop's next turn; before, it would take this for a handler that forgot its answer.
        await asyncio.sleep(0)

    def end(self) -> None:
        """End it, from another thread."""
        self._loop.call_soon_threadsafe(self._ending.set)

    async def main_loop(self) -> None:
        await self._ending.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            for listening in server.sockets:
                self._loop.remove_reader(listening.fileno())
        for _ in range(3):
            # What was accepted just now becomes a connection first. On a server that is closed by then asyncio drops it
            # without closing its socket (Python 3.11).
            await asyncio.sleep(0)
        for server in self.servers:
            server.close()
        for listening in sockets or ():
            listening.close()
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        # An aborted connection closes its socket in the loop's next turn.
        await asyncio.sleep(0)
        self._hang_up()
        if self.server_state.tasks:
            await asyncio.wait(self.server_state.tasks)


class _Exchange:
    """One request, and the answer to it."""

    def __init__(self, scope: MutableMapping[str, Any], receive: _Receive, send: _Send) -> None:
        self.headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        self._receive = receive
        self._send = send
        self._begun = False

    async def body(self) -> bytes:
        """The whole body."""
        parts = bytearray()
        more = True
        while more:
            event = await self._receive()
            parts += event.get("body", b"")
            more = event.get("more_body", False)
        data = bytes(parts)
        return gzip.decompress(data) if self.headers.get("content-encoding") == "gzip" else data

    async def reply(self, http_status: int, headers: MutableMapping[str, str] | None = None, body: bytes = b"") -> None:
        """The whole answer at once."""
        head = {**(headers or {}), "content-length": str(len(body))}
        await self._send({"type": "http.response.start", "status": http_status, "headers": _raw(head)})
        await self._send({"type": "http.response.body", "body": body})

    async def send_part(self, headers: MutableMapping[str, str], data: bytes, *, more: bool = True) -> None:
        """A part of a streamed answer; the headers go with the first one."""
        if not self._begun:
            self._begun = True
            await self._send({"type": "http.response.start", "status": 200, "headers": _raw(headers)})
        await self._send({"type": "http.response.body", "body": data, "more_body": more})

    def watched(self, call: Call) -> _Watched:
        """A context in which a client that disconnects closes the call."""
        return _Watched(self._receive, call)


class _Watched:
    def __init__(self, receive: _Receive, call: Call) -> None:
        self._receive = receive
        self._call = call

    def __enter__(self) -> None:
        self._task = asyncio.ensure_future(self._watch())

    def __exit__(self, *_: object) -> None:
        self._task.cancel()

    async def _watch(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._call.close()


class _Deadline:
    """``connect-timeout-ms``: the call is closed when it has passed."""

    def __init__(self, call: Call, milliseconds: str | None) -> None:
        self.passed = False
        self._call = call
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(int(milliseconds) / 1000, self._pass) if milliseconds else None

    def _pass(self) -> None:
        self.passed = True
        self._call.close()

    def cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()


def _parse(row: Row, body: bytes) -> Message:
    try:
        parsed: Message = row.request.FromString(body)
    except DecodeError:
        package = row.path[1:].rpartition("/")[0].split(".")[-2]
        raise Refusal(
            "INVALID_ARGUMENT",
            f"unmarshal message: unmarshal into *{package}.{row.request.__name__}: "
            "proto: cannot parse invalid wire-format data",
        ) from None
    return parsed


def _only_envelope(body: bytes) -> bytes:
    try:
        [(flags, payload)] = connect.Envelopes(len(body)).feed(body)
        assert payload is not None
    except ValueError:
        raise Refusal("INVALID_ARGUMENT", "protocol error: promised one envelope") from None
    return gzip.decompress(payload) if flags & connect.COMPRESSED else payload


def server_context(tls: tuple[bytes, bytes], client_roots: bytes | None = None) -> ssl.SSLContext:
    """For a server with this certificate and key, that asks clients for theirs where there are roots to check it."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.set_alpn_protocols(["http/1.1"])
    with tempfile.TemporaryDirectory() as folder:
        # The ssl module takes a certificate from files only.
        paths = [Path(folder, name) for name in ("certificate.pem", "key.pem")]
        for path, pem in zip(paths, tls, strict=True):
            path.touch(mode=0o600)
            path.write_bytes(pem)
        context.load_cert_chain(*map(str, paths))
    if client_roots is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=client_roots.decode())
    return context


def _raw(headers: MutableMapping[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode()) for name, value in headers.items()]


def _compact(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def _serialize(message: Any) -> bytes:
    return message if isinstance(message, bytes) else message.SerializeToString()
