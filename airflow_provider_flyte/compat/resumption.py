"""How Airflow calls a task that was deferred or rescheduled."""

from __future__ import annotations

import time
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from airflow_provider_flyte.compat import BaseSensorOperator, Context

TRIGGER_FAILED = "__fail__"
"""The next_method of a task whose trigger failed or timed out."""

TRIGGER_TIMED_OUT = frozenset({"Trigger timeout", "Trigger/execution timeout"})
"""The scheduler's error when a deferral has passed its ``timeout``: 3.x, 2.11."""


def first_reschedule(context: Context, sensor: BaseSensorOperator) -> tuple[float, Context]:
    """When this try poked first, in seconds since the epoch, and the context for Airflow's own sensor.

    That is now, unless the try has been rescheduled since. In ``dag.test()`` of 3.0 the date is a text, with which
    Airflow's own sensor breaks at its second poke: there, the context has a date.
    """
    if not sensor.reschedule:
        return time.time(), context
    ti: Any = context["ti"]
    if hasattr(ti, "get_first_reschedule_date"):
        date = ti.get_first_reschedule_date(context)
    else:
        from airflow.sensors.base import _orig_start_date

        date = _orig_start_date(
            dag_id=ti.dag_id, task_id=ti.task_id, run_id=ti.run_id, map_index=ti.map_index, try_number=ti.try_number
        )
    if isinstance(date, str):
        # Python 3.10 reads no Z.
        date = datetime.fromisoformat(date.replace("Z", "+00:00"))
        context = cast("Context", {**context, "ti": _Dated(ti, date)})
    return date.timestamp() if date else time.time(), context


class _Dated:
    """A task instance with another first reschedule."""

    def __init__(self, ti: Any, first: datetime) -> None:
        self._ti, self._first = ti, first

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ti, name)

    def get_first_reschedule_date(self, context: Context) -> datetime:
        return self._first
