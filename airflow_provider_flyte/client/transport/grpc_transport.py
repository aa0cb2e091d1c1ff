"""The gRPC transport, and the only file that imports grpc."""

from __future__ import annotations

import asyncio
import logging
import math
import os
import re
import time
from collections.abc import AsyncGenerator, Generator
from typing import Any

# gRPC's C core writes what a server says as it is (the text of a GOAWAY, line breaks, escape sequences and repeated
# tokens included) to the process' stderr, which is in the task's log. It reads this when grpc is first imported.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

import grpc
import grpc.aio

from airflow_provider_flyte import USER_AGENT
from airflow_provider_flyte.client.config import FlyteConfig
from airflow_provider_flyte.client.errors import (
    PROXY_STATUSES,
    ClosedError,
    ProxyError,
    RpcError,
    Status,
)
from airflow_provider_flyte.client.rpc import LARGEST_CONTENT, Method, Req, Resp, ServerStream, Unary
from airflow_provider_flyte.client.transport.answers import Unreadable, reader, too_large
from airflow_provider_flyte.client.transport.base import IDLE, Metadata
from airflow_provider_flyte.client.transport.call_errors import CallErrors
from airflow_provider_flyte.client.transport.route import Route

_OPTIONS: tuple[tuple[str, Any], ...] = (
    ("grpc.max_send_message_length", -1),
    # Identity alone: where gzip is offered, the blocking channel now and then hands on an answer still packed, see
    # answers.py. With this none in 200,000 calls.
    ("grpc.compression_enabled_algorithms_bitset", 1),
    # Left alone, the back-off grows to two minutes: after an outage of 130 s calls kept failing for 44-61 s more.
    ("grpc.initial_reconnect_backoff_ms", 500),
    ("grpc.min_reconnect_backoff_ms", 500),
    ("grpc.max_reconnect_backoff_ms", 1000),
    # Channels to one address share connection and back-off by default: a new client starts afresh.
    ("grpc.use_local_subchannel_pool", 1),
    # retry.py is the one retry policy.
    ("grpc.enable_retries", 0),
    ("grpc.primary_user_agent", USER_AGENT),
)
_CLOCKS_DIFFER = 0.05
"""Seconds by which grpc's timer may be early, seen by ours."""

_ONLY_FROM_FLYTE = frozenset(
    {
        Status.INVALID_ARGUMENT,
        Status.NOT_FOUND,
        Status.ALREADY_EXISTS,
        Status.FAILED_PRECONDITION,
        Status.ABORTED,
        Status.OUT_OF_RANGE,
        Status.DATA_LOSS,
    }
)
"""Statuses that grpcio makes of no HTTP answer and of no broken connection. It turns 400, 401, 403, 404 and all the
others into INTERNAL, UNAUTHENTICATED, PERMISSION_DENIED, UNIMPLEMENTED, UNAVAILABLE and UNKNOWN."""

_HTTP_STATUS = re.compile(r"Received http2 header with status: (\d{3})")
"""grpcio's whole text for an answer that is HTTP's alone, 1.62 to 1.85. Read only to describe the error: where the text
is another one, the description is shorter. Flyte may quote it, about something that it calls itself.
"""

_TOO_LARGE = re.compile(r"(?<!SERVER: )Received message larger than max \(")
"""In grpcio's text for an answer that it did not take, 1.62 to 1.85. Where the text is another one, the error is a
RESOURCE_EXHAUSTED with that text. grpcio has the whole message in memory before it says so."""


