"""A channel of gRPC's without calls is given up, also one that does not get through."""

from __future__ import annotations

import asyncio
import threading
from contextlib import closing, suppress

import grpc
import pytest

from airflow_provider_flyte.client.errors import UnavailableError
from airflow_provider_flyte.client.rpc import ProjectService
from airflow_provider_flyte.client.transport import grpc_transport
from airflow_provider_flyte.client.transport.grpc_transport import AsyncGrpcTransport, GrpcTransport
from airflow_provider_flyte.client.transport.route import route_to
from airflow_provider_flyte.testing import LocalFlyte
from tests.client.conftest import config_for

METHOD = ProjectService.ListProjects
IDLE = grpc.ChannelConnectivity.IDLE
PATIENCE = 30.0


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    # The shortest that gRPC takes.
    monkeypatch.setattr(grpc_transport, "IDLE", 1.0)


def test_a_channel_without_calls_is_given_up(local_flyte: LocalFlyte) -> None:
    """At a server that speaks gRPC, and at one that does not."""
    config = config_for(local_flyte, transport="grpc")
    is_idle = threading.Event()

    def note(state: grpc.ChannelConnectivity) -> None:
        if state is IDLE:
            is_idle.set()

    with closing(GrpcTransport(config, route_to(config))) as transport:
        with suppress(UnavailableError):
            transport.unary(METHOD, METHOD.request(), timeout=5)
        transport._channel.subscribe(note)
        assert is_idle.wait(PATIENCE)


async def test_on_a_loop(local_flyte: LocalFlyte) -> None:
    config = config_for(local_flyte, transport="grpc")
    transport = AsyncGrpcTransport(config, route_to(config))
    with suppress(UnavailableError):
        await transport.unary(METHOD, METHOD.request(), timeout=5)

    async def until_idle() -> None:
        while (state := transport._channel.get_state()) is not IDLE:
            await transport._channel.wait_for_state_change(state)

    try:
        await asyncio.wait_for(until_idle(), PATIENCE)
    finally:
        await transport.close()
