"""A whole Airflow of this environment's version: deferred waits, a retry, a mapped launch, kills, the button, the form.

What a version cannot do is asserted too: README and docs say it.
"""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from functools import partial
from typing import Any

import httpx
import psutil
import pytest

from airflow_provider_flyte.connection.fields import CONN_NAME, FIELDS
from airflow_provider_flyte.testing import LocalFlyte
from tests.matrix.conftest import DAGS, FORMED, SIGNALLED, WAITS
from tests.support.airflow_api import Task, until
from tests.support.airflow_process import USER, StandaloneAirflow
from tests.support.own_airflow import AIRFLOW

pytestmark = pytest.mark.timeout(600)

BROKEN_TRIGGERER = re.compile(
    r"attached to a different loop|Response read out of order|runner process has died|DeadlockImminentError"
)


def test_eight_deferred_waits_at_once(airflow: StandaloneAirflow, flyte: LocalFlyte) -> None:
    run_id = airflow.api.trigger("matrix_waits")

    def deferred() -> bool:
        return {task["state"] for task in airflow.api.tasks("matrix_waits", run_id)} == {"deferred"}

    until(deferred, 180, "eight deferred waits", lambda: airflow.api.describe("matrix_waits", run_id))
    # All stand in the one poll of the triggerer before any of them ends.
    flyte.wait_for_call("WatchRuns", 1, timeout=60)
    for name in WAITS:
        flyte.run(name).succeeds()
    assert airflow.api.wait_for_run("matrix_waits", run_id, timeout=240) == "success", airflow.tails()
    tasks = airflow.api.tasks("matrix_waits", run_id)
    assert {(task["state"], task["try_number"]) for task in tasks} == {("success", 1)}
    assert not BROKEN_TRIGGERER.search(airflow.log_of("triggerer")), airflow.log_of("triggerer")[-5000:]


@pytest.fixture(scope="module")
def runs(airflow: StandaloneAirflow) -> dict[str, str]:
    """DAG id -> id of its run, of those that launch; they go on side by side."""
    return {dag_id: airflow.api.trigger(dag_id) for dag_id in DAGS[1:5]}


def names(flyte: LocalFlyte, task: str) -> list[str]:
    return [run.name for run in flyte.runs() if run.task[0] == task]


def test_a_retry_launches_another_run(airflow: StandaloneAirflow, runs: dict[str, str], flyte: LocalFlyte) -> None:
    airflow.api.wait_for_task("matrix_retry", runs["matrix_retry"], "train", ("deferred",), timeout=240)
    task = airflow.api.wait_for_task("matrix_retry", runs["matrix_retry"], "train", ("success",), timeout=240)
    assert task["try_number"] == 2
    assert len(set(names(flyte, "matrix.fails_once"))) == 2
    assert airflow.api.xcom(task, "o0") in (7, "7")


def test_the_command_line_lists_both_tries(airflow: StandaloneAirflow, runs: dict[str, str]) -> None:
    airflow.api.wait_for_task("matrix_retry", runs["matrix_retry"], "train", ("success",), timeout=240)
    command = ["airflow", "flyte"] if AIRFLOW >= (3, 2) else ["airflow_provider_flyte"]
    done = subprocess.run(
        [sys.executable, "-m", *command, "runs", "matrix_retry", runs["matrix_retry"], "-o", "json"],
        capture_output=True,
        text=True,
        check=False,
        env=airflow.environment(),
    )
    assert done.returncode == 0, done.stderr
    rows = [(row["task"], row["try"], row["state"], row["phase"], row["how"]) for row in json.loads(done.stdout)]
    assert rows == [("train", 1, "failed", "FAILED", "launched"), ("train", 2, "success", "SUCCEEDED", "launched")]


def test_a_mapped_launch(airflow: StandaloneAirflow, runs: dict[str, str], flyte: LocalFlyte) -> None:
    assert airflow.api.wait_for_run("matrix_mapped", runs["matrix_mapped"], timeout=240) == "success"
    assert len(set(names(flyte, "matrix.succeeds"))) == 2


def test_the_button(airflow: StandaloneAirflow, runs: dict[str, str], flyte: LocalFlyte) -> None:
    task = airflow.api.wait_for_task("matrix_retry", runs["matrix_retry"], "train", ("success",), timeout=240)
    link = airflow.api.links(task)["Flyte run"]
    assert link
    assert names(flyte, "matrix.fails_once")[-1] in link


def aborted(flyte: LocalFlyte) -> list[str]:
    return [call.request.run_id.name for call in flyte.calls("AbortRun")]


def waiting(airflow: StandaloneAirflow, flyte: LocalFlyte, dag_id: str, run_id: str) -> tuple[Task, str]:
    """A task whose trigger runs, and the name of its run."""
    task = airflow.api.wait_for_task(dag_id, run_id, "train", ("deferred",), timeout=240)
    [name] = names(flyte, dag_id.replace("_", "."))
    asked = len(flyte.calls("ListRuns"))
    # By now only the trigger asks.
    until(
        lambda: any(name in str(call.request) for call in flyte.calls("ListRuns")[asked:]), 60, "a poll", airflow.tails
    )
    return task, name


def test_a_deferred_task_that_is_cleared(airflow: StandaloneAirflow, runs: dict[str, str], flyte: LocalFlyte) -> None:
    task, name = waiting(airflow, flyte, "matrix_cleared", runs["matrix_cleared"])
    airflow.api.clear(task)
    until(lambda: len(names(flyte, "matrix.cleared")) == 2, 120, "another run", airflow.tails)
    assert airflow.api.wait_for_run("matrix_cleared", runs["matrix_cleared"], timeout=240) == "success"
    assert aborted(flyte).count(name) == 1


