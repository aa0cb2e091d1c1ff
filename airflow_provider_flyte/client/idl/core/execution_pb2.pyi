from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GpuFault(_message.Message):
    __slots__ = ("kind", "code", "name", "severity", "gpu_uuid", "gpu_index", "pci_bus_id", "node", "pid", "process")
    class Kind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        KIND_UNSPECIFIED: _ClassVar[GpuFault.Kind]
        KIND_XID: _ClassVar[GpuFault.Kind]
        KIND_SXID: _ClassVar[GpuFault.Kind]
    KIND_UNSPECIFIED: GpuFault.Kind
    KIND_XID: GpuFault.Kind
    KIND_SXID: GpuFault.Kind
    class Severity(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        SEVERITY_UNSPECIFIED: _ClassVar[GpuFault.Severity]
        SEVERITY_USER: _ClassVar[GpuFault.Severity]
        SEVERITY_WARN: _ClassVar[GpuFault.Severity]
        SEVERITY_CRITICAL: _ClassVar[GpuFault.Severity]
    SEVERITY_UNSPECIFIED: GpuFault.Severity
    SEVERITY_USER: GpuFault.Severity
    SEVERITY_WARN: GpuFault.Severity
    SEVERITY_CRITICAL: GpuFault.Severity
    KIND_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    SEVERITY_FIELD_NUMBER: _ClassVar[int]
    GPU_UUID_FIELD_NUMBER: _ClassVar[int]
    GPU_INDEX_FIELD_NUMBER: _ClassVar[int]
    PCI_BUS_ID_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    PID_FIELD_NUMBER: _ClassVar[int]
    PROCESS_FIELD_NUMBER: _ClassVar[int]
    kind: GpuFault.Kind
    code: int
    name: str
    severity: GpuFault.Severity
    gpu_uuid: str
    gpu_index: int
    pci_bus_id: str
    node: str
    pid: int
    process: str
    def __init__(self, kind: _Optional[_Union[GpuFault.Kind, str]] = ..., code: _Optional[int] = ..., name: _Optional[str] = ..., severity: _Optional[_Union[GpuFault.Severity, str]] = ..., gpu_uuid: _Optional[str] = ..., gpu_index: _Optional[int] = ..., pci_bus_id: _Optional[str] = ..., node: _Optional[str] = ..., pid: _Optional[int] = ..., process: _Optional[str] = ...) -> None: ...

class TaskLog(_message.Message):
    __slots__ = ("uri", "name", "message_format", "ttl", "ShowWhilePending", "HideOnceFinished", "link_type", "ready", "icon_uri")
    class MessageFormat(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        UNKNOWN: _ClassVar[TaskLog.MessageFormat]
        CSV: _ClassVar[TaskLog.MessageFormat]
        JSON: _ClassVar[TaskLog.MessageFormat]
    UNKNOWN: TaskLog.MessageFormat
    CSV: TaskLog.MessageFormat
    JSON: TaskLog.MessageFormat
    class LinkType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        EXTERNAL: _ClassVar[TaskLog.LinkType]
        DASHBOARD: _ClassVar[TaskLog.LinkType]
        IDE: _ClassVar[TaskLog.LinkType]
    EXTERNAL: TaskLog.LinkType
    DASHBOARD: TaskLog.LinkType
    IDE: TaskLog.LinkType
    URI_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FORMAT_FIELD_NUMBER: _ClassVar[int]
    TTL_FIELD_NUMBER: _ClassVar[int]
    SHOWWHILEPENDING_FIELD_NUMBER: _ClassVar[int]
    HIDEONCEFINISHED_FIELD_NUMBER: _ClassVar[int]
    LINK_TYPE_FIELD_NUMBER: _ClassVar[int]
    READY_FIELD_NUMBER: _ClassVar[int]
    ICON_URI_FIELD_NUMBER: _ClassVar[int]
    uri: str
    name: str
    message_format: TaskLog.MessageFormat
    ttl: _duration_pb2.Duration
    ShowWhilePending: bool
    HideOnceFinished: bool
    link_type: TaskLog.LinkType
    ready: bool
    icon_uri: str
    def __init__(self, uri: _Optional[str] = ..., name: _Optional[str] = ..., message_format: _Optional[_Union[TaskLog.MessageFormat, str]] = ..., ttl: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., ShowWhilePending: bool = ..., HideOnceFinished: bool = ..., link_type: _Optional[_Union[TaskLog.LinkType, str]] = ..., ready: bool = ..., icon_uri: _Optional[str] = ...) -> None: ...

class LogContext(_message.Message):
    __slots__ = ("pods", "primary_pod_name", "connector", "pod_name_prefix", "pod_name_prefixes")
    PODS_FIELD_NUMBER: _ClassVar[int]
    PRIMARY_POD_NAME_FIELD_NUMBER: _ClassVar[int]
    CONNECTOR_FIELD_NUMBER: _ClassVar[int]
    POD_NAME_PREFIX_FIELD_NUMBER: _ClassVar[int]
    POD_NAME_PREFIXES_FIELD_NUMBER: _ClassVar[int]
    pods: _containers.RepeatedCompositeFieldContainer[PodLogContext]
    primary_pod_name: str
    connector: ConnectorLogContext
    pod_name_prefix: str
    pod_name_prefixes: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, pods: _Optional[_Iterable[_Union[PodLogContext, _Mapping]]] = ..., primary_pod_name: _Optional[str] = ..., connector: _Optional[_Union[ConnectorLogContext, _Mapping]] = ..., pod_name_prefix: _Optional[str] = ..., pod_name_prefixes: _Optional[_Iterable[str]] = ...) -> None: ...

class ConnectorLogContext(_message.Message):
    __slots__ = ("endpoint",)
    ENDPOINT_FIELD_NUMBER: _ClassVar[int]
    endpoint: str
    def __init__(self, endpoint: _Optional[str] = ...) -> None: ...

class PodLogContext(_message.Message):
    __slots__ = ("namespace", "pod_name", "containers", "primary_container_name", "init_containers")
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    POD_NAME_FIELD_NUMBER: _ClassVar[int]
    CONTAINERS_FIELD_NUMBER: _ClassVar[int]
    PRIMARY_CONTAINER_NAME_FIELD_NUMBER: _ClassVar[int]
    INIT_CONTAINERS_FIELD_NUMBER: _ClassVar[int]
    namespace: str
    pod_name: str
    containers: _containers.RepeatedCompositeFieldContainer[ContainerContext]
    primary_container_name: str
    init_containers: _containers.RepeatedCompositeFieldContainer[ContainerContext]
    def __init__(self, namespace: _Optional[str] = ..., pod_name: _Optional[str] = ..., containers: _Optional[_Iterable[_Union[ContainerContext, _Mapping]]] = ..., primary_container_name: _Optional[str] = ..., init_containers: _Optional[_Iterable[_Union[ContainerContext, _Mapping]]] = ...) -> None: ...

class ContainerContext(_message.Message):
    __slots__ = ("container_name", "process")
    class ProcessContext(_message.Message):
        __slots__ = ("container_start_time", "container_end_time")
        CONTAINER_START_TIME_FIELD_NUMBER: _ClassVar[int]
        CONTAINER_END_TIME_FIELD_NUMBER: _ClassVar[int]
        container_start_time: _timestamp_pb2.Timestamp
        container_end_time: _timestamp_pb2.Timestamp
        def __init__(self, container_start_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., container_end_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
    CONTAINER_NAME_FIELD_NUMBER: _ClassVar[int]
    PROCESS_FIELD_NUMBER: _ClassVar[int]
    container_name: str
    process: ContainerContext.ProcessContext
    def __init__(self, container_name: _Optional[str] = ..., process: _Optional[_Union[ContainerContext.ProcessContext, _Mapping]] = ...) -> None: ...
