"""The tabs "Flyte" of DAGs and of DAG runs: what they are told, and who is told it, through Airflow's API server."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

import httpx
import pytest

from airflow_provider_flyte.client.run_key import RunKey
from airflow_provider_flyte.plugin import dag_pages
from airflow_provider_flyte.plugin.dag_runs import DAG_RUNS, MOST_SHOWN
from airflow_provider_flyte.plugin.live_runs import FRESH_WHEN_OVER
from airflow_provider_flyte.report.task_runs import KEY, TaskRuns
from airflow_provider_flyte.testing import LocalFlyte, no_name_filter
from tests.support.api_server import delete_dag_runs, let_users_sign_in, refuse, serving, token
from tests.support.own_airflow import connection_json, load_dag_file

pytestmark = pytest.mark.timeout(180)

DAG = "tabbed"
AWAY = '{"conn_type": "flyte", "host": "127.0.0.1", "port": 9, "extra": {"insecure": true}}'
NOW = datetime.now(timezone.utc)


@pytest.fixture(scope="module")
def flyte() -> Iterator[LocalFlyte]:
    with LocalFlyte(transports=("grpc",)) as server:
        yield server


@pytest.fixture(scope="module")
def run_id(airflow_db: None, flyte: LocalFlyte) -> Iterator[str]:
    """A DAG run whose tasks have all ended, with what they have stored."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_CONN_FLYTE_DEFAULT", connection_json(flyte))
        patch.setenv(
            "AIRFLOW_CONN_FLYTE_AWAY",
            '{"conn_type": "flyte", "host": "127.0.0.1", "port": 9, "extra": {"insecure": true}}',
        )
        patch.setenv("AIRFLOW_CONN_FLYTE_OTHER", connection_json(flyte))
        let_users_sign_in(patch)
        flyte.deploy("demo.train")
        flyte.on_launch(lambda run: run.phases("RUNNING").fails(message="no rows"))
        for name in ("tab-1", "tab-2"):
            flyte.run(name, task="demo.load").phases("RUNNING").succeeds()
        dag_run: Any = load_dag_file(DAG).dag.test()
        yield str(dag_run.run_id)


@pytest.fixture(scope="module")
def server(run_id: str) -> Iterator[httpx.Client]:
    with serving() as client:
        yield client


def ask(server: httpx.Client, role: str | None = "VIEWER", dag_id: str = DAG, **asked: Any) -> httpx.Response:
    headers = {"Authorization": f"Bearer {token(role)}"}
    return server.get("/flyte/api/runs", params={"dag_id": dag_id} | asked, headers=headers)


def told(server: httpx.Client, **asked: Any) -> dict[str, Any]:
    answer = ask(server, **asked)
    assert answer.status_code == 200, answer.text
    said: dict[str, Any] = answer.json()
    return said


def keys(*names: str, project: str = "flytesnacks") -> tuple[RunKey, ...]:
    return tuple(RunKey(project, "development", name) for name in names)


class Copies:
    """DAG runs like the one that was played, with what a test stores for their tasks: a thousand cost no time so."""

    def __init__(self, of: str) -> None:
        self._of = of
        self._made: list[str] = []

    def dag_run(self, run_id: str, *, queued: datetime | None = None, state: str = "success") -> None:
        """Another DAG run."""
        from airflow.models.dagrun import DagRun

        changed = {"run_id": run_id, "id": None, "logical_date": None, "queued_at": queued, "state": state}
        self._copy(DagRun, {"run_id": self._of}, [changed])
        self._made.append(run_id)

    def tasks(
        self, run_id: str, stored: Sequence[object], *, at: datetime, state: str = "success", task_id: str = "templated"
    ) -> None:
        """Mapped instances of a task, each with what it has stored, later ones having told it later."""
        from airflow.models.dagrun import DagRun
        from airflow.models.taskinstance import TaskInstance
        from airflow.models.xcom import XComModel
        from airflow.utils.session import create_session
        from sqlalchemy import insert, select
        from uuid6 import uuid7

        indexes = range(len(stored))
        changed = [{"id": uuid7(), "run_id": run_id, "map_index": index, "state": state} for index in indexes]
        self._copy(TaskInstance, {"run_id": self._of, "task_id": task_id}, changed)
        with create_session() as session:
            number = session.scalar(select(DagRun.id).where(DagRun.run_id == run_id))
            rows = [
                {
                    "dag_run_id": number,
                    "dag_id": DAG,
                    "run_id": run_id,
                    "task_id": task_id,
                    "map_index": index,
                    "key": KEY,
                    "value": stored[index],
                    "timestamp": at + timedelta(milliseconds=index),
                }
                for index in indexes
            ]
            session.execute(insert(XComModel.__table__), rows)

    def _copy(self, model: Any, which: dict[str, Any], changed: list[dict[str, Any]]) -> None:
        from airflow.utils.session import create_session
        from sqlalchemy import insert, select

        table = model.__table__
        with create_session() as session:
            found = session.execute(select(table).where(*(table.c[name] == value for name, value in which.items())))
            row = dict(found.mappings().first() or {})
            session.execute(
                insert(table),
                [{k: v for k, v in (row | each).items() if k != "id" or v is not None} for each in changed],
            )

    def remove(self) -> None:
        """Delete them all, as Airflow deletes a DAG run."""
        delete_dag_runs(DAG, self._made)


