"""An operator's deferral: the arguments of its trigger."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import TYPE_CHECKING

from airflow_provider_flyte.tries.task_instance import task_instance_of
from airflow_provider_flyte.triggers import FlyteLaunchedRunTrigger

if TYPE_CHECKING:
    from airflow_provider_flyte.compat import Context
    from airflow_provider_flyte.operators import FlyteRunOperator
    from airflow_provider_flyte.tries.identity import Try
    from airflow_provider_flyte.wait.resumption import Settled


def defer(
    task: FlyteRunOperator,
    context: Context,
    settled: Settled,
    unreachable_after: float | None,
    trying: Try | None = None,
) -> None:
    """Let the triggerer wait for a run, or for Flyte to answer before the launch.

    :param task: the operator.
    :param context: its context.
    :param settled: what the task resumes with.
    :param unreachable_after: seconds of trouble after which it does; None: never.
    :param trying: the try, where earlier ones may have launched beside it.
    :raises TaskDeferred: always, for Airflow.
    """
    launched = settled.launched is True
    now = time.time()
    queued_deadline = settled.queued_until
    if queued_deadline is not None and queued_deadline <= now:
        # Flyte gave no answer when the queue was to be checked: now the trigger counts the trouble, and the check
        # comes again only after ``unreachable_after``.
        queued_deadline = None if task.unreachable_after is None else now + task.unreachable_after
    task.defer(
        trigger=FlyteLaunchedRunTrigger(
            run_name=settled.run_names[0],
            project=settled.project,
            domain=settled.domain,
            flyte_conn_id=task.flyte_conn_id,
            poll_interval=task.poll_interval,
            execution_deadline=settled.execution_deadline,
            not_before=now + task.resume_after,
            # Before the launch the wait is for any answer, and "no such run" is one.
            missing_after=task.missing_after if launched else 0.0,
            unreachable_after=unreachable_after,
            queued_deadline=queued_deadline,
            abort_for=asdict(task_instance_of(context, task)) if settled.ours or settled.launched is None else None,
            trying=None if trying is None else trying.to_json(),
            abort_on_kill=task.abort_on_kill,
            abort_on_timeout=task.abort_on_timeout,
            endpoint=settled.endpoint,
            launched=launched,
            # There is nothing to follow before the launch.
            log_progress=task.log_progress and launched,
            stream_logs=task.stream_logs if launched else False,
            logs=settled.logs,
            on_paused=task.on_paused if launched else None,
        ),
        method_name="execute_complete",
        kwargs=settled.keep(context, task.log),
    )
