"""Waiting as this provider does it: one watcher for all. A process that waits; `waits.py` starts it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import waiter

from airflow_provider_flyte.client import FlyteClient, FlyteConfig, RunWatcher


@asynccontextmanager
async def one_watcher(endpoint: str, interval: float) -> AsyncIterator[waiter.Wait]:
    """One for all waits."""
    config = FlyteConfig(endpoint=endpoint, insecure=True, project="flytesnacks", domain="development")
    async with FlyteClient(config) as client, RunWatcher(client, poll_interval=interval) as watcher:
        yield watcher.wait


async def watch(client: FlyteClient, names: list[str], noticed: Callable[[str], object], interval: float = 1.0) -> None:
    """Wait for all of these runs through one watcher."""

    async def one(name: str) -> None:
        await watcher.wait(name)
        noticed(name)

    async with RunWatcher(client, poll_interval=interval) as watcher:
        await asyncio.gather(*map(one, names))


if __name__ == "__main__":
    waiter.main({"watcher": one_watcher})
