"""Waiting as the Flyte SDK allows it: a poll a run, or a stream a run. Run by the SDK's own Python; `waits.py` does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import flyte
import waiter
from flyte.remote import Run, RunDetails


def _init(endpoint: str) -> None:
    flyte.init(endpoint=f"dns:///{endpoint}", insecure=True, org="testorg", project="flytesnacks", domain="development")


@asynccontextmanager
async def poll_each(endpoint: str, interval: float) -> AsyncIterator[waiter.Wait]:
    """``RunDetails.get`` for each run, again and again."""
    _init(endpoint)

    async def wait(name: str) -> None:
        while not (await RunDetails.get.aio(name)).done():
            await asyncio.sleep(interval)

    yield wait


@asynccontextmanager
async def stream_each(endpoint: str, interval: float) -> AsyncIterator[waiter.Wait]:
    """``Run.wait`` for each run, which has no interval."""
    _init(endpoint)

    async def wait(name: str) -> None:
        run = await Run.get.aio(name)
        await run.wait.aio(quiet=True)

    yield wait


if __name__ == "__main__":
    waiter.main({"poll": poll_each, "stream": stream_each})
