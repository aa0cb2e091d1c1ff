"""Calls go to the data plane that Flyte names for them, over each transport, blocking and on a loop."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from airflow_provider_flyte.client import FlyteClient, Launch, RunDetails, routing
from airflow_provider_flyte.client.credentials import StaticToken
from airflow_provider_flyte.client.errors import (
    NotFoundError,
    RpcError,
    UnavailableError,
    UnimplementedError,
    WrongEndpointError,
)
from airflow_provider_flyte.client.flows.upload import MOST_INLINE
from airflow_provider_flyte.testing import LocalFlyte, cut_stream, status, unavailable
from tests.client.conftest import config_for
from tests.support.certificates import make_certificate
from tests.support.open_sockets import connections_to
from tests.support.ports import closed_port

TOKEN = "a-token-of-this-test"


@pytest.fixture(scope="module", params=["grpc", "connect"])
def hosted(request: pytest.FixtureRequest) -> Iterator[LocalFlyte]:
    with LocalFlyte(transports=(request.param,), clusters=2) as flyte:
        flyte.deploy("train", inputs={"text": str}, outputs={"o0": int})
        yield flyte


@pytest.fixture(scope="module", params=["grpc", "connect"])
def open_source(request: pytest.FixtureRequest) -> Iterator[LocalFlyte]:
    with LocalFlyte(transports=(request.param,)) as flyte:
        flyte.deploy("train", outputs={"o0": int})
        yield flyte


@pytest.fixture
def flyte(hosted: LocalFlyte) -> Iterator[LocalFlyte]:
    with clean(hosted):
        yield hosted


@pytest.fixture
def single(open_source: LocalFlyte) -> Iterator[LocalFlyte]:
    with clean(open_source):
        yield open_source


@contextmanager
def clean(flyte: LocalFlyte) -> Iterator[None]:
    yield
    flyte.clear_faults()
    flyte.clusters.named = None
    flyte.calls.clear()


def outputs(client: FlyteClient, way: str, *names: str) -> list[dict[str, Any]]:
    """The outputs of runs, one after the other."""

    async def on_a_loop() -> list[dict[str, Any]]:
        async with client:
            return [await (await RunDetails.get.aio(name)).outputs.aio() for name in names]

    if way == "loop":
        return asyncio.run(on_a_loop())
    with client:
        return [RunDetails.get(name).outputs() for name in names]


def succeeded(flyte: LocalFlyte, *names: str) -> list[str]:
    """Runs that have succeeded, with their number as output."""
    for number, name in enumerate(names):
        flyte.run(name, task="train").succeeds({"o0": number})
    return list(names)


def endpoint_of(flyte: LocalFlyte, cluster: int) -> str:
    [port] = flyte.data_planes[cluster].values()
    return f"localhost:{port}"


def on_cluster(flyte: LocalFlyte, cluster: int, name: str) -> str:
    """A run there that has succeeded."""
    while True:
        [made] = succeeded(flyte, f"{name}-{len(flyte.runs())}")
        if flyte.run(made).cluster == cluster:
            return made


def test_outputs_are_read_from_the_data_plane_of_each_run(flyte: LocalFlyte, way: str) -> None:
    names = succeeded(flyte, *(f"{letter}-{way}" for letter in "abcd"))
    assert {flyte.run(name).cluster for name in names} == {0, 1}
    assert outputs(FlyteClient(config_for(flyte)), way, *names) == [{"o0": number} for number in range(4)]


def test_logs_are_read_from_the_data_plane(flyte: LocalFlyte, way: str) -> None:
    async def on_a_loop(name: str) -> tuple[str, ...]:
        async with FlyteClient(config_for(flyte)) as client:
            return (await client.tail_log.aio(name)).lines

    for letter in "ab":
        name = f"logged-{letter}-{way}"
        flyte.run(name).move("RUNNING").logs("a line").fails()
        if way == "loop":
            assert asyncio.run(on_a_loop(name)) == ("a line",)
        else:
            with FlyteClient(config_for(flyte)) as client:
                assert client.tail_log(name).lines == ("a line",)
    assert {call.cluster for call in flyte.calls("TailLogs")} == {0, 1}


def test_auto_finds_out_how_a_data_plane_is_reached(flyte: LocalFlyte, way: str) -> None:
    """Also where that has no other service, which is what is asked elsewhere."""
    name = on_cluster(flyte, 1, f"auto-{way}")
    assert len(outputs(FlyteClient(config_for(flyte, transport="auto")), way, name)) == 1
    assert flyte.calls("GetActionData")[-1].cluster == 1


def test_a_data_plane_through_grpc_is_not_taken_for_one_without(flyte: LocalFlyte, way: str) -> None:
    name = on_cluster(flyte, 0, f"away-{way}")
    flyte.inject("GetActionData", unavailable("away"))
    with pytest.raises(UnavailableError, match="away"):
        outputs(FlyteClient(config_for(flyte, retry_budget=0.1)), way, name)


def test_the_answer_is_kept_for_the_project(flyte: LocalFlyte, way: str) -> None:
    names = [on_cluster(flyte, 1, f"kept-{way}-{number}") for number in range(3)]
    outputs(FlyteClient(config_for(flyte)), way, *names)
    outputs(FlyteClient(config_for(flyte)), way, *names)
    assert flyte.calls.count("SelectCluster") == 1
    assert [call.cluster for call in flyte.calls("GetActionData")] == [1] * 6


def test_what_flyte_asks_about_is_the_action(flyte: LocalFlyte, way: str) -> None:
    name = on_cluster(flyte, 0, f"asked-{way}")
    outputs(FlyteClient(config_for(flyte, org="acme")), way, name)
    [asked] = flyte.calls("SelectCluster")
    run = asked.request.action_id.run
    assert (run.org, run.project, run.domain, run.name) == ("acme", "flytesnacks", "development", name)
    assert asked.request.action_id.name == "a0"
    assert asked.request.Operation.Name(asked.request.operation) == "OPERATION_GET_ACTION_DATA"


async def test_a_thousand_outputs_of_an_open_source_flyte_cost_one_call_more(single: LocalFlyte) -> None:
    [name] = succeeded(single, "thousand")
    async with FlyteClient(config_for(single)):
        details = await RunDetails.get.aio(name)
        single.calls.clear()
        for _ in range(10):
            await asyncio.gather(*(details.outputs.aio() for _ in range(90)))
        await asyncio.to_thread(lambda: [details.outputs() for _ in range(100)])
    assert single.calls.count("GetActionData") == 1000
    assert single.calls.count("SelectCluster") == 1


REFUSALS = {
    "no such service": status("UNIMPLEMENTED", "unknown service flyteidl2.cluster.ClusterService"),
    "not for these credentials": status("PERMISSION_DENIED", "no"),
}


@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_flyte_that_does_not_answer_is_asked_once(single: LocalFlyte, way: str, refusal: str) -> None:
    names = succeeded(single, *(f"{letter}-{way}-{list(REFUSALS).index(refusal)}" for letter in "abc"))
    single.inject("SelectCluster", REFUSALS[refusal])
    assert len(outputs(FlyteClient(config_for(single)), way, *names)) == 3
    assert single.calls.count("SelectCluster") == 1


@pytest.mark.parametrize("named", ["", "https://", "http://localhost", "dns:///localhost", "ftp://localhost:1", "::::"])
def test_what_is_no_other_address_is_the_connections(single: LocalFlyte, way: str, named: str) -> None:
    names = succeeded(single, f"none-{way}-a", f"none-{way}-b")
    single.clusters.named = named
    assert outputs(FlyteClient(config_for(single)), way, *names) == [{"o0": 0}, {"o0": 1}]
    assert single.calls.count("SelectCluster") == 1


def test_the_port_of_a_proxy_inside_is_not_believed_where_nothing_answers(single: LocalFlyte, way: str) -> None:
    """As of an nginx with ``Host $host:$server_port`` behind a mapped port."""
    names = succeeded(single, f"inside-{way}-a", f"inside-{way}-b")
    with closed_port() as port:
        single.clusters.named = f"http://localhost:{port}"
        client = FlyteClient(config_for(single, retry_budget=0.1))
        assert outputs(client, way, *names) == [{"o0": 0}, {"o0": 1}]
    # Before it, and to make sure that it has not moved.
    assert single.calls.count("SelectCluster") == 2


@pytest.mark.parametrize("code", ["UNAVAILABLE", "INTERNAL", "UNKNOWN"])
def test_an_outage_is_not_taken_for_an_answer(flyte: LocalFlyte, way: str, code: str) -> None:
    name = on_cluster(flyte, 1, f"outage-{way}-{code.lower()}")
    flyte.inject("SelectCluster", status(code, times=1))
    assert len(outputs(FlyteClient(config_for(flyte)), way, name)) == 1
    assert {call.cluster for call in flyte.calls("GetActionData")} == {1}


def test_what_is_not_there_during_an_outage_is_asked_for_again(way: str) -> None:
    """A control plane has no outputs, and says so; the page of an ingress in trouble is no answer about data planes."""
    page = "Received http2 header with status: 503"
    with LocalFlyte(clusters=2) as flyte:
        flyte.deploy("train", outputs={"o0": int})
        name = on_cluster(flyte, 1, f"page-{way}")
        flyte.inject("SelectCluster", status("UNAVAILABLE", page, times=2))
        assert len(outputs(FlyteClient(config_for(flyte)), way, name)) == 1
        assert {call.cluster for call in flyte.calls("GetActionData")} == {1}
        assert flyte.calls.count("SelectCluster") == 3
        routing.forget()
        flyte.inject("SelectCluster", status("UNAVAILABLE", page))
        with pytest.raises(UnavailableError, match="503") as failed:
            outputs(FlyteClient(config_for(flyte, retry_budget=0.1)), way, name)
        assert failed.value.transient


def test_a_refusal_about_one_action_is_not_kept(flyte: LocalFlyte, way: str) -> None:
    name = on_cluster(flyte, 1, f"unknown-{way}")
    flyte.inject("SelectCluster", status("NOT_FOUND", "no such action", times=1))
    with pytest.raises(UnimplementedError):
        outputs(FlyteClient(config_for(flyte)), way, name)
    assert len(outputs(FlyteClient(config_for(flyte)), way, name)) == 1


def test_an_error_of_a_data_plane_is_that_of_the_call(flyte: LocalFlyte, way: str) -> None:
    name = f"none-yet-{way}"
    flyte.run(name, task="train").succeeds()
    with pytest.raises(NotFoundError, match="outputs not available") as failed:
        outputs(FlyteClient(config_for(flyte)), way, name)
    named = endpoint_of(flyte, flyte.run(name).cluster)
    assert failed.value.endpoint == named
    assert f"(sent to the data plane that Flyte at {flyte.endpoint} names)" in str(failed.value)


def test_a_data_plane_that_is_down(flyte: LocalFlyte, way: str) -> None:
    name = on_cluster(flyte, 0, f"down-{way}")
    with closed_port() as port:
        flyte.clusters.named = f"http://localhost:{port}"
        with pytest.raises(UnavailableError) as failed:
            outputs(FlyteClient(config_for(flyte, retry_budget=0.1)), way, name)
        assert failed.value.endpoint == f"localhost:{port}"
    flyte.clusters.named = None
    assert len(outputs(FlyteClient(config_for(flyte)), way, name)) == 1, "it is found where it has moved to"


def test_a_stream_goes_on_at_its_data_plane(flyte: LocalFlyte, way: str) -> None:
    """What breaks it off later is the caller's: lines are not repeated."""
    name = f"stream-{way}"
    flyte.run(name).move("RUNNING").logs("seen").fails()
    flyte.inject("TailLogs", cut_stream(after=1))
    with FlyteClient(config_for(flyte)) as client:
        tail = client.tail_log(name)
    assert tail.lines == ("seen",)
    assert "TailLogs" in tail.trouble


