"""What runs that are waited for wait for themselves: each condition once, and again when it waits no more. No I/O.

One list shows in which of the runs an action is paused, but not whether that is still the same one. So a run is read
when it comes into the list or leaves it, and of the others a few with each round.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

from airflow_provider_flyte.client.errors import (
    FlyteError,
    InvalidArgumentError,
    NotFoundError,
    PermissionDeniedError,
    RpcError,
    UnimplementedError,
)
from airflow_provider_flyte.client.flows.calls import NAMES_A_CALL, Flow, chunks
from airflow_provider_flyte.client.flows.conditions import Condition, paused_actions, paused_runs, read_condition
from airflow_provider_flyte.client.outside import one_line
from airflow_provider_flyte.client.run_key import ProjectDomain, RunKey

FIRST_AFTER = 5.0
"""Seconds until the first round."""

EVERY = 15.0
"""Seconds between two rounds."""

MOST_OF_A_RUN = 20
"""How many conditions of one run are followed at once."""

MOST_AGAIN = 50
"""How many runs a round reads again of which the list shows nothing new."""

REFUSALS = (InvalidArgumentError, UnimplementedError, PermissionDeniedError)
"""What a backend answers that will not list paused runs by their names, or the actions of a run, now or later."""


class ConditionNews:
    """The conditions of one run, as they come and go.

    :param key: the run.
    """

    def __init__(self, key: RunKey) -> None:
        self.key = key
        self.open: dict[str, Condition] = {}
        """Those that wait, by their actions."""

        self.gone: list[Condition] = []
        """Those of them that wait no more, since it was read last."""

        self.refusal: RpcError | None = None
        """Why Flyte will not have it read."""

        self.pending = True
        """Whether it is still to be read since it came into the list."""

        self.tried_at = -math.inf
        """When it was read last, or was to be."""

    def read(self, org: str, *, paused: bool, is_late: Callable[[], bool]) -> Flow[None]:
        """Bring ``open``, ``gone``, ``pending`` and ``refusal`` up to date. One that cannot be read holds no other up.

        :param org: of the config.
        :param paused: whether an action of the run is paused, as a list has just shown.
        :param is_late: whether trouble with one is to end this.
        :raises FlyteError: where the run's actions cannot be listed.
        """
        self.gone, self.refusal = [], None
        actions = (yield from paused_actions(self.key, org)) if paused else []
        new = [action for action in actions if action not in self.open][: MOST_OF_A_RUN - len(self.open)]
        refused: RpcError | None = None
        unread = False
        for action in new + [action for action in self.open if action not in actions]:
            try:
                read = yield from read_condition(self.key, org, action)
            except NotFoundError:
                # It answers so for every error of its database, too.
                continue
            except FlyteError as error:
                late = is_late()
                unread = unread or late or not isinstance(error, REFUSALS)
                if isinstance(error, REFUSALS):
                    refused = error
                if late:
                    break
                continue
            if read is not None and read.waits:
                self.open[action] = read
            elif read is not None and read.over and action in self.open:
                del self.open[action]
                self.gone.append(read)
        # For ever only where each of them is refused: another one may be read next time.
        self.refusal = refused if not unread and not self.open else None
        self.pending = self.refusal is None and (unread or refused is not None)


class ConditionRounds:
    """What the runs of one project and domain wait for, brought up to date in rounds.

    :param where: the project and domain.
    :param clock: seconds.
    :param longest: seconds after which a round leaves the rest to the next one.
    """

    def __init__(self, where: ProjectDomain, clock: Callable[[], float], longest: float) -> None:
        self._where = where
        self._clock = clock
        self._longest = longest
        self._news: dict[RunKey, ConditionNews] = {}

    @property
    def open(self) -> Iterable[Condition]:
        """The conditions that wait, as far as they are known."""
        return (each for news in self._news.values() for each in news.open.values())

    def renew(self, key: RunKey) -> None:
        """Have the next round read a run whose conditions somebody else wants to know, too."""
        if key in self._news:
            self._news[key].pending = True

    def round(self, names: Sequence[str], org: str, on_news: Callable[[ConditionNews], None]) -> Flow[None]:
        """List the runs and read those that are due. A run that cannot be read holds no other up.

        :param names: of the runs, which need not exist; what is known of any other is forgotten.
        :param org: of the config.
        :param on_news: called with the news of each run that was read.
        :raises RpcError: where the runs cannot be listed, with one of :data:`REFUSALS` for ever.
        """
        listed: set[RunKey] = set()
        for some in chunks(names, NAMES_A_CALL):
            listed.update((yield from paused_runs(self._where.project, self._where.domain, some, org)))
        asked = set(map(self._where.run, names))
        listed &= asked
        self._news = {key: news for key, news in self._news.items() if key in listed or (key in asked and news.open)}
        for key in listed:
            self._news.setdefault(key, ConditionNews(key))
        until = self._clock() + self._longest
        for news in self._due(listed):
            if self._clock() >= until:
                return
            news.tried_at = self._clock()
            try:
                yield from news.read(org, paused=news.key in listed, is_late=lambda: self._clock() >= until)
            except REFUSALS as error:
                news.refusal, news.pending = error, False
            except FlyteError:
                # The next round tries again, after those that were not tried for longer.
                continue
            on_news(news)

    def _due(self, listed: Collection[RunKey]) -> Iterator[ConditionNews]:
        """The runs to be read, first those that were not tried for longest: a round may be too short for all."""
        again = 0
        for news in sorted(self._news.values(), key=lambda news: news.tried_at):
            if news.pending:
                yield news
            elif news.refusal is None and (news.key not in listed or again < MOST_AGAIN):
                again += news.key in listed
                yield news


class ConditionNotices:
    """What one task was notified of: each condition once while it waits, and once when it waits no more.

    :param on_condition: called with each.
    :param on_refusal: called once with a line, where Flyte does not list them.
    """

    def __init__(self, on_condition: Callable[[Condition], None], on_refusal: Callable[[str], None]) -> None:
        self._on_condition = on_condition
        self._on_refusal = on_refusal
        self._open: set[tuple[RunKey, str]] = set()
        self._refused = False

    def take(self, news: ConditionNews) -> None:
        """Pass on what is new to this one."""
        if news.refusal is not None:
            self.refuse(news.refusal)
        for each in news.gone:
            if (each.key, each.action) in self._open:
                self._open.discard((each.key, each.action))
                self._on_condition(each)
        for each in news.open.values():
            if (each.key, each.action) not in self._open:
                self._open.add((each.key, each.action))
                self._on_condition(each)

    def refuse(self, error: RpcError) -> None:
        """Pass on that Flyte does not list them."""
        if not self._refused:
            self._refused = True
            self._on_refusal(
                f"What Flyte runs wait for is not logged here, because Flyte does not list it. {one_line(str(error))}"
            )
