"""Whatever dies, and whenever: there is one Flyte run, it is not aborted, and the task gets its end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Event

import psutil
import pytest

from airflow_provider_flyte.testing import LocalFlyte, delay
from airflow_provider_flyte.testing.calls import Call
from airflow_provider_flyte.testing.faults import Fault
from tests.e2e.launches.scenes import ONE_RUN, Scene
from tests.support.airflow_api import until
from tests.support.airflow_process import StandaloneAirflow

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

MOMENTS = {"before": "ListRuns", "during": "CreateRun", "after": "GetRunDetails"}
"""The call in which something happens: before the launch, during it, and before the task defers or waits."""
OUTAGE = 5.0
Scenes = Mapping[str, Scene]


@dataclass(frozen=True)
class Happens(Fault):
    """Something happens while a call is on its way; after that it is answered."""

    what: Callable[[], object]

    def before(self, method: str, call: Call) -> None:
        self.what()


def events(scene: Scene) -> int:
    """How many the trigger sent."""
    tries = range(1, scene.task()["try_number"] + 1)
    return sum(scene.log(number).count("Trigger fired event") for number in tries)


# -- the worker's process


@pytest.fixture(scope="module")
def crashed(airflow: StandaloneAirflow, flyte: LocalFlyte) -> Scenes:
    """``kill -9`` of the task's process, exactly when the server has got a call of it."""
    scenes = {f"deferred-{moment}": "launch_deferred" for moment in (*MOMENTS, "resumed")}
    scenes |= {"worker-after": "launch_worker"}
    made = {}
    for name, dag_id in scenes.items():
        scene = made[name] = Scene(airflow, flyte, dag_id, f"crash-{name}")
        moment = name.partition("-")[2]
        if moment in MOMENTS:
            flyte.inject(MOMENTS[moment], Happens(scene.kill_worker, times=1), scene.concerns)
        airflow.api.trigger(dag_id, scene.dag_run)
    resumed = made["deferred-resumed"]
    resumed.in_triggerer()
    when = lambda request: resumed.concerns(request) and resumed.task()["state"] == "running"  # noqa: E731
    flyte.inject("GetRunDetails", Happens(resumed.kill_worker, times=1), when)
    resumed.run().succeeds({"o0": 1})
    return made


@pytest.mark.parametrize("moment", MOMENTS)
def test_the_worker_dies_around_the_launch(crashed: Scenes, moment: str) -> None:
    scene = crashed[f"deferred-{moment}"]
    task = scene.wait("deferred", tries=2)
    assert scene.run().name == scene.name(task["try_number"] if moment == "before" else 1)
    scene.run().succeeds({"o0": 1})
    scene.wait("success")
    assert scene.counts() == ONE_RUN
    assert events(scene) == 1


def test_the_worker_dies_while_it_waits(crashed: Scenes) -> None:
    scene = crashed["worker-after"]
    scene.wait("running", tries=2)
    scene.run().succeeds({"o0": 1})
    scene.wait("success")
    assert scene.counts() == ONE_RUN


def test_the_worker_dies_as_it_resumes(crashed: Scenes) -> None:
    """The run of the try before has succeeded: it is the answer."""
    scene = crashed["deferred-resumed"]
    scene.wait("success", tries=2)
    assert "launched by try 1 of this task: SUCCEEDED. Nothing is launched." in scene.log(2)
    assert scene.counts() == ONE_RUN
    assert scene.airflow.api.xcom(scene.task(), "o0") == 1


# -- the Flyte server


@pytest.fixture(scope="module")
def through_an_outage(airflow: StandaloneAirflow, second_flyte: LocalFlyte) -> Scenes:
    """The server hangs up on everybody and is away for a while, with a task at each moment."""
    made = {}
    scenes = dict.fromkeys((*MOMENTS, "deferred"), "launch_deferred") | {"waiting": "launch_worker"}
    for name, dag_id in scenes.items():
        scene = made[name] = Scene(airflow, second_flyte, dag_id, f"outage-{name}")
        if name in MOMENTS:
            # Its call has no answer until the server hangs up.
            second_flyte.inject(MOMENTS[name], delay(120, times=1), scene.concerns)
        airflow.api.trigger(dag_id, scene.dag_run, flyte="flyte_second")
    made["deferred"].in_triggerer()
    made["waiting"].on_worker()
    for name, method in MOMENTS.items():
        made[name].wait_for_call(method)
    second_flyte.stop()
    made["deferred"].run().succeeds({"o0": 1})
    try:
        Event().wait(OUTAGE)
    finally:
        second_flyte.start()
    return made


