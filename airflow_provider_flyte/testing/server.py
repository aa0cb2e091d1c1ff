"""LocalFlyte: a Flyte 2 control plane in this process, for tests and the demo."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Protocol

from airflow_provider_flyte.client.idl.common import identifier_pb2
from airflow_provider_flyte.client.idl.task import common_pb2, run_pb2, task_definition_pb2, task_service_pb2
from airflow_provider_flyte.client.idl.trigger import trigger_definition_pb2, trigger_service_pb2
from airflow_provider_flyte.client.idl.workflow import run_service_pb2
from airflow_provider_flyte.testing import literals
from airflow_provider_flyte.testing.calls import Call, CallLog, RecordedCall
from airflow_provider_flyte.testing.dispatch import NAMES, STREAMS, Dispatcher, HandlerGroup, resolve
from airflow_provider_flyte.testing.fault_box import FaultBox
from airflow_provider_flyte.testing.faults import Fault, When
from airflow_provider_flyte.testing.handlers.catalog import AuthHandlers, ProjectHandlers, TaskHandlers
from airflow_provider_flyte.testing.handlers.clusters import ClusterHandlers
from airflow_provider_flyte.testing.handlers.data import DataHandlers
from airflow_provider_flyte.testing.handlers.executor import ExecutorHandlers
from airflow_provider_flyte.testing.handlers.launch import LaunchHandlers
from airflow_provider_flyte.testing.handlers.reads import ReadHandlers
from airflow_provider_flyte.testing.handlers.streams import StreamHandlers
from airflow_provider_flyte.testing.handlers.triggers import TriggerHandlers
from airflow_provider_flyte.testing.moving import Mover
from airflow_provider_flyte.testing.scheduler import Scheduler
from airflow_provider_flyte.testing.script import RunHandle
from airflow_provider_flyte.testing.servers.grpc_server import GrpcServer
from airflow_provider_flyte.testing.store import Action, Store

PROJECT = "flytesnacks"
DOMAIN = "development"
TRANSPORTS = ("grpc", "connect")


class Listener(Protocol):
    """A listening port that speaks one protocol."""

    def open(self, host: str, port: int) -> int:
        """Listen, and return the port. ``OSError`` if it is taken."""

    def close(self) -> None:
        """Close all connections at once."""


class LocalFlyte:
    """A local Flyte 2 control plane. It answers as recordings of a real one show, also where that is odd.

    .. code-block:: python

        with LocalFlyte() as flyte:
            flyte.run("r1").phases("QUEUED", "RUNNING", "SUCCEEDED", every=0.2)
            flyte.inject("GetRunDetails", unavailable(times=3))

    Usable with ``with``, ``async with``, or ``start()`` and ``stop()``. A stop closes all connections and keeps the
    state: ``stop()`` and ``start()`` simulate an outage on the same port; steps that were due meanwhile come at once.

    :param port: The first transport's; 0 takes a free one. Further transports take free ones.
    :param transports: ``"grpc"``, ``"connect"`` (HTTP/1.1; needs uvicorn, which Airflow 3 brings) or both, a port each;
        a mapping names the further ports too.
    :param host: The address to listen on.
    :param tls: Certificate and key as PEM, for TLS instead of plaintext.
    :param client_roots: PEM of the authorities one of which a client's certificate must come from; None asks for none.
    :param storage: Prefix of the URIs that inputs and outputs have.
    :param clusters: 0 plays the open-source Flyte, more a hosted one: each cluster has a data plane on ports of its own
        (``flyte.data_planes``), which has the data of its runs and nothing else. Runs go to each in turn.
    :param keep_calls: How many calls ``flyte.calls`` keeps.
    :param clock: The time that runs are created and end at, in nanoseconds since 1970. It moves no scripted step.
    """

    def __init__(
        self,
        port: int = 0,
        *,
        transports: Sequence[str] | Mapping[str, int] = ("grpc",),
        host: str = "127.0.0.1",
        tls: tuple[bytes, bytes] | None = None,
        client_roots: bytes | None = None,
        storage: str = "file://flyte-data",
        clusters: int = 0,
        keep_calls: int = 2000,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        if (
            isinstance(transports, str)
            or not transports
            or not set(transports) <= set(TRANSPORTS)
            or len(set(transports)) < len(transports)
        ):
            raise ValueError(f"transports are a sequence of {' and '.join(map(repr, TRANSPORTS))}, not {transports!r}")
        self.ports = dict(transports) if isinstance(transports, Mapping) else dict.fromkeys(transports, 0)
        """The port of each transport; 0 until a free one is found."""
        first = next(iter(self.ports))
        self.ports[first] = port or self.ports[first]
        for number in self.ports.values():
            if not 0 <= number <= 65535:
                raise ValueError(f"a port is a number from 0 to 65535, not {number}")
        if clusters < 0:
            raise ValueError(f"clusters are a number from 0 on, not {clusters}")
        self.data_planes = [dict.fromkeys(self.ports, 0) for _ in range(clusters)]
        """The ports of each cluster's data plane, by transport."""
        self._listen = host
        self._tls = tls
        self._client_roots = client_roots
        self._open: list[Listener] = []
        self.host = "localhost" if host in ("127.0.0.1", "0.0.0.0", "::", "::1") else host
        """The name to reach it by."""
        self.calls = CallLog(resolve, keep_calls)
        """The calls made so far: ``flyte.calls("ListRuns")``."""
        self.auth = AuthHandlers(lambda: f"http://{self.endpoint}")
        """The answers of AuthMetadataService: set ``auth.oauth2``, change ``auth.public``."""
        self._store = Store(storage, PROJECT, clock)
        self._store.clusters = max(1, clusters)
        self.clusters = ClusterHandlers(self._store, "https" if tls else "http", self.host, self.data_planes)
        """The answers of ClusterService: set ``clusters.named`` to another address."""
        self._faults = FaultBox(resolve, NAMES, STREAMS)
        self._scheduler = Scheduler()
        self._launch = LaunchHandlers(self._store)
        self._tasks = TaskHandlers(self._store)
        self._triggers = TriggerHandlers(self._store)
        self._executor = ExecutorHandlers(self._store)
        self._handles: dict[tuple[str, ...], RunHandle] = {}
        handlers: list[HandlerGroup] = [
            self._launch,
            self._executor,
            self._tasks,
            self.auth,
            self.clusters,
            ReadHandlers(self._store),
            StreamHandlers(self._store),
            DataHandlers(self._store),
            ProjectHandlers(self._store),
            self._triggers,
        ]
        table = {row: function for one in handlers for row, function in one.table().items()}
        self._dispatcher = Dispatcher(table, self._faults, self.calls, self.clusters.admit)

    # -- open and closed

    @property
    def port(self) -> int:
        """The port of the first transport."""
        return next(iter(self.ports.values()))

    @property
    def endpoint(self) -> str:
        """``host:port`` of the first transport, as a connection wants it."""
        return f"{self.host}:{self.port}"

    @property
    def connect_endpoint(self) -> str:
        """``host:port`` of the Connect transport. ``ValueError`` where there is none."""
        if "connect" not in self.ports:
            raise ValueError('this LocalFlyte has no Connect transport; make it with transports=("grpc", "connect")')
        return f"{self.host}:{self.ports['connect']}"

    def start(self) -> LocalFlyte:
        """Open the transports; do nothing if they are open. ``OSError`` if another server has a port."""
        if not self._open:
            try:
                for cluster, ports in [(None, self.ports), *enumerate(self.data_planes)]:
                    for name, port in ports.items():
                        transport = self._make_server(name, cluster)
                        ports[name] = transport.open(self._listen, port)
                        self._open.append(transport)
            except BaseException:
                self._close_servers()
                raise
            self._scheduler.start()
        return self

    def stop(self) -> None:
        """Close all connections and end all threads; do nothing if it is closed. State and port numbers stay."""
        if self._open:
            self._close_servers()
            self._scheduler.stop()

    def _close_servers(self) -> None:
        transports, self._open = self._open, []
        for transport in transports:
            transport.close()

    def _make_server(self, name: str, cluster: int | None) -> Listener:
        rows = self.clusters.served(cluster)
        if name == "grpc":
            return GrpcServer(self._dispatcher, self._tls, self._client_roots, cluster, rows)
        try:
            from airflow_provider_flyte.testing.servers.connect_server import ConnectServer
        except ImportError as error:
            raise ImportError(
                f"the Connect transport needs uvicorn: pip install 'airflow-provider-flyte2[testing]' ({error})"
            ) from error
        return ConnectServer(self._dispatcher, self._tls, self._client_roots, cluster, rows)

    def __enter__(self) -> LocalFlyte:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    async def __aenter__(self) -> LocalFlyte:
        return await asyncio.to_thread(self.start)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.stop)

    # -- runs

    def run(
        self,
        name: str,
        *,
        project: str = PROJECT,
        domain: str = DOMAIN,
        task: str = "demo.train",
        version: str = "v1",
        inputs: Mapping[str, Any] | None = None,
        envs: Mapping[str, str] | None = None,
        labels: Mapping[str, str] | None = None,
        annotations: Mapping[str, str] | None = None,
    ) -> RunHandle:
        """The run with this name: the one that exists, or a new one, launched as a client launches it.

        :param task: Its task, which is deployed if it is not yet.
        :param inputs: Plain values or literals by name.
        :param envs: Environment variables of the run.
        :param labels: Its labels.
        :param annotations: Its annotations.
        """
        action = self._store.run((project, domain, name))
        if action is not None:
            return self._handle(action)
        self._store.projects.setdefault(project)
        task_id = task_definition_pb2.TaskIdentifier(project=project, domain=domain, name=task, version=version)
        if self._store.task(task_id) is None:
            self.deploy(task, version=version, project=project, domain=domain)
        request = run_service_pb2.CreateRunRequest(
            run_id=identifier_pb2.RunIdentifier(project=project, domain=domain, name=name),
            task_id=task_id,
            inputs=common_pb2.Inputs(literals=literals.named_literals(inputs or {})),
            run_spec=run_pb2.RunSpec(
                envs=run_pb2.Envs(values=literals.pairs(envs)) if envs else None,
                labels=run_pb2.Labels(values=labels) if labels else None,
                annotations=run_pb2.Annotations(values=annotations) if annotations else None,
            ),
        )
        return self._handle(self._launch.launch(request)[0])

    def runs(self) -> list[RunHandle]:
        """All runs, in the order of their launch, no matter who launched them."""
        with self._store.lock:
            actions = self._store.all_roots()
        return [self._handle(action) for action in actions]

    def on_launch(self, script: Callable[[RunHandle], Any]) -> None:
        """Call this with each run that a client launches from now on, before the client has its answer: scripts the
        runs that the code under test launches, ``flyte.on_launch(lambda run: run.phases("RUNNING", "SUCCEEDED"))``.
        """
        self._launch.on_launch = lambda action: script(self._handle(action))

    def _handle(self, action: Action) -> RunHandle:
        with self._store.lock:
            if action.key not in self._handles:
                mover = Mover(self._store, self._launch, self._executor, action)
                self._handles[action.key] = RunHandle(mover, self._faults, self._scheduler)
            return self._handles[action.key]

    def deploy(
        self,
        task: str,
        *,
        version: str = "v1",
        project: str = PROJECT,
        domain: str = DOMAIN,
        inputs: Mapping[str, Any] | None = None,
        outputs: Mapping[str, Any] | None = None,
        envs: Mapping[str, str] | None = None,
        spec: task_definition_pb2.TaskSpec | None = None,
    ) -> None:
        """Deploy a task.

        :param inputs: Name to type (``int``, ``list[str]``, ... or a LiteralType), or to ``(type, default)``.
        :param outputs: Name to type.
        :param envs: Environment variables of its container.
        :param spec: The whole spec instead.
        """
        self._store.projects.setdefault(project)
        task_id = task_definition_pb2.TaskIdentifier(project=project, domain=domain, name=task, version=version)
        if spec is None:
            spec = literals.task_spec(task_id, inputs or {}, outputs or {}, envs or {})
        self._tasks.deploy_task(task_service_pb2.DeployTaskRequest(task_id=task_id, spec=spec), Call())

    def deploy_trigger(
        self,
        trigger: str,
        *,
        task: str,
        version: str = "v1",
        project: str = PROJECT,
        domain: str = DOMAIN,
        inputs: Mapping[str, Any] | None = None,
        uploaded: bool = False,
        context: Mapping[str, str] | None = None,
        run_spec: run_pb2.RunSpec | None = None,
    ) -> None:
        """Deploy one of Flyte's own triggers. It can be fired, and never fires by itself.

        :param task: The task that it launches, in ``version``.
        :param inputs: Plain values or literals by name.
        :param uploaded: Whether the inputs lie in the blob store, as newer SDKs have it, and not in the trigger.
        :param context: What goes with the inputs.
        :param run_spec: The settings of its runs.
        """
        spec = trigger_definition_pb2.TriggerSpec(task_version=version, active=True, run_spec=run_spec)
        given = common_pb2.Inputs(literals=literals.named_literals(inputs or {}), context=literals.pairs(context or {}))
        if uploaded:
            uri = f"{self._store.storage}/{project}/{domain}/triggers/{task}/{trigger}"
            self._store.files[f"{uri}/inputs.pb"] = given
            spec.offloaded_input_data.uri = uri
        else:
            spec.inputs.CopyFrom(given)
        name = identifier_pb2.TriggerName(project=project, domain=domain, name=trigger, task_name=task)
        self._triggers.deploy_trigger(trigger_service_pb2.DeployTriggerRequest(name=name, spec=spec), Call())

    def store_outputs(self, uri: str, outputs: Mapping[str, Any]) -> None:
        """Put outputs into the blob store, as a task does before its executor reports their URI."""
        self._store.files[uri] = common_pb2.Outputs(literals=literals.named_literals(outputs))

    # -- what goes wrong

    def inject(self, method: str, fault: Fault, when: When | None = None) -> None:
        """Apply a fault to calls of a method (``ListRuns``, ``RunService/ListRuns``, ``*``).

        :param when: Only calls for which this holds: a function of the request, or of the request and the metadata.
        """
        self._faults.inject(method, fault, when)

    def clear_faults(self, method: str | None = None) -> None:
        """Remove what was injected for a method, or all."""
        self._faults.clear(method)

    # -- what was asked

    def wait_for_call(self, method: str, count: int = 1, timeout: float = 30.0) -> list[RecordedCall]:
        """Wait until a method has been called this often since the start or ``calls.clear()``; block the thread."""
        return self.calls.wait(method, count, timeout)

    async def wait_for_call_async(self, method: str, count: int = 1, timeout: float = 30.0) -> list[RecordedCall]:
        """The same in a coroutine."""
        return await asyncio.to_thread(self.calls.wait, method, count, timeout)
