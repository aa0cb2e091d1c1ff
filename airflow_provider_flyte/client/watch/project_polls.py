"""The polls for the runs of one project and domain, from the first wait there to the last.

What no answer has shown yet is asked for without the phase filter, which distinguishes a run that does not exist from
one that is running; of all others only the ends are asked for. Where lists are refused, runs are asked for one by one,
in turns.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from airflow_provider_flyte.client.client import FlyteClient
from airflow_provider_flyte.client.flows.calls import PAGE_SIZE, chunks
from airflow_provider_flyte.client.phase import is_known, is_terminal, phase_name
from airflow_provider_flyte.client.run_key import ProjectDomain
from airflow_provider_flyte.client.verdict import Seen, Trouble
from airflow_provider_flyte.client.watch.pacing import CALLS_AT_ONCE, Budget, Pace
from airflow_provider_flyte.client.watch.poller import Answer, Poller
from airflow_provider_flyte.client.watch.stream import Streams
from airflow_provider_flyte.client.watch.turns import Turns
from airflow_provider_flyte.client.watch.waits import Group, ProjectWaits

log = logging.getLogger(__name__)

_POLLS_BEGIN_WITHIN = 0.25
"""The share of the interval within which all polls of a round begin where the stream sends the ends."""

_STREAM_MAY_TAKE = 1.0
"""Seconds by which a poll may be quicker than the stream's update about the same end."""


Poll = Callable[[], Awaitable[bool | None]]
"""Makes one poll; returns whether Flyte answered, None where it refuses such a list."""


@dataclass(frozen=True)
class Means:
    """The parts of a watcher that all its projects share."""

    client: Callable[[], FlyteClient]
    poller: Poller
    budget: Budget
    streams: Streams | None
    turns: Turns
    refresh: Callable[[FlyteClient, Trouble], Awaitable[bool]]
    """Whether there is another client than the one that met this trouble."""

    answered: Callable[[], None]
    wanted: Callable[[], float]
    """The shortest interval that a wait asks for."""

    after_round: Callable[[], None]
    clock: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]


