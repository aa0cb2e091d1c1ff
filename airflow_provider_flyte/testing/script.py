"""A run and what happens to it: ``flyte.run("r1").phases("QUEUED", "RUNNING", "SUCCEEDED", every=0.2)``."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeAlias, cast, get_args

from airflow_provider_flyte.client.idl.task import common_pb2
from airflow_provider_flyte.client.phase import RunPhase, is_known
from airflow_provider_flyte.testing import literals
from airflow_provider_flyte.testing.fault_box import FaultBox
from airflow_provider_flyte.testing.faults import Fault
from airflow_provider_flyte.testing.moving import Kind, Mover, condition_action, condition_asked
from airflow_provider_flyte.testing.scheduler import Scheduler
from airflow_provider_flyte.testing.store import ROOT

Step: TypeAlias = str | int | Fault
"""A phase by its name or number, also an unknown one; or a fault: from this step until the next one, reads
of the run meet it."""


class RunHandle:
    """A run under a test's control. Each method returns the handle; steps that are due later happen in their order."""

    def __init__(self, mover: Mover, faults: FaultBox, scheduler: Scheduler) -> None:
        self._mover = mover
        self._action = mover.action
        self._faults = faults
        self._scheduler = scheduler
        self._lock = threading.RLock()
        self._pending = 0
        self._last_due = 0.0
        self._every = 0.0
        self._held_back: Callable[[], None] | None = None
        self._children: dict[str, RunHandle] = {}
        self._conditions = 0

    def __repr__(self) -> str:
        action = "" if self._action.key[3] == ROOT else f" {self._action.key[3]}"
        return f"<run {self.project}/{self.domain}/{self.name}{action} {self.phase!r}>"

    # -- what it is

    @property
    def name(self) -> str:
        """The run's name."""
        return self._action.key[2]

    @property
    def action(self) -> str:
        """The name of this action; a run's own is ``a0``."""
        return self._action.key[3]

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
        """How often the executor was asked to start it: more than once where CreateRun was repeated."""
        return self._action.enqueued

    @property
    def cluster(self) -> int:
        """Number of the cluster that it is on, from 0; of a ``LocalFlyte`` without clusters 0."""
        return self._action.cluster

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
        return {pair.name: pair.value for pair in self._mover.store.files[self._action.inputs_uri].literals}

    @property
    def context(self) -> Mapping[str, str]:
        """The context that came with the inputs, which each action of the run reads."""
        inputs = cast(common_pb2.Inputs, self._mover.store.files[self._action.inputs_uri])
        return {pair.key: pair.value for pair in inputs.context}

    # -- what happens to it

    def child(self, name: str, *, task: str = "", group: str = "") -> RunHandle:
        """An action that this one starts, now; the same name again is the same action. It has all verbs of a run.

        :param name: such as ``c7``.
        :param task: the task that it runs; by default this one's.
        :param group: the name of the loop or the map that it belongs to.
        """
        with self._lock:
            if name not in self._children:
                mover = self._mover.child(name, task, group)
                self._children[name] = RunHandle(mover, self._faults, self._scheduler)
            return self._children[name]

    def condition(
        self,
        name: str,
        kind: type = bool,
        *,
        prompt: str = "",
        description: str = "",
        markdown: bool = False,
        action: str | None = None,
    ) -> RunHandle:
        """A child action that waits, PAUSED, for an answer of this type (SignalEvent), and then succeeds; the run goes
        on by its script. The same name again is another condition.

        :param name: its own, such as ``approve``.
        :param kind: ``bool``, ``int``, ``float`` or ``str``.
        :param prompt: The question.
        :param description: More about it.
        :param markdown: Whether the question is Markdown.
        :param action: The name of its action (:attr:`action`); by default one made of its name and its number, as
            Flyte's SDK makes it.
        """
        with self._lock:
            self._conditions += 1
            made = action or condition_action(self._action.key, name, self._conditions)
            asked = condition_asked(name, literals.literal_type(kind), prompt, description, markdown=markdown)
            handle = RunHandle(self._mover.condition(made, asked), self._faults, self._scheduler)
            self._children[made] = handle
            return handle

    @property
    def signal(self) -> Any:
        """What a condition was answered with, as a literal; None before."""
        return self._action.signal

    def phases(self, *steps: Step, every: float = 0.0) -> RunHandle:
        """Go through these steps, the first one now, or after what is still due.

        :param every: Seconds from each step to the next; with 0 all of them happen at once.
        """
        checked = [_checked(step) for step in steps]
        with self._lock:
            self._every = every
            for index, step in enumerate(checked):
                self._then(partial(self._take, step), every if index or self._pending else 0.0)
        return self

    def move(self, step: Step) -> RunHandle:
        """Take one step now, whatever is due later: for tests that do not wait."""
        checked = _checked(step)
        with self._lock:
            self._do(partial(self._take, checked))
        return self

    def writes(self, outputs: Mapping[str, Any]) -> RunHandle:
        """Set the outputs that it has when it succeeds, by whichever method; plain values or literals by name."""
        self._mover.outputs = common_pb2.Outputs(literals=literals.named_literals(outputs))
        return self

    def logs(self, *lines: str, attempt: int | None = None, timed: bool = True) -> RunHandle:
        """Add lines to the log of an attempt, now; the server keeps them. Without this, it has no pod.

        :param attempt: Number of the attempt; default: the one that is running.
        :param timed: Whether the lines have times; Flyte sends lines without where it cannot read them.
        """
        self._mover.log(lines, attempt, timed=timed)
        return self

    def loses_pod(self, attempt: int | None = None) -> RunHandle:
        """Remove the pod of an attempt and so its log, as Kubernetes does some time after its end.

        :param attempt: Number of the attempt; default: the last one.
        """
        self._action.gone_pods.add(attempt or self._action.attempts)
        return self

    def succeeds(self, outputs: Mapping[str, Any] | None = None) -> RunHandle:
        """Succeed after what is still due.

        :param outputs: Plain values or literals by name (the SDK's names are ``o0``, ``o1``, ...). Without, the data
            proxy answers NOT_FOUND, as of a run that wrote nothing.
        """
        if outputs is not None:
            self.writes(outputs)
        return self._then(self._mover.succeed)

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
        if kind not in get_args(Kind) or attempts < 1:
            raise ValueError(f"kind is one of {', '.join(get_args(Kind))}, and attempts 1 or more")
        return self._then(partial(self._fail, kind, message, attempts, error_after))

    def retries(self, kind: Kind = "USER", message: str = "task failed") -> RunHandle:
        """Fail the attempt that runs, and begin another, after what is still due."""
        if kind not in get_args(Kind):
            raise ValueError(f"kind is one of {', '.join(get_args(Kind))}")
        return self._then(partial(self._retry, kind, message))

    def error_arrives(self) -> RunHandle:
        """Bring the error that ``fails(error_after=None)`` held back."""
        with self._lock:
            send, self._held_back = self._held_back, None
        if send is None:
            raise RuntimeError(f"no error of run {self.name} is held back")
        send()
        return self

    def aborts(self, reason: str = "") -> RunHandle:
        """Be aborted by somebody, after what is still due."""
        return self._then(partial(self._mover.abort, reason))

    def times_out(self) -> RunHandle:
        """End as TIMED_OUT after what is still due."""
        return self._then(partial(self._mover.to_phase, RunPhase.TIMED_OUT))

    def pauses(self) -> RunHandle:
        """Wait for a signal (PAUSED) after what is still due."""
        return self._then(partial(self._mover.to_phase, RunPhase.PAUSED))

    def recovers(self) -> RunHandle:
        """End as RECOVERED, a success, after what is still due."""
        return self._then(partial(self._mover.to_phase, RunPhase.RECOVERED))

    def _then(self, function: Callable[[], None], after: float | None = None) -> RunHandle:
        """Do this so many seconds after what is still due; at once where nothing is and no time is to pass."""

        def later() -> None:
            with self._lock:
                self._pending -= 1
                self._do(function)

        with self._lock:
            if after is None:
                after = self._every if self._pending else 0.0
            if not self._pending and not after:
                self._do(function)
                return self
            self._last_due = (self._last_due if self._pending else time.monotonic()) + after
            self._pending += 1
            self._scheduler.at(self._last_due, later)
        return self

    def _do(self, function: Callable[[], None]) -> None:
        if self._action.key[3] == ROOT:
            # A fault among the phases lasts until the next step.
            self._faults.set_for_run(self._action.key[:3], None)
        function()

    def _take(self, step: int | Fault) -> None:
        if isinstance(step, Fault):
            self._faults.set_for_run(self._action.key[:3], step)
        else:
            self._mover.to_phase(step)

    def _retry(self, kind: Kind, message: str) -> None:
        self._mover.retry(kind, message)

    def _fail(self, kind: Kind, message: str, attempts: int, error_after: float | None) -> None:
        send = self._mover.fail(kind, message, attempts, error_later=error_after != 0)
        if error_after is None:
            self._held_back = send
        elif error_after:
            self._scheduler.at(time.monotonic() + error_after, send)


def _checked(step: Step) -> int | Fault:
    """A phase as its number. Checked at once, because an error of a step that is due later would reach no test."""
    if isinstance(step, (int, Fault)):
        return step
    if step not in RunPhase.__members__:
        raise ValueError(f"no such phase: {step!r}; known are {', '.join(RunPhase.__members__)}")
    return RunPhase[step]