@pytest.fixture
def copies(run_id: str) -> Iterator[Copies]:
    made = Copies(run_id)
    yield made
    made.remove()


# -- what they show


def test_a_dag_run_has_its_runs_newest_first_by_one_list(server: httpx.Client, flyte: LocalFlyte, run_id: str) -> None:
    before = len(flyte.calls("ListRuns")), len(flyte.calls("GetRunDetails"))
    page = told(server, run_id=run_id)
    assert (page["troubles"], page["following"], page["over"]) == ([], None, True)
    rows = page["rows"]
    shown = {(row["task_id"], row["map_index"], row["name"]): row for row in rows}
    [launched] = [run for run in flyte.runs() if run.name not in ("tab-1", "tab-2")]
    assert set(shown) == {
        ("launch", -1, launched.name),
        ("several", -1, "tab-1"),
        ("several", -1, "tab-2"),
        ("mapped", 0, "tab-1"),
        ("mapped", 1, "tab-2"),
        ("templated", -1, "tab-1"),
    }
    failed = shown["launch", -1, launched.name]
    assert (failed["phase"], failed["done"], failed["task"], failed["state"]) == (
        "FAILED",
        True,
        "demo.train",
        "failed",
    )
    assert failed["started"] <= failed["ended"]
    assert failed["url"].endswith(f"/runs/{launched.name}")
    assert (failed["run_id"], failed["try_number"], failed["project"]) == (run_id, 1, "flytesnacks")
    assert {row["phase"] for row in rows if row is not failed} == {"SUCCEEDED"}
    assert [row["name"] for row in rows if row["task_id"] == "several"] == ["tab-1", "tab-2"]
    assert len(flyte.calls("ListRuns")) - before[0] == 1
    assert len(flyte.calls("GetRunDetails")) == before[1]
    # And whoever looks now costs none.
    told(server, run_id=run_id)
    assert len(flyte.calls("ListRuns")) - before[0] == 1


def test_of_a_dag_it_is_those_that_were_queued_last(server: httpx.Client, run_id: str, copies: Copies) -> None:
    """One that was cleared is among them, however old it is."""
    for number in range(DAG_RUNS + 2):
        copies.dag_run(f"old-{number:02}", queued=NOW + timedelta(hours=number))
        stored = TaskRuns("flyte_default", 1, keys("tab-1"), 1).to_text()
        copies.tasks(f"old-{number:02}", [stored], at=NOW + timedelta(hours=number))
    page = told(server)
    assert [row["run_id"] for row in page["rows"]] == [f"old-{number:02}" for number in range(DAG_RUNS + 1, 1, -1)]
    assert (page["over"], page["following"], page["dag_runs"]) == (False, None, DAG_RUNS)
    # The DAG run itself shows them however old it is.
    assert {row["name"] for row in told(server, run_id="old-00")["rows"]} == {"tab-1"}


