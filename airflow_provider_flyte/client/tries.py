"""Looking up the runs of a task instance's tries, for :func:`launch_identity.decide`."""

from __future__ import annotations

from collections.abc import Sequence

from airflow_provider_flyte.client import calls
from airflow_provider_flyte.client.calls import Flow
from airflow_provider_flyte.client.errors import InvalidArgumentError, NotFoundError
from airflow_provider_flyte.client.idl.workflow import run_definition_pb2
from airflow_provider_flyte.client.launch_identity import Found
from airflow_provider_flyte.client.run_key import RunKey


def find_tries(keys: Sequence[RunKey], org: str) -> Flow[list[Found]]:
    """Those of these runs, all of one project and domain, that are there; by one ListRuns and a look at each.

    :raises NotFoundError: where ListRuns has a run whose details are said not to be there: the database is in trouble.
    """
    project, domain = keys[0].project, keys[0].domain
    proven = True
    try:
        phases = yield from calls.find_runs(project, domain, [key.name for key in keys], org)
        there = [key for key in keys if key in phases]
    except InvalidArgumentError:
        # A hosted backend may refuse the filter: then each is looked at, and its NOT_FOUND believed.
        there, proven = list(keys), False
    found = []
    for key in there:
        try:
            details: run_definition_pb2.RunDetails = yield calls.get_run_details(calls.run_identifier(key, org))
        except NotFoundError:
            if proven:
                raise
            continue
        found.append(_found(key.name, details))
    return found


def _found(name: str, details: run_definition_pb2.RunDetails) -> Found:
    return Found(
        name,
        details.action.status.phase,
        dict(details.run_spec.annotations.values),
        details.action.abort_info.reason if details.action.WhichOneof("result") == "abort_info" else "",
    )
