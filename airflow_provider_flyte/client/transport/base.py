"""The interface of a transport: it carries one call of the method table, and raises our errors only.

Code above the transports does not know which one it uses. Requests and responses are messages; a failure is an
:class:`~airflow_provider_flyte.client.errors.RpcError`; every unary call has a deadline.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterable
from contextlib import AsyncExitStack
from typing import Any, Protocol, TypeAlias

from airflow_provider_flyte.client.rpc import Req, Resp, ServerStream, Unary

Metadata: TypeAlias = tuple[tuple[str, str], ...]

IDLE = 20.0
"""Seconds without a call after which a connection is given up: before proxies usually do it (60 s and more)."""


class Transport(Protocol):
    """A blocking transport."""

    def unary(
        self, method: Unary[Req, Resp], request: Req, *, timeout: float, run: str | None = None, metadata: Metadata = ()
    ) -> Resp:
        """Make one call, within ``timeout`` seconds."""

    def server_stream(
        self,
        method: ServerStream[Req, Resp],
        request: Req,
        *,
        timeout: float | None = None,
        run: str | None = None,
        metadata: Metadata = (),
    ) -> Generator[Resp, None, None]:
        """Open a stream; closing the iterator ends it. A quiet stream sends nothing, not even headers.

        :param metadata: of this call, beside the config's.
        :param timeout: seconds after which it ends by itself, without an error: a cheap renewal. None: never.
        """

    def close(self) -> None:
        """Close the connection; more than once does no harm."""


class AsyncTransport(Protocol):
    """A transport on an event loop."""

    async def unary(
        self, method: Unary[Req, Resp], request: Req, *, timeout: float, run: str | None = None, metadata: Metadata = ()
    ) -> Resp:
        """Make one call, within ``timeout`` seconds."""

    def server_stream(
        self,
        method: ServerStream[Req, Resp],
        request: Req,
        *,
        timeout: float | None = None,
        run: str | None = None,
        metadata: Metadata = (),
    ) -> AsyncGenerator[Resp, None]:
        """Open a stream; closing the iterator ends it."""

    async def close(self) -> None:
        """Close the connection; more than once does no harm."""


async def close_all(closers: Iterable[Callable[[], Awaitable[Any]]]) -> None:
    """Close each, the last one first, also where one fails or this is cancelled meanwhile, as ``asyncio.run`` does at
    its end.
    """
    async with AsyncExitStack() as closing:
        for close in closers:
            closing.push_async_callback(close)
