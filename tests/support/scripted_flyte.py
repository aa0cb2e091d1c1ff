"""A Flyte in the place of a transport: answers from a table of runs, without a network."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from typing import Any

from airflow_provider_flyte.client import FlyteClient, FlyteConfig
from airflow_provider_flyte.client.errors import Status, error_for
from airflow_provider_flyte.client.idl.workflow import run_service_pb2
from airflow_provider_flyte.client.phase import TERMINAL
from airflow_provider_flyte.client.run_key import ProjectDomain, RunKey

HERE, THERE = ProjectDomain("p", "development"), ProjectDomain("p", "staging")


def refusal(code: Status, text: str = "so it is") -> Exception:
    """An error as a call ends with it."""
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


class ScriptedFlyte:
    """Runs, and what is asked about them."""

    def __init__(self) -> None:
        self.runs: dict[RunKey, int] = {}
        self.asked: list[Asked] = []
        self.fails: Callable[[Asked], Exception | None] = lambda asked: None
        """The error that a call ends with."""

        self.takes = 0.0
        """Seconds until an answer."""

        self.at_once = self.most_at_once = 0
        self.streams: dict[ProjectDomain, asyncio.Queue[Any]] = {}
        """What the open stream of a project is to send: a message, an exception, None for its end."""

        self.client = self.new_client()

    def new_client(self) -> FlyteClient:
        """A client of this Flyte."""
        return _Client(self)

    def run(self, name: str, phase: int, where: ProjectDomain = HERE) -> None:
        """Set the phase of a run, and make it if there is none."""
        self.runs[where.run(name)] = phase

    def calls(self, rpc: str = "ListRuns") -> list[Asked]:
        """Those of one method."""
        return [asked for asked in self.asked if asked.rpc == rpc]

    def sends(self, *names: str, where: ProjectDomain = HERE) -> None:
        """Let the stream send these runs as they are by now."""
        response = run_service_pb2.WatchRunsResponse()
        for name in names:
            self._add(response.runs.add(), where.run(name))
        self.streams[where].put_nowait(response)

    def _add(self, run: Any, key: RunKey) -> None:
        run.action.id.run.project, run.action.id.run.domain = key.project, key.domain
        run.action.id.run.name = key.name
        run.action.status.phase = self.runs[key]

    # -- the transport

    async def unary(self, method: Any, request: Any, **_: Any) -> Any:
        rpc = method.name.partition("/")[2]
        now = asyncio.get_running_loop().time()
        if rpc == "ListRuns":
            filters = {each.field: tuple(each.values) for each in request.request.filters}
            where = ProjectDomain(request.project_id.name, request.project_id.domain)
            asked = Asked(rpc, now, where, filters.get("run_name", ()), "phase" in filters)
        else:
            where = ProjectDomain(request.run_id.project, request.run_id.domain)
            asked = Asked(rpc, now, where, (request.run_id.name,))
        self.asked.append(asked)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await asyncio.sleep(self.takes)
        finally:
            self.at_once -= 1
        if error := self.fails(asked):
            raise error
        if rpc == "ListRuns":
            return self._list(asked)
        [name] = asked.names
        phase = self.runs.get(where.run(name))
        if phase is None:
            raise refusal(Status.NOT_FOUND)
        details: Any = run_service_pb2.GetRunDetailsResponse()
        details.details.action.status.phase = phase
        return details

    def _list(self, asked: Asked) -> Any:
        response = run_service_pb2.ListRunsResponse()
        for name in asked.names:
            key = asked.where.run(name)
            if key in self.runs and (not asked.ended_only or self.runs[key] in TERMINAL):
                self._add(response.runs.add(), key)
        return response

    async def server_stream(self, method: Any, request: Any, **_: Any) -> AsyncGenerator[Any, None]:
        where = ProjectDomain(request.project_id.name, request.project_id.domain)
        asked = Asked("WatchRuns", asyncio.get_running_loop().time(), where, ())
        self.asked.append(asked)
        if error := self.fails(asked):
            raise error
        sends: asyncio.Queue[Any] = asyncio.Queue()
        self.streams[where] = sends
        self.sends(*(key.name for key in self.runs if key.project_domain == where), where=where)
        try:
            while (sent := await sends.get()) is not None:
                if isinstance(sent, Exception):
                    raise sent
                yield sent
        finally:
            if self.streams.get(where) is sends:
                del self.streams[where]

    async def close(self) -> None:
        """Nothing is open."""


class _Client(FlyteClient):
    def __init__(self, flyte: ScriptedFlyte) -> None:
        # A TLS context would take longer than all else.
        config = FlyteConfig(endpoint="flyte.example:443", insecure=True, project="p", domain="development")
        super().__init__(config)
        self._flyte: Any = flyte

    def async_transport(self) -> Any:
        return self._flyte
