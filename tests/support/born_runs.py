"""A scripted Flyte whose runs have a task and times, and are listed by their creation."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from operator import ge, lt
from typing import Any

from google.protobuf import timestamp_pb2

from airflow_provider_flyte.client.idl.common import list_pb2
from airflow_provider_flyte.client.idl.workflow import run_service_pb2
from airflow_provider_flyte.client.phase import TERMINAL, RunPhase
from airflow_provider_flyte.client.run_key import RunKey
from tests.support.scripted_flyte import HERE, Asked, ScriptedFlyte

EPOCH = 1_795_000_000_000_000
"""Where virtual time begins, in microseconds since the epoch."""

TASK = "demo.train"


def wall() -> int:
    """Microseconds since the epoch, by the loop's clock."""
    return EPOCH + int(asyncio.get_running_loop().time() * 1_000_000)


@dataclass
class Born:
    """The times of one run, in microseconds since the epoch."""

    created_at: int
    visible_at: float = 0.0
    """From when on lists have it, by the loop's clock."""

    ended_at: int | None = None
    task: str = TASK
    labels: dict[str, str] = field(default_factory=dict)


class FlyteOfRuns(ScriptedFlyte):
    """A table of runs with their times."""

    def __init__(self) -> None:
        super().__init__()
        self.born: dict[RunKey, Born] = {}
        self.page = 200
        """The most runs on a page, whatever a call asks for."""

        self.lists_show_labels = False

    def launch(
        self,
        name: str,
        *,
        created_at: int | None = None,
        task: str = TASK,
        after: float = 0.0,
        labels: dict[str, str] | None = None,
    ) -> Born:
        """A run that is queued.

        :param created_at: by default now.
        :param after: seconds until lists have it.
        """
        now = asyncio.get_running_loop().time()
        born = Born(wall() if created_at is None else created_at, now + after, task=task, labels=labels or {})
        self.born[HERE.run(name)] = born
        self.run(name, RunPhase.QUEUED)
        return born

    def end(
        self, name: str, phase: int = RunPhase.SUCCEEDED, *, ended_at: int | None = None, started_at: int | None = None
    ) -> None:
        """Let a run end.

        :param ended_at: what its executor says; by default now.
        :param started_at: what its executor says, which moves the creation back where it is earlier.
        """
        born = self.born[HERE.run(name)]
        if started_at is not None:
            born.created_at = min(born.created_at, started_at)
        born.ended_at = max(born.created_at, wall() if ended_at is None else ended_at)
        self.run(name, phase)

    def _list(self, asked: Asked) -> Any:
        listing, now = asked.request.request, asyncio.get_running_loop().time()
        filters = {each.field: list(each.values) for each in listing.filters}
        keys = [key for key, born in self.born.items() if key.project_domain == asked.where and born.visible_at <= now]
        if asked.request.HasField("task_name"):
            keys = [key for key in keys if self.born[key].task == asked.request.task_name.name]
        if tasks := filters.get("task_name"):
            keys = [key for key in keys if self.born[key].task in tasks]
        if names := filters.get("run_name"):
            keys = [key for key in keys if key.name in names]
        if phases := filters.get("phase"):
            keys = [key for key in keys if str(int(self.runs[key])) in phases]
        for each in listing.filters:
            if each.field == "created_at":
                moment = timestamp_pb2.Timestamp()
                moment.FromJsonString(each.values[0])
                passes = {each.GREATER_THAN_OR_EQUAL: ge, each.LESS_THAN: lt}[each.function]
                keys = [key for key in keys if passes(self.born[key].created_at, moment.ToMicroseconds())]
        if listing.sort_by_fields:
            newest_first = listing.sort_by_fields[0].direction == list_pb2.Sort.DESCENDING
            keys.sort(key=lambda key: self.born[key].created_at, reverse=newest_first)
        at, limit = int(listing.token or 0), min(listing.limit, self.page)
        response = run_service_pb2.ListRunsResponse(token=str(at + limit) if len(keys) > at + limit else "")
        for key in keys[at : at + limit]:
            self._add(response.runs.add(), key)
        return response

    def _add(self, run: Any, key: RunKey) -> None:
        super()._add(run, key)
        born = self.born[key]
        if self.lists_show_labels:
            run.labels.update(born.labels)
        run.action.metadata.task.id.name = born.task
        run.action.status.start_time.FromMicroseconds(born.created_at)
        if born.ended_at is not None and self.runs[key] in TERMINAL:
            run.action.status.end_time.FromMicroseconds(born.ended_at)

    def _answer(self, asked: Asked) -> Any:
        response = super()._answer(asked)
        if asked.rpc == "GetRunDetails":
            born = self.born[asked.where.run(asked.names[0])]
            response.details.run_spec.labels.values.update(born.labels)
            response.details.action.metadata.task.id.name = born.task
        return response
