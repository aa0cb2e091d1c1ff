"""What the tab asks of Flyte: one query for all who look, over one client a connection, and nothing unless asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from airflow_provider_flyte.client import FlyteClient
from airflow_provider_flyte.client.run_key import RunKey
from airflow_provider_flyte.plugin import live_runs
from airflow_provider_flyte.plugin.live_runs import DETAILS, FRESH, FRESH_WHEN_OVER, REREAD, LiveRuns, RunQuery
from airflow_provider_flyte.testing import LocalFlyte
from airflow_provider_flyte.wait import shared_client
from tests.support.own_airflow import connection_json

pytestmark = pytest.mark.one_transport("grpc")

CONN = "flyte_default"


class Clock:
    """Seconds that pass when a test says so."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def live(flyte_default: LocalFlyte, clock: Clock) -> AsyncIterator[LiveRuns]:
    made = LiveRuns(clock)
    yield made
    await made.aclose()


def key(name: str) -> RunKey:
    return RunKey("flytesnacks", "development", name)


def asked_of(flyte: LocalFlyte) -> int:
    return len(flyte.calls("GetRunDetails"))


async def test_ten_who_look_cost_one_poll(live: LiveRuns, flyte_default: LocalFlyte, clock: Clock) -> None:
    flyte_default.run("r1").move("RUNNING")
    replies = await asyncio.gather(*(live.ask(CONN, key("r1"), DETAILS) for _ in range(10)))
    assert len({id(reply) for reply in replies}) == 1
    assert replies[0].answer is not None
    clock.now += FRESH
    await live.ask(CONN, key("r1"), DETAILS)
    assert asked_of(flyte_default) == 1
    clock.now += 0.1
    await asyncio.gather(*(live.ask(CONN, key("r1"), DETAILS) for _ in range(10)))
    assert asked_of(flyte_default) == 2


async def test_a_run_that_is_over_is_hardly_asked_about(
    live: LiveRuns, flyte_default: LocalFlyte, clock: Clock
) -> None:
    flyte_default.run("r1").succeeds()
    for after, asked in ((0.0, 1), (FRESH_WHEN_OVER, 1), (0.1, 2)):
        clock.now += after
        reply = await live.ask(CONN, key("r1"), DETAILS)
        assert reply.answer is not None
        assert reply.answer.done()
        assert asked_of(flyte_default) == asked


async def test_a_browser_that_goes_away_takes_nothing_from_the_others(
    live: LiveRuns, flyte_default: LocalFlyte
) -> None:
    flyte_default.run("r1").move("RUNNING")
    first = asyncio.create_task(live.ask(CONN, key("r1"), DETAILS))
    await asyncio.sleep(0)
    second = asyncio.create_task(live.ask(CONN, key("r1"), DETAILS))
    await asyncio.sleep(0)
    first.cancel()
    assert (await second).answer is not None
    assert asked_of(flyte_default) == 1


