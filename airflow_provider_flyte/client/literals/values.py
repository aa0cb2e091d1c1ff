"""Conversions of values to numbers, texts, times: one rule each, for literals and for the fields of objects.

A value that does not fit raises :class:`Unfit` with the reason; the caller, who knows the input's name, makes the
user's error of it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta, timezone
from enum import Enum
from numbers import Integral, Real
from typing import Any

import msgspec

from airflow_provider_flyte.client.literals.read_from_text import ReadFromText
from airflow_provider_flyte.client.literals.spelling import unspell
from airflow_provider_flyte.client.quoting import quoted

INT64 = range(-(2**63), 2**63)
MSGPACK_INTEGERS = range(-(2**63), 2**64)


class Unfit(Exception):
    """The value cannot be of this type.

    :param why: what was given, and what would do.
    :param path: where in the input it stands, for instance ``[3]['name']``.
    :param mixes_texts: whether it is a text for something else, or something else for a text.
    """

    def __init__(self, why: str, path: str = "", *, mixes_texts: bool = False) -> None:
        super().__init__(why, path)
        self.why = why
        self.path = path
        self.mixes_texts = mixes_texts

    def under(self, key: object) -> Unfit:
        """The same, seen from the list or dict around it."""
        return Unfit(self.why, f"[{key!r}]{self.path}", mixes_texts=self.mixes_texts)


def either(function: Callable[..., Any], read: ReadFromText, *arguments: Any) -> Any:
    """Apply a function to the value or, where that does not fit, to its text."""
    try:
        return function(read.value, *arguments)
    except Unfit:
        with contextlib.suppress(Unfit):
            return function(read.text, *arguments)
        raise


def unpacked(value: Any) -> Any:
    """A numpy scalar as Python's own type; numpy itself is not imported. Anything else as it is.

    :raises Unfit: for the description of an output that stayed in Flyte, which no input can be made of.
    """
    if isinstance(value, Mapping) and "uri" in value and value.get("type") in NOT_IN_XCOM:
        raise Unfit(
            f"it is no value but the description of an output that XCom does not hold. The output lies at "
            f"{value['uri'] or 'a place that Flyte does not name'}; have the earlier task give a file, or read it "
            "in a task of your own"
        )
    if type(value).__module__ == "numpy" and hasattr(value, "dtype") and not hasattr(value, "__len__"):
        scalar = value.item()
        # A datetime64 of nanoseconds would become a bare number.
        return value if isinstance(scalar, int) and value.dtype.kind in "mM" else scalar
    return value


TOO_LARGE, NOT_STORABLE = "too_large", "not_in_xcom"
NOT_IN_XCOM = (TOO_LARGE, NOT_STORABLE)
"""The types of descriptions that stand in XCom instead of an output."""


def not_a(kind: str, value: object) -> Unfit:
    return Unfit(f"{quoted(value)} is not {kind}", mixes_texts=isinstance(value, str) or kind == "a str")


def integer(value: object, allowed: range = INT64) -> int:
    """An exact integer. Neither 1.0 nor True, which are meant for something else."""
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise not_a("an int", value)
    if int(value) not in allowed:
        raise Unfit(f"{quoted(value)} does not fit into 64 bits")
    return int(value)


def number(value: object) -> float:
    """A float, or an integer that a float holds exactly."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise not_a("a number", value)
    try:
        made = float(value)
    except OverflowError:
        made = math.inf
    if isinstance(value, Integral) and (math.isinf(made) or int(made) != int(value)):
        raise Unfit(f"{quoted(value)} would lose digits as a float")
    return made


def text(value: object) -> str:
    """A text that can be sent: UTF-8 has no lone surrogates."""
    if not isinstance(value, str):
        raise not_a("a str", value)
    try:
        value.encode()
    except UnicodeEncodeError:
        raise Unfit(f"{quoted(value)} holds a lone surrogate, which UTF-8 cannot") from None
    return str.__str__(value)


def boolean(value: object) -> bool:
    if not isinstance(value, bool):
        raise not_a("a bool", value)
    return value


