"""A real forward proxy that the environment names: one decision for both transports."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_provider_flyte.client import FlyteConfig, errors
from airflow_provider_flyte.client.config import AUTO, CONNECT, GRPC
from airflow_provider_flyte.client.rpc import RunService
from airflow_provider_flyte.testing import LocalFlyte
from tests.proxy.forward import ForwardProxy
from tests.proxy.test_through_nginx import both, read, refused
from tests.support.replay_server import Answer, ReplayServer


@pytest.fixture
def flyte(
    protocol: str, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[LocalFlyte]:
    """Behind one transport, with TLS that is trusted where the test asks for it."""
    tls = None
    if "tls" in request.fixturenames and request.getfixturevalue("tls"):
        tls = request.getfixturevalue("certificate")
        (tmp_path / "roots.pem").write_bytes(tls[0])
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "roots.pem"))
    with LocalFlyte(transports=(protocol,), tls=tls) as made:
        made.run("r1")
        yield made


def settings(flyte: LocalFlyte, tls: bool, **changed: object) -> FlyteConfig:
    fields = {"endpoint": flyte.endpoint, "insecure": not tls, "retry_budget": 0.01}
    return FlyteConfig(**{"project": "flytesnacks", "domain": "development"} | fields | changed)  # type: ignore[arg-type]


def wait_until_seen(forward: ForwardProxy, port: int) -> None:
    until = time.monotonic() + 20
    while not forward.saw(port):
        assert time.monotonic() < until, "nothing went through the proxy"
        time.sleep(0.01)


@both
@pytest.mark.parametrize("transport", ["this", AUTO])
@pytest.mark.parametrize(
    ("tls", "variable"),
    [
        (True, "HTTPS_PROXY"),
        (True, "https_proxy"),
        (True, "ALL_PROXY"),
        (False, "HTTP_PROXY"),
        (False, "http_proxy"),
    ],
)
def test_calls_go_through_it(
    flyte: LocalFlyte,
    forward: ForwardProxy,
    monkeypatch: pytest.MonkeyPatch,
    protocol: str,
    transport: str,
    tls: bool,
    variable: str,
    on_a_loop: bool,
) -> None:
    monkeypatch.setenv(variable, forward.url())
    config = settings(flyte, tls, transport=protocol if transport == "this" else AUTO)
    assert read(config, on_a_loop=on_a_loop) == "r1"
    wait_until_seen(forward, flyte.port)


@both
@pytest.mark.parametrize("tls", [True, False])
@pytest.mark.parametrize(("variable", "excepted"), [("NO_PROXY", "localhost"), ("no_proxy", "x.example,localhost")])
def test_a_host_that_is_excepted(
    flyte: LocalFlyte, monkeypatch: pytest.MonkeyPatch, variable: str, excepted: str, tls: bool, on_a_loop: bool
) -> None:
    # The last is grpc's own, which only one transport would read.
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "grpc_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")  # nothing listens there
    monkeypatch.setenv(variable, excepted)
    assert read(settings(flyte, tls), on_a_loop=on_a_loop) == "r1"


@both
@pytest.mark.parametrize("tls", [True, False])
def test_a_proxy_that_is_down_is_named(
    flyte: LocalFlyte, monkeypatch: pytest.MonkeyPatch, protocol: str, tls: bool, on_a_loop: bool
) -> None:
    monkeypatch.setenv("HTTPS_PROXY" if tls else "HTTP_PROXY", "http://user:secret@127.0.0.1:1")
    error = refused(settings(flyte, tls, transport=protocol), on_a_loop=on_a_loop)
    assert errors.is_transient(error)
    assert "through the proxy 127.0.0.1:1, which does not lead there" in str(error)
    assert "secret" not in str(error)


@both
def test_a_proxy_that_wants_another_password(
    forward: ForwardProxy, flyte: LocalFlyte, monkeypatch: pytest.MonkeyPatch, protocol: str, tls: bool, on_a_loop: bool
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", forward.url("wrong"))
    error = refused(settings(flyte, tls, transport=protocol), on_a_loop=on_a_loop)
    assert f"through the proxy 127.0.0.1:{forward.port}, which answers CONNECT with HTTP 407" in str(error)
    assert "wrong" not in str(error)


@pytest.fixture
def tls() -> bool:
    return True


@both
def test_a_proxy_that_tunnels_to_no_plaintext_port_still_passes_requests_on(
    monkeypatch: pytest.MonkeyPatch, on_a_loop: bool
) -> None:
    """Squid as it comes: CONNECT to port 443 alone."""
    details = RunService.GetRunDetails.response()
    details.details.action.id.run.name = "r1"
    with ReplayServer(Answer(200, {"content-type": "application/proto"}, [details.SerializeToString()])) as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://{proxy.endpoint}")
        config = FlyteConfig(endpoint="flyte.example:80", insecure=True, project="p", domain="d", retry_budget=0.01)
        assert read(config, on_a_loop=on_a_loop) == "r1"
        assert proxy.requests[-1][0] == f"http://flyte.example{RunService.GetRunDetails.path}"


@pytest.mark.parametrize("transport", [GRPC, CONNECT])
def test_a_proxy_of_another_kind_is_refused_before_any_call(monkeypatch: pytest.MonkeyPatch, transport: str) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "socks5://127.0.0.1:1080")
    config = FlyteConfig(endpoint="flyte.example:443", project="p", domain="d", transport=transport)
    with pytest.raises(errors.ConfigError, match="only http:// proxies can be used"):
        read(config, on_a_loop=False)
