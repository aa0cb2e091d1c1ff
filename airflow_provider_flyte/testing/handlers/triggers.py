"""TriggerService: Flyte's own triggers, which never fire by themselves here.

By the backend's source; nothing of it was measured.
"""

from __future__ import annotations

from airflow_provider_flyte.client import rpc
from airflow_provider_flyte.client.idl.common import identifier_pb2
from airflow_provider_flyte.client.idl.trigger import trigger_definition_pb2, trigger_service_pb2
from airflow_provider_flyte.testing import answers, listing
from airflow_provider_flyte.testing.calls import Call, Refusal
from airflow_provider_flyte.testing.dispatch import Handlers
from airflow_provider_flyte.testing.store import Key, Store, require_project


class TriggerHandlers:
    """Deployed triggers."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def table(self) -> Handlers:
        """The function that answers each method."""
        service = rpc.TriggerService
        return {
            service.DeployTrigger: self.deploy_trigger,
            service.GetTriggerDetails: self.get_trigger_details,
            service.ListTriggers: self.list_triggers,
        }

    def deploy_trigger(
        self, request: trigger_service_pb2.DeployTriggerRequest, call: Call
    ) -> trigger_service_pb2.DeployTriggerResponse:
        """Store a trigger, or its next revision."""
        name = request.name
        with self._store.lock:
            require_project(self._store, name.project)
            before = self._store.triggers.get(trigger_key(name))
            now = answers.timestamp(self._store.now_ns())
            details = trigger_definition_pb2.TriggerDetails(
                id=identifier_pb2.TriggerIdentifier(name=name, revision=before.id.revision + 1 if before else 1),
                spec=request.spec,
                automation_spec=request.automation_spec,
                status=trigger_definition_pb2.TriggerStatus(deployed_at=now, updated_at=now),
            )
            self._store.triggers[trigger_key(name)] = details
        return trigger_service_pb2.DeployTriggerResponse(trigger=details)

    def get_trigger_details(
        self, request: trigger_service_pb2.GetTriggerDetailsRequest, call: Call
    ) -> trigger_service_pb2.GetTriggerDetailsResponse:
        """A trigger's inputs and settings."""
        with self._store.lock:
            details = self._store.triggers.get(trigger_key(request.name))
        if details is None:
            raise Refusal("NOT_FOUND", "sql: no rows in result set")
        return trigger_service_pb2.GetTriggerDetailsResponse(trigger=details)

    def list_triggers(
        self, request: trigger_service_pb2.ListTriggersRequest, call: Call
    ) -> trigger_service_pb2.ListTriggersResponse:
        """The triggers of a task."""
        if not request.HasField("task_name") or request.request.filters:
            raise Refusal("UNIMPLEMENTED", "the local server lists the triggers of a task only, without filters")
        offset, limit = listing.page_of(request.request)
        task = request.task_name
        with self._store.lock:
            found = [
                details
                for key, details in self._store.triggers.items()
                if key[:3] == (task.project, task.domain, task.name)
            ]
        rows, token = listing.cut(found, offset, limit)
        answer = trigger_service_pb2.ListTriggersResponse(token=token)
        for details in rows:
            answer.triggers.add(
                id=details.id,
                status=details.status,
                active=details.spec.active,
                automation_spec=details.automation_spec,
            )
        return answer


def trigger_key(name: identifier_pb2.TriggerName) -> Key:
    """Project, domain, task and trigger."""
    return (name.project, name.domain, name.task_name, name.name)
