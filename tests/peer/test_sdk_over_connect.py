"""The newest Flyte SDK, which speaks Connect alone, at the local server's Connect transport."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest

from airflow_provider_flyte.client import RunDetails
from airflow_provider_flyte.testing import LocalFlyte
from tests.peer.conftest import RUNS, run_sdk, start_sdk


@pytest.fixture(scope="module")
def theirs(flyte: LocalFlyte) -> dict[str, Any]:
    answered: dict[str, Any] = json.loads(run_sdk("PEER_CONNECT", "sdk_reads.py", flyte.connect_endpoint, *RUNS))
    return answered


@pytest.mark.parametrize("name", RUNS)
def test_the_sdk_reads_what_we_read(theirs: dict[str, Any], ours: dict[str, RunDetails], name: str) -> None:
    assert theirs[name]["to_dict"] == ours[name].to_dict()
    assert theirs[name]["done"] == ours[name].done()
    assert theirs[name]["name"] == ours[name].name
    assert theirs[name]["task_name"] == ours[name].task_name


def test_the_sdk_waits_for_a_run(flyte: LocalFlyte) -> None:
    """By the stream of the run's action, which ends two seconds after the wait began."""
    run = flyte.run("waited-for").move("RUNNING")
    with start_sdk("PEER_CONNECT", "sdk_waits.py", flyte.connect_endpoint, "waited-for") as process:
        assert process.stdout
        assert process.stdout.readline() == "waiting\n"
        flyte.wait_for_call("WatchActionDetails")
        ending = threading.Timer(2.0, run.succeeds)
        ending.start()
        out, err = process.communicate(timeout=60)
        ending.join()
    assert (process.returncode, out) == (0, "over\n"), err
    [stream] = flyte.calls("WatchActionDetails")
    assert stream.request.action_id.run.name == "waited-for"
    # The SDK leaves as soon as it has read the end, perhaps before the server has closed the stream.
    assert stream.code in ("OK", "CANCELLED")
