"""FlyteClient: calls over a transport, with deadlines, retries and our errors."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from contextlib import aclosing
from contextvars import ContextVar, Token
from dataclasses import replace
from types import TracebackType
from typing import Any, TypeVar

from airflow_provider_flyte.client.auth.token_cache import tokens_of
from airflow_provider_flyte.client.auth.transport import AsyncAuthTransport, AuthTransport
from airflow_provider_flyte.client.blocking import Bound, blocking
from airflow_provider_flyte.client.config import FlyteConfig
from airflow_provider_flyte.client.errors import NoClientError
from airflow_provider_flyte.client.flows.abort import AbortedRun, abort, check_reason
from airflow_provider_flyte.client.flows.calls import Call, Flow, StreamCall
from airflow_provider_flyte.client.flows.launch import LaunchedRun, launch
from airflow_provider_flyte.client.flows.launch_request import Launch
from airflow_provider_flyte.client.flows.log_tail import LINES, WITHIN, LogTail, check_tail, tail_log
from airflow_provider_flyte.client.flows.run_log import LogPosition
from airflow_provider_flyte.client.flows.signal import SignalledCondition, check_condition, signal
from airflow_provider_flyte.client.routing import AsyncRoutedTransport, RoutedTransport
from airflow_provider_flyte.client.transport.base import AsyncTransport, Transport
from airflow_provider_flyte.client.transport.layer import adrive, drive
from airflow_provider_flyte.client.transport.retry import RetryPolicy
from airflow_provider_flyte.client.transport.route import Route, route_to
from airflow_provider_flyte.client.transport.selector import AsyncSelectedTransport, SelectedTransport
from airflow_provider_flyte.client.transport.unreadable import AsyncJudgingTransport, Judge, JudgingTransport

T = TypeVar("T")

_current: ContextVar[FlyteClient | None] = ContextVar("flyte_client", default=None)


def current_client(client: FlyteClient | None = None) -> FlyteClient:
    """The given client, or that of the enclosing block."""
    found = client or _current.get()
    if found is None:
        raise NoClientError(
            "No Flyte client here: call inside `with FlyteClient(config):` (or `async with`), or pass client=."
        )
    return found


class FlyteClient:
    """A client of one Flyte 2 control plane, for blocking and for asyncio callers.

    Nothing is connected before the first call. Each process and each event loop gets a channel of its own, so a
    client may be made before a fork and used after it.

    :param config: where Flyte is; see :class:`FlyteConfig`.
    :param retry: clock and sleep of the retries; by default the real ones, for ``config.retry_budget`` seconds.
    :param on_garbled: called for each answer that could not be read although Flyte was reached before; on whichever
        thread or loop has made the call.
    :param on_token: called with each token of its credentials before it is used for the first time; on whichever thread
        or loop makes the call.
    """

    def __init__(
        self,
        config: FlyteConfig,
        *,
        retry: RetryPolicy | None = None,
        on_garbled: Callable[[], None] = lambda: None,
        on_token: Callable[[str], None] = lambda token: None,
    ) -> None:
        self.config = config
        self._on_token = on_token
        self._on_garbled = on_garbled
        self._judge = Judge(config, on_garbled)
        self._retry = retry or RetryPolicy(config.retry_budget)
        # Found here and not with the channel, which may be made on an event loop.
        self._route = route_to(config)
        self._lock = threading.Lock()
        self._sync: tuple[int, Transport] | None = None
        self._async: dict[asyncio.AbstractEventLoop, tuple[int, AsyncTransport]] = {}
        self._tokens: list[Token[FlyteClient | None]] = []

    def __repr__(self) -> str:
        return f"FlyteClient({self.config!r})"

    def execute(self, asked: Call[T] | Flow[T], *, retry_for: float | None = None) -> T:
        """Make a call, or follow a flow of calls, and return what it reads.

        :param retry_for: seconds for which a transient failure of a read is repeated; by default
            ``config.retry_budget``, and 0 for one try.
        """
        policy = self._policy(retry_for)
        if isinstance(asked, Call):
            return self._call(asked, policy)
        return drive(asked, lambda call: self._ask(call, policy))

    async def aexecute(self, asked: Call[T] | Flow[T], *, retry_for: float | None = None) -> T:
        """:meth:`execute` on an event loop."""
        policy = self._policy(retry_for)
        if isinstance(asked, Call):
            return await self._acall(asked, policy)
        return await adrive(asked, lambda call: self._aask(call, policy))

    @blocking
    def launch(self, wanted: Launch) -> Bound[LaunchedRun]:
        """Launch a run (RunService/CreateRun); ``await client.launch.aio(...)`` on a loop.

        Everything is checked before anything is launched. A run that has the name already is returned and not
        launched again; CreateRun is repeated only after ListRuns has shown that the run does not exist.

        :param wanted: the task, its inputs and how it is to run.
        :raises InputsError: when the inputs do not fit the task's interface.
        :raises NoSuchTaskError: when the task or the version is not deployed; names those that are.
        :raises LaunchUncertainError: when it cannot be found out whether the run was launched; names the run.
        """
        return self, launch(self.config, wanted)

    @blocking
    def abort(
        self, run_name: str, reason: str, *, project: str | None = None, domain: str | None = None
    ) -> Bound[AbortedRun]:
        """Stop a run if it is not over (RunService/AbortRun); ``await client.abort.aio(...)`` on a loop.

        The run is read first, because Flyte overwrites a success with ABORTED, and once more afterwards. The result
        has the outcome, and whether a success was overwritten after all.

        :param run_name: the run's name.
        :param reason: why; shown in the run's details.
        :param project: by default the config's.
        :param domain: by default the config's.
        """
        return self, abort(self.config.key(run_name, project, domain), self.config.org, check_reason(reason))

    @blocking
    def tail_log(
        self,
        run_name: str,
        *,
        attempt: int = 1,
        lines: int = LINES,
        within: float = WITHIN,
        project: str | None = None,
        domain: str | None = None,
        written: LogPosition | None = None,
    ) -> Bound[LogTail]:
        """The last lines that an attempt of a run logged (DataProxyService/TailLogs); also ``client.tail_log.aio``.

        A log that cannot be had is no error: the result has the reason. Backends keep it as long as the pod exists.

        :param run_name: the run's name.
        :param attempt: number of the attempt, from 1.
        :param lines: how many lines.
        :param within: seconds; what came until then is the result.
        :param project: by default the config's.
        :param domain: by default the config's.
        :param written: how far the log was read before; what is left of it is the result.
        """
        check_tail(attempt, lines, within)
        key = self.config.key(run_name, project, domain)
        return self, tail_log(key, self.config.org, attempt, lines, within, written)

    @blocking
    def signal(
        self,
        run_name: str,
        condition: str,
        value: bool | int | float | str,
        *,
        project: str | None = None,
        domain: str | None = None,
    ) -> Bound[SignalledCondition]:
        """Answer a condition that a run waits for (RunService/SignalEvent); also ``await client.signal.aio(...)``.

        An answer whose arrival is not certain is not sent again: the condition is read, and shows it.

        :param run_name: the run's name.
        :param condition: its name (``flyte.new_condition("name")``), or its action's where several have that name.
        :param value: the answer, of the type that the condition asks for; for a float an int does.
        :param project: by default the config's.
        :param domain: by default the config's.
        :raises ConditionError: where the run has no such condition or is over (``RunIsOverError``), the condition does
            not wait, or the value has another type. Nothing was answered then.
        """
        key = self.config.key(run_name, project, domain)
        return self, signal(key, self.config.org, check_condition(condition), value)

    def transport(self) -> Transport:
        """The blocking transport of this process."""
        with self._lock:
            if self._sync is None or self._sync[0] != os.getpid():
                # A channel that was inherited through a fork answers UNAVAILABLE: never use or close it here.
                self._sync = (os.getpid(), RoutedTransport(self.config, self._route, self._open))
            return self._sync[1]

    def async_transport(self) -> AsyncTransport:
        """The transport of the running event loop."""
        loop, pid = asyncio.get_running_loop(), os.getpid()
        with self._lock:
            # A channel holds its loop, so one that was not closed is dropped when its loop is closed, not before.
            self._async = {each: entry for each, entry in self._async.items() if not each.is_closed()}
            entry = self._async.get(loop)
            if entry is None or entry[0] != pid:
                entry = self._async[loop] = (
                    pid,
                    AsyncRoutedTransport(self.config, self._route, self._open_on_loop),
                )
            return entry[1]

    def _open(self, config: FlyteConfig, route: Route) -> Transport:
        judged = JudgingTransport(SelectedTransport(config, route, self._retry.clock), self._judge_of(config))
        if self.config.credentials is None:
            return judged
        return AuthTransport(judged, tokens_of(self.config), self._retry, self.config.timeout, self._on_token)

    def _open_on_loop(self, config: FlyteConfig, route: Route) -> AsyncTransport:
        judged = AsyncJudgingTransport(AsyncSelectedTransport(config, route, self._retry.clock), self._judge_of(config))
        if self.config.credentials is None:
            return judged
        return AsyncAuthTransport(judged, tokens_of(self.config), self._retry, self.config.timeout, self._on_token)

    def _judge_of(self, config: FlyteConfig) -> Judge:
        # That of the connection outlives its channels: it says a thing once a minute.
        return self._judge if config is self.config else Judge(config, self._on_garbled)

    def close(self) -> None:
        """Close the blocking channel; the client can be used again."""
        with self._lock:
            entry, self._sync = self._sync, None
        if entry and entry[0] == os.getpid():
            entry[1].close()

    async def aclose(self) -> None:
        """Close the channel of the running loop, and the blocking one."""
        self.close()
        await self.close_on_loop()

    async def close_on_loop(self) -> None:
        """Close the channel of the running loop alone: another thread may be using the blocking one."""
        with self._lock:
            entry = self._async.pop(asyncio.get_running_loop(), None)
        if entry and entry[0] == os.getpid():
            await entry[1].close()

    def __enter__(self) -> FlyteClient:
        self._tokens.append(_current.set(self))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        _current.reset(self._tokens.pop())
        self.close()

    async def __aenter__(self) -> FlyteClient:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        _current.reset(self._tokens.pop())
        await self.aclose()

    def _policy(self, retry_for: float | None) -> RetryPolicy:
        if retry_for is None:
            return self._retry
        return replace(self._retry, budget=retry_for)

    def _timeout(self, call: Call[Any]) -> float:
        return self.config.timeout if call.timeout is None else min(call.timeout, self.config.timeout)

    def _ask(self, call: Call[Any] | StreamCall[Any], policy: RetryPolicy) -> Any:
        if isinstance(call, Call):
            return self._call(call, policy)
        stream = self.transport().server_stream(call.method, call.request, timeout=call.timeout, run=call.run)
        for message in stream:
            call.read(message)
        return None

    async def _aask(self, call: Call[Any] | StreamCall[Any], policy: RetryPolicy) -> Any:
        if isinstance(call, Call):
            return await self._acall(call, policy)
        stream = self.async_transport().server_stream(call.method, call.request, timeout=call.timeout, run=call.run)
        async with aclosing(stream):
            async for message in stream:
                call.read(message)
        return None

    def _call(self, call: Call[T], policy: RetryPolicy) -> T:
        return call.read(
            policy.retrying(call.method, call.final)(
                self.transport().unary, call.method, call.request, timeout=self._timeout(call), run=call.run
            )
        )

    async def _acall(self, call: Call[T], policy: RetryPolicy) -> T:
        return call.read(
            await policy.async_retrying(call.method, call.final)(
                self.async_transport().unary, call.method, call.request, timeout=self._timeout(call), run=call.run
            )
        )
