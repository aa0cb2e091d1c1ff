"""Lookup of the runs of a task instance's tries, for :func:`decision.decide`."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime

from airflow_provider_flyte.client.errors import ConfigError
from airflow_provider_flyte.client.flows.calls import Flow
from airflow_provider_flyte.client.flows.named_runs import details_of
from airflow_provider_flyte.client.flows.runs_of_task import runs_of_task
from airflow_provider_flyte.client.idl.workflow import run_definition_pb2
from airflow_provider_flyte.client.run_key import RunKey
from airflow_provider_flyte.tries.identity import Found, TaskInstance, Try, next_name


def find_tries(
    trying: Try, key_of: Callable[[str], RunKey], org: str, *, later: bool = False, most: int | None = None
) -> Flow[list[Found]]:
    """The runs of this try and the earlier ones that exist; mostly by one ListRuns and a GetRunDetails each.

    With them the run that this try resumes with, which may have a name that no try has today.

    :param key_of: the run of a name, all in one project and domain.
    :param org: of the connection.
    :param later: whether runs of the next tries are looked for too.
    :param most: of how many tries runs are looked for, the newest ones; None: of all.
    :raises NotFoundError: where ListRuns has a run of which GetRunDetails answers NOT_FOUND: the database is in
        trouble.
    """
    found: list[Found] = []
    names: dict[str, tuple[int, int] | None] = {trying.resumes: None} if trying.resumes else {}
    names |= {trying.name_of(number): (number, 0) for number in trying.numbers[:most]}
    if later:
        names |= _later_names(trying)
    while names:
        # A run of an earlier try may have another name in Flyte than today's run_name gives it.
        keys = {key_of(name): name for name in names}
        details = yield from details_of(list(keys), org)
        batch = [_found(keys[key], each) for key, each in details.items()]
        found += batch
        following: dict[str, tuple[int, int] | None] = {}
        for run in batch:
            if (position := names[run.name]) and (name := next_name(trying, *position, run)):
                following[name] = position[0], position[1] + 1
        names = following
    return found


def _later_names(trying: Try) -> dict[str, tuple[int, int]]:
    names = {}
    # A chosen name may be too long for a try that Airflow does not allow today.
    with suppress(ConfigError):
        for number in trying.later_numbers:
            names[trying.name_of(number)] = number, 0
    return names


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
