"""The database of the Airflow here; also tests/e2e and tests/ha have it."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec

import pytest

from tests.support.debian_servers import Postgres

if find_spec("psycopg2") is None:
    # `make postgres` lays it beside the environment.
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture(scope="session")
def database() -> Iterator[str]:
    """The address of an empty database, as Airflow takes it."""
    with Postgres() as server:
        yield server.address
