"""When each wait is woken, and what is kept of waits that were left. In virtual time."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from airflow_provider_flyte.client.watch.deadlines import Deadlines
from airflow_provider_flyte.client.watch.pacing import (
    CALLS_AT_ONCE,
    MAX_CALLS_PER_SECOND,
    MIN_POLL_INTERVAL,
    POLL_INTERVAL,
)
from tests.support.virtual_time import until


class Caller:
    """Somebody who waits until a time."""

    def __init__(self, deadlines: Deadlines, at: float) -> None:
        self.deadline: Any = None
        self.woken: list[float] = []
        added: Any = self
        deadlines.add(added, at)

    def expire(self) -> None:
        self.woken.append(round(asyncio.get_running_loop().time(), 3))


def come(deadlines: Deadlines, *times: float) -> dict[float, Any]:
    return {at: Caller(deadlines, at) for at in times}


async def test_each_wait_is_woken_once_in_time() -> None:
    deadlines = Deadlines()
    callers = come(deadlines, 5.0, 3.0, 7.0, 3.5)
    await until(4.0)
    assert [callers[at].woken for at in (3.0, 3.5, 5.0, 7.0)] == [[3.0], [3.5], [], []]
    assert callers[3.0].deadline is None
    await until(100.0)
    assert [caller.woken for caller in callers.values()] == [[5.0], [3.0], [7.0], [3.5]]
    assert (deadlines._heap, deadlines._timer) == ([], None)
    # Whoever comes then is woken too, at once if it is late.
    late = come(deadlines, 50.0, 101.0)
    await until(102.0)
    assert [caller.woken for caller in late.values()] == [[100.0], [101.0]]


async def test_deadlines_that_are_close_together_share_a_turn() -> None:
    deadlines = Deadlines()
    callers = come(deadlines, 3.0, 3.01, 3.02, 3.06, 4.0)
    await until(5.0)
    assert [caller.woken for caller in callers.values()] == [[3.0], [3.05], [3.05], [3.1], [4.0]]


async def test_a_wait_that_was_left_is_not_woken() -> None:
    deadlines = Deadlines()
    callers = come(deadlines, 1.0, 2.0, 3.0)
    deadlines.leave(callers[1.0])
    assert callers[1.0].deadline is None
    # Leaving twice does no harm.
    deadlines.leave(callers[1.0])
    await until(10.0)
    assert [caller.woken for caller in callers.values()] == [[], [2.0], [3.0]]


async def test_waits_that_were_left_are_kept_until_they_are_half() -> None:
    deadlines = Deadlines()
    callers = list(come(deadlines, *(float(at) for at in range(1, 11))).values())
    for caller in callers[:5]:
        deadlines.leave(caller)
    assert len(deadlines._heap) == 10
    deadlines.leave(callers[5])
    assert len(deadlines._heap) == 4
    # And counted anew.
    for caller in callers[6:8]:
        deadlines.leave(caller)
    assert len(deadlines._heap) == 4
    deadlines.leave(callers[8])
    assert len(deadlines._heap) == 1
    timer: Any = deadlines._timer
    deadlines.leave(callers[9])
    assert (deadlines._heap, deadlines._timer) == ([], None)
    # It would stay in the loop until its time comes.
    assert timer.cancelled()


async def test_waits_that_were_left_are_not_counted_after_their_time() -> None:
    deadlines = Deadlines()
    callers = list(come(deadlines, *(float(at) for at in range(1, 11))).values())
    deadlines.leave(callers[0])
    await until(1.5)
    assert len(deadlines._heap) == 9
    for caller in callers[1:5]:
        deadlines.leave(caller)
    assert len(deadlines._heap) == 9
    deadlines.leave(callers[5])
    assert len(deadlines._heap) == 4


async def test_after_others_were_left_the_next_deadline_is_still_the_first() -> None:
    deadlines = Deadlines()
    # They stand in this order, which without the first ones is none.
    callers = come(deadlines, 1.0, 5.0, 2.0, 6.0, 7.0, 3.0, 4.0)
    for at in (1.0, 2.0, 6.0, 7.0):
        deadlines.leave(callers[at])
    assert len(deadlines._heap) == 3
    await until(10.0)
    assert [callers[at].woken for at in (3.0, 4.0, 5.0)] == [[3.0], [4.0], [5.0]]


async def test_all_deadlines_share_one_timer(monkeypatch: pytest.MonkeyPatch) -> None:
    loop, timers = asyncio.get_running_loop(), []
    call_at = loop.call_at

    def noting(when: float, *args: Any, **named: Any) -> Any:
        timers.append(when)
        return call_at(when, *args, **named)

    monkeypatch.setattr(loop, "call_at", noting)
    come(Deadlines(), 50.0, 60.0, 50.0, 40.0)
    assert timers == [50.0, 40.0]


def test_what_a_watcher_does_where_nothing_is_set() -> None:
    assert (POLL_INTERVAL, MIN_POLL_INTERVAL, MAX_CALLS_PER_SECOND, CALLS_AT_ONCE) == (5.0, 0.5, 60.0, 10)
