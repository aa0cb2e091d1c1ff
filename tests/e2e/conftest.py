"""The one Airflow of the test run, and the DAG runs that all of its tests read.

Airflow's start and the ten seconds that each deferred task is held take most of the time, so everything is triggered at
once and runs side by side. The files' names give the order: the test that kills the triggerer comes last.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import pytest

from airflow_provider_flyte.testing import LocalFlyte, RunHandle
from tests.e2e import browser
from tests.e2e.canary import Canary
from tests.e2e.left_behind import ProcessNotes
from tests.support import example_launches
from tests.support.after_first_poll import AfterFirstPoll
from tests.support.airflow_process import USER, StandaloneAirflow, flyte_connection
from tests.support.debian_servers import Postgres

if int(version("apache-airflow").split(".")[0]) < 3:
    # Airflow 2.11 has other processes and another API; there, dag.test() runs the examples.
    collect_ignore_glob = ["test_*.py"]

HERE = Path(__file__).parent
FOLDERS = {"examples": HERE.parents[1] / "example_dags", "e2e": HERE / "dags"}
POOL = "waiting"
"""The pool of the only task of the DAG e2e_deferred."""
SECRET = "made-up-secret-1f9b"
MANY = 100
MANY_RUNS = [f"e2e-many-{number}" for number in range(MANY)]
ENDED_BY_TESTS = (
    *("e2e-connect", "e2e-failed", "e2e-timed-out"),
    *("nightly-training", "hourly-cleaning", "ingest-of-today", "optional-forecast", "shard-0", "shard-1", "shard-2"),
    *("region-north", "region-south", "region-west"),
    *("no-worker-named", "no-worker-failed", "no-worker-0", "no-worker-1"),
)


@pytest.fixture(scope="session")
def flyte() -> Iterator[LocalFlyte]:
    with LocalFlyte(transports=("grpc", "connect")) as server:
        yield server


@pytest.fixture(scope="session")
def readable_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which the Test button may open files."""
    return tmp_path_factory.mktemp("readable")


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """The database, as people have it. With SQLite one writer waits for the others, and a scheduler that has waited for
    too long fails tasks that have resumed meanwhile.
    """
    assert find_spec("psycopg2"), "psycopg2 is missing: `make test-e2e` lays it beside the environment"
    with Postgres() as server:
        yield server


@pytest.fixture(scope="session")
def airflow(flyte: LocalFlyte, readable_folder: Path, postgres: Postgres) -> Iterator[StandaloneAirflow]:
    connections = {
        "flyte_default": flyte_connection(flyte),
        "flyte_connect": flyte_connection(flyte, protocol="connect"),
    }
    settings = {
        "CORE__TEST_CONNECTION": "Enabled",
        "DATABASE__SQL_ALCHEMY_CONN": postgres.address,
        "FLYTE__API_SERVER_FOLDERS": str(readable_folder),
        # Whatever can be logged is, because none of it may hold a secret.
        "LOGGING__LOGGING_LEVEL": "DEBUG",
    }
    with StandaloneAirflow(FOLDERS, connections=connections, settings=settings) as made:
        yield made


@pytest.fixture(scope="session")
def canary(airflow: StandaloneAirflow, readable_folder: Path) -> Iterator[Canary]:
    folder = readable_folder / "canary"
    folder.mkdir()
    with Canary(folder) as made:
        for connection in made.connections():
            airflow.api.create_connection(connection)
        yield made


@pytest.fixture(scope="session")
def processes(airflow: StandaloneAirflow) -> Iterator[ProcessNotes]:
    with ProcessNotes(airflow) as notes:
        yield notes


@pytest.fixture(scope="session")
def canary_run(airflow: StandaloneAirflow, canary: Canary, processes: ProcessNotes) -> str:
    airflow.api.wait_for_dags("e2e_canary")
    return airflow.api.trigger("e2e_canary")


LEFT_ALONE = "demo.fails"
"""The Flyte task whose runs only tests move."""


@pytest.fixture(scope="session")
def dag_runs(airflow: StandaloneAirflow, flyte: LocalFlyte, canary_run: str) -> Iterator[Mapping[str, str]]:
    """DAG id -> id of its run. The Flyte runs go on until a test ends them, or until their tasks have seen them."""
    examples = sorted(path.stem for path in FOLDERS["examples"].glob("*.py"))
    own = ("deferred", "connect", "failed", "from_trigger", "missing", "timed_out", "retries")
    dags = (*(f"e2e_{name}" for name in own), *examples, "e2e_many")
    flyte.run("e2e-deferred", envs={"API_KEY": SECRET}).phases("RUNNING")
    for name in ENDED_BY_TESTS:
        flyte.run(name).phases("RUNNING")
    example_launches.deploy(flyte)
    examples_play = example_launches.plays(every=1)
    for kind in ("user", "system"):
        flyte.deploy(f"e2e.{kind}")
    others = dict.fromkeys(("e2e.user", "e2e.system"), _fails_at_first)
    others |= dict.fromkeys((LEFT_ALONE, "e2e.tab"), lambda run: run)
    flyte.on_launch(lambda run: others.get(run.task[0], examples_play)(run))
    airflow.api.create_pool(POOL)
    airflow.api.wait_for_dags(*dags)
    # A task looks at its run just before it defers: these end 0 to 10 s after that.
    ends = {name: _succeeds_after(number * 10 / MANY) for number, name in enumerate(MANY_RUNS)}
    ends |= {"hourly-scoring": RunHandle.succeeds}
    with AfterFirstPoll(flyte, ends), example_launches.somebody_approves(flyte):
        yield {dag_id: airflow.api.trigger(dag_id) for dag_id in dags}


def _fails_at_first(run: RunHandle) -> RunHandle:
    """The script of a run of ``e2e.user`` or ``e2e.system``: the first try's fails in this way."""
    run.phases("QUEUED", "RUNNING", "RUNNING", every=1)
    if run.run_spec.labels.values["airflow-try-number"] == "1":
        return run.fails(kind="USER" if run.task[0] == "e2e.user" else "SYSTEM")
    return run.succeeds()


def _succeeds_after(seconds: float) -> Callable[[RunHandle], RunHandle]:
    return lambda run: run.phases("RUNNING", "SUCCEEDED", every=seconds)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what Airflow's processes said last where a test fails."""
    report = yield
    if report.failed:
        report.sections.extend(("Airflow", airflow.tails()) for airflow in StandaloneAirflow.running)
    return report


@pytest.fixture(scope="module")
def tab(airflow: StandaloneAirflow) -> Iterator[browser.FlyteTab]:
    """The tab "Flyte" for somebody who has signed in, to whose browser nothing is objectionable."""
    browser.require()
    with browser.flyte_tab(airflow.url, USER, airflow.password) as opened:
        yield opened
        assert opened.complaints == []
