"""The Connect transport, over httpx: unary calls and server streams by POST, through any HTTP ingress."""

from __future__ import annotations

import asyncio
import re
import ssl
import weakref
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator
from contextlib import aclosing, closing, contextmanager
from typing import Any, Generic, TypeAlias, TypeVar

import httpx

from airflow_provider_flyte import USER_AGENT
from airflow_provider_flyte.client.config import FlyteConfig
from airflow_provider_flyte.client.errors import (
    PROXY_STATUSES,
    ClosedError,
    InvalidArgumentError,
    LoginPageError,
    NotFlyteError,
    ProxyError,
    RpcError,
    SpeaksTlsError,
    Status,
)
from airflow_provider_flyte.client.rpc import LARGEST_CONTENT, Method, Req, Resp, ServerStream, Unary
from airflow_provider_flyte.client.transport import connect_protocol as connect
from airflow_provider_flyte.client.transport.answers import (
    LARGEST_PAGE,
    TooLargeError,
    Unreadable,
    beginning,
    read,
    too_large,
    unpack,
)
from airflow_provider_flyte.client.transport.base import IDLE, Metadata, close_all
from airflow_provider_flyte.client.transport.call_errors import CallErrors
from airflow_provider_flyte.client.transport.deadline import Deadline, for_httpx
from airflow_provider_flyte.client.transport.layer import adrive, drive
from airflow_provider_flyte.client.transport.route import Route

T = TypeVar("T")

# Calls share a pool. Streams are apart from them, because a stream holds its connection as long as it lasts: on a loop
# each has a pool of its own.
_CALLS = httpx.Limits(max_connections=32, max_keepalive_connections=32, keepalive_expiry=IDLE)
_STREAMS = httpx.Limits(max_connections=None, max_keepalive_connections=0)

_GRACE = 0.5
"""Seconds beyond a stream's time in which the server may end it itself, without an error."""

_REDIRECTS = (301, 302, 303, 307, 308)
_MAY_PASS = (401, 403, 404, 408, 429, 500, 502, 503, 504)
"""HTTP statuses with an error class of their own, or that a proxy gives while something behind it is away."""

_SERVER = re.compile(r"[\w./+-]{1,40}", re.ASCII)
"""The beginning of the header that names a proxy: nginx/1.22.1, awselb/2.0, envoy."""

_TITLE = re.compile(rb"<title[^>]*>\s*(.{1,80}?)\s*</title>", re.IGNORECASE | re.DOTALL)


def import_all() -> None:
    """Import now what httpx leaves to its first use, which would hold an event loop for some 90 ms. Not on a loop."""
    import anyio

    from airflow_provider_flyte.client.transport import connections  # noqa: F401

    httpx.AsyncHTTPTransport(verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), trust_env=False)
    anyio.run(anyio.sleep, 0)


Steps: TypeAlias = Generator[httpx.Request | None, Any, T]
"""What a call does, for both transports. A request is a step, whose result is the response without its body; None
reads the next part of the body as it is on the wire, whose result is the bytes, None at the end."""


