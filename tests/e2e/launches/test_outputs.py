"""Launching in a real Airflow: the run, its link while the task waits, its outputs downstream."""

from __future__ import annotations

import json
from functools import partial

import pytest

from airflow_provider_flyte.testing import LocalFlyte
from tests.e2e.launches.scenes import ONE_RUN, Scene
from tests.support.airflow_api import until
from tests.support.airflow_process import COMPONENTS, StandaloneAirflow

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

DAG, SECRET = "launch_outputs", "made-up-secret-7c2e"


def test_launch_wait_and_hand_on(airflow: StandaloneAirflow, flyte: LocalFlyte) -> None:
    api = airflow.api
    dag_run = api.trigger(DAG)
    scenes = [
        Scene(airflow, flyte, DAG, dag_run, task_id, map_index)
        for task_id, map_index in [("deferred", -1), ("worker", -1), ("mapped", 0), ("mapped", 1)]
    ]
    for rows, scene in enumerate(scenes):
        scene.wait("running" if scene.task_id == "worker" else "deferred")
        [run] = until(scene.runs, 60, "the launch", scene.describe)
        # While the task waits: the link, and no value of an environment variable.
        link = until(partial(api.xcom, scene.task(), "_link_FlyteRunLink"), 30, "the link")
        assert link == f"http://{flyte.endpoint}/v2/domain/development/project/flytesnacks/runs/{run.name}"
        assert scene.task()["rendered_fields"]["env_vars"] == "{'API_KEY': '***'}"
        assert [(one.key, one.value) for one in run.run_spec.envs.values] == [("API_KEY", SECRET)]
        run.succeeds({"o0": 2**60 + rows})

    assert api.wait_for_run(DAG, dag_run) == "success"
    for rows, task_id in enumerate(("deferred", "worker")):
        used = api.xcom(api.task(DAG, dag_run, f"use_{task_id}"))
        assert used == {"rows": 2**60 + rows, "is": "int", "name": scenes[rows].runs()[0].name}
    assert api.xcom(api.task(DAG, dag_run, "use_all")) == [{"o0": 2**60 + 2}, {"o0": 2**60 + 3}]
    for scene in scenes:
        assert scene.counts() == ONE_RUN
    shown = {"Airflow": json.dumps([[task, api.xcom(task), api.task_log(task)] for task in api.tasks(DAG, dag_run)])}
    shown |= {name: airflow.log_of(name) for name in COMPONENTS}
    assert [name for name, text in shown.items() if SECRET in text] == []
