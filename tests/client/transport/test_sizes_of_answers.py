"""What is read of an answer is bounded, measured after it is unpacked, on both transports and for token servers."""

from __future__ import annotations

import json
import tracemalloc
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from airflow_provider_flyte.client import FlyteConfig, errors
from airflow_provider_flyte.client.auth.oauth2 import TokenServer
from airflow_provider_flyte.client.credentials import ClientCredentials, Secret
from airflow_provider_flyte.client.errors import Status
from airflow_provider_flyte.client.flows.calls import NEWEST, get_action_data, get_run_details, run_identifier
from airflow_provider_flyte.client.idl.common import identifier_pb2
from airflow_provider_flyte.client.idl.dataproxy import dataproxy_service_pb2
from airflow_provider_flyte.client.idl.logs.dataplane import payload_pb2
from airflow_provider_flyte.client.idl.workflow import run_definition_pb2
from airflow_provider_flyte.client.rpc import DataProxyService, RunService, ServerStream, TaskService
from airflow_provider_flyte.client.timeline import timeline
from airflow_provider_flyte.client.transport import answers, connect_protocol, grpc_transport
from airflow_provider_flyte.testing import LocalFlyte
from tests.client.conftest import config_for
from tests.support.http2_server import http2_server
from tests.support.one_call import ask
from tests.support.replay_server import Answer, ReplayServer

both = pytest.mark.parametrize("on_a_loop", [False, True], ids=["blocking", "loop"])
either = pytest.mark.parametrize("method", [RunService.ListRuns, RunService.WatchRuns], ids=["unary", "stream"])


def packed(first: bytes, megabytes: int) -> bytes:
    """The text, and then so many megabytes of spaces: a thousandth of that in gzip."""
    packing = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    parts = [packing.compress(first), *(packing.compress(b" " * (1 << 20)) for _ in range(megabytes))]
    return b"".join([*parts, packing.flush()])


BOMB = packed(b"<title>too much</title>", 150)
"""149 kB."""


@contextmanager
def at_most(size: int) -> Iterator[None]:
    """A context in which this process takes no more than so many bytes at any time."""
    tracemalloc.start()
    try:
        yield
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < size


def config_of(server: ReplayServer) -> FlyteConfig:
    return FlyteConfig(endpoint=server.endpoint, insecure=True, transport="connect")


@both
@either
@pytest.mark.parametrize("said", [True, False], ids=["as HTTP says", "unsaid"])
def test_a_packed_page(said: bool, method: Any, on_a_loop: bool) -> None:
    headers = {"content-type": "text/html"} | ({"content-encoding": "gzip"} if said else {})
    with (
        ReplayServer(Answer(502, headers, [BOMB])) as server,
        at_most(16 << 20),
        pytest.raises(errors.ProxyError, match='HTTP 502 with "too much"'),
    ):
        ask(config_of(server), method, on_a_loop=on_a_loop)


@both
@either
def test_a_packed_error_of_flytes(method: Any, on_a_loop: bool) -> None:
    body = packed(json.dumps({"code": "not_found", "message": "no such run"}).encode(), 0)
    with (
        ReplayServer(Answer(404, {"content-type": "application/json", "content-encoding": "gzip"}, [body])) as server,
        pytest.raises(errors.NotFoundError, match="no such run"),
    ):
        ask(config_of(server), method, on_a_loop=on_a_loop)


@both
@pytest.mark.parametrize("encoding", ["br", "gzip, gzip", "odd"])
def test_a_page_that_is_packed_in_another_way(encoding: str, on_a_loop: bool) -> None:
    with (
        ReplayServer(Answer(502, {"content-encoding": encoding}, [b"\x1f\x8b\x08" + b"\xff" * 99])) as server,
        pytest.raises(errors.ProxyError, match="HTTP 502"),
    ):
        ask(config_of(server), RunService.ListRuns, on_a_loop=on_a_loop)


def megabytes() -> Iterator[bytes]:
    """A body that never ends."""
    while True:
        yield b"\0" * (1 << 20)


@both
@either
@pytest.mark.parametrize("status", [200, 502])
def test_a_page_without_an_end(status: int, method: Any, on_a_loop: bool) -> None:
    with (
        ReplayServer(Answer(status, {"content-type": "text/html"}, megabytes())) as server,
        at_most(16 << 20),
        pytest.raises(errors.UnavailableError, match=f"HTTP {status}"),
    ):
        ask(config_of(server), method, on_a_loop=on_a_loop)


@both
def test_a_message_without_an_end(on_a_loop: bool) -> None:
    with (
        ReplayServer(Answer(200, {"content-type": "application/proto"}, megabytes())) as server,
        at_most(32 << 20),
        pytest.raises(errors.BadAnswerError, match="it is more than 8 MiB"),
    ):
        ask(config_of(server), RunService.ListRuns, on_a_loop=on_a_loop)


