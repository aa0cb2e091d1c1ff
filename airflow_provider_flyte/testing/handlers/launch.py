"""How a run begins, is answered and is stopped: CreateRun, SignalEvent and AbortRun."""

from __future__ import annotations

import random
import re
from collections.abc import Callable

from airflow_provider_flyte.client import rpc
from airflow_provider_flyte.client.idl.common import identifier_pb2
from airflow_provider_flyte.client.idl.core import types_pb2
from airflow_provider_flyte.client.idl.task import common_pb2, run_pb2, task_definition_pb2
from airflow_provider_flyte.client.idl.trigger import trigger_definition_pb2
from airflow_provider_flyte.client.idl.workflow import run_definition_pb2
from airflow_provider_flyte.client.idl.workflow import run_service_pb2 as pb
from airflow_provider_flyte.client.phase import RunPhase
from airflow_provider_flyte.testing import answers, literals
from airflow_provider_flyte.testing.calls import Call, Refusal
from airflow_provider_flyte.testing.dispatch import Handlers
from airflow_provider_flyte.testing.handlers.triggers import trigger_key
from airflow_provider_flyte.testing.store import (
    ROOT,
    Action,
    Store,
    action_key,
    require_project,
    require_run,
    run_key,
    task_not_found,
)

NAME_CHARACTERS = "bcdfghjklmnpqrstvwxz2456789"

_NAME = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_NAME_RULE = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic "
    "character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for "
    "validation is '[a-z]([-a-z0-9]*[a-z0-9])?')"
)


