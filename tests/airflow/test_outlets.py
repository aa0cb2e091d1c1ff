"""What the events of a task's outlets tell of its runs: for sensor and operator, in every mode, whatever Flyte says."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from airflow_provider_flyte.compat import AirflowSkipException, Asset, AssetAlias
from airflow_provider_flyte.decorators import flyte_task
from airflow_provider_flyte.exceptions import FlyteOutputsUnreadable, FlyteRunFailed, FlyteRunFailedForGood
from airflow_provider_flyte.operators import FlyteRunOperator
from airflow_provider_flyte.testing import LocalFlyte, status
from airflow_provider_flyte.wait.outlets import MOST_DATA, MOST_RUNS, data_uri
from tests.support.blobs import DATA_FRAME, FILE, blob, data_frame
from tests.support.driving import DagRun, Driven, TaskInstance, Try, lines_of
from tests.support.outlets import alias_events, outlet_events
from tests.support.own_airflow import AIRFLOW

pytestmark = pytest.mark.one_transport("grpc")

MODELS = Asset("s3://models/sales")
DATA = AssetAlias("data")
SENSOR_MODES = pytest.mark.parametrize("mode", [{"deferrable": True}, {"deferrable": False}], ids=["deferred", "poke"])
OPERATOR_MODES = pytest.mark.parametrize("deferrable", [False, True], ids=["worker", "deferred"])


def told(task: Driven, outlet: Any = MODELS) -> dict[str, Any]:
    """What the event of an asset has."""
    extra: dict[str, Any] = task.context["outlet_events"][outlet].extra
    assert json.loads(json.dumps(extra)) == extra
    return extra


def data_of(task: Driven) -> dict[str, str]:
    """Output -> URI, of the events of the alias."""
    return {extra["output"]: uri for _, uri, extra in alias_events(task.context["outlet_events"][DATA])}


def with_outlets(task: Driven) -> Driven:
    task.context["outlet_events"] = outlet_events()
    return task


def waiting(**arguments: Any) -> Driven:
    return with_outlets(Try(**{"run_name": "r1", "outlets": [MODELS]} | arguments))


def launching(**arguments: Any) -> Driven:
    defaults: dict[str, Any] = {"task_id": "train", "task_name": "demo.train", "poll_interval": 0.1, "resume_after": 0}
    task = FlyteRunOperator(**defaults | {"unreachable_after": 1.0, "outlets": [MODELS]} | arguments)
    return with_outlets(Driven(task, TaskInstance(), DagRun()))


@pytest.fixture
def flyte(flyte_default: LocalFlyte) -> LocalFlyte:
    """A Flyte whose runs of demo.train write a file and give a number."""
    flyte_default.deploy("demo.train", outputs={"o0": FILE, "o1": int})
    flyte_default.on_launch(lambda run: run.succeeds({"o0": blob("s3://models/sales/1.bin"), "o1": 7}))
    return flyte_default


def writes(flyte: LocalFlyte, outputs: Mapping[str, Any], types: Mapping[str, Any] | None = None) -> None:
    flyte.deploy("demo.train", outputs=types or dict.fromkeys(outputs, FILE))
    flyte.on_launch(lambda run: run.succeeds(outputs))


# -- assets


@SENSOR_MODES
def test_a_sensor_tells_which_run_has_ended(flyte: LocalFlyte, mode: dict[str, Any]) -> None:
    flyte.run("r1", version="v7").succeeds()
    task = waiting(**mode)
    task.run()
    extra = told(task)
    assert extra == {
        "id": f"flytesnacks/development/r1 {extra['end_time']}",
        "run_name": "r1",
        "project": "flytesnacks",
        "domain": "development",
        "phase": "SUCCEEDED",
        "task_name": "demo.train",
        "task_version": "v7",
        "start_time": extra["start_time"],
        "end_time": extra["end_time"],
        "url": extra["url"],
    }
    assert extra["start_time"] <= extra["end_time"]
    assert extra["url"].endswith("/runs/r1")
    assert flyte.calls("GetActionData") == []


def test_in_a_deferral_it_is_the_task_that_tells(flyte: LocalFlyte) -> None:
    """The process that ends, and not the one that defers: what that one knows is gone."""
    run = flyte.run("r1").move("RUNNING")
    task = waiting()
    go_on = task.go_on

    def end(deferred: Any) -> Any:
        assert told(task) == {}
        run.succeeds()
        return go_on(deferred)

    task.go_on = end  # type: ignore[method-assign]
    task.run()
    assert task.deferrals
    assert told(task)["run_name"] == "r1"


@OPERATOR_MODES
def test_an_operator_tells_which_run_it_has_launched(flyte: LocalFlyte, deferrable: bool) -> None:
    task = launching(deferrable=deferrable)
    task.run()
    [run] = flyte.runs()
    assert (told(task)["run_name"], told(task)["phase"]) == (run.name, "SUCCEEDED")


async def test_who_watches_tells_the_same(flyte_default: LocalFlyte) -> None:
    """Where a task and a trigger tell of one end, a DAG knows it by its id."""
    if AIRFLOW < (3,):
        return
    import asyncio

    from airflow_provider_flyte.triggers import FlyteRunsTrigger

    events: Any = FlyteRunsTrigger("demo.train", since=3600.0, poll_interval=0.1).run()
    flyte_default.run("r1", version="v7").succeeds()
    payload = (await asyncio.wait_for(anext(events), 20)).payload
    await events.aclose()
    task = waiting(deferrable=False)
    await asyncio.to_thread(task.run)
    assert told(task) == payload


def test_a_function_that_is_decorated(flyte: LocalFlyte) -> None:
    @flyte_task("demo.train", outlets=[MODELS], poll_interval=0.1, resume_after=0)
    def train() -> None:
        return None

    decorated: Any = train()
    task = with_outlets(Driven(decorated.operator, TaskInstance(), DagRun()))
    task.run()
    assert told(task)["run_name"] == flyte.runs()[0].name


def test_what_is_launched_and_not_waited_for(flyte: LocalFlyte) -> None:
    flyte.on_launch(lambda run: run.move("RUNNING"))
    task = launching(wait=False, outlets=[MODELS, DATA])
    lines = lines_of(task.task)
    task.run()
    [run] = flyte.runs()
    extra = told(task)
    assert (extra["run_name"], extra["phase"], extra["end_time"]) == (run.name, "RUNNING", None)
    assert extra["id"] == f"flytesnacks/development/{run.name}"
    assert data_of(task) == {}
    assert [line for line in lines if "wait=False" in line]


def test_what_was_launched_and_cannot_be_read(flyte: LocalFlyte) -> None:
    flyte.inject("GetRunDetails", status("PERMISSION_DENIED", "x"))
    task = launching(wait=False)
    task.run()
    extra = told(task)
    assert (extra["phase"], extra["task_name"], extra["start_time"]) == ("UNSPECIFIED", "demo.train", None)
    assert extra["run_name"] == task.ti.xcoms["run_name"]


@SENSOR_MODES
def test_several_runs(flyte: LocalFlyte, mode: dict[str, Any]) -> None:
    flyte.run("r1").succeeds()
    flyte.run("r2").fails()
    flyte.run("r3").move("RUNNING")
    task = waiting(run_name=None, run_names=["r3", "r2", "r1"], wait_for="any", fail_fast=False, **mode)
    task.run()
    extra = told(task)
    assert extra["run_count"] == 2
    assert [(run["run_name"], run["phase"]) for run in extra["runs"]] == [("r2", "FAILED"), ("r1", "SUCCEEDED")]


def test_of_many_runs_the_first(flyte: LocalFlyte) -> None:
    names = [f"r{number}" for number in range(MOST_RUNS + 1)]
    for name in names:
        flyte.run(name).succeeds()
    task = waiting(run_name=None, run_names=names, deferrable=False)
    task.run()
    assert (told(task)["run_count"], len(told(task)["runs"])) == (MOST_RUNS + 1, MOST_RUNS)
    assert len(json.dumps(told(task))) < 100_000


def test_what_the_author_has_put_there_stays(flyte: LocalFlyte) -> None:
    flyte.run("r1").succeeds()
    task = waiting()
    task.context["outlet_events"][MODELS].extra = {"url": "mine", "rows": 3}
    task.run()
    extra = told(task)
    assert (extra["url"], extra["rows"], extra["run_name"]) == ("mine", 3, "r1")


@pytest.mark.parametrize(
    ("arguments", "error"), [({}, FlyteRunFailedForGood), ({"soft_fail": True}, AirflowSkipException)]
)
@SENSOR_MODES
def test_nothing_is_told_of_a_failure_or_a_skip(
    flyte: LocalFlyte, arguments: dict[str, Any], error: type[Exception], mode: dict[str, Any]
) -> None:
    flyte.run("r1").fails()
    task = waiting(outlets=[MODELS, DATA], **arguments, **mode)
    with pytest.raises(error):
        task.run()
    assert told(task) == {}
    assert data_of(task) == {}


def test_nothing_is_told_of_a_launched_run_that_fails(flyte: LocalFlyte) -> None:
    flyte.on_launch(lambda run: run.fails())
    task = launching(outlets=[MODELS, DATA])
    with pytest.raises(FlyteRunFailed):
        task.run()
    assert told(task) == {}


def test_where_airflow_has_no_events(flyte: LocalFlyte) -> None:
    flyte.run("r1").succeeds()
    task = waiting()
    del task.context["outlet_events"]
    assert task.run()["action"]


def test_an_event_that_takes_nothing_is_a_warning(flyte: LocalFlyte) -> None:
    flyte.run("r1").succeeds()
    task = waiting()
    task.context["outlet_events"][MODELS].extra = None
    lines = lines_of(task.task)
    assert task.run()["action"]
    assert [line for line in lines if line.startswith("WARNING: The event of outlet ")]


# -- aliases


@OPERATOR_MODES
def test_an_alias_is_resolved_to_what_the_run_has_written(flyte: LocalFlyte, deferrable: bool) -> None:
    outputs = {
        "o0": blob("s3://models/sales/1.bin"),
        "o1": blob("gs://models/parts/", parts=True),
        "o2": data_frame("s3://warehouse/rows"),
        "o3": 7,
    }
    writes(flyte, outputs, {"o0": FILE, "o1": FILE, "o2": DATA_FRAME, "o3": int})
    task = launching(outlets=[MODELS, DATA], deferrable=deferrable)
    task.run()
    assert data_of(task) == {
        "o0": "s3://models/sales/1.bin",
        "o1": "gs://models/parts",
        "o2": "s3://warehouse/rows",
    }
    run = told(task)
    found = alias_events(task.context["outlet_events"][DATA])
    assert [extra for *_, extra in found] == [
        run | {"output": "o0", "output_type": "file"},
        run | {"output": "o1", "output_type": "directory"},
        run | {"output": "o2", "output_type": "structured_dataset"},
    ]
    assert [name for name, *_ in found] == [uri for _, uri, _ in found]
    # For XCom and the alias together.
    assert flyte.calls.count("GetActionData") == 1


def test_without_xcom_the_outputs_are_read_for_the_alias_alone(flyte: LocalFlyte) -> None:
    task = launching(outlets=[MODELS], do_xcom_push=False)
    task.run()
    assert flyte.calls.count("GetActionData") == 0
    task = launching(outlets=[DATA], do_xcom_push=False)
    task.run()
    assert data_of(task) == {"o0": "s3://models/sales/1.bin"}
    assert "outputs" not in task.ti.xcoms


@SENSOR_MODES
def test_a_sensor_reads_outputs_for_an_alias(flyte: LocalFlyte, mode: dict[str, Any]) -> None:
    flyte.run("r1").succeeds({"o0": blob("s3://models/sales/1.bin")})
    task = waiting(outlets=[DATA], **mode)
    task.run()
    assert data_of(task) == {"o0": "s3://models/sales/1.bin"}


def test_of_several_runs_those_that_have_succeeded(flyte: LocalFlyte) -> None:
    flyte.run("r1").succeeds({"o0": blob("s3://models/1")})
    flyte.run("r2").fails()
    flyte.run("r3").succeeds({"o0": blob("s3://models/3")})
    task = waiting(run_name=None, run_names=["r1", "r2", "r3"], wait_for="any", fail_fast=False, outlets=[DATA])
    task.run()
    found = alias_events(task.context["outlet_events"][DATA])
    assert [(uri, extra["run_name"]) for _, uri, extra in found] == [("s3://models/1", "r1"), ("s3://models/3", "r3")]
    assert flyte.calls.count("GetActionData") == 2


def test_files_in_lists_and_dicts(flyte: LocalFlyte) -> None:
    writes(flyte, {"o0": [blob("s3://a/0"), blob("s3://a/1")], "o1": {"x": [blob("s3://a/2")]}})
    task = launching(outlets=[DATA])
    task.run()
    assert data_of(task) == {"o0[0]": "s3://a/0", "o0[1]": "s3://a/1", "o1['x'][0]": "s3://a/2"}


def test_two_aliases_get_the_same(flyte: LocalFlyte) -> None:
    task = launching(outlets=[DATA, AssetAlias("also")])
    task.run()
    events = task.context["outlet_events"]
    assert alias_events(events[DATA]) == alias_events(events[AssetAlias("also")]) != []


def test_a_run_that_writes_nothing(flyte: LocalFlyte) -> None:
    writes(flyte, {"o0": 7}, {"o0": int})
    task = launching(outlets=[DATA])
    lines = lines_of(task.task)
    task.run()
    assert data_of(task) == {}
    assert "INFO: No output is a file, a directory or a data frame, so the AssetAlias gets no events." in lines


def test_of_many_files_the_first(flyte: LocalFlyte) -> None:
    writes(flyte, {"o0": [blob(f"s3://a/{number}") for number in range(MOST_DATA + 1)]})
    task = launching(outlets=[DATA])
    lines = lines_of(task.task)
    task.run()
    assert len(data_of(task)) == MOST_DATA
    assert [line for line in lines if line.startswith("WARNING: The AssetAlias gets events of the first 100 outputs")]


@pytest.mark.parametrize(
    ("flags", "error"), [({"soft_fail": True}, FlyteOutputsUnreadable), ({"never_fail": True}, AirflowSkipException)]
)
@SENSOR_MODES
def test_what_the_flags_make_of_it(
    flyte: LocalFlyte, mode: dict[str, Any], flags: dict[str, Any], error: type[Exception]
) -> None:
    flyte.inject("GetActionData", status("PERMISSION_DENIED", "x"))
    flyte.run("r1").succeeds()
    with pytest.raises(error):
        waiting(outlets=[DATA], **flags, **mode).run()


@SENSOR_MODES
def test_outputs_that_cannot_be_read_for_an_alias_fail_the_task(flyte: LocalFlyte, mode: dict[str, Any]) -> None:
    """Nobody would run because of an event that is lost; a retry reads them again."""
    flyte.inject("GetActionData", status("PERMISSION_DENIED", "x"))
    flyte.run("r1").succeeds({"o0": blob("s3://models/1")})
    task = waiting(outlets=[DATA], **mode)
    with pytest.raises(FlyteOutputsUnreadable, match="no AssetAlias among its outlets"):
        task.run()
    assert data_of(task) == {}


@SENSOR_MODES
def test_with_silent_fail_they_are_read_again(flyte: LocalFlyte, mode: dict[str, Any]) -> None:
    flyte.inject("GetActionData", status("PERMISSION_DENIED", "x", times=1))
    flyte.run("r1").succeeds({"o0": blob("s3://models/1")})
    task = waiting(outlets=[DATA], silent_fail=True, **mode)
    task.run()
    assert data_of(task) == {"o0": "s3://models/1"}


# -- addresses are text from outside


@pytest.mark.parametrize(
    ("uri", "kept"),
    [
        ("s3://bucket/key", "s3://bucket/key"),
        ("https://b.s3.amazonaws.com/key?X-Amz-Signature=5ec2e7&x=1#part", "https://b.s3.amazonaws.com/key"),
        ("https://token@host/key", "https://host/key"),
        ("s3://id:5ec2e7@bucket/key", "s3://bucket/key"),
        ("abfss://container@account.dfs.core.windows.net/a", "abfss://container@account.dfs.core.windows.net/a"),
        ("abfs://container:5ec2e7@account/a", "abfs://account/a"),
        ("abfs://container%3A5ec2e7@account/a", "abfs://account/a"),
        ("hdfs://host:9000/a@b:c@d", "hdfs://host:9000/a@b:c@d"),
        ("s3://bucket/09:30/a@b", "s3://bucket/09:30/a@b"),
        ("s3://arn:aws:s3:us-west-2:1:accesspoint/mine/key", "s3://arn:aws:s3:us-west-2:1:accesspoint/mine/key"),
        ("file:///tmp/a", "file:///tmp/a"),
    ],
)
def test_nothing_that_lets_somebody_in_is_in_an_asset(uri: str, kept: str) -> None:
    assert data_uri(uri) == kept


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "/tmp/5ec2e7",
        "s3://a/" + "5ec2e7" * 300,
        "s3://a/5ec2e7\nb",
        "s3://[5ec2e7",
        "5ec2e7",
        "s3:",
        "s3://\0/5ec2e7",
        "s3://id:5e/c2e7@bucket/key",
        "s3:/id:5ec2e7@bucket/key",
        "s3:///id:5ec2e7@bucket/key",
        "s3:\\id:5ec2e7@bucket",
    ],
)
def test_what_is_no_address(uri: str) -> None:
    with pytest.raises(ValueError, match=r"^Its address ") as caught:
        data_uri(uri)
    assert "5ec2e7" not in str(caught.value)


def test_what_can_be_no_asset_is_a_warning(flyte: LocalFlyte) -> None:
    """The others become assets all the same."""
    bad = ["relative", "airflow://reserved", "s3://[half", "s3://a/b\x1bc", "s3://a/" + "b" * 2000]
    writes(flyte, {"o0": [blob(uri) for uri in bad], "o1": blob("s3://a/good")})
    task = launching(outlets=[DATA])
    lines = lines_of(task.task)
    task.run()
    assert data_of(task) == {"o1": "s3://a/good"}
    warned = [line for line in lines if line.startswith("WARNING: Output o0[")]
    assert len(warned) == len(bad)
    assert all("becomes no asset" in line and line.isprintable() for line in warned)


def test_hostile_names_stay_text(flyte: LocalFlyte) -> None:
    flyte.run("r1", task="demo.train", version="v\x1b[31m" + "9" * 500).succeeds(
        {"o\n0": {"k\n" * 300: blob("s3://a/b")}}
    )
    task = waiting(outlets=[MODELS, DATA], deferrable=False)
    task.run()
    [(_, uri, extra)] = alias_events(task.context["outlet_events"][DATA])
    assert uri == "s3://a/b"
    assert extra["output"].isprintable()
    assert len(extra["output"]) <= 200
    assert extra["task_version"].isprintable()
    assert len(extra["task_version"]) <= 200
