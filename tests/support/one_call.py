"""One call through a transport alone, without a client: no other try, no token, no discovery."""

from __future__ import annotations

import asyncio
from typing import Any

from airflow_provider_flyte.client import FlyteConfig
from airflow_provider_flyte.client.rpc import Method, ServerStream
from airflow_provider_flyte.client.transport.connect_transport import AsyncConnectTransport, ConnectTransport
from airflow_provider_flyte.client.transport.grpc_transport import AsyncGrpcTransport, GrpcTransport
from airflow_provider_flyte.client.transport.route import route_to

_TRANSPORTS: dict[str, tuple[Any, Any]] = {
    "connect": (ConnectTransport, AsyncConnectTransport),
    "grpc": (GrpcTransport, AsyncGrpcTransport),
}


def ask(
    config: FlyteConfig,
    method: Method[Any, Any],
    request: Any = None,
    *,
    on_a_loop: bool,
    timeout: float | None = 5.0,
) -> list[Any]:
    """All messages of an answer; of a stream until it ends."""
    blocking, asynchronous = _TRANSPORTS[config.transport]
    request = method.request() if request is None else request
    stream = isinstance(method, ServerStream)

    async def on_loop() -> list[Any]:
        transport = asynchronous(config, route_to(config))
        try:
            if stream:
                return [each async for each in transport.server_stream(method, request, timeout=timeout, run="r1")]
            return [await transport.unary(method, request, timeout=timeout or 5.0, run="r1")]
        finally:
            await transport.close()

    if on_a_loop:
        return asyncio.run(on_loop())
    transport = blocking(config, route_to(config))
    try:
        if stream:
            return list(transport.server_stream(method, request, timeout=timeout, run="r1"))
        return [transport.unary(method, request, timeout=timeout or 5.0, run="r1")]
    finally:
        transport.close()
