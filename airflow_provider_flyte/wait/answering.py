"""Where somebody can answer what a Flyte run waits for, in words for a task's log: what this Airflow has of it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from airflow_provider_flyte.compat.versions import has_provider_commands
from airflow_provider_flyte.exceptions import FlyteConfigurationError
from airflow_provider_flyte.settings import has_tab

if TYPE_CHECKING:
    from airflow_provider_flyte.client.flows.conditions import Condition

_ARGUMENT = re.compile(r"[A-Za-z0-9][\w.:-]*", re.ASCII)
"""What stands in a shell's command as it is."""


def ways_to_answer(condition: Condition, flyte_conn_id: str, page: str) -> str:
    """Where, as the end of a sentence that says what to do.

    :param condition: what waits.
    :param flyte_conn_id: the Airflow connection, for the command.
    :param page: the run's page in Flyte's console.
    """
    ways = ["in the tab 'Flyte'"] if _shows_tab() else []
    if command := command_of(condition, flyte_conn_id):
        ways.append(f"by `{command}`")
    return "".join(f"{way}, " for way in ways) + ("or " if ways else "") + f"in Flyte's console: {page}"


def _shows_tab() -> bool:
    """Whether there is a tab, as far as this process knows; a wrong option is for the API server to log."""
    try:
        return has_tab()
    except FlyteConfigurationError:
        return False


def command_of(condition: Condition, flyte_conn_id: str) -> str:
    """The command that answers, but for VALUE; '' where a shell would read a name otherwise."""
    # A name that a shell would read otherwise is not put into a command that is meant to be copied.
    run = (condition.key.project, condition.key.domain, condition.key.name)
    if not all(map(_ARGUMENT.fullmatch, (*run, condition.action, flyte_conn_id))):
        return ""
    program = "airflow flyte" if has_provider_commands() else "python -m airflow_provider_flyte"
    return f"{program} signal {'/'.join(run)} {condition.action} VALUE --conn-id {flyte_conn_id}"
