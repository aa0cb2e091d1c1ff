"""What deferred sensors cost a real triggerer, beside Airflow's own triggers, in one run.

    python benchmarks/triggerer.py --triggers 1000 --sensors 300 --pairs 20

Part one: so many FlyteRunTriggers, and as many of Airflow's DateTimeTriggers, each kind in a triggerer that has just
started and has seen ten of that kind. Workers defer only about three tasks a second here, so the benchmark puts the
triggers into Airflow's database by Airflow's own models, as deferrals of task instances that the scheduler has made;
from there on everything is Airflow's. Memory is what the process grew by; lateness is that of a sleep of 5 ms, while
nothing ends. The loop is held for the most time that its thread works at a stretch, garbage collection apart, while the
triggers begin and later. CPU is in percent of a core.

Part two: so many mapped sensors of one DAG, whose runs all end at once: deferred and resumed by workers, and then as
many that start and end in the triggerer.

Part three: from the end of a run to the start of the next task, beside a trigger that fires by itself at the same
moment. Real sensors, deferred by workers. A pair takes the same turns of Airflow's loops, which are a second long, so
that its difference shows what hundreds of single ends would.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from process import Load, resident_kb

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from airflow_provider_flyte.testing import LocalFlyte  # noqa: E402
from tests.support.airflow_api import until  # noqa: E402
from tests.support.airflow_process import StandaloneAirflow, flyte_connection  # noqa: E402

KINDS = ("DateTimeTrigger", "FlyteRunTrigger")
SENSORS = {"deferred": "deferred and resumed by workers", "from_trigger": "that start and end in the triggerer"}
ENDS = {
    "own_done": "a trigger that fires, end of task",
    "own": "  start of the next task",
    "ours_done": "FlyteRunSensor, end of task",
    "ours": "  start of the next task",
    "added_done": "the sensor more, end of task",
    "added": "  start of the next task",
}
WARM = 10
SETTLE = 8.0
APART = 4.0
"""Seconds between two pairs, so that they do not meet."""

DEFER = """
import sys
from datetime import datetime, timedelta, timezone
from airflow.models.taskinstance import TaskInstance
from airflow.models.trigger import Trigger
from airflow.providers.standard.triggers.temporal import DateTimeTrigger
from airflow.utils.session import create_session
from sqlalchemy import select
from airflow_provider_flyte.triggers import FlyteRunTrigger

kind, first, last = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
tomorrow = datetime.now(timezone.utc) + timedelta(days=1)
with create_session() as session:
    instances = select(TaskInstance).where(
        TaskInstance.dag_id == "many", TaskInstance.task_id == kind,
        TaskInstance.map_index >= first, TaskInstance.map_index < last,
    )
    for instance in session.scalars(instances).all():
        trigger = Trigger.from_object(
            DateTimeTrigger(tomorrow) if kind == "DateTimeTrigger"
            # With the deadlines that a sensor gives it.
            else FlyteRunTrigger(
                run_name=f"run-{instance.map_index}", poll_interval=60.0,
                deadline=tomorrow.timestamp(), not_before=tomorrow.timestamp(),
            )
        )
        session.add(trigger)
        session.flush()
        instance.trigger_id = trigger.id
        instance.state = "deferred"
        instance.start_date = datetime.now(timezone.utc)
        instance.next_method, instance.next_kwargs = "execute_complete", {}
"""


END = """
from airflow.models.taskinstance import TaskInstance
from airflow.utils.session import create_session
from sqlalchemy import update

with create_session() as session:
    deferred = update(TaskInstance).where(TaskInstance.dag_id == "many", TaskInstance.state == "deferred")
    session.execute(deferred.values(state="success", trigger_id=None))
