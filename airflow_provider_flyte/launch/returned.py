"""What a function has returned as inputs, packed as a text: a try that defers before its launch resumes with it.

What the inputs are to be is known only when Flyte answers, so each value comes back as what it was: a datetime of its
zone, a date, a member of an enum, an object with its fields. Airflow's own serialization would give back other things,
or refuse to.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from enum import Enum
from numbers import Integral, Real
from typing import Any

import msgspec

from airflow_provider_flyte.client.idl.core import literals_pb2
from airflow_provider_flyte.client.literals import values as plain
from airflow_provider_flyte.client.literals.values import Unfit, within
from airflow_provider_flyte.exceptions import FlyteArgumentError

_DATETIME, _DATE, _TIMEDELTA, _ENUM, _NAMED_TUPLE, _OBJECT, _LITERAL = range(7)
"""Codes of msgpack's extensions."""


def pack(values: Mapping[str, Any]) -> str:
    """The inputs as a text.

    :raises FlyteArgumentError: for a value that no input can be, whatever the task takes.
    """
    try:
        packed = {name: within(name, _packed, value) for name, value in values.items()}
    except Unfit as error:
        raise FlyteArgumentError(f"What the function returned cannot be sent: at {error.path} {error.why}.") from None
    except RecursionError:
        raise FlyteArgumentError(
            "What the function returned cannot be sent: it is nested too deeply, or holds itself."
        ) from None
    return base64.b64encode(msgspec.msgpack.encode(packed)).decode()


def unpack(text: str) -> dict[str, Any]:
    """The inputs of a text that :func:`pack` has made."""
    values: dict[str, Any] = _decoded(base64.b64decode(text))
    return values


class _Object:
    """Stands for an object that was returned, a dataclass or a model, with the same fields."""

    def __init__(self, fields: dict[str, Any]) -> None:
        self._fields = fields

    def model_dump(self) -> dict[str, Any]:
        return self._fields

    def __repr__(self) -> str:
        return repr(self._fields)


class _NamedTuple(tuple[Any, ...]):
    """Stands for a named tuple that was returned, with the same fields."""

    names: tuple[str, ...]

    def _asdict(self) -> dict[str, Any]:
        return dict(zip(self.names, self, strict=True))


def _packed(value: Any) -> Any:
    value = plain.unpacked(value)
    if isinstance(value, Enum):
        mixed = "str" if isinstance(value, str) else "int" if isinstance(value, int) else ""
        return _extension(_ENUM, [str(value.name), _packed(value.value), mixed])
    if value is None or isinstance(value, (bool, bytes)):
        return value
    if isinstance(value, str):
        return plain.text(value)
    if isinstance(value, Integral):
        return plain.integer(value, plain.MSGPACK_INTEGERS)
    if isinstance(value, Real):
        return float(value)
    if isinstance(value, literals_pb2.Literal):
        return msgspec.msgpack.Ext(_LITERAL, value.SerializeToString())
    if isinstance(value, date):
        return _extension(_DATETIME if isinstance(value, datetime) else _DATE, value.isoformat())
    if isinstance(value, timedelta):
        length = plain.duration(value)
        return _extension(_TIMEDELTA, [length.days, length.seconds, length.microseconds])
    if isinstance(value, Mapping):
        return _packed_dict(value)
    if isinstance(value, Sequence) and not isinstance(value, bytearray):
        items = [within(index, _packed, item) for index, item in enumerate(value)]
        names = getattr(value, "_fields", None)
        return items if names is None else _extension(_NAMED_TUPLE, [list(names), items])
    try:
        fields = plain.mapping(value)
    except Unfit:
        raise plain.not_a("something that an input can be", value) from None
    return _extension(_OBJECT, _packed_dict(fields))


def _packed_dict(value: Mapping[Any, Any]) -> dict[Any, Any]:
    return {within(key, plain.key, key): within(key, _packed, item) for key, item in value.items()}


def _extension(code: int, content: Any) -> msgspec.msgpack.Ext:
    return msgspec.msgpack.Ext(code, msgspec.msgpack.encode(content))


def _decoded(content: bytes | memoryview) -> Any:
    return msgspec.msgpack.decode(content, ext_hook=_unpacked)


def _unpacked(code: int, content: memoryview) -> Any:
    if code == _LITERAL:
        return literals_pb2.Literal.FromString(bytes(content))
    value = _decoded(content)
    if code == _DATETIME:
        return datetime.fromisoformat(value)
    if code == _DATE:
        return date.fromisoformat(value)
    if code == _TIMEDELTA:
        return timedelta(*value)
    if code == _ENUM:
        name, of_it, mixed = value
        made = Enum("Returned", {name: of_it}, type={"str": str, "int": int}.get(mixed))  # type: ignore[misc]
        return getattr(made, name)
    if code == _NAMED_TUPLE:
        items = _NamedTuple(value[1])
        items.names = tuple(value[0])
        return items
    return _Object(value)
