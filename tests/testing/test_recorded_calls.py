"""The calls that the server got, for tests that read them or wait for them."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest

from airflow_provider_flyte.client import rpc
from airflow_provider_flyte.testing import LocalFlyte
from tests.testing.conftest import RawClient


def test_calls_are_recorded(flyte: LocalFlyte, client: Any) -> None:
    flyte.run("r1")
    client.details("r1")
    request = flyte.calls("GetRunDetails")[0].request
    with pytest.raises(grpc.RpcError):
        client.details("nope")
    row = rpc.ProjectService.ListProjects
    client.ask(row, row.request(), metadata=[("authorization", "Bearer t")])
    assert request.run_id.name == "r1"
    assert [(call.method, call.code) for call in flyte.calls] == [
        ("RunService/GetRunDetails", "OK"),
        ("RunService/GetRunDetails", "NOT_FOUND"),
        ("ProjectService/ListProjects", "OK"),
    ]
    assert flyte.calls("ProjectService/ListProjects")[0].metadata["authorization"] == "Bearer t"
    assert flyte.calls.count("GetRunDetails") == 2
    flyte.calls.clear()
    assert len(flyte.calls) == 0


def test_old_calls_are_counted_but_not_kept() -> None:
    with LocalFlyte(keep_calls=1) as flyte, grpc.insecure_channel(flyte.endpoint) as channel:
        for name in ("r1", "r2"):
            flyte.run(name)
            RawClient(channel).details(name)
        assert [call.request.run_id.name for call in flyte.calls] == ["r2"]
        assert len(flyte.calls) == 2


def test_waiting_for_a_call(flyte: LocalFlyte, client: Any) -> None:
    flyte.run("r1")
    client.details("r1")
    assert len(flyte.wait_for_call("GetRunDetails")) == 1
    assert len(asyncio.run(flyte.wait_for_call_async("GetRunDetails"))) == 1
    with pytest.raises(TimeoutError, match=r"ListRuns was called 0 times within 0\.01 s, not 1"):
        flyte.wait_for_call("ListRuns", timeout=0.01)


@pytest.mark.timeout(20)
def test_waiting_for_a_call_that_is_yet_to_come(flyte: LocalFlyte, client: Any) -> None:
    async def main() -> None:
        waiting = asyncio.create_task(flyte.wait_for_call_async("ListRuns", timeout=60))
        await asyncio.sleep(0.05)
        await asyncio.to_thread(client.list_runs)
        assert len(await waiting) == 1

    asyncio.run(main())
