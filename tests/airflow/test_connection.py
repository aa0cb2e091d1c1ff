"""The connection: one table of fields gives the forms of both Airflows, and the reading."""

from __future__ import annotations

import base64
import importlib
import json
import logging
import re
from pathlib import Path
from typing import Any

import airflow
import pytest
from airflow.models.connection import Connection

from airflow_provider_flyte.client import ConfigError, FlyteConfig
from airflow_provider_flyte.client.credentials import ClientCredentials, StaticToken, TokenFile
from airflow_provider_flyte.connection.fields import FIELDS
from airflow_provider_flyte.connection.reader import ConnectionProblem, config_from, secrets_in
from airflow_provider_flyte.hooks import FlyteHook
from airflow_provider_flyte.provider_info import get_provider_info
from tests.support.certificates import make_certificate
from tests.support.own_airflow import AIRFLOW
from tests.support.secret_search import found

NAMES = [field.name for field in FIELDS]


CERTIFICATE = "-----BEGIN CERTIFICATE-----\n" + "A" * 64 + "\nBBBB\n-----END CERTIFICATE-----\n"
HIDDEN = "RATHER_LONG_SENSITIVE_FIELD_PLACEHOLDER"
SECRETS = ("s3cret-of-the-client", "s3cret-of-the-header")


def stored(host: str | None = "flyte.example.com", port: int | None = None, **extra: Any) -> Connection:
    standard = {name: extra.pop(name) for name in ("login", "password") if name in extra}
    return Connection(conn_id="c1", conn_type="flyte", host=host, port=port, extra=json.dumps(extra), **standard)


def read(*where: Any, **extra: Any) -> FlyteConfig:
    connection = stored(*where, **extra)
    return config_from(connection, connection.extra_dejson)


def key(*parts: str) -> str:
    return base64.b64encode(":".join(parts).encode()).decode()


def test_an_untouched_form_means_the_defaults() -> None:
    """Airflow 3.3 stores null for every field of a form that nobody touched."""
    config = read(**dict.fromkeys(NAMES))
    assert config == FlyteConfig(endpoint="flyte.example.com:443")
    assert config == read() == read(**dict.fromkeys(NAMES, ""))


ALL_FIELDS = {
    "transport": "connect",
    "project": "p",
    "domain": "d",
    "org": "o",
    "authentication": "client_credentials",
    "scopes": "read, write",
    "audience": "flyte",
    "oauth_endpoint": "https://login.example.com/token",
    "allowed_oauth_hosts": "login.example.com, other.example.com",
    "metadata_header": "flyte-authorization",
    "ca_bundle": CERTIFICATE,
    "client_certificate": "/certificates/client.pem",
    "client_private_key": "/certificates/client.key",
    "server_name": "flyte.internal",
    "skip_verification": True,
    "metadata": '{"X-Team": "data"}',
    "secret_metadata": {"x-proxy-key": SECRETS[1]},
    "console_url": "http://localhost:8080",
    "run_name_prefix": "prod",
    "stream_logs": "true",
    "allowed_projects": "p, q",
    "allowed_domains": ["d"],
    "allowed_run_as": "trainer",
    "allowed_data_planes": "data.example.com",
    "timeout": 7,
    "retry_budget": "8.5",
    "keepalive": 9,
}
MEANING = FlyteConfig(
    endpoint="localhost:8090",
    transport="connect",
    project="p",
    domain="d",
    org="o",
    credentials=ClientCredentials(
        "me",
        SECRETS[0],
        scopes=("read", "write"),
        audience="flyte",
        oauth_endpoint="https://login.example.com/token",
        allowed_oauth_hosts=("login.example.com", "other.example.com"),
    ),
    metadata_header="flyte-authorization",
    ca_bundle=CERTIFICATE,
    client_certificate="/certificates/client.pem",
    client_private_key="/certificates/client.key",
    server_name="flyte.internal",
    verify=False,
    metadata=(("x-team", "data"), ("x-proxy-key", SECRETS[1])),
    secret_metadata_keys=("x-proxy-key",),
    console_url="http://localhost:8080",
    run_name_prefix="prod",
    stream_logs=True,
    allowed_projects=("p", "q"),
    allowed_domains=("d",),
    allowed_run_as=("trainer",),
    allowed_data_planes=("data.example.com",),
    timeout=7,
    retry_budget=8.5,
    keepalive=9,
)


