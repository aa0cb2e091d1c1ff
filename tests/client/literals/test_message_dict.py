"""Messages that hold numbers and times that protobuf's JSON mapping refuses."""

from __future__ import annotations

import math

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.struct_pb2 import Struct
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import example, given
from hypothesis import strategies as st

from airflow_provider_flyte.client import RunDetails
from airflow_provider_flyte.client.idl.core import literals_pb2
from airflow_provider_flyte.client.idl.workflow import run_definition_pb2
from airflow_provider_flyte.client.literals.message_dict import message_dict
from airflow_provider_flyte.client.literals.reader import value_of


def details(number: float) -> RunDetails:
    """Of a run whose task has a schema with this default, deep in it."""
    message = run_definition_pb2.RunDetails()
    message.action.id.run.name = "r1"
    variable = message.action.task.task_template.interface.inputs.variables.add(key="x").value
    variable.type.metadata.update({"properties": {"x": {"default": [number, 1.5, "a"]}}})
    return RunDetails(message)


@pytest.mark.parametrize(
    ("number", "word"), [(math.nan, "NaN"), (math.inf, "Infinity"), (-math.inf, "-Infinity"), (2.5, 2.5)]
)
def test_a_run_whose_task_has_a_default_of_nan(number: float, word: object) -> None:
    run = details(number)
    [variable] = run.to_dict()["action"]["task"]["taskTemplate"]["interface"]["inputs"]["variables"]
    assert variable["value"]["type"]["metadata"]["properties"]["x"]["default"] == [word, 1.5, "a"]
    assert f'"{word}"' in run.to_json() or word == 2.5
    # The message itself stays as it came.
    assert details(number).pb2.SerializeToString(deterministic=True) == run.pb2.SerializeToString(deterministic=True)


def test_an_output_with_a_nan() -> None:
    struct = Struct()
    struct.update({"a": {"b": [math.nan, -math.inf, 3, 2.5, True, None, "x"]}})
    value = value_of(literals_pb2.Literal(scalar=literals_pb2.Scalar(generic=struct)))
    found = value["a"]["b"]
    assert math.isnan(found[0])
    assert found[1:] == [-math.inf, 3, 2.5, True, None, "x"]


INT64 = st.integers(-(2**63), 2**63 - 1)
INT32 = st.integers(-(2**31), 2**31 - 1)


@given(INT64, INT32)
@example(253_402_300_800, 0)
@example(-62_135_596_801, 0)
@example(0, -1)
@example(0, 1_000_000_000)
def test_a_run_with_any_time(seconds: int, nanos: int) -> None:
    message = run_definition_pb2.RunDetails()
    message.action.status.end_time.seconds, message.action.status.end_time.nanos = seconds, nanos
    ended = RunDetails(message).to_dict()["action"]["status"]["endTime"]
    if seconds > 253_402_300_799:
        assert ended.startswith("9999-12-31T23:59:59")
    elif seconds < -62_135_596_800:
        assert ended.startswith("0001-01-01T00:00:00")
    Timestamp().FromJsonString(ended)


@given(INT64, INT32)
@example(315_576_000_001, 0)
@example(-1, 1)
def test_a_message_with_any_duration(seconds: int, nanos: int) -> None:
    mapped = message_dict(Duration(seconds=seconds, nanos=nanos))
    read = Duration()
    read.FromJsonString(str(mapped))
    assert read.seconds == min(max(seconds, -315_576_000_000), 315_576_000_000)
