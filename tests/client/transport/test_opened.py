"""A client may be closed while calls are under way in other threads, or wait: they open nothing after it."""

from __future__ import annotations

import asyncio
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType

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
    opened: OpenedTransports[object] = OpenedTransports("flyte:443")
    first = opened.get("grpc", object)
    assert opened.to_close() == [first]
    assert opened.get("grpc", object) is first
    with pytest.raises(ClosedError) as refused:
        opened.get("connect", object, method="RunService/ListRuns", run="r1")
    error = refused.value
    assert (error.method, error.run, error.endpoint) == ("RunService/ListRuns", "r1", "flyte:443")
    assert opened.to_close() == [first]


def test_one_that_is_being_made_is_closed_too() -> None:
    opened: OpenedTransports[object] = OpenedTransports("flyte:443")
    begun, made = threading.Event(), object()

    def make() -> object:
        begun.set()
        assert closing.wait(30)
        return made

    closing = threading.Event()
    with ThreadPoolExecutor() as threads:
        call = threads.submit(opened.get, "grpc", make)
        assert begun.wait(30)
        to_close = threads.submit(opened.to_close)
        closing.set()
        assert to_close.result(30) == [made]
        assert call.result(30) is made


class Silent:
    """A port whose first connection waits for a handshake until :meth:`hang_up`."""

    def __enter__(self) -> Silent:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        return self

    def accept(self) -> None:
        self._accepted, _ = self._listening.accept()

    def hang_up(self) -> None:
        self._listening.close()
        self._accepted.close()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listening.close()


def config_of(silent: Silent) -> FlyteConfig:
    return FlyteConfig(f"127.0.0.1:{silent.port}", verify=False, transport="grpc")


def test_a_certificate_that_comes_after_the_closing() -> None:
    with Silent() as silent, ThreadPoolExecutor() as threads:
        config = config_of(silent)
        transport = UnverifiedGrpcTransport(config, route_to(config))
        call = threads.submit(transport.unary, METHOD, METHOD.request(), timeout=30)
        silent.accept()
        transport.close()
        silent.hang_up()
        with pytest.raises(ClosedError, match="the client was closed"):
            call.result(30)


async def test_a_certificate_that_comes_after_the_closing_on_a_loop() -> None:
    with Silent() as silent:
        config = config_of(silent)
        transport = AsyncUnverifiedGrpcTransport(config, route_to(config))
        call = asyncio.ensure_future(transport.unary(METHOD, METHOD.request(), timeout=30))
        await asyncio.to_thread(silent.accept)
        await transport.close()
        silent.hang_up()
        with pytest.raises(ClosedError, match="the client was closed"):
            await call
