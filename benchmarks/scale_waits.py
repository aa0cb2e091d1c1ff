"""A process with very many waits that measures itself; `scale.py` starts it and tells it, by lines, what comes next."""

from __future__ import annotations

import asyncio
import gc
import json
import resource
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from airflow_provider_flyte.client import FlyteClient, FlyteConfig, RunWatcher
from airflow_provider_flyte.client.transport.selector import import_all

BEAT = 0.005
"""Seconds between two looks at the clock while gaps are measured."""


def rss_kb() -> int:
    """What the process occupies now."""
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * resource.getpagesize() // 1024


class Gaps:
    """The longest time for which the loop was held: by the wall's clock, and of this thread's processor alone."""

    def __init__(self) -> None:
        self._task = asyncio.ensure_future(self._beat())
        self.wall = self.own = 0.0

    async def _beat(self) -> None:
        while True:
            wall, own = time.monotonic(), time.thread_time()
            await asyncio.sleep(BEAT)
            self.wall = max(self.wall, time.monotonic() - wall - BEAT)
            self.own = max(self.own, time.thread_time() - own)

    def stop(self) -> dict[str, float]:
        """The figures, in milliseconds."""
        self._task.cancel()
        return {"gap_ms": self.wall * 1e3, "own_gap_ms": self.own * 1e3}


async def begin(
    count: int, one: Callable[[str], Coroutine[Any, Any, None]], ready: Callable[[], Awaitable[None]]
) -> tuple[list[asyncio.Task[None]], dict[str, float]]:
    """Begin so many waits; their tasks, and what they occupy and cost.

    :param one: one wait, for the run of this name.
    :param ready: waits until all is quiet.
    """
    gc.collect()
    before, gaps = rss_kb(), Gaps()
    tasks = []
    for number in range(count):
        tasks.append(asyncio.ensure_future(one(f"run-{number}")))
        if number % 100 == 0:
            await asyncio.sleep(0)
    await ready()
    figures = {f"begin_{name}": value for name, value in gaps.stop().items()}
    gc.collect()
    own = time.thread_time()
    gc.collect()
    figures["collect_ms"] = (time.thread_time() - own) * 1e3
    return tasks, figures | {"memory_kb": (rss_kb() - before) / count}


async def main(endpoint: str, count: int, settle: float, floor: bool) -> None:
    """Wait, and do what the lines say.

    :param floor: each caller awaits a future that nobody else has to do with, instead of a run.
    """
    loop = asyncio.get_running_loop()
    lines: asyncio.Queue[str] = asyncio.Queue()
    loop.add_reader(sys.stdin.fileno(), lambda: lines.put_nowait(sys.stdin.readline().strip()))
    config = FlyteConfig(endpoint=endpoint, insecure=True, project="flytesnacks", domain="development")
    at: dict[str, float] = {}
    news: list[str] = []
    on_trouble = news.append
    """One for all callers, whose own objects are not the watcher's."""

    futures: list[asyncio.Future[None]] = []

    async def one(name: str) -> None:
        await watcher.wait(name, on_trouble=on_trouble)
        at[name] = time.time()

    async def bare(name: str) -> None:
        future = loop.create_future()
        futures.append(future)
        await future
        at[name] = time.time()

    async def ready() -> None:
        while not floor and (not watcher.status.stream_up or watcher.status.waits < count):
            await asyncio.sleep(0.1)
        # Until the interval has grown to what it is when all is quiet.
        await asyncio.sleep(settle + count / 5000)

    async with FlyteClient(config) as client, RunWatcher(client) as watcher:
        await asyncio.to_thread(import_all)
        await watcher.wait("over")
        tasks, begun = await begin(count, bare if floor else one, ready)
        say(**begun)
        while (order := (await lines.get()).split())[0] != "end":
            gaps_wanted, seconds = order[0] == "gaps", float(order[1])
            gaps, cpu, calls = Gaps() if gaps_wanted else None, time.process_time(), watcher.status.calls
            wall = time.monotonic()
            await asyncio.sleep(seconds)
            wall = time.monotonic() - wall
            figures: dict[str, float] = gaps.stop() if gaps else {}
            cpu_percent = (time.process_time() - cpu) / wall * 100
            say(cpu=cpu_percent, calls=(watcher.status.calls - calls) / wall, **figures)
        say(**at)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def say(**figures: Any) -> None:
    """One line of JSON."""
    print(json.dumps(figures), flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), sys.argv[4] == "1"))
