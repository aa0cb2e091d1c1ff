"""What waiting costs a large installation: many projects, and streams that are dear to open.

    python benchmarks/large_installation.py

Two lines. With a wait in each of 300 projects: calls a second, and how long an end goes unnoticed, with the streams
that one connection may have and without any. With 600,000 runs in a project Flyte takes 3 s to open its stream, and a
proxy cuts it every 20 s: how often it is opened, while nothing ends and at 50 ends a second.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import time
from collections.abc import Sequence

from ending import EndingFlyte, Shape

from airflow_provider_flyte.client import FlyteClient, FlyteConfig, RunWatcher


class Waiting:
    """Waits for all runs of a server, and notes when each wait has ended."""

    def __init__(self, flyte: EndingFlyte, count: int, shape: Shape, *, stream: bool = True) -> None:
        config = FlyteConfig(endpoint=flyte.endpoint, insecure=True, project="flytesnacks", domain="development")
        self.at: dict[str, float] = {}
        self._names = [f"run-{number}" for number in range(count)]
        self._shape = shape
        self._client = FlyteClient(config)
        self.watcher = RunWatcher(self._client, stream=stream)
        self._tasks: list[asyncio.Task[None]] = []

    async def _one(self, number: int, name: str) -> None:
        await self.watcher.wait(name, project=self._shape.project(number))
        self.at[name] = time.time()

    async def __aenter__(self) -> Waiting:
        self._tasks = [asyncio.ensure_future(self._one(*each)) for each in enumerate(self._names)]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.watcher.aclose()
        await self._client.aclose()

    def late(self, ends: Sequence[float]) -> list[float]:
        """Seconds from each end until it was noticed, the shortest first."""
        return sorted(self.at[name] - at for name, at in zip(self._names, ends, strict=True) if at)

    async def all_over(self, ends: Sequence[float]) -> None:
        """Until each wait whose run has ended is over."""
        over = [name for name, at in zip(self._names, ends, strict=True) if at]
        while not self.at.keys() >= set(over):
            await asyncio.sleep(0.05)


async def many_projects(count: int, seconds: float, *, stream: bool) -> str:
    """A wait in each project."""
    shape = Shape(projects=count)
    with EndingFlyte(count, shape) as flyte:
        async with Waiting(flyte, count, shape, stream=stream) as waiting:
            # Until all intervals have grown to what they are when all is quiet.
            await asyncio.sleep(seconds)
            calls = waiting.watcher.status.calls
            await asyncio.sleep(seconds)
            calls_a_second = (waiting.watcher.status.calls - calls) / seconds
            ends = await asyncio.to_thread(flyte.end_all, count / seconds)
            await asyncio.wait_for(waiting.all_over(ends), 120)
            late = waiting.late(ends)
    means = "streams" if stream else "no stream"
    half, most = late[len(late) // 2], late[-1]
    return f"{means}: {calls_a_second:.1f} calls/s, noticed after {half:.2f} s (p50), {most:.2f} s (max)"


async def dear_stream(opens_after: float, seconds: float, *, rate: float) -> int:
    """How often a stream is opened that takes this long to open and is cut after 20 s."""
    shape = Shape(opens_after=opens_after, cut_every=20.0)
    count = max(100, int(rate * seconds))
    with EndingFlyte(count, shape) as flyte:
        async with Waiting(flyte, count, shape) as waiting:
            began = time.monotonic()
            if rate:
                await asyncio.to_thread(flyte.end_all, rate)
            await asyncio.sleep(seconds - (time.monotonic() - began))
            return waiting.watcher.status.streams


async def measure(projects: int, seconds: float, opens_after: float, watched_for: float) -> None:
    """Print the two lines."""
    print(f"{os.cpu_count()} cores, load average before {os.getloadavg()[0]:.2f}")
    lines = [await many_projects(projects, seconds, stream=stream) for stream in (True, False)]
    print(f"{projects} projects with a wait each: " + "; ".join(lines), flush=True)
    idle, busy = [await dear_stream(opens_after, watched_for, rate=rate) for rate in (0.0, 50.0)]
    print(
        f"a stream that takes {opens_after:g} s to open and is cut every 20 s, watched for {watched_for:g} s: "
        f"opened {idle} times idle, {busy} times at 50 ends a second; "
        f"that is at most {idle * 3600 / watched_for:.0f} and {busy * 3600 / watched_for:.0f} an hour"
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--projects", type=int, default=300)
    parser.add_argument("--seconds", type=float, default=20.0, help="of each stage with many projects")
    parser.add_argument("--opens-after", type=float, default=3.0, help="seconds until a stream's first message")
    parser.add_argument("--watched-for", type=float, default=130.0, help="seconds in which openings are counted")
    given = parser.parse_args(arguments)
    asyncio.run(measure(given.projects, given.seconds, given.opens_after, given.watched_for))


if __name__ == "__main__":
    main()
