"""Runs a sensor or an operator as Airflow does, without an Airflow: execute, defer, the trigger in a loop, resume."""

from __future__ import annotations

import asyncio
import importlib
import json
import logging
from dataclasses import asdict
from datetime import datetime, timezone
from typing import Any

from airflow_provider_flyte.compat import TaskDeferred
from airflow_provider_flyte.sensors import FlyteRunSensor
from airflow_provider_flyte.settings import airflow_id
from airflow_provider_flyte.tries import identity
from airflow_provider_flyte.wait.resumption import SENSOR, Settled
from tests.support.xcoms import through_xcom


class TaskInstance:
    """The parts of a task instance that sensor and operator use.

    :param number: the try's number.
    :param max_tries: Airflow's: one less than the number of the last try.
    """

    dag_id, task_id, run_id, map_index = "sales", "train", "manual__1", -1

    def __init__(self, number: int = 1, max_tries: int = 0) -> None:
        self.try_number = number
        self.max_tries = max_tries
        self.start_date = datetime.now(timezone.utc)
        self.xcoms: dict[str, Any] = {}
        self.state = "running"
        self.id: str | None = None
        self.context_carrier: dict[str, str] | None = None

    def xcom_push(self, key: str, value: Any) -> None:
        self.xcoms[key] = through_xcom(value)

    def xcom_pull(self, task_ids: str, key: str, map_indexes: int) -> Any:
        assert (task_ids, map_indexes) == (self.task_id, self.map_index)
        return self.xcoms.get(key)

    def current_state(self) -> str:
        return self.state


MINE: dict[str, Any] = {
    "dag_id": TaskInstance.dag_id,
    "task_id": TaskInstance.task_id,
    "run_id": TaskInstance.run_id,
    "map_index": -1,
    "operator_id": "",
    "airflow": airflow_id(),
    "iteration": -1,
}
"""The task instance, as a trigger gets it."""

OTHERS: list[dict[str, Any]] = [
    {"dag_id": "other"},
    {"task_id": "other"},
    {"run_id": "other"},
    {"map_index": 0},
    {"operator_id": "other"},
    {"airflow": "https://other.example"},
    {"iteration": 0},
]
"""Changes, each of which makes it another task instance."""


def own_annotations(number: int = 1, **changed: Any) -> dict[str, str]:
    """The annotations of a run that a try of it has launched; ``changed`` makes it another task instance."""
    return identity.launch_annotations(identity.Try(identity.TaskInstance(**MINE | changed), number, number))


class DagRun:
    """The parts of a DAG run that sensor and operator use.

    :param trace: the id of its trace, as Airflow 3 gives one.
    """

    def __init__(self, trace: str | None = None) -> None:
        self.trace = trace
        self.start_date = datetime.now(timezone.utc)
        self.clear_number = 0


class Driven:
    """One try of a task.

    :param task: the sensor or operator.
    :param ti: its task instance.
    :param dag_run: its DAG run.
    """

    def __init__(self, task: Any, ti: TaskInstance, dag_run: DagRun | None = None) -> None:
        self.task = task
        self.ti = ti
        ti.task_id = task.task_id
        if dag_run and dag_run.trace:
            ti.context_carrier = {"traceparent": f"00-{dag_run.trace}-{'1' * 16}-00"}
        self.context: Any = {"ti": ti, "dag_run": dag_run}
        self.deferrals: list[TaskDeferred] = []
        self.events: list[Any] = []

    def run(self) -> Any:
        """Run the task until it has ended; return what it returns."""
        try:
            return self.task.execute(self.context)
        except TaskDeferred as deferred:
            return self.go_on(deferred)

    def go_on(self, deferred: TaskDeferred) -> Any:
        """Continue from a deferral."""
        while True:
            self.deferrals.append(deferred)
            self.events.append(event_of(deferred.trigger))
            kwargs = {"event": self.events[-1], **json.loads(json.dumps(deferred.kwargs))}
            try:
                return self.task.resume_execution(deferred.method_name, kwargs, self.context)
            except TaskDeferred as again:
                deferred = again

    def resume(self, event: Any, **kwargs: Any) -> Any:
        """Resume the task as if the trigger had sent this event."""
        return self.task.resume_execution("execute_complete", {"event": event, **kwargs}, self.context)

    def fail(self, error: str, traceback: list[str] | None = None) -> Any:
        """Resume the task as if Airflow itself had ended the deferral."""
        return self.task.resume_execution("__fail__", {"error": error, "traceback": traceback}, self.context)


def settled(*run_names: str, kind: str = SENSOR, number: int = 1, **more: Any) -> dict[str, Any]:
    """The arguments that a try which waits for these runs resumes with."""
    return asdict(Settled(kind, number, "flytesnacks", "development", list(run_names), **more))


class Try(Driven):
    """One try of a sensor.

    :param arguments: those of the sensor.
    """

    def __init__(self, **arguments: Any) -> None:
        defaults: dict[str, Any] = {"task_id": "wait", "deferrable": True, "resume_after": 0, "poke_interval": 0.1}
        self.sensor = FlyteRunSensor(**defaults | {"timeout": 60.0} | arguments)
        super().__init__(self.sensor, TaskInstance())


def event_of(trigger: Any) -> Any:
    """The event of a trigger that was stored and made again, as JSON."""
    made = made_again(trigger)

    async def first() -> Any:
        generator = made.run()
        try:
            return (await generator.__anext__()).payload
        finally:
            await generator.aclose()
            await made.cleanup()

    return json.loads(json.dumps(asyncio.run(first())))


def kwargs_of(deferred: TaskDeferred) -> dict[str, Any]:
    """The arguments that the task is resumed with."""
    return deferred.kwargs or {}


def made_again(trigger: Any) -> Any:
    """The trigger as Airflow makes it from what it has stored."""
    path, kwargs = trigger.serialize()
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)(**json.loads(json.dumps(kwargs)))


def lines_of(logging_one: Any) -> list[str]:
    """The lines that a task or a trigger logs from now on, as ``LEVEL: message``."""
    lines: list[str] = []

    class Keeper(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(f"{record.levelname}: {record.getMessage()}")

    log = logging.Logger(f"test.{id(logging_one)}")
    log.addHandler(Keeper())
    # 3.x reads the first for a task; 2.11 and triggers read the second.
    logging_one._cached_logger = logging_one._log = log
    return lines
