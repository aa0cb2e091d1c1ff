"""Ctrl-C in ``airflow dags test``: the log says that the run keeps running, its name, and how to end it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import threading
from typing import Any

import pytest

from airflow_provider_flyte.client.phase import RunPhase
from airflow_provider_flyte.operators import FlyteRunOperator
from airflow_provider_flyte.testing import LocalFlyte
from airflow_provider_flyte.triggers import FlyteLaunchedRunTrigger
from tests.support.driving import DagRun, Driven, TaskInstance, lines_of
from tests.support.own_airflow import load_dag_file

pytestmark = [pytest.mark.one_transport("grpc"), pytest.mark.usefixtures("ctrl_c_interrupts")]


@pytest.fixture(autouse=True)
def demo(flyte_default: LocalFlyte) -> None:
    flyte_default.deploy("demo.train", outputs={"o0": int})


def press_ctrl_c_at(flyte: LocalFlyte, method: str, count: int) -> threading.Thread:
    """Once Flyte has been called so often."""

    def press() -> None:
        flyte.wait_for_call(method, count, timeout=60)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=press)
    thread.start()
    return thread


@pytest.mark.timeout(180)
@pytest.mark.usefixtures("airflow_db")
@pytest.mark.parametrize(("where", "method"), [("worker", "GetRunDetails"), ("trigger", "WatchRuns")])
def test_ctrl_c_in_dag_test(
    flyte_default: LocalFlyte,
    where: str,
    method: str,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    flyte_default.on_launch(lambda run: run.move("RUNNING"))
    dag: Any = load_dag_file("interrupted").dags[where]
    pressing = press_ctrl_c_at(flyte_default, method, 2 if where == "worker" else 1)
    # A worker of Airflow 3 takes it for the task's failure.
    with contextlib.suppress(KeyboardInterrupt):
        dag.test()
    pressing.join()
    [run] = flyte_default.runs()
    assert run.phase == RunPhase.RUNNING
    logged = caplog.text + "".join(capfd.readouterr())
    assert f"Flyte run flytesnacks/development/{run.name} is not aborted" in logged
    assert f"flyte abort run {run.name} --project flytesnacks --domain development" in logged


@pytest.mark.usefixtures("no_watcher_left")
def test_a_wait_that_has_ended_is_not_taken_for_an_interrupted_one(flyte_default: LocalFlyte) -> None:
    """``dag.test()`` takes one event, drops the generator and closes the loop."""
    flyte_default.run("r1").succeeds()
    trigger = FlyteLaunchedRunTrigger(run_name="r1", project="flytesnacks", domain="development")
    lines = lines_of(trigger)

    async def as_dag_test_does() -> Any:
        return await trigger.run().__anext__()

    assert asyncio.run(as_dag_test_does()).payload["ending"] == "succeeded"
    assert "The wait for Flyte run r1 is over" in lines[-1]


def test_ctrl_c_while_the_launch_is_on_its_way(flyte_default: LocalFlyte) -> None:
    flyte_default.on_launch(lambda run: os.kill(os.getpid(), signal.SIGINT))
    task = Driven(FlyteRunOperator(task_id="train", task_name="demo.train"), TaskInstance(), DagRun())
    lines = lines_of(task.task)
    with pytest.raises(KeyboardInterrupt):
        task.run()
    [run] = flyte_default.runs()
    [line] = [line for line in lines if "Ctrl-C" in line]
    assert f"flyte abort run {run.name} " in line
    assert line.startswith("WARNING: ")
