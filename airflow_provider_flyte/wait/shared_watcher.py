"""One watcher a process, event loop and connection, shared by all triggers there.

A trigger takes a :class:`Lease`, asks it for the watcher, and releases it. The connection is read once for all, in a
task of its own: a trigger that is cancelled meanwhile does not take it from the others.
"""

from __future__ import annotations

import asyncio
import contextvars
import weakref
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from airflow_provider_flyte.report.metrics import Metrics
from airflow_provider_flyte.settings import streams_logs, watcher_settings

if TYPE_CHECKING:
    from airflow_provider_flyte.client import FlyteClient, RunWatcher
    from airflow_provider_flyte.hooks import FlyteHook

LINGER = 60.0
"""Seconds that a watcher without waits stays, so that the next wait finds its channel open."""

METRICS_EVERY = 10.0
"""Seconds between two reports to Airflow's metrics."""

_background: set[asyncio.Task[Any]] = set()
"""Strong references: the loop keeps only weak ones to its tasks."""


class _Shared:
    """The watcher of one connection on one loop, and who uses it."""

    def __init__(self, flyte_conn_id: str, loop: asyncio.AbstractEventLoop) -> None:
        self.users = 0
        self._flyte_conn_id = flyte_conn_id
        self._loop = loop
        self._client: FlyteClient | None = None
        self._watcher: RunWatcher | None = None
        self._making: asyncio.Task[RunWatcher] | None = None
        self._closed = asyncio.Event()
        self._lingering: asyncio.TimerHandle | None = None
        self._reporting: asyncio.TimerHandle | None = None

    @property
    def ready(self) -> RunWatcher | None:
        return self._watcher

    async def watcher(self) -> RunWatcher:
        if self._watcher is not None:
            return self._watcher
        if self._making is None:
            # In an empty context: Airflow routes log lines by context, and this task works for all triggers.
            self._making = contextvars.Context().run(self._loop.create_task, self._make())
            self._making.add_done_callback(self._done)
        # Shielded: the cancellation of one trigger is not that of the others.
        return await asyncio.shield(self._making)

    async def _make(self) -> RunWatcher:
        self._client = await self._hook().aget_client()
        watcher_class = await asyncio.to_thread(_import_watcher)
        watcher = watcher_class(self._client, renew=self._refresh_client, **watcher_settings())
        watcher.run_logs.by_default = streams_logs(None, self._client.config)
        self._watcher = watcher
        self._metrics = Metrics(self._flyte_conn_id)
        self._report()
        self._in_background(self._close_in_the_end())
        return self._watcher

    def _hook(self) -> FlyteHook:
        from airflow_provider_flyte.hooks import FlyteHook

        return FlyteHook(self._flyte_conn_id)

    async def _refresh_client(self) -> FlyteClient | None:
        """A client by the connection as it is now, for waits in trouble; None where it has not changed."""
        old = self._client
        fresh = await self._hook().arefresh_client(old) if old is not None else None
        if old is not None and fresh is not None:
            self._client = fresh
            self._in_background(old.aclose())
        return fresh

    def _report(self) -> None:
        if self._watcher is not None and self.users:
            self._metrics.report(self._watcher.status)
            self._reporting = self._loop.call_later(METRICS_EVERY, self._report)
        else:
            self._reporting = None

    def _done(self, making: asyncio.Task[RunWatcher]) -> None:
        # A failed read is not kept: the next wait reads again.
        self._making = None
        if not making.cancelled():
            making.exception()

    def take(self) -> None:
        self.users += 1
        if self._lingering:
            self._lingering.cancel()
            self._lingering = None
        if self._watcher is not None and not self._reporting:
            self._report()

    def give_back(self) -> None:
        self.users -= 1
        if self.users or self._loop.is_closed():
            return
        if _of_loop(self._loop).get(self._flyte_conn_id) is self:
            self._lingering = self._loop.call_later(LINGER, self.close)
        else:
            # Retired, so no new wait will come.
            self.close()

    def retire(self) -> None:
        """Serve the waits that have it, and no new ones: the connection may be mended by then."""
        shared = _of_loop(self._loop)
        if shared.get(self._flyte_conn_id) is self:
            del shared[self._flyte_conn_id]

    def close(self) -> None:
        self.retire()
        if self._making:
            self._making.cancel()
        if self._reporting:
            self._reporting.cancel()
        if self._watcher is not None:
            self._metrics.report(self._watcher.status)
        self._closed.set()

    async def _close_in_the_end(self) -> None:
        """Close when there are no more waits, or with the loop: ``dag.test()`` ends its own after each trigger."""
        try:
            await self._closed.wait()
        finally:
            # Both, also where the loop ends while the watcher is being closed.
            try:
                if self._watcher is not None:
                    await self._watcher.aclose()
            finally:
                if self._client:
                    await self._client.aclose()

    def _in_background(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        _background.add(task)
        task.add_done_callback(_background.discard)


_shared: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, _Shared]] = weakref.WeakKeyDictionary()


def _of_loop(loop: asyncio.AbstractEventLoop) -> dict[str, _Shared]:
    return _shared.setdefault(loop, {})


class Lease:
    """One trigger's hold on the shared watcher.

    :param flyte_conn_id: the Airflow connection.
    """

    __slots__ = ("_shared",)

    def __init__(self, flyte_conn_id: str) -> None:
        loop = asyncio.get_running_loop()
        self._shared: _Shared | None = _of_loop(loop).setdefault(flyte_conn_id, _Shared(flyte_conn_id, loop))
        self._shared.take()

    @property
    def ready(self) -> RunWatcher | None:
        """The watcher, where it exists already."""
        return None if self._shared is None else self._shared.ready

    async def watcher(self) -> RunWatcher:
        """The watcher; the first to ask reads the connection.

        :raises FlyteConfigurationError: when the connection is missing or cannot be used.
        """
        if self._shared is None:
            raise RuntimeError("The lease has been released.")
        return await self._shared.watcher()

    def retire(self) -> None:
        """Let later waits read the connection anew, because this one led nowhere."""
        if self._shared is not None:
            self._shared.retire()

    def release(self) -> None:
        """Release the watcher: synchronous, and harmless when repeated: Airflow closes triggers in several ways."""
        shared, self._shared = self._shared, None
        if shared is not None:
            shared.give_back()


def _import_watcher() -> type[RunWatcher]:
    from airflow_provider_flyte.client.transport.selector import import_all
    from airflow_provider_flyte.client.watch.watcher import RunWatcher

    import_all()
    return RunWatcher
