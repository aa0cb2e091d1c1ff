"""The labels by which launched runs and their pods are found and paid for, from launch to launch."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from typing import Any

import pytest

from airflow_provider_flyte.exceptions import FlyteArgumentError, FlyteConfigurationError, FlyteRunFailed
from airflow_provider_flyte.operators import FlyteRunOperator
from airflow_provider_flyte.testing import LocalFlyte, RunHandle
from tests.support.driving import DagRun, Driven, TaskInstance
from tests.support.own_airflow import AIRFLOW, load_dag_file

pytestmark = pytest.mark.one_transport("connect")


@pytest.fixture
def flyte(flyte_default: LocalFlyte) -> LocalFlyte:
    flyte_default.deploy("demo.train")
    flyte_default.on_launch(lambda run: run.succeeds())
    return flyte_default


def launch(number: int = 1, dag_run: DagRun | None = None, **arguments: Any) -> None:
    defaults: dict[str, Any] = {"task_id": "train", "task_name": "demo.train", "poll_interval": 0.1, "resume_after": 0}
    Driven(FlyteRunOperator(**defaults | arguments), TaskInstance(number, 3), dag_run or DagRun()).run()


def labels(run: RunHandle) -> dict[str, str]:
    return dict(run.run_spec.labels.values)


@pytest.mark.parametrize("deferrable", [False, True], ids=["worker", "deferred"])
def test_the_authors_labels_are_added_and_win(flyte: LocalFlyte, deferrable: bool) -> None:
    launch(labels={"team": "a", "airflow-dag-id": "mine"}, deferrable=deferrable)
    [run] = flyte.runs()
    assert labels(run) == {
        "airflow-dag-id": "mine",
        "airflow-task-id": "train",
        "airflow-run-id": "manual__1",
        "airflow-try-number": "1",
        "airflow-owner": "airflow",
        "team": "a",
    }
    assert run.run_spec.annotations.values["airflow.apache.org/dag_id"] == "sales"


def test_each_try_that_launches_has_its_number(flyte: LocalFlyte) -> None:
    flyte.on_launch(lambda run: run.fails())
    dag_run = DagRun()
    for number, retry_as in enumerate(("new", "rerun"), start=1):
        with pytest.raises(FlyteRunFailed):
            launch(number, dag_run, retry_as=retry_as)
    assert [labels(run)["airflow-try-number"] for run in flyte.runs()] == ["1", "2"]


def test_a_try_finds_its_run_whatever_the_labels_are(flyte: LocalFlyte, monkeypatch: pytest.MonkeyPatch) -> None:
    dag_run = DagRun()
    launch(1, dag_run, wait=False)
    monkeypatch.setenv("AIRFLOW__FLYTE__LABEL_PREFIX", "")
    launch(1, dag_run)
    assert flyte.calls.count("CreateRun") == 1


def test_none_where_the_setting_is_empty(flyte: LocalFlyte, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__FLYTE__LABEL_PREFIX", "")
    launch(labels={"team": "a"})
    launch(2)
    assert [labels(run) for run in flyte.runs()] == [{"team": "a"}, {}]


def test_a_bad_prefix_launches_nothing(flyte: LocalFlyte, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__FLYTE__LABEL_PREFIX", "air flow")
    with pytest.raises(FlyteConfigurationError, match=r"\[flyte\] label_prefix .* is 'air flow'"):
        launch()
    assert not flyte.calls("CreateRun")


def test_what_are_no_labels_is_refused_as_before(flyte: LocalFlyte) -> None:
    with pytest.raises(FlyteArgumentError, match="labels is a str"):
        launch(labels="team=a")
    assert not flyte.calls("CreateRun")


@pytest.mark.timeout(180)
@pytest.mark.usefixtures("airflow_db")
def test_templates_mapping_and_other_tasks(flyte: LocalFlyte) -> None:
    date = datetime(2026, 1, 1, tzinfo=timezone.utc)
    dag_run = load_dag_file("labelled").dag.test(**{"logical_date" if AIRFLOW >= (3,) else "execution_date": date})
    assert {str(ti.state) for ti in dag_run.get_task_instances()} == {"success"}
    found: dict[str, list[dict[str, str]]] = {}
    for run in flyte.runs():
        made = labels(run)
        annotations = run.run_spec.annotations.values
        assert annotations["airflow.apache.org/run_id"] == dag_run.run_id
        assert re.fullmatch(re.sub("[:+]", "-", dag_run.run_id) + "-[0-9a-f]{16}", made.pop("airflow-run-id"))
        assert made.pop("airflow-try-number") == annotations["airflow.apache.org/try_number"]
        assert made.pop("airflow-dag-id") == "labelled"
        found.setdefault(made.pop("airflow-task-id"), []).append(made)
    assert {task: sorted(each, key=str) for task, each in found.items()} == {
        "deferred": [{"airflow-owner": "data"}],
        "own": [{"airflow-owner": "finance", "team": "labelled"}],
        "mapped": [
            {"airflow-owner": "data", "airflow-map-index": str(index), "part": part}
            for index, part in enumerate(("a", "b"))
        ],
        "inside": [{"airflow-owner": "data"}],
    }
