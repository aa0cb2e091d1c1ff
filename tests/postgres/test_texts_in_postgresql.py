"""Hostile texts through a whole Airflow on PostgreSQL, which takes no NUL in a text and no lone surrogate in JSON.

SQLite takes both.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_flyte.testing import LocalFlyte, RunHandle
from tests.support.airflow_process import StandaloneAirflow, flyte_connection
from tests.support.airflow_two import AirflowTwo
from tests.support.own_airflow import AIRFLOW
from tests.support.replay_server import Answer, ReplayServer

pytestmark = [pytest.mark.timeout(400), pytest.mark.parametrize("how", ["worker", "triggerer"])]

DAG = "hostile_texts"
OURS = "[2026-11-26, 12:00:00 UTC] {taskinstance.py:1} INFO - Marking task as SUCCESS"
HOSTILE = f"begin\n{OURS}\r\x1b[2J\x07\u2028\u202e\x00 end"
LONG = f"{HOSTILE}{'y' * 3_000_000}\0{HOSTILE}"
REFUSAL = {"code": "unauthenticated", "message": f"bad \ud800 token\0{HOSTILE}{'x' * 3_000_000}"}
STATES = {"launch": "success", "pass_on": "success", "fail": "failed", "see": "failed", "meet": "failed"}


def play(run: RunHandle) -> None:
    """What Flyte makes of a launch; on the way long enough for the task to defer."""
    on_the_way = run.phases("RUNNING", "RUNNING", every=1)
    if run.task[0] == "demo.fails":
        on_the_way.fails("USER", LONG)
    else:
        on_the_way.succeeds({"o0": HOSTILE, "o1": LONG, "o\0\n2": HOSTILE})


@pytest.fixture(scope="module")
def flyte() -> Iterator[LocalFlyte]:
    with LocalFlyte() as server:
        server.deploy("demo.train", outputs={"o0": str, "o1": str})
        server.deploy("demo.takes", inputs={"text": str}, outputs={"o0": str})
        server.deploy("demo.fails")
        server.on_launch(play)
        server.run("bad").fails("USER", LONG)
        yield server


@pytest.fixture(scope="module")
def airflow(flyte: LocalFlyte, database: str) -> Iterator[StandaloneAirflow]:
    kind = StandaloneAirflow if AIRFLOW >= (3,) else AirflowTwo
    answer = Answer(401, {"content-type": "application/json"}, [json.dumps(REFUSAL).encode()])
    with ReplayServer(answer) as stranger:
        host, _, port = stranger.endpoint.partition(":")
        extra = {"insecure": True, "transport": "connect", "project": "p", "domain": "d"}
        connections = {
            "flyte_default": flyte_connection(flyte),
            "stranger": json.dumps({"conn_type": "flyte", "host": host, "port": int(port), "extra": extra}),
        }
        settings = {"DATABASE__SQL_ALCHEMY_CONN": database}
        with kind({"postgres": Path(__file__).parent / "dags"}, connections=connections, settings=settings) as started:
            started.api.wait_for_dags(DAG, timeout=120)
            yield started


@pytest.fixture(scope="module")
def tasks(airflow: StandaloneAirflow) -> dict[str, Any]:
    """The task instances of a DAG run that is over, by their ids."""
    run = airflow.api.trigger(DAG)
    airflow.api.wait_for_run(DAG, run, timeout=300)
    return {task["task_id"]: task for task in airflow.api.tasks(DAG, run)}


def log_of(airflow: StandaloneAirflow, task_id: str) -> str:
    """What a task logged, on workers and in the triggerer."""
    files = sorted(airflow.home.glob(f"logs/**/task_id={task_id}/*"))
    assert files
    return "\n".join(file.read_text(errors="replace") for file in files)


def test_each_task_ends_as_its_run_did(airflow: StandaloneAirflow, tasks: dict[str, Any], how: str) -> None:
    states = {name: tasks[f"{name}_{how}"]["state"] for name in STATES}
    assert states == STATES, "\n".join(log_of(airflow, f"{name}_{how}")[-3000:] for name in STATES)
    # Refused by the database, one would be launched or end again.
    assert {tasks[f"{name}_{how}"]["try_number"] for name in STATES} == {1}
    assert airflow.api.health()["status"] == "healthy"


@pytest.mark.parametrize(
    ("name", "error"),
    [("fail", "FlyteRunFailed"), ("see", "FlyteRunFailed"), ("meet", "FlyteUnreachable")],
)
def test_a_task_fails_by_our_error_alone(
    airflow: StandaloneAirflow, tasks: dict[str, Any], how: str, name: str, error: str
) -> None:
    assert f"{name}_{how}" in tasks
    text = log_of(airflow, f"{name}_{how}")
    assert error in text
    assert not any(line.startswith(OURS) for line in text.splitlines())
    for trouble in ("psycopg2", "asyncpg", "UnicodeEncodeError", "UntranslatableCharacter", "DataError"):
        assert trouble not in text


def test_outputs_are_stored(airflow: StandaloneAirflow, tasks: dict[str, Any], how: str) -> None:
    task = tasks[f"launch_{how}"]
    assert airflow.api.xcom(task, "o0") == HOSTILE.replace("\0", "")
    outputs = airflow.api.xcom(task, "outputs")
    # Airflow 2.11 answers with its repr.
    outputs = outputs if isinstance(outputs, dict) else ast.literal_eval(outputs)
    assert outputs["o0"] == HOSTILE.replace("\0", "")
    assert "o1" in outputs
    assert len(json.dumps(outputs)) < 200_000
    for key in airflow.api.xcom_keys(task):
        assert airflow.api.xcom(task, key) is not None


def test_an_output_is_rendered_and_passed_on(
    flyte: LocalFlyte, airflow: StandaloneAirflow, tasks: dict[str, Any], how: str
) -> None:
    shown = airflow.api.task(DAG, tasks[f"pass_on_{how}"]["dag_run_id"], f"pass_on_{how}")["rendered_fields"]
    assert OURS in str(shown["inputs"])
    assert flyte.calls("CreateRun")


def test_no_component_met_the_database_s_refusal(airflow: StandaloneAirflow, tasks: dict[str, Any], how: str) -> None:
    for name in airflow.components:
        for trouble in ("UntranslatableCharacter", "DataError", "UnicodeEncodeError", "cannot contain NUL"):
            assert trouble not in airflow.log_of(name), (how, name)
