"""Looking up the runs of a task instance's tries, for :func:`launch_identity.decide`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from airflow_provider_flyte.client.calls import Flow
from airflow_provider_flyte.client.idl.workflow import run_definition_pb2
from airflow_provider_flyte.client.launch_identity import Found, TaskInstance
from airflow_provider_flyte.client.named_runs import details_of
from airflow_provider_flyte.client.run_key import RunKey
from airflow_provider_flyte.client.runs_of_task import runs_of_task


def find_tries(keys: Sequence[RunKey], org: str) -> Flow[list[Found]]:
    """Those of these runs, all of one project and domain, that are there; by one ListRuns and a look at each.

    :raises NotFoundError: where ListRuns has a run whose details are said not to be there: the database is in trouble.
    """
    details = yield from details_of(keys, org)
    return [_found(key.name, each) for key, each in details.items()]


def find_launched(
    task: TaskInstance, task_name: str, project: str, domain: str, org: str, since: datetime
) -> Flow[list[Found]]:
    """The newest runs of a Flyte task that this task instance has launched, under whatever name."""
    details = yield from runs_of_task(project, domain, task_name, org, since)
    found = [_found(key.name, each) for key, each in details.items()]
    return [run for run in found if run.owner == task]


def _found(name: str, details: run_definition_pb2.RunDetails) -> Found:
    return Found(
        name,
        details.action.status.phase,
        dict(details.run_spec.annotations.values),
        details.action.abort_info.reason if details.action.WhichOneof("result") == "abort_info" else "",
    )
