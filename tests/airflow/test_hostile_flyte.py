"""A Flyte in whose answers every text is hostile: whatever users see of them is clean.

All methods are called, by all that reads their answers; a new one has to be added here.
"""

from __future__ import annotations

import json
import logging
import math
import re
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, ClassVar

import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from airflow_provider_flyte.client import FlyteConfig, LogTail, RunDetails, rpc
from airflow_provider_flyte.client.errors import FlyteError, NotFoundError, Status
from airflow_provider_flyte.client.flows import calls
from airflow_provider_flyte.client.flows.abort import abort
from airflow_provider_flyte.client.flows.action_tree import ActionTree, action_tree
from airflow_provider_flyte.client.flows.failed_actions import FailedActions, failed_actions
from airflow_provider_flyte.client.flows.launch import launch
from airflow_provider_flyte.client.flows.launch_request import Launch
from airflow_provider_flyte.client.flows.log_tail import tail_log
from airflow_provider_flyte.client.flows.named_runs import list_by_name, observe_run
from airflow_provider_flyte.client.flows.progress import ProgressOfRun
from airflow_provider_flyte.client.flows.run_search import RunSearch, Sought
from airflow_provider_flyte.client.flows.runs_of_task import runs_of_task
from airflow_provider_flyte.client.flows.select_cluster import named_data_plane, question, select_request
from airflow_provider_flyte.client.flows.signal import signal
from airflow_provider_flyte.client.flows.tasks import find_task
from airflow_provider_flyte.client.flows.upload import MOST_INLINE, upload_large_inputs
from airflow_provider_flyte.client.idl.core import types_pb2
from airflow_provider_flyte.client.idl.dataproxy import dataproxy_service_pb2
from airflow_provider_flyte.client.idl.workflow import run_service_pb2
from airflow_provider_flyte.client.phase import RunPhase
from airflow_provider_flyte.client.run_key import ProjectDomain, RunKey
from airflow_provider_flyte.client.transport.layer import drive
from airflow_provider_flyte.report.xcom import push_outputs, xcom_value
from airflow_provider_flyte.tries.decision import Refuse, decide
from airflow_provider_flyte.tries.identity import TaskInstance as Ours
from airflow_provider_flyte.tries.identity import Try
from airflow_provider_flyte.tries.lookup import find_launched, find_tries
from tests.support.driving import TaskInstance

PACKAGE = Path(rpc.__file__).parents[1]

OURS = "[2026-11-26, 12:00:00 UTC] {taskinstance.py:1} INFO - Marking task as SUCCESS"
HOSTILE = f"begin\n{OURS}\r\x1b[2J\x07\u2028\u202e\x00 {'y' * 5000}\n{OURS}"
CONFIG = FlyteConfig(endpoint="localhost:1", insecure=True, project="p", domain="d")
KEY = RunKey("p", "d", "r1")
OUT_OF_RANGE = 2**62

both_results = pytest.mark.parametrize("choice", [0, 1, 2])


def spoilt(kind: type[Message], choice: int, depth: int = 9) -> Message:
    """A message in which every text is hostile, and every number and time odd.

    :param choice: which field of each oneof is set.
    """
    message = kind()
    for field in kind.DESCRIPTOR.fields:
        if (
            field.containing_oneof
            and field.containing_oneof.fields[choice % len(field.containing_oneof.fields)] != field
        ):
            continue
        # A page after this one would be as bad, and so on.
        if field.name != "token" and (field.message_type is None or depth):
            _spoil(message, field, choice, depth)
    return message


def _spoil(message: Any, field: Any, choice: int, depth: int) -> None:
    value = getattr(message, field.name)
    if field.message_type is None:
        odd = _ODD.get(field.cpp_type, 2)
        if hasattr(value, "append"):
            value.extend([odd, odd])
        else:
            setattr(message, field.name, odd)
    elif field.message_type.GetOptions().map_entry:
        of, by = (field.message_type.fields_by_name[name] for name in ("value", "key"))
        if of.message_type is None:
            value[_ODD.get(by.cpp_type, 2)] = _ODD.get(of.cpp_type, 2)
        else:
            value[HOSTILE].CopyFrom(spoilt(type(value[HOSTILE]), choice, depth - 1))
    elif hasattr(value, "add"):
        added = value.add()
        added.CopyFrom(spoilt(type(added), choice, depth - 1))
    else:
        value.CopyFrom(spoilt(type(value), choice, depth - 1))


