"""The Flyte connection: one table of its fields, from which both forms and the documentation come.

``connection/reader.py`` reads a connection by the same table.

Names follow what Airflow masks: it goes by a key's name (secret, token, password, private_key, authorization ...), so
keys of secrets contain such a word and keys of anything else do not. The main secret is the connection's password.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

CONN_TYPE = "flyte"
CONN_NAME = "Flyte 2"
DEFAULT_CONN_ID = "flyte_default"
MASKS = ("***", "RATHER_LONG_SENSITIVE_FIELD_PLACEHOLDER")
"""What Airflow 3 and 2.11 show instead of a secret, and what a form sends back for one that was not typed in again."""


@dataclass(frozen=True)
class Field:
    """One extra field of the connection."""

    name: str
    label: str
    help: str
    kind: str = "string"
    """``string``, ``boolean``, ``number``, ``list`` (comma-separated, or a JSON list), ``mapping`` (a JSON object) or
    ``pem`` (PEM text, or the path of a file)."""

    choices: tuple[str, ...] = ()
    """All values of a string field that has only a few; the first is what unset means. The form of 3.3 has a list for
    it, that of 2.11 a text field."""

    secret: bool = False
    """Whether Airflow masks it, which it does for its name."""

    unset: str = ""
    """The meaning of an empty field, for the documentation."""


_PUBLISHED = "what Flyte publishes over verified TLS"

FIELDS = (
    Field(
        "insecure",
        "Insecure",
        "Plaintext instead of TLS, for instance for a local devbox.",
        "boolean",
        unset="TLS",
    ),
    Field(
        "transport",
        "Transport",
        "How Flyte is reached: auto (finds out), grpc, or connect (HTTP, where an ingress does not pass gRPC).",
        choices=("auto", "grpc", "connect"),
        unset="auto",
    ),
    Field(
        "project",
        "Project",
        "Flyte project of runs for which the task names none.",
        unset="each task must name its own",
    ),
    Field(
        "domain",
        "Domain",
        "Flyte domain of runs for which the task names none, for instance development.",
        unset="each task must name its own",
    ),
    Field(
        "org",
        "Organisation",
        "Leave empty for the open-source Flyte, which ignores it.",
        unset="the API key's, or none",
    ),
    Field(
        "authentication",
        "Authentication",
        "With api_key, client_credentials and token, the secret goes into Secret, a standard field; with token_file, "
        "a file holds it.",
        choices=("none", "api_key", "client_credentials", "token", "token_file"),
        unset="none",
    ),
    Field(
        "credentials_file",
        "Credentials file",
        "For token_file: path of the file that holds the token, on workers and triggerers. It is read again when it "
        "changes.",
    ),
    Field(
        "scopes",
        "Scopes",
        "For client_credentials and api_key: scopes to ask for, separated by commas.",
        "list",
        unset=_PUBLISHED,
    ),
    Field("audience", "Audience", "For client_credentials and api_key: the audience to ask for.", unset=_PUBLISHED),
    Field(
        "oauth_endpoint",
        "OAuth2 endpoint",
        "For client_credentials and api_key: URL that gives tokens. Needed with insecure and skip_verification, and "
        "where Flyte does not publish it or publishes a wrong one.",
        unset=_PUBLISHED,
    ),
    # Not by the name of what they give: Airflow would mask "token".
    Field(
        "allowed_oauth_hosts",
        "Allowed OAuth2 hosts",
        "For client_credentials and api_key: further hosts that Flyte may name as the server that gives tokens, and "
        "that then get the client secret, separated by commas.",
        "list",
        unset="Flyte's host, its domain, and the names directly in that",
    ),
    Field(
        "metadata_header",
        "Metadata header",
        "Header that carries the token, only where it is not the one that Flyte names.",
        unset="what Flyte publishes, else the usual one",
    ),
    Field(
        "ca_bundle",
        "CA bundle",
        "Certificates of the authorities to trust: PEM text, or the path of a file.",
        "pem",
        unset="the system's, or SSL_CERT_FILE",
    ),
    Field(
        "client_certificate",
        "Client certificate",
        "For mutual TLS: PEM text, or the path of a file.",
        "pem",
        unset="none",
    ),
    Field(
        "client_private_key",
        "Client private key",
        "For mutual TLS: PEM text, or the path of a file.",
        "pem",
        secret=True,
        unset="none",
    ),
    Field(
        "server_name",
        "Server name",
        "The name that the certificate is checked for, where it is not the host.",
        unset="the host",
    ),
    Field(
        "skip_verification",
        "Skip verification",
        "Trust any certificate. For tests only: any server that answers gets the credentials.",
        "boolean",
        unset="certificates are verified",
    ),
    Field(
        "metadata",
        "Metadata",
        'Headers for a proxy in front, as a JSON object: {"x-team": "data"}.',
        "mapping",
        unset="none",
    ),
    Field(
        "secret_metadata",
        "Secret metadata",
        'The same for values that are secrets: {"x-proxy-key": "..."}.',
        "mapping",
        secret=True,
        unset="none",
    ),
    Field(
        "console_url",
        "Console URL",
        "Only where the console is not at the API's host: https://flyte.example.com",
        unset="the API's host (8080 for a devbox at 8090)",
    ),
    Field(
        "run_name_prefix",
        "Run name prefix",
        "Begins the names of runs that are launched, so that two Airflows can share a Flyte project.",
        unset="af-",
    ),
    Field(
        "stream_logs",
        "Stream logs",
        "Whether tasks whose stream_logs is not set write the logs of their runs into their own while they wait.",
        "boolean",
        unset="stream_logs of [flyte] in Airflow's configuration",
    ),
    Field(
        "allowed_projects",
        "Allowed projects",
        "Projects that this connection may be used for, separated by commas; others are refused before a call.",
        "list",
        unset="all",
    ),
    Field(
        "allowed_domains",
        "Allowed domains",
        "Domains that this connection may be used for, separated by commas.",
        "list",
        unset="all",
    ),
    # Not by the name of what it holds: Airflow would mask "service_account".
    Field(
        "allowed_run_as",
        "Allowed to run as",
        "Kubernetes service accounts that a launch may name, and IAM roles that a Flyte trigger may, separated by "
        "commas. A launch that names none runs under the task's account, or Flyte's default.",
        "list",
        unset="all",
    ),
    Field(
        "allowed_data_planes",
        "Allowed data planes",
        "Hosted Flyte: further hosts that Flyte may name as data planes of runs, and that then get the credentials, "
        "separated by commas.",
        "list",
        unset="Flyte's host, its domain, and the names directly in that",
    ),
    Field("timeout", "Timeout", "Seconds that one call may take.", "number", unset="15"),
    Field(
        "retry_budget",
        "Retry budget",
        "Seconds for which a read that failed for a transient reason is repeated.",
        "number",
        unset="30",
    ),
    Field(
        "keepalive",
        "Keepalive",
        "Seconds between two pings on a quiet gRPC connection.",
        "number",
        unset="no pings",
    ),
)

STANDARD_FIELDS = {
    "host": "The Flyte API's host: a name, an IPv4 or IPv6 address, also as `https://HOST[:PORT]`, `dns:///HOST:PORT` "
    "or `HOST:PORT`. With an API key it may be empty: the key names it.",
    "port": "Its port; 443 when empty, 80 with `insecure`. Airflow's Test button needs it, also with an API key.",
    "login": "The client's ID, for `client_credentials`.",
    "password": "API key, client secret or token. Not used when `authentication` is `none` or `token_file`.",
}
"""Airflow's own fields, and their meaning for Flyte."""

