"""What goes wrong on order, seen through a client's eyes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import grpc
import pytest

from airflow_provider_flyte.client import rpc
from airflow_provider_flyte.client.idl.task import task_service_pb2
from airflow_provider_flyte.client.phase import RunPhase
from airflow_provider_flyte.testing import (
    Fault,
    LocalFlyte,
    cut_stream,
    database_down,
    delay,
    garbled,
    lost_answer,
    lost_updates,
    silent_stream,
    status,
    unavailable,
)
from airflow_provider_flyte.testing.calls import Call


def refusal(ask: Callable[[], Any]) -> tuple[str, str]:
    """Code and text of the error that a call ends with."""
    with pytest.raises(grpc.RpcError) as refused:
        ask()
    return refused.value.code().name, refused.value.details() or ""


def test_a_status_so_many_times(flyte: LocalFlyte, client: Any) -> None:
    flyte.run("r1")
    flyte.inject("GetRunDetails", status("RESOURCE_EXHAUSTED", "slow down", times=2))
    for _ in range(2):
        assert refusal(lambda: client.details("r1")) == ("RESOURCE_EXHAUSTED", "slow down")
    assert client.details("r1")


def test_until_it_is_cleared(flyte: LocalFlyte, client: Any) -> None:
    flyte.run("r1")
    flyte.inject("*", unavailable())
    for _ in range(5):
        assert refusal(lambda: client.details("r1"))[0] == "UNAVAILABLE"
    flyte.clear_faults("RunService/GetRunDetails")
    assert client.details("r1")
    assert refusal(client.list_runs)[0] == "UNAVAILABLE"
    flyte.clear_faults()
    assert client.list_runs()


def test_nothing_is_done_where_a_call_is_refused(flyte: LocalFlyte, client: Any) -> None:
    flyte.deploy("demo.train")
    flyte.inject("CreateRun", unavailable())
    refusal(lambda: client.create("r1"))
    assert flyte.runs() == []


def test_a_lost_answer_is_done_all_the_same(flyte: LocalFlyte, client: Any) -> None:
    flyte.deploy("demo.train")
    flyte.inject("CreateRun", lost_answer(times=1))
    assert refusal(lambda: client.create("r1")) == ("UNAVAILABLE", "Socket closed")
    assert flyte.run("r1").enqueued == 1


def test_a_delayed_call_is_done_although_the_client_has_given_up(
    flyte: LocalFlyte, client: Any, eventually: Any
) -> None:
    run = flyte.run("r1")
    flyte.inject("AbortRun", delay(60, times=1))
    row = rpc.RunService.AbortRun
    assert refusal(lambda: client.ask(row, row.request(run_id=client.run_id("r1")), 0.05))[0] == "DEADLINE_EXCEEDED"
    eventually(lambda: run.phase == RunPhase.ABORTED)


def test_a_delay_is_waited_for(flyte: LocalFlyte, client: Any) -> None:
    flyte.run("r1")
    flyte.inject("GetRunDetails", delay(0.05))
    before = time.monotonic()
    assert client.details("r1")
    assert time.monotonic() - before >= 0.05


def test_a_garbled_answer_does_not_parse(flyte: LocalFlyte, client: Any) -> None:
    flyte.run("r1")
    flyte.inject("GetRunDetails", garbled(times=1))
    code, details = refusal(lambda: client.details("r1"))
    assert code == "INTERNAL"
    assert "deserializ" in details


def test_only_some_calls(flyte: LocalFlyte, client: Any) -> None:
    flyte.run("r1")
    flyte.run("r2")
    flyte.inject("GetRunDetails", unavailable(), when=lambda request: request.run_id.name == "r2")
    assert client.details("r1")
    assert refusal(lambda: client.details("r2"))[0] == "UNAVAILABLE"


def test_a_proxy_that_wants_a_token(flyte: LocalFlyte, client: Any) -> None:
    flyte.run("r1")
    flyte.inject(
        "*",
        status("UNAUTHENTICATED", "no token"),
        when=lambda request, metadata: metadata.get("authorization") != "Bearer t",
    )
    assert refusal(lambda: client.details("r1")) == ("UNAUTHENTICATED", "no token")
    row = rpc.RunService.GetRunDetails
    assert client.ask(row, row.request(run_id=client.run_id("r1")), metadata=[("authorization", "Bearer t")])


def test_several_faults_are_met_in_their_order(flyte: LocalFlyte, client: Any) -> None:
    flyte.run("r1")
    flyte.inject("GetRunDetails", status("INTERNAL", "first", times=1))
    flyte.inject("GetRunDetails", status("ABORTED", "second", times=1))
    assert [refusal(lambda: client.details("r1"))[1] for _ in range(2)] == ["first", "second"]
    assert client.details("r1")


def test_a_database_that_is_down(flyte: LocalFlyte, client: Any) -> None:
    flyte.run("r1")
    flyte.inject("*", database_down())
    code, details = refusal(lambda: client.details("r1"))
    assert code == "NOT_FOUND"
    assert details.startswith("failed to get run: ")
    assert "connection refused" in details
    assert refusal(lambda: next(client.watch_action("r1")))[0] == "NOT_FOUND"
    row = rpc.TaskService.GetTaskDetails
    assert refusal(lambda: client.ask(row, task_service_pb2.GetTaskDetailsRequest()))[0] == "NOT_FOUND"
    assert refusal(client.list_runs)[0] == "INTERNAL"
    anonymous = rpc.AuthMetadataService.GetPublicClientConfig
    assert client.ask(anonymous, anonymous.request())


def test_a_stream_cut_after_some_messages(flyte: LocalFlyte, client: Any) -> None:
    run = flyte.run("r1")
    flyte.inject("WatchRuns", cut_stream(after=2, times=1))
    stream = client.watch_runs()
    next(stream)
    run.phases("RUNNING")
    assert next(stream).runs[0].action.status.phase == RunPhase.RUNNING
    assert refusal(lambda: next(stream)) == ("UNAVAILABLE", "Socket closed")
    assert next(client.watch_runs())


def test_a_stream_cut_before_its_first_message(flyte: LocalFlyte, client: Any) -> None:
    flyte.run("r1")
    flyte.inject("WatchRuns", cut_stream(after=0, code="INTERNAL", details="Received RST_STREAM with error code 2"))
    assert refusal(lambda: next(client.watch_runs())) == ("INTERNAL", "Received RST_STREAM with error code 2")


def test_a_stream_cut_after_some_time(flyte: LocalFlyte, client: Any) -> None:
    flyte.run("r1")
    flyte.inject("WatchRuns", cut_stream(seconds=0.05))
    stream = client.watch_runs()
    assert next(stream)
    assert refusal(lambda: next(stream)) == ("UNAVAILABLE", "Socket closed")


def test_a_stream_that_ends_cleanly_too_soon(flyte: LocalFlyte, client: Any) -> None:
    flyte.run("r1")
    flyte.inject("WatchRuns", cut_stream(after=1, code="OK"))
    assert len(list(client.watch_runs())) == 1
    assert flyte.calls("WatchRuns")[0].code == "OK"


def test_a_silent_stream_stays_open(flyte: LocalFlyte, client: Any, eventually: Any) -> None:
    run = flyte.run("r1")
    flyte.inject("WatchRuns", silent_stream(after=1, times=1))
    silent = client.watch_runs()
    assert next(silent)
    loud = client.watch_runs()
    assert next(loud)
    run.phases("RUNNING")
    assert next(loud)
    assert silent.is_active()
    assert flyte.calls("WatchRuns")[0].code is None
    silent.cancel()
    assert refusal(lambda: next(silent))[0] == "CANCELLED"
    eventually(lambda: flyte.calls("WatchRuns")[0].code == "CANCELLED")


def test_a_silent_stream_keeps_its_messages_to_itself() -> None:
    call = Call()
    call.close()
    assert list(silent_stream(after=1).stream(call, iter("abc"))) == ["a"]
    assert list(silent_stream(after=5).stream(call, iter("abc"))) == ["a", "b", "c"]


def test_a_share_of_the_updates_is_lost_the_same_again_with_a_seed() -> None:
    arrived = [list(lost_updates(0.5, seed=7).stream(Call(), iter(range(1000)))) for _ in range(2)]
    assert 400 < len(arrived[0]) < 600
    assert arrived[0] == arrived[1]


def test_all_updates_lost(flyte: LocalFlyte, client: Any) -> None:
    run = flyte.run("r1")
    flyte.inject("WatchRuns", lost_updates(1.0))
    flyte.inject("WatchRuns", cut_stream(after=1, code="OK"))
    stream = client.watch_runs()
    flyte.wait_for_call("WatchRuns")
    run.phases("RUNNING")
    flyte.stop()
    assert refusal(lambda: next(stream))[0] == "UNAVAILABLE"


@pytest.mark.parametrize(
    ("method", "fault", "words"),
    [
        ("GetRunDetials", unavailable(), "unknown method 'GetRunDetials'; did you mean GetRunDetails?"),
        (
            "GetRunDetails",
            cut_stream(after=1),
            "GetRunDetails is no stream; the streams are DataProxyService/TailLogs, RunS",
        ),
    ],
)
def test_a_fault_that_nothing_can_meet(flyte: LocalFlyte, method: str, fault: Fault, words: str) -> None:
    with pytest.raises(ValueError, match=words.replace("?", r"\?")):
        flyte.inject(method, fault)


def test_faults_that_make_no_sense() -> None:
    with pytest.raises(ValueError, match="no such code: 'NOTFOUND'; known are"):
        status("NOTFOUND")
    with pytest.raises(ValueError, match="no such code: 'OK'"):
        lost_answer("OK")
    with pytest.raises(ValueError, match="needs after="):
        cut_stream()