def test_all_fields_reach_the_client() -> None:
    assert set(ALL_FIELDS) == set(NAMES) - {"credentials_file", "insecure"}
    config = read("localhost", 8090, login="me", password=SECRETS[0], **ALL_FIELDS)
    assert config == MEANING
    for secret in SECRETS:
        assert secret not in repr(config)


def test_the_same_from_the_environment_as_json_and_as_uri(monkeypatch: pytest.MonkeyPatch) -> None:
    whole: dict[str, Any] = {"conn_type": "flyte", "host": "localhost", "port": 8090, "login": "me"}
    whole["password"] = SECRETS[0]
    monkeypatch.setenv("AIRFLOW_CONN_BY_JSON", json.dumps(whole | {"extra": ALL_FIELDS}))
    uri = Connection(conn_id="c1", **whole, extra=json.dumps(ALL_FIELDS)).get_uri()
    monkeypatch.setenv("AIRFLOW_CONN_BY_URI", uri)
    assert FlyteHook("by_json").get_config() == FlyteHook("by_uri").get_config() == MEANING


def test_a_connection_that_is_written_as_a_plain_uri_carries_words() -> None:
    words = (
        "flyte://me:s3cret@flyte:8089?insecure=true&project=p&authentication=client_credentials&timeout=5"
        "&scopes=a%2Cb&metadata=%7B%22x-team%22%3A%20%22data%22%7D"
    )
    connection = Connection(conn_id="c1", uri=words)
    config = config_from(connection, connection.extra_dejson)
    assert (config.insecure, config.project, config.timeout) == (True, "p", 5)
    assert config.credentials == ClientCredentials("me", "s3cret", scopes=("a", "b"))
    assert config.metadata == (("x-team", "data"),)


@pytest.mark.parametrize(
    ("word", "meant"), [("true", True), ("True", True), ("1", True), ("y", True), ("false", False), ("", False)]
)
def test_words_for_yes_and_no(word: str, meant: bool) -> None:
    assert read(insecure=word).insecure is meant


@pytest.mark.parametrize(
    ("host", "port", "insecure", "endpoint"),
    [
        ("flyte", None, True, "flyte:80"),
        ("flyte", None, False, "flyte:443"),
        ("flyte:8089", None, False, "flyte:8089"),
        ("flyte:8089", 8089, False, "flyte:8089"),
        (" flyte ", 8089, False, "flyte:8089"),
        ("https://flyte.example.com", None, False, "flyte.example.com:443"),
        ("https://flyte.example.com:8443/", None, False, "flyte.example.com:8443"),
        ("https://flyte.example.com", 8443, False, "flyte.example.com:8443"),
        ("HTTPS://Flyte.example.com:8443", None, False, "Flyte.example.com:8443"),
        ("http://flyte", None, True, "flyte:80"),
        ("dns:///flyte.example.com", None, False, "flyte.example.com:443"),
        ("dns:///flyte.example.com:8089", None, False, "flyte.example.com:8089"),
        ("::1", 8090, True, "[::1]:8090"),
        ("[::1]", None, False, "[::1]:443"),
        ("[::1]:8090", None, True, "[::1]:8090"),
        ("https://[2001:db8::1]:8443", None, False, "[2001:db8::1]:8443"),
        ("127.0.0.1", 8090, True, "127.0.0.1:8090"),
    ],
)
def test_the_endpoint(host: str, port: int | None, insecure: bool, endpoint: str) -> None:
    assert read(host, port, insecure=insecure).endpoint == endpoint


def test_an_api_key_is_all_that_it_takes() -> None:
    for scheme in ("dns:///", "HTTPS://"):
        config = read(
            None, authentication="api_key", password=key(f"{scheme}flyte.example.com", "me", SECRETS[0], "acme")
        )
        assert (config.endpoint, config.org) == ("flyte.example.com:443", "acme")
    assert config.credentials == ClientCredentials("me", SECRETS[0])
    # What is entered counts more than what the key says.
    other = read("proxy", 8443, org="o", authentication="api_key", password=key("flyte", "me", SECRETS[0], "None"))
    assert (other.endpoint, other.org) == ("proxy:8443", "o")


def test_an_api_key_asks_for_what_the_connection_says() -> None:
    """The key names none of these, and Flyte's word for them does not count everywhere."""
    given = {name: ALL_FIELDS[name] for name in ("scopes", "audience", "oauth_endpoint", "allowed_oauth_hosts")}
    config = read(None, authentication="api_key", password=key("flyte", "me", SECRETS[0], ""), **given)
    assert config.credentials == MEANING.credentials


