"""The real Flyte SDK and our literals; run by the SDK's own Python.

``sdk_literals.py types`` prints the literal types that the SDK gives Python's. ``sdk_literals.py reads FILE`` says of
each of the ``flyteidl2.task.Inputs`` in a file whether the SDK reads what was meant, and whether it writes the same.
"""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import enum
import json
import pathlib
import sys
import typing
from datetime import date, datetime, timedelta, timezone

import flyte.io
import pydantic
from flyte.types import TypeEngine
from flyteidl2.task import common_pb2


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


@dataclasses.dataclass
class Point:
    x: int
    y: float
    tags: list[str] = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Job:
    when: datetime
    day: date
    limit: timedelta
    color: Color
    at: Point
    note: str | None = None


class Model(pydantic.BaseModel):
    name: str
    scores: dict[str, float]
    color: Color
    pause: timedelta
    when: datetime
    nested: Point | None = None
    size: int = 3


class Pair(typing.NamedTuple):
    left: int
    right: str


class Options(typing.TypedDict):
    depth: int
    name: str


NOON = datetime(2026, 11, 23, 12, 30, 1, 123456, tzinfo=timezone.utc)
POINT = Point(1, 2.0, ["a"])
VALUES: dict[str, tuple[typing.Any, typing.Any]] = {
    "big": (int, 2**53 + 1),
    "whole": (float, 3.0),
    "text": (str, "ünïcode ✓"),
    "yes": (bool, True),
    "when": (datetime, NOON),
    "day": (date, date(2026, 11, 23)),
    "pause": (timedelta, timedelta(minutes=5)),
    "nothing": (None, None),
    "numbers": (list[int], [1, 2]),
    "table": (dict[str, list[float]], {"a": [0.5, 1.0]}),
    "maybe": (int | None, 7),
    "maybe_not": (int | None, None),
    "choice": (float | int | str, 3),
    "maybe_point": (Point | None, POINT),
    "color": (Color, Color.BLUE),
    "point": (Point, POINT),
    "points": (list[Point], [POINT]),
    "job": (Job, Job(NOON, date(2026, 11, 23), timedelta(seconds=90), Color.RED, POINT)),
    "model": (
        Model,
        Model(name="m", scores={"a": 1.0}, color=Color.BLUE, pause=timedelta(minutes=5), when=NOON, nested=POINT),
    ),
    "two": (tuple[int, str], (1, "a")),
    "pair": (Pair, Pair(1, "a")),
    "options": (Options, Options(depth=1, name="n")),
    "loose": (dict, {"a": [1, {"b": None}], "n": 2**53 + 1}),
    "by_number": (dict[int, str], {1: "a"}),
    "file": (flyte.io.File, flyte.io.File(path="s3://bucket/a.csv")),
    "folder": (flyte.io.Dir, flyte.io.Dir(path="s3://bucket/a/")),
}


async def reads(path: str) -> dict[str, typing.Any]:
    inputs = common_pb2.Inputs.FromString(pathlib.Path(path).read_bytes())
    literals = {named.name: named.value for named in inputs.literals}
    answered = {}
    for name, (kind, expected) in VALUES.items():
        read = await TypeEngine.to_python_value(literals[name], kind or type(None))
        own = await TypeEngine.to_literal(expected, kind or type(None), TypeEngine.to_literal_type(kind))
        same = own.SerializeToString(deterministic=True) == literals[name].SerializeToString(deterministic=True)
        alike = type(read) is type(expected) and read == expected
        answered[name] = {"reads": "as meant" if alike else f"{read!r} instead of {expected!r}", "same": same}
    return answered


def types() -> dict[str, str]:
    return {
        name: base64.b64encode(TypeEngine.to_literal_type(kind).SerializeToString()).decode()
        for name, (kind, _) in VALUES.items()
    }


answer = types() if sys.argv[1] == "types" else asyncio.run(reads(*sys.argv[2:]))
sys.stdout.write(f"\n{json.dumps(answer)}\n")
