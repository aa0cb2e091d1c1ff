"""Launching through the client, blocking and on a loop: what is sent, and that there is one run whatever is lost."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from airflow_provider_flyte.client import FlyteClient, Launch, LaunchedRun, RunDetails, RunKey
from airflow_provider_flyte.client.errors import (
    ConfigError,
    DeadlineExceededError,
    InputsError,
    InvalidArgumentError,
    LaunchUncertainError,
    NoSuchTaskError,
    NotFoundError,
    RpcError,
    RunHiddenError,
    Status,
    UnauthenticatedError,
    UnavailableError,
    UnknownError,
)
from airflow_provider_flyte.client.flows import launch as launching
from airflow_provider_flyte.client.idl.task import run_pb2
from airflow_provider_flyte.client.phase import RunPhase
from airflow_provider_flyte.client.rpc import RunService
from airflow_provider_flyte.client.transport.retry import RetryPolicy
from airflow_provider_flyte.testing import LocalFlyte, database_down, delay, lost_answer, status, unavailable
from airflow_provider_flyte.testing.calls import Refusal
from airflow_provider_flyte.testing.faults import Fault
from tests.client.conftest import config_for
from tests.support.both_ways import called
from tests.support.held_calls import Held


async def no_sleep(seconds: float) -> None:
    await asyncio.sleep(0)


def launch(
    flyte: LocalFlyte, way: str, *, client: FlyteClient | None = None, config: Any = None, **wanted: Any
) -> LaunchedRun:
    config = config_for(flyte, org="acme", retry_budget=0.2, **(config or {}))
    client = client or FlyteClient(config, retry=RetryPolicy(0.2, lambda seconds: None, no_sleep))
    asked = Launch(**{"task_name": "demo.train", **wanted})
    return called(client, client.launch, way, asked)


@pytest.fixture
def flyte(local_flyte: LocalFlyte) -> LocalFlyte:
    local_flyte.deploy("demo.train", version="v1", inputs={"rows": int, "rate": (float, 0.5)})
    return local_flyte


def sent(flyte: LocalFlyte) -> Any:
    [call] = flyte.calls("CreateRun")
    return call.request


def test_a_task_is_launched_with_typed_inputs(flyte: LocalFlyte, way: str) -> None:
    run = launch(flyte, way, inputs={"rows": 2**53 + 1})
    assert run.new
    assert run.phase == RunPhase.QUEUED
    assert run.url.endswith(f"/runs/{run.name}")
    assert [each.name for each in flyte.runs()] == [run.name]
    with FlyteClient(config_for(flyte)):
        assert RunDetails.get(run.name).inputs() == {"rows": 2**53 + 1, "rate": 0.5}
    request = sent(flyte)
    assert (request.run_id.org, request.task_id.org, request.task_id.version) == ("acme", "acme", "v1")


def test_without_a_version_the_latest_is_taken(flyte: LocalFlyte, way: str) -> None:
    flyte.deploy("demo.train.other", version="v9")
    flyte.deploy("demo.train", version="v2", inputs={"lines": int})
    launch(flyte, way, inputs={"lines": 1})
    assert sent(flyte).task_id.version == "v2"


def test_a_named_version_is_taken(flyte: LocalFlyte, way: str) -> None:
    flyte.deploy("demo.train", version="v2", inputs={"lines": int})
    launch(flyte, way, version="v1", inputs={"rows": 1})
    assert sent(flyte).task_id.version == "v1"


def test_project_and_domain_can_be_others(flyte: LocalFlyte, way: str) -> None:
    flyte.deploy("demo.train", project="other", domain="staging")
    run = launch(flyte, way, project="other", domain="staging", run_name="r1")
    assert run.key == RunKey("other", "staging", "r1")


def test_everything_that_run_spec_has_is_sent(flyte: LocalFlyte, way: str) -> None:
    flyte.run("earlier", inputs={"rows": 1}).fails()
    launch(
        flyte,
        way,
        inputs={"rows": 1},
        labels={"team": "data"},
        annotations={"note": "✓"},
        env_vars={"STAGE": "test", "EMPTY": ""},
        queue="gpu",
        interruptible=False,
        overwrite_cache=True,
        service_account="trainer",
        raw_data_prefix="s3://bucket/raw",
        max_action_concurrency=7,
        related_to="earlier",
        relation="recover",
        force_rerun_actions=("a3",),
    )
    spec = sent(flyte).run_spec
    assert dict(spec.labels.values) == {"team": "data"}
    assert dict(spec.annotations.values) == {"note": "✓"}
    assert {each.key: each.value for each in spec.envs.values} == {"STAGE": "test", "EMPTY": ""}
    assert spec.queue == "gpu"
    assert spec.HasField("interruptible")
    assert not spec.interruptible.value
    assert spec.overwrite_cache
    assert spec.cache_config.overwrite_cache
    assert spec.security_context.run_as.k8s_service_account == "trainer"
    assert spec.raw_data_storage.raw_data_prefix == "s3://bucket/raw"
    assert spec.max_action_concurrency == 7
    related = spec.relation.related_to
    assert (related.org, related.project, related.domain, related.name) == (
        "acme",
        "flytesnacks",
        "development",
        "earlier",
    )
    assert spec.relation.relation_type == 2  # RELATION_TYPE_RECOVER
    assert list(spec.recover.force_rerun_actions) == ["a3"]


TRACE = {"traceparent": f"00-{'a' * 32}-{'b' * 16}-01", "tracestate": "vendor=1"}


@pytest.mark.parametrize(
    ("context", "trace", "means"),
    [
        ({"day": "2026-11-27", "empty": ""}, {}, {"day": "2026-11-27", "empty": ""}),
        ({"day": "x"}, TRACE, TRACE | {"day": "x"}),
        ({"traceparent": "mine"}, TRACE, {"traceparent": "mine"}),
        ({"tracestate": "mine"}, TRACE, TRACE | {"tracestate": "mine"}),
        ({}, {}, {}),
    ],
)
def test_the_context_goes_with_the_inputs(
    flyte: LocalFlyte, way: str, context: dict[str, str], trace: dict[str, str], means: dict[str, str]
) -> None:
    launch(flyte, way, inputs={"rows": 1}, run_context=context, trace_context=trace)
    assert flyte.runs()[0].context == means
    assert {pair.name for pair in sent(flyte).inputs.literals} == {"rows", "rate"}
    assert sent(flyte).run_spec.ByteSize() == 0


def test_what_takes_no_inputs_has_a_context_too(flyte: LocalFlyte, way: str) -> None:
    flyte.deploy("demo.train", version="v2", inputs={})
    launch(flyte, way, run_context={"day": "x"})
    assert flyte.runs()[0].context == {"day": "x"}


def test_what_nobody_set_is_not_sent(flyte: LocalFlyte, way: str) -> None:
    launch(flyte, way, inputs={"rows": 1})
    assert sent(flyte).run_spec.ByteSize() == 0


# -- repeating a run


@pytest.mark.parametrize("relation", ["rerun", "recover"])
def test_a_run_is_repeated_in_its_own_version(flyte: LocalFlyte, way: str, relation: str) -> None:
    """The actions that it keeps are those of that version."""
    flyte.run("r1", inputs={"rows": 1}).fails()
    flyte.deploy("demo.train", version="v2", inputs={"lines": int})
    launch(flyte, way, inputs={"rows": 2}, run_name="r2", related_to="r1", relation=relation)
    assert sent(flyte).task_id.version == "v1"
    assert sent(flyte).inputs.literals[1].value.scalar.primitive.integer == 2
    launch(flyte, way, inputs={"lines": 2}, run_name="r3", related_to="r1", relation=relation, version="v2")
    assert flyte.calls("CreateRun")[-1].request.task_id.version == "v2"


def test_only_what_is_over_can_be_recovered(flyte: LocalFlyte, way: str) -> None:
    """Newer backends refuse it, too; older ones run everything anew beside it."""
    flyte.run("r1", inputs={"rows": 1}).move("RUNNING")
    with pytest.raises(ConfigError, match=r"r1 is still RUNNING"):
        launch(flyte, way, inputs={"rows": 1}, related_to="r1", relation="recover")
    assert not flyte.calls("CreateRun")
    assert launch(flyte, way, inputs={"rows": 1}, related_to="r1", relation="rerun").new


def test_a_run_of_another_task_is_not_repeated(flyte: LocalFlyte, way: str) -> None:
    flyte.run("r1", task="demo.other").fails()
    with pytest.raises(ConfigError, match=r"one of task demo.other, so a launch of demo.train"):
        launch(flyte, way, inputs={"rows": 1}, related_to="r1", relation="rerun")
    with pytest.raises(NotFoundError, match="run r0"):
        launch(flyte, way, inputs={"rows": 1}, related_to="r0", relation="rerun")
    assert not flyte.calls("CreateRun")


def test_a_server_that_cannot_recover_it_is_believed(flyte: LocalFlyte, way: str) -> None:
    flyte.run("r1", inputs={"rows": 1}).fails()
    flyte.inject("CreateRun", status("FAILED_PRECONDITION", "cannot recover from run r1"))
    with pytest.raises(InvalidArgumentError, match="cannot recover"):
        launch(flyte, way, inputs={"rows": 1}, related_to="r1", relation="recover")
    assert len(flyte.calls("CreateRun")) == 1


# -- nothing is launched for bad input


def test_inputs_that_do_not_fit_are_refused_before_anything_is_launched(flyte: LocalFlyte, way: str) -> None:
    with pytest.raises(InputsError, match=r"rows must be int: 1\.5"):
        launch(flyte, way, inputs={"rows": 1.5})
    assert not flyte.calls("CreateRun")


def test_a_missing_version_says_which_there_are(flyte: LocalFlyte, way: str) -> None:
    for number in range(2, 30):
        flyte.deploy("demo.train", version=f"v{number}")
    with pytest.raises(NoSuchTaskError, match=r"no version 'v99' .*versions v29, v28, .* and 19 more"):
        launch(flyte, way, version="v99")


@pytest.mark.parametrize("version", [None, "v1"])
def test_a_missing_task_says_which_there_are(flyte: LocalFlyte, way: str, version: str | None) -> None:
    with pytest.raises(NoSuchTaskError, match=r"no task 'demo.tran' .* mean demo.train\? Check the name"):
        launch(flyte, way, task_name="demo.tran", version=version)
    for number in range(30):
        flyte.deploy(f"other.task{number}", project="crowded")
    with pytest.raises(NoSuchTaskError, match=r"There are the tasks (other\.task\d+, ){9}other\.task\d+ and 20 more\."):
        launch(flyte, way, task_name="xyz", version=version, project="crowded")


def test_an_empty_project_has_no_tasks(flyte: LocalFlyte, way: str) -> None:
    with pytest.raises(NoSuchTaskError, match="There are no tasks"):
        launch(flyte, way, domain="staging")


def test_a_task_that_a_broken_database_hides_is_not_reported_missing(flyte: LocalFlyte, way: str) -> None:
    flyte.inject("GetTaskDetails", database_down())
    with pytest.raises(NotFoundError, match="connection refused"):
        launch(flyte, way, version="v1", inputs={"rows": 1})


NOON = datetime(2026, 11, 23, 12, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (NOON, NOON),
        (NOON.replace(tzinfo=None), NOON),
        (NOON.astimezone(timezone(timedelta(hours=5, minutes=30))), NOON),
        ("2026-11-23T13:00:00.000001+01:00", NOON + timedelta(microseconds=1)),
        ("2026-11-23 12:00:00+00:00", NOON),
        (NOON.date(), NOON - timedelta(hours=12)),
        ("2026-11-23", NOON - timedelta(hours=12)),
    ],
    ids=str,
)
def test_a_run_is_told_when_it_started(flyte: LocalFlyte, way: str, given: Any, told: datetime) -> None:
    run = launch(flyte, way, inputs={"rows": 1}, run_start_time=given)
    assert sent(flyte).run_start_time.ToDatetime(timezone.utc) == told
    with FlyteClient(config_for(flyte)):
        assert RunDetails.get(run.name).pb2.run_spec.run_start_time.ToDatetime(timezone.utc) == told


def test_a_start_time_is_flytes_unless_it_is_given(flyte: LocalFlyte, way: str) -> None:
    launch(flyte, way, inputs={"rows": 1})
    assert not sent(flyte).HasField("run_start_time")


def test_a_start_time_goes_over_a_triggers(flyte: LocalFlyte, way: str) -> None:
    """A backend takes the one in the settings first."""
    saved = run_pb2.RunSpec()
    saved.run_start_time.FromSeconds(1)
    flyte.deploy_trigger("nightly", task="demo.train", inputs={"rows": 1}, run_spec=saved)
    launch(flyte, way, trigger_name="nightly", run_start_time=NOON)
    [run] = flyte.runs()
    assert run.run_spec.run_start_time.ToDatetime(timezone.utc) == NOON


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"task_name": ""}, "task_name"),
        ({"run_start_time": "yesterday"}, "run_start_time: 'yesterday' .*is not a datetime"),
        ({"run_start_time": ""}, "run_start_time: '' .*is not a datetime"),
        ({"run_start_time": 1764000000}, "run_start_time: 1764000000 .*is not a datetime"),
        ({"run_start_time": "\ud800"}, "run_start_time: .* lone surrogate"),
        ({"run_start_time": "0001-01-01T00:00:00+01:00"}, "run_start_time: .* is not between the years 1 and 9999"),
        ({"task_name": None}, "task_name"),
        ({"version": ""}, "version"),
        ({"run_name": "Bad_Name"}, "run_name"),
        ({"run_name": ""}, "run_name"),
        ({"inputs": [1]}, "inputs"),
        ({"labels": {"a": 1}}, "labels\\['a'\\] is of type int"),
        ({"annotations": "a"}, "annotations"),
        ({"labels": {"": "x"}}, "labels"),
        ({"env_vars": {"KEY": b"secret"}}, "env_vars\\['KEY'\\] is of type bytes"),
        ({"labels": {"team": "manual__2026-11-24T00:00:00+00:00"}}, "Annotations take any text"),
        ({"labels": {"team": "x" * 64}}, "cannot be a label"),
        ({"labels": {"Example.com/team": "data"}}, "labels has the key 'Example.com/team'"),
        ({"labels": {"a/b/c": "data"}}, "labels has the key 'a/b/c'"),
        ({"annotations": {"a note": "x"}}, "annotations has the key 'a note'"),
        ({"annotations": {"note": "x" * 300_000}}, "annotations have 300004 bytes"),
        ({"annotations": {"note": "\ud800"}}, "lone surrogate"),
        ({"task_name": "\ud800"}, "task_name is .* lone surrogate"),
        ({"version": "\ud800"}, "version is .* lone surrogate"),
        ({"trigger_name": "\ud800"}, "trigger_name is .* lone surrogate"),
        ({"queue": "\ud800"}, "queue is .* lone surrogate"),
        ({"raw_data_prefix": "s3://\ud800"}, "raw_data_prefix is .* lone surrogate"),
        ({"env_vars": {"A=B": "secret"}}, "env_vars has the key 'A=B'"),
        ({"env_vars": {"KEY": "secret\0"}}, "env_vars\\['KEY'\\] holds a NUL"),
        ({"run_context": "a"}, "run_context is a str"),
        ({"run_context": {"": "x"}}, "run_context has the key ''"),
        ({"run_context": {"rows": 1}}, "run_context\\['rows'\\] is of type int"),
        ({"run_context": {"day": "\ud800"}}, "run_context\\['day'\\] holds a lone surrogate"),
        ({"run_context": {"\ud800": "x"}}, "a key of run_context is .* lone surrogate"),
        ({"run_context": {"_u_kickoff_time_input_arg": "day"}}, "begins with '_u_' is the Flyte SDK's own"),
        ({"service_account": "Trainer"}, "service_account 'Trainer'"),
        ({"service_account": ""}, "service_account"),
        ({"queue": " "}, "queue"),
        ({"max_action_concurrency": 2**32}, "max_action_concurrency"),
        ({"interruptible": "no"}, "interruptible"),
        ({"overwrite_cache": None}, "overwrite_cache"),
        ({"raw_data_prefix": "bucket"}, "raw_data_prefix"),
        ({"max_action_concurrency": 0}, "max_action_concurrency"),
        ({"max_action_concurrency": True}, "max_action_concurrency"),
        ({"relation": "spawn", "related_to": "r0"}, "relation 'spawn'"),
        ({"relation": "rerun"}, "belong together"),
        ({"related_to": "r0"}, "belong together"),
        ({"related_to": "r0", "relation": "rerun", "run_name": "r0"}, "cannot repeat itself"),
        ({"trigger_name": "nightly", "version": "v1"}, "version has no meaning with trigger_name"),
        ({"related_to": "r0", "relation": "rerun", "force_rerun_actions": ("a1",)}, "only with relation='recover'"),
        ({"related_to": "r0", "relation": "recover", "force_rerun_actions": "a1"}, "force_rerun_actions"),
    ],
    ids=str,
)
def test_a_bad_setting_is_refused_when_it_is_made(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        Launch(**{"task_name": "demo.train", **wrong})
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "good",
    [
        {"labels": {"example.com/team": "", "a": "A_1.b-c"}},
        {"annotations": {"note": "any text, ✓\n"}},
        {"env_vars": {"my.var-1": "", "PATH": "a=b"}},
        {"service_account": "system.trainer-1"},
    ],
    ids=str,
)
def test_what_kubernetes_takes_is_taken(good: dict[str, Any]) -> None:
    Launch("demo.train", **good)


def test_only_service_accounts_that_are_allowed_run_anything(flyte: LocalFlyte, way: str) -> None:
    with pytest.raises(ConfigError, match="service account 'root' is not allowed here, only trainer"):
        launch(flyte, way, inputs={"rows": 1}, service_account="root", config={"allowed_run_as": ("trainer",)})
    assert not flyte.calls("CreateRun")
    launch(flyte, way, inputs={"rows": 1}, service_account="trainer", config={"allowed_run_as": ("trainer",)})
    launch(flyte, way, inputs={"rows": 1}, config={"allowed_run_as": ("trainer",)})


def test_projects_that_are_not_allowed_are_refused_before_any_call(flyte: LocalFlyte, way: str) -> None:
    with pytest.raises(ConfigError, match="project 'theirs' is not allowed"):
        launch(flyte, way, project="theirs", config={"allowed_projects": ("flytesnacks",)})
    with pytest.raises(ConfigError, match="domain 'production' is not allowed"):
        launch(flyte, way, domain="production", config={"allowed_domains": ("development",)})
    assert not len(flyte.calls)


def test_no_secret_is_shown() -> None:
    shown = repr(Launch("demo.train", env_vars={"KEY": "correct-horse"}, inputs={"key": "correct-horse"}))
    assert "correct-horse" not in shown


# -- exactly one run, whatever is lost


def test_a_run_that_has_the_name_is_not_launched_again(flyte: LocalFlyte, way: str) -> None:
    """The backend would overwrite its inputs and enqueue it once more."""
    flyte.run("r1", task="demo.train", inputs={"rows": 1}).move("RUNNING")
    run = launch(flyte, way, run_name="r1", inputs={"rows": 2})
    assert not run.new
    assert run.phase == RunPhase.RUNNING
    assert str(run).startswith("Run flytesnacks/development/r1 existed already, RUNNING")
    assert not flyte.calls("CreateRun")


@pytest.mark.parametrize("code", ["UNAVAILABLE", "UNKNOWN", "INTERNAL", "DEADLINE_EXCEEDED", "CANCELLED"])
def test_a_run_whose_answer_is_lost_is_searched_for(flyte: LocalFlyte, way: str, code: str) -> None:
    flyte.inject("CreateRun", lost_answer(code, times=1))
    run = launch(flyte, way, inputs={"rows": 1})
    assert run.new
    assert len(flyte.calls("CreateRun")) == 1
    assert [each.name for each in flyte.runs()] == [run.name]
    assert flyte.runs()[0].enqueued == 1


def test_a_launch_that_did_not_arrive_is_made_once_more_after_listruns_said_so(flyte: LocalFlyte, way: str) -> None:
    flyte.inject("CreateRun", unavailable(times=1))
    run = launch(flyte, way, inputs={"rows": 1})
    assert run.new
    order = [call.method.partition("/")[2] for call in flyte.calls if call.method.startswith("RunService/")]
    assert [each for each in order if each in ("CreateRun", "ListRuns")] == ["CreateRun", "ListRuns", "CreateRun"]
    assert flyte.runs()[0].enqueued == 1


def test_a_second_failure_is_final(flyte: LocalFlyte, way: str) -> None:
    flyte.inject("CreateRun", unavailable())
    with pytest.raises(UnavailableError, match="CreateRun for run r"):
        launch(flyte, way, inputs={"rows": 1})
    assert len(flyte.calls("CreateRun")) == 2
    assert not flyte.runs()


def test_the_answer_to_the_second_launch_may_be_lost_too(flyte: LocalFlyte, way: str) -> None:
    flyte.inject("CreateRun", unavailable(times=1))
    flyte.inject("CreateRun", lost_answer(times=1))
    assert launch(flyte, way, inputs={"rows": 1}).new
    assert flyte.runs()[0].enqueued == 1


def test_after_a_deadline_it_is_not_made_again(flyte: LocalFlyte, way: str) -> None:
    """Flyte has the request, and may carry it out after ListRuns was asked."""
    flyte.inject("CreateRun", status("DEADLINE_EXCEEDED"))
    with pytest.raises(LaunchUncertainError, match="Whether run r1 was launched is not known") as caught:
        launch(flyte, way, run_name="r1", inputs={"rows": 1})
    assert isinstance(caught.value.__cause__, DeadlineExceededError)
    assert len(flyte.calls("CreateRun")) == 1


def test_what_cannot_be_found_out_is_said_to_be_uncertain(flyte: LocalFlyte, way: str) -> None:
    flyte.inject("CreateRun", lost_answer())
    flyte.inject("ListRuns", unavailable())
    with pytest.raises(LaunchUncertainError) as caught:
        launch(flyte, way, inputs={"rows": 1})
    [there] = flyte.runs()
    assert caught.value.run == there.name
    assert len(flyte.calls("CreateRun")) == 1


def test_a_refusal_of_flyte_is_final_and_asks_nothing(flyte: LocalFlyte, way: str) -> None:
    flyte.inject("CreateRun", status("INVALID_ARGUMENT", "no"))
    with pytest.raises(InvalidArgumentError):
        launch(flyte, way, inputs={"rows": 1})
    assert len(flyte.calls("CreateRun")) == 1
    assert not flyte.calls("ListRuns")


@pytest.mark.parametrize(("code", "error"), [("UNKNOWN", UnknownError), ("UNAUTHENTICATED", UnauthenticatedError)])
def test_a_refusal_keeps_its_name(flyte: LocalFlyte, way: str, code: str, error: type[RpcError]) -> None:
    """The backend refuses with UNKNOWN, too; and credentials that are refused are refused to the poll as well."""
    flyte.inject("CreateRun", status(code, "no"))
    if code == "UNAUTHENTICATED":
        flyte.inject("ListRuns", status(code, "no"))
    with pytest.raises(error, match="CreateRun"):
        launch(flyte, way, inputs={"rows": 1})
    assert not flyte.runs()


def test_already_exists_means_that_the_run_is_there(flyte: LocalFlyte, way: str) -> None:
    """A hosted backend's answer, where somebody else launched the run since it was looked for."""
    flyte.inject("CreateRun", lost_answer("ALREADY_EXISTS", "run exists"))
    run = launch(flyte, way, run_name="r1", inputs={"rows": 1})
    assert not run.new
    assert run.phase == RunPhase.QUEUED


