"""The tries of a DAG run's tasks, from Airflow's database, where the command line of each version may read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from airflow_provider_flyte.cli.execution import CannotSay, NotThere


@dataclass(frozen=True)
class AirflowTry:
    """One try of one task instance."""

    task_id: str
    map_index: int
    number: int
    max_tries: int
    state: str | None
    operator: str
    """The name of the operator's class."""

    attempt_id: str | None
    """Airflow 3's id of this try; None on 2.11."""

    page: str
    """The run's page, where the button of the task instance leads there and this is its last try; else ''."""


@contextmanager
def _database() -> Iterator[Any]:
    """A session of Airflow's database.

    :raises CannotSay: where this process cannot read it.
    """
    from airflow.utils.session import create_session
    from sqlalchemy.exc import SQLAlchemyError

    try:
        with create_session() as session:
            yield session
    except SQLAlchemyError as error:
        # Its text may quote a query, and the address of the database.
        raise CannotSay(
            f"Airflow's database cannot be read on this machine ({type(error).__name__}). Execute this command where "
            "the scheduler or the API server runs: a worker of Airflow 3 has no access to the database as a rule."
        ) from None


def tries_of(dag_id: str, run_id: str | None) -> tuple[str, list[AirflowTry]]:
    """The tries of all task instances of a DAG run that have begun, and the DAG run's id.

    :param run_id: of the DAG run; None for the newest one.
    :raises NotThere: where there is no such DAG run.
    :raises CannotSay: where this process cannot read Airflow's database.
    """
    from airflow.models.dagrun import DagRun
    from airflow.models.taskinstance import TaskInstance
    from airflow.models.taskinstancehistory import TaskInstanceHistory
    from sqlalchemy import select

    with _database() as session:
        wanted = select(DagRun.run_id).where(DagRun.dag_id == dag_id).order_by(DagRun.id.desc()).limit(1)
        if run_id is not None:
            wanted = wanted.where(DagRun.run_id == run_id)
        found = session.scalar(wanted)
        if found is None:
            what = f"no DAG run {run_id!r} of DAG {dag_id!r}" if run_id else f"no DAG run of a DAG {dag_id!r}"
            raise NotThere(f"Airflow has {what}.")
        pages = _pages(session, dag_id, found)
        tries: dict[tuple[str, int, int], AirflowTry] = {}
        for model in (TaskInstanceHistory, TaskInstance):
            columns = (model.task_id, model.map_index, model.try_number, model.max_tries, model.state, model.operator)
            rows = session.execute(
                select(*columns, _attempt_id(model)).where(model.dag_id == dag_id, model.run_id == found)
            )
            for task_id, map_index, number, most, state, operator, attempt_id in rows:
                page = pages.get((task_id, map_index), "") if model is TaskInstance else ""
                each = AirflowTry(
                    task_id,
                    map_index,
                    number,
                    most or 0,
                    None if state is None else str(getattr(state, "value", state)),
                    operator or "",
                    None if isinstance(attempt_id, int) else str(attempt_id),
                    page,
                )
                # Until the next try begins, the task instance has the number of the last one, and another id already.
                before = tries.get((task_id, map_index, number))
                tries[task_id, map_index, number] = each if before is None else replace(before, page=page)
    # dag.test() of 2.11 keeps no history, and `airflow db clean` may have removed it.
    for task_id, map_index, last in list(tries):
        for number in range(1, last):
            known = tries[task_id, map_index, last]
            earlier = replace(known, number=number, state=None, attempt_id=None, page="")
            tries.setdefault((task_id, map_index, number), earlier)
    return found, [tries[key] for key in sorted(tries) if key[2] > 0]


def _attempt_id(model: Any) -> Any:
    """The column of Airflow 3's id of a try; on 2.11 there is none, and any number stands for it."""
    return getattr(model, "task_instance_id", None) or getattr(model, "id", None) or model.try_number


def _pages(session: Any, dag_id: str, run_id: str) -> dict[tuple[str, int], str]:
    """Where the buttons of the task instances lead, which is in XCom on each version."""
    from airflow.models import xcom
    from sqlalchemy import select

    from airflow_provider_flyte.links import FlyteRunLink

    model: Any = xcom.XComModel if hasattr(xcom, "XComModel") else xcom.XCom
    key = FlyteRunLink().xcom_key
    rows = session.execute(
        select(model.task_id, model.map_index, model.value).where(
            model.dag_id == dag_id, model.run_id == run_id, model.key == key
        )
    )
    pages: dict[tuple[str, int], str] = {}
    for row in rows:
        page = model.deserialize_value(row)
        if isinstance(page, str):
            pages[row.task_id, row.map_index] = page
    return pages
