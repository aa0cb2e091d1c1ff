"""FlyteRunSensor(start_from_trigger=True): from the serialized DAG to the event that ends the task or resumes it."""

from __future__ import annotations

import asyncio
import gc
import itertools
import json
import os
import threading
import time
import weakref
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import greenback
import pytest
import structlog
from airflow.sdk import DAG, Asset, TaskGroup, task, task_group
from airflow.sdk.execution_time import task_runner

from airflow_provider_flyte import sensor_triggers
from airflow_provider_flyte.client import RunPhase
from airflow_provider_flyte.compat import AirflowFailException, AirflowSensorTimeout, AirflowSkipException
from airflow_provider_flyte.exceptions import (
    FlyteArgumentError,
    FlyteConfigurationError,
    FlyteRunMissing,
    FlyteUnreachable,
    FlyteWaitBroken,
)
from airflow_provider_flyte.operators import FlyteRunOperator
from airflow_provider_flyte.retry_policies import FlyteRetryPolicy
from airflow_provider_flyte.sensors import FlyteRunSensor
from airflow_provider_flyte.testing import LocalFlyte, delay
from airflow_provider_flyte.triggers import FlyteRunTrigger
from airflow_provider_flyte.wait.in_triggerer import templates
from tests.support.driving import Driven, TaskInstance, lines_of
from tests.support.own_airflow import connection_json
from tests.support.started import Supervisor, event_of, stored_dag, trigger_of

pytestmark = [pytest.mark.one_transport("grpc"), pytest.mark.usefixtures("no_watcher_left")]

SECRET = "correct-horse-battery"
STARTS: dict[str, Any] = {"start_from_trigger": True, "poke_interval": 0.1, "resume_after": 0}
ENDS: dict[str, Any] = STARTS | {"end_from_trigger": True}


@pytest.fixture
def supervisor(monkeypatch: pytest.MonkeyPatch) -> Supervisor:
    made = Supervisor()
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", made, raising=False)
    return made


@pytest.fixture
def dag() -> DAG:
    return DAG("started", schedule=None)


def sensor(dag: DAG | None = None, **arguments: Any) -> FlyteRunSensor:
    return FlyteRunSensor(**{"dag": dag, "task_id": "wait", **ENDS, **arguments})


def upstream_task(task_id: str) -> Any:
    """The output of a task whose function nobody calls."""
    return task(task_id=task_id)(lambda: None)()


def resumed(made: FlyteRunSensor, event: Any, **rendered: Any) -> Any:
    """What a worker makes of the event."""
    for name, value in rendered.items():
        setattr(made, name, value)
    return Driven(made, TaskInstance()).resume(event.payload)


async def test_a_task_that_starts_and_ends_in_the_triggerer(
    dag: DAG, supervisor: Supervisor, flyte_default: LocalFlyte
) -> None:
    flyte_default.run("r1", envs={"PASSWORD": SECRET}).phases("RUNNING", "SUCCEEDED", every=0.2)
    sensor(dag, run_name="{{ params.run }}", params={"run": "r1"})
    event = await event_of(trigger_of(dag, "wait"))
    assert event.task_instance_state == "success"
    details = supervisor.xcoms["wait", -1, "return_value"]
    assert details["action"]["status"]["phase"] == "ACTION_PHASE_SUCCEEDED"
    assert details["runSpec"]["envs"]["values"] == [{"key": "PASSWORD", "value": "***"}]
    assert supervisor.xcoms["wait", -1, "_link_FlyteRunLink"].endswith("/runs/r1")
    # The wait's own polls, and one read of the details.
    assert len(flyte_default.calls("GetRunDetails")) == 1


LOOKS: dict[str, Any] = {
    "task_name": "etl.load",
    "since": "{{ data_interval_start }}",
    "labels": {"team": "{{ params.team }}"},
    "params": {"team": "ours"},
}


async def launched_later(flyte: LocalFlyte, *before: str) -> None:
    """A run that somebody launches once it is looked for."""
    await flyte.wait_for_call_async("ListRuns")
    flyte.run("other", task="etl.load", labels={"team": "theirs"}).succeeds()
    flyte.run("r1", task="etl.load", labels={"team": "ours"}).phases(*before, "RUNNING", "SUCCEEDED", every=0.5)


