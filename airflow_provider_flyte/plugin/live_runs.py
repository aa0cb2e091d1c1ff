"""What Flyte answers about runs that somebody views: one client a connection, and one query a run for all who view it.

Nothing is asked but for a request from a browser, and a run that was asked about a moment ago is not asked about again.
"""

from __future__ import annotations

import asyncio
import contextvars
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from airflow_provider_flyte.wait.shared_client import SharedClient

if TYPE_CHECKING:
    from airflow_provider_flyte.client import FlyteClient, RunDetails
    from airflow_provider_flyte.client.run_key import RunKey

T = TypeVar("T")

FRESH = 2.0
"""Seconds for which what is known of a run that goes on is shown again."""

FRESH_WHEN_OVER = 60.0
"""The same for a run that is over, of which only an abort's traces may still change."""

MOST_CONNECTIONS = 16
"""How many connections have an open client; that of the one not asked for longest is closed."""

MOST_REPLIES = 500
"""How many replies are remembered."""

MOST_BYTES = 64 << 20
"""How large they are together; the last one is remembered in any case."""

SMALL = 2_000
"""Bytes that an answer takes which says nothing else."""

CALLS_AT_ONCE = 4
"""How many calls one connection has under way."""

REREAD = 60.0
"""Seconds after which a connection is read again: its secret may have been replaced."""


def _no_page(key: RunKey) -> str:
    return ""


@dataclass(frozen=True)
class Reply(Generic[T]):
    """What Flyte answered to a query, or why it did not."""

    answer: T | None = None
    """None where there was none."""

    url_of: Callable[[RunKey], str] = _no_page
    """The page of a run in the Flyte console; '' where the connection could not be read."""

    trouble: str = ""
    """Why there was none."""


@dataclass(frozen=True)
class RunQuery(Generic[T]):
    """What may be asked about a run."""

    name: str
    """By which the answer is remembered."""

    ask: Callable[[FlyteClient, RunKey], Awaitable[T]]
    """How it is asked."""

    fresh: Callable[[T], float] = lambda answer: FRESH
    """For how many seconds the answer is shown again."""

    size: Callable[[T], int] = lambda answer: SMALL
    """How many bytes it takes, roughly."""


async def _read_details(client: FlyteClient, key: RunKey) -> RunDetails:
    from airflow_provider_flyte.client.flows import calls
    from airflow_provider_flyte.client.run_details import RunDetails

    asked = calls.get_run_details(calls.run_identifier(key, client.config.org))
    return RunDetails(await client.aexecute(asked, retry_for=0.0), client)


DETAILS: RunQuery[RunDetails] = RunQuery(
    "details",
    _read_details,
    lambda details: FRESH_WHEN_OVER if details.done() else FRESH,
    lambda details: SMALL + details.pb2.ByteSize(),
)
"""Everything about a run but its child actions, logs, inputs and outputs."""


