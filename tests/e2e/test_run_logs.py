"""The logs of runs and their progress in the logs of tasks, while they run: by the API and in a real browser."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from airflow_provider_flyte.testing import LocalFlyte, RunHandle
from tests.e2e import browser
from tests.e2e.conftest import LEFT_ALONE
from tests.support.airflow_api import Task, until
from tests.support.airflow_process import USER, StandaloneAirflow

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

DAG = "e2e_run_logs"
LIVE = ("deferred", "worker")
FAILING = ("fails_deferred", "fails_on_worker")
ODD = "::group::100 % of %s, \x1b[31mred\x1b[0m and {'a': 1}"
SHOWN = "::group: :100 % of %s, red and {'a': 1}"
PROGRESS = "Flyte run e2e-logs: 1 of 2 actions done, 0 running, 1 failed (train.shard c1)."


@pytest.fixture(scope="module")
def run(flyte: LocalFlyte) -> RunHandle:
    run = flyte.run("e2e-logs").move("RUNNING").logs("epoch 1", ODD)
    run.child("c1", task="train.shard").fails(message="no rows")
    run.child("c2", task="train.shard")
    return run


@pytest.fixture(scope="module")
def tasks(airflow: StandaloneAirflow, flyte: LocalFlyte, run: RunHandle) -> Iterator[dict[str, Task]]:
    flyte.deploy(LEFT_ALONE)
    api = airflow.api
    api.wait_for_dags(DAG)
    run_id = api.trigger(DAG)
    made = {name: api.wait_for_task(DAG, run_id, name, ("running", "deferred")) for name in (*LIVE, *FAILING)}
    yield made
    run.succeeds()
    for each in failing_runs(flyte):
        each.fails()
    api.wait_for_run(DAG, run_id)


def failing_runs(flyte: LocalFlyte) -> list[RunHandle]:
    return [each for each in flyte.runs() if each.task[0] == LEFT_ALONE]


def of_the_run(airflow: StandaloneAirflow, task: Task) -> list[str]:
    """The lines of the run's log in a task's, without times and the run's name."""
    text = airflow.api.log_text(task)
    return re.findall(r"^Log of [a-z0-9-]+, [-0-9]{10}T[:0-9]{8}\.\d{3}Z: (.*)", text, re.M)


def wait_for_lines(airflow: StandaloneAirflow, task: Task, *lines: str) -> None:
    def there() -> bool:
        return set(lines) <= set(of_the_run(airflow, task))

    until(there, 120, f"the lines {lines} of {task['task_id']}", lambda: airflow.api.log_text(task))


@pytest.mark.parametrize("name", LIVE)
def test_lines_come_while_the_run_runs(
    airflow: StandaloneAirflow, run: RunHandle, tasks: dict[str, Task], name: str
) -> None:
    task = tasks[name]
    wait_for_lines(airflow, task, "epoch 1", SHOWN)
    run.logs(f"for {name}")
    wait_for_lines(airflow, task, f"for {name}")
    assert of_the_run(airflow, task)[:2] == ["epoch 1", SHOWN]
    state = airflow.api.task(DAG, task["dag_run_id"], name)["state"]
    assert state == ("deferred" if name == "deferred" else "running")


@pytest.mark.parametrize("name", LIVE)
def test_the_progress_stands_there_too(airflow: StandaloneAirflow, tasks: dict[str, Task], name: str) -> None:
    def there() -> bool:
        return PROGRESS in airflow.api.log_text(tasks[name]).splitlines()

    until(there, 60, "the progress", lambda: airflow.api.log_text(tasks[name]))


@pytest.fixture(scope="module")
def page(airflow: StandaloneAirflow) -> Iterator[browser.LogPage]:
    browser.require()
    with browser.log_page(airflow.url, USER, airflow.password) as opened:
        yield opened


@pytest.mark.parametrize("name", LIVE)
def test_both_are_seen_in_the_browser(
    page: browser.LogPage, airflow: StandaloneAirflow, tasks: dict[str, Task], name: str
) -> None:
    wait_for_lines(airflow, tasks[name], SHOWN)
    page.open(tasks[name])
    page.shows(SHOWN, PROGRESS)


@pytest.mark.parametrize("name", FAILING)
def test_a_failure_has_each_line_once(
    airflow: StandaloneAirflow, flyte: LocalFlyte, tasks: dict[str, Task], name: str
) -> None:
    task = tasks[name]

    def launched() -> RunHandle | None:
        label = {"airflow-task-id": name}
        return next(
            (each for each in failing_runs(flyte) if label.items() <= dict(each.run_spec.labels.values).items()), None
        )

    run = until(launched, 60, "the launch")
    run.move("RUNNING").logs("loading")
    wait_for_lines(airflow, task, "loading")
    run.logs("no rows").fails(message="no rows")
    ended = airflow.api.wait_for_task(DAG, task["dag_run_id"], name, ("failed",))
    log = airflow.api.log_text(ended)
    assert log.count("loading") == 1
    # Either as it came, or in the end of the log.
    assert len(re.findall(r"^(Log of .*: |  \| )no rows$", log, re.M)) == 1
    assert "FlyteRunFailed: " in log
