"""What ``airflow providers ...`` and ``airflow plugins`` show of the provider, part for part of ``provider_info``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import airflow_provider_flyte
from airflow_provider_flyte import DISTRIBUTION, __version__
from airflow_provider_flyte.connection.fields import conn_fields
from airflow_provider_flyte.provider_info import get_provider_info
from tests.support.own_airflow import AIRFLOW, airflow

pytestmark = pytest.mark.filterwarnings("ignore:ProvidersManager")

INFO = get_provider_info()


@pytest.fixture
def shown(capsys: pytest.CaptureFixture[str], airflow_db: None) -> Callable[..., Any]:
    """The rows that a command prints."""

    def shown(*command: str) -> Any:
        capsys.readouterr()
        airflow(*command, "--output", "json")
        printed = capsys.readouterr().out
        return json.loads(printed[printed.index("[{") :])

    return shown


def test_the_provider_and_its_version(shown: Callable[..., Any]) -> None:
    [row] = [row for row in shown("providers", "list") if row["package_name"] == DISTRIBUTION]
    assert row["version"] == __version__


def test_the_connection_type_its_fields_and_their_looks(shown: Callable[..., Any]) -> None:
    [row] = [row for row in shown("providers", "hooks") if row["connection_type"] == "flyte"]
    [kind] = INFO["connection-types"]
    assert (row["class"], row["hook_name"]) == (kind["hook-class-name"], kind["hook-name"])
    widgets = {row["connection_parameter_name"] for row in shown("providers", "widgets")}
    assert {name for name in widgets if "__flyte__" in name} == {f"extra__flyte__{name}" for name in conn_fields()}
    assert "flyte" in {row["field_behaviours"] for row in shown("providers", "behaviours")}


def test_the_button_and_the_triggers(shown: Callable[..., Any]) -> None:
    assert {row["extra_link_class_name"] for row in shown("providers", "links")} >= set(INFO["extra-links"])
    package = Path(airflow_provider_flyte.__file__).parent
    modules = {f"airflow_provider_flyte.{file.stem}" for file in package.glob("*triggers.py")}
    rows = [row for row in shown("providers", "triggers") if row["package_name"] == DISTRIBUTION]
    assert {row["class"] for row in rows} == modules


def test_the_plugin(shown: Callable[..., Any]) -> None:
    [row] = [row for row in shown("plugins") if row["name"] == "flyte"]
    assert DISTRIBUTION in row["source"]


def test_what_no_command_shows() -> None:
    """Configuration, the decorator and the addresses of assets."""
    from airflow.configuration import conf
    from airflow.providers_manager import ProvidersManager

    manager = ProvidersManager()
    assert {name for name, _ in manager.provider_configs} >= {DISTRIBUTION}
    assert all(conf.has_option("flyte", name) for name in INFO["config"]["flyte"]["options"])
    assert "flyte" in {name for name, _ in manager.taskflow_decorators.items()}
    handlers = manager.asset_uri_handlers if AIRFLOW >= (3,) else manager.dataset_uri_handlers
    assert "flyte" in handlers
