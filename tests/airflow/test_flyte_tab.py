"""The tab "Flyte" of a task instance: what it is told, and who is told it, through Airflow's own API server."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from fastapi.routing import APIRoute

from airflow_provider_flyte.client.phase import RunPhase
from airflow_provider_flyte.client.run_key import RunKey
from airflow_provider_flyte.plugin.app import HEADERS, STATIC, make_app
from airflow_provider_flyte.plugin.chosen_run import Chosen
from airflow_provider_flyte.plugin.live_runs import LiveRuns
from airflow_provider_flyte.plugin.queries import LINES
from airflow_provider_flyte.report.task_runs import KEY, MOST_RUNS, TaskRuns
from airflow_provider_flyte.settings import airflow_id
from airflow_provider_flyte.testing import LocalFlyte, RunHandle, unavailable
from airflow_provider_flyte.tries.identity import TaskInstance, Try, launch_annotations
from tests.support.api_server import let_users_sign_in, refuse, serving, token
from tests.support.own_airflow import connection_json, load_dag_file

pytestmark = pytest.mark.timeout(180)

DAG = "tabbed"
SERVED = {file.name.removesuffix(".html"): file.suffix for file in STATIC.iterdir()}
"""The files that are the same for everybody, by their paths."""

HOSTILE = "<script>alert(1)</script>\x1b[31m\u202e::group::{{ 7*7 }}"


@pytest.fixture(scope="module")
def flyte() -> Iterator[LocalFlyte]:
    with LocalFlyte(transports=("grpc",)) as server:
        yield server


@pytest.fixture(scope="module")
def environment(flyte: LocalFlyte) -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_CONN_FLYTE_DEFAULT", connection_json(flyte))
        let_users_sign_in(patch)
        yield patch


@pytest.fixture(scope="module")
def run_id(airflow_db: None, flyte: LocalFlyte, environment: pytest.MonkeyPatch) -> str:
    """A DAG run whose tasks have all ended, with what they have stored."""
    flyte.deploy("demo.train")
    flyte.on_launch(lambda run: run.phases("RUNNING").fails(message=HOSTILE))
    for name in ("tab-1", "tab-2"):
        flyte.run(name).phases("RUNNING").succeeds()
    dag_run: Any = load_dag_file(DAG).dag.test()
    return str(dag_run.run_id)


class Server:
    """Airflow's API server, as users of several roles ask it."""

    def __init__(self, client: httpx.Client) -> None:
        self.client = client

    def ask(self, run_id: str, task_id: str, *, role: str | None = "VIEWER", **more: Any) -> httpx.Response:
        asked = {"dag_id": DAG, "run_id": run_id, "task_id": task_id} | more
        headers = {"Authorization": f"Bearer {token(role)}"}
        return self.client.get("/flyte/api/run", params=asked, headers=headers)

    def told(self, run_id: str, task_id: str, **more: Any) -> dict[str, Any]:
        answer = self.ask(run_id, task_id, **more)
        assert answer.status_code == 200, answer.text
        told: dict[str, Any] = answer.json()
        return told


@pytest.fixture(scope="module")
def server(run_id: str) -> Iterator[Server]:
    with serving() as client:
        yield Server(client)


def store(run_id: str, task_id: str, value: Any, map_index: int = -1) -> None:
    """Put something under the tab's key, as whoever may edit XCom can."""
    from airflow.models.xcom import XComModel

    XComModel.set(KEY, value, dag_id=DAG, task_id=task_id, run_id=run_id, map_index=map_index)


@pytest.fixture
def changed(run_id: str) -> Iterator[None]:
    """Undo what a test stores for the task ``several``."""
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        wanted = select(XComModel.value).where(
            XComModel.run_id == run_id, XComModel.task_id == "several", XComModel.key == KEY
        )
        before = session.scalar(wanted)
    yield
    from airflow.models.xcom import XComModel

    XComModel.set(KEY, json.loads(str(before)), dag_id=DAG, task_id="several", run_id=run_id)


# -- what it shows


