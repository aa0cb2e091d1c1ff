"""The failed child actions of a run stand in the task's log: of sensors and operators, on a worker and deferred."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_flyte.exceptions import FlyteRunFailed
from airflow_provider_flyte.operators import FlyteRunOperator
from airflow_provider_flyte.testing import Fault, LocalFlyte, status, unavailable
from tests.support.driving import DagRun, Driven, TaskInstance, Try, lines_of

pytestmark = pytest.mark.one_transport("connect")


def fails_by_its_children(run: Any) -> None:
    run.move("RUNNING")
    run.child("c0", task="train.shard").succeeds()
    for number in range(1, 8):
        run.child(f"c{number}", task="train.shard").fails("USER", f"ValueError: no rows {number}\nTraceback: \x1b[31m")
    run.fails(message="a child failed")


BLOCK = """INFO: Child actions of Flyte run {} that failed:
  | c1 (train.shard): FAILED (USER error): ValueError: no rows 1
  | c2 (train.shard): FAILED (USER error): ValueError: no rows 2
  | c3 (train.shard): FAILED (USER error): ValueError: no rows 3
  | c4 (train.shard): FAILED (USER error): ValueError: no rows 4
  | c5 (train.shard): FAILED (USER error): ValueError: no rows 5
  | ... and 2 more"""


def about_children(lines: list[str]) -> list[str]:
    return [line for line in lines if "hild actions" in line]


def operator_fails(flyte: LocalFlyte, deferrable: bool) -> tuple[str, list[str]]:
    """The run's name and what is logged about its children."""
    flyte.deploy("demo.train")
    task = FlyteRunOperator(
        task_id="train", task_name="demo.train", poll_interval=0.1, deferrable=deferrable, resume_after=0, log_lines=0
    )
    lines = lines_of(task)
    with pytest.raises(FlyteRunFailed):
        Driven(task, TaskInstance(), DagRun()).run()
    [run] = flyte.runs()
    return run.name, about_children(lines)


@pytest.mark.parametrize("deferrable", [False, True], ids=["worker", "deferred"])
def test_an_operator(flyte_default: LocalFlyte, deferrable: bool) -> None:
    flyte_default.on_launch(fails_by_its_children)
    name, lines = operator_fails(flyte_default, deferrable)
    assert lines == [BLOCK.format(name)]


def test_a_sensor_that_pokes(flyte_default: LocalFlyte) -> None:
    fails_by_its_children(flyte_default.run("r1"))
    task = Try(run_name="r1", deferrable=False)
    lines = lines_of(task.sensor)
    with pytest.raises(FlyteRunFailed):
        task.sensor.poke(task.context)
    assert about_children(lines) == [BLOCK.format("r1")]


def test_a_sensor_that_has_deferred(flyte_default: LocalFlyte) -> None:
    run = flyte_default.run("r1").move("RUNNING")
    run.child("c0", task="train.shard").fails("SYSTEM", "node preempted")
    run.phases("RUNNING", "FAILED", every=1.0)
    task = Try(run_name="r1")
    lines = lines_of(task.sensor)
    with pytest.raises(FlyteRunFailed):
        task.run()
    assert len(task.deferrals) == 1
    assert about_children(lines) == [
        "INFO: Child actions of Flyte run r1 that failed:\n  | c0 (train.shard): FAILED (SYSTEM error): node preempted"
    ]


def test_a_run_without_children_has_no_line(flyte_default: LocalFlyte) -> None:
    flyte_default.on_launch(lambda run: run.fails(message="no rows"))
    assert operator_fails(flyte_default, deferrable=False)[1] == []
    assert len(flyte_default.calls("ListActions")) == 1


def test_a_success_asks_for_nothing(flyte_default: LocalFlyte) -> None:
    flyte_default.run("r1").move("RUNNING").child("c0").fails()
    flyte_default.run("r1").succeeds()
    Try(run_name="r1").run()
    assert not flyte_default.calls("ListActions")


@pytest.mark.parametrize(
    ("fault", "begins"),
    [
        (status("UNIMPLEMENTED", "not here"), None),
        (status("PERMISSION_DENIED", "no"), "INFO: The failed child actions of Flyte run {} are not listed here. "),
        (unavailable(), "INFO: The failed child actions of Flyte run {} are not listed here. "),
    ],
    ids=["unimplemented", "refused", "away"],
)
def test_a_list_that_cannot_be_had_changes_nothing_else(
    flyte_default: LocalFlyte, fault: Fault, begins: str | None
) -> None:
    flyte_default.on_launch(fails_by_its_children)
    flyte_default.inject("ListActions", fault)
    name, lines = operator_fails(flyte_default, deferrable=False)
    assert len(lines) == (0 if begins is None else 1)
    assert all(line.startswith((begins or "").format(name)) for line in lines)
