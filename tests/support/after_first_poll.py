"""Runs that go on until a task has looked at them: so that a sensor really waits, however slow Airflow is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from airflow_provider_flyte.testing import LocalFlyte, RunHandle
from tests.support.background import Background


class AfterFirstPoll(Background):
    """Plays a script to each run once it was asked for, inside a ``with`` block.

    :param flyte: where the runs are; they are RUNNING until then.
    :param scripts: name of a run -> what happens to it.
    """

    def __init__(self, flyte: LocalFlyte, scripts: Mapping[str, Callable[[RunHandle], Any]]) -> None:
        super().__init__(pause=0.1)
        self._flyte = flyte
        self._scripts = dict(scripts)

    def __enter__(self) -> AfterFirstPoll:
        for name in self._scripts:
            self._flyte.run(name).phases("RUNNING")
        return super().__enter__()

    def look(self) -> None:
        """Play the scripts of those that were asked for."""
        if not self._scripts:
            return
        asked = {call.request.run_id.name for call in self._flyte.calls("GetRunDetails")}
        for call in self._flyte.calls("ListRuns"):
            # Of several runs there is one poll.
            asked.update(call.request.request.filters[0].values)
        for name in asked & self._scripts.keys():
            self._scripts.pop(name)(self._flyte.run(name))
