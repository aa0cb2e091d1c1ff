"""A sensor that starts in the triggerer, through Airflow's own code and without its processes.

The DAG is serialized and read again, the trigger's row is made of it as the scheduler does
(``TaskInstance.defer_task``), and the trigger gets a context as its runner makes it
(``TriggerRunner.create_triggers``).
"""

from __future__ import annotations

import json
import uuid
from datetime import datetime, timedelta, timezone
from typing import Any

from airflow.executors.workloads.task import TaskInstanceDTO
from airflow.jobs.triggerer_job_runner import TriggerRunner
from airflow.models.trigger import Trigger
from airflow.sdk.exceptions import ErrorType
from airflow.sdk.execution_time import comms
from airflow.serialization.decoders import smart_decode_trigger_kwargs
from airflow.serialization.serialized_objects import DagSerialization

NOW = datetime(2026, 1, 1, tzinfo=timezone.utc)


class Supervisor:
    """Airflow's side of a triggerer: XCom, and no connection beside those of the environment."""

    def __init__(self) -> None:
        self.xcoms: dict[tuple[str, int, str], Any] = {}
        """The stored values by task, map index and key."""

        self.asked: list[str] = []

    def send(self, message: Any) -> Any:
        kind = type(message).__name__
        self.asked.append(kind)
        if kind == "GetConnection":
            return comms.ErrorResponse(error=ErrorType.CONNECTION_NOT_FOUND, detail={"conn_id": message.conn_id})
        if kind in ("MaskSecret", "SetXCom", "GetXCom", "DeleteXCom"):
            return getattr(self, f"_{kind}")(message)
        # The real one never answers what it does not know.
        raise NotImplementedError(f"A triggerer's supervisor does not know {kind}.")

    async def asend(self, message: Any) -> Any:
        return self.send(message)

    def _MaskSecret(self, message: Any) -> None:
        """Nothing to mask here."""

    def _SetXCom(self, message: Any) -> None:
        self.xcoms[message.task_id, message.map_index, message.key] = json.loads(json.dumps(message.value))

    def _GetXCom(self, message: Any) -> Any:
        index = -1 if message.map_index is None else message.map_index
        value = self.xcoms.get((message.task_id, index, message.key))
        return comms.XComResult(key=message.key, value=value)

    def _DeleteXCom(self, message: Any) -> None:
        self.xcoms.pop((message.task_id, message.map_index, message.key), None)


def stored_dag(dag: Any) -> dict[str, Any]:
    """The DAG as it lies in the database."""
    stored: dict[str, Any] = json.loads(json.dumps(DagSerialization.to_dict(dag)))
    return stored


def trigger_of(
    dag: Any,
    task_id: str,
    map_index: int = -1,
    *,
    try_number: int = 1,
    began: datetime | None = None,
    conf: dict[str, Any] | None = None,
) -> Any:
    """The trigger of a task instance, with its context, ready to run.

    :param began: when the scheduler has deferred it; by default now.
    """
    stored = stored_dag(dag)
    task = DagSerialization.from_dict(stored).get_task(task_id)
    assert task.start_from_trigger is True
    start: Any = task.start_trigger_args
    row = Trigger(classpath=start.trigger_cls, kwargs=start.trigger_kwargs or {})
    decrypted = Trigger._decrypt_kwargs(row.encrypted_kwargs)
    kwargs = {name: smart_decode_trigger_kwargs(value) for name, value in decrypted.items()}
    trigger: Any = TriggerRunner().get_trigger_by_classpath(row.classpath)(**kwargs)
    began = began or datetime.now(timezone.utc)
    ends = [began + each for each in (start.timeout, task.execution_timeout) if each is not None]
    instance = TriggerRunner.create_runtime_ti(
        TaskInstanceDTO(
            id=uuid.uuid4(),
            dag_version_id=uuid.uuid4(),
            task_id=task_id,
            dag_id=dag.dag_id,
            run_id="manual__1",
            try_number=try_number,
            map_index=map_index,
            queue="default",
            pool_slots=1,
            priority_weight=1,
        ),
        stored,
        {
            "dag_id": dag.dag_id,
            "run_id": "manual__1",
            "logical_date": NOW,
            "data_interval_start": NOW - timedelta(days=1),
            "data_interval_end": NOW,
            "run_after": NOW,
            "start_date": NOW,
            "end_date": None,
            "run_type": "manual",
            "state": "running",
            "conf": conf or {},
            "consumed_asset_events": [],
            "partition_key": None,
            "partition_date": None,
        },
    )
    context = instance.get_template_context()
    trigger.task_instance = instance
    trigger.timeout_after = min(ends) if ends else None
    trigger.render_template_fields(context=context)
    return trigger


async def event_of(trigger: Any) -> Any:
    """The only event of a trigger."""
    [event] = [event async for event in trigger.run()]
    await trigger.cleanup()
    return event