async def test_a_run_is_looked_for_and_waited_for_without_a_worker(
    dag: DAG, supervisor: Supervisor, flyte_default: LocalFlyte, capsys: pytest.CaptureFixture[str]
) -> None:
    sensor(dag, **LOOKS)
    launching = asyncio.create_task(launched_later(flyte_default, "QUEUED"))
    event = await event_of(trigger_of(dag, "wait"))
    await launching
    assert event.task_instance_state == "success"
    # Nothing resumes, so nothing is held.
    logged = capsys.readouterr().out
    assert "Found the first run" in logged
    assert "stays deferred" not in logged
    assert supervisor.xcoms["wait", -1, "return_value"]["action"]["id"]["run"]["name"] == "r1"
    assert supervisor.xcoms["wait", -1, "run_name"] == "r1"
    assert supervisor.xcoms["wait", -1, "_link_FlyteRunLink"].endswith("/runs/r1")


async def test_a_run_that_was_looked_for_is_handed_to_a_worker(
    dag: DAG, supervisor: Supervisor, flyte_default: LocalFlyte
) -> None:
    made = sensor(dag, **LOOKS, end_from_trigger=False)
    launching = asyncio.create_task(launched_later(flyte_default))
    event = await event_of(trigger_of(dag, "wait"))
    await launching
    assert (event.payload["ending"], event.payload["run_name"]) == ("found", "r1")
    # A connection that is edited moves the search as little as a wait.
    settled = event.payload["settled"]
    assert (settled["project"], settled["domain"], settled["run_names"]) == ("flytesnacks", "development", [])
    assert settled["endpoint"] == flyte_default.endpoint
    run = flyte_default.run("r1").succeeds()
    while run.phase != RunPhase.SUCCEEDED:
        await asyncio.sleep(0.01)
    rendered = {"since": "2025-12-31T00:00:00+00:00", "labels": {"team": "ours"}}
    assert resumed(made, event, **rendered)["action"]["id"]["run"]["name"] == "r1"


@pytest.mark.parametrize("mapped", [False, True])
async def test_a_window_is_given_as_a_date_or_so_long_ago(
    dag: DAG, supervisor: Supervisor, flyte_default: LocalFlyte, mapped: bool
) -> None:
    """Airflow reads a date of the stored DAG as one of pendulum's."""
    flyte_default.run("r1", task="etl.load").succeeds()
    hour = timedelta(hours=1)
    now = datetime.now(timezone.utc)
    windows: list[dict[str, Any]] = [{"since": now - hour, "until": now + hour}, {"since": hour}]
    for number, window in enumerate(windows):
        if mapped:
            with dag:
                FlyteRunSensor.partial(task_id=f"wait{number}", **ENDS, **window).expand(task_name=["etl.load"])
        else:
            sensor(dag, task_id=f"wait{number}", task_name="etl.load", **window)
        event = await event_of(trigger_of(dag, f"wait{number}", 0 if mapped else -1))
        assert event.task_instance_state == "success"


@pytest.mark.parametrize("mapped", ["", "partial", "expand", "expand_kwargs"])
def test_a_date_without_a_time_zone_is_stored_as_utc(dag: DAG, monkeypatch: pytest.MonkeyPatch, mapped: str) -> None:
    """By itself Airflow takes it for one of the DAG processor's zone."""
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    since = datetime(2026, 1, 1)
    try:
        with dag:
            if not mapped:
                sensor(dag, task_name="etl.load", since=since)
            elif mapped == "partial":
                FlyteRunSensor.partial(task_id="wait", **ENDS, since=since).expand(task_name=["etl.load"])
            elif mapped == "expand":
                FlyteRunSensor.partial(task_id="wait", **ENDS, task_name="etl.load").expand(since=[since])
            else:
                FlyteRunSensor.partial(task_id="wait", **ENDS).expand_kwargs([{"task_name": "t", "since": since}])
        stored = json.dumps(stored_dag(dag))
    finally:
        monkeypatch.undo()
        time.tzset()
    assert str(int(since.replace(tzinfo=timezone.utc).timestamp())) in stored


async def test_a_window_that_has_closed_ends_the_task_there(
    dag: DAG, supervisor: Supervisor, flyte_default: LocalFlyte
) -> None:
    sensor(dag, **LOOKS, until="{{ data_interval_end }}", missing_after=0)
    event = await event_of(trigger_of(dag, "wait"))
    assert event.task_instance_state == "failed"