def test_a_token_and_a_file_with_one() -> None:
    assert read(authentication="token", password=SECRETS[0]).credentials == StaticToken(SECRETS[0])
    assert read(authentication="token_file", credentials_file="/t").credentials == TokenFile("/t")
    assert read(authentication="none").credentials is None


@pytest.mark.parametrize("left", ["p", "***"])
def test_a_secret_that_is_left_from_another_authentication_is_not_used(left: str) -> None:
    """Airflow 3.3's form cannot empty the field."""
    assert read(authentication="none", password=left).credentials is None
    file = read(authentication="token_file", credentials_file="/t", password=left)
    assert file.credentials == TokenFile("/t")


@pytest.mark.parametrize("lost", ["\\n", " ", ""])
def test_a_pem_text_gets_its_line_breaks_back(lost: str) -> None:
    """A one-line field and an environment variable lose them."""
    assert read(ca_bundle=CERTIFICATE.replace("\n", lost)).ca_bundle == CERTIFICATE


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"host": None}, "it has no host. Enter the Flyte API's host"),
        ({"host": "ftp://flyte"}, "host begins with ftp://; enter a host name"),
        ({"host": "https://flyte", "insecure": True}, "host begins with https://, but Insecure is on"),
        ({"host": "http://flyte"}, "host begins with http://, which is plaintext: switch Insecure on"),
        ({"host": "flyte/api"}, "enter a host without path"),
        ({"host": "me@flyte"}, "host has an @, before which a user or a password stands; enter the host alone"),
        ({"host": "flyte:1", "port": 2}, "host names port 1 and Port is 2: enter one of them"),
        ({"host": "flyte:x"}, "is not host:port"),
        ({"host": "FTP://flyte"}, "host begins with ftp://; enter a host name"),
        ({"host": "fe80::1%eth0"}, "enter an address without a zone (what follows %), or a name"),
        ({"host": "[fe80::1%25eth0]:443"}, "enter an address without a zone (what follows %), or a name"),
        ({"insecure": "perhaps"}, 'insecure is "perhaps"; enter true or false'),
        ({"transport": "http"}, 'transport is "http"; enter one of auto, grpc, connect, or nothing'),
        ({"project": ["p"]}, 'project is ["p"]; enter a text'),
        ({"timeout": "soon"}, 'timeout is "soon"; enter a number of seconds above 0'),
        ({"timeout": True}, "timeout is true; enter a number of seconds above 0"),
        ({"keepalive": 0}, "keepalive is 0; enter a number of seconds above 0"),
        ({"allowed_projects": {"p": 1}}, "enter texts separated by commas"),
        ({"metadata": "x-team=data"}, 'metadata is "x-team=data"; enter a JSON object of texts'),
        ({"metadata": {"a b": "c"}}, "metadata 'a b' cannot be sent"),
        ({"secret_metadata": "x=y"}, "secret_metadata: enter a JSON object of texts"),
        ({"console_url": "flyte"}, "must begin with http:// or https://"),
        ({"authentication": "oauth"}, 'authentication is "oauth"; enter one of none, api_key, client_credentials'),
        ({"password": "p"}, "it has a Secret (password), but no authentication: enter api_key, client_credentials or"),
        ({"authentication": "token_file"}, "enter the file's path as credentials_file"),
        ({"authentication": "token"}, "but Secret (password) is empty: enter the token there"),
        (
            {"authentication": "client_credentials", "password": "p"},
            "but Client ID (login) is empty: enter it",
        ),
        ({"authentication": "api_key", "password": "no key"}, "API key"),
        (
            {"authentication": "token", "password": "***"},
            "Secret (password) is ***, which Airflow shows instead of a secret",
        ),
        ({"secret_metadata": '{"x-key": "***"}'}, "secret_metadata is ***, which Airflow shows instead of a secret"),
        ({"client_private_key": HIDDEN}, f"client_private_key is {HIDDEN}, which Airflow shows instead of a secret"),
        ({"client_private_key": "***"}, "client_private_key is ***, which Airflow shows instead of a secret: type it"),
        ({"secret_metadata": {"x-key": "***"}}, "secret_metadata is ***, which Airflow shows instead of a secret"),
        ({"client_certificate": "/client.pem"}, "client_private_key"),
        (
            {
                "authentication": "api_key",
                "password": key("flyte", "me", "made-up", ""),
                "allowed_oauth_hosts": "https://login.example.com",
            },
            "allowed_oauth_hosts has 'https://login.example.com': enter names of hosts",
        ),
    ],
)
def test_a_connection_that_cannot_work_says_what_to_change(arguments: dict[str, Any], words: str) -> None:
    where = [arguments.get("host", "flyte"), arguments.get("port")]
    extra = {name: value for name, value in arguments.items() if name not in ("host", "port")}
    with pytest.raises(ConnectionProblem) as problem:
        read(*where, **extra)
    assert str(problem.value).startswith("Flyte connection 'c1': ")
    assert words in str(problem.value)


