"""Answers that are packed or garbled: no channel asks for packed ones, what is packed is unpacked within bounds, and
what cannot be read once Flyte was reached is read again.
"""

from __future__ import annotations

import asyncio
import gzip
import random
import tracemalloc
import zlib
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_flyte.client import FlyteClient, RunWatcher, errors
from airflow_provider_flyte.client.flows.abort import Abort
from airflow_provider_flyte.client.flows.calls import Call, StreamCall, run_identifier
from airflow_provider_flyte.client.flows.launch_request import Launch
from airflow_provider_flyte.client.idl.common import identifier_pb2
from airflow_provider_flyte.client.idl.task import task_definition_pb2
from airflow_provider_flyte.client.phase import RunPhase
from airflow_provider_flyte.client.rpc import (
    METHODS,
    AuthMetadataService,
    ClusterService,
    DataProxyService,
    ProjectService,
    RunService,
    ServerStream,
    TaskService,
    TriggerService,
    Unary,
)
from airflow_provider_flyte.client.transport import answers, connect_protocol
from airflow_provider_flyte.client.transport.retry import RetryPolicy, is_read
from airflow_provider_flyte.client.verdict import Outcome
from airflow_provider_flyte.testing import LocalFlyte, garbled, gzipped, lost_answer
from airflow_provider_flyte.testing.servers.connect_server import server_context
from tests.client.conftest import config_for
from tests.support.http2_server import http2_server
from tests.support.replay_server import Answer, ReplayServer
from tests.support.strangers import Stranger

WAITS = 2_000


def client_of(flyte: LocalFlyte | Stranger, **changed: Any) -> FlyteClient:
    """A client that does not sleep between two tries, and the answers that it could not read."""

    async def no_sleep(seconds: float) -> None:
        await asyncio.sleep(0)

    return FlyteClient(
        config_for(flyte, **changed), retry=RetryPolicy(30.0, sleep=lambda seconds: None, async_sleep=no_sleep)
    )


def run(client: FlyteClient, way: str, asked: Any, **arguments: Any) -> Any:
    """Make a call, or follow a flow."""

    async def on_loop() -> Any:
        async with client:
            return await client.aexecute(asked, **arguments)

    if way == "loop":
        return asyncio.run(on_loop())
    with client:
        return client.execute(asked, **arguments)


# -- nothing asks for packed answers


@pytest.mark.parametrize("transport", ["grpc", "auto"])
@pytest.mark.parametrize("security", ["insecure", "tls", "unverified"])
def test_no_channel_offers_gzip(certificate: tuple[bytes, bytes], way: str, transport: str, security: str) -> None:
    """As the server sees it. The call is made, and with ``auto`` the looks at what is there are too."""
    tls = None
    if security != "insecure":
        tls = server_context(certificate)
        tls.set_alpn_protocols(["h2"])
    with http2_server(tls=tls) as server:
        changed: dict[str, Any] = {"insecure": tls is None, "retry_budget": 0.01, "transport": transport}
        if security == "unverified":
            changed["verify"] = False
        elif security == "tls":
            changed["ca_bundle"] = certificate[0].decode()
        client = client_of(Stranger(server.port, [transport]), **changed)
        with pytest.raises(errors.NotFoundError):
            run(client, way, Call(RunService.CreateRun, RunService.CreateRun.request(), lambda response: response))
    paths = [request[":path"].rpartition("/")[2] for request in server.requests]
    assert paths[-1] == "CreateRun"
    # Which transport is there is found out before anything is written.
    assert len(paths) == (1 if transport == "grpc" else 2)
    assert {request["grpc-accept-encoding"] for request in server.requests} == {"identity"}


# -- unpacking


def bomb(size: int) -> bytes:
    """So many zeros, packed a thousand to one."""
    packing = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    return b"".join([*(packing.compress(bytes(1 << 20)) for _ in range(size >> 20)), packing.flush()])


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (gzip.compress(b"hello")[:-9], "it is no whole gzip"),
        (gzip.compress(b"hello") + b"x", "it is no whole gzip"),
        (b"\x1f\x8b\x08" + b"\xff" * 20, "it is no gzip"),
    ],
    ids=["cut", "more", "other"],
)
def test_what_looks_packed_and_is_not(data: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        answers.unpack(data, 1 << 20)


def test_a_bomb_is_left_packed() -> None:
    assert len(answers.unpack(bomb(1 << 20), 1 << 20)) == 1 << 20
    packed = bomb(32 << 20)
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="unpacked it is more than 1 MiB"):
            answers.unpack(packed, 1 << 20)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 4 << 20