async def test_a_task_that_starts_in_the_triggerer_resumes_on_a_worker(
    dag: DAG, supervisor: Supervisor, flyte_default: LocalFlyte
) -> None:
    flyte_default.run("r1").phases("RUNNING", "SUCCEEDED", every=0.2)
    made = sensor(dag, run_name="r1", end_from_trigger=False, timeout=100)
    began = datetime.now(timezone.utc) - timedelta(seconds=30)
    event = await event_of(trigger_of(dag, "wait", began=began))
    settled = event.payload["settled"]
    assert (settled["project"], settled["domain"], settled["run_names"]) == ("flytesnacks", "development", ["r1"])
    assert settled["deadline"] == pytest.approx(began.timestamp() + 100, abs=0.01)
    assert resumed(made, event)["action"]["id"]["run"]["name"] == "r1"
    assert "return_value" not in {key for _, _, key in supervisor.xcoms}


@pytest.mark.parametrize(
    "name",
    [
        "{{ ti.xcom_pull(task_ids='upstream') }}",
        "{{ task_instance.xcom_pull('upstream') }}",
        "{{ ti.xcom_pull(task_ids='upstream', key='return_value', map_indexes=-1) }}",
        "{{ ti.xcom_pull(task_ids=['upstream'])[0] }}",
        "output",
    ],
)
async def test_the_name_comes_from_an_upstream_task(
    dag: DAG, supervisor: Supervisor, flyte_default: LocalFlyte, name: str
) -> None:
    flyte_default.run("r1").succeeds()
    with dag:
        upstream = upstream_task("upstream")
    made = sensor(dag, run_name=upstream if name == "output" else name)
    assert name != "output" or made.upstream_task_ids == {"upstream"}
    supervisor.xcoms["upstream", -1, "return_value"] = "r1"
    event = await event_of(trigger_of(dag, "wait"))
    assert event.task_instance_state == "success"


async def test_names_from_upstream_tasks_stay_lists(
    dag: DAG, supervisor: Supervisor, flyte_default: LocalFlyte
) -> None:
    for name in ("r1", "r2"):
        flyte_default.run(name).succeeds()
    with dag:
        launch: Any = FlyteRunOperator(task_id="launch", task_name="demo.train")
        names = upstream_task("names")
    sensor(dag, task_id="one", run_names=[launch.output["run_name"], "{{ params.other }}"], params={"other": "r2"})
    sensor(dag, task_id="all", run_names=names)
    supervisor.xcoms["launch", -1, "run_name"] = "r1"
    supervisor.xcoms["names", -1, "return_value"] = ["r2", "r1"]
    for task_id in ("one", "all"):
        event = await event_of(trigger_of(dag, task_id))
        assert event.task_instance_state == "success"
        assert set(supervisor.xcoms[task_id, -1, "return_value"]) == {"r1", "r2"}


async def test_what_an_upstream_task_gave_is_no_template(
    dag: DAG, supervisor: Supervisor, flyte_default: LocalFlyte
) -> None:
    with dag:
        upstream = upstream_task("upstream")
        names = upstream_task("names")
        FlyteRunSensor.partial(task_id="mapped", **ENDS).expand(run_name=names)
    sensor(dag, run_name=upstream)
    injected = "{{ conn.flyte_default.host }}"
    supervisor.xcoms["upstream", -1, "return_value"] = injected
    supervisor.xcoms["names", -1, "return_value"] = [injected]
    for task_id, index in (("wait", -1), ("mapped", 0)):
        trigger = trigger_of(dag, task_id, index)
        lines = lines_of(trigger)
        assert (await event_of(trigger)).task_instance_state == "failed"
        assert f"'{injected}'" in lines[-1]


async def test_mapped_sensors_have_their_own_arguments(
    dag: DAG, supervisor: Supervisor, flyte_default: LocalFlyte
) -> None:
    for name in ("r0", "r1"):
        flyte_default.run(name).succeeds()
    with dag:
        names = upstream_task("names")
        kwargs = upstream_task("kwargs")
        waits: dict[str, Any] = {"params": {"name": "r1"}, **ENDS}
        FlyteRunSensor.partial(task_id="literal", **waits).expand(run_name=["r0", "{{ params.name }}"])
        FlyteRunSensor.partial(task_id="xcom", **waits).expand(run_name=names)
        FlyteRunSensor.partial(task_id="dicts", **waits).expand_kwargs([{"run_name": "r0"}, {"run_names": ["r1"]}])
        FlyteRunSensor.partial(task_id="xcom_dicts", **waits).expand_kwargs(kwargs)
        FlyteRunSensor.partial(task_id="product", **waits).expand(run_name=names, timeout=[60])
        FlyteRunSensor.partial(task_id="partly", run_name="r1", **waits).expand(unreachable_after=[1, 2])
    supervisor.xcoms["names", -1, "return_value"] = ["r0", "r1"]
    supervisor.xcoms["kwargs", -1, "return_value"] = [{"run_name": "r0"}, {"run_name": "r1"}]
    for task_id in ("literal", "xcom", "dicts", "xcom_dicts", "product"):
        for index in (0, 1):
            event = await event_of(trigger_of(dag, task_id, index))
            assert event.task_instance_state == "success", (task_id, index)
            assert f"r{index}" in str(supervisor.xcoms[task_id, index, "return_value"])
    assert (await event_of(trigger_of(dag, "partly", 1))).task_instance_state == "success"


