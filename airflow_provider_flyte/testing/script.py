"""A run and what happens to it: ``flyte.run("r1").phases("QUEUED", "RUNNING", "SUCCEEDED", every=0.2)``."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, TypeAlias

from airflow_provider_flyte.client.idl.common import identifier_pb2
from airflow_provider_flyte.client.idl.task import common_pb2
from airflow_provider_flyte.client.idl.workflow import (
    internal_run_service_pb2,
    run_definition_pb2,
    run_service_pb2,
)
from airflow_provider_flyte.client.phase import RunPhase, is_known
from airflow_provider_flyte.testing import answers, plain
from airflow_provider_flyte.testing.calls import Call
from airflow_provider_flyte.testing.executor import ExecutorHandlers
from airflow_provider_flyte.testing.faults import Fault, FaultBox
from airflow_provider_flyte.testing.launch import LaunchHandlers
from airflow_provider_flyte.testing.scheduler import Scheduler
from airflow_provider_flyte.testing.store import ROOT, Action, Store

Step: TypeAlias = str | int | Fault
"""A phase by its name or number, also one that nobody knows yet; or a fault: from this step until the next one, reads
of the run meet it."""

Kind: TypeAlias = Literal["USER", "SYSTEM"]

_REPORTED = range(RunPhase.WAITING_FOR_RESOURCES, RunPhase.FAILED + 1)
"""Phases that the executor reports as an event too; of the others the recordings show a status alone."""


@dataclass(frozen=True)
class Backstage:
    """What a script works with: the same handlers that the doors call, never a way around them."""

    store: Store
    launch: LaunchHandlers
    executor: ExecutorHandlers
    faults: FaultBox
    scheduler: Scheduler


class RunHandle:
    """A run as a test holds it. Each verb returns the handle; steps that are due later happen in their order."""

    def __init__(self, backstage: Backstage, action: Action) -> None:
        self._back = backstage
        self._action = action
        self._lock = threading.RLock()
        self._pending = 0
        self._last_due = 0.0
        self._every = 0.0
        self._outputs: Mapping[str, Any] | None = None
        self._held_back: Callable[[], None] | None = None

    def __repr__(self) -> str:
        return f"<run {self.project}/{self.domain}/{self.name} {self.phase!r}>"

    # -- what it is

    @property
    def name(self) -> str:
        """The run's name."""
        return self._action.key[2]

    @property
    def project(self) -> str:
        """Its project."""
        return self._action.key[0]

    @property
    def domain(self) -> str:
        """Its domain."""
        return self._action.key[1]

    @property
    def phase(self) -> RunPhase | int:
        """The phase that the server shows now; a number where it is unknown."""
        phase = self._action.phase
        return RunPhase(phase) if is_known(phase) else phase

    @property
    def enqueued(self) -> int:
        """How often the executor was told to start it: more than once where CreateRun was repeated."""
        return self._action.enqueued

    @property
    def run_spec(self) -> Any:
        """The spec that it was launched with: labels, annotations, environment variables, relation."""
        return self._action.run_spec

    @property
    def task(self) -> tuple[str, str]:
        """Name and version of its task."""
        return self._action.task_id.name, self._action.task_id.version

    @property
    def inputs(self) -> Mapping[str, Any]:
        """The inputs as literals, defaults filled in."""
        return self._literals(self._action.inputs_uri)

    def _literals(self, uri: str) -> Mapping[str, Any]:
        found = self._back.store.files.get(uri)
        return {} if found is None else {pair.name: pair.value for pair in found.literals}

    # -- what happens to it

    def phases(self, *steps: Step, every: float = 0.0) -> RunHandle:
        """Go through these steps, the first one now (or after what is still due), the others each so much later.

        :param every: Seconds between two steps; with 0 all of them happen at once.
        """
        with self._lock:
            self._every = every
            for place, step in enumerate(steps):
                self._then(partial(self._apply, step), every if place or self._pending else 0.0)
        return self

    def move(self, step: Step) -> RunHandle:
        """One step now, whatever is due later: for tests that do not wait."""
        self._apply(step)
        return self

    def writes(self, outputs: Mapping[str, Any]) -> RunHandle:
        """What it will have written when it succeeds, by whatever verb; plain values or literals by name."""
        self._outputs = outputs
        return self

    def succeeds(self, outputs: Mapping[str, Any] | None = None) -> RunHandle:
        """Succeed after what is still due.

        :param outputs: Plain values or literals by name (the SDK's names are ``o0``, ``o1``, ...). Without, the data
            proxy answers NOT_FOUND, as of a run that wrote nothing.
        """
        return self._then(partial(self._succeed, outputs))

    def fails(
        self,
        kind: Kind = "USER",
        message: str = "task failed",
        *,
        attempts: int = 1,
        error_after: float | None = 0.0,
    ) -> RunHandle:
        """Fail after what is still due.

        :param attempts: Each attempt runs and fails; the last one for good.
        :param error_after: Seconds from the phase to the error: it comes with the last attempt's events, on the real
            backend a moment later. None: when :meth:`error_arrives` is called.
        """
        return self._then(partial(self._fail, kind, message, attempts, error_after))

    def error_arrives(self) -> RunHandle:
        """Bring the error that ``fails(error_after=None)`` held back."""
        with self._lock:
            send, self._held_back = self._held_back, None
        if send is None:
            raise RuntimeError(f"no error of run {self.name} is held back")
        send()
        return self

    def aborts(self, reason: str = "") -> RunHandle:
        """Be stopped by somebody, after what is still due."""
        return self._then(partial(self._abort, reason))

    def times_out(self) -> RunHandle:
        """End as TIMED_OUT after what is still due."""
        return self._then(partial(self._apply, RunPhase.TIMED_OUT))

    def pauses(self) -> RunHandle:
        """Wait for a signal (PAUSED) after what is still due."""
        return self._then(partial(self._apply, RunPhase.PAUSED))

    def recovers(self) -> RunHandle:
        """End as RECOVERED, a success, after what is still due."""
        return self._then(partial(self._apply, RunPhase.RECOVERED))

    def _then(self, function: Callable[[], None], after: float | None = None) -> RunHandle:
        """Do this so many seconds after what is still due; at once where nothing is and no time is to pass."""

        def later() -> None:
            with self._lock:
                self._pending -= 1
                function()

        with self._lock:
            if after is None:
                after = self._every if self._pending else 0.0
            if not self._pending and not after:
                function()
                return self
            self._last_due = (self._last_due if self._pending else time.monotonic()) + after
            self._pending += 1
            self._back.scheduler.at(self._last_due, later)
        return self

    # -- through the executor's service

    def _apply(self, step: Step) -> None:
        with self._lock:
            self._back.faults.set_for_run(self._action.key[:3], step if isinstance(step, Fault) else None)
            if isinstance(step, Fault):
                return
            phase = step if isinstance(step, int) else RunPhase[step]
            attempt = self._attempt(phase)
            if phase == RunPhase.SUCCEEDED:
                self._report(phase, attempt, outputs_uri=self._write_outputs(self._outputs, attempt))
            elif phase == RunPhase.FAILED:
                self._report(phase, attempt, error=_error("USER", "task failed"))
            elif phase == RunPhase.ABORTED:
                self._abort("")
            elif phase in _REPORTED:
                self._report(phase, attempt)
            elif phase != RunPhase.QUEUED or self._action.phase != phase:
                self._status(phase, attempt)

    def _attempt(self, phase: int) -> int:
        """The attempt that a phase belongs to: a new one where the last has ended and the run goes on."""
        going_on = phase <= RunPhase.RUNNING and answers.events_are_terminal(self._action)
        return max(self._action.attempts, 1) + going_on

    def _succeed(self, outputs: Mapping[str, Any] | None) -> None:
        attempt = self._begin()
        uri = self._write_outputs(self._outputs if outputs is None else outputs, attempt)
        self._report(RunPhase.SUCCEEDED, attempt, outputs_uri=uri)

    def _fail(self, kind: Kind, message: str, attempts: int, error_after: float | None) -> None:
        error = _error(kind, message)
        attempt = self._begin()
        for attempt in range(attempt, attempt + attempts - 1):
            self._event(RunPhase.FAILED, attempt, error=error)
            self._status(RunPhase.QUEUED, attempt + 1)
            self._report(RunPhase.RUNNING, attempt + 1)
        last = attempt + 1 if attempts > 1 else attempt
        if error_after == 0.0:
            self._report(RunPhase.FAILED, last, error=error)
            return
        self._status(RunPhase.FAILED, last)
        send = partial(self._event, RunPhase.FAILED, last, error=error)
        if error_after is None:
            self._held_back = send
        else:
            self._back.scheduler.at(time.monotonic() + error_after, send)

    def _begin(self) -> int:
        """The attempt that is to end: it must have run."""
        self._back.faults.set_for_run(self._action.key[:3], None)
        attempt = self._attempt(RunPhase.RUNNING)
        if not any(key[0] == attempt for key in self._action.events):
            self._report(RunPhase.RUNNING, attempt)
        return attempt

    def _abort(self, reason: str) -> None:
        request = run_service_pb2.AbortRunRequest(run_id=self._id().run)
        if reason:
            request.reason = reason
        self._back.launch.abort_run(request, Call())

    def _write_outputs(self, outputs: Mapping[str, Any] | None, attempt: int) -> str:
        if outputs is None:
            return ""
        uri = f"{self._back.store.storage}/{self.project}/{self.domain}/{self.name}/{ROOT}/{attempt}/outputs.pb"
        self._back.store.files[uri] = common_pb2.Outputs(literals=plain.named_literals(outputs))
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
        now = answers.timestamp(self._back.store.now_ns())
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
        self._back.executor.record_action_events(request, Call())

    def _status(self, phase: int, attempt: int) -> None:
        status = run_definition_pb2.ActionStatus(
            phase=phase,  # type: ignore[arg-type]  # an open enum
            attempts=attempt,
        )
        request = internal_run_service_pb2.UpdateActionStatusRequest(action_id=self._id(), status=status)
        self._back.executor.update_action_status(request, Call())

    def _id(self) -> identifier_pb2.ActionIdentifier:
        return answers.identifier(self._action)


def _error(kind: Kind, message: str) -> run_definition_pb2.ErrorInfo:
    return run_definition_pb2.ErrorInfo(
        message=message, kind=run_definition_pb2.ErrorInfo.Kind.Value(f"KIND_{kind}")
    )