UNARY_HEADERS = {"content-type": "application/proto"}
STREAM_HEADERS = {"content-type": "application/connect+proto", "connect-content-encoding": "gzip"}


@pytest.mark.parametrize(
    "answer",
    [
        Answer(200, UNARY_HEADERS | {"content-encoding": "gzip"}, [bomb(33 << 20)]),
        Answer(200, UNARY_HEADERS, [bomb(33 << 20)]),
    ],
    ids=["as HTTP says", "unsaid"],
)
def test_a_bomb_over_connect(way: str, answer: Answer) -> None:
    with ReplayServer(answer) as server:
        client = client_of(Stranger(int(server.endpoint.rpartition(":")[2]), ["connect"]), endpoint=server.endpoint)
        call = Call(RunService.ListRuns, RunService.ListRuns.request(), lambda response: response)
        with pytest.raises(errors.BadAnswerError, match=r"more than (8|32) MiB"):
            run(client, way, call)


@pytest.mark.parametrize("flags", [connect_protocol.COMPRESSED, 0])
def test_a_bomb_in_a_stream_over_connect(way: str, flags: int) -> None:
    envelope = connect_protocol.envelope(bomb(33 << 20), flags)
    with ReplayServer(Answer(200, STREAM_HEADERS, [envelope])) as server:
        client = client_of(Stranger(int(server.endpoint.rpartition(":")[2]), ["connect"]), endpoint=server.endpoint)

        def reading() -> Any:
            yield StreamCall(RunService.WatchRuns, RunService.WatchRuns.request(), lambda response: None)

        with pytest.raises(errors.BadAnswerError, match=r"more than (8|32) MiB"):
            run(client, way, reading())


def test_a_bomb_over_grpc(way: str) -> None:
    with http2_server(bomb(33 << 20)) as server:
        client = client_of(Stranger(server.port, ["grpc"]))
        call = Call(RunService.ListRuns, RunService.ListRuns.request(), lambda response: response)
        with pytest.raises(errors.BadAnswerError, match=r"more than (8|32) MiB"):
            run(client, way, call)


# -- every read


def _requests() -> dict[Unary[Any, Any] | ServerStream[Any, Any], Any]:
    """A request that the local server below answers with a message, for each read that it plays."""
    key = run_identifier(config_for(Stranger(1, ["grpc"])).key("r1"), "")
    action = identifier_pb2.ActionIdentifier(run=key, name="a0")
    project = identifier_pb2.ProjectIdentifier(name="flytesnacks", domain="development")
    task = {"project": "flytesnacks", "domain": "development", "name": "demo.train"}
    trigger = {"project": "flytesnacks", "domain": "development", "name": "nightly", "task_name": "demo.train"}
    fields: dict[Any, dict[str, Any]] = {
        RunService.GetRunDetails: {"run_id": key},
        RunService.GetActionDetails: {"action_id": action},
        RunService.GetActionDataURIs: {"action_id": action},
        RunService.ListRuns: {"project_id": project},
        RunService.ListActions: {"run_id": key},
        RunService.WatchRuns: {"project_id": project},
        RunService.WatchRunDetails: {"run_id": key},
        RunService.WatchActionDetails: {"action_id": action},
        RunService.WatchActions: {"run_id": key},
        ClusterService.SelectCluster: {"action_id": action, "operation": "OPERATION_GET_ACTION_DATA"},
        DataProxyService.UploadInputs: {"project_id": project},
        DataProxyService.GetActionData: {"action_id": action},
        DataProxyService.TailLogs: {"action_id": action, "attempt": 1},
        TaskService.GetTaskDetails: {"task_id": task_definition_pb2.TaskIdentifier(**task, version="v1")},
        TaskService.ListTasks: {"project_id": project},
        TaskService.ListVersions: {"task_name": task_definition_pb2.TaskName(**task)},
        TriggerService.GetTriggerDetails: {"name": identifier_pb2.TriggerName(**trigger)},
        TriggerService.ListTriggers: {"task_name": task_definition_pb2.TaskName(**task)},
        ProjectService.GetProject: {"id": "flytesnacks"},
        ProjectService.ListProjects: {},
        AuthMetadataService.GetPublicClientConfig: {},
    }
    return {row: row.request(**given) for row, given in fields.items()}


