"""The ends of all runs of a task over a local Flyte, on both transports."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import pytest

from airflow_provider_flyte.client import FlyteClient, RunWatcher
from airflow_provider_flyte.client.moments import microseconds_of
from airflow_provider_flyte.client.phase import RunPhase
from airflow_provider_flyte.client.run_key import ProjectDomain
from airflow_provider_flyte.client.verdict import Outcome
from airflow_provider_flyte.client.watch.feed_state import FeedState
from airflow_provider_flyte.client.watch.run_feed import EndedRun, RunFeed
from airflow_provider_flyte.testing import LocalFlyte, status
from tests.client.conftest import config_for

HERE = ProjectDomain("flytesnacks", "development")


@pytest.fixture
async def watcher(local_flyte: LocalFlyte) -> AsyncIterator[RunWatcher]:
    async with (
        FlyteClient(config_for(local_flyte)) as client,
        RunWatcher(client, poll_interval=0.2, min_poll_interval=0.1) as made,
    ):
        yield made


def now() -> int:
    return time.time_ns() // 1000


@asynccontextmanager
async def ends_of(
    watcher: RunWatcher, *, state: FeedState | None = None, task: str = "demo.train", **settings: Any
) -> AsyncIterator[tuple[RunFeed, AsyncGenerator[EndedRun, None]]]:
    feed = RunFeed(watcher, HERE, task, state or FeedState(now() - 60_000_000), interval=0.1, **settings)
    ends = feed.ends()
    try:
        yield feed, ends
    finally:
        await ends.aclose()


async def next_of(ends: AsyncGenerator[EndedRun, None]) -> EndedRun:
    return await asyncio.wait_for(anext(ends), 10)


async def test_each_end_is_reported_once_with_what_a_list_says_of_the_run(
    local_flyte: LocalFlyte, watcher: RunWatcher
) -> None:
    """One that was over, one that runs at first, one that is launched later, and what does not concern this task."""
    local_flyte.run("over", version="v2").succeeds()
    local_flyte.run("going").move("RUNNING")
    local_flyte.run("other", task="demo.other").succeeds()
    local_flyte.run("failed").fails()
    async with ends_of(watcher) as (feed, ends):
        first = await next_of(ends)
        assert (first.name, first.row.phase, first.row.task_name, first.row.task_version) == (
            "over",
            RunPhase.SUCCEEDED,
            "demo.train",
            "v2",
        )
        assert first.row.ended_at is not None
        assert 0 <= first.row.ended_at - first.row.created_at < 10_000_000
        local_flyte.run("going").succeeds()
        assert (await next_of(ends)).name == "going"
        local_flyte.run("later").succeeds()
        assert (await next_of(ends)).name == "later"
        assert set(feed.state.open) == {"over", "going", "later"}
        for name in list(feed.state.open):
            feed.state.settle(name)
        assert feed.state.open == {}


async def test_failed_runs_are_reported_where_they_are_wanted(local_flyte: LocalFlyte, watcher: RunWatcher) -> None:
    local_flyte.run("good").succeeds()
    local_flyte.run("bad").fails()
    local_flyte.run("late").move("RUNNING")
    async with ends_of(watcher, outcomes=(Outcome.FAILED,)) as (feed, ends):
        assert (await next_of(ends)).name == "bad"
        local_flyte.run("late").times_out()
        assert (await next_of(ends)).row.phase == RunPhase.TIMED_OUT
        assert set(feed.state.open) == {"bad", "late"}


async def test_labels_choose_among_the_runs_and_come_with_them(local_flyte: LocalFlyte, watcher: RunWatcher) -> None:
    local_flyte.run("ours", labels={"team": "ours", "x": "1"}).succeeds()
    local_flyte.run("theirs", labels={"team": "theirs"}).succeeds()
    local_flyte.run("nobodys").succeeds()
    local_flyte.run("ours-later", labels={"team": "ours"}).move("RUNNING")
    async with ends_of(watcher, labels={"team": "ours"}) as (_, ends):
        assert (await next_of(ends)).labels == {"team": "ours", "x": "1"}
        local_flyte.run("ours-later").succeeds()
        assert (await next_of(ends)).name == "ours-later"


async def test_a_run_that_cannot_be_read_holds_no_other_up(local_flyte: LocalFlyte, watcher: RunWatcher) -> None:
    lines: list[str] = []
    local_flyte.inject(
        "GetRunDetails", status("INTERNAL", "a row is broken"), when=lambda request: request.run_id.name == "r1"
    )
    for name in ("r1", "r2"):
        local_flyte.run(name, labels={"name": name}).succeeds()
    async with ends_of(watcher, labels={}, on_trouble=lines.append) as (feed, ends):
        assert (await next_of(ends)).name == "r2"
        assert set(feed.state.open) == {"r1", "r2"}
        local_flyte.clear_faults()
        assert (await next_of(ends)).labels == {"name": "r1"}
    assert lines[0].startswith("Flyte run r1 is over, and reported once it can be read: ")
    assert "a row is broken" in lines[0]


async def test_all_tasks_of_a_project(local_flyte: LocalFlyte, watcher: RunWatcher) -> None:
    local_flyte.run("a", task="demo.one").succeeds()
    local_flyte.run("b", task="demo.two").succeeds()
    local_flyte.run("c", task="demo.two", domain="staging").succeeds()
    async with ends_of(watcher, task="") as (_, ends):
        assert [(await next_of(ends)).row.task_name for _ in range(2)] == ["demo.one", "demo.two"]


async def test_more_runs_than_a_page_has(local_flyte: LocalFlyte, watcher: RunWatcher) -> None:
    names = [f"r{number}" for number in range(450)]
    for name in names[:250]:
        local_flyte.run(name).succeeds()
    for name in names[250:]:
        local_flyte.run(name).move("RUNNING")
    async with ends_of(watcher) as (_, ends):
        assert [(await next_of(ends)).name for _ in range(250)] == names[:250]
        for name in names[250:]:
            local_flyte.run(name).succeeds()
        assert {(await next_of(ends)).name for _ in range(200)} == set(names[250:])


async def test_an_outage_is_reported_once_and_loses_nothing(local_flyte: LocalFlyte, watcher: RunWatcher) -> None:
    lines: list[str] = []
    local_flyte.run("r1").move("RUNNING")
    async with ends_of(watcher, on_trouble=lines.append) as (_, ends):
        following = asyncio.ensure_future(next_of(ends))
        await local_flyte.wait_for_call_async("ListRuns", 3)
        local_flyte.inject("*", status("UNAVAILABLE", "away"))
        while not lines:
            await asyncio.sleep(0.02)
        local_flyte.run("r1").succeeds()
        local_flyte.run("r2").succeeds()
        local_flyte.clear_faults()
        assert {(await following).name, (await next_of(ends)).name} == {"r1", "r2"}
    assert len(lines) == 2
    assert lines[0].startswith("No answer from Flyte, still watching: ")
    assert lines[1].startswith("Flyte answers again after ")


async def test_a_backend_that_lists_nothing_by_name(local_flyte: LocalFlyte, watcher: RunWatcher) -> None:
    local_flyte.inject(
        "ListRuns",
        status("INVALID_ARGUMENT", "no such field"),
        when=lambda request: any(each.field == "run_name" for each in request.request.filters),
    )
    local_flyte.run("r1").move("RUNNING")
    async with ends_of(watcher) as (_, ends):
        following = asyncio.ensure_future(next_of(ends))
        await local_flyte.wait_for_call_async("ListRuns", 3)
        local_flyte.run("r1").succeeds()
        assert (await following).row.phase == RunPhase.SUCCEEDED


async def test_two_feeds_share_the_stream_the_polls_for_ends_and_the_lists_of_new_runs(
    local_flyte: LocalFlyte, watcher: RunWatcher
) -> None:
    for task in ("demo.one", "demo.two"):
        local_flyte.run(f"{task[5:]}-1", task=task).move("RUNNING")
    async with ends_of(watcher, task="demo.one") as (_, one), ends_of(watcher, task="demo.two") as (_, two):
        both = [asyncio.ensure_future(next_of(ends)) for ends in (one, two)]
        await local_flyte.wait_for_call_async("WatchRuns")
        await local_flyte.wait_for_call_async("ListRuns", 12)
        for name in ("one-1", "two-1"):
            local_flyte.run(name).succeeds()
        assert [(await each).name for each in both] == ["one-1", "two-1"]
    assert len(local_flyte.calls("WatchRuns")) == 1
    by_name = [
        {name for each in call.request.request.filters if each.field == "run_name" for name in each.values}
        for call in local_flyte.calls("ListRuns")
    ]
    polls = [names for names in by_name if names]
    assert {"one-1", "two-1"} in polls
    listed = [
        {name for each in call.request.request.filters if each.field == "task_name" for name in each.values}
        or {call.request.task_name.name}
        for call, names in zip(local_flyte.calls("ListRuns"), by_name, strict=True)
        if not names
    ]
    # The first of them are of whoever was there first.
    assert listed.count({"demo.one", "demo.two"}) >= len(listed) - 4
    assert not local_flyte.calls("GetRunDetails")


async def test_from_the_first_moment_that_python_has(local_flyte: LocalFlyte, watcher: RunWatcher) -> None:
    """It is what people give who mean all runs; a year without its zeros is no time to Flyte."""
    local_flyte.run("over").succeeds()
    async with ends_of(watcher, state=FeedState(microseconds_of(datetime.min))) as (_, ends):
        assert (await next_of(ends)).name == "over"
    for call in local_flyte.calls("ListRuns"):
        for each in call.request.request.filters:
            assert each.field != "created_at" or each.values == ["0001-01-01T00:00:00.000000Z"]
