"""The open waits of a watcher: the shortest interval among them, and whose log gets the next line of progress."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator

from airflow_provider_flyte.client.watch.results import WaitResults

PROGRESS_EVERY = 60.0
"""Seconds between two lines of progress in one wait's log."""

_NOTIFIED_AT_ONCE = 20
"""How many waits are notified of progress after a round."""


class OpenWaits:
    """The waits that are open, by the call that began them.

    :param longest: seconds between two polls where nobody waits.
    """

    def __init__(self, longest: float) -> None:
        self._longest = longest
        self._open: dict[WaitResults, None] = {}
        """Those first whose last line of progress is the oldest."""

        self._intervals: Counter[float] = Counter()
        """The least of them counts."""

    @property
    def interval(self) -> float:
        """The shortest interval that a wait asks for."""
        return min(self._intervals, default=self._longest)

    def add(self, results: WaitResults) -> bool:
        """Add waits, and return whether their interval is shorter than all others."""
        self._open[results] = None
        self._intervals[results.interval] += 1
        return results.interval == self.interval and self._intervals[results.interval] == 1

    def remove(self, results: WaitResults) -> bool:
        """Remove waits, and return whether they were there."""
        if results not in self._open:
            return False
        del self._open[results]
        self._intervals[results.interval] -= 1
        if not self._intervals[results.interval]:
            del self._intervals[results.interval]
        return True

    def due(self, now: float) -> Iterator[WaitResults]:
        """A few of those whose last line of progress is older than a minute; each counts as notified.

        :param now: by the watcher's clock.
        """
        for results in list(itertools.islice(self._open, _NOTIFIED_AT_ONCE)):
            if now - results.notified_at < PROGRESS_EVERY:
                break
            self._open[results] = self._open.pop(results)
            yield results
