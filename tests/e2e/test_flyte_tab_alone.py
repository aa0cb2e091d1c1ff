"""The tab "Flyte" in a real browser, served by Airflow's API server alone: what needs no task that runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote, urlencode

import httpx
import pytest
from playwright.sync_api import Page, Request, Route, expect

from airflow_provider_flyte.client.run_key import RunKey
from airflow_provider_flyte.plugin.actions_view import PAGE
from airflow_provider_flyte.report.task_runs import KEY, TaskRuns
from airflow_provider_flyte.settings import airflow_id
from airflow_provider_flyte.testing import LocalFlyte, unavailable
from airflow_provider_flyte.tries.identity import TaskInstance, Try, launch_annotations
from tests.e2e import browser
from tests.support.api_server import let_users_sign_in, serving, token
from tests.support.own_airflow import connection_json, load_dag_file

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

DAG = "tabbed"
BASE = "/team"
"""The path of ``[api] base_url``, below which all of Airflow is served here."""

NOT_TOLD = "Airflow does not tell it. The page asks again by itself."
HOSTILE = "<img src=x onerror=alert(1)> {{ 7*7 }}"


@pytest.fixture(scope="module")
def flyte() -> Iterator[LocalFlyte]:
    browser.require()
    with LocalFlyte(transports=("grpc",)) as server:
        yield server


@pytest.fixture(scope="module")
def run_id(airflow_db: None, flyte: LocalFlyte) -> Iterator[str]:
    """A DAG run whose tasks are marked as ended."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_CONN_FLYTE_DEFAULT", connection_json(flyte))
        patch.setenv("AIRFLOW__API__BASE_URL", f"http://localhost{BASE}")
        # What Airflow reads of it when this is imported, which making the database has done.
        patch.setattr("airflow.api_fastapi.app.API_ROOT_PATH", f"{BASE}/")
        let_users_sign_in(patch)
        flyte.run("tab-1").succeeds()
        dag_run: Any = load_dag_file(DAG).dag.test(mark_success_pattern=".*")
        yield str(dag_run.run_id)


@pytest.fixture(scope="module")
def server(run_id: str) -> Iterator[httpx.Client]:
    with serving() as client:
        yield client


@pytest.fixture
def page(server: httpx.Client) -> Iterator[Page]:
    """A page of somebody who has signed in, for whom the browser finds nothing to object to."""
    url = str(server.base_url).rstrip("/")
    with browser.empty_page() as page:
        page.context.add_cookies([{"name": "_token", "value": token("VIEWER"), "url": url}])
        objections: list[str] = []
        page.on("pageerror", lambda error: objections.append(str(error)))
        page.on("console", lambda said: objections.append(said.text) if said.type == "error" else None)
        yield page
        assert objections == []


def open_tab(page: Page, server: httpx.Client, run_id: str, name: str, try_number: int = 1) -> None:
    """Open the tab of a task whose run has this name, with its address as Airflow's page makes it."""
    from airflow.models.xcom import XComModel

    stored = TaskRuns("flyte_default", try_number, (RunKey("flytesnacks", "development", name),), 1)
    XComModel.set(KEY, stored.to_text(), dag_id=DAG, task_id="templated", run_id=run_id)
    ids = {"dag_id": DAG, "run_id": run_id, "task_id": "templated"}
    page.goto(f"{str(server.base_url).rstrip('/')}{BASE}/flyte/tab?{urlencode(ids)}&map_index={{MAP_INDEX}}")
    expect(page.locator("#name")).to_have_text(name)


def let_through(page: Page, held: Iterable[Route]) -> None:
    """Have requests that were held answered, one after the other."""
    for route in held:
        with page.expect_event("requestfinished", lambda request, asked=route.request: request == asked):
            route.continue_()


@pytest.fixture(scope="module")
def many(flyte: LocalFlyte) -> str:
    """A run with 2,000 child actions, and some that differ."""
    run = flyte.run("tab-many", task="train.fit").move("RUNNING")
    for number in range(2000):
        run.child(f"shard-{number}", task="train.shard", group="shards").succeeds()
    below = run.child("parent", task="train.parent").move("RUNNING")
    below.child("below", task=HOSTILE).fails()
    return run.name


