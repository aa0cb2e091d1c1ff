"""When to ask next, by numbers alone."""

from __future__ import annotations

import pytest

from airflow_provider_flyte.client.pace import Pace


@pytest.fixture
def pace() -> Pace:
    return Pace(0.5, 5.0, 20.0, spread=lambda low, high: high)


def intervals(pace: Pace, rounds: int, wanted: float = 60.0, calls: int = 1) -> list[float]:
    return [round(pace.next(wanted, calls), 2) for _ in range(rounds)]


def test_it_slows_down_to_the_longest(pace: Pace) -> None:
    assert intervals(pace, 8) == [0.5, 0.75, 1.12, 1.69, 2.53, 3.8, 5.0, 5.0]
    pace.hurry()
    assert intervals(pace, 2) == [0.5, 0.75]


def test_what_waits_want_counts_within_the_bounds(pace: Pace) -> None:
    assert intervals(pace, 6, wanted=1.0) == [0.5, 0.75, 1.0, 1.0, 1.0, 1.0]
    assert intervals(pace, 2, wanted=0.01) == [0.5, 0.5]


def test_the_budget_counts_above_all(pace: Pace) -> None:
    assert intervals(pace, 3, calls=50) == [2.5, 2.5, 2.5]
    assert pace.calls_in_an_interval() == 50
    assert intervals(pace, 1, calls=200) == [10.0]


def test_answers_that_take_time_are_here_within_the_interval(pace: Pace) -> None:
    intervals(pace, 10)
    assert pace.next(60.0, 1, took=1.0) == 4.0
    assert pace.next(60.0, 1, took=60.0) == 0.5


def test_after_trouble_it_comes_back_soon_and_spread(pace: Pace) -> None:
    intervals(pace, 10)
    seen = []
    for _ in range(4):
        pace.failed()
        seen += intervals(pace, 1)
    assert seen == [1.0, 2.0, 2.0, 2.0]
    pace.answered()
    assert intervals(pace, 1) == [5.0]
    spread = Pace(0.5, 5.0, 20.0)
    for _ in range(5):
        spread.failed()
    several = {spread.next(60.0, 1) for _ in range(20)} - {0.5}
    assert len(several) > 10
    assert max(several) <= 2.0
