"""The newest Flyte SDK fires a trigger and reads a log: the same run, and the same lines, as by us."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_flyte.client import FlyteClient, FlyteConfig, Launch, RunDetails
from airflow_provider_flyte.client.idl.core import literals_pb2
from airflow_provider_flyte.client.idl.task import run_pb2
from airflow_provider_flyte.testing import LocalFlyte
from tests.peer.conftest import run_sdk

CHANGED: dict[str, Any] = {
    "inputs": {"rows": 8},
    "labels": {"kind": "by-hand"},
    "env_vars": {"B": "3"},
    "run_context": {"b": "3"},
}


@pytest.fixture(scope="module")
def answered(flyte: LocalFlyte) -> dict[str, Any]:
    flyte.deploy("demo.train", version="v7", inputs={"rows": int, "rate": float})
    saved = run_pb2.RunSpec(
        labels=run_pb2.Labels(values={"team": "data", "kind": "nightly"}),
        envs=run_pb2.Envs(values=[literals_pb2.KeyValuePair(key=key, value=key) for key in "AB"]),
    )
    inputs = {"rows": 7, "rate": 0.25}
    context = {"a": "1", "b": "2"}
    flyte.deploy_trigger("nightly", task="demo.train", version="v7", inputs=inputs, context=context, run_spec=saved)
    flyte.run("chatty").move("RUNNING").logs("epoch 1", "epoch 2").fails()
    answer: dict[str, Any] = json.loads(run_sdk("PEER_CONNECT", "sdk_fires.py", flyte.connect_endpoint, "chatty"))
    return answer


@pytest.fixture(scope="module")
def client(flyte: LocalFlyte) -> Any:
    config = FlyteConfig(
        endpoint=flyte.endpoint, insecure=True, org="testorg", project="flytesnacks", domain="development"
    )
    with FlyteClient(config) as client:
        yield client


@pytest.mark.parametrize(("kind", "changed"), [("plain", {}), ("changed", CHANGED)])
def test_the_same_run(
    flyte: LocalFlyte, answered: dict[str, Any], client: FlyteClient, kind: str, changed: dict[str, Any]
) -> None:
    ours = RunDetails.get(client.launch(Launch("demo.train", trigger_name="nightly", **changed)).name, client)
    theirs = RunDetails.get(answered[kind], client)
    assert ours.inputs() == theirs.inputs()
    mine, yours = ours.pb2.action.metadata, theirs.pb2.action.metadata
    assert (mine.task, mine.trigger_id, mine.trigger_name) == (yours.task, yours.trigger_id, yours.trigger_name)
    assert ours.pb2.run_spec.labels == theirs.pb2.run_spec.labels
    contexts = {run.name: run.context for run in flyte.runs() if run.name in (ours.name, theirs.name)}
    assert contexts[ours.name] == contexts[theirs.name] == {"a": "1", "b": "2"} | changed.get("run_context", {})
    # The SDK adds what its own logging is set to.
    assert variables(ours).items() <= variables(theirs).items()
    assert set(variables(theirs)) - set(variables(ours)) <= {"LOG_FORMAT", "LOG_LEVEL", "USER_LOG_LEVEL"}


def variables(details: RunDetails) -> dict[str, str]:
    return {pair.key: pair.value for pair in details.pb2.run_spec.envs.values}


def test_the_same_log(answered: dict[str, Any], client: FlyteClient) -> None:
    assert answered["log"] == list(client.tail_log("chatty").lines) == ["epoch 1", "epoch 2"]
