"""Who may see what: Airflow's auth manager decides, by the DAG that a request names.

Airflow mounts a plugin's application without any check of its own, so each route that tells something depends on
:data:`ReadableTask`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, NamedTuple

from fastapi import Depends, HTTPException, Query, Request, status

from airflow_provider_flyte.plugin.airflow_server import DagAccessEntity, GetUserDep, requires_access_dag
from airflow_provider_flyte.settings import shows_values

_ID = Query(min_length=1, max_length=1000)


class AskedTask(NamedTuple):
    """The task instance that a request names."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int


def _asked(
    dag_id: Annotated[str, _ID],
    run_id: Annotated[str, _ID],
    task_id: Annotated[str, _ID],
    map_index: Annotated[int, Query(ge=-1, lt=2**31)] = -1,
) -> AskedTask:
    return AskedTask(dag_id, run_id, task_id, map_index)


def _readable(request: Request, user: GetUserDep, asked: Annotated[AskedTask, Depends(_asked)]) -> AskedTask:
    # With the id that is looked up below: Airflow's own dependency reads it from the request once more, and lets
    # requests through that name none.
    requires_access_dag("GET", DagAccessEntity.TASK_INSTANCE, asked.dag_id)(request, user)
    return asked


class AskedDag(NamedTuple):
    """The DAG, or one DAG run of it, that a request names."""

    dag_id: str
    run_id: str | None


def _asked_dag(
    dag_id: Annotated[str, _ID], run_id: Annotated[str | None, Query(min_length=1, max_length=1000)] = None
) -> AskedDag:
    return AskedDag(dag_id, run_id)


def _readable_dag(request: Request, user: GetUserDep, asked: Annotated[AskedDag, Depends(_asked_dag)]) -> AskedDag:
    for entity in (DagAccessEntity.RUN, DagAccessEntity.TASK_INSTANCE):
        requires_access_dag("GET", entity, asked.dag_id)(request, user)
    return asked


ReadableDag = Annotated[AskedDag, Depends(_readable_dag)]
"""The DAG, for somebody who may read its DAG runs and their task instances; else 401 or 403."""

ReadableTask = Annotated[AskedTask, Depends(_readable)]
"""The task instance, for somebody who may read it; else 401 or 403, whether or not there is one."""


def _logs(request: Request, user: GetUserDep, asked: ReadableTask) -> bool:
    return _allowed(requires_access_dag("GET", DagAccessEntity.TASK_LOGS, asked.dag_id), request, user)


def _xcom(request: Request, user: GetUserDep, asked: ReadableTask) -> bool:
    return _allowed(requires_access_dag("GET", DagAccessEntity.XCOM, asked.dag_id), request, user)


def _edit(request: Request, user: GetUserDep, asked: ReadableTask) -> bool:
    return _allowed(requires_access_dag("PUT", DagAccessEntity.TASK_INSTANCE, asked.dag_id), request, user)


def _allowed(check: Callable[[Request, Any], None], request: Request, user: Any) -> bool:
    try:
        check(request, user)
    except HTTPException as error:
        if error.status_code != status.HTTP_403_FORBIDDEN:
            raise
        return False
    return True


MayReadLogs = Annotated[bool, Depends(_logs)]
"""Whether that person may read the task's log too, in which a run's error stands."""

MayReadXCom = Annotated[bool, Depends(_xcom)]
"""Whether that person may read the task instance's XCom, where its run's outputs are."""

MayEdit = Annotated[bool, Depends(_edit)]
"""Whether that person may change the task instance, as one does who clears it or marks it."""


def _log_reader(may: MayReadLogs) -> None:
    _refuse_unless(may)


def _xcom_reader(may: MayReadXCom) -> None:
    _refuse_unless(may and shows_values())


def _editor(may: MayEdit) -> None:
    _refuse_unless(may)


def _refuse_unless(may: bool) -> None:
    if not may:
        raise HTTPException(status.HTTP_403_FORBIDDEN, "Forbidden")


LogReader = Depends(_log_reader)
"""Refuses whoever may not read the task's log."""

XComReader = Depends(_xcom_reader)
"""Refuses whoever may not read the task instance's XCom, and everybody where values are not shown."""

Editor = Depends(_editor)
"""Refuses whoever may not change the task instance."""


def _user_name(user: GetUserDep) -> str:
    return str(user.get_name())


UserName = Annotated[str, Depends(_user_name)]
"""Who asks."""
