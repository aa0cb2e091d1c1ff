"""The stream beside the poll: it ends waits at once, and whatever becomes of it none is lost."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Any

import pytest

from airflow_provider_flyte.client import FlyteClient, RunWatcher
from airflow_provider_flyte.client.errors import Status, error_for
from airflow_provider_flyte.client.idl.workflow.run_service_pb2 import WatchRunsResponse
from airflow_provider_flyte.client.phase import RunPhase
from airflow_provider_flyte.client.run_key import ProjectDomain, RunKey
from airflow_provider_flyte.client.verdict import Outcome, WaitRules
from airflow_provider_flyte.client.watch import stream as stream_module
from airflow_provider_flyte.client.watch.stream import MOST_STREAMS, Streams
from airflow_provider_flyte.testing import (
    Fault,
    LocalFlyte,
    cut_stream,
    lost_updates,
    silent_stream,
    slow_first_message,
    status,
    unavailable,
)
from tests.client.conftest import config_for
from tests.support.clock import Clock


def streams(
    client: FlyteClient, received: Callable[[RunKey, int], None], clock: Callable[[], float], sleep: Any
) -> Streams:
    """The streams of a client, in a project that has runs."""
    return Streams(lambda: client, received, lambda project_domain: True, clock, sleep)


HERE = ProjectDomain("flytesnacks", "development")


@pytest.fixture
async def client(local_flyte: LocalFlyte) -> AsyncIterator[FlyteClient]:
    async with FlyteClient(config_for(local_flyte)) as made:
        yield made


async def never(seconds: float) -> None:
    await asyncio.Event().wait()


async def stream_is_open(flyte: LocalFlyte, watcher: RunWatcher, count: int = 1) -> None:
    # A busy machine makes the first one dear, and its budget then puts off the next.
    await flyte.wait_for_call_async("WatchRuns", count, timeout=50)
    while not watcher.status.stream_up:
        await asyncio.sleep(0.001)


# -- what a update is for


async def test_an_end_is_noticed_without_a_poll(local_flyte: LocalFlyte, client: FlyteClient) -> None:
    run = local_flyte.run("r1").move("RUNNING")
    # Nobody asks again: the watcher sleeps for ever.
    async with RunWatcher(client, sleep=never) as watcher:
        waiting = asyncio.ensure_future(watcher.wait("r1"))
        await stream_is_open(local_flyte, watcher)
        await local_flyte.wait_for_call_async("ListRuns")
        run.fails(message="no rows")
        assert (await waiting).outcome is Outcome.FAILED
        assert local_flyte.calls.count("ListRuns") == 1
        assert watcher.status.ends_by_stream == 1


async def test_one_stream_a_project_while_somebody_waits_there(local_flyte: LocalFlyte, client: FlyteClient) -> None:
    names = [f"r{number}" for number in range(50)]
    for name in names:
        local_flyte.run(name).move("RUNNING")
        local_flyte.run(name, domain="staging").move("RUNNING")
    async with RunWatcher(client) as watcher:
        waits = [watcher.wait(name, domain=domain) for name in names for domain in ("development", "staging")]
        waiting = asyncio.gather(*waits)
        await stream_is_open(local_flyte, watcher, 2)
        assert watcher.status.streams == 2
        for name in names:
            local_flyte.run(name).succeeds()
            local_flyte.run(name, domain="staging").succeeds()
        assert {seen.outcome for seen in await waiting} == {Outcome.SUCCEEDED}
        await all_streams_ended(local_flyte)


async def all_streams_ended(flyte: LocalFlyte) -> None:
    while any(call.code is None for call in flyte.calls("WatchRuns")):
        await asyncio.sleep(0.001)


@pytest.mark.parametrize("phase", ["SUCCEEDED", "FAILED", "ABORTED", "TIMED_OUT", "RECOVERED"])
async def test_each_end_is_believed(local_flyte: LocalFlyte, client: FlyteClient, phase: str) -> None:
    run = local_flyte.run("r1").move("RUNNING")
    async with RunWatcher(client, sleep=never) as watcher:
        waiting = asyncio.ensure_future(watcher.wait("r1"))
        await stream_is_open(local_flyte, watcher)
        await local_flyte.wait_for_call_async("ListRuns")
        run.move(phase)
        good = phase in ("SUCCEEDED", "RECOVERED")
        assert (await waiting).outcome is (Outcome.SUCCEEDED if good else Outcome.FAILED)


async def test_what_is_no_end_is_none(
    local_flyte: LocalFlyte, client: FlyteClient, caplog: pytest.LogCaptureFixture
) -> None:
    """A retried attempt, a pause, a phase that nobody knows."""
    run = local_flyte.run("r1").move("RUNNING")
    async with RunWatcher(client, sleep=never) as watcher:
        waiting = asyncio.ensure_future(watcher.wait("r1"))
        await stream_is_open(local_flyte, watcher)
        await local_flyte.wait_for_call_async("ListRuns")
        for phase in ("PAUSED", "RUNNING", 99):
            run.move(phase)
        while "phase 99" not in caplog.text:
            await asyncio.sleep(0.001)
        run.succeeds()
        assert (await waiting).outcome is Outcome.SUCCEEDED
    assert caplog.text.count("phase 99, which this provider does not know") == 1


# -- what becomes of a stream: no wait is lost, whatever it is


FAULTS: dict[str, Callable[[], Fault]] = {
    "half of the updates lost": lambda: lost_updates(0.5),
    "all updates lost": lambda: lost_updates(1.0),
    "cut every 200 ms": lambda: cut_stream(seconds=0.2),
    "cut every 200 ms, tidily": lambda: cut_stream(seconds=0.2, code="OK"),
    "ends after its first message": lambda: cut_stream(after=1, code="OK"),
    "silent for ever": lambda: silent_stream(after=1),
    "silent from the start": lambda: silent_stream(after=0),
    "refused": lambda: status("UNIMPLEMENTED", "no such stream"),
    "forbidden": lambda: status("PERMISSION_DENIED", "not you"),
    "unavailable": lambda: unavailable(),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_no_wait_is_lost(local_flyte: LocalFlyte, client: FlyteClient, fault: str) -> None:
    """And each is found by the second list after its end at the latest: the first may be under way by then."""
    names = [f"r{number}" for number in range(40)]
    for name in names:
        local_flyte.run(name).move("RUNNING")
    local_flyte.inject("WatchRuns", FAULTS[fault]())
    ended: dict[str, int] = {}
    lists: dict[str, int] = {}

    async def one(name: str) -> Outcome:
        outcome = (await watcher.wait(name)).outcome
        lists[name] = local_flyte.calls.count("ListRuns") - ended[name]
        return outcome

    async with RunWatcher(client, poll_interval=0.4, min_poll_interval=0.1) as watcher:
        waiting = [asyncio.ensure_future(one(name)) for name in names]
        await local_flyte.wait_for_call_async("ListRuns", 2)
        for name in names:
            ended[name] = local_flyte.calls.count("ListRuns")
            local_flyte.run(name).succeeds()
            await asyncio.sleep(0.02)
        assert {await each for each in waiting} == {Outcome.SUCCEEDED}
    # Counted, because a machine that is busy is late by the clock.
    assert max(lists.values()) <= 2


async def test_a_server_that_is_killed_and_started_again(local_flyte: LocalFlyte, client: FlyteClient) -> None:
    runs = [local_flyte.run(f"r{number}").move("RUNNING") for number in range(10)]
    async with RunWatcher(client, poll_interval=0.5) as watcher:
        waiting = asyncio.gather(*(watcher.wait(run.name) for run in runs))
        await stream_is_open(local_flyte, watcher)
        for run in runs[:5]:
            await asyncio.to_thread(local_flyte.stop)
            run.succeeds()
            await asyncio.to_thread(local_flyte.start)
        opened = local_flyte.calls.count("WatchRuns")
        await stream_is_open(local_flyte, watcher, opened + 1)
        for run in runs[5:]:
            run.succeeds()
        assert {seen.outcome for seen in await waiting} == {Outcome.SUCCEEDED}


async def test_a_refused_stream_is_logged_once_and_not_asked_for_again(
    local_flyte: LocalFlyte, client: FlyteClient, caplog: pytest.LogCaptureFixture
) -> None:
    run = local_flyte.run("r1").move("RUNNING")
    local_flyte.inject("WatchRuns", status("UNIMPLEMENTED", "no such stream"))
    clock = Clock()
    async with RunWatcher(client, clock=clock, sleep=clock.sleep) as watcher:
        waiting = asyncio.ensure_future(watcher.wait("r1"))
        await local_flyte.wait_for_call_async("ListRuns", 20)
        assert not watcher.status.stream_up
        run.succeeds()
        await waiting
    assert local_flyte.calls.count("WatchRuns") == 1
    assert caplog.text.count("refuses a stream of updates (WatchRuns) of flytesnacks/development") == 1


async def test_a_stream_that_sends_nothing_is_given_up(
    local_flyte: LocalFlyte, client: FlyteClient, caplog: pytest.LogCaptureFixture
) -> None:
    """A proxy that buffers it for ever."""
    local_flyte.inject("WatchRuns", silent_stream(after=1))
    warning = "sends nothing, perhaps because a proxy buffers it"
    async with RunWatcher(client, poll_interval=0.2, min_poll_interval=0.05) as watcher:
        for number in range(50):
            run = local_flyte.run(f"r{number}").move("RUNNING")
            wait = asyncio.ensure_future(watcher.wait(run.name))
            stays = asyncio.ensure_future(watcher.wait("stays", rules=WaitRules(missing_after=None)))
            # Two rounds: what was over before the first poll for ends is no miss of the stream.
            await local_flyte.wait_for_call_async("ListRuns", local_flyte.calls.count("ListRuns") + 4)
            run.succeeds()
            assert (await wait).outcome is Outcome.SUCCEEDED
            while any(project._pending for project in watcher._projects.values()):
                await asyncio.sleep(0.01)
            if warning in caplog.text:
                break
        opened = local_flyte.calls.count("WatchRuns")
        await local_flyte.wait_for_call_async("ListRuns", local_flyte.calls.count("ListRuns") + 3)
        assert local_flyte.calls.count("WatchRuns") == opened
        stays.cancel()
    assert caplog.text.count(warning) == 1


async def test_a_stream_that_loses_less_than_it_sends_is_kept(local_flyte: LocalFlyte, client: FlyteClient) -> None:
    """Opening another one would lose more."""
    runs = [local_flyte.run(f"r{number}").move("RUNNING") for number in range(3)]
    received: list[tuple[str, int]] = []

    def receive(key: RunKey, phase: int) -> None:
        received.append((key.name, phase))

    async def until_received(name: str, phase: RunPhase) -> None:
        while (name, phase) not in received:
            await asyncio.sleep(0.001)

    stream = streams(client, receive, Clock(), asyncio.sleep)
    stream.want([HERE])
    await until_received("r0", RunPhase.RUNNING)
    for number, run in enumerate(runs):
        run.succeeds()
        await until_received(f"r{number}", RunPhase.SUCCEEDED)
    kept = stream.tasks
    # It told of three, and missed one.
    stream.missed(HERE, 1)
    assert stream.tasks == kept
    # It told of nothing since.
    stream.missed(HERE, 1)
    assert stream.tasks != kept
    tasks = kept + stream.tasks
    stream.close()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_stream_without_news_stays_open(local_flyte: LocalFlyte, client: FlyteClient) -> None:
    """Opening it is the dearest call there is on a large installation: never by the clock."""
    local_flyte.run("r1").move("RUNNING")
    clock = Clock()
    async with RunWatcher(client, clock=clock, sleep=clock.sleep) as watcher:
        waiting = asyncio.ensure_future(watcher.wait("r1"))
        await stream_is_open(local_flyte, watcher)
        while clock.now < 1800:
            await asyncio.sleep(0)
        assert local_flyte.calls.count("WatchRuns") == 1
        local_flyte.run("r1").succeeds()
        assert (await waiting).outcome is Outcome.SUCCEEDED


class Opening:
    """Streams of a backend that takes long to open one; what a pause before the next is, and no pause is spent."""

    def __init__(self, client: FlyteClient, seconds: float) -> None:
        self.clock = Clock()
        self.pauses: list[float] = []
        self.openings: list[float] = []
        self._seconds = seconds
        self._ends = asyncio.Event()
        self.streams = Streams(
            lambda: client, lambda key, phase: None, lambda project_domain: True, self.clock, self._sleep
        )

    async def _sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.clock.now += seconds
        await asyncio.sleep(0)

    async def stream(self, *_: Any, **__: Any) -> AsyncGenerator[Any, None]:
        self.openings.append(self.clock.now)
        self.clock.now += self._seconds
        yield WatchRunsResponse()
        await self._ends.wait()
        self._ends.clear()
        raise error_for(Status.INTERNAL, "Received RST_STREAM with error code 2", method="WatchRuns", endpoint="here")

    async def is_cut_after(self, seconds: float) -> None:
        """A proxy's idle time-out."""
        while not self.streams.working(HERE):
            await asyncio.sleep(0)
        self.clock.now += seconds
        pauses = len(self.pauses)
        self._ends.set()
        while len(self.pauses) == pauses and self.streams.tasks:
            await asyncio.sleep(0)


