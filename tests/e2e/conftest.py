"""The one Airflow of the test run, and the DAG runs that all of its tests look at.

Airflow's start and the ten seconds that each deferred task is held take most of the time, so everything is triggered at
once and runs side by side. The files' names give the order: the test that kills the triggerer comes last.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from threading import Event, Thread

import pytest

from airflow_provider_flyte.testing import LocalFlyte
from tests.e2e.airflow_process import StandaloneAirflow, flyte_connection

if int(version("apache-airflow").split(".")[0]) < 3:
    # Airflow 2.11 has other processes and another API; there, dag.test() runs the examples.
    collect_ignore_glob = ["test_*.py"]

HERE = Path(__file__).parent
FOLDERS = {"examples": HERE.parents[1] / "example_dags", "e2e": HERE / "dags"}
POOL = "waiting"
"""Of the one task of the DAG e2e_deferred."""
SECRET = "made-up-secret-1f9b"
MANY = 100

_airflow: StandaloneAirflow | None = None


@pytest.fixture(scope="session")
def flyte() -> Iterator[LocalFlyte]:
    with LocalFlyte() as server:
        yield server


@pytest.fixture(scope="session")
def airflow(flyte: LocalFlyte) -> Iterator[StandaloneAirflow]:
    global _airflow
    with StandaloneAirflow(FOLDERS, connections={"flyte_default": flyte_connection(flyte)}) as _airflow:
        yield _airflow
    _airflow = None


@pytest.fixture(scope="session")
def dag_runs(airflow: StandaloneAirflow, flyte: LocalFlyte) -> Iterator[Mapping[str, str]]:
    """DAG id -> id of its run, in which the Flyte runs are going on until a test ends them."""
    _launch_runs(flyte)
    over = Event()
    ender = Thread(target=_end_after_first_look, args=(flyte, over), daemon=True)
    ender.start()
    airflow.api.create_pool(POOL)
    dags = (
        *("e2e_deferred", "e2e_failed", "e2e_missing", "e2e_timed_out"),
        *(path.stem for path in sorted(FOLDERS["examples"].glob("*.py"))),
        "e2e_many",
    )
    airflow.api.wait_for_dags(*dags)
    yield {dag_id: airflow.api.trigger(dag_id) for dag_id in dags}
    over.set()
    ender.join()


def _launch_runs(flyte: LocalFlyte) -> None:
    flyte.run("e2e-deferred", envs={"API_KEY": SECRET}).phases("RUNNING")
    for name in ("e2e-failed", "e2e-timed-out"):
        flyte.run(name).phases("RUNNING")
    for number in range(MANY):
        flyte.run(many(number)).phases("RUNNING")
    for name in (
        *("nightly-training", "hourly-cleaning", "hourly-scoring", "ingest-of-today", "optional-forecast"),
        *(f"shard-{number}" for number in range(3)),
    ):
        flyte.run(name).phases("RUNNING")


def many(number: int) -> str:
    """Name of one of the many runs."""
    return f"e2e-many-{number}"


def _end_after_first_look(flyte: LocalFlyte, over: Event) -> None:
    """End some runs after their tasks have seen them once: each of the many 0 to 10 s later."""
    delays = {many(number): number * 10 / MANY for number in range(MANY)} | {"hourly-scoring": 0.0}
    while delays and not over.wait(0.1):
        for call in flyte.calls("GetRunDetails"):
            delay = delays.pop(call.request.run_id.name, None)
            if delay is not None:
                flyte.run(call.request.run_id.name).phases("RUNNING", "SUCCEEDED", every=delay)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what Airflow's processes said last where a test fails."""
    report = yield
    if report.failed and _airflow is not None:
        report.sections.append(("Airflow", _airflow.tails()))
    return report
