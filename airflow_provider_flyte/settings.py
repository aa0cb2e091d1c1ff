"""The section ``[flyte]`` of Airflow's configuration: how a triggerer polls, whether tasks write their runs' logs, what
the API server may read, whether there is a tab, which Airflow this is, and how the labels of its runs are called.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_flyte.client.watch.pacing import MAX_CALLS_PER_SECOND, MIN_POLL_INTERVAL, POLL_INTERVAL

if TYPE_CHECKING:
    from airflow_provider_flyte.client.config import FlyteConfig

SECTION = "flyte"


@dataclass(frozen=True)
class Option:
    """One option."""

    name: str
    default: float | bool | str
    help: str
    least: float = 0.1
    """Smallest value of a number. A smaller one means a flood of calls to Flyte, or so few that nothing is noticed."""

    most: float = 3600.0
    """Largest value of a number. An end that no stream sends is noticed only with the next poll."""


OPTIONS = (
    Option(
        "poll_interval",
        POLL_INTERVAL,
        "Maximum seconds between two polls while all is quiet; a deferred sensor's poke_interval may ask for less.",
    ),
    Option(
        "min_poll_interval",
        MIN_POLL_INTERVAL,
        "Seconds between two polls while there is something to find: waits are young, or no stream is open.",
    ),
    Option(
        "max_calls_per_second",
        MAX_CALLS_PER_SECOND,
        "Never more calls to Flyte than this on average, for each connection of a triggerer.",
    ),
    Option("stream", True, "Whether Flyte sends updates by itself, over one stream for each project and domain."),
)

READABLE = Option(
    "api_server_folders",
    "",
    "Folders, separated by commas, below which the Test button and the tab 'Flyte' may open the files that a "
    "connection names (certificates, tokens). They run inside the API server, which opens no other file.",
)

TAB = Option(
    "tab",
    True,
    "Whether task instances, DAG runs and DAGs have a tab 'Flyte' in Airflow's UI (3.1 and newer). For it the API "
    "server asks Flyte, over the connections of the tasks that somebody looks at.",
)

TAB_VALUES = Option(
    "tab_values",
    True,
    "Whether the tab shows the inputs and outputs of runs to those who may read the task instance's XCom.",
)

AIRFLOW_ID = Option(
    "airflow_id",
    "",
    "Which Airflow this is, as the annotations of the runs that it launches say: a run of another one is never taken "
    "for a task's own. The same for all parts of one Airflow, and kept for as long as it lives. Empty: the base_url "
    "of [api] (Airflow 2: of [webserver]).",
)

LABEL_PREFIX = Option(
    "label_prefix",
    "airflow-",
    "What the labels begin with that a launched run gets of its task: dag-id, task-id, run-id, try-number, map-index, "
    "owner, team. May have a domain before it, as in example.com/airflow-. Empty: no labels but the task's own.",
)

LABELS = ("dag-id", "task-id", "run-id", "try-number", "map-index", "owner", "team")
"""The labels, behind their prefix."""

STREAM_LOGS = Option(
    "stream_logs",
    False,
    "Whether tasks write the logs of their runs into their own while they wait, where neither the task nor its "
    "connection says so.",
)

_NO_BASE_URL = "http://localhost:8080"
"""The base_url of an Airflow that has none set."""


def config_section() -> dict[str, Any]:
    """The section, for ``get_provider_info``."""
    return {
        "description": "How a triggerer polls for the Flyte runs that it waits for, whether tasks write their logs, "
        "what the API server may read and show, which Airflow this is, and how the labels of its runs are called.",
        "options": {
            option.name: {
                "description": option.help,
                "version_added": "0.1.0",
                "type": {bool: "boolean", float: "float", str: "string"}[type(option.default)],
                "example": None,
                "default": str(option.default),
            }
            for option in (*OPTIONS, STREAM_LOGS, READABLE, TAB, TAB_VALUES, AIRFLOW_ID, LABEL_PREFIX)
        },
    }


def watcher_settings() -> dict[str, Any]:
    """What a :class:`~airflow_provider_flyte.client.RunWatcher` takes.

    :raises FlyteConfigurationError: naming the option and what to enter.
    """
    return {option.name: _read(option) for option in OPTIONS}


def streams_logs(asked: bool | None, config: FlyteConfig) -> bool:
    """Whether a task writes the logs of its runs into its own.

    :param asked: its argument ``stream_logs``.
    :param config: of its connection.
    :raises FlyteConfigurationError: naming the option and what to enter.
    """
    if asked is None:
        asked = config.stream_logs
    return bool(_read(STREAM_LOGS)) if asked is None else asked


def has_tab() -> bool:
    """Whether task instances, DAG runs and DAGs have the tab "Flyte": by Airflow's version, and its configuration.

    :raises FlyteConfigurationError: naming the option and what to enter.
    """
    from airflow_provider_flyte.compat.versions import has_task_tabs

    return has_task_tabs() and bool(_read(TAB))


def shows_values() -> bool:
    """Whether the tab shows inputs and outputs.

    :raises FlyteConfigurationError: naming the option and what to enter.
    """
    return bool(_read(TAB_VALUES))


def readable_folders() -> list[Path]:
    """The folders in which the API server may open files that a connection names."""
    return [Path(folder.strip()).resolve() for folder in _text(READABLE).split(",") if folder.strip()]


def airflow_id() -> str:
    """Which Airflow this is; docs/decisions.md has why it is told by its address."""
    from airflow_provider_flyte.compat.ui import base_url

    return _text(AIRFLOW_ID) or base_url().strip().rstrip("/") or _NO_BASE_URL


def label_prefix() -> str:
    """What the labels that a run gets of its task begin with; '' where it gets none.

    :raises FlyteConfigurationError: where no label can begin with it.
    """
    from airflow_provider_flyte.client.flows.kubernetes import is_label_key
    from airflow_provider_flyte.exceptions import FlyteConfigurationError

    prefix = _text(LABEL_PREFIX)
    if prefix and not all(is_label_key(prefix + name) for name in LABELS):
        raise FlyteConfigurationError(
            f"[{SECTION}] {LABEL_PREFIX.name} in Airflow's configuration is {prefix!r}, which no label of Kubernetes "
            "can begin with; enter at most 53 letters, digits, '-', '_' or '.', a letter or digit at first (before "
            "that, if anything, a domain and a '/'), leave it empty for no labels, or leave it out."
        )
    return prefix


def _text(option: Option) -> str:
    # Airflow reads the section's description while it is itself being imported.
    from airflow_provider_flyte.compat import conf

    return str(conf.get(SECTION, option.name, fallback=str(option.default))).strip()


def _read(option: Option) -> float | bool:
    from airflow_provider_flyte.client.arguments import is_number
    from airflow_provider_flyte.exceptions import FlyteConfigurationError

    text = _text(option)
    if isinstance(option.default, bool):
        if text.lower() in ("true", "1", "t", "yes"):
            return True
        if text.lower() in ("false", "0", "f", "no"):
            return False
        wanted = "True or False"
    else:
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if is_number(number, least=option.least, most=option.most):
            return number
        wanted = f"a number from {option.least:g} to {option.most:g}"
    raise FlyteConfigurationError(
        f"[{SECTION}] {option.name} in Airflow's configuration is {text!r}; enter {wanted}, or leave it out."
    )
