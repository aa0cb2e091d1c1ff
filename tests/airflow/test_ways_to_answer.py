"""Where a task's log says that an answer can be given: only what this Airflow has, and a command that can be copied."""

from __future__ import annotations

import shlex

import pytest

from airflow_provider_flyte.__main__ import parser
from airflow_provider_flyte.client.flows.conditions import Condition
from airflow_provider_flyte.client.phase import RunPhase
from airflow_provider_flyte.client.run_key import RunKey
from airflow_provider_flyte.wait.answering import ways_to_answer

PAGE = "http://flyte.example/runs/r1"
COMMAND = "signal p/d/r1 a0-approve-1 VALUE --conn-id mine"


def ways(action: str = "a0-approve-1") -> str:
    condition = Condition(RunKey("p", "d", "r1"), action, "approve", "a0", RunPhase.PAUSED, "", "", False, bool)
    return ways_to_answer(condition, "mine", PAGE)


@pytest.mark.parametrize(
    ("version", "option", "said"),
    [
        ("2.11.0", "True", f"by `python -m airflow_provider_flyte {COMMAND}`, or in Flyte's console: {PAGE}"),
        ("3.0.0", "True", f"by `python -m airflow_provider_flyte {COMMAND}`, or in Flyte's console: {PAGE}"),
        ("3.1.0", "True", f"in the tab 'Flyte', by `python -m airflow_provider_flyte {COMMAND}`, or in Flyte's "),
        ("3.2.0", "True", f"in the tab 'Flyte', by `airflow flyte {COMMAND}`, or in Flyte's console: {PAGE}"),
        ("3.2.0", "False", f"by `airflow flyte {COMMAND}`, or in Flyte's console: {PAGE}"),
        ("3.2.0", "perhaps", f"by `airflow flyte {COMMAND}`, or in Flyte's console: {PAGE}"),
    ],
)
def test_they_are_those_that_there_are(monkeypatch: pytest.MonkeyPatch, version: str, option: str, said: str) -> None:
    monkeypatch.setattr("airflow_provider_flyte.compat.versions.airflow_version", lambda: version)
    monkeypatch.setenv("AIRFLOW__FLYTE__TAB", option)
    assert ways().startswith(said)


def test_the_command_is_one() -> None:
    command = ways().split("`")[1]
    args = parser().parse_args(shlex.split(command[command.index("signal") :]))
    assert (args.run, args.condition, args.value, args.conn_id) == ("p/d/r1", "a0-approve-1", "VALUE", "mine")


def test_none_has_what_a_shell_would_read_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__FLYTE__TAB", "False")
    assert ways("a;b") == f"in Flyte's console: {PAGE}"
