"""Outputs of an open-source Flyte behind nginx, whatever that makes of the question which data plane has them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_flyte.client import FlyteClient, FlyteConfig, RunDetails
from airflow_provider_flyte.testing import LocalFlyte
from tests.proxy.test_through_nginx import PICKED
from tests.proxy.ways import STATUSES_OF_A_PATH

Config = Callable[..., FlyteConfig]
both = pytest.mark.parametrize("on_a_loop", [False, True], ids=["blocking", "loop"])
TIMES = 5
REFUSED = [f"no-clusters-{status}-{name}" for status in STATUSES_OF_A_PATH for name in ("http", "grpc")]


@pytest.fixture
def run(flyte: LocalFlyte) -> str:
    flyte.deploy("counts", outputs={"o0": int})
    flyte.run("has-outputs", task="counts").succeeds({"o0": 8})
    flyte.calls.clear()
    return "has-outputs"


def outputs(config: FlyteConfig, run: str, *, on_a_loop: bool) -> list[dict[str, Any]]:
    async def on_loop() -> list[dict[str, Any]]:
        async with FlyteClient(config):
            details = await RunDetails.get.aio(run)
            return [await details.outputs.aio() for _ in range(TIMES)]

    if on_a_loop:
        return asyncio.run(on_loop())
    with FlyteClient(config):
        details = RunDetails.get(run)
        return [details.outputs() for _ in range(TIMES)]


@both
@pytest.mark.parametrize("way", [*PICKED, *REFUSED, "own-port-http", "own-port-grpc"])
def test_they_are_read_as_before(config: Config, flyte: LocalFlyte, run: str, way: str, on_a_loop: bool) -> None:
    settings = config(way, retry_budget=5.0)
    assert outputs(settings, run, on_a_loop=on_a_loop) == [{"o0": 8}] * TIMES
    passed = flyte.calls.count("SelectCluster")
    # Twice where what is named does not answer.
    assert passed == (0 if way in REFUSED or way.startswith("chart") else 2 if way.startswith("own-port") else 1)


@both
@pytest.mark.parametrize("way", REFUSED)
def test_a_proxy_that_refuses_is_asked_no_more(config: Config, proxy: Any, run: str, way: str, on_a_loop: bool) -> None:
    mark = f"{way}-{on_a_loop}"
    outputs(config(way, retry_budget=5.0, metadata=(("x-test", mark),)), run, on_a_loop=on_a_loop)
    lines = asyncio.run(proxy.logged(mark, "/flyteidl2.cluster.ClusterService/SelectCluster"))
    # A page with the status 200 is seen through gRPC as UNKNOWN, which is believed the second time.
    assert len(lines) == (2 if way == "no-clusters-200-grpc" else 1), lines
