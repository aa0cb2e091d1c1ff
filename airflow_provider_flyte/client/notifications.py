"""Whom Flyte notifies of a run's end, as plain values. Light: DAG files are checked by it as they are parsed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from airflow_provider_flyte.client.arguments import sendable
from airflow_provider_flyte.client.errors import ConfigError

PHASES = ("SUCCEEDED", "FAILED", "ABORTED", "TIMED_OUT")
"""The ends that Flyte notifies of."""

_METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH")
_SUBJECT = "Run {{.Run.Name}} {{.Phase}}"
_BODY = "Run: {{.Run.Name}}\nProject/Domain: {{.Run.Project}}/{{.Run.Domain}}\nPhase: {{.Phase}}\nError: {{.Error}}\n"
_NO_HTML = "No HTML body"
"""As the SDK 2.12.1 has them (notify/_notifiers.py, notifications_serde.py)."""


def inline_rules(given: object) -> list[dict[str, Any]]:
    """The fields of flyteidl2's ``InlineRule``, one dict for each notification.

    :param given: a list of dicts, each with ``on_phase`` (a phase or a list of them) and one way: ``delivery`` (the
        name of one that is set up in Flyte), ``email`` (``recipients``, ``cc``, ``bcc``, ``subject``, ``body``,
        ``html_body``) or ``webhook`` (``url``, ``method``, ``headers``, ``body``).
    :raises ConfigError: naming the notification and what to give, without an address.
    """
    if isinstance(given, (str, bytes, Mapping)) or not isinstance(given, Sequence):
        raise ConfigError(f"notifications is a {type(given).__name__}. Give a list of dicts.")
    return [_rule(f"notifications[{index}]", each) for index, each in enumerate(given)]


def only_one(notifications: object, rule: object) -> None:
    """Refuse both: flyteidl2's ``RunSpec`` holds either.

    :raises ConfigError: where both are given.
    """
    if notifications and rule:
        raise ConfigError("notification_rule and notifications exclude each other. Give one of them.")


def _rule(name: str, given: object) -> dict[str, Any]:
    known = _dict(name, given, ("on_phase", *_WAYS), required=("on_phase",))
    phases = _texts(f"{name}['on_phase']", known["on_phase"])
    if unknown := [phase for phase in phases if phase not in PHASES]:
        raise ConfigError(f"{name}['on_phase'] has {unknown[0]!r}; give one or more of {', '.join(PHASES)}.")
    ways = [way for way in _WAYS if way in known]
    if len(ways) != 1:
        raise ConfigError(f"{name} has {' and '.join(ways) or 'no way to notify'}; give one of {', '.join(_WAYS)}.")
    field, make = _WAYS[ways[0]]
    made = make(f"{name}[{ways[0]!r}]", known[ways[0]])
    return {"on_phases": [f"ACTION_PHASE_{phase}" for phase in phases], field: made}


def _email(name: str, given: object) -> dict[str, Any]:
    fields = ("recipients", "cc", "bcc", "subject", "body", "html_body")
    known = _dict(name, given, fields, required=("recipients",))
    people = {
        field: [{"address": each} for each in _texts(f"{name}[{key!r}]", known[key])]
        for field, key in (("to", "recipients"), ("cc", "cc"), ("bcc", "bcc"))
        if key in known
    }
    texts = {
        field: _text(f"{name}[{key!r}]", known.get(key, default))
        for field, key, default in (
            ("subject", "subject", _SUBJECT),
            ("text_template", "body", _BODY),
            ("html_template", "html_body", _NO_HTML),
        )
    }
    return {"email": {**people, "inline": texts}}


def _webhook(name: str, given: object) -> dict[str, Any]:
    known = _dict(name, given, ("url", "method", "headers", "body"), required=("url",))
    url = _text(f"{name}['url']", known["url"])
    if not url.startswith(("https://", "http://")):
        raise ConfigError(f"{name}['url'] is no address of a webhook. Give one that begins with https://.")
    method = known.get("method", "POST")
    if method not in _METHODS:
        raise ConfigError(f"{name}['method'] is {method!r}; give one of {', '.join(_METHODS)}.")
    headers = known.get("headers", {})
    if not isinstance(headers, Mapping):
        raise ConfigError(f"{name}['headers'] is a {type(headers).__name__}. Give a dict of strings by name.")
    headers = {_text(f"{name}['headers']", key): _text(f"{name}['headers']", headers[key]) for key in headers}
    body = known.get("body", "")
    if not isinstance(body, str):
        try:
            body = json.dumps(body)
        except (TypeError, ValueError):
            raise ConfigError(f"{name}['body'] is no JSON. Give a string, or what JSON can hold.") from None
    body = sendable(name, body, secret=True)
    return {"webhook": {"url": url, "method": f"HTTP_METHOD_{method}", "headers": headers, "body_template": body}}


def _dict(name: str, given: object, fields: Sequence[str], *, required: Sequence[str]) -> Mapping[str, Any]:
    if not isinstance(given, Mapping):
        raise ConfigError(f"{name} is a {type(given).__name__}. Give a dict with {', '.join(fields)}.")
    if unknown := [key for key in given if key not in fields]:
        raise ConfigError(f"{name} has the key {unknown[0]!r}; it may have {', '.join(fields)}.")
    if missing := [key for key in required if key not in given]:
        raise ConfigError(f"{name} has no {missing[0]!r}. Give it.")
    return given


def _texts(name: str, given: object) -> list[str]:
    """One text or several; at least one."""
    several = [given] if isinstance(given, str) else given
    if not isinstance(several, Sequence) or isinstance(several, bytes) or not several:
        raise ConfigError(f"{name} is {_seen(given)}. Give a string, or a list of them.")
    return [_text(name, each) for each in several]


def _text(name: str, given: object) -> str:
    if not isinstance(given, str) or not given.strip():
        raise ConfigError(f"{name} is {_seen(given)}. Give a string.")
    return sendable(name, given, secret=True)


def _seen(given: object) -> str:
    return "empty" if isinstance(given, (str, Sequence)) and not given else f"a {type(given).__name__}"


_WAYS = {
    "delivery": ("delivery_config_name", _text),
    "email": ("delivery_template", _email),
    "webhook": ("delivery_template", _webhook),
}
"""Each way, with its field of ``InlineRule`` and what makes it."""
