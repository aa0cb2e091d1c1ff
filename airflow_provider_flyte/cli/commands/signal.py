"""``airflow flyte signal``: answer a condition that a run waits for."""

from __future__ import annotations

import argparse

from airflow_provider_flyte.cli.execution import executed
from airflow_provider_flyte.cli.output import print_object
from airflow_provider_flyte.cli.run_argument import client_and_run, details_of


@executed
def signal(args: argparse.Namespace) -> int:
    """Send the answer, and print it with the condition's prompt."""
    from airflow_provider_flyte.client.flows.conditions import find_condition
    from airflow_provider_flyte.client.flows.signal import answer, check_condition, value_from_text

    check_condition(args.condition)
    with client_and_run(args) as (client, key):
        # A missing run is told from a missing condition.
        details_of(client, key)
        org = client.config.org
        asked = client.execute(find_condition(key, org, args.condition))
        done = client.execute(answer(asked, org, value_from_text(args.value, asked.kind)))
        record = {
            "run": key.name,
            "project": key.project,
            "domain": key.domain,
            "condition": done.condition,
            "action": done.action,
            "prompt": done.prompt,
            "value": done.value,
        }
        print_object(record, args.output)
    return 0
