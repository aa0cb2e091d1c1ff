"""The failed child actions of a run, blocking and on a loop: what there is in time, and never an error."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from airflow_provider_flyte.client import FlyteClient
from airflow_provider_flyte.client.flows.failed_actions import FailedActions, failed_actions
from airflow_provider_flyte.testing import LocalFlyte, delay, status, unavailable
from tests.client.conftest import config_for
from tests.support.both_ways import executed


@pytest.fixture(params=["grpc", "connect"])
def flyte(request: pytest.FixtureRequest) -> Iterator[LocalFlyte]:
    with LocalFlyte(transports=(request.param,)) as flyte:
        yield flyte


def found(flyte: LocalFlyte, way: str, **asked: Any) -> FailedActions:
    client = FlyteClient(config_for(flyte))
    flow = failed_actions(client.config.key("r1"), client.config.org, **asked)
    return executed(client, flow, way)


def test_those_that_failed_first_with_their_errors(flyte: LocalFlyte, way: str) -> None:
    run = flyte.run("r1", task="train.fit").move("RUNNING")
    run.child("c0", task="train.shard").succeeds()
    run.child("c7", task="train.shard").fails("USER", "ValueError: no rows\nTraceback: ...")
    run.child("c2", task="train.shard").fails("SYSTEM", "node preempted \x1b[31m")
    run.child("c3").times_out()
    run.fails(message="a child failed")
    seen = found(flyte, way)
    assert [str(each) for each in seen.first] == [
        "c7 (train.shard): FAILED (USER error): ValueError: no rows",
        "c2 (train.shard): FAILED (SYSTEM error): node preempted",
        "c3 (train.fit): TIMED_OUT",
    ]
    assert (seen.more, seen.trouble) == (0, "")


def test_five_and_how_many_more(flyte: LocalFlyte, way: str) -> None:
    run = flyte.run("r1").move("RUNNING")
    for number in range(12):
        run.child(f"c{number}").fails()
    run.fails()
    seen = found(flyte, way)
    assert [each.name for each in seen.first] == ["c0", "c1", "c2", "c3", "c4"]
    assert seen.more == 7
    assert len(flyte.calls("GetActionDetails")) == 5


def test_a_run_without_children_costs_one_call(flyte: LocalFlyte, way: str) -> None:
    flyte.run("r1").fails()
    assert found(flyte, way) == FailedActions()
    assert len(flyte.calls) == 1


@pytest.mark.parametrize("code", ["UNIMPLEMENTED", "INVALID_ARGUMENT"])
def test_a_backend_that_lists_no_actions(flyte: LocalFlyte, way: str, code: str) -> None:
    flyte.run("r1").move("RUNNING").child("c0").fails()
    flyte.inject("ListActions", status(code, "not here"))
    assert found(flyte, way) == FailedActions()
    assert len(flyte.calls("ListActions")) == 1


@pytest.mark.parametrize("fault", [status("PERMISSION_DENIED", "no"), unavailable()], ids=str)
def test_trouble_is_said_and_nothing_is_tried_again(flyte: LocalFlyte, way: str, fault: Any) -> None:
    flyte.run("r1").move("RUNNING").child("c0").fails()
    flyte.inject("ListActions", fault)
    seen = found(flyte, way)
    assert seen.first == ()
    assert "RunService/ListActions" in seen.trouble
    assert len(flyte.calls("ListActions")) == 1


def test_what_is_not_answered_in_time_is_left_out(flyte: LocalFlyte, way: str) -> None:
    run = flyte.run("r1", task="train.fit").move("RUNNING")
    run.child("c0").fails(message="no rows")
    run.child("c1").fails(message="no rows either")
    flyte.inject("GetActionDetails", delay(30))
    seen = found(flyte, way, within=0.5)
    assert [str(each) for each in seen.first] == ["c0: FAILED", "c1: FAILED"]
    assert len(flyte.calls("GetActionDetails")) == 1
