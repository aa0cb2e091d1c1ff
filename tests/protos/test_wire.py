"""Our messages are on the wire, as dicts and as JSON what Flyte's own classes are."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from google.protobuf.message import Message

from airflow_provider_flyte.client.idl.workflow import run_definition_pb2
from tests.protos import wire_check

ROOT = Path(__file__).resolve().parents[2]
DETAILS = run_definition_pb2.RunDetails


def test_every_field_of_run_details() -> None:
    report = wire_check.check_fields(DETAILS)
    assert not report.missed
    assert report.fields > 500
    assert report.messages > report.fields


def test_every_field_of_every_request_and_response() -> None:
    done: set[str] = set()
    reports = [wire_check.check_fields(cls, done) for cls in wire_check.roots()]
    assert sum(report.fields for report in reports) == len(done) > 700


@pytest.mark.parametrize("seed", range(3))
def test_random_run_details(seed: int) -> None:
    report = wire_check.check_random(DETAILS, 150, seed)
    assert report.fields > 250


@pytest.mark.parametrize("ours", wire_check.roots()[1:], ids=lambda cls: cls.DESCRIPTOR.name)
def test_random_requests_and_responses(ours: type[Message]) -> None:
    wire_check.check_random(ours, 10)


def test_fields_of_a_newer_server_survive() -> None:
    wire_check.check_unknown_fields(DETAILS, 100)


def test_an_unknown_number_shows_as_the_integer_in_every_enum() -> None:
    assert wire_check.check_unknown_enums(DETAILS) > 20


def test_an_unknown_phase_beside_known_fields() -> None:
    details = DETAILS.FromString(b"\x12\x06\x1a\x04\x08\x63\x20\x02")
    assert wire_check.to_dict(details) == {"action": {"status": {"phase": 99, "attempts": 2}}}
    assert details.action.status.phase == 99
    assert wire_check.to_bytes(details) == b"\x12\x06\x1a\x04\x08\x63\x20\x02"


@pytest.mark.parametrize("implementation", ["upb", "python"])
def test_as_a_script(implementation: str) -> None:
    run = subprocess.run(
        [sys.executable, "-W", "error", Path(wire_check.__file__)],
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
    assert f" {implementation}, flyteidl2 " in run.stdout
