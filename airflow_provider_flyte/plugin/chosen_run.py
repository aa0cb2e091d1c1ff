"""The run that a request is about: one of those that its task instance has stored, by its place among them, or by its
earlier try.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, TypeVar
from weakref import WeakKeyDictionary

from fastapi import Depends, FastAPI, HTTPException, Query, Request, status

from airflow_provider_flyte.client.outside import LONGEST_NAME, one_line
from airflow_provider_flyte.client.run_key import RunKey
from airflow_provider_flyte.plugin.access import AskedTask, ReadableTask
from airflow_provider_flyte.plugin.earlier_tries import earlier_tries
from airflow_provider_flyte.plugin.live_runs import LiveRuns, Reply, RunQuery
from airflow_provider_flyte.plugin.stored_task import Stored, StoredTask
from airflow_provider_flyte.report.task_runs import MOST_RUNS

if TYPE_CHECKING:
    from airflow_provider_flyte.client import FlyteClient

T = TypeVar("T")

Index = Annotated[int, Query(ge=0, lt=MOST_RUNS)]
"""Which of a task instance's runs."""

TryNumber = Annotated[int | None, Query(alias="try", ge=1, lt=2**31)]
"""Airflow's number of a try; None for the last one that has a run."""


def live_runs(app: FastAPI) -> LiveRuns:
    """What the process knows of runs, on the loop that serves: a test may have several."""
    live: WeakKeyDictionary[asyncio.AbstractEventLoop, LiveRuns] = app.state.live
    return live.setdefault(asyncio.get_running_loop(), LiveRuns())


async def _live(request: Request) -> LiveRuns:
    return live_runs(request.app)


Live = Annotated[LiveRuns, Depends(_live)]
"""What is asked of Flyte, together with all others who look."""


@dataclass(frozen=True)
class Chosen:
    """A run, and the connection by which it is asked about."""

    flyte_conn_id: str
    key: RunKey
    live: LiveRuns

    def digest(self, *shown: str | None) -> str:
        """What the page gives back to say what it shows: two things that differ have two digests.

        :param shown: of something in the run, all that is shown of it; nothing for the run itself.
        """
        about = [self.flyte_conn_id, self.key.project, self.key.domain, self.key.name, *shown]
        return hashlib.sha256(json.dumps(about).encode()).hexdigest()

    def check_shown(self, digest: str, otherwise: str, *shown: str | None) -> None:
        """Refuse what is meant for something else than would be changed: the task may have another run by now.

        :param digest: of what the page shows.
        :param otherwise: what comes of the request then.
        :param shown: as in :meth:`digest`, of what would be changed.
        :raises HTTPException: 409, where they differ.
        """
        if digest != self.digest(*shown):
            raise HTTPException(
                status.HTTP_409_CONFLICT,
                f"{otherwise} The page showed something else than there is by now, in run {self.key} over the "
                f"connection {one_line(self.flyte_conn_id, LONGEST_NAME)!r}. Look at it again.",
            )

    async def ask(self, query: RunQuery[T]) -> Reply[T]:
        """What Flyte answers about it; see :meth:`LiveRuns.ask`."""
        return await self.live.ask(self.flyte_conn_id, self.key, query)

    async def do(self, action: Callable[[FlyteClient, RunKey], Awaitable[T]]) -> Reply[T]:
        """Do something to it; see :meth:`LiveRuns.do`."""
        return await self.live.do(self.flyte_conn_id, self.key, action)


async def choose(asked: AskedTask, stored: StoredTask, live: LiveRuns, run: int, of_try: int | None) -> Chosen:
    """One of the runs that a task instance has stored, or that an earlier try of it has launched.

    :param run: which of those that are stored.
    :param of_try: the number of an earlier try.
    :raises HTTPException: 404, where it has not so many, or none of that try is known.
    """
    if stored.runs is None or run >= len(stored.runs.runs):
        raise HTTPException(status.HTTP_404_NOT_FOUND, "The task instance has not so many runs.")
    if of_try in (None, stored.runs.try_number):
        return Chosen(stored.runs.flyte_conn_id, stored.runs.runs[run], live)
    last = Chosen(stored.runs.flyte_conn_id, stored.runs.runs[0], live)
    reply = await last.ask(earlier_tries(asked))
    if reply.answer is None or of_try not in reply.answer:
        why = one_line(reply.trouble) or f"No run of try {of_try} is known."
        raise HTTPException(status.HTTP_404_NOT_FOUND, why)
    return Chosen(last.flyte_conn_id, reply.answer[of_try], live)


async def _chosen(asked: ReadableTask, stored: Stored, live: Live, run: Index = 0, of_try: TryNumber = None) -> Chosen:
    return await choose(asked, stored, live, run, of_try)


ChosenRun = Annotated[Chosen, Depends(_chosen)]
"""The run that a request is about, for somebody who may read its task instance."""
