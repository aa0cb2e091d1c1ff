"""What is logged of a token that cannot be renewed, and which refusals are about the token. Without a server."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from airflow_provider_flyte.client.auth.token_cache import Tokens
from airflow_provider_flyte.client.auth.token_sources import Fresh
from airflow_provider_flyte.client.credentials import Secret
from airflow_provider_flyte.client.errors import NotFlyteError, RpcError, Status, TokenServerError, error_for
from airflow_provider_flyte.client.rpc import RunService


class Server:
    """Gives tokens, by a clock."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.given = 0
        self.timeouts: list[float] = []
        self.fails: RpcError | None = None
        self.tokens = Tokens(self._fetch, clock=lambda: self.now, chance=lambda low, high: low)

    def _fetch(self, timeout: float) -> Fresh:
        self.timeouts.append(timeout)
        if self.fails:
            raise self.fails
        self.given += 1
        return Fresh(Secret(f"token-{self.given}"), "authorization", lifetime=100.0)

    def text(self) -> str:
        return str(self.tokens.get(7.0).text)


def away(code: Status = Status.UNAVAILABLE) -> RpcError:
    return TokenServerError(code, "away", method="The request for a token", endpoint="here")


def test_a_token_is_asked_for_once() -> None:
    server = Server()
    token = server.tokens.get(7.0)
    assert server.tokens.get(7.0) is token
    assert (server.given, server.timeouts) == (1, [7.0])
    assert token.metadata == (("authorization", "Bearer token-1"),)


def test_a_token_that_cannot_be_renewed_is_used_up(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "airflow_provider_flyte")
    server = Server()
    server.text()
    server.fails = away()
    server.now = 1080.0
    assert server.text() == "token-1"
    server.now = 1084.9
    assert server.text() == "token-1"
    # Not asked for with each call.
    assert len(server.timeouts) == 2
    server.now = 1085.0
    assert server.text() == "token-1"
    assert len(server.timeouts) == 3
    server.now = 1099.0
    server.text()
    server.now = 1099.9
    assert server.text() == "token-1"
    server.now = 1100.0
    with pytest.raises(TokenServerError):
        server.text()
    # It is logged once.
    assert [record.getMessage() for record in caplog.records] == [
        f"The token for Flyte could not be renewed; the old one is good for 20 s more. {away()}"
    ]
    server.fails = None
    assert server.text() == "token-2"
    assert caplog.messages[-1] == "The token for Flyte could be renewed again."
    server.now = 1180.0
    server.text()
    assert len(caplog.records) == 2


def test_whoever_waited_for_a_request_that_went_well_asks_again_where_that_is_no_help() -> None:
    """The token server returned the token that is refused once more."""
    server = Server()
    server.text()
    server.tokens._raise_if_just_failed(-1)


async def test_nothing_is_kept_of_a_loop_that_is_over() -> None:
    tokens = Server().tokens
    over = asyncio.new_event_loop()
    over.close()
    flight: Any = None
    tokens._flights[over, None] = flight
    assert str((await tokens.aget(7.0)).text) == "token-1"
    await asyncio.sleep(0)
    assert tokens._flights == {}


# -- whether a new one may help

READ, WRITE = RunService.ListRuns, RunService.CreateRun


def refused(code: Status, cause: RpcError | None = None) -> RpcError:
    error = error_for(code, "no", method="ListRuns", endpoint="here")
    if cause is not None:
        error = error.turned_into(NotFlyteError)
        error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "method", "helps"),
    [
        (refused(Status.UNAUTHENTICATED), READ, True),
        (refused(Status.UNAUTHENTICATED), WRITE, True),
        (refused(Status.UNKNOWN), READ, True),
        # It may have been carried out all the same.
        (refused(Status.UNKNOWN), WRITE, False),
        (refused(Status.UNAVAILABLE), READ, False),
        (refused(Status.PERMISSION_DENIED), READ, False),
        # Concluded from what else answers there: the refusal itself is its cause.
        (refused(Status.UNIMPLEMENTED, refused(Status.UNAUTHENTICATED)), READ, True),
        (refused(Status.UNIMPLEMENTED, refused(Status.UNAVAILABLE)), READ, False),
        (refused(Status.UNAUTHENTICATED, refused(Status.UNAVAILABLE)), READ, False),
    ],
)
def test_which_refusals_are_about_the_token(error: RpcError, method: Any, helps: bool) -> None:
    assert Server().tokens.may_help(error, method, after=None) is helps


def test_the_cause_of_another_error_does_not_count() -> None:
    error = refused(Status.UNAVAILABLE)
    error.__cause__ = refused(Status.UNAUTHENTICATED)
    assert Server().tokens.may_help(error, READ, after=None) is False
