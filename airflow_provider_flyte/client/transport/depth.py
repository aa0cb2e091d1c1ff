"""Answers that are nested deeper than protobuf reads in Python: all but their depths is read. No network here.

protobuf's Python takes 100 messages in each other (4.25.8 and 7.36.2, both implementations); Go's, which Flyte is
written in, takes 10,000. A ``custom`` of a task that is 33 dicts deep made the run's details unreadable, and with them
that it had succeeded.
"""

from __future__ import annotations

from typing import Any

from google.protobuf.struct_pb2 import Value

from airflow_provider_flyte.client.idl.core import literals_pb2, types_pb2

DEEPEST = 100
"""How many messages may be in each other, the first one not counted."""

MOST_FIELDS = 50_000
"""Fields that are looked at, 2.4 us each, in at most :data:`MOST_BYTES`: an event loop may wait for it."""

MOST_BYTES = 4 << 20

_CUT_FROM = DEEPEST - 3
"""What may hold anything is cut from here on. It comes at every third level at least, so that no dict lacks a key."""

LEFT_OUT = "(nested too deeply to be read)"

_INSTEAD = {
    Value.DESCRIPTOR.full_name: Value(string_value=LEFT_OUT).SerializeToString(),
    # No value, which reader.py calls unreadable; no type.
    literals_pb2.Literal.DESCRIPTOR.full_name: b"",
    types_pb2.LiteralType.DESCRIPTOR.full_name: b"",
}
"""What stands for a message that is cut."""

_VARINT, _EIGHT_BYTES, _SIZED, _FOUR_BYTES = 0, 1, 2, 5
_LONGEST_VARINT = 10


def without_depths(descriptor: Any, data: bytes) -> bytes | None:
    """A message's bytes without what lies too deep in it; None where nothing does, or the bytes are no such message.

    :param descriptor: of the message, a class of which each implementation of protobuf has its own.
    :param data: its bytes.
    """
    if len(data) > MOST_BYTES:
        return None
    cutting = _Cutting()
    try:
        cut = cutting.cut(descriptor, memoryview(data), 0)
    except (ValueError, IndexError):
        return None
    return cut if cutting.has_cut else None


class _Cutting:
    def __init__(self) -> None:
        self.has_cut = False
        self._left = MOST_FIELDS

    def cut(self, descriptor: Any, data: memoryview, depth: int) -> bytes:
        """The message's bytes as they are, but for the messages in it.

        :raises ValueError: for bytes that are no message, and for too many fields.
        :raises IndexError: for bytes that end too early.
        """
        parts: list[bytes | memoryview] = []
        at = 0
        while at < len(data):
            self._left -= 1
            if self._left < 0:
                raise ValueError
            begin = at
            tag, at = _varint(data, at)
            if tag & 7 == _VARINT:
                _, at = _varint(data, at)
            elif tag & 7 == _SIZED:
                size, end = _varint(data, at)
                content, at = data[end : end + size], end + size
                field = descriptor.fields_by_number.get(tag >> 3)
                if field is not None and field.message_type is not None and at <= len(data):
                    inner = self._inner(field.message_type, content, depth + 1)
                    parts += (_bytes_of(tag), _bytes_of(len(inner)), inner)
                    continue
            elif tag & 7 in (_EIGHT_BYTES, _FOUR_BYTES):
                at += 8 if tag & 7 == _EIGHT_BYTES else 4
            else:
                # Groups, which Flyte has none of.
                raise ValueError
            if at > len(data):
                raise ValueError
            parts.append(data[begin:at])
        return b"".join(parts)

    def _inner(self, descriptor: Any, data: memoryview, depth: int) -> bytes:
        instead = _INSTEAD.get(descriptor.full_name) if depth >= _CUT_FROM else None
        if instead is None and depth > DEEPEST:
            instead = b""
        if instead is None:
            return self.cut(descriptor, data, depth)
        self.has_cut = True
        return instead


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    number = 0
    for place in range(_LONGEST_VARINT):
        byte = data[at + place]
        number |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            return number, at + place + 1
    raise ValueError


def _bytes_of(number: int) -> bytes:
    parts = bytearray()
    while number > 0x7F:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    parts.append(number)
    return bytes(parts)
