"""RunWatcher: many waits, one question.

Everything that is waited for over one client is asked for together: one terminal-only ListRuns for at most 2,000 names
an interval. What no answer has shown yet, or not for ten minutes, is asked for without the phase filter, which tells a
run that does not exist from one that goes on. A wait costs a dictionary entry and a future.
"""

from __future__ import annotations

import asyncio
import contextvars
import itertools
import logging
import math
import random
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import TypeVar

from airflow_provider_flyte.client.calls import (
    Call,
    Flow,
    chunks,
    find_runs,
    get_run_details,
    run_identifier,
    seen,
)
from airflow_provider_flyte.client.client import FlyteClient
from airflow_provider_flyte.client.errors import (
    FlyteError,
    InvalidArgumentError,
    NotFoundError,
    UnimplementedError,
    is_lasting,
)
from airflow_provider_flyte.client.phase import is_known, phase_name
from airflow_provider_flyte.client.run_key import RunKey
from airflow_provider_flyte.client.waiting import (
    Absent,
    Look,
    Outcome,
    Seen,
    Trouble,
    Verdict,
    WaitRules,
    WaitState,
    decide,
    heard,
    observe,
)

T = TypeVar("T")

log = logging.getLogger(__name__)

NAMES_A_CALL = 2000
"""Most names in one ListRuns; 2,500 cost the server 7 ms."""

_CALLS_AT_ONCE = 10
_LONGEST_PAUSE_IN_TROUBLE = 2.0
_PROOF_LASTS = 600.0
"""Seconds for which a run that was seen is taken to exist: the terminal-only question would not tell."""


@dataclass(frozen=True)
class WaitResult:
    """How a wait ended."""

    key: RunKey
    verdict: Verdict

    @property
    def name(self) -> str:
        """The run's name."""
        return self.key.name

    @property
    def phase(self) -> int | None:
        """The last phase that was seen, None if none was."""
        return self.verdict.phase

    @property
    def outcome(self) -> Outcome:
        """Succeeded, failed, missing or unreachable."""
        return self.verdict.outcome


@dataclass(eq=False, slots=True)
class _Wait:
    key: RunKey
    rules: WaitRules
    interval: float
    state: WaitState
    news: asyncio.Future[None]
    seen_at: float = -math.inf
    lines: list[str] = field(default_factory=list)
    end: Verdict | BaseException | None = None

    def tell(self, news: Verdict | BaseException | str) -> None:
        """Leave the news for the waiting task, which takes it in its own context."""
        if isinstance(news, str):
            self.lines.append(news)
        else:
            self.end = news
        if not self.news.done():
            self.news.set_result(None)

    def proven(self, now: float) -> bool:
        """Whether the run is known to exist, so that only its end is of interest."""
        return self.state.seen is not None and not self.state.absent and now - self.seen_at < _PROOF_LASTS