class _Wire:
    """Requests and answers on the wire, the same for both transports. No network here."""

    def __init__(self, config: FlyteConfig, route: Route) -> None:
        self._config = config
        self._route = route
        self._base = f"{'http' if config.insecure else 'https'}://{config.endpoint}"
        self._urls: dict[str, httpx.URL] = {}
        self._headers = [
            (b"connect-protocol-version", connect.VERSION.encode()),
            (b"user-agent", USER_AGENT.encode()),
            *((key.encode(), value.encode()) for key, value in config.metadata),
        ]
        # Also what the certificate is checked for.
        self._sni = {"sni_hostname": route.server_name} if route.server_name else {}
        self.closed = False
        """Whether the transport was closed by us."""
        self.options: dict[str, Any] = {
            # An empty context with plaintext: httpx would read a list of authorities for nothing.
            "verify": ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if config.insecure else route.tls,
            "proxy": httpx.Proxy(route.proxy) if route.proxy else None,
            # By HTTP/2 httpx breaks one call in a thousand, writes too: nginx sends GOAWAY after so many on a
            # connection and httpcore 1.0 takes the frames after it for an error.
            "http2": False,
            # Proxy and roots are decided by the route.
            "trust_env": False,
        }

    def errors(self, method: Method[Any, Any], run: str | None, metadata: Metadata) -> CallErrors:
        return CallErrors(method, run, self._config, self._route, metadata)

    def unary(
        self, method: Unary[Req, Resp], request: Req, timeout: float, metadata: Metadata, errors: CallErrors
    ) -> Steps[Resp]:
        """Make a unary call."""
        deadline = Deadline(timeout)
        response = yield self.request(method, request, deadline, read_timeout=deadline, metadata=metadata)
        return self._message(method, response, (yield from self.body(method, response)), errors)

    def body(self, method: Method[Any, Any], response: httpx.Response) -> Steps[bytes]:
        """Read the body of an answer as it comes, as much of it as is wanted and one part more."""
        most = method.largest if self._is_message(response) else LARGEST_PAGE
        body = bytearray()
        while len(body) <= most and (part := (yield None)) is not None:
            body += part
        return bytes(body)

    @contextmanager
    def failures(self, timeout: float | None, errors: CallErrors) -> Iterator[None]:
        """Raise our error for one of httpx's, without that: it may quote what a server has written."""
        try:
            yield
        except _FAILURES as error:
            raise self._failure(error, timeout or 0.0, errors) from None

    def request(
        self,
        method: Method[Any, Any],
        message: Any,
        timeout: float | None,
        *,
        read_timeout: float | None,
        metadata: Metadata,
    ) -> httpx.Request:
        if self.closed:
            # httpx would open a closed pool again.
            raise RuntimeError
        url = self._urls.get(method.path) or self._urls.setdefault(method.path, httpx.URL(self._base + method.path))
        body = message.SerializeToString()
        if isinstance(method, ServerStream):
            body = connect.envelope(body)
            kind = [
                (b"content-type", connect.STREAM.encode()),
                (b"accept-encoding", b"identity"),
                (b"connect-accept-encoding", b"gzip"),
            ]
        else:
            kind = [(b"content-type", connect.UNARY.encode()), (b"accept-encoding", b"gzip")]
        if timeout is not None:
            kind.append((b"connect-timeout-ms", str(max(1, int(timeout * 1000))).encode()))
        limits = for_httpx(Deadline(self._config.timeout) if timeout is None else timeout, read_timeout)
        return httpx.Request(
            "POST",
            url,
            headers=[*self._headers, *kind, *((key.encode(), value.encode()) for key, value in metadata)],
            content=body,
            extensions={"timeout": limits} | self._sni,
        )

    def _message(self, method: Method[Any, Resp], response: httpx.Response, body: bytes, errors: CallErrors) -> Resp:
        """The message of a unary answer, or the error that the answer is."""
        if not self._is_message(response):
            raise self.refusal(response, body, errors)
        return self._parse(method, body, errors)

    @staticmethod
    def _is_message(response: httpx.Response) -> bool:
        return response.status_code == 200 and _content_type(response) == connect.UNARY

    @staticmethod
    def is_stream(response: httpx.Response) -> bool:
        return response.status_code == 200 and _content_type(response) == connect.STREAM

    def unpack(
        self,
        method: ServerStream[Any, Resp],
        response: httpx.Response,
        flags: int,
        payload: bytes | None,
        errors: CallErrors,
    ) -> Resp | None:
        """The message in an envelope, or None for the last one; raises the error in it."""
        if payload is None:
            return method.instead
        if flags & connect.COMPRESSED:
            encoding = response.headers.get("connect-content-encoding", "")
            try:
                if encoding != "gzip":
                    raise ValueError(f"it is compressed as {encoding!r}")
                payload = unpack(payload, LARGEST_PAGE if flags & connect.LAST else method.largest)
            except TooLargeError as error:
                if method.instead is not None and not flags & connect.LAST:
                    return method.instead
                raise self.bad_envelope(error, errors) from None
            except ValueError as error:
                raise self.bad_envelope(error, errors) from None
        if not flags & connect.LAST:
            return self._parse(method, payload, errors)
        if len(payload) > LARGEST_PAGE:
            raise errors.unreadable(too_large("the last envelope", LARGEST_PAGE))
        end = connect.read_json(payload)
        if not isinstance(end, dict):
            raise errors.unreadable("the last envelope is no JSON")
        if end.get("error") is not None:
            status, details = connect.read_error(end["error"]) or (Status.UNKNOWN, "an error without a code")
            raise self._answered(errors.error(status, details))
        return None

    def _failure(self, error: BaseException, timeout: float, errors: CallErrors) -> RpcError:
        if self.closed:
            return errors.of(ClosedError, Status.CANCELLED, "the client was closed")
        if isinstance(error, httpx.TimeoutException | TimeoutError | asyncio.TimeoutError):
            return errors.error(Status.DEADLINE_EXCEEDED, f"no answer within {timeout:g} s")
        return errors.error(Status.UNAVAILABLE, str(error) or type(error).__name__)

    def _parse(self, method: Method[Any, Resp], body: bytes, errors: CallErrors) -> Resp:
        message = read(method, body)
        if isinstance(message, Unreadable):
            raise errors.unreadable(message.details)
        return message

    def refusal(self, response: httpx.Response, body: bytes, errors: CallErrors) -> RpcError:
        """The error for an answer that is neither a message nor a stream."""
        body = beginning(body)
        if _content_type(response) == connect.JSON and response.status_code != 200:
            read = connect.read_error(connect.read_json(body))
            if read is not None:
                return self._answered(errors.error(*read))
        return self._from_elsewhere(response, body, errors)

    def _from_elsewhere(self, response: httpx.Response, body: bytes, errors: CallErrors) -> RpcError:
        """The error for an answer that Flyte did not give: a proxy's page, a web server's, a login's."""
        number, kind = response.status_code, _content_type(response)
        title = _TITLE.search(body)
        content = f'"{title[1].decode("utf-8", "replace")}"' if title else kind or "no content"
        server = _SERVER.match(response.headers.get("server", ""))
        by = f" from {server[0]}" if server else ""
        details = f"HTTP {number}{by} with {content} instead of an answer of Flyte's"
        error = errors.error(connect.status_of_http(number), details)
        cls: type[RpcError] | None = None
        if number in _REDIRECTS:
            # Without the query: a login page's may hold a secret. Not parsed: it may be no URL.
            location = re.split("[?#]", response.headers.get("location", ""))[0]
            error.details = errors.cleaned(f"HTTP {number}, a redirect to {location}")
            to_tls = location.startswith("https:") and location.endswith(errors.method.path)
            cls = SpeaksTlsError if to_tls and self._config.insecure else LoginPageError
        elif number == 200:
            cls = LoginPageError if kind == "text/html" else NotFlyteError
        elif number == 413:
            cls = InvalidArgumentError
        elif number in PROXY_STATUSES:
            cls = ProxyError
        elif number not in _MAY_PASS:
            cls = NotFlyteError
        if cls is not None:
            error = error.turned_into(cls)
        error.http_status = number
        return error

    @staticmethod
    def _answered(error: RpcError) -> RpcError:
        error.answered = True
        return error

    @staticmethod
    def bad_envelope(error: ValueError, errors: CallErrors) -> RpcError:
        """The error of a stream whose envelopes are none."""
        return errors.unreadable(f"an envelope cannot be read: {error}")