@pytest.mark.parametrize("code", ["UNAVAILABLE", "UNKNOWN", "ALREADY_EXISTS"])
@pytest.mark.parametrize("theirs", [{}, {"by": "somebody else"}, {"by": "us"}], ids=str)
def test_a_run_that_is_there_instead_of_an_answer_is_ours_if_its_annotations_say_so(
    flyte: LocalFlyte, way: str, theirs: dict[str, str], code: str
) -> None:
    """The name may have become somebody else's meanwhile. A second call is refused, and only then it is ours."""
    flyte.inject("CreateRun", unavailable(times=1))
    flyte.inject("CreateRun", _Overtaken(flyte, theirs, code, times=1))
    run = launch(flyte, way, run_name="r1", inputs={"rows": 1}, annotations={"by": "us"})
    assert run.new == (theirs == {"by": "us"})
    assert len(flyte.calls("CreateRun")) == 2


@pytest.mark.parametrize("code", ["UNAVAILABLE", "ALREADY_EXISTS"])
def test_without_annotations_a_run_of_a_given_name_is_not_known_to_be_ours(
    flyte: LocalFlyte, way: str, code: str
) -> None:
    flyte.inject("CreateRun", unavailable(times=1))
    flyte.inject("CreateRun", _Overtaken(flyte, {"by": "somebody else"}, code, times=1))
    assert not launch(flyte, way, run_name="r1", inputs={"rows": 1}).new


