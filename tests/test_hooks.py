"""FlyteHook: connection to client, blocking and on a loop, and the Test button."""

from __future__ import annotations

import asyncio

import pytest

from airflow_provider_flyte.exceptions import FlyteConfigurationError
from airflow_provider_flyte.hooks import FlyteHook
from airflow_provider_flyte.testing import LocalFlyte, status
from tests.own_airflow import connection_json


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


def test_the_test_button(flyte_default: LocalFlyte, monkeypatch: pytest.MonkeyPatch) -> None:
    assert FlyteHook().test_connection() == (
        True,
        f"Flyte 2 at {flyte_default.endpoint}: runs of flytesnacks/development are visible.",
    )
    monkeypatch.setenv("AIRFLOW_CONN_BARE", connection_json(flyte_default, project=None))
    assert FlyteHook("bare").test_connection() == (
        True,
        f"Flyte 2 at {flyte_default.endpoint} answers. Each task must name its project and domain.",
    )


def test_the_test_button_says_what_is_wrong(flyte_default: LocalFlyte, monkeypatch: pytest.MonkeyPatch) -> None:
    flyte_default.inject("*", status("PERMISSION_DENIED", "not yours"))
    good, words = FlyteHook().test_connection()
    assert not good
    assert "not yours" in words
    assert "Ask for access to this project and domain" in words
    monkeypatch.setenv("AIRFLOW_CONN_TLS", connection_json(flyte_default, insecure=False))
    good, words = FlyteHook("tls").test_connection()
    assert not good
    assert "switch Insecure on" in words
