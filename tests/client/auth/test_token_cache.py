"""When there is a new token: by a clock of the test's own, and in the middle of a thousand waits."""

from __future__ import annotations

import asyncio
import dataclasses
import math
import threading
from collections.abc import Callable

import pytest

from airflow_provider_flyte.client import FlyteClient, RunWatcher, errors
from airflow_provider_flyte.client.auth.token_cache import Token, Tokens
from airflow_provider_flyte.client.auth.token_sources import Fresh
from airflow_provider_flyte.client.credentials import Secret
from airflow_provider_flyte.client.errors import ConfigError, FlyteError, RpcError, Status
from airflow_provider_flyte.client.rpc import RunService
from airflow_provider_flyte.client.verdict import Outcome
from airflow_provider_flyte.testing import LocalFlyte
from tests.client.conftest import config_for
from tests.support.clock import Clock
from tests.support.oauth2 import OAuth2Server

READ, WRITE = RunService.GetRunDetails, RunService.AbortRun


class Source:
    """Gives t1, t2, ... or fails."""

    def __init__(self, lifetime: float = math.inf) -> None:
        self.lifetime = lifetime
        self.asked = 0
        self.error: FlyteError | None = None

    def __call__(self, timeout: float) -> Fresh:
        self.asked += 1
        if self.error is not None:
            raise self.error
        return Fresh(Secret(f"t{self.asked}"), "authorization", self.lifetime)


def tokens(source: Callable[[float], Fresh], clock: Clock, chance: float = 1.0) -> Tokens:
    return Tokens(source, clock=clock, chance=lambda low, high: low + chance * (high - low))


def away() -> RpcError:
    return errors.TokenServerError(Status.UNAVAILABLE, "away", method="The request for a token", endpoint="e")


def refused() -> RpcError:
    return errors.TokenError(Status.UNAUTHENTICATED, "invalid_client", method="The request for a token", endpoint="e")


def failed(status: Status) -> RpcError:
    return errors.error_for(status, "", method="m", endpoint="e")


def text(token: Token) -> str:
    return str(token.text)


@pytest.mark.parametrize(
    ("lifetime", "chance", "renewed_after"),
    [(3600.0, 0.0, 3540.0), (3600.0, 1.0, 3510.0), (10.0, 0.0, 8.0), (10.0, 1.0, 7.0), (math.inf, 0.5, math.inf)],
)
def test_a_token_is_renewed_shortly_before_it_expires(lifetime: float, chance: float, renewed_after: float) -> None:
    clock, source = Clock(), Source(lifetime)
    of_config = tokens(source, clock, chance)
    assert text(of_config.get(1)) == "t1"
    clock.now = min(renewed_after - 0.01, 1e9)
    assert text(of_config.get(1)) == "t1"
    if renewed_after < math.inf:
        clock.now = renewed_after
        assert text(of_config.get(1)) == "t2"
    assert source.asked == 1 + (renewed_after < math.inf)


@pytest.mark.parametrize("failure", [away(), refused(), ConfigError("the file is away")])
def test_while_it_cannot_be_renewed_the_old_one_is_used_to_its_end(
    failure: FlyteError, caplog: pytest.LogCaptureFixture
) -> None:
    clock, source = Clock(), Source(100.0)
    of_config = tokens(source, clock)
    of_config.get(1)
    source.error = failure
    for clock.now in (80.0, 81.0, 84.9, 85.0, 99.9):
        assert text(of_config.get(1)) == "t1"
    assert source.asked == 1 + 3
    assert caplog.text.count("could not be renewed; the old one is good for 20 s more") == 1
    clock.now = 100.0
    with pytest.raises(type(failure)):
        of_config.get(1)
    source.error = None
    clock.now = 106.0
    assert text(of_config.get(1)) == f"t{source.asked}"


def test_a_refused_token_is_never_given_again() -> None:
    clock, source = Clock(), Source()
    of_config = tokens(source, clock)
    first = of_config.get(1)
    second = of_config.get(1, refused=first)
    assert text(second) == "t2"
    # Somebody else whose call was refused with the first one gets the second.
    assert of_config.get(1, refused=first) is second
    source.error = away()
    with pytest.raises(errors.TokenServerError):
        of_config.get(1, refused=second)


