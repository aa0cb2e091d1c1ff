"""The lists of new runs of a project, which all feeds of a watcher share.

New runs are found by their creation: each interval in a list from the newest one on, and at longer intervals in one
that goes back further, beside a list of all that are not over. One list serves all feeds that are due: it asks for the
runs of their tasks, and each feed takes its own. A feed that has fallen behind, or that begins long ago, is listed for
by itself until it has caught up, so that it holds no other up.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Protocol, TypeVar

from airflow_provider_flyte.client.backoff import backoff
from airflow_provider_flyte.client.client import FlyteClient
from airflow_provider_flyte.client.errors import InternalError, InvalidArgumentError, UnimplementedError
from airflow_provider_flyte.client.flows.calls import Call
from airflow_provider_flyte.client.flows.runs_by_creation import Listing, Page, RunRow
from airflow_provider_flyte.client.outside import LONGEST_NAME, one_line
from airflow_provider_flyte.client.run_key import ProjectDomain
from airflow_provider_flyte.client.watch.waking import pause_until

if TYPE_CHECKING:
    from airflow_provider_flyte.client.watch.asking import Asking

T = TypeVar("T")

FULL_LIST_EVERY = 30.0
"""Minimum seconds from the end of one full list to the beginning of the next."""

_SHARE = 0.05
"""Most of the time that full lists may take."""

_NEAR = 10_000_000
"""Microseconds by which the other lists go back before the newest run, and by which the feeds of one list may differ in
where theirs begins."""

_EARLY = 0.5
"""The share of its interval by which a feed may be early, to be in the same list as others."""

_MOST_TASKS = 100
"""Names in one list."""

_APART_FOR = 600.0
"""Seconds for which the tasks are listed one by one after a list of several was refused."""

_MAY_REFUSE = (InvalidArgumentError, UnimplementedError, InternalError)
"""What a backend without the filter may answer; INTERNAL is a database that is down, too, which the next list shows."""

_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 5.0
"""Seconds between two lists without an answer."""


class Follower(Protocol):
    """A feed, as its lists see it."""

    @property
    def task_name(self) -> str:
        """The task; '' for the runs of all tasks."""

    @property
    def interval(self) -> float:
        """Maximum seconds from the end of one list to the beginning of the next."""

    @property
    def since(self) -> int:
        """From when on all runs are to be listed, in microseconds since the epoch."""

    @property
    def wants_more(self) -> asyncio.Event:
        """Set while it takes rows: it has not too many that nobody has read."""

    def now(self) -> int:
        """Microseconds since the epoch."""

    def take(self, rows: Sequence[RunRow]) -> None:
        """Take a page's runs, all of its task."""

    def listed(self, full_at: int | None) -> None:
        """Note that a list has been taken whole.

        :param full_at: when it was begun, if it had all runs since ``since``, and all that are not over.
        """

    def no_answer(self, error: Exception) -> None:
        """Note that a list had none."""

    def broke(self, error: Exception) -> None:
        """Note that no more lists come."""


@dataclass(eq=False)
class _Place:
    """A follower, and when it is listed for."""

    follower: Follower
    due: float
    full_due: float
    newest: int = 0
    """When the newest run was created that was listed for it."""

    busy: bool = False
    failures: int = 0

    def due_for(self, full: bool) -> float:
        """When its next list is due, of this kind."""
        if not full:
            return self.due
        return max(self.due, self.full_due) if self.failures else self.full_due

    def due_early_for(self, full: bool) -> float:
        """From when on it may be in that list. After trouble it has its own pause."""
        interval = FULL_LIST_EVERY if full else self.follower.interval
        return self.due_for(full) - (0.0 if self.failures else interval * _EARLY)

    def begins(self, full: bool) -> int:
        """The first creation that this list is to have."""
        since = self.follower.since
        # By the newest run and not by this clock, which may be ahead of Flyte's.
        return since if full else max(since, min(self.newest, self.follower.now()) - _NEAR)

    def own(self, page: Page, listed: Listing) -> Sequence[RunRow]:
        """The runs of its task. A list of one task has what Flyte takes for that."""
        task = one_line(self.follower.task_name, LONGEST_NAME)
        everything = not task or len(listed.tasks) == 1
        return page.rows if everything else [row for row in page.rows if row.task_name == task]


