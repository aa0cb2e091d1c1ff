"""gRPC without a check of the server's certificate, which gRPC has no setting for.

The certificate that the server shows is fetched and believed, for a name that stands in it. When calls fail it is
fetched again: another one leads to another channel. An expired one is refused all the same; Connect takes it.
"""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from airflow_provider_flyte.client.config import FlyteConfig
from airflow_provider_flyte.client.errors import RpcError, Status
from airflow_provider_flyte.client.rpc import Method, Unary
from airflow_provider_flyte.client.transport import probe
from airflow_provider_flyte.client.transport.base import Metadata
from airflow_provider_flyte.client.transport.grpc_transport import AsyncGrpcTransport, GrpcTransport
from airflow_provider_flyte.client.transport.layer import AsyncLayer, BlockingLayer, Do, Layer, Send, Steps
from airflow_provider_flyte.client.transport.route import Route


class _Unverified(Layer):
    """What the blocking and the asyncio transport do alike."""

    def __init__(self, config: FlyteConfig, route: Route) -> None:
        self._config = config
        self._route = route
        self._fetching = threading.Lock()
        self._believed = route
        self._doubted = True

    def _steps(self, method: Method[Any, Any], timeout: float | None, run: str | None, metadata: Metadata) -> Steps:
        if self._doubted:
            # In a thread: handshakes would hold the loop.
            yield Do(self._believe, lambda: asyncio.to_thread(self._believe))
        try:
            return (yield Send(metadata))
        except RpcError as error:
            # A stream ends for many reasons.
            if isinstance(method, Unary) and error.status is Status.UNAVAILABLE:
                self._doubted = True
            raise

    def _believe(self) -> None:
        with self._fetching:
            if self._doubted:
                self._believed = probe.believing(self._route)
                self._doubted = False


class UnverifiedGrpcTransport(_Unverified, BlockingLayer):
    """Blocking calls."""

    def __init__(self, config: FlyteConfig, route: Route) -> None:
        super().__init__(config, route)
        self._making = threading.Lock()
        self._made: dict[Route, GrpcTransport] = {}

    def close(self) -> None:
        for transport in self._made.values():
            transport.close()

    def _through(self, transport: str) -> GrpcTransport:
        with self._making:
            if self._believed not in self._made:
                self._made[self._believed] = GrpcTransport(self._config, self._believed)
            return self._made[self._believed]


class AsyncUnverifiedGrpcTransport(_Unverified, AsyncLayer):
    """Calls on one event loop."""

    def __init__(self, config: FlyteConfig, route: Route) -> None:
        super().__init__(config, route)
        self._made: dict[Route, AsyncGrpcTransport] = {}

    async def close(self) -> None:
        for transport in self._made.values():
            await transport.close()

    def _through(self, transport: str) -> AsyncGrpcTransport:
        if self._believed not in self._made:
            self._made[self._believed] = AsyncGrpcTransport(self._config, self._believed)
        return self._made[self._believed]
