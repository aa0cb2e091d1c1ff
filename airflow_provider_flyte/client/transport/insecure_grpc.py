"""gRPC without a check of the server's certificate, which gRPC has no setting for.

The certificate that the server shows is fetched and believed, for a name that stands in it. When calls fail it is
fetched again: another one leads to another channel. An expired one is refused all the same; Connect takes it.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Generator
from contextlib import aclosing

from airflow_provider_flyte.client.config import FlyteConfig
from airflow_provider_flyte.client.errors import RpcError, Status
from airflow_provider_flyte.client.rpc import Req, Resp, ServerStream, Unary
from airflow_provider_flyte.client.transport import probe
from airflow_provider_flyte.client.transport.base import Metadata
from airflow_provider_flyte.client.transport.grpc_transport import AsyncGrpcTransport, GrpcTransport
from airflow_provider_flyte.client.transport.route import Route


class UnverifiedGrpcTransport:
    """Blocking calls."""

    def __init__(self, config: FlyteConfig, route: Route) -> None:
        self._config = config
        self._route = route
        self._lock = threading.Lock()
        self._believed: Route | None = None
        self._doubted = True
        self._made: list[GrpcTransport] = []
        """One for each certificate so far; the last is in use."""

    def unary(
        self, method: Unary[Req, Resp], request: Req, *, timeout: float, run: str | None = None, metadata: Metadata = ()
    ) -> Resp:
        try:
            return self._current().unary(method, request, timeout=timeout, run=run, metadata=metadata)
        except RpcError as error:
            self._doubted = self._doubted or error.status is Status.UNAVAILABLE
            raise

    def server_stream(
        self,
        method: ServerStream[Req, Resp],
        request: Req,
        *,
        timeout: float | None = None,
        run: str | None = None,
        metadata: Metadata = (),
    ) -> Generator[Resp, None, None]:
        return self._current().server_stream(method, request, timeout=timeout, run=run, metadata=metadata)

    def close(self) -> None:
        for transport in self._made:
            transport.close()

    def _current(self) -> GrpcTransport:
        with self._lock:
            if self._doubted:
                self._doubted = False
                believed = probe.believing(self._route)
                if believed != self._believed:
                    self._believed = believed
                    self._made.append(GrpcTransport(self._config, believed))
            return self._made[-1]


class AsyncUnverifiedGrpcTransport:
    """Calls on one event loop."""

    def __init__(self, config: FlyteConfig, route: Route) -> None:
        self._config = config
        self._route = route
        self._lock = asyncio.Lock()
        self._believed: Route | None = None
        self._doubted = True
        self._made: list[AsyncGrpcTransport] = []

    async def unary(
        self, method: Unary[Req, Resp], request: Req, *, timeout: float, run: str | None = None, metadata: Metadata = ()
    ) -> Resp:
        transport = await self._current()
        try:
            return await transport.unary(method, request, timeout=timeout, run=run, metadata=metadata)
        except RpcError as error:
            self._doubted = self._doubted or error.status is Status.UNAVAILABLE
            raise

    async def server_stream(
        self,
        method: ServerStream[Req, Resp],
        request: Req,
        *,
        timeout: float | None = None,
        run: str | None = None,
        metadata: Metadata = (),
    ) -> AsyncGenerator[Resp, None]:
        transport = await self._current()
        stream = transport.server_stream(method, request, timeout=timeout, run=run, metadata=metadata)
        async with aclosing(stream):
            async for response in stream:
                yield response

    async def close(self) -> None:
        for transport in self._made:
            await transport.close()

    async def _current(self) -> AsyncGrpcTransport:
        async with self._lock:
            if self._doubted:
                # In a thread: handshakes would hold the loop.
                believed = await asyncio.to_thread(probe.believing, self._route)
                self._doubted = False
                if believed != self._believed:
                    self._believed = believed
                    self._made.append(AsyncGrpcTransport(self._config, believed))
            return self._made[-1]
