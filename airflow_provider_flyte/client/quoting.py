"""A caller's value as errors show it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from enum import Enum

_SHOWN = 60


def quoted(value: object) -> str:
    """The value for an error message, and its type. Shown whole or not at all: Airflow's masking knows a secret only by
    the whole of it, so a shortened or escaped one would pass.
    """
    kind = type(value).__name__
    if isinstance(value, str):
        shown = repr(value)
        whole = len(value) <= _SHOWN and shown[1:-1] == value
        return f"{shown} ({kind})" if whole else f"a {kind} of {len(value)} characters"
    if value is None or isinstance(value, bool | float | date | timedelta | Enum):
        return f"{value!r} ({kind})"
    if isinstance(value, int):
        shown = str(value) if abs(value) < 10**_SHOWN else "a huge number"
        return f"{shown} ({kind})"
    if isinstance(value, Mapping):
        return f"a {kind} with {len(value)} key{'s' * (len(value) != 1)}"
    if isinstance(value, Sequence):
        return f"a {kind} of {len(value)}"
    return f"a {kind}"
