"""Beside the provider of Flyte 1, whose distribution, connection type and extra have the same names."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_flyte.cli.commands.check import note_of_flyte_1
from airflow_provider_flyte.testing import LocalFlyte

pytestmark = pytest.mark.one_transport("connect")

# What airflow-provider-flyte 0.0.5 registers; its hook without flytekit, of which nothing is needed to register it.
PROVIDER = """
def get_provider_info():
    return {
        "package-name": "airflow-provider-flyte",
        "name": "Flyte Airflow Provider",
        "description": "A Flyte provider for Apache Airflow.",
        "hook-class-names": ["flyte_provider.hooks.flyte.FlyteHook"],
        "versions": ["0.0.2"],
    }
"""
HOOK = """
try:
    from airflow.sdk import BaseHook
except ImportError:
    from airflow.hooks.base import BaseHook

class FlyteHook(BaseHook):
    conn_name_attr = "flyte_conn_id"
    default_conn_name = "flyte_default"
    conn_type = "flyte"
    hook_name = "Flyte"
"""
FILES = {
    "flyte_provider/__init__.py": PROVIDER,
    "flyte_provider/hooks/__init__.py": "",
    "flyte_provider/hooks/flyte.py": HOOK,
    "airflow_provider_flyte-0.0.5.dist-info/METADATA": (
        "Metadata-Version: 2.1\nName: airflow-provider-flyte\nVersion: 0.0.5\n"
    ),
    "airflow_provider_flyte-0.0.5.dist-info/entry_points.txt": (
        "[apache_airflow_provider]\nprovider_info = flyte_provider.__init__:get_provider_info\n"
    ),
}


DAG = """
from airflow import DAG
from airflow_provider_flyte.operators import FlyteRunOperator
from airflow_provider_flyte.sensors import FlyteRunSensor

with DAG(dag_id="beside", schedule=None):
    quick = {"deferrable": True, "resume_after": 0}
    FlyteRunOperator(task_id="launch", task_name="demo.train", poll_interval=0.2, **quick)
    FlyteRunSensor(task_id="wait", run_name="nightly", poke_interval=0.2, **quick)
"""

# Each command as `airflow` executes it, in one process, whose imports take seconds.
COMMANDS = """
import contextlib, io, json, sys
from airflow.cli.cli_parser import get_parser
from airflow_provider_flyte.__main__ import parser as flyte_parser

def printed(parser, *words):
    out, err = io.StringIO(), io.StringIO()
    args = parser.parse_args(words)
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        args.func(args)
    return out.getvalue(), err.getvalue()

got = {
    "hooks": printed(get_parser(), "providers", "hooks", "--output", "json")[0],
    "providers": printed(get_parser(), "providers", "list", "--output", "json")[0],
    "check": printed(flyte_parser(), "check", "-o", "json"),
}
args = get_parser().parse_args(["dags", "test", "beside"])
args.func(args)
print("GOT" + json.dumps(got))
"""


@pytest.fixture
def beside_flyte_1(tmp_path: Path, airflow_db: None, flyte_default: LocalFlyte) -> Any:
    """What the commands print where the other provider is installed too."""
    dags = tmp_path / "dags"
    for name, text in {**FILES, "dags/beside.py": DAG}.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    flyte_default.deploy("demo.train")
    flyte_default.on_launch(lambda run: run.phases("RUNNING", every=0.2).succeeds())
    flyte_default.run("nightly").phases("RUNNING", every=0.2).succeeds()
    environment = os.environ | {"PYTHONPATH": str(tmp_path), "AIRFLOW__CORE__DAGS_FOLDER": str(dags)}
    command = [sys.executable, "-c", COMMANDS]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280, check=False, env=environment)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return json.loads(done.stdout.rpartition("GOT")[2])


def rows(printed: str) -> Any:
    """What a command printed as JSON, after what Airflow has to say first."""
    return json.loads(printed[printed.index("[{") :])


@pytest.mark.timeout(300)
def test_the_type_is_the_other_ones_and_the_tasks_are_as_without_it(beside_flyte_1: Any) -> None:
    got = beside_flyte_1
    known = [one["package_name"] for one in rows(got["providers"]) if "flyte" in one["package_name"]]
    assert known == ["airflow-provider-flyte", "airflow-provider-flyte2"]
    owner = {one["connection_type"]: one["package_name"] for one in rows(got["hooks"])}
    assert owner["flyte"] == "airflow-provider-flyte"
    steps, note = got["check"]
    assert [step["result"] for step in rows(steps)] == ["passed"] * 3
    assert note.startswith("airflow-provider-flyte 0.0.5, for Flyte 1, is installed too.")
    # That its DAG succeeded is the exit code of `airflow dags test`.


def test_without_it_check_says_nothing_of_it() -> None:
    assert note_of_flyte_1() is None
