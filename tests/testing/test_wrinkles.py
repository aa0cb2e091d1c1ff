"""What the real backend does and no recording shows, and what the local server does not play."""

from __future__ import annotations

import threading
from itertools import islice
from typing import Any

import grpc
import pytest

from airflow_provider_flyte.client import rpc
from airflow_provider_flyte.client.idl.common import list_pb2
from airflow_provider_flyte.client.idl.task import run_pb2
from airflow_provider_flyte.client.idl.workflow import run_service_pb2
from airflow_provider_flyte.client.phase import RunPhase
from airflow_provider_flyte.testing import LocalFlyte
from airflow_provider_flyte.testing.calls import Call
from airflow_provider_flyte.testing.hub import BUFFER, Hub
from airflow_provider_flyte.testing.servers.grpc_server import STREAMS_A_CONNECTION


def refusal(ask: Any) -> tuple[str, str]:
    with pytest.raises(grpc.RpcError) as refused:
        ask()
    return refused.value.code().name, refused.value.details() or ""


def test_a_stream_of_a_quiet_project_sends_not_even_headers(flyte: LocalFlyte, client: Any) -> None:
    flyte.run("elsewhere", project="finance")
    happened: list[str] = []
    stream = client.watch_runs()

    def wait_for_headers() -> None:
        stream.initial_metadata()
        happened.append("headers")

    waiting = threading.Thread(target=wait_for_headers)
    waiting.start()
    flyte.wait_for_call("WatchRuns")
    for _ in range(20):  # on the same connection, behind the headers if there were any
        client.list_runs()
    happened.append("change")
    flyte.run("r1").phases("RUNNING")
    waiting.join()
    assert happened == ["change", "headers"]
    assert next(stream).runs[0].action.id.run.name == "r1"


def test_a_subscriber_that_falls_behind_loses_changes_without_a_word() -> None:
    hub: Hub[int] = Hub()
    call = Call()
    with hub.subscribe("topic", call) as changes:
        for number in range(BUFFER + 50):
            hub.publish(number, "topic")
        seen = list(islice(changes, BUFFER))
        hub.publish(1000, "topic")
        assert seen == list(range(BUFFER))
        assert next(iter(changes)) == 1000
        call.close()
        assert list(changes) == []
    with hub.subscribe("topic", call) as changes:
        assert list(changes) == []


def test_the_first_batch_of_watch_runs_is_not_all(flyte: LocalFlyte, client: Any) -> None:
    for number in range(105):
        flyte.run(f"r{number}")
    flyte.run("r104").phases("RUNNING")
    first = [run.action.id.run.name for run in next(client.watch_runs()).runs]
    assert first == [f"r{number}" for number in range(103, 3, -1)]


def test_a_run_that_moves_between_two_pages_is_on_none(flyte: LocalFlyte, client: Any) -> None:
    for name in ("a", "b", "c", "d"):
        flyte.run(name)
    first = client.list_runs(limit=2)
    assert [run.action.id.run.name for run in first.runs] == ["d", "c"]
    flyte.run("d").phases("SUCCEEDED")
    second = client.list_runs(limit=2, token=first.token)
    assert [run.action.id.run.name for run in second.runs] == ["a", "d"]
    assert second.token == ""


def test_too_many_streams_on_one_connection_starve_every_other_call(flyte: LocalFlyte, client: Any) -> None:
    flyte.run("r1")
    streams = [client.watch_runs(timeout=30) for _ in range(STREAMS_A_CONNECTION)]
    for stream in streams:
        assert next(stream)
    assert refusal(lambda: client.details("r1", timeout=0.1))[0] == "DEADLINE_EXCEEDED"
    streams[0].cancel()
    assert client.details("r1")


def test_calls_beyond_the_bound_of_streams_wait_their_turn_and_none_is_refused(flyte: LocalFlyte, client: Any) -> None:
    flyte.run("r1")
    row = rpc.RunService.GetRunDetails
    ask = client.channel.unary_unary(row.path, row.request.SerializeToString, row.response.FromString)
    for _ in range(3):
        asked = [ask.future(row.request(run_id=client.run_id("r1")), timeout=30) for _ in range(1000)]
        assert {each.result().details.action.status.phase for each in asked} == {RunPhase.QUEUED}


