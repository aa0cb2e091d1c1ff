"""What a function returned, as a try has it that deferred before its launch: each input becomes the same literal."""

from __future__ import annotations

from collections import namedtuple
from dataclasses import dataclass
from datetime import date, timedelta, timezone
from enum import Enum, IntEnum
from pathlib import PurePosixPath
from types import SimpleNamespace
from typing import Any

import pendulum
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_flyte.client.idl.core import literals_pb2, types_pb2
from airflow_provider_flyte.client.literals.writer import literal_of
from airflow_provider_flyte.exceptions import FlyteArgumentError
from airflow_provider_flyte.launch.returned import pack, unpack

ANYTHING = types_pb2.LiteralType(simple=types_pb2.STRUCT)
INTEGER, TEXT = types_pb2.LiteralType(simple=types_pb2.INTEGER), types_pb2.LiteralType(simple=types_pb2.STRING)


class Color(Enum):
    RED = "r"
    BLUE = "b"


class Name(str, Enum):
    ANNA = "anna"


class Size(IntEnum):
    LARGE = 3


@dataclass
class Point:
    x: int
    when: date


Pair = namedtuple("Pair", ["left", "right"])


class Model:
    def __repr__(self) -> str:
        return "Model()"

    def model_dump(self) -> dict[str, Any]:
        return {"x": 1}


def kept(value: Any) -> Any:
    return unpack(pack({"x": value}))["x"]


_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary()
    | st.datetimes(timezones=st.none() | st.just(timezone.utc) | st.just(timezone(timedelta(hours=-3, minutes=30))))
    | st.dates()
    | st.timedeltas(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(-(2**63), 2**63 - 1), inner),
    max_leaves=10,
)


@given(_values)
def test_plain_values_are_the_same(value: Any) -> None:
    again = kept(value)
    assert again == value
    assert type(again) is type(value)
    assert getattr(again, "tzinfo", None) == getattr(value, "tzinfo", None)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (Color.BLUE, types_pb2.LiteralType(enum_type=types_pb2.EnumType(values=["RED", "BLUE"]))),
        (Color.BLUE, types_pb2.LiteralType(enum_type=types_pb2.EnumType(values=["r", "b"]))),
        (Name.ANNA, TEXT),
        (Size.LARGE, INTEGER),
        ({"deep": [Color.RED, Size.LARGE, Point(3, date(2026, 1, 2)), Pair(1, (2, 3))]}, ANYTHING),
        (Point(3, date(2026, 1, 2)), ANYTHING),
        (Model(), ANYTHING),
        (Pair("a", "b"), ANYTHING),
        (Pair("a", "b"), types_pb2.LiteralType(collection_type=TEXT)),
        (("a", "b"), types_pb2.LiteralType(collection_type=TEXT)),
        (pendulum.datetime(2026, 1, 2, tz="Europe/Berlin"), types_pb2.LiteralType(simple=types_pb2.DATETIME)),
        (pendulum.duration(days=-1, hours=-3), types_pb2.LiteralType(simple=types_pb2.DURATION)),
        (literals_pb2.Literal(scalar={"primitive": {"integer": 7}}), INTEGER),
        ({"type": "float", "value": "NaN"}, types_pb2.LiteralType(simple=types_pb2.FLOAT)),
    ],
    ids=str,
)
def test_each_becomes_the_same_literal(value: Any, kind: types_pb2.LiteralType) -> None:
    assert literal_of(kept(value), kind).SerializeToString(deterministic=True) == literal_of(
        value, kind
    ).SerializeToString(deterministic=True)


def test_a_text_of_it_says_what_it_is() -> None:
    """An error of the launch quotes it."""
    assert repr(kept(Point(3, date(2026, 1, 2)))) == "{'x': 3, 'when': datetime.date(2026, 1, 2)}"


_within_itself: list[Any] = []
_within_itself.append(_within_itself)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"paths": [PurePosixPath("/data")]}, r"at \['x'\]\['paths'\]\[0\] .* is not something that an input can be"),
        (SimpleNamespace(x=1), "is not something that an input can be"),
        ({True: 1}, r"is not a key of a dict"),
        ("\ud800", "lone surrogate"),
        (2**64, "64 bits"),
        (_within_itself, "nested too deeply, or holds itself"),
        ({"type": "too_large", "uri": "s3://x", "size": 1}, "an output that XCom does not hold"),
    ],
    ids=["object in a list", "object", "key", "surrogate", "int", "itself", "description"],
)
def test_what_no_input_can_be_is_refused(value: Any, words: str) -> None:
    with pytest.raises(FlyteArgumentError, match=f"What the function returned cannot be sent: .*{words}"):
        pack({"x": value})