def moment(value: object) -> datetime:
    """A datetime in UTC, of a datetime, a date (midnight) or an ISO 8601 text; without a zone it is UTC."""
    found = value
    if isinstance(value, str):
        value = text(value)
        found = _parsed(value, datetime) or _parsed(value, date)
    if isinstance(found, date) and not isinstance(found, datetime):
        found = datetime(found.year, found.month, found.day)
    if not isinstance(found, datetime):
        raise not_a("a datetime, a date or an ISO 8601 text such as '2026-11-23T12:30:00Z'", value)
    if found.utcoffset() is None:
        return found.replace(tzinfo=timezone.utc)
    try:
        return found.astimezone(timezone.utc)
    except OverflowError:
        raise Unfit(f"{quoted(value)} is not between the years 1 and 9999 in UTC") from None


def duration(value: object) -> timedelta:
    """A timedelta, of a timedelta, seconds or an ISO 8601 text."""
    if isinstance(value, timedelta):
        # Of Airflow's dates the difference is pendulum's, whose days and seconds are others where it is negative.
        return timedelta.__add__(timedelta(0), value)
    if isinstance(value, str) and isinstance(parsed := _parsed(text(value), timedelta), timedelta):
        return parsed
    if isinstance(value, bool) or not isinstance(value, Real):
        raise not_a("a timedelta, seconds or an ISO 8601 text such as 'PT5M'", value)
    try:
        # An int is not made a float, which would lose microseconds.
        return timedelta(seconds=int(value) if isinstance(value, Integral) else float(value))
    except (OverflowError, ValueError):
        raise Unfit(f"{quoted(value)} is no length of time") from None


def iso_duration(value: timedelta) -> str:
    """ISO 8601, as pydantic reads it."""
    return str(msgspec.to_builtins(duration(value)))


def mapping(value: object) -> Mapping[Any, Any]:
    """A dict, or what becomes one: a dataclass, a pydantic model, a named tuple."""
    if isinstance(value, Mapping):
        return value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {each.name: getattr(value, each.name) for each in dataclasses.fields(value)}
    for method in ("model_dump", "_asdict"):
        if callable(found := getattr(value, method, None)) and not isinstance(value, type):
            return dict(found())
    raise not_a("a dict", value)


def sequence(value: object) -> Sequence[Any]:
    if isinstance(value, (str, bytes, bytearray)) or not isinstance(value, Sequence):
        raise not_a("a list", value)
    return value


def anything(value: object) -> Any:
    """The value as msgpack holds it, for positions without a type. Times become texts and seconds, as in the SDK."""
    if isinstance(value, ReadFromText):
        return either(anything, value)
    value = unspell(unpacked(value))
    if value is None or isinstance(value, (bool, bytes)):
        return value
    if isinstance(value, Enum):
        return anything(value.value)
    if isinstance(value, str):
        return text(value)
    if isinstance(value, Integral):
        return integer(value, MSGPACK_INTEGERS)
    if isinstance(value, Real) and isinstance(value, float):
        return float(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Sequence) and not isinstance(value, bytearray) and not hasattr(value, "_asdict"):
        return [within(index, anything, item) for index, item in enumerate(value)]
    try:
        found = mapping(value)
    except Unfit:
        raise not_a("something that JSON or msgpack can hold", value) from None
    return {within(name, key, name): within(name, anything, item) for name, item in found.items()}


def key(value: object) -> Any:
    """A key of a dict without types: the SDK sends ``dict[int, ...]`` so, too."""
    if isinstance(value, bool) or not isinstance(value, (str, Integral)):
        raise not_a("a key of a dict that can be sent", value)
    return anything(value)


def within(key: object, function: Any, *arguments: Any) -> Any:
    """Call a function for the value at this key, so that a misfit names where it is."""
    try:
        return function(*arguments)
    except Unfit as error:
        raise error.under(key) from None


def _parsed(value: str, kind: type[Any]) -> Any:
    """By msgspec and not by ``fromisoformat``, which takes other texts on each Python."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError:
        return None