async def test_a_sensor_in_a_mapped_group_has_its_own_upstream_task(
    dag: DAG, supervisor: Supervisor, flyte_default: LocalFlyte
) -> None:
    flyte_default.run("r1").succeeds()

    @task_group
    def group(of: str) -> None:
        name: Any = task(task_id="name")(lambda name: name)(of)
        FlyteRunSensor(task_id="wait", run_name=name, **ENDS)

    with dag:
        group.expand(of=["0", "1"])
    supervisor.xcoms["group.name", 1, "return_value"] = "r1"
    assert (await event_of(trigger_of(dag, "group.wait", 1))).task_instance_state == "success"


async def test_a_worker_ends_what_airflow_ends_nowhere_else(
    dag: DAG, supervisor: Supervisor, flyte_default: LocalFlyte
) -> None:
    flyte_default.run("r1").succeeds()
    flyte_default.run("failed").fails(message="no rows")

    def note(context: Any) -> None:
        """Nobody calls it."""

    sensors = {
        "email": sensor(dag, task_id="email", run_name="missing", missing_after=0),
        "outlets": sensor(dag, task_id="outlets", run_name="r1", outlets=[Asset("a")]),
        "on_success_callback": sensor(dag, task_id="on_success_callback", run_name="r1", on_success_callback=note),
        "on_skipped_callback": sensor(
            dag, task_id="on_skipped_callback", run_name="failed", soft_fail=True, on_skipped_callback=note
        ),
        "retry_policy": sensor(
            dag,
            task_id="retry_policy",
            run_name="missing",
            missing_after=0,
            retries=1,
            retry_policy=FlyteRetryPolicy(),
        ),
    }
    quiet = sensor(dag, task_id="quiet", run_name="missing", missing_after=0)
    for made in (sensors["email"], quiet):
        made.email = "team@example.com"
    quiet.email_on_failure = False
    for name, made in sensors.items():
        trigger = trigger_of(dag, name)
        lines = lines_of(trigger)
        event = await event_of(trigger)
        assert "ending" in event.payload, name
        assert "INFO: A worker ends this task, because Airflow has a worker alone" in lines[-1]
        assert name in lines[-1]
        if name in ("outlets", "on_success_callback"):
            assert resumed(made, event)["action"]["id"]["run"]["name"] == "r1"
    assert (await event_of(trigger_of(dag, "quiet"))).task_instance_state == "failed"
    for task_id, wanted in (("skipped", "skipped"), ("failed", "failed")):
        # What is called when a task succeeds is not asked of one that does not.
        sensor(dag, task_id=task_id, run_name="failed", soft_fail=wanted == "skipped", on_success_callback=note)
        assert (await event_of(trigger_of(dag, task_id))).task_instance_state == wanted


async def test_a_later_try_shows_nothing_of_an_earlier_one(
    dag: DAG, supervisor: Supervisor, flyte_default: LocalFlyte
) -> None:
    sensor(dag, task_name="etl.load", since="{{ data_interval_start }}", until="{{ ds }}", missing_after=0)
    places = [("wait", -1, key) for key in ("return_value", "run_name", "run_url")]
    for number, left in ((1, True), (2, False)):
        supervisor.xcoms.update(dict.fromkeys(places, "of an earlier try"))
        assert (await event_of(trigger_of(dag, "wait", try_number=number))).task_instance_state == "failed"
        assert [place in supervisor.xcoms for place in places] == [left] * 3


