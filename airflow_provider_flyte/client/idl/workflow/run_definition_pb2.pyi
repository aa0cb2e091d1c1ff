from airflow_provider_flyte.client.idl.common import cache_pb2 as _cache_pb2
from airflow_provider_flyte.client.idl.common import identifier_pb2 as _identifier_pb2
from airflow_provider_flyte.client.idl.common import identity_pb2 as _identity_pb2
from airflow_provider_flyte.client.idl.common import phase_pb2 as _phase_pb2
from airflow_provider_flyte.client.idl.common import run_pb2 as _run_pb2
from airflow_provider_flyte.client.idl.core import catalog_pb2 as _catalog_pb2
from airflow_provider_flyte.client.idl.core import execution_pb2 as _execution_pb2
from airflow_provider_flyte.client.idl.core import literals_pb2 as _literals_pb2
from airflow_provider_flyte.client.idl.core import types_pb2 as _types_pb2
from airflow_provider_flyte.client.idl.task import common_pb2 as _common_pb2
from airflow_provider_flyte.client.idl.task import run_pb2 as _run_pb2_1
from airflow_provider_flyte.client.idl.task import task_definition_pb2 as _task_definition_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import struct_pb2 as _struct_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf import wrappers_pb2 as _wrappers_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ConditionPromptType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CONDITION_PROMPT_TYPE_UNSPECIFIED: _ClassVar[ConditionPromptType]
    CONDITION_PROMPT_TYPE_TEXT: _ClassVar[ConditionPromptType]
    CONDITION_PROMPT_TYPE_MARKDOWN: _ClassVar[ConditionPromptType]

class ActionType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ACTION_TYPE_UNSPECIFIED: _ClassVar[ActionType]
    ACTION_TYPE_TASK: _ClassVar[ActionType]
    ACTION_TYPE_TRACE: _ClassVar[ActionType]
    ACTION_TYPE_CONDITION: _ClassVar[ActionType]

