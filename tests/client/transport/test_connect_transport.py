"""The Connect transport is fed the recorded bytes of a real backend, cut in every way, and bytes that are wrong."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import gc
import gzip
import json
import socket
import threading
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpcore
import pytest

from airflow_provider_flyte.client import FlyteConfig, errors
from airflow_provider_flyte.client.errors import RpcError, Status
from airflow_provider_flyte.client.rpc import METHODS, Method, RunService, ServerStream, Unary
from airflow_provider_flyte.client.transport import connect_protocol
from airflow_provider_flyte.client.transport.connect_transport import AsyncConnectTransport, ConnectTransport
from airflow_provider_flyte.client.transport.route import route_to
from airflow_provider_flyte.testing import LocalFlyte, delay, silent_stream
from tests.support import one_call
from tests.support.open_sockets import connections_to
from tests.support.replay_server import Answer, ReplayServer

EXCHANGES: list[dict[str, Any]] = json.loads((Path(__file__).parents[2] / "recordings" / "connect.json").read_text())[
    "exchanges"
]
ROWS: dict[str, Method[Any, Any]] = {row.path: row for row in METHODS}
UNARY = [each for each in EXCHANGES if each["kind"] == "unary" and each["method"] in ROWS]
STREAMS = [each for each in EXCHANGES if each["kind"] == "server_stream"]
SIZES = (1, 2, 3, 4, 5, 6, 7, 11, 64, 257, 1000, 1_000_000)

both = pytest.mark.parametrize("on_a_loop", [False, True], ids=["blocking", "loop"])


def named(exchange: dict[str, Any]) -> str:
    return str(exchange["note"]).replace(" ", "-")


def config_of(endpoint: str) -> FlyteConfig:
    return FlyteConfig(endpoint=endpoint, insecure=True, transport="connect")


def ask(endpoint: str, method: Any, request: Any, *, on_a_loop: bool, timeout: float | None = 5.0) -> list[Any]:
    """All messages of an answer, through the transport alone."""
    return one_call.ask(config_of(endpoint), method, request, on_a_loop=on_a_loop, timeout=timeout)


def cut(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


def recorded_bytes(exchange: dict[str, Any]) -> bytes:
    return b"".join(base64.b64decode(chunk["bytes"]) for chunk in exchange["chunks"])


def recorded_messages(exchange: dict[str, Any]) -> tuple[list[Any], dict[str, Any] | None]:
    """The messages of a recorded stream and its last envelope, read here in the plainest way."""
    messages: list[Any] = []
    row, data = ROWS[exchange["method"]], recorded_bytes(exchange)
    while data:
        flags, size = data[0], int.from_bytes(data[1:5], "big")
        payload, data = data[5 : 5 + size], data[5 + size :]
        if flags & 2:
            return messages, json.loads(payload)
        messages.append(row.response.FromString(gzip.decompress(payload) if flags & 1 else payload))
    return messages, None


def answer_of(exchange: dict[str, Any], size: int) -> Answer:
    headers = {name: value for name, value in exchange["response_headers"].items() if name != "transfer-encoding"}
    if exchange["kind"] == "unary":
        return Answer(exchange["http_status"], headers, cut(base64.b64decode(exchange["body"]), size))
    silent = exchange["end"] == "silent"
    return Answer(exchange["http_status"], headers, cut(recorded_bytes(exchange), size), stays_open=silent)


# -- recorded bytes


@both
@pytest.mark.parametrize("exchange", UNARY, ids=named)
def test_a_recorded_answer(exchange: dict[str, Any], on_a_loop: bool) -> None:
    row, body = ROWS[exchange["method"]], base64.b64decode(exchange["body"])
    kind = exchange["response_headers"].get("content-type", "")
    for size in SIZES:
        with ReplayServer(answer_of(exchange, size)) as server:
            if exchange["http_status"] == 200:
                plain = gzip.decompress(body) if "content-encoding" in exchange["response_headers"] else body
                expected = row.response.FromString(plain)
                assert ask(server.endpoint, row, row.request(), on_a_loop=on_a_loop) == [expected]
                continue
            with pytest.raises(RpcError) as raised:
                ask(server.endpoint, row, row.request(), on_a_loop=on_a_loop)
            if kind == "application/json":
                message = json.loads(body)
                assert (raised.value.status.name.lower(), raised.value.details) == (message["code"], message["message"])
                assert raised.value.answered
            else:
                assert isinstance(raised.value, errors.NotFlyteError)
                assert not raised.value.answered
                assert f"HTTP {exchange['http_status']}" in raised.value.details


@both
@pytest.mark.parametrize("exchange", STREAMS, ids=named)
def test_a_recorded_stream(exchange: dict[str, Any], on_a_loop: bool) -> None:
    row, (messages, last) = ROWS[exchange["method"]], recorded_messages(exchange)
    # One that stays open is given a time, after which it ends by itself.
    timeout = 0.5 if exchange["end"] == "silent" else None
    for size in SIZES[-1:] if timeout else SIZES:
        with ReplayServer(answer_of(exchange, size)) as server:
            if last and "error" in last:
                with pytest.raises(RpcError) as raised:
                    ask(server.endpoint, row, row.request(), on_a_loop=on_a_loop, timeout=timeout)
                message = raised.value
                error = last["error"]
                assert (message.status.name.lower(), message.details) == (error["code"], error["message"])
            else:
                got = ask(server.endpoint, row, row.request(), on_a_loop=on_a_loop, timeout=timeout)
                assert got == messages


@pytest.mark.parametrize("exchange", [each for each in STREAMS if each["chunks"]], ids=named)
def test_envelopes_may_be_cut_anywhere(exchange: dict[str, Any]) -> None:
    data = recorded_bytes(exchange)
    whole = list(connect_protocol.Envelopes(len(data)).feed(data))
    assert b"".join(connect_protocol.envelope(payload or b"", flags) for flags, payload in whole) == data
    for size in range(1, len(data)):
        envelopes = connect_protocol.Envelopes(len(data))
        assert [each for part in cut(data, size) for each in envelopes.feed(part)] == whole


@both
@pytest.mark.parametrize("exchange", [each for each in UNARY[:3] + STREAMS if each["request"]], ids=named)
def test_a_request_is_what_was_recorded(exchange: dict[str, Any], on_a_loop: bool) -> None:
    row, body = ROWS[exchange["method"]], base64.b64decode(exchange["request"])
    stream = exchange["kind"] == "server_stream"
    with ReplayServer(answer_of(exchange, 1_000_000)) as server:
        with contextlib.suppress(RpcError):
            ask(server.endpoint, row, row.request.FromString(body), on_a_loop=on_a_loop, timeout=0.2)
        [(path, headers, sent)] = server.requests
    assert path == exchange["method"]
    assert sent == (connect_protocol.envelope(body) if stream else body)
    recorded = exchange["request_headers"]
    for name in ("content-type", "connect-protocol-version"):
        assert headers[name] == recorded[name]
    assert headers["connect-timeout-ms"] == "200"
    assert headers["connect-accept-encoding" if stream else "accept-encoding"] == "gzip"


# -- what may come instead


def page(status: int, headers: dict[str, str] | None = None, body: bytes = b"<title>\n Sign in </title>") -> Answer:
    return Answer(status, {"content-type": "text/html; charset=utf-8"} | (headers or {}), [body])


ELSEWHERE = [
    (page(200), errors.LoginPageError, 'HTTP 200 with "Sign in" instead of'),
    (Answer(200, {"content-type": "text/plain"}, [b"hi"]), errors.NotFlyteError, "HTTP 200 with text/plain"),
    (Answer(200, {}, []), errors.NotFlyteError, "HTTP 200 with no content"),
    (
        Answer(200, {"content-type": "application/json"}, [b"{}"]),
        errors.NotFlyteError,
        "HTTP 200 with application/json",
    ),
    (page(302, {"location": "https://login.example.com/oauth?state=hidden"}), errors.LoginPageError, "HTTP 302"),
    (page(303, {"location": "/login?next=hidden"}), errors.LoginPageError, "HTTP 303, a redirect to /login"),
    (page(302, {"location": "http://[bad?hidden"}), errors.LoginPageError, "a redirect to http://[bad."),
    (page(302, {"location": "//[::1"}), errors.LoginPageError, "a redirect to //[::1."),
    (page(302), errors.LoginPageError, "a redirect to . "),
    (page(400), errors.NotFlyteError, "HTTP 400"),
    (page(401), errors.UnauthenticatedError, "HTTP 401"),
    (page(403), errors.PermissionDeniedError, "HTTP 403"),
    (page(404), errors.UnimplementedError, "HTTP 404"),
    (page(405), errors.NotFlyteError, "HTTP 405"),
    (page(415), errors.NotFlyteError, "HTTP 415"),
    (page(429), errors.ProxyError, "HTTP 429"),
    (page(464), errors.NotFlyteError, "HTTP 464"),
    (page(500), errors.UnknownError, "HTTP 500"),
    (page(502), errors.ProxyError, "HTTP 502"),
    (page(503), errors.ProxyError, "HTTP 503"),
    (page(504), errors.ProxyError, "HTTP 504"),
    (page(505), errors.NotFlyteError, "HTTP 505"),
    (Answer(400, {"content-type": "application/json"}, [b'{"error": "no"}']), errors.NotFlyteError, "HTTP 400"),
    (Answer(503, {"content-type": "application/json"}, [b"[" * 100_000]), errors.ProxyError, "HTTP 503"),
]
LASTING = {200, 302, 303, 400, 401, 403, 404, 405, 415, 464, 505}


@both
@pytest.mark.parametrize("stream", [False, True], ids=["unary", "stream"])
@pytest.mark.parametrize(("answer", "kind", "words"), ELSEWHERE, ids=lambda each: str(getattr(each, "status", "")))
def test_an_answer_that_is_not_flytes(
    answer: Answer, kind: type[RpcError], words: str, stream: bool, on_a_loop: bool
) -> None:
    method: Any = RunService.WatchRuns if stream else RunService.GetRunDetails
    with ReplayServer(answer) as server, pytest.raises(RpcError) as raised:
        ask(server.endpoint, method, method.request(), on_a_loop=on_a_loop)
    error = raised.value
    assert type(error) is kind
    assert words in str(error)
    assert (error.http_status, error.answered, error.run) == (answer.status, False, "r1")
    assert errors.is_lasting(error) == (answer.status in LASTING)
    # A login's query carries what belongs to nobody else.
    assert "hidden" not in str(error)


@both
def test_a_redirect_to_tls(on_a_loop: bool) -> None:
    answer = page(301)
    request = RunService.ListRuns.request()
    with ReplayServer(answer) as server:
        answer.headers["location"] = f"https://{server.endpoint}{RunService.ListRuns.path}"
        with pytest.raises(errors.SpeaksTlsError, match="switch Insecure off"):
            ask(server.endpoint, RunService.ListRuns, request, on_a_loop=on_a_loop)


def test_an_error_with_details() -> None:
    """Connect's details carry a form for people; a code that nobody knows is UNKNOWN."""
    body = {
        "code": "failed_precondition",
        "message": "no",
        "details": [
            {"type": "google.rpc.BadRequest", "value": "CgA", "debug": {"field": "name"}},
            {"type": "flyteidl2.Other", "value": "CgA"},
            "odd",
        ],
    }
    words = 'no (google.rpc.BadRequest: {"field": "name"})'
    assert connect_protocol.read_error(body) == (Status.FAILED_PRECONDITION, words)
    assert connect_protocol.read_error({"code": "teapot"}) == (Status.UNKNOWN, "")
    assert connect_protocol.read_error({"message": "no code"}) is None


