"""A DAG that renders templates as native objects, which reads numbers and dicts off texts."""

from __future__ import annotations

from typing import Any

from airflow import DAG

from airflow_provider_flyte.decorators import flyte_task
from airflow_provider_flyte.operators import FlyteRunOperator
from airflow_provider_flyte.sensors import FlyteRunSensor

ARGUMENTS: dict[str, Any] = {
    "task_name": "demo.train",
    "version": "{{ params.version }}",
    "labels": {"year": "2026", "day": "{{ params.day }}", "yes": "True"},
    "annotations": {"example.com/rate": "1.10"},
    "env_vars": {"PORT": "0080", "NAMES": "['a', 'b']", "FLAG": "None"},
    "poll_interval": 0.2,
    "resume_after": 0,
}
INPUTS: dict[str, Any] = {
    "day": "20261126",
    "also": "{{ params.day }}",
    "json": '{"a": 1}',
    "list": ["1", "{{ params.day }}", "x"],
    "maybe": "1.10",
    "rows": "{{ params.rows }}",
    "ids": "{{ params.ids }}",
    "any": {"n": "{{ params.rows }}"},
}
PARAMS: dict[str, Any] = {"version": "1.10", "day": "20261126", "rows": 3, "ids": [1, 2]}

with DAG(
    dag_id="native_names", schedule=None, render_template_as_native_obj=True, params={"names": ["a1", "a2"]}
) as names:
    for task_id, run_names in (
        ("text", "['a1', '{{ params.names[1] }}']"),
        ("json", "{{ params.names | tojson }}"),
        ("list", ["a1", "{{ params.names[1] }}"]),
        ("output", "{{ params.names }}"),
    ):
        FlyteRunSensor(task_id=task_id, run_names=run_names, poke_interval=0.1, timeout=30, deferrable=False)

with DAG(dag_id="native", schedule=None, render_template_as_native_obj=True, params=PARAMS) as dag:
    FlyteRunOperator(task_id="plain", deferrable=False, inputs=INPUTS, **ARGUMENTS)
    FlyteRunOperator.partial(task_id="mapped", deferrable=False, **ARGUMENTS).expand(inputs=[INPUTS])
    # Of several templates, and of things that are none.
    FlyteRunOperator(task_id="number", inputs=INPUTS, **ARGUMENTS | {"labels": {"rows": "{{ params.rows }}"}})
    FlyteRunOperator(task_id="input", inputs=INPUTS | {"day": "{{ params.rows }}"}, **ARGUMENTS)
    FlyteRunOperator(
        task_id="forced",
        inputs=INPUTS | {"day": "{{ params.rows | string }}"},
        **ARGUMENTS | {"labels": {"rows": "{{ params.rows | string }}"}},
    )

    @flyte_task(deferrable=False, inputs={name: INPUTS[name] for name in INPUTS if name != "json"}, **ARGUMENTS)
    def decorated() -> dict[str, Any]:
        return {"json": INPUTS["json"]}

    decorated()
    FlyteRunOperator(task_id="undefined", inputs=INPUTS | {"day": "{{ yesterday_ }}"}, **ARGUMENTS)
