"""A client may be closed while calls are under way in other threads, or wait: they open nothing after it."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from airflow_provider_flyte.client import FlyteConfig
from airflow_provider_flyte.client.errors import ClosedError
from airflow_provider_flyte.client.rpc import ProjectService
from airflow_provider_flyte.client.transport.opened import OpenedTransports
from airflow_provider_flyte.client.transport.route import route_to
from airflow_provider_flyte.client.transport.unverified_grpc import (
    AsyncUnverifiedGrpcTransport,
    UnverifiedGrpcTransport,
)

METHOD = ProjectService.ListProjects


def test_after_the_closing_none_is_made() -> None:
    opened: OpenedTransports[object] = OpenedTransports()
    first = opened.get("grpc", object, endpoint="flyte:443")
    assert opened.to_close() == [first]
    assert opened.get("grpc", object, endpoint="flyte:443") is first
    with pytest.raises(ClosedError) as refused:
        opened.get("connect", object, endpoint="flyte:443", method="RunService/ListRuns", run="r1")
    error = refused.value
    assert (error.method, error.run, error.endpoint) == ("RunService/ListRuns", "r1", "flyte:443")
    assert opened.to_close() == [first]


def test_one_that_is_being_made_is_closed_too() -> None:
    opened: OpenedTransports[object] = OpenedTransports()
    begun, made = threading.Event(), object()

    def make() -> object:
        begun.set()
        assert closing.wait(30)
        return made

    closing = threading.Event()
    with ThreadPoolExecutor() as threads:
        call = threads.submit(opened.get, "grpc", make, endpoint="flyte:443")
        assert begun.wait(30)
        to_close = threads.submit(opened.to_close)
        closing.set()
        assert to_close.result(30) == [made]
        assert call.result(30) is made


@pytest.fixture
def silent() -> Iterator[socket.socket]:
    """Where a certificate is read from, which never comes."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


@pytest.fixture
def config(silent: socket.socket) -> FlyteConfig:
    return FlyteConfig(f"127.0.0.1:{silent.getsockname()[1]}", verify=False, transport="grpc")


def test_a_certificate_that_comes_after_the_closing(silent: socket.socket, config: FlyteConfig) -> None:
    with ThreadPoolExecutor() as threads:
        transport = UnverifiedGrpcTransport(config, route_to(config))
        call = threads.submit(transport.unary, METHOD, METHOD.request(), timeout=5)
        connection, _ = silent.accept()
        with connection:
            transport.close()
        with pytest.raises(ClosedError, match="the client was closed"):
            call.result(30)


async def test_a_certificate_that_comes_after_the_closing_on_a_loop(silent: socket.socket, config: FlyteConfig) -> None:
    transport = AsyncUnverifiedGrpcTransport(config, route_to(config))
    call = asyncio.ensure_future(transport.unary(METHOD, METHOD.request(), timeout=5))
    connection, _ = await asyncio.to_thread(silent.accept)
    with connection:
        await transport.close()
    with pytest.raises(ClosedError, match="the client was closed"):
        await call
