"""The progress of what runs inside the runs of a task that waits on a worker; ``client/watch/progress.py`` has the
triggerer's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from airflow_provider_flyte.client.errors import FlyteError

if TYPE_CHECKING:
    from airflow_provider_flyte.client import FlyteClient
    from airflow_provider_flyte.client.flows.progress import ProgressOfRun
    from airflow_provider_flyte.client.run_key import RunKey
    from airflow_provider_flyte.task_log import TaskLog

MOST_FOLLOWED = 5
"""Of how many of a task's runs the progress is logged."""


class WorkerProgress:
    """Logs the progress between polls: one call of a second at a time, about each run every 30 s at most.

    :param keys: the task's runs.
    :param log: the task's log.
    :param now: seconds since the epoch.
    """

    def __init__(self, keys: list[RunKey], log: TaskLog, now: Callable[[], float]) -> None:
        self._left = keys[:MOST_FOLLOWED]
        self._runs: dict[RunKey, ProgressOfRun] = {}
        self._asked: dict[RunKey, float] = {}
        self._log = log
        self._now = now

    def observe(self, client: FlyteClient) -> None:
        """Ask about the run that was not asked about for longest, if its time has come; no trouble is passed on."""
        from airflow_provider_flyte.client.flows.progress import EVERY, REFUSALS, ProgressOfRun, not_logged

        key = min(self._left, key=lambda each: self._asked.get(each, 0.0), default=None)
        if key is None or self._now() - self._asked.get(key, 0.0) < EVERY:
            return
        self._asked[key] = self._now()
        run = self._runs.setdefault(key, ProgressOfRun(key, client.config.org, self._now))
        try:
            client.execute(run.ask(), retry_for=0.0)
            if not run.over:
                client.execute(run.name_failed(), retry_for=0.0)
                line = run.line()
                if line:
                    self._log.info(line)
        except REFUSALS as error:
            self._log.info(not_logged(key, error))
            self._left.remove(key)
        except FlyteError:
            # The poll itself meets it too, and decides.
            pass
