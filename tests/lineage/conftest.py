"""OpenLineage, switched on before anything imports Airflow: it writes its events into a file."""

from __future__ import annotations

import json
import os
from importlib.util import find_spec
from pathlib import Path

import pytest

# Not only imported by pytest's conftest, but before: it takes all of Airflow's settings out of the environment.
from tests.support.own_airflow import DAGS_FOLDER

EVENTS = DAGS_FOLDER.parent / "events.jsonl"

if find_spec("openlineage") is None:
    # `make openlineage` lays it beside the environment; everywhere else the other tests run without it.
    collect_ignore_glob = ["test_*.py"]
else:
    os.environ["AIRFLOW__OPENLINEAGE__TRANSPORT"] = json.dumps(
        {"type": "file", "log_file_path": str(EVENTS), "append": True}
    )
    os.environ["AIRFLOW__OPENLINEAGE__NAMESPACE"] = "warehouse"


@pytest.fixture
def events() -> Path:
    """The file of events, one JSON text per line."""
    return EVENTS