async def test_a_trigger_that_is_cancelled_while_it_ends_the_task_puts_nothing_into_xcom(
    dag: DAG, supervisor: Supervisor, flyte_default: LocalFlyte
) -> None:
    """The task was cleared, and XCom belongs to its next try. The thread is in a call that nobody can end."""
    flyte_default.run("r1").succeeds()
    sensor(dag, run_name="r1")
    trigger = trigger_of(dag, "wait")
    flyte_default.inject("GetRunDetails", delay(0.5))
    waiting = asyncio.create_task(event_of(trigger))
    await flyte_default.wait_for_call_async("GetRunDetails")
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    await trigger.cleanup()
    met = threading.Barrier(32)
    # Until the threads have done what they were given.
    await asyncio.gather(*(sensor_triggers._in_thread(met.wait) for _ in range(32)))
    assert ("wait", -1, "return_value") not in supervisor.xcoms


@pytest.mark.parametrize("mapped", [False, True])
async def test_a_timeout_counts_from_the_deferral_wherever_the_trigger_runs(
    dag: DAG, supervisor: Supervisor, flyte_default: LocalFlyte, mapped: bool
) -> None:
    """Another triggerer has the same trigger from the start, and the time has passed by then."""
    flyte_default.run("endless").phases("RUNNING")
    given = ENDS | {"timeout": 50}
    if mapped:
        with dag:
            FlyteRunSensor.partial(task_id="wait", **given).expand(run_name=["endless"])
    else:
        sensor(dag, run_name="endless", **given)
    index = 0 if mapped else -1
    now = datetime.now(timezone.utc)
    late = trigger_of(dag, "wait", index, began=now - timedelta(seconds=51))
    lines = lines_of(late)
    assert (await event_of(late)).task_instance_state == "failed"
    assert "ERROR: The task fails: FlyteRunTimeout: The sensor's timeout of 50 s has passed" in lines[-1]
    early = asyncio.create_task(event_of(trigger_of(dag, "wait", index, began=now - timedelta(seconds=49))))
    began = time.monotonic()
    await early
    assert time.monotonic() - began > 0.5


async def test_execution_timeout_counts_from_the_deferral_too(
    dag: DAG, supervisor: Supervisor, flyte_default: LocalFlyte
) -> None:
    flyte_default.run("endless").phases("RUNNING")
    sensor(dag, run_name="endless", execution_timeout=timedelta(seconds=50), soft_fail=True)
    trigger = trigger_of(dag, "wait", began=datetime.now(timezone.utc) - timedelta(seconds=51))
    lines = lines_of(trigger)
    assert (await event_of(trigger)).task_instance_state == "failed"
    assert "AirflowTaskTimeout: execution_timeout has passed" in lines[-1]


@pytest.mark.parametrize(
    "name", ["{{ ti.xcom_pull(task_ids='each') }}", "{{ mine() }}", "{{ prev_start_date_success }}"]
)
async def test_what_the_triggerer_cannot_render_a_worker_does(
    dag: DAG, supervisor: Supervisor, flyte_default: LocalFlyte, name: str
) -> None:
    flyte_default.run("r1").succeeds()
    with dag:
        task(task_id="each")(lambda of: of).expand(of=["a", "b"])
    made = sensor(dag, run_name=name)
    trigger = trigger_of(dag, "wait")
    lines = lines_of(trigger)
    event = await event_of(trigger)
    assert event.payload["ending"] == "not_begun"
    assert "The triggerer cannot tell what this sensor is to wait for, so a worker begins." in lines[-1]
    assert resumed(made, event, run_name="r1")["action"]["id"]["run"]["name"] == "r1"


