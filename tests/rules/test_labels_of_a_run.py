"""What a launched run's labels say of the task that launched it, without a launch."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_flyte.client import Launch
from airflow_provider_flyte.client.flows.kubernetes import label_value
from airflow_provider_flyte.exceptions import FlyteConfigurationError
from airflow_provider_flyte.launch.labels import task_labels
from airflow_provider_flyte.operators import FlyteRunOperator

TASK = FlyteRunOperator(task_id="train", task_name="demo.train", owner="data")


def context(dag_run: Any = None, **changed: Any) -> Any:
    known = {"dag_id": "sales", "task_id": "train", "run_id": "manual__1", "try_number": 2, "map_index": -1}
    return {"ti": SimpleNamespace(**known | changed), "dag_run": dag_run}


MINE = {
    "airflow-dag-id": "sales",
    "airflow-task-id": "train",
    "airflow-run-id": "manual__1",
    "airflow-try-number": "2",
    "airflow-owner": "data",
}


def test_who_asked() -> None:
    assert task_labels(TASK, context()) == MINE
    assert task_labels(TASK, context(map_index=None)) == MINE
    assert task_labels(TASK, context(SimpleNamespace(team_name=None))) == MINE


def test_a_mapped_task_and_a_team() -> None:
    made = task_labels(TASK, context(SimpleNamespace(team_name="red"), map_index=0))
    assert made == MINE | {"airflow-map-index": "0", "airflow-team": "red"}


def test_airflow_tasks_test_has_a_first_try() -> None:
    assert task_labels(TASK, context(try_number=0))["airflow-try-number"] == "1"


def test_the_owner_is_that_of_airflows_task() -> None:
    outer = SimpleNamespace(owner="them")
    assert task_labels(TASK, context() | {"task": outer})["airflow-owner"] == "them"
    assert "airflow-owner" not in task_labels(TASK, context() | {"task": SimpleNamespace(owner="")})


@pytest.mark.parametrize(
    ("prefix", "names"),
    [("acme-", "acme-dag-id"), ("example.com/", "example.com/dag-id"), ("x" * 53, "x" * 53 + "dag-id"), ("", None)],
)
def test_the_prefix_is_a_setting(monkeypatch: pytest.MonkeyPatch, prefix: str, names: str | None) -> None:
    monkeypatch.setenv("AIRFLOW__FLYTE__LABEL_PREFIX", prefix)
    made = task_labels(TASK, context())
    assert next(iter(made), None) == names
    Launch("demo.train", labels=made)


@pytest.mark.parametrize("prefix", ["air flow-", "-airflow", "a/b/", "x" * 54, "Example.com/", "/", "✓"])
def test_a_prefix_that_no_label_can_have(monkeypatch: pytest.MonkeyPatch, prefix: str) -> None:
    monkeypatch.setenv("AIRFLOW__FLYTE__LABEL_PREFIX", prefix)
    with pytest.raises(FlyteConfigurationError, match=r"^\[flyte\] label_prefix in Airflow's .* is .*; enter at most"):
        task_labels(TASK, context())


# -- values


@pytest.mark.parametrize("text", ["a", "train.fit", "A_1.b-c", "x" * 63, "manual__1"])
def test_what_fits_stays(text: str) -> None:
    assert label_value(text) == text


@pytest.mark.parametrize(
    ("text", "begins"),
    [
        ("scheduled__2026-01-01T00:00:00+00:00", "scheduled__2026-01-01T00-00-00-00-00-"),
        ("x" * 64, "x" * 46 + "-"),
        ("data team", "data-team-"),
        ("_train_", "train-"),
        ("Zürich", "Z-rich-"),
        ("+++", ""),
        ("東京", ""),
        ("train\n", "train-"),
    ],
)
def test_what_does_not_fit_is_cut_and_gets_a_hash(text: str, begins: str) -> None:
    assert re.fullmatch(re.escape(begins) + "[0-9a-f]{16}", label_value(text))


def test_what_differs_in_a_cut_or_changed_part_differs() -> None:
    texts = ["x" * 64 + "a", "x" * 64 + "b", "a:b", "a+b", "a b", "a-b", "a-b-", "A:b"]
    values = [label_value(text) for text in texts]
    # Somebody may call a task what another one's label is.
    values += [label_value(value) for value in values if value not in texts]
    assert len(set(values)) == len(values)


@given(st.text(st.characters(), min_size=1))
def test_any_text_becomes_what_kubernetes_takes(text: str) -> None:
    Launch("demo.train", labels={"airflow-dag-id": label_value(text)})
