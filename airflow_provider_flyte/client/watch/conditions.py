"""The conditions that runs wait for, for those who follow them while they wait.

All who follow runs of a project have their rounds in common. Where nobody does, nothing runs and no call is made.
Nothing here ends a wait or holds it up.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from airflow_provider_flyte.client.errors import FlyteError, RpcError
from airflow_provider_flyte.client.flows import condition_news
from airflow_provider_flyte.client.flows.condition_news import (
    REFUSALS,
    ConditionNews,
    ConditionNotices,
    ConditionRounds,
)
from airflow_provider_flyte.client.flows.conditions import Condition
from airflow_provider_flyte.client.run_key import ProjectDomain, RunKey
from airflow_provider_flyte.client.watch.asking import Asking

T = TypeVar("T")

log = logging.getLogger(__name__)


class FollowedConditions:
    """One who follows the conditions of runs, until :meth:`stop`.

    :param keys: the runs.
    :param notices: what it was notified of.
    :param leave: called by :meth:`stop`.
    """

    __slots__ = ("_context", "_leave", "_notices", "keys")

    def __init__(
        self, keys: Sequence[RunKey], notices: ConditionNotices, leave: Callable[[FollowedConditions], None]
    ) -> None:
        self.keys = keys
        self._notices = notices
        self._leave = leave
        # There Airflow finds the log that a line belongs to.
        self._context = contextvars.copy_context()

    def stop(self) -> None:
        """Follow them no longer; more than once does no harm."""
        self._leave(self)

    def take(self, news: ConditionNews) -> None:
        """Pass on the news of a run."""
        self._pass_on(self._notices.take, news)

    def refuse(self, error: RpcError) -> None:
        """Pass on that Flyte does not list them."""
        self.stop()
        self._pass_on(self._notices.refuse, error)

    def _pass_on(self, what: Callable[[T], None], given: T) -> None:
        try:
            self._context.run(what, given)
        except Exception:
            # One that breaks breaks no other.
            log.exception("A condition could not be logged because of an unexpected error.")
            self.stop()


class Conditions:
    """The rounds of a watcher.

    :param asking: makes the calls.
    :param clock: seconds that only grow.
    :param sleep: how a pause is spent.
    """

    def __init__(self, asking: Asking, clock: Callable[[], float], sleep: Callable[[float], Awaitable[None]]) -> None:
        self._asking = asking
        self._clock = clock
        self._sleep = sleep
        self._followers: dict[RunKey, list[FollowedConditions]] = {}
        self._rounds: dict[ProjectDomain, ConditionRounds] = {}
        self._task: asyncio.Task[None] | None = None

    def follow(
        self, keys: Sequence[RunKey], on_condition: Callable[[Condition], None], on_refusal: Callable[[str], None]
    ) -> FollowedConditions:
        """Follow the conditions of these runs from now on, until what is returned is stopped.

        :param keys: the runs, which need not exist yet.
        :param on_condition: called in the caller's own context with each condition, soon after it began to wait, and
            soon after it ended to.
        :param on_refusal: the same with a line where Flyte does not list them.
        """
        follower = FollowedConditions(keys, ConditionNotices(on_condition, on_refusal), self._leave)
        for key in keys:
            self._followers.setdefault(key, []).append(follower)
            if key.project_domain in self._rounds:
                self._rounds[key.project_domain].renew(key)
        if self._task is None:
            # In an empty context: a task's log follows its context, and this works for all.
            self._task = contextvars.Context().run(asyncio.get_running_loop().create_task, self._follow())
        return follower

    def close(self) -> None:
        """Notify nobody any more."""
        self._followers.clear()
        self._end()

    def _leave(self, follower: FollowedConditions) -> None:
        for key in follower.keys:
            others = [each for each in self._followers.pop(key, ()) if each is not follower]
            if others:
                self._followers[key] = others
        if not self._followers:
            self._end()

    def _end(self) -> None:
        self._rounds.clear()
        task, self._task = self._task, None
        if task is not None:
            task.cancel()

    async def _follow(self) -> None:
        try:
            pause = condition_news.FIRST_AFTER
            while True:
                await self._sleep(pause)
                pause = condition_news.EVERY
                by_project: dict[ProjectDomain, list[str]] = {}
                for key in self._followers:
                    by_project.setdefault(key.project_domain, []).append(key.name)
                self._rounds = {where: self._rounds[where] for where in by_project if where in self._rounds}
                for where, names in by_project.items():
                    await self._round(where, names)
        except Exception:
            log.exception("What runs wait for is logged no longer because of an unexpected error.")

    async def _round(self, where: ProjectDomain, names: Sequence[str]) -> None:
        rounds = self._rounds.setdefault(where, ConditionRounds(where, self._clock, condition_news.EVERY))
        try:
            await self._asking.ask(lambda client: rounds.round(names, client.config.org, self._pass_on_to_followers))
        except REFUSALS as error:
            for follower in {each for name in names for each in self._followers.get(where.run(name), ())}:
                follower.refuse(error)
        except FlyteError as error:
            # The polls meet it too, and say so.
            log.debug("The paused runs of %s could not be listed: %s", where, error)

    def _pass_on_to_followers(self, news: ConditionNews) -> None:
        for follower in list(self._followers.get(news.key, ())):
            follower.take(news)
