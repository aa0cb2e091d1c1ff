"""Airflow's own command line: what it shows of a connection, as docs/connection.md says, and ``airflow tasks test``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

import pytest

from airflow_provider_flyte.testing import LocalFlyte
from tests.support.own_airflow import airflow, load_dag_file
from tests.support.secret_search import found

pytestmark = pytest.mark.one_transport("connect")

SECRETS = {"password": "correct-horse-battery", "key": "staple-of-the-key", "header": "staple-of-the-header"}
EXTRA = {
    "authentication": "token",
    "client_private_key": SECRETS["key"],
    "secret_metadata": {"x-proxy-key": SECRETS["header"]},
}
CONNECTION = json.dumps({"conn_type": "flyte", "host": "localhost", "password": SECRETS["password"], "extra": EXTRA})
IS_3 = not version("apache-airflow").startswith("2.")


@pytest.fixture(scope="module")
def stored(airflow_db: None) -> Iterator[str]:
    from airflow.models import Connection
    from airflow.utils.session import create_session

    with create_session() as session:
        session.add(Connection.from_json(CONNECTION, conn_id="shown"))
    yield "shown"
    with create_session() as session:
        session.query(Connection).filter_by(conn_id="shown").delete()


def shown(capsys: pytest.CaptureFixture[str], *command: str) -> set[str]:
    """Which secrets a command of ``airflow connections`` prints."""
    airflow("connections", *command, "-o", "json")
    printed = capsys.readouterr().out
    assert '"conn_type": "flyte"' in printed
    return {name for name, secret in SECRETS.items() if found({name: secret}, [("the output", printed)])}


def test_get_shows_all(stored: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(capsys, "get", stored) == {"password", "key", "header"}


def test_list_shows_nothing_unless_asked_on_airflow_3(stored: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(capsys, "list") == (set() if IS_3 else {"password", "key", "header"})
    if IS_3:
        assert shown(capsys, "list", "--show-values") == {"password", "key", "header"}


def test_hide_sensitive_leaves_extra_fields_in_the_uri(stored: str, capsys: pytest.CaptureFixture[str]) -> None:
    if IS_3:
        assert shown(capsys, "list", "--show-values", "--hide-sensitive") == {"key", "header"}


# -- airflow tasks test


@pytest.fixture(scope="module")
def _stored_dags(airflow_db: None) -> None:
    airflow("dags", "reserialize")


@pytest.fixture
def flyte(flyte_default: LocalFlyte, monkeypatch: pytest.MonkeyPatch, _stored_dags: None) -> LocalFlyte:
    # Airflow sets it and leaves it.
    monkeypatch.setenv("AIRFLOW_TEST_MODE", "")
    flyte_default.deploy("demo.train", inputs={"rows": int}, outputs={"o0": int})
    flyte_default.on_launch(lambda run: run.phases("RUNNING", "RUNNING", every=0.2).succeeds({"o0": 1}))
    flyte_default.run("nightly", task="demo.train").succeeds({"o0": 1})
    return flyte_default


def launched(flyte: LocalFlyte) -> list[Any]:
    return [run.inputs["rows"].scalar.primitive.integer for run in flyte.runs() if run.name != "nightly"]


@pytest.mark.timeout(180)
@pytest.mark.parametrize(("task_id", "rows"), [("launched", 1), ("deferred", 2)])
def test_tasks_test_launches_each_time(flyte: LocalFlyte, task_id: str, rows: int) -> None:
    airflow("tasks", "test", "tested", task_id)
    assert launched(flyte) == [rows]
    airflow("tasks", "test", "tested", task_id)
    airflow("tasks", "test", "tested", task_id, "2026-02-01")
    airflow("tasks", "test", "tested", task_id, "2026-02-01")
    assert launched(flyte) == [rows] * 4
    assert {run.enqueued for run in flyte.runs() if run.name != "nightly"} == {1}
    assert flyte.calls("AbortRun") == []


@pytest.mark.timeout(180)
def test_tasks_test_leaves_a_dag_run_that_is_there_its_own_runs(flyte: LocalFlyte) -> None:
    flyte.deploy("demo.train", version="v2", inputs={"rows": int}, outputs={"o0": int})
    dag = load_dag_file("tested").dag
    dag_run = dag.test()
    # An operator that is executed inside a task waits on the worker, also where both have the same id.
    assert {ti.task_id: str(ti.state) for ti in dag_run.get_task_instances()} == dict.fromkeys(dag.task_ids, "success")
    run_id = dag_run.run_id
    before = launched(flyte)
    for count in (1, 2):
        airflow("tasks", "test", "tested", "launched", run_id)
        assert launched(flyte) == before + [1] * count
    assert flyte.calls("AbortRun") == []


@pytest.mark.timeout(180)
def test_tasks_test_of_a_sensor_and_of_operators_inside_a_task(flyte: LocalFlyte) -> None:
    airflow("tasks", "test", "tested", "sensor")
    assert launched(flyte) == []
    airflow("tasks", "test", "tested", "inside")
    assert launched(flyte) == [3, 4, 5]
