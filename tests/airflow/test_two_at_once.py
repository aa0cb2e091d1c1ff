"""Two processes that launch for one task: a try twice, or a try that Airflow has given up beside the next one."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

import pytest

from airflow_provider_flyte.client.phase import RunPhase
from airflow_provider_flyte.compat import TaskDeferred
from airflow_provider_flyte.exceptions import FlyteTaskKilled
from airflow_provider_flyte.operators import FlyteRunOperator
from airflow_provider_flyte.testing import LocalFlyte
from airflow_provider_flyte.testing.script import RunHandle
from airflow_provider_flyte.tries import kill_deferred
from airflow_provider_flyte.tries.identity import DEFAULT_PREFIX, run_name
from tests.support.driving import DagRun, Driven, TaskInstance, lines_of, made_again, own_annotations
from tests.support.held_calls import Held

pytestmark = pytest.mark.one_transport("connect")

IS_3 = int(version("apache-airflow").split(".")[0]) > 2

Make = Callable[[int], Driven]


@pytest.fixture(params=[False, True], ids=["worker", "deferred"])
def operator(request: pytest.FixtureRequest, flyte_default: LocalFlyte) -> Make:
    """Makes a try of one task."""
    flyte_default.deploy("demo.train", outputs={"o0": int})
    dag_run = DagRun()

    def make(number: int) -> Driven:
        arguments: dict[str, Any] = {"poll_interval": 0.1, "resume_after": 0, "deferrable": request.param}
        task = FlyteRunOperator(task_id="train", task_name="demo.train", **arguments)
        return Driven(task, TaskInstance(number, 2), dag_run)

    return make


def in_a_thread(task: Driven) -> Any:
    """What it returns. Airflow 2.11 keeps who calls an operator for the main thread alone."""
    if not IS_3:
        from airflow.models.baseoperator import ExecutorSafeguard

        ExecutorSafeguard._sentinel.callers = {}
    return task.run()


def name_of(value: Any) -> str:
    return str(value["action"]["id"]["run"]["name"])


def own_name(number: int) -> str:
    return run_name(DEFAULT_PREFIX, TaskInstance.dag_id, "train", TaskInstance.run_id, -1, number)


@pytest.mark.parametrize("tries", [(1, 1), (1, 2)], ids=str)
def test_of_two_that_read_the_task_at_once_the_later_one_takes_the_run(
    flyte_default: LocalFlyte, operator: Make, tries: tuple[int, int]
) -> None:
    """Reading it may take minutes of an outage; both have searched for the run before."""
    held = Held()
    flyte_default.inject("ListTasks", held)
    flyte_default.on_launch(lambda run: run.phases("RUNNING", "RUNNING", every=0.2).succeeds({"o0": 1}))
    with ThreadPoolExecutor(2) as pool:
        values = []
        for place, number in enumerate(tries):
            values.append(pool.submit(in_a_thread, operator(number)))
            assert held.arrived[place].wait(60)
        assert flyte_default.runs() == []
        held.go[0].set()
        flyte_default.wait_for_call("CreateRun")
        held.go[1].set()
        assert [name_of(value.result(60)) for value in values] == [own_name(1)] * 2
    assert [run.enqueued for run in flyte_default.runs()] == [1]
    assert flyte_default.calls.count("CreateRun") == 1


def test_what_another_process_launches_while_airflow_is_asked_is_taken(
    flyte_default: LocalFlyte, operator: Make
) -> None:
    """Airflow may take seconds for its answer, so Flyte is asked after it."""
    flyte_default.on_launch(lambda run: run.phases("RUNNING", "RUNNING", every=0.2).succeeds({"o0": 1}))
    asked, answers = threading.Event(), threading.Event()

    class Slow(TaskInstance):
        def current_state(self) -> str:
            asked.set()
            assert answers.wait(60)
            return self.state

    slow, other = operator(1), operator(1)
    slow.context["ti"].__class__ = Slow
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(in_a_thread, slow)
        assert asked.wait(60)
        second = pool.submit(in_a_thread, other)
        flyte_default.wait_for_call("CreateRun")
        answers.set()
        assert [name_of(value.result(60)) for value in (first, second)] == [own_name(1)] * 2
    assert [run.enqueued for run in flyte_default.runs()] == [1]
    assert flyte_default.calls.count("CreateRun") == 1


@pytest.mark.parametrize("phases", [["RUNNING", "RUNNING"], []], ids=["before the first poll", "at the end"])
def test_what_an_earlier_try_launches_later_is_aborted(
    flyte_default: LocalFlyte, operator: Make, phases: list[str]
) -> None:
    """Its CreateRun was on its way when the process was given up."""

    def orphan(mine: RunHandle) -> None:
        (mine.phases(*phases, every=0.2) if phases else mine).succeeds({"o0": 1})
        flyte_default.run(own_name(1), annotations=own_annotations(1)).move("RUNNING")

    flyte_default.on_launch(orphan)
    task = operator(2)
    lines = lines_of(task.task)
    assert name_of(task.run()) == own_name(2)
    assert flyte_default.run(own_name(1)).phase == RunPhase.ABORTED
    [call] = flyte_default.calls("AbortRun")
    assert call.request.reason == "Airflow: sales.train in manual__1: try 2 of the task has another run"
    words = (
        f"{own_name(1)} was launched by a process of an earlier try of this task after Airflow had given that try up"
    )
    assert len([line for line in lines if line.startswith("WARNING") and words in line]) == 1


def test_what_shows_up_while_the_task_is_deferred_is_aborted(flyte_default: LocalFlyte, operator: Make) -> None:
    task = operator(2)
    task.task.deferrable = True
    with pytest.raises(TaskDeferred) as deferred:
        task.task.execute(task.context)
    orphan = flyte_default.run(own_name(1), annotations=own_annotations(1)).move("RUNNING")
    flyte_default.run(own_name(2)).succeeds({"o0": 1})
    assert name_of(task.go_on(deferred.value)) == own_name(2)
    assert orphan.phase == RunPhase.ABORTED


@pytest.mark.parametrize("started", ["in this DAG run", "in another one of the id"])
def test_a_kill_ends_what_has_shown_up_while_the_task_was_deferred(
    flyte_default: LocalFlyte, operator: Make, started: str
) -> None:
    """Nobody else would: the trigger has nothing to do with the names of earlier tries otherwise."""
    flyte_default.on_launch(lambda run: run.move("RUNNING"))
    task, told, other = operator(2), own_annotations(1), started == "in another one of the id"
    task.task.deferrable = True
    if other:
        task.context["dag_run"].run_after = task.context["dag_run"].start_date
        told["airflow.apache.org/dag_run_after"] = "2020-01-01T00:00:00+00:00"
    with pytest.raises(TaskDeferred) as deferred:
        task.task.execute(task.context)
    orphan = flyte_default.run(own_name(1), annotations=told).move("RUNNING")
    made = made_again(deferred.value.trigger)
    lines = lines_of(made)
    asyncio.run(kill_deferred.abort(made, "the task was marked failed"))
    assert flyte_default.run(own_name(2)).phase == RunPhase.ABORTED
    assert orphan.phase == (RunPhase.RUNNING if other else RunPhase.ABORTED)
    assert len([line for line in lines if "after Airflow had given that try up" in line]) == (not other)


def test_an_abort_that_is_done_is_not_called_failed(flyte_default: LocalFlyte, operator: Make) -> None:
    """What comes after it has trouble of its own, here with what another version of the provider has stored."""
    flyte_default.on_launch(lambda run: run.move("RUNNING"))
    task = operator(2)
    task.task.deferrable = True
    with pytest.raises(TaskDeferred) as deferred:
        task.task.execute(task.context)
    made = made_again(deferred.value.trigger)
    made.trying = {"number": 2}
    lines = lines_of(made)
    asyncio.run(kill_deferred.abort(made, "the task was marked failed"))
    assert flyte_default.run(own_name(2)).phase == RunPhase.ABORTED
    assert [line for line in lines if "may still be running" in line] == []
    [trouble] = [line for line in lines if line.startswith("WARNING")]
    assert "Whether an earlier try of this task has launched another run since is not known." in trouble


def test_a_kill_on_a_worker_ends_what_an_earlier_try_has_launched(flyte_default: LocalFlyte, operator: Make) -> None:
    task = operator(2)

    def killed(run: RunHandle) -> None:
        run.move("RUNNING")
        flyte_default.run(own_name(1), annotations=own_annotations(1)).move("RUNNING")
        task.ti.state = "failed"
        task.task.stop_requested = True

    flyte_default.on_launch(killed)
    with pytest.raises(FlyteTaskKilled):
        task.run()
    assert [flyte_default.run(own_name(number)).phase for number in (1, 2)] == [RunPhase.ABORTED] * 2


@pytest.mark.parametrize("whose", [{"run_id": "another"}, {"airflow": "https://another"}, None], ids=str)
def test_somebody_elses_run_of_that_name_is_left_alone(
    flyte_default: LocalFlyte, operator: Make, whose: dict[str, Any] | None
) -> None:
    told = own_annotations(1, **whose) if whose else None
    flyte_default.on_launch(
        lambda run: [run.succeeds({"o0": 1}), flyte_default.run(own_name(1), annotations=told).move("RUNNING")]
    )
    assert name_of(operator(2).run()) == own_name(2)
    assert flyte_default.calls("AbortRun") == []


@pytest.mark.parametrize("waits", [False, True])
def test_a_process_that_airflow_has_given_up_sees_the_next_trys_run(
    flyte_default: LocalFlyte, operator: Make, waits: bool
) -> None:
    """Its machine was paused with its supervisor, and the next try is executed: Airflow says running."""
    flyte_default.on_launch(lambda run: run.move("RUNNING"))
    given_up, next_try = operator(1), operator(2)
    next_try.task.deferrable, given_up.task.wait = True, waits
    with pytest.raises(TaskDeferred):
        next_try.task.execute(next_try.context)
    with pytest.raises(FlyteTaskKilled, match="try 2 of this task has launched Flyte run"):
        given_up.run()
    assert [run.name for run in flyte_default.runs()] == [own_name(2)]


SUPERVISOR = "import subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[1]])"
TASK = """
from airflow_provider_flyte.operators import FlyteRunOperator
from tests.support.driving import DagRun, Driven, TaskInstance

