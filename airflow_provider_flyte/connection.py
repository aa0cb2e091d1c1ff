"""The Flyte connection: one table of its fields, from which both forms and the reading of a connection come."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from airflow_provider_flyte.client.config import FlyteConfig

CONN_TYPE = "flyte"
CONN_NAME = "Flyte 2"
DEFAULT_CONN_ID = "flyte_default"
HIDDEN_FIELDS = ("login", "password", "schema")
_TLS_PORT, _PLAINTEXT_PORT = 443, 80
_HOST_WITH_PORT = re.compile(r"[^:]+:\d+")
_BOOLEANS = {"true": True, "1": True, "false": False, "0": False, "": False}

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Field:
    """One extra field of the connection."""

    name: str
    label: str
    help: str
    kind: str = "string"
    """``string`` or ``boolean``: what both forms can draw. 2.11 hides the whole type for one that it cannot."""
    choices: tuple[str, ...] = ()
    """All values of a string field that has but a few; the first is what unset means. A list in the form of 3.3, a text
    field in that of 2.11."""


FIELDS = (
    Field("insecure", "Insecure", "Plaintext instead of TLS, for instance for a local devbox.", "boolean"),
    Field(
        "transport",
        "Transport",
        "How Flyte is spoken to: auto (finds out), grpc, or connect (HTTP, where an ingress does not pass gRPC).",
        choices=("auto", "grpc", "connect"),
    ),
    Field("project", "Project", "Flyte project of runs for which the task names none."),
    Field("domain", "Domain", "Flyte domain of runs for which the task names none, for instance development."),
    Field("org", "Organisation", "Leave empty for the open-source Flyte, which ignores it."),
    Field("console_url", "Console URL", "Only where the console is not at the API's host: https://flyte.example.com"),
)
PLACEHOLDERS = {"host": "flyte.example.com", "port": "443"}


class StoredConnection(Protocol):
    """What is read of an Airflow connection."""

    conn_id: str
    host: str | None
    port: int | None


class ConnectionProblem(ValueError):
    """The connection as it is stored cannot be used; the text says what to change."""


def config_from(connection: StoredConnection, extra: Mapping[str, Any]) -> FlyteConfig:
    """The client's settings from a connection.

    :param connection: host and port are read of it; port defaults to 443, or to 80 with ``insecure``.
    :param extra: its parsed extra fields. Null and the empty string mean unset: saving an untouched form stores null.
    :raises ConnectionProblem: naming the connection, the field and what to enter.
    """
    from airflow_provider_flyte.client.config import FlyteConfig
    from airflow_provider_flyte.client.errors import ConfigError

    def problem(text: str) -> ConnectionProblem:
        return ConnectionProblem(f"Flyte connection {connection.conn_id!r}: {text}")

    unknown = sorted(set(extra) - {field.name for field in FIELDS})
    if unknown:
        known = ", ".join(field.name for field in FIELDS)
        log.warning(
            "Flyte connection %r: unknown extra fields %s are ignored; known are %s.",
            connection.conn_id,
            unknown,
            known,
        )
    values = {field.name: _read(field, extra.get(field.name), problem) for field in FIELDS}
    insecure = bool(values.pop("insecure"))
    values = {name: value for name, value in values.items() if value != ""}
    if not connection.host:
        raise problem("it has no host. Enter the Flyte API's host, for instance flyte.example.com.")
    host, port = connection.host.strip(), connection.port
    if not port and not _HOST_WITH_PORT.fullmatch(host):
        port = _PLAINTEXT_PORT if insecure else _TLS_PORT
    try:
        return FlyteConfig(endpoint=f"{host}:{port}" if port else host, insecure=insecure, **values)
    except ConfigError as error:
        raise problem(str(error)) from error


def _read(field: Field, value: Any, problem: Callable[[str], ConnectionProblem]) -> Any:
    if value is None:
        return False if field.kind == "boolean" else ""
    if field.kind == "boolean":
        # A connection written as a URI carries strings.
        word = str(value).strip().lower()
        if word not in _BOOLEANS:
            raise problem(f"{field.name} is {value!r}; enter true or false.")
        return _BOOLEANS[word]
    if not isinstance(value, str):
        raise problem(f"{field.name} is {json.dumps(value, default=repr)}; enter a text.")
    text = value.strip()
    if field.choices and text and text not in field.choices:
        raise problem(f"{field.name} is {text!r}; enter one of {', '.join(field.choices)}, or nothing.")
    return text


def conn_fields() -> dict[str, Any]:
    """The form of Airflow 3.2 and later, for ``get_provider_info``."""
    return {
        field.name: {
            "label": field.label,
            "description": field.help,
            # No defaults: an untouched form would store them.
            "schema": {"type": [field.kind, "null"]} | _dropdown(field),
        }
        for field in FIELDS
    }


def _dropdown(field: Field) -> dict[str, Any]:
    if not field.choices:
        return {}
    # The form shows null, which an untouched field is, under the name that stands here.
    return {"enum": [None, *field.choices], "values_display": {"null": f"not set ({field.choices[0]})"}}


def ui_field_behaviour() -> dict[str, Any]:
    """Which standard fields are shown and how, for ``get_provider_info``."""
    return {"hidden-fields": list(HIDDEN_FIELDS), "relabeling": {}, "placeholders": dict(PLACEHOLDERS)}


def form_widgets() -> dict[str, Any]:
    """The form of Airflow 2.11."""
    from flask_appbuilder.fieldwidgets import BS3TextFieldWidget
    from flask_babel import lazy_gettext
    from wtforms import BooleanField, StringField

    return {
        field.name: (
            BooleanField(lazy_gettext(field.label), description=field.help)
            if field.kind == "boolean"
            else StringField(lazy_gettext(field.label), widget=BS3TextFieldWidget(), description=field.help)
        )
        for field in FIELDS
    }
