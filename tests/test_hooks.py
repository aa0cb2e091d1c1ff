"""FlyteHook: connection to client, blocking and on a loop, and the Test button."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from airflow_provider_flyte.exceptions import FlyteConfigurationError
from airflow_provider_flyte.hooks import FlyteHook
from airflow_provider_flyte.testing import LocalFlyte
from tests.certificates import make_certificate
from tests.own_airflow import connection_json
from tests.secret_search import found, shown_by

SECRETS = {
    "password": "correct-horse-battery",
    "header": "staple-of-the-header",
    "private key": make_certificate("localhost")[1].decode(),
}


def test_a_client_for_blocking_calls(flyte_default: LocalFlyte) -> None:
    from airflow_provider_flyte.client import RunDetails

    flyte_default.run("r1").succeeds()
    with FlyteHook().get_client():
        assert RunDetails.get("r1").done()
    assert FlyteHook().get_conn().config.endpoint == flyte_default.endpoint


async def test_a_client_for_a_loop(flyte_default: LocalFlyte) -> None:
    from airflow_provider_flyte.client import RunDetails

    flyte_default.run("r1").succeeds()
    async with await FlyteHook().aget_client():
        assert (await RunDetails.get.aio("r1")).done()


async def test_both_read_the_same_settings(flyte_default: LocalFlyte) -> None:
    assert await FlyteHook().aget_config() == await asyncio.to_thread(FlyteHook().get_config)


async def test_a_missing_connection(airflow_db: None) -> None:
    words = "There is no Airflow connection 'nowhere'"
    with pytest.raises(FlyteConfigurationError, match=words):
        await FlyteHook("nowhere").aget_client()
    with pytest.raises(FlyteConfigurationError, match=words):
        FlyteHook("nowhere").get_client()


async def test_an_unusable_connection(local_flyte: LocalFlyte, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_ODD", connection_json(local_flyte, insecure="perhaps"))
    with pytest.raises(FlyteConfigurationError, match="enter true or false"):
        FlyteHook("odd").get_config()
    with pytest.raises(FlyteConfigurationError, match="enter true or false"):
        await FlyteHook("odd").aget_config()


PROBLEMS: dict[str, dict[str, Any]] = {
    "a broken API key": {"authentication": "api_key"},
    "a client without its ID": {"authentication": "client_credentials"},
    "a password that nobody needs": {},
    "a token with a blank": {"authentication": "token", "password": f"{SECRETS['password']} {SECRETS['password']}"},
    "a host with a path": {"authentication": "token", "host": "flyte/path"},
    "a header that cannot be sent": {"authentication": "token", "metadata": {"grpc-x": "y"}},
    "a key of another certificate": {
        "authentication": "token",
        "insecure": False,
        "client_certificate": make_certificate("localhost")[0].decode(),
        "client_private_key": SECRETS["private key"],
    },
    "a key without its certificate": {"authentication": "token", "client_private_key": SECRETS["private key"]},
}


@pytest.mark.parametrize("problem", PROBLEMS.values(), ids=PROBLEMS)
async def test_no_traceback_of_an_unusable_connection_shows_a_secret(
    local_flyte: LocalFlyte, monkeypatch: pytest.MonkeyPatch, problem: dict[str, Any]
) -> None:
    """Some who read logs have locals rendered in them."""
    extra = {name: value for name, value in problem.items() if name not in ("password", "host")}
    extra.setdefault("secret_metadata", {"x-key": SECRETS["header"]})
    stored = json.loads(connection_json(local_flyte, **extra)) | {"password": SECRETS["password"]}
    stored |= {name: value for name, value in problem.items() if name in ("password", "host")}
    monkeypatch.setenv("AIRFLOW_CONN_ODD", json.dumps(stored))
    with pytest.raises(FlyteConfigurationError) as blocking:
        FlyteHook("odd").get_client()
    with pytest.raises(FlyteConfigurationError) as on_a_loop:
        await FlyteHook("odd").aget_client()
    for error in (blocking.value, on_a_loop.value):
        assert "hooks.py" in shown_by(error)
        assert found(SECRETS, [("the traceback", shown_by(error))]) == []
