"""Work for many, a slice in each turn of the loop."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from airflow_provider_flyte.client.watch.turns import Turns


async def test_what_concerns_many_leaves_the_loop_to_others() -> None:
    done: list[int] = []
    errors: list[Exception] = []
    turns = Turns(lambda: None, errors.append)

    def work(count: int) -> Iterator[bool]:
        for number in range(count):
            done.append(number)
            yield True

    turns.do(work(100))
    turns.do(work(100))
    before = []
    while len(done) < 200:
        before.append(len(done))
        await asyncio.sleep(0)
    assert before == list(range(20, 200, 20))
    assert done == [*range(100), *range(100)]
    await asyncio.sleep(0)
    turns.do(work(5))
    assert len(done) == 205
    assert not errors


async def test_what_breaks_does_not_keep_the_rest_from_being_done() -> None:
    done: list[str] = []
    errors: list[Exception] = []
    turns = Turns(lambda: done.append("after"), errors.append)

    def broken() -> Iterator[bool]:
        yield True
        raise RuntimeError("broken")

    def good() -> Iterator[bool]:
        done.append("good")
        yield False

    turns.do(broken())
    turns.do(good())
    assert done == ["after", "good", "after"]
    assert [str(error) for error in errors] == ["broken"]


async def test_nothing_is_done_after_the_end() -> None:
    done: list[int] = []

    def work() -> Iterator[bool]:
        for number in range(1000):
            done.append(number)
            yield True

    turns = Turns(lambda: None, lambda error: None)
    turns.do(work())
    turns.close()
    await asyncio.sleep(0)
    assert len(done) == 20


async def test_one_who_has_nothing_to_do_can_be_closed() -> None:
    turns = Turns(lambda: None, lambda error: None)
    turns.close()
    turns.do(iter([True]))
    turns.close()
    turns.close()


async def test_after_the_end_nothing_is_called_and_work_may_begin_again() -> None:
    calls: list[str] = []
    turns = Turns(lambda: calls.append("after"), lambda error: None)
    turns.do(iter([True] * 30))
    turns.close()
    assert calls == ["after"]
    for _ in range(5):
        await asyncio.sleep(0)
    assert calls == ["after"]
    turns.do(iter([True]))
    assert calls == ["after", "after"]


async def test_work_without_anybody_to_notify_costs_a_little_too() -> None:
    slices: list[int] = []
    turns = Turns(lambda: slices.append(1), lambda error: None)
    turns.do(iter([True] * 20))
    for _ in range(1000):
        turns.do(iter([]))
    for _ in range(10):
        await asyncio.sleep(0)
    assert len(slices) == 1 + 3
