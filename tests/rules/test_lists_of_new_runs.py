"""The lists of new runs that all feeds of a watcher share: how many calls they make, and who holds whom up."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from airflow_provider_flyte.client import RunWatcher
from airflow_provider_flyte.client.errors import Status
from airflow_provider_flyte.client.phase import RunPhase
from airflow_provider_flyte.client.verdict import Outcome
from airflow_provider_flyte.client.watch import run_feed
from airflow_provider_flyte.client.watch.feed_state import OVERLAP, FeedState
from airflow_provider_flyte.client.watch.run_feed import RunFeed
from tests.support.born_runs import FlyteOfRuns, wall
from tests.support.scripted_flyte import HERE, Asked, refusal
from tests.support.virtual_time import until


class Watching:
    """One feed, and what it has reported."""

    def __init__(self, watcher: RunWatcher, task: str, since: int | None = None, **settings: Any) -> None:
        self.reported: list[str] = []
        self.labels: list[Any] = []
        self.lines: list[str] = []
        self.reads = asyncio.Event()
        self.reads.set()
        state = FeedState(wall() - OVERLAP, began=wall()) if since is None else FeedState(since)
        settings = {"interval": 5.0} | settings
        self.feed = RunFeed(watcher, HERE, task, state, on_trouble=self.lines.append, now=wall, **settings)
        self.task = asyncio.create_task(self._read())

    async def _read(self) -> None:
        ends = self.feed.ends()
        try:
            async for run in ends:
                await self.reads.wait()
                self.reported.append(run.name)
                self.labels.append(run.labels)
                self.feed.state.settle(run.name)
        finally:
            await ends.aclose()

    async def stop(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


@asynccontextmanager
async def watching(flyte: FlyteOfRuns, **settings: Any) -> AsyncIterator[Callable[..., Watching]]:
    """Makes feeds of one watcher."""
    made: list[Watching] = []
    clock = asyncio.get_running_loop().time
    async with RunWatcher(flyte.client, clock=clock, **{"stream": False} | settings) as watcher:

        def make(task: str, **settings: Any) -> Watching:
            made.append(Watching(watcher, task, **settings))
            return made[-1]

        make.watcher = watcher  # type: ignore[attr-defined]
        try:
            yield make
        finally:
            for each in made:
                await each.stop()


def tasks_of(asked: Asked) -> tuple[str, ...]:
    """The tasks that a list names."""
    if asked.request.HasField("task_name"):
        return (asked.request.task_name.name,)
    return tuple(value for each in asked.request.request.filters if each.field == "task_name" for value in each.values)


def lists_of_new_runs(flyte: FlyteOfRuns) -> list[Asked]:
    """Those that have no names."""
    return [asked for asked in flyte.calls() if not asked.names]


async def calls_of(tasks: list[str], seconds: float = 120.0) -> Counter[str]:
    """The calls of feeds that begin one after the other, with an end of a run of each task."""
    flyte = FlyteOfRuns()
    start = asyncio.get_running_loop().time()
    async with watching(flyte, stream=True) as watch:
        feeds = []
        for task in tasks:
            feeds.append(watch(task))
            await until(asyncio.get_running_loop().time() + 0.7)
        await until(start + 60)
        flyte.asked.clear()
        for number, task in enumerate(tasks):
            flyte.launch(f"r{number}", task=task or "demo.some")
        await until(start + 60 + seconds / 2)
        for number in range(len(tasks)):
            flyte.end(f"r{number}")
            flyte.sends(f"r{number}")
        await until(start + 60 + seconds)
        for number, each in enumerate(feeds):
            wanted = {f"r{place}" for place in range(len(tasks))} if not tasks[number] else {f"r{number}"}
            assert set(each.reported) == wanted
            assert len(each.reported) == len(wanted)
    counted = Counter(asked.rpc for asked in flyte.asked)
    counted["lists of new runs"] = len(lists_of_new_runs(flyte))
    return counted


async def test_two_feeds_and_ten_ask_as_much_as_one() -> None:
    one, two = await calls_of(["demo.a"]), await calls_of(["demo.a", "demo.b"])
    ten = await calls_of([*(f"demo.t{number}" for number in range(9)), ""])
    # A list each five seconds, and two each half a minute.
    assert 20 <= one["lists of new runs"] <= 36
    # One more or less where the time ends.
    assert abs(two["lists of new runs"] - one["lists of new runs"]) <= 2
    assert abs(ten["lists of new runs"] - one["lists of new runs"]) <= 2
    # The rest are the watcher's polls, and a read of each end by its feed.
    for several, feeds in ((two, 2), (ten, 10)):
        assert several["WatchRuns"] == one["WatchRuns"]
        assert several["ListRuns"] <= one["ListRuns"] + 2 * feeds + 4
        assert several["GetRunDetails"] == 0


async def test_one_that_joins_late_and_begins_long_ago_is_listed_for_by_itself() -> None:
    flyte = FlyteOfRuns()
    await until(100_000)
    for number in range(450):
        flyte.launch(f"old{number}", created_at=wall() - 3600_000_000 + number, task="demo.b")
        flyte.end(f"old{number}")
    async with watching(flyte) as watch:
        one = watch("demo.a")
        # Its next full list may be this early.
        await until(100_020)
        flyte.asked.clear()
        other = watch("demo.b", since=wall() - 7200_000_000)
        await until(100_022)
        assert len(other.reported) == 450
        assert {tasks_of(asked) for asked in lists_of_new_runs(flyte)} <= {("demo.b",), ("demo.a",)}
        await until(100_100)
        flyte.asked.clear()
        flyte.launch("a1", task="demo.a")
        flyte.launch("b1", task="demo.b")
        flyte.end("a1")
        flyte.end("b1")
        await until(100_200)
        assert {tasks_of(asked) for asked in lists_of_new_runs(flyte)} == {("demo.a", "demo.b")}
        assert (one.reported, other.reported[450:]) == (["a1"], ["b1"])


async def test_one_that_is_not_read_is_left_out_and_catches_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it leaves unread is bounded, the other is reported as soon as ever, and nothing is lost."""
    monkeypatch.setattr(run_feed, "MOST_UNREAD", 20)
    flyte = FlyteOfRuns()
    flyte.page = 10
    async with watching(flyte) as watch:
        slow, quick = watch("demo.a"), watch("demo.b")
        await until(40)
        slow.reads.clear()
        for number in range(100):
            for task in ("a", "b"):
                flyte.launch(f"{task}{number}", task=f"demo.{task}", created_at=wall() + number)
                flyte.end(f"{task}{number}")
            # Half of them at once: five pages of one list.
            await until(41 + max(0, number - 50))
        await until(150)
        assert len(quick.reported) == 100
        assert slow.reported == []
        assert len(slow.feed._over) <= 30
        slow.reads.set()
        await until(200)
        assert Counter(slow.reported) == Counter(f"a{number}" for number in range(100))
        assert len(quick.reported) == 100


