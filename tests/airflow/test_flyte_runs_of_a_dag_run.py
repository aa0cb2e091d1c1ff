"""``airflow flyte runs``: which try of which task has which run, as Airflow's database and Flyte show it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import pytest

from airflow_provider_flyte.cli.airflow_tries import AirflowTry
from airflow_provider_flyte.cli.conditions import which_are_paused
from airflow_provider_flyte.cli.runs_of_tries import RunsOfTries
from airflow_provider_flyte.client import FlyteClient, FlyteConfig, RunDetails
from airflow_provider_flyte.testing import LocalFlyte, status
from airflow_provider_flyte.tries.identity import TaskInstance, Try, launch_annotations
from tests.support.flyte_commands import Commands
from tests.support.own_airflow import load_dag_file

ANEW = "no run of an earlier try was running or had succeeded"
ROWS = ("task", "map_index", "try", "run", "phase", "how", "why")


@pytest.fixture
def flyte(capsys: pytest.CaptureFixture[str]) -> Commands:
    return Commands(capsys)


@pytest.mark.one_transport("grpc")
@pytest.mark.timeout(180)
def test_the_runs_of_a_dag_run(flyte: Commands, flyte_default: LocalFlyte, airflow_db: None) -> None:
    flyte_default.deploy("demo.train", inputs={"rows": int})
    flyte_default.run("nightly").succeeds()
    flyte_default.run("by-hand", task="demo.train", inputs={"rows": 2}).succeeds()

    def play(run: Any) -> None:
        first = run.inputs["rows"].scalar.primitive.integer == 1 and len(tries) == 0
        if first:
            tries.append(run.name)
            run.fails(message="no rows")
        else:
            run.succeeds()

    tries: list[str] = []
    flyte_default.on_launch(play)
    dag_run = load_dag_file("listed").dag.test()
    assert {str(ti.state) for ti in dag_run.get_task_instances()} == {"success"}
    done = flyte("runs", "listed", dag_run.run_id, "-o", "json")
    assert done.code == 0, done.err
    again, mapped = (
        [row["run"].rpartition("/")[2] for row in done.data if row["task"] == task] for task in ("again", "mapped")
    )
    assert again[0] == tries[0]
    key = "flytesnacks/development/"
    assert [tuple(row[name] for name in ROWS) for row in done.data] == [
        ("again", None, 1, key + again[0], "FAILED", "launched", "first try"),
        ("again", None, 2, key + again[1], "SUCCEEDED", "launched", ANEW),
        ("chosen", None, 1, key + "by-hand", "SUCCEEDED", "adopted", "no task of Airflow launched it"),
        ("mapped", 0, 1, key + mapped[0], "SUCCEEDED", "launched", "first try"),
        ("mapped", 1, 1, key + mapped[1], "SUCCEEDED", "launched", "first try"),
        ("wait", None, 1, key + "nightly", "SUCCEEDED", "waited for", "no task of Airflow launched it"),
    ]  # fmt: skip
    assert {again[1], *mapped, tries[0], "nightly", "by-hand"} == {run.name for run in flyte_default.runs()}
    assert {(row["dag_run"], row["state"]) for row in done.data if row["try"] == 2} == {(dag_run.run_id, "success")}
    # Without a DAG run's id it is the newest one.
    assert "by-hand" in flyte("runs", "listed").out
    gone = flyte("runs", "listed", "nothing")
    assert (gone.code, gone.err) == (3, "Airflow has no DAG run 'nothing' of DAG 'listed'.\n")
    assert flyte("runs", "nowhere").err == "Airflow has no DAG run of a DAG 'nowhere'.\n"


def test_where_the_database_cannot_be_read(tmp_path: Any) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "airflow_provider_flyte", "runs", "listed"],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{tmp_path}/none.db"},
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.endswith(
        "Airflow's database cannot be read on this machine (OperationalError). Execute this command where the "
        "scheduler or the API server runs: a worker of Airflow 3 has no access to the database as a rule.\n"
    )


# -- the rule, without Airflow

TASK = TaskInstance("d", "t", "manual__1", -1)


def launch(flyte: LocalFlyte, number: int, *, skipped: int = 0, **changes: Any) -> Any:
    """The run that a try of the task launches."""
    trying = Try(TASK, number, 3, **changes)
    name = trying.name_of(number, skipped)
    return flyte.run(name, annotations=launch_annotations(trying))


def row(number: int, *, page: str = "", operator: str = "FlyteRunOperator", attempt: str | None = None) -> AirflowTry:
    return AirflowTry("t", -1, number, 3, "success", operator, attempt, page)


def found(flyte: LocalFlyte, *rows: AirflowTry) -> list[tuple[str | None, str | None, str]]:
    config = FlyteConfig(endpoint=flyte.endpoint, insecure=True, project="flytesnacks", domain="development")
    with FlyteClient(config) as client:
        tries = RunsOfTries(client, "d", "manual__1").of(rows)
    return [(each.key.name if each.key else None, each.how, each.why) for each in tries]


def page(name: str) -> str:
    return f"http://flyte/v2/domain/development/project/flytesnacks/runs/{name}"


def test_a_try_that_waits_for_an_earlier_ones_run(local_flyte: LocalFlyte) -> None:
    run = launch(local_flyte, 1)
    assert found(local_flyte, row(1), row(2, page=page(run.name))) == [
        (run.name, "launched", "first try"),
        (run.name, "attached", "try 1 launched it"),
    ]


def test_a_run_that_repeats_an_earlier_one(local_flyte: LocalFlyte) -> None:
    first, second, third = (launch(local_flyte, number) for number in (1, 2, 3))
    relations: Mapping[Any, int] = {second: 2, third: 1}
    for run, kind in relations.items():
        run.run_spec.relation.relation_type = kind
        run.run_spec.relation.related_to.name = first.name
    assert found(local_flyte, row(1), row(2), row(3)) == [
        (first.name, "launched", "first try"),
        (second.name, "recovered", f"repeats what run {first.name} lacked"),
        (third.name, "re-run", f"of run {first.name}"),
    ]


def test_the_run_of_another_dag_run_of_the_same_id(local_flyte: LocalFlyte) -> None:
    launch(local_flyte, 1, attempt_id="old")
    assert found(local_flyte, row(1, attempt="new")) == [(None, None, "no run of this try is known")]
    run = launch(local_flyte, 1, skipped=1, attempt_id="new")
    assert found(local_flyte, row(1, attempt="new")) == [(run.name, "launched", "first try")]


def test_tries_of_a_name_that_the_user_chose(local_flyte: LocalFlyte) -> None:
    first, second = (launch(local_flyte, number, run_name="mine") for number in (1, 2))
    assert (first.name, second.name) == ("mine", "mine-2")
    assert found(local_flyte, row(1), row(2, page=page("mine-2"))) == [
        ("mine", "launched", "first try"),
        ("mine-2", "launched", ANEW),
    ]


def test_a_task_that_waits_for_another_tasks_run(local_flyte: LocalFlyte) -> None:
    run = launch(local_flyte, 1)
    other = AirflowTry("wait", -1, 1, 0, "success", "MySensor", None, page(run.name))
    assert found(local_flyte, other) == [(run.name, "waited for", "d.t in manual__1 launched it")]


def test_which_runs_have_a_paused_action(local_flyte: LocalFlyte, capsys: pytest.CaptureFixture[str]) -> None:
    for name, phase in {"open": "RUNNING", "asks": "RUNNING", "over": "RUNNING"}.items():
        local_flyte.run(name).move(phase)
    for name in ("asks", "over"):
        local_flyte.run(name).condition("approve")
    local_flyte.run("over").succeeds()
    config = FlyteConfig(endpoint=local_flyte.endpoint, insecure=True, project="flytesnacks", domain="development")
    with FlyteClient(config) as client:
        runs = [RunDetails.get(name) for name in ("open", "asks", "over")]
        assert which_are_paused(client, runs) == {config.key("asks")}
        local_flyte.inject("ListRuns", status("PERMISSION_DENIED", "not you"))
        assert which_are_paused(client, runs) == set()
        assert "Which runs have a paused action is not known: " in capsys.readouterr().err


def test_a_run_that_is_gone(local_flyte: LocalFlyte) -> None:
    assert found(local_flyte, row(1, page=page("gone"))) == [("gone", None, "Flyte does not have this run")]
    assert found(local_flyte, row(1, operator="BashOperator")) == []
