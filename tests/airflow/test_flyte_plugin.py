"""The plugin as every process of Airflow loads it: light everywhere, and empty where there are no tabs."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import entry_points
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_flyte.client.run_key import RunKey
from airflow_provider_flyte.links import FlyteRunLink, show_link
from airflow_provider_flyte.plugin import FlytePlugin
from airflow_provider_flyte.report.task_runs import KEY, TaskRuns
from tests.support.driving import TaskInstance
from tests.support.own_airflow import AIRFLOW

HAS_TABS = AIRFLOW >= (3, 1)


def test_airflow_finds_it_by_its_entry_point() -> None:
    [point] = [point for point in entry_points(group="airflow.plugins") if point.name == "flyte"]
    plugin: Any = point.load()()
    assert plugin.name == "flyte"
    views = plugin.external_views
    assert [view["destination"] for view in views] == (["task_instance", "dag_run", "dag"] if HAS_TABS else [])
    # Airflow looks for a page by this alone, whatever it is a tab of.
    assert len({view["url_route"] for view in views}) == len(views)
    # What there is of it elsewhere: test_flyte_tab.py.
    assert HAS_TABS or plugin.fastapi_apps == []


@pytest.mark.parametrize(("option", "logged"), [("False", ""), ("perhaps", "enter True or False")])
def test_it_can_be_left_out(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, option: str, logged: str
) -> None:
    monkeypatch.setenv("AIRFLOW__FLYTE__TAB", option)
    assert (FlytePlugin().external_views, FlytePlugin().fastapi_apps) == ([], [])
    assert logged in caplog.text or not HAS_TABS


IMPORTED = """
import json, sys
import airflow.plugins_manager, airflow_provider_flyte.compat
before = set(sys.modules)
from airflow_provider_flyte.plugin import FlytePlugin
FlytePlugin()
print(json.dumps(sorted(set(sys.modules) - before)))
"""


def test_loading_it_imports_nothing_heavy() -> None:
    """Schedulers, workers, triggerers and DAG processors load it too, and never show a tab."""
    done = subprocess.run([sys.executable, "-c", IMPORTED], capture_output=True, text=True, check=True, timeout=60)
    assert json.loads(done.stdout.splitlines()[-1]) == ["airflow_provider_flyte.plugin"]


def test_runs_are_stored_for_a_tab_where_there_is_one() -> None:
    ti = TaskInstance()
    task = SimpleNamespace(flyte_conn_id="mine")
    show_link(task, {"ti": ti}, "https://flyte.example/runs/r1", [RunKey("p", "d", "r1")])  # type: ignore[typeddict-item]
    stored = TaskRuns.from_text(ti.xcoms.pop(KEY, None))
    assert stored == (TaskRuns("mine", 1, (RunKey("p", "d", "r1"),), 1) if HAS_TABS else None)
    assert list(ti.xcoms) == [FlyteRunLink().xcom_key]