class _Stream(Generic[Resp]):
    """One server stream as it is read, the same for both transports. No network here."""

    def __init__(
        self,
        wire: _Wire,
        method: ServerStream[Req, Resp],
        request: Req,
        timeout: float | None,
        metadata: Metadata,
        errors: CallErrors,
    ) -> None:
        self._wire = wire
        self._method = method
        self._errors = errors
        silence = None if timeout is None else Deadline(timeout + _GRACE)
        self._request = wire.request(method, request, timeout, read_timeout=silence, metadata=metadata)
        self._response: httpx.Response | None = None
        passes = method.largest if method.instead is None else LARGEST_CONTENT
        self._envelopes = connect.Envelopes(passes, method.largest)
        self._arrived: Iterator[tuple[int, bytes | None]] = iter(())

    def next(self) -> Steps[Resp | None]:
        """Read the next message; None where the stream has ended, by itself or because its time is over."""
        try:
            if self._response is None:
                self._response = yield self._request
                if not self._wire.is_stream(self._response):
                    body = yield from self._wire.body(self._method, self._response)
                    raise self._wire.refusal(self._response, body, self._errors)
            while True:
                if (arrived := self._envelope()) is not None:
                    return self._wire.unpack(self._method, self._response, *arrived, self._errors)
                part = yield None
                if part is None:
                    raise self._errors.error(Status.UNAVAILABLE, "the stream broke off")
                self._arrived = self._envelopes.feed(part)
        except httpx.ReadTimeout:
            # Only with a time: the server did not end the stream itself.
            return None

    def _envelope(self) -> tuple[int, bytes | None] | None:
        try:
            return next(self._arrived, None)
        except ValueError as error:
            raise self._wire.bad_envelope(error, self._errors) from None


