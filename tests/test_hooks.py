"""FlyteHook: connection to client, blocking and on a loop, and the Test button."""

from __future__ import annotations

import asyncio

import pytest

from airflow_provider_flyte.exceptions import FlyteConfigurationError
from airflow_provider_flyte.hooks import FlyteHook
from airflow_provider_flyte.testing import LocalFlyte
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
