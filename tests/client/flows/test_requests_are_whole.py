"""Every request that the client can build says what it is about: a nil id is a panic, and no scope is everything.

All of the client's methods are called, and each request that came of it is looked at by its descriptor alone.
"""

from __future__ import annotations

import ast
import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

import airflow_provider_flyte
from airflow_provider_flyte.client import FlyteClient, FlyteConfig, Launch, RunDetails, RunWatcher, rpc
from airflow_provider_flyte.client.auth.token_sources import source_for
from airflow_provider_flyte.client.blocking import _Blocking
from airflow_provider_flyte.client.config import AUTO, CONNECT
from airflow_provider_flyte.client.credentials import ClientCredentials
from airflow_provider_flyte.client.errors import ConfigError, FlyteError, NoSuchTaskError, NoSuchTriggerError
from airflow_provider_flyte.client.flows import calls
from airflow_provider_flyte.client.flows.action_tree import action_tree
from airflow_provider_flyte.client.flows.failed_actions import failed_actions
from airflow_provider_flyte.client.flows.named_runs import observe_run
from airflow_provider_flyte.client.flows.progress import ProgressOfRun
from airflow_provider_flyte.client.flows.upload import MOST_INLINE
from airflow_provider_flyte.client.idl.common import identifier_pb2
from airflow_provider_flyte.client.idl.task import task_definition_pb2
from airflow_provider_flyte.client.idl.workflow import run_definition_pb2
from airflow_provider_flyte.client.transport import discovery
from airflow_provider_flyte.client.transport.route import route_to
from airflow_provider_flyte.connection import check
from airflow_provider_flyte.testing import LocalFlyte, status, unavailable
from airflow_provider_flyte.tries.identity import TaskInstance, Try
from airflow_provider_flyte.tries.lookup import find_launched, find_tries

_IDS = {
    described.full_name
    for file in (identifier_pb2, task_definition_pb2)
    for described in file.DESCRIPTOR.message_types_by_name.values()
    if described.name.endswith("Identifier") or described.name in ("TaskName", "TriggerName")
}
"""Messages that name something."""

_MAY_BE_EMPTY = {"org", "organization"}
"""The open-source backend ignores it, and a hosted one takes it from the credentials."""


def is_id(field: FieldDescriptor) -> bool:
    return field.message_type is not None and field.message_type.full_name in _IDS


def lacks(request: Message) -> list[str]:
    """What a request should say and does not."""
    missing = []
    described: Any = request.DESCRIPTOR
    for field in described.fields:
        one_of = field.containing_oneof
        if one_of is None and is_id(field) and not request.HasField(field.name):
            missing.append(field.name)
        # A thing that is named by a text of its own.
        if one_of is None and field.name == "id" and field.type == field.TYPE_STRING and not request.id:  # type: ignore[attr-defined]
            missing.append("id")
    for one_of in described.oneofs:
        if any(map(is_id, one_of.fields)) and request.WhichOneof(one_of.name) is None:
            missing.append(one_of.name)
    return missing + list(empty_parts(request))


def empty_parts(message: Message, path: str = "") -> Iterator[str]:
    """The parts of the ids in a message, however deep, that are not there."""
    for field, value in message.ListFields():
        here = f"{path}{field.name}"
        if field.message_type is None or field.message_type.GetOptions().map_entry:
            continue
        repeated = hasattr(value, "add")
        for each in value if repeated else [value]:
            if is_id(field):
                yield from (f"{here}.{part}" for part in nothing_in(each))
            else:
                yield from empty_parts(each, f"{here}.")


def nothing_in(one: Message) -> Iterator[str]:
    for field in one.DESCRIPTOR.fields:
        if field.type == field.TYPE_MESSAGE:
            if not one.HasField(field.name):
                yield field.name
            else:
                yield from (f"{field.name}.{part}" for part in nothing_in(getattr(one, field.name)))
        elif field.name not in _MAY_BE_EMPTY and not getattr(one, field.name):
            yield field.name


