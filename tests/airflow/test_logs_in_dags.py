"""The logs of runs in the logs of their tasks, as ``dag.test()`` shows it, on each Airflow."""

from __future__ import annotations

import logging
import re
from typing import Any

import pytest

from airflow_provider_flyte.testing import LocalFlyte
from tests.support.own_airflow import load_dag_file

pytestmark = [pytest.mark.timeout(180), pytest.mark.usefixtures("airflow_db")]


@pytest.fixture
def dag(flyte_default: LocalFlyte) -> Any:
    def play(run: Any) -> None:
        run.move("RUNNING").logs("loading", "100 % of %s")
        run.phases("RUNNING", "RUNNING", every=3).fails(message="no rows")

    flyte_default.deploy("demo.train")
    flyte_default.on_launch(play)
    return load_dag_file("streams_logs").dag


def test_each_line_stands_there_once(
    dag: Any, flyte_default: LocalFlyte, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    # The logger of a trigger has the level of what ran before on Airflow 2.11.
    caplog.set_level(logging.INFO)
    dag_run = dag.test()
    assert {str(ti.state) for ti in dag_run.get_task_instances()} == {"failed"}
    # Airflow 3 prints some and hands on the others.
    printed = "".join(capsys.readouterr())
    for run in flyte_default.runs():
        for text in ("loading", "100 % of %s"):
            line = rf"Log of {run.name}, [-0-9]{{10}}T[:0-9]{{8}}\.\d{{3}}Z: {re.escape(text)}"
            assert max(len(re.findall(line, shown)) for shown in (printed, caplog.text)) == 1, printed + caplog.text
        assert "The end of the log of attempt" not in printed + caplog.text