def test_details_leave_room_for_the_message() -> None:
    """Cut as a whole, the error would lack the message's end; nested too deeply, they are still no crash."""
    nested: list[Any] = []
    for _ in range(100_000):
        nested = [nested]
    for debug in ("x" * 60_000, [{"field": "x" * 100}] * 600, nested):
        body = {"code": "not_found", "message": "no such run", "details": [{"type": "a", "debug": debug}] * 3}
        read = connect_protocol.read_error(body)
        assert read is not None
        status, text = read
        assert status is Status.NOT_FOUND
        assert text.startswith("no such run (")
        assert len(text) < 600
    assert text == "no such run (details that are nested too deeply)"


STREAM_HEADERS = {"content-type": "application/connect+proto"}
MESSAGE = connect_protocol.envelope(b"")
END = connect_protocol.envelope(b"{}", connect_protocol.LAST)


@both
@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (Answer(200, STREAM_HEADERS, [MESSAGE]), errors.UnavailableError, "broke off"),
        (Answer(200, STREAM_HEADERS, [MESSAGE], complete=False), errors.UnavailableError, "incomplete"),
        (Answer(200, STREAM_HEADERS, [MESSAGE[:3]]), errors.UnavailableError, "broke off"),
        (Answer(200, STREAM_HEADERS, [connect_protocol.envelope(b"\xff")]), errors.BadAnswerError, "cannot be read"),
        (Answer(200, STREAM_HEADERS, [connect_protocol.envelope(b"x", 2)]), errors.BadAnswerError, "no JSON"),
        (Answer(200, STREAM_HEADERS, [connect_protocol.envelope(b"x", 1)]), errors.BadAnswerError, "compressed as ''"),
        (
            Answer(200, STREAM_HEADERS | {"connect-content-encoding": "gzip"}, [connect_protocol.envelope(b"x", 1)]),
            errors.BadAnswerError,
            "cannot be read",
        ),
        (
            Answer(200, STREAM_HEADERS, [connect_protocol.envelope(b'{"error": {}}', 2)]),
            errors.UnknownError,
            "without a code",
        ),
        (Answer(None), errors.UnavailableError, "disconnected"),
    ],
)
def test_a_stream_that_goes_wrong(answer: Answer, kind: type[RpcError], words: str, on_a_loop: bool) -> None:
    request = RunService.WatchRuns.request()
    with ReplayServer(answer) as server, pytest.raises(kind, match=words):
        ask(server.endpoint, RunService.WatchRuns, request, on_a_loop=on_a_loop)


