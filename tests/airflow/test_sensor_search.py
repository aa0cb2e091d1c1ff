"""The sensor that looks for its run by its task, a window and labels: in all modes, up to how it ends."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta, timezone
from importlib import import_module
from typing import Any

import pendulum
import pytest
from airflow import DAG

from airflow_provider_flyte.compat import AirflowSensorTimeout, AirflowSkipException, TaskDeferred
from airflow_provider_flyte.exceptions import (
    FlyteArgumentError,
    FlyteConfigurationError,
    FlyteRunFailed,
    FlyteRunMissing,
    FlyteRunTimeout,
    FlyteUnreachable,
)
from airflow_provider_flyte.sensors import FlyteRunSensor
from airflow_provider_flyte.testing import LocalFlyte, unavailable
from airflow_provider_flyte.wait.event import Ending, RunEvent
from tests.support.driving import Try, event_of, lines_of
from tests.support.own_airflow import AIRFLOW, DAGS_FOLDER, load_dag_file

pytestmark = pytest.mark.one_transport("grpc")

_TASK_GROUPS = import_module("airflow.sdk" if AIRFLOW >= (3,) else "airflow.utils.task_group")
TaskGroup: Any = _TASK_GROUPS.TaskGroup

HOUR = timedelta(hours=1)
TASK = "etl.load"
MODES: list[dict[str, Any]] = [{}, {"deferrable": False}]


def ago(hours: float) -> str:
    return (datetime.now(timezone.utc) - timedelta(hours=hours)).isoformat()


def search(**arguments: Any) -> Try:
    return Try(**{"task_name": TASK, "since": HOUR} | arguments)


def name_of(value: Any) -> str:
    return str(value["action"]["id"]["run"]["name"])


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("which", "name"), [("first", "r1"), ("newest", "r2")])
def test_a_run_that_is_there_and_over(flyte_default: LocalFlyte, mode: dict[str, Any], which: str, name: str) -> None:
    flyte_default.run("other", task="etl.check").succeeds()
    for each in ("r1", "r2"):
        flyte_default.run(each, task=TASK).succeeds()
    task = search(which=which, **mode)
    all_lines = lines_of(task.sensor)
    assert name_of(task.run()) == name
    lines = [line for line in all_lines if "run of Flyte task" in line]
    assert task.deferrals == []
    assert task.ti.xcoms["run_name"] == name
    assert task.ti.xcoms["run_url"].endswith(f"/runs/{name}") == task.ti.xcoms["_link_FlyteRunLink"].endswith(name)
    looked_for = f"the {which} run of Flyte task etl.load created since "
    assert lines[0].startswith(f"INFO: Looking for {looked_for}")
    assert lines[0].endswith(", in flytesnacks/development.")
    assert lines[1].startswith(f"INFO: Found {looked_for}")
    assert f": Flyte run flytesnacks/development/{name}, created " in lines[1]
    assert lines[1].endswith(", SUCCEEDED.")


@pytest.mark.parametrize("mode", MODES)
def test_a_run_that_comes(flyte_default: LocalFlyte, mode: dict[str, Any]) -> None:
    def launch() -> None:
        flyte_default.wait_for_call("ListRuns", 3)
        flyte_default.run("r1", task=TASK, labels={"team": "b"})
        flyte_default.run("r2", task=TASK, labels={"team": "a"}).phases("RUNNING", "SUCCEEDED", every=0.5)

    launching = threading.Thread(target=launch)
    launching.start()
    task = search(labels={"team": "a"}, **mode)
    assert name_of(task.run()) == "r2"
    launching.join()
    assert task.ti.xcoms["run_name"] == "r2"
    if not mode:
        assert task.events[0]["ending"] == "found"


def test_from_the_finding_on_the_run_is_waited_for_by_its_name(flyte_default: LocalFlyte) -> None:
    """Its name and its page are in XCom while it runs, and a newer run changes nothing."""
    task = search(which="newest")
    with pytest.raises(TaskDeferred) as looking:
        task.sensor.execute(task.context)
    kwargs = looking.value.trigger.serialize()[1]
    assert (kwargs["run_name"], kwargs["search"]["task_name"], kwargs["search"]["which"]) == ("", TASK, "newest")
    assert "run_name" not in task.ti.xcoms
    run = flyte_default.run("r1", task=TASK)
    run.phases("RUNNING")
    event = event_of(looking.value.trigger)
    assert (event["ending"], event["run_name"]) == ("found", "r1")
    flyte_default.run("r2", task=TASK).phases("RUNNING")
    with pytest.raises(TaskDeferred) as waiting:
        task.resume(event, **(looking.value.kwargs or {}))
    kwargs = waiting.value.trigger.serialize()[1]
    assert (kwargs["run_name"], kwargs["search"]) == ("r1", None)
    assert task.ti.xcoms["run_name"] == "r1"
    assert task.ti.xcoms["_link_FlyteRunLink"].endswith("/runs/r1")
    run.succeeds()
    assert name_of(task.go_on(waiting.value)) == "r1"
    assert task.events == [event_of(waiting.value.trigger)]


def test_a_task_that_lost_its_event_looks_again(flyte_default: LocalFlyte) -> None:
    task = search()
    with pytest.raises(TaskDeferred) as deferred:
        task.sensor.execute(task.context)
    flyte_default.run("r1", task=TASK).succeeds()
    assert name_of(task.resume({"version": 99}, **(deferred.value.kwargs or {}))) == "r1"


def test_a_name_in_an_event_that_is_none_is_not_taken(flyte_default: LocalFlyte) -> None:
    task = search()
    with pytest.raises(TaskDeferred) as deferred:
        task.sensor.execute(task.context)
    flyte_default.run("r1", task=TASK).succeeds()
    event = RunEvent(Ending.FOUND, "No Name").to_payload()
    assert name_of(task.resume(event, **(deferred.value.kwargs or {}))) == "r1"


# -- without a run


@pytest.mark.parametrize("mode", MODES)
def test_a_window_that_has_closed_without_the_run(flyte_default: LocalFlyte, mode: dict[str, Any]) -> None:
    flyte_default.run("r1", task=TASK)
    window = {"since": ago(3), "until": ago(1)}
    with pytest.raises(FlyteRunMissing) as missing:
        search(**window, **mode, missing_after=0).run()
    text = str(missing.value)
    assert "There is no Flyte run as it is looked for: the first run of Flyte task etl.load created from " in text
    assert "No run of this task was created in that window. The window has closed, so none can come." in text
    assert (missing.value.run, missing.value.project, missing.value.url) == ("", "flytesnacks", "")
    with pytest.raises(AirflowSkipException):
        search(**window, **mode, soft_fail=True).run()
    with pytest.raises(AirflowSensorTimeout):
        search(**window, **mode, missing_after=None, timeout=0.5).run()


def test_the_triggerer_reports_that_the_window_has_closed(flyte_default: LocalFlyte) -> None:
    task = search(since=ago(3), until=ago(1), missing_after=None)
    with pytest.raises(TaskDeferred) as deferred:
        task.sensor.execute(task.context)
    trigger = deferred.value.trigger
    trigger.missing_after = 60.0
    assert event_of(trigger)["ending"] == "missing"
    with pytest.raises(FlyteRunMissing, match="The window has closed"):
        task.go_on(deferred.value)


@pytest.mark.parametrize("mode", MODES)
def test_a_timeout_says_what_was_there(flyte_default: LocalFlyte, mode: dict[str, Any]) -> None:
    for number in range(3):
        flyte_default.run(f"r{number}", task=TASK, labels={"team": "a"}).succeeds()
    task = search(labels={"team": "b"}, timeout=0.5, **mode)
    with pytest.raises(FlyteRunTimeout) as timed_out:
        task.run()
    text = str(timed_out.value)
    assert (
        "The sensor's timeout of 0.5 s has passed without the first run of Flyte task etl.load created since " in text
    )
    assert " with the labels team=b, in flytesnacks/development. " in text
    assert "3 runs of this task were created in that window, none with these labels; the newest is r2, created " in text
    # Not in XCom: nothing was found.
    assert "return_value" not in task.ti.xcoms


@pytest.mark.parametrize("mode", MODES)
def test_a_flyte_that_gives_no_answer(flyte_default: LocalFlyte, mode: dict[str, Any]) -> None:
    flyte_default.inject("ListRuns", unavailable())
    task = search(unreachable_after=0.3, **mode)
    with pytest.raises(FlyteUnreachable, match="It is not known whether Flyte has the first run of"):
        task.run()
    flyte_default.clear_faults()
    flyte_default.run("r1", task=TASK).succeeds()
    flyte_default.inject("ListRuns", unavailable(times=2))
    task = search(unreachable_after=60, **mode)
    assert name_of(task.run()) == "r1"


def test_a_failed_run_fails_the_task_and_says_how_another_one_is_found(flyte_default: LocalFlyte) -> None:
    flyte_default.run("r1", task=TASK).fails(kind="USER", message="no rows")
    with pytest.raises(FlyteRunFailed, match="give which='newest', and clear this task"):
        search().run()
    with pytest.raises(FlyteRunFailed, match="to wait for another run, launch the Flyte task anew, then clear"):
        search(which="newest").run()
    flyte_default.run("r2", task=TASK).succeeds()
    assert name_of(search(which="newest").run()) == "r2"


def test_a_connection_without_a_project(flyte_default: LocalFlyte, monkeypatch: pytest.MonkeyPatch) -> None:
    extra = f"flyte://{flyte_default.host}:{flyte_default.port}/?insecure=true"
    monkeypatch.setenv("AIRFLOW_CONN_FLYTE_DEFAULT", extra)
    with pytest.raises(FlyteConfigurationError, match=r"No Flyte project for the first run of Flyte task"):
        search().run()


# -- arguments


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"run_name": "r1"}, "run_name and task_name are both given; give one of them"),
        ({"run_names": ["r1"]}, "run_names and task_name are both given"),
        ({"since": None}, "since is not given; with task_name give the time"),
        ({"since": "yesterday"}, "since is 'yesterday'; give a datetime, its text in ISO format, or how"),
        ({"until": True}, "until is True; give a number of seconds or a timedelta"),
        ({"which": "last"}, "which is 'last'; give one of 'first', 'newest'"),
        ({"since": 60, "until": 3600}, "until is not later than since"),
        ({"since": datetime(2026, 1, 2), "until": "2026-01-02T00:00:00Z"}, "leave out until, or add to it"),
        ({"labels": ["team=a"]}, r"labels is \['team=a'\]; give a dict of texts"),
        ({"task_name": None, "run_name": "r1"}, "since has a meaning only with task_name"),
        (
            {"task_name": None, "since": None, "labels": {}, "run_name": "r1"},
            "labels has a meaning only with task_name",
        ),
    ],
)
def test_arguments_that_make_no_sense_are_import_errors(arguments: dict[str, Any], text: str) -> None:
    with pytest.raises(FlyteArgumentError, match=text):
        search(**arguments)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"since": "None"}, "it names a date that this DAG run does not have"),
        ({"until": ""}, "it names a date that this DAG run does not have"),
        ({"since": "2026-11-27", "until": "2026-11-27T00:00:00Z"}, "leave out until, or add to it"),
        ({"task_name": " "}, "task_name is ' '; give the name of a Flyte task"),
        ({"labels": {"team": 1}}, "labels is {'team': 1}; give a dict of texts"),
    ],
)
def test_templates_that_give_no_sense_fail_the_task(arguments: dict[str, Any], text: str) -> None:
    task = search()
    for name, value in arguments.items():
        setattr(task.sensor, name, value)
    with pytest.raises(FlyteArgumentError, match=text):
        task.run()


def test_what_a_dags_default_args_have_for_its_operators_is_not_meant(flyte_default: LocalFlyte) -> None:
    flyte_default.run("r1").succeeds()
    defaults = {"task_name": TASK, "labels": {"team": "a"}}
    assert name_of(Try(run_name="r1", default_args=defaults, **defaults).run()) == "r1"


@pytest.mark.parametrize(
    "since",
    [
        HOUR,
        3600,
        datetime.now() - timedelta(days=1),
        datetime.now(timezone.utc) - HOUR,
        pendulum.datetime(2026, 1, 1, tz="Europe/Berlin"),
        "2026-01-01",
        "2026-01-01T00:00:00Z",
        "2026-01-01 00:00:00+00:00",
    ],
    ids=["ago", "seconds", "naive", "aware", "pendulum", "day", "z", "space"],
)
def test_since_is_a_date_or_so_long_ago(flyte_default: LocalFlyte, since: Any) -> None:
    flyte_default.run("r1", task=TASK).succeeds()
    assert name_of(search(since=since).run()) == "r1"


def test_arguments_of_a_mapped_sensor_that_do_not_go_together_are_an_import_error() -> None:
    class Nightly(FlyteRunSensor):
        def __init__(self, **kwargs: Any) -> None:
            super().__init__(task_name=TASK, **kwargs)

    refused: list[tuple[str, dict[str, Any], Any]] = [
        ("since is not given", {"task_name": TASK}, {"labels": [{"a": "b"}]}),
        ("since is not given", {}, {"task_name": [TASK]}),
        ("since is not given", {}, [{"task_name": TASK, "since": 3600}, {"task_name": TASK}]),
        ("run_name and task_name are both given", {"run_name": "r1"}, {"task_name": [TASK]}),
        ("labels has a meaning only with task_name", {"labels": {"a": "b"}}, {"run_name": ["r1"]}),
    ]
    defaults = {"labels": {"a": "b"}, "since": 3600}
    group_of: Any = import_module("airflow.sdk" if AIRFLOW >= (3,) else "airflow.utils.task_group").TaskGroup
    with DAG("mapped_searches", schedule=None, default_args=defaults):
        FlyteRunSensor.partial(task_id="named").expand(run_name=["r1"])
        FlyteRunSensor.partial(task_id="searched").expand(task_name=[TASK])
        Nightly.partial(task_id="own").expand(since=[3600])
    with DAG("mapped_in_a_group", schedule=None), group_of("group", default_args=defaults):
        FlyteRunSensor.partial(task_id="named").expand(run_name=["r1"])
        FlyteRunSensor.partial(task_id="searched").expand(task_name=[TASK])
    with DAG("refused_searches", schedule=None):
        # None is what an argument is that is not given.
        of_both: list[dict[str, Any]] = [
            {"run_name": "r1", "task_name": None},
            {"run_name": None, "task_name": TASK, "since": 3600},
        ]
        FlyteRunSensor.partial(task_id="either").expand_kwargs(of_both)
        upstream = FlyteRunSensor(task_id="upstream", run_name="r1")
        FlyteRunSensor.partial(task_id="not_known").expand_kwargs(upstream.output)
        for number, (message, partial, mapped) in enumerate(refused):
            begun = FlyteRunSensor.partial(task_id=f"mapped_{number}", **partial)
            with pytest.raises(FlyteArgumentError, match=message):
                begun.expand_kwargs(mapped) if isinstance(mapped, list) else begun.expand(**mapped)


def test_a_mapped_sensor_may_have_the_rest_from_its_task_group_and_leave_out_what_is_none() -> None:
    named, sought = {"run_name": "r1", "task_name": None}, {"run_name": None, "task_name": TASK, "since": 3600}
    with DAG("mapped_in_groups", schedule=None, default_args={"until": None}):
        rows = FlyteRunSensor.partial(task_id="rows").expand_kwargs([named, sought])
        FlyteRunSensor.partial(task_id="none", task_name=None).expand(run_name=["r1"])
        # Airflow makes four of them, of which two are right.
        FlyteRunSensor.partial(task_id="both", since=None).expand(run_name=["r1", None], task_name=[None, TASK])
        with (
            TaskGroup("nightly", default_args={"since": 3600}),
            TaskGroup("of_a_task", default_args={"which": "newest"}),
        ):
            in_group = FlyteRunSensor.partial(task_id="searched").expand(task_name=[TASK])
        with TaskGroup("of_one_task", default_args={"task_name": TASK}):
            of_task = FlyteRunSensor.partial(task_id="searched").expand(since=[3600])
            FlyteRunSensor.partial(task_id="named").expand(run_name=["r1"])
            with pytest.raises(FlyteArgumentError, match="since is not given"):
                FlyteRunSensor.partial(task_id="no_since").expand(labels=[{"a": "b"}])
    for mapped, given in ((rows, named), (rows, sought), (in_group, {"task_name": TASK}), (of_task, {"since": 3600})):
        made: Any = mapped.unmap(given)
        assert (made.run_name is None, made.task_name, made.since) in [(False, None, None), (True, TASK, 3600)]


DAGS = """
from datetime import datetime, timezone
from airflow import DAG
from airflow_provider_flyte.sensors import FlyteRunSensor

