"""What outlives a process' clients is bounded: a triggerer runs for months, and secrets are rotated."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from airflow_provider_flyte.client import FlyteConfig
from airflow_provider_flyte.client.auth import token_cache
from airflow_provider_flyte.client.cache import Cache
from airflow_provider_flyte.client.credentials import ClientCredentials
from airflow_provider_flyte.client.transport import discovery

MANY = 200


@pytest.fixture(autouse=True)
def nothing_is_remembered() -> Iterator[None]:
    yield
    token_cache.forget()
    discovery.forget()


def test_the_least_recently_used_makes_room() -> None:
    cache: Cache[str, list[str]] = Cache(2)
    first = cache.get("a", lambda: ["a"])
    cache.get("b", lambda: ["b"])
    assert cache.get("a", lambda: ["another"]) is first
    cache.get("c", lambda: ["c"])
    assert cache.values() == [["a"], ["c"]]
    assert cache.get("a", lambda: ["another"], lambda value: False) == ["another"]
    assert cache.values() == [["c"], ["another"]]


def test_tokens_of_many_clients() -> None:
    for number in range(MANY):
        credentials = ClientCredentials(f"id-{number}", "correct-horse")
        last = token_cache.tokens_of(FlyteConfig("flyte.example.com:443", credentials=credentials))
    kept = token_cache._tokens.values()
    assert len(kept) <= 64
    assert kept[-1].tokens is last


def test_many_endpoints() -> None:
    for number in range(MANY):
        last = discovery.endpoint_of(FlyteConfig(f"flyte-{number}.example.com:443"))
    kept = discovery._endpoints.values()
    assert len(kept) <= 64
    assert kept[-1] is last
