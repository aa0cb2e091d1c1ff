"""The client of a sensor that ends in the triggerer: the shared watcher's, for blocking code in a thread."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from airflow_provider_flyte.exceptions import FlyteConfigurationError

if TYPE_CHECKING:
    from airflow_provider_flyte.client import FlyteClient
    from airflow_provider_flyte.client.watch.watcher import RunWatcher


class WatcherClient:
    """The client of the shared watcher for a sensor's blocking code in a thread; a HeldClient otherwise.

    :param watcher: the watcher, or why there is none.
    :param loop: its event loop.
    """

    def __init__(
        self, flyte_conn_id: str, watcher: RunWatcher | FlyteConfigurationError, loop: asyncio.AbstractEventLoop
    ) -> None:
        self.flyte_conn_id = flyte_conn_id
        self._watcher = watcher
        self._loop = loop
        self._client: FlyteClient | None = None

    def get(self) -> FlyteClient:
        """The client.

        :raises FlyteConfigurationError: when the connection is missing or cannot be used.
        """
        if isinstance(self._watcher, FlyteConfigurationError):
            raise self._watcher
        if self._client is None:
            self._client = self._watcher.asking.client
        return self._client

    def refresh(self) -> bool:
        """Have the connection read again, for all that wait over it; returns whether there is another client now."""
        if isinstance(self._watcher, FlyteConfigurationError) or self._client is None:
            return False
        client = self._client
        renewing = asyncio.run_coroutine_threadsafe(self._watcher.asking.renew(client), self._loop)
        self._client = None
        return renewing.result() or self.get() is not client

    def close(self) -> None:
        """Leave it to the watcher."""