class _NoServersText(logging.Filter):
    """Keeps grpcio from logging the text of a status that is no UTF-8, as it came; the error has it, cleaned."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not str(record.msg).startswith("Invalid encoding on ")


logging.getLogger("grpc._cython.cygrpc").addFilter(_NoServersText())

# What calls on a closed channel raise.
_USED_AFTER_CLOSE = ValueError
_USED_AFTER_CLOSE_AIO = grpc.aio.UsageError


def _options(config: FlyteConfig, route: Route) -> tuple[tuple[str, Any], ...]:
    # The largest of all: a channel has one bound for all methods. answers.py keeps that of each.
    options = [*_OPTIONS, ("grpc.max_receive_message_length", LARGEST_CONTENT)]
    # Left alone, a channel that does not get through, where calls go by Connect instead, tries it once a second for
    # half an hour after its last call.
    options.append(("grpc.client_idle_timeout_ms", int(IDLE * 1000)))
    # Set in either case: left alone, grpc would read the environment again, and only its lower-case names.
    options.append(("grpc.http_proxy", route.proxy) if route.proxy else ("grpc.enable_http_proxy", 0))
    if route.server_name:
        options.append(("grpc.ssl_target_name_override", route.server_name))
        # Else proxies would see that name as the host that is asked for. Without the port: grpc takes no
        # other name than the certificate's and exactly this one.
        options.append(("grpc.default_authority", route.host))
    if config.keepalive:
        options.append(("grpc.keepalive_time_ms", max(1, int(config.keepalive * 1000))))
        # Left alone, grpc sends two and then no more until there is data.
        options.append(("grpc.http2.max_pings_without_data", 0))
    return tuple(options)


def _credentials(route: Route) -> grpc.ChannelCredentials:
    private_key = route.private_key.encode("latin-1") if route.private_key else None
    return grpc.ssl_channel_credentials(route.roots, private_key, route.certificate)


def _status(code: grpc.StatusCode | None) -> Status:
    return Status[code.name] if code is not None and code.name in Status.__members__ else Status.UNKNOWN


class _Calls:
    """The common part of both transports: how a call begins, and our errors for grpc's.

    :param api: ``grpc`` or ``grpc.aio``, whose channels have the same methods.
    """

    def __init__(self, api: Any, config: FlyteConfig, route: Route) -> None:
        self._config = config
        self._route = route
        options = _options(config, route)
        self._channel = (
            api.insecure_channel(config.endpoint, options=options)
            if config.insecure
            else api.secure_channel(config.endpoint, _credentials(route), options=options)
        )
        self._closed = False
        """Whether the channel was closed by us: what grpc raises then is none of its errors."""

    def _begin(self, method: Method[Any, Any], request: Any, timeout: float | None, metadata: Metadata) -> Any:
        make = self._channel.unary_unary if isinstance(method, Unary) else self._channel.unary_stream
        call = make(
            method.path, request_serializer=method.request.SerializeToString, response_deserializer=reader(method)
        )
        return call(request, timeout=timeout, metadata=(*self._config.metadata, *metadata))

    def _errors(self, method: Method[Any, Any], run: str | None, metadata: Metadata) -> CallErrors:
        return CallErrors(method, run, self._config, self._route, metadata)

    def _ours(self, error: BaseException, errors: CallErrors) -> RpcError:
        if self._closed or not isinstance(error, grpc.RpcError):
            return errors.of(ClosedError, Status.CANCELLED, "the client was closed")
        status, details = _status(error.code()), error.details() or ""
        if status is Status.RESOURCE_EXHAUSTED and _TOO_LARGE.search(details):
            return errors.unreadable(too_large("the answer", LARGEST_CONTENT))
        ours = errors.error(status, details)
        ours.answered = status in _ONLY_FROM_FLYTE
        if not ours.answered and (found := _HTTP_STATUS.fullmatch(details)):
            ours.http_status = int(found[1])
            if ours.http_status in PROXY_STATUSES:
                ours = ours.turned_into(ProxyError)
        return ours

    def _readable(self, answer: Resp | Unreadable | None, errors: CallErrors) -> Resp:
        """The answer, or an error where it cannot be read."""
        if answer is None:
            # grpcio's word, on both of its sides, for a call that ends with OK and had no message.
            raise errors.unreadable("the answer has no message")
        if isinstance(answer, Unreadable):
            raise errors.unreadable(answer.details)
        return answer

    def _raise_unless_over(self, error: BaseException, errors: CallErrors, until: float) -> None:
        """Raise our error for one of a stream's, unless it ended because its time is over."""
        ours = self._ours(error, errors)
        if ours.status is not Status.DEADLINE_EXCEEDED or time.monotonic() < until - _CLOCKS_DIFFER:
            raise ours from None


