"""Kubernetes' rules for labels, annotations, service accounts and environment variables.

Flyte puts those of a run onto a Kubernetes object and only logs it when that is refused: the run then stays QUEUED for
ever. So they are checked before anything is launched.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

from airflow_provider_flyte.client.arguments import sendable
from airflow_provider_flyte.client.errors import ConfigError, NotATextError

_PART = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_DNS_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = re.compile(rf"(?=.{{1,253}}\Z){_DNS_LABEL}(\.{_DNS_LABEL})*")
_VARIABLE = re.compile(r"[\x20-\x3c\x3e-\x7e]+")
_DIGEST_LENGTH = 16
_DIGESTED = re.compile(rf"(.*-)?[0-9a-f]{{{_DIGEST_LENGTH}}}")
MOST_ANNOTATION_BYTES = 256 * 1024
"""Of all keys and values together."""


def check_texts(name: str, texts: object) -> None:
    """Refuse what is not a mapping of texts by texts. A value is never shown: it may be a secret."""
    if not isinstance(texts, Mapping):
        raise ConfigError(f"{name} is a {type(texts).__name__}. Give a dict of strings by name.")
    for key, value in texts.items():
        if not isinstance(key, str) or not key:
            raise ConfigError(f"{name} has the key {key!r}. Its keys must be strings that are not empty.")
        if not isinstance(value, str):
            raise NotATextError(f"{name}[{key!r}] is of type {type(value).__name__}. Give a string.")
        sendable(f"{name}[{key!r}]", value, secret=True)


def check_labels(labels: Mapping[str, str]) -> None:
    for key, value in labels.items():
        _check_key("labels", key)
        if value and not _PART.fullmatch(value):
            raise ConfigError(
                f"labels[{key!r}] is {value!r}, which cannot be a label: use at most 63 letters, digits, '-', '_' or "
                "'.', with a letter or digit at both ends. Annotations take any text."
            )


def label_value(text: str) -> str:
    """The text as a label's value: as it is where it fits, else what can be kept of it and a hash of the whole.

    Different texts have different values: one that fits and looks as if it had a hash gets a hash, too.
    """
    if _PART.fullmatch(text) and not _DIGESTED.fullmatch(text):
        return text
    digest = hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:_DIGEST_LENGTH]
    kept = re.sub(r"[^A-Za-z0-9_.]+", "-", text)[: 62 - _DIGEST_LENGTH].strip("-_.")
    return f"{kept}-{digest}" if kept else digest


def is_label_key(key: str) -> bool:
    """Whether Kubernetes takes it as the key of a label: a name, perhaps with a domain and a ``/`` before it."""
    prefix, slash, rest = key.rpartition("/")
    return bool(_PART.fullmatch(rest) and (not slash or _SUBDOMAIN.fullmatch(prefix)))


def check_annotations(annotations: Mapping[str, str]) -> None:
    for key in annotations:
        _check_key("annotations", key)
    size = sum(len(key.encode()) + len(value.encode()) for key, value in annotations.items())
    if size > MOST_ANNOTATION_BYTES:
        raise ConfigError(f"annotations have {size} bytes; Kubernetes takes {MOST_ANNOTATION_BYTES}.")


def check_env_vars(env_vars: Mapping[str, str]) -> None:
    for key, value in env_vars.items():
        if not _VARIABLE.fullmatch(key):
            raise ConfigError(f"env_vars has the key {key!r}: a variable's name is printable ASCII without '='.")
        if "\0" in value:
            raise ConfigError(f"env_vars[{key!r}] holds a NUL, which no environment variable can.")


def check_service_account(name: str) -> None:
    if not _SUBDOMAIN.fullmatch(name):
        raise ConfigError(
            f"service_account {name!r} cannot be the name of one: use at most 253 lower-case letters, digits, '-' or "
            "'.', with a letter or digit at both ends."
        )


def _check_key(name: str, key: str) -> None:
    if not is_label_key(key):
        raise ConfigError(
            f"{name} has the key {key!r}: use at most 63 letters, digits, '-', '_' or '.', with a letter or digit at "
            "both ends, and before that, if anything, a domain and a '/', as in example.com/team."
        )
