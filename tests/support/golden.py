"""What this version stores in Airflow, in Flyte and in XCom, as files that later versions have to read.

``make golden`` writes tests/golden/VERSION, for a release; tests/airflow/test_golden.py reads those of all releases.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

from tests.support import own_airflow  # Before anything imports Airflow.

# isort: split
import pytest

from airflow_provider_flyte import __version__
from airflow_provider_flyte.client.run_key import RunKey
from airflow_provider_flyte.client.watch.feed_state import FeedState
from airflow_provider_flyte.compat import TaskDeferred
from airflow_provider_flyte.operators import FlyteRunOperator
from airflow_provider_flyte.report.task_runs import TaskRuns
from airflow_provider_flyte.sensor_triggers import FlyteSensorTrigger
from airflow_provider_flyte.sensors import FlyteRunSensor
from airflow_provider_flyte.testing import LocalFlyte, status
from airflow_provider_flyte.tries import identity
from airflow_provider_flyte.triggers import FlyteRunsTrigger
from airflow_provider_flyte.wait.event import Ending, RunEvent, with_settled
from tests.support.asking import Asking, Requests, requests_in_airflow
from tests.support.driving import MINE, Driven, TaskInstance, event_of, settled

GOLDEN = Path(__file__).parents[1] / "golden"

ENDPOINT = "localhost:8090"
PAST, FUTURE = 1_700_000_000.0, 4_000_000_000.0

_STILL_TO_COME = ("deadline", "execution_deadline", "queued_until", "queued_deadline")

_MUCH: dict[str, Any] = {"log_progress": True, "missing_after": 30, "unreachable_after": 40}
TASKS: dict[str, dict[str, Any]] = {
    "operator": {},
    "operator with much": {
        "run_name": "nightly",
        "queued_timeout": 600,
        "stream_logs": True,
        "on_paused": "fail",
        **_MUCH,
    },
    "sensor": {"run_name": "r1"},
    "sensor with much": {"run_name": "r1", "timeout": 60, "silent_fail": True, "stream_logs": False, **_MUCH},
    "sensor of several": {"run_names": ["r1", "r2"], "wait_for": "any", "fail_fast": False},
    "sensor that searches": {
        "task_name": "demo.train",
        "since": "2023-11-14T22:13:20+00:00",
        "labels": {"team": "sales"},
    },
}
"""Arguments of tasks that defer, by what they are."""


def task_of(what: str) -> Driven:
    """A try of such a task."""
    arguments: dict[str, Any] = {"deferrable": True, "resume_after": 0, **TASKS[what]}
    if what.startswith("operator"):
        task: Any = FlyteRunOperator(task_id="train", task_name="demo.train", poll_interval=0.2, **arguments)
    else:
        task = FlyteRunSensor(task_id="wait", poke_interval=0.2, **arguments)
    return Driven(task, TaskInstance())


def _deferral(what: str, flyte: LocalFlyte) -> dict[str, Any]:
    """What Airflow stores while such a task is deferred, and the event of its trigger."""
    task = task_of(what)
    with pytest.raises(TaskDeferred) as caught:
        task.task.execute(task.context)
    trigger = caught.value.trigger
    runs = [{"name": run.name, "annotations": dict(run.run_spec.annotations.values)} for run in flyte.runs()]
    if what == "sensor that searches":
        flyte.run("r1", labels={"team": "sales"})
        runs.append({"name": "r1", "labels": {"team": "sales"}})
    for run in flyte.runs():
        run.succeeds()
    return {
        "trigger": trigger.serialize(),
        "method": caught.value.method_name,
        "kwargs": caught.value.kwargs,
        "event": event_of(trigger),
        "xcoms": task.ti.xcoms,
        "runs": runs,
    }


def _deferrals() -> dict[str, Any]:
    made = {}
    for what in TASKS:
        with LocalFlyte() as flyte:
            os.environ["AIRFLOW_CONN_FLYTE_DEFAULT"] = own_airflow.connection_json(flyte)
            flyte.deploy("demo.train")
            flyte.on_launch(lambda run: run.move("RUNNING"))
            if what.startswith("sensor") and "searches" not in what:
                for name in TASKS[what].get("run_names", ["r1"]):
                    flyte.run(name).move("RUNNING")
            made[what] = _steady(_deferral(what, flyte), flyte.endpoint)
    return made


def _steady(value: Any, endpoint: str, key: str = "") -> Any:
    """The same without what differs from one time to the next."""
    if isinstance(value, Mapping):
        return {str(name): _steady(each, endpoint, str(name)) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_steady(each, endpoint, key) for each in value]
    if isinstance(value, float) and value > PAST:
        return FUTURE if key in _STILL_TO_COME else PAST
    return value.replace(endpoint, ENDPOINT) if isinstance(value, str) else value


def _events() -> dict[str, Any]:
    events = {ending.value: RunEvent(ending, "r1", 6, "because", 1).to_payload() for ending in Ending}
    events["with logs"] = RunEvent(Ending.SUCCEEDED, "r1", 5, logs={"r1": {"lines": 3}}).to_payload()
    events["of a task that began in the triggerer"] = with_settled(
        RunEvent(Ending.SUCCEEDED, "r1", 5).to_payload(), settled("r1", number=2)
    )
    return events


def a_try() -> identity.Try:
    """The third try of a task instance."""
    return identity.Try(identity.TaskInstance(**{**MINE, "airflow": "https://airflow.example"}), 3, 4)


ASKING: dict[str, dict[str, Any]] = {
    "find_condition": {},
    "wait_for_answer": {"response_timeout": 0.1, "default": True},
    "send_answer": {},
}
"""Arguments of tasks that ask a person, by the stage of their trigger."""


def asking_of(stage: str) -> Asking:
    """A try of such a task."""
    asking = Asking(**ASKING[stage])
    asking.ti.id = str(UUID(int=1))
    return asking


def _asked(stage: str, flyte: LocalFlyte, requests: Requests) -> dict[str, Any]:
    """What Airflow stores while such a task is in this stage, and the event of its trigger."""
    run = flyte.run("r1").move("RUNNING")
    asking = asking_of(stage)
    if stage != "find_condition":
        run.condition("approve")
    asking.start()
    if stage == "find_condition":
        run.condition("approve")
    if stage == "send_answer":
        requests.respond(["Approve"])
        flyte.inject("SignalEvent", status("UNIMPLEMENTED", "no executor", times=1))
        asking.resume(requests.as_event())
    assert asking.stage == stage
    return {
        "trigger": asking.deferred.trigger.serialize(),
        "method": asking.deferred.method_name,
        "kwargs": asking.deferred.kwargs,
        "event": asking.event(),
    }


def _conditions() -> dict[str, Any]:
    made = {}
    for stage in ASKING:
        with LocalFlyte() as flyte, pytest.MonkeyPatch.context() as patch:
            patch.setenv("AIRFLOW_CONN_FLYTE_DEFAULT", own_airflow.connection_json(flyte))
            made[stage] = _steady(_asked(stage, flyte, requests_in_airflow(patch)), flyte.endpoint)
    return made


def _rest() -> dict[str, Any]:
    trying = a_try()
    state = FeedState(since=int(PAST), began=int(PAST))
    state.open |= {"r1": int(PAST), "r2": int(PAST)}
    state.settle("r1")
    runs = TaskRuns("flyte_default", 3, (RunKey("flytesnacks", "development", "r1"),), 1)
    watcher = FlyteRunsTrigger("demo.train", outcomes=["failed"], labels={"team": "sales"}, since=60)
    return {
        "try": trying.to_json(),
        "names of tries": trying.names,
        "annotations": identity.launch_annotations(trying),
        "runs of a task, in XCom": runs.to_text(),
        "state of an asset's watcher": state.to_json(int(PAST)),
        "FlyteRunsTrigger": watcher.serialize(),
        "FlyteSensorTrigger": FlyteSensorTrigger({"task_id": "wait", "run_name": "r1"}).serialize(),
    }


def write(folder: Path) -> None:
    """Write the files of this version."""
    folder.mkdir(parents=True, exist_ok=True)
    made = {"deferrals": _deferrals(), "conditions": _conditions(), "events": _events(), "rest": _rest()}
    for name, content in made.items():
        (folder / f"{name}.json").write_text(json.dumps(content, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    write(GOLDEN / __version__)