def test_a_deferred_task_that_is_marked_failed(
    airflow: StandaloneAirflow, runs: dict[str, str], flyte: LocalFlyte
) -> None:
    task, name = waiting(airflow, flyte, "matrix_marked", runs["matrix_marked"])
    airflow.api.mark(task, "failed")
    if AIRFLOW >= (3, 3):
        until(lambda: name in aborted(flyte), 60, "the abort", airflow.tails)
    else:
        # Airflow ends the trigger and does not tell it why. A wait that is begun and ended after that is the clock.
        late = airflow.api.trigger("matrix_retry")
        airflow.api.wait_for_run("matrix_retry", late, timeout=240)
        assert name not in aborted(flyte)


def make_by_form(airflow: StandaloneAirflow, flyte: LocalFlyte, extra: dict[str, str | bool]) -> None:
    """Make the connection of ``matrix_form`` with the fields that Airflow's form has for it."""
    standard: dict[str, Any] = {"host": flyte.host, "port": flyte.port}
    if AIRFLOW < (3,):
        from tests.support.form_of_2 import NAMES as names
        from tests.support.form_of_2 import Pages

        with httpx.Client(base_url=airflow.url, trust_env=False, timeout=60) as http:
            pages = Pages(http, USER, airflow.password)
            form = pages.add()
            assert {f"extra__flyte__{name}" for name in names} <= {*form.fields, *form.checkboxes}
            pages.save(form.enter({"conn_id": "flyte_by_form", **standard, **extra}))
        return
    drawn = airflow.api.form("flyte")
    assert drawn["hook_name"] == CONN_NAME
    if AIRFLOW < (3, 1):
        # Nothing but the standard fields under their own names; the extra is written as JSON.
        assert (drawn["standard_fields"], drawn["extra_fields"]) == (None, None)
    else:
        assert [name for name, field in drawn["standard_fields"].items() if field and field["hidden"]] == ["url_schema"]
        assert drawn["standard_fields"]["password"]["title"] == "Secret"
        fields = {name: field["schema"] for name, field in drawn["extra_fields"].items()}
        assert list(fields) == [field.name for field in FIELDS]
        for name, value in extra.items():
            assert fields[name]["type"] == ["boolean" if isinstance(value, bool) else "string", "null"]
    body = {"connection_id": "flyte_by_form", "conn_type": drawn["connection_type"], "extra": json.dumps(extra)}
    airflow.api.create_connection(body | standard)


def test_a_connection_by_the_form(airflow: StandaloneAirflow, flyte: LocalFlyte) -> None:
    extra: dict[str, Any] = {"insecure": True, "transport": "grpc", "metadata": '{"x-team": "by-form"}', **FORMED}
    make_by_form(airflow, flyte, extra)
    run_id = airflow.api.trigger("matrix_form", "matrix_signalled")
    airflow.api.wait_for_task("matrix_form", run_id, "in_triggerer", ("deferred",), timeout=240)
    for where in ("worker", "triggerer"):
        flyte.run(f"formed-{where}", **FORMED).succeeds()
    assert airflow.api.wait_for_run("matrix_form", run_id, timeout=240) == "success", airflow.tails()
    asked = [call for call in flyte.calls() if call.metadata.get("x-team") == "by-form"]
    assert {"GetRunDetails", "ListRuns"} <= {call.method.rpartition("/")[2] for call in asked}


if AIRFLOW < (3,):

    def test_signals_to_a_worker_that_waits(airflow: StandaloneAirflow, flyte: LocalFlyte) -> None:
        """docs/launch.md says what each did; of Airflow 3.3 it was tried by hand."""
        run_id = airflow.api.trigger("matrix_signalled")
        for task_id in SIGNALLED:
            airflow.api.wait_for_task("matrix_signalled", run_id, task_id, ("running",), timeout=240)
            until(partial(names, flyte, f"matrix.{task_id}"), 120, "its launch", airflow.tails)
            flyte.wait_for_call("GetRunDetails", flyte.calls.count("GetRunDetails") + 1, timeout=60)
            pid = airflow.api.task("matrix_signalled", run_id, task_id)["pid"]
            process = psutil.Process(pid).parent() if task_id.startswith("watcher") else psutil.Process(pid)
            assert process is not None
            process.send_signal(signal.SIGINT if task_id.endswith("int") else signal.SIGQUIT)
        # Only this one's try fails. The retry waits for the run that is there.
        until(
            lambda: airflow.api.task("matrix_signalled", run_id, "int")["try_number"] == 2,
            120,
            "a retry",
            airflow.tails,
        )
        for task_id in SIGNALLED:
            [name] = names(flyte, f"matrix.{task_id}")
            flyte.run(name).succeeds({"o0": 7})
        assert airflow.api.wait_for_run("matrix_signalled", run_id, timeout=240) == "success", airflow.tails()
        tries = {task["task_id"]: task["try_number"] for task in airflow.api.tasks("matrix_signalled", run_id)}
        assert tries == {"int": 2, "quit": 1, "watcher_int": 1, "watcher_quit": 1}
        launched = {name for task_id in SIGNALLED for name in names(flyte, f"matrix.{task_id}")}
        assert (len(launched), launched & set(aborted(flyte))) == (4, set())
