"""Values as literals: what the SDK wrote, byte for byte, and what comes back when it is read again."""

from __future__ import annotations

import base64
import json
import math
from collections import namedtuple
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone
from enum import Enum
from pathlib import Path
from typing import Any

import msgspec
import pendulum
import pytest
from google.protobuf.json_format import ParseDict
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_flyte.client.idl.core import literals_pb2, types_pb2
from airflow_provider_flyte.client.literals.read_from_text import ReadFromText
from airflow_provider_flyte.client.literals.reader import value_of
from airflow_provider_flyte.client.literals.types import type_name
from airflow_provider_flyte.client.literals.values import Unfit
from airflow_provider_flyte.client.literals.writer import literal_of

RECORDED = {
    case["name"]: case for case in json.loads((Path(__file__).parents[2] / "recordings" / "literals.json").read_text())
}
# A busy machine is no failure.

PICKLED = {"bytes", "any"}


class Color(Enum):
    RED = "red"
    BLUE = "blue"


@dataclass
class Point:
    x: int
    y: float
    tags: list[str] = field(default_factory=list)


Pair = namedtuple("Pair", "item_0 item_1")

UTC = timezone.utc
GIVEN: dict[str, list[Any]] = {
    "int": [42],
    "int_big": [9007199254740993],
    "int_negative": [-1],
    "float": [0.1],
    "float_inf": [math.inf],
    "float_nan": [math.nan],
    "str": ["ünïcode ✓ \n"],
    "bool": [True],
    "datetime": [
        datetime(2026, 11, 23, 12, 30, 1, 123456, tzinfo=UTC),
        datetime(2026, 11, 23, 12, 30, 1, 123456),
        datetime(2026, 11, 23, 13, 30, 1, 123456, tzinfo=timezone(timedelta(hours=1))),
        "2026-11-23T12:30:01.123456Z",
        "2026-11-23T13:30:01.123456+01:00",
        "2026-11-23 12:30:01.123456",
    ],
    "duration": [timedelta(days=1, seconds=3, microseconds=5), 86403.000005, "P1DT3.000005S"],
    "date": [date(2026, 11, 23), "2026-11-23", datetime(2026, 11, 23)],
    "list_int": [[1, 2, 3], (1, 2, 3)],
    "list_list": [[["a"], ["b", "c"]]],
    "dict_str_int": [{"a": 1, "b": 2}, {"b": 2, "a": 1}],
    "optional_none": [None],
    "optional_value": [7],
    "union": ["seven"],
    "enum": ["BLUE", Color.BLUE],
    "dataclass": [{"x": 1, "y": 2.5, "tags": ["a", "b"]}, Point(1, 2.5, ["a", "b"])],
    "pydantic": [
        {"name": "m", "scores": {"a": 0.5}, "nested": {"x": 1, "y": 2.0, "tags": []}},
        {"name": "m", "scores": {"a": 0.5}, "nested": Point(1, 2)},
    ],
    "none": [None],
    "dict_untyped": [{"a": [1, {"b": None}], "n": 9007199254740993}],
    "tuple2": [(1, "a"), [1, "a"], {"item_0": 1, "item_1": "a"}, Pair(1, "a")],
    "list_dataclass": [[{"x": 1, "y": 1.0, "tags": []}], [{"x": 1, "y": 1, "tags": []}]],
    "file": ["s3://bucket/a/data.csv", {"type": "file", "uri": "s3://bucket/a/data.csv"}],
    "dir": ["s3://bucket/a/dir/", {"type": "directory", "uri": "s3://bucket/a/dir/"}],
}


def recorded_type(name: str) -> types_pb2.LiteralType:
    return types_pb2.LiteralType.FromString(base64.b64decode(RECORDED[name]["literal_type"]))


def recorded_literal(name: str) -> literals_pb2.Literal:
    return literals_pb2.Literal.FromString(base64.b64decode(RECORDED[name]["literal"]))


