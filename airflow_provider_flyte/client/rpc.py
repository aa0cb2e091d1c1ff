"""The methods of the Flyte 2 services that the provider and its local server speak: plain data, a row a method.

Paths keep Flyte's own package names although the message classes are generated under ours (``protos/README.md``).
The transports make calls of these rows, the local server handlers.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from google.protobuf.message import Message

from airflow_provider_flyte.client.idl.auth import auth_service_pb2
from airflow_provider_flyte.client.idl.cluster import payload_pb2 as cluster_pb2
from airflow_provider_flyte.client.idl.dataproxy import dataproxy_service_pb2
from airflow_provider_flyte.client.idl.project import project_service_pb2
from airflow_provider_flyte.client.idl.task import task_service_pb2
from airflow_provider_flyte.client.idl.trigger import trigger_service_pb2
from airflow_provider_flyte.client.idl.workflow import (
    internal_run_service_pb2,
    run_service_pb2,
    translator_service_pb2,
)

LARGEST = 8 << 20
"""Maximum bytes of an answer, unpacked. A page of 200 runs is 31 kB, and 10,000 actions are 1.8 MB. Parsing holds an
event loop, and takes up to 24 times as much memory as there are bytes: 0.2 s and 200 MB for these."""

LARGEST_CONTENT = 32 << 20
"""The same of what users fill: specifications, logs, inputs and outputs, of which Flyte reads no more than 10 MiB each
as it is deployed (``storage.limits.maxDownloadMBs``)."""

Req = TypeVar("Req", bound=Message)
Resp = TypeVar("Resp", bound=Message)


@dataclass(frozen=True)
class Method(Generic[Req, Resp]):
    """One RPC: where it lives and what it takes and gives."""

    path: str
    """Full gRPC path, ``/package.Service/Method``."""
    request: type[Req]
    response: type[Resp]
    largest: int = field(default=LARGEST, compare=False)
    """Bytes of an answer, or of a stream's message, that are read; a method that is read otherwise is the same one."""

    @property
    def name(self) -> str:
        """``Service/Method``, as error messages and the local server's faults name it."""
        return self.path.rpartition(".")[2]


class Unary(Method[Req, Resp]):
    """One request, one response."""


@dataclass(frozen=True)
class ServerStream(Method[Req, Resp]):
    """One request, any number of responses."""

    instead: Resp | None = field(default=None, compare=False)
    """What is given in place of a message that is too large, so that the stream goes on. None: that is an error."""


class RunService:
    """Launches, reads, watches and stops runs."""

    _r = run_service_pb2
    _p = "/flyteidl2.workflow.RunService/"

    CreateRun = Unary(_p + "CreateRun", _r.CreateRunRequest, _r.CreateRunResponse)
    AbortRun = Unary(_p + "AbortRun", _r.AbortRunRequest, _r.AbortRunResponse)
    GetRunDetails = Unary(
        _p + "GetRunDetails", _r.GetRunDetailsRequest, _r.GetRunDetailsResponse, largest=LARGEST_CONTENT
    )
    GetActionDetails = Unary(
        _p + "GetActionDetails", _r.GetActionDetailsRequest, _r.GetActionDetailsResponse, largest=LARGEST_CONTENT
    )
    GetActionData = Unary(_p + "GetActionData", _r.GetActionDataRequest, _r.GetActionDataResponse)
    GetActionDataURIs = Unary(_p + "GetActionDataURIs", _r.GetActionDataURIsRequest, _r.GetActionDataURIsResponse)
    ListRuns = Unary(_p + "ListRuns", _r.ListRunsRequest, _r.ListRunsResponse)
    ListActions = Unary(_p + "ListActions", _r.ListActionsRequest, _r.ListActionsResponse)
    SignalEvent = Unary(_p + "SignalEvent", _r.SignalEventRequest, _r.SignalEventResponse)
    WatchActions = ServerStream(_p + "WatchActions", _r.WatchActionsRequest, _r.WatchActionsResponse)
    WatchRuns = ServerStream(_p + "WatchRuns", _r.WatchRunsRequest, _r.WatchRunsResponse)
    WatchRunDetails = ServerStream(
        _p + "WatchRunDetails", _r.WatchRunDetailsRequest, _r.WatchRunDetailsResponse, largest=LARGEST_CONTENT
    )
    WatchActionDetails = ServerStream(
        _p + "WatchActionDetails", _r.WatchActionDetailsRequest, _r.WatchActionDetailsResponse, largest=LARGEST_CONTENT
    )