class RunSource(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RUN_SOURCE_UNSPECIFIED: _ClassVar[RunSource]
    RUN_SOURCE_WEB: _ClassVar[RunSource]
    RUN_SOURCE_CLI: _ClassVar[RunSource]
    RUN_SOURCE_SCHEDULE_TRIGGER: _ClassVar[RunSource]
    RUN_SOURCE_TRACKED: _ClassVar[RunSource]
    RUN_SOURCE_ARTIFACT_TRIGGER: _ClassVar[RunSource]
CONDITION_PROMPT_TYPE_UNSPECIFIED: ConditionPromptType
CONDITION_PROMPT_TYPE_TEXT: ConditionPromptType
CONDITION_PROMPT_TYPE_MARKDOWN: ConditionPromptType
ACTION_TYPE_UNSPECIFIED: ActionType
ACTION_TYPE_TASK: ActionType
ACTION_TYPE_TRACE: ActionType
ACTION_TYPE_CONDITION: ActionType
RUN_SOURCE_UNSPECIFIED: RunSource
RUN_SOURCE_WEB: RunSource
RUN_SOURCE_CLI: RunSource
RUN_SOURCE_SCHEDULE_TRIGGER: RunSource
RUN_SOURCE_TRACKED: RunSource
RUN_SOURCE_ARTIFACT_TRIGGER: RunSource

class Run(_message.Message):
    __slots__ = ("action", "labels")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    ACTION_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    action: Action
    labels: _containers.ScalarMap[str, str]
    def __init__(self, action: _Optional[_Union[Action, _Mapping]] = ..., labels: _Optional[_Mapping[str, str]] = ...) -> None: ...

class RunDetails(_message.Message):
    __slots__ = ("run_spec", "action")
    RUN_SPEC_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    run_spec: _run_pb2_1.RunSpec
    action: ActionDetails
    def __init__(self, run_spec: _Optional[_Union[_run_pb2_1.RunSpec, _Mapping]] = ..., action: _Optional[_Union[ActionDetails, _Mapping]] = ...) -> None: ...

class TaskAction(_message.Message):
    __slots__ = ("id", "spec", "cache_key", "queue")
    ID_FIELD_NUMBER: _ClassVar[int]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    CACHE_KEY_FIELD_NUMBER: _ClassVar[int]
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    id: _task_definition_pb2.TaskIdentifier
    spec: _task_definition_pb2.TaskSpec
    cache_key: _wrappers_pb2.StringValue
    queue: str
    def __init__(self, id: _Optional[_Union[_task_definition_pb2.TaskIdentifier, _Mapping]] = ..., spec: _Optional[_Union[_task_definition_pb2.TaskSpec, _Mapping]] = ..., cache_key: _Optional[_Union[_wrappers_pb2.StringValue, _Mapping]] = ..., queue: _Optional[str] = ...) -> None: ...

class TraceAction(_message.Message):
    __slots__ = ("name", "phase", "start_time", "end_time", "outputs", "spec")
    NAME_FIELD_NUMBER: _ClassVar[int]
    PHASE_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    OUTPUTS_FIELD_NUMBER: _ClassVar[int]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    name: str
    phase: _phase_pb2.ActionPhase
    start_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    outputs: _common_pb2.OutputReferences
    spec: _task_definition_pb2.TraceSpec
    def __init__(self, name: _Optional[str] = ..., phase: _Optional[_Union[_phase_pb2.ActionPhase, str]] = ..., start_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., outputs: _Optional[_Union[_common_pb2.OutputReferences, _Mapping]] = ..., spec: _Optional[_Union[_task_definition_pb2.TraceSpec, _Mapping]] = ...) -> None: ...

class ConditionAction(_message.Message):
    __slots__ = ("name", "type", "prompt", "description", "prompt_type", "timeout", "webhook")
    NAME_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    PROMPT_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    PROMPT_TYPE_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    WEBHOOK_FIELD_NUMBER: _ClassVar[int]
    name: str
    type: _types_pb2.LiteralType
    prompt: str
    description: str
    prompt_type: ConditionPromptType
    timeout: _duration_pb2.Duration
    webhook: ConditionWebhook
    def __init__(self, name: _Optional[str] = ..., type: _Optional[_Union[_types_pb2.LiteralType, _Mapping]] = ..., prompt: _Optional[str] = ..., description: _Optional[str] = ..., prompt_type: _Optional[_Union[ConditionPromptType, str]] = ..., timeout: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., webhook: _Optional[_Union[ConditionWebhook, _Mapping]] = ...) -> None: ...

class ConditionWebhook(_message.Message):
    __slots__ = ("url", "payload")
    URL_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    url: str
    payload: _struct_pb2.Struct
    def __init__(self, url: _Optional[str] = ..., payload: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ...) -> None: ...

class TaskActionMetadata(_message.Message):
    __slots__ = ("id", "task_type", "short_name", "queue")
    ID_FIELD_NUMBER: _ClassVar[int]
    TASK_TYPE_FIELD_NUMBER: _ClassVar[int]
    SHORT_NAME_FIELD_NUMBER: _ClassVar[int]
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    id: _task_definition_pb2.TaskIdentifier
    task_type: str
    short_name: str
    queue: str
    def __init__(self, id: _Optional[_Union[_task_definition_pb2.TaskIdentifier, _Mapping]] = ..., task_type: _Optional[str] = ..., short_name: _Optional[str] = ..., queue: _Optional[str] = ...) -> None: ...

class TraceActionMetadata(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class ConditionActionMetadata(_message.Message):
    __slots__ = ("name", "type")
    NAME_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    name: str
    type: _types_pb2.LiteralType
    def __init__(self, name: _Optional[str] = ..., type: _Optional[_Union[_types_pb2.LiteralType, _Mapping]] = ...) -> None: ...

class ActionMetadata(_message.Message):
    __slots__ = ("parent", "group", "executed_by", "task", "trace", "condition", "action_type", "trigger_id", "environment_name", "funtion_name", "trigger_name", "trigger_type", "source", "relation", "recovered_from")
    PARENT_FIELD_NUMBER: _ClassVar[int]
    GROUP_FIELD_NUMBER: _ClassVar[int]
    EXECUTED_BY_FIELD_NUMBER: _ClassVar[int]
    TASK_FIELD_NUMBER: _ClassVar[int]
    TRACE_FIELD_NUMBER: _ClassVar[int]
    CONDITION_FIELD_NUMBER: _ClassVar[int]
    ACTION_TYPE_FIELD_NUMBER: _ClassVar[int]
    TRIGGER_ID_FIELD_NUMBER: _ClassVar[int]
    ENVIRONMENT_NAME_FIELD_NUMBER: _ClassVar[int]
    FUNTION_NAME_FIELD_NUMBER: _ClassVar[int]
    TRIGGER_NAME_FIELD_NUMBER: _ClassVar[int]
    TRIGGER_TYPE_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    RELATION_FIELD_NUMBER: _ClassVar[int]
    RECOVERED_FROM_FIELD_NUMBER: _ClassVar[int]
    parent: str
    group: str
    executed_by: _identity_pb2.EnrichedIdentity
    task: TaskActionMetadata
    trace: TraceActionMetadata
    condition: ConditionActionMetadata
    action_type: ActionType
    trigger_id: _identifier_pb2.TriggerIdentifier
    environment_name: str
    funtion_name: str
    trigger_name: str
    trigger_type: _common_pb2.TriggerAutomationSpec
    source: RunSource
    relation: _run_pb2.Relation
    recovered_from: _identifier_pb2.ActionIdentifier
    def __init__(self, parent: _Optional[str] = ..., group: _Optional[str] = ..., executed_by: _Optional[_Union[_identity_pb2.EnrichedIdentity, _Mapping]] = ..., task: _Optional[_Union[TaskActionMetadata, _Mapping]] = ..., trace: _Optional[_Union[TraceActionMetadata, _Mapping]] = ..., condition: _Optional[_Union[ConditionActionMetadata, _Mapping]] = ..., action_type: _Optional[_Union[ActionType, str]] = ..., trigger_id: _Optional[_Union[_identifier_pb2.TriggerIdentifier, _Mapping]] = ..., environment_name: _Optional[str] = ..., funtion_name: _Optional[str] = ..., trigger_name: _Optional[str] = ..., trigger_type: _Optional[_Union[_common_pb2.TriggerAutomationSpec, _Mapping]] = ..., source: _Optional[_Union[RunSource, str]] = ..., relation: _Optional[_Union[_run_pb2.Relation, _Mapping]] = ..., recovered_from: _Optional[_Union[_identifier_pb2.ActionIdentifier, _Mapping]] = ...) -> None: ...

class ActionStatus(_message.Message):
    __slots__ = ("phase", "start_time", "end_time", "attempts", "cache_status", "duration_ms")
    PHASE_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    CACHE_STATUS_FIELD_NUMBER: _ClassVar[int]
    DURATION_MS_FIELD_NUMBER: _ClassVar[int]
    phase: _phase_pb2.ActionPhase
    start_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    attempts: int
    cache_status: _catalog_pb2.CatalogCacheStatus
    duration_ms: int
    def __init__(self, phase: _Optional[_Union[_phase_pb2.ActionPhase, str]] = ..., start_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., attempts: _Optional[int] = ..., cache_status: _Optional[_Union[_catalog_pb2.CatalogCacheStatus, str]] = ..., duration_ms: _Optional[int] = ...) -> None: ...

class Action(_message.Message):
    __slots__ = ("id", "metadata", "status")
    ID_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    id: _identifier_pb2.ActionIdentifier
    metadata: ActionMetadata
    status: ActionStatus
    def __init__(self, id: _Optional[_Union[_identifier_pb2.ActionIdentifier, _Mapping]] = ..., metadata: _Optional[_Union[ActionMetadata, _Mapping]] = ..., status: _Optional[_Union[ActionStatus, _Mapping]] = ...) -> None: ...

class EnrichedAction(_message.Message):
    __slots__ = ("action", "meets_filter", "children_phase_counts")
    class ChildrenPhaseCountsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: int
        value: int
        def __init__(self, key: _Optional[int] = ..., value: _Optional[int] = ...) -> None: ...
    ACTION_FIELD_NUMBER: _ClassVar[int]
    MEETS_FILTER_FIELD_NUMBER: _ClassVar[int]
    CHILDREN_PHASE_COUNTS_FIELD_NUMBER: _ClassVar[int]
    action: Action
    meets_filter: bool
    children_phase_counts: _containers.ScalarMap[int, int]
    def __init__(self, action: _Optional[_Union[Action, _Mapping]] = ..., meets_filter: bool = ..., children_phase_counts: _Optional[_Mapping[int, int]] = ...) -> None: ...

class ErrorInfo(_message.Message):
    __slots__ = ("message", "kind", "code", "gpu_fault")
    class Kind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        KIND_UNSPECIFIED: _ClassVar[ErrorInfo.Kind]
        KIND_USER: _ClassVar[ErrorInfo.Kind]
        KIND_SYSTEM: _ClassVar[ErrorInfo.Kind]
    KIND_UNSPECIFIED: ErrorInfo.Kind
    KIND_USER: ErrorInfo.Kind
    KIND_SYSTEM: ErrorInfo.Kind
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    GPU_FAULT_FIELD_NUMBER: _ClassVar[int]
    message: str
    kind: ErrorInfo.Kind
    code: str
    gpu_fault: _execution_pb2.GpuFault
    def __init__(self, message: _Optional[str] = ..., kind: _Optional[_Union[ErrorInfo.Kind, str]] = ..., code: _Optional[str] = ..., gpu_fault: _Optional[_Union[_execution_pb2.GpuFault, _Mapping]] = ...) -> None: ...

class AbortInfo(_message.Message):
    __slots__ = ("reason", "aborted_by")
    REASON_FIELD_NUMBER: _ClassVar[int]
    ABORTED_BY_FIELD_NUMBER: _ClassVar[int]
    reason: str
    aborted_by: _identity_pb2.EnrichedIdentity
    def __init__(self, reason: _Optional[str] = ..., aborted_by: _Optional[_Union[_identity_pb2.EnrichedIdentity, _Mapping]] = ...) -> None: ...

class SignalInfo(_message.Message):
    __slots__ = ("signalled_by", "output")
    SIGNALLED_BY_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    signalled_by: _identity_pb2.EnrichedIdentity
    output: _literals_pb2.Literal
    def __init__(self, signalled_by: _Optional[_Union[_identity_pb2.EnrichedIdentity, _Mapping]] = ..., output: _Optional[_Union[_literals_pb2.Literal, _Mapping]] = ...) -> None: ...

class ActionDetails(_message.Message):
    __slots__ = ("id", "metadata", "status", "error_info", "abort_info", "signal_info", "task", "trace", "condition", "attempts")
    ID_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    ERROR_INFO_FIELD_NUMBER: _ClassVar[int]
    ABORT_INFO_FIELD_NUMBER: _ClassVar[int]
    SIGNAL_INFO_FIELD_NUMBER: _ClassVar[int]
    TASK_FIELD_NUMBER: _ClassVar[int]
    TRACE_FIELD_NUMBER: _ClassVar[int]
    CONDITION_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    id: _identifier_pb2.ActionIdentifier
    metadata: ActionMetadata
    status: ActionStatus
    error_info: ErrorInfo
    abort_info: AbortInfo
    signal_info: SignalInfo
    task: _task_definition_pb2.TaskSpec
    trace: _task_definition_pb2.TraceSpec
    condition: ConditionAction
    attempts: _containers.RepeatedCompositeFieldContainer[ActionAttempt]
    def __init__(self, id: _Optional[_Union[_identifier_pb2.ActionIdentifier, _Mapping]] = ..., metadata: _Optional[_Union[ActionMetadata, _Mapping]] = ..., status: _Optional[_Union[ActionStatus, _Mapping]] = ..., error_info: _Optional[_Union[ErrorInfo, _Mapping]] = ..., abort_info: _Optional[_Union[AbortInfo, _Mapping]] = ..., signal_info: _Optional[_Union[SignalInfo, _Mapping]] = ..., task: _Optional[_Union[_task_definition_pb2.TaskSpec, _Mapping]] = ..., trace: _Optional[_Union[_task_definition_pb2.TraceSpec, _Mapping]] = ..., condition: _Optional[_Union[ConditionAction, _Mapping]] = ..., attempts: _Optional[_Iterable[_Union[ActionAttempt, _Mapping]]] = ...) -> None: ...

class ActionAttempt(_message.Message):
    __slots__ = ("phase", "start_time", "end_time", "error_info", "attempt", "log_info", "outputs", "logs_available", "cache_status", "cluster_events", "phase_transitions", "cluster", "log_context", "cache_metadata")
    PHASE_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    ERROR_INFO_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    LOG_INFO_FIELD_NUMBER: _ClassVar[int]
    OUTPUTS_FIELD_NUMBER: _ClassVar[int]
    LOGS_AVAILABLE_FIELD_NUMBER: _ClassVar[int]
    CACHE_STATUS_FIELD_NUMBER: _ClassVar[int]
    CLUSTER_EVENTS_FIELD_NUMBER: _ClassVar[int]
    PHASE_TRANSITIONS_FIELD_NUMBER: _ClassVar[int]
    CLUSTER_FIELD_NUMBER: _ClassVar[int]
    LOG_CONTEXT_FIELD_NUMBER: _ClassVar[int]
    CACHE_METADATA_FIELD_NUMBER: _ClassVar[int]
    phase: _phase_pb2.ActionPhase
    start_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    error_info: ErrorInfo
    attempt: int
    log_info: _containers.RepeatedCompositeFieldContainer[_execution_pb2.TaskLog]
    outputs: _common_pb2.OutputReferences
    logs_available: bool
    cache_status: _catalog_pb2.CatalogCacheStatus
    cluster_events: _containers.RepeatedCompositeFieldContainer[ClusterEvent]
    phase_transitions: _containers.RepeatedCompositeFieldContainer[PhaseTransition]
    cluster: str
    log_context: _execution_pb2.LogContext
    cache_metadata: _cache_pb2.CacheMetadata
    def __init__(self, phase: _Optional[_Union[_phase_pb2.ActionPhase, str]] = ..., start_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., error_info: _Optional[_Union[ErrorInfo, _Mapping]] = ..., attempt: _Optional[int] = ..., log_info: _Optional[_Iterable[_Union[_execution_pb2.TaskLog, _Mapping]]] = ..., outputs: _Optional[_Union[_common_pb2.OutputReferences, _Mapping]] = ..., logs_available: bool = ..., cache_status: _Optional[_Union[_catalog_pb2.CatalogCacheStatus, str]] = ..., cluster_events: _Optional[_Iterable[_Union[ClusterEvent, _Mapping]]] = ..., phase_transitions: _Optional[_Iterable[_Union[PhaseTransition, _Mapping]]] = ..., cluster: _Optional[str] = ..., log_context: _Optional[_Union[_execution_pb2.LogContext, _Mapping]] = ..., cache_metadata: _Optional[_Union[_cache_pb2.CacheMetadata, _Mapping]] = ...) -> None: ...

class ClusterEvent(_message.Message):
    __slots__ = ("occurred_at", "message", "type", "reason", "source_component", "count", "gpu_fault")
    class Type(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        TYPE_UNSPECIFIED: _ClassVar[ClusterEvent.Type]
        TYPE_NORMAL: _ClassVar[ClusterEvent.Type]
        TYPE_WARNING: _ClassVar[ClusterEvent.Type]
    TYPE_UNSPECIFIED: ClusterEvent.Type
    TYPE_NORMAL: ClusterEvent.Type
    TYPE_WARNING: ClusterEvent.Type
    OCCURRED_AT_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    SOURCE_COMPONENT_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    GPU_FAULT_FIELD_NUMBER: _ClassVar[int]
    occurred_at: _timestamp_pb2.Timestamp
    message: str
    type: ClusterEvent.Type
    reason: str
    source_component: str
    count: int
    gpu_fault: _execution_pb2.GpuFault
    def __init__(self, occurred_at: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., message: _Optional[str] = ..., type: _Optional[_Union[ClusterEvent.Type, str]] = ..., reason: _Optional[str] = ..., source_component: _Optional[str] = ..., count: _Optional[int] = ..., gpu_fault: _Optional[_Union[_execution_pb2.GpuFault, _Mapping]] = ...) -> None: ...

class PhaseTransition(_message.Message):
    __slots__ = ("phase", "start_time", "end_time")
    PHASE_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    phase: _phase_pb2.ActionPhase
    start_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    def __init__(self, phase: _Optional[_Union[_phase_pb2.ActionPhase, str]] = ..., start_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ActionEvent(_message.Message):
    __slots__ = ("id", "attempt", "phase", "version", "start_time", "updated_time", "end_time", "error_info", "log_info", "log_context", "cluster", "outputs", "cache_status", "cluster_events", "reported_time", "cache_metadata")
    ID_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    PHASE_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    UPDATED_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    ERROR_INFO_FIELD_NUMBER: _ClassVar[int]
    LOG_INFO_FIELD_NUMBER: _ClassVar[int]
    LOG_CONTEXT_FIELD_NUMBER: _ClassVar[int]
    CLUSTER_FIELD_NUMBER: _ClassVar[int]
    OUTPUTS_FIELD_NUMBER: _ClassVar[int]
    CACHE_STATUS_FIELD_NUMBER: _ClassVar[int]
    CLUSTER_EVENTS_FIELD_NUMBER: _ClassVar[int]
    REPORTED_TIME_FIELD_NUMBER: _ClassVar[int]
    CACHE_METADATA_FIELD_NUMBER: _ClassVar[int]
    id: _identifier_pb2.ActionIdentifier
    attempt: int
    phase: _phase_pb2.ActionPhase
    version: int
    start_time: _timestamp_pb2.Timestamp
    updated_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    error_info: ErrorInfo
    log_info: _containers.RepeatedCompositeFieldContainer[_execution_pb2.TaskLog]
    log_context: _execution_pb2.LogContext
    cluster: str
    outputs: _common_pb2.OutputReferences
    cache_status: _catalog_pb2.CatalogCacheStatus
    cluster_events: _containers.RepeatedCompositeFieldContainer[ClusterEvent]
    reported_time: _timestamp_pb2.Timestamp
    cache_metadata: _cache_pb2.CacheMetadata
    def __init__(self, id: _Optional[_Union[_identifier_pb2.ActionIdentifier, _Mapping]] = ..., attempt: _Optional[int] = ..., phase: _Optional[_Union[_phase_pb2.ActionPhase, str]] = ..., version: _Optional[int] = ..., start_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., updated_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., error_info: _Optional[_Union[ErrorInfo, _Mapping]] = ..., log_info: _Optional[_Iterable[_Union[_execution_pb2.TaskLog, _Mapping]]] = ..., log_context: _Optional[_Union[_execution_pb2.LogContext, _Mapping]] = ..., cluster: _Optional[str] = ..., outputs: _Optional[_Union[_common_pb2.OutputReferences, _Mapping]] = ..., cache_status: _Optional[_Union[_catalog_pb2.CatalogCacheStatus, str]] = ..., cluster_events: _Optional[_Iterable[_Union[ClusterEvent, _Mapping]]] = ..., reported_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., cache_metadata: _Optional[_Union[_cache_pb2.CacheMetadata, _Mapping]] = ...) -> None: ...
