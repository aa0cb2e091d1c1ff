"""Calls beside a watcher's polls, over its client and within its budget."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from airflow_provider_flyte.client.client import FlyteClient
from airflow_provider_flyte.client.config import FlyteConfig
from airflow_provider_flyte.client.flows.calls import Call, Flow
from airflow_provider_flyte.client.flows.named_runs import NameFilterRefused
from airflow_provider_flyte.client.run_key import ProjectDomain
from airflow_provider_flyte.client.verdict import Trouble
from airflow_provider_flyte.client.watch.current_client import CurrentClient
from airflow_provider_flyte.client.watch.ended_runs import EndedRuns
from airflow_provider_flyte.client.watch.poller import Poller, as_trouble
from airflow_provider_flyte.client.watch.run_lists import RunLists

T = TypeVar("T")

_SHARE_OF_SEARCHES = 1 / 6
"""How much of the calls all searches together may take from the polls of those who wait."""


class Asking:
    """Makes calls with the client that a watcher has at the time.

    :param current: the client.
    :param poller: makes the watcher's calls.
    :param least: minimum seconds between two lists of one search.
    :param longest: maximum seconds between them, while few search.
    :param calls_per_second: how many calls the watcher makes on average at most.
    """

    def __init__(
        self, current: CurrentClient, poller: Poller, *, least: float, longest: float, calls_per_second: float
    ) -> None:
        self._current = current
        self._poller = poller
        self._least = least
        self._longest = longest
        self._searches_per_second = calls_per_second * _SHARE_OF_SEARCHES
        self._lists: dict[ProjectDomain, RunLists] = {}
        self.ended_runs = EndedRuns(self)
        self.searches = 0
        """How many look for a run just now, each with lists of its own."""

    def run_lists(self, where: ProjectDomain) -> RunLists:
        """The lists of new runs there, the same for all."""
        if where not in self._lists:
            self._lists[where] = RunLists(where, self)
        return self._lists[where]

    def pause_of_search(self, interval: float) -> float:
        """Seconds between two lists of a search; with many of them, each lists less often.

        :param interval: the maximum that it asks for.
        """
        return max(self._least, min(interval, self._longest), self.searches / self._searches_per_second)

    @property
    def config(self) -> FlyteConfig:
        """The client's settings."""
        return self._current.client.config

    @property
    def client(self) -> FlyteClient:
        """The client."""
        return self._current.client

    async def renew(self, client: FlyteClient) -> bool:
        """Have the connection of a client read again that Flyte refuses; returns whether there is another one now."""
        return await self._current.refresh(client, Trouble("", lasting=True))

    async def ask(self, make: Callable[[FlyteClient], Call[T] | Flow[T]]) -> T:
        """Make a call, once more where trouble led to another client, and return what it reads.

        :param make: makes the call for a client.
        """
        client = self._current.client
        try:
            answer = await self._poller.call(make(client))
        except NameFilterRefused:
            # An answer, too.
            raise
        except Exception as error:
            if not await self._current.refresh(client, as_trouble(error)):
                raise
            answer = await self._poller.call(make(self._current.client))
        self._current.answered()
        return answer
