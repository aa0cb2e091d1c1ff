"""Whatever dies, and whenever: there is one Flyte run, nobody aborts it, and the task gets its end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Event

import psutil
import pytest

from airflow_provider_flyte.testing import LocalFlyte, delay
from airflow_provider_flyte.testing.calls import Call
from airflow_provider_flyte.testing.faults import Fault
from tests.e2e.airflow_api import until
from tests.e2e.airflow_process import StandaloneAirflow
from tests.e2e.launches.scenes import Scene

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

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


def only_run(tries: int) -> dict[str, int]:
    return {"tries": tries, "runs": 1, "enqueued": 1, "creates": 1, "aborts": 0}


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
    assert (task["try_number"], task["max_tries"]) == (2, 1)
    assert scene.run().name == scene.name(2 if moment == "before" else 1)
    scene.run().succeeds({"o0": 1})
    scene.wait("success")
    assert scene.told() == only_run(tries=2)
    assert events(scene) == 1


def test_the_worker_dies_while_it_waits(crashed: Scenes) -> None:
    scene = crashed["worker-after"]
    scene.wait("running", tries=2)
    scene.run().succeeds({"o0": 1})
    scene.wait("success")
    assert scene.told() == only_run(tries=2)


def test_the_worker_dies_as_it_resumes(crashed: Scenes) -> None:
    """The run of the try before has succeeded: it is the answer."""
    scene = crashed["deferred-resumed"]
    scene.wait("success", tries=2)
    assert "launched by try 1 of this task: SUCCEEDED; nothing is launched." in scene.log(2)
    assert scene.told() == only_run(tries=2)
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
        scene.run().succeeds({"o0": 1})
    scene.wait("success")
    calls = scene.told()
    # Of the launch whose answer was lost the server may have seen a second one; it has started the run once.
    assert calls | {"creates": 1} == only_run(tries=1)
    assert calls["creates"] <= (2 if moment == "during" else 1)
    assert events(scene) == (0 if moment == "waiting" else 1)


# -- the rest of Airflow


def test_the_triggerer_stalls_and_another_one_dies(airflow: StandaloneAirflow, flyte: LocalFlyte) -> None:
    scenes = [Scene(airflow, flyte, "launch_deferred", f"moved-{number}") for number in range(2)]
    for scene in scenes:
        airflow.api.trigger(scene.dag_id, scene.dag_run)
    for scene in scenes:
        scene.in_triggerer()
    airflow.start_second_triggerer("triggerer-2")
    until(
        lambda: (
            "Triggerer's async thread" in airflow.log_of("triggerer-2")
            or "triggers currently running" in airflow.log_of("triggerer-2")
        ),
        60,
        "the second triggerer",
        airflow.tails,
    )
    airflow.pause("triggerer")
    try:
        for scene in scenes:
            until(
                lambda scene=scene: scene.log().count("Waiting for Flyte run") == 2,
                90,
                "the other triggerer",
                scene.describe,
            )
    finally:
        airflow.resume("triggerer")
    # Its triggers are another one's by now: Airflow calls on_kill.
    for scene in scenes:
        until(lambda scene=scene: "The task is deferred." in scene.log(), 60, "on_kill", scene.describe)
    airflow.kill("triggerer-2")
    scenes[0].run().succeeds({"o0": 1})
    for scene in scenes:
        until(
            lambda scene=scene: scene.log().count("Waiting for Flyte run") == 3,
            90,
            "the first triggerer",
            scene.describe,
        )
    scenes[1].run().succeeds({"o0": 1})
    for scene in scenes:
        scene.wait("success")
        assert scene.told() == only_run(tries=1)
        assert events(scene) == 1


def test_the_scheduler_dies_and_resets_a_task_without_retries(airflow: StandaloneAirflow, flyte: LocalFlyte) -> None:
    """The worker lives on, and is told to end because the task has a next try."""
    scene = Scene(airflow, flyte, "launch_worker_once", "scheduler")
    airflow.api.trigger(scene.dag_id, scene.dag_run)
    worker = scene.on_worker()["pid"]
    airflow.kill_alone("scheduler")
    assert psutil.pid_exists(worker)
    airflow.start_component("scheduler")
    task = scene.wait("running", tries=2)
    assert task["max_tries"] == 0
    until(
        lambda: "This process was told to end, but nobody killed the task" in scene.log(1),
        60,
        "the signal",
        scene.describe,
    )
    until(lambda: "nothing is launched, waiting for it" in scene.log(2), 60, "the next try", scene.describe)
    scene.run().succeeds({"o0": 1})
    scene.wait("success")
    assert scene.told() == only_run(tries=2)


def test_the_api_server_is_down(airflow: StandaloneAirflow, flyte: LocalFlyte) -> None:
    """Heartbeats fail, Airflow ends the worker, and nobody can say whether the task was killed."""
    scene = Scene(airflow, flyte, "launch_worker", "no-api")
    airflow.api.trigger(scene.dag_id, scene.dag_run)
    worker = psutil.Process(scene.on_worker()["pid"])
    airflow.kill("api-server")
    try:
        worker.wait(90)
    finally:
        airflow.start_component("api-server")
        airflow.wait_until_healthy()
    scene.wait("running", tries=2)
    scene.run().succeeds({"o0": 1})
    scene.wait("success")
    assert scene.told() == only_run(tries=2)
