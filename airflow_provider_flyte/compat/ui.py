"""What Airflow's UI shows, and where it reads it."""

from __future__ import annotations

from typing import Any

from airflow_provider_flyte.compat import find
from airflow_provider_flyte.compat.versions import at_least


def push_to_database(ti: Any, key: str, value: str) -> None:
    """Put a text into XCom where the UI reads it.

    Airflow 3's UI reads the database, where a custom XCom backend would leave a reference of its own. Airflow itself
    stores links past the backend too (``task_runner._xcom_push_to_db``), but only when the task's process ends.
    Airflow 2's UI asks the backend.
    """
    backend = find("XCom")
    if _past_the_backend(backend):
        backend._set_xcom_in_db(
            key=key, value=value, dag_id=ti.dag_id, task_id=ti.task_id, run_id=ti.run_id, map_index=ti.map_index
        )
    else:
        ti.xcom_push(key=key, value=value)


def _past_the_backend(backend: Any) -> bool:
    """Whether there is a custom XCom backend and a way past it. Airflow's own stores a text as it is."""
    if not hasattr(backend, "_set_xcom_in_db"):
        return False
    from airflow.sdk.bases.xcom import BaseXCom

    return backend is not BaseXCom


def may_be_shown(ti_key: Any, *, resumed: bool) -> bool:
    """Whether the button's address may be stored although this process has not stored it.

    :param ti_key: what Airflow asks with: in Airflow 2's webserver a key, which may have no address; in Airflow 3 the
        task instance, at the end of the task's process.
    :param resumed: whether the task had stored it before it deferred.
    """
    return resumed or not hasattr(ti_key, "task")


def base_url() -> str:
    """The address of the UI, as Airflow's configuration has it; '' where none is set."""
    section = "webserver" if not at_least(3, 0) else "api"
    return str(find("conf").get(section, "base_url", fallback=None) or "")
