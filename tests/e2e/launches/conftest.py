"""The Airflow in which runs are launched, killed and crashed into: its own, because it notices the dead sooner."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_provider_flyte.testing import LocalFlyte
from tests.support.airflow_process import StandaloneAirflow, flyte_connection
from tests.support.crash_settings import SETTINGS

FOLDERS = {"launches": Path(__file__).parent / "dags"}


@pytest.fixture(scope="session")
def flyte() -> Iterator[LocalFlyte]:
    yield from _flyte()


@pytest.fixture(scope="session")
def second_flyte() -> Iterator[LocalFlyte]:
    """One that goes down, without those that have no part in it."""
    yield from _flyte()


def _flyte() -> Iterator[LocalFlyte]:
    with LocalFlyte(keep_calls=100_000) as server:
        server.deploy("demo.train", inputs={"rows": int}, outputs={"o0": int})
        yield server


@pytest.fixture(scope="session")
def airflow(flyte: LocalFlyte, second_flyte: LocalFlyte) -> Iterator[StandaloneAirflow]:
    connections = {
        "flyte_default": flyte_connection(flyte),
        # A call that the tests hold is not to end before.
        "flyte_second": flyte_connection(second_flyte, timeout=90),
    }
    with StandaloneAirflow(FOLDERS, connections=connections, settings=SETTINGS) as started:
        started.api.wait_for_dags("launch_outputs", "launch_deferred", "launch_worker")
        yield started
