"""The route to a server: which certificate authorities are trusted, and through which proxy it leads.

Decided once, here, for both transports, the probe and the token server: grpcio reads neither the system's authorities
nor ``SSL_CERT_FILE`` nor the upper-case ``HTTPS_PROXY``, and httpx reads all of them.
"""

from __future__ import annotations

import base64
import hashlib
import logging
import ssl
import tempfile
import urllib.request
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from airflow_provider_flyte.client.cache import Cache
from airflow_provider_flyte.client.config import FlyteConfig
from airflow_provider_flyte.client.credentials import Secret
from airflow_provider_flyte.client.endpoint import is_local
from airflow_provider_flyte.client.errors import ConfigError
from airflow_provider_flyte.client.metadata import is_secret_name

log = logging.getLogger(__name__)

_BEGIN = b"-----BEGIN CERTIFICATE-----"
_BUNDLE = "ca-certificates.crt"


@dataclass(frozen=True)
class Route:
    """How a server is reached. The proxy may carry a password, so it stays out of the repr."""

    host: str
    port: int
    insecure: bool
    roots: bytes | None = field(default=None, repr=False)
    """PEM of the authorities to trust; None for the libraries' own, and with plaintext."""

    proxy: Secret | None = field(default=None, repr=False)
    """``http://[user:password@]host:port``."""

    certificate: bytes | None = field(default=None, repr=False)
    """PEM of the client's own certificate."""

    private_key: Secret | None = field(default=None, repr=False)
    """The certificate's private key, as PEM."""

    server_name: str = ""
    """The name that the server's certificate is checked for, where that is not the host."""

    verify: bool = True

    @property
    def proxy_name(self) -> str:
        """The proxy without its password."""
        return _without_password(self.proxy)

    @property
    def proxy_authorization(self) -> Secret | None:
        """What the proxy is sent to be let through (HTTP's Basic)."""
        parts = urlsplit(self.proxy or "")
        if parts.username is None:
            return None
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        return Secret("Basic " + base64.b64encode(pair.encode()).decode())

    @property
    def proxy_credentials(self) -> tuple[Secret, ...]:
        """What of the proxy's address nobody is to read, in each form."""
        sent = self.proxy_authorization
        return (sent, Secret(unquote(urlsplit(self.proxy or "").password or ""))) if sent else ()

    @property
    def unverified(self) -> bool:
        """Whether the server's certificate is not checked."""
        return not self.insecure and not self.verify

    @cached_property
    def tls(self) -> ssl.SSLContext:
        """A context that verifies the server. Making one takes some ten milliseconds: not on an event loop."""
        return self.new_tls()

    def new_tls(self) -> ssl.SSLContext:
        """A context of one's own.

        :raises ConfigError: for certificates or a key that cannot be read.
        """
        try:
            context = ssl.create_default_context(cadata=self.roots.decode("ascii", "ignore") if self.roots else None)
        except ssl.SSLError as error:
            raise ConfigError(
                f"ca_bundle cannot be read ({error.reason}). Enter certificates as PEM, or a file with them."
            ) from None
        # As gRPC does: who names an intermediate authority, or the server's own certificate, trusts just that.
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        if not self.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if self.certificate and self.private_key:
            problem = _show_certificate(context, self.certificate, self.private_key)
            if problem:
                # Raised only here, where the key is not among the locals that a traceback may show.
                raise problem
        return context


class EndpointKey(NamedTuple):
    """What distinguishes one endpoint from another in what a process keeps. It holds no secret and no PEM."""

    endpoint: str
    transport: str
    security: str
    """``plaintext``, or a digest of the settings of TLS."""

    proxy: str


def endpoint_key(config: FlyteConfig) -> EndpointKey:
    """The key of a config's endpoint; also where only a secret of the config is another one."""
    if config.insecure:
        security = "plaintext"
    else:
        shown = repr((config.ca_bundle, config.client_certificate, config.server_name, config.verify))
        security = hashlib.sha256(shown.encode()).hexdigest()
    proxy = environment_proxy(config.endpoint, plaintext=config.insecure)
    return EndpointKey(config.endpoint, config.transport, security, _without_password(proxy) if proxy else "")


def route_to(config: FlyteConfig) -> Route:
    """The route to a config's endpoint from this machine, by its environment.

    :raises ConfigError: for a proxy that gRPC cannot use, and for certificates that cannot be read.
    """
    _warn(config)
    host, _, port = config.endpoint.rpartition(":")
    proxy = environment_proxy(config.endpoint, plaintext=config.insecure)
    if config.insecure:
        return Route(host.strip("[]"), int(port), True, proxy=proxy)
    route = Route(
        host.strip("[]"),
        int(port),
        insecure=False,
        roots=roots_of(config),
        proxy=proxy,
        certificate=_material(config.client_certificate, "client_certificate"),
        private_key=_secret(_material(config.client_private_key, "client_private_key")),
        server_name=config.server_name.strip("[]"),
        verify=config.verify,
    )
    # Made here and not with the first call, which may be on an event loop.
    _ = route.tls
    return route


