"""Which Flyte runs a task instance has, as it tells Airflow, for the tab "Flyte" in Airflow's UI."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_flyte.client.errors import ConfigError
from airflow_provider_flyte.client.run_key import RunKey, run_key
from airflow_provider_flyte.compat.ui import push_to_database
from airflow_provider_flyte.compat.versions import has_task_tabs

if TYPE_CHECKING:
    from airflow_provider_flyte.compat import Context

log = logging.getLogger(__name__)

KEY = "_flyte_runs"
"""The XCom key. An output of a run never has it: those begin with a letter or digit."""

MOST_RUNS = 100
"""How many runs of a task are stored; a sensor may wait for thousands."""


@dataclass(frozen=True)
class TaskRuns:
    """The runs that one try of a task instance has launched or waits for."""

    flyte_conn_id: str
    """The Airflow connection that leads to them."""

    try_number: int
    """Airflow's number of the try."""

    runs: tuple[RunKey, ...]
    """The first :data:`MOST_RUNS` of them, at least one."""

    total: int
    """How many there are."""

    def to_text(self) -> str:
        """What is stored in XCom."""
        return json.dumps(
            {
                "flyte_conn_id": self.flyte_conn_id,
                "try_number": self.try_number,
                "runs": [[key.project, key.domain, key.name] for key in self.runs],
                "total": self.total,
            }
        )

    @classmethod
    def from_text(cls, text: object) -> TaskRuns | None:
        """Read what :meth:`to_text` has written; None for anything else: whoever may edit XCom may write there."""
        try:
            stored: Any = json.loads(text) if isinstance(text, str) else None
            if isinstance(stored, str):
                # Airflow keeps a text as JSON.
                stored = json.loads(stored)
            named = [(_text(name), _text(project), _text(domain)) for project, domain, name in stored["runs"]]
            runs = tuple(run_key(*each) for each in named[:MOST_RUNS])
            told = cls(_text(stored["flyte_conn_id"]), int(stored["try_number"]), runs, int(stored["total"]))
        except (ConfigError, KeyError, RecursionError, TypeError, ValueError, OverflowError):
            return None
        return told if runs else None


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise TypeError
    return value


def tell_runs(task: Any, context: Context, runs: Sequence[RunKey]) -> None:
    """Store which runs the task has, where Airflow has tabs. A failure is only logged: a tab must not fail the task.

    :param task: the operator, whose ``flyte_conn_id`` leads to them.
    :param context: the task's.
    :param runs: all of them.
    """
    ti: Any = context.get("ti")
    if ti is None or not runs or not has_task_tabs():
        return
    try:
        # A user's test may have a task instance without a number.
        told = TaskRuns(task.flyte_conn_id, ti.try_number, tuple(runs[:MOST_RUNS]), len(runs))
        push_to_database(ti, KEY, told.to_text())
    except Exception:
        log.warning("The tab 'Flyte' of this task will not show its run, because XCom did not take it.", exc_info=True)