def test_a_thousand_mapped_task_instances_are_paged(
    server: httpx.Client, flyte: LocalFlyte, run_id: str, copies: Copies
) -> None:
    names = [f"many-{number}" for number in range(1000)]
    for name in names[-150:]:
        flyte.run(name).move("RUNNING")
    copies.dag_run("many", state="running")
    stored = [TaskRuns("flyte_default", 1, keys(name), 1).to_text() for name in names]
    copies.tasks("many", stored, at=NOW, state="deferred")
    before = len(flyte.calls("ListRuns"))
    found, first, pages = [], 0, 0
    while first is not None:
        page = told(server, run_id="many", first=first)
        found += [(row["name"], row["phase"], row["missing"]) for row in page["rows"]]
        first, pages = page["following"], pages + 1
        assert page["over"] is False
    assert [name for name, _, _ in found] == names[::-1]
    assert {(phase, missing) for _, phase, missing in found[:150]} == {("RUNNING", False)}
    assert {(phase, missing) for _, phase, missing in found[150:]} == {(None, True)}
    assert pages == 1000 / MOST_SHOWN
    assert len(flyte.calls("ListRuns")) - before == pages


def test_task_instances_of_many_runs_stay_whole(server: httpx.Client, run_id: str, copies: Copies) -> None:
    copies.dag_run("wide")
    several = [keys(*(f"w{task}-{number}" for number in range(60))) for task in range(3)]
    copies.tasks("wide", [TaskRuns("flyte_default", 1, each, 5000).to_text() for each in several], at=NOW)
    for first, following in ((0, 1), (1, 2), (2, None)):
        page = told(server, run_id="wide", first=first)
        assert (len(page["rows"]), page["following"]) == (60, following)
        assert [row["left_out"] for row in page["rows"]] == [0] * 59 + [4940]


def test_several_connections_and_projects_cost_a_list_each(
    server: httpx.Client, flyte: LocalFlyte, run_id: str, copies: Copies
) -> None:
    flyte.run("elsewhere", project="other").succeeds()
    copies.dag_run("several")
    stored = [
        TaskRuns("flyte_other", 1, keys("tab-1"), 1).to_text(),
        TaskRuns("flyte_other", 1, keys("elsewhere", project="other"), 1).to_text(),
        TaskRuns("flyte_away", 1, keys("tab-1"), 1).to_text(),
        TaskRuns("flyte_gone", 1, keys("tab-2"), 1).to_text(),
    ]
    copies.tasks("several", stored, at=NOW)
    before = len(flyte.calls("ListRuns"))
    page = told(server, run_id="several")
    assert len(flyte.calls("ListRuns")) - before == 2
    gone, away, other, here = page["rows"]
    assert [(row["phase"], row["missing"]) for row in page["rows"]] == [
        (None, False),
        (None, False),
        ("SUCCEEDED", False),
        ("SUCCEEDED", False),
    ]
    # What Airflow knows is there all the same.
    assert (gone["name"], gone["state"], gone["url"]) == ("tab-2", "success", "")
    assert (away["name"], away["url"].endswith("/runs/tab-1")) == ("tab-1", True)
    assert (other["project"], here["project"]) == ("other", "flytesnacks")
    assert "There is no Airflow connection 'flyte_gone'" in " ".join(page["troubles"])
    assert "127.0.0.1:9" in " ".join(page["troubles"])
    assert page["over"] is False


def test_a_flyte_that_does_not_list_by_name_is_asked_about_some(
    server: httpx.Client, flyte: LocalFlyte, run_id: str, copies: Copies
) -> None:
    flyte.run("by-itself").move("RUNNING")
    copies.dag_run("refused")
    copies.tasks("refused", [TaskRuns("flyte_default", 1, keys("by-itself", "of-nobody"), 2).to_text()], at=NOW)
    flyte.inject("ListRuns", no_name_filter(times=1))
    page = told(server, run_id="refused")
    assert [(row["phase"], row["missing"]) for row in page["rows"]] == [("RUNNING", False), (None, True)]


# -- who is told


def test_nobody_is_told_without_a_login(server: httpx.Client, run_id: str) -> None:
    assert server.get("/flyte/api/runs", params={"dag_id": DAG}).status_code == 401


WHATEVER: tuple[dict[str, str], ...] = ({}, {"run_id": "of none"}, {"dag_id": "no"})


def test_somebody_without_the_right_learns_nothing_of_what_there_is(server: httpx.Client, run_id: str) -> None:
    refused = [
        ask(server, None, **asked) for asked in ({}, {"run_id": run_id}, {"run_id": "of none"}, {"dag_id": "no"})
    ]
    assert {answer.status_code for answer in refused} == {403}
    assert len({answer.text for answer in refused}) == 1


