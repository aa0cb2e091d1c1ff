"""Scenarios: a batch of tasks waits, another one is about to launch, and then something dies, stalls or is away."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from airflow_provider_flyte.testing import LocalFlyte
from tests.ha.batch import Batch
from tests.ha.counted import Counted
from tests.support.airflow_api import until
from tests.support.airflow_process import StandaloneAirflow
from tests.support.debian_servers import Postgres, Redis

SECOND = ("scheduler-2", "triggerer-2")
WORKERS = ("worker-1", "worker-2")

Say = Callable[[str], None]


class Scenes:
    """One scenario after the other, in one Airflow.

    :param airflow: whose parts die.
    :param flyte: where the runs are.
    :param database: Airflow's.
    :param redis: what brings the tasks to its workers, if it has any.
    :param say: called with what was counted, a line each.
    """

    def __init__(
        self, airflow: StandaloneAirflow, flyte: LocalFlyte, database: Postgres, redis: Redis | None, say: Say
    ) -> None:
        self.airflow = airflow
        self.flyte = flyte
        self.database = database
        self.redis = redis
        self.say = say
        self.total = Counted()
        self.came_back: list[str] = []

    def play(self, name: str, deed: Callable[[], object], *, after: Callable[[], object] = lambda: None) -> Counted:
        """Do something while one batch waits and another one launches; check, say and return what came of both.

        :param name: of the scenario, short.
        :param deed: what happens.
        :param after: what happens when both are over.
        """
        waiting = Batch(self.airflow, self.flyte, f"{name}-w")
        until(waiting.waits, 240, f"{name}: a batch that waits", waiting.describe)
        launching = Batch(self.airflow, self.flyte, f"{name}-l")
        until(launching.runs, 120, f"{name}: the first launch", launching.describe)
        deed()
        waiting.end_runs()
        return self.check(name, waiting, launching, after=after)

    def check(self, name: str, *batches: Batch, after: Callable[[], object] = lambda: None) -> Counted:
        """Let the runs of these batches end, until all their tasks have; check, say and return what came of them."""
        began = time.monotonic()
        counted = self.finish(*batches)
        after()
        more = f"; ended by themselves and were started again: {', '.join(self.came_back)}" if self.came_back else ""
        self.came_back.clear()
        self.say(f"{name}: {counted}; over {time.monotonic() - began:.0f} s later{more}")
        self.total += counted
        assert counted.faults() == {}, "\n".join(each.describe() for each in batches)
        return counted

    def finish(self, *batches: Batch) -> Counted:
        """Let the runs of these batches end, until all their tasks have, and count."""

        def over() -> bool:
            self.start_what_ended()
            for each in batches:
                each.end_runs()
            return self.answers() and all(each.is_over() for each in batches)

        def describe() -> str:
            return "\n".join(each.describe() for each in batches)

        def count() -> Counted:
            return sum((each.count() for each in batches), Counted())

        until(over, 300, "the ends of all tasks", describe)
        # A DAG gets the ends beside the tasks.
        until(lambda: count().watched == count().reported, 150, "that all ends are reported", describe)
        return count()

    def start_what_ended(self) -> None:
        """Start again what has ended by itself, as a process manager does, without what it left."""
        for name in self.airflow.ended():
            self.airflow.kill(name)
            self.airflow.start_component(name)
            self.came_back.append(name)

    def answers(self) -> bool:
        """Whether the API server does."""
        return bool(self.airflow.api.health())

    def kill(self, names: Iterable[str]) -> None:
        """``kill -9`` components with all that they have started."""
        for name in names:
            self.airflow.kill(name)

    def restart(self, names: Iterable[str]) -> None:
        """Start components that were killed."""
        for name in names:
            self.airflow.start_component(name)