"""


class Bench:
    """One Airflow and one Flyte."""

    def __init__(self, airflow: StandaloneAirflow, flyte: LocalFlyte, folder: Path) -> None:
        self.airflow = airflow
        self.flyte = flyte
        self.folder = folder

    # -- part one

    def memory_and_lag(self, kind: str, count: int, seconds: float) -> dict[str, float]:
        """A row of the first table."""
        lag = self.folder / f"{kind}.jsonl"
        run = self.airflow.api.trigger("loop_lag", path=str(lag))
        until(lag.exists, 90, "the first measurement", lambda: self.airflow.tails())
        pid = self._last(lag)["pid"]
        self._defer(kind, 0, WARM)
        self._wait_for_tasks(lag, WARM)
        time.sleep(SETTLE)
        before, tasks, defers = self._memory(lag), self._last(lag)["tasks"], time.time()
        self._defer(kind, WARM, WARM + count)
        self._wait_for_tasks(lag, tasks + count)
        time.sleep(SETTLE)
        rests, load = time.time(), Load(pid)
        time.sleep(seconds)
        cpu, grown = load.percent(), self._memory(lag) - before
        lines = [line for line in self._lines(lag) if line["at"] > defers + 1]
        late = sorted(one for line in lines if line["at"] > rests + 1 for one in line["late_ms"])
        self.airflow.api.end_run("loop_lag", run)
        self._in_airflow(END)
        return {
            "kb": grown / count,
            "late_p50_ms": _share(late, 0.5),
            "late_p99_ms": _share(late, 0.99),
            "late_max_ms": late[-1],
            "held_ms": max(line["held_ms"] for line in lines),
            "cpu": cpu,
        }

    def _defer(self, kind: str, first: int, last: int) -> None:
        self._in_airflow(DEFER, kind, str(first), str(last))

    def _in_airflow(self, program: str, *arguments: str) -> None:
        command = [sys.executable, "-c", program, *arguments]
        done = subprocess.run(command, env=self.airflow.environment(), capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr[-2000:]

    def _memory(self, lag: Path) -> float:
        """What is needed, in kB: garbage is collected first."""
        asks = lag.with_suffix(".collect")
        asks.touch()
        until(lambda: not asks.exists(), 30, "a collection", lambda: self.airflow.tails())
        return resident_kb(self._last(lag)["pid"])

    def _wait_for_tasks(self, lag: Path, count: int) -> None:
        until(lambda: self._last(lag)["tasks"] >= count, 180, f"{count} triggers", lambda: self.airflow.tails())

    def _lines(self, lag: Path) -> list[dict[str, Any]]:
        return [json.loads(line) for line in lag.read_text().splitlines()]

    def _last(self, lag: Path) -> dict[str, Any]:
        return self._lines(lag)[-1]

    # -- part two

    def sensors(self, kind: str, count: int) -> dict[str, Any]:
        """How a DAG of so many sensors goes, in seconds."""
        api, dag, began = self.airflow.api, f"sensors_{kind}", time.time()
        run = api.trigger(dag)

        def states(state: str) -> int:
            return sum(task["state"] == state for task in api.tasks(dag, run, "wait"))

        until(lambda: states("deferred") == count, 600, "deferred sensors", lambda: api.describe(dag, run))
        deferred = time.time() - began
        # Deferred is what the database says: the triggers have to begin, too.
        waiting = {f"{kind.replace('_', '-')}-{number}" for number in range(count)}
        until(lambda: waiting <= self._polled(), 600, "triggers that wait", lambda: self.airflow.tails())
        waits = time.time() - began
        for name in waiting:
            self.flyte.run(name).succeeds()
        began = time.time()
        until(lambda: states("success") == count, 600, "green sensors", lambda: api.describe(dag, run))
        green, tasks = time.time() - began, api.tasks(dag, run, "wait")
        return {
            "deferred_s": deferred,
            "waits_s": waits,
            "green_s": green,
            "most_tries": max(task["try_number"] for task in tasks),
            "on_workers": sum(task["pid"] is not None for task in tasks),
            "count": count,
        }

    def _polled(self) -> set[str]:
        """The runs that polls have named."""
        return {
            name
            for call in self.flyte.calls("ListRuns")
            for each in call.request.request.filters
            for name in each.values
        }

    # -- part three

    def end_to_start(self, pairs: int) -> dict[str, list[float]]:
        """Seconds from each end to that of its task and to the start of the next, theirs and ours in the same order."""
        for number in range(pairs):
            self.flyte.run(f"pair-{number}").phases("RUNNING")
        # Deferred by then, and past the time for which a sensor holds its event.
        first = time.time() + pairs * 2 + 45
        run = self.airflow.api.trigger("end_to_start", first=first, apart=APART)
        until(
            lambda: (
                sum(task["state"] == "deferred" for task in self.airflow.api.tasks("end_to_start", run)) == 2 * pairs
            ),
            first - time.time() - 12,
            "deferred sensors",
            lambda: self.airflow.api.describe("end_to_start", run),
        )
        ends = [first + APART * number for number in range(pairs)]
        for number, end in enumerate(ends):
            time.sleep(max(0.0, end - time.time()))
            self.flyte.run(f"pair-{number}").succeeds()
        self.airflow.api.wait_for_run("end_to_start", run, timeout=60)
        tasks = {task["task_id"]: task for task in self.airflow.api.tasks("end_to_start", run)}

        def took(name: str, date: str) -> list[float]:
            dates = [tasks[f"{name}_{number}"][date].replace("Z", "+00:00") for number in range(pairs)]
            return [datetime.fromisoformat(each).timestamp() - end for each, end in zip(dates, ends, strict=True)]

        # The start is the moment at which the scheduler has the next task run.
        return {
            "own_done": took("own", "end_date"),
            "own": took("after_own", "start_date"),
            "ours_done": took("ours", "end_date"),
            "ours": took("after_ours", "start_date"),
        }


def _share(values: Sequence[float], share: float) -> float:
    return sorted(values)[math.ceil(len(values) * share) - 1]


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--triggers", type=int, default=1000, help="of each kind; 1,014 at most (Airflow's own limit)")
    parser.add_argument("--seconds", type=float, default=20.0, help="for which lateness is measured")
    parser.add_argument("--sensors", type=int, default=300, help="of one DAG, mapped; 1,024 at most")
    parser.add_argument("--pairs", type=int, default=20, help="of ends, theirs and ours")
    parser.add_argument("--results", type=Path, default=Path(".run/triggerer.json"), help="the figures as JSON")
    return parser.parse_args(arguments)


def main() -> None:
    """Print the tables; write them."""
    given = parse()
    os.environ |= {
        "PYTHONPATH": os.pathsep.join([str(HERE / "triggerer_dags"), *filter(None, [os.environ.get("PYTHONPATH")])]),
        "BENCH_MANY": str(given.triggers + WARM),
        "BENCH_PAIRS": str(given.pairs),
        "BENCH_SENSORS": str(given.sensors),
    }
    load = os.getloadavg()[0]
    print(f"{os.cpu_count()} cores, Python {platform.python_version()}, load average before {load:.2f}", flush=True)
    given.results.parent.mkdir(parents=True, exist_ok=True)
    results: dict[str, Any] = {"cores": os.cpu_count(), "load_before": load, "triggers": given.triggers, "rows": {}}
    settings = {"TRIGGERER__CAPACITY": "5000"}
    with LocalFlyte() as flyte:
        for number in range(given.triggers + WARM):
            flyte.run(f"run-{number}").move("RUNNING")
        for number in range(given.sensors):
            for kind in SENSORS:
                flyte.run(f"{kind.replace('_', '-')}-{number}").move("RUNNING")
        connections = {"flyte_default": flyte_connection(flyte)}
        folders = {"bench": HERE / "triggerer_dags"}
        with StandaloneAirflow(folders, connections=connections, settings=settings) as airflow:
            airflow.api.create_pool("nobody", 0)
            airflow.api.wait_for_dags("loop_lag", "many", *(f"sensors_{kind}" for kind in SENSORS), "end_to_start")
            with tempfile.TemporaryDirectory() as folder:
                bench = Bench(airflow, flyte, Path(folder))
                if given.pairs:
                    took = results["end_to_start_s"] = bench.end_to_start(given.pairs)
                    for of in ("_done", ""):
                        pairs = zip(took[f"own{of}"], took[f"ours{of}"], strict=True)
                        took[f"added{of}"] = [ours - own for own, ours in pairs]
                    print(f"{f'{given.pairs} pairs of ends':<34}{'p50 s':>9}{'mean s':>9}{'max s':>9}")
                    for name, title in ENDS.items():
                        figures = statistics.median(took[name]), statistics.mean(took[name]), max(took[name])
                        print(f"{title:<34}" + "".join(f"{figure:>9.2f}" for figure in figures), flush=True)
                for kind, title in SENSORS.items() if given.sensors else ():
                    row = results[f"sensors_{kind}"] = bench.sensors(kind, given.sensors)
                    print(
                        f"{given.sensors} mapped sensors, {title}: all deferred after {row['deferred_s']:.0f} s, all "
                        f"polled for after {row['waits_s']:.0f} s; all green {row['green_s']:.0f} s after their runs' "
                        f"end; on a worker: {row['on_workers']}; most tries of one: {row['most_tries']}",
                        flush=True,
                    )
                if given.triggers:
                    run = airflow.api.trigger("many")
                    total = 2 * (given.triggers + WARM)
                    until(lambda: len(airflow.api.tasks("many", run)) >= total, 120, "the task instances")
                    print(
                        f"{given.triggers} triggers of a kind".ljust(34)
                        + f"{'kB each':>9}{'late p50 ms':>13}{'p99':>9}{'max':>9}{'held ms':>9}{'CPU %':>9}"
                    )
                    for kind in KINDS:
                        airflow.kill("triggerer")
                        airflow.start_component("triggerer")
                        row = results["rows"][kind] = bench.memory_and_lag(kind, given.triggers, given.seconds)
                        print(
                            f"{kind:<34}{row['kb']:>9.1f}{row['late_p50_ms']:>13.2f}{row['late_p99_ms']:>9.2f}"
                            f"{row['late_max_ms']:>9.1f}{row['held_ms']:>9.1f}{row['cpu']:>9.1f}",
                            flush=True,
                        )
    given.results.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
