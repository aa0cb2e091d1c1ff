"""Parsing of an answer's bytes, the same for all transports. No network here.

grpcio's blocking channel now and then hands on a message that is still packed: 28 in 654,000 calls with 1.76.0 where
the server compresses. The channels therefore do not offer gzip, and what is packed all the same is unpacked here.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, MutableMapping, MutableSequence
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import DecodeError, Message

from airflow_provider_flyte.client.rpc import Method, Resp, ServerStream
from airflow_provider_flyte.client.transport.depth import without_depths

LARGEST_PAGE = 64 << 10
"""Bytes that are read of what is no message: errors, pages, a token server's answers."""

MOST_ELEMENTS = 10_000
"""Elements that the lists of an answer may have together. No page has more than 200 rows. An empty element takes two
bytes of a message, and 7 us of the event loop where it is a run of a poll."""

_LEAST_EACH = 2
"""Bytes of an element: what is smaller need not be counted."""

_GZIP = b"\x1f\x8b\x08"
"""No message begins so: 1f would be a field of a wire type that does not exist."""

_SHOWN = 16


class TooLargeError(ValueError):
    """It is more than is read."""


@dataclass(frozen=True)
class Unreadable:
    """An answer that is no message of its method."""

    details: str


def read(method: Method[Any, Resp], data: bytes) -> Resp | Unreadable:
    """The message in these bytes. Nothing is raised: grpc would log it, with fewer details."""
    try:
        unpacked = _unpacked(data, method.largest)
        message = _parsed(method.response, unpacked)
        if len(unpacked) > _LEAST_EACH * MOST_ELEMENTS and _has_too_many(message):
            raise TooLargeError(f"its lists have more than {MOST_ELEMENTS} elements")
    except (DecodeError, ValueError) as error:
        instead: Resp | None = method.instead if isinstance(method, ServerStream) else None
        if isinstance(error, TooLargeError) and instead is not None:
            return instead
        # protobuf's own text names our classes and no reason.
        why = "" if isinstance(error, DecodeError) else f": {error}"
        return Unreadable(f"{_shown(data)} cannot be read as {method.response.__name__}{why}")
    return message


def reader(method: Method[Any, Resp]) -> Callable[[bytes], Resp | Unreadable]:
    """:func:`read`, as grpc wants a deserializer."""
    return lambda data: read(method, data)


def _parsed(kind: type[Resp], data: bytes) -> Resp:
    try:
        message: Resp = kind.FromString(data)
    except DecodeError:
        shallow = without_depths(kind.DESCRIPTOR, data)
        if shallow is None:
            raise
        message = kind.FromString(shallow)
    return message


def _unpacked(data: bytes, most: int) -> bytes:
    if data.startswith(_GZIP):
        return unpack(data, most)
    if len(data) > most:
        raise TooLargeError(too_large("it", most))
    return data


def _has_too_many(message: Message) -> bool:
    """Whether its lists, and those of what is in it or in them, are too long to be gone through."""
    count, level = 0, [message]
    for _ in range(2):
        below: list[Message] = []
        for each in level:
            for _field, value in each.ListFields():
                if isinstance(value, Message):
                    below.append(value)
                elif isinstance(value, MutableSequence | MutableMapping):
                    count += len(value)
                    if count > MOST_ELEMENTS:
                        return True
                    if isinstance(value, MutableSequence) and isinstance(value[0], Message):
                        below.extend(value)
        level = below
    return False


def unpack(data: bytes, most: int) -> bytes:
    """Unpack gzip.

    :param most: bytes that it may have when it is unpacked.
    :raises TooLargeError: where it would be more than that.
    :raises ValueError: where it is cut or no gzip.
    """
    packed = zlib.decompressobj(zlib.MAX_WBITS | 16)
    try:
        unpacked = packed.decompress(data, most + 1)
    except zlib.error as error:
        raise ValueError(f"it is no gzip ({error})") from error
    if len(unpacked) > most:
        raise TooLargeError(too_large("unpacked it", most))
    if not packed.eof or packed.unused_data:
        raise ValueError("it is no whole gzip")
    return unpacked


def beginning(data: bytes) -> bytes:
    """Unpack what is no message, if it is packed: its first ``LARGEST_PAGE`` bytes, whole or not."""
    if not data.startswith(_GZIP):
        return data[:LARGEST_PAGE]
    try:
        return zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(data, LARGEST_PAGE)
    except zlib.error:
        return b""


def too_large(what: str, most: int) -> str:
    """Say so, for an error."""
    return f"{what} is more than {most >> 20} MiB" if most >> 20 else f"{what} is more than {most >> 10} KiB"


def _shown(data: bytes) -> str:
    """An answer's size and its first bytes, for people who have to find out where it comes from."""
    rest = " ..." if len(data) > _SHOWN else ""
    return f"an answer of {len(data)} bytes ({data[:_SHOWN].hex(' ')}{rest})"