def test_a_duration_is_rounded(flyte: LocalFlyte, client: Any) -> None:
    flyte.run("r1").phases("RUNNING")
    row = rpc.InternalRunService.UpdateActionStatus
    request = row.request(action_id=client.action_id("r1"), status={"phase": "ACTION_PHASE_SUCCEEDED", "attempts": 1})
    started = client.details("r1").action.status.start_time
    request.status.end_time.FromNanoseconds(started.ToNanoseconds() + 22_700_000)
    client.ask(row, request)
    assert client.details("r1").action.status.duration_ms == 23


def test_the_end_stays_when_a_success_is_aborted(flyte: LocalFlyte, client: Any) -> None:
    flyte.run("r1").phases("SUCCEEDED")
    before = client.details("r1").action.status
    client.abort("r1", "too late")
    after = client.details("r1").action
    assert after.status.phase == RunPhase.ABORTED
    assert after.abort_info.reason == "too late"
    assert after.status.end_time == before.end_time


@pytest.mark.parametrize(
    ("steps", "phase"),
    [
        (("SUCCEEDED", "RUNNING"), RunPhase.SUCCEEDED),
        (("SUCCEEDED", "FAILED"), RunPhase.SUCCEEDED),
        (("ABORTED", "SUCCEEDED"), RunPhase.ABORTED),
        (("SUCCEEDED", "RECOVERED"), RunPhase.RECOVERED),
        (("RUNNING", "INITIALIZING"), RunPhase.RUNNING),
        (("FAILED", "QUEUED"), RunPhase.QUEUED),
        (("TIMED_OUT", "RUNNING"), RunPhase.RUNNING),
        (("PAUSED", "RUNNING"), RunPhase.RUNNING),
    ],
)
def test_which_phases_may_follow(flyte: LocalFlyte, steps: tuple[str, str], phase: RunPhase) -> None:
    assert flyte.run("r1").phases(*steps).phase == phase


def test_inputs_uploaded_before_the_launch(flyte: LocalFlyte, client: Any) -> None:
    flyte.deploy("etl.load", inputs={"rows": (int, 100)})
    flyte.run("r0", inputs={"rows": 7})
    row = rpc.DataProxyService.UploadInputs
    uploaded = client.ask(row, row.request(run_id=client.run_id("r1"), inputs=client.data("r0").inputs))
    client.create("r1", task="etl.load", offloaded_input_data=uploaded.offloaded_input_data)
    assert flyte.run("r1").inputs["rows"].scalar.primitive.integer == 7
    uploaded = client.ask(row, row.request(project_id=client.project_id()))
    client.create("r2", task="etl.load", offloaded_input_data=uploaded.offloaded_input_data)
    assert flyte.run("r2").inputs == {}
    assert refusal(lambda: client.ask(row, row.request())) == ("INVALID_ARGUMENT", "id is required")
    client.create("r3", task="etl.load", offloaded_input_data={"uri": "file://nowhere"})
    assert refusal(lambda: client.data("r3")) == ("NOT_FOUND", "path:file://nowhere/inputs.pb: not found")


def test_a_launch_of_a_spec_that_is_not_deployed(flyte: LocalFlyte, client: Any) -> None:
    flyte.deploy("etl.load")
    row = rpc.TaskService.GetTaskDetails
    task_id = {"project": "flytesnacks", "domain": "development", "name": "etl.load", "version": "v1"}
    spec = client.ask(row, row.request(task_id=task_id)).details.spec
    spec.task_template.id.name = "etl.other"
    client.ask(rpc.RunService.CreateRun, rpc.RunService.CreateRun.request(run_id=client.run_id("r1"), task_spec=spec))
    assert flyte.run("r1").task == ("etl.other", "v1")
    assert refusal(lambda: client.ask(rpc.RunService.CreateRun, rpc.RunService.CreateRun.request())) == (
        "INVALID_ARGUMENT",
        "invalid run ID type",
    )