class InternalRunService:
    """How an executor moves a run; only tests, the demo and the local server call it."""

    _r = internal_run_service_pb2
    _p = "/flyteidl2.workflow.InternalRunService/"

    RecordAction = Unary(_p + "RecordAction", _r.RecordActionRequest, _r.RecordActionResponse)
    UpdateActionStatus = Unary(_p + "UpdateActionStatus", _r.UpdateActionStatusRequest, _r.UpdateActionStatusResponse)
    RecordActionEvents = Unary(_p + "RecordActionEvents", _r.RecordActionEventsRequest, _r.RecordActionEventsResponse)


class ClusterService:
    """Which data plane serves a call."""

    _r = cluster_pb2
    _p = "/flyteidl2.cluster.ClusterService/"

    SelectCluster = Unary(_p + "SelectCluster", _r.SelectClusterRequest, _r.SelectClusterResponse)


class DataProxyService:
    """Inputs, outputs and logs of actions."""

    _r = dataproxy_service_pb2
    _p = "/flyteidl2.dataproxy.DataProxyService/"

    GetActionData = Unary(
        _p + "GetActionData", _r.GetActionDataRequest, _r.GetActionDataResponse, largest=LARGEST_CONTENT
    )
    UploadInputs = Unary(_p + "UploadInputs", _r.UploadInputsRequest, _r.UploadInputsResponse)
    TailLogs = ServerStream(_p + "TailLogs", _r.TailLogsRequest, _r.TailLogsResponse, largest=LARGEST_CONTENT)


class TaskService:
    """Deployed tasks and their interfaces."""

    _r = task_service_pb2
    _p = "/flyteidl2.task.TaskService/"

    DeployTask = Unary(_p + "DeployTask", _r.DeployTaskRequest, _r.DeployTaskResponse)
    GetTaskDetails = Unary(
        _p + "GetTaskDetails", _r.GetTaskDetailsRequest, _r.GetTaskDetailsResponse, largest=LARGEST_CONTENT
    )
    ListTasks = Unary(_p + "ListTasks", _r.ListTasksRequest, _r.ListTasksResponse)
    ListVersions = Unary(_p + "ListVersions", _r.ListVersionsRequest, _r.ListVersionsResponse)


class TriggerService:
    """Flyte's own triggers: saved launches of a task, with its inputs and settings."""

    _r = trigger_service_pb2
    _p = "/flyteidl2.trigger.TriggerService/"

    DeployTrigger = Unary(_p + "DeployTrigger", _r.DeployTriggerRequest, _r.DeployTriggerResponse)
    GetTriggerDetails = Unary(
        _p + "GetTriggerDetails", _r.GetTriggerDetailsRequest, _r.GetTriggerDetailsResponse, largest=LARGEST_CONTENT
    )
    ListTriggers = Unary(_p + "ListTriggers", _r.ListTriggersRequest, _r.ListTriggersResponse)


class TranslatorService:
    """The server's own JSON conversions; kept for the contract suite (``literals.py`` is what the client uses)."""

    _r = translator_service_pb2
    _p = "/flyteidl2.workflow.TranslatorService/"

    JsonValuesToLiterals = Unary(
        _p + "JsonValuesToLiterals", _r.JsonValuesToLiteralsRequest, _r.JsonValuesToLiteralsResponse
    )
    LiteralsToLaunchFormJson = Unary(
        _p + "LiteralsToLaunchFormJson", _r.LiteralsToLaunchFormJsonRequest, _r.LiteralsToLaunchFormJsonResponse
    )


class ProjectService:
    """Projects and their domains."""

    _r = project_service_pb2
    _p = "/flyteidl2.project.ProjectService/"

    GetProject = Unary(_p + "GetProject", _r.GetProjectRequest, _r.GetProjectResponse)
    ListProjects = Unary(_p + "ListProjects", _r.ListProjectsRequest, _r.ListProjectsResponse)


class AuthMetadataService:
    """Where to get a token, asked without one."""

    _r = auth_service_pb2
    _p = "/flyteidl2.auth.AuthMetadataService/"

    GetOAuth2Metadata = Unary(_p + "GetOAuth2Metadata", _r.GetOAuth2MetadataRequest, _r.GetOAuth2MetadataResponse)
    GetPublicClientConfig = Unary(
        _p + "GetPublicClientConfig", _r.GetPublicClientConfigRequest, _r.GetPublicClientConfigResponse
    )


SERVICES = (
    RunService,
    InternalRunService,
    ClusterService,
    DataProxyService,
    TaskService,
    TriggerService,
    TranslatorService,
    ProjectService,
    AuthMetadataService,
)

METHODS: tuple[Method[Any, Any], ...] = tuple(
    row for service in SERVICES for row in vars(service).values() if isinstance(row, Method)
)
"""Every row, for the local server and for the test that compares the table with Flyte's descriptors."""