def test_a_name_that_was_made_for_a_run_is_known_to_be_ours(flyte: LocalFlyte, way: str) -> None:
    flyte.inject("CreateRun", lost_answer("UNAVAILABLE", "Socket closed"))
    assert launch(flyte, way, inputs={"rows": 1}).new
    assert len(flyte.runs()) == 1


@dataclass(frozen=True)
class _Overtaken(Fault):
    """Somebody launches a run of the name, and this call gets no answer."""

    flyte: LocalFlyte
    annotations: dict[str, str]
    code: str

    def before(self, method: str, call: Any) -> None:
        self.flyte.run("r1", annotations=self.annotations)
        raise Refusal(self.code, "Socket closed")


@pytest.mark.parametrize("shown", ["no list has it", "the filter is refused"])
def test_a_run_that_exists_and_is_not_shown_is_an_error_after_one_call(flyte: LocalFlyte, way: str, shown: str) -> None:
    if shown == "the filter is refused":
        flyte.inject("ListRuns", status("INVALID_ARGUMENT", "invalid filter field: run_name"))
    flyte.inject("CreateRun", status("ALREADY_EXISTS", "run exists"))
    words = r"ALREADY_EXISTS: run exists\. Flyte has a run of the name r1, and does not show it.*Nothing was launched"
    with pytest.raises(RunHiddenError, match=words):
        launch(flyte, way, run_name="r1", inputs={"rows": 1})
    assert len(flyte.calls("CreateRun")) == 1


