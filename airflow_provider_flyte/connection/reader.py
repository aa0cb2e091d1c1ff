"""The client's settings from a stored Flyte connection, by the table in ``connection/fields.py``."""

from __future__ import annotations

import ipaddress
import json
import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from airflow_provider_flyte.connection.fields import FIELDS, MASKS, Field

if TYPE_CHECKING:
    from airflow_provider_flyte.client.config import FlyteConfig
    from airflow_provider_flyte.client.credentials import Credentials

_TLS_PORT, _PLAINTEXT_PORT = 443, 80
# "y" is what the Test button of Airflow 2.11 sends.
_BOOLEANS = {"true": True, "1": True, "y": True, "false": False, "0": False, "": False}
_MASKED_LINE = 16
"""Characters of a key's line that is masked by itself; less would be found in innocent texts too."""
_PEM = re.compile(r"(-----BEGIN [A-Z0-9 ]+-----)(.*?)(-----END [A-Z0-9 ]+-----)", re.DOTALL)

log = logging.getLogger(__name__)


class StoredConnection(Protocol):
    """The parts of an Airflow connection that are read."""

    conn_id: str
    conn_type: str | None
    host: str | None
    port: int | None
    login: str | None
    password: str | None
    extra: str | None


class ConnectionProblem(ValueError):
    """The connection as it is stored cannot be used.

    :param conn_id: its name.
    :param advice: what is wrong and what to change.
    """

    def __init__(self, conn_id: str, advice: str) -> None:
        super().__init__(f"Flyte connection {conn_id!r}: {advice}")
        self.conn_id = conn_id
        self.advice = advice

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.conn_id, self.advice)


Problem = Callable[[str], ConnectionProblem]


def extra_from(connection: StoredConnection) -> dict[str, Any]:
    """The extra fields of a connection.

    Not by Airflow's ``extra_dejson``, which takes what does not parse as empty, and gives whatever else JSON can hold.

    :raises ConnectionProblem: when they are no JSON object.
    """
    stored: Any = connection.extra
    if isinstance(stored, Mapping):
        return dict(stored)
    if stored is None or not stored.strip():
        return {}
    try:
        extra = json.loads(stored)
    except (ValueError, RecursionError):
        extra = _UNREADABLE
    if isinstance(extra, dict):
        return extra
    if extra is _UNREADABLE:
        seen = "cannot be read as JSON"
    elif isinstance(extra, str):
        seen = "is a text inside JSON, as if it had been encoded twice"
    else:
        seen = f"is {_JSON_NAMES[type(extra)]}"
    raise ConnectionProblem(
        connection.conn_id, f'extra {seen}. Enter a JSON object, such as {{"project": "flytesnacks"}}, or nothing.'
    )


_UNREADABLE = object()
_JSON_NAMES: dict[type[Any], str] = {
    list: "a list",
    bool: "true or false",
    int: "a number",
    float: "a number",
    type(None): "null",
}


def config_from(connection: StoredConnection, extra: Mapping[str, Any]) -> FlyteConfig:
    """The client's settings from a connection.

    :param connection: host, port, login and password are read of it.
    :param extra: its parsed extra fields. Null and the empty string mean unset: saving an untouched form stores null.
    :raises ConnectionProblem: naming the connection, the field and what to enter, never a secret.
    """
    from airflow_provider_flyte.client.config import FlyteConfig
    from airflow_provider_flyte.client.errors import ConfigError

    def problem(text: str) -> ConnectionProblem:
        return ConnectionProblem(connection.conn_id, text)

    # The Test button of Airflow 2.11 sends each field twice, once with a prefix.
    given = {name for name in extra if not name.startswith("extra__")}
    unknown = sorted(given - {field.name for field in FIELDS})
    if unknown:
        known = ", ".join(field.name for field in FIELDS)
        log.warning(
            "Flyte connection %r: unknown extra fields %s are ignored; known are %s.",
            connection.conn_id,
            unknown,
            known,
        )
    read = {field.name: _read(field, extra.get(field.name), problem) for field in FIELDS}
    values = {name: value for name, value in read.items() if value is not None}
    try:
        key_endpoint, values["credentials"], key_org = _credentials(connection, values, problem)
        values["endpoint"] = _endpoint(connection, key_endpoint, values.get("insecure", False), problem)
        if key_org:
            values.setdefault("org", key_org)
        values["verify"] = not values.pop("skip_verification", False)
        secret = values.pop("secret_metadata", ())
        values["metadata"] = (*values.get("metadata", ()), *secret)
        values["secret_metadata_keys"] = tuple(key for key, _ in secret)
        return FlyteConfig(**values)
    except ConfigError as error:
        # Without the cause, whose frames hold the secrets.
        raise problem(str(error)) from None


