"""The results of one caller's waits, and the lines for its log meanwhile. No network.

A hundred thousand callers may wait side by side, so each has one object with few fields, and a future while it waits.
Only an end or a timeout wakes a caller: whoever is woken waits with new objects, and Python's garbage collector holds
the loop until it has looked at those of all callers.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections import deque
from collections.abc import Awaitable, Callable, Generator
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, cast

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
        "_context",
        "_ended",
        "_left",
        "_line",
        "_on_progress",
        "_on_trouble",
        "began",
        "deadline",
        "interval",
        "notified_at",
        "rules",
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
        self.began = self.notified_at = began
        self.deadline: Entry | None = None
        self.waits: tuple[Wait, ...] = ()
        self._left = 0
        self._ended: deque[Wait | Exception] | None = None
        self._on_trouble = on_trouble
        self._on_progress = on_progress
        self._context = contextvars.copy_context()
        self._line = ""
        """The last one about trouble or recovery."""

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
        self._left, self._ended = 0, None
        self._close(self)

    def __aiter__(self) -> WaitResults:
        return self

    def __anext__(self) -> Awaitable[WaitResult]:
        return self

    def __await__(self) -> Generator[Any, None, WaitResult]:
        """Wait for the next result. No coroutine: it would be one frame more for each who waits."""
        return cast("Generator[Any, None, WaitResult]", self)

    __iter__ = __await__

    def __next__(self) -> Any:
        """Take one step of an ``await``: raise the next result, or give the loop what to wait for."""
        if self._ended:
            self._left -= 1
            raise StopIteration(_result(self._ended.popleft()))
        if self._left <= 0:
            raise StopAsyncIteration
        self._change = asyncio.get_running_loop().create_future()
        return next(self._change.__await__())

    # -- for the watcher

    def notify(self, line: str) -> bool:
        """Pass on a line about trouble or recovery, unless another of the waits had the same; returns whether."""
        if self._on_trouble is None or line == self._line:
            return False
        self._line = line
        self._run(self._on_trouble, line)
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
        """Pass on a line about the progress of the wait."""
        self.notified_at = now
        if self._on_progress is not None:
            self._run(self._on_progress, line)

    def _run(self, callback: Callable[[str], None], line: str) -> None:
        """Call back in the caller's own context: there Airflow finds the log that a line belongs to."""
        try:
            self._context.run(callback, line)
        except Exception as error:
            # The caller's own, and nobody else's.
            self._leave(error)

    def finish(self, wait: Wait, end: Verdict | BaseException) -> None:
        """Leave the end of one of the waits."""
        wait.end = end
        self._leave(wait)

    def _leave(self, end: Wait | Exception) -> None:
        if self._ended is None:
            self._ended = deque()
        self._ended.append(end)
        self._wake()

    def expire(self) -> None:
        """End the iteration once it has given what there is: its time is over."""
        self._left = 0
        self._wake()

    def _wake(self) -> None:
        if self._change is not None and not self._change.done():
            self._change.set_result(None)


async def only_result(begin: Callable[[], WaitResults]) -> WaitResult:
    """Wait for one run. The frame has few variables, because it lasts as long as the wait.

    :param begin: begins the wait.
    """
    results = begin()
    del begin
    try:
        return await results
    finally:
        results.close()


def _result(wait: Wait | Exception) -> WaitResult:
    """The result of an ended wait; raises what broke it."""
    if isinstance(wait, Exception):
        raise wait
    if isinstance(wait.end, Verdict):
        return WaitResult(wait.key, wait.end)
    if wait.end is None:
        raise RuntimeError(f"The wait for {wait.key} has not ended.")
    # One error may end many waits: its traceback must not grow with each.
    raise wait.end.with_traceback(None)
