"""One client a connection and event loop, for all there who ask Flyte: when it is made, replaced and closed.

It is made when somebody first asks for it, in a task of its own: who is cancelled meanwhile does not take it from the
others. A connection that could not be read is read again by the next one. It is replaced where the connection has
changed when it is read again, which is up to those who use it: the triggerer does it in trouble, so that an edited
connection moves no wait that works; the API server every minute, because it shows what the connection allows now. It is
closed a minute after nobody uses it any more, or with its loop.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Coroutine
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_flyte.client import FlyteClient

LINGER = 60.0
"""Seconds that a client without users stays, so that the next one finds its channel open."""

background: set[asyncio.Task[Any]] = set()
"""Strong references: the loop keeps only weak ones to its tasks."""


class SharedClient:
    """The client of one connection on one loop, and who uses it. Subclasses say how it is read.

    :param flyte_conn_id: the Airflow connection.
    :param loop: the loop.
    """

    def __init__(self, flyte_conn_id: str, loop: asyncio.AbstractEventLoop) -> None:
        self.users = 0
        self.flyte_conn_id = flyte_conn_id
        self.client: FlyteClient | None = None
        """The client, once it is made."""

        self._loop = loop
        self._opening: asyncio.Task[None] | None = None
        self._opened = False
        self._refreshing = asyncio.Lock()
        self._replaced: set[asyncio.Task[None]] = set()
        self._retired = False
        self._closed = asyncio.Event()
        self._ending: asyncio.Task[None] | None = None
        self._lingering: asyncio.TimerHandle | None = None

    # -- how it is read, and what goes with it

    async def _read(self, old: FlyteClient | None) -> FlyteClient | None:
        """A client by the connection as it is now; None where that of before has the same.

        :raises FlyteConfigurationError: when there is no such connection, or it cannot be used.
        """
        raise NotImplementedError

    async def _open(self) -> None:
        """Make it, and what goes with it."""
        self.client = await self._read(None)

    async def _aclose(self) -> None:
        """Close it, after what goes with it."""
        await asyncio.gather(*self._replaced, return_exceptions=True)
        if self.client is not None:
            await self.client.aclose()

    def _forget(self) -> None:
        """See that nobody gets it any more."""
        raise NotImplementedError

    # -- who uses it

    def take(self) -> None:
        """Note one more user."""
        self.users += 1
        if self._lingering:
            self._lingering.cancel()
            self._lingering = None

    def give_back(self) -> None:
        """Note one user less."""
        self.users -= 1
        if self.users or self._loop.is_closed():
            return
        if self._retired:
            self.close()
        else:
            self._lingering = self._loop.call_later(LINGER, self.close)

    async def opened(self) -> None:
        """Wait until it is made; the first to ask reads the connection.

        :raises FlyteConfigurationError: when the connection is missing or cannot be used.
        """
        if self._opened:
            return
        if self._opening is None:
            # In an empty context: Airflow routes log lines by context, and this task works for all.
            self._opening = contextvars.Context().run(self._loop.create_task, self._open_for_all())
            self._opening.add_done_callback(self._done)
        # Shielded: the cancellation of one is not that of the others.
        await asyncio.shield(self._opening)

    async def _open_for_all(self) -> None:
        await self._open()
        self._opened = True
        self._ending = self._in_background(self._close_in_the_end())

    def _done(self, opening: asyncio.Task[None]) -> None:
        # A failed read is not kept: the next one reads again.
        self._opening = None
        if not opening.cancelled():
            opening.exception()

    async def refresh(self) -> FlyteClient | None:
        """Read the connection again; returns the client that has replaced the other, None where nothing has changed."""
        async with self._refreshing:
            old = self.client
            fresh = await self._read(old) if old is not None else None
            if old is None or fresh is None:
                return None
            self.client = fresh
            closing = self._in_background(self._close_later(old))
            self._replaced.add(closing)
            closing.add_done_callback(self._replaced.discard)
            return fresh

    # -- its end

    def retire(self) -> None:
        """Serve those who have it, and nobody new: the connection may be mended by then."""
        self._retired = True
        self._forget()
        if not self.users:
            self.close()

    def close(self) -> None:
        """Close it now."""
        self._retired = True
        self._forget()
        if self._lingering:
            self._lingering.cancel()
        if self._opening:
            self._opening.cancel()
        self._closed.set()

    async def ended(self) -> None:
        """Wait until all is closed."""
        if self._ending is not None:
            await self._ending

    async def _close_in_the_end(self) -> None:
        """Close when nobody uses it any more, or with the loop: ``dag.test()`` ends its own after each trigger."""
        try:
            await self._closed.wait()
        finally:
            await self._aclose()

    async def _close_later(self, client: FlyteClient) -> None:
        """Close one that was replaced once no call of it can be under way."""
        try:
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._closed.wait(), client.config.timeout)
        finally:
            await client.aclose()

    def _in_background(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = self._loop.create_task(work)
        background.add(task)
        task.add_done_callback(background.discard)
        return task