def test_a_broken_secret_is_not_shown(caplog: pytest.LogCaptureFixture) -> None:
    for extra in (
        {"authentication": "api_key", "password": SECRETS[0]},
        {"secret_metadata": SECRETS[0]},
        {"secret_metadata": [SECRETS[0]]},
        {"client_private_key": [SECRETS[0]]},
    ):
        with pytest.raises(ConnectionProblem) as problem:
            read(**extra)
        assert SECRETS[0] not in f"{problem.value!r} {problem.value.__cause__!r}"
    assert SECRETS[0] not in caplog.text


@pytest.mark.parametrize("before", ["", "https://", "http://", "dns:///", "x://"])
def test_a_password_in_an_address_is_not_shown(before: str) -> None:
    address = f"{before}me:{SECRETS[0]}@flyte.example.com:443"
    login = {"authentication": "client_credentials", "login": "id", "password": "made-up"}
    for where, extra in (
        (address, {}),
        ("flyte", {"console_url": address}),
        ("flyte", login | {"oauth_endpoint": address}),
    ):
        with pytest.raises(ConnectionProblem) as problem:
            read(where, **extra)
        assert SECRETS[0] not in f"{problem.value!r} {problem.value.__cause__!r}"
    with pytest.raises(ConfigError) as wrong:
        FlyteConfig(endpoint=address)
    assert SECRETS[0] not in repr(wrong.value)