async def test_trouble_is_an_answer_and_passes(
    live: LiveRuns, flyte_default: LocalFlyte, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_FLYTE_DEFAULT")
    reply = await live.ask(CONN, key("r1"), DETAILS)
    assert "There is no Airflow connection" in reply.trouble
    monkeypatch.setenv("AIRFLOW_CONN_FLYTE_DEFAULT", connection_json(flyte_default))
    clock.now += FRESH + 0.1
    reply = await live.ask(CONN, key("r1"), DETAILS)
    assert "NOT_FOUND" in reply.trouble
    assert reply.url_of(key("r1")).endswith("/runs/r1")
    flyte_default.run("r1").move("RUNNING")
    clock.now += FRESH + 0.1
    reply = await live.ask(CONN, key("r1"), DETAILS)
    assert (reply.answer is not None, reply.trouble) == (True, "")


async def test_an_unexpected_error_passes_too(live: LiveRuns, flyte_default: LocalFlyte, clock: Clock) -> None:
    async def fails(client: FlyteClient, key: RunKey) -> None:
        raise LookupError(client.config.endpoint)

    broken = RunQuery("details", fails)
    with pytest.raises(LookupError):
        await live.ask(CONN, key("r1"), broken)
    flyte_default.run("r1").move("RUNNING")
    with pytest.raises(LookupError):
        await live.ask(CONN, key("r1"), DETAILS)
    clock.now += FRESH + 0.1
    assert (await live.ask(CONN, key("r1"), DETAILS)).answer is not None


async def test_a_project_that_the_connection_may_not_be_used_for_is_not_asked_about(
    live: LiveRuns, flyte_default: LocalFlyte, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_FLYTE_DEFAULT", connection_json(flyte_default, allowed_projects="flytesnacks"))
    reply = await live.ask(CONN, RunKey("secret", "development", "r1"), DETAILS)
    assert "project 'secret' is not allowed here" in reply.trouble
    assert asked_of(flyte_default) == 0


async def test_a_connection_that_has_changed_is_followed(
    live: LiveRuns, flyte_default: LocalFlyte, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    flyte_default.run("r1").move("RUNNING")
    await live.ask(CONN, key("r1"), DETAILS)
    monkeypatch.setenv(
        "AIRFLOW_CONN_FLYTE_DEFAULT", connection_json(flyte_default, allowed_projects="other", project="other")
    )
    clock.now += FRESH + 0.1
    assert (await live.ask(CONN, key("r1"), DETAILS)).answer is not None
    clock.now += REREAD
    assert "is not allowed here" in (await live.ask(CONN, key("r1"), DETAILS)).trouble


async def test_what_is_open_and_remembered_is_bounded(
    live: LiveRuns, flyte_default: LocalFlyte, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_runs, "MOST_CONNECTIONS", 2)
    monkeypatch.setattr(live_runs, "MOST_REPLIES", 3)
    flyte_default.run("r1").move("RUNNING")
    for number in range(4):
        monkeypatch.setenv(f"AIRFLOW_CONN_F{number}", connection_json(flyte_default))
        assert (await live.ask(f"f{number}", key("r1"), DETAILS)).answer is not None
    assert list(live._connections) == ["f2", "f3"]
    assert len(live._replies) == 2
    for name in ("r2", "r3"):
        await live.ask("f3", key(name), DETAILS)
    assert len(live._replies) == 3


async def test_what_is_remembered_is_not_large(
    live: LiveRuns, flyte_default: LocalFlyte, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_runs, "MOST_BYTES", 100)
    asked: list[str] = []

    def query(size: int) -> RunQuery[str]:
        async def ask(client: FlyteClient, key: RunKey) -> str:
            asked.append(key.name)
            return key.name

        return RunQuery("name", ask, size=lambda answer: size)

    for name, size in (("a", 60), ("b", 40), ("c", 30), ("large", 500)):
        await live.ask("flyte_default", key(name), query(size))
        # What has just been asked is there for the next who looks, however large it is.
        await live.ask("flyte_default", key(name), query(size))
        if name == "c":
            await live.ask("flyte_default", key("b"), query(40))
    assert asked == ["a", "b", "c", "large"]
    for name in ("c", "a"):
        await live.ask("flyte_default", key(name), query(1))
    assert asked == ["a", "b", "c", "large", "c", "a"]


async def test_a_client_that_nobody_asks_is_closed(
    live: LiveRuns, flyte_default: LocalFlyte, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_client, "LINGER", 0.01)
    flyte_default.run("r1").move("RUNNING")
    await live.ask(CONN, key("r1"), DETAILS)
    while live._connections:
        await asyncio.sleep(0.01)
    assert asked_of(flyte_default) == 1


async def test_what_is_old_goes_with_its_client(live: LiveRuns, flyte_default: LocalFlyte, clock: Clock) -> None:
    """The actions of a run may be ten thousand, and nobody may ever look at another one."""
    flyte_default.run("r1").move("RUNNING")
    await live.ask(CONN, key("r1"), DETAILS)
    clock.now += FRESH + 0.1
    live._connections[CONN].close()
    assert not live._replies


async def test_the_api_server_opens_no_file_for_it_that_it_may_not(
    live: LiveRuns, flyte_default: LocalFlyte, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, clock: Clock
) -> None:
    """Whoever may edit connections would have it send any file as a token."""
    flyte_default.run("r1").move("RUNNING")
    secret = tmp_path / "secret"
    secret.write_text("a-token-of-the-api-server")
    named = connection_json(flyte_default, authentication="token_file", credentials_file=str(secret))
    monkeypatch.setenv("AIRFLOW_CONN_FLYTE_DEFAULT", named)
    reply = await live.ask(CONN, key("r1"), DETAILS)
    assert f"credentials_file names the file {secret}, which the tab 'Flyte' does not open" in reply.trouble
    assert asked_of(flyte_default) == 0
    monkeypatch.setenv("AIRFLOW__FLYTE__API_SERVER_FOLDERS", str(tmp_path))
    clock.now += FRESH + 0.1
    assert (await live.ask(CONN, key("r1"), DETAILS)).answer is not None