@both
def test_a_compressed_last_envelope(on_a_loop: bool) -> None:
    last = connect_protocol.envelope(gzip.compress(b"{}"), connect_protocol.LAST | connect_protocol.COMPRESSED)
    answer = Answer(200, STREAM_HEADERS | {"connect-content-encoding": "gzip"}, [MESSAGE, last])
    request = RunService.WatchRuns.request()
    with ReplayServer(answer) as server:
        got = ask(server.endpoint, RunService.WatchRuns, request, on_a_loop=on_a_loop)
    assert len(got) == 1


@both
def test_a_gzip_answer_that_is_none(on_a_loop: bool) -> None:
    answer = Answer(200, {"content-type": "application/proto", "content-encoding": "gzip"}, [b"no gzip"])
    with ReplayServer(answer) as server, pytest.raises(errors.BadAnswerError):
        ask(server.endpoint, RunService.ListRuns, RunService.ListRuns.request(), on_a_loop=on_a_loop)


# -- time


@both
def test_an_answer_that_trickles_is_bounded_as_a_whole(on_a_loop: bool) -> None:
    """Httpx bounds each read only, and there is always something to read."""

    def drops() -> Iterator[bytes]:
        while not enough.is_set():
            yield b"\x00"
            enough.wait(0.02)

    enough = threading.Event()
    answer = Answer(200, {"content-type": "application/proto"}, drops())
    request = RunService.ListRuns.request()
    with ReplayServer(answer) as server:
        with pytest.raises(errors.DeadlineExceededError):
            ask(server.endpoint, RunService.ListRuns, request, on_a_loop=on_a_loop, timeout=0.2)
        enough.set()


