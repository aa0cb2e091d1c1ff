"""``airflow flyte show``: what Flyte has of a run."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from airflow_provider_flyte.cli.conditions import condition_data, sentence, waiting_of
from airflow_provider_flyte.cli.execution import executed
from airflow_provider_flyte.cli.output import print_object
from airflow_provider_flyte.cli.run_argument import client_and_run, details_of

if TYPE_CHECKING:
    from airflow_provider_flyte.client import RunDetails


@executed
def show(args: argparse.Namespace) -> int:
    """Print a run."""
    with client_and_run(args) as (client, key):
        details = details_of(client, key)
        record = described(details)
        waiting = waiting_of(client, details)
        if waiting is not None:
            as_data = args.output in ("json", "yaml")
            record["waits_for"] = [
                condition_data(each, args.conn_id) if as_data else sentence(each, args.conn_id, details.url)
                for each in waiting
            ]
        print_object(record, args.output)
    return 0


def described(details: RunDetails) -> dict[str, Any]:
    """What the command shows of a run, in JSON types; None where Flyte has nothing. No inputs, no environment.

    What the run waits for stands elsewhere in Flyte.
    """
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
        "waits_for": None,
        "url": details.url,
        "timeline": details.timeline(),
    }
