"""Which transport is taken: found once, remembered, looked for again, and explained where none leads to Flyte."""

from __future__ import annotations

import asyncio
import logging
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import aclosing, closing, contextmanager
from typing import Any

import pytest

from airflow_provider_flyte.client import FlyteClient, FlyteConfig, RunDetails, errors
from airflow_provider_flyte.client.config import AUTO, CONNECT, GRPC
from airflow_provider_flyte.client.errors import RpcError
from airflow_provider_flyte.client.flows.calls import Call, run_identifier
from airflow_provider_flyte.client.rpc import RunService
from airflow_provider_flyte.client.transport import discovery, selector
from airflow_provider_flyte.client.transport.retry import RetryPolicy
from airflow_provider_flyte.testing import LocalFlyte, lost_answer, status, unavailable
from tests.client.conftest import config_for
from tests.support.clock import Clock
from tests.support.http2_server import http2_server
from tests.support.replay_server import Answer, ReplayServer

both = pytest.mark.parametrize("on_a_loop", [False, True], ids=["blocking", "loop"])
QUESTION = "RunService/GetActionDetails"
"""What a look asks."""


def read(config: FlyteConfig, *, on_a_loop: bool, times: int = 1, clock: Callable[[], float] = time.monotonic) -> str:
    """Read r1 with a client of its own."""
    retry = RetryPolicy(config.retry_budget, clock=clock)

    async def on_loop() -> str:
        async with FlyteClient(config, retry=retry):
            for _ in range(times):
                details = await RunDetails.get.aio("r1")
            return details.name

    if on_a_loop:
        return asyncio.run(on_loop())
    with FlyteClient(config, retry=retry):
        for _ in range(times):
            details = RunDetails.get("r1")
        return details.name


def auto(flyte: LocalFlyte, **changed: Any) -> FlyteConfig:
    return config_for(flyte, **{"transport": AUTO, "retry_budget": 0.01} | changed)


def protocol_of(config: FlyteConfig) -> str | None:
    return discovery.endpoint_of(config).transport


