"""``airflow flyte check``: whether a task on this machine could use a connection."""

from __future__ import annotations

import argparse

from airflow_provider_flyte.cli.execution import FAILED, executed
from airflow_provider_flyte.cli.output import print_rows

PATIENCE = 30.0
"""Seconds for all steps together. Nobody's page waits for it, as for the Test button."""


@executed
def check(args: argparse.Namespace) -> int:
    """Print the steps of the check, with what was found and how long each took."""
    from airflow_provider_flyte.connection.check import Step, check_steps
    from airflow_provider_flyte.exceptions import FlyteConfigurationError
    from airflow_provider_flyte.hooks import FlyteHook

    try:
        # Files are opened that the Test button does not open: whoever has a shell here can read them anyway.
        steps = check_steps(FlyteHook(args.conn_id).get_config(), patience=PATIENCE)
    except FlyteConfigurationError as error:
        steps = [Step("Settings", False, 0.0, str(error))]
    rows = [
        {
            "step": step.name,
            "result": "passed" if step.passed else "failed",
            "seconds": round(step.seconds, 3),
            "message": step.text,
        }
        for step in steps
    ]
    print_rows(rows, args.output)
    return 0 if steps[-1].passed else FAILED
