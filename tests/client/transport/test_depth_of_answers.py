"""Answers that are nested deeper than protobuf's Python reads: what does not lie too deep is read."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any, cast

import pytest
from google.protobuf.struct_pb2 import ListValue, Struct, Value

from airflow_provider_flyte.client import RunDetails
from airflow_provider_flyte.client.flows.calls import get_action_data, get_run_details, run_identifier
from airflow_provider_flyte.client.idl.common import identifier_pb2
from airflow_provider_flyte.client.idl.core import literals_pb2, types_pb2
from airflow_provider_flyte.client.literals.reader import named_values
from airflow_provider_flyte.client.phase import RunPhase
from airflow_provider_flyte.client.rpc import DataProxyService, RunService
from airflow_provider_flyte.client.transport import answers
from airflow_provider_flyte.client.transport.depth import DEEPEST, LEFT_OUT, MOST_BYTES, MOST_FIELDS, without_depths
from airflow_provider_flyte.testing import Fault, LocalFlyte
from tests.client.conftest import config_for
from tests.support.deep_messages import inside
from tests.support.one_call import ask

both = pytest.mark.parametrize("on_a_loop", [False, True], ids=["blocking", "loop"])
deeper = pytest.mark.parametrize("times", [10, 50, 3000])

DICTS, LISTS = "struct_value.fields", "list_value.values"
TEMPLATE = "details.action.task.task_template"
TEXT = Value(string_value="x").SerializeToString()


@dataclass(frozen=True)
class Adds(Fault):
    """Answers with more bytes, which protobuf merges into the message."""

    more: bytes

    def answer(self, message: Any) -> Any:
        return message.SerializeToString() + self.more


@both
@deeper
@pytest.mark.parametrize("kind", [DICTS, LISTS, f"{DICTS}.{LISTS}"], ids=["dicts", "lists", "both"])
@pytest.mark.parametrize(
    "where", ["custom", "interface.inputs.variables.value.type.metadata"], ids=["custom", "metadata"]
)
def test_details(local_flyte: LocalFlyte, where: str, kind: str, times: int, on_a_loop: bool) -> None:
    deep = inside(Struct, "fields", inside(Value, kind, TEXT, times))
    local_flyte.run("r1", annotations={"a": "b"}).succeeds()
    local_flyte.inject("GetRunDetails", Adds(inside(RunService.GetRunDetails.response, f"{TEMPLATE}.{where}", deep)))
    config = config_for(local_flyte)
    call = get_run_details(run_identifier(config.key("r1"), ""))
    [answer] = ask(config, call.method, call.request, on_a_loop=on_a_loop)
    details = RunDetails(call.read(answer))
    assert details.phase == RunPhase.SUCCEEDED
    assert details.pb2.run_spec.annotations.values == {"a": "b"}
    template = details.to_dict()["action"]["task"]["taskTemplate"]
    shown = template["custom"] if where == "custom" else template["interface"]["inputs"]["variables"][0]
    assert (LEFT_OUT in json.dumps(shown)) == (times > 10)


@both
@deeper
@pytest.mark.parametrize(
    "kind", ["collection.literals", "map.literals", "scalar.union.value"], ids=["collections", "maps", "unions"]
)
def test_outputs(local_flyte: LocalFlyte, kind: str, times: int, on_a_loop: bool) -> None:
    seven = literals_pb2.Literal(scalar={"primitive": {"integer": 7}}).SerializeToString()
    deep = inside(literals_pb2.Literal, kind, seven, times)
    local_flyte.run("r1").succeeds({"o0": 8})
    local_flyte.inject(
        "DataProxyService/GetActionData",
        Adds(inside(DataProxyService.GetActionData.response, "outputs.literals.value", deep)),
    )
    config = config_for(local_flyte)
    call = get_action_data(identifier_pb2.ActionIdentifier(run=run_identifier(config.key("r1"), ""), name="a0"))
    [answer] = ask(config, call.method, call.request, on_a_loop=on_a_loop)
    values = named_values(answer.outputs)
    assert values["o0"] == 8
    assert ('"unreadable"' in json.dumps(values[""])) == (times > 10)


@deeper
@pytest.mark.parametrize("kind", ["collection_type", "map_value_type", "union_type.variants"])
def test_types(kind: str, times: int) -> None:
    """The names in an interface are needed for the keys in XCom."""
    response = RunService.GetRunDetails.response
    deep = inside(
        types_pb2.LiteralType, kind, types_pb2.LiteralType(simple=types_pb2.INTEGER).SerializeToString(), times
    )
    before = response()
    before.details.action.task.task_template.interface.outputs.variables.add(key="o0")
    more = inside(response, f"{TEMPLATE}.interface.outputs.variables.value.type", deep)
    read = answers.read(RunService.GetRunDetails, before.SerializeToString() + more)
    assert isinstance(read, response)
    first, second = read.details.action.task.task_template.interface.outputs.variables
    assert first.key == "o0"
    assert second.value.type.ByteSize()


@pytest.mark.parametrize("times", range(30, 60))
@pytest.mark.parametrize(("kind", "levels"), [(DICTS, 3), (LISTS, 2)], ids=["dicts", "lists"])
def test_where_it_is_cut(kind: str, levels: int, times: int) -> None:
    """Nothing is cut that can be read, no element is lost, and what is left can be read and written."""
    data = inside(Value, kind, TEXT, times)
    row: Any = replace(cast(Any, RunService.ListRuns), response=Value)
    message = answers.read(row, data)
    assert isinstance(message, Value)
    assert Value.FromString(message.SerializeToString()) == message
    depth, value = 0, message
    while value.WhichOneof("kind") != "string_value":
        value = value.struct_value.fields["k"] if value.HasField("struct_value") else value.list_value.values[0]
        depth += 1
    if times * levels <= DEEPEST:
        assert (value.string_value, depth) == ("x", times)
    else:
        assert value.string_value == LEFT_OUT
        assert depth * levels in range(DEEPEST - levels, DEEPEST + 1)


def test_a_part_that_holds_nothing_but_messages() -> None:
    """Of other kinds, which may not be in each other that often."""
    data = inside(ListValue, "values.list_value", b"", 51)
    assert without_depths(ListValue.DESCRIPTOR, data) is not None


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x0a",
        b"\x0a\x05\x0a",
        b"\x0b\x0a\x00\x0c",
        b"\x08" + b"\xff" * 11,
        b"\x09\x00",
        b"\x0d\x00",
        b"hello, world",
        inside(Value, LISTS, TEXT, 100)[:-1],
        inside(Value, LISTS, TEXT, 100) + b"\x10\x00" * MOST_FIELDS,
        inside(Value, LISTS, Value(string_value="x" * MOST_BYTES).SerializeToString(), 100),
    ],
    ids=["nothing", "a tag", "cut", "group", "number", "eight", "four", "text", "cut deep", "too many", "too large"],
)
def test_what_is_not_tried(data: bytes) -> None:
    assert without_depths(Value.DESCRIPTOR, data) is None


def test_what_stays_unreadable() -> None:
    """Deep, and no text within what is not."""
    deep = inside(RunService.GetRunDetails.response, f"{TEMPLATE}.custom.fields", inside(Value, LISTS, TEXT, 100))
    no_text = inside(RunService.GetRunDetails.response, "details.action.id.name", b"\xff")
    read = answers.read(RunService.GetRunDetails, no_text + deep)
    assert isinstance(read, answers.Unreadable)
    assert "cannot be read as GetRunDetailsResponse" in read.details