class RunWatcher:
    """Waits for any number of runs over one client; use it as ``async with RunWatcher(client) as watcher``.

    :param client: the client to ask with; it is not closed.
    :param interval: most seconds between two questions. A wait may ask for less, down to ``shortest_interval``.
    :param rules: how long a wait puts up with a missing run and with trouble; a wait may bring its own.
    :param shortest_interval: bound on what waits may ask for, in seconds.
    :param clock: seconds that only grow.
    :param sleep: how the watcher waits between two questions.
    """

    def __init__(
        self,
        client: FlyteClient,
        *,
        interval: float = 5.0,
        rules: WaitRules | None = None,
        shortest_interval: float = 0.5,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._client = client
        self._interval = interval
        self._rules = rules or WaitRules()
        self._shortest = min(shortest_interval, interval)
        self._clock = clock
        self._sleep = sleep
        self._waits: dict[RunKey, set[_Wait]] = {}
        self._new: set[RunKey] = set()
        """Runs for which a wait began since the last question."""
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._places = asyncio.Semaphore(_CALLS_AT_ONCE)
        self._refused: set[tuple[str, str]] = set()
        """Projects and domains whose runs cannot be listed by name."""
        self._said: set[str] = set()
        self._rounds_in_trouble = 0

    async def __aenter__(self) -> RunWatcher:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __len__(self) -> int:
        return sum(map(len, self._waits.values()))

    def close(self) -> None:
        """End the background task, and waits that are still open as cancelled; more than once does no harm."""
        if self._task is not None:
            self._task.cancel()
            self._task = None
        self._end_all(asyncio.CancelledError())

    async def wait(
        self,
        name: str,
        *,
        project: str | None = None,
        domain: str | None = None,
        interval: float | None = None,
        rules: WaitRules | None = None,
        on_news: Callable[[str], None] | None = None,
    ) -> WaitResult:
        """Wait until the run is over, missing or unreachable; which one it is stands in the result's ``outcome``.

        :param name: the run's name; it need not exist yet.
        :param project: by default the config's.
        :param domain: by default the config's.
        :param interval: most seconds until an end is noticed; by default the watcher's interval.
        :param rules: by default the watcher's rules.
        :param on_news: called in the caller's own context with a line for its log when trouble begins and ends.
        :raises ConfigError: for a name that no run can have, or without project or domain.
        """
        key = self._client.config.key(name, project, domain)
        wait = self._open(key, rules or self._rules, interval or self._interval)
        try:
            while True:
                await wait.news
                wait.news = asyncio.get_running_loop().create_future()
                lines, wait.lines = wait.lines, []
                for line in lines:
                    if on_news:
                        on_news(line)
                if isinstance(wait.end, BaseException):
                    raise wait.end
                if wait.end:
                    return WaitResult(key, wait.end)
        finally:
            self._forget(wait)

    def _open(self, key: RunKey, rules: WaitRules, interval: float) -> _Wait:
        loop = asyncio.get_running_loop()
        wait = _Wait(key, rules, interval, WaitState(absent_since=self._clock()), loop.create_future())
        self._waits.setdefault(key, set()).add(wait)
        self._new.add(key)
        self._wake.set()
        if self._task is None or self._task.done():
            # In an empty context: a task's log follows its context, and this task works for all waits.
            self._task = contextvars.Context().run(loop.create_task, self._watch())
        return wait

    def _forget(self, wait: _Wait) -> None:
        waits = self._waits.get(wait.key)
        if waits is not None:
            waits.discard(wait)
            if not waits:
                del self._waits[wait.key]
        if not self._waits:
            # Nobody waits, so the background task ends; the next wait starts another.
            self._wake.set()

    def _all(self) -> list[_Wait]:
        return list(itertools.chain.from_iterable(self._waits.values()))

    def _end_all(self, error: BaseException) -> None:
        for wait in self._all():
            wait.tell(error)
        self._waits.clear()

    async def _watch(self) -> None:
        try:
            while self._waits:
                await self._ask(self._waits)
                due = self._clock() + self._until_next_question()
                while self._waits and (left := due - self._clock()) > 0:
                    if self._new:
                        await self._ask(self._new)
                        due = min(due, self._clock() + self._until_next_question())
                    else:
                        await self._sleep_or_wake(left)
        except Exception as error:
            # A wait must not hang because its watcher broke.
            self._end_all(error)
        self._task = None

    async def _sleep_or_wake(self, seconds: float) -> None:
        self._wake.clear()
        sleeping, waking = (asyncio.ensure_future(each) for each in (self._sleep(seconds), self._wake.wait()))
        try:
            await asyncio.wait({sleeping, waking}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeping.cancel()
            waking.cancel()

    def _until_next_question(self) -> float:
        wanted = min((wait.interval for wait in self._all()), default=self._interval)
        interval = max(self._shortest, min(self._interval, wanted))
        if self._rounds_in_trouble:
            # Sooner than the interval, so that the end of an outage is noticed; spread over processes.
            longest = min(_LONGEST_PAUSE_IN_TROUBLE, self._shortest * 2 ** min(self._rounds_in_trouble, 8))
            return min(interval, random.uniform(longest / 2, longest))
        return interval

    async def _ask(self, keys: Iterable[RunKey]) -> None:
        """One question about these runs, in as few calls as it takes."""
        # One turn of the loop, so that waits that begin together are asked for together.
        await asyncio.sleep(0)
        now = self._clock()
        groups: dict[tuple[str, str, bool], list[RunKey]] = defaultdict(list)
        for key in keys:
            if waits := self._waits.get(key):
                groups[key.project, key.domain, all(wait.proven(now) for wait in waits)].append(key)
        self._new.clear()
        self._rounds_in_trouble += bool(groups)
        await asyncio.gather(
            *(
                self._ask_some(project, domain, some, terminal_only=proven)
                for (project, domain, proven), members in groups.items()
                for some in chunks(members, NAMES_A_CALL)
            )
        )

    async def _ask_some(self, project: str, domain: str, keys: Sequence[RunKey], *, terminal_only: bool) -> None:
        try:
            if (project, domain) not in self._refused:
                await self._list(project, domain, keys, terminal_only=terminal_only)
            if (project, domain) in self._refused:
                await asyncio.gather(*map(self._look_at, keys))
        except Exception as error:
            # Whatever broke, the waits must not hang for ever: they are told, and asked for again.
            if not isinstance(error, FlyteError):
                log.exception("The question about %d runs broke", len(keys))
            self._saw(keys, dict.fromkeys(keys, _trouble(error)))

    async def _list(self, project: str, domain: str, keys: Sequence[RunKey], *, terminal_only: bool) -> None:
        names = [key.name for key in keys]
        flow = find_runs(project, domain, names, self._client.config.org, terminal_only=terminal_only)
        try:
            found = await self._call(flow)
        except (InvalidArgumentError, UnimplementedError) as error:
            self._refused.add((project, domain))
            self._say_once("filter", "Flyte refuses to list runs by name; asking for each run instead: %s", error)
        else:
            looks: dict[RunKey, Look] = {} if terminal_only else dict.fromkeys(keys, Absent())
            self._saw(keys, looks | {key: Seen(phase) for key, phase in found.items()})

    async def _look_at(self, key: RunKey) -> None:
        """The fallback: one GetRunDetails."""
        look: Look
        try:
            look = seen(await self._call(get_run_details(run_identifier(key, self._client.config.org))))
        except NotFoundError as error:
            # It says so for any error of its database, and ListRuns, which would prove it, is refused.
            look = Trouble(f"Whether the run exists cannot be told. {error}")
        except FlyteError as error:
            look = _trouble(error)
        self._saw([key], {key: look})

    async def _call(self, asked: Call[T] | Flow[T]) -> T:
        async with self._places:
            answer = await self._client.arun(asked, retry_for=0)
        self._rounds_in_trouble = 0
        return answer

    def _saw(self, keys: Iterable[RunKey], looks: Mapping[RunKey, Look]) -> None:
        """Note what a question about these runs showed; of a run without a look it had honestly no news."""
        now = self._clock()
        for key in keys:
            look = looks.get(key)
            for wait in list(self._waits.get(key, ())):
                self._note(wait, look, now)
                verdict = decide(wait.state, now, wait.rules)
                if verdict.over:
                    wait.tell(verdict)
                    self._forget(wait)

    def _note(self, wait: _Wait, look: Look | None, now: float) -> None:
        before = wait.state
        wait.state = heard(before) if look is None else observe(before, look, now)
        if isinstance(look, Trouble) and before.trouble is None:
            wait.tell(f"No answer from Flyte, still waiting: {look.message}")
        elif before.trouble_since is not None and wait.state.trouble is None:
            wait.tell(f"Flyte answers again after {now - before.trouble_since:.0f} s.")
        if isinstance(look, Seen):
            wait.seen_at = now
            if not is_known(look.phase):
                self._say_once(
                    f"phase {look.phase}",
                    "Run %s is in %s, which this provider does not know: not over",
                    wait.key,
                    phase_name(look.phase),
                )

    def _say_once(self, about: str, message: str, *args: object) -> None:
        if about not in self._said:
            self._said.add(about)
            log.warning(message, *args)


def _trouble(error: Exception) -> Trouble:
    return Trouble(str(error) or type(error).__name__, lasting=is_lasting(error))
