"""Two of each: schedulers, triggerers and, with CeleryExecutor, workers, on PostgreSQL.

Each executor has one Airflow, in which one scenario comes after the other. What was counted is printed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest

from airflow_provider_flyte.testing import LocalFlyte, RunHandle
from tests.ha.scenes import SECOND, WORKERS, Say, Scenes
from tests.support.airflow_process import StandaloneAirflow, flyte_connection
from tests.support.airflow_two import AirflowTwo
from tests.support.crash_settings import SETTINGS
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
POOL = 4
"""Processes of each worker."""
REDELIVERED_AFTER = 20
"""Seconds after which Redis gives a message that nobody has acknowledged to the next worker: a day by default."""


@pytest.fixture(scope="session", params=["LocalExecutor", "CeleryExecutor"])
def scenes(request: pytest.FixtureRequest, say: Say) -> Iterator[Scenes]:
    """With each executor."""
    with _scenes(request.param, say) as made:
        yield made


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


@contextmanager
def _scenes(executor: str, say: Say) -> Iterator[Scenes]:
    """Airflow with this executor, and all that it needs, new."""
    with ExitStack() as stack:
        flyte = stack.enter_context(LocalFlyte(keep_calls=200_000))
        for name in ("ha.train", "ha.fails_once", "ha.quick"):
            flyte.deploy(name, inputs={"rows": int}, outputs={"o0": int})
        flyte.on_launch(_play)
        database = stack.enter_context(Postgres(connections=300))
        redis = stack.enter_context(Redis()) if executor == "CeleryExecutor" else None
        airflow = stack.enter_context(_airflow(executor, flyte, database, redis))
        airflow.api.wait_for_dags("ha_batch", timeout=120)
        scenes = Scenes(airflow, flyte, database, redis, say)
        yield scenes
        say(f"{executor}, Airflow {airflow.api.version()}, all: {scenes.total}")


def _play(run: RunHandle) -> None:
    """A run is on its way for long enough that its task defers."""
    run.phases("QUEUED", "RUNNING", every=0 if run.task[0] == "ha.quick" else 3)


def _airflow(executor: str, flyte: LocalFlyte, database: Postgres, redis: Redis | None) -> StandaloneAirflow:
    kind, settings = (StandaloneAirflow, TIMES) if AIRFLOW >= (3,) else (AirflowTwo, TIMES | OF_TWO)
    settings |= {
        "CORE__EXECUTOR": executor,
        "CORE__PARALLELISM": "5",
        "DATABASE__SQL_ALCHEMY_CONN": database.address,
    }
    more: dict[str, tuple[str, ...]] = {name: (name[:-2], "--skip-serve-logs") for name in SECOND}
    if redis is not None:
        settings |= {
            "CELERY__BROKER_URL": redis.address,
            "CELERY__RESULT_BACKEND": f"db+{database.address}",
            "CELERY_BROKER_TRANSPORT_OPTIONS__VISIBILITY_TIMEOUT": str(REDELIVERED_AFTER),
        }
        command = ("celery", "worker", "--skip-serve-logs", "--concurrency", str(POOL))
        more |= {name: (*command, "--celery-hostname", name, "--pid", f"{name}.pid") for name in WORKERS}
    return kind(
        {"ha": Path(__file__).parent / "dags"},
        connections={"flyte_default": flyte_connection(flyte)},
        settings=settings,
        more=more,
    )
