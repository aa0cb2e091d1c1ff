"""The tabs "Flyte" of a DAG run and a DAG in a real browser and Airflow's own pages, served by its API server alone."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import expect

from airflow_provider_flyte.client.run_key import RunKey
from airflow_provider_flyte.report.task_runs import KEY, TaskRuns
from airflow_provider_flyte.testing import LocalFlyte
from tests.e2e import browser
from tests.support.api_server import delete_dag_runs, let_users_sign_in, serving, token
from tests.support.own_airflow import connection_json, load_dag_file

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

DAG = "tabbed"
HOSTILE = "<img src=x onerror=alert(1)> {{ 7*7 }}"
STORED = {
    "launch": ("nightly-training",),
    "several": tuple(f"region-{number}" for number in range(60)),
    "templated": ("hostile", *(f"shard-{number}" for number in range(40))),
}


@pytest.fixture(scope="module")
def flyte() -> Iterator[LocalFlyte]:
    browser.require()
    with LocalFlyte(transports=("grpc",)) as server:
        server.run("nightly-training", task="train.fit").phases("QUEUED", "RUNNING", every=1.0).succeeds()
        server.run("region-0", task="train.score").phases("RUNNING", every=2.0).fails(message="no rows")
        server.run("region-1", task="train.score").phases("QUEUED", "RUNNING", every=0.5)
        server.run("hostile", task=HOSTILE).succeeds()
        yield server


@pytest.fixture(scope="module")
def run_id(airflow_db: None, flyte: LocalFlyte) -> Iterator[str]:
    """A DAG run whose tasks are marked as ended, and have stored runs: the one with the hostile name first."""
    from airflow.models.xcom import XComModel

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_CONN_FLYTE_DEFAULT", connection_json(flyte))
        let_users_sign_in(patch)
        # Another file's tests have the same DAG.
        delete_dag_runs(DAG)
        dag_run: Any = load_dag_file(DAG).dag.test(mark_success_pattern=".*")
        for task_id, names in reversed(STORED.items()):
            keys = tuple(RunKey("flytesnacks", "development", name) for name in names)
            stored = TaskRuns("flyte_default", 1, keys, len(keys)).to_text()
            XComModel.set(KEY, stored, dag_id=DAG, task_id=task_id, run_id=dag_run.run_id)
        yield str(dag_run.run_id)


@pytest.fixture(scope="module")
def server(run_id: str) -> Iterator[httpx.Client]:
    with serving() as client:
        yield client


@pytest.fixture(scope="module")
def tab(server: httpx.Client) -> Iterator[browser.FlyteTab]:
    """The tabs for somebody who has signed in, to whose browser nothing is objectionable."""
    url = str(server.base_url).rstrip("/")
    with browser.empty_page() as page:
        page.context.add_cookies([{"name": "_token", "value": token("VIEWER"), "url": url}])
        tab = browser.FlyteTab(page, url)
        yield tab
        assert tab.complaints == []


def test_the_runs_of_a_dag_run_and_of_its_dag(tab: browser.FlyteTab, run_id: str) -> None:
    rows = tab.part("rows").get_by_role("row")
    for of_dag_run in (run_id, None):
        tab.open_list(DAG, of_dag_run)
        expect(rows).to_have_count(61)
        expect(tab.part("message")).to_be_hidden()
        expect(tab.part("summary")).to_have_text("On this page: 1 SUCCEEDED, 1 FAILED, 1 RUNNING, 58 not in Flyte.")
        expect(rows.nth(0)).to_contain_text("nightly-training")
        expect(rows.nth(0).locator("svg.bars rect")).to_have_count(1)
        expect(rows.nth(1)).to_contain_text("train.score")
        expect(rows.nth(0).get_by_text(run_id)).to_be_visible(visible=of_dag_run is None)
        for theme in ("dark", "light"):
            tab.choose_theme(theme)
            assert tab.barriers() == []
        tab.button("Earlier").click()
        expect(rows).to_have_count(41)
        expect(rows.nth(0)).to_contain_text(HOSTILE)
        expect(tab.part("rows").locator("img")).to_have_count(0)
        expect(tab.button("Earlier")).to_be_hidden()
        tab.button("Newer").click()
        expect(rows).to_have_count(61)


def test_a_row_leads_to_the_task_instance_and_to_the_console(
    tab: browser.FlyteTab, run_id: str, tmp_path: Path
) -> None:
    tab.open_list(DAG, run_id)
    row = tab.row("launch")
    expect(row).to_contain_text("SUCCEEDED")
    tab.picture(Path(os.environ.get("PICTURES") or tmp_path) / "flyte-tab-of-dag-run-light.png")
    assert tab.opened_by(row.get_by_role("link", name="nightly-training")).endswith("/runs/nightly-training")
    link = row.get_by_role("link", name="launch", exact=True)
    tab.leads_to(link, {"dag_id": DAG, "dag_run_id": run_id, "task_id": "launch", "map_index": -1})
    tab.shows(name="nightly-training", phase="SUCCEEDED")
