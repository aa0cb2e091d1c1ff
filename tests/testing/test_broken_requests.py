"""Requests that lack what they need, over HTTP/1.1: what broken_requests.json shows by gRPC (test_replay.py)."""

from __future__ import annotations

import base64
import http.client
import json
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from airflow_provider_flyte.client import rpc
from airflow_provider_flyte.client.errors import Status
from airflow_provider_flyte.client.transport import connect_protocol as connect
from airflow_provider_flyte.testing import LocalFlyte
from airflow_provider_flyte.testing.dispatch import NEEDS_AN_ID
from tests.testing.test_replay import ROWS, load

CALLS = load("broken_requests")
Connection = http.client.HTTPConnection


@pytest.fixture
def connection() -> Iterator[Connection]:
    with LocalFlyte(transports=("connect",)) as flyte:
        flyte.run("elsewhere", project="finance")
        flyte.run("r1")
        host, _, port = flyte.connect_endpoint.rpartition(":")
        with closing(Connection(host, int(port), timeout=5)) as opened:
            yield opened


def send(connection: Connection, row: rpc.Method[Any, Any], body: bytes) -> http.client.HTTPResponse:
    streaming = isinstance(row, rpc.ServerStream)
    headers = {"content-type": connect.STREAM if streaming else connect.UNARY}
    connection.request("POST", row.path, connect.envelope(body) if streaming else body, headers)
    return connection.getresponse()


@pytest.mark.parametrize("call", CALLS, ids=lambda call: f"{call['method'].rpartition('/')[2]}: {call['note']}")
def test_over_http(connection: Connection, call: dict[str, Any]) -> None:
    row, code = ROWS[call["method"]], call["status"]["code"]
    if code == "INTERNAL":
        # Not a byte of an answer: a proxy makes a 502 of it.
        with pytest.raises(http.client.RemoteDisconnected):
            send(connection, row, base64.b64decode(call["request"]))
        return
    with closing(send(connection, row, base64.b64decode(call["request"]))) as response:
        if code in Status.__members__:
            error = connect.error_json(Status[code], call["status"]["details"])
            assert response.status == connect.HTTP_STATUS[Status[code]]
            assert json.loads(response.read()) == error
        elif code == "OK":
            assert response.status == 200
            [run] = row.response.FromString(response.read()).runs
            assert run.action.id.run.name == "r1"
        else:
            length = int.from_bytes(response.read(5)[1:], "big")
            runs = row.response.FromString(response.read(length)).runs
            assert {run.action.id.run.project for run in runs} == {"finance", "flytesnacks"}


NEED_AN_ID = sorted(NEEDS_AN_ID, key=lambda row: row.name)


@pytest.mark.parametrize("row", NEED_AN_ID, ids=[row.name for row in NEED_AN_ID])
def test_the_connection_closes_without_an_answer_and_the_next_one_is_served(
    connection: Connection, row: rpc.Method[Any, Any]
) -> None:
    with pytest.raises(http.client.RemoteDisconnected):
        send(connection, row, b"")
    whole = rpc.RunService.GetRunDetails
    request = whole.request()
    request.run_id.project, request.run_id.domain, request.run_id.name = "flytesnacks", "development", "r1"
    assert send(connection, whole, request.SerializeToString()).status == 200
