"""Endpoints: the spellings that people use for one, and whether it is on this machine."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable

from airflow_provider_flyte.client.errors import ConfigError

# What HTTP/2 takes: grpc's own errors for anything else come late, and differ between blocking and asyncio calls.
_HOST = re.compile(r"\[[0-9a-fA-F:.]+\]|[^\s/:@?#\[\]]+")
_NAME = re.compile(r"(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?")
_LONGEST_NAME = 253
_TLS_SCHEMES = ("dns:///", "https://")


def is_endpoint(text: str) -> bool:
    """Whether it is ``host:port``, with brackets around an IPv6 address."""
    host, _, port = text.rpartition(":")
    return bool(_HOST.fullmatch(host)) and port.isascii() and port.isdigit() and 0 < int(port) < 65536


def tls_endpoint(text: str) -> str:
    """``host:port`` from one of the spellings of the Flyte SDK: ``dns:///`` or ``https://`` before it, no port (443).

    :raises ConfigError: for what is no address, and for ``http://``.
    """
    rest = text.strip()
    for scheme in _TLS_SCHEMES:
        if rest.lower().startswith(scheme):
            rest = rest[len(scheme) :]
    rest = rest.rstrip("/")
    endpoint = f"{rest}:443" if _HOST.fullmatch(rest) else rest
    if not is_endpoint(endpoint):
        raise ConfigError(
            "the endpoint is not a host with or without a port, with https:// or dns:/// before it or not"
        )
    return endpoint


def without_user(address: str) -> str:
    """An address as it may be shown: what stands before an @ may be a password."""
    _, at, host = address.rpartition("@")
    return f"***@{host}" if at else address


def is_local(host: str) -> bool:
    """Whether this host is the machine itself, so that nothing leaves it."""
    host = host.strip("[]").lower().rstrip(".")
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_address(host: str) -> bool:
    """Whether it is an IPv4 or IPv6 address, without brackets."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def plain_host(host: str) -> str:
    """A host as it can be compared: an address, or a name in lower case without a dot behind it; else ''.

    Names are ASCII, and their last label begins with a letter: what does not (``0x7f.1``) may be read as an address.
    """
    host = host.lower()
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    if is_address(host):
        return str(ipaddress.ip_address(host))
    host = host.removesuffix(".")
    return host if len(host) <= _LONGEST_NAME and _NAME.fullmatch(host) else ""


def check_hosts(field: str, hosts: Iterable[str]) -> None:
    """Refuse what is no host in a list of them.

    :param field: what the list is called.
    """
    for host in hosts:
        if not plain_host(host):
            raise ConfigError(
                f"{field} has {host!r}: enter names of hosts, such as login.example.com, without "
                "https://, port and path."
            )