_ODD: dict[int, Any] = {
    FieldDescriptor.CPPTYPE_STRING: HOSTILE,
    FieldDescriptor.CPPTYPE_DOUBLE: math.nan,
    FieldDescriptor.CPPTYPE_FLOAT: math.inf,
    FieldDescriptor.CPPTYPE_INT64: OUT_OF_RANGE,
    FieldDescriptor.CPPTYPE_BOOL: True,
}


class Hostile:
    """Answers flows.

    :param refused: methods that it answers with NOT_FOUND.
    :param change: changes an answer before it is given.
    """

    asked: ClassVar[set[str]] = set()

    def __init__(
        self, choice: int, *refused: str, change: Callable[[str, Any], None] = lambda method, answer: None
    ) -> None:
        self._choice = choice
        self._refused = refused
        self._change = change

    def answer(self, asked: Any) -> Any:
        flow: Any = self._just(asked) if isinstance(asked, calls.Call | calls.StreamCall) else asked
        return drive(flow, self._do)

    @staticmethod
    def _just(call: Any) -> Iterator[Any]:
        return (yield call)

    def _do(self, call: Any) -> Any:
        method = call.method.name
        self.asked.add(method)
        if method.partition("/")[2] in self._refused:
            raise NotFoundError(Status.NOT_FOUND, HOSTILE, method=method, endpoint="localhost:1", run=call.run)
        message: Any = spoilt(call.method.response, self._choice)
        self._change(method.partition("/")[2], message)
        # As if it came over the wire.
        result = call.read(type(message).FromString(message.SerializeToString()))
        return None if isinstance(call, calls.StreamCall) else result

    def refusal(self, flow: Any) -> str:
        with pytest.raises(FlyteError) as raised:
            self.answer(flow)
        return str(raised.value)


def check(text: str, *, lines: bool = False, most: int = 2500) -> None:
    """Whether a text is clean."""
    assert len(text) <= most
    first, *more = text.split("\n")
    assert first.isprintable()
    assert OURS not in text or not first.startswith(OURS)
    assert lines or not more
    for line in more:
        assert line.isprintable()


def named(method: str, answer: Any) -> None:
    """What is asked for by name has that name, for otherwise it is not looked at."""
    for run in getattr(answer, "runs", ()):
        ident = run.action.id.run
        ident.project, ident.domain, ident.name = "p", "d", "r1"
    if method == "GetRunDetails":
        answer.details.action.id.run.ClearField("name")
        answer.details.action.id.run.project, answer.details.action.id.run.domain = "p", "d"
    if method == "ListTasks":
        for task in answer.tasks:
            task.task_id.name = "demo.train"


@both_results
def test_details_of_a_run(choice: int) -> None:
    _, message = Hostile(choice, change=named).answer(observe_run(KEY, ""))
    details = RunDetails(message)
    # The rest of what is asked goes by this, and so do log lines.
    assert details.key == KEY
    check(repr(details))
    for line in details.timeline():
        check(line)
    if error := details.error:
        check(error.message, lines=True, most=2000)
        check(error.kind)
    json.dumps(details.to_dict(), allow_nan=False)
    json.dumps(xcom_value(details, redact_env=True), allow_nan=False, ensure_ascii=False).encode()
    assert re.fullmatch(
        r"http://localhost:1/v2/domain/[^/?#\s]+/project/[^/?#\s]+/runs/[^/?#\s]+", CONFIG.run_url(details.key)
    )


@both_results
def test_outputs_and_inputs(choice: int, caplog: pytest.LogCaptureFixture) -> None:
    details = RunDetails(Hostile(choice, change=named).answer(calls.get_run_details(calls.run_identifier(KEY, ""))))
    hostile = Hostile(choice)
    ti = TaskInstance()
    for which in ("inputs", "outputs"):
        values = hostile.answer(details.read_values(which))
        assert list(values) == [HOSTILE]
        push_outputs(ti, details, values, logging.getLogger("task"))
    assert list(ti.xcoms) == ["outputs"]
    for line in caplog.messages:
        check(line)


@both_results
def test_lists(choice: int) -> None:
    hostile = Hostile(choice, change=named)
    assert hostile.answer(list_by_name("p", "d", ["r1"], "")) == {KEY: 2}
    for name in [*hostile.answer(calls.list_projects()), *hostile.answer(calls.get_domains("p", ""))]:
        check(name, most=200)
    # Nothing of a stream is shown: its phases are those of runs that are known by then.
    hostile.answer(calls.watch_runs("p", "d", ""))


