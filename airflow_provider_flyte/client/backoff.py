"""Pauses between two attempts of a call, which grow and are partly random."""

from __future__ import annotations

import random
from collections.abc import Callable


def backoff(
    failures: int, first: float, longest: float, spread: Callable[[float, float], float] = random.uniform
) -> float:
    """A pause in seconds: twice as long after each failure up to ``longest``. Its second half is random (jitter)."""
    most = min(longest, first * 2 ** min(failures, 16))
    return spread(most / 2, most)
