"""What Airflow's database has of a task instance: which Flyte runs it has, and over which connection."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any

from fastapi import Depends, HTTPException, status
from sqlalchemy import select

from airflow_provider_flyte.plugin.access import AskedTask, ReadableTask
from airflow_provider_flyte.plugin.airflow_server import SerializedDagModel, TaskInstance, XComModel, create_session
from airflow_provider_flyte.report.task_runs import KEY, TaskRuns

_OVER = frozenset({"success", "failed", "skipped", "upstream_failed", "removed"})


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
    runs, over = TaskRuns.from_text(stored), found.state in _OVER
    if stored is not None and runs is None:
        return StoredTask(over, None, f"XCom's {KEY} of this task instance is not what its task has written there.")
    if runs is not None and found.dag_version_id is not None:
        conn_id = _fixed_conn_id(found.dag_version_id, asked.task_id)
        if conn_id is not None and conn_id != runs.flyte_conn_id:
            return StoredTask(
                over,
                None,
                f"XCom's {KEY} of this task instance names the connection {runs.flyte_conn_id!r}, and its task in the "
                f"DAG names {conn_id!r}. Nothing is asked over a connection that the DAG does not name.",
            )
    return StoredTask(over, runs)


_GONE = "Airflow has no such task instance. Its DAG run may have been deleted."
_MAPPED = "This task is mapped: open one of its instances, which have a run each."

_TEMPLATE = ("{{", "{%")


@lru_cache(maxsize=1000)
def _fixed_conn_id(dag_version_id: Any, task_id: str) -> str | None:
    """The connection that a task of a DAG names, None where it is a template or not known.

    Whoever may edit XCom, and not the DAG, may not lead the API server to another connection.
    """
    with create_session(scoped=False) as session:
        stored = session.scalar(
            select(SerializedDagModel).where(SerializedDagModel.dag_version_id == dag_version_id).limit(1)
        )
        for operator in _operators(stored.data if stored is not None else None):
            if operator.get("task_id") == task_id:
                conn_id = operator.get("flyte_conn_id")
                fixed = isinstance(conn_id, str) and not any(mark in conn_id for mark in _TEMPLATE)
                return conn_id if fixed else None
    return None


def _operators(data: Any) -> Iterator[Mapping[str, Any]]:
    dag = data.get("dag") if isinstance(data, Mapping) else None
    tasks = dag.get("tasks") if isinstance(dag, Mapping) else None
    for task in tasks if isinstance(tasks, list) else ():
        operator = task.get("__var", task) if isinstance(task, Mapping) else None
        if isinstance(operator, Mapping):
            yield operator


def _stored(asked: ReadableTask) -> StoredTask:
    # Not a coroutine: FastAPI calls it in a thread.
    return read(asked)


Stored = Annotated[StoredTask, Depends(_stored)]
"""The task instance that a request names, once it is settled that it may be read."""
