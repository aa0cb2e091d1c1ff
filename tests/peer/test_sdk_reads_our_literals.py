"""The newest Flyte SDK reads the inputs of a run that we launched, by its own types, and would have sent the same."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_flyte.client import FlyteClient, FlyteConfig, Launch
from airflow_provider_flyte.client.idl.core import types_pb2
from airflow_provider_flyte.testing import LocalFlyte
from tests.peer.conftest import run_sdk

POINT = {"x": 1, "y": 2, "tags": ["a"]}
NOON = "2026-11-23T12:30:01.123456+00:00"
GIVEN: dict[str, Any] = {
    "big": 2**53 + 1,
    "whole": 3,
    "text": "ünïcode ✓",
    "yes": True,
    "when": NOON,
    "day": "2026-11-23",
    "pause": 300,
    "nothing": None,
    "numbers": [1, 2],
    "table": {"a": [0.5, 1]},
    "maybe": 7,
    "maybe_not": None,
    "choice": 3,
    "maybe_point": POINT,
    "color": "BLUE",
    "point": POINT,
    "points": [POINT],
    "job": {
        "when": NOON,
        "day": "2026-11-23",
        "limit": timedelta(seconds=90),
        "color": "red",
        "at": POINT,
        "note": None,
    },
    "model": {
        "name": "m",
        "scores": {"a": 1},
        "color": "BLUE",
        "pause": timedelta(minutes=5),
        "when": NOON,
        "nested": POINT,
        "size": 3,
    },
    "two": [1, "a"],
    "pair": {"left": 1, "right": "a"},
    "options": {"depth": 1, "name": "n"},
    "loose": {"a": [1, {"b": None}], "n": 2**53 + 1},
    "by_number": {1: "a"},
    "file": "s3://bucket/a.csv",
    "folder": "s3://bucket/a/",
}

OTHER_LETTERS = {"model"}
"""pydantic writes a moment with Z and five minutes as PT5M, where we write +00:00 and PT300S; it reads both."""


@pytest.fixture(scope="module")
def answered(flyte: LocalFlyte, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    types = {
        name: types_pb2.LiteralType.FromString(base64.b64decode(kind))
        for name, kind in json.loads(run_sdk("PEER_CONNECT", "sdk_literals.py", "types")).items()
    }
    flyte.deploy("all-types", inputs=types)
    config = FlyteConfig(endpoint=flyte.endpoint, insecure=True, project="flytesnacks", domain="development")
    with FlyteClient(config) as client:
        client.launch(Launch("all-types", inputs=GIVEN, run_name="typed"))
    [call] = [call for call in flyte.calls("CreateRun") if call.request.run_id.name == "typed"]
    path = tmp_path_factory.mktemp("inputs") / "inputs.pb"
    path.write_bytes(call.request.inputs.SerializeToString())
    answer: dict[str, Any] = json.loads(run_sdk("PEER_CONNECT", "sdk_literals.py", "reads", str(path)))
    return answer


def test_every_type_is_tried(answered: dict[str, Any]) -> None:
    assert set(answered) == set(GIVEN)


@pytest.mark.parametrize("name", list(GIVEN))
def test_the_sdk_reads_what_we_wrote(answered: dict[str, Any], name: str) -> None:
    assert answered[name]["reads"] == "as meant"


@pytest.mark.parametrize("name", list(GIVEN))
def test_the_sdk_would_have_sent_the_same_bytes(answered: dict[str, Any], name: str) -> None:
    assert answered[name]["same"] == (name not in OTHER_LETTERS)
