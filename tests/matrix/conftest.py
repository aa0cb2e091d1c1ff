"""One whole Airflow of this environment's version, and a local Flyte, for all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_flyte.testing import LocalFlyte, RunHandle
from tests.support.airflow_process import StandaloneAirflow, flyte_connection
from tests.support.airflow_two import AirflowTwo
from tests.support.own_airflow import AIRFLOW

FOLDERS = {"matrix": Path(__file__).parent / "dags"}
DAGS = (
    "matrix_waits",
    "matrix_retry",
    "matrix_mapped",
    "matrix_marked",
    "matrix_cleared",
    "matrix_form",
    "matrix_signalled",
    "matrix_logs",
    "matrix_function",
    "matrix_approvals",
)
SIGNALLED = ("int", "quit", "watcher_int", "watcher_quit")
WAITS = [f"waited-{number}" for number in range(8)]
FORMED: dict[str, Any] = {"project": "by-form", "domain": "production"}
"""Of the connection that is made by the form."""


@pytest.fixture(scope="session")
def flyte() -> Iterator[LocalFlyte]:
    with LocalFlyte() as server:
        for task in ("fails_once", "succeeds", "function", "watched", "marked", "cleared", *SIGNALLED):
            server.deploy(f"matrix.{task}", inputs={"rows": int}, outputs={"o0": int})
        launched: list[str] = []

        def play(run: RunHandle) -> None:
            [task, *_] = run.task
            launched.append(task)
            if task in ("matrix.succeeds", "matrix.function") or launched.count(task) > 1:
                run.phases("RUNNING").succeeds({"o0": 7})
            elif task == "matrix.fails_once":
                # Long enough for the task to defer before.
                run.phases("RUNNING", "RUNNING", every=10).fails(message="no rows")
            else:
                run.phases("RUNNING")

        server.on_launch(play)
        for name in WAITS:
            server.run(name).phases("RUNNING")
        for where in ("worker", "triggerer"):
            server.run(f"formed-{where}", **FORMED).phases("RUNNING")
        yield server


@pytest.fixture(scope="session")
def airflow(flyte: LocalFlyte) -> Iterator[StandaloneAirflow]:
    kind = StandaloneAirflow if AIRFLOW >= (3,) else AirflowTwo
    with kind(FOLDERS, connections={"flyte_default": flyte_connection(flyte)}) as started:
        started.api.wait_for_dags(*DAGS, timeout=120)
        yield started
