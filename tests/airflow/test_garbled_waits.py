"""Answers that cannot be read, or that are packed, end no wait wrongly: on a worker and in the triggerer."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from airflow_provider_flyte.client.transport import selector
from airflow_provider_flyte.compat import airflow_stats
from airflow_provider_flyte.operators import FlyteRunOperator
from airflow_provider_flyte.testing import LocalFlyte, garbled, gzipped
from tests.airflow.test_several_runs import phases
from tests.airflow.test_triggers import ending, trigger
from tests.support.driving import DagRun, Driven, TaskInstance, Try

pytestmark = pytest.mark.one_transport("grpc")

WAITS = 2_000
ENDS = ("SUCCEEDED", "FAILED", "ABORTED", "TIMED_OUT", "RECOVERED")


@pytest.fixture
def counts(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Airflow's counters, by name."""
    counted: dict[str, int] = {}

    def incr(name: str, count: int = 1, *args: Any, **kwargs: Any) -> None:
        counted[name] = counted.get(name, 0) + count

    # Airflow's own, which sends nothing unless it is told where.
    monkeypatch.setattr(airflow_stats(), "incr", incr, raising=False)
    return counted


def spoil(flyte: LocalFlyte) -> None:
    """From now on a third of the answers cannot be read, and another third is packed."""
    chance = random.Random(7)
    flyte.inject("*", garbled(), when=lambda request: chance.random() < 1 / 3)
    flyte.inject("*", gzipped(), when=lambda request: chance.random() < 1 / 2)


@pytest.mark.usefixtures("no_watcher_left")
async def test_two_thousand_waits_in_a_triggerer(
    flyte_default: LocalFlyte, counts: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__FLYTE__POLL_INTERVAL", "0.2")
    monkeypatch.setenv("AIRFLOW__FLYTE__MIN_POLL_INTERVAL", "0.1")
    expected = {f"r{number}": ENDS[number % len(ENDS)] for number in range(WAITS)}
    for name in expected:
        flyte_default.run(name).move("RUNNING")
    waits = [asyncio.ensure_future(ending(trigger(run_name=name))) for name in expected]
    await flyte_default.wait_for_call_async("ListRuns", 2, timeout=20)
    spoil(flyte_default)
    while not counts.get("flyte.garbled_answers"):
        await asyncio.sleep(0.01)
    await asyncio.to_thread(lambda: [flyte_default.run(name).move(end) for name, end in expected.items()])
    ends = await asyncio.gather(*waits)
    good = ("SUCCEEDED", "RECOVERED")
    assert [end["ending"] for end in ends] == [
        "succeeded" if phase in good else "failed" for phase in expected.values()
    ]


def test_two_thousand_runs_on_a_worker_that_comes_back(flyte_default: LocalFlyte, counts: dict[str, int]) -> None:
    """Each look is a process of its own, as a sensor's that reschedules, which knows nothing of Flyte."""
    expected = {f"r{number}": ("SUCCEEDED", "RECOVERED")[number % 2] for number in range(WAITS)}
    for name in expected:
        flyte_default.run(name).move("RUNNING")
    spoil(flyte_default)

    def observe() -> Any:
        selector.forget()
        task = Try(run_names=list(expected), deferrable=False, mode="reschedule", unreachable_after=300)
        return task.sensor.poke(task.context)

    for _ in range(10):
        assert not observe()
    assert counts["flyte.garbled_answers"]
    for name, end in expected.items():
        flyte_default.run(name).move(end)
    # Else the details of two thousand runs would be read several times, with pauses.
    flyte_default.clear_faults()
    assert phases(observe().xcom_value) == expected


def test_several_runs_and_their_details_on_a_worker(flyte_default: LocalFlyte) -> None:
    names = [f"r{number}" for number in range(10)]
    for name in names:
        flyte_default.run(name).phases("RUNNING", "SUCCEEDED", every=0.5)
    spoil(flyte_default)
    assert phases(Try(run_names=names, deferrable=False).run()) == dict.fromkeys(names, "SUCCEEDED")


@pytest.mark.parametrize("deferrable", [False, True], ids=["worker", "deferred"])
def test_a_launch_and_its_wait(flyte_default: LocalFlyte, counts: dict[str, int], deferrable: bool) -> None:
    flyte_default.deploy("demo.train", inputs={"rows": int}, outputs={"o0": int})
    flyte_default.on_launch(lambda run: run.writes({"o0": 7}).phases("RUNNING", "SUCCEEDED", every=0.3))
    spoil(flyte_default)
    operator = FlyteRunOperator(
        task_id="train",
        task_name="demo.train",
        inputs={"rows": 3},
        deferrable=deferrable,
        poll_interval=0.1,
        resume_after=0,
    )
    ti = TaskInstance()
    Driven(operator, ti, DagRun()).run()
    assert ti.xcoms["outputs"] == {"o0": 7}
    assert [run.enqueued for run in flyte_default.runs()] == [1]
