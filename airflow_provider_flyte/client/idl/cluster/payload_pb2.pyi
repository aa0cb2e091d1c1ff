from airflow_provider_flyte.client.idl.app import app_definition_pb2 as _app_definition_pb2
from airflow_provider_flyte.client.idl.common import identifier_pb2 as _identifier_pb2
from airflow_provider_flyte.client.idl.task import task_definition_pb2 as _task_definition_pb2
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SelectClusterRequest(_message.Message):
    __slots__ = ("org_id", "project_id", "task_id", "action_id", "action_attempt_id", "app_id", "cluster_pool_id", "domain_id", "cluster_id", "queue_id", "operation")
    class Operation(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        OPERATION_UNSPECIFIED: _ClassVar[SelectClusterRequest.Operation]
        OPERATION_CREATE_UPLOAD_LOCATION: _ClassVar[SelectClusterRequest.Operation]
        OPERATION_UPLOAD_INPUTS: _ClassVar[SelectClusterRequest.Operation]
        OPERATION_GET_ACTION_DATA: _ClassVar[SelectClusterRequest.Operation]
        OPERATION_QUERY_RANGE_METRICS: _ClassVar[SelectClusterRequest.Operation]
        OPERATION_CREATE_DOWNLOAD_LINK: _ClassVar[SelectClusterRequest.Operation]
        OPERATION_TAIL_LOGS: _ClassVar[SelectClusterRequest.Operation]
        OPERATION_GET_ACTION_ATTEMPT_METRICS: _ClassVar[SelectClusterRequest.Operation]
        OPERATION_USE_SECRETS: _ClassVar[SelectClusterRequest.Operation]
        OPERATION_UPLOAD_TRIGGER: _ClassVar[SelectClusterRequest.Operation]
        OPERATION_GET_IMAGE: _ClassVar[SelectClusterRequest.Operation]
        OPERATION_TRACKED_RUN_DATA: _ClassVar[SelectClusterRequest.Operation]
        OPERATION_GET_CLUSTER_CONFIG: _ClassVar[SelectClusterRequest.Operation]
    OPERATION_UNSPECIFIED: SelectClusterRequest.Operation
    OPERATION_CREATE_UPLOAD_LOCATION: SelectClusterRequest.Operation
    OPERATION_UPLOAD_INPUTS: SelectClusterRequest.Operation
    OPERATION_GET_ACTION_DATA: SelectClusterRequest.Operation
    OPERATION_QUERY_RANGE_METRICS: SelectClusterRequest.Operation
    OPERATION_CREATE_DOWNLOAD_LINK: SelectClusterRequest.Operation
    OPERATION_TAIL_LOGS: SelectClusterRequest.Operation
    OPERATION_GET_ACTION_ATTEMPT_METRICS: SelectClusterRequest.Operation
    OPERATION_USE_SECRETS: SelectClusterRequest.Operation
    OPERATION_UPLOAD_TRIGGER: SelectClusterRequest.Operation
    OPERATION_GET_IMAGE: SelectClusterRequest.Operation
    OPERATION_TRACKED_RUN_DATA: SelectClusterRequest.Operation
    OPERATION_GET_CLUSTER_CONFIG: SelectClusterRequest.Operation
    ORG_ID_FIELD_NUMBER: _ClassVar[int]
    PROJECT_ID_FIELD_NUMBER: _ClassVar[int]
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    ACTION_ID_FIELD_NUMBER: _ClassVar[int]
    ACTION_ATTEMPT_ID_FIELD_NUMBER: _ClassVar[int]
    APP_ID_FIELD_NUMBER: _ClassVar[int]
    CLUSTER_POOL_ID_FIELD_NUMBER: _ClassVar[int]
    DOMAIN_ID_FIELD_NUMBER: _ClassVar[int]
    CLUSTER_ID_FIELD_NUMBER: _ClassVar[int]
    QUEUE_ID_FIELD_NUMBER: _ClassVar[int]
    OPERATION_FIELD_NUMBER: _ClassVar[int]
    org_id: _identifier_pb2.OrgIdentifier
    project_id: _identifier_pb2.ProjectIdentifier
    task_id: _task_definition_pb2.TaskIdentifier
    action_id: _identifier_pb2.ActionIdentifier
    action_attempt_id: _identifier_pb2.ActionAttemptIdentifier
    app_id: _app_definition_pb2.Identifier
    cluster_pool_id: _identifier_pb2.ClusterPoolIdentifier
    domain_id: _identifier_pb2.DomainIdentifier
    cluster_id: _identifier_pb2.ClusterIdentifier
    queue_id: _identifier_pb2.QueueIdentifier
    operation: SelectClusterRequest.Operation
    def __init__(self, org_id: _Optional[_Union[_identifier_pb2.OrgIdentifier, _Mapping]] = ..., project_id: _Optional[_Union[_identifier_pb2.ProjectIdentifier, _Mapping]] = ..., task_id: _Optional[_Union[_task_definition_pb2.TaskIdentifier, _Mapping]] = ..., action_id: _Optional[_Union[_identifier_pb2.ActionIdentifier, _Mapping]] = ..., action_attempt_id: _Optional[_Union[_identifier_pb2.ActionAttemptIdentifier, _Mapping]] = ..., app_id: _Optional[_Union[_app_definition_pb2.Identifier, _Mapping]] = ..., cluster_pool_id: _Optional[_Union[_identifier_pb2.ClusterPoolIdentifier, _Mapping]] = ..., domain_id: _Optional[_Union[_identifier_pb2.DomainIdentifier, _Mapping]] = ..., cluster_id: _Optional[_Union[_identifier_pb2.ClusterIdentifier, _Mapping]] = ..., queue_id: _Optional[_Union[_identifier_pb2.QueueIdentifier, _Mapping]] = ..., operation: _Optional[_Union[SelectClusterRequest.Operation, str]] = ...) -> None: ...

class SelectClusterResponse(_message.Message):
    __slots__ = ("cluster_endpoint", "cluster")
    CLUSTER_ENDPOINT_FIELD_NUMBER: _ClassVar[int]
    CLUSTER_FIELD_NUMBER: _ClassVar[int]
    cluster_endpoint: str
    cluster: str
    def __init__(self, cluster_endpoint: _Optional[str] = ..., cluster: _Optional[str] = ...) -> None: ...
