"""Two of each: schedulers, triggerers and, with CeleryExecutor, workers, on PostgreSQL.

Each executor has one Airflow, in which one scenario comes after the other: a batch of tasks waits, another one is about
to launch, and then something dies, stalls or is away. What was counted is printed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

import pytest

from airflow_provider_flyte.testing import LocalFlyte, RunHandle
from tests.e2e.airflow_api import until
from tests.e2e.airflow_process import StandaloneAirflow, flyte_connection
from tests.e2e.launches.conftest import SETTINGS
from tests.ha.batch import Batch
from tests.ha.counted import Counted
from tests.matrix.airflow_two import AirflowTwo
from tests.support.debian_servers import Postgres, Redis
from tests.support.own_airflow import AIRFLOW

if find_spec("celery") is None:
    # `make test-ha` lays it beside the environment.
    collect_ignore_glob = ["test_*.py"]

TIMES = SETTINGS | {
    # With 8 s, two schedulers on two cores that others need too take each other for dead, and tasks begin anew.
    "SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "20",
    "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "30",
    "TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "20",
}
OF_TWO = {
    "SCHEDULER__LOCAL_TASK_JOB_HEARTBEAT_SEC": "1",
    "SCHEDULER__SCHEDULER_ZOMBIE_TASK_THRESHOLD": "30",
    "SCHEDULER__ZOMBIE_DETECTION_INTERVAL": "2",
}
SECOND = {name: (name[:-2], "--skip-serve-logs") for name in ("scheduler-2", "triggerer-2")}
WORKERS = ("worker-1", "worker-2")
POOL = 4
"""Processes of each worker."""
REDELIVERED_AFTER = 20
"""Seconds after which Redis gives a message that nobody has acknowledged to the next worker: a day by default."""

Say = Callable[[str], None]


class Scenes:
    """One scenario after the other, in one Airflow.

    :param airflow: whose parts die.
    :param flyte: where the runs are.
    :param say: told what was counted, a line each.
    """

    def __init__(self, airflow: StandaloneAirflow, flyte: LocalFlyte, say: Say) -> None:
        self.airflow = airflow
        self.flyte = flyte
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
        # A DAG is told beside the tasks.
        until(lambda: count().watched == count().told, 150, "that all ends are told", describe)
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

    def restart(self, name: str) -> None:
        """Start a component that was killed."""
        self.airflow.start_component(name)


@pytest.fixture(scope="module")
def flyte() -> Iterator[LocalFlyte]:
    with LocalFlyte(keep_calls=200_000) as server:
        for name in ("ha.train", "ha.fails_once", "ha.quick"):
            server.deploy(name, inputs={"rows": int}, outputs={"o0": int})
        server.on_launch(_play)
        yield server


def _play(run: RunHandle) -> None:
    """A run is on its way for long enough that its task defers."""
    run.phases("QUEUED", "RUNNING", every=0 if run.task[0] == "ha.quick" else 3)


@pytest.fixture(scope="module")
def database() -> Iterator[Postgres]:
    with Postgres(connections=300) as server:
        yield server


@pytest.fixture(scope="module")
def redis() -> Iterator[Redis]:
    with Redis() as server:
        yield server


@pytest.fixture(scope="session")
def say(request: pytest.FixtureRequest) -> Say:
    """Print a line at once, whatever pytest captures."""
    reporter = request.config.pluginmanager.get_plugin("terminalreporter")
    capture = request.config.pluginmanager.get_plugin("capturemanager")
    assert reporter is not None
    assert capture is not None

    def tell(line: str) -> None:
        with capture.global_and_fixture_disabled():
            reporter.write_line(f"\n  {line}")

    return tell


def _airflow(
    flyte: LocalFlyte, database: Postgres, more: Mapping[str, Sequence[str]], settings: Mapping[str, str]
) -> StandaloneAirflow:
    kind, times = (StandaloneAirflow, TIMES) if AIRFLOW >= (3,) else (AirflowTwo, TIMES | OF_TWO)
    return kind(
        {"ha": Path(__file__).parent / "dags"},
        connections={"flyte_default": flyte_connection(flyte)},
        settings={**times, "CORE__PARALLELISM": "5", "DATABASE__SQL_ALCHEMY_CONN": database.address, **settings},
        more={**SECOND, **more},
    )


@pytest.fixture(scope="module")
def local(flyte: LocalFlyte, database: Postgres, say: Say) -> Iterator[Scenes]:
    """With LocalExecutor."""
    with _airflow(flyte, database, {}, {}) as airflow:
        airflow.api.wait_for_dags("ha_batch", timeout=120)
        scenes = Scenes(airflow, flyte, say)
        yield scenes
        say(f"LocalExecutor, Airflow {airflow.api.version()}, all: {scenes.total}")


@pytest.fixture(scope="module")
def celery(flyte: LocalFlyte, database: Postgres, redis: Redis, say: Say) -> Iterator[Scenes]:
    """With CeleryExecutor and two workers."""
    command = ("celery", "worker", "--skip-serve-logs", "--concurrency", str(POOL))
    workers = {name: (*command, "--celery-hostname", name, "--pid", f"{name}.pid") for name in WORKERS}
    settings = {
        "CORE__EXECUTOR": "CeleryExecutor",
        "CELERY__BROKER_URL": redis.address,
        "CELERY__RESULT_BACKEND": f"db+{database.address}",
        "CELERY_BROKER_TRANSPORT_OPTIONS__VISIBILITY_TIMEOUT": str(REDELIVERED_AFTER),
    }
    with _airflow(flyte, database, workers, settings) as airflow:
        airflow.api.wait_for_dags("ha_batch", timeout=120)
        scenes = Scenes(airflow, flyte, say)
        yield scenes
        say(f"CeleryExecutor, Airflow {airflow.api.version()}, all: {scenes.total}")
