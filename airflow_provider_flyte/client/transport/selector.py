"""The choice of the transport: gRPC, Connect, or with ``auto`` whichever leads to Flyte.

With ``auto`` a read goes through gRPC and that is all, as long as it comes through. A failure that Flyte itself may not
have given leads to a discovery (:mod:`discovery`); what that shows is kept, and found out again when it stops being
true. While no way to Flyte is known, no call is made between two discoveries: it fails with what the last one showed.
With a transport that is given every call is made, and the same discovery explains the failure.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
import time
from collections.abc import Callable
from typing import Any

from airflow_provider_flyte.client.config import AUTO, CONNECT, GRPC, FlyteConfig
from airflow_provider_flyte.client.errors import (
    BadAnswerError,
    ClosedError,
    NotFlyteError,
    RpcError,
    Status,
    UnavailableError,
    UnimplementedError,
    WrongEndpointError,
)
from airflow_provider_flyte.client.rpc import Method, Unary
from airflow_provider_flyte.client.transport import discovery
from airflow_provider_flyte.client.transport.base import AsyncTransport, Metadata, Transport, close_all
from airflow_provider_flyte.client.transport.connect_transport import AsyncConnectTransport, import_all
from airflow_provider_flyte.client.transport.discovery import Discovery, Found, forget, reached_through
from airflow_provider_flyte.client.transport.grpc_transport import AsyncGrpcTransport
from airflow_provider_flyte.client.transport.layer import AsyncLayer, BlockingLayer, Do, Layer, Send, Steps
from airflow_provider_flyte.client.transport.opened import OpenedTransports
from airflow_provider_flyte.client.transport.retry import is_read
from airflow_provider_flyte.client.transport.route import Route
from airflow_provider_flyte.client.transport.unverified_grpc import AsyncUnverifiedGrpcTransport

__all__ = ["AsyncSelectedTransport", "SelectedTransport", "forget", "import_all", "reached_through"]

log = logging.getLogger(__name__)

DISCOVERY_TIMEOUT = 10.0
"""Seconds after which a call no longer waits for a discovery: no deadline can be set for a DNS lookup."""

_MAY_BE_THE_WAY = (Status.UNAVAILABLE, Status.UNKNOWN, Status.UNIMPLEMENTED)
"""Statuses that show that another transport may pass now, where one did before. Refused credentials are refused through
both, and a broken database breaks both.
"""


class _Selector(Layer):
    """The decisions of both the blocking and the asyncio transport."""

    def __init__(self, config: FlyteConfig, route: Route, clock: Callable[[], float] = time.monotonic) -> None:
        self._config = config
        self._route = route
        self._clock = clock
        self._known = discovery.endpoint_of(config)

    @property
    def _transport(self) -> str:
        """The transport to try."""
        if self._config.transport != AUTO:
            return self._config.transport
        return self._known.transport or GRPC

    def _steps(
        self, method: Method[Any, Any], request: Any, timeout: float | None, run: str | None, metadata: Metadata
    ) -> Steps:
        if pending := self._before(method, run, metadata):
            self._conclude((yield _end_of(pending)), method, run)
        tried = self._transport
        try:
            answer = yield Send(metadata, tried)
        except RpcError as error:
            # Another call may have found another transport meanwhile.
            is_up_to_date = error.answered or tried == self._transport
            # A stream ends for many reasons: only a page leads to a discovery.
            is_worth_it = isinstance(method, Unary) or self._is_a_page(error)
            if is_up_to_date and is_worth_it and (pending := self._after(error, tried, metadata)):
                self._conclude((yield _end_of(pending)), method, run, error, tried)
            if error.answered or tried == self._transport:
                raise
            if not is_read(method):
                self._raise_outage(error)
                raise
            return (yield Send(metadata, self._transport))
        if isinstance(method, Unary):
            self._succeeded(tried, method.name)
        return answer

    def _before(self, method: Method[Any, Any], run: str | None, metadata: Metadata) -> Discovery | None:
        """The discovery that must end before this call is made; raises what is known to be wrong.

        A write may be carried out although its answer is lost on the way, and a stream may be silent for good reasons:
        neither is what tries a transport. Nor is anything else where that has failed before.
        """
        if self._config.transport != AUTO or self._known.transport is not None:
            return None
        trouble = self._known.trouble_met(self._asker(metadata))
        if trouble is None and isinstance(method, Unary) and is_read(method):
            return None
        pending = self._discover(metadata)
        if pending is None and trouble is not None:
            raise self._for_call(trouble, method.name, run)
        return pending

    def _after(self, error: RpcError, tried: str, metadata: Metadata) -> Discovery | None:
        """The discovery that may explain a call's failure; None where the error needs no explanation."""
        known = self._known
        if isinstance(error, ClosedError):
            return None
        if error.answered:
            self._succeeded(tried, error.method)
            return None
        if known.transport is not None and not self._is_about_the_way(error):
            return None
        pending = self._discover(metadata, error, tried)
        if pending is not None:
            return pending
        trouble = known.trouble_met(self._asker(metadata))
        if trouble is not None:
            # The transport's own error is vaguer, unless it has an HTTP status.
            is_vaguer = known.transport is None and (self._config.transport == AUTO or error.http_status is None)
            if is_vaguer or isinstance(trouble, WrongEndpointError) or type(trouble) is type(error):
                raise self._for_call(trouble, error.method, error.run) from error
        if error.http_status is not None:
            error.details = discovery.through(tried, error)
        if error.method not in known.kept_back:
            self._raise_outage(error)
        return None

    @staticmethod
    def _is_about_the_way(error: RpcError) -> bool:
        if isinstance(error, BadAnswerError):
            return False
        if error.status in (Status.UNAUTHENTICATED, Status.PERMISSION_DENIED, Status.DEADLINE_EXCEEDED):
            return False
        return error.status in _MAY_BE_THE_WAY or error.http_status is not None or isinstance(error, WrongEndpointError)

    def _discover(self, metadata: Metadata, error: RpcError | None = None, tried: str = "") -> Discovery | None:
        def find() -> Found:
            return discovery.find(self._config, self._route, metadata, error, tried)

        return self._known.join_or_begin(find, self._asker(metadata), self._clock(), self._clock)

    def _asker(self, metadata: Metadata) -> int:
        """A number for the credentials that the calls carry: each may be refused by itself."""
        return hash((metadata, self._config.metadata, self._config.client_private_key))

    def _conclude(
        self,
        outcome: Found | RpcError | None,
        method: Method[Any, Any],
        run: str | None,
        error: RpcError | None = None,
        tried: str = "",
    ) -> None:
        """Take the transport that a discovery found; raises what else it showed.

        :param outcome: None where it is not over in time.
        :param error: the failure of this call that led to it, through ``tried``.
        """
        if isinstance(outcome, Found):
            self._answered(outcome.transport, outcome.because)
            if error is not None and outcome.transport == tried and self._is_a_page(error):
                # Flyte answers there, so that page is about this method alone.
                self._known.kept_back.add(method.name)
            return
        if outcome is not None:
            raise self._for_call(outcome, method.name, run) from error
        if error is not None:
            self._raise_outage(error)
            raise error
        details = f"still finding out how Flyte can be reached after {DISCOVERY_TIMEOUT:g} s"
        raise UnavailableError(Status.UNAVAILABLE, details, method=method.name, endpoint=self._config.endpoint, run=run)

    def _for_call(self, trouble: RpcError, method: str, run: str | None) -> RpcError:
        """What a discovery showed, as the error of one call."""
        return self._as_outage(trouble.copy(method=method, run=run))

    def _as_outage(self, error: RpcError) -> RpcError:
        """The error as an outage where Flyte was reached before, because the settings are no mistake then: a proxy
        answers so while Flyte is away.

        Nor does Flyte refuse the method. Only a discovery that finds Flyte on the very way of the call shows anything
        else, and whether one is due or not changes nothing.
        """
        if self._known.transport is None or not self._is_a_page(error):
            return error
        outage = error if isinstance(error, WrongEndpointError) else error.turned_into(NotFlyteError)
        outage.transient = True
        return outage

    def _raise_outage(self, error: RpcError) -> None:
        outage = self._as_outage(error)
        if outage is not error:
            raise outage from error

    @staticmethod
    def _is_a_page(error: RpcError) -> bool:
        """Whether something else than Flyte answered, as if Flyte were not there."""
        of_a_proxy = isinstance(error, UnimplementedError) and error.http_status is not None
        return of_a_proxy or isinstance(error, WrongEndpointError)

    def _succeeded(self, transport: str, method: str) -> None:
        """Note that Flyte answered a call of this method."""
        self._known.kept_back.discard(method)
        self._answered(transport)

    def _answered(self, transport: str, because: Status | None = None) -> None:
        """Note, and log once, that Flyte answered through this transport."""
        known = self._known
        known.answered(transport)
        if self._config.transport == AUTO and known.logged != transport:
            known.logged = transport
            why = f"; gRPC does not pass there ({because.name})" if because else ""
            log.info("Flyte at %s is reached through %s%s.", self._config.endpoint, reached_through(self._config), why)


