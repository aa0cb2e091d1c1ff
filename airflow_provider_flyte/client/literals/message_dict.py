"""protobuf's JSON mapping of a message, also of one whose JSON values hold numbers that JSON has no word for."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.json_format import MessageToDict, SerializeToJsonError
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Struct, Value


def message_dict(message: Message) -> dict[str, Any]:
    """The message as a dict. A NaN or an infinity in a Struct is a text there, as it is in a field that is a double.

    protobuf refuses such a Struct, and a task's interface may hold one: a default of NaN in a schema.
    """
    try:
        result: dict[str, Any] = MessageToDict(message)
    except SerializeToJsonError:
        copy = type(message)()
        copy.CopyFrom(message)
        for value in _json_values(copy):
            if value.WhichOneof("kind") == "number_value" and not math.isfinite(value.number_value):
                value.string_value = _word(value.number_value)
        result = MessageToDict(copy)
    return result


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


def _json_values(message: Message) -> Iterator[Value]:
    """Each google.protobuf.Value in a message, at any depth."""
    if isinstance(message, Value):
        yield message
    for field, content in message.ListFields():
        kind = field.message_type
        if kind is None:
            continue
        if kind.GetOptions().map_entry:
            if kind.fields_by_name["value"].type == FieldDescriptor.TYPE_MESSAGE:
                for item in content.values():
                    yield from _json_values(item)
        elif isinstance(content, Message):
            yield from _json_values(content)
        else:
            for item in content:
                yield from _json_values(item)