def test_several_events_of_a_phase_are_one_transition(flyte: LocalFlyte, client: Any) -> None:
    flyte.run("r1").phases("RUNNING")
    row = rpc.InternalRunService.RecordActionEvents
    event = {"id": client.action_id("r1"), "attempt": 1, "phase": "ACTION_PHASE_RUNNING", "version": 2}
    client.ask(row, row.request(events=[event]))
    flyte.run("r1").move("SUCCEEDED")
    phases = [step.phase for step in client.details("r1").action.attempts[0].phase_transitions]
    assert phases == [RunPhase.RUNNING, RunPhase.SUCCEEDED]


def test_details_of_one_action_are_those_of_the_run(flyte: LocalFlyte, client: Any) -> None:
    flyte.run("r1").fails(message="no rows")
    row = rpc.RunService.GetActionDetails
    answer = client.ask(row, row.request(action_id=client.action_id("r1")))
    assert answer.details == client.details("r1").action
    assert refusal(lambda: client.ask(row, row.request(action_id=client.action_id("nope"))))[0] == "NOT_FOUND"


def test_an_authorization_server(flyte: LocalFlyte, client: Any) -> None:
    service = rpc.AuthMetadataService
    flyte.auth.oauth2 = service.GetOAuth2Metadata.response(token_endpoint="https://idp.example/token")
    flyte.auth.public.authorization_metadata_key = "flyte-authorization"
    oauth2 = client.ask(service.GetOAuth2Metadata, service.GetOAuth2Metadata.request())
    public = client.ask(service.GetPublicClientConfig, service.GetPublicClientConfig.request())
    assert oauth2.token_endpoint == "https://idp.example/token"
    assert public.authorization_metadata_key == "flyte-authorization"


def test_a_list_of_tasks_has_the_latest_version_of_each_and_those_of_the_project_alone(
    flyte: LocalFlyte, client: Any
) -> None:
    flyte.deploy("etl.load", version="v2")
    flyte.deploy("etl.load", version="v1")
    flyte.deploy("etl.other")
    flyte.deploy("etl.load", version="v3", project="finance")
    row = rpc.TaskService.ListTasks
    answer = client.ask(row, row.request(project_id=client.project_id()))
    assert [(task.task_id.name, task.task_id.version) for task in answer.tasks] == [
        ("etl.load", "v1"),
        ("etl.other", "v1"),
    ]
    assert (answer.metadata.total, answer.metadata.filtered_total) == (2, 2)


def test_every_read_of_a_missing_run_is_not_found(client: Any) -> None:
    service, missing = rpc.RunService, {"action_id": client.action_id("nope")}
    asks = [
        lambda: client.details("nope"),
        lambda: client.data("nope"),
        lambda: client.ask(service.GetActionDetails, service.GetActionDetails.request(**missing)),
        lambda: client.ask(service.GetActionDataURIs, service.GetActionDataURIs.request(**missing)),
        lambda: next(client.watch_action("nope")),
        lambda: next(
            client.watch(service.WatchRunDetails, service.WatchRunDetails.request(run_id=client.run_id("nope")))
        ),
    ]
    assert [refusal(ask)[0] for ask in asks] == ["NOT_FOUND"] * len(asks)


def test_a_project_that_is_there(flyte: LocalFlyte, client: Any) -> None:
    flyte.run("r1", project="finance")
    row = rpc.ProjectService.GetProject
    assert client.ask(row, row.request(id="finance")).project.id == "finance"
    assert refusal(lambda: client.ask(row, row.request())) == ("INVALID_ARGUMENT", "id is required")


def list_request(**fields: Any) -> run_service_pb2.ListRunsRequest:
    return run_service_pb2.ListRunsRequest(
        project_id={"name": "flytesnacks", "domain": "development"}, request=list_pb2.ListRequest(**fields)
    )


