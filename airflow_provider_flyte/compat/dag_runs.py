"""What is known of a DAG run."""

from __future__ import annotations

from typing import Any

from airflow_provider_flyte.compat.versions import at_least


def dag_run_key(dag_run: Any) -> str | None:
    """The key of a DAG run's row, which a task gets on 2.11; None where another DAG run may come to have it."""
    key = getattr(dag_run, "id", None)
    if key is None:
        return None
    from airflow import settings

    # SQLite gives the key of a deleted row to the next one.
    return None if settings.engine is None or settings.engine.dialect.name == "sqlite" else str(key)


def trace_shows_resets() -> bool:
    """Whether a DAG run keeps its trace when it is set to queued: measured on 3.3, not known of 3.0 to 3.2."""
    return at_least(3, 3)
