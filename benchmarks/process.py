"""What a process costs, seen from outside: another one does not disturb it by asking."""

from __future__ import annotations

import re
import time
from pathlib import Path


class Load:
    """How much of a core a process takes, all its threads together."""

    def __init__(self, pid: int) -> None:
        # The number of another process's clock, as clock_getcpuclockid(3) makes it.
        self._clock = ~pid << 3 | 2
        self._seen = self._measure()

    def _measure(self) -> tuple[float, float]:
        return time.monotonic(), time.clock_gettime(self._clock)

    def percent(self) -> float:
        """Percent of a core since the last look."""
        before, self._seen = self._seen, self._measure()
        return (self._seen[1] - before[1]) / (self._seen[0] - before[0]) * 100


def resident_kb(pid: int) -> float:
    """Memory that it takes, in kB. Counted page by page: the kernel's running total may be some hundred kB behind."""
    found = re.search(r"^Rss: +(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
    assert found
    return int(found[1]) * 1.024