def _end_of(pending: Discovery) -> Do:
    """Wait for a discovery; None where it is not over in time."""

    def wait() -> Found | RpcError | None:
        try:
            return pending.outcome.result(DISCOVERY_TIMEOUT)
        except concurrent.futures.TimeoutError:
            return None

    async def wait_on_loop() -> Found | RpcError | None:
        try:
            return await asyncio.wait_for(asyncio.wrap_future(pending.outcome), DISCOVERY_TIMEOUT)
        except (TimeoutError, asyncio.TimeoutError):
            return None

    return Do(wait, wait_on_loop)


def _async_transport(transport: str, config: FlyteConfig, route: Route) -> AsyncTransport:
    if transport == CONNECT:
        return AsyncConnectTransport(config, route)
    return AsyncUnverifiedGrpcTransport(config, route) if route.unverified else AsyncGrpcTransport(config, route)


class SelectedTransport(_Selector, BlockingLayer):
    """Blocking calls, through the transport that leads to Flyte."""

    def __init__(self, config: FlyteConfig, route: Route, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(config, route, clock)
        self._opened: OpenedTransports[Transport] = OpenedTransports()

    def close(self) -> None:
        for transport in self._opened.to_close():
            transport.close()

    def _through(self, transport: str) -> Transport:
        config, route = self._config, self._route
        return self._opened.get(
            transport, lambda: discovery.open_transport(transport, config, route), endpoint=config.endpoint
        )


class AsyncSelectedTransport(_Selector, AsyncLayer):
    """Calls on one event loop, through the transport that leads to Flyte."""

    def __init__(self, config: FlyteConfig, route: Route, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(config, route, clock)
        self._opened: OpenedTransports[AsyncTransport] = OpenedTransports()

    async def close(self) -> None:
        await close_all(transport.close for transport in self._opened.to_close())

    def _through(self, transport: str) -> AsyncTransport:
        config, route = self._config, self._route
        return self._opened.get(transport, lambda: _async_transport(transport, config, route), endpoint=config.endpoint)
