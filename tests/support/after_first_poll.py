"""Runs that go on until a task has looked at them: so that a sensor really waits, however slow Airflow is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from threading import Event, Thread
from types import TracebackType
from typing import Any

from airflow_provider_flyte.testing import LocalFlyte, RunHandle


class AfterFirstPoll:
    """Plays a script to each run once it was asked for, inside a ``with`` block.

    :param flyte: where the runs are; they are RUNNING until then.
    :param scripts: name of a run -> what happens to it.
    """

    def __init__(self, flyte: LocalFlyte, scripts: Mapping[str, Callable[[RunHandle], Any]]) -> None:
        self._flyte = flyte
        self._scripts = dict(scripts)
        self._over = Event()
        self._thread = Thread(target=self._watch, daemon=True)

    def __enter__(self) -> AfterFirstPoll:
        for name in self._scripts:
            self._flyte.run(name).phases("RUNNING")
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while self._scripts and not self._over.wait(0.1):
            asked = {call.request.run_id.name for call in self._flyte.calls("GetRunDetails")}
            for call in self._flyte.calls("ListRuns"):
                # Of several runs there is one poll.
                asked.update(call.request.request.filters[0].values)
            for name in asked & self._scripts.keys():
                self._scripts.pop(name)(self._flyte.run(name))
