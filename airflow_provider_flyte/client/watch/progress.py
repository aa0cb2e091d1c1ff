"""The progress of what runs inside runs, for those who ask for it while they wait.

A stream each for a few of them, because streams share a connection with everything else; the others are asked about one
after the other. Nothing here ends a wait or holds it up.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import aclosing

from airflow_provider_flyte.client.backoff import backoff
from airflow_provider_flyte.client.client import FlyteClient
from airflow_provider_flyte.client.errors import FlyteError
from airflow_provider_flyte.client.flows.progress import EVERY, REFUSALS, SETTLES_WITHIN, ProgressOfRun, not_logged

log = logging.getLogger(__name__)

MOST_FOLLOWED = 20
"""Maximum number of these streams on one client, beside the 50 of ``stream.py``: proxies allow 100 to 128."""

_RENEWED_AFTER = 600.0
"""Seconds after which a stream is opened again: one may stay open and send nothing more."""

_FIRST_PAUSE = 1.0


class Progress:
    """Follows the progress of runs.

    :param client: gives the client to ask with; it may be another one each time.
    :param clock: seconds that only grow.
    :param sleep: how a pause is spent.
    """

    def __init__(
        self,
        client: Callable[[], FlyteClient],
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._client = client
        self._clock = clock
        self._sleep = sleep
        self._streams = 0
        self._one_by_one: asyncio.Lock | None = None

    async def follow(
        self, name: str, project: str | None = None, domain: str | None = None, *, on_progress: Callable[[str], None]
    ) -> None:
        """Give a line about a run's child actions when their counts change, every 30 s at most, until it is over.

        Where Flyte does not send it, one line says so. Cancel it to end it sooner.

        :param name: the run's name; it need not exist yet.
        :param project: by default the config's.
        :param domain: by default the config's.
        :param on_progress: called with each line.
        """
        config = self._client().config
        key = config.key(name, project, domain)
        run = ProgressOfRun(key, config.org, self._clock)
        failures = 0
        while not run.over:
            try:
                if self._streams < MOST_FOLLOWED:
                    await self._stream(run, on_progress)
                    failures = 0
                else:
                    await self._ask(run, on_progress)
                    await self._sleep(EVERY)
                    continue
            except REFUSALS as error:
                on_progress(not_logged(key, error))
                return
            except FlyteError as error:
                failures += 1
                log.debug("The progress of %s could not be read: %s", key, error)
            except Exception:
                log.exception("The progress of a run could not be read because of an unexpected error.")
                return
            await self._sleep(backoff(failures, _FIRST_PAUSE, EVERY))

    async def _stream(self, run: ProgressOfRun, on_progress: Callable[[str], None]) -> None:
        """Read a stream until it ends."""
        changed, reading = asyncio.Event(), None
        self._streams += 1
        try:
            await self._client().aexecute(run.prepare())
            reading = asyncio.create_task(self._read(run, changed))
            while not reading.done():
                await changed.wait()
                # Meanwhile the counts change on, and the newest are said.
                await self._sleep(run.due_in)
                changed.clear()
                await self._say(run, on_progress)
            # One that was cancelled lost its client, for which there is another one by now.
            if not reading.cancelled():
                reading.result()
        finally:
            self._streams -= 1
            if reading is not None:
                reading.cancel()

    async def _read(self, run: ProgressOfRun, changed: asyncio.Event) -> None:
        call = run.watch(_RENEWED_AFTER)
        try:
            messages = (
                self._client()
                .async_transport()
                .server_stream(call.method, call.request, timeout=call.timeout, run=call.run)
            )
            async with aclosing(messages):
                async for message in messages:
                    call.read(message)
                    if run.over:
                        return
                    changed.set()
        finally:
            changed.set()

    async def _ask(self, run: ProgressOfRun, on_progress: Callable[[str], None]) -> None:
        if self._one_by_one is None:
            self._one_by_one = asyncio.Lock()
        # One after the other: with many who ask, each is logged less often.
        async with self._one_by_one:
            await self._client().aexecute(run.ask(2 * SETTLES_WITHIN))
        await self._say(run, on_progress)

    async def _say(self, run: ProgressOfRun, on_progress: Callable[[str], None]) -> None:
        if run.over:
            return
        await self._client().aexecute(run.name_failed())
        line = run.line()
        if line:
            on_progress(line)
