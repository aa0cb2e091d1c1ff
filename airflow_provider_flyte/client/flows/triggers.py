"""Flyte's own triggers: saved launches of a task, with inputs and settings, that can be fired on demand.

What a trigger holds is put together here, as the SDK does. The open-source server restores only inputs that were
uploaded, and none of the settings; a hosted one restores them where nothing else is sent, and a launch of ours always
sends its annotations.
"""

from __future__ import annotations

from airflow_provider_flyte.client.errors import InputsError, NoSuchTriggerError, NotFoundError
from airflow_provider_flyte.client.flows.calls import PAGE_SIZE, Call, Flow
from airflow_provider_flyte.client.flows.launch_request import Launch
from airflow_provider_flyte.client.flows.tasks import all_of, find_task, instead_of
from airflow_provider_flyte.client.idl.common import identifier_pb2, list_pb2
from airflow_provider_flyte.client.idl.task import common_pb2, task_definition_pb2
from airflow_provider_flyte.client.idl.trigger import trigger_definition_pb2, trigger_service_pb2
from airflow_provider_flyte.client.idl.workflow import run_service_pb2
from airflow_provider_flyte.client.literals.inputs import make_inputs
from airflow_provider_flyte.client.rpc import TriggerService
from airflow_provider_flyte.client.run_key import RunKey

# The runtime fills the input that is named here with the time of the run's start (SDK 2.12.1, convert.py).
_START_TIME_MARK = "_u_kickoff_time_input_arg"


def find_trigger(wanted: Launch, key: RunKey, org: str) -> Flow[trigger_definition_pb2.TriggerDetails]:
    """The trigger's details.

    :raises NoSuchTriggerError: with the triggers that the task has.
    """
    name = identifier_pb2.TriggerName(
        org=org, project=key.project, domain=key.domain, name=wanted.trigger_name or "", task_name=wanted.task_name
    )
    try:
        details: trigger_definition_pb2.TriggerDetails = yield Call(
            TriggerService.GetTriggerDetails,
            trigger_service_pb2.GetTriggerDetailsRequest(name=name),
            lambda response: response.trigger,
        )
        return details
    except NotFoundError:
        triggers = yield from all_of(lambda token: _list_triggers(name, token))
        if name.name in triggers:
            raise
        raise NoSuchTriggerError(
            f"Task {name.task_name!r} has no trigger {name.name!r} in {name.project}/{name.domain}. "
            f"{instead_of(name.name, 'triggers', triggers)} Check both names, the project and the domain."
        ) from None


def fire(
    request: run_service_pb2.CreateRunRequest,
    trigger: trigger_definition_pb2.TriggerDetails,
    wanted: Launch,
    key: RunKey,
    org: str,
) -> Flow[None]:
    """Put the trigger and its inputs into the request, those of the launch over them."""
    name = trigger.id.name
    request.trigger_name.CopyFrom(
        identifier_pb2.TriggerName(
            org=org, project=key.project, domain=key.domain, name=name.name, task_name=name.task_name
        )
    )
    uploaded = trigger.spec.WhichOneof("input_wrapper") == "offloaded_input_data"
    if uploaded and not wanted.inputs:
        request.offloaded_input_data.CopyFrom(trigger.spec.offloaded_input_data)
        return
    task = yield from find_task(key.project, key.domain, org, name.task_name, trigger.spec.task_version)
    if uploaded:
        _check_all_given(task, wanted, name.name)
    kept = common_pb2.Inputs()
    kept.CopyFrom(trigger.spec.inputs)
    at_start = next((pair.value for pair in kept.context if pair.key == _START_TIME_MARK), None)
    if at_start in wanted.inputs:
        context = [pair for pair in kept.context if pair.key != _START_TIME_MARK]
        del kept.context[:]
        kept.context.extend(context)
    request.inputs.CopyFrom(make_inputs(task, wanted.inputs, kept, filled_later=at_start))


def _check_all_given(task: task_definition_pb2.TaskDetails, wanted: Launch, trigger: str) -> None:
    """Refuse a launch that leaves inputs to a trigger whose inputs were uploaded: they cannot be read back."""
    takes = [entry.key for entry in task.spec.task_template.interface.inputs.variables]
    left = [name for name in takes if name not in wanted.inputs]
    if left:
        raise InputsError(
            f"Trigger {trigger} keeps its inputs where only Flyte's tasks can read them: give all of them or none. "
            f"Missing are {', '.join(left)}."
        )


def _list_triggers(name: identifier_pb2.TriggerName, token: str) -> Call[tuple[list[str], str]]:
    task = task_definition_pb2.TaskName(org=name.org, project=name.project, domain=name.domain, name=name.task_name)
    return Call(
        TriggerService.ListTriggers,
        trigger_service_pb2.ListTriggersRequest(
            request=list_pb2.ListRequest(limit=PAGE_SIZE, token=token), task_name=task
        ),
        lambda response: ([row.id.name.name for row in response.triggers], response.token),
    )
