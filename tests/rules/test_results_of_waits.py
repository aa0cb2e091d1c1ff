"""What a caller gets of its waits, and whose log gets the next line of progress. In virtual time, without a server."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from airflow_provider_flyte.client.errors import ConfigError
from airflow_provider_flyte.client.phase import RunPhase
from airflow_provider_flyte.client.verdict import Outcome, Trouble, Verdict, WaitRules, WaitState
from airflow_provider_flyte.client.watch.current_client import CurrentClient
from airflow_provider_flyte.client.watch.open_waits import OpenWaits
from airflow_provider_flyte.client.watch.results import WaitResults
from airflow_provider_flyte.client.watch.waits import Wait
from tests.support.scripted_flyte import HERE

SUCCEEDED = Verdict(Outcome.SUCCEEDED, RunPhase.SUCCEEDED)


class Caller:
    """Somebody who waits."""

    def __init__(self, *names: str, rules: WaitRules | None = None, interval: float = 5.0, logs: bool = True) -> None:
        self.troubles: list[str] = []
        self.progress: list[str] = []
        self.closed: list[WaitResults] = []
        self.results = WaitResults(
            rules=rules or WaitRules(),
            interval=interval,
            on_trouble=self.troubles.append if logs else None,
            on_progress=self.progress.append if logs else None,
            began=0.0,
            close=self.closed.append,
        )
        self.waits = tuple(Wait(HERE, name, WaitState(absent_since=0.0), self.results) for name in names)
        self.results.take(self.waits)

    def trouble(self, *since: float | None) -> None:
        for wait, each in zip(self.waits, since, strict=True):
            trouble = None if each is None else Trouble("away")
            wait.state = WaitState(0.0, trouble=trouble, trouble_since=each)


async def test_results_come_as_they_end() -> None:
    caller = Caller("r1", "r2", "r3")
    for number in (1, 0):
        caller.results.finish(caller.waits[number], SUCCEEDED)
    assert [(await anext(caller.results)).name for _ in range(2)] == ["r2", "r1"]
    last = asyncio.ensure_future(anext(caller.results))
    await asyncio.sleep(1)
    assert not last.done()
    caller.results.finish(caller.waits[2], SUCCEEDED)
    result = await last
    assert (result.key, result.phase, result.outcome) == (HERE.run("r3"), RunPhase.SUCCEEDED, Outcome.SUCCEEDED)
    with pytest.raises(StopAsyncIteration):
        await anext(caller.results)


async def test_what_broke_a_wait_is_raised() -> None:
    caller = Caller("r1")
    error = ValueError("broken")
    caller.results.finish(caller.waits[0], error)
    with pytest.raises(ValueError, match="broken") as raised:
        await anext(caller.results)
    assert raised.value is error
    unfinished: Any = None
    caller = Caller("r1")
    caller.results.finish(caller.waits[0], unfinished)
    with pytest.raises(RuntimeError, match="p/development/r1 has not ended"):
        await anext(caller.results)


async def test_lines_about_trouble() -> None:
    caller = Caller("r1", "r2")
    waiting = asyncio.ensure_future(anext(caller.results))
    await asyncio.sleep(0)
    assert caller.results.notify("away") is True
    # What concerns several of the waits is logged once, before it is delivered and after.
    assert caller.results.notify("away") is False
    assert caller.results.notify("back") is True
    await asyncio.sleep(0.1)
    assert caller.troubles == ["away", "back"]
    assert caller.results.notify("back") is False
    assert caller.results.notify("gone") is True
    await asyncio.sleep(0.1)
    assert caller.troubles == ["away", "back", "gone"]
    # The next time it is logged again.
    assert caller.results.notify("away") is True
    await asyncio.sleep(0.1)
    assert caller.troubles[3:] == ["away"]
    waiting.cancel()


async def test_without_a_log_there_are_no_lines() -> None:
    caller = Caller("r1", logs=False)
    waiting = asyncio.ensure_future(anext(caller.results))
    await asyncio.sleep(0)
    caller.results.notify("away")
    caller.results.notify_progress("still waiting", 60.0)
    caller.results.finish(caller.waits[0], SUCCEEDED)
    assert (await waiting).name == "r1"
    assert caller.results.notified_at == 60.0


@pytest.mark.parametrize(
    ("since", "limit", "words"),
    [
        ((None,), 300.0, ""),
        ((10.0,), 300.0, "the run for 90 s; the wait ends when that has lasted 300 s (unreachable_after)."),
        ((10.0,), None, "the run for 90 s; the wait continues all the same (unreachable_after=None)."),
        (
            (None, 40.0),
            300.0,
            "some of the runs for 60 s; the wait ends when that has lasted 300 s (unreachable_after).",
        ),
        (
            (70.0, 40.0),
            300.0,
            "some of the runs for 60 s; the wait ends when that has lasted 300 s (unreachable_after).",
        ),
        ((0.0,), 0.0, "the run for 100 s; the wait ends when that has lasted 0 s (unreachable_after)."),
    ],
)
def test_for_how_long_there_is_no_answer(since: tuple[float | None, ...], limit: float | None, words: str) -> None:
    caller = Caller(*(f"r{number}" for number in range(len(since))), rules=WaitRules(60.0, limit))
    caller.trouble(*since)
    said = caller.results.trouble(100.0)
    assert said == (words and f"Still waiting. Flyte has given no answer about {words}")


# -- all who wait


def test_the_shortest_interval_counts() -> None:
    waits = OpenWaits(20.0)
    assert waits.interval == 20.0
    callers = [Caller("r1", interval=interval) for interval in (20.0, 5.0, 5.0, 7.0, 2.0)]
    # Whether it is shorter than all others.
    assert [waits.add(caller.results) for caller in callers] == [True, True, False, False, True]
    assert waits.interval == 2.0
    assert [waits.remove(callers[4].results) for _ in range(2)] == [True, False]
    assert waits.interval == 5.0
    waits.remove(callers[1].results)
    assert waits.interval == 5.0
    waits.remove(callers[2].results)
    assert waits.interval == 7.0
    for caller in callers:
        waits.remove(caller.results)
    assert waits.interval == 20.0
    assert not waits._intervals


def test_whose_log_gets_the_next_line_of_progress() -> None:
    waits = OpenWaits(20.0)
    callers = [Caller("r1") for _ in range(30)]
    for caller in callers:
        waits.add(caller.results)
    for number in (1, 3):
        callers[number].results.notified_at = 10.0

    def due(now: float) -> list[int]:
        found = []
        for results in waits.due(now):
            results.notified_at = now
            found.append(next(number for number, caller in enumerate(callers) if caller.results is results))
        return found

    assert due(59.9) == []
    # Those first whose last line is the oldest, up to one that is not due.
    assert due(60.0) == [0]
    assert due(69.9) == []
    first = due(70.0)
    assert first == list(range(1, 21))
    assert due(70.0) == list(range(21, 30))
    assert due(119.9) == []
    assert due(120.0) == [0]
    waits.remove(callers[1].results)
    assert due(130.0)[0] == 2


# -- their client


class Renewals:
    """A client that may be renewed, by a clock."""

    def __init__(self, *fresh: Any) -> None:
        self.now = 1000.0
        self.fresh = list(fresh)
        self.asked: list[float] = []
        self.renewed = 0
        first: Any = "first"
        self.current: Any = CurrentClient(first, self._renew, self._on_renewal, lambda: self.now)

    async def _renew(self) -> Any:
        self.asked.append(self.now)
        await asyncio.sleep(0)
        fresh = self.fresh.pop(0)
        if isinstance(fresh, Exception):
            raise fresh
        return fresh

    def _on_renewal(self) -> None:
        self.renewed += 1

    async def meets(self, *, lasting: bool = False, client: Any = "first") -> bool:
        refreshed: bool = await self.current.refresh(client, Trouble("away", lasting))
        return refreshed


@pytest.mark.parametrize(("after", "lasting", "asks"), [(29.9, False, 0), (30.0, False, 1), (0.0, True, 1)])
async def test_when_another_client_is_asked_for(after: float, lasting: bool, asks: int) -> None:
    renewals = Renewals(None)
    renewals.now += after
    assert await renewals.meets(lasting=lasting) is False
    assert len(renewals.asked) == asks
    assert (renewals.current.client, renewals.renewed) == ("first", 0)


async def test_an_answer_and_a_renewal_begin_the_time_anew() -> None:
    renewals = Renewals(None, None)
    renewals.now = 1020.0
    renewals.current.answered()
    for now in (1049.9, 1050.0, 1079.9, 1080.0):
        renewals.now = now
        await renewals.meets()
    assert renewals.asked == [1050.0, 1080.0]


async def test_all_who_met_the_old_client_get_the_new_one() -> None:
    renewals = Renewals("second")
    assert await asyncio.gather(*(renewals.meets(lasting=True) for _ in range(5))) == [True] * 5
    assert (len(renewals.asked), renewals.renewed, renewals.current.get()) == (1, 1, "second")
    # It does not help those whose call failed with the new one.
    assert await renewals.meets(client="second") is False


async def test_a_client_that_cannot_be_made_changes_nothing() -> None:
    renewals = Renewals(ConfigError("no connection"), "second")
    assert await renewals.meets(lasting=True) is False
    assert renewals.current.client == "first"
    assert await renewals.meets(lasting=True) is True


async def test_without_renewals_there_is_one_client() -> None:
    first: Any = "first"
    current = CurrentClient(first, None, lambda: None, lambda: 1000.0)
    assert await current.refresh(first, Trouble("refused", lasting=True)) is False


def test_when_flyte_answered_last() -> None:
    renewals = Renewals()
    assert renewals.current.answered_ago is None
    renewals.current.answered()
    assert renewals.current.answered_ago == 0.0
    renewals.now += 7.0
    assert renewals.current.answered_ago == 7.0