@pytest.fixture
def message(caplog: pytest.LogCaptureFixture) -> Iterator[list[str]]:
    lines: list[str] = []

    class Lines(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(record.getMessage())

    handler = Lines()
    selector.log.addHandler(handler)
    with caplog.at_level(logging.INFO, selector.log.name):
        yield lines
    selector.log.removeHandler(handler)


@both
def test_auto_finds_the_transport_once_a_process_and_logs_it_once(
    local_flyte: LocalFlyte, protocol: str, message: list[str], on_a_loop: bool
) -> None:
    local_flyte.run("r1")
    config = auto(local_flyte)
    for _ in range(2):
        assert read(config, on_a_loop=on_a_loop, times=2) == "r1"
    assert protocol_of(config) == protocol
    [line] = message
    assert line.startswith(
        f"Flyte at {local_flyte.endpoint} is reached through {'gRPC' if protocol == GRPC else 'Connect'}"
    )
    # Where gRPC works it costs nothing at all, else one poll.
    assert local_flyte.calls.count(QUESTION) == (0 if protocol == GRPC else 1)
    assert local_flyte.calls.count("GetRunDetails") == 4


@both
def test_finding_out_costs_one_poll_when_grpc_gives_an_answer_that_a_proxy_might_give(on_a_loop: bool) -> None:
    with LocalFlyte() as flyte:
        flyte.inject("GetRunDetails", status("PERMISSION_DENIED", "not for you"))
        config = auto(flyte)
        with pytest.raises(errors.PermissionDeniedError, match="not for you"):
            read(config, on_a_loop=on_a_loop)
        assert [call.method for call in flyte.calls()] == ["RunService/GetRunDetails", QUESTION]
        assert protocol_of(config) == GRPC


@both
def test_an_answer_that_both_transports_give_is_flytes(on_a_loop: bool) -> None:
    """Refused credentials: gRPC cannot tell them from a proxy's 401."""
    with LocalFlyte() as flyte, LocalFlyte(transports=("connect",)) as other:
        for each in (flyte, other):
            each.inject("*", status("UNAUTHENTICATED", "who are you"))
        with Mux(flyte.port, other.port) as mux:
            config = auto(flyte, endpoint=mux.endpoint)
            with pytest.raises(errors.UnauthenticatedError, match="who are you"):
                read(config, on_a_loop=on_a_loop)
        assert protocol_of(config) == GRPC


@both
def test_an_outage_at_first_decides_nothing(local_flyte: LocalFlyte, protocol: str, on_a_loop: bool) -> None:
    local_flyte.run("r1")
    local_flyte.inject("*", unavailable("not now"))
    config, clock = auto(local_flyte), Clock()
    with pytest.raises(errors.UnavailableError, match="not now") as raised:
        read(config, on_a_loop=on_a_loop, clock=clock)
    assert not errors.is_lasting(raised.value)
    assert protocol_of(config) is None
    local_flyte.clear_faults()
    clock.now += discovery.Pause.UNKNOWN[0]
    assert read(config, on_a_loop=on_a_loop, clock=clock) == "r1"
    assert protocol_of(config) == protocol


@both
def test_auto_discovers_again_when_the_transport_is_another(message: list[str], on_a_loop: bool) -> None:
    """The ingress was changed under a process that goes on."""
    first = LocalFlyte().start()
    first.run("r1")
    config = auto(first, retry_budget=10.0)

    async def through_the_change() -> None:
        async with FlyteClient(config) as client:

            async def ask() -> str:
                if on_a_loop:
                    return (await RunDetails.get.aio("r1")).name
                return (await asyncio.to_thread(RunDetails.get, "r1", client)).name

            assert await ask() == "r1"
            await asyncio.to_thread(first.stop)
            async with LocalFlyte(first.port, transports=("connect",)) as second:
                second.run("r1")
                assert await ask() == "r1"
                assert protocol_of(config) == CONNECT
            async with LocalFlyte(first.port) as third:
                third.run("r1")
                assert await ask() == "r1"
                assert protocol_of(config) == GRPC

    asyncio.run(through_the_change())
    assert [re.search(r"through (\w+)", line)[1] for line in message] == ["gRPC", "Connect", "gRPC"]  # type: ignore[index]


async def test_calls_that_begin_together_find_out_together() -> None:
    """One of them finds the transport while another is still on its way through the wrong one."""
    with LocalFlyte(transports=("connect",)) as flyte:
        for number in range(20):
            flyte.run(f"r{number}")
        config = auto(flyte)
        request = RunService.WatchRuns.request()
        request.project_id.name, request.project_id.domain = "flytesnacks", "development"
        async with FlyteClient(config) as client:

            async def stream() -> str:
                await anext(client.async_transport().server_stream(RunService.WatchRuns, request, timeout=5))
                return "stream"

            async def read_one(number: int) -> str:
                await asyncio.sleep(0.002 * number)
                call = Call(RunService.GetRunDetails, RunService.GetRunDetails.request(), lambda response: response)
                call.request.run_id.name = f"r{number}"
                call.request.run_id.project, call.request.run_id.domain = "flytesnacks", "development"
                await client.aexecute(call, retry_for=0)
                return "read"

            told = await asyncio.gather(stream(), *map(read_one, range(20)))
        assert told == ["stream"] + ["read"] * 20


@both
def test_a_write_is_never_what_tries_a_transport(local_flyte: LocalFlyte, protocol: str, on_a_loop: bool) -> None:
    """It might be done although its answer is lost: behind an HTTP/1.1 hop gRPC's trailers never arrive."""
    config = auto(local_flyte)
    local_flyte.run("r1")
    run_id = run_identifier(config.key("r1"), "")
    call = Call(RunService.AbortRun, RunService.AbortRun.request(run_id=run_id), lambda response: response)

    async def on_loop() -> None:
        async with FlyteClient(config) as client:
            await client.aexecute(call)

    def blocking() -> None:
        with FlyteClient(config) as client:
            client.execute(call)

    local_flyte.inject("AbortRun", lost_answer("INTERNAL", "lost", times=1))
    with pytest.raises(RpcError):
        asyncio.run(on_loop()) if on_a_loop else blocking()
    assert [each.method for each in local_flyte.calls()] == [QUESTION, "RunService/AbortRun"]
    assert protocol_of(config) == protocol


@both
def test_a_stream_is_never_what_tries_a_transport(local_flyte: LocalFlyte, protocol: str, on_a_loop: bool) -> None:
    """A quiet one sends nothing, not even headers."""
    local_flyte.run("r1")
    config = auto(local_flyte)
    request = RunService.WatchRuns.request()
    request.project_id.name, request.project_id.domain = "flytesnacks", "development"

    async def on_loop() -> str:
        async with FlyteClient(config) as client:
            stream = client.async_transport().server_stream(RunService.WatchRuns, request, timeout=20)
            async with aclosing(stream):
                return (await anext(stream)).runs[0].action.id.run.name

    def blocking() -> str:
        with FlyteClient(config) as client:
            stream = client.transport().server_stream(RunService.WatchRuns, request, timeout=20)
            with closing(stream):
                return next(stream).runs[0].action.id.run.name

    assert (asyncio.run(on_loop()) if on_a_loop else blocking()) == "r1"
    assert [each.method for each in local_flyte.calls()] == [QUESTION, "RunService/WatchRuns"]
    assert protocol_of(config) == protocol


@both
@pytest.mark.parametrize(("transport", "kind"), [(GRPC, errors.NoGrpcError), (CONNECT, errors.NoConnectError)])
def test_a_transport_that_does_not_pass_is_distinguished_from_an_outage(
    transport: str, kind: type[RpcError], on_a_loop: bool
) -> None:
    with (
        LocalFlyte(transports=(CONNECT if transport == GRPC else GRPC,)) as flyte,
        pytest.raises(kind, match="set Transport to auto") as raised,
    ):
        read(auto(flyte, transport=transport, retry_budget=30.0), on_a_loop=on_a_loop)
    assert errors.is_lasting(raised.value)


@both
@pytest.mark.parametrize("transport", [AUTO, GRPC, CONNECT])
def test_what_is_no_flyte_is_lasting(transport: str, on_a_loop: bool) -> None:
    answer = Answer(200, {"content-type": "text/html"}, [b"<title>Sign in</title>"])
    with ReplayServer(answer) as server:
        config = FlyteConfig(
            endpoint=server.endpoint, insecure=True, project="p", domain="d", transport=transport, retry_budget=30.0
        )
        with pytest.raises(errors.LoginPageError, match="A login page answered instead of Flyte") as raised:
            read(config, on_a_loop=on_a_loop)
    assert (raised.value.method, raised.value.run) == ("RunService/GetRunDetails", "r1")
    assert 'HTTP 200 with "Sign in"' in str(raised.value)
    assert errors.is_lasting(raised.value)


@both
@pytest.mark.parametrize("transport", [AUTO, CONNECT])
def test_where_flyte_was_reached_a_proxys_page_is_an_outage(transport: str, on_a_loop: bool) -> None:
    """An ingress answers 404 while what is behind it is deployed anew."""
    flyte = LocalFlyte(transports=("connect",)).start()
    flyte.run("r1")
    config = auto(flyte, transport=transport)
    assert read(config, on_a_loop=on_a_loop) == "r1"
    flyte.stop()
    answer = Answer(404, {"content-type": "text/plain"}, [b"default backend - 404"])
    with ReplayServer(answer, flyte.port) as proxy:
        for _ in range(2):  # a look, and what is known of it a moment later
            with pytest.raises(errors.NotFlyteError) as raised:
                read(config, on_a_loop=on_a_loop)
            assert not errors.is_lasting(raised.value)
        assert proxy.requests
    flyte.start()
    assert read(config, on_a_loop=on_a_loop) == "r1"
    flyte.stop()


PAGE = Answer(404, {"content-type": "text/plain"}, [b"default backend - 404"])
NOT_FOUND = Answer(404, {"content-type": "application/json"}, [b'{"code": "not_found", "message": "no such run"}'])
"""Flyte's own."""


@contextmanager
def changing(protocol: str) -> Iterator[tuple[str, Callable[[bool], None]]]:
    """Something that answers as Flyte does, or always with a proxy's page; gives its endpoint and the switch."""
    if protocol == GRPC:
        with http2_server() as server:

            def change(page: bool) -> None:
                server.page = 404 if page else None

            yield server.endpoint, change
        return
    with ReplayServer(NOT_FOUND) as replay:

        def change_answer(page: bool) -> None:
            replay.answer = PAGE if page else NOT_FOUND

        yield replay.endpoint, change_answer


def settings_for(endpoint: str, transport: str) -> FlyteConfig:
    return FlyteConfig(
        endpoint=endpoint, insecure=True, project="p", domain="d", transport=transport, retry_budget=0.01
    )


@both
@pytest.mark.parametrize(("protocol", "transport"), [(GRPC, AUTO), (GRPC, GRPC), (CONNECT, AUTO), (CONNECT, CONNECT)])
def test_a_page_is_an_outage_though_no_discovery_is_due(protocol: str, transport: str, on_a_loop: bool) -> None:
    clock = Clock()
    with changing(protocol) as (endpoint, answers_with_a_page):
        config = settings_for(endpoint, transport)

        def ask(kind: type[RpcError]) -> RpcError:
            with pytest.raises(kind) as raised:
                read(config, on_a_loop=on_a_loop, clock=clock)
            assert type(raised.value) is kind
            return raised.value

        ask(errors.NotFoundError)
        # A look, which puts the next one off.
        answers_with_a_page(True)
        assert not errors.is_lasting(ask(errors.NotFlyteError))
        answers_with_a_page(False)
        ask(errors.NotFoundError)
        answers_with_a_page(True)
        error = ask(errors.NotFlyteError)
        assert errors.is_transient(error)
        assert (error.method, error.run, error.http_status) == ("RunService/GetRunDetails", "r1", 404)
        with pytest.raises(errors.NotFlyteError) as raised:
            open_stream(config, on_a_loop=on_a_loop, clock=clock)
        assert errors.is_transient(raised.value)


def open_stream(config: FlyteConfig, *, on_a_loop: bool, clock: Clock) -> None:
    """Open a stream, and await its first message."""
    retry = RetryPolicy(config.retry_budget, clock=clock)
    request = RunService.WatchRuns.request()
    request.project_id.name, request.project_id.domain = config.project, config.domain

    async def on_loop() -> None:
        async with FlyteClient(config, retry=retry) as client:
            await anext(client.async_transport().server_stream(RunService.WatchRuns, request, timeout=20))

    if on_a_loop:
        return asyncio.run(on_loop())
    with FlyteClient(config, retry=retry) as client:
        next(client.transport().server_stream(RunService.WatchRuns, request, timeout=20))
    return None


@both
@pytest.mark.parametrize("transport", [AUTO, CONNECT])
def test_a_method_that_a_proxy_keeps_back_is_none_as_long_as_it_does(transport: str, on_a_loop: bool) -> None:
    clock = Clock()
    with ReplayServer(NOT_FOUND) as server:
        config = settings_for(server.endpoint, transport)

        def discoveries() -> int:
            return sum(path.endswith("/GetActionDetails") for path, _, _ in server.requests)

        def ask(kind: type[RpcError]) -> RpcError:
            with pytest.raises(kind) as raised:
                read(config, on_a_loop=on_a_loop, clock=clock)
            return raised.value

        ask(errors.NotFoundError)
        server.answers = {"GetRunDetails": PAGE, "WatchRuns": PAGE}
        assert errors.is_lasting(ask(errors.UnimplementedError))
        discovered = discoveries()
        assert errors.is_lasting(ask(errors.UnimplementedError))
        assert discoveries() == discovered
        clock.now += discovery.Pause.KNOWN[0]
        with pytest.raises(errors.UnimplementedError) as raised:
            open_stream(config, on_a_loop=on_a_loop, clock=clock)
        assert errors.is_lasting(raised.value)
        server.answers = {}
        ask(errors.NotFoundError)
        server.answer = PAGE
        assert not errors.is_lasting(ask(errors.NotFlyteError))


@both
def test_an_outage_is_not_made_worse_by_looking(local_flyte: LocalFlyte, on_a_loop: bool) -> None:
    local_flyte.run("r1")
    config, clock = auto(local_flyte), Clock()
    read(config, on_a_loop=on_a_loop, clock=clock)
    local_flyte.inject("*", unavailable())
    before = local_flyte.calls.count(QUESTION)
    for _ in range(20):
        with pytest.raises(errors.UnavailableError):
            read(config, on_a_loop=on_a_loop, clock=clock)
    assert local_flyte.calls.count(QUESTION) - before <= 1


class Mux:
    """One port for both protocols, as a real backend has it: the first bytes tell which one it is."""

    def __init__(self, grpc: int, connect: int) -> None:
        self._targets = {True: grpc, False: connect}
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self.endpoint = f"127.0.0.1:{self._listening.getsockname()[1]}"

    def __enter__(self) -> Mux:
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        for each in [self._listening, *self._open]:
            each.close()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            first = client.recv(65536)
            server = socket.create_connection(("127.0.0.1", self._targets[first.startswith(b"PRI ")]))
            server.sendall(first)
            self._open += [client, server]
            for source, target in ((client, server), (server, client)):
                threading.Thread(target=self._pump, args=(source, target), daemon=True).start()

    @staticmethod
    def _pump(source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass
