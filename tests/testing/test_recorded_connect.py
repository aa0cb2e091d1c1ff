"""The Connect transport answers what connect.json records of a real backend: status, headers, error JSON, envelopes."""

from __future__ import annotations

import base64
import gzip
import http.client
import json
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_flyte.client import rpc
from airflow_provider_flyte.testing import LocalFlyte

EXCHANGES: list[dict[str, Any]] = json.loads((Path(__file__).parents[1] / "recordings" / "connect.json").read_text())[
    "exchanges"
]
ROWS = {row.path: row for row in rpc.METHODS}
BY_NOTE = {each["note"]: each for each in EXCHANGES}
Send = Callable[..., http.client.HTTPResponse]
FRAMING = {"content-length", "connection", "transfer-encoding"}
"""Headers of HTTP/1.1 itself; which of them comes is the web server's affair, but for a stream's chunks."""


@pytest.fixture
def flyte() -> Iterator[LocalFlyte]:
    """The runs that the requests name, as they were then."""
    with LocalFlyte(transports=("connect",)) as server:
        server.run("con444220").move("RUNNING")
        server.run("con444220b")
        server.run("con444220c").move("RUNNING")
        yield server


@pytest.fixture
def send(flyte: LocalFlyte) -> Iterator[Send]:
    """Send a recorded request, byte for byte but for the headers that are changed."""
    host, _, port = flyte.connect_endpoint.rpartition(":")
    with ExitStack() as opened:

        def to_its_transport(exchange: dict[str, Any], **changed: str) -> http.client.HTTPResponse:
            connection = opened.enter_context(closing(http.client.HTTPConnection(host, int(port), timeout=5)))
            body = base64.b64decode(exchange["request"])
            if exchange["kind"] == "server_stream":
                body = b"\x00" + len(body).to_bytes(4, "big") + body
            verb = exchange.get("verb", "POST")
            connection.request(verb, exchange["method"], body, exchange["request_headers"] | changed)
            return opened.enter_context(closing(connection.getresponse()))

        yield to_its_transport


def headers_of(response: http.client.HTTPResponse) -> dict[str, str]:
    return {name.lower(): value for name, value in response.getheaders() if name.lower() not in FRAMING}


def read_envelope(response: http.client.HTTPResponse) -> tuple[int, bytes]:
    head = response.read(5)
    return head[0], response.read(int.from_bytes(head[1:], "big"))


@pytest.mark.parametrize(
    "exchange", [each for each in EXCHANGES if each["kind"] == "unary"], ids=lambda each: str(each["note"])
)
def test_a_unary_exchange(send: Send, exchange: dict[str, Any]) -> None:
    response = send(exchange)
    body, recorded = response.read(), base64.b64decode(exchange["body"])
    assert response.status == exchange["http_status"]
    assert headers_of(response) == exchange["response_headers"]
    if exchange["http_status"] != 200:
        assert body == recorded
        return
    if "content-encoding" in exchange["response_headers"]:
        body, recorded = gzip.decompress(body), gzip.decompress(recorded)
    kind = ROWS[exchange["method"]].response
    message, expected = kind.FromString(body), kind.FromString(recorded)
    # What the messages hold is compared by the scenes; here it is the same kind of answer about the same run.
    assert bool(body) == bool(recorded)
    if recorded:
        assert message.details.action.id.run == expected.details.action.id.run
        assert message.details.action.status.phase == expected.details.action.status.phase


def test_a_stream_that_ends(flyte: LocalFlyte, send: Send) -> None:
    exchange = BY_NOTE["a stream that ends with the run's events"]
    run = flyte.run("con444220b")
    response = send(exchange)
    assert (response.status, headers_of(response)) == (
        200,
        {k: v for k, v in exchange["response_headers"].items() if k not in FRAMING},
    )
    assert response.getheader("transfer-encoding") == "chunked"
    kind = rpc.RunService.WatchActionDetails.response
    flags, first = read_envelope(response)
    assert (flags, kind.FromString(first).details.id.run.name) == (0, "con444220b")
    run.succeeds()
    envelopes: list[tuple[int, bytes]] = []
    while not envelopes or not envelopes[-1][0] & 2:
        envelopes.append(read_envelope(response))
    assert envelopes[-1] == (2, b"{}")
    assert response.read() == b""


def test_an_error_in_a_stream(send: Send) -> None:
    exchange = BY_NOTE["an error inside a stream"]
    response = send(exchange)
    assert response.status == 200
    assert headers_of(response) == {k: v for k, v in exchange["response_headers"].items() if k not in FRAMING}
    assert response.read() == b"".join(base64.b64decode(chunk["bytes"]) for chunk in exchange["chunks"])


def test_a_quiet_project_sends_nothing_not_even_headers(flyte: LocalFlyte) -> None:
    exchange = BY_NOTE["a quiet project: not even headers"]
    body = base64.b64decode(exchange["request"])
    head = [f"POST {exchange['method']} HTTP/1.1", "host: x", f"content-length: {len(body) + 5}"]
    head += [f"{name}: {value}" for name, value in exchange["request_headers"].items()]
    host, _, port = flyte.connect_endpoint.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=5) as raw:
        raw.sendall("\r\n".join([*head, "", ""]).encode() + b"\x00" + len(body).to_bytes(4, "big") + body)
        flyte.wait_for_call("WatchRuns")
        # The first run of the project is the first message.
        raw.setblocking(False)
        with pytest.raises(BlockingIOError):
            raw.recv(1)
        raw.settimeout(5)
        flyte.run("first", project="flytesnacks", domain="staging").move("RUNNING")
        assert raw.recv(12) == b"HTTP/1.1 200"


def test_a_deadline_ends_a_stream(send: Send) -> None:
    exchange = BY_NOTE["a deadline on the stream ends it cleanly"]
    assert exchange["request_headers"]["connect-timeout-ms"] == "2000"
    response = send(exchange, **{"connect-timeout-ms": "200"})
    assert read_envelope(response)[0] == 0
    assert read_envelope(response) == (2, b"{}")
    assert response.read() == b""


def test_compressed_envelopes(send: Send) -> None:
    exchange = BY_NOTE["compressed envelopes"]
    response = send(exchange)
    assert headers_of(response) == {k: v for k, v in exchange["response_headers"].items() if k not in FRAMING}
    flags, payload = read_envelope(response)
    assert flags == 1
    assert len(rpc.RunService.WatchRuns.response.FromString(gzip.decompress(payload)).runs) == 3


def test_a_compressed_request(send: Send) -> None:
    exchange = dict(BY_NOTE["a running run"])
    exchange["request"] = base64.b64encode(gzip.compress(base64.b64decode(exchange["request"]))).decode()
    response = send(exchange, **{"content-encoding": "gzip"})
    assert response.status == 200
    assert b"con444220" in response.read()


def test_other_ways_to_ask_are_refused(send: Send) -> None:
    response = send(BY_NOTE["a running run"] | {"verb": "GET"})
    assert (response.status, response.getheader("allow")) == (405, "POST")
    stream = BY_NOTE["a quiet project: not even headers"]
    assert send(stream, **{"content-type": "application/proto"}).status == 415
    assert b"invalid_argument" in send(stream | {"kind": "unary"}).read()