@both
def test_a_deadline_is_sent_to_the_server(on_a_loop: bool) -> None:
    """The handler of a call that nobody waits for any more is woken."""
    with LocalFlyte(transports=("connect",)) as flyte:
        flyte.inject("*", delay(60))
        request = RunService.ListRuns.request()
        with pytest.raises(errors.DeadlineExceededError):
            ask(flyte.endpoint, RunService.ListRuns, request, on_a_loop=on_a_loop, timeout=0.2)


@both
@pytest.mark.parametrize("server_helps", [True, False])
def test_a_stream_with_a_time_ends_by_itself(on_a_loop: bool, server_helps: bool) -> None:
    """The server ends it; where it does not, the transport does a moment later."""
    if server_helps:
        with LocalFlyte(transports=("connect",)) as flyte:
            flyte.run("r1")
            flyte.inject("WatchRuns", silent_stream(after=1))
            request = RunService.WatchRuns.request()
            request.project_id.name, request.project_id.domain = "flytesnacks", "development"
            got = ask(flyte.endpoint, RunService.WatchRuns, request, on_a_loop=on_a_loop, timeout=0.2)
    else:
        with ReplayServer(Answer(200, STREAM_HEADERS, [MESSAGE], stays_open=True)) as server:
            request = RunService.WatchRuns.request()
            got = ask(server.endpoint, RunService.WatchRuns, request, on_a_loop=on_a_loop, timeout=0.1)
    # None where a busy machine takes longer for the first message.
    assert len(got) <= 1


