"""The process that waits. Standard library only: our Python runs it, and so does the SDK's.

It is told by lines on its standard input, and tells by lines on its standard output.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import TextIO

Wait = Callable[[str], Awaitable[object]]
Way = Callable[[str, float], AbstractAsyncContextManager[Wait]]
"""From an endpoint and an interval to a function that waits for one run."""


def main(ways: Mapping[str, Way]) -> None:
    """Wait in one of these ways for ``run-0``, ``run-1``, ..."""
    parser = argparse.ArgumentParser()
    parser.add_argument("way", choices=ways)
    parser.add_argument("count", type=int)
    parser.add_argument("interval", type=float)
    given = parser.parse_args()
    out = _own_output()
    # It starts while the server does, and is told by the first line where that is.
    way = ways[given.way](sys.stdin.readline().strip(), given.interval)
    asyncio.run(_wait_for_all(way, given.count, out))


async def _wait_for_all(way: AbstractAsyncContextManager[Wait], count: int, out: TextIO) -> None:
    names = [f"run-{number}" for number in range(count)]
    at = [0.0] * count

    async def one(number: int) -> None:
        await wait(names[number])
        at[number] = time.time()

    async with way as wait:
        # The first wait brings what all need, the connection and the code; what it began in the background ends.
        await wait("over")
        await asyncio.sleep(0.2)
        gc.collect()
        out.write("ready\n")
        sys.stdin.readline()
        tasks = [asyncio.create_task(one(number)) for number in range(count)]
        for task in tasks:
            await task
    out.write(json.dumps(at) + "\n")


def _own_output() -> TextIO:
    """The standard output, for these lines alone: what else prints goes to the standard error."""
    own = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    return own
