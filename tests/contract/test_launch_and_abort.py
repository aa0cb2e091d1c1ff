"""Launching and aborting: what is kept of the inputs, one run a name, and only what is running is ended."""

from __future__ import annotations

import pytest

from airflow_provider_flyte.client import Abort, Launch
from airflow_provider_flyte.client.errors import InputsError, NoSuchTaskError, NoSuchTriggerError
from airflow_provider_flyte.client.flows.calls import Call, get_action_data
from airflow_provider_flyte.client.flows.kubernetes import label_value
from airflow_provider_flyte.client.idl.common import identifier_pb2
from airflow_provider_flyte.client.idl.core import types_pb2
from airflow_provider_flyte.client.idl.task import task_definition_pb2, task_service_pb2
from airflow_provider_flyte.client.idl.trigger import trigger_definition_pb2, trigger_service_pb2
from airflow_provider_flyte.client.literals.reader import value_of
from airflow_provider_flyte.client.phase import RunPhase
from airflow_provider_flyte.client.rpc import TaskService, TriggerService
from airflow_provider_flyte.testing import literals
from tests.client.literals.test_writer import GIVEN, recorded_literal, recorded_type
from tests.contract.conftest import DOMAIN, ORG, PROJECT, Backend

LABELS = {
    "team": "data",
    "airflow-run-id": label_value("manual__2026-01-01T00:00:00+00:00"),
    "example.com/airflow-dag-id": "a.b",
}

CASES = [name for name in GIVEN if name != "float_nan"]


def deploy(backend: Backend, inputs: dict[str, types_pb2.LiteralType], version: str = "v1") -> str:
    """A task of a new name."""
    task_id = task_definition_pb2.TaskIdentifier(
        org=ORG, project=PROJECT, domain=DOMAIN, name=f"contract.{backend.new_name()}", version=version
    )
    request = task_service_pb2.DeployTaskRequest(task_id=task_id, spec=literals.task_spec(task_id, inputs, {}, {}))
    backend.client.execute(Call(TaskService.DeployTask, request, lambda response: None))
    return task_id.name


def test_inputs_of_every_type_are_kept(backend: Backend) -> None:
    task = deploy(backend, {name: recorded_type(name) for name in CASES})
    run = backend.client.launch(Launch(task, inputs={name: GIVEN[name][-1] for name in CASES}))
    assert run.new
    assert backend.details(run.name).inputs() == {name: value_of(recorded_literal(name)) for name in CASES}


def test_the_recorded_task_is_launched_with_its_defaults(backend: Backend) -> None:
    run = backend.client.launch(
        Launch(
            backend.task.name,
            version=backend.task.version,
            inputs={"rows": 2**53 + 1, "day": "today"},
            labels=LABELS,
            annotations={"note": "a note"},
            env_vars={"STAGE": "test"},
            interruptible=True,
            run_context={"day": "x", "empty": ""},
            run_start_time="2026-11-23T12:00:00Z",
        )
    )
    details = backend.details(run.name)
    inputs = details.inputs()
    assert inputs["rows"] == 2**53 + 1
    assert inputs["rate"] == 0.5
    data = backend.client.execute(get_action_data(backend.action_id(run.name)))
    assert {pair.key: pair.value for pair in data.inputs.context} == {"day": "x", "empty": ""}
    spec = details.pb2.run_spec
    assert dict(spec.labels.values) == LABELS
    assert dict(spec.annotations.values) == {"note": "a note"}
    assert [(each.key, each.value) for each in spec.envs.values] == [("STAGE", "test")]
    assert spec.interruptible.value
    assert spec.run_start_time.ToJsonString() == "2026-11-23T12:00:00Z"


def test_the_same_name_is_one_run_with_its_first_inputs(backend: Backend) -> None:
    name = backend.new_name()
    task = deploy(backend, {"rows": types_pb2.LiteralType(simple=types_pb2.INTEGER)})
    assert backend.client.launch(Launch(task, inputs={"rows": 1}, run_name=name)).new
    backend.move(name, RunPhase.RUNNING)
    again = backend.client.launch(Launch(task, inputs={"rows": 2}, run_name=name))
    assert not again.new
    assert again.phase == RunPhase.RUNNING
    assert backend.details(name).inputs() == {"rows": 1}


def test_what_is_not_deployed_is_reported_with_what_is(backend: Backend) -> None:
    task = deploy(backend, {}, version="v-only")
    with pytest.raises(NoSuchTaskError, match=r"no version 'nope'.* versions v-only"):
        backend.client.launch(Launch(task, version="nope"))
    with pytest.raises(NoSuchTaskError, match="There is no task"):
        backend.client.launch(Launch(f"{task}.nope"))
    assert backend.details(backend.client.launch(Launch(task)).name).pb2.action.metadata.task.id.version == "v-only"