def methods_in_use() -> set[str]:
    """Whatever row the package's sources name, those of the local server aside."""
    package = Path(airflow_provider_flyte.__file__).parent
    services = {service.__name__ for service in rpc.SERVICES}
    found = set()
    for path in package.rglob("*.py"):
        if "testing" in path.parts or "idl" in path.parts or path.name == "rpc.py":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in services:
                found.add(f"{node.value.id}/{node.attr}")
    return found


PROJECT, DOMAIN = "flytesnacks", "development"
TASK = TaskInstance("sales", "train", "manual__2026-11-23")


def config_for(flyte: LocalFlyte, **changed: Any) -> FlyteConfig:
    fields: dict[str, Any] = {"insecure": True, "project": PROJECT, "domain": DOMAIN, "transport": AUTO}
    fields |= {"endpoint": flyte.endpoint, "retry_budget": 0.01}
    return FlyteConfig(**fields | changed)


def whatever(call: Callable[[], Any]) -> None:
    """Make a call for its requests."""
    with contextlib.suppress(FlyteError):
        call()


def use_everything(flyte: LocalFlyte, client: FlyteClient) -> None:
    """Call every method, and lead every flow through each of its calls."""
    flyte.deploy("demo.train", inputs={"rows": (int, 1)})
    flyte.deploy_trigger("nightly", task="demo.train")
    flyte.run("r1").move("RUNNING")
    flyte.run("over").succeeds({"o0": 1})
    launched = client.launch(Launch("demo.train", run_name="mine", inputs={"rows": 2}))
    assert launched.new
    client.launch(Launch("demo.train"))
    client.launch(Launch("demo.train", trigger_name="nightly"))
    flyte.deploy("demo.large", inputs={"text": str})
    flyte.deploy_trigger("nightly", task="demo.large", inputs={"text": ""})
    large = {"text": "x" * MOST_INLINE}
    client.launch(Launch("demo.large", inputs=large))
    client.launch(Launch("demo.large", trigger_name="nightly", inputs=large))
    client.launch(Launch("demo.train", related_to="over", relation="rerun"))
    with pytest.raises(NoSuchTaskError):
        client.launch(Launch("demo.nothing"))
    with pytest.raises(NoSuchTaskError):
        client.launch(Launch("demo.train", version="v9"))
    with pytest.raises(NoSuchTriggerError):
        client.launch(Launch("demo.train", trigger_name="weekly"))
    for name in ("r1", "over", "nobody"):
        whatever(lambda name=name: client.abort(name, "enough"))  # type: ignore[misc]
        whatever(lambda name=name: client.tail_log(name, within=0.1))  # type: ignore[misc]
        client.execute(observe_run(client.config.key(name), client.config.org))
    flyte.run("parent").move("RUNNING").child("c1").fails()
    assert client.execute(failed_actions(client.config.key("parent"), client.config.org)).first
    flyte.run("parent").condition("approve")
    for name in ("approve", "nothing"):
        whatever(lambda name=name: client.signal("parent", name, True))  # type: ignore[misc]
    assert client.execute(action_tree(client.config.key("parent"), client.config.org, within=(0.5,))).rows
    progress = ProgressOfRun(client.config.key("parent"), client.config.org, time.monotonic)
    client.execute(progress.ask(within=0.5))
    assert progress.line()
    details = RunDetails.get("over", client)
    RunDetails.get_details(details.action_id.run, client)
    details.inputs()
    details.outputs()
    details.log_tail(within=0.1)
    details.abort("enough")
    tries = [Try(TASK, 2, 2, run_name=name) for name in ("r1", "over", "nobody")]
    for trying in tries:
        client.execute(find_tries(trying, client.config.key, client.config.org))
    client.execute(find_launched(TASK, "demo.train", PROJECT, DOMAIN, client.config.org, datetime.now(timezone.utc)))
    client.execute(calls.find_runs(PROJECT, DOMAIN, ["r1"], client.config.org))
    client.execute(calls.list_active_runs(PROJECT, DOMAIN, client.config.org, limit=1))
    # The flows that a backend leads elsewhere.
    for fault in (status("INVALID_ARGUMENT", "no such filter"), unavailable("not now")):
        flyte.inject("ListRuns", fault)
        whatever(lambda: client.launch(Launch("demo.train", run_name="another")))
        whatever(lambda: client.execute(find_tries(tries[0], client.config.key, client.config.org)))
        flyte.clear_faults()
    asyncio.run(wait(flyte, client.config))
    assert check.check(client.config)[0]
    assert check.check(FlyteConfig(**{**vars_of(client.config), "project": "", "domain": ""}))[0]