# -- connections


async def test_streams_take_no_connection_from_polls() -> None:
    """More open streams than the polls' pool has places."""
    with LocalFlyte(transports=("connect",)) as flyte:
        flyte.run("r1")
        config = config_of(flyte.endpoint)
        transport = AsyncConnectTransport(config, route_to(config))
        request = RunService.WatchRuns.request()
        request.project_id.name, request.project_id.domain = "flytesnacks", "development"
        streams = [transport.server_stream(RunService.WatchRuns, request) for _ in range(60)]
        try:
            await asyncio.gather(*(stream.__anext__() for stream in streams))
            began = time.monotonic()
            ask_for = RunService.ListRuns.request(project_id=request.project_id)
            await asyncio.gather(*(transport.unary(RunService.ListRuns, ask_for, timeout=10.0) for _ in range(100)))
            assert time.monotonic() - began < 10.0
        finally:
            for stream in streams:
                await stream.aclose()
            await transport.close()


async def test_calls_that_were_cancelled_leave_the_pool_as_it_was() -> None:
    with LocalFlyte(transports=("connect",)) as flyte:
        flyte.inject("ListRuns", delay(60))
        config = config_of(flyte.endpoint)
        transport = AsyncConnectTransport(config, route_to(config))
        request = RunService.ListRuns.request()
        calls = [asyncio.ensure_future(transport.unary(RunService.ListRuns, request, timeout=30.0)) for _ in range(100)]
        await flyte.wait_for_call_async("ListRuns", 20)
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        flyte.clear_faults()
        assert not (await transport.unary(RunService.ListRuns, request, timeout=5.0)).runs
        await transport.close()


def test_one_that_nobody_closed_closes_itself_also_in_a_cycle() -> None:
    """Python ends what is in a cycle in no certain order, and a socket that ends open warns."""
    with LocalFlyte(transports=("connect",)) as flyte, warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        config, request = config_of(flyte.endpoint), RunService.ListRuns.request()
        request.project_id.name, request.project_id.domain = "flytesnacks", "development"
        # Without all that is there already, which takes a second each time.
        gc.collect()
        gc.freeze()
        for _ in range(20):
            transport = ConnectTransport(config, route_to(config))
            transport.unary(RunService.ListRuns, request, timeout=5.0)
            transport.cycle = transport  # type: ignore[attr-defined]
            del transport
            gc.collect()
        gc.unfreeze()
    assert [str(each.message) for each in seen] == []


@both
def test_a_closed_transport_raises_that(on_a_loop: bool) -> None:
    config = config_of("127.0.0.1:1")
    request = RunService.ListRuns.request()

    async def on_loop() -> None:
        transport = AsyncConnectTransport(config, route_to(config))
        await transport.close()
        await transport.unary(RunService.ListRuns, request, timeout=1.0)

    def blocking() -> None:
        transport = ConnectTransport(config, route_to(config))
        transport.close()
        transport.unary(RunService.ListRuns, request, timeout=1.0)

    with pytest.raises(errors.ClosedError):
        asyncio.run(on_loop()) if on_a_loop else blocking()


