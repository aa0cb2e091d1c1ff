"""The state of a task instance, as Airflow has it now."""

from __future__ import annotations

import logging
from typing import Any

from airflow_provider_flyte.compat.event_loop import in_airflow
from airflow_provider_flyte.compat.versions import at_least

log = logging.getLogger(__name__)

ORPHANED = "orphaned"
"""In place of a state, where the process that supervises this one is gone."""

UNKNOWN = "unknown"
"""A state that could not be read."""


def task_state(ti: Any) -> str | None:
    """The task instance's current state, read from Airflow; UNKNOWN where that fails. For a worker."""
    if getattr(ti, "test_mode", False):
        # `airflow tasks test` of 2.11 writes no state: what is stored is another execution's.
        return UNKNOWN
    try:
        if hasattr(ti, "get_task_states"):
            return state_in(ti.get_task_states(**_asking_for(ti)), ti)
        return plain_state(ti.current_state())
    except (BrokenPipeError, ConnectionResetError, EOFError):
        # Airflow 3 asks over a socket to the supervisor.
        log.warning("The supervisor of this task's process is gone, so Airflow could not be asked about the task.")
        return ORPHANED
    except Exception:
        log.warning("The state of the task could not be read from Airflow.", exc_info=True)
        return UNKNOWN


async def atask_state(ti: Any) -> str | None:
    """:func:`task_state` in the triggerer, whose task instance is a plain record."""
    try:
        from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

        return state_in(await in_airflow(RuntimeTaskInstance.get_task_states, **_asking_for(ti)), ti)
    except Exception:
        log.warning("The state of the task could not be read from Airflow.", exc_info=True)
        return UNKNOWN


def _asking_for(ti: Any) -> dict[str, Any]:
    """How Airflow 3 is asked for the state of one task instance."""
    index = ti.map_index if ti.map_index is not None and ti.map_index >= 0 else None
    return {"dag_id": ti.dag_id, "task_ids": [ti.task_id], "run_ids": [ti.run_id], "map_index": index}


def waits_as_running(state: str) -> bool:
    """Whether a task that is being executed may have this state: in ``dag.test()`` of 2.11 it stays as it was."""
    return state in ("scheduled", "queued") and not at_least(3, 0)


def state_in(states: Any, task: Any) -> str | None:
    """The state of a task instance in Airflow's answer about many.

    :param states: from the DAG run's id to a dict by task, whose key is ``task_id``, or ``task_id_3`` for a mapped one.
    :param task: the task instance.
    """
    index = task.map_index if task.map_index is not None else -1
    key = task.task_id if index < 0 else f"{task.task_id}_{index}"
    try:
        return plain_state(states[task.run_id][key])
    except (KeyError, TypeError):
        return UNKNOWN


def plain_state(state: Any) -> str | None:
    """A state as Airflow gives it, an enum's member or its text, as a text."""
    return None if state is None else str(getattr(state, "value", state))
