"""The state of the local server: projects, tasks, runs with their actions, and the files of its blob store."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeAlias

from airflow_provider_flyte.client.idl.common import identifier_pb2
from airflow_provider_flyte.client.idl.core import literals_pb2
from airflow_provider_flyte.client.idl.logs.dataplane import payload_pb2
from airflow_provider_flyte.client.idl.task import common_pb2, run_pb2, task_definition_pb2
from airflow_provider_flyte.client.idl.trigger import trigger_definition_pb2
from airflow_provider_flyte.client.idl.workflow import run_definition_pb2
from airflow_provider_flyte.client.phase import RunPhase
from airflow_provider_flyte.testing.calls import Refusal
from airflow_provider_flyte.testing.hub import Hub

ROOT = "a0"
"""Name of a run's root action."""

Key: TypeAlias = tuple[str, ...]
"""(project, domain, run) or (project, domain, run, action). Never the org: the backend ignores it."""

EventKey: TypeAlias = tuple[int, int, int]
"""(attempt, phase, version): the same again is ignored."""


@dataclass
class TaskVersion:
    """A deployed version of a task."""

    id: task_definition_pb2.TaskIdentifier
    spec: task_definition_pb2.TaskSpec
    deployed_ns: int
    number: int
    """Order of deployment, for "the latest version"."""


@dataclass(eq=False)
class Action:
    """An action; the root action is the run."""

    key: Key
    number: int
    """Order of creation: the clock may give two runs the same microsecond."""
    created_ns: int
    phase: int = RunPhase.QUEUED
    attempts: int = 1
    updated_ns: int = 0
    """When its status was last written; no answer shows it, lists are filtered and sorted by it."""
    ended_ns: int | None = None
    duration_ms: int | None = None
    parent: str = ""
    group: str = ""
    metadata: run_definition_pb2.ActionMetadata = field(default_factory=run_definition_pb2.ActionMetadata)
    spec: task_definition_pb2.TaskSpec | None = None
    condition: run_definition_pb2.ConditionAction | None = None
    """What it waits for, where it is no task."""
    takes_signals: bool = False
    """Whether an executor stands behind it that can be signalled, as a script's conditions have one."""
    signal: literals_pb2.Literal | None = None
    """What it was answered with."""
    run_spec: run_pb2.RunSpec | None = None
    inputs_uri: str = ""
    abort_reason: str = ""
    events: dict[EventKey, run_definition_pb2.ActionEvent] = field(default_factory=dict)
    logs: dict[int, list[payload_pb2.LogLine]] = field(default_factory=dict)
    """What its attempts have logged; an attempt that is not in it has no pod any more."""
    gone_pods: set[int] = field(default_factory=set)
    """Attempts whose pods, and so their logs, are not there any more."""
    cluster: int = 0
    """Number of the cluster that a run is on, where there are several."""
    enqueued: int = 0
    """How often an executor was asked to start it."""
    row: run_definition_pb2.Run | None = None
    """The run as lists show it, kept until it changes: a page has 200 of them."""

    def start(self, at_ns: int) -> None:
        """Set the start that the executor reports: an earlier one moves the creation (late_end.json, call 3)."""
        self.created_ns = min(self.created_ns, at_ns)

    def end(self, at_ns: int) -> None:
        """Set the end; the first one stays, also where the phase changes later (the SQL's COALESCE)."""
        if self.ended_ns is None:
            self.ended_ns = max(at_ns, self.created_ns)
            # Rounded, not cut: 22.7 ms are 23 (outputs.json).
            self.duration_ms = (self.ended_ns - self.created_ns + 500_000) // 1_000_000

    @property
    def task_id(self) -> task_definition_pb2.TaskIdentifier:
        """The task that it runs."""
        return self.metadata.task.id


def run_key(run: identifier_pb2.RunIdentifier) -> Key:
    """The org is left out: any org, or none, reads the same run."""
    return (run.project, run.domain, run.name)


def action_key(action: identifier_pb2.ActionIdentifier) -> Key:
    """The key of an action."""
    return (*run_key(action.run), action.name)


def task_not_found(task_id: task_definition_pb2.TaskIdentifier) -> str:
    """The text, in Go's way of printing a struct."""
    return f"task not found: {{{task_id.project} {task_id.domain} {task_id.name} {task_id.version}}}"


