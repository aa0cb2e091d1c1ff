"""How far the child actions of a run are: how they are counted (WatchActions), and the line that says so. No I/O.

Asked for a part of the root's task name, Flyte sends the root action alone, with how many actions below it are in which
phase, at once and whenever that changes: a message of a few bytes however many there are (child_counts.json).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from airflow_provider_flyte.client.errors import (
    FlyteError,
    InvalidArgumentError,
    PermissionDeniedError,
    RpcError,
    UnimplementedError,
)
from airflow_provider_flyte.client.flows import calls
from airflow_provider_flyte.client.flows.calls import Flow, StreamCall
from airflow_provider_flyte.client.flows.failed_actions import failed_actions
from airflow_provider_flyte.client.idl.common import list_pb2
from airflow_provider_flyte.client.idl.workflow import run_service_pb2
from airflow_provider_flyte.client.phase import TERMINAL, RunPhase, is_terminal
from airflow_provider_flyte.client.rpc import RunService
from airflow_provider_flyte.client.run_key import RunKey

EVERY = 30.0
"""Seconds between two lines about a run, at least."""

SETTLES_WITHIN = 1.0
"""Seconds until the counts of a large run are whole: Flyte counts it page by page, and sends each step."""

REFUSALS = (UnimplementedError, InvalidArgumentError, PermissionDeniedError)
"""What a backend answers that will not count the actions of this run, now or later."""

_FAILED = (RunPhase.FAILED, RunPhase.TIMED_OUT)


class ProgressOfRun:
    """What is known of a run's child actions, and what was said of them.

    :param key: the run.
    :param org: of the config.
    :param clock: seconds that only grow.
    """

    def __init__(self, key: RunKey, org: str, clock: Callable[[], float]) -> None:
        self.key = key
        self.over = False
        """Whether the run was seen to be over."""

        self._org = org
        self._clock = clock
        self._task: str | None = None
        self._counts: Mapping[int, int] = {}
        self._due_at: float | None = None
        self._said = ""
        self._named = 0
        """How many had failed when the first of them was asked for."""
        self._first_failed = ""

    @property
    def due_in(self) -> float:
        """Seconds until the next line."""
        return 0.0 if self._due_at is None else max(0.0, self._due_at - self._clock())

    def prepare(self) -> Flow[None]:
        """Find out what to ask for: the name of the root's task, which stays the same."""
        if self._task is None:
            details = yield calls.get_run_details(calls.run_identifier(self.key, self._org), RpcError)
            self._task = details.action.metadata.task.id.name

    def watch(self, timeout: float | None = None) -> StreamCall[None]:
        """RunService/WatchActions of the root action, once it is prepared.

        :param timeout: seconds after which it ends; None: never.
        """
        # The fields of this method are in capitals, those of ListActions in small letters.
        only = list_pb2.Filter(
            function=list_pb2.Filter.CONTAINS_CASE_INSENSITIVE,
            field="NAME",
            values=[(self._task or "").rpartition(".")[2]],
        )
        request = run_service_pb2.WatchActionsRequest(run_id=calls.run_identifier(self.key, self._org), filter=[only])
        return StreamCall(RunService.WatchActions, request, self._read, timeout, self.key.name)

    def ask(self, within: float = SETTLES_WITHIN) -> Flow[None]:
        """The same as one call: what comes within so many seconds is the answer."""
        yield from self.prepare()
        yield self.watch(within)

    def _read(self, response: Any) -> None:
        for each in response.enriched_actions:
            # Children whose tasks are called alike come too.
            if each.action.id.name == calls.ROOT_ACTION:
                self._counts = dict(each.children_phase_counts)
                self.over = is_terminal(each.action.status.phase)
                if self._due_at is None:
                    self._due_at = self._clock() + SETTLES_WITHIN

    def name_failed(self) -> Flow[None]:
        """Find out which action failed first, where more have failed than when this was done last."""
        failed = self._count(_FAILED)
        if failed > self._named:
            self._named = failed
            found = yield from failed_actions(self.key, self._org, most=1)
            self._first_failed = next((f"{each.task} {each.name}".strip() for each in found.first), "")

    def line(self) -> str:
        """What is to be said now; '' where there is nothing new, or nothing to count."""
        counts, total = self._counts, sum(self._counts.values())
        self._due_at = self._clock() + EVERY
        failed, paused = self._count(_FAILED), counts.get(RunPhase.PAUSED, 0)
        which = f" ({self._first_failed}{', ...' if failed > 1 else ''})" if self._first_failed else ""
        more = (f", {failed} failed{which}" if failed else "") + (f", {paused} paused" if paused else "")
        line = (
            f"Flyte run {self.key.name}: {self._count(TERMINAL)} of {total} actions done, "
            f"{counts.get(RunPhase.RUNNING, 0)} running{more}."
        )
        if not total or line == self._said:
            return ""
        self._said = line
        return line

    def _count(self, phases: Any) -> int:
        return sum(self._counts.get(phase, 0) for phase in phases)


def not_logged(key: RunKey, error: FlyteError) -> str:
    """The line for a run whose actions Flyte does not count."""
    return f"The progress of Flyte run {key.name} is not logged, because Flyte does not tell it (WatchActions). {error}"