@pytest.mark.parametrize(
    ("status", "pause"), [(Status.UNAUTHENTICATED, 5.0), (Status.UNKNOWN, 60.0), (Status.PERMISSION_DENIED, None)]
)
def test_when_a_new_token_may_help(status: Status, pause: float | None) -> None:
    clock = Clock()
    of_config = tokens(Source(), clock)
    error, token = failed(status), of_config.get(1)
    assert of_config.may_help(error, READ, after=None) is (pause is not None)
    assert of_config.may_help(error, WRITE, after=None) is (status is Status.UNAUTHENTICATED)
    if pause is not None:
        assert not of_config.may_help(error, READ, after=token)
        clock.now = pause - 0.1
        assert not of_config.may_help(error, READ, after=None)
        clock.now = pause
        assert of_config.may_help(error, READ, after=None)


def test_a_refusal_counts_for_a_while_and_trouble_does_not() -> None:
    clock, source = Clock(), Source()
    of_config = tokens(source, clock)
    for failure, asked in ((away(), 3), (refused(), 1)):
        source.error, source.asked = failure, 0
        for _ in range(3):
            with pytest.raises(type(failure)) as raised:
                of_config.get(1)
            assert raised.value.transient == failure.transient
        assert source.asked == asked
    clock.now = 5.0
    source.error = None
    assert of_config.get(1)


def test_who_waited_in_vain_does_not_ask_again() -> None:
    entered, go_on = threading.Event(), threading.Event()
    asked: list[float] = []

    def slow(timeout: float) -> Fresh:
        asked.append(timeout)
        entered.set()
        assert go_on.wait(10)
        raise away()

    of_config, failures = Tokens(slow), list[RpcError]()

    def ask() -> None:
        try:
            of_config.get(10)
        except RpcError as error:
            failures.append(error)

    threads = [threading.Thread(target=ask) for _ in range(5)]
    threads[0].start()
    assert entered.wait(10)
    for thread in threads[1:]:
        thread.start()
    with pytest.raises(errors.TokenServerError, match="none within"):
        of_config.get(0.05)
    go_on.set()
    for thread in threads:
        thread.join()
    assert len(failures) == 5
    assert len(set(map(id, failures))) == 5
    # A thread that came late to the lock asks for itself.
    assert len(asked) < 5


async def test_a_thousand_waits_go_on_when_the_secret_is_rotated(local_flyte: LocalFlyte) -> None:
    """One request for a token a period, although tokens live for two seconds only, and no wait is lost."""
    names = [f"r{number}" for number in range(1000)]
    runs = [local_flyte.run(name).move("RUNNING") for name in names]
    lifetime = 2.0
    with OAuth2Server(lifetime=lifetime) as oauth2:
        oauth2.guard(local_flyte)
        config = config_for(local_flyte, credentials=oauth2.credentials())
        rotated = dataclasses.replace(config, credentials=oauth2.credentials("battery-staple"))
        renewed: list[FlyteClient] = []

        async def renew() -> FlyteClient | None:
            if oauth2.secrets["my-id"] == "correct-horse" or renewed:
                return None
            renewed.append(FlyteClient(rotated))
            return renewed[0]

        loop = asyncio.get_running_loop()
        async with FlyteClient(config) as client, RunWatcher(client, poll_interval=0.2, renew=renew) as watcher:
            began = loop.time()
            waits = [asyncio.ensure_future(watcher.wait(name)) for name in names]
            for run in runs[:300]:
                await asyncio.sleep(0.005)
                run.succeeds()
            while len(oauth2.issued) < 3:
                await asyncio.sleep(0.05)
            oauth2.secrets["my-id"] = "battery-staple"
            oauth2.revoke_all()
            for run in runs[300:]:
                await asyncio.sleep(0.002)
                run.succeeds()
            ends = await asyncio.gather(*waits)
            took = loop.time() - began
        await asyncio.gather(*(each.aclose() for each in renewed))
        assert {end.outcome for end in ends} == {Outcome.SUCCEEDED}
        assert len(renewed) == 1
        # A period is what is left of a token's life after the margin; a refusal counts for 5 s.
        assert len(oauth2.issued) <= took / (lifetime * 0.7) + 2
        assert len(oauth2.forms) - len(oauth2.issued) <= took / 5.0 + 2
