"""FlyteClient: retries, channels, big answers; blocking and on a loop."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_flyte.client import FlyteClient, RunDetails
from airflow_provider_flyte.client.errors import InvalidArgumentError, NotFoundError, UnavailableError
from airflow_provider_flyte.client.flows.calls import Call
from airflow_provider_flyte.client.idl.workflow import run_service_pb2
from airflow_provider_flyte.client.rpc import METHODS, RunService
from airflow_provider_flyte.client.transport.retry import RetryPolicy, is_read
from airflow_provider_flyte.testing import LocalFlyte, status, unavailable
from tests.client.conftest import config_for

CREATE = Call(RunService.CreateRun, run_service_pb2.CreateRunRequest(), lambda response: response)


async def get_both_ways(flyte: LocalFlyte, sleeps: list[float], **changed: Any) -> list[Any]:
    """The outcome of reading r1, blocking and on a loop; sleeps are noted and not slept."""

    async def asleep(seconds: float) -> None:
        sleeps.append(seconds)

    config = config_for(flyte, **changed)
    retry = RetryPolicy(config.retry_budget, sleeps.append, asleep)
    ends: list[Any] = []
    async with FlyteClient(config, retry=retry) as client:
        ways: list[Callable[[], Any]] = [
            lambda: asyncio.to_thread(RunDetails.get, "r1", client),
            lambda: RunDetails.get.aio("r1", client),
        ]
        for read in ways:
            try:
                ends.append((await read()).name)
            except Exception as error:
                ends.append(error)
    return ends


async def test_transient_failures_of_reads_are_repeated_with_full_jitter(local_flyte: LocalFlyte) -> None:
    local_flyte.run("r1")
    local_flyte.inject("GetRunDetails", unavailable(times=4))
    sleeps: list[float] = []
    assert await get_both_ways(local_flyte, sleeps) == ["r1", "r1"]
    assert len(sleeps) == 4
    # Calls must work again within 3 s of the server's return.
    assert all(0 <= seconds <= 2.0 for seconds in sleeps)
    assert len(set(sleeps)) > 1


async def test_the_last_error_is_raised_when_the_budget_is_spent(local_flyte: LocalFlyte) -> None:
    local_flyte.inject("GetRunDetails", unavailable("try later"))
    ends = await get_both_ways(local_flyte, [], retry_budget=0.05)
    assert [type(end) for end in ends] == [UnavailableError, UnavailableError]


async def test_what_cannot_change_is_not_repeated(local_flyte: LocalFlyte) -> None:
    local_flyte.inject("GetRunDetails", status("INVALID_ARGUMENT", "no"))
    sleeps: list[float] = []
    ends = await get_both_ways(local_flyte, sleeps)
    assert [type(end) for end in ends] == [InvalidArgumentError, InvalidArgumentError]
    assert sleeps == []
    assert len(local_flyte.calls("GetRunDetails")) == 2


async def test_a_write_is_never_repeated(local_flyte: LocalFlyte) -> None:
    """CreateRun enqueues again, AbortRun overwrites a success."""
    local_flyte.inject("CreateRun", unavailable())
    async with FlyteClient(config_for(local_flyte)) as client:
        with pytest.raises(UnavailableError):
            client.execute(CREATE)
        with pytest.raises(UnavailableError):
            await client.aexecute(CREATE)
    assert len(local_flyte.calls("CreateRun")) == 2


def test_reads_are_known_by_their_names() -> None:
    reads = {method.name.partition("/")[2] for method in METHODS if is_read(method)}
    writes = {method.name.partition("/")[2] for method in METHODS} - reads
    assert writes == {
        "CreateRun", "AbortRun", "RecordAction", "UpdateActionStatus", "RecordActionEvents",
        "DeployTask", "DeployTrigger", "JsonValuesToLiterals", "LiteralsToLaunchFormJson", "SignalEvent",
    }  # fmt: skip


async def test_a_message_of_20_mb_is_read(local_flyte: LocalFlyte) -> None:
    local_flyte.run("r1", envs={"BIG": "x" * 20_000_000}).succeeds()
    async with FlyteClient(config_for(local_flyte)) as client:
        for details in (await asyncio.to_thread(RunDetails.get, "r1", client), await RunDetails.get.aio("r1", client)):
            assert details.pb2.ByteSize() > 20_000_000
            assert details.done()


async def test_inputs_and_outputs(local_flyte: LocalFlyte) -> None:
    local_flyte.deploy("add", inputs={"x": int, "y": (int, 5)}, outputs={"o0": int})
    local_flyte.run("r1", task="add", inputs={"x": 3}).succeeds({"o0": 8})
    async with FlyteClient(config_for(local_flyte)):
        details = await RunDetails.get.aio("r1")
        assert await details.inputs.aio() == {"x": 3, "y": 5}
        assert await details.outputs.aio() == {"o0": 8}
        assert details.inputs() == {"x": 3, "y": 5}
        assert details.outputs() == {"o0": 8}


def test_outputs_of_a_task_that_has_none(local_flyte: LocalFlyte, client: FlyteClient) -> None:
    local_flyte.deploy("quiet")
    local_flyte.deploy("lost", outputs={"o0": int})
    local_flyte.run("r1", task="quiet").succeeds()
    local_flyte.run("r2", task="lost").succeeds()
    assert RunDetails.get("r1").outputs() == {}
    with pytest.raises(NotFoundError, match="outputs not available"):
        RunDetails.get("r2").outputs()


def test_get_details_takes_a_whole_identifier(local_flyte: LocalFlyte, client: FlyteClient) -> None:
    local_flyte.run("r1", project="other").succeeds()
    run_id = local_flyte.run("r1", project="other")
    with pytest.raises(NotFoundError):
        RunDetails.get("r1")
    from airflow_provider_flyte.client.idl.common import identifier_pb2

    whole = identifier_pb2.RunIdentifier(org="o", project="other", domain="development", name=run_id.name)
    details = RunDetails.get_details(whole)
    assert (details.key.project, details.name) == ("other", "r1")
    assert details.url.endswith("/v2/domain/development/project/other/runs/r1")


# -- channels


def test_nothing_is_connected_before_the_first_call(local_flyte: LocalFlyte) -> None:
    before = threading.active_count()
    client = FlyteClient(config_for(local_flyte))
    assert client._sync is None
    assert threading.active_count() == before
    client.close()


def test_one_channel_a_process_and_loop(local_flyte: LocalFlyte, client: FlyteClient) -> None:
    assert client.transport() is client.transport()

    async def on_a_loop() -> Any:
        mine = client.async_transport()
        assert mine is client.async_transport()
        local_flyte.run("r1")
        await RunDetails.get.aio("r1", client=client)
        await client.aclose()
        return mine

    assert asyncio.run(on_a_loop()) is not asyncio.run(on_a_loop())


def test_a_closed_client_can_be_used_again(local_flyte: LocalFlyte) -> None:
    local_flyte.run("r1")
    client = FlyteClient(config_for(local_flyte))
    for _ in range(2):
        with client:
            assert RunDetails.get("r1").name == "r1"


def test_a_client_works_after_a_fork(local_flyte: LocalFlyte) -> None:
    """Airflow's task runner and triggerer fork; an inherited channel answers UNAVAILABLE."""
    local_flyte.run("r1", domain="d")
    program = f"""
        import os
        from airflow_provider_flyte.client import FlyteClient, FlyteConfig, RunDetails
        config = FlyteConfig(endpoint={local_flyte.endpoint!r}, insecure=True, project="flytesnacks", domain="d")
        client = FlyteClient(config)
        assert RunDetails.get("r1", client=client).name == "r1"
        child = os.fork()
        if child == 0:
            os._exit(0 if RunDetails.get("r1", client=client).name == "r1" else 1)
        assert os.waitpid(child, 0)[1] == 0
        assert RunDetails.get("r1", client=client).name == "r1"
        client.close()
    """
    subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        check=True,
        timeout=30,
        env={**os.environ, "GRPC_VERBOSITY": "NONE"},
    )
