"""What Airflow's database has of the Flyte runs of a DAG, or of one of its DAG runs: a page of them, newest first.

One query, over the rows of XCom that a few DAG runs have: however many others there are, they are not looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from fastapi import Depends, HTTPException, Query, status
from sqlalchemy import and_, func, select

from airflow_provider_flyte.plugin.access import AskedDag, ReadableDag
from airflow_provider_flyte.plugin.airflow_server import DagRun, TaskInstance, XComModel, create_session
from airflow_provider_flyte.plugin.stored_task import OVER
from airflow_provider_flyte.plugin.task_connections import believed
from airflow_provider_flyte.report.task_runs import KEY, MOST_RUNS, TaskRuns

DAG_RUNS = 25
"""How many DAG runs of a DAG are looked at: those that were queued last, by a clear, too."""

MOST_SHOWN = MOST_RUNS
"""Flyte runs on a page: any task instance's fit on one."""

_LAST = 100_000
"""Where pages end: a database counts the rows before a page."""

_DONE = frozenset({"success", "failed"})


@dataclass(frozen=True)
class ListedTask:
    """A task instance that has Flyte runs."""

    run_id: str
    task_id: str
    map_index: int
    state: str
    """Airflow's; '' for none."""

    told: datetime
    """When it told of its runs."""

    runs: TaskRuns | None
    trouble: str
    """Why its runs are not shown."""

    @property
    def over(self) -> bool:
        """Whether it will do nothing more by itself."""
        return self.state in OVER


@dataclass(frozen=True)
class ListedPage:
    """A page of them."""

    tasks: Sequence[ListedTask]
    following: int | None
    """Where the next page begins; None where this is the last."""

    over: bool
    """Whether there will be no others by themselves."""


def read(asked: AskedDag, first: int) -> ListedPage:
    """Read a page.

    :param asked: the DAG, or a DAG run of it.
    :param first: how many task instances are left out, the newest ones.
    :raises HTTPException: 404, where Airflow has no such DAG run: it may have been deleted.
    """
    with create_session(scoped=False) as session:
        wanted = select(DagRun.id, DagRun.state).where(DagRun.dag_id == asked.dag_id)
        if asked.run_id is not None:
            wanted = wanted.where(DagRun.run_id == asked.run_id)
        else:
            since = func.coalesce(DagRun.queued_at, DagRun.start_date, DagRun.run_after)
            wanted = wanted.order_by(since.desc(), DagRun.id.desc()).limit(DAG_RUNS)
        dag_runs = session.execute(wanted).all()
        if asked.run_id is not None and not dag_runs:
            raise HTTPException(status.HTTP_404_NOT_FOUND, _GONE)
        same = and_(*(getattr(TaskInstance, name) == getattr(XComModel, name) for name in _IDENTITY))
        rows = session.execute(
            select(
                XComModel.run_id,
                XComModel.task_id,
                XComModel.map_index,
                XComModel.value,
                XComModel.timestamp,
                TaskInstance.state,
                TaskInstance.dag_version_id,
            )
            .join(TaskInstance, same)
            .where(XComModel.dag_run_id.in_([each.id for each in dag_runs]), XComModel.key == KEY)
            .order_by(XComModel.timestamp.desc(), XComModel.dag_run_id, XComModel.task_id, XComModel.map_index)
            .offset(first)
            .limit(MOST_SHOWN + 1)
        ).all()
    tasks = _page(rows)
    last = first + len(tasks)
    return ListedPage(
        tasks,
        last if len(rows) > len(tasks) and last < _LAST else None,
        asked.run_id is not None and all(each.state in _DONE for each in dag_runs),
    )


_IDENTITY = ("dag_id", "run_id", "task_id", "map_index")
_GONE = "Airflow has no such DAG run. It may have been deleted."


def _page(rows: Sequence[Any]) -> list[ListedTask]:
    """As many task instances as have together not too many runs."""
    tasks, shown = [], 0
    for row in rows:
        runs, trouble = believed(row.value, row.dag_version_id, row.task_id)
        shown += len(runs.runs) if runs else 1
        if shown > MOST_SHOWN:
            break
        tasks.append(ListedTask(row.run_id, row.task_id, row.map_index, row.state or "", row.timestamp, runs, trouble))
    return tasks


def _listed(asked: ReadableDag, first: Annotated[int, Query(ge=0, le=_LAST)] = 0) -> ListedPage:
    # Not a coroutine: FastAPI calls it in a thread.
    return read(asked, first)


Listed = Annotated[ListedPage, Depends(_listed)]
"""The page that a request wants, once it is settled that the DAG may be read."""
