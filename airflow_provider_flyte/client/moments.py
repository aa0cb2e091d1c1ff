"""Moments as Flyte's database keeps them: microseconds since the epoch."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def now() -> int:
    """Microseconds since the epoch."""
    return time.time_ns() // 1000


def microseconds_of(moment: datetime) -> int:
    """A time in microseconds since the epoch; one without a time zone is UTC."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
    # Of one of pendulum's, which Airflow's dates are, the difference would be pendulum's, which cannot be divided so.
    return datetime.__sub__(aware, _EPOCH) // timedelta(microseconds=1)


def time_of(microseconds: int) -> datetime:
    """A time as Python has it; the nearest one that Python has."""
    try:
        return _EPOCH + timedelta(microseconds=microseconds)
    except OverflowError:
        return datetime.max.replace(tzinfo=timezone.utc) if microseconds > 0 else _EPOCH
