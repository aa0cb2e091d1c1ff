"""A process with very many waits that measures itself; `scale.py` starts it and tells it, by lines, what comes next."""

from __future__ import annotations

import asyncio
import gc
import json
import resource
import sys
import time
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


async def main(endpoint: str, count: int, settle: float) -> None:
    """Wait, and do what the lines say."""
    loop = asyncio.get_running_loop()
    lines: asyncio.Queue[str] = asyncio.Queue()
    loop.add_reader(sys.stdin.fileno(), lambda: lines.put_nowait(sys.stdin.readline().strip()))
    config = FlyteConfig(endpoint=endpoint, insecure=True, project="flytesnacks", domain="development")
    at: dict[str, float] = {}
    news: list[str] = []

    async def one(name: str) -> None:
        await watcher.wait(name, on_trouble=news.append)
        at[name] = time.time()

    async with FlyteClient(config) as client, RunWatcher(client) as watcher:
        await asyncio.to_thread(import_all)
        await watcher.wait("over")
        gc.collect()
        before = rss_kb()
        gaps = Gaps()
        tasks = []
        for number in range(count):
            tasks.append(asyncio.ensure_future(one(f"run-{number}")))
            if number % 100 == 0:
                await asyncio.sleep(0)
        while not watcher.status.stream_up or watcher.status.waits < count:
            await asyncio.sleep(0.1)
        # Until the interval has grown to what it is when all is quiet.
        await asyncio.sleep(settle + count / 5000)
        began = {f"begin_{name}": value for name, value in gaps.stop().items()}
        gc.collect()
        gc.freeze()
        say(memory_kb=(rss_kb() - before) / count, **began)
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
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])))
