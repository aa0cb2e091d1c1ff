"""Launching by a trigger of Flyte's: its version, inputs and settings, with those of the launch over them."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_flyte.client import FlyteClient, RunDetails
from airflow_provider_flyte.client.errors import (
    ConfigError,
    InputsError,
    InternalError,
    NoSuchTriggerError,
    NotFoundError,
    UnimplementedError,
)
from airflow_provider_flyte.client.idl.core import literals_pb2, security_pb2
from airflow_provider_flyte.client.idl.task import run_pb2
from airflow_provider_flyte.testing import LocalFlyte, database_down, status
from tests.client.conftest import config_for
from tests.client.flows.test_launch import launch, sent

MARK = "_u_kickoff_time_input_arg"


@pytest.fixture
def flyte(local_flyte: LocalFlyte) -> LocalFlyte:
    local_flyte.deploy("demo.train", version="v1", inputs={"rows": int, "rate": (float, 0.5)})
    local_flyte.deploy("demo.train", version="v2", inputs={"lines": int})
    return local_flyte


def inputs_of(flyte: LocalFlyte, name: str) -> dict[str, Any]:
    with FlyteClient(config_for(flyte)):
        return RunDetails.get(name).inputs()


def test_a_trigger_brings_its_version_and_inputs(flyte: LocalFlyte, way: str) -> None:
    flyte.deploy_trigger("nightly", task="demo.train", version="v1", inputs={"rows": 7})
    run = launch(flyte, way, trigger_name="nightly")
    assert run.new
    assert inputs_of(flyte, run.name) == {"rows": 7, "rate": 0.5}
    assert flyte.runs()[-1].task == ("demo.train", "v1")
    request = sent(flyte)
    name = request.trigger_name
    assert (name.org, name.project, name.domain, name.name) == ("acme", "flytesnacks", "development", "nightly")
    assert request.WhichOneof("task") == "trigger_name"
    with FlyteClient(config_for(flyte)):
        assert RunDetails.get(run.name).pb2.action.metadata.trigger_name == "nightly"


def test_inputs_of_the_launch_stand_over_the_triggers(flyte: LocalFlyte, way: str) -> None:
    flyte.deploy_trigger("nightly", task="demo.train", inputs={"rows": 7, "rate": 0.25})
    run = launch(flyte, way, trigger_name="nightly", inputs={"rows": 8})
    assert inputs_of(flyte, run.name) == {"rows": 8, "rate": 0.25}
    with pytest.raises(InputsError, match="rows must be int"):
        launch(flyte, way, trigger_name="nightly", inputs={"rows": "8"})
    with pytest.raises(InputsError, match=r"'lines' is no input"):
        launch(flyte, way, trigger_name="nightly", inputs={"lines": 8})


def test_inputs_that_lie_in_the_store_are_passed_on(flyte: LocalFlyte, way: str) -> None:
    """Newer SDKs upload a trigger's inputs when they deploy it."""
    flyte.deploy_trigger("nightly", task="demo.train", inputs={"rows": 7, "rate": 0.25}, uploaded=True)
    run = launch(flyte, way, trigger_name="nightly")
    assert inputs_of(flyte, run.name) == {"rows": 7, "rate": 0.25}
    assert sent(flyte).WhichOneof("input_wrapper") == "offloaded_input_data"


def test_inputs_that_lie_in_the_store_are_replaced_as_a_whole(flyte: LocalFlyte, way: str) -> None:
    """They cannot be read back, so what is left to them would be lost."""
    flyte.deploy_trigger("nightly", task="demo.train", inputs={"rows": 7, "rate": 0.25}, uploaded=True)
    with pytest.raises(InputsError, match=r"give all of them or none\. Missing are rate"):
        launch(flyte, way, trigger_name="nightly", inputs={"rows": 8})
    assert not flyte.calls("CreateRun")
    run = launch(flyte, way, trigger_name="nightly", inputs={"rows": 8, "rate": 1.5})
    assert inputs_of(flyte, run.name) == {"rows": 8, "rate": 1.5}


def test_an_input_that_is_missing_is_missed(flyte: LocalFlyte, way: str) -> None:
    flyte.deploy_trigger("nightly", task="demo.train")
    with pytest.raises(InputsError, match=r"rows \(int\) is missing"):
        launch(flyte, way, trigger_name="nightly")


def test_the_input_that_is_the_time_of_the_start_is_left_to_flyte(flyte: LocalFlyte, way: str) -> None:
    flyte.deploy_trigger("nightly", task="demo.train", context={MARK: "rows", "other": "x"})
    launch(flyte, way, trigger_name="nightly")
    assert [each.name for each in sent(flyte).inputs.literals] == ["rate"]
    assert {pair.key: pair.value for pair in sent(flyte).inputs.context} == {MARK: "rows", "other": "x"}
    launch(flyte, way, trigger_name="nightly", inputs={"rows": 8})
    request = flyte.calls("CreateRun")[-1].request
    assert [each.name for each in request.inputs.literals] == ["rate", "rows"]
    assert {pair.key: pair.value for pair in request.inputs.context} == {"other": "x"}


