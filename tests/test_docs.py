"""What README and docs say: every Python snippet runs, every local link leads somewhere."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta, timezone
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from airflow_provider_flyte.hooks import FlyteHook
from airflow_provider_flyte.settings import config_section
from airflow_provider_flyte.testing import LocalFlyte
from tests.support.airflow_process import flyte_connection
from tests.support.forks import Forks, forks_after
from tests.support.own_airflow import AIRFLOW, DAGS_FOLDER, airflow, connection_json, for_this_airflow, load_dag_file

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "airflow_provider_flyte"
IS_3 = int(version("apache-airflow").split(".")[0]) > 2
OF_THE_PROJECT = [ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md"]
PAGES = [ROOT / "README.md", ROOT / "protos" / "README.md", *OF_THE_PROJECT, *sorted((ROOT / "docs").glob("*.md"))]
SNIPPETS = [
    pytest.param(block, id=f"{page.relative_to(ROOT)}-{number}")
    for page in PAGES
    for number, block in enumerate(re.findall(r"^```python\n(.*?)^```", page.read_text(), re.M | re.S), start=1)
    # No trigger of 2.11 fires for assets, its DAGs have no deadlines, and it asks nobody.
    if IS_3 or not re.search("AssetWatcher|DeadlineAlert|FlyteConditionOperator", block)
]

NEED_NEWER = {
    "retry_policies": ((3, 3), "ImportError: FlyteRetryPolicy needs Airflow 3.3 or newer"),
    "start_from_trigger": ((3, 3), "FlyteArgumentError: start_from_trigger=True needs Airflow 3.3 or newer"),
    "FlyteConditionOperator": ((3, 1), "FlyteArgumentError: FlyteConditionOperator needs Airflow 3.1 or newer"),
}


PRELOADED = (
    "airflow.sdk.definitions.dag" if IS_3 else "airflow.models.dag",
    *(f"airflow_provider_flyte.{name}" for name in ("operators", "sensors", "triggers", "hooks", "testing.server")),
)


@pytest.fixture(scope="module")
def forks() -> Iterator[Forks]:
    with forks_after(PRELOADED, ["-W", "error::DeprecationWarning:__main__"]) as forks:
        yield forks


@pytest.mark.parametrize("snippet", SNIPPETS)
def test_every_snippet_runs(forks: Forks, snippet: str, tmp_path: Path) -> None:
    file = tmp_path / "test_snippet.py"
    file.write_text(for_this_airflow(snippet))
    if re.search(r"^(async )?def test_", snippet, re.M):
        # By pytest, as its reader would.
        arguments = ["-q", "-p", "no:cacheprovider", f"--rootdir={tmp_path}", str(file)]
        file = tmp_path / "run.py"
        file.write_text(f"import sys, pytest\nsys.exit(pytest.main({arguments}))")
    done = forks.run(file, seconds=60)
    for needing, (since, error) in NEED_NEWER.items():
        if needing in snippet and since > AIRFLOW:
            assert error in done.stderr
            return
    assert done.returncode == 0, done


@pytest.mark.parametrize("page", [*PAGES, *sorted((ROOT / "example_dags").glob("*.py"))], ids=lambda page: page.name)
def test_no_snippet_needs_more_than_airflow(page: Path) -> None:
    """common-compat's ``sdk`` is newer than some Airflows that the provider runs on."""
    assert not re.search(r"^(from|import) airflow\.providers\.common", page.read_text(), re.M)


def readme_dag(dag_id: str, task_id: str) -> tuple[str, Any]:
    """The README's DAG, as a text and as Airflow reads it; the task is also a variable's name."""
    blocks = re.findall(r"^```python\n(.*?)^```", (ROOT / "README.md").read_text(), re.M | re.S)
    [block] = [block for block in blocks if f'"{dag_id}"' in block]
    (DAGS_FOLDER / f"{dag_id}.py").write_text(for_this_airflow(block))
    return block, getattr(load_dag_file(dag_id), task_id).dag


@pytest.mark.parametrize(("dag_id", "task_id"), [("first_flyte_dag", "wait"), ("first_flyte_launch", "train")])
def test_the_first_dags_are_short(dag_id: str, task_id: str) -> None:
    block, _ = readme_dag(dag_id, task_id)
    assert len([line for line in block.splitlines() if line.strip()]) <= 15


