"""TailLogs of the local server: what it sends, how it ends, and what it refuses."""

from __future__ import annotations

from typing import Any

import grpc
import pytest

from airflow_provider_flyte.client.idl.common import identifier_pb2
from airflow_provider_flyte.client.idl.dataproxy import dataproxy_service_pb2
from airflow_provider_flyte.client.phase import RunPhase
from airflow_provider_flyte.client.rpc import DataProxyService
from airflow_provider_flyte.testing import LocalFlyte


@pytest.fixture
def flyte() -> Any:
    with LocalFlyte() as server:
        yield server


@pytest.fixture
def tail(flyte: LocalFlyte) -> Any:
    """Opens a stream of the log of an attempt of r1."""
    row = DataProxyService.TailLogs
    with grpc.insecure_channel(flyte.endpoint) as channel:
        make = channel.unary_stream(
            row.path, request_serializer=row.request.SerializeToString, response_deserializer=row.response.FromString
        )

        def open_stream(attempt: int = 1) -> Any:
            run = identifier_pb2.RunIdentifier(project="flytesnacks", domain="development", name="r1")
            action = identifier_pb2.ActionIdentifier(run=run, name="a0")
            return make(dataproxy_service_pb2.TailLogsRequest(action_id=action, attempt=attempt), timeout=30)

        yield open_stream


def lines(stream: Any) -> list[str]:
    return [line.message for each in stream for log in each.logs for line in log.lines]


def refusal(stream: Any) -> tuple[str, str]:
    with pytest.raises(grpc.RpcError) as raised:
        list(stream)
    error: Any = raised.value
    return error.code().name, error.details()


def test_each_stream_begins_at_the_beginning_and_ends_with_the_attempt(flyte: LocalFlyte, tail: Any) -> None:
    run = flyte.run("r1").move("RUNNING").logs("one")
    first = tail()
    assert [line.message for line in next(first).logs[0].lines] == ["one"]
    run.logs("two")
    assert [line.message for line in next(first).logs[0].lines] == ["two"]
    second = tail()
    run.retries().logs("of the second")
    assert lines(first) == []
    assert lines(second) == ["one", "two"]
    third = tail(2)
    run.succeeds()
    assert lines(third) == ["of the second"]


def test_a_hundred_lines_are_a_message(flyte: LocalFlyte, tail: Any) -> None:
    flyte.run("r1").move("RUNNING").logs(*map(str, range(250))).succeeds()
    assert [len(each.logs[0].lines) for each in tail()] == [100, 100, 50]


def test_a_pod_that_is_pending_is_not_waited_for(flyte: LocalFlyte, tail: Any) -> None:
    flyte.run("r1").move("INITIALIZING").logs("image is pulled")
    assert lines(tail()) == ["image is pulled"]


def test_lines_without_times(flyte: LocalFlyte, tail: Any) -> None:
    flyte.run("r1").move("RUNNING").logs("one").logs("two", timed=False).succeeds()
    timed = [line.HasField("timestamp") for each in tail() for log in each.logs for line in log.lines]
    assert timed == [True, False]


def test_what_is_refused(flyte: LocalFlyte, tail: Any) -> None:
    run = flyte.run("r1").move("RUNNING")
    assert refusal(tail())[0] == "NOT_FOUND"
    run.logs("one").succeeds().loses_pod()
    assert refusal(tail()) == ("NOT_FOUND", "pod r1-a0-0 not found in namespace flytesnacks")
    assert refusal(tail(0))[0] == "INVALID_ARGUMENT"


def test_another_attempt_is_a_retry_of_the_run_that_goes_on(flyte: LocalFlyte) -> None:
    run = flyte.run("r1").move("RUNNING").retries(message="out of memory")
    assert run.phase is RunPhase.RUNNING
    with pytest.raises(ValueError, match="kind is one of"):
        run.retries(kind="OTHER")  # type: ignore[arg-type]
