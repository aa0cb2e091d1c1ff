"""Metadata of calls: which keys it may have, and which of it is secret, so that nothing shows it.

A team's name or ``production`` may be metadata too. Hidden in every error, such a word would make errors hard to read.
"""

from __future__ import annotations

import re

AUTHORIZATION = "authorization"
"""Where a token goes, unless the connection or Flyte says otherwise."""

# What HTTP/2 takes, see endpoint.py.
_KEY = re.compile(r"(?!grpc-|connect-)[0-9a-z_.-]{1,200}(?<!-bin)")
_TRANSPORTS_OWN = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "expect",
        "host",
        "http2-settings",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "user-agent",
    }
)
"""What the transports send themselves: a second one breaks calls, or goes into the logs of proxies."""

_FOR_TOKENS = re.compile(r"(?!proxy-)([0-9a-z]+-){0,5}authorization")
"""Matches keys that are made for a token, so that proxies do not log them: ``flyte-authorization``."""

_SECRET = re.compile(r"auth|token|secret|passw|key|cookie|credential|session|signature|jwt")
"""Matches names of metadata that is surely secret."""

_WORD = r"(?:[A-Z]?[a-z]{1,15}|[A-Z]{1,8})\d{0,3}|\d{1,4}"
_WORDS = re.compile(rf"(?:{_WORD})(?:[-_./:@ ](?:{_WORD})){{0,5}}")
"""Matches what people call things: ``production``, ``data-team``, ``eu-west-1``, ``flyte.example.com``. Few tokens are
made of such words alone."""


def is_metadata_key(key: str) -> bool:
    """Whether metadata can be sent under this key."""
    return _KEY.fullmatch(key) is not None and key not in _TRANSPORTS_OWN


def is_for_tokens(key: str) -> bool:
    """Whether Flyte may name this key as that of the token."""
    return len(key) <= 100 and _FOR_TOKENS.fullmatch(key) is not None


def is_secret_name(key: str) -> bool:
    """Whether a key of metadata says itself that its value is secret."""
    return bool(_SECRET.search(key))


def may_be_secret(key: str, value: str) -> bool:
    """Whether a value may be a credential: by its key, or because it is no ordinary word."""
    return is_secret_name(key) or not _WORDS.fullmatch(value)
