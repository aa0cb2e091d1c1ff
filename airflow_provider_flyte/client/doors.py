"""Which door leads to Flyte: gRPC, or Connect where only HTTP passes.

With ``transport="auto"`` a read goes through gRPC and that is all, as long as it comes through. A failure that Flyte
itself may not have given is looked into, never by grpc's words: a harmless question through gRPC, the port (TCP, TLS,
ALPN), the same question through Connect. What that shows is remembered for the process and the settings, and looked
into again when it stops being true. With a transport that is given, the same look explains the failure.
"""

from __future__ import annotations

import asyncio
import logging
import math
import threading
import time
from collections.abc import AsyncGenerator, Generator, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from airflow_provider_flyte.client import probe
from airflow_provider_flyte.client.config import AUTO, CONNECT, GRPC, FlyteConfig
from airflow_provider_flyte.client.connect_transport import AsyncConnectTransport, ConnectTransport, import_all
from airflow_provider_flyte.client.errors import (
    BadAnswerError,
    CertificateError,
    ClientCertificateError,
    ClosedError,
    NoConnectError,
    NoGrpcError,
    NotFlyteError,
    RpcError,
    SpeaksPlaintextError,
    SpeaksTlsError,
    Status,
    UnimplementedError,
    UnknownAuthorityError,
    WrongDoorError,
    WrongHostNameError,
)
from airflow_provider_flyte.client.grpc_transport import AsyncGrpcTransport, GrpcTransport
from airflow_provider_flyte.client.retry import is_read
from airflow_provider_flyte.client.route import Route
from airflow_provider_flyte.client.rpc import AuthMetadataService, Method, Req, Resp, RunService, ServerStream, Unary
from airflow_provider_flyte.client.transport import AsyncTransport, Metadata, Transport
from airflow_provider_flyte.client.unverified import AsyncUnverifiedGrpcTransport, UnverifiedGrpcTransport

__all__ = ["AsyncDoorTransport", "DoorTransport", "forget", "import_all", "reached_through"]

log = logging.getLogger(__name__)

QUESTION = RunService.GetActionDetails
"""Asked of nothing in particular: any answer of Flyte's is as good as another, and it changes nothing."""

QUESTION_WITHOUT_TOKEN = AuthMetadataService.GetPublicClientConfig
"""The same before there is a token: a proxy that wants one lets this service through."""

QUESTION_TIMEOUT = 2.0
LOOK_AGAIN_AFTER = 5.0
"""Seconds between two looks at a door that led to Flyte before: an outage is not made worse by looking."""


@dataclass
class Memory:
    """What this process knows about the way that one set of settings names."""

    door: str | None = None
    """Through which Flyte answered; None while it has not."""
    looked: float = -math.inf
    mistake: type[WrongDoorError] | None = None
    """What the last look showed to be wrong, if it did."""


_memories: dict[FlyteConfig, Memory] = {}


def forget() -> None:
    """Forget all that is known about doors; for tests, whose servers follow each other on one port."""
    _memories.clear()


def reached_through(config: FlyteConfig) -> str:
    """The name of the way on which Flyte answered this process, for people; '' while it has not."""
    memory = _memories.get(config)
    return _NAMES.get(memory.door or "", "") if memory else ""


class _Ask(str):
    """A step of :func:`find_out`: put the question through this door. Sent back: its error, or None."""


class _Look:
    """A step of :func:`find_out`: look at the port. Sent back: the :class:`~probe.Port`."""


Steps = Generator[_Ask | _Look, Any, str]


def find_out(config: FlyteConfig, error: RpcError) -> Steps:
    """The door that leads to Flyte, found after a call failed; raises what is wrong where none does."""
    grpc_said: RpcError | None = None
    if config.transport != CONNECT:
        grpc_said = yield _Ask(GRPC)
        if grpc_said is None or grpc_said.answered:
            return GRPC
    port = yield _Look()
    if port.words:
        error.details = f"{error.details} ({port.words})"
    if port.speaks is None:
        raise _no_flyte(error)
    mistake = _mistake(config, port)
    if mistake is not None:
        raise error.turned_into(mistake)
    said: RpcError | None = yield _Ask(CONNECT)
    if config.credentials and _refused(grpc_said) and not (said and said.answered):
        # Our token is refused by whatever is before gRPC, whether HTTP passes or not: it is not the door.
        raise error
    if said is None or said.answered:
        if config.transport == CONNECT:
            return CONNECT
        if said is not None and said.status is Status.UNAVAILABLE:
            # Flyte is away, whichever door leads to it: look again when it is back.
            raise _about(error, said)
        if said is not None and grpc_said is not None and said.status is grpc_said.status:
            # Both doors give the same answer, so it is Flyte's: refused credentials, say.
            return GRPC
        if config.transport == GRPC:
            raise error.turned_into(NoGrpcError)
        return CONNECT
    if config.transport == CONNECT:
        grpc_said = yield _Ask(GRPC)
        if grpc_said is None or grpc_said.answered:
            raise error.turned_into(NoConnectError)
    raise error if said.http_status is None else _about(error, _no_flyte(said))


