"""gRPC without a check of the server's certificate, which gRPC has no setting for.

The certificate that the server shows is fetched and trusted, for a name that stands in it. When calls fail it is
fetched again: another certificate leads to another channel. An expired one is refused all the same; Connect accepts it.
"""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from airflow_provider_flyte.client.config import FlyteConfig
from airflow_provider_flyte.client.errors import RpcError, Status
from airflow_provider_flyte.client.rpc import Method, Unary
from airflow_provider_flyte.client.transport import probe
from airflow_provider_flyte.client.transport.base import Metadata, close_all
from airflow_provider_flyte.client.transport.grpc_transport import AsyncGrpcTransport, GrpcTransport
from airflow_provider_flyte.client.transport.layer import AsyncLayer, BlockingLayer, Do, Layer, Send, Steps
from airflow_provider_flyte.client.transport.opened import OpenedTransports
from airflow_provider_flyte.client.transport.route import Route


class _Unverified(Layer):
    """What the blocking and the asyncio transport do alike."""

    def __init__(self, config: FlyteConfig, route: Route) -> None:
        self._config = config
        self._route = route
        self._fetching = threading.Lock()
        self._trusted = route
        self._is_stale = True

    def _steps(
        self, method: Method[Any, Any], request: Any, timeout: float | None, run: str | None, metadata: Metadata
    ) -> Steps:
        if self._is_stale:
            # In a thread: handshakes would hold the loop.
            yield Do(self._trust, lambda: asyncio.to_thread(self._trust))
        try:
            return (yield Send(metadata))
        except RpcError as error:
            # A stream ends for many reasons.
            if isinstance(method, Unary) and error.status is Status.UNAVAILABLE:
                self._is_stale = True
            raise

    def _trust(self) -> None:
        with self._fetching:
            if self._is_stale:
                self._trusted = probe.trusting(self._route)
                self._is_stale = False


class UnverifiedGrpcTransport(_Unverified, BlockingLayer):
    """Blocking calls."""

    def __init__(self, config: FlyteConfig, route: Route) -> None:
        super().__init__(config, route)
        self._opened: OpenedTransports[GrpcTransport] = OpenedTransports()

    def close(self) -> None:
        for transport in self._opened.to_close():
            transport.close()

    def _through(self, transport: str) -> GrpcTransport:
        trusted = self._trusted
        return self._opened.get(trusted, lambda: GrpcTransport(self._config, trusted), endpoint=self._config.endpoint)


class AsyncUnverifiedGrpcTransport(_Unverified, AsyncLayer):
    """Calls on one event loop."""

    def __init__(self, config: FlyteConfig, route: Route) -> None:
        super().__init__(config, route)
        self._opened: OpenedTransports[AsyncGrpcTransport] = OpenedTransports()

    async def close(self) -> None:
        await close_all(transport.close for transport in self._opened.to_close())

    def _through(self, transport: str) -> AsyncGrpcTransport:
        trusted = self._trusted
        return self._opened.get(
            trusted, lambda: AsyncGrpcTransport(self._config, trusted), endpoint=self._config.endpoint
        )
