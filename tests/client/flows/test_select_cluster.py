"""What an answer of SelectCluster means for a connection, without a server."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_flyte.client import FlyteConfig
from airflow_provider_flyte.client.errors import ConfigError
from airflow_provider_flyte.client.flows.select_cluster import named_data_plane

CONFIGS: dict[str, dict[str, Any]] = {
    "tls": {"endpoint": "flyte.example.com:443"},
    "own port": {"endpoint": "flyte.example.com:8443"},
    "plaintext": {"endpoint": "localhost:30080", "insecure": True},
    "ipv6": {"endpoint": "[::1]:8090", "insecure": True},
    "other name": {"endpoint": "10.0.0.5:443", "server_name": "flyte.example.com"},
}
SAME = [
    ("tls", ""),
    ("tls", "  "),
    ("tls", "http://flyte.example.com"),
    ("tls", "https://FLYTE.example.com."),
    ("tls", "https://flyte.example.com:443/"),
    ("tls", "http://flyte.example.com:443"),
    ("tls", "http://flyte.example.com:80"),
    ("tls", "flyte.example.com"),
    ("tls", "flyte.example.com:443"),
    ("tls", "dns:///flyte.example.com"),
    ("tls", "dns:///flyte.example.com:443"),
    ("own port", "http://flyte.example.com"),
    ("own port", "http://flyte.example.com:8443"),
    ("own port", "https://flyte.example.com:443"),
    ("plaintext", "http://localhost:30080"),
    ("ipv6", "http://[::1]:8090"),
    ("ipv6", "http://[0:0:0:0:0:0:0:1]:8090"),
    ("other name", "http://10.0.0.5"),
    ("other name", "http://flyte.example.com"),
]
OTHERS = [
    ("tls", "https://data.example.com", "https://data.example.com:443"),
    # A token is never readable on the way.
    ("tls", "http://data.example.com", "https://data.example.com:443"),
    ("tls", "http://data.example.com:8080", "https://data.example.com:8080"),
    ("tls", "dns:///data.example.com:8443", "https://data.example.com:8443"),
    ("tls", "https://flyte.example.com:8443", "https://flyte.example.com:8443"),
    ("tls", "flyte.example.com:80", "https://flyte.example.com:80"),
    ("plaintext", "http://localhost:30081", "http://localhost:30081"),
    ("plaintext", "http://data", "http://data:80"),
    ("plaintext", "data:9", "http://data:9"),
    ("plaintext", "https://data.example.com", "https://data.example.com:443"),
    ("plaintext", "http://127.0.0.1:30080", "http://127.0.0.1:30080"),
    ("ipv6", "http://[::2]:8090", "http://[::2]:8090"),
]
NO_ADDRESSES = [
    "https://", "ftp://data.example.com", "https://user@data.example.com", "https://data.example.com/path",
    "https://data.example.com?x", "https://data.example.com:0", "https://data.example.com:99999", "https://[::1",
    "a b", "https://data.example.com:443:443", "0x7f.1", "two\nlines",
]  # fmt: skip


@pytest.mark.parametrize(("config", "named"), SAME)
def test_the_connections_own_endpoint(config: str, named: str) -> None:
    assert named_data_plane(named, FlyteConfig(**CONFIGS[config])) is None


@pytest.mark.parametrize(("config", "named", "url"), OTHERS)
def test_a_data_plane(config: str, named: str, url: str) -> None:
    plane = named_data_plane(named, FlyteConfig(**CONFIGS[config]))
    assert plane is not None
    assert plane.url == url
    # It is an endpoint as a connection has it.
    assert FlyteConfig(endpoint=plane.endpoint, insecure=plane.insecure)


@pytest.mark.parametrize("named", NO_ADDRESSES)
def test_what_is_no_address_is_said(named: str) -> None:
    with pytest.raises(ValueError, match="which is no address"):
        named_data_plane(named, FlyteConfig(**CONFIGS["tls"]))


@pytest.mark.parametrize("host", ["https://data.example.com", "data.example.com:443", "*.example.com", ""])
def test_hosts_that_cannot_be_allowed(host: str) -> None:
    with pytest.raises(ConfigError, match="allowed_data_planes has"):
        FlyteConfig(endpoint="flyte.example.com:443", allowed_data_planes=(host,))