with DAG(dag_id="searches", schedule=None) as dag:
    arguments = {"poke_interval": 0.1, "timeout": 60, "resume_after": 0}
    arguments["since"] = "{{ dag_run.start_date - macros.timedelta(hours=1) }}"
    for mode, more in {"poke": {}, "reschedule": {"mode": "reschedule"}, "deferred": {"deferrable": True}}.items():
        labels = {"mode": mode, "dag": "{{ dag.dag_id }}"}
        tasks = ["etl.load", "etl.check"] if mode == "deferred" else ["etl.load"]
        FlyteRunSensor.partial(task_id=mode, labels=labels, **arguments, **more).expand(task_name=tasks)
"""


def test_mapped_and_in_each_mode_by_airflow_itself(airflow_db: None, flyte_default: LocalFlyte) -> None:
    modes = ("poke", "reschedule", "deferred")

    for mode in modes:
        for number, task in enumerate(("etl.load", "etl.check")):
            labels = {"mode": mode, "dag": "searches"}
            flyte_default.run(f"{mode}-{number}", task=task, labels=labels).succeeds()
    (DAGS_FOLDER / "searches.py").write_text(DAGS)
    tasks = load_dag_file("searches").dag.test().get_task_instances()
    states = {(ti.task_id, ti.map_index): ti.state for ti in tasks}
    assert states == dict.fromkeys([("poke", 0), ("reschedule", 0), ("deferred", 0), ("deferred", 1)], "success")
    for ti in tasks:
        name = ti.xcom_pull(task_ids=ti.task_id, key="run_name", map_indexes=ti.map_index)
        assert name == f"{ti.task_id}-{ti.map_index}"
