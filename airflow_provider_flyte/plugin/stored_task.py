"""What Airflow's database has of a task instance: which Flyte runs it has, and over which connection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, HTTPException, status
from sqlalchemy import select

from airflow_provider_flyte.plugin.access import AskedTask, ReadableTask
from airflow_provider_flyte.plugin.airflow_server import TaskInstance, XComModel, create_session
from airflow_provider_flyte.plugin.task_connections import believed
from airflow_provider_flyte.report.task_runs import KEY, TaskRuns

OVER = frozenset({"success", "failed", "skipped", "upstream_failed", "removed"})
"""The states of a task instance that will do nothing more by itself."""


@dataclass(frozen=True)
class StoredTask:
    """A task instance, as far as the tab needs it."""

    over: bool
    """Whether it will do nothing more by itself."""

    runs: TaskRuns | None
    """Its runs; None where it has none."""

    trouble: str = ""
    """Why its runs are not shown although some are stored."""


def read(asked: AskedTask) -> StoredTask:
    """Read a task instance.

    :raises HTTPException: 404, where Airflow has none: its DAG run may have been deleted.
    """
    with create_session(scoped=False) as session:
        here = (
            TaskInstance.dag_id == asked.dag_id,
            TaskInstance.run_id == asked.run_id,
            TaskInstance.task_id == asked.task_id,
        )
        found = session.execute(
            select(TaskInstance.state, TaskInstance.dag_version_id).where(
                *here, TaskInstance.map_index == asked.map_index
            )
        ).first()
        if found is None:
            other = session.scalar(select(TaskInstance.map_index).where(*here).limit(1))
            is_mapped = asked.map_index < 0 and other is not None
            raise HTTPException(status.HTTP_404_NOT_FOUND, _MAPPED if is_mapped else _GONE)
        stored = session.scalar(
            select(XComModel.value).where(
                XComModel.dag_id == asked.dag_id,
                XComModel.run_id == asked.run_id,
                XComModel.task_id == asked.task_id,
                XComModel.map_index == asked.map_index,
                XComModel.key == KEY,
            )
        )
    runs, trouble = believed(stored, found.dag_version_id, asked.task_id)
    return StoredTask(found.state in OVER, runs, trouble)


_GONE = "Airflow has no such task instance. Its DAG run may have been deleted."
_MAPPED = "This task is mapped: open one of its instances, which have a run each."


def _stored(asked: ReadableTask) -> StoredTask:
    # Not a coroutine: FastAPI calls it in a thread.
    return read(asked)


Stored = Annotated[StoredTask, Depends(_stored)]
"""The task instance that a request names, once it is settled that it may be read."""
