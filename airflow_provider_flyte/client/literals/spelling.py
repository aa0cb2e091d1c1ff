"""Plain values that JSON, or what Airflow makes of it, gives back as something else, spelled out as a dict of texts.

==========  =====================================  =================================================================
type        spelled out                            which
==========  =====================================  =================================================================
float       ``{"type": "float", "value": "NaN"}``  what is not finite, which JSON has no number for; and from 1e16 on,
                                                   which PostgreSQL's JSONB gives back as an int, of any length
datetime    ISO 8601                               what a float of seconds does not hold: before 1698 or after 2242
timedelta   ISO 8601                               likewise: more than 272 years with microseconds
bytes       base64                                 all of them
==========  =====================================  =================================================================

Every other value stands for itself.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any, TypeVar

import msgspec

_AS_INT = 1e16
"""From here on Python writes a float with an exponent and no fraction, and JSONB writes all its digits."""

T = TypeVar("T")


def spell(value: T) -> T | dict[str, str]:
    """The value, or the dict that stands for it."""
    if isinstance(value, float) and not abs(value) < _AS_INT:
        return _as("float", _NOT_FINITE.get(float.__repr__(value)) or float.__repr__(value))
    if isinstance(value, datetime) and not _same_after_seconds(value):
        return _as("datetime", value.isoformat())
    if isinstance(value, timedelta) and timedelta(seconds=value.total_seconds()) != value:
        return _as("timedelta", str(msgspec.to_builtins(value)))
    if isinstance(value, bytes):
        return _as("bytes", base64.b64encode(value).decode())
    return value


def unspell(value: Any) -> Any:
    """The value that the dict stands for; any other value itself."""
    if not isinstance(value, dict) or value.keys() != {"type", "value"}:
        return value
    kind, text = value["type"], value["value"]
    if not isinstance(kind, str) or not isinstance(text, str) or kind not in _READERS:
        return value
    try:
        read = _READERS[kind](text)
    except ValueError:
        return value
    # Only what spell() writes: a dict that merely resembles it stays a dict.
    return read if spell(read) == value else value


def restored(value: Any) -> Any:
    """The value with all that is spelled out in it put back, in lists and dicts too."""
    read = unspell(value)
    if read is not value:
        return read
    if isinstance(value, dict):
        return {key: restored(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [restored(item) for item in value]
    return value


def _as(kind: str, text: str) -> dict[str, str]:
    return {"type": kind, "value": text}


def _same_after_seconds(value: datetime) -> bool:
    """Airflow keeps a time as ``timestamp()``, a float, and cannot read what that rounds up to the year 10000."""
    try:
        return datetime.fromtimestamp(value.timestamp(), timezone.utc) == value
    except (OverflowError, ValueError):
        return False


_NOT_FINITE = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}
"""NaN and infinities, as protobuf's JSON has them."""

_READERS: dict[str, Callable[[str], Any]] = {
    "float": float,
    "datetime": lambda text: msgspec.convert(text, datetime),
    "timedelta": lambda text: msgspec.convert(text, timedelta),
    "bytes": lambda text: base64.b64decode(text, validate=True),
}
