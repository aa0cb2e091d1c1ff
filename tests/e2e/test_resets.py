"""A DAG run that is reset in every way there is: its task launches what docs/launch.md says, and succeeds."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping

import pytest

from airflow_provider_flyte.testing import LocalFlyte, RunHandle
from tests.e2e.airflow_api import until
from tests.e2e.airflow_process import StandaloneAirflow, flyte_connection
from tests.e2e.launches.scenes import Scene

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

WAYS = ("queued", "cleared", "triggered", "made_again")
STATES = ("deferred", "up_for_retry")
"""The task's when its DAG run is reset: its run is running, or has failed and a retry is to come."""
DAY = "2026-01-01"
Scenes = Mapping[tuple[str, str], Scene]
"""By the way of the reset and the task's state."""


@pytest.fixture(scope="module")
def launched_on() -> Iterator[LocalFlyte]:
    """The first run of a DAG run is left running, the next ones succeed."""
    seen: Counter[str] = Counter()

    def play(run: RunHandle) -> None:
        dag_run = run.run_spec.annotations.values["airflow.apache.org/run_id"]
        seen[dag_run] += 1
        if seen[dag_run] == 1:
            run.phases("RUNNING")
        else:
            run.phases("RUNNING").succeeds({"o0": 7})

    with LocalFlyte() as flyte:
        flyte.deploy("demo.train", outputs={"o0": int})
        flyte.on_launch(play)
        yield flyte


@pytest.fixture(scope="module")
def scenes(airflow: StandaloneAirflow, launched_on: LocalFlyte) -> Scenes:
    """All of it at once: each task is brought to its state, and then its DAG run is reset."""
    api = airflow.api
    api.wait_for_dags("e2e_reset", "e2e_reprocessed", "e2e_resetting")
    connection = json.loads(flyte_connection(launched_on))
    extra = json.dumps(connection.pop("extra"))
    api.create_connection({"connection_id": "flyte_resets", **connection, "extra": extra})
    made = {}
    for state in reversed(STATES):
        for way in WAYS:
            dag_run = api.trigger("e2e_reset", f"{way}-{state}")
            made[way, state] = Scene(airflow, launched_on, "e2e_reset", dag_run)
    dag_run = api.trigger_for("e2e_reprocessed", f"{DAY}T00:00:00Z")
    made["reprocessed", "failed"] = Scene(airflow, launched_on, "e2e_reprocessed", dag_run)
    for scene in made.values():
        scene.in_triggerer()
    for (_, state), scene in made.items():
        if state != "deferred":
            scene.run().fails(message="no rows")
    for (way, state), scene in made.items():
        scene.wait(state)
        if way == "reprocessed":
            api.wait_for_run(scene.dag_id, scene.dag_run)
        reset(airflow, scene, way)
    launched_on.run(made["queued", "deferred"].name()).succeeds({"o0": 7})
    return made


def reset(airflow: StandaloneAirflow, scene: Scene, way: str) -> None:
    api = airflow.api
    if way == "queued":
        api.queue_run(scene.dag_id, scene.dag_run)
    elif way == "cleared":
        api.clear_run(scene.dag_id, scene.dag_run)
    elif way == "triggered":
        api.trigger("e2e_resetting", f"resets-{scene.dag_run}", run_id=scene.dag_run)
    elif way == "reprocessed":
        days = ("--from-date", DAY, "--to-date", DAY)
        airflow.command("backfill", "create", "--dag-id", scene.dag_id, *days, "--reprocess-behavior", "failed")
    else:

        def deleted() -> bool:
            # Airflow deletes no DAG run that is running, and a queued one may be by then.
            api.queue_run(scene.dag_id, scene.dag_run)
            return api.delete_run(scene.dag_id, scene.dag_run)

        until(deleted, 30, f"{scene.dag_run} to be deleted")
        api.trigger(scene.dag_id, scene.dag_run)


@pytest.mark.parametrize(
    ("way", "state", "runs", "aborts"),
    [
        ("queued", "deferred", 1, 0),
        ("queued", "up_for_retry", 2, 0),
        ("cleared", "deferred", 2, 1),
        ("cleared", "up_for_retry", 2, 0),
        ("triggered", "deferred", 2, 1),
        ("triggered", "up_for_retry", 2, 0),
        ("made_again", "deferred", 2, 0),
        ("made_again", "up_for_retry", 2, 0),
        ("reprocessed", "failed", 2, 0),
    ],
)
def test_what_a_reset_launches(scenes: Scenes, way: str, state: str, runs: int, aborts: int) -> None:
    scene = scenes[way, state]
    # The second run of a DAG run is that of what came after the reset.
    until(lambda: len(scene.runs()) == runs, 120, f"{runs} runs", scene.describe)
    task = scene.wait("success")
    assert scene.told() == {"runs": runs, "enqueued": runs, "creates": runs, "aborts": aborts}, scene.describe()
    assert scene.airflow.api.xcom(task, "run_name") == scene.runs()[-1].name
    assert scene.airflow.api.xcom(task, "o0") in (7, "7")
