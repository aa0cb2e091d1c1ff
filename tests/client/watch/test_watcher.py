"""RunWatcher against a real server, by a clock of the test's own: an hour of waiting takes as long as its calls."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest

from airflow_provider_flyte.client import FlyteClient, RunWatcher
from airflow_provider_flyte.client.errors import ConfigError
from airflow_provider_flyte.client.verdict import Outcome, WaitRules
from airflow_provider_flyte.testing import LocalFlyte, delay, status, unavailable
from tests.client.conftest import config_for
from tests.support.clock import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def client(local_flyte: LocalFlyte) -> AsyncIterator[FlyteClient]:
    async with FlyteClient(config_for(local_flyte)) as made:
        yield made


@pytest.fixture
async def watcher(client: FlyteClient, clock: Clock) -> AsyncIterator[RunWatcher]:
    async with RunWatcher(client, stream=False, clock=clock, sleep=clock.sleep) as made:
        yield made


def names_of(call: Any) -> list[str]:
    [values] = [list(given.values) for given in call.request.request.filters if given.field == "run_name"]
    return values


def is_terminal_only(call: Any) -> bool:
    return any(given.field == "phase" for given in call.request.request.filters)


@pytest.mark.parametrize(
    ("how", "outcome"),
    [
        ("succeeds", Outcome.SUCCEEDED),
        ("recovers", Outcome.SUCCEEDED),
        ("fails", Outcome.FAILED),
        ("aborts", Outcome.FAILED),
        ("times_out", Outcome.FAILED),
    ],
)
async def test_how_a_run_ends(local_flyte: LocalFlyte, watcher: RunWatcher, how: str, outcome: Outcome) -> None:
    run = local_flyte.run("r1")
    run.move("RUNNING")
    waiting = asyncio.ensure_future(watcher.wait("r1"))
    await local_flyte.wait_for_call_async("ListRuns", 2)
    assert not waiting.done()
    getattr(run, how)()
    seen = await waiting
    assert (seen.name, seen.outcome) == ("r1", outcome)
    assert seen.phase == run.phase
    assert len(watcher) == 0


async def test_one_poll_for_2000_names(local_flyte: LocalFlyte, watcher: RunWatcher) -> None:
    names = [f"run-{number}" for number in range(2001)]
    for name in names:
        local_flyte.run(name).move("RUNNING")
    waits = asyncio.gather(*map(watcher.wait, names))
    # The first poll is about existence: 200 runs a page. From then on only what is over is asked for.
    await local_flyte.wait_for_call_async("ListRuns", 11 + 2 * 5, timeout=30)
    later = local_flyte.calls("ListRuns")[11:]
    assert all(is_terminal_only(call) for call in later)
    assert {len(names_of(call)) for call in later} == {2000, 1}
    assert sorted(names_of(later[0]) + names_of(later[1])) == sorted(names)
    # More end at once than fit on a page.
    for name in names:
        local_flyte.run(name).succeeds()
    assert {seen.outcome for seen in await waits} == {Outcome.SUCCEEDED}
    assert local_flyte.calls("GetRunDetails") == []


async def test_one_name_is_asked_for_with_equal(local_flyte: LocalFlyte, watcher: RunWatcher) -> None:
    """VALUE_IN with one value is INTERNAL."""
    local_flyte.run("r1").succeeds()
    assert (await watcher.wait("r1")).outcome is Outcome.SUCCEEDED
    [call] = local_flyte.calls("ListRuns")
    assert call.code == "OK"
    assert names_of(call) == ["r1"]


async def test_polls_slow_down_while_all_is_quiet(local_flyte: LocalFlyte, client: FlyteClient, clock: Clock) -> None:
    local_flyte.run("r1").move("RUNNING")
    async with RunWatcher(client, stream=False, poll_interval=5, clock=clock, sleep=clock.sleep) as watcher:
        slow = asyncio.ensure_future(watcher.wait("r1", interval=60))
        await local_flyte.wait_for_call_async("ListRuns", 12)
        assert [round(seconds, 2) for seconds in clock.slept[:9]] == [0.5, 0.75, 1.12, 1.69, 2.53, 3.8, 5, 5, 5]
        # A new wait may be over soon, and what it asks for counts.
        quick = asyncio.ensure_future(watcher.wait("r1", interval=0.01))
        before = len(clock.slept)
        await local_flyte.wait_for_call_async("ListRuns", local_flyte.calls.count("ListRuns") + 6)
        assert set(clock.slept[before + 2 :]) == {0.5}
        local_flyte.run("r1").succeeds()
        assert (await slow).outcome is (await quick).outcome is Outcome.SUCCEEDED


async def test_a_missing_run(local_flyte: LocalFlyte, watcher: RunWatcher, clock: Clock) -> None:
    assert (await watcher.wait("r1")).outcome is Outcome.MISSING
    assert 60 <= clock.now < 70
    assert (await watcher.wait("r1", rules=WaitRules(missing_after=7))).outcome is Outcome.MISSING


async def test_a_run_may_be_launched_later(local_flyte: LocalFlyte, watcher: RunWatcher) -> None:
    waiting = asyncio.ensure_future(watcher.wait("r1", rules=WaitRules(missing_after=None)))
    await local_flyte.wait_for_call_async("ListRuns", 30)
    local_flyte.run("r1").succeeds()
    assert (await waiting).outcome is Outcome.SUCCEEDED


async def test_runs_of_other_projects_are_others(local_flyte: LocalFlyte, watcher: RunWatcher) -> None:
    local_flyte.run("r1").succeeds()
    local_flyte.run("r1", project="other").fails()
    here, there = await asyncio.gather(watcher.wait("r1"), watcher.wait("r1", project="other"))
    assert (here.outcome, there.outcome) == (Outcome.SUCCEEDED, Outcome.FAILED)


async def test_a_new_wait_is_asked_for_at_once(local_flyte: LocalFlyte, client: FlyteClient) -> None:
    for name in ("r1", "r2"):
        local_flyte.run(name).move("RUNNING")
    never = asyncio.Event()

    async def sleep(seconds: float) -> None:
        await never.wait()

    async with RunWatcher(client, stream=False, max_calls_per_second=1e9, sleep=sleep) as watcher:
        first = asyncio.ensure_future(watcher.wait("r1"))
        await local_flyte.wait_for_call_async("ListRuns", 1)
        local_flyte.run("r2").succeeds()
        assert (await watcher.wait("r2")).outcome is Outcome.SUCCEEDED
        assert names_of(local_flyte.calls("ListRuns")[-1]) == ["r2"]
        first.cancel()


async def test_an_unknown_phase_goes_on_with_one_warning(
    local_flyte: LocalFlyte, watcher: RunWatcher, caplog: pytest.LogCaptureFixture
) -> None:
    local_flyte.run("r1").phases(99)
    waiting = asyncio.ensure_future(watcher.wait("r1"))
    await local_flyte.wait_for_call_async("ListRuns", 5)
    local_flyte.run("r1").succeeds()
    assert (await waiting).outcome is Outcome.SUCCEEDED
    assert caplog.text.count("is in phase 99, which this provider does not know: it counts as not over") == 1


async def test_each_project_has_its_polls(local_flyte: LocalFlyte, client: FlyteClient) -> None:
    """A budget that is too small for all of them is shared."""
    projects = [f"p{number}" for number in range(60)]
    for project in projects:
        local_flyte.run("r1", project=project).move("RUNNING")
    async with RunWatcher(
        client, stream=False, poll_interval=0.1, min_poll_interval=0.1, max_calls_per_second=300
    ) as watcher:
        waits = asyncio.gather(*(watcher.wait("r1", project=project) for project in projects))
        await local_flyte.wait_for_call_async("ListRuns", 10 * len(projects), timeout=60)
        asked = [call.request.project_id.name for call in local_flyte.calls("ListRuns")][: 10 * len(projects)]
        counts = [asked.count(project) for project in projects]
        assert min(counts) >= 8
        assert max(counts) <= 12
        for project in projects:
            local_flyte.run("r1", project=project).succeeds()
        assert {seen.outcome for seen in await waits} == {Outcome.SUCCEEDED}


async def test_in_trouble_one_poll_a_round_is_enough(
    local_flyte: LocalFlyte, client: FlyteClient, clock: Clock
) -> None:
    names = [f"r{number}" for number in range(4001)]
    for name in names:
        local_flyte.run(name).move("RUNNING")
    news: list[str] = []
    async with RunWatcher(client, stream=False, clock=clock, sleep=clock.sleep) as watcher:
        waits = asyncio.gather(*(watcher.wait(name, on_trouble=news.append) for name in names))
        while len([call for call in local_flyte.calls("ListRuns") if is_terminal_only(call)]) < 6:
            await asyncio.sleep(0.001)
        local_flyte.inject("ListRuns", unavailable())
        while len(news) < len(names):
            await asyncio.sleep(0.001)
        asked, began = local_flyte.calls.count("ListRuns"), clock.now
        while clock.now < began + 100:
            await asyncio.sleep(0.001)
        assert local_flyte.calls.count("ListRuns") - asked <= 110
        local_flyte.clear_faults()
        for name in names:
            local_flyte.run(name).succeeds()
        assert {seen.outcome for seen in await waits} == {Outcome.SUCCEEDED}
    assert len(news) == 2 * len(names)


# -- a backend that refuses the filter


async def test_where_the_filter_is_refused_each_run_is_asked_for_ten_at_a_time(
    local_flyte: LocalFlyte, watcher: RunWatcher, caplog: pytest.LogCaptureFixture
) -> None:
    names = [f"run-{number}" for number in range(40)]
    for name in names:
        local_flyte.run(name).move("RUNNING")
    at_once: list[int] = []

    def note(request: Any) -> bool:
        at_once.append(sum(call.code is None for call in local_flyte.calls("GetRunDetails")))
        return True

    local_flyte.inject("GetRunDetails", delay(0.02), when=note)
    local_flyte.inject("ListRuns", status("INVALID_ARGUMENT", "unknown field run_name"))
    waits = asyncio.gather(*map(watcher.wait, names))
    await local_flyte.wait_for_call_async("GetRunDetails", 100, timeout=30)
    for name in names:
        local_flyte.run(name).succeeds()
    assert {seen.outcome for seen in await waits} == {Outcome.SUCCEEDED}
    assert 1 < max(at_once) <= 10
    assert len(local_flyte.calls("ListRuns")) == 1
    assert caplog.text.count("Flyte refuses to list runs by name") == 1


async def test_then_no_run_can_be_missing(local_flyte: LocalFlyte, watcher: RunWatcher) -> None:
    """NOT_FOUND of GetRunDetails is also what a broken database says."""
    local_flyte.inject("ListRuns", status("INVALID_ARGUMENT", "unknown field run_name"))
    seen = await watcher.wait("r1", rules=WaitRules(missing_after=10, unreachable_after=20))
    assert seen.outcome is Outcome.UNREACHABLE
    assert "It is not known whether the run exists" in seen.verdict.message


# -- trouble


async def test_each_wait_is_notified_of_trouble_and_recovery(
    local_flyte: LocalFlyte, watcher: RunWatcher, caplog: pytest.LogCaptureFixture
) -> None:
    news: dict[str, list[str]] = {"r1": [], "r2": []}
    for name in news:
        local_flyte.run(name).move("RUNNING")
    local_flyte.inject("ListRuns", unavailable("try later", times=3))
    waits = asyncio.gather(*(watcher.wait(name, on_trouble=news[name].append) for name in news))
    await local_flyte.wait_for_call_async("ListRuns", 6)
    for name in news:
        local_flyte.run(name).succeeds()
    await waits
    for lines in news.values():
        assert len(lines) == 2
        assert "No answer from Flyte, still waiting: " in lines[0]
        assert "try later" in lines[0]
        assert lines[1].startswith("Flyte answers again after ")


async def test_unreachable_when_the_budget_is_spent(local_flyte: LocalFlyte, watcher: RunWatcher, clock: Clock) -> None:
    local_flyte.run("r1").move("RUNNING")
    local_flyte.inject("ListRuns", unavailable())
    assert (await watcher.wait("r1")).outcome is Outcome.UNREACHABLE
    assert 300 <= clock.now < 310


@pytest.mark.parametrize("fault", [status("UNAUTHENTICATED"), status("PERMISSION_DENIED")])
async def test_lasting_trouble_ends_a_wait_at_once(
    local_flyte: LocalFlyte, watcher: RunWatcher, clock: Clock, fault: Any
) -> None:
    local_flyte.inject("ListRuns", fault)
    assert (await watcher.wait("r1")).outcome is Outcome.UNREACHABLE
    assert clock.now == 0


async def test_an_outage_of_the_server_is_waited_through(local_flyte: LocalFlyte, client: FlyteClient) -> None:
    run = local_flyte.run("r1")
    run.move("RUNNING")
    news: list[str] = []
    notified = asyncio.Event()

    def on_trouble(line: str) -> None:
        news.append(line)
        notified.set()

    async with RunWatcher(client, poll_interval=0.5) as watcher:
        waiting = asyncio.ensure_future(watcher.wait("r1", on_trouble=on_trouble))
        await local_flyte.wait_for_call_async("ListRuns", 1)
        await asyncio.to_thread(local_flyte.stop)
        await notified.wait()
        run.succeeds()
        await asyncio.to_thread(local_flyte.start)
        assert (await waiting).outcome is Outcome.SUCCEEDED
    assert len(news) == 2


async def test_trouble_that_lasts_leads_to_another_client(
    local_flyte: LocalFlyte, protocol: str, client: FlyteClient, clock: Clock
) -> None:
    """The host has moved, and the settings say so by now."""
    local_flyte.inject("*", unavailable())
    asked: list[float] = []
    with LocalFlyte(transports=(protocol,)) as moved:
        moved.run("r1").succeeds()
        async with FlyteClient(config_for(moved)) as other:

            async def renew() -> FlyteClient | None:
                asked.append(clock.now)
                return other if len(asked) == 2 else None

            async with RunWatcher(client, stream=False, renew=renew, clock=clock, sleep=clock.sleep) as watcher:
                assert (await watcher.wait("r1")).outcome is Outcome.SUCCEEDED
    assert len(asked) == 2
    assert 30 <= asked[0] < 35
    assert 60 <= asked[1] < 70


async def test_a_client_that_cannot_be_renewed_changes_nothing(
    local_flyte: LocalFlyte, client: FlyteClient, clock: Clock
) -> None:
    async def renew() -> FlyteClient | None:
        raise RuntimeError("Airflow's database is away")

    local_flyte.inject("*", status("UNAUTHENTICATED", "who are you"))
    async with RunWatcher(client, renew=renew, clock=clock, sleep=clock.sleep) as watcher:
        seen = await watcher.wait("r1")
    assert seen.outcome is Outcome.UNREACHABLE
    assert "who are you" in seen.verdict.message


async def test_progress_is_logged_once_a_minute(local_flyte: LocalFlyte, client: FlyteClient, clock: Clock) -> None:
    lines: list[tuple[float, str]] = []
    names = [f"r{number}" for number in range(30)]
    for name in names:
        local_flyte.run(name).move("RUNNING")
    async with RunWatcher(client, stream=False, clock=clock, sleep=clock.sleep) as watcher:
        waits = asyncio.gather(
            *(watcher.wait(name, on_progress=lambda line: lines.append((clock.now, line))) for name in names)
        )
        while clock.now < 200:
            await asyncio.sleep(0.001)
        for name in names:
            local_flyte.run(name).succeeds()
        await waits
    assert 2 * 30 <= len(lines) <= 3 * 30 + 30
    assert {line for _, line in lines} == {
        "Still waiting (30 waits share this connection to Flyte). Flyte last answered 0 s ago and is polled, because "
        "there is no stream of updates."
    }
    assert min(at for at, _ in lines) >= 60


async def test_progress_in_trouble_has_for_how_long(local_flyte: LocalFlyte, client: FlyteClient, clock: Clock) -> None:
    """Not that Flyte answered a while ago, right after a line that says it does not answer."""
    news: list[str] = []
    lines: list[str] = []
    local_flyte.run("r1").move("RUNNING")
    rules = WaitRules(unreachable_after=100.0)
    async with RunWatcher(client, stream=False, rules=rules, clock=clock, sleep=clock.sleep) as watcher:
        wait = asyncio.ensure_future(watcher.wait("r1", on_trouble=news.append, on_progress=lines.append))
        await local_flyte.wait_for_call_async("ListRuns", 1)
        local_flyte.inject("ListRuns", unavailable())
        assert (await wait).outcome is Outcome.UNREACHABLE
    assert len(news) == 1
    assert len(lines) >= 1
    for line in lines:
        words = r"Flyte has given no answer about the run for \d+ s; the wait ends when that has lasted 100 s"
        assert re.fullmatch(rf"Still waiting\. {words} \(unreachable_after\)\.", line)


# -- coming and going


async def test_a_wait_that_is_cancelled_leaves_the_others_alone(local_flyte: LocalFlyte, watcher: RunWatcher) -> None:
    local_flyte.run("r1").move("RUNNING")
    first, second = (asyncio.ensure_future(watcher.wait("r1")) for _ in range(2))
    await local_flyte.wait_for_call_async("ListRuns", 2)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert len(watcher) == 1
    local_flyte.run("r1").succeeds()
    assert (await second).outcome is Outcome.SUCCEEDED


async def test_close_cancels_what_is_open_and_may_be_repeated(
    local_flyte: LocalFlyte, watcher: RunWatcher, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "asyncio")
    local_flyte.run("r1").move("RUNNING")
    waiting = asyncio.ensure_future(watcher.wait("r1"))
    await local_flyte.wait_for_call_async("ListRuns", 1)
    watcher.close()
    watcher.close()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert len(watcher) == 0
    assert "Task was destroyed" not in caplog.text


async def test_a_watcher_can_be_used_again_after_it_was_idle(local_flyte: LocalFlyte, watcher: RunWatcher) -> None:
    local_flyte.run("r1").succeeds()
    for _ in range(3):
        assert (await watcher.wait("r1")).outcome is Outcome.SUCCEEDED


async def test_what_cannot_be_waited_for_is_refused(local_flyte: LocalFlyte, watcher: RunWatcher) -> None:
    with pytest.raises(ConfigError):
        await watcher.wait("No!")
    assert len(watcher) == 0
    assert local_flyte.calls() == []


async def test_a_watcher_that_breaks_does_not_leave_its_waits_hanging(
    local_flyte: LocalFlyte, client: FlyteClient
) -> None:
    async def broken(seconds: float) -> None:
        raise AssertionError("never awaited alone")

    def clock() -> float:
        if local_flyte.calls("ListRuns"):
            raise RuntimeError("no clock")
        return 0.0

    local_flyte.run("r1").move("RUNNING")
    async with RunWatcher(client, clock=clock, sleep=broken) as watcher:
        with pytest.raises(RuntimeError, match="no clock"):
            await watcher.wait("r1")