def test_a_stranger_gets_nothing(flyte: LocalFlyte, way: str) -> None:
    name = on_cluster(flyte, 0, f"stranger-{way}")
    with Listening() as stranger:
        flyte.clusters.named = f"http://127.0.0.1:{stranger.port}"
        with pytest.raises(UnimplementedError) as failed:
            outputs(FlyteClient(config_for(flyte, credentials=StaticToken(TOKEN))), way, name)
        assert stranger.received == b""
    assert "names 127.0.0.1 as the data plane, which is neither localhost nor its domain" in str(failed.value)
    assert "allowed_data_planes" in str(failed.value)
    # The same answer, read by a connection that allows the host.
    flyte.clusters.named = None
    [port] = flyte.data_planes[0].values()
    flyte.clusters.named = f"http://127.0.0.1:{port}"
    allowing = config_for(
        flyte, credentials=StaticToken(TOKEN), allowed_data_planes=("127.0.0.1",), domain="development"
    )
    assert len(outputs(FlyteClient(allowing, on_token=lambda token: None), way, name)) == 1


def test_connections_to_data_planes_are_few_and_closed(
    flyte: LocalFlyte, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(routing, "MOST_DATA_PLANES", 1)
    first, second = (on_cluster(flyte, cluster, f"few-{way}") for cluster in (0, 1))
    client = FlyteClient(config_for(flyte))
    with pytest.raises(WrongEndpointError, match="more than 1 data planes") as refused:
        outputs(client, way, first, second)
    assert not refused.value.transient
    assert [connections_to(port) for plane in flyte.data_planes for port in plane.values()] == [0, 0]
    # A client that is used again begins anew.
    assert len(outputs(client, way, second)) == 1


def test_a_data_plane_gets_the_same_credentials(flyte: LocalFlyte, way: str) -> None:
    name = on_cluster(flyte, 1, f"same-{way}")
    config = config_for(flyte, credentials=StaticToken(TOKEN), metadata=(("x-team", "data"),))
    outputs(FlyteClient(config), way, name)
    [call] = flyte.calls("GetActionData")
    assert call.cluster == 1
    assert (call.metadata["authorization"], call.metadata["x-team"]) == (f"Bearer {TOKEN}", "data")


class Listening:
    """A port that keeps what it is sent, and never answers."""

    def __enter__(self) -> Listening:
        self.received = b""
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self._thread = threading.Thread(target=self._read)
        self._thread.start()
        return self

    def _read(self) -> None:
        while True:
            connection, _ = self._listening.accept()
            with connection:
                connection.settimeout(5)
                sent = connection.recv(4096)
                if sent == b"over":
                    return
                self.received += sent

    def __exit__(self, *_: object) -> None:
        with socket.create_connection(("127.0.0.1", self.port)) as last:
            last.sendall(b"over")
        self._thread.join()
        self._listening.close()


@pytest.mark.parametrize("transport", ["grpc", "connect"])
def test_no_token_goes_in_plaintext_where_the_connection_has_tls(way: str, transport: str) -> None:
    certificate, key = make_certificate("localhost")
    with LocalFlyte(transports=(transport,), clusters=2, tls=(certificate, key)) as flyte, Listening() as plain:
        flyte.deploy("train", outputs={"o0": int})
        name = on_cluster(flyte, 0, "r")
        config = config_for(
            flyte,
            insecure=False,
            ca_bundle=certificate.decode(),
            credentials=StaticToken(TOKEN),
            retry_budget=0.1,
            timeout=3,
        )
        # The scheme that is named says nothing.
        flyte.clusters.named = f"http://{endpoint_of(flyte, 0)}"
        assert len(outputs(FlyteClient(config), way, name)) == 1
        assert flyte.calls("GetActionData")[0].metadata["authorization"] == f"Bearer {TOKEN}"
        flyte.clusters.named = f"http://localhost:{plain.port}"
        routing.forget()
        with pytest.raises(RpcError):
            outputs(FlyteClient(config), way, name)
        assert plain.received.startswith(b"\x16\x03"), "a TLS handshake"
        assert TOKEN.encode() not in plain.received


def launch(flyte: LocalFlyte, way: str, **inputs: Any) -> str:
    wanted = Launch("train", inputs=inputs, run_base_dir="s3://bucket/runs")

    async def on_a_loop() -> str:
        async with FlyteClient(config_for(flyte)) as client:
            return (await client.launch.aio(wanted)).name

    if way == "loop":
        return asyncio.run(on_a_loop())
    with FlyteClient(config_for(flyte)) as client:
        return client.launch(wanted).name


def test_large_inputs_are_uploaded_to_the_data_plane(flyte: LocalFlyte, way: str) -> None:
    small, large = "small", "x" * MOST_INLINE
    launch(flyte, way, text=small)
    assert flyte.calls.count("UploadInputs") == 0
    assert flyte.calls("CreateRun")[0].request.WhichOneof("input_wrapper") == "inputs"
    name = launch(flyte, way, text=large)
    [upload] = flyte.calls("UploadInputs")
    assert upload.cluster == 0
    assert upload.request.run_id.name == name
    assert (upload.request.task_id.name, upload.request.task_id.version) == ("train", "v1")
    assert upload.request.base_dir == "s3://bucket/runs"
    request = flyte.calls("CreateRun")[1].request
    assert request.WhichOneof("input_wrapper") == "offloaded_input_data"
    assert request.ByteSize() < 1000
    assert flyte.run(name).inputs["text"].scalar.primitive.string_value == large


def test_an_upload_that_fails_for_a_moment_is_repeated(flyte: LocalFlyte, way: str) -> None:
    flyte.inject("UploadInputs", unavailable(times=1))
    name = launch(flyte, way, text="y" * MOST_INLINE)
    assert flyte.run(name).enqueued == 1


def test_without_uploads_large_inputs_go_with_the_launch(flyte: LocalFlyte, way: str) -> None:
    flyte.inject("UploadInputs", status("UNIMPLEMENTED"))
    name = launch(flyte, way, text="z" * MOST_INLINE)
    assert flyte.calls("CreateRun")[0].request.WhichOneof("input_wrapper") == "inputs"
    assert flyte.run(name).enqueued == 1