def secrets_in(config: FlyteConfig, extra: Mapping[str, Any]) -> list[str]:
    """The texts of a connection that have to be masked and are not by Airflow, which masks the password, and values by
    their keys.

    :param config: what :func:`config_from` has made of the connection.
    :param extra: its parsed extra fields.
    """
    from airflow_provider_flyte.client.credentials import ClientCredentials

    secrets = [value for _, value in _mapping(extra.get("secret_metadata") or {})]
    if _PEM.search(config.client_private_key):
        # A key as a whole is masked only where its line breaks are; in JSON or in a repr they are not.
        lines = config.client_private_key.splitlines()
        secrets += [line for line in lines if len(line) >= _MASKED_LINE and not line.startswith("-----")]
    if isinstance(config.credentials, ClientCredentials):
        # An API key is masked as a whole, and this is a part of it.
        secrets.append(config.credentials.client_secret)
    return [str(secret) for secret in secrets]


def paths_in(config: FlyteConfig) -> dict[str, str]:
    """The files that a connection names, by field."""
    from airflow_provider_flyte.client.credentials import TokenFile

    named = {name: getattr(config, name) for name in ("ca_bundle", "client_certificate", "client_private_key")}
    if isinstance(config.credentials, TokenFile):
        named["credentials_file"] = config.credentials.path
    return {name: value for name, value in named.items() if value and not _PEM.search(value)}


# -- reading one field


def _read(field: Field, value: Any, problem: Problem) -> Any:
    """The field's value, None where it is unset."""
    if isinstance(value, str):
        value = value.strip()
    if value is None or value == "":
        return None
    if field.secret:
        _refuse_mask(field.name, value, problem)
    shown = ":" if field.secret else f" is {json.dumps(value, default=repr)};"
    try:
        read = _READERS[field.kind](value)
    except ValueError as error:
        raise problem(f"{field.name}{shown} {error}") from None
    if field.choices and read not in field.choices:
        raise problem(f"{field.name}{shown} enter one of {', '.join(field.choices)}, or nothing.")
    if field.secret and field.kind == "mapping":
        for _, item in read:
            _refuse_mask(field.name, item, problem)
    return read


def _refuse_mask(name: str, value: Any, problem: Problem) -> None:
    if value in MASKS:
        raise problem(f"{name} is {value}, which Airflow shows instead of a secret: type it again.")


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("enter a text.")
    return value


def _boolean(value: Any) -> bool:
    # A connection written as a URI carries strings.
    word = str(value).lower()
    if word not in _BOOLEANS:
        raise ValueError("enter true or false.")
    return _BOOLEANS[word]


def _number(value: Any) -> float:
    from airflow_provider_flyte.client.arguments import LONGEST_IN_WORDS, seconds
    from airflow_provider_flyte.client.errors import ConfigError

    try:
        number = value if isinstance(value, bool) else float(value)
        return seconds("", number, above_least=True)
    except (TypeError, ValueError, OverflowError, ConfigError):
        raise ValueError(f"enter a number of seconds above 0, at most {LONGEST_IN_WORDS}.") from None


def _list(value: Any) -> tuple[str, ...]:
    items = value.split(",") if isinstance(value, str) else value
    if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
        raise ValueError("enter texts separated by commas.")
    return tuple(item.strip() for item in items if item.strip())


def _mapping(value: Any) -> tuple[tuple[str, str], ...]:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            value = None
    if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
        raise ValueError('enter a JSON object of texts, such as {"x-team": "data"}.')
    return tuple((str(name).lower(), item) for name, item in value.items())


def _pem(value: Any) -> str:
    """PEM with its line breaks, which one-line fields and environment variables lose."""
    text = _string(value).replace("\\n", "\n")
    blocks = [(begin, "".join(body.split()), end) for begin, body, end in _PEM.findall(text)]
    if not blocks:
        return text
    if "Proc-Type" in text:
        raise ValueError("a key that is encrypted cannot be used: enter it without a passphrase.")
    return "".join(
        "\n".join([begin, *(body[at : at + 64] for at in range(0, len(body), 64)), end, ""])
        for begin, body, end in blocks
    )