class RunLists:
    """Lists new runs of one project and domain while somebody follows them.

    :param where: the project and domain.
    :param asking: makes the calls.
    """

    def __init__(self, where: ProjectDomain, asking: Asking) -> None:
        self._where = where
        self._asking = asking
        self._clock = asyncio.get_running_loop().time
        self._places: dict[Follower, _Place] = {}
        self._lists: set[asyncio.Task[None]] = set()
        self._task: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()
        self._apart_until = 0.0

    def join(self, follower: Follower) -> None:
        """List for a feed from now on: a full list at once."""
        now = self._clock()
        self._places[follower] = _Place(follower, now, now)
        self.wake()
        if self._task is None:
            # In an empty context: the log of whoever came first is not that of all.
            self._task = contextvars.Context().run(asyncio.get_running_loop().create_task, self._follow())

    async def leave(self, follower: Follower) -> None:
        """List no longer for a feed."""
        self._places.pop(follower, None)
        # Nobody waits for it any more.
        follower.wants_more.set()
        if not self._places and self._task is not None:
            ending, self._task = [self._task, *self._lists], None
            for task in ending:
                task.cancel()
            await asyncio.gather(*ending, return_exceptions=True)

    def wake(self) -> None:
        """Decide anew who is to be listed for."""
        self._changed.set()

    # -- who is listed for, and when

    async def _follow(self) -> None:
        while True:
            self._changed.clear()
            for full in (True, False):
                for places in self._together(self._due(full), full):
                    for place in places:
                        place.busy = True
                    task = asyncio.create_task(self._list(places, full))
                    self._lists.add(task)
                    task.add_done_callback(self._lists.discard)
            due = [place.due_for(full) for place in self._idle() for full in (True, False)]
            await pause_until(self._changed, min(due) - self._clock() if due else None)

    def _idle(self) -> list[_Place]:
        return [place for place in self._places.values() if not place.busy and place.follower.wants_more.is_set()]

    def _due(self, full: bool) -> list[_Place]:
        """The feeds for which such a list is due, and those that may be in it although it is early."""
        now, idle = self._clock(), self._idle()
        if all(place.due_for(full) > now for place in idle):
            return []
        return [place for place in idle if place.due_early_for(full) <= now]

    def _together(self, due: Iterable[_Place], full: bool) -> Iterator[list[_Place]]:
        """The feeds that have a list in common."""
        most = 1 if self._clock() < self._apart_until else _MOST_TASKS
        found: list[_Place] = []
        began = 0
        for begins, place in sorted(((place.begins(full), place) for place in due), key=lambda each: each[0]):
            tasks = {each.follower.task_name for each in (place, *found)}
            if found and (begins - began > _NEAR or len(tasks) > most):
                yield found
                found = []
            began = began if found else begins
            found.append(place)
        if found:
            yield found

    # -- a list

    async def _list(self, places: Sequence[_Place], full: bool) -> None:
        """List for these feeds, and see when they are due again."""
        began_at = {place: place.follower.now() for place in places}
        taking, took = list(places), 0.0
        following: Listing | None = None
        try:
            for listing in self._listings(places, full):
                following = listing
                while following is not None and taking:
                    listed, began = following, self._clock()
                    page = await self._asking.ask(partial(_call, listed))
                    took += self._clock() - began
                    following = page.following
                    taking = await self._give(page, listed, taking)
        except Exception as error:
            self._failed(error, following, places)
        else:
            now = self._clock()
            for place in places:
                place.failures = 0
                # Who was left out goes on when it wants more, from where it was.
                place.due = now + (place.follower.interval if place in taking else 0.0)
                if full:
                    place.full_due = now + max(FULL_LIST_EVERY, took / _SHARE)
            for place in taking:
                self._notify(place, place.follower.listed, began_at[place] if full else None)
        finally:
            for place in places:
                place.busy = False
            self.wake()

    def _listings(self, places: Sequence[_Place], full: bool) -> list[Listing]:
        names = {place.follower.task_name for place in places}
        tasks = () if "" in names else tuple(sorted(names))
        new = Listing(self._where, tasks, min(place.begins(full) for place in places))
        return [new, Listing(self._where, tasks, 0, not_over=True)] if full else [new]

    async def _give(self, page: Page, listed: Listing, taking: Sequence[_Place]) -> list[_Place]:
        """Give a page to the feeds; returns those that want the next.

        Who does not is left out. Only where nobody does the list waits.
        """
        for place in taking:
            if not listed.not_over:
                place.newest = max(place.newest, page.last)
            self._notify(place, place.follower.take, place.own(page, listed))
        there = [place for place in taking if self._places.get(place.follower) is place]
        if page.following is None or not there:
            return there
        wanting = [asyncio.ensure_future(place.follower.wants_more.wait()) for place in there]
        try:
            await asyncio.wait(wanting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in wanting:
                each.cancel()
        return [place for place in there if place.follower.wants_more.is_set()]

    def _failed(self, error: Exception, listed: Listing | None, places: Sequence[_Place]) -> None:
        now = self._clock()
        if listed and len(listed.tasks) > 1 and isinstance(error, _MAY_REFUSE) and now >= self._apart_until:
            # At once, one by one.
            self._apart_until = now + _APART_FOR
            return
        # The same for all, so that they stay in one list.
        due = now + backoff(max(place.failures for place in places) + 1, _FIRST_PAUSE, _LONGEST_PAUSE)
        for place in places:
            place.failures += 1
            place.due = due
            self._notify(place, place.follower.no_answer, error)

    def _notify(self, place: _Place, notify: Callable[[T], None], what: T) -> None:
        """Notify a feed; one that breaks by it breaks no other."""
        if self._places.get(place.follower) is not place:
            return
        try:
            notify(what)
        except Exception as error:
            del self._places[place.follower]
            place.follower.broke(error)


def _call(listing: Listing, client: FlyteClient) -> Call[Page]:
    return listing.call(client.config.org)
