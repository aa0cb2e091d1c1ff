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

from airflow_provider_flyte.client.rpc import Method, Resp

LARGEST = 64 << 20
"""Maximum bytes of an unpacked answer. Flyte itself reads no more than 10 MiB of inputs or outputs as it is deployed
(``storage.limits.maxDownloadMBs``), and 10,000 actions are 1.8 MB; gzip packs a thousand to one."""

_GZIP = b"\x1f\x8b\x08"
"""No message begins so: 1f would be a field of a wire type that does not exist."""

_SHOWN = 16


@dataclass(frozen=True)
class Unreadable:
    """An answer that is no message of its method."""

    details: str


def read(method: Method[Any, Resp], data: bytes) -> Resp | Unreadable:
    """The message in these bytes. Nothing is raised: grpc would log it, with fewer details."""
    try:
        message: Resp = method.response.FromString(unpack(data) if data.startswith(_GZIP) else data)
    except (DecodeError, ValueError) as error:
        # protobuf's own text names our classes and no reason.
        why = "" if isinstance(error, DecodeError) else f": {error}"
        return Unreadable(f"{_shown(data)} cannot be read as {method.response.__name__}{why}")
    return message


def reader(method: Method[Any, Resp]) -> Callable[[bytes], Resp | Unreadable]:
    """:func:`read`, as grpc wants a deserializer."""
    return lambda data: read(method, data)


def unpack(data: bytes) -> bytes:
    """Unpack gzip.

    :raises ValueError: where it is cut or no gzip, or would be more than ``LARGEST``.
    """
    packed = zlib.decompressobj(zlib.MAX_WBITS | 16)
    try:
        unpacked = packed.decompress(data, LARGEST + 1)
    except zlib.error as error:
        raise ValueError(f"it is no gzip ({error})") from error
    if len(unpacked) > LARGEST:
        raise ValueError(f"unpacked it is more than {LARGEST >> 20} MiB")
    if not packed.eof or packed.unused_data:
        raise ValueError("it is no whole gzip")
    return unpacked


def _shown(data: bytes) -> str:
    """An answer's size and its first bytes, for people who have to find out where it comes from."""
    rest = " ..." if len(data) > _SHOWN else ""
    return f"an answer of {len(data)} bytes ({data[:_SHOWN].hex(' ')}{rest})"