REQUESTS = _requests()
REFUSED = {RunService.GetActionData, AuthMetadataService.GetOAuth2Metadata}
"""Reads that the open-source backend answers with no message."""


@pytest.fixture
def flyte(local_flyte: LocalFlyte) -> LocalFlyte:
    local_flyte.deploy("demo.train")
    local_flyte.deploy_trigger("nightly", task="demo.train")
    local_flyte.run("r1", task="demo.train").move("RUNNING").logs("epoch 1").succeeds({"o0": 7})
    return local_flyte


def test_every_read_is_tried() -> None:
    assert set(REQUESTS) == {row for row in METHODS if is_read(row)} - REFUSED


@pytest.mark.parametrize("fault", [gzipped, lambda: garbled(times=3)], ids=["gzipped", "garbled"])
@pytest.mark.parametrize("row", [row for row in REQUESTS if isinstance(row, Unary)], ids=lambda row: str(row.name))
def test_an_answer_that_is_packed_or_garbled_does_not_hurt(
    flyte: LocalFlyte, way: str, row: Unary[Any, Any], fault: Callable[[], Any]
) -> None:
    call = Call(row, REQUESTS[row], lambda response: response)
    plain = run(client_of(flyte), way, call)
    flyte.inject(row.name, fault())
    assert run(client_of(flyte), way, call) == plain
    assert plain.ByteSize()


@pytest.mark.parametrize(
    "row", [row for row in REQUESTS if isinstance(row, ServerStream)], ids=lambda row: str(row.name)
)
def test_a_stream_of_packed_or_garbled_messages(
    flyte: LocalFlyte, way: str, row: ServerStream[Any, Any], caplog: pytest.LogCaptureFixture
) -> None:
    def first(client: FlyteClient) -> Any:
        async def on_loop() -> Any:
            async with client:
                return await anext(client.async_transport().server_stream(row, REQUESTS[row]))

        if way == "loop":
            return asyncio.run(on_loop())
        with client:
            return next(iter(client.transport().server_stream(row, REQUESTS[row])))

    run(client_of(flyte), way, Call(RunService.ListRuns, REQUESTS[RunService.ListRuns], lambda response: response))
    plain = first(client_of(flyte))
    flyte.inject(row.name, gzipped())
    assert first(client_of(flyte)) == plain
    flyte.clear_faults()
    flyte.inject(row.name, garbled())
    with pytest.raises(errors.GarbledAnswerError, match="00 ff ff ff"):
        first(client_of(flyte))


@pytest.mark.parametrize("row", [RunService.GetRunDetails, RunService.CreateRun], ids=lambda row: str(row.name))
def test_a_success_without_a_message(way: str, row: Unary[Any, Any]) -> None:
    """An OK and nothing before it, as a proxy may make it: grpcio gives None for that."""
    with http2_server() as server:
        server.status = "0"
        client = client_of(Stranger(server.port, ["grpc"]), retry_budget=0.01)
        with pytest.raises(errors.BadAnswerError, match="the answer has no message"):
            run(client, way, Call(row, row.request(), lambda response: response))


# -- what an unreadable answer means: before Flyte was reached see test_errors.py


def test_the_first_answer_of_all_may_be_garbled(flyte: LocalFlyte, way: str) -> None:
    """A look shows that Flyte is there, so the read is repeated."""
    flyte.inject("ListRuns", garbled(times=1))
    call = Call(RunService.ListRuns, REQUESTS[RunService.ListRuns], lambda response: response)
    assert run(client_of(flyte), way, call).runs


def test_it_is_trouble_once_flyte_was_reached(flyte: LocalFlyte, way: str, caplog: pytest.LogCaptureFixture) -> None:
    call = Call(RunService.ListRuns, REQUESTS[RunService.ListRuns], lambda response: response)
    run(client_of(flyte), way, call)
    counted: list[None] = []
    client = FlyteClient(config_for(flyte), on_garbled=lambda: counted.append(None))
    flyte.inject("*", garbled())
    for _ in range(2):
        with pytest.raises(errors.GarbledAnswerError) as raised:
            run(client, way, call, retry_for=0)
    assert len(flyte.calls("ListRuns")) == 3
    assert errors.is_transient(raised.value)
    assert not errors.is_lasting(raised.value)
    assert len(counted) == 2
    warned = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    # Once a minute.
    assert len(warned) == 1
    assert "RunService/ListRuns" in warned[0]
    assert "an answer of 4 bytes (00 ff ff ff) cannot be read as ListRunsResponse" in warned[0]