def test_of_two_that_launch_one_name_the_later_one_finds_the_run(flyte: LocalFlyte, way: str) -> None:
    """Both have found no run, and then read the task, which may take minutes. Flyte would overwrite the inputs."""
    held = Held()
    flyte.inject("ListTasks", held)
    with ThreadPoolExecutor(2) as pool:
        launched = []
        for number in (0, 1):
            launched.append(pool.submit(launch, flyte, way, run_name="r1", inputs={"rows": number}))
            assert held.arrived[number].wait(30)
        assert flyte.runs() == []
        for number in (0, 1):
            held.go[number].set()
            assert launched[number].result(30).new == (number == 0)
    assert len(flyte.calls("CreateRun")) == 1
    assert [run.inputs["rows"].scalar.primitive.integer for run in flyte.runs()] == [0]


def test_a_backend_that_refuses_the_filter_is_asked_for_the_run_itself(flyte: LocalFlyte, way: str) -> None:
    flyte.inject("ListRuns", status("INVALID_ARGUMENT", "invalid filter field: run_name"))
    assert launch(flyte, way, run_name="r1", inputs={"rows": 1}).new
    assert not launch(flyte, way, run_name="r1", inputs={"rows": 1}).new
    assert len(flyte.calls("CreateRun")) == 1


