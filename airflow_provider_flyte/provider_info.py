"""The entry point by which Airflow discovers this provider."""

from __future__ import annotations

from typing import Any

from airflow_provider_flyte import DISTRIBUTION
from airflow_provider_flyte.connection.fields import CONN_NAME, CONN_TYPE, conn_fields, ui_field_behaviour
from airflow_provider_flyte.settings import SECTION, config_section

_ASSET_URIS = {
    "schemes": ["flyte"],
    "handler": "airflow_provider_flyte.assets.normalize",
    "factory": "airflow_provider_flyte.assets.flyte_asset",
    "to_openlineage_converter": "airflow_provider_flyte.assets.to_openlineage",
}


def get_provider_info() -> dict[str, Any]:
    """The entry point ``apache_airflow_provider``. A schema error in it would break the ``airflow`` command."""
    return {
        "package-name": DISTRIBUTION,
        "name": "Flyte 2",
        "description": "Launches `Flyte 2 <https://flyte.org>`__ runs and waits for them without a worker.",
        "integrations": [
            {
                "integration-name": "Flyte 2",
                "external-doc-url": "https://www.union.ai/docs/v2/flyte/",
                "tags": ["service"],
            }
        ],
        "hooks": [{"integration-name": "Flyte 2", "python-modules": ["airflow_provider_flyte.hooks"]}],
        "operators": [
            {
                "integration-name": "Flyte 2",
                "python-modules": ["airflow_provider_flyte.operators", "airflow_provider_flyte.conditions"],
            }
        ],
        "sensors": [{"integration-name": "Flyte 2", "python-modules": ["airflow_provider_flyte.sensors"]}],
        "triggers": [
            {
                "integration-name": "Flyte 2",
                "python-modules": [
                    "airflow_provider_flyte.triggers",
                    "airflow_provider_flyte.condition_triggers",
                    "airflow_provider_flyte.event_triggers",
                    "airflow_provider_flyte.sensor_triggers",
                ],
            }
        ],
        "task-decorators": [{"name": "flyte", "class-name": "airflow_provider_flyte.decorators.flyte_task"}],
        # By the second name Airflow 2.11 reads it.
        "asset-uris": [_ASSET_URIS],
        "dataset-uris": [_ASSET_URIS],
        # Airflow 2.11 leaves out a serialized DAG's link that is not named here, and logs an error.
        "extra-links": ["airflow_provider_flyte.links.FlyteRunLink"],
        # Read from Airflow 3.2 on; with others `python -m airflow_provider_flyte` has the commands.
        "cli": ["airflow_provider_flyte.cli.definition.get_flyte_cli_commands"],
        "config": {SECTION: config_section()},
        "connection-types": [
            {
                "connection-type": CONN_TYPE,
                "hook-class-name": "airflow_provider_flyte.hooks.FlyteHook",
                "hook-name": CONN_NAME,
                "conn-fields": conn_fields(),
                "ui-field-behaviour": ui_field_behaviour(),
            }
        ],
    }
