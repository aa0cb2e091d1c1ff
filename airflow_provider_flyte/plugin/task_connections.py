"""Which connection a task of a DAG names, as the serialized DAG has it.

Whoever may edit XCom, and not the DAG, may not lead the API server to another connection.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from sqlalchemy import select

from airflow_provider_flyte.connection.fields import DEFAULT_CONN_ID
from airflow_provider_flyte.plugin.airflow_server import SerializedDagModel, create_session
from airflow_provider_flyte.report.task_runs import KEY, TaskRuns

_TEMPLATE = ("{{", "{%")
_OURS = "airflow_provider_flyte."
"""Where an operator comes from that has :data:`DEFAULT_CONN_ID` unless it is told otherwise."""


def believed(stored: object, dag_version_id: Any, task_id: str) -> tuple[TaskRuns | None, str]:
    """The runs that a task instance has stored in XCom, or None and why they are not shown.

    :param stored: XCom's value; None for no row of XCom.
    :param dag_version_id: the version of the DAG that the task instance has run with; None where it has none.
    :param task_id: its task.
    """
    runs = TaskRuns.from_text(stored)
    if runs is None:
        why = f"XCom's {KEY} of this task instance is not what its task has written there."
        return None, "" if stored is None else why
    # A task instance without a version of its DAG ran before Airflow had versions.
    conn_ids: Mapping[str, str | None] = {task_id: None} if dag_version_id is None else _conn_ids(dag_version_id)
    if task_id not in conn_ids:
        return None, f"The DAG has no Flyte connection for this task, so XCom's {KEY} of it is not believed."
    conn_id = conn_ids[task_id]
    if conn_id is not None and conn_id != runs.flyte_conn_id:
        return None, (
            f"XCom's {KEY} of this task instance names the connection {runs.flyte_conn_id!r}, and its task in the "
            f"DAG names {conn_id!r}. Nothing is asked over a connection that the DAG does not name."
        )
    return runs, ""


@lru_cache(maxsize=200)
def _conn_ids(dag_version_id: Any) -> Mapping[str, str | None]:
    """The connections that the tasks of a DAG name, None for a template and for one that is mapped over.

    Without tasks that have no connection at all.
    """
    with create_session(scoped=False) as session:
        stored = session.scalar(
            select(SerializedDagModel).where(SerializedDagModel.dag_version_id == dag_version_id).limit(1)
        )
        data = stored.data if stored is not None else None
    found: dict[str, str | None] = {}
    for operator in _operators(data):
        task_id, conn_id = operator.get("task_id"), _conn_id(operator)
        fixed = isinstance(conn_id, str) and not any(mark in conn_id for mark in _TEMPLATE)
        if isinstance(task_id, str) and _has_conn_id(operator):
            found[task_id] = str(conn_id) if fixed else None
    return found


def _has_conn_id(operator: Mapping[str, Any]) -> bool:
    names = operator.get("template_fields")
    names = names.get("__var") if isinstance(names, Mapping) else names
    return isinstance(names, list) and "flyte_conn_id" in names


def _conn_id(operator: Mapping[str, Any]) -> object:
    if not operator.get("_is_mapped"):
        return operator.get("flyte_conn_id")
    given, mapped = operator.get("partial_kwargs"), operator.get("expand_input")
    if not isinstance(given, Mapping) or not isinstance(mapped, Mapping) or mapped.get("type") != "dict-of-lists":
        # expand_kwargs() may give anything.
        return None
    over = mapped.get("value")
    over = over.get("__var", over) if isinstance(over, Mapping) else over
    if not isinstance(over, Mapping) or "flyte_conn_id" in over:
        return None
    is_ours = str(operator.get("_task_module", "")).startswith(_OURS)
    return given.get("flyte_conn_id", DEFAULT_CONN_ID if is_ours else None)


def _operators(data: Any) -> Iterator[Mapping[str, Any]]:
    dag = data.get("dag") if isinstance(data, Mapping) else None
    tasks = dag.get("tasks") if isinstance(dag, Mapping) else None
    for task in tasks if isinstance(tasks, list) else ():
        operator = task.get("__var", task) if isinstance(task, Mapping) else None
        if isinstance(operator, Mapping):
            yield operator
