"""Which try of which task runs now, by what Airflow gives a task: the facts that ``decision.py`` decides on."""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_flyte.client.errors import ConfigError
from airflow_provider_flyte.client.outside import LONGEST_NAME, one_line
from airflow_provider_flyte.compat.dag_runs import dag_run_key, trace_shows_resets
from airflow_provider_flyte.settings import airflow_id
from airflow_provider_flyte.tries.identity import DEFAULT_PREFIX, DagRunMarks, TaskInstance, Try

if TYPE_CHECKING:
    from airflow_provider_flyte.compat import BaseOperator, Context


def task_instance_of(context: Context, operator: BaseOperator) -> TaskInstance:
    """The task instance that Airflow runs.

    :param operator: what is executed; may be inside its task.
    :raises ConfigError: in a task loop whose iteration cannot be read.
    """
    ti: Any = context["ti"]
    return TaskInstance(
        ti.dag_id,
        ti.task_id,
        ti.run_id,
        -1 if ti.map_index is None else ti.map_index,
        operator.task_id if is_inside_another(context, operator) else "",
        airflow_id(),
        loop_iteration(context),
    )


def try_of(
    context: Context, prefix: str | None, run_name: str | None, operator: BaseOperator, resumes: str | None = None
) -> Try:
    """The try that Airflow runs.

    :param prefix: what computed names begin with; None or empty: the default.
    :param run_name: a name that the user chose, instead of a computed one.
    :param operator: what is executed.
    :param resumes: the run that the try waited for before it deferred.
    :raises ConfigError: in a task loop whose iteration cannot be read.
    """
    ti: Any = context["ti"]
    inside, test = is_inside_another(context, operator), is_test(ti)
    return Try(
        task_instance_of(context, operator),
        max(ti.try_number, 1) if test else ti.try_number,
        ti.max_tries,
        dag_run_marks(context),
        attempt_id=attempt_id(ti),
        retries=None if inside else operator.retries,
        is_test=test and not is_temporary(ti.run_id),
        resumes=resumes,
        prefix=prefix or DEFAULT_PREFIX,
        run_name=run_name,
    )


def first_launch(context: Context) -> datetime | None:
    """When the first try can have launched, as far as Airflow knows, with an hour for clocks that differ."""
    dag_run: Any = context.get("dag_run")
    if dag_run is None or dag_run.start_date is None:
        return None
    # A DAG run that is set to queued gets another start; these dates nothing moves.
    kept = getattr(dag_run, "run_after", None) or getattr(dag_run, "logical_date", None) or dag_run.start_date
    earliest: datetime = min(kept, dag_run.start_date)
    return earliest - timedelta(hours=1)


_executed: tuple[Any, int, set[str]] = (None, 0, set())
"""The try that this process executes, by Airflow's object and number, and which operators were executed in it."""


def check_executed_once(context: Context, operator: BaseOperator) -> None:
    """Refuse what is executed a second time in one try of one task: it would take the first one's run.

    :raises ConfigError: with what to do.
    """
    global _executed
    ti: Any = context["ti"]
    if _executed[0] is not ti or _executed[1] != ti.try_number:
        _executed = ti, ti.try_number, set()
    operators = _executed[2]
    if operator.task_id in operators:
        raise ConfigError(
            f"{type(operator).__name__} {operator.task_id!r} is executed a second time in one try of task "
            f"{ti.task_id!r}, and would take the Flyte run of the first time; nothing is launched. Give each one that "
            "is executed a task_id of its own, or make it a task of the DAG (many of them: with expand())."
        )
    operators.add(operator.task_id)


# -- what differs between Airflow's versions and ways to execute a task


def attempt_id(ti: Any) -> str | None:
    """The id that Airflow 3 gives a task instance, another one for each of its tries; None on 2.11."""
    known = getattr(ti, "id", None)
    return None if known is None else str(known)


def is_test(ti: Any) -> bool:
    """Whether ``airflow tasks test`` executes this task; it leaves ``try_number`` as it was, mostly 0."""
    if hasattr(ti, "test_mode"):
        return bool(ti.test_mode)
    return os.environ.get("AIRFLOW_TEST_MODE") == "True"


def is_temporary(run_id: str) -> bool:
    """Whether ``airflow tasks test`` has made this DAG run for one execution, under an id that never comes again."""
    return run_id.startswith("__airflow_temporary_run_")


def is_inside_another(context: Context, operator: BaseOperator) -> bool:
    """Whether an operator is executed inside another task, as by a ``@task`` that calls its ``execute``."""
    ti: Any = context.get("ti")
    if ti is None:
        return False
    task: Any = context.get("task")
    # Both may have the same id. A mapped task is not yet made into an operator everywhere.
    other_kind = task is not None and not isinstance(operator, getattr(task, "operator_class", type(task)))
    return bool(ti.task_id != operator.task_id or other_kind)


def may_defer(context: Context, operator: Any) -> bool:
    """Whether an operator that wants to defer can: a task that resumes does not know of one executed inside it."""
    if not operator.deferrable:
        return False
    if not is_inside_another(context, operator):
        return True
    operator.log.info(
        "%s is executed inside another task, which cannot resume it, so it waits on the worker instead of deferring.",
        operator.task_id,
    )
    return False


def is_in_loop(context: Context) -> bool:
    """Whether this task is in a task loop of Airflow 3.4, which runs it several times under one map index."""
    return context.get("loop") is not None


def loop_iteration(context: Context) -> int:
    """Which iteration of a task loop this is, from 0; -1 outside of one. Airflow 3.4 nests no loops.

    :raises ConfigError: where it cannot be read: without it, one iteration would take another's run.
    """
    if not is_in_loop(context):
        return -1
    loop: Any = context.get("loop")
    index = getattr(loop, "index", None)
    if isinstance(index, int) and not isinstance(index, bool) and 0 <= index < 1 << 31:
        return index
    ti: Any = context["ti"]
    raise ConfigError(
        f"{ti.task_id!r} is in a task loop, and which iteration of it this is cannot be read: the context's 'loop' is "
        f"{one_line(repr(loop), LONGEST_NAME)}, whose index should be a whole number. One iteration would take "
        "another's Flyte run, so nothing is launched. Look for a newer version of the provider, map the task with "
        "expand(), or launch in a @task with FlyteHook's client."
    )


def dag_run_marks(context: Context) -> DagRunMarks:
    """What a task knows of its DAG run; docs/decisions.md has which reset changes what."""
    dag_run: Any = context.get("dag_run")
    if dag_run is None:
        return DagRunMarks()
    run_after = getattr(dag_run, "run_after", None)
    dates = {getattr(dag_run, name, None) for name in ("logical_date", "execution_date", "run_after")} - {None}
    return DagRunMarks(
        key=dag_run_key(dag_run),
        run_after=run_after,
        started=dag_run.start_date,
        clear_number=dag_run.clear_number,
        trace=_trace(context["ti"]) if trace_shows_resets() else None,
        # Where ``run_after`` is another moment, that of triggering, it shows the same as a start would.
        dated=dag_run.start_date in dates and run_after in (None, dag_run.start_date),
    )


def _trace(ti: Any) -> str | None:
    """The trace id of a W3C ``traceparent``: version, trace, span and flags."""
    parts = str((getattr(ti, "context_carrier", None) or {}).get("traceparent", "")).split("-")
    return parts[1] if len(parts) == 4 else None