class ProjectPolls:
    """Polls one project and domain while somebody waits there.

    :param where: the project and domain.
    :param means: what it shares with others.
    :param pace: its own.
    """

    def __init__(self, where: ProjectDomain, means: Means, pace: Pace) -> None:
        self.where = where
        self.waits = ProjectWaits()
        self.task: asyncio.Task[None] | None = None
        self.ends_by_poll = self.ends_by_stream = 0
        self._means = means
        self._pace = pace
        self._pending: dict[str, float] = {}
        """Ends that a poll found and that the stream has not sent yet, and since when."""

        self._in_turns: OrderedDict[str, None] = OrderedDict()
        """Where lists are refused: names in the order in which they are asked for."""

        self._warned: set[int] = set()
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """Check at once whether there is something to do: a wait began, or the last one has ended."""
        self._wake.set()

    async def follow(self) -> None:
        """Poll until no wait is left here."""
        clock = self._means.clock
        while self.waits:
            due = clock() + await self._round()
            self._check_stream()
            self._means.after_round()
            while self.waits and (left := due - clock()) > 0:
                if self.waits.new:
                    # At once, as far as the budget of calls allows.
                    due = min(due, clock() + await self._round(only_new=True))
                else:
                    await self._sleep_or_wake(left)

    async def _sleep_or_wake(self, seconds: float) -> None:
        self._wake.clear()
        sleeping, waking = (asyncio.ensure_future(each) for each in (self._means.sleep(seconds), self._wake.wait()))
        try:
            await asyncio.wait({sleeping, waking}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeping.cancel()
            waking.cancel()

    # -- polls

    async def _round(self, *, only_new: bool = False) -> float:
        """Poll for all, in few calls; returns the seconds from the beginning of this round to that of the next."""
        # One turn of the loop, so that waits that begin together are polled together.
        await asyncio.sleep(0)
        waits, pace, began = self.waits, self._pace, self._means.clock()
        streaming = self._means.streams is not None and self._means.streams.working(self.where)
        new = list(waits.new)
        waits.new.clear()
        if new and not streaming:
            pace.hurry()
        if self._means.poller.can_list(self.where):
            young = new if only_new else list(waits.young.names)
            answered = await self._list_all(young, only_new=only_new, streaming=streaming)
        else:
            answered = await self._ask_in_turns(new, only_new=only_new)
        if answered:
            pace.answered()
        elif answered is False:
            pace.failed()
        seldom = streaming and not waits.young.names and self._means.budget.is_short
        return pace.next(self._means.wanted(), self._means.clock() - began, seldom=seldom)

    async def _list_all(self, young: Sequence[str], *, only_new: bool, streaming: bool) -> bool | None:
        """Poll all groups; returns whether Flyte answered, None where there was nothing to poll."""
        waits, polls = self.waits, list[Poll]()
        if young:
            polls.append(partial(self._prove, waits.young, young))
        if not only_new:
            waits.tidy()
            to_prove = waits.to_prove(self._means.clock(), self._pace.last)
            for group in waits.groups:
                prove = group in to_prove
                polls.append(partial(self._prove, group, list(group.names)) if prove else partial(self._poll, group))
        answers: list[bool | None] = []
        if self._pace.in_trouble and polls:
            # One poll shows whether the trouble is over.
            answers.append(await polls.pop(0)())
            if answers == [False]:
                self._fail_others()
                polls.clear()
        if streaming:
            # The stream sends the ends, which are not to stand behind lists, in Flyte or in this loop: fifteen lists at
            # once held 1 % of the ends up for 13 ms and more.
            answers += await self._one_after_the_other(polls)
        else:
            answers += await asyncio.gather(*(poll() for poll in polls))
        if None in answers:
            return await self._ask_in_turns(young, only_new=False)
        return any(answers) if answers else None

    async def _one_after_the_other(self, polls: Sequence[Poll]) -> list[bool | None]:
        """Poll all groups, each when the one before has its answer; returns what each poll returned.

        Where answers are slow, or do not come, the next one begins without: all have begun within a quarter of the
        interval.
        """
        begun: list[asyncio.Future[bool | None]] = []
        try:
            for poll in polls:
                begun.append(asyncio.ensure_future(poll()))
                await asyncio.wait(begun[-1:], timeout=self._pace.last * _POLLS_BEGIN_WITHIN / len(polls))
            return await asyncio.gather(*begun)
        finally:
            for each in begun:
                each.cancel()

    def _fail_others(self) -> None:
        """Note the failure of one poll for the other groups too, whose polls are not made."""
        groups = [self.waits.young, *self.waits.groups]
        newest = max(groups, key=lambda group: group.failures)
        for group in groups:
            if newest.trouble and group is not newest and group.names:
                self._do_failed(group, newest.trouble)

    async def _poll(self, group: Group) -> bool | None:
        """Poll which of a group are over; returns whether Flyte answered, None where it refuses such a list."""
        began = self._means.clock()
        answer = await self._asked(lambda: self._means.poller.list_ended(self.where, group))
        if answer is None:
            return None
        if answer.trouble:
            self._do_failed(group, answer.trouble)
            return False
        self._means.answered()
        self._means.turns.do(self.waits.answered(group, self._means.clock()))
        self._saw(answer, ended_after=group.polled_at)
        group.polled_at = began
        return True

    async def _prove(self, group: Group, names: Sequence[str]) -> bool | None:
        """Ask whether these exist, a page a call, and no more after the first trouble; as :meth:`_poll`."""
        began, failed, refused = self._means.clock(), False, False
        pages = list(chunks(names, PAGE_SIZE))
        left = iter(pages)

        async def ask_for_pages() -> None:
            nonlocal failed, refused
            for some in left:
                answer = await self._asked(partial(self._means.poller.list, self.where, some))
                if answer is None:
                    refused = True
                elif not answer.trouble:
                    self._means.answered()
                    self._saw(answer)
                elif not failed:
                    failed = True
                    self._do_failed(group, answer.trouble)
                if failed or refused:
                    return

        # In trouble one page shows whether it is over.
        at_once = 1 if self._pace.in_trouble else min(CALLS_AT_ONCE, len(pages))
        await asyncio.gather(*(ask_for_pages() for _ in range(at_once)))
        if refused:
            return None
        if not failed:
            # Who has joined the group since was seen since.
            group.proved_at = began
            self._means.turns.do(self.waits.answered(group, self._means.clock()))
        return not failed

    async def _asked(self, ask: Callable[[], Awaitable[Answer | None]]) -> Answer | None:
        """Poll, and after trouble poll once more where there is another client to do it with."""
        client = self._means.client()
        answer = await ask()
        if answer and answer.trouble and await self._means.refresh(client, answer.trouble):
            answer = await ask()
        return answer

    async def _ask_in_turns(self, new: Sequence[str], *, only_new: bool) -> bool | None:
        """Ask for runs one by one, as many as the budget allows until the next round.

        A new wait has its turn first, but those who wait have half of the turns: none waits longer because others come.
        """
        turns = self._in_turns
        for name in new if only_new else self.waits.names():
            turns.setdefault(name)
        # Of the last round's time only so much: what waited for its turn then must not make this one longer still.
        most = self._means.budget.calls_within(min(self._pace.last, self._pace.longest))
        some = [name for name in new if self.waits.has(name)][: most if only_new else max(1, most // 2)]
        for name in some:
            turns.move_to_end(name)
        while not only_new and len(some) < min(most, len(turns)):
            name = next(iter(turns))
            if not self.waits.has(name):
                del turns[name]
            else:
                turns.move_to_end(name)
                some.append(name)
        if not some:
            return None
        client = self._means.client()
        answer = await self._means.poller.observe_each(self.where, some)
        troubles = [observation for observation in answer.observations.values() if isinstance(observation, Trouble)]
        if len(troubles) == len(some) and await self._means.refresh(client, troubles[0]):
            answer = await self._means.poller.observe_each(self.where, some)
            troubles = [observation for observation in answer.observations.values() if isinstance(observation, Trouble)]
        self._saw(answer)
        if len(troubles) == len(some):
            return False
        self._means.answered()
        return True

    def _do_failed(self, group: Group, trouble: Trouble) -> None:
        self._means.turns.do(self.waits.failed(group, trouble, self._means.clock()))

    def _saw(self, answer: Answer, *, ended_after: float | None = None) -> None:
        """Pass the result of a poll on to the waits.

        :param ended_after: after when an end in it has come about, if that is known.
        """
        now = self._means.clock()
        for name, observation in answer.observations.items():
            if isinstance(observation, Seen):
                self._warn_of_phase(name, observation.phase)
                if is_terminal(observation.phase) and self.waits.has(name):
                    self.ends_by_poll += 1
                    if ended_after is not None:
                        self._expect(name, ended_after, now)
            self._means.turns.do(self.waits.saw(name, observation, now))

    def _warn_of_phase(self, name: str, phase: int) -> None:
        if not is_known(phase) and phase not in self._warned:
            self._warned.add(phase)
            log.warning(
                "Flyte run %s is in %s, which this provider does not know: it counts as not over. A newer provider may "
                "know it.",
                self.where.run(name),
                phase_name(phase),
            )

    # -- the stream

    def received(self, name: str, phase: int) -> None:
        """Take an update about a run from the stream."""
        ended = is_terminal(phase)
        late, waited_for = self._pending.pop(name, None) is not None, self.waits.has(name)
        if ended and (late or waited_for) and self._means.streams:
            self._means.streams.kept_up(self.where)
        if waited_for:
            self.ends_by_stream += ended
            self._warn_of_phase(name, phase)
            self._means.turns.do(self.waits.saw(name, Seen(phase), self._means.clock()))

    def _expect(self, name: str, ended_after: float, now: float) -> None:
        """Note an end that the stream has to send too, unless it came about before that was open."""
        streams = self._means.streams
        if streams and streams.open_since(self.where) <= ended_after:
            self._pending[name] = now
        if not streams or not streams.working(self.where):
            self._pace.hurry()

    def _check_stream(self) -> None:
        """Note whether the stream has missed ends that it should have sent already."""
        streams, now = self._means.streams, self._means.clock()
        late = [name for name, since in self._pending.items() if now - since >= _STREAM_MAY_TAKE]
        for name in late:
            del self._pending[name]
        if late and streams:
            streams.missed(self.where, len(late))
            self._pace.hurry()


def start(polls: ProjectPolls, done: Callable[[asyncio.Task[None]], None]) -> None:
    """Poll in the background, in an empty context: a task's log follows its context, and this works for all waits."""
    polls.task = contextvars.Context().run(asyncio.get_running_loop().create_task, polls.follow())
    polls.task.add_done_callback(done)


def waits_of(projects: Iterable[ProjectPolls]) -> int:
    """The number of waits."""
    return sum(len(each.waits) for each in projects)