@both
def test_an_envelope_that_announces_too_much(on_a_loop: bool) -> None:
    """It is refused as soon as that is known: nothing follows here."""
    answer = Answer(200, {"content-type": "application/connect+proto"}, [b"\0\xff\xff\xff\xff"], stays_open=True)
    with (
        ReplayServer(answer) as server,
        pytest.raises(errors.BadAnswerError, match="it has 4294967295 bytes, at most 8388608 are read"),
    ):
        ask(config_of(server), RunService.WatchRuns, on_a_loop=on_a_loop, timeout=None)


@both
@pytest.mark.parametrize("flags", [connect_protocol.LAST, connect_protocol.LAST | connect_protocol.COMPRESSED])
def test_a_last_envelope_that_is_too_large(flags: int, on_a_loop: bool) -> None:
    large = b"{" + b" " * (64 << 10) + b"}"
    payload = packed(large, 150) if flags & connect_protocol.COMPRESSED else large
    headers = {"content-type": "application/connect+proto", "connect-content-encoding": "gzip"}
    with (
        ReplayServer(Answer(200, headers, [connect_protocol.envelope(payload, flags)])) as server,
        at_most(16 << 20),
        pytest.raises(errors.BadAnswerError, match="more than 64 KiB"),
    ):
        ask(config_of(server), RunService.WatchRuns, on_a_loop=on_a_loop)


@both
@pytest.mark.parametrize("size", [1000, 2 << 20], ids=["small", "large"])
def test_a_message_through_each_transport(local_flyte: LocalFlyte, size: int, on_a_loop: bool) -> None:
    method = replace(DataProxyService.GetActionData, largest=1 << 20)
    local_flyte.run("r1").succeeds(outputs={"o0": "x" * size})
    config = config_for(local_flyte)
    action = identifier_pb2.ActionIdentifier(run=run_identifier(config.key("r1"), ""), name="a0")
    request = get_action_data(action).request
    if size == 1000:
        [answer] = ask(config, method, request, on_a_loop=on_a_loop)
        assert answer.ByteSize() > size
        return
    with pytest.raises(errors.BadAnswerError, match="more than 1 MiB"):
        ask(config, method, request, on_a_loop=on_a_loop)


@both
def test_a_message_that_is_too_large_for_a_channel(monkeypatch: pytest.MonkeyPatch, on_a_loop: bool) -> None:
    """As gRPC itself refuses it."""
    monkeypatch.setattr(grpc_transport, "LARGEST_CONTENT", 10)
    with (
        answering("grpc", RunService.ListRuns, bytes(11)) as config,
        pytest.raises(errors.BadAnswerError, match="the answer is more than 0 KiB"),
    ):
        ask(config, RunService.ListRuns, on_a_loop=on_a_loop)


# -- lists in answers


def listed(method: Any, count: int) -> bytes:
    """An answer with so many empty elements: two bytes each."""
    if method is DataProxyService.TailLogs:
        lines = dataproxy_service_pb2.TailLogsResponse.Logs(lines=[payload_pb2.LogLine()] * (count - 1))
        return dataproxy_service_pb2.TailLogsResponse(logs=[lines]).SerializeToString()
    return bytes((method.response.DESCRIPTOR.fields[0].number << 3 | 2, 0)) * count


@contextmanager
def answering(transport: str, method: Any, message: bytes) -> Iterator[FlyteConfig]:
    """The settings for a server that gives every call this message."""
    if transport == "grpc":
        with http2_server(message) as server:
            yield FlyteConfig(endpoint=server.endpoint, insecure=True, transport="grpc")
        return
    stream = isinstance(method, ServerStream)
    body = connect_protocol.envelope(message) if stream else message
    kind = connect_protocol.STREAM if stream else connect_protocol.UNARY
    with ReplayServer(Answer(200, {"content-type": kind}, [body])) as server:
        yield config_of(server)


@both
@pytest.mark.parametrize(
    "method",
    [
        RunService.ListRuns,
        RunService.WatchRuns,
        RunService.ListActions,
        RunService.WatchActions,
        TaskService.ListTasks,
        DataProxyService.TailLogs,
    ],
    ids=lambda method: str(method.name),
)
@pytest.mark.parametrize("transport", ["grpc", "connect"])
def test_a_list_that_is_too_long(transport: str, method: Any, on_a_loop: bool) -> None:
    """Six kilobytes of gzip hold three million runs, each of which takes the loop a moment."""
    with (
        answering(transport, method, listed(method, answers.MOST_ELEMENTS + 1)) as config,
        pytest.raises(errors.BadAnswerError, match="its lists have more than 10000 elements"),
    ):
        ask(config, method, on_a_loop=on_a_loop)


def test_how_long_a_list_may_be() -> None:
    most = answers.read(RunService.ListRuns, listed(RunService.ListRuns, answers.MOST_ELEMENTS))
    assert isinstance(most, RunService.ListRuns.response)
    assert len(most.runs) == answers.MOST_ELEMENTS


