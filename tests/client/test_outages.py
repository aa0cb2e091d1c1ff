"""The server goes away and comes back."""

from __future__ import annotations

import asyncio
import time

from airflow_provider_flyte.client import FlyteClient, RunDetails
from airflow_provider_flyte.testing import LocalFlyte
from tests.client.conftest import config_for

BOUND = 3.0
"""Seconds after the server's return within which calls must work again."""


async def test_calls_work_again_within_3_s_of_the_servers_return(protocol: str) -> None:
    """Whatever the outage's length, while the pauses of grpc's own back-off grow to two minutes.

    The outage here lasts until the default would already wait for longer than the bound (1, 1.6 and 2.6 s gone, 4.1 s
    to come), so that a channel without our options fails this test.
    """
    with LocalFlyte(transports=(protocol,)) as flyte:
        flyte.run("r1")
        async with FlyteClient(config_for(flyte, retry_budget=30.0, timeout=2.0)) as client:
            await RunDetails.get.aio("r1")
            await asyncio.to_thread(RunDetails.get, "r1", client)
            flyte.stop()
            # Calls go on through the outage, as those of a watcher do.
            reads = asyncio.gather(RunDetails.get.aio("r1"), asyncio.to_thread(RunDetails.get, "r1", client))
            await asyncio.sleep(5.5)
            assert not reads.done()
            flyte.start()
            back = time.monotonic()
            await reads
            assert time.monotonic() - back < BOUND