def test_two_thousand_child_actions_are_folded_and_paged(
    page: Page, server: httpx.Client, run_id: str, many: str
) -> None:
    sizes: list[int] = []

    def note(request: Request) -> None:
        sizes.append(request.sizes()["responseBodySize"])

    page.on("requestfinished", note)
    open_tab(page, server, run_id, many)
    expect(page.locator("#phase")).to_have_text("RUNNING")
    rows = page.locator("#actions li")
    expect(rows).to_have_count(0)
    page.get_by_text("Child actions", exact=True).click()
    expect(page.locator("#actions-message")).to_have_text("2002 child actions.")
    expect(rows).to_have_count(2)
    expect(rows.first).to_contain_text("2000 SUCCEEDED")
    fold = page.get_by_role("button", name="shards (group)")
    fold.focus()
    page.keyboard.press("Enter")
    expect(fold).to_have_attribute("aria-expanded", "true")
    shards = page.get_by_role("list", name="shards (group)").get_by_role("listitem")
    expect(shards).to_have_count(PAGE)
    expect(shards.first).to_contain_text("train.shard shard-0 SUCCEEDED")
    for theme in ("dark", "light"):
        page.evaluate("theme => document.documentElement.classList.toggle('dark', theme === 'dark')", theme)
        assert browser.barriers(page) == []
    page.get_by_role("button", name="Next").click()
    expect(shards.first).to_contain_text("shard-50")
    expect(page.get_by_text("51 to 100 of 2000")).to_be_visible()
    assert browser.barriers(page) == []
    fold.click()
    expect(rows).to_have_count(2)
    expect(fold).to_be_focused()
    page.get_by_role("button", name="train.parent").click()
    expect(rows).to_have_count(3)
    expect(rows.last).to_contain_text(f"{HOSTILE} below FAILED")
    expect(rows.locator("img")).to_have_count(0)
    assert sum(sizes) < 300_000


@pytest.mark.parametrize("first", ["the older", "the newer"])
def test_an_answer_about_the_page_before_takes_no_click_back(
    page: Page, server: httpx.Client, run_id: str, many: str, first: str
) -> None:
    """The tab asks again by itself, so somebody may turn the page while an answer is on its way."""
    held: list[Route] | None = None

    def hold(route: Route) -> None:
        route.continue_() if held is None else held.append(route)

    open_tab(page, server, run_id, many)
    page.get_by_text("Child actions", exact=True).click()
    page.get_by_role("button", name="shards (group)").click()
    shards = page.get_by_role("list", name="shards (group)").get_by_role("listitem")
    expect(shards).to_have_count(PAGE)
    page.route("**/api/actions?*", hold)
    held = []
    with page.expect_request("**/api/actions?*"):
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    before = len(held)
    with page.expect_request(lambda request: "/api/actions" in request.url and "first=50" in request.url):
        page.get_by_role("button", name="Next").click()
    older, newer, held = held[:before], held[before:], None
    let_through(page, older + newer if first == "the older" else newer + older)
    expect(page.get_by_text("51 to 100 of 2000")).to_be_visible()
    page.get_by_role("button", name="Next").click()
    expect(page.get_by_text("101 to 150 of 2000")).to_be_visible()
    expect(shards.first).to_contain_text("shard-100")


def test_what_is_not_open_is_not_asked_for(
    page: Page, server: httpx.Client, run_id: str, many: str, flyte: LocalFlyte
) -> None:
    before = len(flyte.calls("WatchActions"))
    with page.expect_response(lambda answer: "/api/run" in answer.url):
        open_tab(page, server, run_id, many)
    with page.expect_response(lambda answer: "/api/run" in answer.url):
        pass
    assert len(flyte.calls("WatchActions")) == before


def test_what_failed_in_a_failed_run_stands_open(
    page: Page, server: httpx.Client, run_id: str, flyte: LocalFlyte
) -> None:
    run = flyte.run("tab-failed").move("RUNNING")
    for number in range(25):
        run.child(f"shard-{number}", task="train.shard").fails(message=f"no rows in {number}")
    part = page.locator("#failed-part")
    open_tab(page, server, run_id, run.name)
    expect(page.locator("#phase")).to_have_text("RUNNING")
    expect(part).not_to_have_attribute("open", "")
    run.fails(message="a child failed")
    expect(part).to_have_attribute("open", "")
    # Bounded, whatever has failed.
    expect(part.locator("li")).to_have_count(20)
    expect(part.locator("li").first).to_contain_text("no rows in 0")
    expect(page.locator("#failed-message")).to_have_text("20 that failed first, and 5 more.")
    # Who folds it has it folded, though the page goes on to ask.
    page.get_by_text("Failed child actions", exact=True).click()
    with page.expect_response(lambda answer: "/api/run" in answer.url):
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(part).not_to_have_attribute("open", "")
    assert browser.barriers(page) == []


def test_what_somebody_types_outlives_conditions_that_cannot_be_read(
    page: Page, server: httpx.Client, run_id: str, flyte: LocalFlyte
) -> None:
    url = str(server.base_url).rstrip("/")
    page.context.add_cookies([{"name": "_token", "value": token("USER"), "url": url}])
    run = flyte.run("tab-asks").move("RUNNING")
    condition = run.condition("why", str)
    open_tab(page, server, run_id, run.name)
    said, typed = page.locator("#conditions-message"), page.locator("#conditions textarea")
    typed.fill("because")
    flyte.inject("ListActions", unavailable(), when=lambda request: run.name in str(request))
    expect(said).to_contain_text("What the run waits for is not known: ", timeout=60_000)
    expect(typed).to_have_value("because")
    flyte.clear_faults("ListActions")
    expect(said).to_be_empty(timeout=60_000)
    flyte.inject("GetActionDetails", unavailable(), when=lambda request: request.action_id.name == condition.action)
    expect(said).to_contain_text("What the run waits for is not known: ", timeout=60_000)
    expect(typed).to_have_value("because")
    flyte.clear_faults("GetActionDetails")
    # Airflow itself may have no answer, which is said as well.
    page.route("**/api/conditions?*", lambda route: route.fulfill(status=300))
    expect(said).to_have_text(f"What the run waits for is not known: {NOT_TOLD}", timeout=60_000)
    expect(typed).to_have_value("because")
    page.unroute("**/api/conditions?*")
    condition.move("ABORTED")
    expect(page.locator("#conditions-part")).to_be_hidden(timeout=60_000)
    # Where none was shown before, that none can be read is said, too.
    flyte.inject("ListActions", unavailable(), when=lambda request: run.name in str(request))
    expect(said).to_be_visible(timeout=60_000)
    run.succeeds()
    expect(page.locator("#conditions-part")).to_be_hidden(timeout=60_000)
    flyte.clear_faults("ListActions")


