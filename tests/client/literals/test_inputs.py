"""The inputs of a run by its task's interface: names, types, defaults, and one error for all that is wrong."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest

from airflow_provider_flyte.client.errors import ConfigError, InputsError
from airflow_provider_flyte.client.idl.core import types_pb2
from airflow_provider_flyte.client.idl.task import common_pb2, task_definition_pb2
from airflow_provider_flyte.client.literals.inputs import make_inputs
from airflow_provider_flyte.client.literals.reader import named_values
from airflow_provider_flyte.testing import literals


def task(**inputs: Any) -> task_definition_pb2.TaskDetails:
    task_id = task_definition_pb2.TaskIdentifier(name="demo.train", version="v7")
    return task_definition_pb2.TaskDetails(task_id=task_id, spec=literals.task_spec(task_id, inputs, {}, {}))


def test_defaults_are_filled_in_and_the_order_is_the_interfaces() -> None:
    """As the SDK sends them."""
    made = make_inputs(task(b=int, a=(str, "x"), c=(list[int], [1])), {"c": [2], "b": 3})
    assert [each.name for each in made.literals] == ["a", "b", "c"]
    assert named_values(made) == {"a": "x", "b": 3, "c": [2]}


def test_an_input_of_type_none_needs_no_value() -> None:
    assert named_values(make_inputs(task(n=None), {})) == {"n": None}


def test_an_optional_without_a_default_must_be_given() -> None:
    """As in Python and in the SDK: Optional says what may be given, not that nothing must be."""
    variants = [types_pb2.LiteralType(simple=types_pb2.INTEGER), types_pb2.LiteralType(simple=types_pb2.NONE)]
    details = task(n=types_pb2.LiteralType(union_type=types_pb2.UnionType(variants=variants)))
    with pytest.raises(InputsError, match=r"n \(int \| None\) is missing"):
        make_inputs(details, {})
    assert named_values(make_inputs(details, {"n": None})) == {"n": None}


def test_all_that_is_wrong_is_in_one_error() -> None:
    details = task(rows=int, when=str, scores=dict[str, float], limit=(int, 5))
    with pytest.raises(InputsError) as caught:
        make_inputs(details, {"row": 1, "rows": 1.5, "scores": {"a": "high"}, 3: 4})  # type: ignore[dict-item]
    assert str(caught.value) == (
        "The inputs do not fit task demo.train, version v7. 'row' is no input of it, did you mean rows? "
        "3 (int) is not the name of an input. rows must be int: 1.5 (float) is not an int. "
        "scores['a'] must be dict[str, float]: 'high' (str) is not a number. when (str) is missing. "
        "The task takes limit: int (has a default), rows: int, scores: dict[str, float], when: str."
    )
    assert isinstance(caught.value, ConfigError)


def test_a_required_parameter_is_no_default() -> None:
    details = task(rows=int)
    parameter = details.spec.default_inputs.add(name="rows").parameter
    parameter.required = True
    with pytest.raises(InputsError, match="rows"):
        make_inputs(details, {})


def test_a_value_that_holds_itself_is_refused() -> None:
    endless: list[Any] = []
    endless.append(endless)
    struct = types_pb2.LiteralType(simple=types_pb2.STRUCT)
    with pytest.raises(InputsError, match="holds itself"):
        make_inputs(task(d=struct), {"d": {"a": endless}})


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("soon", "'soon' (str)"),
        ("hunter2" * 9, "a str of 63 characters"),
        ("it's\nhunter2", "a str of 12 characters"),
        (["hunter2"], "a list of 1"),
        ({"a": "hunter2"}, "a dict with 1 key"),
        (b"hunter2", "a bytes of 7"),
        (object(), "a object"),
        (True, "True (bool)"),
        (10**70, "a huge number (int)"),
        (datetime(2026, 1, 1, tzinfo=timezone.utc), "datetime.datetime(2026, 1, 1, 0, 0, "),
    ],
)
def test_a_value_is_shown_whole_or_not_at_all(value: Any, shown: str) -> None:
    """Airflow masks a secret in the log only where it stands whole, as it is."""
    with pytest.raises(InputsError) as caught:
        make_inputs(task(rows=int), {"rows": value})
    assert f"rows must be int: {shown}" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_task_without_inputs() -> None:
    assert make_inputs(task(), {}) == common_pb2.Inputs()
    with pytest.raises(InputsError, match="takes no inputs"):
        make_inputs(task(), {"x": 1})
