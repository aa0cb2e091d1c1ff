"""Looks at how Flyte can be reached: rare, shared, harmless, and none where they bring nothing."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import pytest

from airflow_provider_flyte.client import FlyteClient, FlyteConfig, RunDetails, errors
from airflow_provider_flyte.client.config import AUTO, CONNECT, GRPC
from airflow_provider_flyte.client.transport import discovery
from airflow_provider_flyte.client.transport.discovery import Endpoint, Found, Pause
from airflow_provider_flyte.client.transport.retry import RetryPolicy
from airflow_provider_flyte.testing import LocalFlyte, database_down, delay, unavailable
from tests.support.clock import Clock
from tests.support.replay_server import Answer, ReplayServer

BAD_GATEWAY = Answer(502, {"content-type": "text/html", "server": "nginx/1.22.1"}, [b"<title>502 Bad Gateway</title>"])
DISCOVERED = "GetActionDetails"


def config_of(endpoint: str, transport: str = AUTO) -> FlyteConfig:
    return FlyteConfig(
        endpoint=endpoint,
        insecure=True,
        project="flytesnacks",
        domain="development",
        transport=transport,
        retry_budget=0.01,
    )


class Callers:
    """Several clients of one config; each reads a run on threads and on an event loop."""

    CLIENTS, THREADS, TASKS = 2, 1, 2

    def __init__(self, config: FlyteConfig, clock: Clock) -> None:
        self.clients = [FlyteClient(config, retry=RetryPolicy(0.0, clock=clock)) for _ in range(self.CLIENTS)]
        self.errors: list[errors.RpcError] = []
        self.answers = 0
        self._threads = ThreadPoolExecutor(self.THREADS)

    def __len__(self) -> int:
        return self.CLIENTS * (self.THREADS + self.TASKS)

    def __enter__(self) -> Callers:
        return self

    def __exit__(self, *_: object) -> None:
        self._threads.shutdown()
        for client in self.clients:
            client.close()

    async def all_call(self) -> None:
        """Each of them once, at the same time."""
        loop = asyncio.get_running_loop()
        calls = [
            each
            for client in self.clients
            for each in (
                *(loop.run_in_executor(self._threads, RunDetails.get, "r1", client) for _ in range(self.THREADS)),
                *(RunDetails.get.aio("r1", client) for _ in range(self.TASKS)),
            )
        ]
        for outcome in await asyncio.gather(*calls, return_exceptions=True):
            if isinstance(outcome, errors.RpcError):
                self.errors.append(outcome)
            else:
                assert isinstance(outcome, RunDetails), outcome
                self.answers += 1

    async def close(self) -> None:
        for client in self.clients:
            await client.aclose()


def most_discoveries(seconds: float, pause: tuple[float, float]) -> int:
    """How many looks begin in a time at most: each pause may be half as long as it can be."""
    first, longest = pause
    discoveries, at, length = 1, 0.0, first
    while at <= seconds:
        at += length / 2
        discoveries, length = discoveries + 1, min(longest, length * 2)
    return discoveries


async def test_many_callers_in_a_long_outage_with_nothing_known_discover_seldom() -> None:
    """Five minutes, in which each of six callers calls each second: 1,800 calls."""
    clock, outage = Clock(), 300.0
    probed: list[float] = []
    with ReplayServer(BAD_GATEWAY) as proxy, Callers(config_of(proxy.endpoint), clock) as callers:
        while clock.now < outage:
            await callers.all_call()
            probed += [clock.now] * (len(proxy.requests) - len(probed))
            clock.now += 1.0
        assert len(callers.errors) == len(callers) * outage
        assert {path for path, _, _ in proxy.requests} == {"/flyteidl2.workflow.RunService/GetActionDetails"}
        assert 10 < len(proxy.requests) <= most_discoveries(outage, Pause.UNKNOWN)
        # They become rarer.
        pauses = [later - earlier for earlier, later in pairwise(probed)]
        assert max(pauses[:2]) <= Pause.UNKNOWN[0] * 2
        assert all(Pause.UNKNOWN[1] / 2 <= each <= Pause.UNKNOWN[1] + 1.0 for each in pauses[8:])
        for error in (callers.errors[0], callers.errors[-1]):
            assert not errors.is_lasting(error)
            assert (error.method, error.run) == ("RunService/GetRunDetails", "r1")
            message = str(error)
            assert 'Connect: HTTP 502 from nginx/1.22.1 with "502 Bad Gateway"' in message
            assert "gRPC: UNAVAILABLE" in message
            # Connect was tried as well.
            assert "set Transport" not in message
        port = int(proxy.endpoint.rpartition(":")[2])
        proxy.stop()
        with LocalFlyte(port, transports=("connect",)) as flyte:
            flyte.run("r1")
            clock.now += Pause.UNKNOWN[1]
            await callers.all_call()
            assert callers.answers == len(callers)
            assert flyte.calls.count(DISCOVERED) == 1
            await callers.close()


@pytest.fixture(params=[GRPC, CONNECT])
def reached(request: pytest.FixtureRequest) -> Iterator[tuple[LocalFlyte, Callers, Clock]]:
    """A backend that was reached by ``auto``, and those who call it."""
    clock = Clock()
    with LocalFlyte(transports=(request.param,)) as flyte:
        flyte.run("r1")
        with Callers(config_of(flyte.endpoint), clock) as callers:
            yield flyte, callers, clock


async def outage(callers: Callers, clock: Clock, seconds: float) -> None:
    callers.errors.clear()
    for _ in range(int(seconds)):
        await callers.all_call()
        clock.now += 1.0


async def test_a_backend_that_is_away_is_not_asked_how_it_can_be_reached(
    reached: tuple[LocalFlyte, Callers, Clock],
) -> None:
    flyte, callers, clock = reached
    await callers.all_call()
    discoveries = flyte.calls.count(DISCOVERED)
    await asyncio.to_thread(flyte.stop)
    await outage(callers, clock, 10.0)
    assert len(callers.errors) == 10 * len(callers)
    await asyncio.to_thread(flyte.start)
    callers.answers = 0
    # grpc's own back-off.
    while not callers.answers:
        await callers.all_call()
    # Once by a call that still failed when the port was there again.
    assert flyte.calls.count(DISCOVERED) <= discoveries + 1
    await callers.close()


async def test_a_backend_whose_database_is_down_is_not_asked_either(reached: tuple[LocalFlyte, Callers, Clock]) -> None:
    flyte, callers, clock = reached
    await callers.all_call()
    discoveries = flyte.calls.count(DISCOVERED)
    flyte.inject("*", database_down())
    await outage(callers, clock, 10.0)
    assert callers.errors
    assert flyte.calls.count(DISCOVERED) == discoveries
    await callers.close()


async def test_a_proxy_in_front_of_a_backend_that_was_reached_is_probed_seldom() -> None:
    clock = Clock()
    with LocalFlyte(transports=(CONNECT,)) as flyte:
        flyte.run("r1")
        config = config_of(flyte.endpoint)
        callers = Callers(config, clock)
        await callers.all_call()
    with callers, ReplayServer(BAD_GATEWAY, flyte.port) as proxy:
        await outage(callers, clock, 120.0)
        discoveries = [path for path, _, _ in proxy.requests if path.endswith(DISCOVERED)]
        assert 2 <= len(discoveries) <= most_discoveries(120.0, Pause.KNOWN)
        # All others are the callers' own, through what led to Flyte; the first ones met the end of the connection.
        assert len(proxy.requests) <= len(callers.errors) + len(discoveries)
        assert all(isinstance(error, errors.ProxyError) for error in callers.errors[len(callers) :])
        assert discovery.endpoint_of(config).transport == CONNECT
        await callers.close()


@pytest.mark.parametrize("transport", [GRPC, CONNECT])
async def test_a_transport_that_is_given_is_discovered_as_seldom(transport: str) -> None:
    clock = Clock()
    with LocalFlyte(transports=(transport,)) as flyte:
        flyte.inject("*", unavailable("not now"))
        with Callers(config_of(flyte.endpoint, transport), clock) as callers:
            await outage(callers, clock, 60.0)
            # Connect's own answer says whose it is.
            assert flyte.calls.count(DISCOVERED) <= (most_discoveries(60.0, Pause.UNKNOWN) if transport == GRPC else 0)
            assert flyte.calls.count("GetRunDetails") == len(callers.errors)
            await callers.close()


async def test_between_two_discoveries_the_proxy_is_named_as_well() -> None:
    """What gRPC says by itself of such a proxy is that nothing speaks HTTP/2 there."""
    clock = Clock()
    with ReplayServer(BAD_GATEWAY) as proxy, Callers(config_of(proxy.endpoint, GRPC), clock) as callers:
        await outage(callers, clock, 5.0)
        assert {type(error) for error in callers.errors} == {errors.ProxyError}
        await callers.close()


async def test_all_who_need_a_discovery_share_one() -> None:
    clock = Clock()
    with LocalFlyte(transports=(CONNECT,)) as flyte, Callers(config_of(flyte.endpoint), clock) as callers:
        flyte.run("r1")
        flyte.inject(DISCOVERED, delay(0.3))
        await callers.all_call()
        assert callers.answers == len(callers)
        assert flyte.calls.count(DISCOVERED) == 1
        await callers.close()


class Discoveries:
    """Looks that end when a test says so."""

    def __init__(self, *outcomes: Found | errors.RpcError) -> None:
        self._outcomes = iter(outcomes)
        self.may_continue = threading.Event()
        self.may_continue.set()

    def find(self) -> Found:
        self.may_continue.wait(5)
        outcome = next(self._outcomes)
        if isinstance(outcome, Found):
            return outcome
        raise outcome


def away() -> errors.RpcError:
    return errors.UnavailableError(errors.Status.UNAVAILABLE, "away", method="", endpoint="x")


@pytest.fixture
def begin() -> Callable[..., Any]:
    known, clock = Endpoint(), Clock()

    def at(now: float, discoveries: Discoveries, token: str = "") -> Any:
        clock.now = now
        return known.join_or_begin(discoveries.find, hash(token), now, clock)

    at.known = known  # type: ignore[attr-defined]
    return at


def test_another_token_is_worth_a_discovery_at_once(begin: Callable[..., Any]) -> None:
    discoveries = Discoveries(away(), away())
    assert begin(0.0, discoveries, "old").outcome.result(5).details == "away"
    assert begin(0.0, discoveries, "old") is None
    assert begin(0.0, discoveries, "new").outcome.result(5).details == "away"


def test_tokens_in_turn_are_worth_one_discovery_each(begin: Callable[..., Any]) -> None:
    discoveries = Discoveries(*(away() for _ in range(90)))
    begun = 0
    for token in ["", "a", "b"] * 30:
        if made := begin(0.0, discoveries, token):
            made.outcome.result(5)
            begun += 1
    assert begun == 3
    # The pause has grown with each.
    assert begin(Pause.UNKNOWN[0] * 1.9, discoveries, "a") is None


def test_what_a_discovery_found_before_an_answer_is_not_kept(begin: Callable[..., Any]) -> None:
    discoveries = Discoveries(away())
    discoveries.may_continue.clear()
    begun = begin(0.0, discoveries)
    begin.known.answered(GRPC)  # type: ignore[attr-defined]
    discoveries.may_continue.set()
    assert begun.outcome.result(5).details == "away"
    assert begin.known.trouble_met(hash("")) is None  # type: ignore[attr-defined]


def test_who_carries_another_token_learns_nothing_of_a_refused_one(begin: Callable[..., Any]) -> None:
    """Connections that differ in their secrets alone know the same endpoint."""
    refused, others = Discoveries(away()), Discoveries(Found(GRPC))
    refused.may_continue.clear()
    mine = begin(0.0, refused, "bad")
    theirs = begin(0.0, others, "good")
    assert theirs is not mine
    assert theirs.outcome.result(5) == Found(GRPC)
    refused.may_continue.set()
    assert mine.outcome.result(5).details == "away"
    # Flyte has answered since that discovery began.
    assert begin.known.trouble_met(hash("bad")) is None  # type: ignore[attr-defined]


def test_tokens_that_are_renewed_in_an_outage_are_remembered_up_to_a_bound(begin: Callable[..., Any]) -> None:
    begun = 0
    for number in range(800):
        if made := begin(0.0, Discoveries(away()), f"token {number}"):
            made.outcome.result(5)
            begun += 1
    assert begun == len(begin.known._asked) == discovery.MOST_ASKERS  # type: ignore[attr-defined]
    # When the next one is due, any asker may begin it, and the oldest is forgotten.
    assert begin(Pause.UNKNOWN[1], Discoveries(Found(GRPC)), "another").outcome.result(5) == Found(GRPC)
    assert len(begin.known._asked) == discovery.MOST_ASKERS  # type: ignore[attr-defined]


async def test_a_discovery_that_cannot_begin_is_an_error_and_the_next_begins(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As where the number of threads is limited."""
    start = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        # Ours alone: grpc breaks the process's memory where its own is refused.
        if thread.name == "flyte-discovery":
            raise RuntimeError("can't start new thread")
        start(thread)

    clock = Clock()
    with LocalFlyte(transports=(CONNECT,)) as flyte:
        flyte.run("r1")
        async with FlyteClient(config_of(flyte.endpoint), retry=RetryPolicy(0.0, clock=clock)) as client:
            with monkeypatch.context() as limited:
                limited.setattr(threading.Thread, "start", refuse)
                with pytest.raises(errors.UnavailableError) as raised:
                    await RunDetails.get.aio("r1", client)
            assert "no thread could be started to find out how Flyte can be reached: can't start new" in str(
                raised.value
            )
            assert (raised.value.method, raised.value.endpoint) == ("RunService/GetRunDetails", flyte.endpoint)
            # Between two discoveries the error is the same.
            with pytest.raises(errors.UnavailableError, match="no thread could be started"):
                await RunDetails.get.aio("r1", client)
            clock.now += Pause.UNKNOWN[0]
            assert (await RunDetails.get.aio("r1", client)).name == "r1"


def test_a_discovery_that_breaks_is_an_error_and_not_the_last(begin: Callable[..., Any]) -> None:
    class Broken(Discoveries):
        def find(self) -> Found:
            raise LookupError("broken")

    with pytest.raises(LookupError):
        begin(0.0, Broken()).outcome.result(5)
    assert begin(Pause.UNKNOWN[0], Discoveries(Found(GRPC))).outcome.result(5) == Found(GRPC)


def test_a_forked_child_does_not_wait_for_its_parents_discovery(begin: Callable[..., Any]) -> None:
    discoveries = Discoveries(away(), Found(GRPC))
    discoveries.may_continue.clear()
    parents = begin(0.0, discoveries)
    assert begin(0.0, discoveries) is parents
    begin.known.after_fork()  # type: ignore[attr-defined]
    childs = begin(0.0, discoveries)
    assert childs is not parents
    discoveries.may_continue.set()
    assert {type(each.outcome.result(5)) for each in (parents, childs)} == {errors.UnavailableError, Found}
