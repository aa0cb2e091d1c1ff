"""The way to an endpoint: which certificate authorities are believed, and through which proxy it goes.

Decided once, here, for both transports and the probe: grpcio reads neither the system's authorities nor
``SSL_CERT_FILE`` nor the upper-case ``HTTPS_PROXY``, and httpx reads all of them.
"""

from __future__ import annotations

import ssl
import urllib.request
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from urllib.parse import urlsplit

from airflow_provider_flyte.client.config import FlyteConfig
from airflow_provider_flyte.client.errors import ConfigError

_BEGIN = b"-----BEGIN CERTIFICATE-----"
_BUNDLE = "ca-certificates.crt"


@dataclass(frozen=True)
class Route:
    """How an endpoint is reached. The proxy may carry a password, so it stays out of the repr."""

    host: str
    port: int
    insecure: bool
    roots: bytes | None = field(default=None, repr=False)
    """PEM of the authorities to believe; None for the libraries' own, and with plaintext."""

    proxy: str | None = field(default=None, repr=False)
    """``http://[user:password@]host:port``."""

    @property
    def proxy_name(self) -> str:
        """The proxy without its password."""
        parts = urlsplit(self.proxy or "")
        return f"{parts.hostname}:{parts.port or 80}"

    @cached_property
    def tls(self) -> ssl.SSLContext:
        """A context that verifies the server. Making one takes some ten milliseconds: not on an event loop."""
        return ssl.create_default_context(cadata=self.roots.decode("ascii", "ignore") if self.roots else None)


def route_to(config: FlyteConfig) -> Route:
    """The way to a config's endpoint from this machine, as its environment says.

    :raises ConfigError: for a proxy that gRPC cannot use.
    """
    host, _, port = config.endpoint.rpartition(":")
    roots = None if config.insecure else system_roots()
    route = Route(host.strip("[]"), int(port), config.insecure, roots, environment_proxy(config))
    if not config.insecure:
        # Made here and not with the first call, which may be on an event loop.
        _ = route.tls
    return route


def environment_proxy(config: FlyteConfig) -> str | None:
    """The proxy that ``HTTPS_PROXY`` names (``HTTP_PROXY`` with plaintext, else ``ALL_PROXY``) unless ``NO_PROXY``
    excepts the host; in either case of letters.
    """
    proxies = urllib.request.getproxies_environment()
    if urllib.request.proxy_bypass_environment(config.endpoint, proxies):  # type: ignore[attr-defined]
        return None
    proxy = proxies.get("http" if config.insecure else "https") or proxies.get("all")
    if not proxy:
        return None
    proxy = proxy if "://" in proxy else f"http://{proxy}"
    parts = urlsplit(proxy)
    if parts.scheme != "http" or not parts.hostname:
        raise ConfigError(
            f"The environment names a proxy of scheme {parts.scheme!r} for {config.endpoint}; only http:// proxies can "
            "be used. Change HTTPS_PROXY (HTTP_PROXY with plaintext), or name the host in NO_PROXY."
        )
    return proxy


def system_roots() -> bytes | None:
    """What ``SSL_CERT_FILE`` or ``SSL_CERT_DIR`` name, else the system's; None where there is neither."""
    paths = ssl.get_default_verify_paths()
    if paths.cafile:
        return Path(paths.cafile).read_bytes()
    if not paths.capath:
        return None
    folder = Path(paths.capath)
    # Debian keeps all of them in one file beside the single ones.
    files = [folder / _BUNDLE] if (folder / _BUNDLE).is_file() else sorted(folder.iterdir())
    certificates = {text for file in files if file.is_file() and _BEGIN in (text := file.read_bytes())}
    return b"\n".join(sorted(certificates)) or None
