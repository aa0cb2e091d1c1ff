"""What Flyte may say about the way to a token: which servers get the client secret, and for what a token is asked.

Rules, without input and output. Whatever answers as Flyte could else have the secret sent anywhere, and get tokens for
any other service that the token server serves. What a connection says itself (``oauth_endpoint``, ``scopes``,
``audience``) does not need the rules.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from urllib.parse import urlsplit

from airflow_provider_flyte.client.config import FlyteConfig
from airflow_provider_flyte.client.credentials import check_token_url
from airflow_provider_flyte.client.endpoint import is_address, plain_host
from airflow_provider_flyte.client.errors import ConfigError
from airflow_provider_flyte.client.metadata import AUTHORIZATION, is_for_tokens
from airflow_provider_flyte.client.outside import LONGEST_NAME, one_line

ENTER_IT = "Enter that server's URL as OAuth2 endpoint (oauth_endpoint) in the Flyte connection"

_SCOPES = frozenset({"all", "offline", "openid", "profile", "email", "offline_access"})
"""Flyte's own scopes and those of OpenID, which open no other service."""

_WORD = re.compile(r"[\x21-\x7e]+")

_SHORTEST_OWN = {True: 4, False: 3}
"""Letters that a domain of two labels has at least to count as somebody's own, by whether it ends in a country's code:
``co.uk``, ``com.au`` and ``uk.com`` are not. The list of all such domains is long, changes, and is no part of
Airflow."""

_HANDED_OUT = (
    "amazonaws.com",
    "appspot.com",
    "azure.com",
    "azurewebsites.net",
    "cloudfront.net",
    "duckdns.org",
    "elasticbeanstalk.com",
    "fly.dev",
    "github.io",
    "googleusercontent.com",
    "herokuapp.com",
    "ngrok-free.app",
    "ngrok.app",
    "ngrok.io",
    "nip.io",
    "ondigitalocean.app",
    "onrender.com",
    "run.app",
    "sslip.io",
    "trafficmanager.net",
    "trycloudflare.com",
    "vercel.app",
    "windows.net",
    "workers.dev",
)
"""Domains below which strangers get names, those most likely to be met; not all."""


def is_believed(config: FlyteConfig) -> bool:
    """Whether it is certain that Flyte itself says how to get tokens: over TLS, with its certificate verified."""
    return config.verify and not config.insecure


def why_not_believed(config: FlyteConfig) -> str:
    """What is said where :func:`is_believed` is not so."""
    how = "over plaintext (insecure)" if config.insecure else "without a check of its certificate (skip_verification)"
    return (
        f"Flyte is reached {how}, so it is not asked which server gives tokens: whoever answers would get the client "
        f"secret. {ENTER_IT}"
    )


def may_have_secret(host: str, flyte: str, allowed: Iterable[str] = ()) -> bool:
    """Whether a secret may go to a host that Flyte names: the client secret to a token server, a token to a data plane.

    It may where that is Flyte's own host, the domain that this is in, a name directly in that domain, or a host that
    the connection allows. Addresses, names of one label and domains of everybody (:func:`_is_own`) have no neighbours.

    :param host: that Flyte names.
    :param flyte: Flyte's host, for which its certificate is verified.
    :param allowed: further hosts.
    """
    named, own = plain_host(host), plain_host(flyte)
    if not named:
        return False
    if named == own or named in map(plain_host, allowed):
        return True
    domain = own.partition(".")[2]
    return not is_address(own) and _is_own(domain) and domain in (named, named.partition(".")[2])


def _is_own(domain: str) -> bool:
    """Whether names in this domain are most likely one owner's, and no strangers'."""
    labels = domain.split(".")
    if len(labels) < 2 or (len(labels) == 2 and len(labels[0]) < _SHORTEST_OWN[len(labels[1]) == 2]):
        return False
    return not any(f".{domain}".endswith(f".{each}") for each in _HANDED_OUT)


def check_named(url: str, config: FlyteConfig, allowed: Iterable[str]) -> str:
    """Return the URL of the token server that Flyte names.

    :raises ConfigError: where the client secret may not go there, with what to enter.
    """
    if not url:
        raise ConfigError(f"Flyte names no server that gives tokens: its answer has no token endpoint. {ENTER_IT}")
    try:
        parts = urlsplit(check_token_url(url, "the token endpoint that it names"))
    except ConfigError as error:
        raise ConfigError(f"Flyte names no server that gives tokens: {error} {ENTER_IT}") from None
    host = one_line(parts.hostname or "", LONGEST_NAME)
    if parts.scheme != "https":
        raise ConfigError(
            f"Flyte names a token server at {host} that is plaintext, also on this machine: the client secret would "
            f"be readable on the way. {ENTER_IT}"
        )
    own = host_of(config)
    if not may_have_secret(host, own, allowed):
        raise ConfigError(
            f"Flyte names a token server at {host}, which is neither {own} nor its domain nor a name in that domain, "
            "so the client secret was not sent there. If it is the right one, enter the host among the Allowed OAuth2 "
            "hosts (allowed_oauth_hosts) in the Flyte connection"
        )
    return url


def check_header(key: str) -> str:
    """Return the metadata key under which Flyte wants the token; without one it is the usual one.

    :raises ConfigError: where it is not made for tokens, with what to enter: proxies log other keys.
    """
    key = key.lower() or AUTHORIZATION
    if not is_for_tokens(key):
        raise ConfigError(
            f"Flyte wants the token under the metadata key {one_line(key, LONGEST_NAME)}, which is none for tokens, so "
            "it was not sent. If it is the right one, enter it as Metadata header (metadata_header) in the Flyte "
            "connection"
        )
    return key


def check_scopes(scopes: Sequence[str], config: FlyteConfig) -> tuple[str, ...]:
    """Return the scopes that Flyte publishes.

    :raises ConfigError: where one is neither usual nor named after Flyte's host, with what to enter.
    """
    for scope in scopes:
        if scope not in _SCOPES and not _is_named_after(scope, config):
            shown = one_line(", ".join(scopes), LONGEST_NAME)
            raise ConfigError(
                f"Flyte publishes the scopes {shown}, of which {one_line(scope, LONGEST_NAME)} may be another "
                "service's, so no token was asked for. Enter those that are right as Scopes (scopes) in the Flyte "
                "connection"
            )
    return tuple(scopes)


def check_audience(audience: str, config: FlyteConfig) -> str:
    """Return the audience that Flyte publishes.

    :raises ConfigError: where it is not Flyte's host, with what to enter.
    """
    if audience and not _is_named_after(audience, config):
        shown = one_line(audience, LONGEST_NAME)
        raise ConfigError(
            f"Flyte publishes the audience {shown}, which is not {host_of(config)} and may be another service's, so "
            "no token was asked for. If it is the right one, enter it as Audience (audience) in the Flyte connection"
        )
    return audience


def _is_named_after(identifier: str, config: FlyteConfig) -> bool:
    """Whether a scope or an audience, a URL or a host, is Flyte's own; a neighbour is another service."""
    # A blank would begin a second scope.
    if not _WORD.fullmatch(identifier):
        return False
    try:
        host = plain_host(urlsplit(identifier).hostname or "" if "://" in identifier else identifier)
    except ValueError:
        return False
    return bool(host) and host == plain_host(host_of(config))


def host_of(config: FlyteConfig) -> str:
    """The name for which Flyte's certificate is verified."""
    return config.server_name or config.endpoint.rpartition(":")[0]
