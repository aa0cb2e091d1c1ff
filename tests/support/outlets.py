"""What the events of a task's outlets hold, in the words of each Airflow."""

from __future__ import annotations

from typing import Any

try:
    from airflow.sdk.execution_time.context import OutletEventAccessors
except ImportError:
    from airflow.utils.context import OutletEventAccessors


def outlet_events() -> Any:
    """What a task has under ``outlet_events``."""
    return OutletEventAccessors()


def alias_events(accessor: Any) -> list[tuple[str, str, dict[str, Any]]]:
    """Name, URI and extra of each event of an alias; on 2.11 the URI is also the name."""
    if hasattr(accessor, "dataset_alias_events"):
        return [
            (one["dest_dataset_uri"], one["dest_dataset_uri"], one["extra"]) for one in accessor.dataset_alias_events
        ]
    return [(one.dest_asset_key.name, one.dest_asset_key.uri, one.extra) for one in accessor.asset_alias_events]
