"""The Connect protocol, as much of it as Flyte needs: codes, HTTP statuses, error JSON, envelopes. No network here.

The transport reads and the local server writes by the same tables; both are held against recorded exchanges.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from airflow_provider_flyte.client.errors import Status

UNARY = "application/proto"
STREAM = "application/connect+proto"
JSON = "application/json"
VERSION = "1"

COMPRESSED, LAST = 1, 2
"""Flags of an envelope."""

_PREFIX = 5
_LONGEST_DEBUG = 500

HTTP_STATUS = {
    Status.CANCELLED: 499,
    Status.UNKNOWN: 500,
    Status.INVALID_ARGUMENT: 400,
    Status.DEADLINE_EXCEEDED: 504,
    Status.NOT_FOUND: 404,
    Status.ALREADY_EXISTS: 409,
    Status.PERMISSION_DENIED: 403,
    Status.RESOURCE_EXHAUSTED: 429,
    Status.FAILED_PRECONDITION: 400,
    Status.ABORTED: 409,
    Status.OUT_OF_RANGE: 400,
    Status.UNIMPLEMENTED: 501,
    Status.INTERNAL: 500,
    Status.UNAVAILABLE: 503,
    Status.DATA_LOSS: 500,
    Status.UNAUTHENTICATED: 401,
}
"""The HTTP status beside the error JSON of each code."""

_CODES = {status: "canceled" if status is Status.CANCELLED else status.name.lower() for status in Status}
_STATUSES = {code: status for status, code in _CODES.items()}

# What an HTTP answer that is not Connect's stands for; gRPC's own table (http-grpc-status-mapping) but for 400.
_BY_HTTP_STATUS = {
    400: Status.INTERNAL,
    401: Status.UNAUTHENTICATED,
    403: Status.PERMISSION_DENIED,
    404: Status.UNIMPLEMENTED,
    429: Status.UNAVAILABLE,
    502: Status.UNAVAILABLE,
    503: Status.UNAVAILABLE,
    504: Status.UNAVAILABLE,
}


def status_of_http(http_status: int) -> Status:
    """The gRPC status for an HTTP answer that Flyte did not give."""
    return _BY_HTTP_STATUS.get(http_status, Status.UNKNOWN)


def error_json(status: Status, message: str) -> dict[str, str]:
    """An error as it stands in an answer, or under ``error`` in a stream's last envelope."""
    return {"code": _CODES[status], "message": message} if message else {"code": _CODES[status]}


def read_error(parsed: Any) -> tuple[Status, str] | None:
    """Status and details of an error JSON, or None for something else.

    Details carry a ``debug`` form of themselves that people can read; it is put after the message.
    """
    if not isinstance(parsed, dict) or not isinstance(parsed.get("code"), str):
        return None
    message = parsed.get("message")
    text = message if isinstance(message, str) else ""
    details = parsed.get("details")
    try:
        shown = [
            f"{each.get('type', 'detail')}: {json.dumps(each['debug'], ensure_ascii=False)}"
            for each in (details if isinstance(details, list) else ())
            if isinstance(each, dict) and each.get("debug")
        ]
    except RecursionError:
        shown = ["details that are nested too deeply"]
    if shown:
        text = f"{text} ({'; '.join(shown)[:_LONGEST_DEBUG]})".strip()
    return _STATUSES.get(parsed["code"], Status.UNKNOWN), text


def read_json(body: bytes) -> Any:
    """The parsed body, or None where it is no JSON."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def envelope(payload: bytes, flags: int = 0) -> bytes:
    """One flag byte, four length bytes, the payload."""
    return bytes((flags,)) + len(payload).to_bytes(_PREFIX - 1, "big") + payload


class Envelopes:
    """Splits a stream's bytes, however they are cut, into envelopes.

    :param most: bytes that a payload may have.
    :param kept: bytes of a message that are kept; a larger one passes without being held. None: all of it.
    """

    def __init__(self, most: int, kept: int | None = None) -> None:
        self._most = most
        self._kept = most if kept is None else kept
        self._rest = bytearray()
        self._passing = 0
        """Bytes of a large message that are still to come."""

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes | None]]:
        """Flags and payload of each envelope that these bytes complete; no payload where it is not kept.

        :raises ValueError: as soon as an envelope announces more than it may have.
        """
        passing = min(self._passing, len(data))
        self._passing -= passing
        self._rest += data[passing:] if passing else data
        while len(self._rest) >= _PREFIX:
            size = int.from_bytes(self._rest[1:_PREFIX], "big")
            if size > self._most:
                raise ValueError(f"it has {size} bytes, at most {self._most} are read")
            if size > self._kept and not self._rest[0] & LAST:
                flags = self._rest[0]
                self._passing = max(0, _PREFIX + size - len(self._rest))
                del self._rest[: _PREFIX + size]
                yield flags, None
                continue
            end = _PREFIX + size
            if len(self._rest) < end:
                return
            flags, payload = self._rest[0], bytes(self._rest[_PREFIX:end])
            del self._rest[:end]
            yield flags, payload
