"""The button "Flyte run", as Airflow's UI finds it: of the serialized DAG's task, in the database."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_flyte.client import FlyteConfig
from airflow_provider_flyte.client.run_key import RunKey
from airflow_provider_flyte.compat import TaskDeferred, XCom
from airflow_provider_flyte.links import FlyteRunLink, show_link
from airflow_provider_flyte.operators import FlyteRunOperator
from airflow_provider_flyte.testing import LocalFlyte
from tests.support.driving import DagRun, Driven, TaskInstance, Try
from tests.support.own_airflow import load_dag_file, serialization, stored_again

pytestmark = pytest.mark.one_transport("grpc")

ANY = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
"""A text that Flyte may send."""


# Eight tasks, two of them mapped: 87 s on Airflow 3.2.2 at a load of 5 on two cores, more than 180 s at 10.
@pytest.mark.timeout(600)
@pytest.mark.parametrize("protocol", ["grpc"])
def test_every_task_instance_has_its_button(airflow_db: None, flyte_default: LocalFlyte) -> None:
    flyte_default.deploy("demo.train", inputs={"n": (int, 0)})
    flyte_default.on_launch(lambda run: run.phases("RUNNING", "SUCCEEDED", every=0.2))
    for name in ("north", "south"):
        flyte_default.run(name).phases("RUNNING", "SUCCEEDED", every=0.2)
    dag = load_dag_file("links").dag
    instances = dag.test().get_task_instances()
    stored = stored_again(dag)
    shown = {
        (ti.task_id, ti.map_index): stored.get_task(ti.task_id).get_extra_links(ti, "Flyte run").rpartition("/runs/")[2]
        for ti in instances
    }
    launched = {
        (annotations["airflow.apache.org/task_id"], int(annotations["airflow.apache.org/map_index"])): run.name
        for run in flyte_default.runs()
        if (annotations := run.run_spec.annotations.values)
    }
    assert len(launched) == 4
    assert shown == launched | {
        ("wait", -1): "north",
        ("wait_for_missing", -1): "nowhere",
        ("wait_for_several", -1): "south",
        ("wait_mapped", 0): "north",
        ("wait_mapped", 1): "south",
        ("poke", -1): "south",
    }


def test_the_stored_dag_has_its_buttons_where_tasks_were_cleared_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """Airflow clears a task with a DAG that was read without links, and keeps that for its whole process."""
    monkeypatch.setattr(serialization(), "_load_operator_extra_links", False)
    stored = stored_again(load_dag_file("links").dag)
    assert [task.extra_links for task in stored.tasks] == [["Flyte run"]] * len(stored.tasks)


def test_it_is_there_while_the_task_is_deferred(flyte_default: LocalFlyte) -> None:
    flyte_default.deploy("demo.train")
    flyte_default.run("r1").move("RUNNING")
    launching = Driven(
        FlyteRunOperator(task_id="train", task_name="demo.train", deferrable=True), TaskInstance(), DagRun()
    )
    for task in (launching, Try(run_name="r1")):
        with pytest.raises(TaskDeferred):
            task.task.execute(task.context)
        # The XCom that the UI of Airflow 3 reads, under the key that the serialized DAG names.
        assert FlyteRunLink().xcom_key == "_link_FlyteRunLink"
        assert "/runs/" in task.ti.xcoms["_link_FlyteRunLink"]


def test_a_button_that_cannot_be_stored_fails_no_task(
    flyte_default: LocalFlyte, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def push(self: TaskInstance, key: str, value: Any) -> None:
        raise ConnectionError("no API server")

    monkeypatch.setattr(TaskInstance, "xcom_push", push)
    flyte_default.run("r1").succeeds()
    assert Try(run_name="r1").run()
    assert "no API server" in caplog.text


@pytest.mark.timeout(420)
def test_the_button_leads_to_flyte_whatever_the_xcom_backend() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.xcom_in_files"],
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == 0, done.stdout + done.stderr
    came = json.loads(done.stdout.splitlines()[-1])
    assert came["states"] == dict.fromkeys(["worker", "deferred", "poke", "pull"], "success")
    assert came["while waiting"] == came["afterwards"] == came["pages"]
    assert f"7 of {came['pages']['worker']}" in came["in files"]
    assert "is no reference of this backend" not in done.stdout + done.stderr


@pytest.mark.parametrize("protocol", ["grpc"])
def test_a_task_that_never_had_a_run_logs_no_error_about_its_button(
    airflow_db: None, flyte_default: LocalFlyte, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Airflow 3 asks for the address when a task's process ends, and logs an error where XCom has no such key."""
    looked_up: list[str] = []
    get_value = XCom.get_value

    def get(*, key: str, ti_key: Any) -> Any:
        looked_up.append(key)
        return get_value(key=key, ti_key=ti_key)

    monkeypatch.setattr(XCom, "get_value", get)
    dag = load_dag_file("links_without_a_run").dag
    states = {ti.task_id: str(ti.state) for ti in dag.test().get_task_instances()}
    assert states == {"launch": "failed", "wait": "failed"}
    assert looked_up == []


@pytest.mark.parametrize(
    "address", ["javascript:alert(1)", "JAVASCRIPT:x", "data:text/html,x", "//evil", "", " http://x"]
)
def test_an_address_that_is_no_page_is_neither_stored_nor_shown(address: str) -> None:
    """Whatever stands under the button's key: a neighbour's task may have put it there."""
    task = SimpleNamespace()
    ti = TaskInstance()
    show_link(task, {"ti": ti}, address)  # type: ignore[typeddict-item]
    assert ti.xcoms == {}
    task._flyte_url_shown = address
    assert FlyteRunLink().get_link(task, ti_key=ti) == ""


@given(ANY, ANY)
def test_a_page_is_below_the_console_whatever_project_and_domain(project: str, domain: str) -> None:
    config = FlyteConfig(endpoint="flyte.example.com:443", console_url="https://console.example.com/flyte")
    url = config.run_url(RunKey(project, domain, "r1"))
    parts = urlsplit(url)
    assert (parts.scheme, parts.netloc, parts.query, parts.fragment) == ("https", "console.example.com", "", "")
    assert re.fullmatch(r"/flyte/v2/domain/[^/]*/project/[^/]*/runs/r1", parts.path)
    assert url.isascii()
    assert url.isprintable()
