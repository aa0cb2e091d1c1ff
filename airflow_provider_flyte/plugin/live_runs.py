"""What Flyte says of runs that somebody looks at: one client a connection, and one poll a run for all who look.

Nothing is asked but for a request from a browser, and a run that was asked about a moment ago is not asked about again.
"""

from __future__ import annotations

import asyncio
import contextvars
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar

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

MOST_LOOKS = 500
"""How many answers are remembered."""

MOST_BYTES = 64 << 20
"""How large they are together; the last one is remembered in any case."""

SMALL = 2_000
"""Bytes that an answer takes which says nothing else."""

CALLS_AT_ONCE = 4
"""How many calls one connection has under way."""

REREAD = 60.0
"""Seconds after which a connection is read again: its secret may have been replaced."""

LINGER = 60.0
"""Seconds after which a client that nobody asks is closed."""


def _no_page(key: RunKey) -> str:
    return ""


@dataclass(frozen=True)
class Look(Generic[T]):
    """What Flyte said of a run."""

    answer: T | None = None
    """None where there was none."""

    url_of: Callable[[RunKey], str] = _no_page
    """The page of a run in the Flyte console; '' where the connection could not be read."""

    trouble: str = ""
    """Why there was none."""


@dataclass(frozen=True)
class Question(Generic[T]):
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


