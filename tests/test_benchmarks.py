"""The benchmarks run; what they measure is for people to read."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
WAITS = ("poll", "stream", "watcher", "burst")
SMALL = ("--waits", "5", "--rate", "20", "--idle", "0.3")


def start(name: str, *arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, BENCHMARKS / name, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=110, env=os.environ | environment)


def run(name: str, *arguments: str | Path) -> str:
    done = start(name, *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_waits(tmp_path: Path) -> None:
    results, picture = tmp_path / "waits.json", tmp_path / "waits.png"
    output = run("waits.py", *SMALL, "--only", *WAITS, "--results", results)
    found = json.loads(results.read_text())
    assert tuple(found["rows"]) == WAITS
    for row in found["rows"].values():
        assert row["title"] in output
        assert 0 <= row["p50_ms"] <= row["p99_ms"] <= row["max_ms"], row
        assert row["calls"] + row["streams"] > 0, row
    rows = found["rows"]
    assert [rows[name]["waits"] for name in WAITS] == [5, 5, 5, 50]
    assert rows["poll"]["streams"] == 0
    assert rows["stream"]["streams"] == 5
    assert rows["watcher"]["streams"] == 1
    assert rows["watcher"]["calls"] < rows["poll"]["calls"]
    assert set(found["ratios"]) == {"poll", "stream"}
    run("picture.py", results, picture)
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_every_axis_of_the_picture_names_unit_and_scale() -> None:
    from benchmarks.picture import PANELS, ROWS, draw

    # The last row has zeros, which have no place on a logarithmic axis.
    rows = {name: dict.fromkeys((*PANELS, "streams"), figure) for name, figure in zip(ROWS, (800, 3.5, 0), strict=True)}
    panels: Any = draw(rows).axes
    assert [axes.get_xlabel() for axes in panels] == [f"{unit}, log scale" for _, unit in PANELS.values()]
    assert {axes.get_xscale() for axes in panels} == {"log"}
    assert [label.get_text() for label in panels[0].texts] == ["800", "3.5", "0.0"]
    for axes in panels:
        least, most = axes.get_xlim()
        assert all(least < point < most for line in axes.lines for point in line.get_xdata())


def test_waits_without_the_sdk(tmp_path: Path) -> None:
    nowhere = str(tmp_path / "python")
    refused = start("waits.py", *SMALL, PEER_PYTHON=nowhere)
    assert refused.returncode == 1
    assert f"There is no Flyte SDK at {nowhere}: `make bench` makes its environment" in refused.stderr


def test_no_picture_of_half_the_rows(tmp_path: Path) -> None:
    results = tmp_path / "waits.json"
    results.write_text('{"rows": {"watcher": {}}}')
    refused = start("picture.py", results, tmp_path / "waits.png")
    assert refused.returncode == 1
    assert "has no poll and no stream" in refused.stderr


def test_scale(tmp_path: Path) -> None:
    results = tmp_path / "scale.json"
    output = run("scale.py", "--waits", "20", "--seconds=0.5", "--settle=1", "--results", results)
    row = json.loads(results.read_text())["20"]
    assert [line.split()[:2] for line in output.splitlines()[-2:]] == [["20", "now"], ["20", "bare"]]
    assert 0 <= row["p50_ms"] <= row["p99_ms"] <= row["max_ms"], row
    assert row["streams"] == 1


def test_large_installation() -> None:
    output = run("large_installation.py", "--projects=5", "--seconds=0.5", "--opens-after=0.1", "--watched-for=0.5")
    many, dear = output.splitlines()[1:]
    assert many.startswith("5 projects with a wait each: streams: ")
    assert "opened 1 times idle, 1 times at 50 ends a second" in dear


def test_transports() -> None:
    rows = run("transports.py", "--calls", "50", "--waits", "5", "--seconds", "0.5").splitlines()[2:]
    assert len(rows) == 9
    for row in rows:
        grpc, connect, _ = row.split()[-3:]
        assert float(grpc) >= 0, row
        assert float(connect) >= 0, row


if int(version("apache-airflow").split(".")[0]) >= 3:

    def test_triggerer() -> None:
        """The whole of it needs minutes of a real Airflow; here its DAGs are read, and its arguments."""
        assert "--sensors" in start("triggerer.py", "--help").stdout
        environment = {"PYTHONPATH": str(BENCHMARKS / "triggerer_dags")}
        environment |= dict.fromkeys(("BENCH_MANY", "BENCH_SENSORS", "BENCH_PAIRS"), "3")
        command = [sys.executable, "-c", "import triggerer_dags"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=110, env=os.environ | environment)
        assert done.returncode == 0, done.stderr


def test_dag_import() -> None:
    """Providers that are not installed are left out; Airflow 3 brings its standard one."""
    output = run("dag_import.py", "--processes", "1")
    assert [line.split("  ")[0] for line in output.splitlines()] == [
        "operators of",
        "flyte",
        "flyte, operators first",
        "standard",
    ]


def test_reported_ends() -> None:
    found = json.loads(run("reported_ends.py", "--runs", "20", "--rate", "40"))
    assert (found["reported"], found["feeds"]) == (40, 2)
    assert 0 <= found["p50_ms"] <= found["p99_ms"] <= found["max_ms"]
    assert found["calls"] > 0
