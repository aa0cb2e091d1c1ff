"""What a real Airflow has in its database, where none of its pages shows it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import create_engine, inspect, text
from sqlalchemy.engine import Engine
from sqlalchemy.pool import NullPool

from tests.e2e.airflow_process import StandaloneAirflow


def rows(airflow: StandaloneAirflow, statement: str, **values: Any) -> list[dict[str, Any]]:
    """What a statement finds, by the names of its columns."""
    with _engine(airflow).connect() as connection:
        return [dict(row) for row in connection.execute(text(statement), values).mappings()]


def tables(airflow: StandaloneAirflow) -> list[str]:
    """The names of all tables."""
    return inspect(_engine(airflow)).get_table_names()


def _engine(airflow: StandaloneAirflow) -> Engine:
    return create_engine(airflow.settings["DATABASE__SQL_ALCHEMY_CONN"], poolclass=NullPool)
