"""The watcher that all triggers share: it follows the connection, and Airflow's metrics follow it."""

from __future__ import annotations

import asyncio
import inspect
import json
from typing import Any

import pytest

from airflow_provider_flyte.compat import airflow_stats
from airflow_provider_flyte.settings import watcher_settings
from airflow_provider_flyte.testing import LocalFlyte, status
from airflow_provider_flyte.wait import shared_client, shared_watcher
from tests.airflow.test_triggers import ending, trigger
from tests.support.oauth2 import OAuth2Server
from tests.support.open_sockets import connections_to
from tests.support.own_airflow import connection_json

pytestmark = [pytest.mark.one_transport("connect"), pytest.mark.usefixtures("no_watcher_left")]


async def test_refused_credentials_lead_to_the_connection_as_it_is_by_now(
    flyte_default: LocalFlyte, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The secret was rotated while runs were waited for: the waits go on with the new one."""
    caplog.set_level("INFO")
    [protocol] = flyte_default.ports
    with LocalFlyte(transports=(protocol,)) as moved:
        for flyte in (flyte_default, moved):
            flyte.run("r1").move("RUNNING")
            flyte.run("r2").move("RUNNING")
        waits = [asyncio.ensure_future(ending(trigger(run_name=name))) for name in ("r1", "r2")]
        await flyte_default.wait_for_call_async("ListRuns", 2)
        monkeypatch.setenv("AIRFLOW_CONN_FLYTE_DEFAULT", connection_json(moved))
        flyte_default.inject("*", status("UNAUTHENTICATED", "token revoked"))
        await moved.wait_for_call_async("ListRuns", 1)
        await moved.wait_for_call_async("WatchRuns", 1)
        moved.run("r1").succeeds()
        moved.run("r2").fails()
        assert [end["ending"] for end in await asyncio.gather(*waits)] == ["succeeded", "failed"]
    assert caplog.text.count("The Airflow connection 'flyte_default' has changed") == 1


async def test_a_thousand_triggers_go_on_when_the_secret_is_replaced(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Tokens of the old secret are revoked: one more look at Airflow's connection serves all waits."""
    caplog.set_level("INFO")
    names = [f"r{number}" for number in range(1000)]
    with LocalFlyte(transports=("grpc",)) as flyte, OAuth2Server() as oauth2:
        oauth2.guard(flyte)
        for name in names:
            flyte.run(name).move("RUNNING")
        put_secret(monkeypatch, flyte, oauth2, "correct-horse")
        waits = [asyncio.ensure_future(ending(trigger(run_name=name))) for name in names]
        await flyte.wait_for_call_async("ListRuns", 10, timeout=20)
        oauth2.secrets["my-id"] = "battery-staple"
        put_secret(monkeypatch, flyte, oauth2, "battery-staple")
        oauth2.revoke_all()
        while len(oauth2.issued) < 2:
            await asyncio.sleep(0.02)
        for name in names:
            flyte.run(name).succeeds()
        ends = await asyncio.gather(*waits)
    assert {end["ending"] for end in ends} == {"succeeded"}
    assert caplog.text.count("The Airflow connection 'flyte_default' has changed") == 1
    assert len(oauth2.issued) == 2
    # What was asked with the old secret after it had been replaced.
    assert len(oauth2.forms) <= 4


def put_secret(monkeypatch: pytest.MonkeyPatch, flyte: LocalFlyte, oauth2: OAuth2Server, secret: str) -> None:
    stored = json.loads(connection_json(flyte, authentication="client_credentials", oauth_endpoint=oauth2.url))
    monkeypatch.setenv("AIRFLOW_CONN_FLYTE_DEFAULT", json.dumps(stored | {"login": "my-id", "password": secret}))


async def test_refused_credentials_of_an_unchanged_connection_end_the_wait(flyte_default: LocalFlyte) -> None:
    flyte_default.run("r1").move("RUNNING")
    flyte_default.inject("*", status("UNAUTHENTICATED", "token revoked"))
    end = await ending(trigger())
    assert end["ending"] == "unreachable"
    assert "token revoked" in end["message"]


async def test_metrics(flyte_default: LocalFlyte, monkeypatch: pytest.MonkeyPatch) -> None:
    gauges: list[tuple[str, float]] = []
    counts: dict[str, int] = {}

    def gauge(name: str, value: float, *args: Any, tags: dict[str, str], **kwargs: Any) -> None:
        assert tags == {"flyte_conn_id": "flyte_default"}
        gauges.append((name, value))

    def incr(name: str, count: int = 1, *args: Any, tags: dict[str, str], **kwargs: Any) -> None:
        assert tags == {"flyte_conn_id": "flyte_default"}
        counts[name] = counts.get(name, 0) + count

    # Airflow's own, which sends nothing unless it is told where.
    monkeypatch.setattr(airflow_stats(), "gauge", gauge, raising=False)
    monkeypatch.setattr(airflow_stats(), "incr", incr, raising=False)
    monkeypatch.setattr(shared_watcher, "METRICS_EVERY", 0.05)
    run = flyte_default.run("r1").move("RUNNING")
    wait = asyncio.ensure_future(ending(trigger()))
    while ("flyte.waits", 1) not in gauges or ("flyte.stream_up", 1) not in gauges:
        await asyncio.sleep(0.01)
    await flyte_default.wait_for_call_async("ListRuns")
    run.succeeds()
    await wait
    [shared] = shared_watcher._of_loop(asyncio.get_running_loop()).values()
    shared.close()
    assert gauges[-2] == ("flyte.waits", 0)
    # One may have been on its way when the run ended.
    assert counts["flyte.calls"] - flyte_default.calls.count("ListRuns") in (0, 1)
    assert counts["flyte.streams"] == 1
    assert counts.get("flyte.ends_by_stream", 0) + counts.get("flyte.ends_by_poll", 0) == 1


async def test_the_settings_are_airflows(flyte_default: LocalFlyte, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__FLYTE__STREAM", "False")
    monkeypatch.setenv("AIRFLOW__FLYTE__POLL_INTERVAL", "0.2")
    monkeypatch.setenv("AIRFLOW__FLYTE__MIN_POLL_INTERVAL", "0.1")
    run = flyte_default.run("r1").move("RUNNING")
    wait = asyncio.ensure_future(ending(trigger(poll_interval=60)))
    # More than the defaults would ask in this time.
    await flyte_default.wait_for_call_async("ListRuns", 12, timeout=30)
    run.succeeds()
    assert (await wait)["ending"] == "succeeded"
    assert flyte_default.calls("WatchRuns") == []


@pytest.mark.parametrize(
    ("option", "value"), [("STREAM", "perhaps"), ("POLL_INTERVAL", "0"), ("MAX_CALLS_PER_SECOND", "many")]
)
async def test_a_setting_that_makes_no_sense(
    flyte_default: LocalFlyte, monkeypatch: pytest.MonkeyPatch, option: str, value: str
) -> None:
    monkeypatch.setenv(f"AIRFLOW__FLYTE__{option}", value)
    end = await ending(trigger())
    assert end["ending"] == "no_connection"
    assert f"[flyte] {option.lower()} in Airflow's configuration is {value!r}; enter " in end["message"]


def test_the_defaults_are_the_watchers() -> None:
    from airflow_provider_flyte.client import RunWatcher

    parameters = inspect.signature(RunWatcher).parameters
    assert {name: parameters[name].default for name in watcher_settings()} == watcher_settings()


@pytest.mark.parametrize("over", ["after the end", "while it waits"])
def test_a_loop_that_ends_leaves_no_connection(monkeypatch: pytest.MonkeyPatch, over: str) -> None:
    """``dag.test()`` runs each trigger on a loop of its own, and drops it after the event."""
    with LocalFlyte(transports=("connect",)) as flyte:
        monkeypatch.setenv("AIRFLOW_CONN_FLYTE_DEFAULT", connection_json(flyte))
        run = flyte.run("r1").move("RUNNING")
        waiting = trigger()

        async def wait() -> None:
            end = asyncio.ensure_future(waiting.run().__anext__())
            await flyte.wait_for_call_async("WatchRuns", 1)
            await flyte.wait_for_call_async("ListRuns", 1)
            assert connections_to(flyte.port) > 0
            if over == "after the end":
                run.succeeds()
                await end

        asyncio.run(wait())
        assert connections_to(flyte.port) == 0


async def test_a_retired_watcher_leaves_its_successor_alone() -> None:
    """Else each wait that comes later would open a connection of its own."""
    loop = asyncio.get_running_loop()
    old = shared_watcher.Lease("elsewhere")
    old.retire()
    assert "elsewhere" not in shared_watcher._of_loop(loop)
    new, newer = shared_watcher.Lease("elsewhere"), shared_watcher.Lease("elsewhere")
    assert new._shared is newer._shared is shared_watcher._of_loop(loop)["elsewhere"]
    assert new._shared is not old._shared
    old.retire()
    old.release()
    old.release()
    assert shared_watcher._of_loop(loop)["elsewhere"] is new._shared
    assert new._shared.users == 2
    new.release()
    newer.release()


async def test_a_watcher_stays_for_a_while_when_nobody_waits() -> None:
    loop = asyncio.get_running_loop()
    first = shared_watcher.Lease("elsewhere")
    shared = first._shared
    assert shared is not None
    assert shared._lingering is None
    first.release()
    assert shared._lingering is not None
    assert shared._lingering.when() - loop.time() == pytest.approx(shared_client.LINGER, abs=5)
    ending_soon = shared._lingering
    second = shared_watcher.Lease("elsewhere")
    assert second._shared is shared
    assert ending_soon.cancelled()
    assert shared._lingering is None
    with pytest.raises(RuntimeError, match="released"):
        await first.watcher()
    assert first.ready is None
    first.retire()  # it has nothing to retire
    assert shared_watcher._of_loop(loop)["elsewhere"] is shared
    second.release()
