"""Parsing of an answer's bytes, the same for all transports. No network here.

grpcio's blocking channel now and then hands on a message that is still packed: 28 in 654,000 calls with 1.76.0 where
the server compresses. The channels therefore do not offer gzip, and what is packed all the same is unpacked here.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import DecodeError

from airflow_provider_flyte.client.rpc import Method, Resp, ServerStream

LARGEST = 64 << 20
"""Maximum bytes of a message, unpacked. Flyte itself reads no more than 10 MiB of inputs or outputs as it is deployed
(``storage.limits.maxDownloadMBs``), and 10,000 actions are 1.8 MB; gzip packs a thousand to one."""

LARGEST_PAGE = 64 << 10
"""Bytes that are read of anything else: errors, pages, a token server's answers."""

_GZIP = b"\x1f\x8b\x08"
"""No message begins so: 1f would be a field of a wire type that does not exist."""

_SHOWN = 16


class TooLargeError(ValueError):
    """Unpacked it is more than is read."""


@dataclass(frozen=True)
class Unreadable:
    """An answer that is no message of its method."""

    details: str


def read(method: Method[Any, Resp], data: bytes) -> Resp | Unreadable:
    """The message in these bytes. Nothing is raised: grpc would log it, with fewer details."""
    try:
        message: Resp = method.response.FromString(unpack(data, LARGEST) if data.startswith(_GZIP) else data)
    except (DecodeError, ValueError) as error:
        # protobuf's own text names our classes and no reason.
        why = "" if isinstance(error, DecodeError) else f": {error}"
        return Unreadable(f"{_shown(data)} cannot be read as {method.response.__name__}{why}")
    return message


def reader(method: Method[Any, Resp]) -> Callable[[bytes], Resp | Unreadable]:
    """:func:`read`, as grpc wants a deserializer."""
    if not isinstance(method, ServerStream) or method.largest is None or method.instead is None:
        return lambda data: read(method, data)
    most, instead = method.largest, method.instead
    return lambda data: instead if len(data) > most else read(method, data)


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
