"""FlyteConfig: checked when made, safe to print."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from airflow_provider_flyte.client import FlyteClient, FlyteConfig, RunDetails
from airflow_provider_flyte.client.credentials import ClientCredentials, StaticToken
from airflow_provider_flyte.client.errors import ConfigError
from airflow_provider_flyte.client.idl.common.identifier_pb2 import RunIdentifier


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
        {"metadata_header": "Authorization"},
        {"server_name": "https://flyte"},
        {"server_name": "flyte:443"},
        {"keepalive": -1},
        {"timeout": 10**400},
        {"endpoint": "flyte\ud800:443"},
        {"org": "\ud800"},
        {"project": "\ud800"},
        {"domain": "\ud800"},
        {"console_url": "https://\ud800"},
        {"console_url": "https://flyte/\n[2026-11-27] INFO - Marking task as SUCCESS"},
        {"project": "p\x1b[2J"},
        {"org": "o\to"},
        {"metadata": (("host", "elsewhere"),)},
        {"metadata": (("content-type", "text/html"),)},
        {"metadata": (("connect-timeout-ms", "1"),)},
        {"metadata": (("x" * 201, "x"),)},
        {"metadata_header": "user-agent"},
        {"metadata_header": "te"},
        {"run_name_prefix": "Demo-"},
        {"run_name_prefix": "longer-than-any-prefix-may-be"},
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


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"insecure": True, "verify": False}, "verify"),
        ({"insecure": True, "server_name": "flyte"}, "server_name"),
        ({"insecure": True, "client_certificate": "c", "client_private_key": "k"}, "client_certificate"),
        ({"credentials": StaticToken("t"), "metadata": (("authorization", "x"),)}, "metadata 'authorization'"),
        ({"credentials": StaticToken("t"), "metadata": (("f", "x"),), "metadata_header": "f"}, "metadata 'f'"),
        ({"client_certificate": "/certificate.pem"}, "client_private_key is empty"),
        ({"client_private_key": "/key.pem"}, "client_certificate is empty"),
        ({"project": "theirs", "allowed_projects": ("ours",)}, "project 'theirs'"),
    ],
)
def test_what_contradicts_itself_is_refused(fields: dict[str, Any], word: str) -> None:
    with pytest.raises(ConfigError, match=word):
        FlyteConfig(endpoint="flyte:443", **fields)


def test_only_what_is_allowed_can_be_named() -> None:
    config = FlyteConfig(endpoint="flyte:443", allowed_projects=("ours", "all"), allowed_domains=("development",))
    assert config.key("r1", "ours", "development").project == "ours"
    with pytest.raises(ConfigError, match="project 'theirs' is not allowed here, only ours, all"):
        config.key("r1", "theirs", "development")
    with pytest.raises(ConfigError, match="domain 'production' is not allowed here, only development"):
        config.key("r1", "all", "production")
    run_id = RunIdentifier(project="theirs", domain="development", name="r1")
    with pytest.raises(ConfigError, match="project 'theirs'"):
        RunDetails.get_details(run_id, client=FlyteClient(config))


@pytest.mark.parametrize(
    "secret",
    [
        {"credentials": ClientCredentials("id", "correct-horse")},
        {"credentials": StaticToken("correct-horse")},
        {"client_certificate": "c", "client_private_key": "correct-horse"},
    ],
)
def test_a_secret_is_not_shown_but_another_one_is_another_config(secret: dict[str, Any]) -> None:
    config = FlyteConfig(endpoint="flyte:443", **secret)
    assert "correct-horse" not in f"{config!r} {config}"
    changed: dict[str, Any] = {
        "credentials": ClientCredentials("id", "battery-staple"),
        "client_private_key": "battery-staple",
    }
    [name] = secret.keys() & changed.keys()
    assert dataclasses.replace(config, **{name: changed[name]}) != config
    assert dataclasses.replace(config) == config
