"""What the tab shows of a run, as JSON. Pure. Text from Flyte is cleaned here, and stays text in ``static/tab.js``."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_flyte.client.outside import LONGEST_NAME, one_line, some_lines
from airflow_provider_flyte.client.phase import is_successful, phase_name
from airflow_provider_flyte.client.timeline import moment

if TYPE_CHECKING:
    from airflow_provider_flyte.client import RunDetails

MOST_ATTEMPTS = 20
"""Attempts that are shown: the last ones."""

MOST_PHASES = 30
"""Phases of an attempt that are shown: the last ones."""

LONGEST_ERROR = 20_000
"""Characters of an error; its middle is left out."""


LONGEST_VALUE, MOST_VALUES = 10_000, 50_000
"""Characters of an input or output, and of all of them; the middle is left out."""


def run_view(details: RunDetails, *, logs: bool) -> dict[str, Any]:
    """What is shown of a run.

    :param details: as Flyte has them.
    :param logs: whether its error may be shown, which may quote what was logged.
    """
    action = details.pb2.action
    status, error = action.status, details.error
    started, ended = moment(status.start_time), moment(status.end_time)
    return {
        "task": one_line(details.task_name or "", LONGEST_NAME),
        "phase": phase_name(details.phase),
        "over": details.done(),
        "succeeded": is_successful(details.phase),
        "started": shown_time(started),
        "ended": shown_time(ended),
        "error": {"kind": one_line(error.kind, LONGEST_NAME), "message": some_lines(error.message, LONGEST_ERROR)}
        if error and logs
        else None,
        "error_hidden": error is not None and not logs,
        "attempts": [
            {
                "number": attempt.attempt,
                "phase": phase_name(attempt.phase),
                "phases": [
                    {
                        "phase": phase_name(each.phase),
                        "started": shown_time(moment(each.start_time)),
                        "ended": shown_time(moment(each.end_time)),
                    }
                    for each in attempt.phase_transitions[-MOST_PHASES:]
                ],
            }
            for attempt in action.attempts[-MOST_ATTEMPTS:]
        ],
        "attempts_left_out": max(0, len(action.attempts) - MOST_ATTEMPTS),
    }


def values_text(values: Mapping[str, Any], redact: Callable[[Any], Any]) -> str:
    """Inputs or outputs as a text, each on lines of its own.

    :param values: plain Python values.
    :param redact: Airflow's, which hides what stands under the name of a secret and what is known to be one.
    """
    shown = []
    for name, value in values.items():
        [(_, hidden)] = redact({name: _plain(value)}).items()
        text = hidden if isinstance(hidden, str) else json.dumps(hidden, indent=2, ensure_ascii=False)
        shown.append(f"{one_line(name, LONGEST_NAME)}: {some_lines(text, LONGEST_VALUE)}")
    return some_lines("\n".join(shown), MOST_VALUES)


def _plain(value: Any) -> Any:
    """The value in JSON's types."""
    from airflow_provider_flyte.client.literals.spelling import spell

    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return value.isoformat() if isinstance(value, date) else spell(value) if isinstance(value, bytes) else str(value)


def shown_time(at: datetime | None) -> str | None:
    """A time as pages read it."""
    return None if at is None else at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
