"""Metadata of calls: which of it is secret, so that nothing shows it.

A team's name or ``production`` may be metadata too. Hidden in every error, such a word would make errors hard to read.
"""

from __future__ import annotations

import re

_SECRET = re.compile(r"auth|token|secret|passw|key|cookie|credential|session|signature|jwt")
"""Matches names of metadata that is surely secret."""

_WORD = r"(?:[A-Z]?[a-z]{1,15}|[A-Z]{1,8})\d{0,3}|\d{1,4}"
_WORDS = re.compile(rf"(?:{_WORD})(?:[-_./:@ ](?:{_WORD})){{0,5}}")
"""Matches what people call things: ``production``, ``data-team``, ``eu-west-1``, ``flyte.example.com``. Few tokens are
made of such words alone."""


def is_secret_name(key: str) -> bool:
    """Whether a key of metadata says itself that its value is secret."""
    return bool(_SECRET.search(key))


def may_be_secret(key: str, value: str) -> bool:
    """Whether a value may be a credential: by its key, or because it is no ordinary word."""
    return is_secret_name(key) or not _WORDS.fullmatch(value)
