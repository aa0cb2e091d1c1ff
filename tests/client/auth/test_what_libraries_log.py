"""No library's logger writes a credential at DEBUG: httpx, httpcore, h2, hpack, grpc, asyncio and all others."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import logging
import ssl
from collections.abc import Iterator

import pytest

from airflow_provider_flyte.client import FlyteClient, FlyteConfig
from airflow_provider_flyte.client.auth.oauth2 import TokenServer
from airflow_provider_flyte.client.credentials import ClientCredentials, StaticToken
from airflow_provider_flyte.client.errors import FlyteError
from airflow_provider_flyte.client.flows.calls import get_run_details, run_identifier, watch_runs
from airflow_provider_flyte.testing import LocalFlyte, status
from airflow_provider_flyte.testing.servers.connect_server import server_context
from tests.client.auth.test_repeated_credentials import one
from tests.client.conftest import config_for
from tests.support.certificates import Authority
from tests.support.http2_server import http2_server
from tests.support.oauth2 import OAuth2Server
from tests.support.secret_search import found
from tests.support.server_log import of_a_server

both = pytest.mark.parametrize("on_a_loop", [False, True], ids=["blocking", "loop"])
SECRETS = {
    "client secret": "correct-horse-battery",
    "token": "eyJhbGciOi.c3ViamVj.dA",
    "header": "staple+of/the~header",
}
METADATA = (("x-proxy-key", SECRETS["header"]),)


class Records(logging.Handler):
    """All that is logged, but what the servers of the test log themselves."""

    def __init__(self) -> None:
        super().__init__(logging.NOTSET)
        self.lines: list[tuple[str, str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        if not of_a_server(record):
            self.lines.append((record.name, f"{record.getMessage()} {record.args!r}"))


@pytest.fixture
def records(monkeypatch: pytest.MonkeyPatch) -> Iterator[Records]:
    """Each logger that there is at DEBUG, also those that somebody has silenced or cut off."""
    for library in ("h2.connection", "hpack.hpack", "hpack.table", "httpcore", "httpx"):
        importlib.import_module(library)
    handler = Records()
    root = logging.getLogger()
    loggers = [each for each in root.manager.loggerDict.values() if isinstance(each, logging.Logger)]
    for each in (root, *loggers):
        monkeypatch.setattr(each, "level", logging.DEBUG)
        monkeypatch.setattr(each, "disabled", False)
        if each is not root:
            monkeypatch.setattr(each, "propagate", True)
            each.manager._clear_cache()  # type: ignore[attr-defined]
    root.addHandler(handler)
    yield handler
    root.removeHandler(handler)
    root.manager._clear_cache()  # type: ignore[attr-defined]


def use(config: FlyteConfig, *, on_a_loop: bool) -> None:
    """A call and a stream; whether they succeed is not what is looked at."""
    key = config.key("r1", "flytesnacks", "development")
    calls = [get_run_details(run_identifier(key, "")), watch_runs(key.project, key.domain, "")]

    async def on_loop() -> None:
        async with FlyteClient(config) as client:
            for call in calls:
                with contextlib.suppress(FlyteError):
                    await client.aexecute(one(call))

    if on_a_loop:
        asyncio.run(on_loop(), debug=True)
        return
    with FlyteClient(config) as client:
        for call in calls:
            with contextlib.suppress(FlyteError):
                client.execute(one(call))


@both
def test_calls_and_the_requests_for_their_tokens(local_flyte: LocalFlyte, records: Records, on_a_loop: bool) -> None:
    local_flyte.run("r1").succeeds()
    # A stream would not end.
    local_flyte.inject("WatchRuns", status("PERMISSION_DENIED"))
    with OAuth2Server() as oauth2:
        oauth2.secrets["my-id"] = SECRETS["client secret"]
        oauth2.guard(local_flyte)
        config = config_for(
            local_flyte,
            credentials=oauth2.credentials(SECRETS["client secret"]),
            metadata=METADATA,
            timeout=1.0,
            retry_budget=0.1,
        )
        use(config, on_a_loop=on_a_loop)
        # Refused: the token, then the client.
        oauth2.revoke_all()
        oauth2.secrets.clear()
        use(config, on_a_loop=on_a_loop)
        tokens = {f"access token {number}": token for number, token in enumerate(oauth2.issued)}
    assert tokens
    assert any(name.startswith("httpcore") for name, _ in records.lines), "the search reads no library's log"
    assert found(SECRETS | tokens, records.lines) == []


@pytest.fixture
def authority() -> Authority:
    return Authority("of the test")


@pytest.fixture
def speaks_http2(authority: Authority) -> ssl.SSLContext:
    """For a server that has clients speak HTTP/2 if they can."""
    context = server_context(authority.issue("localhost"))
    context.set_alpn_protocols(["h2", "http/1.1"])
    return context


@both
@pytest.mark.parametrize("transport", ["grpc", "connect"])
def test_calls_to_a_server_that_speaks_http2(
    authority: Authority, speaks_http2: ssl.SSLContext, transport: str, records: Records, on_a_loop: bool
) -> None:
    """Where httpx used HTTP/2, hpack would log each header at DEBUG; h2 is installed here."""
    with http2_server(tls=speaks_http2) as server:
        config = FlyteConfig(
            server.endpoint,
            transport=transport,
            ca_bundle=authority.pem.decode(),
            credentials=StaticToken(SECRETS["token"]),
            metadata=METADATA,
            metadata_header="authorization",
            timeout=2.0,
            retry_budget=0.1,
        )
        use(config, on_a_loop=on_a_loop)
        # Also with Connect: gRPC is tried too where that does not lead to Flyte.
        assert SECRETS["token"] in str(server.requests)
    assert found(SECRETS, records.lines) == []


def test_a_request_for_a_token_to_a_server_that_speaks_http2(
    authority: Authority, speaks_http2: ssl.SSLContext, records: Records
) -> None:
    with http2_server(tls=speaks_http2) as server:
        config = FlyteConfig("localhost:1", ca_bundle=authority.pem.decode())
        tokens = TokenServer(config, f"https://{server.endpoint}/token")
        with pytest.raises(FlyteError):
            tokens.ask(ClientCredentials("my-id", SECRETS["client secret"]), (), "", 5.0)
        assert server.requests == []
    assert any(name.startswith("httpcore") for name, _ in records.lines)
    assert found(SECRETS, records.lines) == []