@pytest.fixture
def flyte_of_the_readme(
    airflow_db: None, local_flyte: LocalFlyte, monkeypatch: pytest.MonkeyPatch
) -> Iterator[LocalFlyte]:
    """The local Flyte, with the connection in the database that the README's command makes."""
    monkeypatch.delenv("AIRFLOW_CONN_FLYTE_DEFAULT", raising=False)
    [command] = re.findall(r"^airflow (connections add .*?)^```", (ROOT / "README.md").read_text(), re.M | re.S)
    words = shlex.split(command.replace("\\\n", ""))
    airflow(*(str(local_flyte.port) if word == "8090" else word for word in words))
    yield local_flyte
    airflow("connections", "delete", "flyte_default")


def test_the_first_dag_waits(flyte_of_the_readme: LocalFlyte) -> None:
    run = flyte_of_the_readme.run("nightly-training").phases("RUNNING")
    _, dag = readme_dag("first_flyte_dag", "wait")
    # The event would be held for ten seconds after the deferral.
    dag.task_dict["wait"].resume_after = 0

    def end() -> None:
        try:
            # Only a trigger opens a stream.
            flyte_of_the_readme.wait_for_call("WatchRuns", timeout=90)
        finally:
            # Whatever happens: the sensor waits for days.
            run.succeeds()

    with ThreadPoolExecutor() as threads:
        ending = threads.submit(end)
        ends = {ti.task_id: ti for ti in dag.test().get_task_instances()}
        ending.result()
    assert {task_id: ti.state for task_id, ti in ends.items()} == {"wait": "success", "report": "success"}
    assert ends["report"].xcom_pull(task_ids="report").startswith("nightly-training took ")


@pytest.mark.parametrize("protocol", ["grpc"])
def test_the_first_dag_that_launches(flyte_of_the_readme: LocalFlyte) -> None:
    flyte_of_the_readme.deploy("train.fit", inputs={"rows": int}, outputs={"o0": str})
    flyte_of_the_readme.deploy("train.publish", inputs={"model": str})
    flyte_of_the_readme.on_launch(
        lambda run: run.phases("RUNNING", "RUNNING", every=0.2).succeeds({"o0": "s3://models/7"})
    )
    _, dag = readme_dag("first_flyte_launch", "train")
    for task in dag.tasks:
        # A try that fails is to be seen at once, not after a retry's five minutes.
        task.resume_after, task.retries = 0, 0
    assert {ti.task_id: ti.state for ti in dag.test().get_task_instances()} == {
        "train": "success",
        "publish": "success",
    }
    fit, publish = flyte_of_the_readme.runs()
    assert (fit.task[0], publish.task[0]) == ("train.fit", "train.publish")
    assert publish.inputs["model"].scalar.primitive.string_value == "s3://models/7"


def dag_file(page: str, dag_id: str) -> ModuleType:
    """The DAG file of a page of the docs, as Airflow reads it."""
    blocks = re.findall(r"^```python\n(.*?)^```", (ROOT / "docs" / f"{page}.md").read_text(), re.M | re.S)
    [block] = [block for block in blocks if f'"{dag_id}"' in block]
    (DAGS_FOLDER / f"{dag_id}.py").write_text(for_this_airflow(block))
    return load_dag_file(dag_id)


def test_an_output_is_mapped_over(airflow_db: None, flyte_default: LocalFlyte) -> None:
    """The DAG of docs/launch.md that maps over an output and waits for what it has launched."""
    flyte_default.deploy("sales.find_regions", outputs={"o0": list[str]})
    flyte_default.deploy("sales.load", inputs={"region": str})
    regions = ["north", "south"]
    flyte_default.on_launch(lambda run: run.succeeds({"o0": regions} if run.task[0] == "sales.find_regions" else None))
    dag = dag_file("launch", "load_each_region").find.dag
    for name in ("find", "all_loaded"):
        dag.task_dict[name].resume_after = 0
    states = [(ti.task_id, ti.map_index, str(ti.state)) for ti in dag.test().get_task_instances()]
    assert sorted(states) == [
        ("all_loaded", -1, "success"),
        ("find", -1, "success"),
        ("inputs_of", -1, "success"),
        ("load", 0, "success"),
        ("load", 1, "success"),
    ]
    given = [run.inputs["region"].scalar.primitive.string_value for run in flyte_default.runs()[1:]]
    assert sorted(given) == regions