@both_results
def test_a_search_for_a_run(choice: int) -> None:
    """Its names are no names and its task another one: none of these runs is meant, and none is shown."""
    sought = Sought("demo.train", 1, None, "first", 1, {"team": HOSTILE})
    search = RunSearch(ProjectDomain("p", "d"), sought, lambda: 1)
    assert Hostile(choice).answer(search.look("")) is None
    check(search.what_is_there())

    def of_the_task(method: str, answer: Any) -> None:
        named(method, answer)
        for run in getattr(answer, "runs", ()):
            run.action.metadata.task.id.name = "demo.train"

    flyte = Hostile(choice, change=of_the_task)
    flyte.answer(search.look(""))
    check(search.what_is_there(), most=1000)
    check(str(sought), most=1000)


@both_results
def test_launches_that_are_refused(choice: int) -> None:
    wanted = Launch("demo.train", inputs={"rows": 3})
    check(Hostile(choice, change=named).refusal(launch(CONFIG, wanted)))
    check(Hostile(choice).refusal(find_task("p", "d", "", "demo.train", None)))
    check(Hostile(choice, "GetTaskDetails", change=named).refusal(find_task("p", "d", "", "demo.train", "v1")))
    check(Hostile(choice, "GetTriggerDetails").refusal(launch(CONFIG, Launch("demo.train", trigger_name="daily"))))
    check(Hostile(choice).refusal(launch(CONFIG, Launch("demo.train", related_to="r0", relation="rerun"))))


@both_results
def test_what_a_launch_and_an_abort_become(choice: int) -> None:
    def no_inputs(method: str, answer: Any) -> None:
        named(method, answer)
        if method == "GetTaskDetails":
            del answer.details.spec.task_template.interface.inputs.variables[:]
        if method == "GetRunDetails":
            answer.details.action.status.ClearField("end_time")

    hostile = Hostile(choice, change=no_inputs)
    check(str(hostile.answer(launch(CONFIG, Launch("demo.train")))))
    check(str(hostile.answer(launch(CONFIG, Launch("demo.train", trigger_name="daily")))))
    check(str(hostile.answer(abort(KEY, "", "over"))))


@both_results
def test_the_end_of_a_log(choice: int) -> None:
    tail: LogTail = Hostile(choice).answer(tail_log(KEY, "", 1, 5, 1.0))
    assert tail.lines
    for line in tail.lines:
        check(line, most=2000)
    check(Hostile(choice, "TailLogs").answer(tail_log(KEY, "", 1, 5, 1.0)).trouble)


@both_results
def test_failed_child_actions(choice: int) -> None:
    def failed(method: str, answer: Any) -> None:
        if method == "ListActions":
            for action in answer.actions:
                action.status.phase = RunPhase.FAILED

    found: FailedActions = Hostile(choice, change=failed).answer(failed_actions(KEY, ""))
    assert found.first
    for action in found.first:
        check(str(action), most=3000)
    check(Hostile(choice, "ListActions").answer(failed_actions(KEY, "")).trouble)


@both_results
def test_the_tree_of_actions(choice: int) -> None:
    tree: ActionTree = Hostile(choice).answer(action_tree(KEY, ""))
    assert tree.rows
    for row in tree.rows.values():
        check(f"{row.name}{row.parent}{row.group}{row.task}", most=3000)
    check(Hostile(choice, "WatchActions").answer(action_tree(KEY, "")).trouble)


@both_results
def test_an_answer_to_a_condition(choice: int) -> None:
    def paused(method: str, answer: Any) -> None:
        named(method, answer)
        if method == "GetRunDetails":
            answer.details.action.status.phase = RunPhase.RUNNING
        if method == "GetActionDetails":
            answer.details.status.phase = RunPhase.PAUSED
            answer.details.condition.type.simple = types_pb2.STRING
        if method == "ListActions":
            for action in answer.actions:
                action.status.phase = RunPhase.PAUSED

    check(str(Hostile(choice, change=paused).answer(signal(KEY, "", "approve", "yes"))))
    for method in ("GetActionDetails", "GetRunDetails", "SignalEvent"):
        check(Hostile(choice, method, change=paused).refusal(signal(KEY, "", "approve", "yes")))


