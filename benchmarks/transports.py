"""What Connect costs beside gRPC, in one run: calls one at a time and ten at once, then waits through one watcher.

    python benchmarks/transports.py --calls 1000 --waits 1000 --seconds 10

The local server runs in a process of its own, and so does each measurement of waits, whose memory is what that process
grew by. Calls of both transports take turns, so that a busy machine troubles both.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import statistics
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path

from our_waits import watch

from airflow_provider_flyte.client import FlyteClient, FlyteConfig, RunDetails
from airflow_provider_flyte.testing import LocalFlyte

TRANSPORTS = ("grpc", "connect")
TURNS = 5
AT_ONCE = 10
_SPAWN = multiprocessing.get_context("spawn")


def serve(pipe: Connection, names: Sequence[str], seconds: float) -> None:
    """A Flyte with both transports whose runs end evenly over so many seconds, once it is told to begin."""
    with LocalFlyte(transports=TRANSPORTS, keep_calls=10) as flyte:
        runs = [flyte.run(name).move("RUNNING") for name in names]
        pipe.send([f"{flyte.host}:{flyte.ports[protocol]}" for protocol in TRANSPORTS])
        pipe.recv()
        for number, run in enumerate(runs):
            run.phases("RUNNING", "SUCCEEDED", every=1.0 + (number + 1) * seconds / len(runs))
        pipe.send("begun")
        pipe.recv()


class Server:
    """A process that serves until the block ends; begins when it is told."""

    def __init__(self, names: Sequence[str], seconds: float = 0.0) -> None:
        self._pipe, theirs = _SPAWN.Pipe()
        self._process = _SPAWN.Process(target=serve, args=(theirs, names, seconds), daemon=True)

    def __enter__(self) -> Server:
        self._process.start()
        self.endpoints = dict(zip(TRANSPORTS, self._pipe.recv(), strict=True))
        return self

    def begin(self) -> None:
        self._pipe.send("begin")
        self._pipe.recv()

    def __exit__(self, *_: object) -> None:
        self._pipe.send("end")
        self._process.join(20)


def config(transport: str, endpoint: str) -> FlyteConfig:
    return FlyteConfig(
        endpoint=endpoint, insecure=True, project="flytesnacks", domain="development", transport=transport
    )


def blocking_calls(made: FlyteConfig, count: int) -> list[float]:
    """Milliseconds of each, one at a time."""
    took = []
    with FlyteClient(made):
        RunDetails.get("run-0")
        for _ in range(count):
            began = time.perf_counter()
            RunDetails.get("run-0")
            took.append((time.perf_counter() - began) * 1e3)
    return took


async def loop_calls(made: FlyteConfig, count: int) -> tuple[list[float], float]:
    """Milliseconds of each, one at a time; then how many a second, ten at once."""
    took = []
    async with FlyteClient(made):
        await RunDetails.get.aio("run-0")
        for _ in range(count):
            began = time.perf_counter()
            await RunDetails.get.aio("run-0")
            took.append((time.perf_counter() - began) * 1e3)

        async def ask(times: int) -> None:
            for _ in range(times):
                await RunDetails.get.aio("run-0")

        began = time.perf_counter()
        await asyncio.gather(*(ask(count // AT_ONCE) for _ in range(AT_ONCE)))
        return took, count // AT_ONCE * AT_ONCE / (time.perf_counter() - began)


def measure_calls(count: int) -> dict[str, dict[str, float]]:
    """Figures of each transport."""
    blocking: dict[str, list[float]] = {each: [] for each in TRANSPORTS}
    on_a_loop: dict[str, list[float]] = {each: [] for each in TRANSPORTS}
    rates: dict[str, list[float]] = {each: [] for each in TRANSPORTS}
    with Server(["run-0"]) as server:
        for _ in range(TURNS):
            for transport, endpoint in server.endpoints.items():
                made = config(transport, endpoint)
                blocking[transport] += blocking_calls(made, count // TURNS)
                took, rate = asyncio.run(loop_calls(made, count // TURNS))
                on_a_loop[transport] += took
                rates[transport].append(rate)
        server.begin()
    return {
        each: {
            "blocking call, p50 ms": statistics.median(blocking[each]),
            "blocking call, p99 ms": p99(blocking[each]),
            "call on a loop, p50 ms": statistics.median(on_a_loop[each]),
            "call on a loop, p99 ms": p99(on_a_loop[each]),
            f"calls a second, {AT_ONCE} at once": statistics.median(rates[each]),
        }
        for each in TRANSPORTS
    }


def measure_waits(pipe: Connection, made: FlyteConfig, names: list[str]) -> None:
    """In a process of its own: how late each end is noticed, and what the waits cost."""
    at: dict[str, float] = {}

    async def wait() -> dict[str, float]:
        async with FlyteClient(made) as client:
            await RunDetails.get.aio(names[0])
            memory = resident()
            waiting = asyncio.ensure_future(watch(client, names, lambda name: at.setdefault(name, time.time())))
            pipe.send("waiting")
            cpu = time.process_time()
            while not pipe.poll():
                await asyncio.sleep(0.05)
            await asyncio.sleep(0.5)
            grown = resident() - memory
            await waiting
            cpu = time.process_time() - cpu
            late = [at[name] - await end_of(name) for name in names]
        return {
            "detection, p50 ms": statistics.median(late) * 1e3,
            "detection, p99 ms": p99(late) * 1e3,
            "CPU for all waits, s": cpu,
            "memory a wait, kB": grown / len(names) / 1000,
        }

    pipe.send(asyncio.run(wait()))


async def end_of(name: str) -> float:
    """When the server says that a run ended; its clock is ours."""
    details = await RunDetails.get.aio(name)
    return details.pb2.action.status.end_time.ToNanoseconds() / 1e9


def resident() -> int:
    """Bytes of memory that this process takes."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096


def p99(values: Sequence[float]) -> float:
    return statistics.quantiles(values, n=100)[98]


def waits_through(transport: str, names: list[str], seconds: float) -> dict[str, float]:
    with Server(names, seconds) as server:
        ours, theirs = _SPAWN.Pipe()
        made = config(transport, server.endpoints[transport])
        process = _SPAWN.Process(target=measure_waits, args=(theirs, made, names), daemon=True)
        process.start()
        ours.recv()
        server.begin()
        ours.send("begun")
        figures: dict[str, float] = ours.recv()
        process.join(20)
        return figures


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=1000, help="of each kind and transport")
    parser.add_argument("--waits", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=10.0, help="over which the runs end")
    given = parser.parse_args()
    names = [f"run-{number}" for number in range(given.waits)]
    figures = measure_calls(given.calls)
    for transport in TRANSPORTS:
        figures[transport] |= waits_through(transport, names, given.seconds)
    print(f"{given.calls} calls of each kind, {given.waits} waits whose runs end over {given.seconds:g} s")
    print(f"{'':<30}{'gRPC':>10}{'Connect':>10}{'ratio':>8}")
    for title, grpc in figures["grpc"].items():
        connect = figures["connect"][title]
        print(f"{title:<30}{grpc:>10.2f}{connect:>10.2f}{connect / grpc if grpc else float('nan'):>8.2f}")


if __name__ == "__main__":
    main()
