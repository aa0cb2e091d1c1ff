"""protobuf's JSON mapping of a message, also of one that holds numbers and times that the mapping refuses."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.json_format import MessageToDict, SerializeToJsonError
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Struct, Value
from google.protobuf.timestamp_pb2 import Timestamp


def message_dict(message: Message) -> dict[str, Any]:
    """The message as a dict. A NaN or an infinity in a Struct is a text there, as it is in a field that is a double; a
    time or a duration that is out of range becomes the nearest one that is not.

    protobuf refuses them, and a task's interface may hold such a Struct: a default of NaN in a schema.
    """
    try:
        result: dict[str, Any] = MessageToDict(message)
    except (SerializeToJsonError, ValueError):
        copy = type(message)()
        copy.CopyFrom(message)
        for each in _messages(copy):
            if isinstance(each, Value):
                if each.WhichOneof("kind") == "number_value" and not math.isfinite(each.number_value):
                    each.string_value = _word(each.number_value)
            elif isinstance(each, Timestamp):
                _bring_in_range(each, _YEARS_1_TO_9999, 0)
            elif isinstance(each, Duration):
                _bring_in_range(each, _TEN_THOUSAND_YEARS, -_MOST_NANOS if each.seconds < 0 else 0)
        result = MessageToDict(copy)
    return result


_YEARS_1_TO_9999 = range(-62_135_596_800, 253_402_300_800)
_TEN_THOUSAND_YEARS = range(-315_576_000_000, 315_576_000_001)
"""Seconds that protobuf's JSON mapping takes of a Timestamp and of a Duration."""

_MOST_NANOS = 999_999_999


def _bring_in_range(message: Timestamp | Duration, allowed: range, least_nanos: int) -> None:
    message.seconds = min(max(message.seconds, allowed[0]), allowed[-1])
    message.nanos = min(max(message.nanos, least_nanos), least_nanos + _MOST_NANOS)


def struct_values(struct: Struct) -> dict[str, Any]:
    """What a Struct holds, NaN and infinities too; a whole number is an int, as in protobuf's JSON mapping."""
    return {name: _value(value) for name, value in struct.fields.items()}


def _value(value: Value) -> Any:
    kind = value.WhichOneof("kind")
    if kind == "struct_value":
        return struct_values(value.struct_value)
    if kind == "list_value":
        return [_value(item) for item in value.list_value.values]
    if kind == "number_value" and value.number_value.is_integer():
        return int(value.number_value)
    return None if kind in (None, "null_value") else getattr(value, kind)


def _word(number: float) -> str:
    return "NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity"


def _messages(message: Message) -> Iterator[Message]:
    """A message, and each in it at any depth."""
    yield message
    for field, content in message.ListFields():
        kind = field.message_type
        if kind is None:
            continue
        if kind.GetOptions().map_entry:
            if kind.fields_by_name["value"].type == FieldDescriptor.TYPE_MESSAGE:
                for item in content.values():
                    yield from _messages(item)
        elif isinstance(content, Message):
            yield from _messages(content)
        else:
            for item in content:
                yield from _messages(item)