def kind(**fields: Any) -> types_pb2.LiteralType:
    return ParseDict(fields, types_pb2.LiteralType())


def serialized(literal: literals_pb2.Literal) -> bytes:
    return literal.SerializeToString(deterministic=True)


def test_every_recorded_type_is_tried() -> None:
    assert set(GIVEN) | PICKLED == set(RECORDED)


@pytest.mark.parametrize(
    ("name", "value"),
    [pytest.param(name, value, id=f"{name}-{n}") for name, values in GIVEN.items() for n, value in enumerate(values)],
)
def test_a_literal_is_the_sdks_byte_for_byte(name: str, value: Any) -> None:
    # Maps have no order on the wire: both are serialized with their keys sorted.
    assert serialized(literal_of(value, recorded_type(name))) == serialized(recorded_literal(name))


@pytest.mark.parametrize("name", [name for name in RECORDED if name not in PICKLED])
def test_what_is_read_can_be_written(name: str) -> None:
    """Outputs of one run are the inputs of the next."""
    literal = recorded_literal(name)
    assert serialized(literal_of(value_of(literal), recorded_type(name))) == serialized(literal)


@pytest.mark.parametrize("name", sorted(PICKLED))
def test_a_pickled_type_is_refused(name: str) -> None:
    with pytest.raises(Unfit, match="pickled Python object"):
        literal_of(b"\x00", recorded_type(name))


def test_a_ready_made_literal_passes() -> None:
    assert literal_of(recorded_literal("bytes"), recorded_type("bytes")) == recorded_literal("bytes")


REFUSED = [
    ("int", 1.5, "1.5 (float) is not an int"),
    ("int", 1.0, "1.0 (float) is not an int"),
    ("int", True, "True (bool) is not an int"),
    ("int", "3", "'3' (str) is not an int"),
    ("int", None, "None (NoneType) is not an int"),
    ("int", 2**63, "does not fit into 64 bits"),
    ("int", -(2**63) - 1, "does not fit into 64 bits"),
    ("float", True, "is not a number"),
    ("float", "0.1", "is not a number"),
    ("float", 2**53 + 1, "would lose digits"),
    ("float", 10**400, "would lose digits"),
    ("str", 1, "is not a str"),
    ("str", "\ud800", "lone surrogate"),
    ("bool", 1, "is not a bool"),
    ("bool", "true", "is not a bool"),
    ("datetime", "yesterday", "ISO 8601"),
    ("datetime", 0, "ISO 8601"),
    ("datetime", "2026-11-26\ud800", "lone surrogate"),
    ("duration", "PT5M\ud800", "lone surrogate"),
    ("datetime", datetime.max.replace(tzinfo=timezone(-timedelta(hours=1))), "years 1 and 9999"),
    ("duration", "soon", "'PT5M'"),
    ("duration", True, "'PT5M'"),
    ("duration", math.nan, "no length of time"),
    ("duration", 10**400, "no length of time"),
    ("duration", timedelta.max, "longer than Flyte can hold"),
    ("list_int", "123", "is not a list"),
    ("list_int", {1, 2}, "is not a list"),
    ("list_int", [1, "x"], "[1]: 'x' (str) is not an int"),
    ("list_list", [["a"], ["b", 3]], "[1][1]: 3 (int) is not a str"),
    ("dict_str_int", {"a": 1.5}, "['a']: 1.5 (float) is not an int"),
    ("dict_str_int", {1: 1}, "[1]: 1 (int) is not a str"),
    ("dict_str_int", [1], "is not a dict"),
    ("optional_value", 1.5, "1.5 (float) is not an int"),
    ("union", 1.5, "1.5 (float) is not int | str"),
    ("enum", "GREEN", "'GREEN' (str) is none of 'RED', 'BLUE'"),
    ("enum", "blue", "is none of 'RED', 'BLUE'"),
    ("dataclass", {"x": 1, "y": 2.5}, "lacks 'tags'"),
    ("dataclass", {"x": 1, "y": 2.5, "tags": [], "tag": 1}, "no field 'tag'; did you mean 'tags'?"),
    ("dataclass", {"x": 1.5, "y": 2.5, "tags": []}, "['x']: 1.5 (float) is not an int"),
    ("dataclass", {"x": 1, "y": 2.5, "tags": ["a", 2]}, "['tags'][1]: 2 (int) is not a str"),
    ("pydantic", {"name": "m", "scores": {}, "nested": {"x": 1}}, "['nested']"),
    ("pydantic", {"name": "m", "scores": {"a": "high"}}, "['scores']['a']: 'high' (str) is not a number"),
    ("none", 0, "is not None"),
    ("dict_untyped", [1], "is not a dict"),
    ("dict_untyped", {"a": object()}, "['a']"),
    ("dict_untyped", {"n": 2**64}, "['n']"),
    ("dict_untyped", {("a",): 1}, "key of a dict"),
    ("tuple2", (1,), "lacks 'item_1'"),
    ("tuple2", (1, "a", 2), "no field 'item_2'"),
    ("tuple2", "1a", "is not a list"),
    ("file", "data.csv", "nothing is uploaded from here"),
    ("file", 3, "URI of a file"),
    ("file", {"type": "directory", "uri": "s3://b"}, "a file: give its URI"),
    ("dir", {"url": "s3://b"}, "a directory: give its URI"),
]


