"""What Airflow gives to triggers: stores of assets, room for events, and the arguments of mapped tasks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_flyte.compat import find


def asset_stores(accessors: Any) -> list[Any]:
    """The state stores of the assets that a trigger fires for; none where this Airflow has none.

    Of the accessors that a trigger has, only those for a single asset can be used as they are, and they do not say for
    which assets they are.
    """
    if accessors is None:
        return []
    by_asset = [*getattr(accessors, "_by_name", {}).values(), *getattr(accessors, "_by_uri", {}).values()]
    return by_asset or [accessors]


def most_unread_events() -> int:
    """How many events a trigger for assets may leave unread before Airflow ends it."""
    return int(find("conf").getint("triggerer", "shared_stream_subscriber_queue_size", fallback=1024))


def expand_mapped(task: Any, ti: Any) -> tuple[Mapping[str, Any], set[str]]:
    """The mapped arguments of one instance of a mapped task, and the names of those that are no templates.

    :param task: as it is serialized.
    :param ti: its instance; the outputs of upstream tasks are pulled from it.
    """
    from airflow.sdk.definitions._internal.expandinput import DictOfListsExpandInput

    def pulled(value: Any) -> Any:
        if not hasattr(value, "iter_references"):
            return value
        return ti.xcom_pull(value.operator.task_id, key=value.key)

    mapped = task._get_specified_expand_input().value
    if isinstance(mapped, dict):
        values = {name: pulled(value) for name, value in mapped.items()}
        expanded, _ = DictOfListsExpandInput(values).resolve({"ti": ti})
        return expanded, {name for name, value in mapped.items() if values[name] is not value}
    given = pulled(mapped)
    one = pulled(given[ti.map_index])
    return one, set(one) if given is not mapped else {name for name, value in one.items() if pulled(value) is not value}
