"""What a worker writes into a task's log between polls: how far its runs are, what they wait for, what they log."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_flyte.settings import streams_logs
from airflow_provider_flyte.task_log import TaskLog
from airflow_provider_flyte.tries.held_client import HeldClient
from airflow_provider_flyte.wait.conditions import ConditionLog, WorkerConditions
from airflow_provider_flyte.wait.progress import WorkerProgress

if TYPE_CHECKING:
    from airflow_provider_flyte.client.flows.conditions import Condition
    from airflow_provider_flyte.client.run_key import RunKey
    from airflow_provider_flyte.wait.run_logs import WorkerLogs
    from airflow_provider_flyte.wait.run_wait import RunWait


class FollowedRuns:
    """Follows the runs of one task.

    :param client: the client to ask with.
    :param runs: the runs.
    :param log: the task's log.
    :param log_progress: log how far the child actions of the first runs are.
    :param stream_logs: do that, and write the logs of the first runs into the task's; None: by connection and
        configuration.
    :param on_paused: ``"log"`` or ``"fail"``: look for what the runs wait for, and log it; None: do not.
    :param now: seconds since the epoch.
    """

    def __init__(
        self,
        client: HeldClient,
        runs: Sequence[RunWait],
        log: TaskLog,
        *,
        log_progress: bool,
        stream_logs: bool | None,
        on_paused: str | None,
        now: Callable[[], float],
    ) -> None:
        self._client = client
        self._runs = runs
        self._log = log
        self._now = now
        self._streams_logs = stream_logs is not False and streams_logs(stream_logs, client.get().config)
        self._logs_progress = log_progress or self._streams_logs
        self._follows_conditions = on_paused is not None
        self._progress: WorkerProgress | None = None
        self._conditions: WorkerConditions | None = None
        self._logs: WorkerLogs | None = None
        self.written: Mapping[str, Any] = {}
        """How far the logs of runs were written into the task's, by their names."""

    def observe(self) -> None:
        """Log what is due after a poll."""
        if self._logs_progress:
            if self._progress is None:
                self._progress = WorkerProgress(self._keys, self._log, self._now)
            self._progress.observe(self._client.get())
        if self._streams_logs:
            self._begin_logs()
        if self._follows_conditions:
            self.observe_conditions()

    def observe_conditions(self, *, at_once: bool = False) -> Condition | None:
        """Log what the runs wait for, if the time for it has come; returns one such condition, None where none is.

        :param at_once: whatever the time is.
        """
        client = self._client.get()
        if self._conditions is None:
            written = ConditionLog(self._log, self._client.flyte_conn_id, client.config.run_url)
            self._conditions = WorkerConditions(self._keys, self._log, written.write, self._now)
        self._conditions.observe(client, at_once=at_once)
        return self._conditions.waiting

    def stop_logs(self) -> None:
        """Write no more of the runs' logs; more than once does no harm."""
        if self._logs is not None:
            self.written = self._logs.end()

    @property
    def _keys(self) -> list[RunKey]:
        return [run.key for run in self._runs]

    def _begin_logs(self) -> None:
        if self._logs is None:
            from airflow_provider_flyte.wait.run_logs import WorkerLogs

            # A run's client is replaced at once, where that of ``HeldClient`` might be made by two threads.
            self._logs = WorkerLogs(lambda: self._runs[0].client, self._keys, self.written, self._log)