class LaunchHandlers:
    """The part of RunService that changes runs."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.on_launch: Callable[[Action], None] = lambda action: None
        """Called with each new run that a client launches, before it has its answer."""

    def table(self) -> Handlers:
        """The function that answers each method."""
        service = rpc.RunService
        return {
            service.CreateRun: self.create_run,
            service.AbortRun: self.abort_run,
            service.SignalEvent: self.signal_event,
        }

    def create_run(self, request: pb.CreateRunRequest, call: Call) -> pb.CreateRunResponse:
        """Launch a run, or return the one that has the name, whatever its phase."""
        action, new, answer = self.launch(request)
        if new:
            self.on_launch(action)
        return answer

    def launch(self, request: pb.CreateRunRequest) -> tuple[Action, bool, pb.CreateRunResponse]:
        """The run, whether it is new, and the answer."""
        run = self._run_id(request)
        with self._store.lock:
            require_project(self._store, run.project)
            trigger = self._trigger(request)
            task_id, spec = self._task(request, trigger)
            inputs_uri = self._write_inputs(request, run, spec, trigger)
            action = self._store.run(run_key(run))
            new = action is None
            if action is None:
                action = self._new_run(request, run, task_id, spec, inputs_uri)
                if trigger is not None:
                    action.metadata.trigger_id.CopyFrom(trigger.id)
                    action.metadata.trigger_name = trigger.id.name.name
                    action.metadata.trigger_type.CopyFrom(trigger.automation_spec)
            # The same name again: OK with the existing run, yet its inputs in the store are overwritten by then and
            # the executor is asked to start it again.
            action.enqueued += 1
            return action, new, pb.CreateRunResponse(run=answers.run_row(action))

    def _run_id(self, request: pb.CreateRunRequest) -> identifier_pb2.RunIdentifier:
        if request.HasField("run_id"):
            name = request.run_id.name
            if len(name) > 30:
                raise Refusal("INVALID_ARGUMENT", f'invalid run name "{name}": must be no more than 30 characters')
            if not _NAME.fullmatch(name):
                raise Refusal("INVALID_ARGUMENT", f'invalid run name "{name}": {_NAME_RULE}')
            return request.run_id
        if request.HasField("project_id"):
            name = "r" + "".join(random.choices(NAME_CHARACTERS, k=19))
            return identifier_pb2.RunIdentifier(
                project=request.project_id.name, domain=request.project_id.domain, name=name
            )
        raise Refusal("INVALID_ARGUMENT", "invalid run ID type")

    def _trigger(self, request: pb.CreateRunRequest) -> trigger_definition_pb2.TriggerDetails | None:
        if not request.HasField("trigger_name"):
            return None
        name = request.trigger_name
        trigger = self._store.triggers.get(trigger_key(name))
        if trigger is None:
            raise Refusal("NOT_FOUND", f'trigger "{name.name}" not found: sql: no rows in result set')
        return trigger

    def _task(
        self, request: pb.CreateRunRequest, trigger: trigger_definition_pb2.TriggerDetails | None
    ) -> tuple[task_definition_pb2.TaskIdentifier, task_definition_pb2.TaskSpec]:
        if request.HasField("task_spec"):
            template = request.task_spec.task_template.id
            return task_definition_pb2.TaskIdentifier(
                project=template.project,
                domain=template.domain,
                name=template.name,
                version=template.version,
            ), request.task_spec
        wanted = request.task_id
        if trigger is not None:
            name = trigger.id.name
            wanted = task_definition_pb2.TaskIdentifier(
                project=name.project, domain=name.domain, name=name.task_name, version=trigger.spec.task_version
            )
        task = self._store.task(wanted)
        if task is None:
            # UNKNOWN, not NOT_FOUND: the backend passes the plain error on.
            raise Refusal("UNKNOWN", task_not_found(wanted))
        return task.id, task.spec

    def _write_inputs(
        self,
        request: pb.CreateRunRequest,
        run: identifier_pb2.RunIdentifier,
        spec: task_definition_pb2.TaskSpec,
        trigger: trigger_definition_pb2.TriggerDetails | None,
    ) -> str:
        if request.HasField("offloaded_input_data"):
            return f"{request.offloaded_input_data.uri}/inputs.pb"
        # All that the open-source backend restores of a trigger: neither inline inputs nor its run spec.
        if trigger is not None and trigger.spec.HasField("offloaded_input_data") and not request.HasField("inputs"):
            return f"{trigger.spec.offloaded_input_data.uri}/inputs.pb"
        uri = f"{self._store.storage}/{run.project}/{run.domain}/{run.name}/inputs/inputs.pb"
        inputs = common_pb2.Inputs()
        inputs.CopyFrom(request.inputs)
        given = {literal.name for literal in inputs.literals}
        for parameter in spec.default_inputs:
            if parameter.name not in given and parameter.parameter.HasField("default"):
                inputs.literals.add(name=parameter.name, value=parameter.parameter.default)
        self._store.files[uri] = inputs
        return uri

    def _new_run(
        self,
        request: pb.CreateRunRequest,
        run: identifier_pb2.RunIdentifier,
        task_id: task_definition_pb2.TaskIdentifier,
        spec: task_definition_pb2.TaskSpec,
        inputs_uri: str,
    ) -> Action:
        created = self._store.now_ns()
        run_spec = run_pb2.RunSpec()
        run_spec.CopyFrom(request.run_spec)
        if not run_spec.raw_data_storage.raw_data_prefix:
            run_spec.raw_data_storage.raw_data_prefix = self._store.storage
        if not run_spec.HasField("run_start_time"):
            start = request.run_start_time if request.HasField("run_start_time") else answers.timestamp(created)
            run_spec.run_start_time.CopyFrom(start)
        action = Action(
            key=(*run_key(run), ROOT),
            number=self._store.next_number(),
            created_ns=created,
            metadata=run_definition_pb2.ActionMetadata(
                task=run_definition_pb2.TaskActionMetadata(
                    id=task_id, task_type=spec.task_template.type, short_name=spec.short_name
                ),
                action_type=run_definition_pb2.ACTION_TYPE_TASK,
                environment_name=spec.environment.name,
                funtion_name=task_id.name,  # sic: Flyte's own spelling
                source=request.source,
            ),
            spec=spec,
            run_spec=run_spec,
            inputs_uri=inputs_uri,
        )
        self._store.add(action)
        return action

    def abort_run(self, request: pb.AbortRunRequest, call: Call) -> pb.AbortRunResponse:
        """Stop a run. OK whatever its phase, and a success is overwritten: only the time of its end stays
        (succeeded.json, calls 9 and 10).
        """
        with self._store.lock:
            action = require_run(self._store, request.run_id)
            action.end(self._store.now_ns())
            action.phase = RunPhase.ABORTED
            action.abort_reason = request.reason if request.HasField("reason") else "User requested abort"
            self._store.changed(action, phase=True)
        return pb.AbortRunResponse()

    def signal_event(self, request: pb.SignalEventRequest, call: Call) -> pb.SignalEventResponse:
        """Answer a condition of a script. Of any other action UNIMPLEMENTED, as a backend says without an executor
        behind it (child_actions.json, call 23); what one with an executor refuses, and how, was not measured.
        """
        with self._store.lock:
            action = self._store.action(action_key(request.action_id))
            if action is None or action.condition is None or not action.takes_signals:
                raise Refusal("UNIMPLEMENTED", "flyteidl2.actions.ActionsService.Signal is not implemented")
            if request.parent_action_name != action.parent:
                raise Refusal("INVALID_ARGUMENT", f"parent of {request.action_id.name} is {action.parent}")
            given = request.payload.WhichOneof("value")
            if given != _PAYLOADS.get(action.condition.type.simple):
                raise Refusal("INVALID_ARGUMENT", f"the condition takes no {given}")
            if action.phase != RunPhase.PAUSED:
                raise Refusal("FAILED_PRECONDITION", f"condition {request.action_id.name} is not paused")
            action.signal = literals.literal(getattr(request.payload, given))
            action.end(self._store.now_ns())
            action.phase = RunPhase.SUCCEEDED
            self._store.changed(action, phase=True)
        return pb.SignalEventResponse()


_PAYLOADS = {
    types_pb2.BOOLEAN: "bool_value",
    types_pb2.INTEGER: "int_value",
    types_pb2.FLOAT: "float_value",
    types_pb2.STRING: "string_value",
}
