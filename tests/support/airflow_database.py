"""What a real Airflow has in its database, where none of its pages shows it."""

from __future__ import annotations

import json
from collections import Counter
from functools import cache
from typing import Any

from sqlalchemy import create_engine, inspect, text
from sqlalchemy.engine import Engine
from sqlalchemy.pool import NullPool

from tests.support.airflow_process import StandaloneAirflow


def rows(airflow: StandaloneAirflow, statement: str, **values: Any) -> list[dict[str, Any]]:
    """What a statement finds, by the names of its columns."""
    with _engine(airflow).connect() as connection:
        return [dict(row) for row in connection.execute(text(statement), values).mappings()]


def tables(airflow: StandaloneAirflow) -> list[str]:
    """The names of all tables."""
    return inspect(_engine(airflow)).get_table_names()


def runs_of_events(airflow: StandaloneAirflow, asset: str) -> Counter[str]:
    """The names of the Flyte runs that an asset's events are about.

    Not by the API: it answers 500 while a DAG run that an event has made is queued (3.3.2).
    """
    events = (
        "SELECT event.extra FROM asset_event event JOIN asset ON asset.id = event.asset_id WHERE asset.name = :asset"
    )
    extras = [row["extra"] for row in rows(airflow, events, asset=asset)]
    # How the column comes depends on Airflow and on the database.
    read = [extra if isinstance(extra, dict) else json.loads(extra) for extra in extras]
    return Counter(extra["payload"]["run_name"] for extra in read)


@cache
def _engine(airflow: StandaloneAirflow) -> Engine:
    # Without connections that outlive a statement: the database may go down meanwhile.
    return create_engine(airflow.settings["DATABASE__SQL_ALCHEMY_CONN"], poolclass=NullPool)
