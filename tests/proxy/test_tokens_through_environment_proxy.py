"""The request for a token goes where the environment says, as calls do, and no proxy's password is shown."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_provider_flyte.client.errors import TokenServerError, is_transient
from airflow_provider_flyte.testing import LocalFlyte
from tests.proxy.forward import ForwardProxy
from tests.proxy.test_environment_proxy import settings, wait_until_seen
from tests.proxy.test_through_nginx import both, read
from tests.support.oauth2 import OAuth2Server
from tests.support.secret_search import found, shown_by

NOWHERE = "http://user:battery-staple@127.0.0.1:1"
encrypted = pytest.mark.parametrize("tls", [True, False], ids=["TLS", "plaintext"])


@pytest.fixture
def oauth2(
    tls: bool, certificate: tuple[bytes, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[OAuth2Server]:
    context = None
    if tls:
        for name, pem in zip(("certificate", "key"), certificate, strict=True):
            (tmp_path / name).write_bytes(pem)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tmp_path / "certificate", tmp_path / "key")
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "certificate"))
    with OAuth2Server(tls=context) as server:
        yield server


@pytest.fixture
def flyte(oauth2: OAuth2Server) -> Iterator[LocalFlyte]:
    with LocalFlyte(transports=("grpc",)) as made:
        made.run("r1")
        oauth2.guard(made)
        yield made


@pytest.fixture
def variable(tls: bool) -> str:
    """Which one names the proxy to the token server; Flyte itself is plaintext here."""
    return "HTTPS_PROXY" if tls else "HTTP_PROXY"


@both
@encrypted
def test_it_goes_through_the_proxy(
    flyte: LocalFlyte,
    oauth2: OAuth2Server,
    forward: ForwardProxy,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    on_a_loop: bool,
) -> None:
    monkeypatch.setenv("NO_PROXY", flyte.endpoint)
    monkeypatch.setenv(variable, forward.url())
    assert read(settings(flyte, tls=False, credentials=oauth2.credentials()), on_a_loop=on_a_loop) == "r1"
    wait_until_seen(forward, oauth2.port)
    assert not forward.saw(flyte.port)
    assert len(oauth2.issued) == 1


@both
@encrypted
@pytest.mark.parametrize("name", ["NO_PROXY", "no_proxy"])
def test_a_token_server_that_is_excepted(
    flyte: LocalFlyte,
    oauth2: OAuth2Server,
    forward: ForwardProxy,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    on_a_loop: bool,
) -> None:
    for each in ("HTTPS_PROXY", "HTTP_PROXY"):
        monkeypatch.setenv(each, forward.url())
    monkeypatch.setenv(name, f"localhost:{oauth2.port}")
    assert read(settings(flyte, tls=False, credentials=oauth2.credentials()), on_a_loop=on_a_loop) == "r1"
    wait_until_seen(forward, flyte.port)
    assert not forward.saw(oauth2.port)


@both
@encrypted
def test_a_proxy_that_is_down_is_named(
    flyte: LocalFlyte, oauth2: OAuth2Server, monkeypatch: pytest.MonkeyPatch, variable: str, on_a_loop: bool
) -> None:
    monkeypatch.setenv("NO_PROXY", flyte.endpoint)
    monkeypatch.setenv(variable, NOWHERE)
    with pytest.raises(TokenServerError, match=r"through the proxy 127\.0\.0\.1:1\.") as raised:
        read(settings(flyte, tls=False, credentials=oauth2.credentials()), on_a_loop=on_a_loop)
    assert is_transient(raised.value)
    secrets = {"password of the proxy": "battery-staple", "client secret": "correct-horse"}
    assert found(secrets, [("the error", shown_by(raised.value))]) == []


@both
@encrypted
def test_a_proxy_that_wants_another_password_is_named(
    flyte: LocalFlyte,
    oauth2: OAuth2Server,
    forward: ForwardProxy,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    on_a_loop: bool,
) -> None:
    monkeypatch.setenv("NO_PROXY", flyte.endpoint)
    monkeypatch.setenv(variable, forward.url("battery-staple"))
    words = rf"407.* through the proxy 127\.0\.0\.1:{forward.port}\."
    with pytest.raises(TokenServerError, match=words) as raised:
        read(settings(flyte, tls=False, credentials=oauth2.credentials()), on_a_loop=on_a_loop)
    secrets = {"password of the proxy": "battery-staple", "client secret": "correct-horse"}
    assert found(secrets, [("the error", shown_by(raised.value))]) == []
