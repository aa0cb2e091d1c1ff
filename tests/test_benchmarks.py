"""The benchmarks run; what they measure is for people to read."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


def run(name: str, *arguments: str) -> str:
    command = [sys.executable, BENCHMARKS / name, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout


def test_waits() -> None:
    said = run("waits.py", "--waits", "5", "--seconds", "0.5")
    calls = [int(number) for number in re.findall(r"each 1 s +(\d+) ", said)]
    assert len(calls) == 2
    assert calls[1] < calls[0]


def test_transports() -> None:
    rows = run("transports.py", "--calls", "50", "--waits", "5", "--seconds", "0.5").splitlines()[2:]
    assert len(rows) == 9
    for row in rows:
        grpc, connect, _ = row.split()[-3:]
        assert float(grpc) >= 0, row
        assert float(connect) >= 0, row
