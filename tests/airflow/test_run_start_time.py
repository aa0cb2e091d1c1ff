"""The date that a DAG run processes, and how it reaches the Flyte run that a task launches."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from airflow_provider_flyte.exceptions import FlyteArgumentError, FlyteRunFailed
from airflow_provider_flyte.operators import FlyteRunOperator
from airflow_provider_flyte.testing import LocalFlyte, unavailable
from tests.support.driving import DagRun, Driven, TaskInstance
from tests.support.own_airflow import AIRFLOW, load_dag_file

pytestmark = pytest.mark.one_transport("connect")

NOON = datetime(2026, 11, 23, 12, tzinfo=timezone.utc)
HOUR = timedelta(hours=1)


@pytest.fixture
def flyte(flyte_default: LocalFlyte) -> LocalFlyte:
    flyte_default.deploy("demo.train")
    flyte_default.on_launch(lambda run: run.succeeds())
    return flyte_default


def dag_run(**dates: datetime | None) -> DagRun:
    made = DagRun()
    for name, value in dates.items():
        setattr(made, name, value)
    return made


def launch(number: int = 1, made: DagRun | None = None, **arguments: Any) -> None:
    defaults: dict[str, Any] = {"task_id": "train", "task_name": "demo.train", "poll_interval": 0.1, "resume_after": 0}
    Driven(FlyteRunOperator(**defaults | arguments), TaskInstance(number, 3), made or dag_run(logical_date=NOON)).run()


def told(flyte: LocalFlyte) -> list[datetime | None]:
    """What each launch said of the start."""
    requests = [call.request for call in flyte.calls("CreateRun")]
    return [
        request.run_start_time.ToDatetime(timezone.utc) if request.HasField("run_start_time") else None
        for request in requests
    ]


@pytest.mark.parametrize("deferrable", [False, True], ids=["worker", "deferred"])
@pytest.mark.parametrize(
    ("dates", "date"),
    [
        ({"logical_date": NOON, "run_after": NOON + HOUR}, NOON),
        ({"logical_date": None, "run_after": NOON + HOUR}, NOON + HOUR),
        ({"logical_date": NOON}, NOON),
        ({}, None),
    ],
    ids=["scheduled", "by hand", "2.11", "without dates"],
)
def test_a_run_is_told_the_date_that_is_processed(
    flyte: LocalFlyte, dates: dict[str, Any], date: datetime | None, deferrable: bool
) -> None:
    launch(made=dag_run(**dates), deferrable=deferrable)
    assert told(flyte) == [date]


@pytest.mark.parametrize(
    ("given", "date"), [(None, None), ("2026-11-23", NOON - 12 * HOUR), (NOON + HOUR, NOON + HOUR)]
)
def test_another_time_may_be_given_or_none(flyte: LocalFlyte, given: Any, date: datetime | None) -> None:
    launch(run_start_time=given)
    assert told(flyte) == [date]


def test_a_retry_keeps_it(flyte: LocalFlyte) -> None:
    flyte.on_launch(lambda run: run.fails())
    made = dag_run(logical_date=NOON)
    for number, retry_as in enumerate(("new", "rerun", "recover"), start=1):
        with pytest.raises(FlyteRunFailed):
            launch(number, made, retry_as=retry_as)
    assert told(flyte) == [NOON] * 3


def test_a_launch_that_waited_for_flyte_has_it_too(flyte: LocalFlyte) -> None:
    flyte.inject("ListRuns", unavailable(times=1))
    flyte.inject("GetRunDetails", unavailable(times=1))
    launch(deferrable=True)
    assert told(flyte) == [NOON]


@pytest.mark.parametrize("wrong", ["tomorrow", "", 5])
def test_what_is_no_time_launches_nothing(flyte: LocalFlyte, wrong: Any) -> None:
    with pytest.raises(FlyteArgumentError, match=r"run_start_time: .*Give a time, a date or ISO 8601 text, or None"):
        launch(run_start_time=wrong)
    assert told(flyte) == []


@pytest.mark.timeout(180)
@pytest.mark.usefixtures("airflow_db")
def test_templates_mapping_and_other_tasks(flyte: LocalFlyte) -> None:
    date = datetime(2026, 1, 1, tzinfo=timezone.utc)
    dag_run = load_dag_file("start_times").dag.test(**{"logical_date" if AIRFLOW >= (3,) else "execution_date": date})
    assert {str(ti.state) for ti in dag_run.get_task_instances()} == {"success"}
    starts: dict[str, list[datetime]] = {}
    for run in flyte.runs():
        task = run.run_spec.annotations.values["airflow.apache.org/task_id"]
        starts.setdefault(task, []).append(run.run_spec.run_start_time.ToDatetime(timezone.utc))
    assert {task: sorted(each) for task, each in starts.items()} == {
        "processed": [date],
        "templated": [date + HOUR],
        "mapped": [date + 2 * HOUR, date + 3 * HOUR],
        "inside": [date],
    }
