"""Discovery of how Flyte can be reached at an endpoint: through gRPC, through Connect, or why through neither.

Found out by probes, never by grpc's error texts: the port (TCP, TLS, ALPN), then a harmless request through gRPC, then
the same through Connect. What a process knows of an endpoint is shared by all its clients, threads and event loops
alike, whatever their secrets are. A discovery is shared by the callers with the same secrets; it runs in a thread of
its own, and less and less often while nothing is found.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from airflow_provider_flyte.client.backoff import backoff
from airflow_provider_flyte.client.cache import Cache
from airflow_provider_flyte.client.config import CONNECT, GRPC, FlyteConfig
from airflow_provider_flyte.client.errors import (
    CertificateError,
    ClientCertificateError,
    NoConnectError,
    NoGrpcError,
    NotFlyteError,
    RpcError,
    SpeaksPlaintextError,
    SpeaksTlsError,
    Status,
    UnavailableError,
    UnimplementedError,
    UnknownAuthorityError,
    WrongEndpointError,
    WrongHostNameError,
)
from airflow_provider_flyte.client.flows.calls import ROOT_ACTION
from airflow_provider_flyte.client.idl.auth import auth_service_pb2
from airflow_provider_flyte.client.idl.common import identifier_pb2
from airflow_provider_flyte.client.idl.dataproxy import dataproxy_service_pb2
from airflow_provider_flyte.client.idl.workflow import run_service_pb2
from airflow_provider_flyte.client.rpc import AuthMetadataService, DataProxyService, RunService, Unary
from airflow_provider_flyte.client.transport import probe
from airflow_provider_flyte.client.transport.base import Metadata, Transport
from airflow_provider_flyte.client.transport.connect_transport import ConnectTransport
from airflow_provider_flyte.client.transport.grpc_transport import GrpcTransport
from airflow_provider_flyte.client.transport.route import EndpointKey, Route, endpoint_key
from airflow_provider_flyte.client.transport.unverified_grpc import UnverifiedGrpcTransport

NO_RUN = "no-such-run-"
"""No run can have this name: it ends with a hyphen."""

NOWHERE = "no-such-project"
"""Asked for where a config has no project or no domain."""

TIMEOUT = 2.0
"""Seconds for one request of a discovery."""

MOST_ASKERS = 32
"""How many askers' discoveries are kept of an endpoint: a token that is renewed is another asker each time."""

_NAMES = {GRPC: "gRPC", CONNECT: "Connect"}


class Pause:
    """Seconds from one discovery to the next: first, and at most."""

    UNKNOWN = (1.0, 10.0)
    """While no way to Flyte is known, calls wait for the next discovery."""

    KNOWN = (5.0, 60.0)
    """Calls go the known way meanwhile, and a discovery only seeks another one."""


@dataclass(frozen=True)
class Found:
    """What a discovery found."""

    transport: str
    because: Status | None = None
    """The status with which gRPC failed, where it is Connect."""


class Discovery:
    """One discovery, for all callers who wait for it."""

    def __init__(self) -> None:
        self.outcome: Future[Found | RpcError] = Future()
        """An error is shared, so raise a copy."""
        self.outcome.set_running_or_notify_cancel()
        self.is_outdated = False
        """Whether Flyte has answered since it began."""


