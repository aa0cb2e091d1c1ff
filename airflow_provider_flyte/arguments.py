"""Arguments of tasks and triggers: their defaults and their checks, whose errors fail a task
without a retry.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime, timedelta, timezone
from typing import Any

from airflow_provider_flyte.client.arguments import action_names, seconds
from airflow_provider_flyte.client.errors import ConfigError
from airflow_provider_flyte.compat import XComArg, conf
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


def in_utc(value: Any) -> Any:
    """A datetime without a time zone as UTC, where Airflow would store it by its DAG processor's; all else as it is."""
    return value.replace(tzinfo=timezone.utc) if isinstance(value, datetime) and not value.tzinfo else value


def moment(name: str, value: object) -> datetime | float | None:
    """A datetime with a time zone, of a datetime or its text in ISO format (without a time zone it is UTC); seconds
    before now, of a number or a timedelta; or None.

    :param name: what the argument is called.
    :raises ConfigError: naming the argument and what to give.
    """
    if isinstance(value, str):
        if value.strip() in ("", "None"):
            raise ConfigError(
                f"{name} is {value!r}. Where that is a template, it names a date that this DAG run does not have: one "
                "that is triggered by hand on Airflow 3 may have no logical date and no data interval. Use "
                "'{{ dag_run.data_interval_end or dag_run.run_after }}', or trigger it with a logical date."
            )
        try:
            # Python 3.10 reads no Z.
            value = datetime.fromisoformat(value.strip().replace("Z", "+00:00"))
        except ValueError:
            raise ConfigError(
                f"{name} is {value!r}; give a datetime, its text in ISO format, or how long ago: seconds as a number "
                "or a timedelta."
            ) from None
    if isinstance(value, datetime):
        aware: datetime = in_utc(value)
        return aware
    return None if value is None else seconds(name, value, or_none=", a datetime, or None")


def moment_in_microseconds(name: str, value: object, now: float) -> int | None:
    """What :func:`moment` reads, in microseconds since the epoch and after it.

    :param now: from which so long ago counts, in seconds since the epoch.
    :raises ConfigError: naming the argument and what to give.
    """
    given = moment(name, value)
    return None if given is None else _in_microseconds(given, now)


def _in_microseconds(given: datetime | float, now: float) -> int:
    # No DAG file needs it.
    from airflow_provider_flyte.client.moments import microseconds_of

    # 0 is no limit in a list.
    return max(1, microseconds_of(given) if isinstance(given, datetime) else int((now - given) * 1_000_000))


SEARCH_ARGUMENTS = ("task_name", "since", "until", "which", "labels")
"""The arguments of a sensor that say which run it waits for, where they do not name it."""


# Not {{ data_interval_start }}: a DAG run that is triggered by hand on Airflow 3 has none, and templates fail over it.
NO_SINCE = (
    "since is not given; with task_name give the time since which its run was created, such as "
    "since='{{ (dag_run.data_interval_end or dag_run.run_after) | ds }}', or how long ago, as in since=3600."
)


def check_search(task: Any, default_args: Mapping[str, Any]) -> None:
    """Check the arguments by which a sensor looks for its run, as far as they are no templates.

    Those are left out that only the DAG's ``default_args`` have, and this sensor does not need: operators have
    ``task_name`` and ``labels`` too.

    :param task: the sensor.
    :param default_args: those of its DAG.
    :raises ConfigError: naming the argument and what to give.
    """
    if not check_search_names({name for name in OF_SEARCH if getattr(task, name) is not None}, default_args):
        task.task_name = None
    read: dict[str, datetime | float | None] = {}
    for name in ("since", "until", "labels"):
        value = getattr(task, name)
        if task.task_name is None:
            setattr(task, name, None)
        elif name != "labels" and isinstance(value, str | date | timedelta | int | float) and "{" not in str(value):
            read[name] = moment(name, value)
            # A number can be stored for the triggerer.
            setattr(task, name, read[name] if isinstance(value, timedelta) else in_utc(value))
    if task.task_name is not None:
        if isinstance(task.labels, list | tuple) and not any(isinstance(label, XComArg) for label in task.labels):
            label_values(task.labels)
        since, until = read.get("since"), read.get("until")
        # One that is so long ago and one that is a date change places with time.
        if since is not None and until is not None and isinstance(since, datetime) is isinstance(until, datetime):
            now = time.time()
            check_window(_in_microseconds(since, now), _in_microseconds(until, now))


OF_SEARCH = ("run_name", "run_names", "task_name", "since", "until", "labels")
"""The arguments of a sensor that say which run it is about."""


def check_search_names(given: Collection[str], default_args: Collection[str]) -> bool:
    """Whether a sensor looks for its run, by which of :data:`OF_SEARCH` are given, before their values are known.

    :param given: their names, those from the ``default_args`` included.
    :param default_args: the names in its DAG's.
    :raises ConfigError: where they do not go together; naming the argument and what to give.
    """
    named = next((name for name in ("run_name", "run_names") if name in given), None)
    if named and "task_name" in given and "task_name" not in default_args:
        raise ConfigError(f"{named} and task_name are both given; give one of them.")
    searches = "task_name" in given and not named
    for name in ("since", "until", "labels"):
        if name in given and not searches and name not in default_args:
            raise ConfigError(f"{name} has a meaning only with task_name, whose runs it chooses from.")
    if searches and "since" not in given:
        raise ConfigError(NO_SINCE)
    return searches


def check_window(since: int, until: int | None) -> None:
    """Refuse a window that has no length.

    :param since: in microseconds since the epoch.
    :param until: the same; None: it stays open.
    :raises ConfigError: naming the arguments and what to give.
    """
    from airflow_provider_flyte.client.moments import time_of

    if until is not None and until <= since:
        raise ConfigError(
            f"No run can be created from since={time_of(since)} to until={time_of(until)}: until is not later than "
            "since. On Airflow 3 the data interval of a DAG with a cron expression has no length, unless [scheduler] "
            "create_cron_data_intervals is set: leave out until, or add to it, as in "
            "until='{{ data_interval_start + macros.timedelta(days=1) }}'."
        )


def label_values(value: Any) -> dict[str, str] | None:
    """The labels that a run is to have, of a dict or of pairs; or None.

    :raises ConfigError: naming the argument and what to give.
    """
    if value is None:
        return None
    try:
        pairs = dict(value)
    except (TypeError, ValueError):
        pairs = {None: None}
    if not all(isinstance(part, str) for pair in pairs.items() for part in pair):
        raise ConfigError(f"labels is {value!r}; give a dict of texts, or None.")
    return pairs


LAST = 253_402_300_800
"""The year 10000, which no date can be in."""