async def test_one_that_breaks_breaks_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    flyte = FlyteOfRuns()
    async with watching(flyte) as watch:
        broken, other = watch("demo.a"), watch("demo.b")
        await until(10)

        def breaks(rows: Any) -> Any:
            raise RuntimeError("a defect")

        monkeypatch.setattr(broken.feed.state, "new", breaks)
        await until(20)
        with pytest.raises(RuntimeError, match="a defect"):
            await broken.task
        flyte.launch("b1", task="demo.b")
        flyte.end("b1")
        await until(40)
        assert other.reported == ["b1"]


@pytest.mark.parametrize("status", [Status.INVALID_ARGUMENT, Status.UNIMPLEMENTED, Status.INTERNAL])
async def test_where_several_tasks_cannot_be_listed_together_each_is_by_itself(status: Status) -> None:
    flyte = FlyteOfRuns()
    flyte.fails = lambda asked: (
        refusal(status, "no such field") if asked.rpc == "ListRuns" and len(tasks_of(asked)) > 1 else None
    )
    async with watching(flyte) as watch:
        feeds = [watch(task) for task in ("demo.a", "demo.b")]
        await until(20)
        for task in ("a", "b"):
            flyte.launch(f"{task}1", task=f"demo.{task}")
            flyte.end(f"{task}1")
        await until(60)
        assert [each.reported for each in feeds] == [["a1"], ["b1"]]
        assert [each.lines for each in feeds] == [[], []]
        # Another try each ten minutes.
        assert len([asked for asked in flyte.calls() if len(tasks_of(asked)) > 1]) == 1


