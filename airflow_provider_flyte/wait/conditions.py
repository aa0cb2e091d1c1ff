"""What the runs of one task wait for, in its log: in the triggerer by the shared watcher, on a worker between polls."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_flyte.client.errors import FlyteError
from airflow_provider_flyte.client.outside import LONGEST_IN_EVENT, LONGEST_NAME, one_line
from airflow_provider_flyte.wait.answering import ways_to_answer

if TYPE_CHECKING:
    from airflow_provider_flyte.client import FlyteClient
    from airflow_provider_flyte.client.flows.condition_news import ConditionNews
    from airflow_provider_flyte.client.flows.conditions import Condition
    from airflow_provider_flyte.client.run_key import RunKey
    from airflow_provider_flyte.task_log import TaskLog

MOST_TOLD = 50
"""How many conditions of one task are logged."""


class ConditionLog:
    """Writes conditions into a task's log.

    :param log: the task's log.
    :param flyte_conn_id: the Airflow connection, for the command that answers.
    :param url: gives a run's page in Flyte's console.
    """

    def __init__(self, log: TaskLog, flyte_conn_id: str, url: Callable[[RunKey], str]) -> None:
        self._log = log
        self._flyte_conn_id = flyte_conn_id
        self._url = url
        self._told = 0

    def write(self, condition: Condition) -> None:
        """Write that a condition waits, or waits no more."""
        name, run = one_line(condition.name, LONGEST_NAME), condition.key
        if condition.over:
            self._log.info("Condition %r of Flyte run %s %s.", name, run.name, condition.outcome)
            return
        self._told += 1
        if self._told <= MOST_TOLD:
            self._log.info(
                "Flyte run %s waits for an answer: %s Give it %s",
                run.name,
                asked(condition),
                ways_to_answer(condition, self._flyte_conn_id, self._url(run)),
            )
        elif self._told == MOST_TOLD + 1:
            self._log.info(
                "Further conditions are not logged. Flyte's console shows those that wait: %s", self._url(run)
            )


def asked(condition: Condition) -> str:
    """What a condition asks for, as a sentence."""
    prompt = one_line(condition.prompt, LONGEST_IN_EVENT) or "It has no prompt."
    return f"condition {one_line(condition.name, LONGEST_NAME)!r} asks for {condition.asks_for}: {prompt}"


class WorkerConditions:
    """Looks for conditions between polls, with one call for all runs.

    :param keys: the task's runs.
    :param log: the task's log.
    :param write: takes each condition once it waits, and again when it waits no more.
    :param now: seconds since the epoch.
    """

    def __init__(
        self, keys: Sequence[RunKey], log: TaskLog, write: Callable[[Condition], None], now: Callable[[], float]
    ) -> None:
        from airflow_provider_flyte.client.flows.condition_news import FIRST_AFTER

        self._keys = keys
        self._log = log
        self._write = write
        self._now = now
        self._due: float | None = now() + FIRST_AFTER
        self._news: dict[RunKey, ConditionNews] = {}

    @property
    def waiting(self) -> Condition | None:
        """One of those that wait, by the last look; None: none does."""
        return next((each for news in self._news.values() for each in news.open.values()), None)

    def look(self, client: FlyteClient, *, at_once: bool = False) -> None:
        """Look, if the time for it has come; no trouble is passed on.

        :param client: the client to ask with.
        :param at_once: whatever the time is.
        """
        from airflow_provider_flyte.client.flows.condition_news import EVERY, REFUSALS, not_told

        if self._due is None or (self._now() < self._due and not at_once):
            return
        self._due = self._now() + EVERY
        try:
            self._look(client)
        except REFUSALS as error:
            self._due = None
            self._log.info(not_told(error))
        except FlyteError:
            # The poll itself meets it too, and decides.
            pass

    def _look(self, client: FlyteClient) -> None:
        from airflow_provider_flyte.client.flows.calls import NAMES_A_CALL, chunks
        from airflow_provider_flyte.client.flows.condition_news import ConditionNews
        from airflow_provider_flyte.client.flows.conditions import paused_runs

        org, where, paused = client.config.org, self._keys[0].project_domain, set()
        for some in chunks([key.name for key in self._keys], NAMES_A_CALL):
            flow = paused_runs(where.project, where.domain, some, org)
            paused.update(client.execute(flow, retry_for=0.0))
        for key in [key for key in self._keys if key in paused or key in self._news]:
            news = self._news.setdefault(key, ConditionNews(key))
            before: dict[str, Any] = dict(news.open)
            for gone in client.execute(news.look(org, paused=key in paused), retry_for=0.0):
                self._write(gone)
            for action, condition in news.open.items():
                if action not in before:
                    self._write(condition)
            if not news.open:
                del self._news[key]
