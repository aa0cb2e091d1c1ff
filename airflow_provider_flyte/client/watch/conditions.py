"""The conditions that runs wait for, for those who ask for it while they wait.

One ListRuns for all runs of a project that somebody asks about shows which of them have a paused action; only those are
looked at. Where nobody asks, nothing runs and no call is made. Nothing here ends a wait or holds it up.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import Awaitable, Callable, Sequence

from airflow_provider_flyte.client.errors import FlyteError
from airflow_provider_flyte.client.flows import condition_news
from airflow_provider_flyte.client.flows.calls import NAMES_A_CALL, chunks
from airflow_provider_flyte.client.flows.condition_news import REFUSALS, ConditionNews, not_told
from airflow_provider_flyte.client.flows.conditions import Condition, paused_runs
from airflow_provider_flyte.client.run_key import ProjectDomain, RunKey
from airflow_provider_flyte.client.watch.asking import Asking

log = logging.getLogger(__name__)


class Asker:
    """One who asks about runs, until :meth:`stop`.

    :param keys: the runs.
    :param on_condition: called with each condition once it waits, and again when it waits no more.
    :param on_refusal: called with a line where Flyte does not tell.
    :param close: called by :meth:`stop`.
    """

    __slots__ = ("_close", "_context", "_on_condition", "_on_refusal", "_told", "keys")

    def __init__(
        self,
        keys: Sequence[RunKey],
        on_condition: Callable[[Condition], None],
        on_refusal: Callable[[str], None],
        close: Callable[[Asker], None],
    ) -> None:
        self.keys = keys
        self._on_condition = on_condition
        self._on_refusal = on_refusal
        self._close = close
        # There Airflow finds the log that a line belongs to.
        self._context = contextvars.copy_context()
        self._told: set[tuple[RunKey, str]] = set()

    def stop(self) -> None:
        """Ask no longer; more than once does no harm."""
        self._close(self)

    def tell(self, news: ConditionNews, gone: Sequence[Condition]) -> None:
        """Pass on what is new to this one."""
        for each in gone:
            if (each.key, each.action) in self._told:
                self._told.discard((each.key, each.action))
                self._context.run(self._on_condition, each)
        for each in news.open.values():
            if (each.key, each.action) not in self._told:
                self._told.add((each.key, each.action))
                self._context.run(self._on_condition, each)

    def refuse(self, line: str) -> None:
        """Pass on that nothing is told."""
        self._context.run(self._on_refusal, line)
        self.stop()


class Conditions:
    """Tells of conditions.

    :param asking: makes the calls.
    :param sleep: how a pause is spent.
    """

    def __init__(self, asking: Asking, sleep: Callable[[float], Awaitable[None]]) -> None:
        self._asking = asking
        self._sleep = sleep
        self._askers: dict[RunKey, list[Asker]] = {}
        self._news: dict[RunKey, ConditionNews] = {}
        self._task: asyncio.Task[None] | None = None

    def ask(
        self, keys: Sequence[RunKey], on_condition: Callable[[Condition], None], on_refusal: Callable[[str], None]
    ) -> Asker:
        """Tell of the conditions of these runs from now on, until the asker is stopped.

        :param keys: the runs, which need not exist yet.
        :param on_condition: called in the caller's own context with each condition, soon after it began to wait, and
            soon after it ended to.
        :param on_refusal: the same with a line where Flyte does not tell.
        """
        asker = Asker(keys, on_condition, on_refusal, self._leave)
        for key in keys:
            self._askers.setdefault(key, []).append(asker)
        if self._task is None:
            # In an empty context: a task's log follows its context, and this works for all.
            self._task = contextvars.Context().run(asyncio.get_running_loop().create_task, self._follow())
        return asker

    def close(self) -> None:
        """Tell nobody any more."""
        self._askers.clear()
        self._end()

    def _leave(self, asker: Asker) -> None:
        for key in asker.keys:
            others = [each for each in self._askers.pop(key, ()) if each is not asker]
            if others:
                self._askers[key] = others
            else:
                self._news.pop(key, None)
        if not self._askers:
            self._end()

    def _end(self) -> None:
        self._news.clear()
        task, self._task = self._task, None
        if task is not None:
            task.cancel()

    async def _follow(self) -> None:
        try:
            await self._rounds()
        except Exception:
            log.exception("What runs wait for is told no longer because of an unexpected error.")

    async def _rounds(self) -> None:
        pause = condition_news.FIRST_AFTER
        while True:
            await self._sleep(pause)
            pause = condition_news.EVERY
            by_place: dict[ProjectDomain, list[str]] = {}
            for key in self._askers:
                by_place.setdefault(key.project_domain, []).append(key.name)
            for where, names in by_place.items():
                for some in chunks(names, NAMES_A_CALL):
                    await self._round(where, some)

    async def _round(self, where: ProjectDomain, names: Sequence[str]) -> None:
        try:
            listed = await self._asking.ask(
                lambda client: paused_runs(where.project, where.domain, names, client.config.org)
            )
        except REFUSALS as error:
            line = not_told(error)
            for asker in {asker for name in names for asker in self._askers.get(where.run(name), ())}:
                asker.refuse(line)
            return
        except FlyteError as error:
            # The polls meet it too, and say so.
            log.debug("The paused runs of %s could not be listed: %s", where, error)
            return
        paused = set(listed)
        for key in [key for key in map(where.run, names) if key in paused or key in self._news]:
            if key in self._askers:
                await self._look(key, paused=key in paused)

    async def _look(self, key: RunKey, *, paused: bool) -> None:
        news = self._news.setdefault(key, ConditionNews(key))
        try:
            gone = await self._asking.ask(lambda client: news.look(client.config.org, paused=paused))
        except FlyteError as error:
            log.debug("The conditions of %s could not be read: %s", key, error)
            return
        for asker in list(self._askers.get(key, ())):
            try:
                asker.tell(news, gone)
            except Exception:
                log.exception("A condition could not be told because of an unexpected error.")
                asker.stop()
        if not news.open:
            self._news.pop(key, None)