def test_the_parts_of_an_attempt_that_are_read(local_flyte: LocalFlyte) -> None:
    """Two bytes each, of which a line of the timeline and a dict in XCom would be made."""
    many = run_definition_pb2.ActionDetails(
        attempts=[{"phase_transitions": [{}] * 5_000, "cluster_events": [{}] * 5_000}]
    )
    many.attempts.extend([run_definition_pb2.ActionAttempt(attempt=number) for number in range(5_000)])
    many.attempts.append(run_definition_pb2.ActionAttempt(attempt=5_000, phase_transitions=[{}] * 5_000))
    call = get_run_details(identifier_pb2.RunIdentifier(name="r1"))
    details = call.read(RunService.GetRunDetails.response(details={"action": many}))
    assert [each.attempt for each in details.action.attempts] == list(range(4_901, 5_001))
    assert len(timeline(details)) == 1 + NEWEST


# -- streams that go on behind a large message

INSTEAD = DataProxyService.TailLogs.response()
SMALL = replace(DataProxyService.TailLogs, largest=1 << 20, instead=INSTEAD)


def message_of(text: str) -> bytes:
    message = DataProxyService.TailLogs.response()
    message.logs.add().lines.add(message=text)
    return message.SerializeToString()


@both
def test_a_large_message_of_a_stream_is_left_out(local_flyte: LocalFlyte, on_a_loop: bool) -> None:
    """The server sends a hundred lines a message."""
    before, after = (["line"] * 100 for _ in range(2))
    local_flyte.run("r1").move("RUNNING").logs(*before, "x" * (2 << 20), *before[1:], *after).fails()
    config = config_for(local_flyte)
    action = identifier_pb2.ActionIdentifier(run=run_identifier(config.key("r1"), ""), name="a0")
    request = SMALL.request(action_id=action, attempt=1)
    first, large, last = ask(config, SMALL, request, on_a_loop=on_a_loop)
    assert large is INSTEAD
    assert [line.message for each in (first, last) for line in each.logs[0].lines] == before + after
    # As it is read otherwise.
    assert len(ask(config, DataProxyService.TailLogs, request, on_a_loop=on_a_loop)[1].logs[0].lines) == 100


@both
@pytest.mark.parametrize("flags", [0, connect_protocol.COMPRESSED])
def test_what_is_left_out_over_connect_is_not_held(flags: int, on_a_loop: bool) -> None:
    large = packed(b"", 30) if flags else message_of("x" * (30 << 20))
    headers = {"content-type": "application/connect+proto", "connect-content-encoding": "gzip"}
    envelope = connect_protocol.envelope(large, flags)
    parts = [envelope[start : start + 50_000] for start in range(0, len(envelope), 50_000)]
    end = connect_protocol.envelope(message_of("end")) + connect_protocol.envelope(b"{}", connect_protocol.LAST)
    with ReplayServer(Answer(200, headers, [*parts, end])) as server, at_most(8 << 20):
        large_one, last = ask(config_of(server), SMALL, on_a_loop=on_a_loop, timeout=None)
    assert large_one is INSTEAD
    assert last.logs[0].lines[0].message == "end"


def test_large_envelopes_may_be_cut_anywhere() -> None:
    sent = [(0, b"one"), (0, b"x" * 30), (1, b"y" * 21), (0, b""), (2, b"z" * 40)]
    data = b"".join(connect_protocol.envelope(payload, flags) for flags, payload in sent)
    expected = [(0, b"one"), (0, None), (1, None), (0, b""), (2, b"z" * 40)]
    for size in range(1, len(data) + 1):
        envelopes = connect_protocol.Envelopes(100, 20)
        parts = [data[start : start + size] for start in range(0, len(data), size)]
        assert [each for part in parts for each in envelopes.feed(part)] == expected


# -- token servers


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (200, packed(b"{", 150), "the answer holds no token"),
        (200, b"[" * 60_000, "the answer holds no token"),
        (200, b'{"access_token": ' + b"[" * 60_000, "the answer holds no token"),
        (200, b'{"access_token": "t", "x": "' + b"x" * 70_000 + b'"}', "the answer holds no token"),
        (500, packed(b"", 150), "HTTP 500"),
    ],
    ids=["packed", "nested", "nested within", "large", "packed error"],
)
def test_a_token(status: int, body: bytes, words: str) -> None:
    headers = {"content-type": "application/json"} | ({"content-encoding": "gzip"} if body[:1] == b"\x1f" else {})
    with ReplayServer(Answer(status, headers, [body])) as server:
        config = FlyteConfig(endpoint="flyte.example.com:443")
        tokens = TokenServer(config, f"http://{server.endpoint}/token")
        credentials = ClientCredentials(client_id="me", client_secret=Secret("s3cret"))
        with at_most(16 << 20), pytest.raises(errors.TokenServerError, match=words) as raised:
            tokens.ask(credentials, (), "", 10.0)
    assert raised.value.status is Status.UNAVAILABLE


@pytest.mark.parametrize("status", [200, 502])
def test_a_token_server_without_an_end(status: int) -> None:
    with ReplayServer(Answer(status, {"content-type": "application/json"}, megabytes())) as server:
        tokens = TokenServer(FlyteConfig(endpoint="flyte.example.com:443"), f"http://{server.endpoint}/token")
        credentials = ClientCredentials(client_id="me", client_secret=Secret("s3cret"))
        with at_most(16 << 20), pytest.raises(errors.TokenServerError, match=r"no token|HTTP 502"):
            tokens.ask(credentials, (), "", 10.0)
