"""Polls for the runs of many waits: one ListRuns for two thousand, or a GetRunDetails each as a fallback."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple, TypeVar

from airflow_provider_flyte.client.client import FlyteClient
from airflow_provider_flyte.client.errors import FlyteError, NotFoundError, is_lasting
from airflow_provider_flyte.client.flows.calls import Call, Flow, StreamCall, list_runs, only, seen
from airflow_provider_flyte.client.flows.named_runs import NameFilterRefused, all_listed, list_by_name, read_run
from airflow_provider_flyte.client.run_key import ProjectDomain, RunKey
from airflow_provider_flyte.client.verdict import Absent, Observation, Seen, Trouble
from airflow_provider_flyte.client.watch.pacing import Budget
from airflow_provider_flyte.client.watch.waits import Group

T = TypeVar("T")

log = logging.getLogger(__name__)

_REFUSED_FOR = 600.0
_ABSENT = Absent()


class Answer(NamedTuple):
    """The result of a poll."""

    observations: Mapping[str, Observation]
    """By name; a run that is not in it has no news."""

    trouble: Trouble | None = None
    """Why the poll as a whole had no answer."""


class Poller:
    """Asks about runs, in as few calls as the backend allows.

    :param client: gives the client to ask with; it may be another one each time.
    :param budget: how many calls there may be.
    :param clock: seconds that only grow.
    """

    def __init__(self, client: Callable[[], FlyteClient], budget: Budget, clock: Callable[[], float]) -> None:
        self._client = client
        self._budget = budget
        self._clock = clock
        self._refused: dict[ProjectDomain, float] = {}
        """Projects whose runs cannot be listed by name, until this time."""

        self._logged_refusal = False
        self.calls = 0
        """How many were made so far."""

    def can_list(self, project_domain: ProjectDomain) -> bool:
        """Whether runs there can be asked for together."""
        return self._refused.get(project_domain, -math.inf) <= self._clock()

    async def list(self, project_domain: ProjectDomain, names: Sequence[str]) -> Answer | None:
        """List these runs, at most a page of them; None where such a list is refused."""
        flow = list_by_name(project_domain.project, project_domain.domain, names, self._client().config.org)
        answer = await self._list(project_domain, names, flow)
        if answer is None or answer.trouble:
            return answer
        return Answer({name: answer.observations.get(name, _ABSENT) for name in names})

    async def list_ended(self, project_domain: ProjectDomain, group: Group) -> Answer | None:
        """List those of these runs that are over; None where such a list is refused."""
        if not group.names:
            # The stream has sent the ends of all of them since this poll was due.
            return Answer({})
        flow = _list_group(project_domain, group, self._client().config.org)
        return await self._list(project_domain, group.names, flow)

    async def _list(
        self, project_domain: ProjectDomain, names: Collection[str], flow: Flow[dict[RunKey, int]]
    ) -> Answer | None:
        try:
            found = await self.call(flow)
        except NameFilterRefused as refused:
            self._leave_lists(project_domain, refused.error)
            return None
        except Exception as error:
            return Answer({}, as_trouble(error))
        # Without the runs that a backend adds which ignores the filter.
        asked = {
            key.name: phase
            for key, phase in found.items()
            if key.name in names and key.project_domain == project_domain
        }
        return Answer({name: Seen(phase) for name, phase in asked.items()})

    async def observe_each(self, project_domain: ProjectDomain, names: Sequence[str]) -> Answer:
        """Read each run by itself (GetRunDetails), the fallback."""
        observations = await asyncio.gather(*(self._observe(project_domain.run(name)) for name in names))
        return Answer(dict(zip(names, observations, strict=True)))

    async def _observe(self, key: RunKey) -> Observation:
        try:
            details = await self.call(read_run(key, self._client().config.org))
        except NotFoundError as error:
            return Trouble(f"It is not known whether the run exists. {error}")
        except Exception as error:
            return as_trouble(error)
        return _ABSENT if details is None else seen(details)

    def _leave_lists(self, project_domain: ProjectDomain, error: FlyteError) -> None:
        self._refused[project_domain] = self._clock() + _REFUSED_FOR
        if not self._logged_refusal:
            self._logged_refusal = True
            log.warning(
                "Flyte refuses to list runs by name, so each run is polled by itself, which takes longer with many. %s",
                error,
            )

    async def call(self, asked: Call[T] | Flow[T]) -> T:
        """Make one try of a call, or of each call of a flow, when it has its turn."""
        flow = only(asked) if isinstance(asked, Call) else asked
        call: Call[Any] | StreamCall[Any] | None = None
        try:
            while True:
                async with self._budget:
                    # The first request is made no sooner than it is sent, either.
                    call = call or next(flow)
                    self.calls += 1
                    try:
                        answer = await self._client().aexecute(only(call), retry_for=0)
                    except Exception as error:
                        go_on = partial(flow.throw, error)
                    else:
                        go_on = partial(flow.send, answer)
                call = go_on()
        except StopIteration as end:
            result: T = end.value
            return result


def _list_group(project_domain: ProjectDomain, group: Group, org: str) -> Flow[dict[RunKey, int]]:
    """The phases of those of a group that are over.

    The request is made when the call has its turn: those of a hundred thousand waits at once hold the loop for 40 ms.
    """
    names = list(group.names)
    if not names:
        return {}
    if group.request is None:
        group.request = list_runs(project_domain.project, project_domain.domain, names, org, terminal_only=True)
    return (yield from all_listed(group.request, project_domain.run(names[0]), org))


def as_trouble(error: Exception) -> Trouble:
    """Why a call had no answer."""
    if not isinstance(error, FlyteError):
        # Whatever broke, the waits must not hang for ever: they are notified, and polled again.
        log.exception("A poll for runs failed with an unexpected error; it is repeated.", exc_info=error)
    return Trouble(str(error) or type(error).__name__, lasting=is_lasting(error))
