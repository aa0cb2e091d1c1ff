"""What a trigger for assets keeps in Airflow's asset state store, so that whoever runs it next goes on where it was."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from airflow_provider_flyte.client.backoff import backoff
from airflow_provider_flyte.client.outside import one_line
from airflow_provider_flyte.client.watch.feed_state import FeedState, newest

log = logging.getLogger(__name__)

SAVED_EVERY = 30.0
"""Seconds between two times of keeping what has changed while nothing was reported."""

_SAVED_AT_FIRST = 1.0
"""The same until all runs were listed once."""

_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 30.0


class Store(Protocol):
    """Airflow's store of one asset."""

    async def aget(self, key: str) -> Any: ...
    async def aset(self, key: str, value: Any) -> None: ...


class KeptState:
    """The state of one trigger, kept for each of its assets: Airflow makes one trigger of two that are the same.

    :param stores: the assets' stores; none where this Airflow has no such thing.
    :param key: under which it is kept there; it says what the trigger watches, because an asset may have several.
    :param what: what the trigger watches, for its log.
    :param now: microseconds since the epoch.
    """

    def __init__(self, stores: Sequence[Store], key: str, what: str, now: Callable[[], int]) -> None:
        self._stores = stores
        self._key = key
        self._what = what
        self._now = now
        self._lock = asyncio.Lock()
        self._saved: dict[str, Any] | None = None
        self._in_trouble = False

    async def load(self) -> FeedState | None:
        """The state, None where there is none. Without an answer it goes on asking: to begin anew would lose ends."""
        failures = 0
        while True:
            try:
                values = [await store.aget(self._key) for store in self._stores]
                break
            except Exception as error:
                self._trouble("read", error)
                failures += 1
                await asyncio.sleep(backoff(failures, _FIRST_PAUSE, _LONGEST_PAUSE))
        self._answered()
        state, problems = newest(values)
        if problems:
            log.warning(
                "What was kept in Airflow's asset state store for %s (key %s) cannot be used: %s. %s",
                self._what,
                self._key,
                one_line(problems[0]),
                "Runs that ended meanwhile are reported only as far as since= reaches."
                if state is None
                else "What is kept for another asset is used.",
            )
        return state

    async def save(self, state: FeedState) -> None:
        """Keep the state. What fails is only logged: the next time has all of it, and nothing is lost meanwhile."""
        async with self._lock:
            value = state.to_json(self._now())
            failed = None
            for store in self._stores:
                # Airflow refuses what is for an asset that no DAG has any more; that of the others is to be kept.
                try:
                    await store.aset(self._key, value)
                except Exception as error:
                    failed = failed or error
            if failed:
                self._trouble("written", failed)
                return
            self._answered()
            self._saved = value

    async def keep(self, state: FeedState) -> None:
        """Save what changes, now and then, until this is cancelled."""
        while True:
            await asyncio.sleep(_SAVED_AT_FIRST if state.began else SAVED_EVERY)
            if self._stores and self._saved != state.to_json((self._saved or {}).get("saved_at", 0)):
                await self.save(state)

    def _trouble(self, done: str, error: Exception) -> None:
        if not self._in_trouble:
            self._in_trouble = True
            log.warning(
                "Airflow's asset state store could not be %s for %s; this is tried again. %s",
                done,
                self._what,
                one_line(f"{type(error).__name__}: {error}"),
            )

    def _answered(self) -> None:
        if self._in_trouble:
            self._in_trouble = False
            log.info("Airflow's asset state store answers again for %s.", self._what)


_handed: dict[Any, asyncio.Future[Sequence[Store]]] = {}


def handing_over(key: Any) -> asyncio.Future[Sequence[Store]]:
    """Where a trigger leaves its stores for its producer, which Airflow makes of the arguments alone.

    :param key: the trigger's key of its shared stream, which no other trigger of this process has.
    """
    loop = asyncio.get_running_loop()
    place = _handed.get(key)
    if place is None or place.get_loop() is not loop or place.cancelled():
        place = _handed[key] = loop.create_future()
    return place


def hand_over(key: Any, stores: Sequence[Store]) -> Callable[[], None]:
    """Leave a trigger's stores; returns what takes them away again."""
    place = handing_over(key)
    if not place.done():
        place.set_result(stores)

    def take_away() -> None:
        if _handed.get(key) is place:
            del _handed[key]

    return take_away
