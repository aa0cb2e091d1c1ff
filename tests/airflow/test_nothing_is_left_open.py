"""A hundred tasks in one process, as in one of a pool that is reused: nothing stays open."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from airflow_provider_flyte.testing import LocalFlyte

pytestmark = [pytest.mark.one_transport("grpc"), pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[2]
# A process of its own, because the server's threads and descriptors would be counted too.
TASKS = """
import gc, json, logging, os, sys, time
import tests.support.own_airflow
from airflow_provider_flyte.operators import FlyteRunOperator
from tests.support.driving import DagRun, Driven, TaskInstance

# The tests' own Airflow has none of its caller's variables.
os.environ["AIRFLOW_CONN_FLYTE_DEFAULT"] = sys.argv[1]
logging.disable()


def launch(number):
    operator = FlyteRunOperator(
        task_id=f"train_{number}", task_name="demo.train", deferrable=number % 2 == 0, poll_interval=0.1, resume_after=0
    )
    assert Driven(operator, TaskInstance(), DagRun()).run()


def count(wanted=None):
    'File descriptors and threads; gRPC ends those of a closed channel a moment later, as the machine has time.'
    until = time.monotonic() + 60
    while True:
        gc.collect()
        found = [len(os.listdir("/proc/self/fd")), len(os.listdir("/proc/self/task"))]
        if wanted is None or found == wanted or time.monotonic() > until:
            return found
        time.sleep(0.1)


counts = []
for number in range(120):
    if number in (20, 70):
        counts.append(count(*counts[:1]))
    launch(number)
print(json.dumps([*counts, count(counts[0])]))
"""


def test_a_hundred_launches(flyte_default: LocalFlyte) -> None:
    flyte_default.deploy("demo.train", outputs={"o0": int})
    flyte_default.on_launch(lambda run: run.phases("RUNNING", "RUNNING", every=0.01).succeeds({"o0": 1}))
    done = subprocess.run(
        [sys.executable, "-c", TASKS, os.environ["AIRFLOW_CONN_FLYTE_DEFAULT"]],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    warm, *later = json.loads(done.stdout.splitlines()[-1])
    assert len(flyte_default.runs()) == 120
    assert later == [warm, warm]
