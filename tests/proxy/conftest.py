"""nginx in front of a local Flyte with both transports; the certificate is one that the test's machine trusts."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from airflow_provider_flyte.client import FlyteConfig
from airflow_provider_flyte.testing import LocalFlyte
from tests.proxy import nginx, ways
from tests.proxy.forward import ForwardProxy


@pytest.fixture(scope="session")
def flyte() -> Iterator[LocalFlyte]:
    """One for all tests: runs are named by the test that needs them."""
    with LocalFlyte(transports=("grpc", "connect")) as made:
        yield made


@pytest.fixture(scope="session")
def proxy(
    flyte: LocalFlyte, certificate: tuple[bytes, bytes], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[nginx.Nginx]:
    if nginx.PROGRAM is None:
        assert "REQUIRE_NGINX" not in os.environ, "nginx is missing"
        pytest.skip("nginx is not installed")
    folder = tmp_path_factory.mktemp("nginx")
    with nginx.Nginx(folder, ways.servers(flyte), certificate) as running:
        yield running


@pytest.fixture
def config(
    proxy: nginx.Nginx,
    certificate: tuple[bytes, bytes],
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., FlyteConfig]:
    """The settings for a way in, by its name."""
    roots = tmp_path_factory.mktemp("roots") / "roots.pem"
    roots.write_bytes(certificate[0])
    monkeypatch.setenv("SSL_CERT_FILE", str(roots))

    def config_for(way: str, **changed: Any) -> FlyteConfig:
        fields: dict[str, Any] = {
            "endpoint": proxy.endpoint(way),
            "insecure": not proxy.servers[way].tls,
            "project": "flytesnacks",
            "domain": "development",
            "retry_budget": 0.01,
        }
        return FlyteConfig(**fields | changed)

    return config_for


@pytest.fixture
def forward(forward_proxy: ForwardProxy) -> ForwardProxy:
    """The proxy of all tests, which has seen nothing yet."""
    forward_proxy.forget()
    return forward_proxy


@pytest.fixture(scope="session")
def forward_proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForwardProxy]:
    made = ForwardProxy(tmp_path_factory.mktemp("forward"))
    yield made
    made.process.terminate()
    made.process.wait(timeout=20)


@pytest.fixture(autouse=True)
def _no_proxy_but_the_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "grpc_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