def test_a_mistyped_field_is_pointed_out(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        # With the prefix, as the Test button of Airflow 2.11 sends each field once more.
        read(projekt="p", extra__flyte__project="p")
    assert "unknown extra fields ['projekt'] are ignored; known are insecure, transport, project" in caplog.text


def test_a_setting_of_another_authentication_is_pointed_out(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        read(authentication="token", password="p", scopes="a")
    assert "scopes mean something with client_credentials and api_key only; authentication is token" in caplog.text


def test_airflow_masks_secrets_by_their_names_and_nothing_else() -> None:
    try:
        from airflow.sdk.log import redact  # type: ignore[attr-defined]
    except ImportError:
        # 3.0, and 2.11
        masker = "sdk.execution_time" if AIRFLOW >= (3,) else "utils.log"
        redact = importlib.import_module(f"airflow.{masker}.secrets_masker").redact

    for field in FIELDS:
        shown = redact({field.name: "some text"})
        assert (shown == {field.name: "***"}) is field.secret, field.name
    assert redact({"secret_metadata": {"x-proxy": SECRETS[1]}}) == {"secret_metadata": {"x-proxy": "***"}}


def test_what_airflow_does_not_mask_is_named() -> None:
    def secrets(*where: Any, **extra: Any) -> list[str]:
        return secrets_in(read(*where, **extra), stored(*where, **extra).extra_dejson)

    assert secrets(None, authentication="api_key", password=key("flyte", "me", SECRETS[0], "")) == [SECRETS[0]]
    assert secrets(secret_metadata=json.dumps({"x-key": SECRETS[1]})) == [SECRETS[1]]
    assert secrets(secret_metadata={"x-key": SECRETS[1]}) == [SECRETS[1]]
    made, private = make_certificate("localhost")
    lines = private.decode().splitlines()[1:-1]
    assert [len(line) for line in lines] == [64, 64, 56]
    pair = {"client_certificate": made.decode(), "client_private_key": private.decode()}
    assert secrets(**pair) == lines
    assert secrets(client_certificate="/a/cert.pem", client_private_key="/a/key.pem") == []
    assert secrets() == []


def test_settings_do_not_show_their_secrets_whatever_shows_them() -> None:
    made, private = make_certificate("localhost")
    pair = {"client_certificate": made.decode(), "client_private_key": private.decode()}
    for ways in (
        {"authentication": "token", "password": SECRETS[0]},
        {"authentication": "client_credentials", "login": "me", "password": SECRETS[0]},
        {"authentication": "api_key", "password": key("flyte", "me", SECRETS[0], "")},
    ):
        config = read(**ways, **pair, secret_metadata={"x-key": SECRETS[1]})
        shown = f"{config!r} {vars(config)!r} {vars(config.credentials)!r} {list(vars(config).values())!r}"
        secrets = {"password": SECRETS[0], "header": SECRETS[1], "key": private.decode()}
        assert found(secrets, [("what is shown", shown)]) == []


# Its successor in the task SDK is not in 2.11.
@pytest.mark.filterwarnings("ignore:ProvidersManager")
def test_airflow_discovers_the_connection_type_and_its_form() -> None:
    from airflow.providers_manager import ProvidersManager

    manager = ProvidersManager()
    hook = manager.hooks["flyte"]
    assert hook is not None
    assert (hook.hook_name, hook.connection_id_attribute_name) == ("Flyte 2", "flyte_conn_id")
    assert hook.connection_testable
    if (3,) <= AIRFLOW < (3, 2):
        # They make the form with Flask-AppBuilder, which they do not bring; 3.1 puts something in its place for the UI.
        return
    widgets = manager.connection_form_widgets
    assert [widgets[f"extra__flyte__{name}"].field_name for name in NAMES] == NAMES
    assert manager.field_behaviours["flyte"]["hidden_fields"] == ["schema"]
    assert manager.field_behaviours["flyte"]["relabeling"]["login"] == "Client ID"
    assert manager.field_behaviours["flyte"]["placeholders"]["host"] == "flyte.example.com"


if not airflow.__version__.startswith("2."):

    def test_the_form_of_airflow_3_is_what_the_api_gives_the_ui() -> None:
        """The UI draws its form from this answer alone; 3.0 has no fields for it."""
        from airflow.api_fastapi.core_api.services.ui.connections import HookMetaService
        from airflow.providers_manager import ProvidersManager

        if AIRFLOW[:2] == (3, 1):
            # Where something else has asked it for hooks before, the form has no fields for the extra.
            ProvidersManager()._cleanup()
        [meta] = [one for one in HookMetaService.hook_meta_data() if one.connection_type == "flyte"]
        form = meta.model_dump()
        if AIRFLOW < (3, 1):
            # It draws the fields of hooks whose providers bring Flask's; the extra is entered as JSON there.
            assert form["extra_fields"] is None
            return
        assert list(form["extra_fields"]) == NAMES
        assert form["extra_fields"]["insecure"]["schema"]["type"] == ["boolean", "null"]
        assert form["standard_fields"]["url_schema"]["hidden"]
        assert form["standard_fields"]["login"]["title"] == "Client ID"
        assert form["standard_fields"]["host"]["placeholder"] == "flyte.example.com"

    def test_provider_info_fits_airflows_own_schemas() -> None:
        """A schema error in it would break the ``airflow`` command."""
        import jsonschema

        folder = Path(airflow.__file__).parent
        info = get_provider_info()
        jsonschema.validate(info, json.loads((folder / "provider_info.schema.json").read_text()))
        # Only this one knows conn-fields; it describes the whole file of a provider in Airflow's own repository.
        whole = json.loads((folder / "provider.yaml.schema.json").read_text())
        form = whole["properties"]["connection-types"]
        jsonschema.validate(info["connection-types"], form | {"definitions": whole.get("definitions", {})})


def test_the_documentation_has_the_table() -> None:
    from airflow_provider_flyte.connection.fields import documentation

    page = (Path(__file__).parents[2] / "docs" / "connection.md").read_text()
    assert documentation() in page


def test_the_documentations_connections_are_good(monkeypatch: pytest.MonkeyPatch) -> None:
    page = (Path(__file__).parents[2] / "docs" / "connection.md").read_text()
    found = re.findall(r"export AIRFLOW_CONN_FLYTE_DEFAULT='(.*?)'", page, re.DOTALL)
    assert len(found) == 2
    configs = []
    for number, text in enumerate(found):
        monkeypatch.setenv(f"AIRFLOW_CONN_DOCUMENTED_{number}", text)
        configs.append(FlyteHook(f"documented_{number}").get_config())
    assert configs[0] == configs[1]
    assert configs[0].credentials == ClientCredentials("my-client", "my-secret")