@both_results
def test_progress(choice: int) -> None:
    def of_the_root(method: str, answer: Any) -> None:
        named(method, answer)
        if method == "WatchActions":
            for each in answer.enriched_actions:
                each.action.id.name = calls.ROOT_ACTION
        if method == "ListActions":
            for action in answer.actions:
                action.status.phase = RunPhase.FAILED

    progress = ProgressOfRun(KEY, "", lambda: 0.0)
    flyte = Hostile(choice, change=of_the_root)
    flyte.answer(progress.ask())
    check(progress.line(), most=100)
    progress._counts = {RunPhase.FAILED: 1}
    flyte.answer(progress.name_failed())
    check(progress.line(), most=1000)


@both_results
def test_uploads_and_data_planes(choice: int) -> None:
    """An upload's address is sent back to Flyte as it came; only the host of a data plane is shown, if it is one."""
    upload = upload_large_inputs(large_request(), large_request().task_id)
    Hostile(choice).answer(upload)
    check(Hostile(choice, "UploadInputs").refusal(upload_large_inputs(large_request(), large_request().task_id)))
    asked = question(rpc.DataProxyService.GetActionData, dataproxy_service_pb2.GetActionDataRequest())
    assert asked is not None
    selecting = select_request(asked, dataproxy_service_pb2.GetActionDataRequest())
    named = Hostile(choice).answer(
        calls.Call(rpc.ClusterService.SelectCluster, selecting, lambda response: response.cluster_endpoint)
    )
    with pytest.raises(ValueError, match="which is no address") as raised:
        named_data_plane(named, CONFIG)
    check(str(raised.value), most=400)


def large_request() -> run_service_pb2.CreateRunRequest:
    request = run_service_pb2.CreateRunRequest()
    request.inputs.context.add(key="x", value="y" * MOST_INLINE)
    return request


@both_results
def test_whose_run_it_is(choice: int) -> None:
    ours = Ours("dag", "task", "manual__1")

    def annotated(method: str, answer: Any) -> None:
        named(method, answer)
        if method == "GetRunDetails":
            values = answer.details.run_spec.annotations.values
            for key in ("dag_id", "task_id", "run_id", "try_number", "map_index"):
                values[f"airflow.apache.org/{key}"] = "9" * 5000 if key in ("try_number", "map_index") else HOSTILE

    def of_another_airflow(method: str, answer: Any) -> None:
        named(method, answer)
        if method == "GetRunDetails":
            values = answer.details.run_spec.annotations.values
            for key, value in {"dag_id": "dag", "task_id": "task", "run_id": "manual__1", "airflow": HOSTILE}.items():
                values[f"airflow.apache.org/{key}"] = value

    hostile = Hostile(choice, change=annotated)
    trying = Try(ours, 1, 0, run_name="r1")
    decision = decide(trying, hostile.answer(find_tries(trying, lambda name: RunKey("p", "d", name), "")))
    assert isinstance(decision, Refuse)
    check(decision.reason, most=5000)
    others = Hostile(choice, change=of_another_airflow).answer(
        find_tries(trying, lambda name: RunKey("p", "d", name), "")
    )
    decision = decide(trying, others)
    assert isinstance(decision, Refuse)
    assert "another Airflow" in decision.reason
    check(decision.reason)
    since = datetime.now(timezone.utc)
    assert Hostile(choice).answer(runs_of_task("p", "d", "demo.train", "", since)) == {}
    assert hostile.answer(find_launched(ours, "demo.train", "p", "d", "", since)) == []


def test_all_methods_are_asked(caplog: pytest.LogCaptureFixture) -> None:
    """But those of whose answers nothing is shown: about tokens, and a discovery's."""
    Hostile.asked.clear()
    test_details_of_a_run(0)
    test_outputs_and_inputs(0, caplog)
    test_lists(0)
    test_launches_that_are_refused(0)
    test_what_a_launch_and_an_abort_become(0)
    test_the_end_of_a_log(0)
    test_failed_child_actions(0)
    test_an_answer_to_a_condition(0)
    test_progress(0)
    test_uploads_and_data_planes(0)
    test_whose_run_it_is(0)
    sources = "".join(path.read_text() for path in PACKAGE.rglob("*.py") if not {"testing", "idl"} & set(path.parts))
    used = {method.name for method in rpc.METHODS if method.name.replace("/", ".") in sources}
    not_shown = ("AuthMetadataService/", "RunService/GetActionDetails")
    assert {name for name in used - Hostile.asked if not name.startswith(not_shown)} == set()
    assert len(used) > 10
