"""One watcher a process, event loop and connection, shared by all triggers there.

A trigger takes a :class:`Lease`, asks it for the watcher, and releases it. How long the watcher's client stays is in
``shared_client.py``.
"""

from __future__ import annotations

import asyncio
import weakref
from typing import TYPE_CHECKING

from airflow_provider_flyte.report.metrics import Metrics
from airflow_provider_flyte.settings import streams_logs, watcher_settings
from airflow_provider_flyte.wait.shared_client import SharedClient

if TYPE_CHECKING:
    from airflow_provider_flyte.client import FlyteClient, RunWatcher

METRICS_EVERY = 10.0
"""Seconds between two reports to Airflow's metrics."""


class _Shared(SharedClient):
    """The watcher of one connection on one loop, and who uses it."""

    def __init__(self, flyte_conn_id: str, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(flyte_conn_id, loop)
        self.ready: RunWatcher | None = None
        self._reporting: asyncio.TimerHandle | None = None

    async def watcher(self) -> RunWatcher:
        await self.opened()
        assert self.ready is not None
        return self.ready

    async def _read(self, old: FlyteClient | None) -> FlyteClient | None:
        from airflow_provider_flyte.hooks import FlyteHook

        hook = FlyteHook(self.flyte_conn_id)
        return await hook.aget_client() if old is None else await hook.arefresh_client(old)

    async def _open(self) -> None:
        await super()._open()
        assert self.client is not None
        watcher_class = await asyncio.to_thread(_import_watcher)
        watcher = watcher_class(self.client, renew=self.refresh, **watcher_settings())
        watcher.run_logs.by_default = streams_logs(None, self.client.config)
        self.ready = watcher
        self._metrics = Metrics(self.flyte_conn_id)
        self._report()

    def _report(self) -> None:
        if self.ready is not None and self.users:
            self._metrics.report(self.ready.status)
            self._reporting = self._loop.call_later(METRICS_EVERY, self._report)
        else:
            self._reporting = None

    def take(self) -> None:
        super().take()
        if self.ready is not None and not self._reporting:
            self._report()

    def _forget(self) -> None:
        shared = _of_loop(self._loop)
        if shared.get(self.flyte_conn_id) is self:
            del shared[self.flyte_conn_id]

    def close(self) -> None:
        super().close()
        if self._reporting:
            self._reporting.cancel()
        if self.ready is not None:
            self._metrics.report(self.ready.status)

    async def _aclose(self) -> None:
        # Both, also where the loop ends while the watcher is being closed.
        try:
            if self.ready is not None:
                await self.ready.aclose()
        finally:
            await super()._aclose()


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
