"""The actions of a run as a tree, as Flyte has them now (WatchActions).

Flyte sends all of them at once, and then what changes (child_actions.json): with the names of their tasks, which
ListActions leaves out, and in one answer where that takes a call for each 200. Nothing says which message is the last
of the first, so what comes until the stream is quiet is the answer.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from airflow_provider_flyte.client.errors import InvalidArgumentError, RpcError, UnimplementedError
from airflow_provider_flyte.client.flows import calls
from airflow_provider_flyte.client.flows.calls import Flow, StreamCall
from airflow_provider_flyte.client.idl.workflow import run_definition_pb2, run_service_pb2
from airflow_provider_flyte.client.outside import LONGEST_NAME, one_line
from airflow_provider_flyte.client.phase import is_terminal
from airflow_provider_flyte.client.rpc import RunService
from airflow_provider_flyte.client.run_key import RunKey
from airflow_provider_flyte.client.timeline import moment

MOST = 10_000
"""Actions that are kept; measured: Flyte sends as many in 0.4 s."""

WITHIN = (1.0, 5.0)
"""Seconds for which the stream is open; the longer time where messages still came when the first was over."""

_QUIET = 0.5
"""Part of that time without a message, after which all is there."""


class ActionRow(NamedTuple):
    """One action, its texts cleaned."""

    name: str
    parent: str
    group: str
    """The loop or the map that it belongs to, among the actions of its parent; '' for none."""

    task: str
    """What it runs: the name of a task, a trace or a condition; '' where it is not known."""

    phase: int
    attempts: int
    started: datetime | None
    ended: datetime | None
    below: Mapping[int, int]
    """How many actions below it are in which phase."""


@dataclass
class ActionTree:
    """What is known of a run's actions."""

    rows: dict[str, ActionRow] = field(default_factory=dict)
    """By name, the root action among them."""

    left_out: int = 0
    """How many are not in it, at least."""

    trouble: str = ""
    """Why there is none, or no more."""

    @property
    def over(self) -> bool:
        """Whether nothing of it changes any more."""
        return not self.trouble and bool(self.rows) and all(is_terminal(row.phase) for row in self.rows.values())


def action_tree(
    key: RunKey,
    org: str,
    *,
    most: int = MOST,
    within: tuple[float, ...] = WITHIN,
    clock: Callable[[], float] = time.monotonic,
) -> Flow[ActionTree]:
    """Read the actions of a run. Never a failed call: what came before is told together with the trouble.

    :param most: how many are kept: those that Flyte sends first.
    :param within: seconds for which the stream is open, the first time and, where that was too short, the next ones.
    :param clock: seconds that only grow.
    """
    tree = ActionTree()
    for seconds in within:
        reading = _Reading(most, clock)
        opened = clock()
        request = run_service_pb2.WatchActionsRequest(run_id=calls.run_identifier(key, org))
        try:
            yield StreamCall(RunService.WatchActions, request, reading.read, seconds, key.name)
        except (UnimplementedError, InvalidArgumentError):
            return ActionTree(trouble="This Flyte does not tell of child actions (WatchActions).")
        except RpcError as error:
            reading.tree.trouble = str(error)
        tree = reading.finish()
        # Each run has an action, so where none came the stream had not begun.
        if tree.trouble or (tree.rows and reading.last_at - opened < seconds * _QUIET):
            break
    return tree


class _Reading:
    """What one stream has sent so far."""

    def __init__(self, most: int, clock: Callable[[], float]) -> None:
        self.tree = ActionTree()
        self.last_at = 0.0
        """When the last message came that told of actions not seen before."""

        self._most = most
        self._clock = clock

    def read(self, message: Any) -> None:
        rows = self.tree.rows
        for each in message.enriched_actions:
            row = _row(each)
            if row.name not in rows:
                self.last_at = self._clock()
                if len(rows) >= self._most:
                    continue
            rows[row.name] = row

    def finish(self) -> ActionTree:
        tree = self.tree
        root = tree.rows.get(calls.ROOT_ACTION)
        tree.left_out = max(0, sum(root.below.values()) - len(tree.rows) + 1) if root is not None else 0
        return tree


def _row(enriched: run_definition_pb2.EnrichedAction) -> ActionRow:
    action, below = enriched.action, dict(enriched.children_phase_counts)
    metadata, status = action.metadata, action.status
    return ActionRow(
        one_line(action.id.name, LONGEST_NAME),
        one_line(metadata.parent, LONGEST_NAME),
        one_line(metadata.group, LONGEST_NAME),
        one_line(_task(metadata), LONGEST_NAME),
        status.phase,
        status.attempts,
        moment(status.start_time),
        moment(status.end_time),
        # A phase that all have left stays, with 0.
        {phase: count for phase, count in below.items() if count > 0},
    )


def _task(metadata: run_definition_pb2.ActionMetadata) -> str:
    kind = metadata.WhichOneof("spec")
    if kind == "task":
        return metadata.task.id.name or metadata.task.short_name
    return getattr(metadata, kind).name if kind else ""
