"""A config and a client for the local Flyte."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from airflow_provider_flyte.client import FlyteClient, FlyteConfig
from airflow_provider_flyte.testing import LocalFlyte
from tests.support.strangers import Stranger


def config_for(flyte: LocalFlyte | Stranger, **changed: Any) -> FlyteConfig:
    [transport] = flyte.ports
    fields: dict[str, Any] = {
        "endpoint": flyte.endpoint,
        "insecure": True,
        "transport": transport,
        "project": "flytesnacks",
        "domain": "development",
        "retry_budget": 5.0,
    }
    return FlyteConfig(**fields | changed)


@pytest.fixture(params=["blocking", "loop"])
def way(request: pytest.FixtureRequest) -> str:
    """How the client is called; both ways run the same flow."""
    return str(request.param)


@pytest.fixture
def config(local_flyte: LocalFlyte) -> FlyteConfig:
    return config_for(local_flyte)


@pytest.fixture
def client(config: FlyteConfig) -> Iterator[FlyteClient]:
    with FlyteClient(config) as made:
        yield made
