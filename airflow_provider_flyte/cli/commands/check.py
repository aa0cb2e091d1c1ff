"""``airflow flyte check``: whether a task on this machine could use a connection."""

from __future__ import annotations

import argparse
import sys
from importlib.metadata import PackageNotFoundError, version

from airflow_provider_flyte.cli.execution import FAILED, executed
from airflow_provider_flyte.cli.output import print_rows

_FLYTE_1 = "airflow-provider-flyte"
"""Registers the same connection type, and comes first in Airflow's order, which is that of the names."""

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
    if note := note_of_flyte_1():
        sys.stderr.write(f"{note}\n")
    return 0 if steps[-1].passed else FAILED


def note_of_flyte_1() -> str | None:
    """What to know where the provider of Flyte 1 is installed too; None where it is not."""
    try:
        other = version(_FLYTE_1)
    except PackageNotFoundError:
        return None
    return (
        f"{_FLYTE_1} {other}, for Flyte 1, is installed too. Unless flytekit is missing, Airflow takes the connection "
        "type flyte for that one's: connections have no Test button, and no fields for the extra in Airflow 2.11. "
        "Tasks, and the check above, are as without it."
    )
