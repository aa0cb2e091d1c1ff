"""FlyteConfig: checked when made, safe to print."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from airflow_provider_flyte.client import FlyteClient, FlyteConfig
from airflow_provider_flyte.client.errors import ConfigError


def test_neither_config_nor_client_shows_what_may_be_secret() -> None:
    config = FlyteConfig(endpoint="flyte:443", metadata=(("authorization", "Bearer correct-horse"),))
    assert "correct-horse" not in repr(config)
    assert "correct-horse" not in repr(FlyteClient(config))
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.org = "x"  # type: ignore[misc]


@pytest.mark.parametrize(
    "wrong",
    [
        {"endpoint": "flyte"},
        {"endpoint": "https://flyte:443"},
        {"endpoint": "flyte:0"},
        {"endpoint": ":443"},
        {"endpoint": "flyte:99999"},
        {"timeout": 0},
        {"retry_budget": -1},
        {"console_url": "flyte.example.com"},
    ],
)
def test_what_cannot_work_is_refused(wrong: dict[str, Any]) -> None:
    [name] = wrong
    with pytest.raises(ConfigError, match=name):
        FlyteConfig(**{"endpoint": "flyte:443"} | wrong)


@pytest.mark.parametrize(
    ("fields", "page"),
    [
        ({"endpoint": "localhost:8090", "insecure": True}, "http://localhost:8080"),
        ({"endpoint": "flyte:8089", "insecure": True}, "http://flyte:8089"),
        ({"endpoint": "flyte:80", "insecure": True}, "http://flyte"),
        ({"endpoint": "flyte.example.com:443"}, "https://flyte.example.com"),
        ({"endpoint": "flyte.example.com:8443"}, "https://flyte.example.com:8443"),
        ({"endpoint": "flyte:443", "console_url": "https://console.example.com/"}, "https://console.example.com"),
    ],
)
def test_the_page_of_a_run(fields: dict[str, Any], page: str) -> None:
    config = FlyteConfig(**fields, project="p", domain="d")
    assert config.run_url(config.key("r1")) == f"{page}/v2/domain/d/project/p/runs/r1"
    assert config.run_url(config.key("r1", "p2", "d2")) == f"{page}/v2/domain/d2/project/p2/runs/r1"
