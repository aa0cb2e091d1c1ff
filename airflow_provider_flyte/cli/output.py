"""What a command prints, as Airflow's own commands do: a table, a plain table, JSON or YAML.

JSON and YAML have whole values in their own types. A table is for people: there, texts from outside are cleaned.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from airflow.cli.simple_table import AirflowConsole

from airflow_provider_flyte.client.outside import one_line, some_lines


class _Console(AirflowConsole):
    """Airflow's, which takes ``[red]`` in a text for itself, and ends the process where nobody reads it any more."""

    def __init__(self) -> None:
        super().__init__(markup=False, emoji=False, highlight=False)

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def print_rows(rows: Sequence[Mapping[str, Any]], output: str) -> None:
    """Print records that have the same fields.

    :param rows: a dict of JSON types each.
    :param output: ``table``, ``plain``, ``json`` or ``yaml``.
    """
    if output in ("json", "yaml"):
        _print_data([dict(row) for row in rows], output)
    else:
        shown = [{name: _cell(value) for name, value in row.items()} for row in rows]
        _Console().print_as(data=shown, output=output)


def print_object(record: Mapping[str, Any], output: str) -> None:
    """Print one record: a row for each field, or the object itself in JSON and YAML.

    :param record: JSON types by name.
    :param output: ``table``, ``plain``, ``json`` or ``yaml``.
    """
    if output in ("json", "yaml"):
        _print_data(dict(record), output)
    else:
        print_rows([{"property": name, "value": value} for name, value in record.items()], output)


def print_line(time: str, text: str, output: str) -> None:
    """Print a line of a log at once: as it is in a table, an object a line in JSON, an item of a list in YAML.

    :param time: when it was written; '' where that is not known.
    :param text: the line.
    :param output: ``table``, ``plain``, ``json`` or ``yaml``.
    """
    record = {"time": time or None, "line": text}
    if output == "json":
        printed = json.dumps(record)
    elif output == "yaml":
        # In JSON's style, which is YAML too.
        printed = f"- {json.dumps(record)}"
    else:
        printed = f"{time} {one_line(text)}".strip()
    sys.stdout.write(f"{printed}\n")
    sys.stdout.flush()


def json_types(value: Any) -> Any:
    """A plain value of Flyte in JSON types: dates and lengths of time in ISO 8601, bytes and what is no number in JSON
    spelled out as in XCom.
    """
    from airflow_provider_flyte.client.literals.spelling import spell

    if isinstance(value, Mapping):
        return {str(key): json_types(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [json_types(each) for each in value]
    if isinstance(value, bytes) or (isinstance(value, float) and not math.isfinite(value)):
        return spell(value)
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    import msgspec

    return msgspec.to_builtins(value)


def _print_data(data: Any, output: str) -> None:
    console = _Console()
    # Not print_as(), which makes texts of numbers.
    (console.print_as_json if output == "json" else console.print_as_yaml)(data)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, dict):
        return one_line(json.dumps(value, ensure_ascii=False))
    if isinstance(value, list):
        return "\n".join(map(_cell, value))
    return some_lines(value) if isinstance(value, str) else one_line(str(value))