@pytest.mark.parametrize("entity", ["TASK_INSTANCE", "RUN"])
def test_both_task_instances_and_dag_runs_have_to_be_readable(
    server: httpx.Client, run_id: str, monkeypatch: pytest.MonkeyPatch, entity: str
) -> None:
    refuse(monkeypatch, entity)
    assert ask(server).status_code == 403
    assert ask(server, run_id=run_id).status_code == 403


def test_the_auth_manager_is_asked_about_the_dag_that_is_shown(
    server: httpx.Client, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager

    asked = []

    def is_authorized_dag(self: Any, *, method: str, user: Any, access_entity: Any, details: Any) -> bool:
        asked.append((method, access_entity.value, details.id))
        return bool(details.id == DAG)

    monkeypatch.setattr(SimpleAuthManager, "is_authorized_dag", is_authorized_dag)
    told(server, run_id=run_id)
    assert asked == [("GET", "RUN", DAG), ("GET", "TASK_INSTANCE", DAG)]
    headers = {"Authorization": f"Bearer {token('VIEWER')}"}
    for query, status in (
        (f"dag_id={DAG}&dag_id=other", 403),
        (f"dag_id=other&dag_id={DAG}", 200),
        ("", 422),
        ("dag_id=", 422),
        ("dag_id=~", 403),
        (f"dag_id={DAG}&run_id=", 422),
    ):
        assert server.get(f"/flyte/api/runs?{query}", headers=headers).status_code == status, query


# -- what cannot be shown


def test_a_dag_run_that_was_deleted_is_told(server: httpx.Client, run_id: str) -> None:
    answer = ask(server, run_id="of none")
    assert (answer.status_code, answer.json()) == (
        404,
        {"detail": "Airflow has no such DAG run. It may have been deleted."},
    )
    # Another DAG's id leads to no run of this one.
    assert ask(server, dag_id="other", run_id=run_id).status_code == 404
    assert told(server, dag_id="other")["rows"] == []


def test_a_dag_run_without_flyte_runs_has_an_empty_list(server: httpx.Client, run_id: str, copies: Copies) -> None:
    copies.dag_run("empty", state="running")
    page = told(server, run_id="empty")
    assert (page["rows"], page["over"]) == ([], False)


def test_edited_xcom_shows_no_other_connection_and_hides_no_other_row(
    server: httpx.Client, flyte: LocalFlyte, run_id: str, copies: Copies
) -> None:
    copies.dag_run("edited")
    other = TaskRuns("flyte_other", 1, keys("tab-1"), 1).to_text()
    copies.tasks("edited", [other], at=NOW, task_id="several")
    copies.tasks("edited", [other, json.dumps({"runs": "all"})], at=NOW - timedelta(hours=1), task_id="mapped")
    copies.tasks("edited", [TaskRuns("flyte_default", 1, keys("tab-2"), 1).to_text()], at=NOW - timedelta(days=1))
    before = len(flyte.calls("ListRuns"))
    page = told(server, run_id="edited")
    assert [(row["task_id"], row["name"], row["phase"]) for row in page["rows"]] == [
        ("several", "", None),
        ("mapped", "", None),
        ("mapped", "", None),
        ("templated", "tab-2", "SUCCEEDED"),
    ]
    assert "its task in the DAG names 'flyte_default'" in page["rows"][0]["trouble"]
    assert "is not what its task has written there" in page["rows"][1]["trouble"]
    # A mapped task's connection is known, too, where it is not mapped over.
    assert "its task in the DAG names 'flyte_default'" in page["rows"][2]["trouble"]
    assert len(flyte.calls("ListRuns")) - before == 1


def test_a_list_in_which_all_is_over_is_hardly_asked_for_again() -> None:
    from airflow_provider_flyte.client.flows.listed_runs import ListedRuns
    from airflow_provider_flyte.client.flows.runs_by_creation import RunRow

    going, over = (RunRow(keys("r")[0], phase, "", "", 1, None) for phase in (4, 5))
    assert dag_pages._fresh(ListedRuns({"r": going})) == dag_pages.FRESH
    assert dag_pages._fresh(ListedRuns({"r": going}, one_by_one=True)) == dag_pages.FRESH_ONE_BY_ONE
    assert dag_pages._fresh(ListedRuns({"r": over}, one_by_one=True)) == FRESH_WHEN_OVER
