"""When a stream is opened, counts as working, and is given up. By a scripted stream and a clock, without a server."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import math
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_flyte.client.errors import Status, error_for
from airflow_provider_flyte.client.idl.workflow.run_service_pb2 import WatchRunsResponse
from airflow_provider_flyte.client.run_key import ProjectDomain, RunKey
from airflow_provider_flyte.client.watch.stream import Streams

HERE, THERE = ProjectDomain("p", "development"), ProjectDomain("p", "staging")
CALLER: contextvars.ContextVar[str] = contextvars.ContextVar("caller", default="nobody")


def message(*phases: tuple[str, int]) -> WatchRunsResponse:
    response = WatchRunsResponse()
    for name, phase in phases:
        run = response.runs.add()
        run.action.id.run.project, run.action.id.run.domain, run.action.id.run.name = "p", "development", name
        run.action.status.phase = phase  # type: ignore[assignment]  # an open enum
    return response


def error(code: Status) -> Exception:
    return error_for(code, "so it is", method="WatchRuns", endpoint="here")


class Opened:
    """One stream that was opened: it sends what the test gives it, raises an exception, and ends with None."""

    def __init__(self, request: Any, at: float) -> None:
        project = request.project_id
        self.org, self.where = project.organization, ProjectDomain(project.name, project.domain)
        self.at = at
        self.sends: asyncio.Queue[Any] = asyncio.Queue()
        self.closed = False


class Scripted:
    """Streams of scripted openings. A pause is spent by the clock alone, unless ``stuck``."""

    def __init__(self) -> None:
        self.now = 0.0
        self.has_runs = True
        self.stuck = False
        self.swallows = False
        self.pauses: list[float] = []
        self.opened: list[Opened] = []
        self.updates: list[tuple[RunKey, int, str]] = []
        self.tasks: set[asyncio.Task[None]] = set()
        client: Any = SimpleNamespace(
            config=SimpleNamespace(org="acme"),
            async_transport=lambda: SimpleNamespace(server_stream=self._stream),
        )
        self.streams = Streams(
            lambda: client, self._receive, lambda where: self.has_runs, lambda: self.now, self._sleep
        )

    def _receive(self, key: RunKey, phase: int) -> None:
        self.updates.append((key, phase, CALLER.get()))

    async def _sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        if self.stuck:
            await asyncio.Event().wait()
        self.now += seconds

    async def _stream(self, method: Any, request: Any) -> AsyncIterator[Any]:
        opened = Opened(request, self.now)
        self.opened.append(opened)
        try:
            while (sent := await opened.sends.get()) is not None:
                if isinstance(sent, Exception):
                    raise sent
                yield sent
        except asyncio.CancelledError:
            if self.swallows:
                raise error(Status.UNAVAILABLE) from None
            raise
        finally:
            opened.closed = True

    async def turns(self) -> None:
        for _ in range(20):
            await asyncio.sleep(0)
        self.tasks.update(self.streams.tasks)

    async def want(self, *project_domains: ProjectDomain) -> list[ProjectDomain]:
        """Want streams of these projects; return those whose streams are open then."""
        self.streams.want(project_domains)
        await self.turns()
        return [opened.where for opened in self.opened if not opened.closed]

    async def send(self, what: Any, number: int = -1) -> None:
        self.opened[number].sends.put_nowait(what)
        await self.turns()

    async def end(self) -> None:
        self.streams.close()
        await self.turns()
        assert not self.streams.tasks
        assert all(opened.closed for opened in self.opened)


@pytest.fixture
async def scripted() -> AsyncIterator[Scripted]:
    made = Scripted()
    yield made
    await made.end()


async def test_one_stream_for_each_project_that_is_wanted(scripted: Scripted) -> None:
    assert await scripted.want(HERE, THERE) == [HERE, THERE]
    assert await scripted.want(HERE, THERE) == [HERE, THERE]
    assert await scripted.want(THERE) == [THERE]
    assert len(scripted.streams.tasks) == 1
    assert await scripted.want() == []
    assert scripted.streams.opened == len(scripted.opened) == 2
    assert scripted.opened[0].org == "acme"


async def test_at_most_fifty_streams(scripted: Scripted) -> None:
    projects = [ProjectDomain(f"p{number}", "d") for number in range(51)]
    assert await scripted.want(*projects) == projects[:-1]
    # One is closed, and leaves room for the last.
    assert await scripted.want(*projects[1:]) == projects[1:]


async def test_updates_are_passed_on_in_nobodys_context(scripted: Scripted) -> None:
    CALLER.set("the first who waits")
    await scripted.want(HERE)
    await scripted.send(message(("r1", 3), ("r2", 4)))
    await scripted.send(message(("r1", 5)))
    assert scripted.updates == [(RunKey("p", "development", name), phase, "nobody") for name, phase in
                                (("r1", 3), ("r2", 4), ("r1", 5))]  # fmt: skip


async def test_with_runs_a_stream_works_from_its_first_message_on(scripted: Scripted) -> None:
    streams = scripted.streams
    assert streams.open_since(HERE) == math.inf
    assert not streams.working(HERE)
    streams.want([HERE])
    # Its task has not run yet.
    assert streams.open_since(HERE) == math.inf
    await scripted.turns()
    scripted.now += 5
    assert streams.open_since(HERE) == math.inf
    assert not streams.working(HERE)
    await scripted.send(message())
    opened_at = scripted.now
    assert streams.open_since(HERE) == opened_at
    scripted.now += 3
    await scripted.send(message())
    assert streams.open_since(HERE) == opened_at
    assert streams.working(HERE)
    assert not streams.working(THERE)
    scripted.stuck = True
    await scripted.send(None)
    # It has ended, and the next one is not open yet.
    assert streams.open_since(HERE) == math.inf
    assert not streams.working(HERE)


async def test_without_runs_a_stream_counts_as_open_after_a_while(scripted: Scripted) -> None:
    scripted.has_runs = False
    scripted.now = 5.0
    await scripted.want(HERE)
    scripted.now = 6.9
    assert not scripted.streams.working(HERE)
    assert scripted.streams.open_since(HERE) == math.inf
    scripted.now = 7.0
    assert scripted.streams.working(HERE)
    assert scripted.streams.open_since(HERE) == 7.0
    # Nothing is pending, so nothing is late.
    scripted.now = 1000.0
    assert await scripted.want(HERE) == [HERE]
    # A first message after hours is no price.
    await scripted.send(message())
    await scripted.send(None)
    assert scripted.pauses[0] < 1


async def test_a_stream_that_never_begins_is_given_up_for_ten_minutes(
    scripted: Scripted, caplog: pytest.LogCaptureFixture
) -> None:
    await scripted.want(HERE, THERE)
    await scripted.send(message(), 1)
    scripted.now = 9.9
    assert await scripted.want(HERE, THERE) == [HERE, THERE]
    scripted.now = 10.0
    assert await scripted.want(HERE, THERE) == [THERE]
    assert "WatchRuns) of p/development has sent nothing for 10 s" in caplog.text
    scripted.now = 609.9
    assert await scripted.want(HERE, THERE) == [THERE]
    scripted.now = 610.0
    assert await scripted.want(HERE, THERE) == [THERE, HERE]
    scripted.now = 620.0
    assert await scripted.want(HERE, THERE) == [THERE]
    assert len(caplog.records) == 1


async def test_while_a_stream_pauses_it_is_not_late(scripted: Scripted, caplog: pytest.LogCaptureFixture) -> None:
    await scripted.want(HERE)
    scripted.stuck = True
    await scripted.send(error(Status.UNAVAILABLE))
    scripted.now += 11
    await scripted.want(HERE)
    assert len(scripted.streams.tasks) == 1
    assert not caplog.records


async def begun(scripted: Scripted) -> asyncio.Task[None]:
    """A stream that works, and its task."""
    await scripted.want(HERE)
    await scripted.send(message())
    [task] = scripted.streams.tasks
    return task


async def test_a_stream_that_sends_less_than_it_misses_is_opened_again(scripted: Scripted) -> None:
    task, streams = await begun(scripted), scripted.streams
    for _ in range(2):
        await scripted.send(message())
    # It has sent more than it missed, then as many, then nothing.
    streams.missed(HERE, 1)
    assert (streams.tasks, streams.working(HERE)) == ([task], True)
    for _ in range(2):
        await scripted.send(message())
    streams.missed(HERE, 2)
    assert streams.tasks != [task]
    assert not streams.working(HERE)
    streams.missed(THERE, 1)
    await scripted.turns()
    assert scripted.opened[0].closed
    await scripted.send(message())
    assert streams.working(HERE)


async def test_the_first_message_is_no_sign_that_a_stream_works(scripted: Scripted) -> None:
    await scripted.want(HERE)
    [task] = scripted.streams.tasks
    # Nor is one that has not come yet a debt of later.
    scripted.streams.missed(HERE, 3)
    assert scripted.streams.tasks != [task]
    task = await begun(scripted)
    scripted.streams.missed(HERE, 0)
    assert scripted.streams.tasks != [task]


async def test_after_three_misses_in_a_row_a_stream_is_left_closed(
    scripted: Scripted, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        await begun(scripted)
        scripted.streams.missed(HERE, 1)
    await begun(scripted)
    # A success interrupts the series.
    scripted.streams.kept_up(HERE)
    scripted.streams.kept_up(THERE)
    for count in (1, 2, 3):
        assert len(scripted.streams.tasks) == 1
        await begun(scripted)
        scripted.streams.missed(HERE, 1)
        assert len(scripted.streams.tasks) == (count < 3)
    assert "WatchRuns) of p/development sends nothing, perhaps because a proxy buffers it" in caplog.text
    scripted.now = 599.9
    assert await scripted.want(HERE) == []
    scripted.now = 600.0
    assert await scripted.want(HERE) == [HERE]
    for _ in range(3):
        await begun(scripted)
        scripted.streams.missed(HERE, 1)
    assert not scripted.streams.tasks
    # It is logged once.
    assert len(caplog.records) == 1


async def test_an_expensive_stream_that_misses_is_opened_again_when_it_has_earned_it(scripted: Scripted) -> None:
    await scripted.want(HERE)
    scripted.now = 3.0
    await scripted.send(message())
    scripted.now = 50.0
    await scripted.send(message())
    [task] = scripted.streams.tasks
    scripted.now = 299.9
    scripted.streams.missed(HERE, 2)
    assert scripted.streams.tasks == [task]
    assert scripted.streams.open_since(HERE) == 3.0
    assert not scripted.streams.working(HERE)
    scripted.streams.kept_up(HERE)
    assert scripted.streams.working(HERE)
    scripted.now = 300.0
    scripted.streams.missed(HERE, 1)
    assert scripted.streams.tasks != [task]


async def test_a_stream_that_misses_while_it_pauses_is_not_hurried(scripted: Scripted) -> None:
    task = await begun(scripted)
    scripted.stuck = True
    await scripted.send(None)
    scripted.streams.missed(HERE, 1)
    assert scripted.streams.tasks == [task]


async def test_another_client_gets_streams_of_its_own(scripted: Scripted) -> None:
    for _ in range(2):
        await begun(scripted)
        scripted.streams.missed(HERE, 1)
    await begun(scripted)
    [task] = scripted.streams.tasks
    scripted.streams.renew()
    assert scripted.streams.tasks != [task]
    # What the one before has missed is not held against it.
    for count in (1, 2, 3):
        assert len(scripted.streams.tasks) == 1
        await begun(scripted)
        scripted.streams.missed(HERE, 1)
        assert len(scripted.streams.tasks) == (count < 3)
    # Nor is what the one before refused.
    assert await scripted.want(HERE) == []
    scripted.streams.renew()
    assert await scripted.want(HERE) == [HERE]


@pytest.mark.parametrize(
    "code", [Status.UNIMPLEMENTED, Status.INVALID_ARGUMENT, Status.PERMISSION_DENIED, Status.NOT_FOUND]
)
async def test_a_refusal_is_final(scripted: Scripted, code: Status, caplog: pytest.LogCaptureFixture) -> None:
    await scripted.want(HERE, THERE)
    await scripted.send(error(code), 0)
    assert "Flyte refuses a stream of updates (WatchRuns) of p/development" in caplog.text
    scripted.now = 1e9
    await scripted.send(message(), 1)
    assert await scripted.want(HERE, THERE) == [THERE]
    assert not scripted.pauses
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


async def test_a_refusal_of_a_stream_that_is_no_longer_wanted_is_ignored(scripted: Scripted) -> None:
    await scripted.want(HERE)
    scripted.opened[0].sends.put_nowait(error(Status.UNIMPLEMENTED))
    # Its answer and the end of the last wait come in one turn of the loop.
    await asyncio.sleep(0)
    scripted.streams.renew()
    await scripted.turns()
    assert await scripted.want(HERE) == [HERE]


@pytest.mark.parametrize("end", [None, error(Status.UNAVAILABLE), error(Status.INTERNAL), ValueError("broken")])
async def test_whatever_ends_a_stream_another_one_is_opened(
    scripted: Scripted, end: Exception | None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "airflow_provider_flyte")
    await begun(scripted)
    await scripted.send(end)
    assert [opened.closed for opened in scripted.opened] == [True, False]
    assert scripted.streams.opened == 2
    unexpected = isinstance(end, ValueError)
    assert [record.levelno for record in caplog.records] == [logging.ERROR] * unexpected
    assert ("of p/development failed with an unexpected error" in caplog.text) is unexpected


async def test_pauses_grow_until_there_is_progress(scripted: Scripted) -> None:
    await scripted.want(HERE)
    for _ in range(100):
        await scripted.send(message())
        await scripted.send(error(Status.UNAVAILABLE))
    for number, pause in enumerate(scripted.pauses, 1):
        most = min(30.0, 0.1 * 2**number)
        assert most / 2 <= pause <= most
    await scripted.send(message())
    await scripted.send(message())
    await scripted.send(error(Status.UNAVAILABLE))
    assert scripted.pauses[-1] <= 0.1


@pytest.mark.parametrize(("cost", "pays"), [(0.99, True), (1.0, False), (3.0, False)])
async def test_a_stream_that_is_cut_twice_before_it_has_paid_is_left_closed_for_an_hour(
    scripted: Scripted, cost: float, pays: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "airflow_provider_flyte")
    await scripted.want(HERE)
    for _ in range(2):
        scripted.now += cost
        await scripted.send(message())
        scripted.now += 10
        await scripted.send(message())
        await scripted.send(error(Status.INTERNAL))
    assert bool(scripted.streams.tasks) is pays
    # It is opened as often as a hundredth of the time allows.
    assert scripted.pauses[0] == pytest.approx(99 * cost - 10)
    lines = [record for record in caplog.records if "so it does not pay" in record.getMessage()]
    assert [line.levelno for line in lines] == [logging.INFO] * (not pays)
    if not pays:
        assert f"p/development takes Flyte {cost:.1f} s to open" in lines[0].getMessage()
        began = scripted.now
        scripted.now = began + 3599.9
        assert await scripted.want(HERE) == []
        scripted.now = began + 3600.0
        assert await scripted.want(HERE) == [HERE]


async def test_only_cuts_in_a_row_count(scripted: Scripted) -> None:
    await scripted.want(HERE)
    for stays in (10.0, 297.0, 10.0, 297.0):
        scripted.now += 3.0
        await scripted.send(message())
        scripted.now += stays
        await scripted.send(error(Status.INTERNAL))
    assert scripted.streams.tasks
    # Each had to earn its successor: the dear one by a pause, the other by its life.
    assert [round(pause) for pause in scripted.pauses[::2]] == [287, 287]
    assert max(scripted.pauses[1::2]) <= 1.6


async def test_a_stream_that_is_cut_a_moment_too_early_has_not_paid(scripted: Scripted) -> None:
    await scripted.want(HERE)
    for _ in range(2):
        scripted.now += 3.0
        await scripted.send(message())
        scripted.now += 296.5
        await scripted.send(error(Status.INTERNAL))
    assert not scripted.streams.tasks


async def test_what_is_missed_before_the_first_message_of_an_expensive_stream(scripted: Scripted) -> None:
    await scripted.want(HERE)
    scripted.now += 3.0
    await scripted.send(message())
    scripted.now += 300.0
    await scripted.send(None)
    # Its second opening, of which only the price is known.
    [task] = scripted.streams.tasks
    scripted.streams.missed(HERE, 1)
    for _ in range(3):
        await scripted.send(message())
    scripted.streams.kept_up(HERE)
    scripted.streams.missed(HERE, 1)
    # It has sent two more than the first message, which shows that it works.
    assert scripted.streams.working(HERE)
    assert scripted.streams.tasks == [task]


async def test_a_stream_that_has_not_begun_is_neither_late_nor_behind(scripted: Scripted) -> None:
    scripted.streams.want([HERE])
    scripted.streams.want([HERE])
    scripted.streams.missed(HERE, 1)
    assert len(scripted.streams.tasks) == 1
    await begun(scripted)
    assert scripted.streams.working(HERE)


async def test_a_cancellation_that_a_library_swallows_leaves_its_successor_alone(scripted: Scripted) -> None:
    """Python's wait_for before 3.12 does that."""
    await begun(scripted)
    scripted.swallows = True
    scripted.streams.renew()
    await begun(scripted)
    assert [opened.closed for opened in scripted.opened] == [True, False]
    assert scripted.streams.working(HERE)
    assert scripted.pauses == []
    scripted.swallows = False


async def test_all_are_closed_together(scripted: Scripted) -> None:
    await scripted.want(HERE, THERE)
    scripted.streams.close()
    await scripted.turns()
    assert [opened.closed for opened in scripted.opened] == [True, True]
    # New waits get other streams.
    assert await scripted.want(HERE) == [HERE]