_READERS: dict[str, Callable[[Any], Any]] = {
    "string": _string,
    "boolean": _boolean,
    "number": _number,
    "list": _list,
    "mapping": _mapping,
    "pem": _pem,
}


# -- what several fields mean together


def _credentials(
    connection: StoredConnection, values: dict[str, Any], problem: Problem
) -> tuple[str, Credentials | None, str]:
    """The credentials, and the endpoint and the organisation where an API key names them."""
    from airflow_provider_flyte.client.credentials import (
        ClientCredentials,
        StaticToken,
        TokenFile,
        api_key,
    )

    kind = values.pop("authentication", "")
    path = values.pop("credentials_file", "")
    asked = {name: values.pop(name) for name in _OF_A_GRANT if name in values}
    secret = (connection.password or "").strip()
    if secret and not kind:
        raise problem(
            "it has a Secret (password), but no authentication: enter api_key, client_credentials or token; or none, "
            "and the Secret is not used."
        )
    if asked and kind not in ("client_credentials", "api_key"):
        log.warning(
            "Flyte connection %r: %s mean something with client_credentials and api_key only; authentication is %s.",
            connection.conn_id,
            ", ".join(asked),
            kind or "none",
        )
    # A secret that is left from another authentication does no harm: the form of Airflow 3 cannot empty its field.
    if kind in ("", "none"):
        return "", None, ""
    if kind == "token_file":
        if not path:
            raise problem("authentication is token_file: enter the file's path as credentials_file.")
        return "", TokenFile(path), ""
    if not secret:
        raise problem(f"authentication is {kind}, but Secret (password) is empty: enter {_SECRETS[kind]} there.")
    _refuse_mask("Secret (password)", secret, problem)
    if kind == "api_key":
        endpoint, credentials, org = api_key(secret)
        return endpoint, replace(credentials, **asked), org
    if kind == "token":
        return "", StaticToken(secret), ""
    login = (connection.login or "").strip()
    if not login:
        raise problem("authentication is client_credentials, but Client ID (login) is empty: enter it.")
    return "", ClientCredentials(login, secret, **asked), ""


_OF_A_GRANT = ("scopes", "audience", "oauth_endpoint", "allowed_oauth_hosts")
_SECRETS = {"api_key": "the API key", "client_credentials": "the client secret", "token": "the token"}


def _endpoint(connection: StoredConnection, otherwise: str, insecure: bool, problem: Problem) -> str:
    """``host:port`` from what people enter as host."""
    host = (connection.host or "").strip() or otherwise
    port = connection.port if (connection.host or "").strip() else None
    if not host:
        raise problem("it has no host. Enter the Flyte API's host, for instance flyte.example.com.")
    if "@" in host:
        # Not shown: what stands before it may be a password.
        raise problem("host has an @, before which a user or a password stands; enter the host alone.")
    scheme, separator, rest = host.partition("://")
    if separator:
        # As in every URL, case does not matter.
        scheme = scheme.lower()
        if scheme not in ("https", "http", "dns"):
            raise problem(f"host begins with {scheme}://; enter a host name, https:// before it at most.")
        if scheme == "https" and insecure:
            raise problem("host begins with https://, but Insecure is on: switch it off, or enter the host alone.")
        if scheme == "http" and not insecure:
            raise problem("host begins with http://, which is plaintext: switch Insecure on, or enter https://.")
        host = rest.removeprefix("/").removesuffix("/")
    if any(sign in host for sign in "/?#"):
        raise problem(f"host is {host!r}; enter a host without path, Flyte's API has none.")
    if "%" in host:
        raise problem(
            f"host is {host!r}; enter an address without a zone (what follows %), or a name: a zone names an interface "
            "of one machine, and means nothing on another."
        )
    name, own_port = _split(host)
    if own_port and port and own_port != str(port):
        raise problem(f"host names port {own_port} and Port is {port}: enter one of them.")
    return f"{name}:{own_port or port or (_PLAINTEXT_PORT if insecure else _TLS_PORT)}"


def _split(host: str) -> tuple[str, str]:
    """Host and port, which may be ''; an IPv6 address in brackets."""
    try:
        return f"[{ipaddress.IPv6Address(host.strip('[]'))}]", ""
    except ValueError:
        name, _, port = host.rpartition(":")
        return (name, port) if name else (host, "")
