"""Streams of updates: one WatchRuns a project and domain, which ends a wait at once and is never trusted alone.

A stream loses messages, goes silent or ends without an error, so what it sends is believed, and nothing else is. It
is open while somebody waits, and opened again when it ended or missed an end, as often as its price allows: opening one
is the dearest call there is on a large installation.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import math
from collections.abc import Awaitable, Callable, Iterable
from contextlib import aclosing

from airflow_provider_flyte.client.backoff import backoff
from airflow_provider_flyte.client.client import FlyteClient
from airflow_provider_flyte.client.errors import (
    InvalidArgumentError,
    NotFoundError,
    PermissionDeniedError,
    RpcError,
    UnimplementedError,
)
from airflow_provider_flyte.client.flows.calls import watch_runs
from airflow_provider_flyte.client.run_key import ProjectDomain, RunKey

log = logging.getLogger(__name__)

MOST_STREAMS = 50
"""Maximum number of streams on one client. Proxies allow 100 to 128 streams a connection, a backend 250; beyond that,
even polls hang."""

SHARE = 0.01
"""Most of the time that the backend may spend on opening a project's stream: with 600,000 runs it sorts them all, which
takes 2-5 s, and sends nothing to anybody meanwhile."""

_OPENS_WITHIN = 10.0
"""Seconds until the first message, which has the runs that exist, where some do."""

_SURELY_OPEN_AFTER = 2.0
"""The stream of a project without runs sends nothing, not even that it is open."""

_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 30.0
_MOST_MISSES, _ALONE_FOR = 3, 600.0
"""A stream that missed so many ends in a row is closed for so many seconds: a proxy holds it back."""

_MOST_WASTED, _DEAR_FOR = 2, 3600.0
"""A stream that was cut so often in a row before it had paid is not opened for so many seconds."""

_REFUSALS = (UnimplementedError, InvalidArgumentError, PermissionDeniedError, NotFoundError)


class Streams:
    """The streams of all projects where somebody waits.

    :param client: gives the client to open streams with; it may be another one each time.
    :param on_update: called with each run that a stream names, and its phase.
    :param has_runs: whether a project is known to have runs, so that its stream begins with a message.
    :param clock: seconds that only grow.
    :param sleep: how a pause before another try is spent.
    """

    def __init__(
        self,
        client: Callable[[], FlyteClient],
        on_update: Callable[[RunKey, int], None],
        has_runs: Callable[[ProjectDomain], bool],
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._client = client
        self._on_update = on_update
        self._has_runs = has_runs
        self._clock = clock
        self._sleep = sleep
        self._streams: dict[ProjectDomain, _Stream] = {}
        self._alone: dict[ProjectDomain, float] = {}
        """Projects without a stream, until this time."""
        self._logged: set[ProjectDomain] = set()
        self.opened = 0
        """How many streams were opened so far."""

    @property
    def tasks(self) -> list[asyncio.Task[None]]:
        return [stream.task for stream in self._streams.values() if stream.task]

    def want(self, project_domains: Iterable[ProjectDomain]) -> None:
        """Keep streams for these projects and no others."""
        now = self._clock()
        for project_domain, stream in list(self._streams.items()):
            if stream.is_overdue(now) and self._leave_alone(project_domain, _ALONE_FOR):
                log.warning(
                    "The stream of updates (WatchRuns) of %s has sent nothing for %.0f s: a proxy buffers it, or there "
                    "are too many runs. Runs there are polled instead, and the stream is tried again after ten "
                    "minutes.",
                    project_domain,
                    _OPENS_WITHIN,
                )
        wanted = {
            project_domain: None for project_domain in project_domains if self._alone.get(project_domain, now) <= now
        }
        for project_domain in [project_domain for project_domain in self._streams if project_domain not in wanted]:
            self._streams.pop(project_domain).close()
        for project_domain in wanted:
            if len(self._streams) >= MOST_STREAMS:
                break
            if project_domain not in self._streams:
                self._streams[project_domain] = _Stream(self, project_domain)

    def working(self, project_domain: ProjectDomain) -> bool:
        """Whether the stream will most likely send an end there."""
        stream = self._streams.get(project_domain)
        return stream is not None and stream.working()

    def open_since(self, project_domain: ProjectDomain) -> float:
        """From when on the stream there was to send each end; infinite while it is not open."""
        stream = self._streams.get(project_domain)
        return stream.open_since if stream is not None and stream.is_open() else math.inf

    def kept_up(self, project_domain: ProjectDomain) -> None:
        """Note that the stream sent an end that somebody waits for."""
        if stream := self._streams.get(project_domain):
            stream.misses, stream.behind = 0, False

    def missed(self, project_domain: ProjectDomain, ends: int) -> None:
        """Note that polls found so many ends there which the stream should have sent.

        A stream that sent more meanwhile works, and loses some as every stream does; another one is opened again, as
        soon as its budget allows, whose gap may lose more.
        """
        stream = self._streams.get(project_domain)
        if stream is None or stream.messages_since_check() > ends:
            return
        stream.misses += 1
        stream.behind = True
        if stream.misses < _MOST_MISSES:
            if stream.opened_at is not None and self._clock() >= stream.opened_at + stream.earns_after:
                stream.renew()
            return
        if self._leave_alone(project_domain, _ALONE_FOR):
            log.warning(
                "The stream of updates (WatchRuns) of %s sends nothing, perhaps because a proxy buffers it. Runs there "
                "are polled instead, and the stream is tried again after ten minutes.",
                project_domain,
            )

    def renew(self) -> None:
        """Open all streams again: the client is another one."""
        self._alone.clear()
        for stream in self._streams.values():
            stream.misses = 0
            stream.renew()

    def close(self) -> None:
        """Close all streams."""
        for stream in self._streams.values():
            stream.close()
        self._streams.clear()

    def _leave_alone(self, project_domain: ProjectDomain, seconds: float) -> bool:
        """Close the stream there for so long; returns whether to log it, which is done once."""
        self._alone[project_domain] = self._clock() + seconds
        if stream := self._streams.pop(project_domain, None):
            stream.close()
        first = project_domain not in self._logged
        self._logged.add(project_domain)
        return first

    # -- for the streams

    async def follow(self, project_domain: ProjectDomain, stream: _Stream) -> None:
        """Keep a stream open until no wait is left there, or it does not pay."""
        failures, wasted, me = 0, 0, asyncio.current_task()
        while stream.task is me:
            self.opened += 1
            stream.opens(self._clock(), self._has_runs(project_domain))
            try:
                await self._read(project_domain, stream)
            except _REFUSALS as error:
                if stream.task is me and self._leave_alone(project_domain, math.inf):
                    log.warning(
                        "Flyte refuses a stream of updates (WatchRuns) of %s, so runs there are polled instead. %s",
                        project_domain,
                        error,
                    )
                return
            except RpcError as error:
                log.debug("The stream of updates of %s ended: %s", project_domain, error)
            except Exception:
                log.exception(
                    "The stream of updates of %s failed with an unexpected error; it is opened again.", project_domain
                )
            if stream.task is not me:
                # Libraries swallow a cancellation that comes together with what they wait for (Python's wait_for before
                # 3.12 does): a stream that is no longer wanted must not open another.
                return
            assert stream.opened_at is not None
            to_earn = stream.opened_at + stream.earns_after - self._clock()
            stream.opened_at = None
            wasted = wasted + 1 if to_earn > 0 and stream.cost >= 1 else 0
            if wasted >= _MOST_WASTED:
                if self._leave_alone(project_domain, _DEAR_FOR):
                    log.info(
                        "The stream of updates (WatchRuns) of %s takes Flyte %.1f s to open and is cut soon after, so "
                        "it does not pay. Runs there are polled instead for an hour.",
                        project_domain,
                        stream.cost,
                    )
                return
            # Its first message has what existed before; one more is progress. One that was cut while nothing
            # happened need not be here again at once.
            failures = failures + 1 if stream.messages < 2 else 0
            await self._sleep(max(to_earn, backoff(failures, _FIRST_PAUSE, _LONGEST_PAUSE)))

    async def _read(self, project_domain: ProjectDomain, stream: _Stream) -> None:
        client = self._client()
        call = watch_runs(project_domain.project, project_domain.domain, client.config.org)
        messages = client.async_transport().server_stream(call.method, call.request)
        async with aclosing(messages):
            async for message in messages:
                stream.receives(self._clock())
                for key, phase in call.read(message).items():
                    self._on_update(key, phase)


class _Stream:
    """The stream of one project: the task that keeps it open, and its state."""

    def __init__(self, streams: Streams, project_domain: ProjectDomain) -> None:
        self._streams = streams
        self._project_domain = project_domain
        self.opened_at: float | None = None
        self.open_since = math.inf
        """When it was surely open."""

        self.messages = 0
        self.cost = 0.0
        """Seconds that Flyte took to open it."""

        self.misses = 0
        """Ends in a row that it did not send."""

        self.behind = False
        """Whether it missed the last one."""

        self._has_runs = False
        self._counted = 1
        self.task: asyncio.Task[None] | None = None
        """The task that keeps it open; another one that still runs must end."""
        self._start()

    def _start(self) -> None:
        # In an empty context: a task's log follows its context, and this task works for all waits.
        loop = asyncio.get_running_loop()
        self.task = contextvars.Context().run(loop.create_task, self._streams.follow(self._project_domain, self))

    @property
    def earns_after(self) -> float:
        """Seconds after its opening from which on another one may be opened."""
        return self.cost / SHARE

    def opens(self, now: float, has_runs: bool) -> None:
        self.opened_at, self.messages, self._counted, self.behind = now, 0, 1, False
        self.open_since = math.inf if has_runs else now + _SURELY_OPEN_AFTER
        self._has_runs = has_runs

    def receives(self, now: float) -> None:
        """Note a message."""
        if not self.messages and self._has_runs and self.opened_at is not None:
            self.cost = now - self.opened_at
        self.open_since = min(self.open_since, now)
        self.messages += 1

    def is_overdue(self, now: float) -> bool:
        """Whether its first message is overdue."""
        waits = self._has_runs and not self.messages and self.opened_at is not None
        return waits and now - (self.opened_at or 0.0) >= _OPENS_WITHIN

    def working(self) -> bool:
        return self.is_open() and not self.behind

    def is_open(self) -> bool:
        return self.opened_at is not None and self.open_since <= self._streams._clock()

    def messages_since_check(self) -> int:
        """How many messages came since the last call; the first message of a stream does not count."""
        count, self._counted = self.messages - self._counted, max(1, self.messages)
        return count

    def renew(self) -> None:
        if self.task and not self.task.done():
            self.close()
            self._start()

    def close(self) -> None:
        task, self.task = self.task, None
        if task:
            task.cancel()
