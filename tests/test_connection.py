"""The connection: one table of fields gives the forms of both Airflows, and the reading."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import airflow
import pytest
from airflow.models.connection import Connection

from airflow_provider_flyte.connection import FIELDS, ConnectionProblem, config_from
from airflow_provider_flyte.provider_info import get_provider_info

NAMES = [field.name for field in FIELDS]


def read(host: str | None = "flyte.example.com", port: int | None = None, **extra: Any) -> Any:
    stored = Connection(conn_id="c1", conn_type="flyte", host=host, port=port, extra=json.dumps(extra))
    return config_from(stored, stored.extra_dejson)


def test_an_untouched_form_means_the_defaults() -> None:
    """Airflow 3.3 stores null for every field of a form that nobody touched."""
    config = read(**dict.fromkeys(NAMES))
    assert (config.endpoint, config.insecure, config.project, config.domain) == ("flyte.example.com:443", False, "", "")
    assert config == read()


def test_all_fields() -> None:
    config = read(
        "localhost",
        8090,
        insecure=True,
        transport="connect",
        project="p",
        domain="d",
        org="o",
        console_url="http://localhost:8080",
    )
    assert config.transport == "connect"
    assert (config.endpoint, config.insecure, config.project, config.domain, config.org, config.console_url) == (
        ("localhost:8090", True, "p", "d", "o", "http://localhost:8080")
    )


@pytest.mark.parametrize(
    ("host", "port", "insecure", "endpoint"),
    [
        ("flyte", None, True, "flyte:80"),
        ("flyte", None, False, "flyte:443"),
        ("flyte:8089", None, False, "flyte:8089"),
        (" flyte ", 8089, False, "flyte:8089"),
    ],
)
def test_the_endpoint(host: str, port: int | None, insecure: bool, endpoint: str) -> None:
    assert read(host, port, insecure=insecure).endpoint == endpoint


@pytest.mark.parametrize(
    ("word", "meant"), [("true", True), ("True", True), ("1", True), ("false", False), ("", False)]
)
def test_a_connection_that_is_written_as_a_uri_carries_words(word: str, meant: bool) -> None:
    stored = Connection(conn_id="c1", uri=f"flyte://flyte:8089?insecure={word}&project=p")
    config = config_from(stored, stored.extra_dejson)
    assert (config.insecure, config.project) == (meant, "p")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"host": None}, "it has no host. Enter the Flyte API's host"),
        ({"host": "https://flyte.example.com"}, "Give the Flyte API's host and port without a scheme"),
        ({"insecure": "perhaps"}, "insecure is 'perhaps'; enter true or false"),
        ({"transport": "http"}, "transport is 'http'; enter one of auto, grpc, connect, or nothing"),
        ({"project": ["p"]}, 'project is ["p"]; enter a text'),
        ({"console_url": "flyte"}, "must begin with http:// or https://"),
    ],
)
def test_a_connection_that_cannot_work_says_what_to_change(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(ConnectionProblem) as problem:
        read(**arguments)
    assert str(problem.value).startswith("Flyte connection 'c1': ")
    assert words in str(problem.value)


def test_a_mistyped_field_is_pointed_out(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        read(projekt="p")
    assert "unknown extra fields ['projekt'] are ignored; known are insecure, transport, project" in caplog.text


# Its successor in the task SDK is not in 2.11.
@pytest.mark.filterwarnings("ignore:ProvidersManager")
def test_airflow_discovers_the_connection_type_and_its_form() -> None:
    from airflow.providers_manager import ProvidersManager

    manager = ProvidersManager()
    hook = manager.hooks["flyte"]
    assert hook is not None
    assert (hook.hook_name, hook.connection_id_attribute_name) == ("Flyte 2", "flyte_conn_id")
    assert hook.connection_testable
    widgets = manager.connection_form_widgets
    assert [widgets[f"extra__flyte__{name}"].field_name for name in NAMES] == NAMES
    assert manager.field_behaviours["flyte"]["hidden_fields"] == ["login", "password", "schema"]
    assert manager.field_behaviours["flyte"]["placeholders"]["host"] == "flyte.example.com"


if airflow.__version__.startswith("2."):

    def test_the_form_of_airflow_2_is_drawn(airflow_db: None) -> None:
        """2.11 drops a whole connection type that has a widget it cannot draw."""
        from airflow.www.app import create_app

        app = create_app(testing=True)
        app.config["WTF_CSRF_ENABLED"] = False
        app.config["AUTH_ROLE_PUBLIC"] = "Admin"
        with app.test_client() as browser:
            page = browser.get("/connection/add").text
        assert '<option value="flyte">Flyte 2</option>' in page
        for name in NAMES:
            assert f'id="extra__flyte__{name}"' in page

else:

    def test_the_form_of_airflow_3_is_what_the_api_gives_the_ui() -> None:
        """The 3.3 UI draws its form from this answer alone."""
        from airflow.api_fastapi.core_api.services.ui.connections import HookMetaService

        [meta] = [one for one in HookMetaService.hook_meta_data() if one.connection_type == "flyte"]
        form = meta.model_dump()
        assert list(form["extra_fields"]) == NAMES
        assert form["extra_fields"]["insecure"]["schema"]["type"] == ["boolean", "null"]
        assert form["standard_fields"]["login"]["hidden"]
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
