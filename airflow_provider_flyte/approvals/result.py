"""What a task returns whose condition was answered, or why it was not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_flyte.client.outside import LONGEST_NAME, one_line, some_lines, storable
from airflow_provider_flyte.exceptions import FlyteConditionUnanswered

if TYPE_CHECKING:
    from airflow_provider_flyte.approvals.task import ConditionTask
    from airflow_provider_flyte.client import FlyteClient
    from airflow_provider_flyte.client.flows.conditions import Answer, Condition
    from airflow_provider_flyte.client.run_key import RunKey


class Result:
    """The result of one task.

    :param task: the operator.
    :param client: by whose configuration the run has its page.
    :param key: the run.
    """

    def __init__(self, task: ConditionTask, client: FlyteClient, key: RunKey) -> None:
        self._task = task
        self._client = client
        self._key = key

    def value(self, condition: Condition | None, sent: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """What the task returns.

        :param sent: who has answered here, and what; empty: nobody.
        """
        from airflow_provider_flyte.client.flows.conditions import answered_with
        from airflow_provider_flyte.client.phase import RunPhase

        if condition is None:
            raise self.unanswered("is no condition")
        if condition.phase != RunPhase.SUCCEEDED and not (sent and condition.waits):
            raise self.unanswered(condition.outcome)
        sent = sent or {}
        value: Answer | None = condition.value if condition.value is not None else sent.get("value")
        ours = "value" in sent and sent["value"] == value
        if sent and not ours:
            self._task.log.warning(
                "Somebody has answered in Flyte before: that answer counts, and this task's is dropped."
            )
        name = one_line(condition.name, LONGEST_NAME)
        # Flyte may have taken the answer and not shown it yet.
        outcome = condition.outcome if condition.over and not ours else answered_with(value)
        self._task.log.info("Condition %r of Flyte run %s %s.", name, self._key.name, outcome)
        return {
            "run_name": self._key.name,
            "project": self._key.project,
            "domain": self._key.domain,
            "condition": name,
            "action": storable(condition.action),
            "prompt": some_lines(condition.prompt),
            "value": storable(value) if isinstance(value, str) else value,
            "answered_by": sent.get("answered_by") if ours else one_line(condition.answered_by, LONGEST_NAME) or None,
            "timed_out": bool(sent.get("timed_out")) and ours,
        }

    def unanswered(self, why: str) -> FlyteConditionUnanswered:
        """The exception for a condition that gets no answer."""
        fields = self.fields()
        return FlyteConditionUnanswered(
            f"Condition {self._task.condition!r} of Flyte run {self._key} {why}. The run was not aborted by this task. "
            f"{fields['url']}",
            **fields,
        )

    def run_is_over(self) -> FlyteConditionUnanswered:
        """The exception for a condition that nobody has answered before its run was over."""
        return self.unanswered("was not answered: its run is over")

    def fields(self) -> dict[str, Any]:
        """What an exception has of the run."""
        return {
            "run": self._key.name,
            "project": self._key.project,
            "domain": self._key.domain,
            "url": self._client.config.run_url(self._key),
        }
