"""A Flyte in the place of a transport: answers from a table of runs, without a network."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from airflow_provider_flyte.client import FlyteClient, FlyteConfig
from airflow_provider_flyte.client.errors import Status, error_for
from airflow_provider_flyte.client.idl.dataproxy import dataproxy_service_pb2
from airflow_provider_flyte.client.idl.task import task_service_pb2
from airflow_provider_flyte.client.idl.workflow import run_service_pb2
from airflow_provider_flyte.client.phase import TERMINAL, RunPhase
from airflow_provider_flyte.client.run_key import ProjectDomain, RunKey

HERE, THERE = ProjectDomain("p", "development"), ProjectDomain("p", "staging")


def refusal(code: Status, text: str = "so it is") -> Exception:
    """An error as a call raises it."""
    return error_for(code, text, method="RunService", endpoint="flyte.example:443")


@dataclass(frozen=True)
class Asked:
    """One call."""

    rpc: str
    at: float
    """By the loop's clock."""

    where: ProjectDomain
    names: tuple[str, ...]
    ended_only: bool = False
    """Whether only runs that are over are asked for."""

    request: Any = None


class ScriptedFlyte:
    """A table of runs, and the calls about them."""

    def __init__(self, clock: Callable[[], float] | None = None) -> None:
        self._clock = clock or (lambda: asyncio.get_running_loop().time())
        self.runs: dict[RunKey, int] = {}
        self.errors: dict[RunKey, tuple[int, str]] = {}
        """The kind and message of the error of runs that have failed."""

        self.details: dict[RunKey, int] = {}
        """Phases in their details, where these lag behind the list."""

        self.annotations: dict[RunKey, dict[str, str]] = {}
        self.reasons: dict[RunKey, str] = {}
        """Why runs were aborted."""

        self.steps: dict[RunKey, list[int]] = {}
        """Phases through which the attempts of runs have gone."""

        self.asked: list[Asked] = []
        self.fails: Callable[[Asked], Exception | None] = lambda asked: None
        """The error that a call ends with."""

        self.first_batch = 100
        """How many of the runs that exist a stream sends at first."""

        self.takes = 0.0
        """Seconds until an answer."""

        self.at_once = self.most_at_once = 0
        self.streams: dict[ProjectDomain, asyncio.Queue[Any]] = {}
        """What the open stream of a project is to send: a message, an exception, None for its end."""

        self.actions: dict[RunKey, asyncio.Queue[Any]] = {}
        """What the open stream of a run's actions is to send, as with ``streams``."""

        self.logs: dict[RunKey, asyncio.Queue[Any]] = {}
        """What the open stream of a run's log is to send, as with ``streams``."""

        self.attempts: dict[RunKey, int] = {}
        """Numbers of the last attempts of runs; 1 where there is none."""

        self.client = self.new_client()

    def new_client(self) -> FlyteClient:
        """A client of this Flyte."""
        return _Client(self)

    def run(self, name: str, phase: int, where: ProjectDomain = HERE) -> None:
        """Set the phase of a run, and make it if there is none."""
        self.runs[where.run(name)] = phase

    def calls(self, rpc: str = "ListRuns") -> list[Asked]:
        """The calls of one method."""
        return [asked for asked in self.asked if asked.rpc == rpc]

    def sends(self, *names: str, where: ProjectDomain = HERE) -> None:
        """Let the stream send these runs as they are now."""
        response = run_service_pb2.WatchRunsResponse()
        for name in names:
            self._add(response.runs.add(), where.run(name))
        self.streams[where].put_nowait(response)

    def counts(self, name: str, counts: dict[int, int], phase: int = RunPhase.RUNNING) -> None:
        """Let the stream of a run's actions send how many of them are in which phase."""
        response = run_service_pb2.WatchActionsResponse()
        root = response.enriched_actions.add(children_phase_counts=counts)
        root.action.id.name, root.action.status.phase = "a0", phase  # type: ignore[assignment]  # an open enum
        self.actions[HERE.run(name)].put_nowait(response)

    def _add(self, run: Any, key: RunKey) -> None:
        run.action.id.run.project, run.action.id.run.domain = key.project, key.domain
        run.action.id.run.name = key.name
        run.action.status.phase = self.runs[key]

    # -- the transport

    async def unary(self, method: Any, request: Any, **_: Any) -> Any:
        asked = self._note(method, request)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await asyncio.sleep(self.takes)
        finally:
            self.at_once -= 1
        return self._answer(asked)

    def unary_at_once(self, method: Any, request: Any, **_: Any) -> Any:
        """The same for blocking callers."""
        return self._answer(self._note(method, request))

    def _note(self, method: Any, request: Any) -> Asked:
        rpc, now = method.name.partition("/")[2], self._clock()
        if rpc == "ListRuns":
            filters = {each.field: tuple(each.values) for each in request.request.filters}
            there = request.task_name if request.HasField("task_name") else request.project_id
            where = ProjectDomain(there.project if request.HasField("task_name") else there.name, there.domain)
            asked = Asked(rpc, now, where, filters.get("run_name", ()), "phase" in filters, request)
        else:
            named = {"GetActionData": "action_id", "GetTaskDetails": "task_id"}.get(rpc, "run_id")
            it = getattr(request, named)
            it = it.run if named == "action_id" else it
            asked = Asked(rpc, now, ProjectDomain(it.project, it.domain), (it.name,), request=request)
        self.asked.append(asked)
        return asked

    def _answer(self, asked: Asked) -> Any:
        if error := self.fails(asked):
            raise error
        if asked.rpc == "ListRuns":
            return self._list(asked)
        if asked.rpc == "ListActions":
            return run_service_pb2.ListActionsResponse()
        if asked.rpc == "GetActionData":
            return dataproxy_service_pb2.GetActionDataResponse()
        if asked.rpc == "GetTaskDetails":
            task: Any = task_service_pb2.GetTaskDetailsResponse()
            task.details.task_id.CopyFrom(asked.request.task_id)
            return task
        key = asked.where.run(asked.names[0])
        if asked.rpc == "CreateRun":
            self.runs[key] = RunPhase.QUEUED
            self.annotations[key] = dict(asked.request.run_spec.annotations.values)
            created: Any = run_service_pb2.CreateRunResponse()
            created.run.action.status.phase = RunPhase.QUEUED
            return created
        if asked.rpc == "AbortRun":
            self.runs[key], self.reasons[key] = RunPhase.ABORTED, asked.request.reason
            return run_service_pb2.AbortRunResponse()
        phase = self.details.get(key, self.runs.get(key))
        if phase is None:
            raise refusal(Status.NOT_FOUND)
        response: Any = run_service_pb2.GetRunDetailsResponse()
        action = response.details.action
        action.id.run.project, action.id.run.domain, action.id.run.name = key.project, key.domain, key.name
        action.status.phase, action.status.attempts = phase, self.attempts.get(key, 1)
        if key in self.errors and phase == RunPhase.FAILED:
            action.error_info.kind, action.error_info.message = self.errors[key]
        for step in self.steps.get(key, ()):
            action.attempts.add().phase_transitions.add().phase = step
        if key in self.reasons:
            action.abort_info.reason = self.reasons[key]
        response.details.run_spec.annotations.values.update(self.annotations.get(key, {}))
        return response

    def _list(self, asked: Asked) -> Any:
        response = run_service_pb2.ListRunsResponse()
        of_a_task = bool(asked.request) and asked.request.HasField("task_name")
        keys = list(self.annotations) if of_a_task else [asked.where.run(name) for name in asked.names]
        for key in keys:
            if key in self.runs and (not asked.ended_only or self.runs[key] in TERMINAL):
                self._add(response.runs.add(), key)
        return response

    async def server_stream(
        self, method: Any, request: Any, timeout: float | None = None, **_: Any
    ) -> AsyncGenerator[Any, None]:
        rpc = method.name.partition("/")[2]
        if rpc in ("WatchActions", "TailLogs"):
            is_log = rpc == "TailLogs"
            run = request.action_id.run if is_log else request.run_id
            streams: dict[Any, asyncio.Queue[Any]] = self.logs if is_log else self.actions
            topic: Any = RunKey(run.project, run.domain, run.name)
            asked = Asked(rpc, self._clock(), topic.project_domain, (run.name,), request=request)
        else:
            streams, topic = self.streams, ProjectDomain(request.project_id.name, request.project_id.domain)
            asked = Asked("WatchRuns", self._clock(), topic, ())
        self.asked.append(asked)
        if error := self.fails(asked):
            raise error
        sends = streams[topic] = asyncio.Queue()
        if asked.rpc == "WatchRuns":
            there = [key.name for key in self.runs if key.project_domain == topic]
            self.sends(*there[: self.first_batch], where=topic)
        ending = None
        if timeout is not None:
            ending = asyncio.get_running_loop().call_later(timeout, sends.put_nowait, None)
        try:
            while (sent := await sends.get()) is not None:
                if isinstance(sent, Exception):
                    raise sent
                yield sent
        finally:
            if ending is not None:
                ending.cancel()
            if streams.get(topic) is sends:
                del streams[topic]

    async def close(self) -> None:
        """Nothing is open."""


