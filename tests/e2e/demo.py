"""Watch a real Airflow wait for a Flyte run without a worker: ``make demo [KEEP=1] [TRANSPORT=connect]``.

It needs no Flyte cluster: the run lives on the local server of ``airflow_provider_flyte.testing``.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from textwrap import indent
from typing import Any

from airflow_provider_flyte.testing import LocalFlyte, RunHandle
from tests.support.airflow_api import AirflowApi, Task, until
from tests.support.airflow_process import USER, AirflowProcessError, StandaloneAirflow, flyte_connection

EXAMPLES = Path(__file__).parents[2] / "example_dags"
DAG, RUN = "flyte_wait", "nightly-training"
POOL = "default_pool"
PAD = " " * 4
_NAMES = {"grpc": "gRPC", "connect": "Connect, plain HTTP/1.1"}
_LONG_LIST, _LONG_TEXT = 3, 100
_NOISE = ("::", "DAG bundles loaded", "Filling up the DagBag", "Worker startup parse")


class Story:
    """Plain lines with the time since the start."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def tell(self, line: str) -> None:
        """Say what happened."""
        self.show(f"{time.monotonic() - self._began:6.1f} s  {line}")

    def show(self, text: str) -> None:
        """Say it as it is."""
        print(text, flush=True)  # noqa: T201  # this is what the program is for


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when all went as told, 1 when not, 130 after Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m tests.e2e.demo", description=__doc__)
    parser.add_argument("--keep", action="store_true", help="leave Airflow running until Ctrl-C")
    parser.add_argument("--transport", choices=["auto", "grpc", "connect"], default="auto", help="for Airflow's calls")
    given = parser.parse_args(arguments)
    story = Story()
    if int(version("apache-airflow").split(".")[0]) < 3:
        story.show("The demo starts an Airflow 3; run it without AIRFLOW=2.11.2.")
        return 1
    # A shell's background job begins with SIGINT ignored, and would have no way to be ended tidily.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        # Behind the Connect transport alone it is as behind an ingress that passes plain HTTP.
        protocol = "connect" if given.transport == "connect" else "grpc"
        with LocalFlyte(transports=(protocol,)) as flyte:
            story.tell(f"A local Flyte 2 server listens on {flyte.endpoint} and speaks {_NAMES[protocol]}.")
            story.tell("Starting a real Airflow with a home and ports of its own; this takes half a minute.")
            with StandaloneAirflow(
                {"examples": EXAMPLES},
                connections={"flyte_default": flyte_connection(flyte, protocol=protocol, transport=given.transport)},
                say=lambda line: story.tell(f"  Airflow: {line}"),
            ) as airflow:
                story.tell(f"Airflow {airflow.api.version()} is up at {airflow.url}")
                _play(story, airflow, flyte)
                if given.keep:
                    _keep(story, airflow)
                story.tell("Ending all processes.")
    except KeyboardInterrupt:
        story.tell("Interrupted; all processes have been ended.")
        return 130
    except (AirflowProcessError, AssertionError) as error:
        story.tell(f"This did not go as it should: {error}")
        return 1
    story.tell("Done.")
    return 0


def _play(story: Story, airflow: StandaloneAirflow, flyte: LocalFlyte) -> None:
    api = airflow.api
    api.wait_for_dags(DAG)
    run = flyte.run(RUN, task="training.train", inputs={"epochs": 3}, envs={"API_KEY": "made-up-secret"})
    run.phases("QUEUED", "RUNNING", every=0.5)
    story.tell(f"Somebody has launched the Flyte run {run.name!r}.")
    dag_run = api.trigger(DAG, run_name=run.name)
    story.tell(f"Triggered the DAG {DAG}: its task 'wait' waits for that run, its task 'report' uses the details.")

    wait = api.wait_for_task(DAG, dag_run, "wait", ("deferred",))
    story.tell(f"Task 'wait' is {wait['state'].upper()}, run {run.name!r} is {_phase(run)}.")
    pool = api.pool(POOL)
    story.tell(f"  {POOL}: {pool['running_slots']} slots running, {pool['deferred_slots']} deferred.")
    # Airflow says DEFERRED a moment before the process ends.
    until(lambda: not airflow.task_processes(wait), 10, f"the end of the processes of {wait['id']}")
    story.tell(f"  Its worker process {wait['pid']} has ended, and the task has no other.")
    assert pool["running_slots"] == 0, "the waiting task takes a slot"

    run.succeeds({"accuracy": 0.97})
    story.tell(f"The run ends on the Flyte server: {_phase(run)}.")
    wait = api.wait_for_task(DAG, dag_run, "wait")
    story.tell("Airflow's triggerer has noticed, and task 'wait' has resumed just long enough to fetch the details.")
    report = api.wait_for_task(DAG, dag_run, "report")
    story.tell(f"Task 'report' got them by XCom and says: {api.xcom(report)!r}")

    story.show(f"\nThe log of task 'wait':\n{indent(_log(api, wait), PAD)}")
    details = json.dumps(_short(api.xcom(wait)), indent=2)
    story.show(f"\nIts XCom return_value, the run's to_dict() (long parts are cut here):\n{indent(details, PAD)}\n")


def _keep(story: Story, airflow: StandaloneAirflow) -> None:
    story.tell(f"Airflow's UI: {airflow.url}  login: {USER}  password: {airflow.password}")
    story.tell("Press Ctrl-C to end it.")
    try:
        signal.pause()
    except KeyboardInterrupt:
        story.show("")


def _phase(run: RunHandle) -> str:
    return getattr(run.phase, "name", str(run.phase))


def _log(api: AirflowApi, task: Task) -> str:
    """The lines that matter: not how Airflow starts a task."""
    lines = api.log_text(task).splitlines()
    return "\n".join(line for line in lines if not line.startswith((*_NOISE, os.sep)))


def _short(value: Any) -> Any:
    """A value with long lists and texts cut."""
    if isinstance(value, dict):
        return {key: _short(item) for key, item in value.items()}
    if isinstance(value, list):
        more = [f"... {len(value) - _LONG_LIST} more"] if len(value) > _LONG_LIST else []
        return [_short(item) for item in value[:_LONG_LIST]] + more
    if isinstance(value, str) and len(value) > _LONG_TEXT:
        return value[:_LONG_TEXT] + "..."
    return value


if __name__ == "__main__":
    sys.exit(main())
