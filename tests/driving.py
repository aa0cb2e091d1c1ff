"""Runs a sensor as Airflow does, without an Airflow: execute, defer, the trigger in a loop, resume."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime, timezone
from typing import Any

from airflow.providers.common.compat.sdk import TaskDeferred

from airflow_provider_flyte.sensors import FlyteRunSensor
from airflow_provider_flyte.triggers import FlyteRunTrigger


class TaskInstance:
    """What the sensor uses of a task instance."""

    def __init__(self) -> None:
        self.start_date = datetime.now(timezone.utc)
        self.xcoms: dict[str, Any] = {}

    def xcom_push(self, key: str, value: Any) -> None:
        json.dumps(value)
        self.xcoms[key] = value


class Try:
    """One try of a sensor.

    :param arguments: those of the sensor.
    """

    def __init__(self, **arguments: Any) -> None:
        defaults: dict[str, Any] = {"task_id": "wait", "deferrable": True, "resume_after": 0, "poke_interval": 0.1}
        self.sensor = FlyteRunSensor(**defaults | {"timeout": 60.0} | arguments)
        self.ti = TaskInstance()
        self.context: Any = {"ti": self.ti}
        self.deferrals: list[TaskDeferred] = []
        self.events: list[Any] = []

    def run(self) -> Any:
        """Until the task has ended; gives what it returns."""
        try:
            return self.sensor.execute(self.context)
        except TaskDeferred as deferred:
            return self.go_on(deferred)

    def go_on(self, deferred: TaskDeferred) -> Any:
        """From a deferral on."""
        while True:
            self.deferrals.append(deferred)
            self.events.append(event_of(deferred.trigger))
            kwargs = {"event": self.events[-1], **json.loads(json.dumps(deferred.kwargs))}
            try:
                return self.sensor.resume_execution(deferred.method_name, kwargs, self.context)
            except TaskDeferred as again:
                deferred = again

    def resume(self, event: Any, **kwargs: Any) -> Any:
        """As if the trigger had sent this event."""
        return self.sensor.resume_execution("execute_complete", {"event": event, **kwargs}, self.context)

    def fail(self, error: str, traceback: list[str] | None = None) -> Any:
        """As if Airflow itself had ended the deferral."""
        return self.sensor.resume_execution("__fail__", {"error": error, "traceback": traceback}, self.context)


def event_of(trigger: Any) -> Any:
    """The event of a trigger that was stored and made again, as JSON."""
    path, kwargs = trigger.serialize()
    assert path == "airflow_provider_flyte.triggers.FlyteRunTrigger"
    made = FlyteRunTrigger(**json.loads(json.dumps(kwargs)))

    async def first() -> Any:
        generator = made.run()
        try:
            return (await generator.__anext__()).payload
        finally:
            await generator.aclose()
            await made.cleanup()

    return json.loads(json.dumps(asyncio.run(first())))
