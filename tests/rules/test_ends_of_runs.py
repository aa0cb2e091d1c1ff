"""No end is lost, and none is reported twice while nothing crashes: random runs, outages, late news and crashes."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_flyte.client import RunWatcher
from airflow_provider_flyte.client.errors import Status
from airflow_provider_flyte.client.flows.runs_by_creation import RunRow
from airflow_provider_flyte.client.phase import RunPhase
from airflow_provider_flyte.client.verdict import Outcome
from airflow_provider_flyte.client.watch.feed_state import LARGEST, OVERLAP, FeedState
from airflow_provider_flyte.client.watch.run_feed import RunFeed
from airflow_provider_flyte.client.watch.run_lists import FULL_LIST_EVERY
from tests.support.born_runs import EPOCH, TASK, FlyteOfRuns, wall
from tests.support.scripted_flyte import HERE, Asked, refusal
from tests.support.virtual_time import VirtualLoop, until

SECOND = 1_000_000


def in_virtual_time(play: Callable[[], Any]) -> None:
    loop = VirtualLoop()
    try:
        loop.run_until_complete(play())
    finally:
        loop.run_until_complete(_end_all())
        loop.close()


async def _end_all() -> None:
    """Whatever a test that failed has left."""
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)


class Watching:
    """Who watches the runs of a task, gets their ends, keeps them, and may crash.

    :param skew: seconds by which this clock is ahead of Flyte's.
    :param beside: whether another feed, of all tasks, is in the same lists.
    """

    def __init__(
        self, flyte: FlyteOfRuns, skew: float = 0.0, *, stream: bool = False, beside: bool = False, **settings: Any
    ) -> None:
        self.flyte = flyte
        self.skew = int(skew * SECOND)
        self.settings = settings
        self.reported: list[str] = []
        self.unconfirmed: list[str] = []
        self.lines: list[str] = []
        self.stream = stream
        self.beside = beside
        self.saved: Any = None
        self.kept: set[str] = set()
        self.state = FeedState(self.now() - OVERLAP, began=self.now())
        self._task: asyncio.Task[None] | None = None
        self.start()
        self.save()

    def now(self) -> int:
        return wall() + self.skew

    def start(self) -> None:
        self._task = asyncio.ensure_future(self._run())

    async def _run(self) -> None:
        clock = asyncio.get_running_loop().time
        async with RunWatcher(self.flyte.client, stream=self.stream, clock=clock) as watcher:
            self.feed = RunFeed(
                watcher,
                HERE,
                TASK,
                self.state,
                interval=5.0,
                on_trouble=self.lines.append,
                now=self.now,
                **self.settings,
            )
            ends = self.feed.ends()
            other = asyncio.ensure_future(self._read_beside(watcher)) if self.beside else None
            try:
                async for run in ends:
                    self.reported.append(run.name)
                    self.unconfirmed.append(run.name)
            finally:
                await ends.aclose()
                if other:
                    other.cancel()
                    await asyncio.gather(other, return_exceptions=True)

    async def _read_beside(self, watcher: RunWatcher) -> None:
        ends = RunFeed(watcher, HERE, "", FeedState(self.now()), interval=5.0, now=self.now).ends()
        async with aclosing(ends):
            async for _ in ends:
                pass

    def confirm(self, count: int | None = None) -> None:
        """Keep the events that were reported first."""
        for name in self.unconfirmed[:count]:
            self.state.settle(name)
            self.kept.add(name)
        del self.unconfirmed[:count]

    def save(self) -> None:
        self.saved = json.dumps(self.state.to_json(self.now()))

    async def crash(self) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self.unconfirmed.clear()

    def start_again(self, skew: float | None = None) -> None:
        """Go on from what is kept.

        :param skew: of the clock of another machine.
        """
        self.skew = self.skew if skew is None else int(skew * SECOND)
        self.state = FeedState.from_json(json.loads(self.saved))
        self.start()


async def test_a_run_is_reported_whose_start_moves_back_and_whose_end_is_reported_late() -> None:
    """It was followed from its birth; a list by its end or its creation would not have it."""
    flyte = FlyteOfRuns()
    watching = Watching(flyte)
    await until(100)
    flyte.launch("r1")
    await until(110)
    flyte.end("r1", ended_at=wall() - 3600 * SECOND, started_at=wall() - 4000 * SECOND)
    await until(120)
    assert watching.reported == ["r1"]
    await watching.crash()


async def test_a_run_that_had_moved_back_when_it_was_first_seen_is_found_among_those_not_over() -> None:
    flyte = FlyteOfRuns()
    watching = Watching(flyte)
    await until(1)
    flyte.launch("r1", created_at=wall() - 5000 * SECOND)
    await until(1 + FULL_LIST_EVERY + 10)
    flyte.end("r1")
    await until(60)
    assert watching.reported == ["r1"]
    await watching.crash()


async def test_what_had_ended_before_is_not_reported_but_what_goes_on_is() -> None:
    flyte = FlyteOfRuns()
    await until(10)
    for name in ("over", "going"):
        flyte.launch(name)
    flyte.end("over")
    await until(20)
    watching = Watching(flyte)
    await until(30)
    flyte.end("going")
    # Reported late: it had ended before somebody watched.
    flyte.launch("late")
    await until(40)
    flyte.end("late", ended_at=wall() - 1000 * SECOND)
    await until(50)
    assert watching.reported == ["going", "late"]
    await watching.crash()


async def test_a_settled_run_that_an_answer_under_way_shows_as_running_is_not_reported_again() -> None:
    """The list was read before the end came, and arrives after the end was reported and kept."""
    flyte = FlyteOfRuns()
    watching = Watching(flyte)
    await until(1)
    flyte.launch("r1", created_at=wall() - 4000 * SECOND)
    await until(2 * FULL_LIST_EVERY)
    flyte.end("r1")
    await until(2 * FULL_LIST_EVERY + 8)
    assert watching.reported == ["r1"]
    watching.confirm()
    flyte.run("r1", RunPhase.RUNNING)
    await until(3 * FULL_LIST_EVERY + 10)
    flyte.run("r1", RunPhase.SUCCEEDED)
    await until(400)
    assert watching.reported == ["r1"]
    await watching.crash()


async def test_a_feed_that_goes_on_from_a_state_in_memory_repeats_no_end() -> None:
    """The one before broke, and its events are still on their way to be stored."""
    flyte = FlyteOfRuns()
    watching = Watching(flyte)
    for name in ("r1", "r2"):
        flyte.launch(name)
    await until(1)
    flyte.end("r1")
    await until(20)
    assert watching.reported == ["r1"]
    await watching.crash()
    watching.start()
    await until(50)
    flyte.end("r2")
    await until(100)
    assert watching.reported == ["r1", "r2"]
    await watching.crash()


async def test_a_run_that_flyte_has_no_more_is_forgotten_and_one_that_comes_again_is_new() -> None:
    """Whoever keeps the state would keep its name, and wait for it, for ever."""
    flyte = FlyteOfRuns()
    watching = Watching(flyte, outcomes=(Outcome.SUCCEEDED, Outcome.FAILED))
    await until(1)
    flyte.launch("r1")
    await until(20)
    assert list(watching.state.open) == ["r1"]
    del flyte.runs[HERE.run("r1")], flyte.born[HERE.run("r1")]
    await until(1500)
    assert not watching.state.open
    flyte.launch("r1")
    await until(1520)
    flyte.end("r1")
    await until(1560)
    assert watching.reported == ["r1"]
    await watching.crash()


async def test_a_thousand_runs_of_two_moments_some_of_which_leave_the_list_between_its_pages() -> None:
    """They are found only among those that are not over. By offset, those that leave would push others past a page."""
    flyte = FlyteOfRuns()
    await until(1)
    names = [f"r{number}" for number in range(1000)]
    for number, name in enumerate(names):
        flyte.launch(name, created_at=wall() - 4000 * SECOND + number // 10)
    ends = iter(names)

    def some_leave(asked: Any) -> None:
        """Each page after the first finds the list shorter."""
        listing = asked.request.request if asked.rpc == "ListRuns" else None
        if listing and listing.sort_by_fields and asked.ended_only and (listing.token or len(listing.filters) > 1):
            for _ in range(20):
                flyte.end(next(ends))

    flyte.fails = some_leave
    watching = Watching(flyte)
    await until(5)
    assert len(flyte.runs) - list(flyte.runs.values()).count(RunPhase.QUEUED) >= 80
    flyte.fails = lambda asked: None
    for name in ends:
        flyte.end(name)
    await until(60)
    assert Counter(watching.reported) == Counter(names)
    await watching.crash()


async def test_five_hundred_runs_of_one_moment() -> None:
    flyte = FlyteOfRuns()
    await until(1)
    watching = Watching(flyte)
    await until(2)
    names = [f"r{number}" for number in range(500)]
    for name in names:
        flyte.launch(name, created_at=wall())
        flyte.end(name)
    await until(60)
    assert Counter(watching.reported) == Counter(names)
    await watching.crash()


@pytest.mark.parametrize("lists_show_labels", [True, False])
async def test_a_label_is_compared_as_it_is_shown(lists_show_labels: bool) -> None:
    flyte = FlyteOfRuns()
    flyte.lists_show_labels = lists_show_labels
    label = {"why\tso": "a\nb" + "x" * 300}
    watching = Watching(flyte, labels=label)
    await until(1)
    flyte.launch("r1", labels=label)
    flyte.launch("r2", labels={"why\tso": "other"})
    flyte.end("r1")
    flyte.end("r2")
    await until(40)
    assert watching.reported == ["r1"]
    await watching.crash()


async def test_many_ends_at_once_are_read_in_few_calls_and_a_single_one_at_once() -> None:
    flyte = FlyteOfRuns()
    watching = Watching(flyte, stream=True)
    names = [f"r{number}" for number in range(501)]
    await until(1)
    for name in names:
        flyte.launch(name)
    await until(20)
    flyte.end("r500")
    flyte.sends("r500")
    await until(20.01)
    assert watching.reported == ["r500"]
    flyte.asked.clear()
    for number, name in enumerate(names[:500]):
        flyte.end(name)
        flyte.sends(name)
        await until(21 + number * 0.01)
    await until(27)
    assert Counter(watching.reported) == Counter(names)
    # Five seconds, four times a second, and what else there is to ask.
    assert len(flyte.calls()) < 40
    await watching.crash()


async def test_a_feed_ends_with_what_has_ended_its_watcher() -> None:
    """No end would come any more, and whoever reads them would wait for ever."""
    flyte = FlyteOfRuns()
    time, works = asyncio.get_running_loop().time, True

    def clock() -> float:
        if not works:
            raise RuntimeError("no clock")
        return time()

    async with RunWatcher(flyte.client, stream=False, clock=clock) as watcher:
        feed = RunFeed(watcher, HERE, TASK, FeedState(wall()), interval=5.0, now=wall)
        async with aclosing(feed.ends()) as ends:
            reading = asyncio.ensure_future(anext(ends))
            await until(1)
            flyte.launch("r1")
            await until(20)
            works = False
            with pytest.raises(RuntimeError, match="no clock"):
                await asyncio.wait_for(reading, 60)
            works = True


async def test_ends_that_cannot_be_read_are_asked_for_less_and_less_often() -> None:
    """Four times a second, as often as they are read where Flyte answers, would be a load for a Flyte that is away."""
    flyte = FlyteOfRuns()
    watching = Watching(flyte)
    await until(1)
    flyte.launch("r1")
    await until(20)
    flyte.end("r1")

    def ended() -> list[Asked]:
        return [asked for asked in flyte.calls() if asked.ended_only and asked.names and asked.at >= 20]

    # The poll that sees the end is answered, and nothing after it.
    flyte.fails = lambda asked: refusal(Status.UNAVAILABLE, "away") if len(ended()) > 1 else None
    await until(120)
    reads = [asked.at for asked in ended()[1:]]
    # The longest pause is 2.5 to 5 seconds.
    assert 100 / 5 <= len(reads) <= 100 / 2.5 + 10
    assert all(after - before >= 2.5 for before, after in pairwise(reads[5:]))
    assert watching.reported == []
    flyte.fails = lambda asked: None
    await until(130)
    assert watching.reported == ["r1"]
    await watching.crash()


async def test_an_outage_of_an_hour_in_which_the_watch_moves_to_another_triggerer() -> None:
    """Its clock is three minutes behind; 500 runs end in one second, out of order, and are over when Flyte is back."""
    flyte = FlyteOfRuns()
    watching = Watching(flyte, 90.0, stream=True, beside=True)
    await until(100)
    names = [f"r{number}" for number in range(500)]
    for name in names[:250]:
        flyte.launch(name)
    await until(200)
    watching.save()
    flyte.fails = lambda asked: refusal(Status.UNAVAILABLE, "away")
    await until(300)
    await watching.crash()
    await until(3500)
    watching.start_again(-90.0)
    for name in names[250:]:
        flyte.launch(name, after=60.0)
    for name in reversed(names):
        flyte.end(name, ended_at=wall() - 600 * SECOND, started_at=wall() - 650 * SECOND)
        await until(asyncio.get_running_loop().time() + 0.002)
    await until(3800)
    flyte.fails = lambda asked: None
    await until(4000)
    assert Counter(watching.reported) == Counter(names)
    assert [line[:20] for line in watching.lines[-2:]] == ["No answer from Flyte", "Flyte answers again "]
    await watching.crash()


def state_of(names: list[str], created_at: int) -> FeedState:
    state = FeedState(created_at)
    state.new([RunRow(HERE.run(name), RunPhase.QUEUED, TASK, "", created_at, None) for name in names])
    return state


def test_runs_that_do_not_fit_into_the_state_are_listed_from_before_their_creation() -> None:
    """Their start may move back until somebody goes on from it."""
    names = [f"r{number:019d}" for number in range(2600)]
    state = state_of(names, EPOCH)
    state.listed(EPOCH + 3 * OVERLAP)
    kept = state.to_json(EPOCH)
    assert len(kept["open"]) < len(names)
    assert kept["since"] == EPOCH - OVERLAP


def test_a_name_that_was_read_from_a_state_stays_in_it() -> None:
    """When it was created is not known, so nobody could find it again; what is settled meanwhile needs room, too."""
    names = [f"r{number:019d}" for number in range(2450)]
    state = FeedState.from_json(state_of(names, EPOCH).to_json(EPOCH))
    others = [f"s{number}" for number in range(1000)]
    state.new([RunRow(HERE.run(name), RunPhase.QUEUED, TASK, "", EPOCH, None) for name in others])
    for name in others:
        state.settle(name)
    kept = state.to_json(EPOCH)
    assert kept["open"] == names
    assert len(json.dumps(kept)) <= LARGEST


@dataclass(frozen=True)
class Step:
    """Something that happens, and the seconds until the next."""

    what: str
    which: int
    seconds: float
    size: float


OFTEN = ["launch", "end", "confirm", "save"]
WHAT = [*OFTEN, *OFTEN, *OFTEN, "over", "fail", "outage", "flows", "crash", "back"]
STEPS = st.builds(
    Step,
    st.sampled_from(WHAT),
    st.integers(0, 50),
    st.sampled_from([0.0, 0.0, 0.3, 2.0, 7.0, 40.0, 200.0]),
    st.sampled_from([0.0, 0.5, 1.0]),
)


@settings(max_examples=60)
@given(
    st.lists(STEPS, max_size=40),
    st.sampled_from([-90.0, 0.0, 90.0]),
    st.booleans(),
    st.booleans(),
    st.sampled_from([1, 2, 200]),
)
def test_no_end_is_lost_and_none_is_reported_twice_but_after_a_crash(
    steps: list[Step], skew: float, stream: bool, beside: bool, page: int
) -> None:
    in_virtual_time(lambda: _play(steps, skew, stream, beside, page))


async def _play(steps: list[Step], skew: float, stream: bool, beside: bool, page: int) -> None:
    flyte = FlyteOfRuns()
    flyte.page = page
    watching = Watching(flyte, skew, stream=stream, beside=beside)
    going: list[str] = []
    wanted: set[str] = set()
    saved: set[str] = set()
    after: Counter[str] = Counter()
    """How often each was reported since it was kept and saved."""

    up, crashes, count = True, 0, 0
    await until(1)
    # As is done once all have been listed: from then on an executor's clock decides nothing.
    watching.save()
    for step in steps:
        late = int(step.size * 90 * SECOND)
        if step.what in ("launch", "over"):
            count += 1
            name = f"r{count}"
            flyte.launch(name, after=step.size * 90 if step.which % 2 else 0.0)
            going.append(name)
        if step.what in ("end", "over", "fail") and going:
            name = going.pop(-1 if step.what == "over" else step.which % len(going))
            started = flyte.born[HERE.run(name)].created_at - late
            phase = RunPhase.FAILED if step.what == "fail" else RunPhase.SUCCEEDED
            flyte.end(name, phase, ended_at=wall() - late * 40, started_at=started)
            if phase == RunPhase.SUCCEEDED:
                wanted.add(name)
            if stream and HERE in flyte.streams and step.which % 3:
                flyte.sends(name)
        elif step.what == "outage":
            flyte.fails = lambda asked: refusal(Status.UNAVAILABLE, "away")
        elif step.what == "flows":
            flyte.fails = lambda asked: None
        elif step.what == "confirm" and up:
            watching.confirm(step.which)
        elif step.what == "save" and up:
            watching.save()
            saved = set(watching.kept)
            after = Counter(watching.reported)
        elif step.what == "crash" and up:
            await watching.crash()
            watching.kept = set(saved)
            up, crashes = False, crashes + 1
        elif step.what == "back" and not up:
            # Another triggerer, whose clock may be another.
            watching.start_again(90.0 * (step.which % 3 - 1))
            up = True
        await until(asyncio.get_running_loop().time() + step.seconds)
    flyte.fails = lambda asked: None
    if not up:
        watching.start_again()
    # What is visible late, and the longest pause after an outage.
    await until(asyncio.get_running_loop().time() + 90 + 2 * FULL_LIST_EVERY + 30)
    reported = Counter(watching.reported)
    assert set(reported) == wanted
    if not crashes:
        assert max(reported.values(), default=1) == 1
    assert max(reported.values(), default=1) <= crashes + 1
    assert [name for name in saved if reported[name] != after[name]] == []
    await watching.crash()
