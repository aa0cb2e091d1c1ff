"""Pauses between two tries of a call, which grow and differ by chance."""

from __future__ import annotations

import random
from collections.abc import Callable


def backoff(
    failures: int, first: float, longest: float, spread: Callable[[float, float], float] = random.uniform
) -> float:
    """A pause in seconds: twice as long after each failure up to ``longest``, of which the later half is by chance."""
    most = min(longest, first * 2 ** min(failures, 16))
    return spread(most / 2, most)
