"""Connections of httpx that keep a :class:`Deadline`: each step waits no longer than is left for the whole call.

httpcore gives every read the whole timeout, so a server that sends a byte a second would hold a call for ever. Imported
when the first connection is: httpcore brings anyio.
"""

from __future__ import annotations

import asyncio
import select
import socket
import ssl
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import httpcore
import httpx

from airflow_provider_flyte.client.transport.base import close_all
from airflow_provider_flyte.client.transport.deadline import left


def keep_deadlines(transport: httpx.HTTPTransport | httpx.AsyncHTTPTransport) -> None:
    """Have a transport's connections keep deadlines; before its first request.

    httpx has no argument for it, httpcore's pools have ``network_backend``.
    """
    pool = transport._pool
    if isinstance(transport, httpx.HTTPTransport):
        pool._network_backend = _Sockets()
    else:
        pool._network_backend = _OnLoop()


async def close_pool(transport: httpx.AsyncHTTPTransport) -> None:
    """Close all connections: httpcore's pools forget them first and then close one after the other, so that a
    cancellation leaves some open.
    """
    await close_all([transport.aclose, *(connection.aclose for connection in transport._pool.connections)])


@contextmanager
def _raising(late: type[Exception], broken: type[Exception]) -> Iterator[None]:
    """Raise httpcore's errors, which httpx expects."""
    try:
        yield
    except TimeoutError as error:
        raise late(error) from error
    except OSError as error:
        raise broken(error) from error


class _Socket(httpcore.NetworkStream):
    """A connection of a blocking call."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        with _raising(httpcore.ReadTimeout, httpcore.ReadError):
            self._socket.settimeout(left(timeout))
            return self._socket.recv(max_bytes)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        rest = memoryview(buffer)
        with _raising(httpcore.WriteTimeout, httpcore.WriteError):
            while rest:
                self._socket.settimeout(left(timeout))
                rest = rest[self._socket.send(rest) :]

    def close(self) -> None:
        self._socket.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> _Socket:
        with _raising(httpcore.ConnectTimeout, httpcore.ConnectError):
            try:
                # OpenSSL's handshake keeps the socket's timeout as a whole.
                self._socket.settimeout(left(timeout))
                return _Socket(ssl_context.wrap_socket(self._socket, server_hostname=server_hostname))
            except BaseException:
                self.close()
                raise

    def get_extra_info(self, info: str) -> Any:
        if info == "is_readable":
            # How httpcore finds out that a server has closed an idle connection.
            return self._socket.fileno() < 0 or bool(_poll(self._socket))
        return self._socket if info == "socket" else None


def _poll(connected: socket.socket) -> list[tuple[int, int]]:
    # Not select(), which takes no more than 1,024 files.
    waiting = select.poll()
    waiting.register(connected, select.POLLIN)
    return waiting.poll(0)


class _Sockets(httpcore.NetworkBackend):
    """Connections of blocking calls. A look-up of a name has no deadline: the system gives none."""

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> _Socket:
        with _raising(httpcore.ConnectTimeout, httpcore.ConnectError):
            return _Socket(connect(host, port, timeout))


def connect(host: str, port: int, timeout: float | None) -> socket.socket:
    """Connect to the first of a name's addresses that answers. Each has its share of the time that is left, so that one
    where nobody answers leaves some for the others.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    failure: OSError | None = None
    for number, (family, kind, protocol, _, address) in enumerate(found):
        each = socket.socket(family, kind, protocol)
        try:
            rest = left(timeout)
            each.settimeout(None if rest is None else rest / (len(found) - number))
            each.connect(address)
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            each.close()
            failure = error
        except BaseException:
            # Airflow's execution_timeout, which a signal raises anywhere.
            each.close()
            raise
        else:
            return each
    raise failure or OSError("the name has no address")


class _StreamOnLoop(httpcore.AsyncNetworkStream):
    """A connection on an event loop."""

    def __init__(self, inner: httpcore.AsyncNetworkStream) -> None:
        self._inner = inner

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        with _raising(httpcore.ReadTimeout, httpcore.ReadError):
            return await self._inner.read(max_bytes, left(timeout))

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        with _raising(httpcore.WriteTimeout, httpcore.WriteError):
            await self._inner.write(buffer, left(timeout))

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> _StreamOnLoop:
        with _raising(httpcore.ConnectTimeout, httpcore.ConnectError):
            return _StreamOnLoop(await self._inner.start_tls(ssl_context, server_hostname, left(timeout)))

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class _OnLoop(httpcore.AnyIOBackend):
    """Connections on an event loop."""

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> _StreamOnLoop:
        # Apart from the call: cancelled in the moment when it connects, anyio before 4.16 forgets the connection, which
        # then stays open (20 of 1,000 waits that end within 12 ms).
        connecting = asyncio.ensure_future(
            super().connect_tcp(host, port, left(timeout), local_address, socket_options)
        )
        try:
            with _raising(httpcore.ConnectTimeout, httpcore.ConnectError):
                return _StreamOnLoop(await asyncio.shield(connecting))
        except asyncio.CancelledError:
            connecting.add_done_callback(_close)
            raise


_closing: set[asyncio.Task[None]] = set()


def _close(connecting: asyncio.Future[httpcore.AsyncNetworkStream]) -> None:
    """Close a connection that nobody waits for any more."""
    if not connecting.cancelled() and connecting.exception() is None:
        closing = asyncio.ensure_future(connecting.result().aclose())
        _closing.add(closing)
        closing.add_done_callback(_closing.discard)
