"""The tab "Flyte" of task instances, in a real Airflow and a real browser."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from airflow_provider_flyte.testing import LocalFlyte, RunHandle
from tests.e2e import browser
from tests.support.airflow_api import Task
from tests.support.airflow_process import USER, StandaloneAirflow

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

DAG = "e2e_tab"
HOSTILE = "<img src=x onerror=alert(1)><script>alert(2)</script> {{ 7*7 }} </pre>\nTraceback, line 2"


@pytest.fixture(scope="module")
def run(flyte: LocalFlyte) -> RunHandle:
    flyte.deploy("e2e.tab")
    line = HOSTILE.partition("\n")[0]
    inputs = {"text": line, "password": "of-nobody"}
    failed = (
        flyte.run("e2e-tab-failed", inputs=inputs).move("RUNNING").logs("epoch 1", HOSTILE.partition("\n")[0]).retries()
    )
    failed.logs("epoch 1", HOSTILE.partition("\n")[0])
    failed.child("c1", task="train.shard").fails(message=HOSTILE)
    failed.fails(message=HOSTILE)
    for number in (1, 2):
        flyte.run(f"e2e-tab-{number}").succeeds()
    run = flyte.run("e2e-tab", task="train.fit").phases("QUEUED", "INITIALIZING", "RUNNING", every=0.5)
    return run.retries(message="no space left on device").phases("RUNNING", every=0.5)


@pytest.fixture(scope="module")
def tasks(tab: browser.FlyteTab, airflow: StandaloneAirflow, run: RunHandle) -> Iterator[dict[str, Task]]:
    api = airflow.api
    api.wait_for_dags(DAG)
    run_id = api.trigger(DAG)
    for name, state in (("waits", "deferred"), ("launches", "deferred"), ("fails", "failed"), ("other", "success")):
        api.wait_for_task(DAG, run_id, name, (state,))
    yield {task["task_id"]: task for task in api.tasks(DAG, run_id)}
    run.succeeds()
    api.wait_for_run(DAG, run_id)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where pictures go: with ``make pictures`` into the documentation, else nowhere that stays."""
    return Path(os.environ.get("PICTURES") or tmp_path_factory.mktemp("pictures"))


def test_a_failed_run_shows_what_flyte_says_as_text(tab: browser.FlyteTab, tasks: dict[str, Task]) -> None:
    tab.open(tasks["fails"])
    tab.shows(name="e2e-tab-failed", phase="FAILED", task="demo.train", kind="USER", error=HOSTILE, message="")
    expect(tab.part("attempts").locator("li")).to_have_count(2)
    # Of a run that failed these stand open.
    expect(tab.part("failed")).to_contain_text(HOSTILE.partition("\n")[0])
    for part, name in (("log", "Log"), ("inputs", "Inputs and outputs")):
        tab.unfold(name)
        expect(tab.part(part)).to_contain_text(HOSTILE.partition("\n")[0])
    for part in ("error", "log", "failed li", "inputs"):
        expect(tab.part(part).locator("*")).to_have_count(0)
    for theme in ("light", "dark"):
        tab.choose_theme(theme)
        assert tab.barriers() == []
    tab.choose_theme("light")


def test_the_console_opens_in_a_window_and_the_name_can_be_copied(
    tab: browser.FlyteTab, tasks: dict[str, Task]
) -> None:
    tab.open(tasks["fails"])
    expect(tab.part("console")).to_have_attribute("href", re.compile(r"^http://.*/runs/e2e-tab-failed$"))
    address = tab.part("console").get_attribute("href")
    tab.button("Copy name").click()
    expect(tab.button("Copied")).to_be_visible()
    assert tab.opened_by(tab.part("console")) == address


def test_several_runs_of_a_mapped_task_instance(tab: browser.FlyteTab, tasks: dict[str, Task]) -> None:
    tab.open(tasks["mapped"])
    tab.shows(name="e2e-tab-1", phase="SUCCEEDED", total="of 2")
    tab.part("chosen").select_option("e2e-tab-2")
    tab.shows(name="e2e-tab-2", phase="SUCCEEDED")
    assert tab.barriers() == []


def test_a_task_of_others_says_that_it_has_no_run(tab: browser.FlyteTab, tasks: dict[str, Task]) -> None:
    tab.open(tasks["other"])
    expect(tab.part("message")).to_contain_text("has no Flyte run")
    expect(tab.part("run")).to_be_hidden()
    assert tab.barriers() == []


def test_a_launched_run_is_aborted_with_a_reason(
    tab: browser.FlyteTab, airflow: StandaloneAirflow, flyte: LocalFlyte, tasks: dict[str, Task]
) -> None:
    [run] = [run for run in flyte.runs() if run.task[0] == "e2e.tab"]
    tab.open(tasks["waits"])
    tab.shows(name="e2e-tab")
    expect(tab.button("Abort run")).to_be_hidden()
    tab.open(tasks["launches"])
    tab.shows(name=run.name)
    tab.button("Abort run").click()
    tab.button("Abort").last.click()
    expect(tab.part("abort-message")).to_have_text("Give a reason in a few words.")
    assert tab.barriers() == []
    tab.part("abort-reason").fill("<b>wrong</b> data")
    tab.button("Abort").last.click()
    expect(tab.part("abort-message")).to_contain_text("is now aborted")
    tab.button("Close").click()
    tab.shows(phase="ABORTED", error=f"Aborted in Airflow by {USER}: <b>wrong</b> data")
    airflow.api.wait_for_task(DAG, tasks["launches"]["dag_run_id"], "launches", ("failed",))


def test_a_run_is_followed_until_it_is_over(
    tab: browser.FlyteTab, tasks: dict[str, Task], run: RunHandle, pictures: Path
) -> None:
    tab.open(tasks["waits"])
    tab.shows(name="e2e-tab", phase="RUNNING", ended="not yet")
    expect(tab.part("attempts").locator("li")).to_have_count(2)
    assert tab.barriers() == []
    for theme in ("dark", "light"):
        tab.choose_theme(theme)
        tab.picture(pictures / f"flyte-tab-{theme}.png")
    run.succeeds()
    tab.shows(phase="SUCCEEDED")
    expect(tab.part("failure")).to_be_hidden()
