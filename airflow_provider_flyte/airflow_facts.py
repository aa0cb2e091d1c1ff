"""Where Airflow's versions differ in what the provider needs: one place, and nothing else."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from typing import TYPE_CHECKING, Any

from airflow_provider_flyte.killing import UNKNOWN, plain_state, state_in

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseSensorOperator, Context

log = logging.getLogger(__name__)

TRIGGER_FAILED = "__fail__"
"""The next_method of a task whose trigger failed or timed out."""

TRIGGER_TIMED_OUT = frozenset({"Trigger timeout", "Trigger/execution timeout"})
"""What the scheduler says when a deferral is over its time: 3.x, 2.11."""


def first_reschedule(context: Context, sensor: BaseSensorOperator) -> float:
    """When this try looked first, in seconds since the epoch: now, unless it has been rescheduled since."""
    if not sensor.reschedule:
        return time.time()
    ti: Any = context["ti"]
    if hasattr(ti, "get_first_reschedule_date"):
        date = ti.get_first_reschedule_date(context)
    else:
        from airflow.sensors.base import _orig_start_date

        date = _orig_start_date(
            dag_id=ti.dag_id, task_id=ti.task_id, run_id=ti.run_id, map_index=ti.map_index, try_number=ti.try_number
        )
    return date.timestamp() if date else time.time()


def failing_backends(conn_id: str) -> list[str]:
    """Which secrets backends fail over a connection, and how: Airflow passes over them, and says it is not there.

    What a failure says is left out where it may quote the connection.
    """
    backends: list[Any]
    try:
        from airflow.sdk.execution_time.supervisor import ensure_secrets_backend_loaded
    except ImportError:
        from airflow.configuration import ensure_secrets_loaded

        backends = list(ensure_secrets_loaded())
    else:
        backends = list(ensure_secrets_backend_loaded())
    failures = []
    for backend in backends:
        try:
            if found := backend.get_connection(conn_id=conn_id):
                # Airflow keeps it so, and passes over it too where that fails.
                found.get_uri()
        except Exception as error:
            quotes_nothing = isinstance(error, (json.JSONDecodeError, TypeError))
            words = f": {error}" if quotes_nothing else ""
            failures.append(f"{type(backend).__name__} failed with {type(error).__name__}{words}")
    return failures


async def afailing_backends(conn_id: str) -> list[str]:
    """:func:`failing_backends` on an event loop."""
    from asgiref.sync import sync_to_async

    return await sync_to_async(failing_backends)(conn_id)


async def amask_secret(secret: Any) -> None:
    """Mask a text, or the secrets of extra fields, on an event loop.

    ``mask_secret`` asks the supervisor, which must not happen there.
    """
    try:
        from airflow.sdk.log import amask_secret as amask
    except ImportError:
        from airflow.providers.common.compat.sdk import mask_secret

        await asyncio.to_thread(mask_secret, secret)
    else:
        await amask(secret)


def airflow_stats() -> Any:
    """Airflow's ``Stats``, which moved between its versions."""
    from airflow.providers.common.compat import sdk

    if hasattr(sdk, "Stats"):
        return sdk.Stats
    from airflow.stats import Stats

    return Stats


def task_state(ti: Any) -> str | None:
    """The task instance's state by now, read from Airflow; UNKNOWN where that fails. For a worker."""
    try:
        if hasattr(ti, "get_task_states"):
            return state_in(ti.get_task_states(**_asking_for(ti)), ti)
        return plain_state(ti.current_state())
    except Exception:
        log.warning("The state of the task could not be read", exc_info=True)
        return UNKNOWN


async def atask_state(ti: Any) -> str | None:
    """:func:`task_state` in the triggerer, whose task instance is a plain record."""
    try:
        from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance
        from asgiref.sync import sync_to_async

        return state_in(await sync_to_async(RuntimeTaskInstance.get_task_states)(**_asking_for(ti)), ti)
    except Exception:
        log.warning("The state of the task could not be read", exc_info=True)
        return UNKNOWN


def _asking_for(ti: Any) -> dict[str, Any]:
    """How Airflow 3 is asked for the state of one task instance."""
    index = ti.map_index if ti.map_index is not None and ti.map_index >= 0 else None
    return {"dag_id": ti.dag_id, "task_ids": [ti.task_id], "run_ids": [ti.run_id], "map_index": index}
