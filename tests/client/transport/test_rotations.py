"""Secrets that are changed while a process lives on: nothing is kept of the old ones."""

from __future__ import annotations

import gc
import ssl
import sys
import types
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from airflow_provider_flyte.client import FlyteClient, FlyteConfig, RunDetails
from airflow_provider_flyte.client.auth import token_cache
from airflow_provider_flyte.client.credentials import ClientCredentials, Credentials, StaticToken
from airflow_provider_flyte.client.errors import UnavailableError
from airflow_provider_flyte.client.transport import discovery
from airflow_provider_flyte.testing import LocalFlyte
from tests.client.conftest import config_for
from tests.support.oauth2 import OAuth2Server

ROTATIONS = 800
MARK = "secret-of-rotation-"
"""What each secret begins with, and no other test's: theirs may be reached from the client's modules, too."""


def contexts() -> int:
    """How many TLS contexts there are."""
    gc.collect()
    # By its type: isinstance() asks proxies of other libraries, which import what they stand for.
    return sum(issubclass(type(each), ssl.SSLContext) for each in gc.get_objects())


def secrets(*roots: Any) -> set[str]:
    """The secrets that can be reached, from the state of the client's modules where nothing is named."""
    modules = [module for name, module in sys.modules.items() if name.startswith("airflow_provider_flyte.client.")]
    state = [(name, value) for module in modules for name, value in vars(module).items()]
    # Without __loader__ and the like, which lead to pytest, and so to the server and all that it was sent.
    left: list[Any] = list(roots) or [value for name, value in state if not name.startswith("__")]
    seen: set[int] = set()
    found: set[str] = set()
    while left:
        each = left.pop()
        kind = type(each)
        if id(each) in seen or issubclass(kind, types.ModuleType | type) or kind.__module__.startswith("_pytest"):
            continue
        seen.add(id(each))
        if issubclass(kind, str | bytes):
            text = each if issubclass(kind, str) else each.decode("latin-1")
            found |= {word for word in text.split() if MARK in word}
        elif issubclass(kind, types.FunctionType):
            left += [each.__closure__, each.__defaults__, each.__kwdefaults__]
        else:
            left += gc.get_referents(each)
    return found


CREDENTIALS: dict[str, Callable[[OAuth2Server, int], Credentials]] = {
    "static token": lambda server, number: StaticToken(f"{MARK}{number}"),
    "client credentials": lambda server, number: server.credentials(f"{MARK}{number}"),
}


@pytest.fixture
def flyte(certificate: tuple[bytes, bytes], protocol: str) -> Iterator[LocalFlyte]:
    with LocalFlyte(transports=(protocol,), tls=certificate) as made:
        made.run("r1")
        yield made


@pytest.mark.parametrize("kind", CREDENTIALS)
async def test_nothing_is_kept_of_old_secrets(flyte: LocalFlyte, certificate: tuple[bytes, bytes], kind: str) -> None:
    with OAuth2Server() as oauth2:
        config = config_for(flyte, insecure=False, ca_bundle=certificate[0].decode())
        before = contexts()
        for number in range(ROTATIONS):
            rotated = replace(
                config, credentials=CREDENTIALS[kind](oauth2, number), metadata=(("x-api-key", f"{MARK}m{number}"),)
            )
            oauth2.secrets["my-id"] = f"{MARK}{number}"
            async with FlyteClient(rotated) as client:
                client.transport()
                client.async_transport()
                if number % 200 == 0:
                    assert RunDetails.get("r1").name == (await RunDetails.get.aio("r1")).name == "r1"
                    # What nobody can read is remembered as trouble.
                    flyte.stop()
                    with pytest.raises(UnavailableError):
                        client.execute(no_retry(client), retry_for=0)
                    flyte.start()
        del client, rotated
        gc.collect()
        assert len(discovery._endpoints.values()) == len(token_cache._tokens.values()) == 1
        assert secrets(discovery._endpoints) == set()
        last = ROTATIONS - 1
        assert secrets() <= {f"{MARK}{last}", f"{MARK}m{last}"}
        # Libraries may have made one or two meanwhile; one a rotation would be 800.
        assert contexts() <= before + 5


def no_retry(client: FlyteClient) -> Any:
    from airflow_provider_flyte.client.flows.calls import get_run_details, run_identifier

    return get_run_details(run_identifier(client.config.key("r1"), ""))


def test_many_endpoints_are_kept_up_to_a_bound() -> None:
    for number in range(1, ROTATIONS):
        config = FlyteConfig(f"localhost:{number}", project="p", domain="d", credentials=StaticToken("a"))
        token_cache.tokens_of(config)
        discovery.endpoint_of(config)
    assert len(discovery._endpoints.values()) <= 64
    assert len(token_cache._tokens.values()) <= 64
    # The last ones are those that are used.
    assert discovery.endpoint_of(config) is discovery.endpoint_of(replace(config, credentials=StaticToken("b")))


def test_what_is_known_of_an_endpoint_outlives_a_secret_and_no_change_of_the_way() -> None:
    config = FlyteConfig("localhost:1", project="p", domain="d", credentials=StaticToken("a"), ca_bundle="roots")
    known = discovery.endpoint_of(config)
    for same in ({"credentials": None}, {"metadata": (("x-key", "b"),)}, {"timeout": 1.0}, {"project": "q"}):
        assert discovery.endpoint_of(replace(config, **same)) is known
    for other in ({"verify": False}, {"ca_bundle": "others"}, {"transport": "grpc"}, {"server_name": "flyte"}):
        assert discovery.endpoint_of(replace(config, **other)) is not known


def test_another_secret_takes_the_place_of_the_old_one() -> None:
    config = FlyteConfig("localhost:1", credentials=ClientCredentials("my-id", "old"))
    old = token_cache.tokens_of(config)
    assert token_cache.tokens_of(replace(config, timeout=1.0)) is old
    assert token_cache.tokens_of(replace(config, credentials=ClientCredentials("other-id", "old"))) is not old
    assert token_cache.tokens_of(config) is old
    assert token_cache.tokens_of(replace(config, credentials=ClientCredentials("my-id", "new"))) is not old
    assert token_cache.tokens_of(config) is not old