async def test_opening_takes_at_most_a_hundredth_of_the_time(
    client: FlyteClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    opening = Opening(client, 3.0)
    monkeypatch.setattr(client.async_transport(), "server_stream", opening.stream)
    opening.streams.want([HERE])
    await asyncio.sleep(0)
    await opening.is_cut_after(60.0)
    [first] = opening.openings[:1]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert opening.openings[1] - first == pytest.approx(300.0)
    tasks = opening.streams.tasks
    opening.streams.close()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_stream_that_is_cut_before_it_pays_is_left_to_polls(
    client: FlyteClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "airflow_provider_flyte")
    opening = Opening(client, 3.0)
    monkeypatch.setattr(client.async_transport(), "server_stream", opening.stream)
    opening.streams.want([HERE])
    await asyncio.sleep(0)
    for _ in range(2):
        await opening.is_cut_after(60.0)
    while opening.streams.tasks:
        await asyncio.sleep(0)
    opening.clock.now += 3599
    opening.streams.want([HERE])
    assert not opening.streams.tasks
    [line] = [record for record in caplog.records if "does not pay" in record.getMessage()]
    assert line.levelno == logging.INFO
    opening.clock.now += 1
    opening.streams.want([HERE])
    [task] = opening.streams.tasks
    opening.streams.close()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_cheap_stream_that_is_cut_comes_back_without_hurry(
    client: FlyteClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing happened before a proxy cut it, so nothing is missed by a pause that grows."""
    opening = Opening(client, 0.005)
    monkeypatch.setattr(client.async_transport(), "server_stream", opening.stream)
    opening.streams.want([HERE])
    await asyncio.sleep(0)
    for _ in range(10):
        await opening.is_cut_after(60.0)
    assert opening.pauses[0] < 1
    assert 15 <= opening.pauses[-1] <= 30
    tasks = opening.streams.tasks
    opening.streams.close()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_dear_stream_is_not_opened_again_for_a_missed_end(
    local_flyte: LocalFlyte, client: FlyteClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    opening = Opening(client, 3.0)
    monkeypatch.setattr(client.async_transport(), "server_stream", opening.stream)
    opening.streams.want([HERE])
    while not opening.streams.working(HERE):
        await asyncio.sleep(0)
    kept = opening.streams.tasks
    opening.streams.missed(HERE, 1)
    assert opening.streams.tasks == kept
    # Until it tells of an end again, polls do not rely on it.
    assert not opening.streams.working(HERE)
    opening.streams.kept_up(HERE)
    assert opening.streams.working(HERE)
    opening.clock.now += 300
    opening.streams.missed(HERE, 1)
    assert opening.streams.tasks != kept
    tasks = kept + opening.streams.tasks
    opening.streams.close()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_only_misses_in_a_row_close_a_stream(client: FlyteClient, monkeypatch: pytest.MonkeyPatch) -> None:
    opening = Opening(client, 0.0)
    monkeypatch.setattr(client.async_transport(), "server_stream", opening.stream)
    opening.streams.want([HERE])
    tasks: list[Any] = []
    for _ in range(5):
        for _ in range(2):
            while not opening.streams.working(HERE):
                await asyncio.sleep(0)
            tasks += opening.streams.tasks
            opening.streams.missed(HERE, 1)
        opening.streams.kept_up(HERE)
    assert opening.streams.tasks
    for _ in range(3):
        tasks += opening.streams.tasks
        opening.streams.missed(HERE, 1)
    assert not opening.streams.tasks
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_while_a_stream_takes_long_to_open_polls_find_the_ends(
    local_flyte: LocalFlyte, client: FlyteClient
) -> None:
    local_flyte.run("r1").move("RUNNING")
    local_flyte.inject("WatchRuns", slow_first_message(60.0))
    async with RunWatcher(client, poll_interval=0.2, min_poll_interval=0.05) as watcher:
        waiting = asyncio.ensure_future(watcher.wait("r1"))
        await local_flyte.wait_for_call_async("WatchRuns")
        assert not watcher.status.stream_up
        local_flyte.run("r1").succeeds()
        assert (await waiting).outcome is Outcome.SUCCEEDED


async def test_a_stream_that_never_begins_is_given_up(
    local_flyte: LocalFlyte, client: FlyteClient, caplog: pytest.LogCaptureFixture
) -> None:
    local_flyte.run("r1").move("RUNNING")
    local_flyte.inject("WatchRuns", silent_stream(after=0))
    clock = Clock()
    async with RunWatcher(client, clock=clock, sleep=clock.sleep) as watcher:
        waiting = asyncio.ensure_future(watcher.wait("r1"))
        while "has sent nothing for 10 s" not in caplog.text:
            await asyncio.sleep(0)
        assert clock.now < 30
        while clock.now < 500:
            await asyncio.sleep(0)
        assert local_flyte.calls.count("WatchRuns") == 1
        local_flyte.run("r1").succeeds()
        assert (await waiting).outcome is Outcome.SUCCEEDED


@pytest.mark.parametrize("progress", [True, False])
async def test_pauses_grow_only_without_progress(local_flyte: LocalFlyte, client: FlyteClient, progress: bool) -> None:
    """A stream that is cut again and again, but tells something before, is worth opening at once."""
    run = local_flyte.run("r1").move("RUNNING")
    local_flyte.inject("WatchRuns", cut_stream(after=2 if progress else 1))
    pauses: list[float] = []
    received: list[int] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        await asyncio.sleep(0)

    def receive(key: object, phase: int) -> None:
        received.append(phase)

    stream = streams(client, receive, Clock(), sleep)
    stream.want([HERE])
    for number in range(8):
        # The first message of this stream is here; the second one cuts it.
        while len(received) < (2 if progress else 1) * number + 1:
            await asyncio.sleep(0.001)
        run.move("PAUSED" if number % 2 else "RUNNING")
    while len(pauses) < 8:
        await asyncio.sleep(0.001)
    tasks = stream.tasks
    stream.close()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert (max(pauses[:8]) <= 0.1) is progress
    assert (pauses[7] > 4 * pauses[0]) is not progress


async def test_a_cancellation_that_a_library_swallows_ends_the_stream(
    local_flyte: LocalFlyte, client: FlyteClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python's wait_for before 3.12 does that when what it waits for comes at the same moment."""
    opened = 0

    async def swallowing(*_: Any, **__: Any) -> AsyncGenerator[Any, None]:
        nonlocal opened
        opened += 1
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            raise error_for(Status.UNAVAILABLE, "just now", method="WatchRuns", endpoint="here") from None
        yield None

    monkeypatch.setattr(client.async_transport(), "server_stream", swallowing)
    clock = asyncio.get_running_loop().time
    stream = streams(client, lambda *_: None, clock, asyncio.sleep)
    stream.want([HERE])
    await asyncio.sleep(0)
    [old] = stream.tasks
    stream.renew()
    await old
    [new] = stream.tasks
    await asyncio.sleep(0)
    stream.close()
    await new
    assert opened == 2


async def test_streams_leave_room_for_polls(local_flyte: LocalFlyte, client: FlyteClient) -> None:
    """With 260 streams on one connection a backend answers no poll any more."""
    projects = [f"p{number}" for number in range(MOST_STREAMS + 10)]
    for project in projects:
        local_flyte.run("r1", project=project).move("RUNNING")
    async with RunWatcher(client, poll_interval=0.5, max_calls_per_second=1000) as watcher:
        waiting = asyncio.gather(*(watcher.wait("r1", project=project) for project in projects))
        await local_flyte.wait_for_call_async("WatchRuns", MOST_STREAMS)
        # A further round for every project, in which another stream could have been wanted.
        await local_flyte.wait_for_call_async("ListRuns", 2 * len(projects), timeout=30)
        assert local_flyte.calls.count("WatchRuns") == MOST_STREAMS
        for project in projects:
            local_flyte.run("r1", project=project).succeeds()
        assert {seen.outcome for seen in await waiting} == {Outcome.SUCCEEDED}


# -- what becomes of the poll


async def test_half_a_minute_of_unavailable(local_flyte: LocalFlyte, client: FlyteClient) -> None:
    clock = Clock()
    run = local_flyte.run("r1").move("RUNNING")
    local_flyte.inject("*", status("UNAVAILABLE", "away"), when=lambda *_: clock.now < 30)
    async with RunWatcher(client, stream=False, clock=clock, sleep=clock.sleep) as watcher:
        waiting = asyncio.ensure_future(watcher.wait("r1"))
        while clock.now < 31:
            await asyncio.sleep(0.001)
        # Sooner than when all is quiet, so that the outage's end is noticed.
        assert max(clock.slept[:15]) <= 2
        run.succeeds()
        assert (await waiting).outcome is Outcome.SUCCEEDED


async def test_a_minute_of_not_found_for_everything(local_flyte: LocalFlyte, client: FlyteClient) -> None:
    """What a backend without its database says proves nothing."""
    clock = Clock()
    run = local_flyte.run("r1").move("RUNNING")
    local_flyte.inject("*", status("NOT_FOUND", "failed"), when=lambda *_: clock.now < 60)
    async with RunWatcher(client, clock=clock, sleep=clock.sleep) as watcher:
        waiting = asyncio.ensure_future(watcher.wait("r1", rules=WaitRules(missing_after=20)))
        while clock.now < 61:
            await asyncio.sleep(0.001)
        run.succeeds()
        assert (await waiting).outcome is Outcome.SUCCEEDED


async def test_a_page_that_fails_midway(local_flyte: LocalFlyte, client: FlyteClient) -> None:
    names = [f"r{number}" for number in range(450)]
    for name in names:
        local_flyte.run(name).succeeds()

    def second_page(request: Any) -> bool:
        return bool(request.request.token)

    local_flyte.inject("ListRuns", unavailable("page lost", times=2), when=second_page)
    async with RunWatcher(client, poll_interval=0.2, stream=False) as watcher:
        seen = await asyncio.gather(*map(watcher.wait, names))
    assert {each.outcome for each in seen} == {Outcome.SUCCEEDED}


async def test_internal_that_only_lists_meet_is_a_refusal(
    local_flyte: LocalFlyte, client: FlyteClient, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock()
    run = local_flyte.run("r1").move("RUNNING")
    local_flyte.inject("ListRuns", status("INTERNAL", "unable to convert string to array"))
    async with RunWatcher(client, stream=False, clock=clock, sleep=clock.sleep) as watcher:
        waiting = asyncio.ensure_future(watcher.wait("r1"))
        await local_flyte.wait_for_call_async("GetRunDetails", 5)
        assert local_flyte.calls.count("ListRuns") == 3
        run.succeeds()
        assert (await waiting).outcome is Outcome.SUCCEEDED
    assert caplog.text.count("so each run is polled by itself") == 1


async def test_internal_that_everything_meets_is_an_outage(local_flyte: LocalFlyte, client: FlyteClient) -> None:
    clock = Clock()
    run = local_flyte.run("r1").move("RUNNING")
    local_flyte.inject("*", status("INTERNAL", "the database is down"), when=lambda *_: clock.now < 100)
    async with RunWatcher(client, stream=False, clock=clock, sleep=clock.sleep) as watcher:
        waiting = asyncio.ensure_future(watcher.wait("r1"))
        while clock.now < 101:
            await asyncio.sleep(0.001)
        run.succeeds()
        assert (await waiting).outcome is Outcome.SUCCEEDED
        # The filter works again, and is what is used.
        assert local_flyte.calls("ListRuns")[-1].code == "OK"


async def test_without_lists_each_run_has_its_turn(local_flyte: LocalFlyte, client: FlyteClient) -> None:
    clock = Clock()
    names = [f"r{number}" for number in range(100)]
    for name in names:
        local_flyte.run(name).move("RUNNING")
    local_flyte.inject("ListRuns", status("INVALID_ARGUMENT", "unknown field run_name"))
    async with RunWatcher(client, stream=False, max_calls_per_second=20, clock=clock, sleep=clock.sleep) as watcher:
        waiting = asyncio.gather(*map(watcher.wait, names))
        await local_flyte.wait_for_call_async("GetRunDetails", 450)
        asked = [call.request.run_id.name for call in local_flyte.calls("GetRunDetails")][:450]
        for name in names:
            turns = [number for number, each in enumerate(asked) if each == name]
            # Two rounds at the most, and calls that are made together arrive in any order.
            assert max(later - turn for turn, later in zip(turns, [*turns[1:], len(asked)], strict=True)) <= 200
        # The budget, in the watcher's own time.
        assert clock.now >= (len(local_flyte.calls("GetRunDetails")) - 40) / 20
        for name in names:
            local_flyte.run(name).succeeds()
        assert {seen.outcome for seen in await waiting} == {Outcome.SUCCEEDED}


async def test_without_lists_new_waits_take_no_turn_from_others(local_flyte: LocalFlyte, client: FlyteClient) -> None:
    """One new wait every 0.7 s kept 100 of 400 from being looked at for 90 s."""
    clock = Clock()
    names = [f"r{number}" for number in range(400)]
    for name in names:
        local_flyte.run(name).move("RUNNING")
    local_flyte.inject("ListRuns", status("INVALID_ARGUMENT", "unknown field run_name"))
    noticed: dict[str, float] = {}

    async def one(name: str) -> None:
        await watcher.wait(name)
        noticed[name] = clock.now

    async with RunWatcher(client, stream=False, max_calls_per_second=20, clock=clock, sleep=clock.sleep) as watcher:
        waits: list[asyncio.Future[Any]] = [asyncio.ensure_future(one(name)) for name in names]
        while clock.now < 30:
            await asyncio.sleep(0)
        ended, more = clock.now, 0
        for name in names[::4]:
            local_flyte.run(name).succeeds()
        while len(noticed) < 100 and clock.now < ended + 90:
            if clock.now >= ended + 0.7 * more:
                more += 1
                local_flyte.run(f"new-{more}").move("RUNNING")
                waits.append(asyncio.ensure_future(watcher.wait(f"new-{more}")))
            await asyncio.sleep(0)
        assert len(noticed) == 100
        # 400 runs at ten turns a second, which those who come leave to those who wait.
        assert max(noticed.values()) - ended <= 60
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)


# -- coming and going


async def test_ten_thousand_cancelled_waits_leave_nothing(
    local_flyte: LocalFlyte, client: FlyteClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "asyncio")
    local_flyte.run("stays").move("RUNNING")
    async with RunWatcher(client, poll_interval=0.5) as watcher:
        stays = asyncio.ensure_future(watcher.wait("stays"))
        await stream_is_open(local_flyte, watcher)
        before = len(asyncio.all_tasks())
        waits = [
            asyncio.ensure_future(watcher.wait(f"r{number}", interval=number + 1.0, on_progress=print))
            for number in range(10_000)
        ]
        await asyncio.sleep(0)
        assert len(watcher) == 10_001
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)
        del waits, wait
        assert len(watcher) == 1
        asked = local_flyte.calls.count("ListRuns")
        await local_flyte.wait_for_call_async("ListRuns", asked + 2)
        [project] = watcher._projects.values()
        assert list(project.waits.names()) == ["stays"]
        [group] = project.waits.groups
        assert list(group.names) == ["stays"]
        assert (len(watcher._open._open), len(watcher._open._intervals), len(project.waits.young.names)) == (1, 1, 0)
        assert len(asyncio.all_tasks()) <= before + 2  # a sleep and a wake-up, between two polls
        local_flyte.run("stays").succeeds()
        await stays
    assert not [line for line in caplog.text.splitlines() if "never retrieved" in line or "was destroyed" in line]


def test_a_loop_that_ends_with_waits_open(local_flyte: LocalFlyte, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "asyncio")
    local_flyte.run("r1").move("RUNNING")

    kept: list[asyncio.Future[Any]] = []

    async def main() -> None:
        async with FlyteClient(config_for(local_flyte)) as client:
            watcher = RunWatcher(client)
            kept.append(asyncio.ensure_future(watcher.wait("r1")))
            await stream_is_open(local_flyte, watcher)

    asyncio.run(main(), debug=True)
    assert not [line for line in caplog.text.splitlines() if "never retrieved" in line or "was destroyed" in line]


def test_constants_are_those_of_the_page() -> None:
    assert (stream_module.SHARE, MOST_STREAMS) == (0.01, 50)
