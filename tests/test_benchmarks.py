"""The benchmarks run; what they measure is for people to read."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


def test_waits() -> None:
    command = [sys.executable, BENCHMARKS / "waits.py", "--waits", "5", "--seconds", "0.5"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    calls = [int(number) for number in re.findall(r"each 1 s +(\d+) ", done.stdout)]
    assert len(calls) == 2
    assert calls[1] < calls[0]
