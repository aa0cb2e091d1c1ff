"""A real nginx that lets only calls with a token through, and refuses the others with a page of its own."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest

from airflow_provider_flyte.client import FlyteConfig
from airflow_provider_flyte.client.config import AUTO, CONNECT, GRPC
from airflow_provider_flyte.client.credentials import ClientCredentials, StaticToken
from airflow_provider_flyte.client.errors import NotFlyteError, TokenError, UnauthenticatedError, UnknownError
from airflow_provider_flyte.client.idl.auth import auth_service_pb2
from airflow_provider_flyte.client.transport import discovery
from airflow_provider_flyte.testing import LocalFlyte
from airflow_provider_flyte.testing.servers.connect_server import server_context
from tests.proxy.test_through_nginx import both, read
from tests.proxy.ways import TOKEN
from tests.support.oauth2 import OAuth2Server

TRANSPORTS = {"grpc": GRPC, "http-behind-h2": CONNECT, "http-behind-tls": CONNECT}
CREDENTIALS = ClientCredentials("my-id", "correct-horse")

everywhere = pytest.mark.parametrize("way", TRANSPORTS)
whatever_it_says = pytest.mark.parametrize("status", [401, 500])


@pytest.fixture
def oauth2(flyte: LocalFlyte, certificate: tuple[bytes, bytes]) -> Iterator[OAuth2Server]:
    flyte.run("r1")
    with OAuth2Server(tls=server_context(certificate)) as server:
        flyte.auth.oauth2 = auth_service_pb2.GetOAuth2MetadataResponse(token_endpoint=server.url)
        yield server
        flyte.auth.oauth2 = None


def giving(oauth2: OAuth2Server, *tokens: str) -> None:
    oauth2.answers.extend((200, "application/json", json.dumps({"access_token": token})) for token in tokens)


@both
@everywhere
@whatever_it_says
@pytest.mark.parametrize("given", [True, False], ids=["given", "auto"])
def test_a_refused_token_is_replaced(
    config: Callable[..., FlyteConfig], oauth2: OAuth2Server, way: str, status: int, given: bool, on_a_loop: bool
) -> None:
    giving(oauth2, "revoked", TOKEN)
    settings = config(f"bearer-{status}-{way}", credentials=CREDENTIALS, transport=TRANSPORTS[way] if given else AUTO)
    assert read(settings, on_a_loop=on_a_loop) == "r1"
    assert len(oauth2.forms) == 2
    assert discovery.endpoint_of(settings).transport == TRANSPORTS[way]


@both
@everywhere
@whatever_it_says
@pytest.mark.parametrize("given", [True, False], ids=["given", "auto"])
def test_where_no_token_is_accepted_the_proxy_is_quoted(
    config: Callable[..., FlyteConfig], oauth2: OAuth2Server, way: str, status: int, given: bool, on_a_loop: bool
) -> None:
    giving(oauth2, "one", "another", "a third")
    settings = config(f"bearer-{status}-{way}", credentials=CREDENTIALS, transport=TRANSPORTS[way] if given else AUTO)
    # Behind the balancer that sends to elsewhere what is not gRPC, an UNKNOWN cannot be told from a wrong address.
    unknown = NotFlyteError if way == "grpc" else UnknownError
    with pytest.raises(UnauthenticatedError if status == 401 else unknown) as raised:
        read(settings, on_a_loop=on_a_loop)
    assert type(raised.value) is (UnauthenticatedError if status == 401 else unknown)
    assert way == "grpc" or str(status) in str(raised.value)
    assert raised.value.method == "RunService/GetRunDetails"
    assert len(oauth2.forms) == 2


@both
@everywhere
def test_a_deployment_that_names_no_token_server(
    config: Callable[..., FlyteConfig], flyte: LocalFlyte, way: str, on_a_loop: bool
) -> None:
    assert flyte.auth.oauth2 is None
    with pytest.raises(TokenError, match="Enter that server's URL as OAuth2 endpoint"):
        read(config(f"bearer-401-{way}", credentials=CREDENTIALS), on_a_loop=on_a_loop)


@both
@everywhere
def test_a_static_token(config: Callable[..., FlyteConfig], flyte: LocalFlyte, way: str, on_a_loop: bool) -> None:
    flyte.run("r1")
    assert read(config(f"bearer-401-{way}", credentials=StaticToken(TOKEN)), on_a_loop=on_a_loop) == "r1"
    with pytest.raises(UnauthenticatedError, match="401"):
        read(config(f"bearer-401-{way}", credentials=StaticToken("old")), on_a_loop=on_a_loop)
