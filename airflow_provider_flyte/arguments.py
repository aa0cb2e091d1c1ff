"""Arguments of tasks and triggers: their defaults and their checks, whose errors fail a task
without a retry.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from airflow_provider_flyte.client.arguments import action_names
from airflow_provider_flyte.client.errors import ConfigError
from airflow_provider_flyte.compat import conf
from airflow_provider_flyte.exceptions import FlyteArgumentError

POLL_INTERVAL = 5.0
"""Maximum seconds until a task notices the end of a run, unless its author sets another value."""

LEAST_INTERVAL = 0.1
"""Minimum seconds between two polls of one task. A poll is a call to Flyte and a query to its database: with 0, a
single task made 2,622 of them in four seconds."""

DEFAULT_DEFERRABLE: bool = conf.getboolean("operators", "default_deferrable", fallback=False)

RESUME_AFTER = 10.0
"""Minimum seconds between a deferral and its end, unless the author sets another value."""


LOGICAL_DATE = "logical_date"
"""The argument ``run_start_time`` of an operator whose runs are told the date that the DAG run processes."""


@contextmanager
def argument_errors() -> Iterator[None]:
    """Raise the client's error about an argument as one that Airflow does not retry."""
    try:
        yield
    except ConfigError as error:
        raise FlyteArgumentError(str(error)) from error


def run_notifications(given: Any, rule: object) -> Sequence[Mapping[str, Any]]:
    """An operator's ``notifications``, as they were given.

    :param rule: its ``notification_rule``.
    :raises ConfigError: naming the argument and what to give.
    """
    if not given:
        return ()
    # Few DAG files need it.
    from airflow_provider_flyte.client.notifications import inline_rules, only_one

    inline_rules(given)
    only_one(given, rule)
    checked: Sequence[Mapping[str, Any]] = given
    return checked


def forced_actions(given: object, retry_as: str) -> tuple[str, ...]:
    """An operator's ``force_rerun_actions``.

    :raises ConfigError: naming the argument and what to give.
    """
    names = action_names("force_rerun_actions", given)
    if names and retry_as != "recover":
        raise ConfigError(f"force_rerun_actions has a meaning only with retry_as='recover', and that is {retry_as!r}.")
    return names


def check_starts_on_worker(given: Mapping[str, Any]) -> None:
    """Refuse what a sensor alone can do.

    :param given: arguments that an operator does not know.
    :raises ConfigError: with what to do.
    """
    for name in ("start_from_trigger", "end_from_trigger"):
        if name in given:
            raise ConfigError(
                f"{name} is an argument of FlyteRunSensor alone: a worker launches the run of a FlyteRunOperator. Give "
                "deferrable=True to have it wait in the triggerer."
            )


def timestamp(name: str, value: object) -> float | None:
    """A time in seconds since the epoch, or None.

    :raises FlyteArgumentError: naming the argument and what to give.
    """
    if value is None:
        return None
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < LAST:
        return value
    raise FlyteArgumentError(f"{name} is {value!r}; give seconds since the epoch, or None.")


LAST = 253_402_300_800
"""The year 10000, which no date can be in."""
