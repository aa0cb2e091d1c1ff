"""One run a try, as far as ``dag.test()`` shows it, on each Airflow."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timezone
from importlib.metadata import version
from typing import Any

import pytest

from airflow_provider_flyte.testing import LocalFlyte
from tests.support.own_airflow import load_dag_file

pytestmark = [pytest.mark.one_transport("connect"), pytest.mark.timeout(180), pytest.mark.usefixtures("airflow_db")]

AIRFLOW = int(version("apache-airflow").split(".")[0])


@pytest.fixture
def dag(flyte_default: LocalFlyte) -> Any:
    flyte_default.deploy("demo.train", inputs={"rows": int}, outputs={"o0": int})
    flyte_default.on_launch(lambda run: run.phases("RUNNING", "RUNNING", every=0.5).succeeds({"o0": 1}))
    return load_dag_file("launch_twice").dag


def test_each_dag_run_launches_its_own(
    dag: Any, flyte_default: LocalFlyte, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    seen: set[str] = set()
    for day in ("mo", "tu"):
        # On Airflow 3 without a logical date, as a run that is triggered by hand may be.
        dag_run = dag.test(run_conf={"day": day}, **({"logical_date": None} if AIRFLOW >= 3 else {}))
        states = Counter((ti.task_id, str(ti.state)) for ti in dag_run.get_task_instances())
        assert states == {
            ("deferred", "success"): 1,
            ("mapped", "success"): 2,
            ("named", "success"): 1,
        }
        new = [run for run in flyte_default.runs() if run.name not in seen]
        rows = {run.inputs["rows"].scalar.primitive.integer: run for run in new}
        assert sorted(rows) == [1, 3, 4, 5]
        assert rows[5].name == f"nightly-{day}"
        assert {run.enqueued for run in new} == {1}
        assert {run.run_spec.annotations.values["airflow.apache.org/run_id"] for run in new} == {dag_run.run_id}
        assert [rows[row].run_spec.annotations.values["airflow.apache.org/map_index"] for row in (1, 3, 4)] == [
            "-1",
            "0",
            "1",
        ]
        assert not [run for run in new if "airflow.apache.org/operator_id" in run.run_spec.annotations.values]
        seen |= {run.name for run in new}
    assert flyte_default.calls.count("CreateRun") == 8
    assert flyte_default.calls("AbortRun") == []
    assert "The state of the task could not be read" not in caplog.text + "".join(capsys.readouterr())


def test_a_name_that_renders_differently_each_time(dag: Any, flyte_default: LocalFlyte) -> None:
    """``dag.test()`` renders it again after the deferral, and loses the arguments of the resumption."""
    dag_run = load_dag_file("unstable_name").dag.test()
    assert [str(ti.state) for ti in dag_run.get_task_instances()] == ["success"]
    assert flyte_default.calls.count("CreateRun") == 1


def test_twice_for_the_same_date(dag: Any, flyte_default: LocalFlyte) -> None:
    """Airflow 2.11 deletes the DAG run and makes one that is the same in nearly all that a task is told of it, also in
    when it started. Airflow 3 gives the second one another run id.
    """
    date = datetime(2026, 1, 1, tzinfo=timezone.utc)
    names = ["deferred", "mapped", "named"]
    for rows, named in (([1, 3, 4, 5], "success"), ([1, 3, 4], "failed")):
        before = len(flyte_default.runs())
        dag_run = dag.test(**{"logical_date" if AIRFLOW >= 3 else "execution_date": date}, run_conf={"day": "we"})
        ends = {ti.task_id: str(ti.state) for ti in dag_run.get_task_instances()}
        # The name of the author's is taken by the first one's run.
        assert ends == dict.fromkeys(names, "success") | {"named": named}
        new = flyte_default.runs()[before:]
        assert sorted(run.inputs["rows"].scalar.primitive.integer for run in new) == rows
    assert flyte_default.calls("AbortRun") == []
