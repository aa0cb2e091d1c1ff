"""Hints: one WatchRuns stream a project and domain, which ends a wait at once and is never trusted alone.

A stream loses messages, goes silent or ends without a word, so it is believed in what it says and in nothing else. It
is open while somebody waits, renewed after a while whatever it does, and opened again when it ended or missed an end.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import math
from collections.abc import Awaitable, Callable, Iterable
from contextlib import aclosing

from airflow_provider_flyte.client.calls import watch_runs
from airflow_provider_flyte.client.client import FlyteClient
from airflow_provider_flyte.client.errors import (
    InvalidArgumentError,
    NotFoundError,
    PermissionDeniedError,
    RpcError,
    UnimplementedError,
)
from airflow_provider_flyte.client.pace import backoff
from airflow_provider_flyte.client.run_key import Place, RunKey

log = logging.getLogger(__name__)

MOST_STREAMS = 50
"""On one client. Proxies allow 100 to 128 streams a connection, a backend 250; beyond, even questions hang."""

RENEW_AFTER = 60.0
"""Seconds. HTTP/1.1 has no keepalive, and a stream that broke silently looks like one without news."""

_SURELY_OPEN_AFTER = 2.0
"""A quiet stream says nothing, not even that it is open."""

_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 30.0
_MOST_MISSES, _ALONE_FOR = 3, 600.0
"""A stream that tells nothing of what it should is closed for so many seconds: a proxy holds it back."""
_REFUSALS = (UnimplementedError, InvalidArgumentError, PermissionDeniedError, NotFoundError)


class Hints:
    """The streams of all places where somebody waits.

    :param client: gives the client to open streams with; it may be another one each time.
    :param heard: told of each run that a stream names, and its phase.
    :param clock: seconds that only grow.
    :param sleep: how a pause before another try is spent.
    :param renew_after: seconds after which a stream is opened again whatever it does.
    """

    def __init__(
        self,
        client: Callable[[], FlyteClient],
        heard: Callable[[RunKey, int], None],
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
        renew_after: float = RENEW_AFTER,
    ) -> None:
        self._renew_after = renew_after
        self._client = client
        self._heard = heard
        self._clock = clock
        self._sleep = sleep
        self._streams: dict[Place, _Stream] = {}
        self._misses: dict[Place, int] = {}
        self._alone: dict[Place, float] = {}
        """Places without a stream, until this time."""
        self._said: set[Place] = set()
        self.opened = 0
        """How many streams were opened so far."""

    @property
    def tasks(self) -> list[asyncio.Task[None]]:
        return [stream.task for stream in self._streams.values() if stream.task]

    def want(self, places: Iterable[Place]) -> None:
        """Have streams for these places and no others."""
        now = self._clock()
        wanted = {place for place in places if self._alone.get(place, now) <= now}
        for place in self._streams.keys() - wanted:
            self._streams.pop(place).close()
        for place in wanted - self._streams.keys():
            if len(self._streams) >= MOST_STREAMS:
                break
            self._streams[place] = _Stream(self, place)

    def working(self, place: Place) -> bool:
        """Whether an end there will most likely be heard of by itself."""
        stream = self._streams.get(place)
        return stream is not None and stream.working()

    def missed(self, place: Place, ends: int) -> None:
        """Questions found so many ends there that should have been heard of.

        A stream that told of more meanwhile works, and loses some as every stream does; another one is renewed, whose
        gap may lose more.
        """
        stream = self._streams.get(place)
        if stream is None or stream.told_since_asked() > ends:
            return
        self._misses[place] = 1 if stream.messages > 1 else self._misses.get(place, 0) + 1
        if self._misses[place] < _MOST_MISSES:
            stream.renew()
        else:
            self._leave_alone(
                place,
                self._clock() + _ALONE_FOR,
                "The stream of updates (WatchRuns) of %s sends nothing, perhaps because a proxy buffers it. Runs there "
                "are polled instead, and the stream is tried again after ten minutes.",
            )
            stream.close()
            del self._streams[place]

    def renew(self) -> None:
        """Open all streams again: the client is another one."""
        self._alone.clear()
        self._misses.clear()
        for stream in self._streams.values():
            stream.renew()

    def close(self) -> None:
        """Have no streams."""
        for stream in self._streams.values():
            stream.close()
        self._streams.clear()

    def _leave_alone(self, place: Place, until: float, message: str, *args: object) -> None:
        if place not in self._said:
            self._said.add(place)
            log.warning(message, place, *args)
        self._alone[place] = until

    # -- for the streams

    async def follow(self, place: Place, stream: _Stream) -> None:
        """Keep a stream open until nobody waits there any more, or the server refuses it."""
        failures, me = 0, asyncio.current_task()
        while stream.task is me:
            self.opened += 1
            opened_at = self._clock()
            stream.opens(opened_at)
            try:
                await self._read(place, stream)
                ended_early = self._clock() - opened_at < self._renew_after / 2
            except _REFUSALS as error:
                if stream.task is me:
                    words = "Flyte refuses a stream of updates (WatchRuns) of %s, so runs there are polled instead. %s"
                    self._leave_alone(place, math.inf, words, error)
                    stream.opened_at = None
                return
            except RpcError as error:
                log.debug("The stream of updates of %s ended: %s", place, error)
                ended_early = True
            except Exception:
                log.exception("The stream of updates of %s failed with an unexpected error; it is opened again.", place)
                ended_early = True
            if stream.task is not me:
                # Libraries swallow a cancellation that comes together with what they wait for (Python's wait_for before
                # 3.12 does): the stream that nobody wants any more must not open another.
                return
            # Its first message tells what was there before; one more is progress.
            failures = failures + 1 if ended_early and stream.messages < 2 else 0
            stream.opened_at = None
            await self._sleep(backoff(failures, _FIRST_PAUSE, _LONGEST_PAUSE))

    async def _read(self, place: Place, stream: _Stream) -> None:
        client = self._client()
        call = watch_runs(place.project, place.domain, client.config.org)
        messages = client.async_transport().server_stream(call.method, call.request, timeout=self._renew_after)
        async with aclosing(messages):
            async for message in messages:
                stream.messages += 1
                for key, phase in call.read(message).items():
                    self._heard(key, phase)


class _Stream:
    """One place's stream: the task that keeps it open, and how it stands."""

    def __init__(self, hints: Hints, place: Place) -> None:
        self._hints = hints
        self._place = place
        self.opened_at: float | None = None
        self.messages = 0
        self._counted = 1
        self.task: asyncio.Task[None] | None = None
        """The one that keeps it open; another one that still runs must end."""
        self._start()

    def _start(self) -> None:
        # In an empty context: a task's log follows its context, and this task works for all waits.
        loop = asyncio.get_running_loop()
        self.task = contextvars.Context().run(loop.create_task, self._hints.follow(self._place, self))

    def opens(self, now: float) -> None:
        self.opened_at, self.messages, self._counted = now, 0, 1

    def working(self) -> bool:
        if self.opened_at is None:
            return False
        return self.messages > 0 or self._hints._clock() - self.opened_at >= _SURELY_OPEN_AFTER

    def told_since_asked(self) -> int:
        """How many messages came since this was asked last; what was there before does not count."""
        told, self._counted = self.messages - self._counted, max(1, self.messages)
        return told

    def renew(self) -> None:
        if self.task and not self.task.done():
            self.close()
            self._start()

    def close(self) -> None:
        task, self.task = self.task, None
        if task:
            task.cancel()