def test_a_condition_that_is_answered_goes_though_another_cannot_be_read(
    page: Page, server: httpx.Client, run_id: str, flyte: LocalFlyte
) -> None:
    run = flyte.run("tab-asks-two").move("RUNNING")
    answered, unread = run.condition("first"), run.condition("second")
    items, said = page.locator("#conditions li"), page.locator("#conditions-message")
    open_tab(page, server, run_id, run.name)
    expect(items).to_have_count(2)
    expect(page.locator("#conditions-title")).to_have_text("Waits for an answer")
    flyte.inject("GetActionDetails", unavailable(), when=lambda request: request.action_id.name == unread.action)
    expect(said).to_contain_text("What else the run waits for is not known: ", timeout=60_000)
    expect(items).to_have_count(2)
    answered.move("SUCCEEDED")
    expect(items).to_have_count(1, timeout=60_000)
    expect(items).to_contain_text("second")
    flyte.clear_faults("GetActionDetails")
    run.succeeds()
    expect(page.locator("#conditions-part")).to_be_hidden(timeout=60_000)


def test_what_comes_after_the_end_of_a_run_shows_no_condition(
    page: Page, server: httpx.Client, run_id: str, flyte: LocalFlyte
) -> None:
    run = flyte.run("tab-asks-late").move("RUNNING")
    run.condition("late")
    held: list[Route] = []
    page.route("**/api/conditions?*", lambda route: held.append(route))
    with page.expect_request("**/api/conditions?*"):
        open_tab(page, server, run_id, run.name)
    run.succeeds()
    expect(page.locator("#phase")).to_have_text("SUCCEEDED", timeout=60_000)
    let_through(page, held)
    # Whatever the page does with an answer it has done when a later one is there.
    page.evaluate("async () => { await (await fetch(location)).text(); }")
    expect(page.locator("#conditions-part")).to_be_hidden()
    expect(page.locator("#conditions li")).to_have_count(0)


def test_airflow_s_page_finds_it_below_a_base_path(page: Page, server: httpx.Client, run_id: str) -> None:
    """Of a task that is not mapped, whose address keeps {MAP_INDEX}, and of an instance of one that is."""
    from airflow.models.xcom import XComModel

    stored = TaskRuns("flyte_default", 1, (RunKey("flytesnacks", "development", "tab-1"),), 1)
    for task_id, map_index, path in (("several", -1, ""), ("mapped", 1, "/mapped/1")):
        XComModel.set(KEY, stored.to_text(), dag_id=DAG, task_id=task_id, run_id=run_id, map_index=map_index)
        page.goto(f"{str(server.base_url).rstrip('/')}{BASE}/dags/{DAG}/runs/{quote(run_id)}/tasks/{task_id}{path}")
        page.get_by_role("link", name="Flyte", exact=True).click()
        expect(page.frame_locator("iframe[title=Flyte]").locator("#name")).to_have_text("tab-1")


def test_earlier_tries_can_be_chosen(page: Page, server: httpx.Client, run_id: str, flyte: LocalFlyte) -> None:
    from airflow.models.taskinstance import TaskInstance as Model
    from airflow.models.taskinstancehistory import TaskInstanceHistory
    from airflow.utils.session import create_session
    from sqlalchemy import select

    for number in (1, 2):
        trying = Try(TaskInstance(DAG, "templated", run_id, airflow=airflow_id()), number, 1, run_name="tab-retried")
        flyte.run(trying.name, annotations=launch_annotations(trying)).fails(message=f"of try {number}")
    with create_session() as session:
        ti = session.scalar(select(Model).where(Model.run_id == run_id, Model.task_id == "templated"))
        assert ti is not None
        row = TaskInstanceHistory(ti, state="failed")
        row.try_number = 1
        session.add(row)
    open_tab(page, server, run_id, "tab-retried-2", try_number=2)
    expect(page.locator("#error")).to_have_text("of try 2")
    page.get_by_label("Airflow try").select_option("1")
    expect(page.locator("#name")).to_have_text("tab-retried")
    expect(page.locator("#error")).to_have_text("of try 1")
    expect(page.get_by_label("Airflow try")).to_have_value("1")
    assert browser.barriers(page) == []
    page.get_by_label("Airflow try").select_option("2")
    expect(page.locator("#error")).to_have_text("of try 2")
