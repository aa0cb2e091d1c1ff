"""Streams of runs' logs -> when they are opened, read and given up, and what they cost. In virtual time."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

import pytest

from airflow_provider_flyte.client.errors import Status
from airflow_provider_flyte.client.flows.run_log import LogOfRun
from airflow_provider_flyte.client.idl.dataproxy import dataproxy_service_pb2
from airflow_provider_flyte.client.phase import RunPhase
from airflow_provider_flyte.client.watch.run_logs import BYTES_A_SECOND, LINES_READ_A_SECOND, Places, RunLogs
from tests.support.scripted_flyte import HERE, ScriptedFlyte, refusal

QUEUED, RUNNING, SUCCEEDED, FAILED = RunPhase.QUEUED, RunPhase.RUNNING, RunPhase.SUCCEEDED, RunPhase.FAILED


def now() -> float:
    return asyncio.get_running_loop().time()


class Following:
    """The logs of some runs, and the lines that are written of them."""

    def __init__(self, most: int = 20) -> None:
        self.flyte = ScriptedFlyte()
        self.logs = RunLogs(lambda: self.flyte.client, now, asyncio.sleep, Places(most))
        self.lines: list[tuple[float, str]] = []
        self.runs: dict[str, LogOfRun] = {}
        self.tasks: list[asyncio.Task[None]] = []

    def follow(self, *names: str, phase: int = RUNNING) -> None:
        for name in names:
            self.flyte.run(name, phase)
            run = LogOfRun(HERE.run(name), "", now, on_log=lambda line: self.lines.append((now(), line)))
            self.runs[name] = run
            self.tasks.append(asyncio.create_task(self.logs.follow(run)))

    def sends(self, *texts: str, name: str = "r1", first: int = 1) -> None:
        """Let the stream send lines, a second apart."""
        response = dataproxy_service_pb2.TailLogsResponse()
        lines = response.logs.add().lines
        for at, text in enumerate(texts, first):
            lines.add(message=text).timestamp.seconds = at
        self.flyte.logs[HERE.run(name)].put_nowait(response)

    def ends(self, with_: Exception | None = None, name: str = "r1") -> None:
        self.flyte.logs[HERE.run(name)].put_nowait(with_)

    def opened(self) -> list[float]:
        return [asked.at for asked in self.flyte.calls("TailLogs")]

    def texts(self) -> list[str]:
        return [line.rpartition(": ")[2] for _, line in self.lines if line.startswith("Log of")]


@pytest.fixture
async def following() -> Any:
    made = Following()
    yield made
    for task in made.tasks:
        task.cancel()
    await asyncio.gather(*made.tasks, return_exceptions=True)
    assert not made.flyte.logs
    # All places are free again.
    assert made.logs.places._taken == 0


async def test_there_is_no_stream_before_the_run_runs(following: Following) -> None:
    following.follow("r1", phase=QUEUED)
    await asyncio.sleep(3600)
    assert following.opened() == []
    assert 3600 / 5 <= len(following.flyte.calls("GetRunDetails")) <= 2 * 3600 / 5 + 10
    began = now()
    following.flyte.run("r1", RUNNING)
    await asyncio.sleep(10)
    [at] = following.opened()
    assert at - began <= 5


async def test_one_stream_lasts_while_lines_come(following: Following) -> None:
    following.follow("r1")
    await asyncio.sleep(1)
    for number in range(1000):
        following.sends(f"line {number}", first=number + 1)
        await asyncio.sleep(20)
    assert len(following.opened()) == 1
    assert following.texts() == [f"line {number}" for number in range(1000)]


async def test_a_silent_stream_is_opened_again_after_ten_minutes(following: Following) -> None:
    following.follow("r1")
    await asyncio.sleep(3600)
    assert 5 <= len(following.opened()) <= 6
    # It is asked twice a minute whether the attempt is over.
    assert len(following.flyte.calls("GetRunDetails")) <= 2 * 60 + 10


async def test_it_ends_with_the_run(following: Following) -> None:
    following.follow("r1")
    await asyncio.sleep(1)
    following.sends("one")
    following.flyte.run("r1", SUCCEEDED)
    await asyncio.sleep(1)
    following.ends()
    await asyncio.sleep(5)
    # What was written to the end of the stream may have had more behind it, so it is read once more.
    following.sends("one", "two")
    following.ends()
    await asyncio.wait_for(following.tasks[0], 5)
    assert following.texts() == ["one", "two"]


async def test_a_stream_that_stays_open_is_left_when_the_attempt_is_over(following: Following) -> None:
    """As of a hosted backend."""
    following.follow("r1")
    await asyncio.sleep(1)
    following.sends("one")
    following.flyte.attempts[HERE.run("r1")] = 2
    await asyncio.sleep(80)
    following.sends("again")
    await asyncio.sleep(1)
    assert [asked.request.attempt for asked in following.flyte.calls("TailLogs")][-1] == 2
    assert following.texts() == ["one", "again"]
    assert [line for _, line in following.lines if "follows" in line] == [
        "The log of attempt 1 of Flyte run r1 follows.",
        "The log of attempt 2 of Flyte run r1 follows.",
    ]


async def test_messages_without_lines_do_not_hide_the_next_attempt(following: Following) -> None:
    """As of a hosted backend that keeps its connection alive."""
    following.follow("r1")
    await asyncio.sleep(1)
    following.sends("one")
    following.flyte.attempts[HERE.run("r1")] = 2
    for _ in range(80):
        await asyncio.sleep(1)
        if HERE.run("r1") in following.flyte.logs:
            following.sends()
    following.sends("again")
    await asyncio.sleep(1)
    assert [asked.request.attempt for asked in following.flyte.calls("TailLogs")][-1] == 2
    assert following.texts() == ["one", "again"]


@pytest.mark.parametrize("code", [Status.UNIMPLEMENTED, Status.PERMISSION_DENIED])
async def test_a_refusal_is_said_once_and_ends_it(following: Following, code: Status) -> None:
    following.flyte.fails = lambda asked: refusal(code) if asked.rpc == "TailLogs" else None
    following.follow("r1")
    await asyncio.wait_for(following.tasks[0], 5)
    [(_, line)] = following.lines
    assert line.startswith("The log of Flyte run r1 is not written here, because Flyte does not send it (TailLogs). ")


@pytest.mark.parametrize("code", [Status.NOT_FOUND, Status.INTERNAL, Status.UNAVAILABLE])
async def test_a_log_that_is_not_there_is_said_once_and_asked_for_again(following: Following, code: Status) -> None:
    following.flyte.fails = lambda asked: refusal(code, "no pod") if asked.rpc == "TailLogs" else None
    following.follow("r1")
    await asyncio.sleep(3600)
    [(at, line)] = following.lines
    assert at < 60
    assert line.startswith("Flyte has sent no log of attempt 1 of Flyte run r1 so far, and is asked again now and ")
    assert len(following.opened()) <= 2 * 3600 / 30 + 10
    following.flyte.fails = lambda asked: None
    await asyncio.sleep(30)
    following.sends("one")
    await asyncio.sleep(1)
    assert following.texts() == ["one"]


async def test_an_attempt_whose_pod_is_gone_is_passed(following: Following) -> None:
    def fails(asked: Any) -> Exception | None:
        gone = asked.rpc == "TailLogs" and asked.request.attempt == 1
        return refusal(Status.NOT_FOUND) if gone else None

    following.flyte.fails = fails
    following.flyte.attempts[HERE.run("r1")] = 2
    following.follow("r1")
    await asyncio.sleep(10)
    following.sends("second")
    await asyncio.sleep(1)
    assert following.texts() == ["second"]


async def test_the_rest_of_an_attempt_is_read_although_the_database_is_away_for_a_moment(following: Following) -> None:
    """GetRunDetails answers NOT_FOUND to any error of its database, and an attempt whose pod is gone is passed."""
    following.follow("r1")
    await asyncio.sleep(1)
    following.sends("one")
    await asyncio.sleep(1)
    following.flyte.attempts[HERE.run("r1")] = 2
    faults = [("TailLogs", Status.UNAVAILABLE), ("GetRunDetails", Status.NOT_FOUND)]

    def fails(asked: Any) -> Exception | None:
        return refusal(faults.pop(0)[1]) if faults and faults[0][0] == asked.rpc else None

    following.flyte.fails = fails
    following.ends()
    await asyncio.sleep(10)
    assert not faults
    following.sends("one", "the rest")
    following.ends()
    await asyncio.sleep(5)
    following.sends("again")
    await asyncio.sleep(1)
    assert following.texts() == ["one", "the rest", "again"]


@pytest.mark.parametrize("code", [Status.INTERNAL, Status.UNAVAILABLE])
async def test_a_log_whose_streams_are_cut_stays_live(following: Following, code: Status) -> None:
    """As behind a proxy: each stream ends in an error, after it gave what is new."""
    following.follow("r1")
    await asyncio.sleep(1)
    texts: list[str] = []
    for number in range(60):
        while HERE.run("r1") not in following.flyte.logs:
            await asyncio.sleep(0.1)
        texts.append(f"line {number}")
        following.sends(*texts)
        following.ends(refusal(code))
        await asyncio.sleep(0.1)
    gaps = [after - at for at, after in itertools.pairwise(following.opened())]
    assert max(gaps[1:]) <= 1.2
    assert following.texts() == texts
    # Nor is it said of a log that goes silent that there was none.
    following.flyte.fails = lambda asked: refusal(code) if asked.rpc == "TailLogs" else None
    await asyncio.sleep(600)
    assert not [line for _, line in following.lines if "has sent no log" in line]


async def test_an_outage_costs_few_calls(following: Following) -> None:
    following.flyte.fails = lambda asked: refusal(Status.UNAVAILABLE)
    following.follow("r1")
    await asyncio.sleep(3600)
    assert following.lines == []
    assert len(following.flyte.asked) <= 2 * 3600 / 5 + 10


async def test_streams_are_bounded_and_the_next_begins_when_a_place_is_free() -> None:
    following = Following(most=2)
    following.follow("r1", "r2", "r3")
    await asyncio.sleep(100)
    assert sorted(key.name for key in following.flyte.logs) == ["r1", "r2"]
    assert [line for _, line in following.lines] == [
        "The log of Flyte run r3 follows later, because this process writes as many logs of runs as it may at once "
        "(20)."
    ]
    following.tasks[0].cancel()
    await asyncio.sleep(10)
    assert sorted(key.name for key in following.flyte.logs) == ["r2", "r3"]
    for task in following.tasks:
        task.cancel()
    await asyncio.gather(*following.tasks, return_exceptions=True)


async def test_runs_that_have_no_log_hold_no_place() -> None:
    following = Following(most=2)
    queued = [f"q{number}" for number in range(40)]
    following.follow(*queued, phase=QUEUED)
    following.follow("r1")
    await asyncio.sleep(5)
    following.sends("one")
    await asyncio.sleep(1)
    assert following.texts() == ["one"]
    assert len(following.lines) == 2
    # However many there are, they ask no more often than as many as there are places.
    following.flyte.asked.clear()
    await asyncio.sleep(3600)
    assert 3600 / 5 * 2 / 2 <= len(following.flyte.calls("GetRunDetails")) <= 3600 / 5 * 2 + 200
    for task in following.tasks:
        task.cancel()
    await asyncio.gather(*following.tasks, return_exceptions=True)
    assert (following.logs.places._taken, following.logs.places.followed) == (0, 0)


async def test_more_than_so_many_bytes_a_second_wait_at_the_server(following: Following) -> None:
    following.follow("r1")
    await asyncio.sleep(1)
    text, began = "x" * 500_000, now()
    for number in range(100):
        following.sends(text, first=number + 1)
    following.sends("end", first=1000)
    while "end" not in following.texts():
        await asyncio.sleep(0.1)
    assert now() - began == pytest.approx(50_000_000 / BYTES_A_SECOND, rel=0.1)


@pytest.mark.parametrize("runs", [1, 5])
async def test_more_than_so_many_lines_a_second_wait_too_of_all_logs_together(following: Following, runs: int) -> None:
    names = [f"r{number}" for number in range(runs)]
    following.follow(*names)
    await asyncio.sleep(1)
    began, each = now(), 80_000 // runs
    for name in names:
        for _ in range(0, each, 1000):
            following.sends(*[""] * 1000, name=name)
    queues = list(following.flyte.logs.values())
    assert len(queues) == runs
    while any(not queue.empty() for queue in queues):
        await asyncio.sleep(0.1)
    assert now() - began == pytest.approx(80_000 / LINES_READ_A_SECOND, rel=0.2)


async def test_a_short_log_is_not_held_up_by_a_long_one(following: Following) -> None:
    following.follow("r1", "r2")
    await asyncio.sleep(1)
    for _ in range(200):
        following.sends(*[""] * 1000)
    for number in range(5):
        following.sends(f"line {number}", name="r2", first=number + 1)
        await asyncio.sleep(0.5)
        assert f"line {number}" in following.texts()
    assert not following.flyte.logs[HERE.run("r1")].empty()


async def test_what_is_left_out_is_said_although_nothing_more_comes(following: Following) -> None:
    following.follow("r1")
    await asyncio.sleep(1)
    following.sends(*("x" for _ in range(600)))
    await asyncio.sleep(6)
    assert following.lines[-1][1].startswith(
        "Lines of the log of Flyte run r1 that are left out here: 100. More than 50 a "
    )


async def test_nothing_comes_after_it_was_stopped(following: Following) -> None:
    following.follow("r1")
    await asyncio.sleep(1)
    following.sends(*("x" for _ in range(501)))
    await asyncio.sleep(1)
    following.runs["r1"].stop()
    assert following.lines[-1][1].startswith("Lines of the log of Flyte run r1 that are left out here: 1. ")
    following.sends("late", first=1000)
    await asyncio.sleep(10)
    assert "late" not in following.texts()


async def test_an_unexpected_error_is_logged_and_ends_it(
    following: Following, caplog: pytest.LogCaptureFixture
) -> None:
    following.follow("r1")
    await asyncio.sleep(1)
    following.ends(ZeroDivisionError("a mistake"))
    await asyncio.wait_for(following.tasks[0], 60)
    assert "The log of a run could not be read because of an unexpected error." in caplog.text
