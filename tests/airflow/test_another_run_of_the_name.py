"""A run of somebody else under the name of an operator's run: at another Flyte, or at the same one by now."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from airflow_provider_flyte.client.phase import RunPhase
from airflow_provider_flyte.compat import TaskDeferred
from airflow_provider_flyte.exceptions import FlyteRunFailed, FlyteUnreachable
from airflow_provider_flyte.operators import FlyteRunOperator
from airflow_provider_flyte.testing import LocalFlyte, status
from airflow_provider_flyte.testing.faults import Fault
from tests.airflow.test_two_at_once import own_name
from tests.support.driving import DagRun, Driven, TaskInstance, Try, event_of, lines_of, own_annotations
from tests.support.own_airflow import connection_json

pytestmark = pytest.mark.one_transport("connect")

THEIRS = {"airflow.apache.org/dag_id": "other", "airflow.apache.org/task_id": "t", "airflow.apache.org/run_id": "x"}


@pytest.fixture
def flyte(flyte_default: LocalFlyte) -> LocalFlyte:
    flyte_default.deploy("demo.train", outputs={"o0": int})
    flyte_default.on_launch(lambda run: run.move("RUNNING"))
    return flyte_default


@pytest.fixture
def elsewhere() -> Iterator[LocalFlyte]:
    with LocalFlyte(transports=("connect",)) as other:
        other.deploy("demo.train", outputs={"o0": int})
        yield other


def launching(number: int = 1, **arguments: Any) -> Driven:
    given: dict[str, Any] = {"deferrable": True, "resume_after": 0, "poll_interval": 0.1} | arguments
    task = FlyteRunOperator(task_id="train", task_name="demo.train", **given)
    return Driven(task, TaskInstance(number, 2), DagRun())


def deferred(task: Driven) -> TaskDeferred:
    with pytest.raises(TaskDeferred) as raised:
        task.task.execute(task.context)
    return raised.value


def assert_nothing_taken(task: Driven) -> None:
    assert not {"o0", "outputs", "return_value"} & {*task.ti.xcoms}


def test_a_run_that_another_flyte_has_under_the_name(
    flyte: LocalFlyte, elsewhere: LocalFlyte, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = launching()
    deferral = deferred(task)
    elsewhere.run(own_name(1), annotations=THEIRS).move("RUNNING")
    monkeypatch.setenv("AIRFLOW_CONN_FLYTE_DEFAULT", connection_json(elsewhere))
    # Whose run it is, a trigger cannot see, and does not wait for its end.
    assert event_of(deferral.trigger)["ending"] == "unreachable"
    words = rf"led to {flyte.endpoint} .* leads to {elsewhere.endpoint} now, .* annotations name other\.t in x"
    with pytest.raises(FlyteUnreachable, match=words):
        task.go_on(deferral)
    elsewhere.run(own_name(1)).succeeds({"o0": 666})
    with pytest.raises(FlyteUnreachable, match=words):
        task.go_on(deferral)
    assert_nothing_taken(task)


@pytest.mark.parametrize("unreachable_after", [300.0, None])
@pytest.mark.parametrize("annotations", [THEIRS, {}], ids=["another task's", "nobody's"])
def test_a_run_that_has_taken_the_place_of_ours(
    flyte: LocalFlyte, annotations: dict[str, str], unreachable_after: float | None
) -> None:
    task = launching(unreachable_after=unreachable_after)
    deferral = deferred(task)
    [run] = flyte.runs()
    run.run_spec.annotations.values.clear()
    run.run_spec.annotations.values.update(annotations)
    run.succeeds({"o0": 666})
    with pytest.raises(FlyteUnreachable, match="Flyte has another run by now, which this task did not launch"):
        task.go_on(deferral)
    assert_nothing_taken(task)


@pytest.mark.parametrize("rpc", ["GetRunDetails", "GetActionData"])
def test_a_connection_that_leads_elsewhere_while_a_worker_waits(
    flyte: LocalFlyte, elsewhere: LocalFlyte, monkeypatch: pytest.MonkeyPatch, rpc: str
) -> None:
    elsewhere.run(own_name(1), annotations=THEIRS).succeeds({"o0": 666})

    def changed(run: Any) -> None:
        run.succeeds({"o0": 1})
        monkeypatch.setenv("AIRFLOW_CONN_FLYTE_DEFAULT", connection_json(elsewhere))
        flyte.inject(rpc, status("UNAUTHENTICATED", "token expired"))

    flyte.on_launch(changed)
    task = launching(deferrable=False)
    with pytest.raises(FlyteUnreachable, match=f"leads to {elsewhere.endpoint} now, where the run of this name is an"):
        task.run()
    assert_nothing_taken(task)


def test_a_run_launched_by_hand_is_known_by_its_endpoint_alone(
    flyte: LocalFlyte, elsewhere: LocalFlyte, monkeypatch: pytest.MonkeyPatch
) -> None:
    for each in (flyte, elsewhere):
        each.run("nightly").move("RUNNING")
    task = launching(run_name="nightly")
    deferral = deferred(task)
    monkeypatch.setenv("AIRFLOW_CONN_FLYTE_DEFAULT", connection_json(elsewhere))
    elsewhere.run("nightly").succeeds({"o0": 666})
    with pytest.raises(FlyteUnreachable, match="where a run of this name may be another one"):
        task.go_on(deferral)
    assert_nothing_taken(task)


def test_a_flyte_that_has_moved(flyte: LocalFlyte, elsewhere: LocalFlyte, monkeypatch: pytest.MonkeyPatch) -> None:
    """The annotations prove that it is the same run; from then on the task goes by the new endpoint."""
    task = launching()
    deferral = deferred(task)
    lines = lines_of(task.task)
    moved = elsewhere.run(own_name(1), annotations=own_annotations(1)).move("RUNNING")
    monkeypatch.setenv("AIRFLOW_CONN_FLYTE_DEFAULT", connection_json(elsewhere))
    with pytest.raises(TaskDeferred) as again:
        task.resume(event_of(deferral.trigger), **(deferral.kwargs or {}))
    assert again.value.trigger.endpoint == elsewhere.endpoint
    assert len([line for line in lines if "By its annotations it is the same run" in line]) == 1
    moved.succeeds({"o0": 1})
    task.go_on(again.value)
    assert task.ti.xcoms["o0"] == 1


@dataclass(frozen=True)
class OfAnother(Fault):
    """Details of another run, which has succeeded, as a cache in between may give them."""

    named: tuple[str, str, str]

    def answer(self, message: Any) -> Any:
        run = message.details.action.id.run
        run.project, run.domain, run.name = self.named
        message.details.action.status.phase = RunPhase.SUCCEEDED
        return message


@pytest.mark.parametrize(
    "named",
    [
        ("flytesnacks", "development", "r2"),
        ("flytesnacks", "staging", "r1"),
        ("other", "development", "r1"),
        ("", "", "r2"),
        ("flytesnacks", "development", "r1\n[2026-11-26 12:00:00] INFO - Marking task as SUCCESS"),
    ],
)
def test_details_of_another_run_are_no_answer(flyte_default: LocalFlyte, named: tuple[str, str, str]) -> None:
    flyte_default.run("r1").fails()
    flyte_default.inject("GetRunDetails", OfAnother(named, times=1))
    sensor = Try(run_name="r1", deferrable=False)
    lines = lines_of(sensor.sensor)
    with pytest.raises(FlyteRunFailed, match="r1 is FAILED"):
        sensor.run()
    [line] = [line for line in lines if "the answer is about another run, " in line]
    assert line.startswith("WARNING: No answer from Flyte about run r1, still waiting: ")
    assert line.isprintable()


def test_details_that_name_no_run_are_those_of_the_run(flyte_default: LocalFlyte) -> None:
    flyte_default.run("r1").succeeds()
    flyte_default.inject("GetRunDetails", OfAnother(("", "", "")))
    value = Try(run_name="r1", deferrable=False).run()
    assert value["action"]["id"]["run"]["name"] == "r1"


# -- a name that a template gives anew


@pytest.mark.parametrize("later", ["Nightly Run", "", "-", "x" * 31, None])
@pytest.mark.parametrize("number", [1, 2])
def test_a_run_name_that_renders_otherwise_when_the_task_resumes(
    flyte: LocalFlyte, later: str | None, number: int
) -> None:
    task = launching(number, run_name="nightly")
    deferral = deferred(task)
    [run] = flyte.runs()
    run.succeeds({"o0": 1})
    orphan = flyte.run("nightly", annotations=own_annotations(1)).move("RUNNING") if number == 2 else run
    task.task.run_name = later
    task.go_on(deferral)
    assert task.ti.xcoms["o0"] == 1
    # By the names that the tries had, others are still found.
    assert orphan.phase == (RunPhase.ABORTED if number == 2 else RunPhase.SUCCEEDED)


def test_a_prefix_that_became_unusable_fails_no_success(flyte: LocalFlyte, monkeypatch: pytest.MonkeyPatch) -> None:
    task = launching(2)
    deferral = deferred(task)
    [run] = flyte.runs()
    run.succeeds({"o0": 1})
    lines = lines_of(task.task)
    monkeypatch.setattr("airflow_provider_flyte.client.config.check_run_name_prefix", lambda prefix: prefix)
    monkeypatch.setenv("AIRFLOW_CONN_FLYTE_DEFAULT", connection_json(flyte, run_name_prefix="No Name-"))
    task.go_on(deferral)
    assert task.ti.xcoms["o0"] == 1
    assert [line for line in lines if line.startswith("WARNING: Whether an earlier try of this task has launched")]


def test_a_retry_that_does_not_wait_ends_what_an_earlier_process_launched(flyte: LocalFlyte) -> None:
    flyte.on_launch(
        lambda run: [run.move("RUNNING"), flyte.run(own_name(1), annotations=own_annotations(1)).move("RUNNING")]
    )
    launching(2, wait=False).run()
    assert flyte.run(own_name(1)).phase == RunPhase.ABORTED
    assert flyte.run(own_name(2)).phase == RunPhase.RUNNING