class _Exchange:
    """One request of a blocking transport, and the answer to it."""

    def __init__(self, pool: httpx.HTTPTransport) -> None:
        self._pool = pool
        self._response: httpx.Response | None = None
        self._parts: Iterator[bytes] | None = None

    def do(self, step: httpx.Request | None) -> Any:
        if isinstance(step, httpx.Request):
            self._response = self._pool.handle_request(step)
            return self._response
        assert self._response is not None
        if self._parts is None:
            self._parts = self._response.iter_raw()
        return next(self._parts, None)

    def close(self) -> None:
        if self._response is not None:
            self._response.close()


class ConnectTransport:
    """Blocking calls over two pools of connections."""

    def __init__(self, config: FlyteConfig, route: Route) -> None:
        self._wire = _Wire(config, route)
        self._for_calls, self._streams = self._pool(_CALLS), self._pool(_STREAMS)
        # A channel of grpc's closes itself, too. Where a cycle is collected, a __del__ of ours may come after those of
        # the sockets, which warn that they are open; what is registered here comes before.
        weakref.finalize(self, _close, self._for_calls, self._streams).atexit = False

    def _pool(self, limits: httpx.Limits) -> httpx.HTTPTransport:
        from airflow_provider_flyte.client.transport.connections import keep_deadlines

        pool = httpx.HTTPTransport(limits=limits, **self._wire.options)
        keep_deadlines(pool)
        return pool

    def unary(
        self, method: Unary[Req, Resp], request: Req, *, timeout: float, run: str | None = None, metadata: Metadata = ()
    ) -> Resp:
        errors = self._wire.errors(method, run, metadata)
        with self._wire.failures(timeout, errors), closing(_Exchange(self._for_calls)) as exchange:
            return drive(self._wire.unary(method, request, timeout, metadata, errors), exchange.do)

    def server_stream(
        self,
        method: ServerStream[Req, Resp],
        request: Req,
        *,
        timeout: float | None = None,
        run: str | None = None,
        metadata: Metadata = (),
    ) -> Generator[Resp, None, None]:
        errors = self._wire.errors(method, run, metadata)
        with self._wire.failures(timeout, errors), closing(_Exchange(self._streams)) as exchange:
            stream = _Stream(self._wire, method, request, timeout, metadata, errors)
            while (message := drive(stream.next(), exchange.do)) is not None:
                yield message

    def close(self) -> None:
        self._wire.closed = True
        _close(self._for_calls, self._streams)


