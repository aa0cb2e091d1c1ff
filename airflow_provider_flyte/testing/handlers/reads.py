"""How runs are read: details, lists, and the addresses of the data."""

from __future__ import annotations

from airflow_provider_flyte.client import rpc
from airflow_provider_flyte.client.idl.common import identifier_pb2
from airflow_provider_flyte.client.idl.workflow import run_definition_pb2
from airflow_provider_flyte.client.idl.workflow import run_service_pb2 as pb
from airflow_provider_flyte.client.phase import RunPhase
from airflow_provider_flyte.testing import answers, listing
from airflow_provider_flyte.testing.calls import Call, Refusal
from airflow_provider_flyte.testing.dispatch import Handlers
from airflow_provider_flyte.testing.store import ROOT, Action, Store, require_action, require_run, run_key


class ReadHandlers:
    """The part of RunService that answers one call with one message."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def table(self) -> Handlers:
        """The function that answers each method."""
        service = rpc.RunService
        return {
            service.GetRunDetails: self.get_run_details,
            service.GetActionDetails: self.get_action_details,
            service.GetActionData: self.get_action_data,
            service.GetActionDataURIs: self.get_action_data_uris,
            service.ListRuns: self.list_runs,
            service.ListActions: self.list_actions,
        }

    def get_run_details(self, request: pb.GetRunDetailsRequest, call: Call) -> pb.GetRunDetailsResponse:
        """Everything about a run; the org in the id is the one that was asked for."""
        with self._store.lock:
            action = require_run(self._store, request.run_id)
            asked = identifier_pb2.ActionIdentifier(run=request.run_id, name=ROOT)
            return pb.GetRunDetailsResponse(
                details=run_definition_pb2.RunDetails(
                    run_spec=action.run_spec, action=answers.action_details(action, asked)
                )
            )

    def get_action_details(self, request: pb.GetActionDetailsRequest, call: Call) -> pb.GetActionDetailsResponse:
        """The details of one action."""
        with self._store.lock:
            action = require_action(self._store, request.action_id)
            return pb.GetActionDetailsResponse(details=answers.action_details(action, request.action_id))

    def get_action_data(self, request: pb.GetActionDataRequest, call: Call) -> pb.GetActionDataResponse:
        """Removed from this service: the data proxy answers it."""
        raise Refusal(
            "UNIMPLEMENTED",
            "RunService.GetActionData is deprecated; use DataProxyService.GetActionData instead",
        )

    def get_action_data_uris(self, request: pb.GetActionDataURIsRequest, call: Call) -> pb.GetActionDataURIsResponse:
        """The addresses of inputs and outputs; outputs only of a run that succeeded."""
        with self._store.lock:
            action = require_action(self._store, request.action_id)
            return pb.GetActionDataURIsResponse(inputs_uri=action.inputs_uri, outputs_uri=answers.outputs_uri(action))

    def list_runs(self, request: pb.ListRunsRequest, call: Call) -> pb.ListRunsResponse:
        """A page of runs. What is not in it does not exist: no other call can prove that."""
        offset, limit = listing.page_of(request.request, listing.TIMES)
        listing.check(request.request.filters, listing.ACTION_COLUMNS)
        with self._store.lock:
            found = listing.matches(request.request.filters, listing.ACTION_COLUMNS, self._in_scope(request))
            rows, token = listing.cut(listing.in_order(request.request, found), offset, limit)
            return pb.ListRunsResponse(runs=[answers.run_row(action) for action in rows], token=token)

    def _in_scope(self, request: pb.ListRunsRequest) -> list[Action]:
        runs = self._scoped(request)
        if request.paused_actions_only:
            return [run for run in runs if any(one.phase == RunPhase.PAUSED for one in self._store.actions_of(run.key))]
        return runs

    def _scoped(self, request: pb.ListRunsRequest) -> list[Action]:
        scope = request.WhichOneof("scope_by")
        if scope is None:
            # Without a scope those of every project (broken_requests.json, call 6).
            return self._store.all_roots()
        if scope == "project_id":
            project, domain = request.project_id.name, request.project_id.domain
            names = listing.names_in(request.request)
            return self._store.roots(project, domain) if names is None else self._store.named(project, domain, names)
        if scope == "task_name":
            name = request.task_name
            return [run for run in self._store.roots(name.project, name.domain) if run.task_id.name == name.name]
        if scope == "task_id":
            task = request.task_id
            wanted = (task.name, task.version)
            runs = self._store.roots(task.project, task.domain)
            return [run for run in runs if (run.task_id.name, run.task_id.version) == wanted]
        raise Refusal("UNIMPLEMENTED", "the local server lists the runs of a project and domain or of a task only")

    def list_actions(self, request: pb.ListActionsRequest, call: Call) -> pb.ListActionsResponse:
        """A page of a run's actions."""
        offset, limit = listing.page_of(request.request, listing.TIMES)
        listing.check(request.request.filters, listing.ACTION_COLUMNS)
        with self._store.lock:
            found = listing.matches(
                request.request.filters,
                listing.ACTION_COLUMNS,
                self._store.actions_of(run_key(request.run_id)),
                scope=3,
            )
            rows, token = listing.cut(listing.in_order(request.request, found), offset, limit)
            return pb.ListActionsResponse(actions=[answers.action_row(action) for action in rows], token=token)
