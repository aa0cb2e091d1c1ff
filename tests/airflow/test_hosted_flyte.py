"""The operator on a hosted Flyte: the data of its runs are at data planes, which may be away while Flyte is not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from airflow_provider_flyte.exceptions import FlyteOutputsUnreadable, FlyteRunFailed
from airflow_provider_flyte.operators import FlyteRunOperator
from airflow_provider_flyte.testing import LocalFlyte
from tests.support.driving import DagRun, Driven, TaskInstance, Try
from tests.support.own_airflow import connection_json
from tests.support.ports import closed_port

DAG_RUN = DagRun()
DEFERRABLE = pytest.mark.parametrize("deferrable", [False, True], ids=["worker", "deferred"])


@pytest.fixture
def flyte(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalFlyte]:
    with LocalFlyte(clusters=2) as flyte:
        flyte.deploy("demo.train", outputs={"o0": int})
        monkeypatch.setenv("AIRFLOW_CONN_FLYTE_DEFAULT", connection_json(flyte))
        yield flyte


def launching(task_id: str, **arguments: Any) -> Driven:
    defaults: dict[str, Any] = {"task_name": "demo.train", "poll_interval": 0.1, "resume_after": 0}
    task = FlyteRunOperator(task_id=task_id, **defaults | {"unreachable_after": 1.0} | arguments)
    ti = TaskInstance()
    ti.task_id = task_id
    return Driven(task, ti, DAG_RUN)


@DEFERRABLE
def test_outputs_of_runs_on_both_clusters(flyte: LocalFlyte, deferrable: bool) -> None:
    flyte.on_launch(lambda run: run.succeeds({"o0": run.cluster}))
    tasks = [launching(name, deferrable=deferrable) for name in ("a", "b", "c")]
    for task in tasks:
        task.run()
    assert [task.ti.xcoms["o0"] for task in tasks] == [0, 1, 0]


@DEFERRABLE
def test_a_data_plane_that_is_away_costs_the_outputs_alone(flyte: LocalFlyte, deferrable: bool) -> None:
    flyte.on_launch(lambda run: run.succeeds({"o0": 7}))
    with closed_port() as port:
        flyte.clusters.named = f"http://localhost:{port}"
        task = launching("train", deferrable=deferrable)
        with pytest.raises(FlyteOutputsUnreadable, match=f"has succeeded, but.*localhost:{port}") as unreadable:
            task.run()
        assert f"the data plane that Flyte at {flyte.endpoint} names" in str(unreadable.value)
    [run] = flyte.runs()
    Try(run_name=run.name, deferrable=deferrable).run()
    # What a retry does when it is back.
    flyte.clusters.named = None
    again = launching("train", deferrable=deferrable)
    again.run()
    assert again.ti.xcoms["o0"] == 7
    assert flyte.calls.count("CreateRun") == 1


@DEFERRABLE
def test_the_end_of_a_failed_runs_log(
    flyte: LocalFlyte, deferrable: bool, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    flyte.on_launch(lambda run: run.move("RUNNING").logs(f"on cluster {run.cluster}").fails())
    for number, name in enumerate(("a", "b")):
        with pytest.raises(FlyteRunFailed):
            launching(name, deferrable=deferrable).run()
        assert f"on cluster {number}" in caplog.text + capsys.readouterr().out
