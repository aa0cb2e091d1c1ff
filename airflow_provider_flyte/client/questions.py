"""What is asked about the runs of many waits: one ListRuns for two thousand, or a GetRunDetails each as a fallback."""

from __future__ import annotations

import asyncio
import logging
import math
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, TypeVar

from airflow_provider_flyte.client.calls import Call, Flow, counted, seen
from airflow_provider_flyte.client.client import FlyteClient
from airflow_provider_flyte.client.errors import FlyteError, NotFoundError, is_lasting
from airflow_provider_flyte.client.named_runs import NameFilterRefused, list_by_name, read_run
from airflow_provider_flyte.client.run_key import Place, RunKey
from airflow_provider_flyte.client.waiting import Absent, Look, Seen, Trouble

T = TypeVar("T")

log = logging.getLogger(__name__)

NAMES_A_CALL = 2000
"""Most names in one ListRuns; 2,500 cost the server 7 ms."""

_CALLS_AT_ONCE = 10
_REFUSED_FOR = 600.0


class Answer(NamedTuple):
    """What a question showed."""

    looks: Mapping[str, Look]
    """By name."""

    no_news: Sequence[str] = ()
    """Names of which an honest answer said nothing: their runs are not over."""


class Questions:
    """Asks about runs, in as few calls as the backend allows.

    :param client: gives the client to ask with; it may be another one each time.
    :param clock: seconds that only grow.
    """

    def __init__(self, client: Callable[[], FlyteClient], clock: Callable[[], float]) -> None:
        self._client = client
        self._clock = clock
        self._at_once = asyncio.Semaphore(_CALLS_AT_ONCE)
        self._refused: dict[Place, float] = {}
        """Places whose runs cannot be listed by name, until this time."""

        self._turns: dict[Place, deque[str]] = {}
        self._said = False
        self.calls = 0
        """How many were made so far."""

    def can_list(self, place: Place) -> bool:
        """Whether runs there can be asked for together."""
        return self._refused.get(place, -math.inf) <= self._clock()

    async def list(self, place: Place, names: Sequence[str], *, terminal_only: bool) -> Answer:
        """One ListRuns, and its further pages; trouble for all names where it fails.

        :param names: at most ``NAMES_A_CALL``.
        :param terminal_only: of runs that are not over there is no news.
        """
        org = self._client().config.org
        flow = list_by_name(place.project, place.domain, names, org, terminal_only=terminal_only)
        try:
            found = await self._call(flow)
        except NameFilterRefused as refused:
            return self._leave_lists(place, refused.error)
        except Exception as error:
            return _trouble(names, error)
        looks: dict[str, Look] = {} if terminal_only else dict.fromkeys(names, Absent())
        # Not what a backend adds that does not know the filter.
        asked = set(names)
        looks.update((key.name, Seen(phase)) for key, phase in found.items() if key.name in asked)
        return Answer(looks, names if terminal_only else ())

    async def look_at_each(self, place: Place, names: Sequence[str], most: int, *, first: bool = False) -> Answer:
        """The fallback: a GetRunDetails each, for the ``most`` runs whose turn it is.

        :param first: these names have their turn before all others.
        """
        turns = self._turns.setdefault(place, deque())
        if first:
            turns.extendleft(names)
        elif not turns:
            turns.extend(names)
        waited_for, turn = set(names), list[str]()
        while turns and len(turn) < most:
            if (name := turns.popleft()) in waited_for:
                turn.append(name)
        looks = await asyncio.gather(*(self._look_at(place.run(name)) for name in turn))
        return Answer(dict(zip(turn, looks, strict=True)))

    async def _look_at(self, key: RunKey) -> Look:
        try:
            details = await self._call(read_run(key, self._client().config.org))
        except NotFoundError as error:
            return Trouble(f"It is not known whether the run exists. {error}")
        except Exception as error:
            return _as_trouble(error)
        return Absent() if details is None else seen(details)

    def _leave_lists(self, place: Place, error: FlyteError) -> Answer:
        self._refused[place] = self._clock() + _REFUSED_FOR
        if not self._said:
            self._said = True
            log.warning(
                "Flyte refuses to list runs by name, so each run is polled by itself, which takes longer with many. %s",
                error,
            )
        return Answer({})

    async def _call(self, asked: Call[T] | Flow[T]) -> T:
        async with self._at_once:
            return await self._client().arun(counted(asked, self._count), retry_for=0)

    def _count(self) -> None:
        self.calls += 1


def _trouble(names: Sequence[str], error: Exception) -> Answer:
    return Answer(dict.fromkeys(names, _as_trouble(error)))


def _as_trouble(error: Exception) -> Trouble:
    if not isinstance(error, FlyteError):
        # Whatever broke, the waits must not hang for ever: they are told, and asked for again.
        log.exception("A poll for runs failed with an unexpected error; it is repeated.", exc_info=error)
    return Trouble(str(error) or type(error).__name__, lasting=is_lasting(error))
