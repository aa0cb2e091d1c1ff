"""What the runs of one task wait for, in its log: in the triggerer by the shared watcher, on a worker between polls."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from airflow_provider_flyte.client.errors import FlyteError
from airflow_provider_flyte.client.outside import LONGEST_IN_EVENT, LONGEST_NAME, one_line
from airflow_provider_flyte.wait.answering import ways_to_answer

if TYPE_CHECKING:
    from airflow_provider_flyte.client import FlyteClient
    from airflow_provider_flyte.client.flows.conditions import Condition
    from airflow_provider_flyte.client.run_key import RunKey
    from airflow_provider_flyte.task_log import TaskLog

MOST_LOGGED = 50
"""How many conditions of one task are logged."""

LONGEST_ROUND = 5.0
"""Seconds that the next poll of a worker waits for conditions."""


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
        self._logged = 0

    def write(self, condition: Condition) -> None:
        """Write that a condition waits, or waits no more."""
        name, run = one_line(condition.name, LONGEST_NAME), condition.key
        if condition.over:
            self._log.info("Condition %r of Flyte run %s %s.", name, run.name, condition.outcome)
            return
        self._logged += 1
        if self._logged <= MOST_LOGGED:
            self._log.info(
                "Flyte run %s waits for an answer: %s Give it %s",
                run.name,
                asked(condition),
                ways_to_answer(condition, self._flyte_conn_id, self._url(run)),
            )
        elif self._logged == MOST_LOGGED + 1:
            self._log.info(
                "Further conditions are not logged. Flyte's console shows those that wait: %s", self._url(run)
            )


def asked(condition: Condition) -> str:
    """What a condition asks for, as a sentence."""
    prompt = one_line(condition.prompt, LONGEST_IN_EVENT) or "It has no prompt."
    return f"condition {one_line(condition.name, LONGEST_NAME)!r} asks for {condition.asks_for}: {prompt}"


class WorkerConditions:
    """The rounds of ``client/flows/condition_news.py`` between the polls of a worker.

    :param keys: the task's runs.
    :param log: the task's log.
    :param write: takes each condition once it waits, and again when it waits no more.
    :param now: seconds since the epoch.
    """

    def __init__(
        self, keys: Sequence[RunKey], log: TaskLog, write: Callable[[Condition], None], now: Callable[[], float]
    ) -> None:
        from airflow_provider_flyte.client.flows.condition_news import FIRST_AFTER, ConditionNotices, ConditionRounds

        self._names = [key.name for key in keys]
        self._rounds = ConditionRounds(keys[0].project_domain, now, LONGEST_ROUND)
        self._notices = ConditionNotices(write, log.info)
        self._now = now
        self._due: float | None = now() + FIRST_AFTER

    @property
    def waiting(self) -> Condition | None:
        """One of those that wait, by the last round; None: none does."""
        return next(iter(self._rounds.open), None)

    def observe(self, client: FlyteClient, *, at_once: bool = False) -> None:
        """Go a round, if the time for it has come; no trouble is passed on.

        :param client: the client to ask with.
        :param at_once: whatever the time is.
        """
        from airflow_provider_flyte.client.flows.condition_news import EVERY, REFUSALS

        if self._due is None or (self._now() < self._due and not at_once):
            return
        self._due = self._now() + EVERY
        try:
            flow = self._rounds.round(self._names, client.config.org, self._notices.take)
            client.execute(flow, retry_for=0.0)
        except REFUSALS as error:
            self._due = None
            self._notices.refuse(error)
        except FlyteError:
            # The poll itself meets it too, and decides.
            pass
