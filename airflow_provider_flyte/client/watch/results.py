"""The results of one caller's waits, and the lines for its log meanwhile. No network.

A thousand callers wait side by side, so each has one object with few fields, and a future while it waits.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING

from airflow_provider_flyte.client.run_key import RunKey
from airflow_provider_flyte.client.verdict import Outcome, Verdict, WaitRules

if TYPE_CHECKING:
    from airflow_provider_flyte.client.watch.deadlines import Entry
    from airflow_provider_flyte.client.watch.waits import Wait


@dataclass(frozen=True)
class WaitResult:
    """How a wait ended."""

    key: RunKey
    verdict: Verdict

    @property
    def name(self) -> str:
        """The run's name."""
        return self.key.name

    @property
    def phase(self) -> int | None:
        """The last phase that was seen, None if none was."""
        return self.verdict.phase

    @property
    def outcome(self) -> Outcome:
        """Succeeded, failed, missing or unreachable."""
        return self.verdict.outcome


class WaitResults:
    """The results of one caller's waits, each as soon as it is known; use ``async for`` in a ``with`` block.

    Leaving the ``with`` block ends the waits that are left. The iteration ends by itself when none is left, or when
    its time is over.
    """

    __slots__ = (
        "_change",
        "_close",
        "_delivered",
        "_ended",
        "_left",
        "_lines",
        "_on_trouble",
        "_progress",
        "began",
        "deadline",
        "interval",
        "notified_at",
        "on_progress",
        "rules",
        "until",
        "waits",
    )

    def __init__(
        self,
        *,
        rules: WaitRules,
        interval: float,
        on_trouble: Callable[[str], None] | None,
        on_progress: Callable[[str], None] | None,
        began: float,
        close: Callable[[WaitResults], None],
    ) -> None:
        self.rules = rules
        self.interval = interval
        self.on_progress = on_progress
        self.began = self.notified_at = began
        self.until = math.inf
        """By the loop's clock."""

        self.deadline: Entry | None = None

        self.waits: tuple[Wait, ...] = ()
        self._left = 0
        self._ended: deque[Wait] | None = None
        self._on_trouble = on_trouble
        self._lines: tuple[str, ...] = ()
        self._delivered: tuple[str, ...] = ()
        self._progress = ""
        self._change: asyncio.Future[None] | None = None
        self._close = close

    def take(self, waits: tuple[Wait, ...]) -> None:
        """Set the waits."""
        self.waits = waits
        self._left = len(waits)

    # -- for the caller

    def __enter__(self) -> WaitResults:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the waits that are left; more than once does no harm."""
        self._left = 0
        self._close(self)

    def __aiter__(self) -> WaitResults:
        return self

    async def __anext__(self) -> WaitResult:
        while self._left:
            self._deliver()
            if self._ended:
                self._left -= 1
                return _result(self._ended.popleft())
            if asyncio.get_running_loop().time() >= self.until:
                break
            self._change = asyncio.get_running_loop().create_future()
            await self._change
        raise StopAsyncIteration

    def _deliver(self) -> None:
        """Hand over lines in the caller's own context: there Airflow finds the log that they belong to."""
        if self._lines:
            self._delivered, self._lines = self._lines, ()
            if self._on_trouble:
                for line in self._delivered:
                    self._on_trouble(line)
        if self._progress:
            progress, self._progress = self._progress, ""
            if self.on_progress:
                self.on_progress(progress)

    # -- for the watcher

    def notify(self, line: str) -> bool:
        """Leave a line about trouble or recovery; what concerns several of the waits is left once."""
        if line in self._lines or line in self._delivered:
            return False
        self._lines += (line,)
        self.wake()
        return True

    def trouble(self, now: float) -> str:
        """A line about how long Flyte has given no answer about one of the waits; '' when there is no trouble."""
        since = min((w.state.trouble_since for w in self.waits if w.state.trouble_since is not None), default=None)
        if since is None:
            return ""
        what = "the run" if len(self.waits) == 1 else "some of the runs"
        limit = self.rules.unreachable_after
        ends = "continues all the same (unreachable_after=None)"
        if limit is not None:
            ends = f"ends when that has lasted {limit:g} s (unreachable_after)"
        return f"Still waiting. Flyte has given no answer about {what} for {now - since:.0f} s; the wait {ends}."

    def notify_progress(self, line: str, now: float) -> None:
        """Leave a line about the progress of the wait."""
        self.notified_at = now
        if self.on_progress:
            self._progress = line
            self.wake()

    def finish(self, wait: Wait, end: Verdict | BaseException) -> None:
        """Leave the end of one of the waits."""
        wait.end = end
        if self._ended is None:
            self._ended = deque()
        self._ended.append(wait)
        self.wake()

    def wake(self) -> None:
        """Let the caller continue."""
        if self._change is not None and not self._change.done():
            self._change.set_result(None)


def _result(wait: Wait) -> WaitResult:
    """The result of an ended wait; raises what broke it."""
    if isinstance(wait.end, Verdict):
        return WaitResult(wait.key, wait.end)
    if wait.end is None:
        raise RuntimeError(f"The wait for {wait.key} has not ended.")
    # One error may end many waits: its traceback must not grow with each.
    raise wait.end.with_traceback(None)