@pytest.mark.parametrize(("name", "value", "words"), REFUSED, ids=lambda part: str(part)[:20])
def test_what_does_not_fit_is_refused_and_says_why(name: str, value: Any, words: str) -> None:
    with pytest.raises(Unfit) as caught:
        literal_of(value, recorded_type(name))
    assert words in f"{caught.value.path}: {caught.value.why}"


@pytest.mark.parametrize("name", ["str", "int", "list_int", "dict_untyped", "dataclass", "file", "optional_value"])
def test_an_output_that_stayed_in_flyte_is_no_input(name: str) -> None:
    kind = recorded_type(name)
    described = {"type": "too_large", "uri": "s3://bucket/outputs.pb", "size": 200_000}
    for value in (described, {"x": described}) if name == "dict_untyped" else (described,):
        with pytest.raises(
            Unfit, match=r"an output that XCom does not hold. The output lies at s3://bucket/outputs\.pb;"
        ):
            literal_of(value, kind)


def test_scalars_of_numpy() -> None:
    numpy = pytest.importorskip("numpy")
    for name, value, plain in (
        ("bool", numpy.bool_(True), True),
        ("int", numpy.int64(42), 42),
        ("float", numpy.float64(0.1), 0.1),
        ("str", numpy.str_("x"), "x"),
        ("datetime", numpy.datetime64("2026-11-26T12:00:00"), datetime(2026, 11, 26, 12)),
        ("dict_untyped", {"a": numpy.bool_(False), "b": numpy.int32(1)}, {"a": False, "b": 1}),
    ):
        assert literal_of(value, recorded_type(name)) == literal_of(plain, recorded_type(name))
    with pytest.raises(Unfit, match="is not an int"):
        literal_of(numpy.datetime64("2026-11-26T12:00:00.000000001"), recorded_type("int"))
    with pytest.raises(Unfit, match="is not an int"):
        literal_of(numpy.bool_(True), recorded_type("int"))


def test_what_was_read_off_a_text_may_be_the_text() -> None:
    for name, read, text in (
        ("str", 20261126, "20261126"),
        ("str", {"a": 1}, '{"a": 1}'),
        ("str", None, "None"),
        ("str", True, "True"),
    ):
        assert literal_of(ReadFromText(read, text), recorded_type(name)) == literal_of(text, recorded_type(name))
    assert literal_of(ReadFromText(42, "42"), recorded_type("int")) == literal_of(42, recorded_type("int"))
    assert literal_of({"a": ReadFromText(1, "1")}, recorded_type("dict_untyped")) == literal_of(
        {"a": 1}, recorded_type("dict_untyped")
    )
    with pytest.raises(Unfit, match=r"1\.5 \(float\) is not an int"):
        literal_of(ReadFromText(1.5, "1.5"), recorded_type("int"))


