"""When to poll next, and how many calls there may be, by numbers alone."""

from __future__ import annotations

import asyncio

import pytest

from airflow_provider_flyte.client.watch.pacing import CALLS_AT_ONCE, Budget, Pace
from tests.support.clock import Clock


@pytest.fixture
def pace() -> Pace:
    return Pace(0.5, 5.0, spread=lambda low, high: high)


def intervals(pace: Pace, rounds: int, wanted: float = 60.0) -> list[float]:
    return [round(pace.next(wanted), 2) for _ in range(rounds)]


def test_it_slows_down_to_the_longest(pace: Pace) -> None:
    assert intervals(pace, 8) == [0.5, 0.75, 1.12, 1.69, 2.53, 3.8, 5.0, 5.0]
    pace.hurry()
    assert intervals(pace, 2) == [0.5, 0.75]


def test_what_waits_want_counts_within_the_bounds(pace: Pace) -> None:
    assert intervals(pace, 6, wanted=1.0) == [0.5, 0.75, 1.0, 1.0, 1.0, 1.0]
    assert intervals(pace, 2, wanted=0.01) == [0.5, 0.5]


def test_answers_that_take_time_are_here_within_the_interval(pace: Pace) -> None:
    intervals(pace, 10)
    assert pace.next(60.0, took=1.0) == 4.0


def test_a_backend_that_takes_long_is_left_alone_as_long(pace: Pace) -> None:
    intervals(pace, 10)
    assert pace.next(60.0, took=3.0) == 6.0
    assert pace.next(60.0, took=60.0) == 65.0


def test_while_calls_are_short_those_whose_stream_works_are_polled_seldom(pace: Pace) -> None:
    intervals(pace, 10)
    assert pace.next(60.0, seldom=True) == 30.0


def test_after_trouble_it_comes_back_soon_and_spread(pace: Pace) -> None:
    intervals(pace, 10)
    seen = []
    for _ in range(4):
        pace.failed()
        seen += intervals(pace, 1)
    assert seen == [1.0, 2.0, 2.0, 2.0]
    pace.answered()
    assert intervals(pace, 1) == [5.0]
    spread = Pace(0.5, 5.0)
    for _ in range(5):
        spread.failed()
    several = {spread.next(60.0) for _ in range(20)} - {0.5}
    assert len(several) > 10
    assert max(several) <= 2.0


async def test_the_budget_holds_on_average_and_ten_at_once() -> None:
    clock = Clock()
    budget = Budget(20.0, clock, clock.sleep)
    at: list[float] = []
    inside = most = 0

    async def call() -> None:
        nonlocal inside, most
        async with budget:
            at.append(clock.now)
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0)
            inside -= 1

    await asyncio.gather(*(call() for _ in range(200)))
    assert most <= CALLS_AT_ONCE
    assert at == sorted(at)
    assert at[-1] == pytest.approx((200 - CALLS_AT_ONCE - 1) / 20, abs=0.1)


async def used_up(calls_per_second: float, clock: Clock) -> Budget:
    """A budget whose calls at once have been made, and of which nobody gets more."""

    async def sleep(seconds: float) -> None:
        await asyncio.Event().wait()

    budget = Budget(calls_per_second, clock, sleep)
    for _ in range(CALLS_AT_ONCE + 1):
        await call(budget)
    return budget


async def call(budget: Budget) -> None:
    async with budget:
        pass


async def test_who_gives_up_takes_no_place() -> None:
    clock = Clock()
    budget = await used_up(1.0, clock)
    waiting = [asyncio.ensure_future(call(budget)) for _ in range(50)]
    await asyncio.sleep(0)
    assert budget.is_short
    for each in waiting:
        each.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert not budget.is_short
    clock.now += 1000
    await call(budget)


async def test_a_budget_is_short_when_more_than_a_seconds_calls_wait() -> None:
    budget = await used_up(2.0, Clock())
    calls = [asyncio.ensure_future(call(budget)) for _ in range(3)]
    await asyncio.sleep(0)
    short = [budget.is_short]
    calls.pop().cancel()
    await asyncio.sleep(0)
    short.append(budget.is_short)
    for each in calls:
        each.cancel()
    assert short == [True, False]


def test_calls_within() -> None:
    clock = Clock()
    assert Budget(20.0, clock, clock.sleep).calls_within(5.0) == 100
    assert Budget(20.0, clock, clock.sleep).calls_within(0.001) == 1