def test_inputs_come_from_a_function(airflow_db: None, flyte_default: LocalFlyte) -> None:
    """The DAG of docs/launch.md whose function returns the inputs."""
    flyte_default.deploy("train.fit", inputs={"region": str, "rows": int, "rate": float, "day": datetime})
    flyte_default.on_launch(lambda run: run.succeeds())
    dag = dag_file("launch", "train_each_region").dag
    dag.task_dict["train"].partial_kwargs["resume_after"] = 0
    states = [(ti.task_id, ti.map_index, str(ti.state)) for ti in dag.test().get_task_instances()]
    assert sorted(states) == [("regions", -1, "success"), ("train", 0, "success"), ("train", 1, "success")]
    given = [run.inputs["region"].scalar.primitive.string_value for run in flyte_default.runs()]
    assert sorted(given) == ["north", "south"]


def test_a_dag_follows_a_flyte_schedule(airflow_db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second DAG of docs/scheduled.md: among the runs of three days it finds that of its own date."""
    now = [datetime(2026, 11, 1, 5, 0, 7, tzinfo=timezone.utc)]
    with LocalFlyte(clock=lambda: int(now[0].timestamp() * 1e9)) as flyte:
        monkeypatch.setenv("AIRFLOW_CONN_FLYTE_DEFAULT", connection_json(flyte))
        for day in (1, 2, 3):
            flyte.run(f"loaded-on-{day}", task="etl.load").succeeds()
            now[0] += timedelta(days=1)
        dag = dag_file("scheduled", "sales_report").dag
        date = datetime(2026, 11, 2, 6, tzinfo=timezone.utc)
        [ti] = dag.test(**{"logical_date" if IS_3 else "execution_date": date}).get_task_instances()
    assert ti.state == "success"
    assert ti.xcom_pull(task_ids="loaded", key="run_name") == "loaded-on-2"


def test_a_scheduled_dag_reaches_flyte(airflow_db: None, flyte_default: LocalFlyte) -> None:
    """The DAG of docs/scheduled.md, for two dates, as a backfill has them."""
    flyte_default.deploy("train.fit", inputs={"since": datetime, "rows": int})
    flyte_default.on_launch(lambda run: run.phases("RUNNING", "RUNNING", every=0.2).succeeds())
    dag = dag_file("scheduled", "sales_model").dag
    train = dag.task_dict["train"]
    train.resume_after = train.retries = 0
    days = [datetime(2026, 11, day, tzinfo=timezone.utc) for day in (2, 3)]
    for day in days:
        dag_run = dag.test(**{"logical_date" if IS_3 else "execution_date": day})
        assert {str(ti.state) for ti in dag_run.get_task_instances()} == {"success"}
    assert [run.run_spec.run_start_time.ToDatetime(timezone.utc) for run in flyte_default.runs()] == days
    assert [run.context["day"] for run in flyte_default.runs()] == ["2026-11-02", "2026-11-03"]
    for run, day in zip(flyte_default.runs(), days, strict=True):
        since = run.inputs["since"].scalar.primitive.datetime.ToDatetime(timezone.utc)
        assert since == day - timedelta(days=7)
        labels = run.run_spec.labels.values
        assert labels["airflow-dag-id"] == "sales_model"
        assert labels["airflow-task-id"] == "train"
        assert labels["airflow-owner"] == "sales"
        assert labels["airflow-try-number"] == "1"
        assert labels["cost-centre"] == "4711"
        assert run.run_spec.annotations.values["airflow.apache.org/dag_id"] == "sales_model"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_local_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", OF_THE_PROJECT, ids=lambda page: page.name)
def test_files_that_are_named_are_there(page: Path) -> None:
    """As they are called from the root, or from the package, where most are."""
    named = set(re.findall(r"`([\w.-]+(?:/[\w.-]*)+|\w+\.(?:py|md|json))`", page.read_text()))
    assert named
    gone = {path for path in named if not any((root / path).exists() for root in (ROOT, PACKAGE))}
    # What is made is there only afterwards.
    gone = {path for path in gone if not path.startswith(".run/")}
    assert gone == set()


def test_the_table_of_flags_is_the_tested_one() -> None:
    from tests.airflow.test_sensor_flags import ERRORS, TABLE

    words = {"fails": "fails", "fails for good": "fails, no retry", "skips": "skipped", "waits on": "keeps waiting"}
    page = (ROOT / "docs" / "sensor.md").read_text()
    for condition, cells in TABLE.items():
        row = " | ".join(words[cell] for cell in cells)
        assert f"`{ERRORS[condition]}` | {row} |" in page


def shown_connections(flyte: LocalFlyte) -> dict[str, str]:
    """The connections that demo, README and docs make, as an environment variable takes them."""
    readme, page = (ROOT / "README.md").read_text(), (ROOT / "docs" / "connection.md").read_text()
    [extra] = re.findall(r"--conn-extra '(.*?)'", readme)
    [stored] = re.findall(r"^export AIRFLOW_CONN_FLYTE_DEFAULT='(\{.*?\})'", page, re.M | re.S)
    [uri] = re.findall(r"^export AIRFLOW_CONN_FLYTE_DEFAULT='(flyte:.*?)'", page, re.M)
    return {
        "README.md": json.dumps({"conn_type": "flyte", "host": "localhost", "port": 8090, "extra": json.loads(extra)}),
        "docs/connection.md, JSON": stored,
        "docs/connection.md, URI": uri,
        "make demo": flyte_connection(flyte),
    }


@pytest.mark.parametrize("protocol", ["grpc"])
def test_airflow_warns_of_no_value_of_the_connections_that_we_show(
    local_flyte: LocalFlyte, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Of a text with fewer than five characters it would, in every task's log."""
    shown = shown_connections(local_flyte)
    if IS_3:
        shown |= {"one of which it does": connection_json(local_flyte, transport="grpc")}
    warned = []
    for where, connection in shown.items():
        if IS_3:
            from airflow.sdk._shared.secrets_masker import SecretsMasker

            monkeypatch.setattr(SecretsMasker, "_has_warned_short_secret", False)
        caplog.clear()
        monkeypatch.setenv("AIRFLOW_CONN_FLYTE_DEFAULT", connection)
        assert FlyteHook().get_config().project == "flytesnacks"
        if "too short" in caplog.text:
            warned.append(where)
    assert warned == ["one of which it does"] * IS_3


def test_the_table_of_options_is_the_section() -> None:
    rows = re.findall(r"^\| `(\w+)` \|(?: `(.*?)`)? \|", (ROOT / "docs/configuration.md").read_text(), re.M)
    assert rows == [(name, option["default"]) for name, option in config_section()["options"].items()]


def test_the_table_of_airflows_is_the_matrix() -> None:
    """One row an environment of ``make matrix``, which prints the rows; no release is claimed that it does not try."""
    from scripts.matrix import ENVIRONMENTS, RELEASED, WHOLE

    page = (ROOT / "README.md").read_text()
    cells = r"^\| (\d\.\d+\.\d+) \| (\d{4}-\d\d-\d\d) \| (3\.\d+) \| (.*) \| (.*) \| ([\d, -]+) \|$"
    rows = re.findall(cells, page, re.M)
    assert [row[:3] for row in rows] == [(one.airflow, RELEASED[one.airflow], one.python) for one in ENVIRONMENTS]
    for one, (*_, adds, told, days) in zip(ENVIRONMENTS, rows, strict=True):
        parts = {*told.split(", ")} - {"with the lowest of every library"}
        assert {"import", "first DAGs"} <= parts <= {"import", "first DAGs", "unit tests", *WHOLE.values()}
        assert (bool(parts & {*WHOLE.values()}), "lowest" in told) == (one.whole, one.lowest)
        assert [name.partition(" ")[0] for name in adds.split(", ")] == ([*one.adds] or ["nothing"])
        assert all(date.fromisoformat(day) >= date.fromisoformat(RELEASED[one.airflow]) for day in days.split(", "))
