"""Runs that are over, read one by one: for their labels, and where a backend does not list by name."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from airflow_provider_flyte.client.flows.named_runs import read_run
from airflow_provider_flyte.client.flows.runs_by_creation import RunRow, row_of
from airflow_provider_flyte.client.phase import is_terminal
from airflow_provider_flyte.client.run_key import RunKey

if TYPE_CHECKING:
    from airflow_provider_flyte.client.watch.asking import Asking

_AT_ONCE = 4
"""Reads at once of all feeds together. A watcher makes its calls in the order in which they are asked for: a poll waits
for no more than these few."""

_MOST_KEPT = 2000
"""Runs that are kept for other feeds."""


class EndedRuns:
    """Reads runs that are over, each once for all who ask.

    :param asking: makes the calls.
    """

    def __init__(self, asking: Asking) -> None:
        self._asking = asking
        self._at_once = asyncio.Semaphore(_AT_ONCE)
        self._kept: OrderedDict[RunKey, RunRow] = OrderedDict()
        self._turns: WeakValueDictionary[RunKey, asyncio.Lock] = WeakValueDictionary()

    async def read(self, key: RunKey) -> RunRow | None:
        """A run with its labels; None where it is not over, or not there.

        :raises FlyteError: where there is no answer.
        """
        async with self._turns.setdefault(key, asyncio.Lock()):
            found = self._kept.get(key)
            if found is None:
                async with self._at_once:
                    details = await self._asking.ask(lambda client: read_run(key, client.config.org))
                if details is None or not is_terminal(details.action.status.phase):
                    return None
                found = self._kept[key] = row_of(details.action, details.run_spec.labels.values)
                if len(self._kept) > _MOST_KEPT:
                    self._kept.popitem(last=False)
            return found
