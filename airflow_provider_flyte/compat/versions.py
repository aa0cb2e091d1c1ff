"""Which Airflow this is, and what it has."""

from __future__ import annotations

from airflow_provider_flyte.compat import find


def airflow_version() -> str:
    """Airflow's version."""
    import airflow

    return str(airflow.__version__)


def at_least(major: int, minor: int) -> bool:
    """Whether this Airflow is of that version, or newer."""
    found = airflow_version().split(".")
    return (int(found[0]), int(found[1])) >= (major, minor)


def has_task_tabs() -> bool:
    """Whether a plugin may add a tab to the pages of task instances."""
    return at_least(3, 1)


def has_provider_commands() -> bool:
    """Whether Airflow's command line has the commands that providers add: from 3.2 on."""
    return at_least(3, 2)


def has_human_requests() -> bool:
    """Whether a task can ask a person (human in the loop): from 3.1 on."""
    return at_least(3, 1)


def has_event_triggers() -> bool:
    """Whether triggers can fire for assets."""
    return at_least(3, 0)


def confirms_events() -> bool:
    """Whether a trigger for assets learns which of its events are stored (3.3)."""
    return hasattr(find("BaseEventTrigger"), "create_shared_stream_producer")


def renders_in_triggerer() -> bool:
    """Whether a task that starts in the triggerer has its templates rendered there (3.3)."""
    return at_least(3, 3)


def awaits_functions() -> bool:
    """Whether ``@task`` takes async functions, which await what Airflow has to say: from 3.2 on."""
    return at_least(3, 2)