@pytest.mark.parametrize(
    ("row", "request_"),
    [
        (rpc.TranslatorService.JsonValuesToLiterals, rpc.TranslatorService.JsonValuesToLiterals.request()),
        (rpc.RunService.ListRuns, run_service_pb2.ListRunsRequest(org="testorg")),
        (rpc.RunService.WatchRuns, run_service_pb2.WatchRunsRequest(org="testorg")),
        (rpc.RunService.ListRuns, list_request(sort_by=list_pb2.Sort(key="created_at"))),
        (
            rpc.RunService.ListRuns,
            list_request(filters=[list_pb2.Filter(function="CONTAINS", field="run_name", values=["r"])]),
        ),
        (rpc.RunService.ListRuns, list_request(filters=[list_pb2.Filter(field="run_name", values=["a", "b"])])),
        (rpc.RunService.ListRuns, list_request(filters=[list_pb2.Filter(field="ended_at", values=["2026-11-26"])])),
        (rpc.RunService.ListRuns, list_request(sort_by_fields=[list_pb2.Sort(key="phase")])),
        (
            rpc.TaskService.ListTasks,
            rpc.TaskService.ListTasks.request(
                request=list_pb2.ListRequest(sort_by_fields=[list_pb2.Sort(key="created_at")])
            ),
        ),
        (rpc.TriggerService.ListTriggers, rpc.TriggerService.ListTriggers.request(org="testorg")),
    ],
)
def test_what_is_not_played_says_so(client: Any, row: rpc.Method[Any, Any], request_: Any) -> None:
    stream = isinstance(row, rpc.ServerStream)
    code, details = refusal(lambda: next(client.watch(row, request_)) if stream else client.ask(row, request_))
    assert code == "UNIMPLEMENTED"
    assert "local server" in details


@pytest.mark.parametrize(("uploaded", "kept"), [(True, ["rows"]), (False, [])])
def test_a_trigger_that_is_fired_by_name_alone_loses_what_it_holds(
    flyte: LocalFlyte, client: Any, uploaded: bool, kept: list[str]
) -> None:
    """All but inputs that were uploaded."""
    flyte.deploy("demo.train", inputs={"rows": int})
    saved = run_pb2.RunSpec(queue="slow")
    flyte.deploy_trigger("nightly", task="demo.train", inputs={"rows": 7}, uploaded=uploaded, run_spec=saved)
    row, place = rpc.RunService.CreateRun, {"project": "flytesnacks", "domain": "development"}
    name = {"name": "nightly", "task_name": "demo.train"} | place
    client.ask(row, row.request(run_id={"name": "fired"} | place, trigger_name=name))
    [run] = [run for run in flyte.runs() if run.name == "fired"]
    assert list(run.inputs) == kept
    assert run.run_spec.queue == ""
    missing = refusal(lambda: client.ask(row, row.request(run_id={"name": "r2"} | place, trigger_name={"name": "t"})))
    assert missing == ("NOT_FOUND", 'trigger "t" not found: sql: no rows in result set')


def test_a_method_that_nobody_knows_is_unimplemented(client: Any) -> None:
    call = client.channel.unary_unary("/flyteidl2.workflow.RunService/WatchClusterEvents")
    assert refusal(lambda: call(b"", timeout=5))[0] == "UNIMPLEMENTED"
    call = client.channel.unary_unary("/flyteidl2.nonsense.Service/Method")
    assert refusal(lambda: call(b"", timeout=5))[0] == "UNIMPLEMENTED"


@pytest.mark.parametrize(
    ("filters", "page", "words"),
    [
        ([list_pb2.Filter(field="run_name")], {}, "filter run_name has no values"),
        ([], {"token": "x"}, 'invalid token: "x"'),
    ],
)
def test_bad_lists(client: Any, filters: list[Any], page: dict[str, Any], words: str) -> None:
    code, details = refusal(lambda: client.list_runs(*filters, **page))
    assert code == "INVALID_ARGUMENT"
    assert words in details


def test_one_phase_with_value_in_is_refused_like_one_name(client: Any) -> None:
    code, details = refusal(lambda: client.list_runs(client.one_of("run_name", "a", "b"), client.one_of("phase", "5")))
    assert code == "INTERNAL"
    assert "args[3]" in details
    assert "unable to convert string to array" in details
