"""A DAG run that is reset in every way there is: its task launches what docs/launch.md says, and succeeds."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping

import pytest

from airflow_provider_flyte.testing import LocalFlyte, RunHandle
from tests.e2e.launches.scenes import Scene
from tests.support.airflow_api import until
from tests.support.airflow_process import StandaloneAirflow, flyte_connection

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

WAYS = ("queued", "cleared", "triggered", "made_again")
STATES = ("deferred", "up_for_retry")
"""The task's when its DAG run is reset: its run is running, or has failed and a retry is to come."""
DAY = "2026-01-01T00:00:00Z"
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
    api.wait_for_dags("e2e_reset", "e2e_made_again", "e2e_reprocessed", "e2e_resetting")
    connection = json.loads(flyte_connection(launched_on))
    extra = json.dumps(connection.pop("extra"))
    api.create_connection({"connection_id": "flyte_resets", **connection, "extra": extra})
    made = {}
    for state in reversed(STATES):
        for way in WAYS:
            dag_id = "e2e_made_again" if way == "made_again" else "e2e_reset"
            made[way, state] = Scene(airflow, launched_on, dag_id, api.trigger(dag_id, f"{way}-{state}"))
    dag_run = api.trigger_for("e2e_reprocessed", DAY)
    made["reprocessed", "failed"] = Scene(airflow, launched_on, "e2e_reprocessed", dag_run)
    for scene in made.values():
        scene.in_triggerer()
    for (_, state), scene in made.items():
        if state != "deferred":
            scene.run().fails(message="no rows")
    for (_, state), scene in made.items():
        scene.wait(state)
    api.pause("e2e_made_again")
    for (way, _), scene in made.items():
        reset(airflow, scene, way)
    launched_on.run(made["queued", "deferred"].name()).succeeds({"o0": 7})
    # The scheduler of 3.3.2 ends when a DAG run that it has in hands is deleted: by now it has looked again.
    api.wait_for_run("e2e_resetting", "resets-triggered-deferred")
    for state in STATES:
        make_again(airflow, made["made_again", state])
    api.pause("e2e_made_again", paused=False)
    return made


def reset(airflow: StandaloneAirflow, scene: Scene, way: str) -> None:
    if way == "queued":
        airflow.api.queue_run(scene.dag_id, scene.dag_run)
    elif way == "cleared":
        airflow.api.clear_run(scene.dag_id, scene.dag_run)
    elif way == "triggered":
        airflow.api.trigger("e2e_resetting", f"resets-{scene.dag_run}", run_id=scene.dag_run)
    elif way == "reprocessed":
        airflow.api.wait_for_run(scene.dag_id, scene.dag_run)
        airflow.api.backfill(scene.dag_id, DAY, "failed")


def make_again(airflow: StandaloneAirflow, scene: Scene) -> None:
    # Airflow deletes none that is running.
    airflow.api.queue_run(scene.dag_id, scene.dag_run)
    deferred = scene.task()["state"] == "deferred"
    airflow.api.delete_run(scene.dag_id, scene.dag_run)
    if deferred:
        # Airflow tells the trigger within seconds. A task that is there again by then may be taken for a cleared one.
        until(lambda: "is not aborted" in log_in_triggerer(airflow, scene), 60, "the trigger's end", airflow.tails)
    airflow.api.trigger(scene.dag_id, scene.dag_run)


def log_in_triggerer(airflow: StandaloneAirflow, scene: Scene) -> str:
    """What a trigger has logged; Airflow shows no log of a task that is deleted."""
    files = airflow.home.glob(f"logs/dag_id={scene.dag_id}/run_id={scene.dag_run}/**/*.trigger.*.log")
    return "".join(file.read_text() for file in files)


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
    assert scene.counts() == {"runs": runs, "enqueued": runs, "creates": runs, "aborts": aborts}, scene.describe()
    assert scene.airflow.api.xcom(task, "run_name") == scene.runs()[-1].name
    assert scene.airflow.api.xcom(task, "o0") in (7, "7")
