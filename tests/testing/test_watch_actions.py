"""WatchActions and ListActions over a run's actions: what they show, what they filter by, and what they refuse."""

from __future__ import annotations

from typing import Any

import grpc
import pytest

from airflow_provider_flyte.client import rpc
from airflow_provider_flyte.client.idl.common import list_pb2
from airflow_provider_flyte.client.idl.workflow import run_service_pb2
from airflow_provider_flyte.client.phase import RunPhase
from airflow_provider_flyte.testing import LocalFlyte

FAILED = {"function": "VALUE_IN", "field": "PHASE", "values": ["6"]}


def by_name(part: str) -> dict[str, Any]:
    return {"function": "CONTAINS_CASE_INSENSITIVE", "field": "NAME", "values": [part]}


def watch(client: Any, name: str, *filters: dict[str, Any]) -> Any:
    request = run_service_pb2.WatchActionsRequest(
        run_id=client.run_id(name), filter=[list_pb2.Filter(**given) for given in filters]
    )
    return client.watch(rpc.RunService.WatchActions, request)


def shown(message: Any) -> dict[str, tuple[bool, dict[int, int]]]:
    """Whether each action meets the filters, and its counts."""
    return {
        each.action.id.name: (each.meets_filter, dict(each.children_phase_counts)) for each in message.enriched_actions
    }


def test_all_actions_come_first_and_then_what_changes(flyte: LocalFlyte, client: Any) -> None:
    run = flyte.run("r1", task="demo.train").move("RUNNING")
    child = run.child("c0").move("RUNNING")
    stream = watch(client, "r1")
    assert shown(next(stream)) == {"a0": (True, {4: 1}), "c0": (True, {})}
    child.succeeds()
    assert shown(next(stream)) == {"a0": (True, {4: 0, 5: 1}), "c0": (True, {})}
    stream.cancel()


def test_actions_below_actions_count_for_all_above(flyte: LocalFlyte, client: Any) -> None:
    run = flyte.run("r1").move("RUNNING")
    run.child("c0").move("RUNNING").child("c0-1").fails()
    assert shown(next(watch(client, "r1"))) == {"a0": (True, {4: 1, 6: 1}), "c0": (True, {6: 1}), "c0-1": (True, {})}


def test_many_actions_come_a_hundred_a_message_with_the_root_in_each(flyte: LocalFlyte, client: Any) -> None:
    run = flyte.run("r1").move("RUNNING")
    for number in range(250):
        run.child(f"c{number}")
    stream = watch(client, "r1")
    counts = [shown(next(stream))["a0"][1] for _ in range(3)]
    assert counts == [{1: 99}, {1: 199}, {1: 250}]
    stream.cancel()


def test_the_root_alone_by_a_part_of_the_last_part_of_its_tasks_name(flyte: LocalFlyte, client: Any) -> None:
    run = flyte.run("r1", task="nightly.Train").move("RUNNING")
    child = run.child("c0", task="train.shard")
    stream = watch(client, "r1", by_name("TRAI"))
    assert shown(next(stream)) == {"a0": (True, {1: 1})}
    child.move("RUNNING")
    assert shown(next(stream)) == {"a0": (True, {1: 0, 4: 1})}
    child.fails()
    assert shown(next(stream)) == {"a0": (True, {1: 0, 4: 0, 6: 1})}
    stream.cancel()


def test_an_action_that_leaves_the_filter_shows_for_a_last_time(flyte: LocalFlyte, client: Any) -> None:
    run = flyte.run("r1").move("RUNNING")
    child = run.child("c0").move("FAILED")
    stream = watch(client, "r1", FAILED)
    assert shown(next(stream)) == {"a0": (True, {6: 1}), "c0": (True, {})}
    child.move("RUNNING")
    assert shown(next(stream)) == {"a0": (False, {4: 1, 6: 0}), "c0": (False, {})}
    stream.cancel()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        # The names of ListActions.
        (FAILED | {"field": "phase"}, "function VALUE_IN is not supported for filter phase"),
        (FAILED | {"function": "EQUAL"}, "function EQUAL is not supported for filter PHASE"),
        (by_name("x") | {"function": "CONTAINS"}, "function CONTAINS is not supported for filter NAME"),
        (FAILED | {"values": ["FAILED"]}, "invalid phase value: FAILED"),
    ],
)
def test_what_it_cannot_filter_by_is_refused(flyte: LocalFlyte, client: Any, given: dict[str, Any], words: str) -> None:
    flyte.run("r1")
    with pytest.raises(grpc.RpcError) as refused:
        next(watch(client, "r1", given))
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert refused.value.details() == words


def test_list_actions_has_small_letters(flyte: LocalFlyte, client: Any) -> None:
    run = flyte.run("r1").move("RUNNING")
    run.child("c0", group="shards").fails()
    run.child("c1").move("TIMED_OUT")
    run.child("c2").aborts()
    assert run.phase == RunPhase.RUNNING

    def listed(field: str) -> list[str]:
        only = list_pb2.Filter(function="VALUE_IN", field=field, values=["6", "8"])
        request = run_service_pb2.ListActionsRequest(
            run_id=client.run_id("r1"), request=list_pb2.ListRequest(filters=[only], limit=5)
        )
        return [action.id.name for action in client.ask(rpc.RunService.ListActions, request).actions]

    assert listed("phase") == ["c0", "c1"]
    with pytest.raises(grpc.RpcError, match="invalid filter field: PHASE"):
        listed("PHASE")


def test_a_childs_errors_are_its_own(flyte: LocalFlyte, client: Any) -> None:
    run = flyte.run("r1", task="demo.train").move("RUNNING")
    assert run.child("c0", task="demo.shard") is run.child("c0")
    run.child("c0").fails("SYSTEM", "node preempted")
    action = client.action_id("r1")
    action.name = "c0"
    request = run_service_pb2.GetActionDetailsRequest(action_id=action)
    details = client.ask(rpc.RunService.GetActionDetails, request).details
    assert (details.metadata.task.id.name, details.error_info.message) == ("demo.shard", "node preempted")
    assert repr(run.child("c0")) == "<run flytesnacks/development/r1 c0 <RunPhase.FAILED: 6>>"
