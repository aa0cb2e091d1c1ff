"""A process may import our messages and Flyte's, in any order: DAGs import the Flyte SDK."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
import importlib, pkgutil, sys

count = {}
for name in sys.argv[2:]:
    package = importlib.import_module(name)
    for module in pkgutil.walk_packages(package.__path__, name + "."):
        if module.name.endswith("_pb2"):
            importlib.import_module(module.name)
            count[name] = count.get(name, 0) + 1

from google.protobuf.internal import api_implementation
assert api_implementation.Type() == sys.argv[1], api_implementation.Type()

from airflow_provider_flyte.client.idl.workflow import run_definition_pb2 as ours
from flyteidl2.workflow import run_definition_pb2 as theirs
from google.protobuf import descriptor_pool

assert ours.DESCRIPTOR.pool is theirs.DESCRIPTOR.pool is descriptor_pool.Default()
assert ours.RunDetails is not theirs.RunDetails
assert theirs.RunDetails.DESCRIPTOR.full_name == "flyteidl2.workflow.RunDetails"
assert ours.RunDetails.DESCRIPTOR.full_name == "airflow_provider_flyte.client.idl.workflow.RunDetails"
sent = theirs.RunDetails()
sent.action.error_info.message = "no rows"
sent.run_spec.labels.values["team"] = "data"
got = ours.RunDetails.FromString(sent.SerializeToString())
assert got.action.error_info.message == "no rows"
assert dict(got.run_spec.labels.values) == {"team": "data"}
print(*count.values())
"""


@pytest.mark.parametrize("implementation", ["upb", "python"])
@pytest.mark.parametrize(
    "packages",
    [("airflow_provider_flyte.client.idl", "flyteidl2"), ("flyteidl2", "airflow_provider_flyte.client.idl")],
    ids=["ours first", "flyteidl2 first"],
)
def test_every_module_of_both(packages: tuple[str, str], implementation: str) -> None:
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM, implementation, *packages],
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION": implementation,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert run.stderr == ""
    modules = dict(zip(packages, map(int, run.stdout.split()), strict=True))
    assert modules["airflow_provider_flyte.client.idl"] > 25
    assert modules["flyteidl2"] > modules["airflow_provider_flyte.client.idl"]
