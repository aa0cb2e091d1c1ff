"""The tab "Flyte" in Airflow's UI: an application in the API server, and its pages.

This file is loaded by all of Airflow's processes, so it imports nothing heavy.
"""

from __future__ import annotations

import logging
from functools import cached_property
from typing import Any

from airflow_provider_flyte.compat import AirflowPlugin

log = logging.getLogger(__name__)

PREFIX = "/flyte"
"""The path, below Airflow's own, of all that the tabs consist of."""

_VIEWS = {
    "task_instance": ("flyte", "tab?dag_id={DAG_ID}&run_id={RUN_ID}&task_id={TASK_ID}&map_index={MAP_INDEX}"),
    "dag_run": ("flyte-runs-of-dag-run", "runs?dag_id={DAG_ID}&run_id={RUN_ID}"),
    "dag": ("flyte-runs-of-dag", "runs?dag_id={DAG_ID}"),
}
"""Where there is a tab, by what name in Airflow's addresses, of which each can be had once, and with which page.

Airflow's page replaces what stands in braces in the browser; ``static/page.js`` reads it there."""


class FlytePlugin(AirflowPlugin):
    """The entry point ``airflow.plugins``. Empty where Airflow has no tabs of plugins (before 3.1), and where
    ``[flyte] tab`` is off.
    """

    name = "flyte"

    @cached_property
    def external_views(self) -> list[dict[str, Any]]:  # type: ignore[override]
        """The tabs, which Airflow's page shows in a frame."""
        if not _wanted():
            return []
        # Relative: Airflow's page names its own base, which may have a path.
        return [
            {"name": "Flyte", "href": f"{PREFIX[1:]}/{page}", "url_route": route, "destination": destination}
            for destination, (route, page) in _VIEWS.items()
        ]

    @cached_property
    def fastapi_apps(self) -> list[dict[str, Any]]:  # type: ignore[override]
        """The application under :data:`PREFIX`, made where it is asked for: in the API server."""
        if not _wanted():
            return []
        from airflow_provider_flyte.plugin.app import make_app

        return [{"app": make_app(), "url_prefix": PREFIX, "name": "Flyte"}]


def _wanted() -> bool:
    from airflow_provider_flyte.exceptions import FlyteConfigurationError
    from airflow_provider_flyte.settings import has_tab

    try:
        return has_tab()
    except FlyteConfigurationError as error:
        # The API server would not start.
        log.error("There is no tab 'Flyte': %s", error)
        return False
