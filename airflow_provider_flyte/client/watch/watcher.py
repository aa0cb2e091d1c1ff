"""RunWatcher: many waits, one poll, one stream.

All runs that are waited for over one client are polled together: one terminal-only ListRuns for at most 2,000 names
an interval is the truth. What no answer has shown yet, or not for ten minutes, is asked for without the phase filter,
which distinguishes a run that does not exist from one that is running. A WatchRuns stream a project ends a wait
at once. A wait costs a dictionary entry and a future.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from functools import partial
from types import TracebackType
from typing import Any

from airflow_provider_flyte.client.arguments import positive, seconds
from airflow_provider_flyte.client.client import FlyteClient
from airflow_provider_flyte.client.run_key import ProjectDomain, RunKey
from airflow_provider_flyte.client.verdict import WaitRules, WaitState
from airflow_provider_flyte.client.watch.asking import Asking
from airflow_provider_flyte.client.watch.conditions import Conditions
from airflow_provider_flyte.client.watch.current_client import CurrentClient
from airflow_provider_flyte.client.watch.deadlines import Deadlines
from airflow_provider_flyte.client.watch.open_waits import OpenWaits
from airflow_provider_flyte.client.watch.pacing import (
    MAX_CALLS_PER_SECOND,
    MIN_POLL_INTERVAL,
    POLL_INTERVAL,
    Budget,
    Pace,
)
from airflow_provider_flyte.client.watch.poller import Poller
from airflow_provider_flyte.client.watch.progress import Progress
from airflow_provider_flyte.client.watch.project_polls import Means, ProjectPolls, start, waits_of
from airflow_provider_flyte.client.watch.results import WaitResult, WaitResults, only_result
from airflow_provider_flyte.client.watch.run_logs import RunLogs
from airflow_provider_flyte.client.watch.status import WatcherStatus
from airflow_provider_flyte.client.watch.stream import Streams
from airflow_provider_flyte.client.watch.turns import Turns
from airflow_provider_flyte.client.watch.waits import Wait


class RunWatcher:
    """Waits for any number of runs over one client; use it as ``async with RunWatcher(client) as watcher``.

    :param client: the client to ask with; it is not closed.
    :param poll_interval: maximum seconds between two polls when all is quiet. A wait may ask for less.
    :param rules: how long a wait tolerates a missing run and trouble; a wait may have its own.
    :param min_poll_interval: seconds between two polls while there is something to find.
    :param max_calls_per_second: never more calls than this on average, even if it takes longer than ``poll_interval``.
    :param stream: whether to have Flyte send ends by itself (WatchRuns), which ends a wait at once.
    :param renew: called for another client when calls are refused, or fail for half a minute; None: there is none.
    :param clock: seconds that only grow.
    :param sleep: how the watcher waits between two polls.
    """

    def __init__(
        self,
        client: FlyteClient,
        *,
        poll_interval: float = POLL_INTERVAL,
        rules: WaitRules | None = None,
        min_poll_interval: float = MIN_POLL_INTERVAL,
        max_calls_per_second: float = MAX_CALLS_PER_SECOND,
        stream: bool = True,
        renew: Callable[[], Awaitable[FlyteClient | None]] | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._current = CurrentClient(client, renew, self._renew_streams, clock)
        self._rules = rules or WaitRules()
        self._clock = clock
        self._min_poll_interval = seconds("min_poll_interval", min_poll_interval, above_least=True)
        self._longest = seconds("poll_interval", poll_interval, above_least=True)
        self._open = OpenWaits(self._longest)
        self._streams = Streams(self._current.get, self._on_update, self._has_runs, clock, sleep) if stream else None
        self.progress = Progress(self._current.get, clock, sleep)
        self.run_logs = RunLogs(self._current.get, clock, sleep)
        most = positive("max_calls_per_second", max_calls_per_second)
        budget = Budget(most, clock, sleep)
        self._poller = Poller(self._current.get, budget, clock)
        self.asking = Asking(
            self._current,
            self._poller,
            least=self._min_poll_interval,
            longest=self._longest,
            calls_per_second=most,
        )
        self.conditions = Conditions(self.asking, clock, sleep)
        self._turns = Turns(self._leave_empty, self._stop)
        self._means = Means(
            client=self._current.get,
            poller=self._poller,
            budget=budget,
            streams=self._streams,
            turns=self._turns,
            refresh=self._current.refresh,
            answered=self._current.answered,
            wanted=lambda: self._open.interval,
            after_round=self._after_round,
            clock=clock,
            sleep=sleep,
        )
        self._projects: dict[ProjectDomain, ProjectPolls] = {}
        self._ending: set[asyncio.Task[None]] = set()
        """Tasks of projects without waits."""

        self._closing = self._close
        """Bound once, not for each wait."""

        self._deadlines = Deadlines()
        self._ends_by_stream = self._ends_by_poll = 0
        """In projects that have no waits any more."""

    async def __aenter__(self) -> RunWatcher:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    def __len__(self) -> int:
        return waits_of(self._projects.values())

    @property
    def status(self) -> WatcherStatus:
        """The watcher's state."""
        projects = self._projects.values()
        return WatcherStatus(
            waits=len(self),
            calls=self._poller.calls,
            streams=self._streams.opened if self._streams else 0,
            stream_up=self._streams is not None and all(map(self._streams.working, self._projects)),
            ends_by_stream=self._ends_by_stream + sum(each.ends_by_stream for each in projects),
            ends_by_poll=self._ends_by_poll + sum(each.ends_by_poll for each in projects),
            answered_ago=self._current.answered_ago,
        )

    def close(self) -> None:
        """End the background tasks, and waits that are still open as cancelled; more than once does no harm."""
        self._stop(asyncio.CancelledError())

    async def aclose(self) -> None:
        """Close, and wait for the background tasks, so that the client or the loop can be closed after it."""
        streams = self._streams.tasks if self._streams else ()
        self.close()
        await asyncio.gather(*self._ending, *streams, return_exceptions=True)

    def wait(
        self,
        name: str,
        *,
        project: str | None = None,
        domain: str | None = None,
        interval: float | None = None,
        rules: WaitRules | None = None,
        on_trouble: Callable[[str], None] | None = None,
        on_progress: Callable[[str], None] | None = None,
    ) -> Coroutine[Any, Any, WaitResult]:
        """Wait until the run is over, missing or unreachable; which one it is stands in the result's ``outcome``.

        :param name: the run's name; it need not exist yet.
        :param project: by default the config's.
        :param domain: by default the config's.
        :param interval: maximum seconds until an end is noticed where the stream does not send it; by default the
            watcher's.
        :param rules: by default the watcher's rules.
        :param on_trouble: called in the caller's own context with a line for its log when trouble begins and ends.
        :param on_progress: the same, once a minute at most, with the watcher's state.
        :raises ConfigError: for a name that no run can have, or without project or domain.
        """
        begin = partial(
            self.wait_each,
            [name],
            project=project,
            domain=domain,
            interval=interval,
            rules=rules,
            on_trouble=on_trouble,
            on_progress=on_progress,
        )
        return only_result(begin)

    def wait_each(
        self,
        names: Iterable[str],
        *,
        project: str | None = None,
        domain: str | None = None,
        interval: float | None = None,
        rules: WaitRules | None = None,
        timeout: float | None = None,
        on_trouble: Callable[[str], None] | None = None,
        on_progress: Callable[[str], None] | None = None,
    ) -> WaitResults:
        """Wait for several runs, and give each result as soon as it is known; the arguments are those of :meth:`wait`.

        ``with watcher.wait_each(names) as results``, then ``async for result in results``: the end of the block is the
        end of the waits that are left. Each line is given once, however many of the runs it concerns.

        :param names: the runs' names, each once.
        :param timeout: seconds after which the iteration ends, whatever is left; None: never.
        """
        keys = [self._current.client.config.key(name, project, domain) for name in names]
        now = self._clock()
        results = WaitResults(
            rules=rules or self._rules,
            interval=self._longest if interval is None else seconds("interval", interval, above_least=True),
            on_trouble=on_trouble,
            on_progress=on_progress,
            began=now,
            close=self._closing,
        )
        state = WaitState(absent_since=now)
        all_polls = [self._polls(key.project_domain) for key in keys]
        results.take(
            tuple(Wait(polls.where, key.name, state, results) for polls, key in zip(all_polls, keys, strict=True))
        )
        for polls, wait in zip(all_polls, results.waits, strict=True):
            polls.waits.add(wait)
        # A wait with a shorter interval than all others makes the next rounds come sooner.
        everywhere = self._open.add(results)
        if timeout is not None:
            self._deadlines.add(results, asyncio.get_running_loop().time() + timeout)
        for polls in self._projects.values() if everywhere else all_polls:
            polls.wake()
        return results

    def _polls(self, project_domain: ProjectDomain) -> ProjectPolls:
        polls = self._projects.get(project_domain)
        if polls is None:
            polls = self._projects[project_domain] = ProjectPolls(
                project_domain, self._means, Pace(self._min_poll_interval, self._longest)
            )
            start(polls, self._done)
        return polls

    # -- waits come and go

    def _close(self, results: WaitResults) -> None:
        if not self._open.remove(results):
            return
        self._deadlines.leave(results)
        for wait in results.waits:
            if polls := self._projects.get(wait.project_domain):
                polls.waits.discard(wait)
                if not polls.waits:
                    self._leave(polls)

    def _leave_empty(self) -> None:
        for polls in [polls for polls in self._projects.values() if not polls.waits]:
            self._leave(polls)

    def _leave(self, polls: ProjectPolls) -> None:
        """End the background tasks of a project without waits; the next wait starts others."""
        del self._projects[polls.where]
        self._ends_by_stream += polls.ends_by_stream
        self._ends_by_poll += polls.ends_by_poll
        if polls.task:
            self._ending.add(polls.task)
        polls.wake()
        self._want_streams()

    def _done(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()):
            # A wait must not hang because its watcher broke.
            self._stop(error)
        self._ending.discard(task)

    def _stop(self, error: BaseException) -> None:
        self._turns.close()
        self.conditions.close()
        for polls in self._projects.values():
            polls.waits.end_all(error)
            if polls.task:
                self._ending.add(polls.task)
        self._projects.clear()
        for task in self._ending:
            task.cancel()
        if self._streams:
            self._streams.close()

    # -- for the polls

    def _after_round(self) -> None:
        self._want_streams()
        now, line = self._clock(), ""
        for results in self._open.due(now):
            line = line or str(self.status)
            results.notify_progress(results.trouble(now) or line, now)

    def _want_streams(self) -> None:
        if self._streams:
            self._streams.want(self._projects)

    # -- for the streams

    def _renew_streams(self) -> None:
        if self._streams:
            self._streams.renew()

    def _on_update(self, key: RunKey, phase: int) -> None:
        if polls := self._projects.get(key.project_domain):
            polls.received(key.name, phase)

    def _has_runs(self, project_domain: ProjectDomain) -> bool:
        polls = self._projects.get(project_domain)
        return polls is not None and bool(polls.waits.groups)
