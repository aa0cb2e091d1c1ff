"""What very many waits in one process cost: idle, in an outage, and when runs end.

    python benchmarks/scale.py --waits 1000 10000 30000 100000

Each row waits in a process of its own, on a local server in another, with the settings that a triggerer has. CPU is
the waiting process's own, in percent of a core. A gap is the longest time for which its loop was held, in milliseconds
of its own processor time, so that other processes do not lengthen it. Times are from the end of a run to the return of
its wait, and other processes do lengthen those: `--best-of` measures a row several times and prints the least of each
figure. Above each row stands that of the watcher as it was before, where `scale_before.json` has it. Below it stands
the floor: as many tasks, each of which awaits a future and nothing else, beside a connection over which nothing is
sent. What one collection of all of Python's objects takes (`gc ms`) holds the loop whenever anything in the process
brings one about.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ending import EndingFlyte

HERE = Path(__file__).parent
BEFORE = HERE / "scale_before.json"

COLUMNS = {
    "idle_cpu": "idle %",
    "idle_calls": "calls/s",
    "memory_kb": "kB/wait",
    "collect_ms": "gc ms",
    "begin_own_gap_ms": "begin gap",
    "idle_own_gap_ms": "idle gap",
    "away_own_gap_ms": "away gap",
    "outage_cpu": "outage %",
    "outage_calls": "calls/s",
    "outage_own_gap_ms": "outage gap",
    "back_own_gap_ms": "back gap",
    "p50_ms": "p50 ms",
    "p99_ms": "p99 ms",
    "max_ms": "max ms",
    "ends_own_gap_ms": "ends gap",
    "streams": "streams",
}


class Waiting:
    """The process that waits.

    :param floor: it waits for nothing.
    """

    def __init__(self, endpoint: str, count: int, settle: float, *, floor: bool = False) -> None:
        command = [sys.executable, str(HERE / "scale_waits.py"), endpoint, str(count), str(settle), str(int(floor))]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def hear(self) -> dict[str, Any]:
        """Its next line."""
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit("The process that waits has died; see above.")
        heard: dict[str, Any] = json.loads(line)
        return heard

    def send(self, order: str) -> None:
        """Have it do something."""
        assert self._process.stdin
        self._process.stdin.write(order + "\n")
        self._process.stdin.flush()

    def ask(self, order: str) -> dict[str, Any]:
        """Have it do something, and give what it says then."""
        self.send(order)
        return self.hear()

    def end(self) -> dict[str, float]:
        """When each wait has ended."""
        ends: dict[str, float] = self.ask("end")
        self._process.wait(120)
        return ends

    def kill(self) -> None:
        """For what goes wrong."""
        self._process.kill()
        self._process.wait()


def measure(count: int, seconds: float, rate: float, settle: float) -> dict[str, float]:
    """One row."""
    with EndingFlyte(count) as flyte:
        waiting = Waiting(flyte.endpoint, count, settle)
        try:
            row = waiting.hear()
            idle = waiting.ask(f"cpu {seconds}")
            row |= {"idle_cpu": idle["cpu"], "idle_calls": idle["calls"]}
            row |= {f"idle_{name}": value for name, value in waiting.ask(f"gaps {seconds}").items() if "gap" in name}
            flyte.go_away()
            # All are told of it once; what it costs from then on is another figure.
            row |= {f"away_{name}": value for name, value in waiting.ask(f"gaps {settle / 2 + count / 5000}").items()}
            row |= {f"outage_{name}": value for name, value in waiting.ask(f"gaps {seconds}").items()}
            flyte.come_back()
            row |= {f"back_{name}": value for name, value in waiting.ask(f"gaps {seconds}").items()}
            most = min(count, int(rate * seconds))
            waiting.send(f"gaps {most / rate + settle / 2}")
            ends = flyte.end_all(rate, most)
            row |= {f"ends_{name}": value for name, value in waiting.hear().items()}
            row["streams"] = flyte.asked().streams
            seen = waiting.end()
        finally:
            waiting.kill()
    late = sorted((seen[f"run-{number}"] - at) * 1e3 for number, at in enumerate(ends) if at)
    row |= {f"p{part}_ms": late[math.ceil(len(late) * part / 100) - 1] for part in (50, 99)} | {"max_ms": late[-1]}
    return row


def floor(count: int, seconds: float) -> dict[str, float]:
    """What as many bare tasks and an idle connection occupy and cost."""
    with EndingFlyte(1) as flyte:
        bare = Waiting(flyte.endpoint, count, settle=1, floor=True)
        try:
            row = bare.hear() | {"idle_cpu": bare.ask(f"cpu {seconds}")["cpu"]}
            bare.end()
        finally:
            bare.kill()
    return row


def least(rows: Sequence[dict[str, float]]) -> dict[str, float]:
    """The least of each figure."""
    return {name: min(row[name] for row in rows) for name in rows[0]}


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table; write it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--waits", type=int, nargs="+", default=[1000, 10_000, 30_000, 100_000])
    parser.add_argument("--seconds", type=float, default=20.0, help="of each stage")
    parser.add_argument("--settle", type=float, default=12.0, help="seconds until all is quiet")
    parser.add_argument("--rate", type=float, default=200.0, help="ends a second")
    parser.add_argument("--best-of", type=int, default=1, help="how often each row is measured")
    parser.add_argument("--results", type=Path, default=Path(".run/scale.json"), help="the figures as JSON")
    given = parser.parse_args(arguments)
    before = json.loads(BEFORE.read_text()) if BEFORE.exists() else {}
    print(f"{os.cpu_count()} cores, load average before {os.getloadavg()[0]:.2f}")
    print(f"{'waits':>14}" + "".join(f"{title:>11}" for title in COLUMNS.values()))
    rows: dict[str, dict[str, float]] = {}
    for count in given.waits:
        measured = [measure(count, given.seconds, given.rate, given.settle) for _ in range(given.best_of)]
        rows[str(count)] = row = least(measured)
        bare = least([floor(count, given.seconds) for _ in range(given.best_of)])
        for title, figures in (("before", before.get(str(count))), ("now", row), ("bare", bare)):
            if figures:
                cells = "".join(f"{figures[name]:>11.3g}" if name in figures else f"{'-':>11}" for name in COLUMNS)
                print(f"{count:>7} {title:<6}{cells}", flush=True)
    given.results.parent.mkdir(parents=True, exist_ok=True)
    given.results.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
