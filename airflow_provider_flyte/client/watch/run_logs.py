"""The logs of runs, for those who ask for them while they wait.

A stream each, and few of them. Nothing here ends a wait or holds it up.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import aclosing

from airflow_provider_flyte.client.backoff import backoff
from airflow_provider_flyte.client.client import FlyteClient
from airflow_provider_flyte.client.config import FlyteConfig
from airflow_provider_flyte.client.errors import FlyteError, NotFoundError
from airflow_provider_flyte.client.flows.run_log import REFUSALS, LogOfRun, lines_in, no_log_yet, not_served

log = logging.getLogger(__name__)

MOST_FOLLOWED = 20
"""Maximum number of these streams in one process."""

BYTES_A_SECOND, LINES_READ_A_SECOND = 4 << 20, 40_000
"""How much of all logs of a process together is read at most, so that long ones take little of an event loop; what is
sent quicker than that waits at the server. A line costs some microseconds, however short it is."""

_AHEAD = 0.05
"""Seconds that are read ahead of that, because short pauses cost more than they spare."""

LOOK_EVERY = 30.0
"""Seconds of silence after which it is asked whether the attempt is over: a hosted backend leaves its stream open."""

_RENEWED_AFTER = 600.0
"""Seconds of silence after which a stream is opened again: it may be dead."""

_TICK = 5.0
_FIRST_PAUSE, _PAUSE_BEFORE, _LONGEST_PAUSE = 1.0, 5.0, 30.0
"""Seconds between two calls about a run: at first, the most before it runs, and the most then."""

_SAID_AFTER = 5
"""How many times a run that is running has no log until that is said."""


class Places:
    """How many streams there may be.

    :param most: the number.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._taken = 0
        self._paid_until = 0.0
        self.followed = 0
        """How many logs are followed, with a stream or without one."""

    @property
    def pause(self) -> float:
        """Seconds between two calls about a run at least: together they are as many as with all places taken."""
        return _PAUSE_BEFORE * self.followed / self._most if self.followed > self._most else 0.0

    def take(self) -> bool:
        """Take a place, if one is free."""
        if self._taken >= self._most:
            return False
        self._taken += 1
        return True

    def give_back(self) -> None:
        """Free a place."""
        self._taken -= 1

    def pay(self, now: float, size: int, lines: int) -> float:
        """Note a message that one of the streams has read.

        :param now: the clock's time.
        :param size: of it in bytes.
        :returns: seconds that this stream pauses.
        """
        cost = max(size / BYTES_A_SECOND, lines / LINES_READ_A_SECOND)
        self._paid_until = max(self._paid_until, now) + cost
        ahead = self._paid_until - now
        return ahead if ahead >= _AHEAD else 0.0


_PLACES = Places(MOST_FOLLOWED)


