"""The newest runs of a Flyte task: for a retry whose earlier try launched under a name that is no longer known."""

from __future__ import annotations

from datetime import datetime

from airflow_provider_flyte.client.flows import calls
from airflow_provider_flyte.client.flows.calls import Call, Flow
from airflow_provider_flyte.client.flows.runs_by_creation import by_creation
from airflow_provider_flyte.client.idl.workflow import run_definition_pb2, run_service_pb2
from airflow_provider_flyte.client.moments import microseconds_of
from airflow_provider_flyte.client.rpc import RunService
from airflow_provider_flyte.client.run_key import ProjectDomain, RunKey, is_run_name

MOST = 50
"""How many runs are read: labels and annotations are in no list, so that each costs a call."""


def runs_of_task(
    project: str, domain: str, task_name: str, org: str, since: datetime
) -> Flow[dict[RunKey, run_definition_pb2.RunDetails]]:
    """The details of the newest :data:`MOST` runs of a task.

    :param since: when the first of them can have been created. It keeps the list cheap: without, a large database is
        read from end to end for a task that never ran.
    :raises NotFoundError: of a run that is listed: the database is in trouble.
    """
    request = by_creation(
        ProjectDomain(project, domain), task_name, org, microseconds_of(since), limit=MOST, newest_first=True
    )
    keys: list[RunKey] = yield Call(RunService.ListRuns, request, _keys)
    found = {}
    for key in keys[:MOST]:
        # Names of no run, and of runs elsewhere, were not asked for.
        if is_run_name(key.name) and (key.project, key.domain) == (project, domain):
            found[key] = yield calls.get_run_details(calls.run_identifier(key, org))
    return found


def _keys(response: run_service_pb2.ListRunsResponse) -> list[RunKey]:
    ids = [run.action.id.run for run in response.runs]
    return [RunKey(each.project, each.domain, each.name) for each in ids]