def roots_of(config: FlyteConfig) -> bytes | None:
    """The authorities that a config names, else the system's."""
    bundle = _material(config.ca_bundle, "ca_bundle")
    if bundle is None:
        return system_roots()
    if _BEGIN not in bundle:
        raise ConfigError("ca_bundle holds no certificate. Enter certificates as PEM, or the path of a file with them.")
    return bundle


def environment_proxy(endpoint: str, *, plaintext: bool) -> Secret | None:
    """The proxy that ``HTTPS_PROXY`` names (``HTTP_PROXY`` with plaintext, else ``ALL_PROXY``) unless ``NO_PROXY``
    excepts the host; in either case of letters.
    """
    proxies = urllib.request.getproxies_environment()
    if urllib.request.proxy_bypass_environment(endpoint, proxies):  # type: ignore[attr-defined]
        return None
    proxy = proxies.get("http" if plaintext else "https") or proxies.get("all")
    if not proxy:
        return None
    proxy = proxy if "://" in proxy else f"http://{proxy}"
    parts = urlsplit(proxy)
    if parts.scheme != "http" or not parts.hostname:
        raise ConfigError(
            f"The environment names a proxy of scheme {parts.scheme!r} for {endpoint}; only http:// proxies can "
            "be used. Change HTTPS_PROXY (HTTP_PROXY with plaintext), or name the host in NO_PROXY."
        )
    return Secret(proxy)


def _without_password(proxy: str | None) -> str:
    parts = urlsplit(proxy or "")
    return f"{parts.hostname}:{parts.port or 80}"


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


def _material(text: str, name: str) -> bytes | None:
    """PEM that is given as text or as the path of a file; its contents are never shown."""
    if not text:
        return None
    if "-----BEGIN" in text:
        return text.encode()
    try:
        return Path(text).read_bytes()
    except (OSError, ValueError) as error:
        why = (error.strerror if isinstance(error, OSError) else None) or "it is no path"
        raise ConfigError(f"The file that {name} names cannot be read: {why}. Enter another path, or PEM.") from None


def _secret(material: bytes | None) -> Secret | None:
    return None if material is None else Secret(material, "latin-1")


def _show_certificate(context: ssl.SSLContext, certificate: bytes, private_key: Secret) -> ConfigError | None:
    with tempfile.TemporaryDirectory() as folder:
        # The ssl module takes a certificate from files only. The folder is its owner's alone.
        paths = [Path(folder, name) for name in ("certificate.pem", "key.pem")]
        for path, pem in zip(paths, (certificate, private_key.encode("latin-1")), strict=True):
            path.touch(mode=0o600)
            path.write_bytes(pem)
        try:
            # Without a password argument OpenSSL would ask on the terminal.
            context.load_cert_chain(paths[0], paths[1], password=lambda: b"")
        except (ssl.SSLError, ValueError) as error:
            why = getattr(error, "reason", None) or "no PEM"
            return ConfigError(
                f"client_certificate and client_private_key cannot be used ({why}): they must be PEM, belong together, "
                "and the key must have no password."
            )
    return None


_warned: Cache[tuple[str, str], bool] = Cache(256)
"""Endpoints, and what was warned of."""


def forget() -> None:
    """Forget what was warned of; for tests."""
    _warned.clear()


def _warn(config: FlyteConfig) -> None:
    """Warn once a process of what makes a secret readable for others."""
    secret = config.credentials or config.secret_metadata_keys or any(is_secret_name(key) for key, _ in config.metadata)
    if config.insecure and secret and not is_local(config.endpoint.rpartition(":")[0]):
        _warn_once(
            config.endpoint,
            "Flyte at %s is called in plaintext: whoever is on the way can read the credentials. Switch Insecure "
            "off in the Flyte connection where the server speaks TLS.",
        )
    if not config.insecure and not config.verify:
        _warn_once(
            config.endpoint,
            "The certificate of %s is NOT checked: whoever is on the way can pretend to be Flyte, and read the "
            "credentials. Name the server's authority as CA bundle in the Flyte connection instead.",
        )


def _warn_once(endpoint: str, message: str) -> None:
    def warned() -> bool:
        log.warning(message, endpoint)
        return True

    _warned.get((endpoint, message), warned)
