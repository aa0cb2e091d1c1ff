"""What an executor does with a run, through the services that it would call."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Literal, TypeAlias

from airflow_provider_flyte.client.idl.common import identifier_pb2
from airflow_provider_flyte.client.idl.core import types_pb2
from airflow_provider_flyte.client.idl.logs.dataplane import payload_pb2
from airflow_provider_flyte.client.idl.task import common_pb2, task_definition_pb2
from airflow_provider_flyte.client.idl.workflow import internal_run_service_pb2, run_definition_pb2, run_service_pb2
from airflow_provider_flyte.client.phase import RunPhase
from airflow_provider_flyte.testing import answers
from airflow_provider_flyte.testing.calls import Call
from airflow_provider_flyte.testing.handlers.executor import ExecutorHandlers
from airflow_provider_flyte.testing.handlers.launch import LaunchHandlers
from airflow_provider_flyte.testing.store import ROOT, Action, Key, Store

Kind: TypeAlias = Literal["USER", "SYSTEM"]

_REPORTED = range(RunPhase.WAITING_FOR_RESOURCES, RunPhase.FAILED + 1)
"""Phases that the executor reports as an event too; of the others the recordings show a status alone."""


@dataclass
class Mover:
    """Moves one run at once, through the same handlers that the transports call."""

    store: Store
    launch: LaunchHandlers
    executor: ExecutorHandlers
    action: Action
    outputs: common_pb2.Outputs | None = None
    """The outputs that it has when it succeeds."""

    def to_phase(self, phase: int) -> None:
        """Move to a phase, also to an unknown one."""
        attempt = self._attempt(phase)
        if phase == RunPhase.SUCCEEDED:
            self._report(phase, attempt, outputs_uri=self._write_outputs(attempt))
        elif phase == RunPhase.FAILED:
            self._report(phase, attempt, error=_error("USER", "task failed"))
        elif phase == RunPhase.ABORTED:
            self.abort("")
        elif phase in _REPORTED:
            self._report(phase, attempt)
        else:
            self._status(phase, attempt)

    def succeed(self) -> None:
        """Succeed, after an attempt that ran."""
        attempt = self._begin()
        self._report(RunPhase.SUCCEEDED, attempt, outputs_uri=self._write_outputs(attempt))

    def fail(self, kind: Kind, message: str, attempts: int, *, error_later: bool) -> Callable[[], None]:
        """Run and fail attempts, the last one for good.

        :param error_later: The error is not there until the function that this returns is called.
        """
        error = _error(kind, message)
        last = self._begin()
        for _ in range(1, attempts):
            last = self.retry(kind, message)
        bring_error = partial(self._event, RunPhase.FAILED, last, error=error)
        if not error_later:
            bring_error()
        self._status(RunPhase.FAILED, last)
        return bring_error

    def retry(self, kind: Kind, message: str) -> int:
        """Fail the attempt that runs, and run another; returns its number."""
        attempt = self._begin()
        self._event(RunPhase.FAILED, attempt, error=_error(kind, message))
        self._status(RunPhase.QUEUED, attempt + 1)
        self._report(RunPhase.RUNNING, attempt + 1)
        return attempt + 1

    def child(self, name: str, task: str, group: str) -> Mover:
        """An action below this one, as RecordAction makes it; the same again is the same action."""
        key = (*self.action.key[:3], name)
        request = internal_run_service_pb2.RecordActionRequest(
            action_id=identifier_pb2.ActionIdentifier(run=self._id().run, name=name),
            parent=self.action.key[3],
            group=group,
        )
        ours = self.action.task_id
        request.task.id.CopyFrom(
            task_definition_pb2.TaskIdentifier(
                project=ours.project, domain=ours.domain, name=task or ours.name, version=ours.version
            )
        )
        if self.action.spec is not None:
            request.task.spec.CopyFrom(self.action.spec)
        self.executor.record_action(request, Call())
        action = self.store.action(key)
        assert action is not None
        return Mover(self.store, self.launch, self.executor, action)

    def condition(self, name: str, asked: run_definition_pb2.ConditionAction) -> Mover:
        """A condition below this action, PAUSED, which can be answered.

        :param name: of its action.
        :param asked: what it asks.
        """
        request = internal_run_service_pb2.RecordActionRequest(
            action_id=identifier_pb2.ActionIdentifier(run=self._id().run, name=name),
            parent=self.action.key[3],
            condition=asked,
        )
        self.executor.record_action(request, Call())
        action = self.store.action((*self.action.key[:3], name))
        assert action is not None
        action.takes_signals = True
        made = Mover(self.store, self.launch, self.executor, action)
        made.to_phase(RunPhase.PAUSED)
        return made

    def abort(self, reason: str) -> None:
        """Abort it as a client does: the whole run, or one of its other actions."""
        if self.action.key[3] != ROOT:
            self._status(RunPhase.ABORTED, max(self.action.attempts, 1))
            return
        request = run_service_pb2.AbortRunRequest(run_id=answers.identifier(self.action).run)
        if reason:
            request.reason = reason
        self.launch.abort_run(request, Call())

    def log(self, lines: Iterable[str], attempt: int | None, *, timed: bool) -> None:
        """Add lines to the log of an attempt."""
        with self.store.lock:
            now = answers.timestamp(self.store.now_ns()) if timed else None
            log = self.action.logs.setdefault(attempt or self.action.attempts, [])
            log += [payload_pb2.LogLine(timestamp=now, message=line, originator="USER") for line in lines]
            self.store.changed(self.action, phase=False)

    def _begin(self) -> int:
        """The attempt that is to end: it must have run."""
        attempt = self._attempt(RunPhase.RUNNING)
        if not any(key[0] == attempt for key in self.action.events):
            self._report(RunPhase.RUNNING, attempt)
        return attempt

    def _attempt(self, phase: int) -> int:
        """The attempt that a phase belongs to: a new one where the last has ended and the run has not."""
        seen = max((key[0] for key in self.action.events), default=0)
        if phase <= RunPhase.RUNNING and answers.events_are_terminal(self.action):
            return max(self.action.attempts, seen + 1)
        return max(self.action.attempts, 1)

    def _write_outputs(self, attempt: int) -> str:
        if self.outputs is None:
            return ""
        uri = f"{self.store.storage}/{'/'.join(self.action.key)}/{attempt}/outputs.pb"
        self.store.files[uri] = self.outputs
        return uri

    def _report(
        self,
        phase: int,
        attempt: int,
        *,
        error: run_definition_pb2.ErrorInfo | None = None,
        outputs_uri: str = "",
    ) -> None:
        self._event(phase, attempt, error=error, outputs_uri=outputs_uri)
        self._status(phase, attempt)

    def _event(
        self,
        phase: int,
        attempt: int,
        *,
        error: run_definition_pb2.ErrorInfo | None = None,
        outputs_uri: str = "",
    ) -> None:
        now = answers.timestamp(self.store.now_ns())
        event = run_definition_pb2.ActionEvent(
            id=self._id(),
            attempt=attempt,
            phase=phase,  # type: ignore[arg-type]  # an open enum
            version=1,
            updated_time=now,
            reported_time=now,
            cluster="local",
            error_info=error,
        )
        if outputs_uri:
            event.outputs.output_uri = outputs_uri
        request = internal_run_service_pb2.RecordActionEventsRequest(events=[event])
        self.executor.record_action_events(request, Call())

    def _status(self, phase: int, attempt: int) -> None:
        status = run_definition_pb2.ActionStatus(
            phase=phase,  # type: ignore[arg-type]  # an open enum
            attempts=attempt,
        )
        request = internal_run_service_pb2.UpdateActionStatusRequest(action_id=self._id(), status=status)
        self.executor.update_action_status(request, Call())

    def _id(self) -> identifier_pb2.ActionIdentifier:
        return answers.identifier(self.action)


def _error(kind: Kind, message: str) -> run_definition_pb2.ErrorInfo:
    return run_definition_pb2.ErrorInfo(message=message, kind=f"KIND_{kind}")


def condition_action(parent: Key, name: str, number: int) -> str:
    """The name of a condition's action: a hash of its parent's name, its own and a number, as the SDK makes it
    (``ActionID.new_sub_action_from``).
    """
    return "a" + hashlib.sha256("-".join((*parent, name, str(number))).encode()).hexdigest()[:24]


def condition_asked(
    name: str, kind: types_pb2.LiteralType, prompt: str, description: str, *, markdown: bool
) -> run_definition_pb2.ConditionAction:
    """What a condition asks, as the SDK sends it."""
    prompt_types = run_definition_pb2.ConditionPromptType
    return run_definition_pb2.ConditionAction(
        name=name,
        type=kind,
        prompt=prompt,
        description=description,
        prompt_type=prompt_types.CONDITION_PROMPT_TYPE_MARKDOWN
        if markdown
        else prompt_types.CONDITION_PROMPT_TYPE_TEXT,
    )