class LiveRuns:
    """The runs that one API server's process is asked about, on one event loop.

    :param clock: seconds, as ``time.monotonic`` has them.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._connections: OrderedDict[str, _Connection] = OrderedDict()
        self._replies: OrderedDict[tuple[str, RunKey, str], _Asked] = OrderedDict()
        self._background: set[asyncio.Task[Any]] = set()

    async def ask(self, flyte_conn_id: str, key: RunKey, query: RunQuery[T]) -> Reply[T]:
        """What Flyte answers now, or answered a moment ago. Trouble is a reply, too.

        :param flyte_conn_id: the Airflow connection.
        :param key: the run.
        :param query: what is asked.
        """
        wanted = (flyte_conn_id, key, query.name)
        asked = self._replies.get(wanted)
        if asked is None or asked.until < self._clock():
            self._drop_what_is_old()
            asked = self._replies[wanted] = _Asked()
            # In an empty context, as what works for all; and not cancelled with the browser that asked first.
            asked.answer = contextvars.Context().run(
                asyncio.create_task, self._reply_to(asked, flyte_conn_id, key, query)
            )
            while len(self._replies) > MOST_REPLIES:
                self._replies.popitem(last=False)
        assert asked.answer is not None
        reply: Reply[T] = await asyncio.shield(asked.answer)
        return reply

    async def do(
        self, flyte_conn_id: str, key: RunKey, action: Callable[[FlyteClient, RunKey], Awaitable[T]]
    ) -> Reply[T]:
        """Do something to a run, after which what was known of it is forgotten.

        :param flyte_conn_id: the Airflow connection.
        :param key: the run.
        :param action: does it.
        """
        try:
            # Not cancelled with the browser, either.
            return await asyncio.shield(self._start(self._answer(flyte_conn_id, key, action)))
        finally:
            for known in [known for known in self._replies if known[:2] == (flyte_conn_id, key)]:
                del self._replies[known]

    async def aclose(self) -> None:
        """Close all clients."""
        for asked in self._replies.values():
            if asked.answer is not None:
                asked.answer.cancel()
        self._replies.clear()
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)
        connections = list(self._connections.values())
        for connection in connections:
            connection.close()
        await asyncio.gather(*(connection.ended() for connection in connections))

    async def _reply_to(self, asked: _Asked, flyte_conn_id: str, key: RunKey, query: RunQuery[T]) -> Reply[T]:
        fresh = FRESH
        try:
            reply = await self._answer(flyte_conn_id, key, query.ask)
            if reply.answer is not None:
                fresh = query.fresh(reply.answer)
                asked.size = query.size(reply.answer)
                self._drop_what_is_too_much(asked)
            return reply
        finally:
            # Also after an error that nobody expects, or it would stand there until the process ends.
            asked.until = self._clock() + fresh

    async def _answer(
        self, flyte_conn_id: str, key: RunKey, ask: Callable[[FlyteClient, RunKey], Awaitable[T]]
    ) -> Reply[T]:
        from airflow_provider_flyte.client.errors import FlyteError
        from airflow_provider_flyte.exceptions import FlyteConfigurationError

        connection, url_of = self._connection(flyte_conn_id), _no_page
        connection.take()
        try:
            client = await connection.get()
            # The key is checked against what the connection may be used for now.
            client.config.key(key.name, key.project, key.domain)
            url_of = client.config.run_url
            async with connection.calls:
                return Reply(await ask(client, key), url_of)
        except (FlyteConfigurationError, FlyteError) as error:
            return Reply(None, url_of, str(error))
        finally:
            connection.give_back()

    def _drop_what_is_old(self) -> None:
        # The actions of a run may be ten thousand.
        now = self._clock()
        for old in [known for known, asked in self._replies.items() if asked.until < now]:
            del self._replies[old]

    def _drop_what_is_too_much(self, newest: _Asked) -> None:
        total = sum(asked.size for asked in self._replies.values())
        for known, asked in list(self._replies.items()):
            if total <= MOST_BYTES:
                break
            if asked is not newest and asked.size:
                del self._replies[known]
                total -= asked.size

    def _connection(self, flyte_conn_id: str) -> _Connection:
        connection = self._connections.get(flyte_conn_id)
        if connection is None:
            connection = self._connections[flyte_conn_id] = _Connection(flyte_conn_id, self._clock, self._forget)
        self._connections.move_to_end(flyte_conn_id)
        while len(self._connections) > MOST_CONNECTIONS:
            next(iter(self._connections.values())).retire()
        return connection

    def _forget(self, connection: _Connection) -> None:
        if self._connections.get(connection.flyte_conn_id) is connection:
            del self._connections[connection.flyte_conn_id]
            for known in [known for known in self._replies if known[0] == connection.flyte_conn_id]:
                del self._replies[known]

    def _start(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.get_running_loop().create_task(work)
        # The loop itself keeps only a weak reference.
        self._background.add(task)
        task.add_done_callback(self._background.discard)
        return task


@dataclass
class _Asked:
    """One query, for whoever views the run until then."""

    answer: asyncio.Task[Reply[Any]] | None = None
    until: float = float("inf")
    size: int = 0


class _Connection(SharedClient):
    """The client of one Airflow connection, by the connection as it was a minute ago.

    :param flyte_conn_id: the Airflow connection.
    :param clock: seconds.
    :param forget: called when nobody gets it any more.
    """

    def __init__(self, flyte_conn_id: str, clock: Callable[[], float], forget: Callable[[_Connection], None]) -> None:
        super().__init__(flyte_conn_id, asyncio.get_running_loop())
        self.calls = asyncio.Semaphore(CALLS_AT_ONCE)
        self._clock = clock
        self._forgotten = forget
        self._read_at = 0.0

    async def get(self) -> FlyteClient:
        """The client.

        :raises FlyteConfigurationError: when there is no such connection, or it cannot be used.
        """
        await self.opened()
        if self._clock() - self._read_at > REREAD:
            await self.refresh()
        assert self.client is not None
        return self.client

    async def _read(self, old: FlyteClient | None) -> FlyteClient | None:
        if old is not None and self._clock() - self._read_at <= REREAD:
            # Somebody else has just read it.
            return None
        # In a thread: Airflow reads its database, and grpc is imported.
        fresh = await asyncio.to_thread(_read, self.flyte_conn_id, old)
        self._read_at = self._clock()
        return fresh

    def _forget(self) -> None:
        self._forgotten(self)


def _read(flyte_conn_id: str, old: FlyteClient | None) -> FlyteClient | None:
    """A client by the connection as it is now; None where that of before has the same."""
    from airflow_provider_flyte.client.transport.selector import import_all
    from airflow_provider_flyte.hooks import FlyteHook

    import_all()
    fresh = FlyteHook(flyte_conn_id).get_api_server_client("the tab 'Flyte'")
    return None if old is not None and fresh.config == old.config else fresh
