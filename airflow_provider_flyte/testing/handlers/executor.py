"""InternalRunService: how an executor moves a run. The scripts of tests move runs through here too."""

from __future__ import annotations

from airflow_provider_flyte.client import rpc
from airflow_provider_flyte.client.idl.workflow import internal_run_service_pb2 as pb
from airflow_provider_flyte.client.idl.workflow import run_definition_pb2
from airflow_provider_flyte.client.phase import RunPhase, is_known, is_terminal
from airflow_provider_flyte.testing import answers
from airflow_provider_flyte.testing.calls import Call
from airflow_provider_flyte.testing.dispatch import Handlers
from airflow_provider_flyte.testing.store import Action, Store, action_key


def may_change(old: int, new: int) -> bool:
    """Whether the store lets a status take this phase; where it does not, the whole status is dropped, silently.

    Phases only grow. So QUEUED with ``attempts: 2`` after RUNNING changes nothing, and a failed attempt that is
    retried shows as RUNNING with ``attempts: 1`` until the second one runs (executor.json, calls 15 and 16;
    failed_user.json, call 1). FAILED and TIMED_OUT are not the end for the store: anything may follow. A success or
    an abort is overwritten by RECOVERED alone (AbortRun goes another way). PAUSED must be left when the signal comes,
    and so may be a number that we do not know; neither was measured.
    """
    if old in (RunPhase.FAILED, RunPhase.TIMED_OUT, RunPhase.PAUSED) or not is_known(old):
        return True
    if old in (RunPhase.SUCCEEDED, RunPhase.ABORTED):
        return new in (old, RunPhase.RECOVERED)
    return new >= old


class ExecutorHandlers:
    """Records actions, their status and their events. The answer is always OK, also where nothing was changed."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def table(self) -> Handlers:
        """The function that answers each method."""
        service = rpc.InternalRunService
        return {
            service.RecordAction: self.record_action,
            service.UpdateActionStatus: self.update_action_status,
            service.RecordActionEvents: self.record_action_events,
        }

    def record_action(self, request: pb.RecordActionRequest, call: Call) -> pb.RecordActionResponse:
        """A new action within a run; one that exists already stays as it is."""
        with self._store.lock:
            if self._store.action(action_key(request.action_id)) is None:
                action = Action(
                    key=action_key(request.action_id),
                    number=self._store.next_number(),
                    created_ns=self._store.now_ns(),
                    parent=request.parent,
                    group=request.group,
                    inputs_uri=request.input_uri,
                    metadata=_metadata(request),
                    spec=request.task.spec if request.task.HasField("spec") else None,
                    condition=request.condition if request.HasField("condition") else None,
                )
                self._store.add(action)
        answer = pb.RecordActionResponse(action_id=request.action_id)
        answer.status.SetInParent()
        return answer

    def update_action_status(self, request: pb.UpdateActionStatusRequest, call: Call) -> pb.UpdateActionStatusResponse:
        """The action's phase and attempts. A missing run is OK too (executor.json, call 23)."""
        with self._store.lock:
            action = self._store.action(action_key(request.action_id))
            if action is not None and may_change(action.phase, request.status.phase):
                if request.status.HasField("start_time"):
                    action.start(answers.nanoseconds(request.status.start_time) // 1000 * 1000)
                if request.status.HasField("end_time"):
                    action.end(answers.nanoseconds(request.status.end_time) // 1000 * 1000)
                elif is_terminal(request.status.phase):
                    action.end(self._store.now_ns())
                action.phase = request.status.phase
                action.attempts = request.status.attempts
                self._store.changed(action, phase=True)
        answer = pb.UpdateActionStatusResponse(action_id=request.action_id)
        answer.status.SetInParent()
        return answer

    def record_action_events(self, request: pb.RecordActionEventsRequest, call: Call) -> pb.RecordActionEventsResponse:
        """What happened in an attempt. Events never touch the phase of the status, and the status never them."""
        with self._store.lock:
            changed: dict[int, Action] = {}
            for event in request.events:
                action = self._store.action(action_key(event.id))
                if action is not None:
                    kept = run_definition_pb2.ActionEvent()
                    kept.CopyFrom(event)
                    action.events.setdefault((event.attempt, event.phase, event.version), kept)
                    changed[id(action)] = action
            for action in changed.values():
                self._store.changed(action, phase=False)
        answer = pb.RecordActionEventsResponse()
        answer.status.SetInParent()
        return answer


def _metadata(request: pb.RecordActionRequest) -> run_definition_pb2.ActionMetadata:
    made = run_definition_pb2.ActionMetadata(parent=request.parent, group=request.group)
    if request.HasField("condition"):
        made.action_type = run_definition_pb2.ACTION_TYPE_CONDITION
        made.funtion_name = made.condition.name = request.condition.name  # sic: Flyte's own spelling
        made.condition.type.CopyFrom(request.condition.type)
        return made
    made.action_type = run_definition_pb2.ACTION_TYPE_TASK
    made.environment_name = request.task.spec.environment.name
    made.funtion_name = request.task.id.name
    made.task.id.CopyFrom(request.task.id)
    made.task.task_type = request.task.spec.task_template.type
    made.task.short_name = request.task.spec.short_name or request.task.id.name
    return made
