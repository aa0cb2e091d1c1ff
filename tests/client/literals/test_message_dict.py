"""Messages whose JSON values hold what JSON has no number for."""

from __future__ import annotations

import math

import pytest
from google.protobuf.struct_pb2 import Struct

from airflow_provider_flyte.client import RunDetails
from airflow_provider_flyte.client.idl.core import literals_pb2
from airflow_provider_flyte.client.idl.workflow import run_definition_pb2
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