def test_a_launched_run_has_its_phase_times_and_error(server: Server, flyte: LocalFlyte, run_id: str) -> None:
    told = server.told(run_id, "launch")
    [launched] = [run for run in flyte.runs() if run.name not in ("tab-1", "tab-2")]
    assert (told["name"], told["project"], told["domain"]) == (launched.name, "flytesnacks", "development")
    assert (told["over"], told["trouble"], told["total"], told["try_number"]) == (True, "", 1, 1)
    assert told["url"].endswith(f"/runs/{launched.name}")
    run = told["run"]
    assert (run["phase"], run["over"], run["succeeded"], run["task"]) == ("FAILED", True, False, "demo.train")
    assert run["started"] <= run["ended"]
    assert run["error"] == {
        "kind": "USER",
        "message": "<script>alert(1)</script>\N{REPLACEMENT CHARACTER}::group: :{{ 7*7 }}",
    }
    [attempt] = run["attempts"]
    assert (attempt["number"], attempt["phase"]) == (1, "FAILED")
    assert "RUNNING" in [phase["phase"] for phase in attempt["phases"]]


def test_of_several_runs_each_can_be_chosen(server: Server, run_id: str) -> None:
    told = server.told(run_id, "several", run=1)
    assert (told["runs"], told["name"], told["run"]["phase"]) == (["tab-1", "tab-2"], "tab-2", "SUCCEEDED")
    assert server.ask(run_id, "several", run=2).status_code == 404
    assert server.ask(run_id, "several", run=MOST_RUNS).status_code == 422


def test_each_mapped_task_instance_has_its_own(server: Server, run_id: str) -> None:
    for index, name in enumerate(("tab-1", "tab-2")):
        assert server.told(run_id, "mapped", map_index=index)["name"] == name
    without = server.ask(run_id, "mapped")
    assert (without.status_code, "This task is mapped" in without.text) == (404, True)


def test_a_templated_connection_is_the_one_that_the_task_used(server: Server, run_id: str) -> None:
    assert server.told(run_id, "templated")["run"]["phase"] == "SUCCEEDED"


def test_a_task_without_a_run_says_so(server: Server, run_id: str) -> None:
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session
    from sqlalchemy import delete

    with create_session() as session:
        session.execute(
            delete(XComModel).where(XComModel.run_id == run_id, XComModel.task_id == "mapped", XComModel.map_index == 1)
        )
    told = server.told(run_id, "mapped", map_index=1)
    assert (told["runs"], told["run"], told["trouble"], told["over"]) == ([], None, "", True)


# -- who is told


def test_nobody_is_told_without_a_login(server: Server, run_id: str) -> None:
    asked = {"dag_id": DAG, "run_id": run_id, "task_id": "launch"}
    assert server.client.get("/flyte/api/run", params=asked).status_code == 401
    cookie = {"Cookie": f"_token={token('VIEWER')}"}
    assert server.client.get("/flyte/api/run", params=asked, headers=cookie).status_code == 200


def test_somebody_without_the_right_learns_nothing_of_what_there_is(server: Server, run_id: str) -> None:
    refused = [server.ask(run, "launch", role=None) for run in (run_id, "no such run")]
    assert {answer.status_code for answer in refused} == {403}
    assert refused[0].text == refused[1].text