@pytest.mark.parametrize("moment", [*MOMENTS, "deferred", "waiting"])
def test_the_server_is_away(through_an_outage: Scenes, moment: str) -> None:
    scene = through_an_outage[moment]
    if moment != "deferred":
        scene.wait("running" if moment == "waiting" else "deferred")
        scene.run().succeeds({"o0": 1})
    scene.wait("success")
    assert scene.counts() == ONE_RUN
    assert events(scene) == (0 if moment == "waiting" else 1)


# -- the rest of Airflow


@pytest.fixture(scope="module")
def shaken(airflow: StandaloneAirflow, flyte: LocalFlyte) -> Scenes:
    """One part of Airflow after the other dies, or stalls, and comes back."""
    api = airflow.api
    dags = {"moved": "launch_deferred", "moved-unseen": "launch_deferred", "reset": "launch_worker_once"}
    made = {name: Scene(airflow, flyte, dag_id, api.trigger(dag_id, name)) for name, dag_id in dags.items()}
    moved = [made["moved"], made["moved-unseen"]]
    for scene in moved:
        scene.in_triggerer()
    made["reset"].on_worker()

    airflow.start_second_triggerer("triggerer-2")
    with airflow.paused(["triggerer"]):
        airflow.kill_alone("scheduler")
        airflow.start_component("scheduler")
        for scene in moved:
            scene.wait_for_next_call("ListRuns")
    # The triggers are the other one's by now, and Airflow calls on_kill.
    for scene in moved:
        scene.wait_for_log("nobody stopped the task: it is deferred", "on_kill")
    airflow.kill("triggerer-2")
    made["moved-unseen"].run().succeeds({"o0": 1})
    reset = made["reset"]
    reset.wait("running", tries=2)
    until(
        lambda: "Nothing is launched; the task waits for this run." in reset.log(2), 60, "the next try", reset.describe
    )
    reset.run().succeeds({"o0": 1})
    made["no-api"] = no_api = Scene(airflow, flyte, "launch_worker", api.trigger("launch_worker", "no-api"))
    worker = psutil.Process(no_api.on_worker()["pid"])
    made["moved-unseen"].wait("success")
    reset.wait("success")

    airflow.kill("api-server")
    worker.wait(90)
    airflow.start_component("api-server")
    airflow.wait_until_healthy()
    return made


@pytest.mark.parametrize("name", ["moved", "moved-unseen"])
def test_a_triggerer_stalls_and_the_next_one_dies(shaken: Scenes, name: str) -> None:
    """One of the runs ends while nobody looks."""
    scene = shaken[name]
    if name == "moved":
        scene.run().succeeds({"o0": 1})
    scene.wait("success")
    assert scene.counts() == ONE_RUN
    assert events(scene) == 1


def test_the_scheduler_dies_and_resets_a_task_without_retries(shaken: Scenes) -> None:
    """The worker lives on, and is asked to stop because the task has a next try."""
    scene = shaken["reset"]
    said = "This worker process was asked to stop (SIGTERM), but nobody stopped the task"
    scene.wait_for_log(said, "the signal", 1)
    task = scene.wait("success", tries=2)
    assert (task["try_number"], task["max_tries"]) == (2, 0)
    assert f"Found Flyte run flytesnacks/development/{scene.name()}, launched by try 1" in scene.log()
    assert scene.counts() == ONE_RUN


def test_the_api_server_is_down(shaken: Scenes) -> None:
    """Heartbeats fail, Airflow ends the worker, and nobody can say whether the task was killed."""
    scene = shaken["no-api"]
    scene.wait("running", tries=2)
    scene.run().succeeds({"o0": 1})
    scene.wait("success")
    assert "whether somebody stopped the task is not known" in scene.log(1)
    assert scene.counts() == ONE_RUN
