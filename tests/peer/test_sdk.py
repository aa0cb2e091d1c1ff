"""The real Flyte SDK reads the local server, and shows every run as we show it.

The SDK is 2.0.0b35, whose contract is older. The differences that this makes are listed here; nothing else may differ.
"""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from airflow_provider_flyte.client import RunDetails
from airflow_provider_flyte.client.phase import RunPhase
from airflow_provider_flyte.testing import LocalFlyte
from tests.peer.conftest import RUNS, run_sdk

NEWER_PHASES = {"paused": RunPhase.PAUSED, "recovered": RunPhase.RECOVERED}


def as_the_older_contract_shows(ours: dict[str, Any]) -> tuple[dict[str, Any], set[str]]:
    """Our ``to_dict()`` with the listed differences made, and which of them it took."""
    shown, made = copy.deepcopy(ours), set()
    if shown["runSpec"].pop("runStartTime", None):
        made.add("no runStartTime")
    action = shown["action"]
    interface = action.get("task", {}).get("taskTemplate", {}).get("interface", {})
    for side in ("inputs", "outputs"):
        variables = interface.get(side, {}).get("variables")
        if variables is not None:
            # A list of {key, value} now, a map then.
            interface[side]["variables"] = {variable["key"]: variable["value"] for variable in variables}
            made.add("variables are a map")
    for part in (action["status"], *action.get("attempts", ())):
        for holder in (part, *part.get("phaseTransitions", ())):
            name = str(holder.get("phase", "")).removeprefix("ACTION_PHASE_")
            if name in ("PAUSED", "RECOVERED"):
                holder["phase"] = int(RunPhase[name])
                made.add("phases 9 and 10 are numbers")
    return shown, made


@pytest.fixture(scope="module")
def theirs(flyte: LocalFlyte) -> dict[str, Any]:
    answered: dict[str, Any] = json.loads(run_sdk("PEER", "sdk_reads.py", flyte.endpoint, *RUNS))
    return answered


@pytest.mark.parametrize("name", RUNS)
def test_the_sdk_reads_what_we_read(theirs: dict[str, Any], ours: dict[str, RunDetails], name: str) -> None:
    expected, _ = as_the_older_contract_shows(ours[name].to_dict())
    assert theirs[name]["to_dict"] == expected
    assert theirs[name]["name"] == ours[name].name
    assert theirs[name]["task_name"] == ours[name].task_name
    # It takes a recovered run for one that goes on.
    assert theirs[name]["done"] == (ours[name].done() and name != "recovered")


def test_each_listed_difference_is_one(ours: dict[str, RunDetails]) -> None:
    """One that is gone does not stay on the list."""
    made = {name: as_the_older_contract_shows(details.to_dict())[1] for name, details in ours.items()}
    assert made["succeeded"] == {"variables are a map", "no runStartTime"}
    assert {name for name, those in made.items() if "phases 9 and 10 are numbers" in those} == set(NEWER_PHASES)
