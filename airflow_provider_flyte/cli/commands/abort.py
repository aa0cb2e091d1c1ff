"""``airflow flyte abort``: stop a run."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from airflow_provider_flyte.cli.execution import FAILED, NotThere, executed
from airflow_provider_flyte.cli.output import print_object
from airflow_provider_flyte.cli.run_argument import client_and_run, details_of

if TYPE_CHECKING:
    from airflow_provider_flyte.client import RunDetails


@executed
def abort(args: argparse.Namespace) -> int:
    """Abort the run after a question, and print the abort's outcome."""
    from airflow_provider_flyte.client.flows.abort import Abort, check_reason
    from airflow_provider_flyte.client.phase import phase_name

    check_reason(args.reason)
    with client_and_run(args) as (client, key):
        details = details_of(client, key)
        if not (details.done() or args.yes or _confirmed(details)):
            sys.stderr.write("Nothing was aborted: it was not confirmed. Answer y, or give --yes.\n")
            return FAILED
        done = client.abort(key.name, args.reason, project=key.project, domain=key.domain)
        if done.outcome is Abort.MISSING:
            raise NotThere(f"{done}.")
        record = {
            "run": key.name,
            "project": key.project,
            "domain": key.domain,
            "outcome": done.outcome.value,
            "found": phase_name(done.phase or 0),
            "message": f"{done}.",
        }
        print_object(record, args.output)
    return 0


def _confirmed(details: RunDetails) -> bool:
    """Whether somebody types y. Standard output is for the outcome."""
    from airflow_provider_flyte.client.outside import one_line
    from airflow_provider_flyte.client.phase import phase_name
    from airflow_provider_flyte.tries.identity import owner_in

    owner = owner_in(details.pb2.run_spec.annotations.values)
    whose = f", launched by {owner}" if owner else ""
    task = one_line(details.task_name or "unknown")
    sys.stderr.write(f"Abort Flyte run {details.key} ({phase_name(details.phase)}, task {task}{whose})? (y/N) ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")
