"""What a Flyte run waits for, asked in a real Airflow and answered in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import expect

from airflow_provider_flyte.client import FlyteClient, FlyteConfig
from airflow_provider_flyte.testing import LocalFlyte, RunHandle, unavailable
from tests.e2e import browser
from tests.support.airflow_api import Task, until
from tests.support.airflow_process import USER, StandaloneAirflow

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

DAG = "e2e_approvals"
HOSTILE = "Publish <img src=x onerror=alert(1)> ![x](http://evil.example/x.png) *now*?"


@pytest.fixture(scope="module")
def conditions(flyte: LocalFlyte) -> dict[str, RunHandle]:
    """The conditions by their names; ``gate`` is of the run of the task that only waits."""
    gate = flyte.run("e2e-gated").move("RUNNING").condition("gate", prompt=HOSTILE)
    run = flyte.run("e2e-asks").move("RUNNING")
    kinds: dict[str, type] = {"publish": bool, "rows": int, "console": bool}
    return {"gate": gate} | {name: run.condition(name, kind, prompt=HOSTILE) for name, kind in kinds.items()}


@pytest.fixture(scope="module")
def tasks(
    tab: browser.FlyteTab, airflow: StandaloneAirflow, flyte: LocalFlyte, conditions: dict[str, RunHandle]
) -> Iterator[dict[str, Task]]:
    api = airflow.api
    api.wait_for_dags(DAG)
    run_id = api.trigger(DAG)
    for name in ("waits", "publish", "rows", "console"):
        api.wait_for_task(DAG, run_id, name, ("deferred",))
    yield {task["task_id"]: task for task in api.tasks(DAG, run_id)}
    assert not [call for call in flyte.calls("AbortRun") if call.request.run_id.name in ("e2e-gated", "e2e-asks")]


def returned(airflow: StandaloneAirflow, task: Task) -> dict[str, Any]:
    """What a task has returned, once it has succeeded."""
    airflow.api.wait_for_task(DAG, task["dag_run_id"], task["task_id"], ("success",))
    value: dict[str, Any] = airflow.api.xcom(task)
    return value


def sent(flyte: LocalFlyte, condition: RunHandle) -> list[Any]:
    """The answers to a condition that got to Flyte and were not refused."""
    calls = [call for call in flyte.calls("SignalEvent") if call.request.action_id.name == condition.action]
    payloads = [call.request.payload for call in calls if call.code == "OK"]
    return [getattr(payload, payload.WhichOneof("value")) for payload in payloads]


def test_the_log_of_a_task_that_waits_and_an_answer_in_its_tab(
    tab: browser.FlyteTab,
    airflow: StandaloneAirflow,
    flyte: LocalFlyte,
    tasks: dict[str, Task],
    conditions: dict[str, RunHandle],
) -> None:
    gate, waits = conditions["gate"], tasks["waits"]
    until(lambda: "waits for an answer" in airflow.api.log_text(waits), 60, "what the run asks, in the task's log")
    log = airflow.api.log_text(waits)
    assert HOSTILE in log
    assert f"signal flytesnacks/development/e2e-gated {gate.action} VALUE --conn-id flyte_default" in log
    tab.open(waits)
    item = tab.part("conditions").locator("li", has_text="gate")
    expect(item.locator(".prompt")).to_have_text(HOSTILE)
    expect(item.locator("img")).to_have_count(0)
    for theme in ("dark", "light"):
        tab.choose_theme(theme)
        assert tab.barriers() == []
    item.get_by_role("button", name="Approve").click()
    expect(tab.part("conditions-said")).to_contain_text("answered")
    expect(tab.part("conditions").locator("li")).to_have_count(0)
    assert sent(flyte, gate) == [True]
    flyte.run("e2e-gated").succeeds()
    airflow.api.wait_for_task(DAG, waits["dag_run_id"], "waits", ("success",))


def test_a_person_approves_under_required_actions(
    tab: browser.FlyteTab,
    airflow: StandaloneAirflow,
    flyte: LocalFlyte,
    tasks: dict[str, Task],
    conditions: dict[str, RunHandle],
) -> None:
    page = tab.required_action(tasks["publish"])
    expect(page.get_by_text(HOSTILE).first).to_be_visible()
    assert page.locator("img[src*=evil], a[href*=evil]").count() == 0
    page.get_by_role("button", name="Approve", exact=True).click()
    told = returned(airflow, tasks["publish"])
    assert (told["value"], told["answered_by"], told["prompt"]) == (True, USER, HOSTILE)
    assert sent(flyte, conditions["publish"]) == [True]


def test_an_answer_that_flyte_does_not_take_yet_is_sent_later(
    tab: browser.FlyteTab,
    airflow: StandaloneAirflow,
    flyte: LocalFlyte,
    tasks: dict[str, Task],
    conditions: dict[str, RunHandle],
) -> None:
    rows, task = conditions["rows"], tasks["rows"]
    flyte.inject("SignalEvent", unavailable(), lambda request: request.action_id.name == rows.action)
    page = tab.required_action(task)
    page.locator("input[name=element_answer]").fill("42")
    page.get_by_role("button", name="Send", exact=True).click()
    until(lambda: "the triggerer sends it until it does" in airflow.api.log_text(task), 60, "a refused answer")
    assert sent(flyte, rows) == []
    flyte.clear_faults("SignalEvent")
    told = returned(airflow, task)
    assert (told["value"], told["answered_by"], sent(flyte, rows)) == (42, USER, [42])


def test_an_answer_in_flyte_meanwhile_closes_the_request(
    airflow: StandaloneAirflow, flyte: LocalFlyte, tasks: dict[str, Task], conditions: dict[str, RunHandle]
) -> None:
    task = tasks["console"]
    assert airflow.api.human_request(task)["response_received"] is False
    config = FlyteConfig(flyte.endpoint, insecure=True, project="flytesnacks", domain="development")
    with FlyteClient(config) as client:
        client.signal("e2e-asks", "console", False)
    told = returned(airflow, task)
    assert (told["value"], told["answered_by"], sent(flyte, conditions["console"])) == (False, None, [False])
    request = airflow.api.human_request(task)
    assert (request["response_received"], request["chosen_options"]) == (True, ["Reject"])
