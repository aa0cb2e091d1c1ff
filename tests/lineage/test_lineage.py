"""With OpenLineage's provider installed: the events that it writes, and the annotations of the launched run."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_flyte.assets import flyte_asset
from airflow_provider_flyte.operators import FlyteRunOperator
from airflow_provider_flyte.testing import LocalFlyte
from tests.support.driving import DagRun, Driven, TaskInstance
from tests.support.own_airflow import DAGS_FOLDER, load_dag_file

pytestmark = [
    pytest.mark.usefixtures("airflow_db"),
    pytest.mark.timeout(180),
    pytest.mark.parametrize("protocol", ["grpc"]),
]


@pytest.fixture
def lineage(flyte_default: LocalFlyte, events: Path) -> Any:
    shutil.copy(Path(__file__).parent / "dags" / "lineage.py", DAGS_FOLDER)
    flyte_default.deploy("demo.train", version="v7")
    return load_dag_file("lineage")


def of_task(events: Path, task_id: str) -> list[dict[str, Any]]:
    read = [json.loads(line) for line in events.read_text().splitlines()]
    return [event for event in read if event["job"]["name"] == f"lineage.{task_id}"]


def test_task_and_run_know_each_other(flyte_default: LocalFlyte, lineage: Any, events: Path) -> None:
    flyte_default.on_launch(lambda run: run.phases("RUNNING", "RUNNING", every=0.2).succeeds())
    lineage.dag.test()
    for run in flyte_default.runs():
        stored = run.run_spec.annotations.values
        assert stored["example.com/owner"] == "data"
        start, *_, complete = of_task(events, stored["airflow.apache.org/task_id"])
        parent = start["run"]["facets"]["parent"]
        assert {key: value for key, value in stored.items() if key.startswith("openlineage.io/")} == {
            "openlineage.io/parent-job-namespace": "warehouse",
            "openlineage.io/parent-job-name": start["job"]["name"],
            "openlineage.io/parent-run-id": start["run"]["runId"],
            "openlineage.io/root-parent-job-namespace": "warehouse",
            "openlineage.io/root-parent-job-name": parent["root"]["job"]["name"],
            "openlineage.io/root-parent-run-id": parent["root"]["run"]["runId"],
        }
        assert start["eventType"] == "START"
        assert values(start["run"]["facets"]["flyte_run"]) == {"taskName": "demo.train"}
        assert complete["eventType"] == "COMPLETE"
        facet = values(complete["run"]["facets"]["flyte_run"])
        assert facet.pop("url").endswith(f"/runs/{run.name}")
        assert facet == {
            "taskName": "demo.train",
            "taskVersion": "v7",
            "runName": run.name,
            "project": "flytesnacks",
            "domain": "development",
            "phase": "SUCCEEDED",
            "attempts": 1,
        }
        assert values(complete["run"]["facets"]["externalQuery"]) == {
            "externalQueryId": f"flytesnacks/development/{run.name}",
            "source": "flyte",
        }
    assert len(flyte_default.runs()) == 2


def test_how_a_run_failed(flyte_default: LocalFlyte, lineage: Any, events: Path) -> None:
    flyte_default.on_launch(lambda run: run.fails(kind="USER", message="no rows"))
    lineage.dag.test()
    for run in flyte_default.runs():
        fail = of_task(events, run.run_spec.annotations.values["airflow.apache.org/task_id"])[-1]
        assert fail["eventType"] == "FAIL"
        facet = values(fail["run"]["facets"]["flyte_run"])
        assert (facet["runName"], facet["phase"], facet["errorKind"]) == (run.name, "FAILED", "USER")


def test_the_asset_of_a_flyte_task_is_a_dataset(protocol: str) -> None:
    from airflow.providers.openlineage.utils.utils import translate_airflow_asset

    asset = flyte_asset(project="flytesnacks", domain="development", task_name="demo.train")
    dataset = translate_airflow_asset(asset, None)
    assert dataset
    assert (dataset.namespace, dataset.name) == ("flyte://flytesnacks", "development/demo.train")


def test_a_failure_of_openlineage_keeps_nothing_from_being_launched(
    flyte_default: LocalFlyte, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.providers.openlineage.plugins import macros

    def fails(ti: Any) -> str:
        raise RuntimeError("no date")

    monkeypatch.setattr(macros, "lineage_run_id", fails)
    flyte_default.deploy("demo.train")
    assert launched(flyte_default) == []


def test_switched_off(flyte_default: LocalFlyte, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__OPENLINEAGE__DISABLED", "True")
    flyte_default.deploy("demo.train")
    assert launched(flyte_default) == []


def launched(flyte: LocalFlyte) -> list[str]:
    """The annotations of OpenLineage on a run that a task launches."""
    operator = FlyteRunOperator(task_id="train", task_name="demo.train", wait=False)
    Driven(operator, TaskInstance(), DagRun()).run()
    [run] = flyte.runs()
    return [key for key in run.run_spec.annotations.values if key.startswith("openlineage.io/")]


def values(facet: dict[str, Any]) -> dict[str, Any]:
    """Without what OpenLineage itself adds."""
    return {key: value for key, value in facet.items() if not key.startswith("_")}