def test_new_names_are_valid_and_differ(flyte: LocalFlyte, way: str) -> None:
    names = {launch(flyte, way, inputs={"rows": 1}).name for _ in range(3)}
    assert len(names) == 3
    assert all(len(name) == 20 for name in names)


async def test_a_client_that_is_closed_meanwhile_leaves_it_open_whether_the_run_was_launched(flyte: LocalFlyte) -> None:
    """Asking would open a channel that nobody closes."""
    flyte.inject("CreateRun", delay(60))
    client = FlyteClient(config_for(flyte))
    launching = asyncio.create_task(client.launch.aio(Launch("demo.train", inputs={"rows": 1}, run_name="r1")))
    await flyte.wait_for_call_async("CreateRun")
    await client.aclose()
    with pytest.raises(LaunchUncertainError, match="run r1"):
        await launching
    assert len(flyte.calls("ListRuns")) == 2  # before the task was read, and right before the launch


async def test_a_launch_that_is_cancelled_sends_nothing_more(flyte: LocalFlyte) -> None:
    flyte.inject("CreateRun", delay(60))
    async with FlyteClient(config_for(flyte)) as client:
        launching = asyncio.create_task(client.launch.aio(Launch("demo.train", inputs={"rows": 1})))
        await flyte.wait_for_call_async("CreateRun")
        launching.cancel()
        with pytest.raises(asyncio.CancelledError):
            await launching
    assert len(flyte.calls("CreateRun")) == 1
    assert not flyte.calls("ListRuns")


def test_a_proxys_timeout_is_no_reason_to_launch_again(flyte: LocalFlyte) -> None:
    """Flyte has the request and may yet carry it out."""
    with FlyteClient(config_for(flyte)) as client:
        flow: Any = launching.launch(client.config, Launch("demo.train", run_name="r1", inputs={"rows": 1}))
        call = next(flow)
        while call.method is not RunService.CreateRun:
            call = flow.send(client.execute(call))
        late = UnavailableError(Status.UNAVAILABLE, "Gateway Time-out", method="CreateRun", endpoint=flyte.endpoint)
        late.http_status = 504
        call = flow.throw(late)
        assert call.method is RunService.ListRuns
        with pytest.raises(LaunchUncertainError):
            flow.send(client.execute(call))