task = FlyteRunOperator(task_id="train", task_name="demo.train", deferrable={deferrable})
Driven(task, TaskInstance(), DagRun()).run()
"""


@dataclass(frozen=True)
class SecondHeld(Held):
    """Lets the first call pass."""

    passed: threading.Event = field(default_factory=threading.Event)

    def before(self, method: str, call: Any) -> None:
        if self.passed.is_set():
            super().before(method, call)
        self.passed.set()


@pytest.mark.parametrize("deferrable", [False, True], ids=["worker", "deferred"])
@pytest.mark.parametrize("slow", ["ListTasks", "ListRuns"], ids=["reading the task", "the last look"])
def test_a_process_whose_supervisor_was_killed_launches_nothing(
    flyte_default: LocalFlyte, deferrable: bool, slow: str
) -> None:
    """The next try may have launched by now: Airflow has given up this one."""
    flyte_default.deploy("demo.train", outputs={"o0": int})
    held = Held() if slow == "ListTasks" else SecondHeld()
    flyte_default.inject(slow, held)
    flyte_default.on_launch(lambda run: run.succeeds({"o0": 1}))
    with subprocess.Popen(
        [sys.executable, "-c", SUPERVISOR, TASK.format(deferrable=deferrable)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as supervisor:
        assert held.arrived[0].wait(120)
        os.kill(supervisor.pid, signal.SIGKILL)
        supervisor.wait()
        held.go[0].set()
        assert supervisor.stdout is not None
        # Until the task's process has ended.
        output = supervisor.stdout.read()
    assert "Nothing is launched, because the process that supervised this one is gone" in output, output
    assert flyte_default.calls("CreateRun") == []


FORKS = """
import os, time
from airflow_provider_flyte.operators import FlyteRunOperator

supervisor = os.getpid()
if os.fork():
    os.wait()
else:
    print("it begins", flush=True)
    while os.getppid() == supervisor:
        time.sleep(0.02)
"""


def test_a_process_whose_supervisor_was_killed_before_the_task_is_executed(flyte_default: LocalFlyte) -> None:
    """While the DAG file was parsed, for instance."""
    flyte_default.deploy("demo.train", outputs={"o0": int})
    flyte_default.on_launch(lambda run: run.succeeds({"o0": 1}))
    task = textwrap.indent(TASK.format(deferrable=False), "    ")
    with subprocess.Popen(
        [sys.executable, "-c", FORKS + task], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as supervisor:
        assert supervisor.stdout is not None
        output = ""
        while "it begins" not in output:
            output += supervisor.stdout.readline()
            assert output, "It ended."
        os.kill(supervisor.pid, signal.SIGKILL)
        supervisor.wait()
        output += supervisor.stdout.read()
    assert "Nothing is launched, because the process that supervised this one is gone" in output, output
    assert flyte_default.calls("CreateRun") == []
