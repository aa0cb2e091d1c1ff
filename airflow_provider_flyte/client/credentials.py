"""A client's credentials: plain data, checked when made, and safe to print."""

from __future__ import annotations

import base64
import binascii
import contextlib
import re
from dataclasses import dataclass, field
from typing import SupportsIndex, TypeAlias
from urllib.parse import urlsplit

from airflow_provider_flyte.client.arguments import sendable
from airflow_provider_flyte.client.endpoint import check_hosts, is_local, tls_endpoint
from airflow_provider_flyte.client.errors import ConfigError


class Secret(str):
    """A text whose repr does not show it, so that no traceback with local variables does."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"

    def __getitem__(self, part: SupportsIndex | slice) -> Secret:
        """Rich, which renders some tracebacks, shows the beginning of a long text."""
        return Secret(super().__getitem__(part))


def hide(settings: object, *names: str) -> None:
    """Keep fields of frozen settings from being shown, also where ``vars()`` or a traceback with locals does."""
    for name in names:
        object.__setattr__(settings, name, Secret(getattr(settings, name)))


_TOKEN = re.compile(r"[\x21-\x7e]+")
_LONGEST_URL = 2000


@dataclass(frozen=True)
class ClientCredentials:
    """OAuth2's client-credentials grant: an id and a secret, for which a server gives tokens that expire."""

    client_id: str
    client_secret: str = field(repr=False)

    scopes: tuple[str, ...] = ()
    """What to ask for; by default the scopes that the Flyte deployment publishes over verified TLS. It is an
    error where one may be another service's."""

    audience: str = ""
    """For whom the token is meant; by default the audience that the Flyte deployment publishes over verified TLS. It is
    an error where that is not its own host."""

    oauth_endpoint: str = ""
    """URL that gives tokens; by default the one that the Flyte deployment names over verified TLS, where the secret may
    go to its host."""

    allowed_oauth_hosts: tuple[str, ...] = ()
    """Hosts of token servers that the Flyte deployment may name, beside its own host, the domain that this is in and
    the names directly in that domain."""

    def __post_init__(self) -> None:
        for name in ("client_id", "client_secret"):
            if not getattr(self, name):
                raise ConfigError(
                    f"{name} is empty. Enter the {name.replace('_', ' ')} that Flyte's operator gave you."
                )
        hide(self, "client_secret")
        sendable("client_secret", self.client_secret, secret=True)
        for name in ("client_id", "audience"):
            sendable(name, getattr(self, name))
        for scope in self.scopes:
            if not _TOKEN.fullmatch(scope):
                raise ConfigError(f"scopes has {scope!r}: a scope is printable ASCII without blanks. Enter one by one.")
        check_hosts("allowed_oauth_hosts", self.allowed_oauth_hosts)
        if self.oauth_endpoint:
            check_token_url(self.oauth_endpoint, "oauth_endpoint")

    def without_secret(self) -> tuple[object, ...]:
        """Whose they are; the same with another secret."""
        return self.client_id, self.scopes, self.audience, self.oauth_endpoint, self.allowed_oauth_hosts


@dataclass(frozen=True)
class StaticToken:
    """A token that never changes."""

    token: str = field(repr=False)

    def __post_init__(self) -> None:
        check_token(self.token, "the token")
        hide(self, "token")

    def without_secret(self) -> tuple[object, ...]:
        """Whose it is, for messages; a static token does not show it."""
        return ()


@dataclass(frozen=True)
class TokenFile:
    """A file with a token, read again when it changes."""

    path: str

    def __post_init__(self) -> None:
        if not self.path or "\0" in self.path:
            raise ConfigError("The path of the token file is empty or no path. Enter the path of a file with a token.")

    def without_secret(self) -> tuple[object, ...]:
        """The file: what is in it changes."""
        return (self.path,)


Credentials: TypeAlias = ClientCredentials | StaticToken | TokenFile


def check_token(text: str, what: str) -> str:
    """Return a token, or raise :class:`ConfigError`, which does not show it."""
    if not text:
        raise ConfigError(f"{what[0].upper()}{what[1:]} is empty. Enter a token.")
    if not _TOKEN.fullmatch(text):
        raise ConfigError(
            f"{what[0].upper()}{what[1:]} cannot be sent: it has a blank, a line break or a character that is not "
            "ASCII. Enter the bare token, without 'Bearer' before it."
        )
    return text


def check_token_url(url: str, what: str) -> str:
    """Return a token server's URL, or raise :class:`ConfigError`: secrets go there, so not in plaintext."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    # httpx refuses the others, with an error of its own.
    sane = len(url) <= _LONGEST_URL and url.isprintable() and " " not in url
    if not sane or not host or parts.scheme not in ("http", "https") or parts.username is not None or parts.fragment:
        raise ConfigError(
            f"{what} is no URL of a server that gives tokens. Enter one such as "
            "https://login.example.com/oauth2/token, without a user or a fragment in it."
        )
    if parts.scheme == "http" and not is_local(host):
        raise ConfigError(
            f"{what} {parts.scheme}://{parts.netloc}{parts.path} is plaintext: the client secret would be readable on "
            "the way. Enter an https:// URL."
        )
    return url


def api_key(text: str) -> tuple[str, ClientCredentials, str]:
    """Endpoint (``host:port``), credentials and org of an API key of the Flyte SDK.

    It is the base64 of ``endpoint:client_id:client_secret:org``; the endpoint may have ``dns:///`` or ``https://``
    before it and a port, the org may be empty or the word None.

    :raises ConfigError: which names what is broken and does not show it.
    """
    broken = "The API key is broken: {}. Copy it again, or have a new one made."
    packed = "".join(text.split()).translate(str.maketrans("-_", "+/")).rstrip("=")
    if not packed:
        raise ConfigError("The API key is empty. Enter the one that Flyte's operator gave you.")
    plain = ""
    # Raised below, so that no part of the key is in the context of the error.
    with contextlib.suppress(binascii.Error, UnicodeDecodeError):
        plain = base64.b64decode(packed + "=" * (-len(packed) % 4), validate=True).decode()
    if not plain:
        raise ConfigError(broken.format("it is not base64 of a text; perhaps its end is missing"))
    # From the right: the endpoint may have colons of its own.
    parts = plain.strip().rsplit(":", 3)
    if len(parts) < 4:
        raise ConfigError(
            broken.format(f"it holds {len(parts)} parts instead of endpoint, client id, client secret and org")
        )
    address, client_id, client_secret, org = parts
    for name, value in (("endpoint", address), ("client id", client_id), ("client secret", client_secret)):
        if not value:
            raise ConfigError(broken.format(f"its {name} is empty"))
    try:
        endpoint = tls_endpoint(address)
    except ConfigError as error:
        raise ConfigError(broken.format(error)) from None
    return endpoint, ClientCredentials(client_id, client_secret), "" if org == "None" else org