class Store:
    """The state, under one lock. Handlers hold it while they read or write; it outlives a stop of the server."""

    def __init__(self, storage: str, project: str, clock: Callable[[], int]) -> None:
        self._clock = clock
        self.storage = storage.rstrip("/")
        self.lock = threading.RLock()
        self.hub: Hub[Action] = Hub()
        self.projects: dict[str, None] = {project: None}
        self.tasks: dict[Key, dict[str, TaskVersion]] = {}
        self.triggers: dict[Key, trigger_definition_pb2.TriggerDetails] = {}
        """By project, domain, task and name."""
        self.files: dict[str, common_pb2.Inputs | common_pb2.Outputs] = {}
        self._actions: dict[Key, dict[str, Action]] = {}
        self._roots: dict[Key, dict[str, Action]] = {}
        self.clusters = 1
        """How many clusters there are: runs go to one after the other."""
        self._numbers = itertools.count(1)
        self._runs = itertools.count()

    def now_ns(self) -> int:
        """The time, cut to microseconds: PostgreSQL keeps no more."""
        return self._clock() // 1000 * 1000

    def next_number(self) -> int:
        """The next in the order of creation."""
        return next(self._numbers)

    # -- runs and actions

    def add(self, action: Action) -> None:
        """Add a new action."""
        action.updated_ns = action.created_ns
        self._actions.setdefault(action.key[:3], {})[action.key[3]] = action
        if action.key[3] == ROOT:
            action.cluster = next(self._runs) % self.clusters
            self._roots.setdefault(action.key[:2], {})[action.key[2]] = action
        self.hub.publish(action, ("actions", *action.key[:3]))

    def run(self, key: Key) -> Action | None:
        """The root action of a run."""
        return self._roots.get(key[:2], {}).get(key[2])

    def action(self, key: Key) -> Action | None:
        """An action by its key."""
        return self._actions.get(key[:3], {}).get(key[3])

    def actions_of(self, key: Key) -> list[Action]:
        """All actions of a run."""
        return list(self._actions.get(key[:3], {}).values())

    def roots(self, project: str, domain: str) -> list[Action]:
        """The runs of a project and domain."""
        return list(self._roots.get((project, domain), {}).values())

    def all_roots(self) -> list[Action]:
        """The runs of all projects, in the order of their launch."""
        return sorted((action for runs in self._roots.values() for action in runs.values()), key=_number)

    def named(self, project: str, domain: str, names: Iterable[str]) -> list[Action]:
        """The runs with these names: a call may name thousands, so each is looked up in a dict."""
        runs = self._roots.get((project, domain), {})
        return [runs[name] for name in dict.fromkeys(names) if name in runs]

    def changed(self, action: Action, *, phase: bool) -> None:
        """Notify the streams. Only a change of the root action's phase is a change of the run; its events are not."""
        action.row = None
        project, domain, run, name = action.key
        self.hub.publish(action, ("action", *action.key))
        if phase:
            action.updated_ns = self.now_ns()
            self.hub.publish(action, ("actions", project, domain, run))
        if phase and name == ROOT:
            self.hub.publish(action, ("run", project, domain, run), ("runs", project, domain), ("runs",))

    # -- tasks

    def task(self, task_id: task_definition_pb2.TaskIdentifier) -> TaskVersion | None:
        """A deployed version of a task."""
        return self.tasks.get((task_id.project, task_id.domain, task_id.name), {}).get(task_id.version)


def _number(action: Action) -> int:
    return action.number


def require_project(store: Store, project: str) -> None:
    """Refuse a project that does not exist."""
    if project not in store.projects:
        raise Refusal("NOT_FOUND", f'project "{project}" not found')


def require_run(store: Store, run: identifier_pb2.RunIdentifier) -> Action:
    """The run, or NOT_FOUND. The real backend answers it to a database error too: the fault ``database_down``."""
    action = store.run(run_key(run))
    if action is None:
        raise Refusal("NOT_FOUND", f"run not found: {run.project}/{run.domain}/{run.name}")
    return action


def require_action(store: Store, action_id: identifier_pb2.ActionIdentifier) -> Action:
    """The action, or NOT_FOUND."""
    action = store.action(action_key(action_id))
    if action is None:
        raise Refusal("NOT_FOUND", "action not found: action not found")
    return action
