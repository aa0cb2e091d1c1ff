"""RunDetails and literals show what a real backend answered as the Flyte SDK shows it."""

from __future__ import annotations

import base64
import json
import math
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import text_format
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_flyte.client import RunDetails
from airflow_provider_flyte.client.idl.core import literals_pb2
from airflow_provider_flyte.client.idl.task import common_pb2
from airflow_provider_flyte.client.idl.workflow import run_definition_pb2, run_service_pb2
from airflow_provider_flyte.client.literals.reader import named_values, value_of

RECORDINGS = Path(__file__).parents[1] / "recordings"
EXPECTED = json.loads((RECORDINGS / "expected.json").read_text())
NOT_IN_EXPECTED = {"child_actions/12", "late_end/1", "start_time/1"}
"""Recorded later than expected.json, which holds no words of the Flyte SDK on them."""
LITERALS = json.loads((RECORDINGS / "literals.json").read_text())


def recorded(recording: str) -> RunDetails:
    scene, _, number = recording.partition("/")
    call = json.loads((RECORDINGS / f"{scene}.json").read_text())["calls"][int(number)]
    assert call["method"].endswith("/GetRunDetails")
    answer = base64.b64decode(call["responses"][0]["message"])
    return RunDetails(run_service_pb2.GetRunDetailsResponse.FromString(answer).details)


def test_every_recorded_get_run_details_is_compared() -> None:
    calls = set()
    for path in RECORDINGS.glob("*.json"):
        scene = json.loads(path.read_text())
        for number, call in enumerate(scene.get("calls", ()) if isinstance(scene, dict) else ()):
            if str(call.get("method")).endswith("/GetRunDetails") and call["status"]["code"] == "OK":
                calls.add(f"{path.stem}/{number}")
    assert calls == set(EXPECTED) | NOT_IN_EXPECTED


@pytest.mark.parametrize("recording", list(EXPECTED))
def test_a_recorded_run(recording: str) -> None:
    details, expected = recorded(recording), EXPECTED[recording]
    assert details.to_dict() == expected["to_dict"]
    assert json.loads(details.to_json()) == json.loads(expected["to_json"])
    assert details.done() == expected["done"]
    assert details.name == expected["name"]
    assert details.task_name == expected["task_name"]
    assert details.action_id == text_format.Parse(expected["action_id"], type(details.action_id)())


@pytest.mark.parametrize(
    ("phase", "done"), [(4, False), (5, True), (6, True), (7, True), (8, True), (9, False), (10, True), (99, False)]
)
def test_done_follows_the_newest_phases(phase: int, done: bool) -> None:
    message = run_definition_pb2.RunDetails()
    message.action.status.phase = phase  # type: ignore[assignment]  # an open enum
    details = RunDetails(message)
    assert details.done() is done
    assert details.phase == phase


def test_a_phase_that_nobody_knows_is_shown_as_its_number() -> None:
    message = run_definition_pb2.RunDetails()
    message.action.status.phase = 99  # type: ignore[assignment]  # an open enum
    assert RunDetails(message).to_dict()["action"]["status"]["phase"] == 99
    assert "phase=phase 99" in repr(RunDetails(message))


def _plain(value: Any) -> Any:
    """The file's stand-ins as what they stand for."""
    if isinstance(value, dict):
        if set(value) == {"$datetime"}:
            return datetime.fromisoformat(value["$datetime"])
        if set(value) == {"$seconds"}:
            return timedelta(seconds=value["$seconds"])
        if set(value) == {"$float"}:
            return float(value["$float"])
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("case", LITERALS, ids=lambda case: str(case["name"]))
def test_a_literal_of_the_sdk(case: dict[str, Any]) -> None:
    value = value_of(literals_pb2.Literal.FromString(base64.b64decode(case["literal"])))
    expected = _plain(case["expected"])
    if isinstance(expected, float) and math.isnan(expected):
        assert math.isnan(value)
        return
    assert value == expected
    assert type(value) is type(expected)
    if isinstance(value, datetime):
        assert value.tzinfo is timezone.utc


def test_odd_literals_are_described_and_leave_the_others_alone() -> None:
    broken = literals_pb2.Literal()
    broken.scalar.binary.tag = "msgpack"
    broken.scalar.binary.value = b"\xc1"
    too_late = literals_pb2.Literal()
    too_late.scalar.primitive.datetime.seconds = 253402300799
    too_late.scalar.primitive.datetime.nanos = 999999999
    fine = literals_pb2.Literal()
    fine.scalar.primitive.integer = 3
    outputs = common_pb2.Outputs(
        literals=[
            common_pb2.NamedLiteral(name=name, value=value)
            for name, value in {"o0": broken, "o1": literals_pb2.Literal(), "o2": too_late, "o3": fine}.items()
        ]
    )
    values = named_values(outputs)
    assert values["o0"]["type"] == "unreadable"
    assert values["o1"]["type"] == "unreadable"
    assert values["o3"] == 3


@given(st.binary(max_size=200))
def test_no_literal_is_an_exception(data: bytes) -> None:
    try:
        literal = literals_pb2.Literal.FromString(data)
    except DecodeError:
        return
    value_of(literal)


@given(st.sampled_from(LITERALS), st.integers(0, 400), st.integers(0, 255))
def test_no_spoilt_literal_is_an_exception(case: dict[str, Any], recording: int, byte: int) -> None:
    data = bytearray(base64.b64decode(case["literal"]))
    data[recording % len(data)] = byte
    test_no_literal_is_an_exception.hypothesis.inner_test(bytes(data))  # type: ignore[attr-defined]
