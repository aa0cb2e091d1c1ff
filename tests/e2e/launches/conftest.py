"""The Airflow in which runs are launched, killed and crashed into: its own, because it notices the dead sooner."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_provider_flyte.testing import LocalFlyte
from tests.e2e.airflow_process import StandaloneAirflow, flyte_connection

FOLDERS = {"launches": Path(__file__).parent / "dags"}
SETTINGS = {
    "CORE__PARALLELISM": "24",
    "WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
    "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "15",
    "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "2",
}


@pytest.fixture(scope="package")
def flyte() -> Iterator[LocalFlyte]:
    with LocalFlyte(keep_calls=100_000) as server:
        server.deploy("demo.train", inputs={"rows": int}, outputs={"o0": int})
        yield server


@pytest.fixture(scope="package")
def airflow(flyte: LocalFlyte) -> Iterator[StandaloneAirflow]:
    connections = {"flyte_default": flyte_connection(flyte)}
    with StandaloneAirflow(FOLDERS, connections=connections, settings=SETTINGS) as started:
        started.api.wait_for_dags("launch_outputs", "launch_deferred", "launch_worker")
        yield started
