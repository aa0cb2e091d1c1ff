"""The newest Flyte SDK and we launch the same task in the same way: the requests differ in what is named here."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict

from airflow_provider_flyte.client import FlyteClient, FlyteConfig, Launch
from airflow_provider_flyte.client.flows import upload
from airflow_provider_flyte.testing import LocalFlyte
from tests.peer.conftest import run_sdk

PLAIN: dict[str, Any] = {"inputs": {"rows": 8}}
RULE: dict[str, Any] = {"inputs": {"rows": 8}, "notification_rule": "oncall"}
WHOLE: dict[str, Any] = {
    "run_name": "ours",
    "inputs": {"rows": 8, "rate": 0.25},
    "labels": {"team": "data"},
    "annotations": {"note": "✓"},
    "env_vars": {"STAGE": "test"},
    "run_context": {"day": "2026-11-27"},
    "run_start_time": "2026-11-27",
    "queue": "gpu",
    "interruptible": False,
    "overwrite_cache": True,
    "cache_lookup_scope": "project-domain",
    "service_account": "trainer",
    "raw_data_prefix": "s3://bucket/raw",
    "run_base_dir": "s3://bucket/runs",
    "max_action_concurrency": 7,
    "notifications": [
        {"on_phase": "FAILED", "delivery": "oncall"},
        {"on_phase": ["FAILED", "TIMED_OUT"], "email": {"recipients": ["a@example.com"]}},
        {"on_phase": "SUCCEEDED", "webhook": {"url": "https://example.com/hook", "body": {"text": "{{.Run.Name}}"}}},
    ],
}

DIFFERENCES = {
    "runId": "each run has a name of its own",
    "taskId.org": "we name it; the SDK repeats what the server says of the task, the local one without it",
    "inputs": "we send them in the request",
    "offloadedInputData": "the SDK uploads them first",
    "runSpec.envs.LOG_FORMAT": "how the SDK's own logging is set",
    "runSpec.envs.LOG_LEVEL": "the same",
    "runSpec.envs.USER_LOG_LEVEL": "the same",
}
OF_A_WHOLE_ONE = DIFFERENCES | {"runStartTime": "the SDK's is for runs on the author's machine alone"}
OF_A_PLAIN_ONE = DIFFERENCES | {
    "projectId": "the SDK lets the server choose the name; we do, so that the run is found again",
    "runSpec.cacheConfig.cacheLookupScope": "the SDK sets its default, we leave it to Flyte",
}


@pytest.fixture(scope="module")
def answered(flyte: LocalFlyte) -> dict[str, Any]:
    flyte.deploy("demo.train", version="v7", inputs={"rows": int, "rate": (float, 0.5)})
    names = json.loads(run_sdk("PEER_CONNECT", "sdk_launches.py", flyte.connect_endpoint))
    requests = [call.request for call in flyte.calls("CreateRun")]
    return dict(zip(names, zip(names.values(), requests, strict=True), strict=True))


@pytest.fixture(scope="module")
def client(flyte: LocalFlyte) -> Iterator[FlyteClient]:
    config = FlyteConfig(
        endpoint=flyte.endpoint, insecure=True, org="testorg", project="flytesnacks", domain="development"
    )
    with FlyteClient(config) as client:
        yield client


@pytest.mark.parametrize(
    ("kind", "wanted", "differences"),
    [("plain", PLAIN, OF_A_PLAIN_ONE), ("rule", RULE, OF_A_PLAIN_ONE), ("whole", WHOLE, OF_A_WHOLE_ONE)],
)
def test_the_same_request(
    flyte: LocalFlyte,
    answered: dict[str, Any],
    client: FlyteClient,
    kind: str,
    wanted: dict[str, Any],
    differences: dict[str, str],
) -> None:
    their_name, their_request = answered[kind]
    our_name = client.launch(Launch("demo.train", **wanted)).name
    ours, theirs = flat(flyte.calls("CreateRun")[-1].request), flat(their_request)
    found = {path for path in ours.keys() | theirs.keys() if ours.get(path) != theirs.get(path)}
    assert found == set(differences)
    runs = {run.name: run for run in flyte.runs()}
    assert runs[our_name].inputs == runs[their_name].inputs
    assert runs[our_name].context == runs[their_name].context == wanted.get("run_context", {})


@pytest.mark.parametrize(("kind", "wanted"), [("plain", PLAIN), ("whole", WHOLE)])
def test_the_same_upload(
    flyte: LocalFlyte,
    answered: dict[str, Any],
    client: FlyteClient,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    wanted: dict[str, Any],
) -> None:
    """Of inputs that are too large for a launch; the SDK uploads all."""
    monkeypatch.setattr(upload, "MOST_INLINE", 0)
    name = client.launch(Launch("demo.train", **wanted | {"run_name": f"uploading-{kind}"})).name
    theirs = flyte.calls("UploadInputs")[list(answered).index(kind)].request
    ours = flyte.calls("UploadInputs")[-1].request
    assert ours.run_id.name == name
    # As in the launch itself.
    for request in (theirs, ours):
        request.ClearField("id")
        request.task_id.org = ""
    assert ours == theirs
    runs = {run.name: run for run in flyte.runs()}
    assert runs[name].inputs == runs[answered[kind][0]].inputs


def flat(request: Any) -> dict[str, Any]:
    """Each part by its path; environment variables by their names."""
    made: dict[str, Any] = {}

    def add(path: str, value: Any) -> None:
        if path == "runSpec.envs":
            made.update({f"{path}.{each['key']}": each.get("value", "") for each in value["values"]})
        elif isinstance(value, dict) and path not in ("inputs", "offloadedInputData", "runId", "projectId"):
            for name, each in value.items():
                add(f"{path}.{name}".lstrip("."), each)
        else:
            made[path] = value

    add("", MessageToDict(request))
    return made