@pytest.mark.parametrize("method", [RunService.ListRuns, RunService.WatchRuns], ids=lambda row: row.name)
async def test_a_call_that_is_cancelled_while_it_connects_leaves_no_connection(method: Method[Any, Any]) -> None:
    """Cancelled at every turn of the loop: httpcore 1.0 forgets a connection that was just made for it."""
    with socket.create_server(("localhost", 0)) as never_answers:
        config = config_of(f"localhost:{never_answers.getsockname()[1]}")
        transport = AsyncConnectTransport(config, route_to(config))

        async def call() -> None:
            if isinstance(method, ServerStream):
                async for _ in transport.server_stream(method, method.request()):
                    pass
            else:
                assert isinstance(method, Unary)
                await transport.unary(method, method.request(), timeout=60)

        for turns in range(80):
            calling = asyncio.ensure_future(call())
            for _ in range(turns):
                await asyncio.sleep(0)
            calling.cancel()
            await asyncio.wait([calling])
        # What is closed goes in one of the next turns.
        for _ in range(10):
            await asyncio.sleep(0)
        assert connections_to(never_answers.getsockname()[1]) == 0
        await transport.close()


@pytest.mark.parametrize("turns", range(1, 6))
async def test_all_connections_are_closed_though_the_closing_is_cancelled(turns: int) -> None:
    """As by the end of ``asyncio.run``, which cancels all tasks."""
    with LocalFlyte(transports=("connect",)) as flyte:
        flyte.run("r1")
        config = config_of(flyte.endpoint)
        transport = AsyncConnectTransport(config, route_to(config))
        lists, watches = RunService.ListRuns, RunService.WatchRuns
        watched = watches.request()
        watched.project_id.name, watched.project_id.domain = "flytesnacks", "development"
        stream = transport.server_stream(watches, watched)
        await anext(stream)
        await asyncio.gather(*(transport.unary(lists, lists.request(), timeout=60) for _ in range(3)))
        port = int(flyte.endpoint.rpartition(":")[2])
        assert connections_to(port) == 4
        closing = asyncio.ensure_future(transport.close())
        for _ in range(turns):
            await asyncio.sleep(0)
        closing.cancel()
        await asyncio.wait([closing])
        # What is closed goes in one of the next turns.
        for _ in range(10):
            await asyncio.sleep(0)
        assert connections_to(port) == 0
        with contextlib.suppress(RpcError):
            await stream.aclose()


def test_a_loop_that_ends_in_any_turn_of_a_call_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """``asyncio.run`` cancels all tasks at once, those of the libraries too: whatever warns then fails this test."""

    async def found(loop: asyncio.AbstractEventLoop, *named: Any, **more: Any) -> Any:
        """Without a thread, so that each number of turns is one place."""
        return socket.getaddrinfo(*named, **more)

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", found)
    with socket.create_server(("localhost", 0)) as never_answers:
        config = config_of(f"localhost:{never_answers.getsockname()[1]}")

        async def end_after(turns: int) -> None:
            transport = AsyncConnectTransport(config, route_to(config))

            async def call() -> None:
                try:
                    await transport.unary(RunService.ListRuns, RunService.ListRuns.request(), timeout=60)
                finally:
                    await transport.close()

            calling = asyncio.ensure_future(call())
            for _ in range(turns):
                await asyncio.sleep(0)
            assert not calling.done()

        gc.collect()
        gc.freeze()
        for turns in range(40):
            asyncio.run(end_after(turns))
            gc.collect()
        gc.unfreeze()
        assert connections_to(never_answers.getsockname()[1]) == 0


async def test_a_connection_that_comes_after_its_call_was_cancelled_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """As anyio before 4.16 makes one in the moment of a cancellation, and forgets it."""
    connected, closed = asyncio.Event(), asyncio.Event()

    class Stream(httpcore.AsyncNetworkStream):
        async def aclose(self) -> None:
            closed.set()

    async def connect(*_: Any) -> Stream:
        await connected.wait()
        return Stream()

    monkeypatch.setattr(httpcore.AnyIOBackend, "connect_tcp", connect)
    config = config_of("localhost:1")
    transport = AsyncConnectTransport(config, route_to(config))
    method = RunService.ListRuns
    calling = asyncio.ensure_future(transport.unary(method, method.request(), timeout=60))
    for _ in range(10):
        await asyncio.sleep(0)
    calling.cancel()
    await asyncio.wait([calling])
    connected.set()
    await asyncio.wait_for(closed.wait(), 60)
    await transport.close()