def _refused(said: RpcError | None) -> bool:
    return said is not None and said.status is Status.UNAUTHENTICATED


def _no_flyte(error: RpcError) -> RpcError:
    """A 404 that is not Flyte's own stands for a path that is not there; of the question's path, that is no Flyte."""
    is_404 = isinstance(error, UnimplementedError) and error.http_status is not None
    return error.turned_into(NotFlyteError) if is_404 else error


def _mistake(config: FlyteConfig, port: probe.Port) -> type[WrongDoorError] | None:
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


def _about(error: RpcError, other: RpcError) -> RpcError:
    """The other failure, told of the call that the first one is about."""
    other.method, other.run = error.method, error.run
    return other


class _Doors:
    """What the blocking and the asyncio transport decide alike."""

    def __init__(self, config: FlyteConfig, route: Route) -> None:
        self._config = config
        self._route = route
        self._memory = _memories.setdefault(config, Memory())
        self._closed = False

    @property
    def _door(self) -> str:
        """The door to try."""
        if self._config.transport != AUTO:
            return self._config.transport
        return self._memory.door or GRPC

    def _must_ask_first(self, method: Method[Any, Any]) -> bool:
        """Whether this call must not be the one that tries a door.

        A write may be carried out although its answer is lost on the way, and a stream may be silent for good reasons.
        """
        streaming_or_writing = isinstance(method, ServerStream) or not is_read(method)
        return self._config.transport == AUTO and self._memory.door is None and streaming_or_writing

    def _question(self, metadata: Metadata) -> Unary[Any, Any]:
        return QUESTION_WITHOUT_TOKEN if self._config.credentials and not metadata else QUESTION

    def _reached(self, door: str, because: RpcError | None = None) -> None:
        """Flyte answered through this door."""
        self._memory.mistake = None
        if self._memory.door == door:
            return
        self._memory.door = door
        if self._config.transport == AUTO:
            why = f"; gRPC does not pass there ({because.status.name})" if door == CONNECT and because else ""
            log.info("Flyte at %s is reached through %s%s.", self._config.endpoint, _NAMES[door], why)

    def _to_look_into(self, error: RpcError, door: str) -> bool:
        """Whether Flyte may not have given this answer, so that it is worth a look."""
        if isinstance(error, ClosedError):
            return False
        if error.answered:
            self._reached(door)
            return False
        if self._memory.door is None:
            return True
        if error.status is Status.DEADLINE_EXCEEDED or isinstance(error, BadAnswerError):
            return False
        now = time.monotonic()
        if now - self._memory.looked < LOOK_AGAIN_AFTER:
            if self._memory.mistake is not None:
                raise self._as_outage(error.turned_into(self._memory.mistake)) from error
            return False
        self._memory.looked = now
        return True

    def _found(self, door: str, error: RpcError, tried: str) -> bool:
        """Note what a look showed, and tell whether it is another door than the one that was tried."""
        self._reached(door, error)
        return door != tried

    def _explained(self, conclusion: RpcError) -> RpcError:
        """Note what a look showed to be wrong."""
        self._memory.mistake = type(conclusion) if isinstance(conclusion, WrongDoorError) else None
        return self._as_outage(conclusion)

    def _as_outage(self, error: RpcError) -> RpcError:
        """Where Flyte was reached before, the settings are no mistake: a proxy says so while Flyte is away."""
        if self._memory.door is not None and isinstance(error, WrongDoorError):
            error.transient = True
        return error

    def _was_closed(self) -> ClosedError:
        return ClosedError(Status.CANCELLED, "the client was closed", method="", endpoint=self._config.endpoint)


_NAMES = {GRPC: "gRPC", CONNECT: "Connect"}


def _transport(door: str, config: FlyteConfig, route: Route) -> Transport:
    if door == CONNECT:
        return ConnectTransport(config, route)
    return UnverifiedGrpcTransport(config, route) if route.unverified else GrpcTransport(config, route)


def _async_transport(door: str, config: FlyteConfig, route: Route) -> AsyncTransport:
    if door == CONNECT:
        return AsyncConnectTransport(config, route)
    return AsyncUnverifiedGrpcTransport(config, route) if route.unverified else AsyncGrpcTransport(config, route)