def vars_of(config: FlyteConfig) -> dict[str, Any]:
    return {name: getattr(config, name) for name in ("endpoint", "insecure", "ca_bundle", "transport", "retry_budget")}


async def wait(flyte: LocalFlyte, config: FlyteConfig) -> None:
    going = flyte.run("going").move("RUNNING")
    async with FlyteClient(config) as client, RunWatcher(client) as watcher:
        waiting = asyncio.ensure_future(watcher.wait("going"))
        await flyte.wait_for_call_async("WatchRuns", 1)
        going.succeeds()
        assert (await waiting).outcome.name == "SUCCEEDED"


@pytest.mark.parametrize("transport", ["grpc", CONNECT])
def test_every_request_is_whole(transport: str, certificate: tuple[bytes, bytes]) -> None:
    """Over TLS: without it Flyte is not asked where tokens are given."""
    with LocalFlyte(transports=(transport,), keep_calls=10_000, tls=certificate) as flyte:
        config = config_for(flyte, insecure=False, ca_bundle=certificate[0].decode())
        with FlyteClient(config) as client:
            use_everything(flyte, client)
        # What is asked before there is a token, and to find out what leads to Flyte.
        whatever(lambda: source_for(replace(config, credentials=ClientCredentials("id", "secret")))(1))
        for each in (config, FlyteConfig(**vars_of(config))):
            for metadata in ((), (("authorization", "Bearer x"),)):
                discovery.find(each, route_to(each), metadata)
        for call in flyte.calls:
            assert lacks(call.request) == [], f"{call.method}: {call.request}"
            assert call.code is None or call.code != "INTERNAL", call.method
        # One that is not called here has to be, or says nothing for itself.
        assert {call.method for call in flyte.calls} >= methods_in_use()


def test_every_method_of_the_client_is_called() -> None:
    """A new one fails here until it is called above."""
    public = {
        cls.__name__: {name for name, value in vars(cls).items() if isinstance(value, _Blocking)}
        for cls in (FlyteClient, RunDetails)
    }
    assert public == {
        "FlyteClient": {"abort", "launch", "signal", "tail_log"},
        "RunDetails": {"abort", "get", "get_details", "inputs", "log_tail", "outputs"},
    }


@pytest.mark.parametrize(
    ("row", "made", "missing"),
    [
        (rpc.RunService.GetActionDetails, {}, ["action_id"]),
        (rpc.RunService.GetActionDetails, {"action_id": {"name": "a0"}}, ["action_id.run"]),
        (
            rpc.RunService.GetActionDetails,
            {"action_id": {"name": "a0", "run": {"name": "r1", "project": "p"}}},
            ["action_id.run.domain"],
        ),
        (rpc.RunService.ListRuns, {}, ["scope_by"]),
        (rpc.RunService.ListRuns, {"project_id": {"name": "p"}}, ["project_id.domain"]),
        (rpc.RunService.WatchRuns, {}, ["target"]),
        (rpc.RunService.CreateRun, {"run_id": {"name": "r", "project": "p", "domain": "d"}}, ["task"]),
        (rpc.ProjectService.GetProject, {}, ["id"]),
        (rpc.TaskService.ListVersions, {}, ["task_name"]),
    ],
)
def test_what_is_missing_is_found(row: rpc.Method[Any, Any], made: dict[str, Any], missing: list[str]) -> None:
    assert lacks(row.request(**made)) == missing


def test_details_of_nothing_are_refused_before_a_call(local_flyte: LocalFlyte) -> None:
    config = config_for(local_flyte)
    with FlyteClient(config) as client:
        with pytest.raises(ConfigError):
            RunDetails.get_details(identifier_pb2.RunIdentifier(name="r1"), client)
        empty = RunDetails(run_definition_pb2.RunDetails(), client)
        with pytest.raises(ConfigError):
            empty.inputs()
    assert not local_flyte.calls("GetActionData")
    assert not local_flyte.calls("GetRunDetails")
