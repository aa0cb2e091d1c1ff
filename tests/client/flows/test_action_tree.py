"""The actions of a run as a tree, blocking and on a loop: what there is in time, and never an error."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from airflow_provider_flyte.client import FlyteClient
from airflow_provider_flyte.client.flows.action_tree import ActionTree, action_tree
from airflow_provider_flyte.client.phase import RunPhase
from airflow_provider_flyte.testing import LocalFlyte, delay, status
from tests.client.conftest import config_for
from tests.support.both_ways import executed


@pytest.fixture(params=["grpc", "connect"])
def flyte(request: pytest.FixtureRequest) -> Iterator[LocalFlyte]:
    with LocalFlyte(transports=(request.param,)) as flyte:
        yield flyte


def found(flyte: LocalFlyte, way: str, name: str = "r1", **asked: Any) -> ActionTree:
    client = FlyteClient(config_for(flyte))
    flow = action_tree(client.config.key(name), client.config.org, **asked)
    return executed(client, flow, way)


def test_all_actions_with_their_tasks_groups_and_times(flyte: LocalFlyte, way: str) -> None:
    run = flyte.run("r1", task="train.fit").move("RUNNING")
    first = run.child("c1", task="train.shard", group="shards").move("RUNNING")
    first.child("c2", task="train.part").fails(message="no rows")
    asked = run.condition("approve").action
    tree = found(flyte, way)
    assert {name: (row.parent, row.group, row.task) for name, row in tree.rows.items()} == {
        "a0": ("", "", "train.fit"),
        "c1": ("a0", "shards", "train.shard"),
        "c2": ("c1", "", "train.part"),
        asked: ("a0", "", "approve"),
    }
    failed = tree.rows["c2"]
    assert (failed.phase, failed.attempts) == (RunPhase.FAILED, 1)
    assert failed.started is not None
    assert failed.ended is not None
    assert failed.started <= failed.ended
    assert tree.rows["a0"].below == {RunPhase.RUNNING: 1, RunPhase.FAILED: 1, RunPhase.PAUSED: 1}
    assert tree.rows["c1"].below == {RunPhase.FAILED: 1}
    assert (tree.left_out, tree.trouble, tree.over) == (0, "", False)


def test_a_run_that_is_over_and_one_without_children(flyte: LocalFlyte, way: str) -> None:
    flyte.run("r1").succeeds()
    tree = found(flyte, way)
    assert (list(tree.rows), tree.over) == (["a0"], True)


def test_a_flyte_that_takes_long_to_begin_is_waited_for(flyte: LocalFlyte, way: str) -> None:
    flyte.run("r1").move("RUNNING").child("c1")
    flyte.inject("WatchActions", delay(0.5))
    assert list(found(flyte, way, within=(0.2, 3.0)).rows) == ["a0", "c1"]


def test_of_more_than_are_kept_the_first(flyte: LocalFlyte, way: str) -> None:
    run = flyte.run("r1").move("RUNNING")
    for number in range(250):
        run.child(f"c{number}").move("RUNNING")
    tree = found(flyte, way, most=101)
    assert list(tree.rows) == ["a0", *(f"c{number}" for number in range(100))]
    assert tree.left_out == 150


def test_a_stream_that_is_not_quiet_in_time_is_opened_for_longer(flyte: LocalFlyte) -> None:
    """By a clock that goes on with each message, as if they came late."""
    flyte.run("r1").move("RUNNING").child("c1")
    times = iter(range(1000))
    assert len(found(flyte, "blocking", within=(0.3, 0.4, 0.4), clock=lambda: float(next(times))).rows) == 2
    assert len(flyte.calls("WatchActions")) == 3
    assert len(found(flyte, "blocking", within=(0.3, 0.4)).rows) == 2
    assert len(flyte.calls("WatchActions")) == 4


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("UNIMPLEMENTED", "This Flyte does not tell of child actions"),
        ("INVALID_ARGUMENT", "This Flyte does not tell of child actions"),
        ("PERMISSION_DENIED", "PERMISSION_DENIED"),
        ("UNAVAILABLE", "UNAVAILABLE"),
    ],
)
def test_trouble_is_told(flyte: LocalFlyte, way: str, code: str, said: str) -> None:
    flyte.run("r1").move("RUNNING")
    flyte.inject("WatchActions", status(code, "not here"))
    tree = found(flyte, way)
    assert said in tree.trouble
    assert (tree.rows, tree.over) == ({}, False)