def test_inputs_that_do_not_fit_launch_nothing(backend: Backend) -> None:
    name = backend.new_name()
    task = deploy(backend, {"when": types_pb2.LiteralType(simple=types_pb2.DATETIME)})
    with pytest.raises(InputsError, match="when must be datetime"):
        backend.client.launch(Launch(task, inputs={"when": "soon"}, run_name=name))
    assert backend.client.abort(name, "x").outcome is Abort.MISSING


@pytest.mark.parametrize("phase", [RunPhase.QUEUED, RunPhase.INITIALIZING, RunPhase.RUNNING], ids=str)
def test_a_run_that_goes_on_is_aborted(backend: Backend, phase: RunPhase) -> None:
    name = backend.launch()
    if phase != RunPhase.QUEUED:
        backend.move(name, phase)
    done = backend.client.abort(name, "no longer wanted")
    assert (done.outcome, done.phase) == (Abort.ABORTED, phase)
    error = backend.details(name).error
    assert error
    assert error.message == "no longer wanted"
    assert backend.details(name).abort("again").outcome is Abort.OVER


@pytest.mark.parametrize("phase", [RunPhase.SUCCEEDED, RunPhase.FAILED, RunPhase.TIMED_OUT], ids=str)
def test_a_run_that_is_over_is_left_as_it_is(backend: Backend, phase: RunPhase) -> None:
    name = backend.launch()
    backend.move(name, RunPhase.RUNNING, phase)
    assert backend.client.abort(name, "no longer wanted").outcome is Abort.OVER
    assert backend.details(name).phase == phase


def test_a_run_is_launched_by_a_trigger_with_what_it_holds(backend: Backend) -> None:
    """By name alone the open-source backend restores neither inline inputs nor settings."""
    task = deploy(backend, {name: types_pb2.LiteralType(simple=types_pb2.INTEGER) for name in ("rows", "lines")})
    name = identifier_pb2.TriggerName(org=ORG, project=PROJECT, domain=DOMAIN, name="nightly", task_name=task)
    spec = trigger_definition_pb2.TriggerSpec(task_version="v1", active=False)
    spec.inputs.literals.extend(literals.named_literals({"rows": 7, "lines": 1}))
    spec.run_spec.labels.values["team"] = "data"
    request = trigger_service_pb2.DeployTriggerRequest(name=name, spec=spec, automation_spec={"type": "TYPE_NONE"})
    backend.client.execute(Call(TriggerService.DeployTrigger, request, lambda response: None))
    run = backend.client.launch(Launch(task, trigger_name="nightly", inputs={"rows": 8}, annotations={"note": "x"}))
    details = backend.details(run.name)
    assert details.inputs() == {"rows": 8, "lines": 1}
    assert dict(details.pb2.run_spec.labels.values) == {"team": "data"}
    assert dict(details.pb2.run_spec.annotations.values) == {"note": "x"}
    assert details.pb2.action.metadata.trigger_name == "nightly"
    with pytest.raises(NoSuchTriggerError, match="There are the triggers nightly"):
        backend.client.launch(Launch(task, trigger_name="weekly"))


@pytest.mark.parametrize("relation", ["rerun", "recover"])
def test_a_run_is_repeated(backend: Backend, relation: str) -> None:
    task, earlier = deploy(backend, {}), backend.new_name()
    backend.client.launch(Launch(task, run_name=earlier))
    backend.move(earlier, RunPhase.RUNNING, RunPhase.FAILED)
    run = backend.client.launch(Launch(task, related_to=earlier, relation=relation))
    assert run.new
    assert backend.details(run.name).pb2.run_spec.relation.related_to.name == earlier


def test_an_abort_changes_no_attempt(backend: Backend) -> None:
    """By which an abort that came too late is told."""
    name = backend.launch()
    backend.move(name, RunPhase.RUNNING, RunPhase.SUCCEEDED)
    backend.abort(name, "too late")
    details = backend.details(name)
    assert details.phase == RunPhase.ABORTED
    assert details.pb2.action.attempts[-1].phase == int(RunPhase.SUCCEEDED)


def test_a_success_that_the_events_show_is_left(backend: Backend) -> None:
    name = backend.launch()
    backend.move(name, RunPhase.RUNNING)
    backend.event(name, RunPhase.SUCCEEDED)
    assert backend.client.abort(name, "too late").outcome is Abort.OVER


def test_a_log_without_a_pod_is_no_error(backend: Backend) -> None:
    name = backend.launch()
    backend.move(name, RunPhase.RUNNING, RunPhase.FAILED)
    details = backend.details(name)
    log = details.log_tail(within=2)
    assert not log.lines
    assert "no log context found" in log.trouble
    assert [line.partition(" ")[2].partition(" for ")[0] for line in details.timeline()][:2] == [
        "launched",
        "attempt 1: RUNNING",
    ]
