"""What waiting costs one process: the watcher beside a GetRunDetails a second for each run, in one run.

    python benchmarks/waits.py --waits 500 --seconds 10

Both wait for as many runs on a local server in a process of its own, asking at most once a second, while the runs end
one after the other.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import statistics
import time
from collections.abc import Awaitable, Callable
from multiprocessing.connection import Connection

from airflow_provider_flyte.client import FlyteClient, FlyteConfig, RunDetails, RunWatcher
from airflow_provider_flyte.testing import LocalFlyte

INTERVAL = 1.0
Noticed = Callable[[str], None]
Waiting = Callable[[FlyteClient, list[str], Noticed], Awaitable[None]]


async def poll_each(client: FlyteClient, names: list[str], noticed: Noticed) -> None:
    """What a user would write."""

    async def one(name: str) -> None:
        while not (await RunDetails.get.aio(name, client=client)).done():
            await asyncio.sleep(INTERVAL)
        noticed(name)

    await asyncio.gather(*map(one, names))


async def watch(client: FlyteClient, names: list[str], noticed: Noticed) -> None:
    """One watcher for all."""

    async def one(name: str) -> None:
        await watcher.wait(name)
        noticed(name)

    async with RunWatcher(client, interval=INTERVAL) as watcher:
        await asyncio.gather(*map(one, names))


def serve(pipe: Connection, names: list[str], seconds: float) -> None:
    """A Flyte whose runs end evenly over so many seconds; says how often it was called."""
    with LocalFlyte(keep_calls=1_000_000) as flyte:
        for number, name in enumerate(names):
            flyte.run(name).phases("RUNNING", "SUCCEEDED", every=(number + 1) * seconds / len(names))
        pipe.send(flyte.endpoint)
        pipe.recv()
        pipe.send(len(flyte.calls()))
        pipe.recv()


async def measure(what: Waiting, endpoint: str, names: list[str], pipe: Connection) -> str:
    """One row of the table."""
    config = FlyteConfig(endpoint=endpoint, insecure=True, project="flytesnacks", domain="development")
    at: dict[str, float] = {}
    async with FlyteClient(config) as client:
        cpu = time.process_time()
        await what(client, names, lambda name: at.setdefault(name, time.time()))
        cpu = time.process_time() - cpu
        pipe.send("calls?")
        calls = pipe.recv()
        delays = []
        for name in names:
            details = await RunDetails.get.aio(name)
            delays.append(at[name] - details.pb2.action.status.end_time.ToNanoseconds() / 1e9)
    slowest = statistics.quantiles(delays, n=100)[98]
    return f"{calls:>7} {cpu:>7.2f} s {statistics.median(delays):>8.2f} s {slowest:>8.2f} s"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--waits", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=10.0, help="over which the runs end")
    given = parser.parse_args()
    names = [f"run-{number}" for number in range(given.waits)]
    spawn = multiprocessing.get_context("spawn")
    print(f"{given.waits} waits, ends over {given.seconds:g} s")
    print(f"{'':<24}{'calls':>7} {'CPU':>9} {'delay p50':>10} {'p99':>10}")
    for title, what in (("a poll a run, each 1 s", poll_each), ("one watcher, each 1 s", watch)):
        ours, theirs = spawn.Pipe()
        server = spawn.Process(target=serve, args=(theirs, names, given.seconds), daemon=True)
        server.start()
        print(f"{title:<24}{asyncio.run(measure(what, ours.recv(), names, ours))}")
        ours.send("bye")
        server.join(10)


if __name__ == "__main__":
    main()