def test_the_auth_manager_is_asked_about_the_dag_that_is_shown(
    server: Server, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager

    asked = []

    def is_authorized_dag(self: Any, *, method: str, user: Any, access_entity: Any, details: Any) -> bool:
        asked.append((method, access_entity.value, details.id))
        return bool(details.id == DAG)

    monkeypatch.setattr(SimpleAuthManager, "is_authorized_dag", is_authorized_dag)
    server.told(run_id, "launch")
    assert asked == [
        ("GET", "TASK_INSTANCE", DAG),
        ("GET", "TASK_LOGS", DAG),
        ("GET", "XCOM", DAG),
        ("PUT", "TASK_INSTANCE", DAG),
    ]
    # Whichever of two the one reads, the other reads it too.
    path = f"/flyte/api/run?run_id={quote(run_id)}&task_id=launch"
    headers = {"Authorization": f"Bearer {token('VIEWER')}"}
    for two, status in ((f"dag_id={DAG}&dag_id=other", 403), (f"dag_id=other&dag_id={DAG}", 200)):
        assert server.client.get(f"{path}&{two}", headers=headers).status_code == status
    for none in ("", "&dag_id="):
        assert server.client.get(path + none, headers=headers).status_code == 422
    assert server.client.get(f"{path}&dag_id=~", headers=headers).status_code == 403


def test_an_error_is_for_those_who_may_read_the_log(
    server: Server, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse(monkeypatch, "TASK_LOGS")
    run = server.told(run_id, "launch")["run"]
    assert (run["phase"], run["error"], run["error_hidden"]) == ("FAILED", None, True)


def test_every_route_that_tells_something_asks_the_auth_manager(server: Server) -> None:
    """Its answer to a request without a login is 401, before it looks at anything else."""
    app = make_app()
    routes = [route for route in app.routes if isinstance(route, APIRoute)]
    assert len(routes) == len(app.routes)
    asked = {"dag_id": DAG, "run_id": "r", "task_id": "t"}
    for route in routes:
        for method in route.methods:
            answer = server.client.request(method, f"/flyte{route.path}", params=asked)
            open_to_all = route.path[1:] in SERVED
            assert answer.status_code == (200 if open_to_all else 401), route.path
            assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS


def test_no_route_tells_or_does_anything_for_those_who_may_not_read_the_dag(server: Server, run_id: str) -> None:
    asked = {"dag_id": DAG, "run_id": run_id, "task_id": "launch"}
    headers = {"Authorization": f"Bearer {token(None)}", "Content-Type": "application/json"} | FROM_THE_PAGE
    routes = [route for route in make_app().routes if isinstance(route, APIRoute) and route.path[1:] not in SERVED]
    assert len(routes) >= 9
    for route in routes:
        for method in route.methods:
            answer = server.client.request(method, f"/flyte{route.path}", params=asked, headers=headers, content="{}")
            assert answer.status_code == 403, route.path


def test_ten_who_look_at_a_run_cost_flyte_one_poll(server: Server, flyte: LocalFlyte, run_id: str) -> None:
    flyte.run("tab-watched").move("RUNNING")
    store(run_id, "templated", TaskRuns("flyte_default", 1, _keys("tab-watched"), 1).to_text())
    before = len(flyte.calls("GetRunDetails"))
    with ThreadPoolExecutor(10) as pool:
        told = list(pool.map(lambda _: server.told(run_id, "templated"), range(10)))
    assert {each["run"]["phase"] for each in told} == {"RUNNING"}
    # On a slow machine what the first was told is too old for the last.
    assert len(flyte.calls("GetRunDetails")) - before < 5


@pytest.mark.parametrize("path", ["docs", "redoc", "openapi.json", "tab.html", "../app.py", "%2e%2e/app.py", "api"])
def test_there_is_nothing_else(server: Server, path: str) -> None:
    answer = server.client.get(f"/flyte/{path}")
    assert answer.status_code in (404, 405) or "make_app" not in answer.text
    assert "openapi" not in answer.text


# -- what cannot be shown


def test_a_dag_run_that_was_deleted_is_told(server: Server) -> None:
    answer = server.ask("manual__gone", "launch")
    assert (answer.status_code, answer.json()) == (
        404,
        {"detail": "Airflow has no such task instance. Its DAG run may have been deleted."},
    )


def test_another_dags_id_leads_to_no_run_of_this_one(server: Server, run_id: str) -> None:
    assert server.ask(run_id, "launch", dag_id="other").status_code == 404


@pytest.mark.usefixtures("changed")
@pytest.mark.parametrize(
    "value",
    [
        "no JSON",
        "[]",
        "{}",
        '"x"',
        json.dumps({"runs": [], "flyte_conn_id": "flyte_default"}),
        {"a": 1},
        None,
        "[" * 9999,
    ],
    ids=range(8),
)
def test_what_the_task_has_not_stored_is_not_shown(server: Server, run_id: str, value: Any) -> None:
    store(run_id, "several", value)
    told = server.told(run_id, "several")
    assert told["runs"] == []
    assert "is not what its task has written there" in told["trouble"]


@pytest.mark.usefixtures("changed")
def test_edited_xcom_leads_to_no_other_connection(
    server: Server, flyte: LocalFlyte, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_SECRET_FLYTE", connection_json(flyte))
    runs = TaskRuns("secret_flyte", 1, _keys("tab-1"), 1)
    store(run_id, "several", runs.to_text())
    before = len(flyte.calls("GetRunDetails"))
    told = server.told(run_id, "several")
    assert (told["runs"], told["run"]) == ([], None)
    assert "names the connection 'secret_flyte', and its task in the DAG names 'flyte_default'" in told["trouble"]
    assert len(flyte.calls("GetRunDetails")) == before


def test_edited_xcom_of_a_task_without_a_connection_leads_to_none(
    server: Server, flyte: LocalFlyte, run_id: str
) -> None:
    store(run_id, "not_ours", TaskRuns("flyte_default", 1, _keys("tab-1"), 1).to_text())
    before = len(flyte.calls("GetRunDetails"))
    told = server.told(run_id, "not_ours")
    assert (told["runs"], told["run"]) == ([], None)
    assert "The DAG has no Flyte connection for this task" in told["trouble"]
    assert len(flyte.calls("GetRunDetails")) == before


def _keys(*names: str) -> tuple[Any, ...]:
    return tuple(RunKey("flytesnacks", "development", name) for name in names)


@pytest.mark.parametrize(
    ("connection", "said"),
    [
        (None, "There is no Airflow connection 'flyte_gone'"),
        ('{"conn_type": "flyte", "host": "127.0.0.1", "port": 9, "extra": {"insecure": true}}', "127.0.0.1:9"),
    ],
    ids=["missing", "away"],
)
def test_trouble_is_told_and_the_rest_is_shown(
    server: Server, run_id: str, monkeypatch: pytest.MonkeyPatch, connection: str | None, said: str
) -> None:
    conn_id = "flyte_gone" if connection is None else "flyte_away"
    if connection:
        monkeypatch.setenv("AIRFLOW_CONN_FLYTE_AWAY", connection)
    # A task whose connection is a template may have any.
    store(run_id, "templated", TaskRuns(conn_id, 1, _keys("tab-1"), 1).to_text())
    told = server.told(run_id, "templated")
    assert (told["name"], told["run"]) == ("tab-1", None)
    assert said in told["trouble"]


def test_of_thousands_the_first_are_stored() -> None:
    told = TaskRuns("flyte_default", 3, _keys(*(f"r{number}" for number in range(MOST_RUNS))), 5000)
    assert TaskRuns.from_text(told.to_text()) == told
    assert len(told.to_text()) < 10_000


def test_the_page_runs_and_loads_its_own_files_alone(server: Server) -> None:
    """What stands inline the policy would refuse, and what is put in as text runs nowhere."""
    pages = [name for name, suffix in SERVED.items() if suffix == ".html"]
    for name in pages:
        page = server.client.get(f"/flyte/{name}").text
        assert re.findall(r"<script[^>]*>|<link[^>]*>", page) == [
            '<link rel="stylesheet" href="tab.css">',
            f'<script type="module" src="{name}.js">',
        ]
        assert not re.search(r"<style|\sstyle=|\son\w+=|<iframe|<img", page)
    scripts = [name for name, suffix in SERVED.items() if suffix == ".js"]
    for name in scripts:
        script = server.client.get(f"/flyte/{name}").text
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function", script)
        assert set(re.findall(r'from "([^"]*)"', script)) <= {f"./{each}" for each in scripts}
    assert "tab" in pages
    assert sum(len(server.client.get(f"/flyte/{name}").content) for name in SERVED) < 60_000


# -- the end of the log, failed child actions, abort


def further(server: Server, run_id: str, what: str, *, role: str | None = "VIEWER", **more: Any) -> httpx.Response:
    asked = {"dag_id": DAG, "run_id": run_id, "task_id": "templated"} | more
    return server.client.get(f"/flyte/api/{what}", params=asked, headers={"Authorization": f"Bearer {token(role)}"})


def test_the_end_of_the_log_and_the_failed_child_actions(server: Server, flyte: LocalFlyte, run_id: str) -> None:
    run = flyte.run("tab-logs").move("RUNNING").logs("epoch 1", HOSTILE)
    run.child("c1", task="train.shard").fails(message=HOSTILE)
    store(run_id, "templated", TaskRuns("flyte_default", 1, _keys("tab-logs"), 1).to_text())
    cleaned = "<script>alert(1)</script>\N{REPLACEMENT CHARACTER}::group: :{{ 7*7 }}"
    assert further(server, run_id, "log").json() == {
        "attempt": 1,
        "lines": ["epoch 1", cleaned],
        "most": LINES,
        "trouble": "",
    }
    assert further(server, run_id, "failed").json() == {
        "actions": [{"name": "c1", "task": "train.shard", "why": f"FAILED (USER error): {cleaned}"}],
        "more": 0,
        "trouble": "",
    }
    assert further(server, run_id, "log", run=1).status_code == 404


@pytest.mark.parametrize("what", ["log", "failed"])
def test_they_are_for_those_who_may_read_the_log(
    server: Server, run_id: str, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    assert further(server, run_id, what, role=None).status_code == 403
    refuse(monkeypatch, "TASK_LOGS")
    assert further(server, run_id, what).status_code == 403


def test_inputs_and_outputs_are_shown_without_secrets(
    server: Server, flyte: LocalFlyte, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs = {"rows": 3, "password": "hunter2hunter2", "config": {"api_key": "made-up-key", "depth": [1, None]}}
    flyte.run("tab-values", inputs=inputs).succeeds({"o0": HOSTILE, "o1": datetime(2026, 1, 1, tzinfo=timezone.utc)})
    store(run_id, "templated", TaskRuns("flyte_default", 1, _keys("tab-values"), 1).to_text())
    told = further(server, run_id, "values").json()
    assert told["trouble"] == ""
    assert "rows: 3\n" in told["inputs"]
    assert "password: ***" in told["inputs"]
    assert '"api_key": "***"' in told["inputs"]
    assert '"depth"' in told["inputs"]
    assert told["outputs"].startswith("o0: <script>alert(1)</script>\N{REPLACEMENT CHARACTER}")
    assert "o1: 2026-01-01" in told["outputs"]
    assert "hunter2" not in str(told)
    assert "made-up-key" not in str(told)
    monkeypatch.setenv("AIRFLOW__FLYTE__TAB_VALUES", "False")
    assert further(server, run_id, "values").status_code == 403
    assert server.told(run_id, "templated")["values"] is False


def test_values_are_for_those_who_may_read_xcom(server: Server, run_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse(monkeypatch, "XCOM")
    assert further(server, run_id, "values").status_code == 403
    assert server.told(run_id, "templated")["values"] is False


FROM_THE_PAGE = {"X-Flyte-Tab": "abort", "Sec-Fetch-Site": "same-origin"}


def abort(server: Server, run_id: str, shown: str, *, role: str | None = "USER", **headers: str) -> httpx.Response:
    asked = {"dag_id": DAG, "run_id": run_id, "task_id": "templated"}
    sent = {"Authorization": f"Bearer {token(role)}"} | FROM_THE_PAGE | headers
    body = json.dumps({"shown": shown, "reason": "of no use"})
    return server.client.post(
        "/flyte/api/abort", params=asked, headers={"Content-Type": "application/json"} | sent, content=body
    )


def launched(flyte: LocalFlyte, run_id: str, name: str, changed: Mapping[str, Any] = MappingProxyType({})) -> RunHandle:
    """A run that goes on, which a task instance has launched."""
    task: dict[str, Any] = {"dag_id": DAG, "run_id": run_id, "task_id": "templated", "airflow": airflow_id()}
    annotations = launch_annotations(Try(TaskInstance(**task | dict(changed)), 1, 1))
    run = flyte.run(name, annotations=annotations).move("RUNNING")
    store(run_id, "templated", TaskRuns("flyte_default", 1, _keys(name), 1).to_text())
    return run


def shown_run(server: Server, run_id: str) -> str:
    """The digest of the run that the page shows."""
    return str(server.told(run_id, "templated")["shown"])


def test_who_may_edit_the_task_aborts_the_run_that_it_has_launched(
    server: Server, flyte: LocalFlyte, run_id: str
) -> None:
    run = launched(flyte, run_id, "tab-abort")
    assert server.told(run_id, "templated", role="VIEWER")["abortable"] is False
    assert server.told(run_id, "templated", role="USER")["abortable"] is True
    answer = abort(server, run_id, shown_run(server, run_id))
    assert (answer.status_code, "is now aborted" in answer.text) == (200, True)
    assert run.phase == RunPhase.ABORTED
    told = server.told(run_id, "templated", role="USER")
    assert (told["run"]["phase"], told["abortable"]) == ("ABORTED", False)
    assert told["run"]["error"]["message"] == "Aborted in Airflow by somebody: of no use"
    # And once more: nothing is done to a run that is over.
    assert "already, so it is not aborted" in abort(server, run_id, shown_run(server, run_id)).text
    assert len(flyte.calls("AbortRun")) == 1


@pytest.mark.parametrize(
    ("role", "headers"),
    [
        ("VIEWER", {}),
        (None, {}),
        ("USER", {"X-Flyte-Tab": ""}),
        ("USER", {"Content-Type": "text/plain"}),
        ("USER", {"Content-Type": "application/x-www-form-urlencoded"}),
        ("USER", {"Sec-Fetch-Site": "cross-site"}),
        ("USER", {"Sec-Fetch-Site": "same-site"}),
        ("USER", {"Sec-Fetch-Site": "", "Origin": "https://evil.example"}),
        ("USER", {"Sec-Fetch-Site": "", "Origin": "null"}),
    ],
    ids=range(9),
)
def test_nobody_else_aborts_it_and_no_other_site_does(
    server: Server, flyte: LocalFlyte, run_id: str, role: str | None, headers: dict[str, str]
) -> None:
    run = launched(flyte, run_id, "tab-left-alone")
    assert abort(server, run_id, shown_run(server, run_id), role=role, **headers).status_code == 403
    assert run.phase == RunPhase.RUNNING


@pytest.mark.parametrize(
    "other", [{"dag_id": "other"}, {"task_id": "o"}, {"run_id": "o"}, {"map_index": 1}, {"airflow": "o"}], ids=str
)
def test_a_run_that_another_task_has_launched_is_not_aborted(
    server: Server, flyte: LocalFlyte, run_id: str, other: dict[str, Any]
) -> None:
    name = f"tab-{next(iter(other)).replace('_', '-')}"
    run = launched(flyte, run_id, name, other)
    assert server.told(run_id, "templated", role="USER")["abortable"] is False
    assert "somebody else launched it" in abort(server, run_id, shown_run(server, run_id)).text
    assert run.phase == RunPhase.RUNNING


@pytest.mark.parametrize(
    "other", [{"name": "tab-first"}, {"project": "other"}, {"domain": "other"}, {"conn": "other"}], ids=str
)
def test_what_the_page_shows_is_what_is_aborted_or_answered(
    server: Server, flyte: LocalFlyte, run_id: str, other: dict[str, str]
) -> None:
    """The task may have been retried meanwhile, and asked the same question as before."""
    name = f"tab-now-{next(iter(other))}"
    key = {"project": "p", "domain": "development", "name": name} | other
    conn_id = key.pop("conn", "flyte_default")
    before = Chosen(conn_id, RunKey(**key), LiveRuns())
    run = launched(flyte, run_id, name)
    condition = run.condition("approve", prompt="Ship v1?")
    assert abort(server, run_id, before.digest()).status_code == 409
    shown = before.digest(condition.action, "approve", "Ship v1?", "", "bool")
    answer = give(server, run_id, shown, condition.action, "true")
    assert (answer.status_code, "Nothing is answered." in answer.text) == (409, True)
    assert (run.phase, condition.phase) == (RunPhase.RUNNING, RunPhase.PAUSED)


# -- conditions that the run waits for


def waiting(server: Server, run_id: str, role: str = "VIEWER") -> dict[str, Any]:
    return dict(further(server, run_id, "conditions", task_id="templated", role=role).json())


def give(
    server: Server, run_id: str, shown: str, action: str, value: str, role: str | None = "USER", **headers: str
) -> httpx.Response:
    asked = {"dag_id": DAG, "run_id": run_id, "task_id": "templated"}
    sent = {"Authorization": f"Bearer {token(role)}", "Content-Type": "application/json"} | FROM_THE_PAGE | headers
    body = json.dumps({"shown": shown, "action": action, "value": value})
    return server.client.post("/flyte/api/answer", params=asked, headers=sent, content=body)


def test_who_may_edit_the_task_answers_what_its_run_waits_for(server: Server, flyte: LocalFlyte, run_id: str) -> None:
    run = launched(flyte, run_id, "tab-asks")
    approve = run.condition("approve", prompt=HOSTILE, description="of v2")
    rows = run.condition("rows", int)
    told = waiting(server, run_id)
    assert (told["may_answer"], told["trouble"]) == (False, "")
    shown = {each["name"]: each for each in told["conditions"]}
    assert (shown["approve"]["kind"], shown["rows"]["kind"], shown["approve"]["description"]) == (
        "bool",
        "int",
        "of v2",
    )
    assert "\x1b" not in shown["approve"]["prompt"]
    digests = {each["action"]: each["shown"] for each in told["conditions"]}
    said = give(server, run_id, digests[rows.action], rows.action, "many").json()["said"]
    assert "asks for an int of 64 bits, not 'many'" in said
    assert (
        "was answered with 9007199254740993"
        in give(server, run_id, digests[rows.action], rows.action, "9007199254740993").json()["said"]
    )
    assert rows.signal.scalar.primitive.integer == 9007199254740993
    assert "was answered with True" in give(server, run_id, digests[approve.action], approve.action, "true").text
    again = give(server, run_id, digests[approve.action], approve.action, "false").text
    assert "needs no answer any more: it was answered with True at 20" in again
    assert approve.signal.scalar.primitive.boolean is True
    told = waiting(server, run_id, "USER")
    # Whose conditions they are, so that the page shows them below no other run.
    assert told == {
        "shown": shown_run(server, run_id),
        "conditions": [],
        "may_answer": True,
        "trouble": "",
        "unread": [],
    }


@pytest.mark.parametrize(
    ("role", "headers"),
    [("VIEWER", {}), (None, {}), ("USER", {"X-Flyte-Tab": ""}), ("USER", {"Sec-Fetch-Site": "cross-site"})],
    ids=range(4),
)
def test_nobody_else_answers_and_no_other_site_does(
    server: Server, flyte: LocalFlyte, run_id: str, role: str | None, headers: dict[str, str]
) -> None:
    condition = launched(flyte, run_id, "tab-asks-in-vain").condition("approve")
    answer = give(server, run_id, shown_run(server, run_id), condition.action, "true", role=role, **headers)
    assert answer.status_code == 403
    assert condition.phase == RunPhase.PAUSED


def test_the_tab_says_which_conditions_it_does_not_show(server: Server, flyte: LocalFlyte, run_id: str) -> None:
    run = launched(flyte, run_id, "tab-asks-too-much")
    first, *_ = [run.condition(f"c{number}") for number in range(20)]
    # The newest are listed first.
    bad = run.condition("bad")
    name = run.name
    flyte.inject(
        "GetActionDetails",
        unavailable(),
        when=lambda request: (request.action_id.run.name, request.action_id.name) == (name, bad.action),
    )
    told = waiting(server, run_id)
    assert (len(told["conditions"]), told["unread"]) == (19, [bad.action, first.action])
    assert told["trouble"].startswith("What else the run waits for is not known: RunService/GetActionDetails for run ")
    assert ". 1 more action of the run is paused, and not shown: http" in told["trouble"]


@pytest.mark.parametrize("method", ["ListActions", "GetActionDetails"])
def test_the_tab_says_that_no_condition_can_be_read(
    server: Server, flyte: LocalFlyte, run_id: str, method: str
) -> None:
    run = launched(flyte, run_id, f"tab-asks-{method.lower()}")
    condition = run.condition("approve")
    name = run.name
    flyte.inject(method, unavailable(), when=lambda request: name in str(request))
    told = waiting(server, run_id)
    assert told["conditions"] == []
    assert told["unread"] == (None if method == "ListActions" else [condition.action])
    assert told["trouble"].startswith(f"What the run waits for is not known: RunService/{method} for run ")


def test_a_run_that_is_over_gets_no_answer(server: Server, flyte: LocalFlyte, run_id: str) -> None:
    run = launched(flyte, run_id, "tab-asks-too-long")
    condition = run.condition("approve")
    shown = waiting(server, run_id)["conditions"][0]["shown"]
    run.fails()
    said = give(server, run_id, shown, condition.action, "true").json()["said"]
    assert "cannot be answered: the run is over (FAILED)" in said
    assert condition.phase == RunPhase.PAUSED


def test_only_conditions_of_the_run_that_is_shown_are_answered(server: Server, flyte: LocalFlyte, run_id: str) -> None:
    other = flyte.run("tab-of-others").move("RUNNING").condition("approve")
    run = launched(flyte, run_id, "tab-asks-nothing")
    run.child("c1")
    for action in (other.action, "c1"):
        assert "has no such condition" in give(server, run_id, shown_run(server, run_id), action, "true").text
    assert other.phase == RunPhase.PAUSED


@pytest.mark.parametrize(
    "changed", [{"prompt": "Ship v2?"}, {"description": "all"}, {"kind": str}, {"name": "n"}], ids=str
)
def test_nobody_is_shown_one_question_and_answers_another(
    server: Server, flyte: LocalFlyte, run_id: str, changed: dict[str, Any]
) -> None:
    run = launched(flyte, run_id, f"tab-{next(iter(changed))}")
    asked: dict[str, Any] = {"name": "approve", "kind": bool, "prompt": "Ship v1?", "description": ""}
    now = asked | changed
    condition = run.condition(now["name"], now["kind"], prompt=now["prompt"], description=now["description"])
    told = waiting(server, run_id)["conditions"][0]
    before = Chosen("flyte_default", _keys(f"tab-{next(iter(changed))}")[0], LiveRuns())
    shown = before.digest(
        condition.action, asked["name"], asked["prompt"], asked["description"], asked["kind"].__name__
    )
    assert give(server, run_id, shown, condition.action, "true").status_code == 409
    assert condition.phase == RunPhase.PAUSED
    assert give(server, run_id, told["shown"], condition.action, "true").status_code == 200
    assert condition.phase == RunPhase.SUCCEEDED


# -- earlier tries


@pytest.fixture
def ids(run_id: str) -> Iterator[dict[int, str]]:
    """Airflow's ids of two tries of the task ``templated`` that are over, by their numbers."""
    from airflow.models.taskinstance import TaskInstance as Model
    from airflow.models.taskinstancehistory import TaskInstanceHistory
    from airflow.utils.session import create_session
    from sqlalchemy import delete, select

    ids = {number: f"01a21de8-3b40-78fe-9c19-00000000000{number}" for number in (1, 2)}
    of_task = (TaskInstanceHistory.run_id == run_id, TaskInstanceHistory.task_id == "templated")
    with create_session() as session:
        ti = session.scalar(select(Model).where(Model.run_id == run_id, Model.task_id == "templated"))
        assert ti is not None
        for number, attempt in ids.items():
            row = TaskInstanceHistory(ti, state="failed")
            row.task_instance_id, row.try_number = type(ti.id)(attempt), number
            session.add(row)
    yield ids
    with create_session() as session:
        session.execute(delete(TaskInstanceHistory).where(*of_task))


def of_try(number: int) -> dict[str, Any]:
    return {"try": number}


def retried(flyte: LocalFlyte, run_id: str, ids: Mapping[int, str], changed: Mapping[str, Any]) -> list[str]:
    """The runs of three tries, of which the last is stored."""
    task = TaskInstance(DAG, "templated", run_id, airflow=airflow_id())
    names = []
    for number in (1, 2, 3):
        trying = Try(task, number, 2, attempt_id=ids.get(number), run_name=changed.get("run_name"))
        run = flyte.run(trying.name, annotations=launch_annotations(trying) | changed.get(str(number), {}))
        run.fails(message=f"try {number}")
        names.append(trying.name)
    store(run_id, "templated", TaskRuns("flyte_default", 3, _keys(names[-1]), 1).to_text())
    return names


@pytest.mark.parametrize("run_name", [None, "tab-retried"], ids=["computed", "chosen"])
def test_the_runs_of_earlier_tries_can_be_chosen(
    server: Server, flyte: LocalFlyte, run_id: str, ids: dict[int, str], run_name: str | None
) -> None:
    names = retried(flyte, run_id, ids, {"run_name": run_name})
    told = server.told(run_id, "templated")
    assert (told["tries"], told["try_number"], told["name"]) == ([3, 2, 1], 3, names[2])
    for number in (2, 1):
        told = server.told(run_id, "templated", **of_try(number))
        assert (told["try_number"], told["runs"], told["total"]) == (number, [names[number - 1]], 1)
        assert told["run"]["error"]["message"] == f"try {number}"
        assert further(server, run_id, "actions", **of_try(number), parent="a0", group="", first=0).status_code == 200
    gone = server.ask(run_id, "templated", **of_try(7))
    assert (gone.status_code, gone.json()) == (404, {"detail": "No run of try 7 is known."})


def test_a_run_that_another_task_has_launched_is_no_earlier_try(
    server: Server, flyte: LocalFlyte, run_id: str, ids: dict[int, str]
) -> None:
    """Whoever may launch runs in Flyte may choose their names, and a deleted DAG run has had the same names."""
    other = {"airflow.apache.org/task_instance_id": "01a21de8-3b40-78fe-9c19-00000000000f"}
    retried(
        flyte,
        run_id,
        ids,
        {"run_name": "tab-others", "1": {"airflow.apache.org/task_id": "other"}, "2": other},
    )
    assert server.told(run_id, "templated")["tries"] == [3]
    assert server.ask(run_id, "templated", **of_try(2)).status_code == 404


def test_the_tries_of_one_who_waits_are_not_looked_for(
    server: Server, flyte: LocalFlyte, run_id: str, ids: dict[int, str]
) -> None:
    flyte.run("tab-waited-for").succeeds()
    store(run_id, "templated", TaskRuns("flyte_default", 3, _keys("tab-waited-for"), 1).to_text())
    before = len(flyte.calls("ListRuns"))
    assert server.told(run_id, "templated")["tries"] == [3]
    assert len(flyte.calls("ListRuns")) == before