class Connected:
    """The Airflow connection ``flyte_default`` to a scripted Flyte.

    :param flyte: the Flyte.
    :param monkeypatch: the test's.
    """

    def __init__(self, flyte: ScriptedFlyte, monkeypatch: Any) -> None:
        self._monkeypatch = monkeypatch
        monkeypatch.setattr(FlyteClient, "transport", lambda client: SimpleNamespace(unary=flyte.unary_at_once))
        monkeypatch.setattr(FlyteClient, "async_transport", lambda client: flyte)
        self.change()

    def change(self, **extra: Any) -> None:
        """Store the connection with other extra fields."""
        fields = {"insecure": True, "project": "p", "domain": "development"} | extra
        stored = {"conn_type": "flyte", "host": "flyte.example", "port": 443, "extra": fields}
        self._monkeypatch.setenv("AIRFLOW_CONN_FLYTE_DEFAULT", json.dumps(stored))

    def remove(self) -> None:
        """Remove the connection."""
        self._monkeypatch.delenv("AIRFLOW_CONN_FLYTE_DEFAULT")


class _Client(FlyteClient):
    def __init__(self, flyte: ScriptedFlyte) -> None:
        # To make a TLS context would take longer than everything else.
        config = FlyteConfig(endpoint="flyte.example:443", insecure=True, project="p", domain="development")
        super().__init__(config)
        self._flyte: Any = flyte

    def async_transport(self) -> Any:
        return self._flyte

    def transport(self) -> Any:
        return SimpleNamespace(unary=self._flyte.unary_at_once)