class GrpcTransport(_Calls):
    """Blocking calls over one channel."""

    def __init__(self, config: FlyteConfig, route: Route) -> None:
        super().__init__(grpc, config, route)

    def unary(
        self, method: Unary[Req, Resp], request: Req, *, timeout: float, run: str | None = None, metadata: Metadata = ()
    ) -> Resp:
        errors = self._errors(method, run, metadata)
        try:
            answer: Resp | Unreadable | None = self._begin(method, request, timeout, metadata)
        except (grpc.RpcError, _USED_AFTER_CLOSE) as error:
            # Without grpc's own, whose details are as the server wrote them, and which has no other facts.
            raise self._ours(error, errors) from None
        return self._readable(answer, errors)

    def server_stream(
        self,
        method: ServerStream[Req, Resp],
        request: Req,
        *,
        timeout: float | None = None,
        run: str | None = None,
        metadata: Metadata = (),
    ) -> Generator[Resp, None, None]:
        errors = self._errors(method, run, metadata)
        call, until = None, time.monotonic() + (math.inf if timeout is None else timeout)
        try:
            call = self._begin(method, request, timeout, metadata)
            for answer in call:
                yield self._readable(answer, errors)
        except (grpc.RpcError, _USED_AFTER_CLOSE) as error:
            self._raise_unless_over(error, errors, until)
        finally:
            if call is not None:
                call.cancel()

    def close(self) -> None:
        self._closed = True
        self._channel.close()


class AsyncGrpcTransport(_Calls):
    """Calls on one event loop, over one channel made inside it."""

    def __init__(self, config: FlyteConfig, route: Route) -> None:
        super().__init__(grpc.aio, config, route)

    async def unary(
        self, method: Unary[Req, Resp], request: Req, *, timeout: float, run: str | None = None, metadata: Metadata = ()
    ) -> Resp:
        errors = self._errors(method, run, metadata)
        try:
            answer: Resp | Unreadable | None = await self._begin(method, request, timeout, metadata)
        except (grpc.RpcError, _USED_AFTER_CLOSE_AIO, asyncio.CancelledError) as error:
            self._pass_on_cancellation(error)
            # Without grpc's own, whose details are as the server wrote them, and which has no other facts.
            raise self._ours(error, errors) from None
        return self._readable(answer, errors)

    async def server_stream(
        self,
        method: ServerStream[Req, Resp],
        request: Req,
        *,
        timeout: float | None = None,
        run: str | None = None,
        metadata: Metadata = (),
    ) -> AsyncGenerator[Resp, None]:
        errors = self._errors(method, run, metadata)
        call, until = None, time.monotonic() + (math.inf if timeout is None else timeout)
        try:
            call = self._begin(method, request, timeout, metadata)
            async for answer in call:
                yield self._readable(answer, errors)
        except (grpc.RpcError, _USED_AFTER_CLOSE_AIO, asyncio.CancelledError) as error:
            self._pass_on_cancellation(error)
            self._raise_unless_over(error, errors, until)
        finally:
            if call is not None:
                call.cancel()

    def _pass_on_cancellation(self, error: BaseException) -> None:
        """Raise the cancellation of the task that waits. Closing a channel cancels its calls, which raises the same."""
        if isinstance(error, asyncio.CancelledError):
            task = asyncio.current_task()
            # Python 3.10 cannot distinguish the two.
            cancelled = getattr(task, "cancelling", lambda: 1)() > 0
            if cancelled or not self._closed:
                raise error

    async def close(self) -> None:
        self._closed = True
        await self._channel.close(None)
