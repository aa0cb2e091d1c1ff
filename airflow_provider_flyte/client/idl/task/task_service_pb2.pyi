from airflow_provider_flyte.client.idl.common import identifier_pb2 as _identifier_pb2
from airflow_provider_flyte.client.idl.common import identity_pb2 as _identity_pb2
from airflow_provider_flyte.client.idl.common import list_pb2 as _list_pb2
from airflow_provider_flyte.client.idl.task import task_definition_pb2 as _task_definition_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class DeployTaskRequest(_message.Message):
    __slots__ = ("task_id", "spec", "triggers")
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    TRIGGERS_FIELD_NUMBER: _ClassVar[int]
    task_id: _task_definition_pb2.TaskIdentifier
    spec: _task_definition_pb2.TaskSpec
    triggers: _containers.RepeatedCompositeFieldContainer[_task_definition_pb2.TaskTrigger]
    def __init__(self, task_id: _Optional[_Union[_task_definition_pb2.TaskIdentifier, _Mapping]] = ..., spec: _Optional[_Union[_task_definition_pb2.TaskSpec, _Mapping]] = ..., triggers: _Optional[_Iterable[_Union[_task_definition_pb2.TaskTrigger, _Mapping]]] = ...) -> None: ...

class DeployTaskResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetTaskDetailsRequest(_message.Message):
    __slots__ = ("task_id",)
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    task_id: _task_definition_pb2.TaskIdentifier
    def __init__(self, task_id: _Optional[_Union[_task_definition_pb2.TaskIdentifier, _Mapping]] = ...) -> None: ...

class GetTaskDetailsResponse(_message.Message):
    __slots__ = ("details",)
    DETAILS_FIELD_NUMBER: _ClassVar[int]
    details: _task_definition_pb2.TaskDetails
    def __init__(self, details: _Optional[_Union[_task_definition_pb2.TaskDetails, _Mapping]] = ...) -> None: ...

class ListTasksRequest(_message.Message):
    __slots__ = ("request", "org", "project_id", "known_filters")
    class KnownFilter(_message.Message):
        __slots__ = ("deployed_by", "is_entrypoint")
        DEPLOYED_BY_FIELD_NUMBER: _ClassVar[int]
        IS_ENTRYPOINT_FIELD_NUMBER: _ClassVar[int]
        deployed_by: str
        is_entrypoint: bool
        def __init__(self, deployed_by: _Optional[str] = ..., is_entrypoint: bool = ...) -> None: ...
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    ORG_FIELD_NUMBER: _ClassVar[int]
    PROJECT_ID_FIELD_NUMBER: _ClassVar[int]
    KNOWN_FILTERS_FIELD_NUMBER: _ClassVar[int]
    request: _list_pb2.ListRequest
    org: str
    project_id: _identifier_pb2.ProjectIdentifier
    known_filters: _containers.RepeatedCompositeFieldContainer[ListTasksRequest.KnownFilter]
    def __init__(self, request: _Optional[_Union[_list_pb2.ListRequest, _Mapping]] = ..., org: _Optional[str] = ..., project_id: _Optional[_Union[_identifier_pb2.ProjectIdentifier, _Mapping]] = ..., known_filters: _Optional[_Iterable[_Union[ListTasksRequest.KnownFilter, _Mapping]]] = ...) -> None: ...

class ListTasksResponse(_message.Message):
    __slots__ = ("tasks", "token", "metadata")
    class ListTasksMetadata(_message.Message):
        __slots__ = ("total", "filtered_total")
        TOTAL_FIELD_NUMBER: _ClassVar[int]
        FILTERED_TOTAL_FIELD_NUMBER: _ClassVar[int]
        total: int
        filtered_total: int
        def __init__(self, total: _Optional[int] = ..., filtered_total: _Optional[int] = ...) -> None: ...
    TASKS_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    tasks: _containers.RepeatedCompositeFieldContainer[_task_definition_pb2.Task]
    token: str
    metadata: ListTasksResponse.ListTasksMetadata
    def __init__(self, tasks: _Optional[_Iterable[_Union[_task_definition_pb2.Task, _Mapping]]] = ..., token: _Optional[str] = ..., metadata: _Optional[_Union[ListTasksResponse.ListTasksMetadata, _Mapping]] = ...) -> None: ...

class ListVersionsRequest(_message.Message):
    __slots__ = ("request", "task_name")
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    TASK_NAME_FIELD_NUMBER: _ClassVar[int]
    request: _list_pb2.ListRequest
    task_name: _task_definition_pb2.TaskName
    def __init__(self, request: _Optional[_Union[_list_pb2.ListRequest, _Mapping]] = ..., task_name: _Optional[_Union[_task_definition_pb2.TaskName, _Mapping]] = ...) -> None: ...

class ListVersionsResponse(_message.Message):
    __slots__ = ("versions", "token")
    class VersionResponse(_message.Message):
        __slots__ = ("version", "deployed_at", "deployed_by", "latest_run")
        VERSION_FIELD_NUMBER: _ClassVar[int]
        DEPLOYED_AT_FIELD_NUMBER: _ClassVar[int]
        DEPLOYED_BY_FIELD_NUMBER: _ClassVar[int]
        LATEST_RUN_FIELD_NUMBER: _ClassVar[int]
        version: str
        deployed_at: _timestamp_pb2.Timestamp
        deployed_by: _identity_pb2.EnrichedIdentity
        latest_run: _task_definition_pb2.LatestRunSummary
        def __init__(self, version: _Optional[str] = ..., deployed_at: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., deployed_by: _Optional[_Union[_identity_pb2.EnrichedIdentity, _Mapping]] = ..., latest_run: _Optional[_Union[_task_definition_pb2.LatestRunSummary, _Mapping]] = ...) -> None: ...
    VERSIONS_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    versions: _containers.RepeatedCompositeFieldContainer[ListVersionsResponse.VersionResponse]
    token: str
    def __init__(self, versions: _Optional[_Iterable[_Union[ListVersionsResponse.VersionResponse, _Mapping]]] = ..., token: _Optional[str] = ...) -> None: ...
