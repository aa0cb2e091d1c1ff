"""The ends of runs for an Airflow that confirms each event which it has stored (3.3.2 and newer)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Hashable, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from airflow_provider_flyte.compat import SharedStreamProducer
from airflow_provider_flyte.compat.triggers import most_unread_events
from airflow_provider_flyte.wait.kept_state import handing_over
from airflow_provider_flyte.wait.run_ends import RunEnds, Watched

if TYPE_CHECKING:
    from airflow_provider_flyte.compat import AdvanceItem

_MOST_UNCONFIRMED = 200
"""Events that Airflow has not confirmed yet. It stores those of a second at once, and does nothing else meanwhile."""


class ConfirmedEnds(SharedStreamProducer):
    """The producer of one trigger's stream. Its state moves only by what Airflow has confirmed.

    :param watched: what is watched.
    :param key: the trigger's key of its shared stream.
    """

    def __init__(self, watched: Watched, key: Hashable) -> None:
        self._watched = watched
        self._key = key
        self._unconfirmed = 0
        self._most = max(1, min(_MOST_UNCONFIRMED, most_unread_events() // 2))
        self._confirmed = asyncio.Event()
        self._ends: RunEnds | None = None

    async def open_stream(self) -> AsyncGenerator[tuple[dict[str, Any], str], None]:
        """Yield the payload of each event, and the name of its run."""
        # The trigger comes at once; Airflow has just made it. Shielded, because others may wait for the same place.
        stores = await asyncio.shield(handing_over(self._key))
        ends = self._ends = RunEnds(self._watched, stores)
        async with aclosing(ends.payloads()) as payloads:
            async for name, payload in payloads:
                self._unconfirmed += 1
                yield payload, name
                while self._unconfirmed >= self._most:
                    self._confirmed.clear()
                    await self._confirmed.wait()

    async def advance(self, batch: Sequence[AdvanceItem]) -> None:
        """Note which events are stored. The others are reported again by whoever goes on from the state."""
        self._unconfirmed -= len(batch)
        self._confirmed.set()
        stored = [item.broker_payload for item in batch if item.outcome.is_clean]
        if stored and self._ends is not None:
            for name in stored:
                self._ends.settle(name)
            await self._ends.save()
