"""``airflow flyte runs``: which try of which task of a DAG run has which Flyte run, and why."""

from __future__ import annotations

import argparse
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from airflow_provider_flyte.cli.conditions import which_are_paused
from airflow_provider_flyte.cli.execution import executed
from airflow_provider_flyte.cli.output import print_rows

if TYPE_CHECKING:
    from airflow_provider_flyte.cli.runs_of_tries import TryWithRun
    from airflow_provider_flyte.client import RunKey


@executed
def runs(args: argparse.Namespace) -> int:
    """Print a row for each try of the tasks that have to do with Flyte."""
    from airflow_provider_flyte.cli.airflow_tries import tries_of
    from airflow_provider_flyte.cli.runs_of_tries import RunsOfTries
    from airflow_provider_flyte.hooks import FlyteHook

    run_id, tries = tries_of(args.dag_id, args.run_id)
    with FlyteHook(args.conn_id).get_client() as client:
        found = RunsOfTries(client, args.dag_id, run_id).of(tries)
        paused = which_are_paused(client, [each.run for each in found if each.run is not None])
        print_rows([_row(run_id, each, paused) for each in found], args.output)
    return 0


def _row(run_id: str, each: TryWithRun, paused: Collection[RunKey]) -> dict[str, Any]:
    from airflow_provider_flyte.client.phase import phase_name

    of_airflow = each.of_airflow
    return {
        "dag_run": run_id,
        "task": of_airflow.task_id,
        "map_index": None if of_airflow.map_index < 0 else of_airflow.map_index,
        "try": of_airflow.number,
        "state": of_airflow.state,
        "run": None if each.key is None else str(each.key),
        "phase": None if each.run is None else phase_name(each.run.phase),
        "waits_for": "a paused action" if each.key in paused else None,
        "how": each.how,
        "why": each.why,
    }