def _close(*pools: httpx.HTTPTransport) -> None:
    for pool in pools:
        pool.close()


class _AsyncPool:
    """Connections on an event loop; a retired pool is closed when its last call is over."""

    def __init__(self, limits: httpx.Limits, options: dict[str, Any], *, retired: bool = False) -> None:
        from airflow_provider_flyte.client.transport.connections import keep_deadlines

        self.connections = httpx.AsyncHTTPTransport(limits=limits, **options)
        keep_deadlines(self.connections)
        self.retired = retired
        self.calls = 0

    async def aclose(self) -> None:
        from airflow_provider_flyte.client.transport.connections import close_pool

        await close_pool(self.connections)


class _AsyncExchange:
    """One request on an event loop, and the answer to it."""

    def __init__(self, pool: _AsyncPool) -> None:
        self._pool = pool
        self._pool.calls += 1
        self._response: httpx.Response | None = None
        self._parts: AsyncIterator[bytes] | None = None

    async def do(self, step: httpx.Request | None) -> Any:
        if isinstance(step, httpx.Request):
            try:
                self._response = await self._pool.connections.handle_async_request(step)
            except asyncio.CancelledError:
                # httpcore 1.0 neither uses nor closes a connection whose first call is cancelled between its connect
                # and its request. It goes with its pool.
                self._pool.retired = True
                raise
            return self._response
        assert self._response is not None
        if self._parts is None:
            self._parts = self._response.aiter_raw()
        return await anext(self._parts, None)

    async def aclose(self) -> None:
        try:
            if self._response is not None:
                await self._response.aclose()
        finally:
            self._pool.calls -= 1
            if self._pool.retired and not self._pool.calls:
                await self._pool.aclose()


class AsyncConnectTransport:
    """Calls on one event loop over a pool of connections; each stream has one of its own."""

    def __init__(self, config: FlyteConfig, route: Route) -> None:
        self._wire = _Wire(config, route)
        self._pools: weakref.WeakSet[_AsyncPool] = weakref.WeakSet()
        self._for_calls = self._pool(_CALLS)

    async def unary(
        self, method: Unary[Req, Resp], request: Req, *, timeout: float, run: str | None = None, metadata: Metadata = ()
    ) -> Resp:
        if self._for_calls.retired:
            self._for_calls = self._pool(_CALLS)
        errors = self._wire.errors(method, run, metadata)
        with self._wire.failures(timeout, errors):
            async with aclosing(_AsyncExchange(self._for_calls)) as exchange:
                steps = self._wire.unary(method, request, timeout, metadata, errors)
                return await adrive(steps, exchange.do)

    async def server_stream(
        self,
        method: ServerStream[Req, Resp],
        request: Req,
        *,
        timeout: float | None = None,
        run: str | None = None,
        metadata: Metadata = (),
    ) -> AsyncGenerator[Resp, None]:
        errors = self._wire.errors(method, run, metadata)
        with self._wire.failures(timeout, errors):
            async with aclosing(_AsyncExchange(self._pool(_STREAMS, retired=True))) as exchange:
                stream = _Stream(self._wire, method, request, timeout, metadata, errors)
                while (message := await adrive(stream.next(), exchange.do)) is not None:
                    yield message

    def _pool(self, limits: httpx.Limits, *, retired: bool = False) -> _AsyncPool:
        pool = _AsyncPool(limits, self._wire.options, retired=retired)
        self._pools.add(pool)
        return pool

    async def close(self) -> None:
        self._wire.closed = True
        await close_all(pool.aclose for pool in self._pools)


# RuntimeError: what a pool raises whose connections are closed under a call. OSError: a socket's error that httpx
# does not translate.
_FAILURES = (httpx.HTTPError, TimeoutError, asyncio.TimeoutError, RuntimeError, OSError)


def _content_type(response: httpx.Response) -> str:
    kind: str = response.headers.get("content-type", "")
    return kind.partition(";")[0].strip().lower()
