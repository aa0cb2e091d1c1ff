"""Bytes of messages in each other, deeper than protobuf's Python writes them."""

from __future__ import annotations

from typing import Any

from google.protobuf.message import Message


def inside(kind: type[Message], path: str, content: bytes, times: int = 1) -> bytes:
    """A message of this kind with nothing but what is in this field.

    :param path: names of fields with dots between, of each message the next; in maps, under the key ``k``.
    :param content: bytes of what stands there.
    :param times: how often to go that way: it must lead to a message of the same kind.
    """
    way: list[tuple[int, bool]] = []
    descriptor: Any = kind.DESCRIPTOR
    for name in path.split("."):
        field = descriptor.fields_by_name[name]
        descriptor = field.message_type
        is_map = descriptor is not None and descriptor.GetOptions().map_entry
        way.append((field.number, is_map))
        if is_map:
            descriptor = descriptor.fields_by_name["value"].message_type
    for number, is_map in reversed(way * times):
        content = _sized(number, _sized(1, b"k") + _sized(2, content) if is_map else content)
    return content


def _sized(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(number: int) -> bytes:
    more = bytearray()
    while number > 0x7F:
        more.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*more, number])
