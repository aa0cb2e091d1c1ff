"""Runs FlyteConditionOperator as Airflow does, without an Airflow."""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest

from airflow_provider_flyte.compat import TaskDeferred
from airflow_provider_flyte.condition_triggers import FlyteConditionTrigger
from airflow_provider_flyte.conditions import FlyteConditionOperator
from tests.support.driving import TaskInstance, kwargs_of, lines_of, made_again


class Requests:
    """Airflow's side of requests, as its execution API has it: one a task instance, whose text stays."""

    def __init__(self) -> None:
        self.request: Any = None
        self.response: dict[str, Any] | None = None

    def send(self, msg: Any) -> Any:
        kind = type(msg).__name__
        if kind == "CreateHITLDetailPayload":
            self.request = self.request or msg
            self.response = None
            return self.request
        if kind == "UpdateHITLDetail":
            if self.response is not None:
                raise RuntimeError("409")
            self.respond(msg.chosen_options, msg.params_input, by=None)
        given = self.response or {"chosen_options": None, "params_input": None, "responded_by_user": None}
        return SimpleNamespace(response_received=self.response is not None, **given)

    def respond(self, chosen: list[str], fields: dict[str, Any] | None = None, by: str | None = "ann") -> None:
        user = None if by is None else SimpleNamespace(id="7", name=by)
        self.response = {"chosen_options": chosen, "params_input": fields or {}, "responded_by_user": user}

    def as_event(self) -> dict[str, Any]:
        """What Airflow 3.3 resumes the task with."""
        assert self.response is not None
        user = self.response["responded_by_user"]
        return {**self.response, "responded_by_user": {"id": user.id, "name": user.name}, "timedout": False}


def requests_in_airflow(monkeypatch: pytest.MonkeyPatch) -> Requests:
    """Put such an Airflow behind the tasks of this process."""
    from airflow.sdk.execution_time import task_runner

    made = Requests()
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", made, raising=False)
    return made


class Asking:
    """A task with the operator, over its tries."""

    def __init__(self, **arguments: Any) -> None:
        defaults: dict[str, Any] = {"task_id": "approve", "run_name": "r1", "condition": "approve"}
        self.task = FlyteConditionOperator(**defaults | {"poll_interval": 0.1, "resume_after": 0} | arguments)
        self.ti = TaskInstance()
        self.ti.id = str(uuid4())
        self.ti.task_id = "approve"
        self.context: Any = {"ti": self.ti}
        self.deferred: Any = None
        self.lines: list[str] = []
        """What the last trigger has logged."""

    def _of(self, do: Any) -> Any:
        try:
            return do()
        except TaskDeferred as deferred:
            self.deferred = deferred
            return deferred

    @property
    def stage(self) -> str:
        return str(self.deferred.trigger.stage)

    def start(self) -> Any:
        return self._of(lambda: self.task.execute(self.context))

    def resume(self, event: Any) -> Any:
        kwargs = {"event": event, **json.loads(json.dumps(kwargs_of(self.deferred)))}
        return self._of(lambda: self.task.resume_execution("execute_complete", kwargs, self.context))

    def event(self, within: float = 30.0) -> Any:
        """The event of the trigger, once it has been stored and made again."""

        async def first() -> Any:
            made: FlyteConditionTrigger = made_again(self.deferred.trigger)
            self.lines = lines_of(made)
            events = made.run()
            try:
                return (await asyncio.wait_for(anext(events), within)).payload
            finally:
                await events.aclose()  # type: ignore[attr-defined]
                await made.cleanup()

        return json.loads(json.dumps(asyncio.run(first())))
