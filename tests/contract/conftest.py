"""The backend that the suite runs against: the local server, or the one at ``FLYTE_ENDPOINT``; through both transports,
and with ``auto`` behind a real nginx that speaks HTTP/1.1 to it, or as ``FLYTE_TRANSPORT`` says.

Nothing here or in the tests knows which one it is: runs are made and moved by RPCs alone, as an executor moves them.
"""

from __future__ import annotations

import base64
import json
import os
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from airflow_provider_flyte.client import FlyteClient, FlyteConfig, RunDetails
from airflow_provider_flyte.client.flows.calls import ROOT_ACTION, Call, run_identifier
from airflow_provider_flyte.client.idl.common import identifier_pb2
from airflow_provider_flyte.client.idl.task import task_definition_pb2, task_service_pb2
from airflow_provider_flyte.client.idl.workflow import internal_run_service_pb2, run_definition_pb2, run_service_pb2
from airflow_provider_flyte.client.phase import RunPhase
from airflow_provider_flyte.client.rpc import InternalRunService, RunService, TaskService, Unary
from airflow_provider_flyte.testing import LocalFlyte
from tests.proxy import nginx

BEHIND_NGINX = "auto behind nginx"
ORG, PROJECT, DOMAIN = "testorg", "flytesnacks", "development"
RECORDED = json.loads((Path(__file__).parents[1] / "recordings" / "executor.json").read_text())


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.contract)


class Backend:
    """A Flyte 2 backend, and its executor."""

    def __init__(self, client: FlyteClient) -> None:
        self.client = client
        self.task = self._deploy_the_recorded_task()

    def _ask(self, method: Unary, request: object) -> object:  # type: ignore[type-arg]
        return self.client.execute(Call(method, request, lambda response: response))

    def _deploy_the_recorded_task(self) -> task_definition_pb2.TaskIdentifier:
        [first, *_] = RECORDED["calls"]
        request = task_service_pb2.DeployTaskRequest.FromString(base64.b64decode(first["request"]))
        request.task_id.org, request.task_id.project, request.task_id.domain = ORG, PROJECT, DOMAIN
        request.task_id.version = f"c{uuid.uuid4().hex[:10]}"
        self._ask(TaskService.DeployTask, request)
        return request.task_id

    def new_name(self) -> str:
        """A name that no run has."""
        return f"c{uuid.uuid4().hex[:20]}"

    def launch(self, name: str | None = None) -> str:
        """Create a run of the recorded task."""
        name = name or self.new_name()
        self._ask(RunService.CreateRun, run_service_pb2.CreateRunRequest(run_id=self.run_id(name), task_id=self.task))
        return name

    def run_id(self, name: str) -> identifier_pb2.RunIdentifier:
        return run_identifier(self.client.config.key(name), ORG)

    def action_id(self, name: str, action: str = ROOT_ACTION) -> identifier_pb2.ActionIdentifier:
        return identifier_pb2.ActionIdentifier(run=self.run_id(name), name=action)

    def child(self, name: str, action: str) -> None:
        """Start an action of the same task inside a run (RecordAction)."""
        request = internal_run_service_pb2.RecordActionRequest(
            action_id=self.action_id(name, action), parent=ROOT_ACTION, group="shards"
        )
        request.task.id.CopyFrom(self.task)
        request.task.spec.CopyFrom(self.details(name).pb2.action.task)
        self._ask(InternalRunService.RecordAction, request)

    def event(
        self,
        name: str,
        phase: RunPhase,
        *,
        attempt: int = 1,
        error: tuple[str, str] | None = None,
        action: str = ROOT_ACTION,
    ) -> None:
        """What an executor reports of an attempt (RecordActionEvents); the error is its kind and message."""
        event = run_definition_pb2.ActionEvent(
            id=self.action_id(name, action),
            attempt=attempt,
            phase=phase,  # type: ignore[arg-type]  # an open enum
            version=1,
            updated_time=_now(),
            reported_time=_now(),
            cluster="c1",
        )
        if error:
            kind, message = error
            event.error_info.CopyFrom(run_definition_pb2.ErrorInfo(kind=f"KIND_{kind}", message=message))
        self._ask(
            InternalRunService.RecordActionEvents, internal_run_service_pb2.RecordActionEventsRequest(events=[event])
        )

    def status(self, name: str, phase: RunPhase, *, attempt: int = 1, action: str = ROOT_ACTION) -> None:
        """Set the phase of a run, or of another action of it (UpdateActionStatus)."""
        status = run_definition_pb2.ActionStatus(
            phase=phase,  # type: ignore[arg-type]  # an open enum
            attempts=attempt,
            start_time=_now(),
        )
        self._ask(
            InternalRunService.UpdateActionStatus,
            internal_run_service_pb2.UpdateActionStatusRequest(action_id=self.action_id(name, action), status=status),
        )

    def move(self, name: str, *phases: RunPhase, attempt: int = 1, error: tuple[str, str] | None = None) -> None:
        """Event and status of each phase, as an executor sends them."""
        for phase in phases:
            self.event(name, phase, attempt=attempt, error=error if phase == RunPhase.FAILED else None)
            self.status(name, phase, attempt=attempt)

    def abort(self, name: str, reason: str) -> None:
        self._ask(RunService.AbortRun, run_service_pb2.AbortRunRequest(run_id=self.run_id(name), reason=reason))

    def details(self, name: str) -> RunDetails:
        return RunDetails.get(name, client=self.client)


def _now() -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(datetime.now(timezone.utc))
    return stamp


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "transport" in metafunc.fixturenames:
        asked = os.environ.get("FLYTE_TRANSPORT")
        # A real backend has both transports at one address, so it is asked through both unless told otherwise.
        ways = [asked] if asked else ["grpc", "connect"]
        if not asked and (nginx.PROGRAM is not None or "REQUIRE_NGINX" in os.environ):
            ways.append(BEHIND_NGINX)
        metafunc.parametrize("transport", ways, scope="module")


# Not for the whole session: tests of other files would run beside this server and what connects to it, and hear what it
# logs.
@pytest.fixture(scope="module")
def config(
    transport: str, certificate: tuple[bytes, bytes], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[FlyteConfig]:
    fields: dict[str, Any] = {"org": ORG, "project": PROJECT, "domain": DOMAIN}
    with ExitStack() as opened:
        endpoint, tls = os.environ.get("FLYTE_ENDPOINT"), bool(os.environ.get("FLYTE_TLS"))
        if endpoint is None:
            endpoint = opened.enter_context(
                LocalFlyte(transports=("grpc" if transport == "grpc" else "connect",))
            ).endpoint
        if transport != BEHIND_NGINX:
            yield FlyteConfig(endpoint=endpoint, insecure=not tls, transport=transport, **fields)
            return
        # As the chart's ingress has it: HTTP/2 to the client, through which gRPC comes as far as nginx, then HTTP/1.1.
        body = f"location / {{ proxy_pass http{'s' if tls else ''}://{endpoint}; proxy_buffering off; }}"
        servers = {"ingress": nginx.Server("ssl http2", body)}
        running = opened.enter_context(nginx.Nginx(tmp_path_factory.mktemp("ingress"), servers, certificate))
        yield FlyteConfig(endpoint=running.endpoint("ingress"), ca_bundle=certificate[0].decode(), **fields)


@pytest.fixture(scope="module")
def backend(config: FlyteConfig) -> Iterator[Backend]:
    with FlyteClient(config) as client:
        yield Backend(client)
