"""The layer that sends a call to the data plane which serves it; everything else goes to the connection's endpoint.

Callers know nothing of it. Flyte is asked once a process for each operation, project and domain, and again where the
data plane that it named fails a call: it may have moved, and runs of one project may be on several.
"""

from __future__ import annotations

import asyncio
import contextvars
import os
import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, Generic, NamedTuple, TypeVar

from airflow_provider_flyte.client.auth.token_hosts import host_of, may_have_secret
from airflow_provider_flyte.client.cache import Cache
from airflow_provider_flyte.client.config import FlyteConfig
from airflow_provider_flyte.client.errors import (
    ClosedError,
    ConfigError,
    DeadlineExceededError,
    NotFoundError,
    PermissionDeniedError,
    RpcError,
    SpeaksPlaintextError,
    Status,
    UnauthenticatedError,
    UnavailableError,
    UnimplementedError,
    UnknownError,
    WrongEndpointError,
)
from airflow_provider_flyte.client.flows.select_cluster import (
    DataPlane,
    Question,
    named_data_plane,
    question,
    select_request,
)
from airflow_provider_flyte.client.rpc import ClusterService, Method
from airflow_provider_flyte.client.transport.base import AsyncTransport, Metadata, Transport, close_all
from airflow_provider_flyte.client.transport.layer import AsyncLayer, BlockingLayer, Do, Layer, Send, Steps
from airflow_provider_flyte.client.transport.opened import OpenedTransports
from airflow_provider_flyte.client.transport.route import EndpointKey, Route, endpoint_key, route_to

MOST_DATA_PLANES = 32
"""How many data planes one client calls: an organisation has a few clusters, and each is a connection."""

_MOST_ANSWERS = 1024
_LONGEST = 1000
"""Characters that are kept of an answer; no address is as long."""

_SERVER_ERROR = 500
"""HTTP's statuses from here on are the server's trouble."""

_CONNECTION = ""
"""The transport that leads to the connection's own endpoint."""


class _Answer:
    """What Flyte answered to one question."""

    def __init__(self) -> None:
        self.named: str | None = None
        """The address as it came; '' where Flyte names none. None: not known."""
        self.outage: RpcError | None = None
        """The page of an ingress in trouble that came instead, last."""
        self._asking = threading.Lock()
        self._was_unknown = False

    def take(self, response: Any) -> str:
        """Keep what an answer names."""
        self._was_unknown, self.outage = False, None
        named: str = response.cluster_endpoint[:_LONGEST]
        self.named = named
        return named

    def asked(self, ask: Callable[[], Any]) -> str:
        """The address, asked for where it is not known: once for all threads that need it."""
        with self._asking:
            if self.named is not None:
                return self.named
            try:
                return self.take(ask())
            except RpcError as error:
                return self.refuse(error)

    def refuse(self, error: RpcError) -> str:
        """Take an error for "none is named": an earlier Flyte does not have the service, and an ingress may not pass it
        on. Raises what may be an outage of Flyte: a call that went to the wrong place instead would be answered, and
        believed.
        """
        is_page = error.http_status is not None
        if isinstance(error, UnknownError) and not is_page:
            # Through gRPC that is all that is seen of a page with the status 200; and of an accident, once.
            is_page, self._was_unknown = self._was_unknown, True
        is_final = not error.transient and not isinstance(error, UnauthenticatedError | ClosedError)
        if not is_page and not is_final:
            raise error
        # Not kept are an outage of the ingress, whose page may as well be for a service that it does not know, and what
        # may be about one action.
        is_outage = error.transient and (
            isinstance(error, UnavailableError) or (error.http_status or 0) >= _SERVER_ERROR
        )
        self.outage = error if is_outage else None
        if not is_outage and (is_page or isinstance(error, UnimplementedError | PermissionDeniedError)):
            self.named = ""
        return ""


_answers: Cache[tuple[EndpointKey, object, Question], _Answer] = Cache(_MOST_ANSWERS)

# Another thread may have held an answer's lock during the fork.
os.register_at_fork(after_in_child=_answers.clear)


def forget() -> None:
    """Forget what was answered; for tests, whose servers follow each other on one port."""
    _answers.clear()


class _Place(NamedTuple):
    """Where a call goes."""

    data_plane: DataPlane | None
    """None: to the connection's endpoint."""

    note: str
    """What an error there is to say of it."""


AnyTransport = TypeVar("AnyTransport", Transport, AsyncTransport)


