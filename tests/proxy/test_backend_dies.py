"""The backend behind a plain HTTP ingress dies in the middle of everything and comes back."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections import Counter
from typing import Any

from airflow_provider_flyte.client import FlyteClient, FlyteConfig, Launch, RunDetails, RunWatcher, errors
from airflow_provider_flyte.client.config import CONNECT
from airflow_provider_flyte.client.transport import discovery
from airflow_provider_flyte.testing import LocalFlyte
from tests.proxy.nginx import Nginx, Server

WAITS, LAUNCHES = 200, 10
AWAY = 3.0
"""Seconds."""

GIVES_UP_AFTER = 30.0


def launch(client: FlyteClient, name: str) -> None:
    """As the operator does it: again under the same name, until it is known."""
    until = time.monotonic() + GIVES_UP_AFTER
    while True:
        try:
            client.launch(Launch("demo.train", run_name=name))
            return
        except errors.RpcError:
            assert time.monotonic() < until
            time.sleep(0.1)


async def test_nothing_is_lost_and_nothing_flooded(tmp_path: Any, certificate: tuple[bytes, bytes]) -> None:
    mark = uuid.uuid4().hex
    flyte = LocalFlyte(transports=("connect",), keep_calls=100_000).start()
    flyte.deploy("demo.train")
    body = f"location / {{ proxy_pass http://127.0.0.1:{flyte.port}; proxy_buffering off; }}"
    with Nginx(tmp_path, {"ingress": Server("ssl http2", body)}, certificate) as nginx:
        made: dict[str, Any] = {
            "endpoint": nginx.endpoint("ingress"),
            "ca_bundle": certificate[0].decode(),
            "project": "flytesnacks",
            "domain": "development",
            "retry_budget": 1.0,
        }
        known = FlyteConfig(**made, metadata=(("x-test", f"{mark}-known"),))
        # Another one, as a process that begins in the outage: it has never reached Flyte.
        new = FlyteConfig(**made, metadata=(("x-test", f"{mark}-new"),), server_name="localhost")
        names = [f"r{number}" for number in range(WAITS)]
        runs = [flyte.run(name).move("RUNNING") for name in names]
        async with (
            FlyteClient(known) as client,
            FlyteClient(new) as late,
            RunWatcher(client, poll_interval=1.0) as watcher,
            RunWatcher(late, poll_interval=1.0) as late_watcher,
        ):
            waits = asyncio.gather(*(watcher.wait(name) for name in names))
            await flyte.wait_for_call_async("WatchRuns")
            assert discovery.endpoint_of(known).transport == CONNECT
            launches = asyncio.gather(
                *(asyncio.to_thread(launch, client, f"launched-{number}") for number in range(LAUNCHES))
            )
            await flyte.wait_for_call_async("CreateRun")
            began = time.monotonic()
            await asyncio.to_thread(flyte.stop)
            seen = len(flyte.calls)
            late_waits = asyncio.gather(*(late_watcher.wait(name) for name in names))
            # What ends meanwhile is told by no stream.
            for run in runs:
                run.succeeds()
            await asyncio.sleep(AWAY)
            assert not waits.done()
            assert not late_waits.done()
            assert len(flyte.calls) == seen
            assert discovery.endpoint_of(new).transport is None
            await asyncio.to_thread(flyte.start)
            away = time.monotonic() - began
            ends = [result.outcome.name for result in (*await waits, *await late_waits)]
            assert Counter(ends) == {"SUCCEEDED": 2 * WAITS}
            await launches
            assert (await RunDetails.get.aio("r0", late)).name == "r0"
            assert discovery.endpoint_of(known).transport == discovery.endpoint_of(new).transport == CONNECT
        created = Counter(call.request.run_id.name for call in flyte.calls("CreateRun") if call.code == "OK")
        assert created == dict.fromkeys((f"launched-{number}" for number in range(LAUNCHES)), 1)
        # Each config was looked at once or twice where it found Flyte, and no request lacked what it is about.
        assert flyte.calls.count("GetActionDetails") <= 4
        assert not [call for call in flyte.calls if call.code == "INTERNAL"]
        # And the proxy: of who knew nothing, only looks; of who knew the way, the watcher's own pace.
        logged = await nginx.logged(f"{mark}-new")
        looked = Counter(line.split()[-1].rpartition("/")[2] for line in logged if " 502 " in line)
        assert set(looked) <= {"GetActionDetails", "ListRuns"}
        assert sum(looked.values()) <= 12 * away / AWAY
    flyte.stop()