async def test_an_outage_is_logged_by_each_and_ends_for_all_at_once() -> None:
    flyte = FlyteOfRuns()
    async with watching(flyte) as watch:
        feeds = [watch(task) for task in ("demo.a", "demo.b", "")]
        await until(20)
        flyte.launch("a1", task="demo.a")
        flyte.fails = lambda asked: refusal(Status.UNAVAILABLE, "away")
        await until(40)
        flyte.asked.clear()
        await until(3600)
        asked = len(lists_of_new_runs(flyte))
        # As often as one feed asks: each 2.5 to 5 seconds.
        assert 3560 / 5 <= asked <= 3560 / 2.5 + 10
        flyte.end("a1")
        flyte.launch("b1", task="demo.b")
        flyte.end("b1")
        flyte.fails = lambda asked: None
        await until(3660)
        assert [set(each.reported) for each in feeds] == [{"a1"}, {"b1"}, {"a1", "b1"}]
        assert [[line[:20] for line in each.lines] for each in feeds] == 3 * [
            ["No answer from Flyte", "Flyte answers again "]
        ]


async def test_feeds_of_one_task_with_other_outcomes_labels_and_intervals() -> None:
    flyte = FlyteOfRuns()
    async with watching(flyte) as watch:
        feeds = [
            watch("demo.a"),
            watch("demo.a", outcomes=[Outcome.FAILED], interval=60.0),
            watch("demo.a", labels={"team": "ours"}, interval=1.0),
            watch("demo.a", labels={}, outcomes=[Outcome.SUCCEEDED, Outcome.FAILED]),
        ]
        await until(20)
        for name, labels in (("r1", {"team": "ours"}), ("r2", {}), ("r3", {"team": "ours"})):
            flyte.launch(name, task="demo.a", labels=labels)
        flyte.end("r1")
        flyte.end("r2")
        flyte.end("r3", RunPhase.FAILED)
        await until(120)
        assert [sorted(each.reported) for each in feeds] == [["r1", "r2"], ["r3"], ["r1"], ["r1", "r2", "r3"]]
        assert feeds[2].labels == [{"team": "ours"}]
        # Once for both feeds that ask for labels.
        assert Counter(asked.names[0] for asked in flyte.calls("GetRunDetails")) == {"r1": 1, "r2": 1, "r3": 1}


async def test_labels_that_a_list_shows_cost_no_call() -> None:
    flyte = FlyteOfRuns()
    flyte.lists_show_labels = True
    async with watching(flyte) as watch:
        ours = watch("demo.a", labels={"team": "ours"})
        await until(20)
        for number in range(6):
            flyte.launch(f"r{number}", task="demo.a", labels={"team": "ours" if number % 2 else "theirs"})
        await until(30)
        for number in range(6):
            flyte.end(f"r{number}")
        flyte.launch("r7", task="demo.a", labels={"team": "ours"})
        flyte.end("r7")
        await until(60)
        assert sorted(ours.reported) == ["r1", "r3", "r5", "r7"]
        assert flyte.calls("GetRunDetails") == []


async def test_a_thousand_ends_a_second_with_labels_neither_delay_a_wait_nor_get_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each takes a call, of which few are made at once: reported of late, in bounded memory, while others go on."""
    monkeypatch.setattr(run_feed, "MOST_UNREAD", 300)
    flyte = FlyteOfRuns()
    flyte.takes = 0.1
    async with watching(flyte) as watch:
        feeds = [watch("demo.a", labels={"team": "ours"}), watch("demo.a", labels={}), watch("demo.b")]
        await until(10)
        names = [f"r{number}" for number in range(1000)]
        for name in names:
            flyte.launch(name, task="demo.a", labels={"team": "ours" if name.endswith("7") else "theirs"})
            flyte.end(name)
        flyte.launch("b1", task="demo.b")
        flyte.launch("waited-for", task="demo.c")
        wait = asyncio.ensure_future(watch.watcher.wait("waited-for", interval=1.0))  # type: ignore[attr-defined]
        await until(20)
        flyte.run("waited-for", RunPhase.SUCCEEDED)
        flyte.end("b1")
        await until(22)
        assert wait.done()
        assert 0 < len(feeds[1].reported) < 1000
        await until(28)
        assert feeds[2].reported == ["b1"]
        assert all(len(each.feed._over) <= 500 for each in feeds)
        assert any("wait for their labels to be read" in line for line in feeds[1].lines)
        await until(120)
        assert Counter(feeds[1].reported) == Counter(names)
        assert Counter(feeds[0].reported) == Counter(name for name in names if name.endswith("7"))
        assert len(flyte.calls("GetRunDetails")) == 1000
        # The labels never took all ten places of the watcher's calls.
        assert flyte.most_at_once < 10