def test_a_union_takes_the_variant_of_the_values_own_type() -> None:
    simple = ["FLOAT", "INTEGER", "BOOLEAN", "DATETIME", "STRING", "NONE"]
    union = kind(unionType={"variants": [{"simple": each, "structure": {"tag": each.lower()}} for each in simple]})
    for value, tag in [
        (1, "integer"),
        (1.5, "float"),
        (True, "boolean"),
        ("2026-11-23", "string"),
        (date(2026, 1, 1), "datetime"),
        (None, "none"),
    ]:
        assert literal_of(value, union).scalar.union.type.structure.tag == tag


def test_a_length_of_pendulums_is_the_same_length() -> None:
    """Airflow's dates are pendulum's, and so is the difference of two of them."""
    length = pendulum.datetime(2026, 1, 1) - pendulum.datetime(2026, 1, 2, 3)
    assert isinstance(length, timedelta)
    assert value_of(literal_of(length, kind(simple="DURATION"))) == timedelta(days=-1, hours=-3)
    field = {"type": "object", "properties": {"pause": {"type": "string", "format": "duration"}}}
    made = literal_of({"pause": length}, kind(simple="STRUCT", metadata=field))
    assert msgspec.msgpack.decode(made.scalar.binary.value) == {"pause": "-P1DT10800S"}


def test_a_union_takes_the_first_variant_that_fits_where_none_is_the_values_own() -> None:
    variants = [{"simple": "NONE"}, {"simple": "DURATION"}, {"simple": "FLOAT"}]
    made = literal_of(3, kind(unionType={"variants": variants}))
    assert made.scalar.union.type.simple == types_pb2.DURATION
    assert value_of(made) == timedelta(seconds=3)


def test_a_union_of_dataclasses_takes_the_one_with_the_fields() -> None:
    point = recorded_type("dataclass")
    other = kind(simple="STRUCT", metadata={"type": "object", "title": "Other", "properties": {"z": {}}})
    union = types_pb2.LiteralType(union_type=types_pb2.UnionType(variants=[other, point]))
    made = literal_of({"x": 1, "y": 2, "tags": []}, union)
    assert made.scalar.union.type == point
    assert value_of(made) == {"x": 1, "y": 2.0, "tags": []}


def test_a_structured_dataset_keeps_the_columns_and_the_tasks_format() -> None:
    columns = [{"name": "a", "literalType": {"simple": "INTEGER"}}]
    frame = kind(structuredDatasetType={"columns": columns, "format": ""})
    made = literal_of({"type": "structured_dataset", "uri": "s3://b/t", "format": "parquet"}, frame)
    assert value_of(made) == {"type": "structured_dataset", "uri": "s3://b/t", "format": "parquet"}
    assert [each.name for each in made.scalar.structured_dataset.metadata.structured_dataset_type.columns] == ["a"]
    fixed = kind(structuredDatasetType={"format": "csv"})
    assert value_of(literal_of({"uri": "s3://b/t", "format": "parquet"}, fixed))["format"] == "csv"


def test_times_and_enums_in_objects_are_written_as_the_sdk_reads_them() -> None:
    schema = {
        "type": "object",
        "title": "Job",
        "properties": {
            "when": {"type": "string", "format": "date-time"},
            "day": {"type": "string", "format": "date"},
            "limit": {"type": "number", "format": "time-delta"},
            "pause": {"type": "string", "format": "duration"},
            "named": {"enum": ["RED", "BLUE"]},
            "valued": {"$ref": "#/$defs/Color"},
        },
        "$defs": {"Color": {"enum": ["red", "blue"]}},
    }
    value = {
        "when": datetime(2026, 1, 2, tzinfo=UTC),
        "day": date(2026, 1, 2),
        "limit": timedelta(seconds=1.5),
        "pause": timedelta(minutes=5),
        "named": Color.BLUE,
        "valued": Color.BLUE,
    }
    assert value_of(literal_of(value, kind(simple="STRUCT", metadata=schema))) == {
        "when": "2026-01-02T00:00:00+00:00",
        "day": "2026-01-02",
        "limit": 1.5,
        "pause": "PT300S",
        "named": "BLUE",
        "valued": "blue",
    }


