"""Every example DAG runs in a real Airflow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from airflow_provider_flyte.testing import LocalFlyte
from tests.e2e.conftest import FOLDERS
from tests.support.airflow_api import until
from tests.support.airflow_process import StandaloneAirflow

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


def test_wait_on_worker(airflow: StandaloneAirflow, flyte: LocalFlyte, dag_runs: Mapping[str, str]) -> None:
    api, dag_run = airflow.api, dag_runs["flyte_wait_on_worker"]
    clean = api.wait_for_task("flyte_wait_on_worker", dag_run, "clean", ("running",))
    # The same poll that finds nothing for a deferred task.
    until(lambda: airflow.task_processes(clean), 10, "the process of a task that pokes")
    flyte.run("hourly-cleaning").succeeds()
    clean = api.wait_for_task("flyte_wait_on_worker", dag_run, "clean", ("success",))
    assert api.xcom(clean)["action"]["status"]["phase"] == "ACTION_PHASE_SUCCEEDED"


def test_wait(airflow: StandaloneAirflow, flyte: LocalFlyte, dag_runs: Mapping[str, str]) -> None:
    api, dag_run = airflow.api, dag_runs["flyte_wait"]
    api.wait_for_task("flyte_wait", dag_run, "wait", ("deferred",))
    flyte.run("nightly-training").succeeds()
    report = api.wait_for_task("flyte_wait", dag_run, "report", ("success",))
    assert api.xcom(report).startswith("nightly-training took ")


def test_name_from_xcom(airflow: StandaloneAirflow, flyte: LocalFlyte, dag_runs: Mapping[str, str]) -> None:
    api, dag_run = airflow.api, dag_runs["flyte_wait_name_from_xcom"]
    api.wait_for_task("flyte_wait_name_from_xcom", dag_run, "wait", ("deferred",))
    flyte.run("ingest-of-today").succeeds({"rows": 3})
    written_to = api.wait_for_task("flyte_wait_name_from_xcom", dag_run, "written_to", ("success",))
    assert api.xcom(written_to).endswith("/ingest-of-today/a0/1/outputs.pb")


def test_scheduled(airflow: StandaloneAirflow, flyte: LocalFlyte, dag_runs: Mapping[str, str]) -> None:
    """No worker is held while there is no run, and none while it runs; in between one takes its name."""
    api, dag_run = airflow.api, dag_runs["flyte_wait_scheduled"]
    wait = api.wait_for_task("flyte_wait_scheduled", dag_run, "wait", ("deferred",))
    until(lambda: not airflow.task_processes(wait), 10, "the end of the task's processes")
    run = flyte.run("by-the-schedule", task="nightly.load").phases("RUNNING")
    until(lambda: api.xcom(wait, "run_name") == "by-the-schedule", 120, "the name of the run that was found")
    api.wait_for_task("flyte_wait_scheduled", dag_run, "wait", ("deferred",))
    run.succeeds()
    loaded = api.wait_for_task("flyte_wait_scheduled", dag_run, "loaded", ("success",))
    assert api.xcom(loaded) == "loaded by by-the-schedule"
    log = api.log_text(wait)
    assert "Looking for the first run of Flyte task nightly.load created since " in log
    assert "Flyte run flytesnacks/development/by-the-schedule: SUCCEEDED." in log


def test_soft_fail(airflow: StandaloneAirflow, flyte: LocalFlyte, dag_runs: Mapping[str, str]) -> None:
    api, dag_run = airflow.api, dag_runs["flyte_wait_soft_fail"]
    api.wait_for_task("flyte_wait_soft_fail", dag_run, "wait", ("deferred",))
    flyte.run("optional-forecast").fails(message="no weather today")
    assert api.wait_for_run("flyte_wait_soft_fail", dag_run) == "success"
    tasks = {task["task_id"]: task for task in api.tasks("flyte_wait_soft_fail", dag_run)}
    assert {name: task["state"] for name, task in tasks.items()} == {
        "wait": "skipped",
        "publish": "skipped",
        "note": "success",
    }
    assert api.xcom(tasks["note"]) == "ACTION_PHASE_FAILED"
    assert "no weather today" in api.log_text(tasks["wait"])


def test_mapped(airflow: StandaloneAirflow, flyte: LocalFlyte, dag_runs: Mapping[str, str]) -> None:
    api, dag_run = airflow.api, dag_runs["flyte_wait_mapped"]
    names = [f"shard-{number}" for number in range(3)]

    def all_deferred() -> bool:
        return [task["state"] for task in api.tasks("flyte_wait_mapped", dag_run, "wait")] == ["deferred"] * 3

    until(all_deferred, 180, "three deferred tasks", lambda: api.describe("flyte_wait_mapped", dag_run))
    for name in names:
        flyte.run(name).succeeds()
    succeeded = api.wait_for_task("flyte_wait_mapped", dag_run, "succeeded", ("success",))
    assert api.xcom(succeeded) == names


def test_several(airflow: StandaloneAirflow, flyte: LocalFlyte, dag_runs: Mapping[str, str]) -> None:
    api, dag_run = airflow.api, dag_runs["flyte_wait_several"]
    wait = api.wait_for_task("flyte_wait_several", dag_run, "wait", ("deferred",))
    names = ["region-north", "region-south", "region-west"]
    for name in names:
        flyte.run(name).succeeds()
    slowest = api.wait_for_task("flyte_wait_several", dag_run, "slowest", ("success",))
    assert api.xcom(slowest) in names
    log = api.log_text(wait)
    assert "Waiting for 3 Flyte runs over the Airflow connection 'flyte_default'." in log
    assert log.count("3 Flyte runs: 3 RUNNING") == log.count("3 Flyte runs: 3 SUCCEEDED") == 1


def test_launches(airflow: StandaloneAirflow, flyte: LocalFlyte, dag_runs: Mapping[str, str]) -> None:
    api, dag_run = airflow.api, dag_runs["flyte_launch"]
    report = api.wait_for_task("flyte_launch", dag_run, "report", ("success",))
    assert api.xcom(report) == "accuracy 0.93"
    from_function = "flyte_launch_from_function"
    report = api.wait_for_task(from_function, dag_runs[from_function], "report", ("success",))
    assert api.xcom(report) == "accuracy 0.93"
    total = api.wait_for_task("flyte_launch_mapped", dag_runs["flyte_launch_mapped"], "total", ("success",))
    assert api.xcom(total) == 300
    assert api.wait_for_run("flyte_launch_recover", dag_runs["flyte_launch_recover"]) == "success"
    dag_id = "airflow.apache.org/dag_id"
    launched = [run for run in flyte.runs() if run.run_spec.annotations.values[dag_id].startswith("flyte_")]
    tasks = ["models.train", "sales.export", *["sales.summarize"] * 3, *["train.fit"] * 2, *["train.pipeline"] * 2]
    assert sorted(run.task[0] for run in launched) == tasks
    assert {run.enqueued for run in launched} == {1}


def test_approval(airflow: StandaloneAirflow, dag_runs: Mapping[str, str]) -> None:
    """Asked in Airflow, answered in Flyte."""
    api, dag_run = airflow.api, dag_runs["flyte_approval"]
    report = api.wait_for_task("flyte_approval", dag_run, "report", ("success",))
    assert api.xcom(report) == "Publish the model? yes"


def test_outlets(airflow: StandaloneAirflow, flyte: LocalFlyte, dag_runs: Mapping[str, str]) -> None:
    """DAGs run because a launched run has succeeded, and know which: by the task's asset, by the file that it wrote."""
    api = airflow.api
    assert api.wait_for_run("flyte_outlet_launch", dag_runs["flyte_outlet_launch"]) == "success"
    [run] = [run for run in flyte.runs() if run.task[0] == "sales.export"]

    def said(dag_id: str, task_id: str) -> Any:
        def ended() -> str | None:
            runs = [one for one in api.dag_runs(dag_id) if one["run_type"].startswith("asset")]
            return next((one["dag_run_id"] for one in runs if one["state"] == "success"), None)

        return api.xcom(api.task(dag_id, until(ended, 120, f"{dag_id} by an asset", airflow.tails), task_id))

    assert said("flyte_outlet_used", "publish").startswith(f"{run.name} SUCCEEDED http")
    for dag_id in ("e2e_outlet_alias", "e2e_outlet_named"):
        # An event stands there once for its asset and once for the alias.
        event, *again = said(dag_id, "read")
        assert all(one == event for one in again)
        name, uri, extra = event
        # By the name that a DAG has for the address, and without its signature.
        assert (name, uri, extra["run_name"]) == ("exported_sales", "s3://sales/export.csv", run.name)


def test_reschedule(airflow: StandaloneAirflow, dag_runs: Mapping[str, str]) -> None:
    # Its run ends after the first look; the second comes a minute later.
    api, dag_run = airflow.api, dag_runs["flyte_wait_on_worker"]
    attempts = api.wait_for_task("flyte_wait_on_worker", dag_run, "attempts", ("success",))
    assert api.xcom(attempts) == [1, 1]
    log = api.log_text(api.task("flyte_wait_on_worker", dag_run, "score"))
    assert log.count(": RUNNING. ") == log.count(": SUCCEEDED. ") == 1


@pytest.mark.parametrize("dag_id", sorted(path.stem for path in FOLDERS["examples"].glob("*.py")))
def test_every_example_succeeds(airflow: StandaloneAirflow, dag_runs: Mapping[str, str], dag_id: str) -> None:
    assert airflow.api.wait_for_run(dag_id, dag_runs[dag_id]) == "success"
