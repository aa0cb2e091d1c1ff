"""What Airflow's metrics say of launches and of how their runs end. Those of waiting are in ``test_watching.py``."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_flyte.client.watch.status import WatcherStatus
from airflow_provider_flyte.compat import airflow_stats
from airflow_provider_flyte.exceptions import FlyteRunFailed, FlyteRunStuck
from airflow_provider_flyte.operators import FlyteRunOperator
from airflow_provider_flyte.report import metrics
from airflow_provider_flyte.testing import LocalFlyte
from tests.support.driving import DagRun, Driven, TaskInstance

pytestmark = pytest.mark.one_transport("grpc")


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any, dict[str, str]]]:
    """Name, value and tags of each metric."""
    metrics: list[tuple[str, Any, dict[str, str]]] = []

    def incr(name: str, count: int = 1, *args: Any, tags: dict[str, str], **kwargs: Any) -> None:
        metrics.append((name, count, tags))

    def timing(name: str, value: Any, *args: Any, tags: dict[str, str], **kwargs: Any) -> None:
        metrics.append((name, value, tags))

    # Airflow's own, which sends nothing unless it is told where.
    monkeypatch.setattr(airflow_stats(), "incr", incr, raising=False)
    monkeypatch.setattr(airflow_stats(), "timing", timing, raising=False)
    return metrics


def one_try(number: int, dag_run: DagRun, **arguments: Any) -> Driven:
    operator = FlyteRunOperator(
        task_id="train", task_name="demo.train", deferrable=True, poll_interval=0.1, resume_after=0, **arguments
    )
    return Driven(operator, TaskInstance(number, 1), dag_run)


def test_launches_outcomes_and_how_long_runs_took(
    flyte_default: LocalFlyte, sent: list[tuple[str, Any, dict[str, str]]]
) -> None:
    dag_run, connection = DagRun(), {"flyte_conn_id": "flyte_default"}
    flyte_default.deploy("demo.train")
    flyte_default.on_launch(lambda run: run.phases("RUNNING", "RUNNING", every=0.3).fails())
    with pytest.raises(FlyteRunFailed):
        one_try(1, dag_run).run()
    flyte_default.on_launch(lambda run: run.succeeds())
    one_try(2, dag_run).run()
    # The run is there already: its end counts for each task that it gave an end to, its launch only once.
    one_try(2, dag_run).run()
    ours = [metric for metric in sent if metric[0] in ("flyte.launches", "flyte.outcomes", "flyte.run_duration")]
    assert [(name, tags) for name, _, tags in ours] == [
        ("flyte.launches", connection),
        ("flyte.outcomes", connection | {"outcome": "failed"}),
        ("flyte.run_duration", connection | {"outcome": "failed"}),
        ("flyte.launches", connection),
        ("flyte.outcomes", connection | {"outcome": "succeeded"}),
        ("flyte.run_duration", connection | {"outcome": "succeeded"}),
        ("flyte.outcomes", connection | {"outcome": "succeeded"}),
        ("flyte.run_duration", connection | {"outcome": "succeeded"}),
    ]
    lasted = ours[2][1]
    assert timedelta(seconds=0.3) <= lasted < timedelta(seconds=10)


def test_a_run_that_never_left_its_queue_has_failed(
    flyte_default: LocalFlyte, sent: list[tuple[str, Any, dict[str, str]]]
) -> None:
    flyte_default.deploy("demo.train")
    with pytest.raises(FlyteRunStuck):
        one_try(1, DagRun(), queued_timeout=0.1).run()
    [tags] = [tags for name, _, tags in sent if name == "flyte.outcomes"]
    assert tags == {"flyte_conn_id": "flyte_default", "outcome": "failed"}


@pytest.mark.parametrize("protocol", ["grpc"])
def test_a_backend_of_metrics_that_raises_harms_no_task(
    flyte_default: LocalFlyte, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise ConnectionRefusedError("no StatsD at statsd:8125")

    for kind in ("incr", "timing", "gauge"):
        monkeypatch.setattr(airflow_stats(), kind, fail, raising=False)
    monkeypatch.setattr(metrics, "_failed", set())
    flyte_default.deploy("demo.train")
    flyte_default.on_launch(lambda run: run.phases("RUNNING", "RUNNING", every=0.3).succeeds())
    task = one_try(1, DagRun())
    task.run()
    # Deferred, so that the watcher's gauges were sent too.
    assert task.events[-1]["ending"] == "succeeded"
    metrics.Metrics("c1").report(WatcherStatus(1, 1, 0, True, 0, 0, None))
    said = [line for line in caplog.messages if line.startswith("The metric ")]
    for name in ("flyte.waits", "flyte.calls", "flyte.launches", "flyte.outcomes", "flyte.run_duration"):
        [line] = [line for line in said if line.startswith(f"The metric {name} could not be sent")]
        assert "no StatsD at statsd:8125" in line