def test_an_unknown_type_is_refused_by_name() -> None:
    for odd, words in ((kind(), "unknown type"), (kind(schema={}), "schema"), (kind(simple="ERROR"), "error")):
        with pytest.raises(Unfit, match=words):
            literal_of(1, odd)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("list_list", "list[list[str]]"),
        ("dict_str_int", "dict[str, int]"),
        ("optional_none", "int | None"),
        ("enum", "enum of RED, BLUE"),
        ("dataclass", "Point"),
        ("pydantic", "Model"),
        ("tuple2", "tuple"),
        ("dict_untyped", "dict"),
        ("list_dataclass", "list[Point]"),
        ("bytes", "a pickled Python object"),
        ("file", "file"),
        ("dir", "directory"),
    ],
)
def test_a_type_is_named_as_python_names_it(name: str, words: str) -> None:
    assert type_name(recorded_type(name)) == words


# -- round trips

_texts = st.text(st.characters(exclude_categories=["Cs"]))
_simple: dict[str, st.SearchStrategy[Any]] = {
    "INTEGER": st.integers(-(2**63), 2**63 - 1),
    "FLOAT": st.floats(allow_nan=False),
    "STRING": _texts,
    "BOOLEAN": st.booleans(),
    # Timestamp has no year 10000, and the shift to UTC must not lead there.
    "DATETIME": st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC)),
    "DURATION": st.timedeltas(timedelta(days=-3_000_000), timedelta(days=3_000_000)),
    "NONE": st.none(),
}


@st.composite
def _typed(draw: st.DrawFn, depth: int = 3) -> tuple[dict[str, Any], Any]:
    """A type and a value of it."""
    choice = draw(st.sampled_from([*_simple, *(["list", "map", "optional"] if depth else [])]))
    if choice in _simple:
        return {"simple": choice}, draw(_simple[choice])
    inner, value = draw(_typed(depth - 1))
    if choice == "list":
        return {"collectionType": inner}, [value] * draw(st.integers(0, 3))
    if choice == "map":
        return {"mapValueType": inner}, dict.fromkeys(draw(st.lists(_texts, max_size=3)), value)
    variants = [{"simple": "NONE", "structure": {"tag": "none"}}, {**inner, "structure": {"tag": "other"}}]
    return {"unionType": {"variants": variants}}, draw(st.sampled_from([value, None]))


@given(_typed())
def test_what_is_written_is_read_as_it_was(typed: tuple[dict[str, Any], Any]) -> None:
    shape, value = typed
    again = value_of(literals_pb2.Literal.FromString(literal_of(value, kind(**shape)).SerializeToString()))
    assert again == value
    assert type(again) is type(value)


_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | _texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_texts, inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(_texts, _json, max_size=4))
def test_an_untyped_dict_is_read_as_it_was(value: dict[str, Any]) -> None:
    assert value_of(literal_of(value, recorded_type("dict_untyped"))) == value


_anything = st.recursive(
    _json | st.text() | st.binary() | st.datetimes(timezones=st.timezones()) | st.timedeltas() | st.decimals(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text() | st.integers() | st.tuples(st.integers()), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(_anything, st.sampled_from(sorted(RECORDED)))
def test_anything_either_fits_or_is_unfit(value: Any, name: str) -> None:
    """No other error leaves, whatever a DAG gives; and what fits can be read."""
    with suppress(Unfit):
        made = literal_of(value, recorded_type(name))
        read = value_of(literals_pb2.Literal.FromString(made.SerializeToString()))
        assert not (isinstance(read, dict) and read.get("type") == "unreadable" and read != value)