class DoorTransport(_Doors):
    """Blocking calls, through the door that leads to Flyte."""

    def __init__(self, config: FlyteConfig, route: Route) -> None:
        super().__init__(config, route)
        self._lock = threading.Lock()
        self._open: dict[str, Transport] = {}

    def unary(
        self, method: Unary[Req, Resp], request: Req, *, timeout: float, run: str | None = None, metadata: Metadata = ()
    ) -> Resp:
        if self._must_ask_first(method):
            self._ask_first(method, run, metadata)
        door = self._door
        try:
            response = self._through(door).unary(method, request, timeout=timeout, run=run, metadata=metadata)
        except RpcError as error:
            found = door != self._door and not error.answered
            if not found and self._to_look_into(error, door):
                found = self._find_out(error, door, metadata)
            # Found by this call, or by another one meanwhile.
            if not found or not is_read(method):
                raise
            return self._through(self._door).unary(method, request, timeout=timeout, run=run, metadata=metadata)
        self._reached(door)
        return response

    def server_stream(
        self,
        method: ServerStream[Req, Resp],
        request: Req,
        *,
        timeout: float | None = None,
        run: str | None = None,
        metadata: Metadata = (),
    ) -> Iterator[Resp]:
        if self._must_ask_first(method):
            self._ask_first(method, run, metadata)
        yield from self._through(self._door).server_stream(method, request, timeout=timeout, run=run, metadata=metadata)

    def close(self) -> None:
        with self._lock:
            self._closed = True
        for transport in self._open.values():
            transport.close()

    def _through(self, door: str) -> Transport:
        with self._lock:
            if self._closed and door not in self._open:
                raise self._was_closed()
            if door not in self._open:
                self._open[door] = _transport(door, self._config, self._route)
            return self._open[door]

    def _ask(self, door: str, metadata: Metadata) -> RpcError | None:
        # Afresh where it is not the door in use: a channel that failed before would say so again, unasked.
        fresh = _transport(door, self._config, self._route) if door != self._door else None
        question = self._question(metadata)
        try:
            (fresh or self._through(door)).unary(
                question, question.request(), timeout=QUESTION_TIMEOUT, metadata=metadata
            )
        except RpcError as error:
            return error
        finally:
            if fresh:
                fresh.close()
        return None

    def _ask_first(self, method: Method[Any, Any], run: str | None, metadata: Metadata) -> None:
        door = self._door
        error = self._ask(door, metadata)
        if error is None:
            self._reached(door)
        else:
            error.method, error.run = method.name, run
            if self._to_look_into(error, door):
                self._find_out(error, door, metadata)

    def _find_out(self, error: RpcError, tried: str, metadata: Metadata) -> bool:
        steps = find_out(self._config, error)
        try:
            step = next(steps)
            while True:
                step = steps.send(self._ask(step, metadata) if isinstance(step, _Ask) else probe.look(self._route))
        except StopIteration as end:
            return self._found(end.value, error, tried)
        except RpcError as conclusion:
            raise self._explained(conclusion) from error


class AsyncDoorTransport(_Doors):
    """Calls on one event loop, through the door that leads to Flyte."""

    def __init__(self, config: FlyteConfig, route: Route) -> None:
        super().__init__(config, route)
        self._open: dict[str, AsyncTransport] = {}

    async def unary(
        self, method: Unary[Req, Resp], request: Req, *, timeout: float, run: str | None = None, metadata: Metadata = ()
    ) -> Resp:
        if self._must_ask_first(method):
            await self._ask_first(method, run, metadata)
        door = self._door
        try:
            response = await self._through(door).unary(method, request, timeout=timeout, run=run, metadata=metadata)
        except RpcError as error:
            found = door != self._door and not error.answered
            if not found and self._to_look_into(error, door):
                found = await self._find_out(error, door, metadata)
            if not found or not is_read(method):
                raise
            return await self._through(self._door).unary(method, request, timeout=timeout, run=run, metadata=metadata)
        self._reached(door)
        return response

    async def server_stream(
        self,
        method: ServerStream[Req, Resp],
        request: Req,
        *,
        timeout: float | None = None,
        run: str | None = None,
        metadata: Metadata = (),
    ) -> AsyncGenerator[Resp, None]:
        if self._must_ask_first(method):
            await self._ask_first(method, run, metadata)
        stream = self._through(self._door).server_stream(method, request, timeout=timeout, run=run, metadata=metadata)
        async with aclosing(stream):
            async for response in stream:
                yield response

    async def close(self) -> None:
        self._closed = True
        for transport in self._open.values():
            await transport.close()

    def _through(self, door: str) -> AsyncTransport:
        if self._closed and door not in self._open:
            raise self._was_closed()
        if door not in self._open:
            self._open[door] = _async_transport(door, self._config, self._route)
        return self._open[door]

    async def _ask(self, door: str, metadata: Metadata) -> RpcError | None:
        fresh = _async_transport(door, self._config, self._route) if door != self._door else None
        question = self._question(metadata)
        try:
            await (fresh or self._through(door)).unary(
                question, question.request(), timeout=QUESTION_TIMEOUT, metadata=metadata
            )
        except RpcError as error:
            return error
        finally:
            if fresh:
                await fresh.close()
        return None

    async def _ask_first(self, method: Method[Any, Any], run: str | None, metadata: Metadata) -> None:
        door = self._door
        error = await self._ask(door, metadata)
        if error is None:
            self._reached(door)
        else:
            error.method, error.run = method.name, run
            if self._to_look_into(error, door):
                await self._find_out(error, door, metadata)

    async def _find_out(self, error: RpcError, tried: str, metadata: Metadata) -> bool:
        steps = find_out(self._config, error)
        try:
            step = next(steps)
            while True:
                # In a thread: a name look-up and a handshake would hold the loop.
                seen = await (
                    self._ask(step, metadata) if isinstance(step, _Ask) else asyncio.to_thread(probe.look, self._route)
                )
                step = steps.send(seen)
        except StopIteration as end:
            return self._found(end.value, error, tried)
        except RpcError as conclusion:
            raise self._explained(conclusion) from error
