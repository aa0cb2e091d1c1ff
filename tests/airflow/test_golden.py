"""What earlier releases have stored is still read: triggers, events, what a task resumes with, names, XCom."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_flyte.client.watch.feed_state import FeedState, fingerprint
from airflow_provider_flyte.compat import TaskDeferred
from airflow_provider_flyte.report.task_runs import TaskRuns
from airflow_provider_flyte.testing import LocalFlyte
from airflow_provider_flyte.tries import identity
from airflow_provider_flyte.wait.event import Ending, RunEvent, settled_in
from tests.support.asking import requests_in_airflow
from tests.support.driving import event_of
from tests.support.golden import ASKING, ENDPOINT, GOLDEN, TASKS, asking_of, task_of
from tests.support.own_airflow import AIRFLOW

RELEASES = sorted(folder for folder in GOLDEN.iterdir() if folder.is_dir())


def stored(folder: Path, name: str, endpoint: str = ENDPOINT) -> Any:
    """What a release has stored, as if Flyte had been at this endpoint."""
    return json.loads((folder / f"{name}.json").read_text().replace(ENDPOINT, endpoint))


def made(path: str, kwargs: dict[str, Any]) -> Any:
    """A trigger, as Airflow makes it of what it has stored."""
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)(**kwargs)


pytestmark = [
    pytest.mark.one_transport("connect"),
    pytest.mark.parametrize("release", RELEASES, ids=lambda folder: folder.name),
]


@pytest.mark.parametrize("what", TASKS)
def test_a_deferred_task_goes_on_after_an_upgrade(what: str, release: Path, flyte_default: LocalFlyte) -> None:
    """Its trigger in a new triggerer; the new worker with the old trigger's event, and with the new one's."""
    deferral = stored(release, "deferrals", flyte_default.endpoint)[what]
    for run in deferral["runs"]:
        flyte_default.run(**run).succeeds()
    event = event_of(made(*deferral["trigger"]))
    assert event["ending"] == deferral["event"]["ending"]
    for told in (event, deferral["event"]):
        task = task_of(what)
        task.ti.xcoms = dict(deferral["xcoms"])
        resumed = {"event": told, **(deferral["kwargs"] or {})}
        try:
            value = task.task.resume_execution(deferral["method"], resumed, task.context)
        except TaskDeferred as again:
            # What was searched has a name now, which the task waits for.
            assert told["ending"] == "found"
            value = task.go_on(again)
        assert any(f'"name": "{run["name"]}"' in json.dumps(value) for run in deferral["runs"])
    assert flyte_default.calls("CreateRun") == []


if AIRFLOW >= (3, 1):

    @pytest.mark.parametrize("stage", ASKING)
    def test_a_task_that_asks_a_person_goes_on_after_an_upgrade(
        stage: str, release: Path, flyte_default: LocalFlyte, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """As above, in each stage of its trigger."""
        requests = requests_in_airflow(monkeypatch)
        condition = flyte_default.run("r1").move("RUNNING").condition("approve")
        asked = stored(release, "conditions", flyte_default.endpoint)[stage]
        event = event_of(made(*asked["trigger"]))
        assert event.items() >= asked["event"].items()
        for told in (event, asked["event"]):
            asking = asking_of(stage)
            task = asking.task
            resumed = {"event": told, **asked["kwargs"]}
            if stage == "find_condition":
                with pytest.raises(TaskDeferred) as caught:
                    task.resume_execution(asked["method"], resumed, asking.context)
                assert caught.value.trigger.condition == condition.action
                assert requests.request.subject == "approve: It has no prompt."
            else:
                assert task.resume_execution(asked["method"], resumed, asking.context)["value"] is True
                assert condition.signal.scalar.primitive.boolean


def test_each_event_means_what_it_did(release: Path) -> None:
    events = stored(release, "events")
    for ending in Ending:
        if ending.value in events:
            read = RunEvent.from_payload(events[ending.value])
            assert (read.ending, read.run_name, read.phase, read.message, read.missing) == (
                ending,
                "r1",
                6,
                "because",
                1,
            )
    assert RunEvent.from_payload(events["with logs"]).logs == {"r1": {"lines": 3}}
    begun = events["of a task that began in the triggerer"]
    assert RunEvent.from_payload(begun).ending is Ending.SUCCEEDED
    assert settled_in(begun)["run_names"] == ["r1"]


def test_a_try_has_the_name_that_it_had(release: Path) -> None:
    """Else a worker of the new version would launch a run again that one of the old version has launched."""
    rest = stored(release, "rest")
    trying = identity.Try.from_json(rest["try"])
    assert trying.names == rest["names of tries"]
    owner = identity.owner_in(rest["annotations"])
    assert owner == trying.task
    assert identity.launch_annotations(trying).items() >= rest["annotations"].items()


def test_the_rest_is_read(release: Path) -> None:
    rest = stored(release, "rest")
    runs = TaskRuns.from_text(rest["runs of a task, in XCom"])
    assert runs is not None
    assert [str(key) for key in runs.runs] == ["flytesnacks/development/r1"]
    state = FeedState.from_json(rest["state of an asset's watcher"])
    assert list(state.open) == ["r2"]
    assert list(state._settled) == [fingerprint("r1")]
    made(*rest["FlyteSensorTrigger"])
    if AIRFLOW >= (3,):
        assert made(*rest["FlyteRunsTrigger"]).labels == {"team": "sales"}
