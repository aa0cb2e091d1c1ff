"""``airflow flyte signal``: answer a condition that a run waits for."""

from __future__ import annotations

import argparse

from airflow_provider_flyte.cli.execution import executed
from airflow_provider_flyte.cli.output import print_object
from airflow_provider_flyte.cli.run_argument import client_and_run, details_of


@executed
def signal(args: argparse.Namespace) -> int:
    """Send the answer, and print it with the condition's prompt."""
    from airflow_provider_flyte.client.flows.signal import check_condition, condition_details, value_from_text

    check_condition(args.condition)
    with client_and_run(args) as (client, key):
        # A missing run is told from a missing condition.
        details_of(client, key)
        asked = client.execute(condition_details(key, client.config.org, args.condition)).condition
        value = value_from_text(args.value, asked)
        done = client.signal(key.name, args.condition, value, project=key.project, domain=key.domain)
        record = {
            "run": key.name,
            "project": key.project,
            "domain": key.domain,
            "condition": done.condition,
            "prompt": done.prompt,
            "value": done.value,
        }
        print_object(record, args.output)
    return 0