DETAILS: Question[RunDetails] = Question(
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
        self._looks: OrderedDict[tuple[str, RunKey, str], _Asked] = OrderedDict()
        self._background: set[asyncio.Task[Any]] = set()

    async def look(self, flyte_conn_id: str, key: RunKey, question: Question[T]) -> Look[T]:
        """What Flyte says of a run now, or said a moment ago. Trouble is an answer, too.

        :param flyte_conn_id: the Airflow connection.
        :param key: the run.
        :param question: what is asked.
        """
        wanted = (flyte_conn_id, key, question.name)
        asked = self._looks.get(wanted)
        if asked is None or asked.until < self._clock():
            self._drop_what_is_old()
            asked = self._looks[wanted] = _Asked()
            # In an empty context, as what works for all; and not cancelled with the browser that asked first.
            asked.answer = contextvars.Context().run(
                asyncio.create_task, self._ask(asked, flyte_conn_id, key, question)
            )
            while len(self._looks) > MOST_LOOKS:
                self._looks.popitem(last=False)
        assert asked.answer is not None
        look: Look[T] = await asyncio.shield(asked.answer)
        return look

    async def do(
        self, flyte_conn_id: str, key: RunKey, action: Callable[[FlyteClient, RunKey], Awaitable[T]]
    ) -> Look[T]:
        """Do something to a run, after which what was known of it is forgotten.

        :param flyte_conn_id: the Airflow connection.
        :param key: the run.
        :param action: does it.
        """
        try:
            # Not cancelled with the browser, either.
            return await asyncio.shield(self._start(self._answer(flyte_conn_id, key, action)))
        finally:
            for known in [known for known in self._looks if known[:2] == (flyte_conn_id, key)]:
                del self._looks[known]

    async def aclose(self) -> None:
        """Close all clients."""
        for asked in self._looks.values():
            if asked.answer is not None:
                asked.answer.cancel()
        self._looks.clear()
        for connection in self._connections.values():
            self._retire(connection)
        self._connections.clear()
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)

    async def _ask(self, asked: _Asked, flyte_conn_id: str, key: RunKey, question: Question[T]) -> Look[T]:
        fresh = FRESH
        try:
            look = await self._answer(flyte_conn_id, key, question.ask)
            if look.answer is not None:
                fresh = question.fresh(look.answer)
                asked.size = question.size(look.answer)
                self._drop_what_is_too_much(asked)
            return look
        finally:
            # Also after an error that nobody expects, or it would stand there until the process ends.
            asked.until = self._clock() + fresh

    async def _answer(
        self, flyte_conn_id: str, key: RunKey, ask: Callable[[FlyteClient, RunKey], Awaitable[T]]
    ) -> Look[T]:
        from airflow_provider_flyte.client.errors import FlyteError
        from airflow_provider_flyte.exceptions import FlyteConfigurationError

        connection, url_of = self._connection(flyte_conn_id), _no_page
        try:
            client = await connection.client()
            # The key is checked against what the connection may be used for now.
            client.config.key(key.name, key.project, key.domain)
            url_of = client.config.run_url
            async with connection.calls:
                return Look(await ask(client, key), url_of)
        except (FlyteConfigurationError, FlyteError) as error:
            return Look(None, url_of, str(error))

    def _drop_what_is_old(self) -> None:
        # The actions of a run may be ten thousand.
        now = self._clock()
        for old in [known for known, asked in self._looks.items() if asked.until < now]:
            del self._looks[old]

    def _drop_what_is_too_much(self, newest: _Asked) -> None:
        total = sum(asked.size for asked in self._looks.values())
        for known, asked in list(self._looks.items()):
            if total <= MOST_BYTES:
                break
            if asked is not newest and asked.size:
                del self._looks[known]
                total -= asked.size

    def _connection(self, flyte_conn_id: str) -> _Connection:
        connection = self._connections.get(flyte_conn_id)
        if connection is None:
            connection = self._connections[flyte_conn_id] = _Connection(flyte_conn_id, self._clock, self._do)
        self._connections.move_to_end(flyte_conn_id)
        while len(self._connections) > MOST_CONNECTIONS:
            self._retire(self._connections.popitem(last=False)[1])
        if connection.lingering is not None:
            connection.lingering.cancel()
        loop = asyncio.get_running_loop()
        connection.lingering = loop.call_later(LINGER, self._forget, flyte_conn_id, connection)
        return connection

    def _forget(self, flyte_conn_id: str, connection: _Connection) -> None:
        if self._connections.get(flyte_conn_id) is connection:
            del self._connections[flyte_conn_id]
            self._retire(connection)
            for known in [known for known in self._looks if known[0] == flyte_conn_id]:
                del self._looks[known]

    def _retire(self, connection: _Connection) -> None:
        if client := connection.take():
            self._do(_close_later(client))

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        self._start(work)

    def _start(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.get_running_loop().create_task(work)
        # The loop itself keeps only a weak reference.
        self._background.add(task)
        task.add_done_callback(self._background.discard)
        return task


@dataclass
class _Asked:
    """One poll, for whoever looks at the run until then."""

    answer: asyncio.Task[Look[Any]] | None = None
    until: float = float("inf")
    size: int = 0


@dataclass
class _Connection:
    """The client of one Airflow connection."""

    flyte_conn_id: str
    clock: Callable[[], float]
    do: Callable[[Coroutine[Any, Any, None]], None]
    calls: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(CALLS_AT_ONCE))
    lingering: asyncio.TimerHandle | None = None
    _made: FlyteClient | None = None
    _read_at: float = 0.0
    _reading: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def client(self) -> FlyteClient:
        """The client, by the connection as it was a minute ago.

        :raises FlyteConfigurationError: when there is no such connection, or it cannot be used.
        """
        async with self._reading:
            if self._made is None or self.clock() - self._read_at > REREAD:
                # In a thread: Airflow reads its database, and grpc is imported.
                fresh = await asyncio.to_thread(_read, self.flyte_conn_id, self._made)
                self._read_at = self.clock()
                if fresh is not None:
                    old, self._made = self._made, fresh
                    if old is not None:
                        self.do(_close_later(old))
            assert self._made is not None
            return self._made

    def take(self) -> FlyteClient | None:
        """The client, to be closed; nobody gets it any more."""
        if self.lingering is not None:
            self.lingering.cancel()
        made, self._made = self._made, None
        return made


async def _close_later(client: FlyteClient) -> None:
    """Close it once no call of it can be under way."""
    try:
        await asyncio.sleep(client.config.timeout)
    finally:
        await client.aclose()


def _read(flyte_conn_id: str, old: FlyteClient | None) -> FlyteClient | None:
    """A client by the connection as it is now; None where that of before has the same."""
    from airflow_provider_flyte.client.transport.selector import import_all
    from airflow_provider_flyte.hooks import FlyteHook

    import_all()
    fresh = FlyteHook(flyte_conn_id).get_api_server_client("the tab 'Flyte'")
    return None if old is not None and fresh.config == old.config else fresh