class Endpoint:
    """What this process knows of one config's endpoint."""

    def __init__(self, endpoint: str = "") -> None:
        self._endpoint = endpoint
        self.transport: str | None = None
        """The transport through which Flyte answered last; None while it has not."""
        self.logged: str | None = None
        """The transport that was logged last."""
        self.kept_back: set[str] = set()
        """Methods that a proxy answers itself while it passes others on."""
        self._lock = threading.Lock()
        self._running: dict[int, Discovery] = {}
        self._in_vain = 0
        self._next_at = 0.0
        self._asked: dict[int, RpcError | None] = {}
        """What the last discovery showed to be wrong, by who asked; None where Flyte has answered since."""

    def answered(self, transport: str) -> None:
        """Note that Flyte answered."""
        with self._lock:
            self._note(transport)

    def _note(self, transport: str) -> None:
        self.transport, self._in_vain = transport, 0
        self._asked = dict.fromkeys(self._asked)
        for discovery in self._running.values():
            discovery.is_outdated = True

    def trouble_met(self, asker: int) -> RpcError | None:
        """What the last discovery of this asker showed to be wrong; None where Flyte has answered since."""
        return self._asked.get(asker)

    def join_or_begin(
        self, find: Callable[[], Found], asker: int, now: float, clock: Callable[[], float]
    ) -> Discovery | None:
        """Join the discovery that is running, or begin one where it is time; None where it is not.

        :param asker: stands for the token and whatever else the calls carry: one that no discovery has tried yet is
            worth one at once, and learns nothing of another one's refusal.
        """
        with self._lock:
            if asker in self._running:
                return self._running[asker]
            if now < self._next_at and (asker in self._asked or len(self._asked) >= MOST_ASKERS):
                return None
            trouble = self._asked.pop(asker, None)
            if len(self._asked) >= MOST_ASKERS:
                del self._asked[next(iter(self._asked))]
            self._asked[asker] = trouble
            discovery = Discovery()
            arguments = (asker, discovery, find, clock)
            try:
                threading.Thread(target=self._run, args=arguments, name="flyte-discovery", daemon=True).start()
            except RuntimeError as error:
                # For instance where a container's processes and threads are limited.
                details = f"no thread could be started to find out how Flyte can be reached: {error}"
                failure = UnavailableError(Status.UNAVAILABLE, details, method="", endpoint=self._endpoint)
                self._end(asker, discovery, failure, clock)
            else:
                self._running[asker] = discovery
            return discovery

    def _run(self, asker: int, discovery: Discovery, find: Callable[[], Found], clock: Callable[[], float]) -> None:
        outcome: Found | BaseException
        try:
            outcome = find()
        except BaseException as error:
            outcome = error
        with self._lock:
            self._end(asker, discovery, outcome, clock)

    def _end(
        self, asker: int, discovery: Discovery, outcome: Found | BaseException, clock: Callable[[], float]
    ) -> None:
        """Note what a discovery showed, and give it to those who wait for it."""
        before = self.transport
        if isinstance(outcome, RpcError):
            # Kept for as long as the trouble lasts, so without the frames that it came through.
            outcome.__traceback__ = outcome.__cause__ = outcome.__context__ = None
        if isinstance(outcome, Found):
            self._note(outcome.transport)
        elif not discovery.is_outdated:
            self._in_vain += 1
            if isinstance(outcome, RpcError):
                self._asked[asker] = outcome
        if self.transport == before:
            first, longest = Pause.UNKNOWN if before is None else Pause.KNOWN
            self._next_at = clock() + backoff(max(0, self._in_vain - 1), first, longest)
        self._running.pop(asker, None)
        if isinstance(outcome, Found | RpcError):
            discovery.outcome.set_result(outcome)
        else:
            discovery.outcome.set_exception(outcome)

    def after_fork(self) -> None:
        """Forget a discovery that runs in the parent, and a lock that may have been held."""
        self._lock, self._running = threading.Lock(), {}


_endpoints: Cache[EndpointKey, Endpoint] = Cache(64)


def endpoint_of(config: FlyteConfig) -> Endpoint:
    """What this process knows of a config's endpoint, whatever the config's secrets are."""
    return _endpoints.get(endpoint_key(config), lambda: Endpoint(config.endpoint))


def forget() -> None:
    """Forget all endpoints; for tests, whose servers follow each other on one port."""
    _endpoints.clear()


def reached_through(config: FlyteConfig) -> str:
    """The name of the transport through which Flyte answered this process, for people; '' while it has not."""
    return _NAMES.get(endpoint_of(config).transport or "", "")


def _after_fork() -> None:
    for each in _endpoints.values():
        each.after_fork()


os.register_at_fork(after_in_child=_after_fork)


def find(
    config: FlyteConfig, route: Route, metadata: Metadata, first: RpcError | None = None, tried: str = ""
) -> Found:
    """The transport that leads to Flyte; raises what is wrong where none does.

    :param first: a call's failure that led to this, through ``tried``.
    """
    seen: dict[str, RpcError] = {tried: first} if first else {}
    port = probe.probe_port(route)
    if port.speaks is None:
        # Nothing listens there.
        error = first or UnavailableError(Status.UNAVAILABLE, port.why, method="", endpoint=config.endpoint)
        raise _with_details(_no_flyte(error), [error.details, port.details])

    def ask(transport: str) -> RpcError | None:
        failure = _ask(transport, config, route, metadata)
        if failure is not None:
            seen[transport] = failure
        return failure

    grpc_failure = ask(GRPC) if config.transport != CONNECT else None
    if config.transport != CONNECT and (grpc_failure is None or grpc_failure.answered):
        return Found(GRPC)
    mistake = _mistake(config, port)
    if mistake is not None:
        error = first or seen[GRPC]
        raise _with_details(error.turned_into(mistake), [error.details, port.details])
    connect_failure = ask(CONNECT)
    passes = connect_failure is None or connect_failure.answered
    if config.credentials and not passes and grpc_failure is not None and grpc_failure.status is Status.UNAUTHENTICATED:
        # Whatever is before gRPC refuses our token, whether HTTP passes or not: it is not about the transport.
        raise _with_details(first or grpc_failure, [_tried(seen)])
    if connect_failure is None or connect_failure.answered:
        if config.transport == CONNECT:
            return Found(CONNECT)
        if connect_failure is not None and connect_failure.status is Status.UNAVAILABLE:
            # Flyte is away, through either transport: another discovery, when it is back, shows which one passes.
            raise connect_failure
        if connect_failure is not None and grpc_failure is not None and connect_failure.status is grpc_failure.status:
            # Both give the same answer, so it is Flyte's: refused credentials, for instance.
            return Found(GRPC)
        if config.transport == GRPC:
            raise _with_details((first or seen[GRPC]).turned_into(NoGrpcError), [_tried(seen, GRPC), port.details])
        return Found(CONNECT, because=seen[GRPC].status)
    if config.transport == CONNECT:
        grpc_failure = ask(GRPC)
        if grpc_failure is None or grpc_failure.answered:
            raise _with_details(
                (first or connect_failure).turned_into(NoConnectError), [_tried(seen, CONNECT), port.details]
            )
    if connect_failure.http_status is not None:
        raise _with_details(_no_flyte(connect_failure), [_tried(seen)])
    raise _with_details(first or seen[GRPC], [_tried(seen), port.details])


