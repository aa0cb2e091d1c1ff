"""``airflow flyte show``: what Flyte has of a run."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from airflow_provider_flyte.cli.execution import executed
from airflow_provider_flyte.cli.output import print_object
from airflow_provider_flyte.cli.run_argument import client_and_run, details_of

if TYPE_CHECKING:
    from airflow_provider_flyte.client import RunDetails


@executed
def show(args: argparse.Namespace) -> int:
    """Print a run."""
    with client_and_run(args) as (client, key):
        print_object(described(details_of(client, key)), args.output)
    return 0


def described(details: RunDetails) -> dict[str, Any]:
    """What the command shows of a run, in JSON types; None where Flyte has nothing. No inputs, no environment."""
    from airflow_provider_flyte.client.phase import phase_name
    from airflow_provider_flyte.client.timeline import moment
    from airflow_provider_flyte.tries.identity import owner_in

    action, error = details.pb2.action, details.error
    status = action.status
    launched = moment(status.start_time)
    ended = moment(status.end_time) if status.HasField("end_time") else None
    owner = owner_in(details.pb2.run_spec.annotations.values)
    aborted = action.abort_info.reason if action.WhichOneof("result") == "abort_info" else None
    return {
        "run": details.name,
        "project": details.key.project,
        "domain": details.key.domain,
        "phase": phase_name(details.phase),
        "task": details.task_name,
        "launched_by": None if owner is None else str(owner),
        "launched": None if launched is None else launched.isoformat(),
        "ended": None if ended is None else ended.isoformat(),
        "seconds": None if launched is None or ended is None else round((ended - launched).total_seconds(), 3),
        "attempts": int(status.attempts),
        "error_kind": None if error is None else error.kind,
        "error": None if error is None else error.message,
        "abort_reason": aborted,
        "url": details.url,
        "timeline": details.timeline(),
    }