def test_the_context_of_the_launch_stands_over_the_triggers(flyte: LocalFlyte, way: str) -> None:
    flyte.deploy_trigger("nightly", task="demo.train", inputs={"rate": 0.5}, context={MARK: "rows", "a": "1", "b": "2"})
    trace = {"traceparent": "ours", "tracestate": "ours"}
    launch(flyte, way, trigger_name="nightly", run_context={"b": "3"}, trace_context=trace)
    assert flyte.runs()[0].context == {MARK: "rows", "a": "1", "b": "3"} | trace
    flyte.deploy_trigger("traced", task="demo.train", inputs={"rows": 1}, context={"traceparent": "theirs"})
    run = launch(flyte, way, trigger_name="traced", trace_context=trace)
    [context] = [each.context for each in flyte.runs() if each.name == run.name]
    assert context == {"traceparent": "theirs"}


def test_nothing_can_be_added_to_the_context_of_inputs_in_the_store(flyte: LocalFlyte, way: str) -> None:
    flyte.deploy_trigger("nightly", task="demo.train", inputs={"rows": 7, "rate": 0.25}, uploaded=True)
    with pytest.raises(InputsError, match=r"Trigger nightly keeps .* so run_context cannot be added"):
        launch(flyte, way, trigger_name="nightly", run_context={"a": "1"})
    assert not flyte.calls("CreateRun")
    run = launch(flyte, way, trigger_name="nightly", trace_context={"traceparent": "ours"})
    assert inputs_of(flyte, run.name) == {"rows": 7, "rate": 0.25}
    assert flyte.runs()[0].context == {}
    launch(flyte, way, trigger_name="nightly", inputs={"rows": 8, "rate": 1.5}, run_context={"a": "1"})
    assert {pair.key: pair.value for pair in flyte.calls("CreateRun")[-1].request.inputs.context} == {"a": "1"}


def test_settings_of_the_launch_stand_over_the_triggers(flyte: LocalFlyte, way: str) -> None:
    saved = run_pb2.RunSpec(
        labels=run_pb2.Labels(values={"team": "data", "kind": "nightly"}),
        envs=run_pb2.Envs(values=[literals_pb2.KeyValuePair(key="A", value="1"), {"key": "B", "value": "2"}]),
        queue="slow",
        max_action_concurrency=3,
    )
    saved.relation.related_to.name = "old"
    flyte.deploy_trigger("nightly", task="demo.train", inputs={"rows": 7}, run_spec=saved)
    launch(
        flyte,
        way,
        trigger_name="nightly",
        labels={"kind": "by-hand"},
        env_vars={"B": "3"},
        annotations={"note": "x"},
        queue="fast",
    )
    spec = sent(flyte).run_spec
    assert dict(spec.labels.values) == {"team": "data", "kind": "by-hand"}
    assert {pair.key: pair.value for pair in spec.envs.values} == {"A": "1", "B": "3"}
    assert dict(spec.annotations.values) == {"note": "x"}
    assert (spec.queue, spec.max_action_concurrency) == ("fast", 3)
    assert not spec.HasField("relation")


@pytest.mark.parametrize(
    ("field", "what"),
    [
        ("k8s_service_account", "service account"),
        ("iam_role", "IAM role"),
        ("execution_identity", "execution identity"),
    ],
)
def test_whom_a_trigger_runs_as_must_be_allowed_too(flyte: LocalFlyte, way: str, field: str, what: str) -> None:
    named: dict[str, Any] = {field: "root"}
    run_as = security_pb2.Identity(**named)
    saved = run_pb2.RunSpec(security_context=security_pb2.SecurityContext(run_as=run_as))
    flyte.deploy_trigger("nightly", task="demo.train", inputs={"rows": 7}, run_spec=saved)
    with pytest.raises(ConfigError, match=f"{what} 'root' is not allowed"):
        launch(flyte, way, trigger_name="nightly", config={"allowed_run_as": ("trainer",)})
    assert not flyte.calls("CreateRun")
    launch(flyte, way, trigger_name="nightly", config={"allowed_run_as": ("trainer", "root")})
    assert getattr(flyte.runs()[0].run_spec.security_context.run_as, field) == "root"


def test_a_missing_trigger_says_which_there_are(flyte: LocalFlyte, way: str) -> None:
    flyte.deploy_trigger("nightly", task="demo.train")
    flyte.deploy_trigger("weekly", task="demo.train")
    flyte.deploy_trigger("theirs", task="demo.other")
    with pytest.raises(NoSuchTriggerError, match=r"'demo.train' has no trigger 'nightly2' .* mean nightly\? Check"):
        launch(flyte, way, trigger_name="nightly2")
    with pytest.raises(NoSuchTriggerError, match=r"There are the triggers nightly, weekly\."):
        launch(flyte, way, trigger_name="monthly-report")
    with pytest.raises(NoSuchTriggerError, match="There are no triggers"):
        launch(flyte, way, task_name="demo.tran", trigger_name="nightly")


def test_trouble_is_no_missing_trigger(flyte: LocalFlyte, way: str) -> None:
    flyte.deploy_trigger("nightly", task="demo.train", inputs={"rows": 7})
    flyte.inject("GetTriggerDetails", status("NOT_FOUND", "connection refused"))
    with pytest.raises(NotFoundError, match="connection refused"):
        launch(flyte, way, trigger_name="nightly")
    flyte.inject("*", database_down())
    with pytest.raises(InternalError):
        launch(flyte, way, trigger_name="nightly")
    flyte.clear_faults()
    flyte.inject("GetTriggerDetails", status("UNIMPLEMENTED", "unknown service"))
    with pytest.raises(UnimplementedError, match="GetTriggerDetails"):
        launch(flyte, way, trigger_name="nightly")
    assert not flyte.calls("CreateRun")
