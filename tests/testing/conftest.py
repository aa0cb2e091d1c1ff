"""A plain gRPC client for the local server: its answers are read without the provider's own client."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest

from airflow_provider_flyte.client import rpc
from airflow_provider_flyte.client.idl.common import identifier_pb2, list_pb2
from airflow_provider_flyte.client.idl.dataproxy import dataproxy_service_pb2
from airflow_provider_flyte.client.idl.task import task_definition_pb2
from airflow_provider_flyte.client.idl.workflow import run_service_pb2
from airflow_provider_flyte.testing import LocalFlyte


class RawClient:
    """Calls of any method, and shortcuts for the most frequent ones."""

    def __init__(self, channel: grpc.Channel) -> None:
        self.channel = channel

    def ask(self, row: rpc.Method[Any, Any], request: Any, timeout: float = 5.0, metadata: Any = ()) -> Any:
        call = self.channel.unary_unary(row.path, row.request.SerializeToString, row.response.FromString)
        return call(request, timeout=timeout, metadata=metadata)

    def watch(self, row: rpc.Method[Any, Any], request: Any, timeout: float = 10.0) -> Any:
        call = self.channel.unary_stream(row.path, row.request.SerializeToString, row.response.FromString)
        return call(request, timeout=timeout)

    def details(self, name: str, timeout: float = 5.0) -> Any:
        request = run_service_pb2.GetRunDetailsRequest(run_id=self.run_id(name))
        return self.ask(rpc.RunService.GetRunDetails, request, timeout).details

    def data(self, name: str) -> Any:
        request = dataproxy_service_pb2.GetActionDataRequest(action_id=self.action_id(name))
        return self.ask(rpc.DataProxyService.GetActionData, request)

    def abort(self, name: str, reason: str) -> None:
        request = run_service_pb2.AbortRunRequest(run_id=self.run_id(name), reason=reason)
        self.ask(rpc.RunService.AbortRun, request)

    def create(self, name: str, task: str = "demo.train", **more: Any) -> Any:
        task_id = task_definition_pb2.TaskIdentifier(
            project="flytesnacks", domain="development", name=task, version="v1"
        )
        request = run_service_pb2.CreateRunRequest(run_id=self.run_id(name), task_id=task_id, **more)
        return self.ask(rpc.RunService.CreateRun, request).run

    def list_runs(self, *filters: Any, **page: Any) -> Any:
        request = run_service_pb2.ListRunsRequest(
            project_id=self.project_id(), request=list_pb2.ListRequest(filters=filters, **page)
        )
        return self.ask(rpc.RunService.ListRuns, request)

    def watch_runs(self, project: str = "flytesnacks", timeout: float = 10.0) -> Any:
        request = run_service_pb2.WatchRunsRequest(project_id=self.project_id(project))
        return self.watch(rpc.RunService.WatchRuns, request, timeout)

    def watch_action(self, name: str) -> Any:
        request = run_service_pb2.WatchActionDetailsRequest(action_id=self.action_id(name))
        return self.watch(rpc.RunService.WatchActionDetails, request)

    @staticmethod
    def project_id(project: str = "flytesnacks") -> identifier_pb2.ProjectIdentifier:
        return identifier_pb2.ProjectIdentifier(name=project, domain="development")

    @staticmethod
    def run_id(name: str) -> identifier_pb2.RunIdentifier:
        return identifier_pb2.RunIdentifier(project="flytesnacks", domain="development", name=name)

    @classmethod
    def action_id(cls, name: str) -> identifier_pb2.ActionIdentifier:
        return identifier_pb2.ActionIdentifier(run=cls.run_id(name), name="a0")

    @staticmethod
    def equal(field: str, value: str) -> list_pb2.Filter:
        return list_pb2.Filter(function=list_pb2.Filter.EQUAL, field=field, values=[value])

    @staticmethod
    def one_of(field: str, *values: str) -> list_pb2.Filter:
        return list_pb2.Filter(function=list_pb2.Filter.VALUE_IN, field=field, values=values)


@pytest.fixture
def flyte() -> Iterator[LocalFlyte]:
    with LocalFlyte() as server:
        yield server


@pytest.fixture
def client(flyte: LocalFlyte) -> Iterator[RawClient]:
    with grpc.insecure_channel(flyte.endpoint) as channel:
        yield RawClient(channel)


@pytest.fixture
def eventually() -> Callable[[Callable[[], Any]], None]:
    """Wait until something is true, at most ten seconds."""

    def wait(poll: Callable[[], Any]) -> None:
        deadline = time.monotonic() + 10
        while not poll():
            assert time.monotonic() < deadline, "it never came to be"
            time.sleep(0.005)

    return wait
