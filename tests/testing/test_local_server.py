"""Opening, closing, ports and threads."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import socket
import threading
import warnings
from typing import Any

import grpc
import pytest

from airflow_provider_flyte.client.phase import RunPhase
from airflow_provider_flyte.testing import LocalFlyte
from tests.testing.conftest import RawClient


def test_two_servers_never_share_a_port(flyte: LocalFlyte, capfd: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):  # a failed start can be tried again
        with pytest.raises(OSError, match=rf"cannot listen on 127\.0\.0\.1:{flyte.port}: Address already in use"):
            LocalFlyte(flyte.port).start()
    assert capfd.readouterr().err == ""


def test_a_port_that_grpc_itself_finds_taken(flyte: LocalFlyte, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.socket.bind", lambda *_: None)  # as if it were free when looked at
    with pytest.raises(OSError, match=rf"cannot listen on 127\.0\.0\.1:{flyte.port}"):
        LocalFlyte(flyte.port).start()


def test_each_server_takes_a_free_port_of_its_own(flyte: LocalFlyte) -> None:
    with LocalFlyte() as other:
        assert other.port != flyte.port
        assert other.endpoint == f"localhost:{other.port}"


@pytest.mark.parametrize("port", [-1, 65536])
def test_a_port_that_is_none(port: int) -> None:
    with pytest.raises(ValueError, match="a port is a number from 0 to 65535"):
        LocalFlyte(port)


def test_a_stop_hangs_up_on_everybody(flyte: LocalFlyte, client: Any) -> None:
    flyte.run("r1")
    streams = [client.watch_runs(), client.watch_action("r1")]
    for stream in streams:
        next(stream)
    flyte.stop()
    for stream in streams:
        with pytest.raises(grpc.RpcError) as cut:
            next(stream)
        assert cut.value.code() == grpc.StatusCode.UNAVAILABLE
    with pytest.raises(grpc.RpcError) as gone:
        client.details("r1")
    assert gone.value.code() == grpc.StatusCode.UNAVAILABLE


def test_an_outage_keeps_port_and_state_and_scripts_go_on(flyte: LocalFlyte, eventually: Any) -> None:
    port = flyte.port
    flyte.stop()
    flyte.stop()
    run = flyte.run("r1").phases("RUNNING", "SUCCEEDED", every=0.01)
    assert run.phase == RunPhase.RUNNING
    flyte.start().start()
    assert flyte.port == port
    eventually(lambda: run.phase == RunPhase.SUCCEEDED)
    with grpc.insecure_channel(flyte.endpoint) as channel:
        assert RawClient(channel).details("r1").action.status.phase == RunPhase.SUCCEEDED


def test_no_thread_is_left() -> None:
    before = set(threading.enumerate())
    with LocalFlyte() as flyte, grpc.insecure_channel(flyte.endpoint) as channel:
        flyte.run("r1").phases("QUEUED", "RUNNING", every=60)
        next(RawClient(channel).watch_runs())
        assert len([t for t in threading.enumerate() if t.name.startswith("local-flyte")]) >= 2
    assert not [t for t in set(threading.enumerate()) - before if t.name.startswith("local-flyte")]


def test_async_with() -> None:
    async def main() -> None:
        async with LocalFlyte() as flyte, grpc.aio.insecure_channel(flyte.endpoint) as channel:
            flyte.run("r1").phases("SUCCEEDED")
            call: Any = channel.unary_unary("/flyteidl2.project.ProjectService/ListProjects", None, None)
            assert await call(b"", timeout=5)

    asyncio.run(main())


def test_tls(certificate: tuple[bytes, bytes]) -> None:
    with LocalFlyte(tls=certificate) as flyte:
        flyte.run("r1")
        with grpc.secure_channel(flyte.endpoint, grpc.ssl_channel_credentials(certificate[0])) as channel:
            assert RawClient(channel).details("r1")
        with grpc.insecure_channel(flyte.endpoint) as channel, pytest.raises(grpc.RpcError):
            RawClient(channel).details("r1")


def test_connections_that_come_while_the_connect_transport_closes_are_given_back() -> None:
    """Asyncio drops them with their sockets open where its server is closed first."""
    over = threading.Event()
    flyte = LocalFlyte(transports=("connect",)).start()

    def connect() -> None:
        while not over.is_set():
            with contextlib.suppress(OSError):
                # From another address: a client may meet itself on a port where nobody listens.
                socket.create_connection(("127.0.0.1", flyte.port), 1, ("127.0.0.2", 0)).close()

    threads = [threading.Thread(target=connect) for _ in range(4)]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for thread in threads:
            thread.start()
        for _ in range(20):
            flyte.stop()
            flyte.start()
        over.set()
        for thread in threads:
            thread.join()
        flyte.stop()
        gc.collect()
    assert [str(one.message) for one in caught if f", {flyte.port})," in str(one.message)] == []
