"""The logs of the runs of one task in its own log: in the triggerer beside its trigger, on a worker in a thread."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_flyte.wait.progress import MOST_FOLLOWED

if TYPE_CHECKING:
    from airflow_provider_flyte.client import FlyteClient
    from airflow_provider_flyte.client.run_key import RunKey
    from airflow_provider_flyte.client.watch.run_logs import RunLogs
    from airflow_provider_flyte.task_log import TaskLog

_ENDS_WITHIN = 1.0
"""Seconds that the end of a wait takes at most for the thread to end, which takes a few milliseconds."""


class FollowedLogs:
    """The logs of a task's runs, of the first ones of many, while they are followed on a loop.

    :param keys: the runs.
    :param org: of the config.
    :param written: positions of what was written before, by the names of the runs, as :meth:`stop` has given them.
    :param on_log: takes each line.
    :param clock: seconds that only grow.
    """

    def __init__(
        self,
        keys: Sequence[RunKey],
        org: str,
        written: Mapping[str, Any] | None,
        *,
        on_log: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        from airflow_provider_flyte.client.flows.run_log import LogOfRun, positions_from

        before = positions_from(written)
        self._runs = [
            LogOfRun(key, org, clock, on_log=on_log, position=before.get(key.name)) for key in keys[:MOST_FOLLOWED]
        ]
        self._tasks: list[asyncio.Task[None]] = []

    def follow(self, logs: RunLogs) -> None:
        """Begin. Tasks of their own: nothing of it can end or delay the wait."""
        self._tasks = [asyncio.create_task(logs.follow(run)) for run in self._runs]

    def stop(self) -> None:
        """End it, on the loop where it began: no line comes after this."""
        for run in self._runs:
            run.stop()
        for task in self._tasks:
            task.cancel()

    def silence(self) -> None:
        """Write nothing more, from another thread, where the loop is too slow to be told to stop."""
        for run in self._runs:
            run.silence()

    async def ended(self) -> None:
        """Wait until what was stopped has ended."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def written(self) -> dict[str, Any]:
        """How far each log was written, as JSON types by the run's name."""
        return {run.key.name: run.position.to_json() for run in self._runs if run.position.count}


class WorkerLogs:
    """The same on a worker, from now on: in a thread with a loop, because the task's own thread polls and sleeps.

    :param client: gives the client to ask with.
    :param keys: the runs.
    :param written: positions of what was written before.
    :param log: the task's log.
    """

    def __init__(
        self, client: Callable[[], FlyteClient], keys: Sequence[RunKey], written: Mapping[str, Any], log: TaskLog
    ) -> None:
        self._client = client
        self._log = log
        self._followed = FollowedLogs(keys, client().config.org, written, on_log=self._log_line)
        self._used: set[FlyteClient] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._end: asyncio.Event | None = None
        self._begun, self._over = threading.Event(), threading.Event()
        # In a copy of the context, by which Airflow may find the task's log.
        run = contextvars.copy_context().run
        self._thread = threading.Thread(
            target=run, args=(asyncio.run, self._follow()), name="flyte-run-logs", daemon=True
        )
        self._thread.start()

    def end(self) -> dict[str, Any]:
        """End it, and tell how far each log was written; more than once does no harm."""
        self._over.set()
        if self._begun.wait(_ENDS_WITHIN) and self._loop is not None and self._end is not None:
            # A loop that was closed since raises RuntimeError.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._end.set)
            self._thread.join(_ENDS_WITHIN)
        if self._thread.is_alive():
            self._followed.silence()
        return self._followed.written

    def _log_line(self, line: str) -> None:
        self._log.info(line)

    async def _follow(self) -> None:
        from airflow_provider_flyte.client.watch.run_logs import RunLogs

        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        self._begun.set()
        if self._over.is_set():
            return
        self._followed.follow(RunLogs(self._current, time.monotonic, asyncio.sleep))
        try:
            await self._end.wait()
        finally:
            self._followed.stop()
            await self._followed.ended()
            for client in self._used:
                await client.close_on_loop()

    def _current(self) -> FlyteClient:
        client = self._client()
        self._used.add(client)
        return client
