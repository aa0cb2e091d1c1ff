"""Runs as a test scripts them, seen through a client's eyes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import grpc
import pytest

from airflow_provider_flyte.client import rpc
from airflow_provider_flyte.client.idl.common.phase_pb2 import ActionPhase
from airflow_provider_flyte.client.idl.core.types_pb2 import LiteralType
from airflow_provider_flyte.client.idl.task.common_pb2 import Inputs
from airflow_provider_flyte.client.idl.workflow.run_definition_pb2 import ErrorInfo
from airflow_provider_flyte.client.phase import RunPhase
from airflow_provider_flyte.testing import LocalFlyte, unavailable
from airflow_provider_flyte.testing.literals import named_literals

DAY = datetime(2026, 11, 23, tzinfo=timezone.utc)


def transitions(details: Any) -> list[list[str]]:
    """The phases of each attempt, as its events tell them."""
    return [
        [ActionPhase.Name(step.phase).removeprefix("ACTION_PHASE_") for step in attempt.phase_transitions]
        for attempt in details.action.attempts
    ]


def test_a_new_run_is_queued_and_carries_what_it_was_given(flyte: LocalFlyte, client: Any) -> None:
    flyte.run(
        "r1",
        task="etl.load",
        version="v7",
        inputs={"day": "2026-11-23"},
        envs={"STAGE": "test"},
        labels={"team": "data"},
        annotations={"note": "by hand"},
    )
    run = flyte.run("r1")
    details = client.details("r1")
    assert run.phase == details.action.status.phase == RunPhase.QUEUED
    assert not details.action.attempts
    assert (details.action.metadata.task.id.name, details.action.metadata.task.id.version) == ("etl.load", "v7")
    assert run.task == ("etl.load", "v7")
    assert run.run_spec == details.run_spec
    assert details.run_spec.envs.values[0].value == "test"
    assert details.run_spec.labels.values == {"team": "data"}
    assert details.run_spec.annotations.values == {"note": "by hand"}
    assert client.data("r1").inputs.literals[0].value.scalar.primitive.string_value == "2026-11-23"


def test_a_run_is_made_once(flyte: LocalFlyte) -> None:
    assert flyte.run("r1") is flyte.run("r1")
    assert flyte.run("r1").enqueued == 1
    assert [run.name for run in flyte.runs()] == ["r1"]


def test_runs_of_one_name_in_two_projects(flyte: LocalFlyte, client: Any) -> None:
    other = flyte.run("r1", project="finance", domain="production").phases("RUNNING")
    flyte.run("r1")
    assert (other.project, other.domain, other.name) == ("finance", "production", "r1")
    assert repr(other) == "<run finance/production/r1 <RunPhase.RUNNING: 4>>"
    assert client.details("r1").action.status.phase == RunPhase.QUEUED
    assert flyte.runs() == [other, flyte.run("r1")]


def test_phases_move_on_their_own(flyte: LocalFlyte, client: Any) -> None:
    run = flyte.run("r1")
    stream = client.watch_action("r1")
    assert next(stream).details.status.phase == RunPhase.QUEUED
    run.phases("QUEUED", "RUNNING", "SUCCEEDED", every=0.05)
    assert list(stream)  # the stream ends with the run
    details = client.details("r1")
    assert transitions(details) == [["RUNNING", "SUCCEEDED"]]
    attempt = details.action.attempts[0]
    assert attempt.end_time.ToDatetime() - attempt.start_time.ToDatetime() >= timedelta(seconds=0.045)


def test_all_phases_at_once(flyte: LocalFlyte, client: Any) -> None:
    flyte.run("r1").phases("QUEUED", "WAITING_FOR_RESOURCES", "INITIALIZING", "RUNNING", "SUCCEEDED")
    details = client.details("r1")
    assert details.action.status.phase == RunPhase.SUCCEEDED
    assert transitions(details) == [["WAITING_FOR_RESOURCES", "INITIALIZING", "RUNNING", "SUCCEEDED"]]


def test_move_is_one_step_by_hand(flyte: LocalFlyte, client: Any) -> None:
    run = flyte.run("r1")
    for phase in ("RUNNING", "SUCCEEDED"):
        run.move(phase)
        assert client.details("r1").action.status.phase == RunPhase[phase]


def test_a_misspelt_step_is_refused_at_once(flyte: LocalFlyte) -> None:
    run = flyte.run("r1")
    with pytest.raises(ValueError, match=r"no such phase: 'SUCEEDED'; known are .*SUCCEEDED"):
        run.phases("RUNNING", "SUCEEDED", every=60)
    with pytest.raises(ValueError, match="kind is one of USER, SYSTEM"):
        run.phases("RUNNING").fails(kind="OTHER")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="attempts 1 or more"):
        run.fails(attempts=0)
    with pytest.raises(TypeError, match="no literal of object"):
        run.succeeds({"o0": object()})
    assert run.move("RUNNING").phase == RunPhase.RUNNING


def test_verbs_wait_for_the_steps_before_them(flyte: LocalFlyte, client: Any, eventually: Any) -> None:
    assert flyte.run("r1").phases("RUNNING", "PAUSED", every=60).succeeds({"o0": 1}).phase == RunPhase.RUNNING
    run = flyte.run("r2").phases("QUEUED", "RUNNING", every=0.05).succeeds({"o0": 1})
    eventually(lambda: run.phase == RunPhase.SUCCEEDED)
    attempt = client.details("r2").action.attempts[0]
    assert attempt.end_time.ToDatetime() - attempt.start_time.ToDatetime() >= timedelta(seconds=0.045)


def test_an_unknown_phase_comes_and_goes(flyte: LocalFlyte, client: Any) -> None:
    run = flyte.run("r1").phases("RUNNING", 99)
    assert run.phase == 99
    assert client.details("r1").action.status.phase == 99
    run.move("SUCCEEDED")
    assert client.details("r1").action.status.phase == RunPhase.SUCCEEDED


def test_a_fault_among_the_phases_lasts_until_the_next_step(flyte: LocalFlyte, client: Any) -> None:
    flyte.run("other")
    run = flyte.run("r1").phases("RUNNING", unavailable("out for lunch"))
    asks: list[Callable[[], Any]] = [
        lambda: client.details("r1"),
        lambda: client.list_runs(client.equal("run_name", "r1")),
        lambda: next(client.watch_action("r1")),
    ]
    for ask in asks:
        with pytest.raises(grpc.RpcError) as refused:
            ask()
        assert refused.value.code() == grpc.StatusCode.UNAVAILABLE
        assert refused.value.details() == "out for lunch"
    assert client.details("other")
    assert len(client.list_runs().runs) == 2
    projects = rpc.ProjectService.ListProjects
    assert client.ask(projects, projects.request())
    assert client.create("r1")
    run.move("SUCCEEDED")
    for ask in asks:
        assert ask()


def test_a_fault_among_the_phases_may_be_met_a_few_times(flyte: LocalFlyte, client: Any) -> None:
    flyte.run("r1").phases("RUNNING", unavailable(times=1))
    with pytest.raises(grpc.RpcError):
        client.details("r1")
    assert client.details("r1").action.status.phase == RunPhase.RUNNING


def test_outputs_of_plain_values(flyte: LocalFlyte, client: Any) -> None:
    flyte.run("r1").succeeds(
        {
            "o0": "done",
            "o1": 0.5,
            "o2": [1, 2],
            "o3": {"k": None},
            "o4": True,
            "o5": DAY,
            "o6": DAY - DAY,
            "o7": DAY.date(),
        }
    )
    values = {literal.name: literal.value for literal in client.data("r1").outputs.literals}
    assert values["o0"].scalar.primitive.string_value == "done"
    assert values["o1"].scalar.primitive.float_value == 0.5
    assert [item.scalar.primitive.integer for item in values["o2"].collection.literals] == [1, 2]
    assert values["o3"].map.literals["k"].scalar.HasField("none_type")
    assert values["o4"].scalar.primitive.boolean
    assert values["o5"].scalar.primitive.datetime.ToDatetime(timezone.utc) == DAY
    assert values["o6"].scalar.primitive.HasField("duration")
    assert values["o7"] == values["o5"]


def test_outputs_however_it_succeeds(flyte: LocalFlyte, client: Any) -> None:
    flyte.run("r1").writes({"o0": 7}).phases("RUNNING", "SUCCEEDED")
    assert client.data("r1").outputs.literals[0].value.scalar.primitive.integer == 7


def test_no_outputs_before_the_end(flyte: LocalFlyte, client: Any) -> None:
    flyte.run("r1").writes({"o0": 7}).phases("RUNNING")
    assert not client.data("r1").outputs.literals


def test_a_failure_with_retries(flyte: LocalFlyte, client: Any) -> None:
    flyte.run("r1").fails(kind="SYSTEM", message="no node", attempts=3)
    details = client.details("r1")
    assert details.action.status.phase == RunPhase.FAILED
    assert details.action.status.attempts == 3
    assert transitions(details) == [["RUNNING", "FAILED"]] * 3
    assert details.action.error_info == ErrorInfo(message="no node", kind=ErrorInfo.KIND_SYSTEM)


def test_the_error_may_come_by_hand(flyte: LocalFlyte, client: Any) -> None:
    run = flyte.run("r1").fails(message="no rows", error_after=None)
    before = client.details("r1").action
    assert before.status.phase == RunPhase.FAILED
    assert before.HasField("error_info")
    assert before.error_info == ErrorInfo()
    run.error_arrives()
    assert client.details("r1").action.error_info.message == "no rows"
    with pytest.raises(RuntimeError, match="no error of run r1"):
        run.error_arrives()


def test_the_error_may_come_later(flyte: LocalFlyte, client: Any, eventually: Any) -> None:
    flyte.run("r1").fails(message="no rows", error_after=0.05)
    assert client.details("r1").action.status.phase == RunPhase.FAILED
    eventually(lambda: client.details("r1").action.error_info.message == "no rows")


def test_other_ends(flyte: LocalFlyte, client: Any) -> None:
    flyte.run("a").aborts("stopped by hand")
    flyte.run("t").times_out()
    flyte.run("p").pauses()
    flyte.run("r").recovers()
    assert {run.name: run.phase.name for run in flyte.runs() if isinstance(run.phase, RunPhase)} == {
        "a": "ABORTED",
        "t": "TIMED_OUT",
        "p": "PAUSED",
        "r": "RECOVERED",
    }
    assert client.details("a").action.abort_info.reason == "stopped by hand"
    assert client.details("t").action.status.HasField("end_time")
    assert not client.details("p").action.status.HasField("end_time")
    flyte.run("p").phases("RUNNING")
    assert flyte.run("p").phase == RunPhase.RUNNING


def test_a_retry_in_the_phases_is_a_new_attempt(flyte: LocalFlyte, client: Any) -> None:
    flyte.run("r1").phases("RUNNING", "FAILED", "QUEUED", "RUNNING", "SUCCEEDED")
    details = client.details("r1")
    assert transitions(details) == [["RUNNING", "FAILED"], ["RUNNING", "SUCCEEDED"]]
    assert details.action.status.attempts == 2


def test_runs_that_a_client_launches_get_a_script(flyte: LocalFlyte, client: Any) -> None:
    flyte.deploy("demo.train")
    flyte.on_launch(lambda run: run.phases("RUNNING", "SUCCEEDED"))
    assert client.create("r1").action.status.phase == RunPhase.QUEUED
    assert flyte.run("r1").phase == RunPhase.SUCCEEDED
    assert flyte.run("by-hand").phase == RunPhase.QUEUED


def test_launching_again_is_counted(flyte: LocalFlyte, client: Any) -> None:
    scripted: list[str] = []
    flyte.on_launch(lambda run: scripted.append(run.name))
    flyte.deploy("demo.train")
    for rows in (1, 2):
        client.create("r1", inputs=Inputs(literals=named_literals({"rows": rows})))
    assert flyte.run("r1").enqueued == 2
    assert (
        flyte.run("r1").inputs["rows"].scalar.primitive.integer == 2
    )  # overwritten, although the run is the first one
    assert scripted == ["r1"]


def test_a_task_with_an_interface(flyte: LocalFlyte, client: Any) -> None:
    text = LiteralType(simple="STRING")
    inputs = {"day": str, "rows": (int, 100), "tags": list[str], "opts": dict[str, int]}
    flyte.deploy("etl.load", inputs=inputs, outputs={"o0": text})
    client.create("r1", task="etl.load")
    interface = client.details("r1").action.task.task_template.interface
    number = LiteralType(simple="INTEGER")
    assert [(entry.key, entry.value.type) for entry in interface.inputs.variables] == [
        ("day", text),
        ("opts", LiteralType(map_value_type=number)),
        ("rows", number),
        ("tags", LiteralType(collection_type=text)),
    ]
    assert [(entry.key, entry.value.type) for entry in interface.outputs.variables] == [("o0", text)]
    assert [literal.name for literal in client.data("r1").inputs.literals] == ["rows"]
    assert flyte.run("r1").inputs["rows"].scalar.primitive.integer == 100
    with pytest.raises(TypeError, match="no literal type of"):
        flyte.deploy("etl.bad", inputs={"x": object})
    with pytest.raises(TypeError, match="no literal of object"):
        flyte.run("r2", inputs={"x": object()})