def _ask(transport: str, config: FlyteConfig, route: Route, metadata: Metadata) -> RpcError | None:
    """The error of the harmless requests through a transport; None where Flyte answers."""
    # A new channel: one that failed before would fail again without a request.
    opened = open_transport(transport, config, route)
    failure: RpcError | None = None
    try:
        for method, request in calls_to_try(config, metadata):
            try:
                opened.unary(method, request, timeout=TIMEOUT, metadata=metadata)
            except RpcError as error:
                failure = error
                if error.http_status == _REPLACED or isinstance(error, UnimplementedError):
                    continue
                return error
            return None
        return failure
    finally:
        opened.close()


_REPLACED = 404
"""The HTTP status of NOT_FOUND, which some proxies answer with a page of their own."""


def calls_to_try(config: FlyteConfig, metadata: Metadata) -> Iterator[tuple[Unary[Any, Any], Any]]:
    """The requests of a discovery: an action of a run that cannot exist; the next where a proxy may have replaced the
    answer, or the service is not there.

    The id is whole, because a nil one is a panic in the backend, and any answer of Flyte's is as good as another.
    Where to get a token comes next: that is a message at all times. Before there is a token it is all, because a proxy
    that wants tokens lets nothing else through. A data plane has neither service, but the data of that action.
    """
    run = identifier_pb2.RunIdentifier(
        org=config.org, project=config.project or NOWHERE, domain=config.domain or NOWHERE, name=NO_RUN
    )
    action_id = identifier_pb2.ActionIdentifier(run=run, name=ROOT_ACTION)
    may_ask = bool(metadata) or not config.credentials
    if may_ask:
        yield RunService.GetActionDetails, run_service_pb2.GetActionDetailsRequest(action_id=action_id)
    yield AuthMetadataService.GetPublicClientConfig, auth_service_pb2.GetPublicClientConfigRequest()
    if may_ask:
        yield DataProxyService.GetActionData, dataproxy_service_pb2.GetActionDataRequest(action_id=action_id)


def open_transport(transport: str, config: FlyteConfig, route: Route) -> Transport:
    """A blocking transport of this kind."""
    if transport == CONNECT:
        return ConnectTransport(config, route)
    return UnverifiedGrpcTransport(config, route) if route.unverified else GrpcTransport(config, route)


def _no_flyte(error: RpcError) -> RpcError:
    """A 404 that is not Flyte's own means an unknown path; where it is a discovery's path, that is no Flyte."""
    is_404 = isinstance(error, UnimplementedError) and error.http_status is not None
    return error.turned_into(NotFlyteError) if is_404 else error


def _mistake(config: FlyteConfig, port: probe.Port) -> type[WrongEndpointError] | None:
    if config.insecure:
        return SpeaksTlsError if port.speaks is probe.Security.TLS else None
    if port.speaks is probe.Security.PLAINTEXT:
        return SpeaksPlaintextError
    return _CERTIFICATES[port.certificate] if port.certificate else None


_CERTIFICATES: dict[probe.Certificate, type[CertificateError]] = {
    probe.Certificate.UNKNOWN_AUTHORITY: UnknownAuthorityError,
    probe.Certificate.OTHER_NAME: WrongHostNameError,
    probe.Certificate.CLIENTS: ClientCertificateError,
    probe.Certificate.INVALID: CertificateError,
}


def _tried(seen: Mapping[str, RpcError], *transports: str) -> str:
    """The errors through each transport, as a text."""
    return "; ".join(through(name, seen[name]) for name in transports or _NAMES if name in seen)


def through(transport: str, error: RpcError) -> str:
    """An error's details, after the name of its transport."""
    status = f"{error.status.name}, " if transport == GRPC else ""
    return f"{_NAMES[transport]}: {status}{error.details}".removesuffix(", ")


def _with_details(error: RpcError, details: list[str]) -> RpcError:
    """The same error with other details."""
    first, *more = [each for each in details if each]
    return error.copy(details=" ".join([first, *(f"({each})" for each in more)]))
