"""Counts of a run's child actions -> the lines about its progress, and what they cost. In virtual time."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from airflow_provider_flyte.client.errors import Status
from airflow_provider_flyte.client.phase import RunPhase
from airflow_provider_flyte.client.watch import progress
from airflow_provider_flyte.client.watch.progress import Progress
from tests.support.scripted_flyte import HERE, Asked, ScriptedFlyte, refusal

QUEUED, RUNNING, SUCCEEDED, FAILED = RunPhase.QUEUED, RunPhase.RUNNING, RunPhase.SUCCEEDED, RunPhase.FAILED


class Following:
    """The progress of some runs, and the lines about it."""

    def __init__(self) -> None:
        self.flyte = ScriptedFlyte()
        self.progress = Progress(lambda: self.flyte.client, asyncio.get_running_loop().time, asyncio.sleep)
        self.lines: list[tuple[float, str]] = []
        self.tasks: list[asyncio.Task[None]] = []

    def follow(self, *names: str) -> None:
        def said(line: str) -> None:
            self.lines.append((asyncio.get_running_loop().time(), line))

        for name in names:
            self.flyte.run(name, RUNNING)
            self.tasks.append(asyncio.create_task(self.progress.follow(name, on_progress=said)))

    async def counts(self, after: float, counts: dict[int, int], name: str = "r1", phase: int = RUNNING) -> None:
        await asyncio.sleep(after)
        self.flyte.counts(name, counts, phase)

    def watched(self) -> list[Asked]:
        return self.flyte.calls("WatchActions")


@pytest.fixture
async def following() -> Any:
    made = Following()
    yield made
    for task in made.tasks:
        task.cancel()
    await asyncio.gather(*made.tasks, return_exceptions=True)
    assert not made.flyte.actions


async def test_the_first_line_comes_once_the_counts_have_settled(following: Following) -> None:
    following.follow("r1")
    for total in (100, 200, 250):
        await following.counts(0.1, {QUEUED: total})
    await asyncio.sleep(10)
    assert [line for _, line in following.lines] == ["Flyte run r1: 0 of 250 actions done, 0 running."]
    [(at, _)] = following.lines
    assert at == pytest.approx(1.1)


async def test_what_changes_is_said_every_thirty_seconds_at_most_and_newest(following: Following) -> None:
    following.follow("r1")
    for done in range(130):
        await following.counts(0.75, {QUEUED: 0, RUNNING: 130 - done, SUCCEEDED: done})
    assert following.lines == [
        (1.75, "Flyte run r1: 1 of 130 actions done, 129 running."),
        (31.75, "Flyte run r1: 41 of 130 actions done, 89 running."),
        (61.75, "Flyte run r1: 81 of 130 actions done, 49 running."),
        (91.75, "Flyte run r1: 121 of 130 actions done, 9 running."),
    ]
    assert len(following.watched()) == 1


async def test_nothing_new_and_no_children_are_no_lines(following: Following) -> None:
    following.follow("r1")
    await following.counts(1, {})
    for _ in range(5):
        await following.counts(40, {RUNNING: 2, QUEUED: 0})
    await asyncio.sleep(40)
    assert [line for _, line in following.lines] == ["Flyte run r1: 0 of 2 actions done, 2 running."]


async def test_it_ends_with_the_run(following: Following) -> None:
    following.follow("r1")
    await following.counts(1, {SUCCEEDED: 2}, phase=SUCCEEDED)
    await asyncio.wait_for(following.tasks[0], 5)
    assert following.lines == []


async def test_it_asks_for_the_root_alone(following: Following) -> None:
    following.follow("r1")
    await following.counts(1, {RUNNING: 2})
    [asked] = following.watched()
    assert [(f.field, list(f.values)) for f in asked.request.filter] == [("NAME", [""])]


@pytest.mark.parametrize("code", [Status.UNIMPLEMENTED, Status.PERMISSION_DENIED, Status.INVALID_ARGUMENT])
async def test_a_refusal_is_said_once_and_ends_it(following: Following, code: Status) -> None:
    following.flyte.fails = lambda asked: refusal(code) if asked.rpc == "WatchActions" else None
    following.follow("r1")
    await asyncio.wait_for(following.tasks[0], 5)
    [(_, line)] = following.lines
    assert line.startswith(
        "The progress of Flyte run r1 is not logged, because Flyte does not tell it (WatchActions). "
    )
    assert len(following.watched()) == 1


async def test_trouble_is_not_said_and_the_stream_opened_again(following: Following) -> None:
    following.follow("r1")
    await following.counts(1, {RUNNING: 2})
    following.flyte.actions[HERE.run("r1")].put_nowait(refusal(Status.UNAVAILABLE))
    await asyncio.sleep(60)
    following.flyte.counts("r1", {SUCCEEDED: 1, RUNNING: 1})
    await asyncio.sleep(60)
    assert [line for _, line in following.lines] == [
        "Flyte run r1: 0 of 2 actions done, 2 running.",
        "Flyte run r1: 1 of 2 actions done, 1 running.",
    ]
    assert len(following.watched()) == 2


async def test_an_outage_costs_few_calls(following: Following) -> None:
    following.flyte.fails = lambda asked: refusal(Status.UNAVAILABLE)
    following.follow("r1")
    await asyncio.sleep(600)
    assert following.lines == []
    assert len(following.flyte.asked) < 50


async def test_a_stream_that_may_be_dead_is_opened_again(following: Following) -> None:
    following.follow("r1")
    await asyncio.sleep(3600)
    assert 4 <= len(following.watched()) <= 7


async def test_streams_are_bounded_and_the_others_asked_one_by_one(
    following: Following, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "MOST_FOLLOWED", 3)
    names = [f"r{number}" for number in range(10)]
    following.follow(*names)
    most = 0
    for _ in range(600):
        await asyncio.sleep(0.5)
        most = max(most, len(following.flyte.actions))
        for key in list(following.flyte.actions):
            following.flyte.counts(key.name, {RUNNING: 1})
    assert most == 4
    assert {line.partition(":")[0] for _, line in following.lines} == {f"Flyte run {name}" for name in names}
    asked = [asked.names for asked in following.watched() if asked.names not in {("r0",), ("r1",), ("r2",)}]
    # In 300 s each of the seven is asked every 30 s at most.
    assert len(asked) <= 7 * 10


async def test_a_place_that_gets_free_is_taken(following: Following, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "MOST_FOLLOWED", 1)
    following.follow("r1", "r2")
    await asyncio.sleep(5)
    following.tasks[0].cancel()
    await asyncio.sleep(60)
    assert list(following.flyte.actions) == [HERE.run("r2")]


async def test_an_unexpected_error_is_logged_and_ends_it(
    following: Following, caplog: pytest.LogCaptureFixture
) -> None:
    following.follow("r1")
    await asyncio.sleep(1)
    following.flyte.actions[HERE.run("r1")].put_nowait(ZeroDivisionError("a mistake"))
    await asyncio.wait_for(following.tasks[0], 60)
    assert "The progress of a run could not be read because of an unexpected error." in caplog.text
