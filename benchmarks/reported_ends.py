"""How soon ends of runs are reported to triggers for assets, and what these ask Flyte for.

    python benchmarks/reported_ends.py --runs 5000 --rate 1000 --feeds 2

All runs go on when the feeds begin, and then end at a rate, in a random order; each feed reports each. The local
server is in a process of its own. Times are in milliseconds from the end of a run to its report. What is kept is made
once a second, as for Airflow's store.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time

from ending import EndingFlyte, run_names

from airflow_provider_flyte.client import FlyteClient, FlyteConfig, RunWatcher
from airflow_provider_flyte.client.run_key import ProjectDomain
from airflow_provider_flyte.client.watch.feed_state import OVERLAP, FeedState
from airflow_provider_flyte.client.watch.run_feed import RunFeed

HERE = ProjectDomain("flytesnacks", "development")


async def _report(watcher: RunWatcher, task: str, states: list[FeedState], at: dict[str, float], count: int) -> None:
    state = FeedState(time.time_ns() // 1000 - OVERLAP, began=time.time_ns() // 1000)
    states.append(state)
    ends = RunFeed(watcher, HERE, task, state, interval=5.0).ends()
    async for run in ends:
        at[run.name] = time.time()
        state.settle(run.name)
        if len(at) == count:
            break
    await ends.aclose()


async def _keep(states: list[FeedState]) -> None:
    while True:
        await asyncio.sleep(1)
        for state in states:
            json.dumps(state.to_json(time.time_ns() // 1000))


async def measure(count: int, rate: float, feeds: int) -> dict[str, float]:
    """Let so many runs end at so many a second, and so many feeds report them."""
    with EndingFlyte(count) as flyte:
        config = FlyteConfig(endpoint=flyte.endpoint, insecure=True, project=HERE.project, domain=HERE.domain)
        async with FlyteClient(config) as client, RunWatcher(client) as watcher:
            reported: list[dict[str, float]] = [{} for _ in range(feeds)]
            states: list[FeedState] = []
            # Each other one for all tasks: they are other triggers to Airflow.
            tasks = [
                asyncio.create_task(_report(watcher, "" if number % 2 else "demo.train", states, at, count))
                for number, at in enumerate(reported)
            ]
            while len(states) < feeds or any(len(state.open) < count for state in states):
                await asyncio.sleep(0.05)
            keeping = asyncio.create_task(_keep(states))
            await asyncio.sleep(3)
            flyte.forget_calls()
            ends = await asyncio.to_thread(flyte.end_all, rate)
            await asyncio.gather(*tasks)
            keeping.cancel()
            asked = flyte.asked()
    by_name = dict(zip(run_names(count), ends, strict=True))
    late = sorted((at[name] - by_name[name]) * 1000 for at in reported for name in by_name)
    return {
        "runs": count,
        "rate": rate,
        "feeds": feeds,
        "reported": len(late),
        "p50_ms": round(late[len(late) // 2], 1),
        "p99_ms": round(late[int(len(late) * 0.99)], 1),
        "max_ms": round(late[-1], 1),
        "calls": asked.calls,
        "streams": asked.streams,
        "took_s": round(max(ends) - min(ends), 1),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5000)
    parser.add_argument("--rate", type=float, default=1000.0, help="ends a second")
    parser.add_argument("--feeds", type=int, default=2)
    given = parser.parse_args()
    print(json.dumps(asyncio.run(measure(given.runs, given.rate, given.feeds))))
