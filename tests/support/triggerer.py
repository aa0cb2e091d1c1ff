"""Airflow's own triggerer, without a database: it executes triggers, and what it would store is the result.

``run_triggers`` does it in a process of its own, because Airflow 3's supervisor forks. There the triggers' logs and
events go over Airflow's sockets as JSON and msgpack; Airflow 2.11 has a thread and a log file.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any


@dataclass
class Ran:
    """The results of triggers."""

    alive: bool
    """Whether the triggerer still runs."""

    events: dict[int, Any]
    """The event of each trigger, by its place."""

    failures: dict[int, Any]
    """Triggers that ended without an event."""

    log: str
    """What the triggerer logged, and printed."""


def run_triggers(triggers: Sequence[Any], connections: Mapping[str, str], within: float = 60.0) -> Ran:
    """Run triggers until each has ended.

    :param connections: Airflow connections as JSON, by their ids.
    :param within: seconds.
    """
    given = json.dumps([[each.serialize() for each in triggers], dict(connections), within])
    done = subprocess.run(
        [sys.executable, "-m", __name__],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
        input=given.encode(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=within + 60,
        check=False,
    )
    log, _, result = done.stdout.decode().rpartition(_RESULT)
    assert result, done.stdout.decode()[-5000:]
    alive, events, failures = json.loads(result)
    return Ran(alive, {int(place): event for place, event in events}, dict(failures), log)


_RESULT = "=== result ==="


def _of_airflow_3(triggers: Sequence[tuple[str, dict[str, Any]]], within: float) -> tuple[bool, Any, Any]:
    workloads: Any = import_module("airflow.executors.workloads")
    triggerer: Any = import_module("airflow.jobs.triggerer_job_runner")
    stored: Any = import_module("airflow.models.trigger")
    supervisor = triggerer.TriggerRunnerSupervisor.start(job=None, capacity=len(triggers))
    for place, (path, kwargs) in enumerate(triggers):
        encrypted = stored.Trigger.encrypt_kwargs(kwargs)
        supervisor.creating_triggers.append(workloads.RunTrigger(id=place, classpath=path, encrypted_kwargs=encrypted))
    until = time.monotonic() + within
    while supervisor.is_alive() and time.monotonic() < until:
        supervisor._service_subprocess(0.1)
        if len(supervisor.events) + len(supervisor.failed_triggers) >= len(triggers):
            break
    alive = supervisor.is_alive()
    supervisor.kill(escalation_delay=5, force=True)
    events = [(each.trigger_id, each.event.payload) for each in supervisor.events]
    return alive, events, list(supervisor.failed_triggers)


def _of_airflow_2(triggers: Sequence[tuple[str, dict[str, Any]]], within: float) -> tuple[bool, Any, Any]:
    triggerer: Any = import_module("airflow.jobs.triggerer_job_runner")
    runner = triggerer.TriggerRunner()
    ti = SimpleNamespace(dag_id="d", run_id="r", task_id="t", map_index=-1, try_number=1, trigger_timeout=None)
    for place, (path, kwargs) in enumerate(triggers):
        trigger = runner.get_trigger_by_classpath(path)(**kwargs)
        runner.set_trigger_logging_metadata(ti, place, trigger)
        runner.to_create.append((place, trigger))
    runner.start()
    until = time.monotonic() + within
    while runner.is_alive() and time.monotonic() < until:
        time.sleep(0.1)
        if len(runner.events) + len(runner.failed_triggers) >= len(triggers):
            break
    alive = runner.is_alive() and not runner.stop
    runner.stop = True
    runner.join(10)
    events = [(place, event.payload) for place, event in runner.events]
    return alive, events, [(place, repr(error)) for place, error in runner.failed_triggers]


def _main() -> None:
    triggers, connections, within = json.loads(sys.stdin.read())
    # Before anything imports Airflow; it removes the connections of the environment.
    from tests.support.own_airflow import AIRFLOW

    os.environ |= {f"AIRFLOW_CONN_{name.upper()}": connection for name, connection in connections.items()}
    run = _of_airflow_3 if AIRFLOW >= (3,) else _of_airflow_2
    alive, events, failures = run(triggers, within)
    sys.stdout.flush()
    sys.stdout.buffer.write(f"{_RESULT}{json.dumps([alive, events, failures])}".encode())


if __name__ == "__main__":
    _main()
