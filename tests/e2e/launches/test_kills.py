"""Tasks that are marked, cleared or ended by their DAG run's timeout: the run is aborted once, if it is running."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from threading import Event
from typing import Any

import psutil
import pytest

from airflow_provider_flyte.client.phase import RunPhase
from airflow_provider_flyte.testing import LocalFlyte, RunHandle
from tests.e2e.launches.scenes import ONE_RUN, Scene
from tests.support.airflow_api import until
from tests.support.airflow_process import StandaloneAirflow

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

WHERE = ("deferred", "worker")
DEEDS = ("failed", "success", "cleared")
WHY = {
    "failed": "the task was marked failed, or its DAG run was",
    "success": "the task was marked success",
    "cleared": "the task was cleared",
    "in_time": "the task was marked skipped, or its DAG run timed out",
}
Scenes = Mapping[tuple[str, str], Scene]
"""By where the task is and what is done to it."""


@pytest.fixture(scope="module")
def scenes(airflow: StandaloneAirflow, flyte: LocalFlyte) -> Scenes:
    """All of it at once: each task is brought to where it is to be killed, and then that is done."""
    api = airflow.api
    api.create_pool("none_free", 0)
    launched = Event()
    flyte.on_launch(lambda run: _hold(run, launched))
    dags = {(where, what): f"launch_{where}" for where in WHERE for what in (*DEEDS, "launching")}
    dags |= {(where, "late"): f"launch_{where}_late" for where in WHERE}
    dags |= {("queued", what): "launch_queued" for what in DEEDS}
    dags |= {("worker", "evicted"): "launch_worker"}
    # These first: their time is short.
    dags = {(where, "in_time"): f"launch_{where}_in_time" for where in WHERE} | dags
    made = {}
    for key, dag_id in dags.items():
        made[key] = Scene(airflow, flyte, dag_id, api.trigger(dag_id, "-".join(key)))
    for (where, what), scene in made.items():
        if what == "launching":
            # CreateRun has no answer yet.
            scene.run()
            api.mark(scene.wait("running"), "failed")
        elif where == "queued":
            _do(scene, what, scene.wait("scheduled"))
    launched.set()
    for (where, what), scene in made.items():
        if where == "queued" or what in ("launching", "in_time"):
            continue
        task = scene.in_triggerer() if where == "deferred" else scene.on_worker()
        if what == "late":
            scene.run().succeeds({"o0": 1})
            if where == "deferred":
                scene.wait_for_log("(resume_after)", "the end of the run")
            api.mark(task, "failed")
        elif what == "evicted":
            worker = psutil.Process(task["pid"]).parent()
            assert worker is not None
            worker.send_signal(signal.SIGTERM)
        else:
            _do(scene, what, task)
    evicted = made["worker", "evicted"]
    evicted.wait_for_log("nobody stopped the task: it is running", "the signal", 1)
    task = evicted.wait("running")
    for pid in (psutil.Process(task["pid"]).ppid(), task["pid"]):
        os.kill(pid, signal.SIGKILL)
    return made


def _hold(run: RunHandle, until_then: Event) -> None:
    if run.run_spec.annotations.values["airflow.apache.org/run_id"].endswith("-launching"):
        until_then.wait(60)


def _do(scene: Scene, what: str, task: dict[str, Any]) -> None:
    if what == "cleared":
        scene.airflow.api.clear(task)
    else:
        scene.airflow.api.mark(task, what)


@pytest.mark.parametrize("what", ["failed", "success"])
@pytest.mark.parametrize("where", WHERE)
def test_the_run_of_a_marked_task_is_aborted(scenes: Scenes, where: str, what: str) -> None:
    scene = scenes[where, what]
    scene.wait(what)
    _check_abort(scene, WHY[what])


def _check_abort(scene: Scene, why: str) -> None:
    abort = scene.wait_for_call("AbortRun")
    assert abort.request.reason == f"Airflow: {scene.dag_id}.train in {scene.dag_run}: {why}"
    until(lambda: scene.run().phase == RunPhase.ABORTED, 10, "the abort", scene.describe)
    assert scene.counts() == ONE_RUN | {"aborts": 1}


@pytest.mark.parametrize("where", WHERE)
def test_a_cleared_task_starts_anew(scenes: Scenes, where: str) -> None:
    scene = scenes[where, "cleared"]
    until(lambda: len(scene.runs()) == 2, 120, "the second run", scene.describe)
    scene.wait({"worker": "running"}.get(where, where), tries=2)
    first, second = scene.runs()
    assert first.phase == RunPhase.ABORTED
    second.succeeds({"o0": 1})
    scene.wait("success", tries=2)
    assert scene.counts() == {"runs": 2, "enqueued": 2, "creates": 2, "aborts": 1}


@pytest.mark.parametrize("where", WHERE)
def test_a_run_whose_launch_is_under_way_is_aborted(scenes: Scenes, where: str) -> None:
    scene = scenes[where, "launching"]
    abort = scene.wait_for_call("AbortRun")
    assert WHY["failed"] in abort.request.reason
    assert scene.counts() == ONE_RUN | {"aborts": 1}


@pytest.mark.parametrize("where", WHERE)
def test_a_run_that_has_just_succeeded_stays_so(scenes: Scenes, where: str) -> None:
    scene = scenes[where, "late"]
    scene.wait_for_log("already, so it is not aborted", "the look at the run")
    assert scene.run().phase == RunPhase.SUCCEEDED
    assert scene.counts() == ONE_RUN


def test_an_evicted_worker_aborts_nothing(scenes: Scenes) -> None:
    """Its machine asks it to end, and then takes it away: the next try waits for the run on."""
    scene = scenes["worker", "evicted"]
    scene.wait("running", tries=2)
    scene.run().succeeds({"o0": 1})
    scene.wait("success", tries=2)
    assert scene.counts() == ONE_RUN


@pytest.mark.parametrize("what", DEEDS)
def test_nothing_is_launched_for_a_task_that_had_not_started(scenes: Scenes, what: str) -> None:
    scene = scenes["queued", what]
    if what != "cleared":
        scene.wait(what)
        assert scene.counts() == {"runs": 0, "enqueued": 0, "creates": 0, "aborts": 0}
        return
    scene.airflow.api.resize_pool("none_free", 1)
    scene.run().succeeds({"o0": 1})
    scene.wait("success")
    assert scene.counts() == ONE_RUN


@pytest.mark.parametrize("where", WHERE)
def test_the_run_of_a_task_whose_dag_run_times_out_is_aborted(scenes: Scenes, where: str) -> None:
    scene = scenes[where, "in_time"]
    scene.wait("skipped")
    _check_abort(scene, WHY["in_time"])
