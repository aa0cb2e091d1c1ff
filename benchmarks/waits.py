"""What waiting costs, side by side in one run: a poll a run, a stream a run, one watcher for all.

    python benchmarks/waits.py --waits 1000 --rate 50 --idle 15

Each row waits for as many runs in a process of its own, on a local server in another. Nothing ends while it is idle,
then the runs end at a rate and in a random order. Times are in milliseconds from the end of the run to the return of
the wait, by one clock; CPU is in percent of a core; memory is what the waiting process grew by, in kB a wait.
A poll and a stream a run are the Flyte SDK's, which needs an environment of its own: `make bench` makes it.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from ending import EndingFlyte, Shape
from process import Load, resident_kb

HERE = Path(__file__).parent
PEER_PYTHON = Path(os.environ.get("PEER_PYTHON", HERE.parent / ".venv-peer" / "bin" / "python"))
SATURATED = 90.0
"""Percent of a core from which on the server is what is measured."""


@dataclass(frozen=True)
class Case:
    """A row of the table. Figures are given as multiples of what the command line says."""

    title: str
    way: str = "watcher"
    interval: float = 1.0
    waits: int = 1
    rate: int = 1
    idle: int = 1
    lost: float = 0.0
    """Share of the updates that get lost."""


CASES = {
    "poll": Case("SDK, RunDetails.get each 1 s", way="poll"),
    "stream": Case("SDK, Run.wait", way="stream"),
    "watcher": Case("watcher, each 1 s"),
    "10x": Case("watcher, each 2 s", interval=2.0, waits=10, rate=10),
    "100x": Case("watcher, each 10 s", interval=10.0, waits=100, rate=20, idle=4),
    "burst": Case("half of the updates lost, each 1 s", waits=10, rate=40, lost=0.5),
}


@dataclass(frozen=True)
class Row:
    """What was measured."""

    title: str
    waits: int
    rate: float
    p50_ms: float
    p99_ms: float
    max_ms: float
    calls: int
    streams: int
    idle_cpu: float
    busy_cpu: float
    memory_kb: float
    server_cpu: float
    """While runs end."""

    @property
    def counts(self) -> bool:
        """Whether the server had time for more."""
        return self.server_cpu <= SATURATED


COLUMNS = {
    "waits": "waits",
    "rate": "ends/s",
    "p50_ms": "p50 ms",
    "p99_ms": "p99 ms",
    "max_ms": "max ms",
    "calls": "calls",
    "streams": "streams",
    "idle_cpu": "idle %",
    "busy_cpu": "busy %",
    "memory_kb": "kB/wait",
    "server_cpu": "server %",
}
COMPARED = ("p50_ms", "p99_ms", "max_ms", "calls", "streams", "idle_cpu", "busy_cpu", "memory_kb")


@contextmanager
def waiting(case: Case, count: int) -> Iterator[subprocess.Popen[str]]:
    """The process that waits."""
    python, script = (sys.executable, "our_waits.py") if case.way == "watcher" else (str(PEER_PYTHON), "sdk_waits.py")
    command = [python, str(HERE / script), case.way, str(count), str(case.interval)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def hear(process: subprocess.Popen[str]) -> str:
    """The next line of a process. It has said on its standard error why there is none."""
    assert process.stdout
    line = process.stdout.readline()
    if not line:
        raise SystemExit("The process that waits has died; see above.")
    return line


def send(process: subprocess.Popen[str], line: str) -> None:
    assert process.stdin
    process.stdin.write(line + "\n")
    process.stdin.flush()


def measure(case: Case, waits: int, rate: float, idle: float) -> Row:
    """One row of the table."""
    with waiting(case, waits) as process, EndingFlyte(waits, Shape(lost=case.lost)) as flyte:
        send(process, flyte.endpoint)
        hear(process)
        flyte.forget_calls()
        memory = resident_kb(process.pid)
        send(process, "wait")
        time.sleep(idle / 3)  # all begin at once; that is over by then
        waiter, server = Load(process.pid), Load(flyte.pid)
        time.sleep(idle * 2 / 3)
        idle_cpu = waiter.percent()
        memory = resident_kb(process.pid) - memory
        waiter.percent(), server.percent()
        ends = flyte.end_all(rate)
        busy_cpu, server_cpu = waiter.percent(), server.percent()
        returns = json.loads(hear(process))
        asked = flyte.asked()
        process.wait(30)
    late = sorted((there - here) * 1e3 for here, there in zip(ends, returns, strict=True))
    return Row(
        title=case.title,
        waits=waits,
        rate=rate,
        p50_ms=late[math.ceil(len(late) * 0.5) - 1],
        p99_ms=late[math.ceil(len(late) * 0.99) - 1],
        max_ms=late[-1],
        calls=asked.calls,
        streams=asked.streams,
        idle_cpu=idle_cpu,
        busy_cpu=busy_cpu,
        memory_kb=memory / waits,
        server_cpu=server_cpu,
    )


def show(row: Row) -> str:
    """A line of the table."""
    values = asdict(row)
    cells = "".join(f"{number(values[name]):>9}" for name in COLUMNS)
    return f"{row.title:<34}{cells}{'' if row.counts else '  does not count: the server was saturated'}"


def number(value: float) -> str:
    return (
        f"{value:.2g}" if 0 < value < 1 else f"{value:.1f}" if value < 100 and value != int(value) else f"{value:.0f}"
    )


def ratios(rows: dict[str, Row]) -> dict[str, dict[str, float]]:
    """How many times the watcher's figures those of the SDK are."""
    if "watcher" not in rows:
        return {}
    ours = asdict(rows["watcher"])
    return {
        name: {each: asdict(rows[name])[each] / ours[each] for each in COMPARED if ours[each]}
        for name in ("poll", "stream")
        if name in rows
    }


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--waits", type=int, default=1000, help="of the rows side by side; others are multiples of it")
    parser.add_argument("--rate", type=float, default=50.0, help="ends a second, likewise")
    parser.add_argument("--idle", type=float, default=15.0, help="seconds in which nothing ends, likewise")
    parser.add_argument("--only", nargs="+", choices=CASES, default=list(CASES), metavar="ROW", help=", ".join(CASES))
    parser.add_argument("--results", type=Path, default=Path(".run/waits.json"), help="the figures as JSON")
    given = parser.parse_args(arguments)
    if any(CASES[name].way != "watcher" for name in given.only) and not PEER_PYTHON.exists():
        raise SystemExit(
            f"There is no Flyte SDK at {PEER_PYTHON}: `make bench` makes its environment, "
            "and --only watcher 10x 100x burst does without."
        )
    return given


def main() -> None:
    """Print the table; write it."""
    given = parse()
    load = os.getloadavg()[0]
    print(f"{os.cpu_count()} cores, Python {platform.python_version()}, load average before {load:.2f}")
    print(f"{'':<34}" + "".join(f"{title:>9}" for title in COLUMNS.values()))
    rows: dict[str, Row] = {}
    for name in given.only:
        case = CASES[name]
        rows[name] = measure(case, given.waits * case.waits, given.rate * case.rate, given.idle * case.idle)
        print(show(rows[name]), flush=True)
    compared = ratios(rows)
    for name, times in compared.items():
        print(f"{CASES[name].title}, times the watcher's: " + ", ".join(f"{COLUMNS[k]} {times[k]:.3g}" for k in times))
    given.results.parent.mkdir(parents=True, exist_ok=True)
    results = {"cores": os.cpu_count(), "load_before": load, "idle_s": given.idle, "ratios": compared}
    results["rows"] = {name: {**asdict(row), "counts": row.counts} for name, row in rows.items()}
    given.results.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
