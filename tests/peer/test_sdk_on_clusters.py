"""The newest Flyte SDK at a local Flyte with two clusters: it finds the data of a run where we find them."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from airflow_provider_flyte.client import FlyteClient, FlyteConfig, RunDetails, routing
from airflow_provider_flyte.testing import LocalFlyte
from tests.peer.conftest import run_sdk

NAMES = ("a", "b", "c")


@pytest.fixture(scope="module")
def hosted() -> Iterator[LocalFlyte]:
    with LocalFlyte(transports=("grpc", "connect"), clusters=2) as flyte:
        flyte.deploy("add", outputs={"o0": int})
        for number, name in enumerate(NAMES):
            flyte.run(name, task="add").succeeds({"o0": number})
        yield flyte


def test_the_sdk_reads_the_outputs_that_we_read(hosted: LocalFlyte) -> None:
    theirs = json.loads(run_sdk("PEER_CONNECT", "sdk_reads_outputs.py", hosted.connect_endpoint, *NAMES))
    clusters = [call.cluster for call in hosted.calls("GetActionData")]
    assert clusters == [hosted.run(name).cluster for name in NAMES] == [0, 1, 0]
    # The SDK asks for each action; we once for the project, and again for what is not there.
    assert hosted.calls.count("SelectCluster") == len(NAMES)
    config = FlyteConfig(
        endpoint=hosted.endpoint, insecure=True, org="testorg", project="flytesnacks", domain="development"
    )
    with FlyteClient(config):
        ours = {name: list(RunDetails.get(name).outputs().values()) for name in NAMES}
    assert theirs == ours == {"a": [0], "b": [1], "c": [2]}


def test_we_ask_what_the_sdk_asks(hosted: LocalFlyte) -> None:
    hosted.calls.clear()
    run_sdk("PEER_CONNECT", "sdk_reads_outputs.py", hosted.connect_endpoint, "a")
    config = FlyteConfig(
        endpoint=hosted.endpoint, insecure=True, org="testorg", project="flytesnacks", domain="development"
    )

    routing.forget()
    with FlyteClient(config):
        RunDetails.get("a").outputs()
    theirs, ours = (call.request for call in hosted.calls("SelectCluster"))
    assert theirs == ours
