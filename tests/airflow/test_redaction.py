"""Values of environment variables: where Airflow shows or keeps a task that has not run yet."""

from __future__ import annotations

from datetime import datetime, timezone
from importlib.metadata import version
from typing import Any

import pytest
from airflow import DAG

from airflow_provider_flyte.compat import BaseOperator
from airflow_provider_flyte.operators import FlyteRunOperator
from airflow_provider_flyte.report.redaction import HiddenValues
from tests.support.own_airflow import stored_again

AIRFLOW = int(version("apache-airflow").split(".")[0])
SECRET = "s3cret-of-the-environment"
ARGUMENTS: dict[str, Any] = {"task_name": "demo.train"}


class Gives(BaseOperator):
    """A task upstream."""

    def execute(self, context: Any) -> Any:
        """Give nothing."""


@pytest.fixture
def dag() -> Any:
    with DAG(
        dag_id="hidden", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=timezone.utc), params={"word": SECRET}
    ) as made:
        upstream: Any = Gives(task_id="upstream")
        FlyteRunOperator(task_id="plain", env_vars={"A": SECRET, "B": "{{ params.word }}"}, **ARGUMENTS)
        FlyteRunOperator(task_id="text", env_vars="{{ {'A': params.word} }}", **ARGUMENTS)  # type: ignore[arg-type]
        FlyteRunOperator(task_id="output", env_vars=upstream.output, **ARGUMENTS)
        FlyteRunOperator(task_id="inside", env_vars={"A": upstream.output}, **ARGUMENTS)
        FlyteRunOperator.partial(task_id="mapped", env_vars={"A": SECRET}, **ARGUMENTS).expand(inputs=[{"rows": 1}])
        FlyteRunOperator.partial(task_id="expanded", **ARGUMENTS).expand(env_vars=[{"A": SECRET}])
    return made


def test_a_task_that_has_not_run_shows_no_value(dag: Any) -> None:
    """Airflow 2.11 renders it in the webserver, from the serialized DAG."""
    for task in stored_again(dag).tasks:
        if task.task_id not in ("upstream", "mapped", "expanded"):
            shown = task.env_vars
            assert isinstance(shown, str)
            assert SECRET not in shown
            assert shown == {"plain": "{'A': '***', 'B': '***'}", "inside": "{'A': '***'}"}.get(task.task_id, "***")


def test_the_rest_is_as_ever(dag: Any) -> None:
    for task_id in ("output", "inside"):
        assert dag.get_task(task_id).upstream_task_ids == {"upstream"}
        assert stored_again(dag).get_task(task_id).upstream_task_ids == {"upstream"}
    assert dag.get_task("plain").env_vars == {"A": SECRET, "B": "{{ params.word }}"}
    task = dag.get_task("plain")
    task.env_vars = {"C": "later"}
    assert isinstance(task.env_vars, HiddenValues)
    assert dict(task.env_vars) == {"C": "later"}


@pytest.mark.skipif(AIRFLOW >= 3, reason="Airflow 3 renders only on a worker")
@pytest.mark.parametrize("task_id", ["plain", "text"])
def test_rendered_templates_of_airflow_2(dag: Any, task_id: str) -> None:
    """What its page does with a task that has not run."""
    task = stored_again(dag).get_task(task_id).prepare_for_execution()
    task.render_template_fields({"params": {"word": SECRET}})
    assert SECRET not in str({name: getattr(task, name) for name in task.template_fields})
