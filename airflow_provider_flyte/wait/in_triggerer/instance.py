"""The task instance of a sensor that starts in the triggerer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from airflow_provider_flyte.compat import XCom
from airflow_provider_flyte.wait.from_trigger import LONGEST


@dataclass
class Instance:
    """The task instance, without its DAG: that of a triggerer's thousand tasks would be there a thousand times."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    try_number: int
    start_date: datetime
    retries: bool
    """Whether Airflow may retry the task, by what it was told."""

    on_worker: Mapping[str, str]
    """Why a worker has to end the task in a state, by that state: Airflow does it nowhere else (3.3.2)."""

    cancelled: bool = False
    """Whether its trigger is: a thread goes on, and must put nothing into the XCom of another try."""

    def xcom_push(self, key: str, value: Any) -> None:
        """Put a value into XCom, through the XCom backend."""
        if not self.cancelled:
            XCom.set(key, value, **self._place)

    def forget_earlier_tries(self, keys: tuple[str, ...]) -> None:
        """Delete what earlier tries have put into XCom, as a worker does that starts a task."""
        if self.try_number > 1:
            for key in keys:
                XCom.delete(key=key, **self._place)

    @property
    def _place(self) -> dict[str, Any]:
        return {"dag_id": self.dag_id, "task_id": self.task_id, "run_id": self.run_id, "map_index": self.map_index}


def instance_of(context: Mapping[str, Any], ends: datetime | None, timeout: float | None, now: float) -> Instance:
    """The task instance of a trigger.

    :param ends: when Airflow ends the deferral, if the trigger does not; it has no start of the try for the triggerer.
    :param timeout: how long after its start that is, by the sensor's own arguments; None: of a mapped sensor.
    :param now: seconds since the epoch.
    """
    ti, task = context["ti"], context["task"]
    span = LONGEST.total_seconds() if timeout is None else timeout
    if task.execution_timeout is not None:
        span = min(span, task.execution_timeout.total_seconds())
    began = now if ends is None else min(now, ends.timestamp() - span)
    return Instance(
        ti.dag_id,
        ti.run_id,
        ti.task_id,
        -1 if ti.map_index is None else ti.map_index,
        ti.try_number,
        datetime.fromtimestamp(began, timezone.utc),
        bool(task.retries),
        dict(_on_worker(task)),
    )


def _on_worker(task: Any) -> Iterator[tuple[str, str]]:
    if task.outlets:
        yield "success", "Airflow has a worker alone fire the events of its outlets"
    if task.has_on_success_callback:
        yield "success", "Airflow has a worker alone call its on_success_callback"
    if task.has_on_skipped_callback:
        yield "skipped", "Airflow has a worker alone call its on_skipped_callback"
    if task.email and (task.email_on_failure or (task.email_on_retry and task.retries)):
        yield "failed", "Airflow has a worker alone send its email"
    if task.has_retry_policy and task.retries:
        yield "failed", "Airflow has a worker alone ask its retry_policy"


def let_go_of_dag(context: dict[str, Any]) -> None:
    """Empty a context, which Airflow holds for as long as its trigger runs, with the task instance and the DAG."""
    context["ti"].task = None
    context.clear()
