"""The ends of runs for one trigger for assets: over the watcher that all triggers share, from the state that is kept,
and past whatever breaks meanwhile.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from airflow_provider_flyte.client.backoff import backoff
from airflow_provider_flyte.client.errors import ConfigError
from airflow_provider_flyte.client.moments import now
from airflow_provider_flyte.client.outside import one_line
from airflow_provider_flyte.client.watch.feed_state import OVERLAP, FeedState
from airflow_provider_flyte.exceptions import FlyteConfigurationError
from airflow_provider_flyte.wait.kept_state import KeptState, Store
from airflow_provider_flyte.wait.shared_watcher import Lease

log = logging.getLogger(__name__)

_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0


@dataclass(frozen=True)
class Watched:
    """What a trigger watches.

    :param since: the first creation, in microseconds since the epoch; None: from now on.
    """

    flyte_conn_id: str
    project: str | None
    domain: str | None
    task_name: str
    outcomes: Sequence[str]
    labels: Mapping[str, str] | None
    poll_interval: float
    since: int | None

    @property
    def key(self) -> str:
        """Under which its state is kept: what is watched, not how often or since when."""
        parts = [self.flyte_conn_id, self.project, self.domain, self.task_name, sorted(self.outcomes)]
        labels = None if self.labels is None else sorted(self.labels.items())
        digest = hashlib.sha256(json.dumps([*parts, labels]).encode()).hexdigest()
        return f"flyte_runs_{digest[:16]}"

    def __str__(self) -> str:
        runs = f"runs of task {self.task_name}" if self.task_name else "the runs of all tasks"
        return f"the ends of {runs}" + (f" in {self.project}/{self.domain}" if self.project and self.domain else "")


class RunEnds:
    """The ends of runs, as payloads of events; use ``async for payload in ends.payloads()``.

    :param watched: what is watched.
    :param stores: the stores of the assets that it is watched for.
    """

    def __init__(self, watched: Watched, stores: Sequence[Store] = ()) -> None:
        self._watched = watched
        self._kept = KeptState(stores, watched.key, str(watched), now)
        self._state: FeedState | None = None
        self._problem = ""

    async def payloads(self) -> AsyncGenerator[tuple[str, dict[str, Any]], None]:
        """Each run that has ended so, its name and the payload of its event. It never ends by itself."""
        state = await self._begin()
        keeping = asyncio.create_task(self._kept.keep(state))
        failures = 0
        try:
            while True:
                lease = Lease(self._watched.flyte_conn_id)
                try:
                    async with aclosing(self._from(lease, state)) as payloads:
                        async for payload in payloads:
                            failures = 0
                            yield payload
                except Exception as error:
                    # The next time the connection is read anew.
                    lease.retire()
                    self._report(error)
                finally:
                    lease.release()
                failures += 1
                await asyncio.sleep(backoff(failures, _FIRST_PAUSE, _LONGEST_PAUSE))
        finally:
            keeping.cancel()

    def settle(self, name: str) -> None:
        """Note that the event of a run is stored."""
        if self._state is not None:
            self._state.settle(name)

    async def save(self) -> None:
        """Keep what is known of the runs."""
        if self._state is not None:
            await self._kept.save(self._state)

    async def _begin(self) -> FeedState:
        state = await self._kept.load()
        if state is None:
            since, at = self._watched.since, now()
            state = FeedState(at - OVERLAP, began=at) if since is None else FeedState(since)
            # At once, so that what ends from now on is reported whatever happens to this process.
            await self._kept.save(state)
        self._state = state
        return state

    async def _from(self, lease: Lease, state: FeedState) -> AsyncGenerator[tuple[str, dict[str, Any]], None]:
        watcher = await lease.watcher()
        # Large, and imported in a thread by now.
        from airflow_provider_flyte.client.verdict import Outcome
        from airflow_provider_flyte.client.watch.run_feed import RunFeed
        from airflow_provider_flyte.report.run_payload import run_payload

        watched = self._watched
        feed = RunFeed(
            watcher,
            watcher.asking.config.project_domain(watched.project, watched.domain, str(watched)),
            watched.task_name,
            state,
            outcomes=[Outcome(outcome) for outcome in watched.outcomes],
            labels=watched.labels,
            interval=watched.poll_interval,
            on_trouble=log.warning,
            now=now,
        )
        if self._problem:
            log.info("Watching %s again.", watched)
            self._problem = ""
        else:
            log.info("Watching %s over the Airflow connection %r.", watched, watched.flyte_conn_id)
        async with aclosing(feed.ends()) as ends:
            async for run in ends:
                yield run.name, run_payload(run.row, watcher.asking.config.run_url(run.row.key), run.labels)

    def _report(self, error: Exception) -> None:
        """Log why nothing is watched just now, once."""
        expected = isinstance(error, FlyteConfigurationError | ConfigError)
        problem = one_line(str(error) if expected else f"{type(error).__name__}: {error}")
        if problem != self._problem:
            self._problem = problem
            log.warning(
                "Still to watch %s; this is tried again. %s",
                self._watched,
                problem,
                exc_info=None if expected else error,
            )