HIDDEN_FIELDS = ("schema",)
RELABELING = {"login": "Client ID", "password": "Secret"}
PLACEHOLDERS = {
    "host": "flyte.example.com",
    # Airflow 3.3 itself answers so, for every type of connection.
    "port": "443. Enter it: the Test button says Bad Request without",
    "login": "only for client_credentials",
    "password": "API key, client secret or token",
}


def conn_fields() -> dict[str, Any]:
    """The form of Airflow 3.2 and later, for ``get_provider_info``."""
    return {
        field.name: {
            "label": field.label,
            "description": field.help,
            # No defaults: an untouched form would store them.
            "schema": {"type": [_JSON_TYPES.get(field.kind, "string"), "null"]} | _drawn_as(field),
        }
        for field in FIELDS
    }


_JSON_TYPES = {"boolean": "boolean", "number": "number"}


def _drawn_as(field: Field) -> dict[str, Any]:
    if field.kind in ("pem", "mapping"):
        return {"format": "multiline"}
    if field.choices:
        # The form shows null, which an untouched field is, under the name that stands here.
        return {"enum": [None, *field.choices], "values_display": {"null": f"not set ({field.choices[0]})"}}
    return {}


def ui_field_behaviour() -> dict[str, Any]:
    """Which standard fields are shown and how, for ``get_provider_info``."""
    return {
        "hidden-fields": list(HIDDEN_FIELDS),
        "relabeling": dict(RELABELING),
        "placeholders": dict(PLACEHOLDERS),
    }


def form_widgets() -> dict[str, Any]:
    """The form of Airflow 2.11, which hides the whole type for a widget that it cannot draw."""
    from flask_appbuilder.fieldwidgets import BS3PasswordFieldWidget, BS3TextFieldWidget
    from flask_babel import lazy_gettext
    from wtforms import BooleanField, PasswordField, StringField

    def kept_secret(field: Any, **attributes: Any) -> Any:
        """Sends back what Airflow takes for unchanged, where its own widget sends nothing and so has it removed."""
        hidden = MASKS[1] if field.data else ""
        return BS3PasswordFieldWidget(hide_value=False)(field, value=hidden, **attributes)

    def widget(field: Field) -> Any:
        label = lazy_gettext(field.label)
        if field.kind == "boolean":
            return BooleanField(label, description=field.help)
        if field.secret:
            return PasswordField(label, widget=kept_secret, description=field.help)
        return StringField(label, widget=BS3TextFieldWidget(), description=field.help)

    return {field.name: widget(field) for field in FIELDS}


def documentation() -> str:
    """The table of fields in ``docs/connection.md``."""
    rows = [
        "| field | what to enter | when empty |",
        "|---|---|---|",
        *(f"| {RELABELING.get(name, name.capitalize())} | {text} | |" for name, text in STANDARD_FIELDS.items()),
    ]
    for field in FIELDS:
        values = f" One of {', '.join(f'`{choice}`' for choice in field.choices)}." if field.choices else ""
        masked = " Masked." if field.secret else ""
        rows.append(f"| `{field.name}` | {field.help}{values}{masked} | {field.unset} |")
    return "\n".join(rows) + "\n"
