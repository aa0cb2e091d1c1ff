"""The common part of deferred sensors and operators: the deadline, and a resumption after a trigger that failed."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from airflow_provider_flyte.compat.resumption import TRIGGER_FAILED, TRIGGER_TIMED_OUT
from airflow_provider_flyte.wait.event import Ending, RunEvent, log_traceback

if TYPE_CHECKING:
    from airflow_provider_flyte.compat import BaseOperator, Context


def resumption(
    task: BaseOperator,
    next_method: str,
    next_kwargs: dict[str, Any] | None,
    timed_out: Callable[[], Ending] = lambda: Ending.CRASHED,
) -> tuple[str, dict[str, Any]]:
    """The method that a task resumes with, and its arguments: after a trigger that failed, too.

    :param task: the sensor or operator.
    :param next_method: what Airflow wants to call.
    :param next_kwargs: with what.
    :param timed_out: what it means that Airflow has ended a deferral that had a ``timeout``.
    """
    kwargs = next_kwargs or {}
    if next_method != TRIGGER_FAILED:
        return next_method, kwargs
    log_traceback(kwargs, task.log)
    reason = str(kwargs.get("error", ""))
    ending = timed_out() if reason in TRIGGER_TIMED_OUT else Ending.CRASHED
    return "execute_complete", {"event": RunEvent(ending, "", message=reason).to_payload()}


def execution_deadline(task: BaseOperator, context: Context) -> float | None:
    """When ``execution_timeout`` has passed, in seconds since the epoch; None: never."""
    if task.execution_timeout is None:
        return None
    return try_start(context) + task.execution_timeout.total_seconds()


def try_start(context: Context) -> float:
    """When this try started, which Airflow keeps over a deferral, in seconds since the epoch."""
    started = context["ti"].start_date
    return started.timestamp() if started else time.time()
