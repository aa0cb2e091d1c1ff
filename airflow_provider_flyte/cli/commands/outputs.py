"""``airflow flyte outputs``: what a run has returned."""

from __future__ import annotations

import argparse

from airflow_provider_flyte.cli.conditions import say_what_waits
from airflow_provider_flyte.cli.execution import NotThere, executed
from airflow_provider_flyte.cli.output import json_types, print_object
from airflow_provider_flyte.cli.run_argument import client_and_run, details_of


@executed
def outputs(args: argparse.Namespace) -> int:
    """Print the outputs by their names."""
    from airflow_provider_flyte.client.phase import is_successful, phase_name

    with client_and_run(args) as (client, key):
        details = details_of(client, key)
        if not is_successful(details.phase):
            say_what_waits(client, details, args.conn_id)
            raise NotThere(f"Flyte run {key} has no outputs: it is {phase_name(details.phase)}.")
        print_object(json_types(details.outputs()), args.output)
    return 0
