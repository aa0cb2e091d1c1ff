"""Runs of every kind on a local Flyte, and the real SDKs in environments of their own."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_provider_flyte.client import FlyteClient, FlyteConfig, RunDetails
from airflow_provider_flyte.testing import LocalFlyte

HERE = Path(__file__).parent
_RUN = """\
import os, runpy, sys
del sys.argv[0]
runpy.run_path(sys.argv[0], run_name="__main__")
sys.stdout.flush()
os._exit(0)
"""
"""Runs a script, and leaves out Python's own end: an SDK that had written its last line was once aborted in it (-6)."""

RUNS = ("queued", "running", "succeeded", "failed", "retried", "aborted", "timed-out", "paused", "recovered")


def start_sdk(peer: str, script: str, *arguments: str) -> subprocess.Popen[str]:
    """Run a script of this folder with an SDK: ``"PEER"`` speaks gRPC, ``"PEER_CONNECT"`` Connect alone."""
    home = f".venv-{peer.lower().replace('_', '-')}"
    python = os.environ.get(f"{peer}_PYTHON", str(HERE.parents[1] / home / "bin" / "python"))
    assert Path(python).exists(), f"There is no Flyte SDK at {python}: `make test` makes its environment."
    return subprocess.Popen(
        [python, "-c", _RUN, str(HERE / script), *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def run_sdk(peer: str, script: str, *arguments: str) -> str:
    """Run a script, and return the last line that it prints."""
    with start_sdk(peer, script, *arguments) as process:
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    return out.splitlines()[-1]


@pytest.fixture(scope="module")
def flyte() -> Iterator[LocalFlyte]:
    with LocalFlyte(transports=("grpc", "connect")) as flyte:
        flyte.deploy("add", inputs={"x": int, "names": list[str]}, outputs={"o0": int}, envs={"A": "b"})
        flyte.run("queued")
        flyte.run("running").move("RUNNING")
        flyte.run(
            "succeeded",
            task="add",
            inputs={"x": 3, "names": ["ä"]},
            envs={"STAGE": "test"},
            labels={"team": "data"},
            annotations={"note": "✓"},
        ).succeeds({"o0": 8})
        flyte.run("failed").fails(kind="SYSTEM", message="node lost")
        flyte.run("retried").fails(kind="USER", message="no rows", attempts=3)
        flyte.run("aborted").aborts()
        flyte.run("timed-out").times_out()
        flyte.run("paused").pauses()
        flyte.run("recovered").recovers()
        yield flyte


@pytest.fixture(scope="module")
def ours(flyte: LocalFlyte) -> dict[str, RunDetails]:
    config = FlyteConfig(
        endpoint=flyte.endpoint, insecure=True, org="testorg", project="flytesnacks", domain="development"
    )
    with FlyteClient(config):
        return {name: RunDetails.get(name) for name in RUNS}