class _Router(Layer, Generic[AnyTransport]):
    """What the blocking and the asyncio router do alike.

    :param config: the connection's.
    :param route: the way to its endpoint.
    :param open_: makes the transport to an endpoint, with everything that belongs to a call but this layer.
    """

    def __init__(self, config: FlyteConfig, route: Route, open_: Callable[[FlyteConfig, Route], AnyTransport]) -> None:
        self._config = config
        self._make: Callable[[FlyteConfig, Route], AnyTransport] = open_
        self._opened: OpenedTransports[AnyTransport] = OpenedTransports()
        self._own: Any = self._opened.get(_CONNECTION, lambda: open_(config, route), endpoint=config.endpoint)
        self._flights: dict[_Answer, asyncio.Task[str]] = {}
        # Who asks may decide what is answered.
        self._asker = (
            endpoint_key(config),
            config.credentials and (type(config.credentials), config.credentials.without_secret()),
        )

    def _steps(
        self, method: Method[Any, Any], request: Any, timeout: float | None, run: str | None, metadata: Metadata
    ) -> Steps:
        asked = question(method, request)
        if asked is None:
            return (yield Send(metadata))
        answer = _answers.get((*self._asker, asked), _Answer)
        ask = partial(
            self._own.unary,
            ClusterService.SelectCluster,
            select_request(asked, request),
            timeout=self._config.timeout if timeout is None else min(timeout, self._config.timeout),
            run=run,
        )
        named = answer.named
        if named is None:
            named = yield Do(partial(answer.asked, ask), partial(self._asked, answer, ask))
        outage = answer.outage if answer.named is None else None
        place = self._place(named)
        try:
            return (yield from self._send(place, method, run, metadata))
        except RpcError as error:
            if outage is not None and isinstance(error, NotFoundError | UnimplementedError):
                # What is not there may be at a data plane: to be asked again, and not to be believed.
                raise outage.copy() from None
            if place.data_plane is None or isinstance(error, ClosedError):
                raise
            # What is known may be of another action, or of last week.
            try:
                response = yield Do(ask, ask)
            except RpcError:
                raise error from None
            other = self._place(answer.take(response))
            if other.data_plane == place.data_plane:
                if isinstance(error, SpeaksPlaintextError) and place.data_plane.is_at(self._config):
                    # Flyte itself, behind a proxy of this host that ends TLS: no data plane that could be called.
                    answer.named = ""
                    return (yield Send(metadata))
                if not self._may_be_ours(place.data_plane, error):
                    raise
                try:
                    result = yield Send(metadata)
                except RpcError:
                    raise error from None
                answer.named = ""
                return result
        return (yield from self._send(other, method, run, metadata))

    def _may_be_ours(self, plane: DataPlane, error: RpcError) -> bool:
        """Whether an address that does not answer may be the connection's own, as a proxy tells Flyte of it: at the
        same host, but with the port that this proxy listens on.
        """
        is_silent = isinstance(error, UnavailableError | DeadlineExceededError) and not error.answered
        return is_silent and plane.is_at(self._config)

    def _place(self, named: str) -> _Place:
        """Where a call goes for which Flyte names this address."""
        own = host_of(self._config)
        here = "sent to the connection's endpoint, because Flyte names"
        try:
            plane = named_data_plane(named, self._config)
        except ValueError as error:
            return _Place(None, f"{here} as the data plane {error}")
        if plane is None:
            return _Place(None, "")
        if not may_have_secret(plane.host, own, self._config.allowed_data_planes):
            return _Place(
                None,
                f"{here} {plane.host} as the data plane, which is neither {own} nor its domain nor a name in that "
                "domain; if it is the right one, enter the host among the Allowed data planes (allowed_data_planes) in "
                "the Flyte connection",
            )
        return _Place(plane, f"sent to the data plane that Flyte at {self._config.endpoint} names")

    def _send(self, place: _Place, method: Method[Any, Any], run: str | None, metadata: Metadata) -> Steps:
        plane, through = place.data_plane, _CONNECTION
        try:
            if plane is not None:
                through = plane.url
                if through not in self._opened:
                    yield from self._open(plane, method, run)
            return (yield Send(metadata, through))
        except RpcError as error:
            if place.note:
                error.details = f"{error.details} ({place.note})"
            raise

    def _open(self, plane: DataPlane, method: Method[Any, Any], run: str | None) -> Steps:
        """Have the transport to a data plane.

        :raises RpcError: where there cannot be one.
        """
        about: dict[str, Any] = {"method": method.name, "endpoint": plane.endpoint, "run": run}
        if len(self._opened) > MOST_DATA_PLANES:
            details = f"Flyte names more than {MOST_DATA_PLANES} data planes"
            raise WrongEndpointError(Status.UNAVAILABLE, details, **about)
        config = self._config
        # Another host has a certificate for its own name.
        server_name = config.server_name if plane.is_at(config) and not plane.insecure else ""
        try:
            there = replace(config, endpoint=plane.endpoint, insecure=plane.insecure, server_name=server_name)
            # Certificates are read and a context is made: not on a loop.
            route = yield Do(partial(route_to, there), partial(asyncio.to_thread, route_to, there))
        except ConfigError as error:
            # For instance of a proxy that only this host would be reached through.
            raise WrongEndpointError(Status.UNAVAILABLE, str(error), **about) from None
        self._opened.get(plane.url, lambda: self._make(there, route), **about)

    async def _asked(self, answer: _Answer, ask: Callable[[], Any]) -> str:
        """The address, asked for where it is not known: once for all calls of a loop that need it."""
        flight = self._flights.get(answer)
        if flight is None:
            # In an empty context: a task's log follows its context, and this one works for all calls.
            asking = self._ask_on_loop(answer, ask)
            flight = contextvars.Context().run(asyncio.get_running_loop().create_task, asking)
            self._flights[answer] = flight
            flight.add_done_callback(lambda done: self._landed(answer, done))
        try:
            # Shielded: the cancellation of one call is not that of the others.
            return await asyncio.shield(flight)
        except RpcError as error:
            # One that is raised twice collects both tracebacks.
            raise error.copy() from None

    @staticmethod
    async def _ask_on_loop(answer: _Answer, ask: Callable[[], Any]) -> str:
        if answer.named is not None:
            return answer.named
        try:
            return answer.take(await ask())
        except RpcError as error:
            return answer.refuse(error)

    def _landed(self, answer: _Answer, flight: asyncio.Task[str]) -> None:
        self._flights.pop(answer, None)
        if not flight.cancelled():
            flight.exception()

    def _through(self, transport: str) -> Any:
        return self._opened[transport]


class RoutedTransport(_Router[Transport], BlockingLayer):
    """Blocking calls."""

    def close(self) -> None:
        for transport in self._opened.to_close():
            transport.close()


class AsyncRoutedTransport(_Router[AsyncTransport], AsyncLayer):
    """Calls on one event loop."""

    async def close(self) -> None:
        await close_all(transport.close for transport in self._opened.to_close())