async def test_a_question_that_airflow_never_answers_ends(
    dag: DAG, supervisor: Supervisor, flyte_default: LocalFlyte, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Airflow's runner has it: in a task with a portal, through which a blocking question waits on the loop."""
    monkeypatch.setattr(templates, "_RENDERING", 0.1)
    monkeypatch.setattr(supervisor, "send", lambda message: greenback.await_(asyncio.Event().wait()))
    sensor(dag, run_name="{{ prev_start_date_success }}")
    trigger = trigger_of(dag, "wait")
    lines = lines_of(trigger)
    await greenback.ensure_portal()
    assert (await event_of(trigger)).payload["ending"] == "not_begun"
    assert "Airflow has not answered a question of the templates" in lines[-1]


async def test_the_dag_is_let_go_of(dag: DAG, supervisor: Supervisor, flyte_default: LocalFlyte) -> None:
    """A triggerer has a thousand of these, and each was given the whole DAG."""
    flyte_default.run("endless").phases("RUNNING")
    sensor(dag, run_name="endless")
    trigger = trigger_of(dag, "wait")
    held = weakref.ref(trigger.task_instance.task)
    waiting = asyncio.create_task(event_of(trigger))
    while not flyte_default.calls("ListRuns"):
        await asyncio.sleep(0.01)
    gc.collect()
    assert held() is None
    assert not waiting.done()
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    await trigger.cleanup()


async def test_what_a_worker_has_rendered_is_not_rendered_again(
    dag: DAG, supervisor: Supervisor, flyte_default: LocalFlyte
) -> None:
    """Airflow has each trigger of such a task render, that of a worker's deferral too."""
    sensor(dag, run_name="r1", project="{{ 'p' }}")
    instance = trigger_of(dag, "wait").task_instance
    assert instance.task is not None
    context = instance.get_template_context()
    again = FlyteRunTrigger(run_name="r1", project="{{ conn.flyte_default.host }}")
    again.task_instance = instance
    again.render_template_fields(context)
    assert again.project == "{{ conn.flyte_default.host }}"
    assert (instance.task, context) == (None, {})


async def test_no_secret_is_stored(
    dag: DAG, supervisor: Supervisor, local_flyte: LocalFlyte, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_FLYTE_DEFAULT", connection_json(local_flyte, token=SECRET, auth="token"))
    sensor(dag, run_name="r1")
    assert SECRET not in f"{stored_dag(dag)} {trigger_of(dag, 'wait')!r}"


# -- refused when the DAG is read


def test_what_cannot_start_there_is_an_import_error(dag: DAG) -> None:
    with dag:
        names = upstream_task("names")
        each = task(task_id="each")(lambda of: of).expand(of=["a", "b"])

    def mapped(**given: Any) -> Any:
        return FlyteRunSensor.partial(task_id="mapped", **given)

    refused: list[tuple[str, Any]] = [
        ("meaning only with start_from_trigger", lambda: sensor(run_name="r1", start_from_trigger=False)),
        ("start_from_trigger is 'yes'", lambda: sensor(run_name="r1", start_from_trigger="yes")),
        ("run_name is function", lambda: sensor(run_name=lambda context, jinja_env: "r1")),
        ("run_names is computed from", lambda: sensor(run_names=names.map(str))),
        ("output of the mapped task 'each'", lambda: sensor(run_names=each)),
        ("output of the mapped task 'each'", lambda: sensor(run_names=[each])),
        ("output of the mapped task 'each'", lambda: mapped(**ENDS, run_names=each)),
        ("output of the mapped task 'each'", lambda: mapped(**ENDS).expand(run_name=each)),
        ("output of the mapped task 'each'", lambda: mapped(**ENDS).expand_kwargs(each)),
        ("run_name is computed from", lambda: mapped(**ENDS).expand(run_name=names.map(str))),
        ("start_from_trigger is mapped", lambda: mapped().expand(run_name=["a"], start_from_trigger=[True])),
        (
            "end_from_trigger is mapped",
            lambda: mapped(**STARTS).expand_kwargs([{"run_name": "a", "end_from_trigger": True}]),
        ),
        ("meaning only with start_from_trigger", lambda: mapped(end_from_trigger=True)),
        ("mode='reschedule' has no meaning", lambda: sensor(run_name="r1", mode="reschedule")),
        ("mode='reschedule' has no meaning", lambda: mapped(**ENDS, mode="reschedule")),
        ("missing_after=None of a mapped sensor", lambda: mapped(**ENDS, missing_after=None)),
        ("on_paused=None of a mapped sensor", lambda: mapped(**ENDS, on_paused=None)),
        (
            "FlyteRunSensor alone",
            lambda: FlyteRunOperator(task_id="launch", task_name="demo.train", start_from_trigger=True),
        ),
    ]
    for message, make in refused:
        with pytest.raises(FlyteArgumentError, match=message):
            make()


def test_a_dag_that_renders_otherwise_is_refused() -> None:
    """What it renders with is not in the serialized DAG."""
    with DAG("brackets", schedule=None, jinja_environment_kwargs={"variable_start_string": "[["}):
        with pytest.raises(FlyteArgumentError, match="jinja_environment_kwargs"):
            FlyteRunSensor.partial(task_id="many", **STARTS).expand(run_name=["[[ ds ]]"])
        with pytest.raises(FlyteArgumentError, match="jinja_environment_kwargs"):
            FlyteRunSensor(task_id="one", run_name="[[ ds ]]", **STARTS)


def test_default_args_reach_mapped_sensors_too(dag: DAG) -> None:
    # The mode is that of the other sensors of this DAG.
    with DAG("defaults", schedule=None, default_args={"start_from_trigger": True, "mode": "reschedule"}):
        one = FlyteRunSensor(task_id="one", run_name="r1")
        many = FlyteRunSensor.partial(task_id="many").expand(run_name=["r1"])
        # Not an argument of theirs.
        FlyteRunOperator(task_id="launch", task_name="demo.train")
    assert (one.start_from_trigger, many.start_from_trigger) == (True, True)


async def test_default_args_of_a_mapped_sensor_count_in_the_triggerer_as_on_a_worker(
    supervisor: Supervisor, flyte_default: LocalFlyte, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_FLYTE_PROD", os.environ["AIRFLOW_CONN_FLYTE_DEFAULT"])
    monkeypatch.delenv("AIRFLOW_CONN_FLYTE_DEFAULT")
    for name in ("r1", "r2"):
        flyte_default.run(name, task="etl.load", labels={"a": "b"}).fails()
    defaults: dict[str, Any] = {"flyte_conn_id": "flyte_prod", "soft_fail": True, "since": timedelta(hours=1)}
    # Of the operators of this DAG.
    defaults |= {"task_name": "other.task", "labels": {"a": "b"}, "retries": 3}
    with DAG("of_prod", schedule=None, default_args=ENDS | defaults) as dag:
        FlyteRunSensor.partial(task_id="named").expand(run_name=["r1", "r2"])
        FlyteRunSensor.partial(task_id="searched").expand(task_name=["etl.load"])
        with pytest.raises(FlyteArgumentError, match=r"^labels=None of a mapped sensor"):
            FlyteRunSensor.partial(task_id="unlabelled", labels=None)
        FlyteRunSensor.partial(task_id="own", soft_fail=False).expand(run_name=["r1"], flyte_conn_id=["flyte_prod"])
    for task_id in ("named", "searched"):
        assert (await event_of(trigger_of(dag, task_id, 0))).task_instance_state == "skipped"
    own = trigger_of(dag, "own", 0)
    _, made = own._begin()
    assert (made.soft_fail, made.flyte_conn_id, made.task_name, made.retries) == (False, "flyte_prod", None, 0)


def test_default_args_of_a_task_group_do_not_reach_the_triggerer() -> None:
    defaults: Any = {"flyte_conn_id": "flyte_prod", "labels": {"a": "b"}, "retries": 3}
    with DAG("grouped", schedule=None), TaskGroup("group", default_args=defaults):
        upstream = upstream_task("upstream")
        FlyteRunSensor.partial(task_id="waits").expand(run_name=["r1"])
        FlyteRunSensor.partial(task_id="given", **STARTS, flyte_conn_id="flyte_prod").expand(run_name=["r1"])
        FlyteRunSensor.partial(task_id="known_later", **STARTS, flyte_conn_id="flyte_prod").expand_kwargs(upstream)
        FlyteRunSensor.partial(task_id="mapped", **STARTS).expand_kwargs([{"run_name": "r", "flyte_conn_id": "f"}])
        for number, mapped in enumerate(
            ([{"run_name": "r1"}], [{"run_name": "r", "flyte_conn_id": "f"}, {"run_name": "r"}])
        ):
            with pytest.raises(FlyteArgumentError, match=r"^flyte_conn_id is in the default_args of a task group"):
                FlyteRunSensor.partial(task_id=f"lost_{number}", **STARTS).expand_kwargs(mapped)
        begun = FlyteRunSensor.partial(task_id="search", **STARTS, flyte_conn_id="flyte_prod", since=3600)
        with pytest.raises(FlyteArgumentError, match=r"^labels is in the default_args"):
            begun.expand(task_name=["etl.load"])


def test_no_other_sensor_has_anything_of_it(dag: DAG) -> None:
    FlyteRunSensor(dag=dag, task_id="wait", run_name="r1", deferrable=True)
    stored = str(stored_dag(dag))
    assert "start_trigger_args" not in stored
    assert "FlyteSensorTrigger" not in stored


# -- how it ends: the table of docs/sensor.md

CONDITIONS: dict[str, dict[str, Any]] = {
    "failed": {"run_name": "failed"},
    "missing": {"run_name": "missing", "missing_after": 0.2},
    "unreachable": {"run_name": "r1", "flyte_conn_id": "flyte_down", "unreachable_after": 0.2},
    "no_connection": {"run_name": "r1", "flyte_conn_id": "flyte_absent"},
    "crashed": {"run_name": "crashing"},
    "timed_out": {"run_name": "endless"},
    "wrong": {"run_name": "{{ '' }}"},
}
FLAGS = ("plain", "soft_fail", "never_fail", "silent_fail")
FAILS, FOR_GOOD, SKIPS, LATE = "fails", "fails for good", "skips", "fails for good when timeout has passed"
TABLE = {
    "failed": (FOR_GOOD, SKIPS, SKIPS, FOR_GOOD),
    "missing": (FAILS, SKIPS, SKIPS, LATE),
    "unreachable": (FAILS, FAILS, SKIPS, LATE),
    "no_connection": (FAILS, FAILS, SKIPS, LATE),
    "crashed": (FAILS, FAILS, SKIPS, LATE),
    "timed_out": (FOR_GOOD, SKIPS, SKIPS, LATE),
    "wrong": (FOR_GOOD, FOR_GOOD, SKIPS, FOR_GOOD),
}


@pytest.fixture
def crashing() -> Iterator[None]:
    """An Airflow whose logging breaks over the wait for one run, which is no trouble that the trigger expects."""

    def boom(logger: Any, method: str, event: Any) -> Any:
        if "Waiting for" in event["event"] and "crashing" in str(event):
            raise RuntimeError("boom")
        return event

    before = structlog.get_config()["processors"]
    structlog.configure(processors=[boom, *before])
    yield
    structlog.configure(processors=before)


@pytest.mark.usefixtures("crashing")
async def test_every_cell_of_the_table(
    supervisor: Supervisor, flyte_default: LocalFlyte, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each condition with each flag, with and without retries, ended by a worker and in the triggerer."""
    flyte_default.run("failed").fails(kind="USER", message="no rows")
    for name in ("endless", "crashing"):
        flyte_default.run(name).phases("RUNNING")
    with LocalFlyte() as down:
        monkeypatch.setenv("AIRFLOW_CONN_FLYTE_DOWN", connection_json(down))
    cells = list(itertools.product(CONDITIONS, FLAGS, (False, True), (0, 1)))
    sensors: dict[Any, FlyteRunSensor] = {}
    for number, (condition, flag, ends, retries) in enumerate(cells):
        # A DAG of its own: each trigger gets a whole one.
        sensors[number] = sensor(
            DAG(f"cell{number}", schedule=None),
            task_id=f"t{number}",
            retries=retries,
            end_from_trigger=ends,
            timeout=1.0 if condition == "timed_out" or flag == "silent_fail" else 60.0,
            **({} if flag == "plain" else {flag: True}),
            **CONDITIONS[condition],
        )
    triggers = [trigger_of(made.dag, made.task_id) for made in sensors.values()]
    events = await asyncio.gather(*map(event_of, triggers))
    for number, (condition, flag, ends, retries) in enumerate(cells):
        expected = TABLE[condition][FLAGS.index(flag)]
        found = _outcome(sensors[number], events[number], retries)
        assert found == (expected, _ends_there(expected, ends, retries)), cells[number]
        if condition in ("failed", "timed_out") and ends and not retries:
            assert supervisor.xcoms[f"t{number}", -1, "return_value"], cells[number]


def _ends_there(expected: str, ends: bool, retries: int) -> bool:
    # A trigger cannot forbid a retry.
    return ends and not (expected in (FOR_GOOD, LATE) and retries)


def _outcome(made: FlyteRunSensor, event: Any, retries: int) -> tuple[str, bool]:
    """What becomes of the task, and whether no worker was needed."""
    state = getattr(event, "task_instance_state", None)
    late = made.timeout == 1.0 and made.silent_fail
    if state is not None:
        if state == "skipped":
            return SKIPS, True
        assert state == "failed"
        if made.run_name in ("failed", "{{ '' }}"):
            return FOR_GOOD, True
        return (LATE if late else FOR_GOOD if made.run_name == "endless" else FAILS), True
    try:
        resumed(made, event, **({"run_name": ""} if made.run_name == "{{ '' }}" else {}))
    except AirflowSkipException:
        return SKIPS, False
    except AirflowSensorTimeout:
        return (LATE if late else FOR_GOOD), False
    except AirflowFailException:
        return FOR_GOOD, False
    except (FlyteRunMissing, FlyteUnreachable, FlyteConfigurationError, FlyteWaitBroken):
        return FAILS, False
    raise AssertionError("a wait that does not end well has succeeded")
