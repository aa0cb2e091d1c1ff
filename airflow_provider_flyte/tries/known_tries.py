"""The runs of tries that Airflow knows of, for those who look at them later: the command line and the tab.

Airflow has their numbers and ids, and the connection the beginning of names; from these and from the annotations of
the last run come the names of the earlier ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from airflow_provider_flyte.client.flows import calls
from airflow_provider_flyte.client.flows.calls import Flow
from airflow_provider_flyte.client.idl.workflow import run_definition_pb2
from airflow_provider_flyte.client.run_key import RunKey
from airflow_provider_flyte.tries.identity import MOST_NAMES, Found, TaskInstance, Try
from airflow_provider_flyte.tries.lookup import find_tries

MOST_TRIES = 20
"""Of how many earlier tries runs are looked for: the newest ones, a call for each that has one."""


def launched_in(run: Found, task: TaskInstance, number: int, attempt_id: str | None) -> bool:
    """Whether a try has launched the run, by the run's annotations.

    :param task: the task instance; without an ``airflow``, that of any Airflow.
    :param number: of the try.
    :param attempt_id: Airflow's id of the try; None where it is not known.
    """
    owner = run.owner
    if owner is not None and not task.airflow:
        owner = replace(owner, airflow="")
    if owner != task or run.try_number != number:
        return False
    known = run.annotation("task_instance_id")
    return known is None or attempt_id is None or known == attempt_id


def chosen_name(run: Found, prefix: str) -> str | None:
    """The name that the user chose for a task's runs, by one that the task has launched; None: a computed one.

    :param prefix: the beginning of computed names.
    """
    if run.owner is None:
        return None
    number = run.try_number
    computed = Try(replace(run.owner, airflow=""), max(number, 1), max(number, 1), prefix=prefix)
    if any(computed.name_of(computed.number, skipped) == run.name for skipped in range(MOST_NAMES)):
        return None
    return run.name.removesuffix(f"-{number}") if number > 1 else run.name


def runs_of_earlier_tries(
    last: RunKey, task: TaskInstance, attempts: Mapping[int, str | None], prefix: str, org: str
) -> Flow[dict[int, RunKey]]:
    """The runs that earlier tries of a task instance have launched, by the numbers of the tries, newest first.

    :param last: the run of its last try. None has an earlier one where another has launched this.
    :param attempts: Airflow's ids of the earlier tries, by their numbers.
    :param prefix: the beginning of computed names.
    """
    run = found(last.name, (yield calls.get_run_details(calls.run_identifier(last, org))))
    before = run.try_number - 1
    if before < 1 or not launched_in(run, task, run.try_number, None):
        return {}
    trying = Try(task, before, before - 1, prefix=prefix, run_name=chosen_name(run, prefix))
    runs = yield from find_tries(trying, last.project_domain.run, org, most=MOST_TRIES)
    known = {
        each.try_number: last.project_domain.run(each.name)
        for each in runs
        if each.try_number in attempts and launched_in(each, task, each.try_number, attempts[each.try_number])
    }
    return dict(sorted(known.items(), reverse=True))


def found(name: str, details: run_definition_pb2.RunDetails) -> Found:
    """A run by its details."""
    return Found(name, details.action.status.phase, dict(details.run_spec.annotations.values))
