"""The client that an execution holds: when it is made, replaced and closed."""

from __future__ import annotations

import logging

import pytest

from airflow_provider_flyte.client import FlyteClient
from airflow_provider_flyte.exceptions import FlyteConfigurationError
from airflow_provider_flyte.tries.held_client import HeldClient
from tests.support.scripted_flyte import Connected, ScriptedFlyte


@pytest.fixture
def connection(monkeypatch: pytest.MonkeyPatch) -> Connected:
    return Connected(ScriptedFlyte(lambda: 0.0), monkeypatch)


@pytest.fixture
def closed(monkeypatch: pytest.MonkeyPatch) -> list[FlyteClient]:
    """Clients that were closed."""
    noted: list[FlyteClient] = []
    close = FlyteClient.close

    def noting(client: FlyteClient) -> None:
        noted.append(client)
        close(client)

    monkeypatch.setattr(FlyteClient, "close", noting)
    return noted


@pytest.fixture
def held(connection: Connected) -> HeldClient:
    return HeldClient("flyte_default", logging.getLogger("task"))


def test_the_client_is_made_when_it_is_first_needed_and_closed_at_the_end(
    held: HeldClient, closed: list[FlyteClient]
) -> None:
    assert held.flyte_conn_id == "flyte_default"
    with held as entered:
        assert entered is held
        assert held.refresh() is False
        client = held.get()
        assert held.get() is client
        assert closed == []
    assert closed == [client]
    held.close()
    assert closed == [client]
    # It may be needed again.
    assert held.get() is not client
    held.close()


def test_an_unchanged_connection_leads_to_no_other_client(held: HeldClient, closed: list[FlyteClient]) -> None:
    client = held.get()
    assert held.refresh() is False
    assert held.get() is client
    assert closed == []


def test_a_changed_connection_leads_to_another_client(
    connection: Connected, held: HeldClient, closed: list[FlyteClient]
) -> None:
    client = held.get()
    connection.change(timeout=7)
    assert held.refresh() is True
    assert closed == [client]
    # It is kept, whatever becomes of the connection.
    connection.remove()
    other = held.get()
    assert (other is client, other.config.timeout) == (False, 7)
    connection.change(timeout=7)
    assert held.refresh() is False
    assert held.get() is other


def test_a_connection_that_cannot_be_read_again_changes_nothing(
    connection: Connected, held: HeldClient, closed: list[FlyteClient], caplog: pytest.LogCaptureFixture
) -> None:
    client = held.get()
    connection.change(timeout="soon")
    assert held.refresh() is False
    assert held.get() is client
    assert closed == []
    [line] = [record.getMessage() for record in caplog.records if record.name == "task"]
    assert line.startswith(
        "The Airflow connection could not be read again, so the task continues with its old settings."
    )
    held.close()
    with pytest.raises(FlyteConfigurationError):
        held.get()