class RunLogs:
    """Follows the logs of runs.

    :param client: gives the client to ask with; it may be another one each time.
    :param clock: seconds that only grow.
    :param sleep: how a pause is spent.
    :param places: the streams that there may be; by default those of the process.
    """

    def __init__(
        self,
        client: Callable[[], FlyteClient],
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
        places: Places = _PLACES,
    ) -> None:
        self.by_default = False
        """Whether logs are written for those who do not say it themselves; to be set."""

        self._client = client
        self.clock = clock
        self.sleep = sleep
        self.places = places

    @property
    def config(self) -> FlyteConfig:
        """The current client's config."""
        return self._client().config

    async def follow(self, run: LogOfRun) -> None:
        """Have the lines of a run's log written as they come, one attempt after the other, until it is over.

        Cancel it to end it sooner.

        :param run: the run, which need not exist yet.
        """
        self.places.followed += 1
        try:
            await self._follow(run)
        except REFUSALS as error:
            run.on_log(not_served(run.key, error))
        except Exception:
            log.exception("The log of a run could not be read because of an unexpected error.")
        finally:
            self.places.followed -= 1

    async def _follow(self, run: LogOfRun) -> None:
        failures, waited = 0, False
        while True:
            phase, news = run.phase, False
            trouble = await self._look(run)
            if run.phase != phase:
                failures = 0
            if trouble is None and run.begun:
                was_over = run.attempt_is_over
                # Only for a stream: a run may be queued for hours, and have no log then.
                waited = await self._take_place(run, logged=waited)
                try:
                    news, trouble = await self._stream(run)
                finally:
                    self.places.give_back()
                # Its log was read to the end; or the pod is gone, by TailLogs (GetRunDetails answers NOT_FOUND to any
                # error of its database). Of an attempt that goes on there is none yet.
                over = was_over if trouble is None else run.attempt_is_over and isinstance(trouble, NotFoundError)
                if over and not run.next_attempt():
                    return
            # Behind a proxy that cuts streams each one ends in an error, after what it gave.
            failures = 0 if news else failures + 1
            if failures == _SAID_AFTER and trouble is not None and run.begun and not run.position.count:
                run.on_log(no_log_yet(run.key, run.position.attempt, trouble))
            pause = backoff(failures, _FIRST_PAUSE, _LONGEST_PAUSE if run.begun else _PAUSE_BEFORE)
            await self.sleep(pause if news else max(pause, self.places.pause))

    async def _take_place(self, run: LogOfRun, *, logged: bool) -> bool:
        """Wait for a place; returns whether that was ever logged."""
        while not self.places.take():
            if not logged:
                run.on_log(
                    f"The log of Flyte run {run.key.name} follows later, because this process writes as many logs of "
                    f"runs as it may at once ({MOST_FOLLOWED})."
                )
            logged = True
            await self.sleep(_TICK)
        return logged

    async def _look(self, run: LogOfRun) -> FlyteError | None:
        """Find out where the run is; returns why not, unless it never will be."""
        try:
            await self._client().aexecute(run.look())
        except REFUSALS:
            raise
        except FlyteError as error:
            return error
        return None

    async def _stream(self, run: LogOfRun) -> tuple[bool, FlyteError | None]:
        """Read a stream until it ends, or the attempt is over; returns whether there was news, and its error."""
        reading = _Reading(self, run)
        task = asyncio.create_task(reading.read(self._client()))
        try:
            looked_at = self.clock()
            while not task.done():
                await self._either(task, _TICK)
                run.tell_left_out()
                now = self.clock()
                if now - reading.heard_at >= _RENEWED_AFTER:
                    break
                if now - max(looked_at, reading.heard_at) >= LOOK_EVERY:
                    looked_at = now
                    # Without an answer the stream goes on.
                    await self._look(run)
                    if run.attempt_is_over:
                        break
            # One that was cancelled lost its client, for which there is another one by now.
            if task.done() and not task.cancelled():
                task.result()
        except REFUSALS:
            raise
        except FlyteError as error:
            return reading.news, error
        finally:
            task.cancel()
        return reading.news, None

    async def _either(self, task: asyncio.Task[None], pause: float) -> None:
        """Wait for the task, so many seconds at most."""
        pausing = asyncio.ensure_future(self.sleep(pause))
        try:
            await asyncio.wait({task, pausing}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            pausing.cancel()


class _Reading:
    """One stream that is read."""

    def __init__(self, logs: RunLogs, run: LogOfRun) -> None:
        self._logs = logs
        self._call = run.stream()
        self.heard_at = logs.clock()
        """When there was a line last."""

        self.news = False
        """Whether there was a line that is new."""

    async def read(self, client: FlyteClient) -> None:
        call, logs = self._call, self._logs
        messages = client.async_transport().server_stream(call.method, call.request, timeout=call.timeout, run=call.run)
        async with aclosing(messages):
            async for message in messages:
                # An empty one keeps a connection alive, and tells nothing of the attempt.
                if lines := lines_in(message):
                    self.heard_at = logs.clock()
                self.news |= call.read(message)
                if pause := logs.places.pay(logs.clock(), message.ByteSize(), lines):
                    await logs.sleep(pause)