def test_a_count_that_fails_does_not_hide_the_error(flyte: LocalFlyte, way: str) -> None:
    """As a metrics backend may."""

    def breaks() -> None:
        raise OSError("no StatsD")

    call = Call(RunService.ListRuns, REQUESTS[RunService.ListRuns], lambda response: response)
    run(client_of(flyte), way, call)
    flyte.inject("*", garbled())
    with pytest.raises(errors.GarbledAnswerError):
        run(FlyteClient(config_for(flyte), on_garbled=breaks), way, call, retry_for=0)


# -- writes


def test_a_launch_whose_answer_cannot_be_read_is_searched_for_and_not_repeated(flyte: LocalFlyte, way: str) -> None:
    flyte.inject("CreateRun", garbled())
    # By which the run is known.
    wanted = Launch("demo.train", run_name="r2", annotations={"launched-by": "this test"})

    async def on_loop() -> Any:
        async with client_of(flyte) as client:
            return await client.launch.aio(wanted)

    if way == "loop":
        launched = asyncio.run(on_loop())
    else:
        with client_of(flyte) as client:
            launched = client.launch(wanted)
    assert launched.name == "r2"
    assert launched.new
    assert flyte.run("r2").enqueued == 1
    assert len(flyte.calls("CreateRun")) == 1


@pytest.mark.parametrize("fault", [garbled(), lost_answer()], ids=["garbled", "lost"])
def test_an_abort_whose_answer_cannot_be_read_is_checked_and_not_repeated(
    local_flyte: LocalFlyte, way: str, fault: Any
) -> None:
    aborted = local_flyte.run("r1").move("RUNNING")
    local_flyte.inject("AbortRun", fault)

    async def on_loop() -> Any:
        async with client_of(local_flyte) as client:
            return await client.abort.aio("r1", "no longer wanted")

    if way == "loop":
        done = asyncio.run(on_loop())
    else:
        with client_of(local_flyte) as client:
            done = client.abort("r1", "no longer wanted")
    assert done.outcome is Abort.ABORTED
    assert aborted.phase == RunPhase.ABORTED
    assert len(local_flyte.calls("AbortRun")) == 1


# -- waits


async def test_two_thousand_waits_end_as_their_runs_do(local_flyte: LocalFlyte) -> None:
    """A third of the answers cannot be read and another third is packed, streams and their renewals included."""
    chance = random.Random(7)
    ends = ("SUCCEEDED", "FAILED", "ABORTED", "TIMED_OUT", "RECOVERED")
    expected = {f"r{number}": ends[number % len(ends)] for number in range(WAITS)}
    for name in expected:
        local_flyte.run(name).move("RUNNING")

    def move(names: list[str]) -> None:
        for name in names:
            local_flyte.run(name).move(expected[name])

    async with (
        client_of(local_flyte) as client,
        RunWatcher(client, poll_interval=0.1, min_poll_interval=0.05) as watcher,
    ):
        waits = [asyncio.ensure_future(watcher.wait(name)) for name in expected]
        await local_flyte.wait_for_call_async("ListRuns", 2, timeout=20)
        local_flyte.inject("*", garbled(), when=lambda request: chance.random() < 1 / 3)
        local_flyte.inject("*", gzipped(), when=lambda request: chance.random() < 1 / 2)
        for names in (list(expected)[:1000], list(expected)[1000:]):
            asked = len(local_flyte.calls("ListRuns"))
            await asyncio.to_thread(move, names)
            await local_flyte.wait_for_call_async("ListRuns", asked + 5, timeout=20)
        results = await asyncio.gather(*waits)
    assert {seen.name: RunPhase(seen.phase).name for seen in results if seen.phase} == expected
    good = {"SUCCEEDED", "RECOVERED"}
    assert {seen.name for seen in results if seen.outcome is Outcome.SUCCEEDED} == {
        name for name, end in expected.items() if end in good
    }
    assert {seen.outcome for seen in results} == {Outcome.SUCCEEDED, Outcome.FAILED}
