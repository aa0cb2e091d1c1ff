"""How long to the next question: quick while there is something to find, slow when all is quiet. Pure."""

from __future__ import annotations

import random
from collections.abc import Callable

SLOWER = 1.5
"""What a round without news makes of the interval."""

_LONGEST_PAUSE_IN_TROUBLE = 2.0


def backoff(
    failures: int, first: float, longest: float, spread: Callable[[float, float], float] = random.uniform
) -> float:
    """A pause in seconds: twice as long after each failure up to ``longest``, of which the later half is by chance."""
    most = min(longest, first * 2 ** min(failures, 16))
    return spread(most / 2, most)


class Pace:
    """The interval between two rounds of questions.

    :param shortest: seconds; where rounds begin again when something is to be found.
    :param longest: seconds; where they arrive when all is quiet.
    :param calls_per_second: never more than this many on average, even if that takes longer than ``longest``.
    :param spread: a number between two bounds; processes that wait for the same Flyte must not ask in step.
    """

    def __init__(
        self,
        shortest: float,
        longest: float,
        calls_per_second: float,
        spread: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self.shortest = min(shortest, longest)
        self.longest = longest
        self.calls_per_second = calls_per_second
        self._spread = spread
        self._interval = self.shortest
        self._rounds_in_trouble = 0
        self._last = self.shortest

    def hurry(self) -> None:
        """There is something to find: a wait is young, or an end was found that no hint had told of."""
        self._interval = self.shortest

    def answered(self) -> None:
        """Flyte answered: there is no trouble, or no more."""
        self._rounds_in_trouble = 0

    def failed(self) -> None:
        """A whole round had no answer."""
        self._rounds_in_trouble += 1

    def next(self, wanted: float, calls: int, took: float = 0.0) -> float:
        """Seconds from the beginning of this round to that of the next.

        :param wanted: the least that a wait asks for.
        :param calls: how many this round took.
        :param took: seconds until their answers were here; the next ones are to be here within the interval.
        """
        interval = max(self.shortest, min(self._interval, self.longest, wanted) - took)
        self._interval = min(self.longest, self._interval * SLOWER)
        if self._rounds_in_trouble:
            # Sooner than the interval, so that the end of an outage is noticed.
            pause = backoff(self._rounds_in_trouble, self.shortest, _LONGEST_PAUSE_IN_TROUBLE, self._spread)
            interval = min(interval, pause)
        self._last = max(interval, calls / self.calls_per_second)
        return self._last

    def calls_in_an_interval(self) -> int:
        """How many calls the budget leaves for one round."""
        return max(1, int(self.calls_per_second * self._last))
