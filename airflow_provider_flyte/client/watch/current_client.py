"""The client that a watcher asks with; another one where the connection has changed and calls fail."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from airflow_provider_flyte.client.client import FlyteClient
from airflow_provider_flyte.client.verdict import Trouble

log = logging.getLogger(__name__)

_RENEW_AFTER_TROUBLE = 30.0
"""Seconds without an answer after which another client is asked for."""


class CurrentClient:
    """A client, and when it had an answer.

    :param client: the first one.
    :param renew: gives another client, or None where there is none; None: there never is.
    :param on_renewal: called when there is another client.
    :param clock: seconds that only grow.
    """

    def __init__(
        self,
        client: FlyteClient,
        renew: Callable[[], Awaitable[FlyteClient | None]] | None,
        on_renewal: Callable[[], None],
        clock: Callable[[], float],
    ) -> None:
        self.client = client
        self._renew = renew
        self._on_renewal = on_renewal
        self._clock = clock
        self._renewing = asyncio.Lock()
        self._renewed_at = self._answered_at = clock()
        self._answered = False

    def get(self) -> FlyteClient:
        """The current client."""
        return self.client

    def answered(self) -> None:
        """Note that Flyte has answered."""
        self._answered, self._answered_at = True, self._clock()

    @property
    def answered_ago(self) -> float | None:
        """Seconds since Flyte answered; None: not yet."""
        return self._clock() - self._answered_at if self._answered else None

    async def refresh(self, client: FlyteClient, trouble: Trouble) -> bool:
        """Ask for another client after a poll that had nothing but trouble; returns whether there is one."""
        if not self._renew:
            return False
        async with self._renewing:
            now = self._clock()
            since = max(self._answered_at, self._renewed_at)
            if self.client is client and (trouble.lasting or now - since >= _RENEW_AFTER_TROUBLE):
                self._renewed_at = now
                try:
                    fresh = await self._renew()
                except Exception:
                    log.debug("There is no other client", exc_info=True)
                    fresh = None
                if fresh is not None:
                    self.client = fresh
                    self._on_renewal()
            return self.client is not client
