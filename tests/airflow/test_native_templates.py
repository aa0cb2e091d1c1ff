"""Texts stay texts where a DAG renders templates as native objects, on each Airflow."""

from __future__ import annotations

import re
from importlib.metadata import version
from typing import Any

import pytest

from airflow_provider_flyte.client import RunDetails
from airflow_provider_flyte.client.idl.core.types_pb2 import LiteralType, SimpleType, UnionType
from airflow_provider_flyte.hooks import FlyteHook
from airflow_provider_flyte.testing import LocalFlyte, RunHandle
from tests.support.own_airflow import load_dag_file

pytestmark = [pytest.mark.one_transport("connect"), pytest.mark.timeout(300), pytest.mark.usefixtures("airflow_db")]

AIRFLOW = int(version("apache-airflow").split(".")[0])

TYPES: dict[str, Any] = {
    "day": str,
    "also": str,
    "json": str,
    "list": list[str],
    "maybe": LiteralType(
        union_type=UnionType(variants=[LiteralType(simple=SimpleType.STRING), LiteralType(simple=SimpleType.NONE)])
    ),
    "rows": int,
    "ids": list[int],
    "any": LiteralType(simple=SimpleType.STRUCT),
}


def own_labels(run: RunHandle) -> dict[str, str]:
    """The labels that the task gave it, without Airflow's."""
    return {name: value for name, value in run.run_spec.labels.values.items() if not name.startswith("airflow-")}


def test_a_native_dag(
    flyte_default: LocalFlyte, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    flyte_default.deploy("demo.train", version="1.10", inputs=TYPES, outputs={"o0": int})
    flyte_default.deploy("demo.train", version="1.1", inputs={})
    flyte_default.on_launch(lambda run: run.succeeds({"o0": 1}))
    dag_run = load_dag_file("native").dag.test(**({"logical_date": None} if AIRFLOW >= 3 else {}))
    ends = {ti.task_id: str(ti.state) for ti in dag_run.get_task_instances()}
    assert ends == {
        "plain": "success",
        "mapped": "success",
        "forced": "success",
        "decorated": "success",
        "number": "failed",
        "input": "failed",
        "undefined": "failed",
    }
    runs = {run.run_spec.annotations.values["airflow.apache.org/task_id"]: run for run in flyte_default.runs()}
    assert sorted(runs) == ["decorated", "forced", "mapped", "plain"]
    given = {
        "day": "20261126",
        "also": "20261126",
        "json": '{"a": 1}',
        "list": ["1", "20261126", "x"],
        "maybe": "1.10",
        "rows": 3,
        "ids": [1, 2],
        "any": {"n": 3},
    }
    with FlyteHook().get_client():
        assert RunDetails.get(runs["plain"].name).inputs() == given
        assert RunDetails.get(runs["mapped"].name).inputs() == given
        assert RunDetails.get(runs["decorated"].name).inputs() == given
        assert RunDetails.get(runs["forced"].name).inputs() == given | {"day": "3"}
    for task in ("plain", "mapped", "decorated"):
        spec = runs[task].run_spec
        assert runs[task].task == ("demo.train", "1.10")
        assert own_labels(runs[task]) == {"year": "2026", "day": "20261126", "yes": "True"}
        assert spec.annotations.values["example.com/rate"] == "1.10"
        assert {pair.key: pair.value for pair in spec.envs.values} == {
            "PORT": "0080",
            "NAMES": "['a', 'b']",
            "FLAG": "None",
        }
    assert own_labels(runs["forced"]) == {"rows": "3"}
    said = re.sub(r"\\(['\"])", r"\1", caplog.text + "".join(capsys.readouterr()))
    for words in (
        "labels['rows'] is of type int. Give a string. The task renders templates as native objects",
        "day must be str: 3 (int) is not a str.",
        "for its text write {{ ... | string }}.",
        "The template of inputs['day'] names something undefined: 'yesterday_' is undefined.",
    ):
        assert words in said


def test_a_list_of_names_however_it_is_written(flyte_default: LocalFlyte) -> None:
    for name in ("a1", "a2"):
        flyte_default.run(name).succeeds()
    dag_run = load_dag_file("native").names.test(**({"logical_date": None} if AIRFLOW >= 3 else {}))
    ends = {ti.task_id: str(ti.state) for ti in dag_run.get_task_instances()}
    assert ends == dict.fromkeys(("text", "json", "list", "output"), "success")
