"""What a task's log says about its Flyte runs: read by somebody who sees it for the first time."""

from __future__ import annotations

import os
import signal
from importlib.metadata import version
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_flyte.exceptions import FlyteTaskKilled
from airflow_provider_flyte.launched_trigger import FlyteLaunchedRunTrigger
from airflow_provider_flyte.operators import FlyteRunOperator
from airflow_provider_flyte.testing import LocalFlyte
from tests.driving import DagRun, Driven, TaskInstance, lines_of

IS_3 = int(version("apache-airflow").split(".")[0]) > 2


@pytest.fixture
def operator(flyte_default: LocalFlyte) -> Any:
    """Makes one try of an operator that waits on a worker, and the lines of its log."""
    flyte_default.deploy("demo.train", outputs={"o0": int})

    def make(**arguments: Any) -> tuple[Driven, list[str]]:
        defaults: dict[str, Any] = {"task_id": "train", "task_name": "demo.train", "poll_interval": 0.1}
        task = FlyteRunOperator(**defaults | {"deferrable": False, "resume_after": 0} | arguments)
        return Driven(task, TaskInstance(), DagRun()), lines_of(task)

    return make


def one(lines: list[str], part: str) -> str:
    [line] = [line for line in lines if part in line]
    return line


# -- a process that is told to stop


@pytest.mark.parametrize(
    ("state", "because"),
    [
        ("running", "but nobody stopped the task: it is running"),
        (None, "but nobody stopped the task: the scheduler has reset it"),
    ],
)
def test_sigterm_while_the_process_waits_on(
    flyte_default: LocalFlyte, operator: Any, state: str | None, because: str
) -> None:
    """Airflow 3 only calls on_kill, and the same process waits on."""
    driven, lines = operator()
    driven.ti.state = state

    def script(run: Any) -> None:
        driven.task.on_kill()
        run.phases("RUNNING", "RUNNING", every=0.7).succeeds({"o0": 1})

    flyte_default.on_launch(script)
    driven.run()
    [run] = flyte_default.runs()
    assert one(lines, "SIGTERM") == (
        f"WARNING: This worker process was told to stop (SIGTERM), {because}. Flyte run "
        f"flytesnacks/development/{run.name} is not aborted; this process keeps waiting for it while it can, and a "
        "retry of the task does if it cannot."
    )


def test_sigterm_that_ends_the_process(flyte_default: LocalFlyte, operator: Any) -> None:
    """Airflow 2.11 raises out of its signal handler."""
    driven, lines = operator()

    def terminated(*args: object) -> None:
        driven.task.on_kill()
        raise SystemExit("Task received SIGTERM signal")

    before = signal.signal(signal.SIGUSR1, terminated)
    try:
        flyte_default.on_launch(lambda run: os.kill(os.getpid(), signal.SIGUSR1))
        with pytest.raises(SystemExit):
            driven.run()
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert one(lines, "SIGTERM").endswith(" is not aborted; a retry of the task waits for it.")


def test_a_state_that_cannot_be_read_is_not_taken_for_nobodys_doing(flyte_default: LocalFlyte, operator: Any) -> None:
    driven, lines = operator()

    def broken() -> str:
        raise ConnectionError("no API server")

    driven.ti.current_state = broken

    def script(run: Any) -> None:
        driven.task.on_kill()
        run.phases("RUNNING", "RUNNING", every=0.7).succeeds({"o0": 1})

    flyte_default.on_launch(script)
    driven.run()
    assert "whether somebody stopped the task is not known, because its state could not be read" in one(
        lines, "SIGTERM"
    )


@pytest.mark.parametrize("deferrable", [False, True])
def test_a_run_that_is_left_going_on_purpose(flyte_default: LocalFlyte, operator: Any, deferrable: bool) -> None:
    driven, lines = operator(abort_on_kill=False, deferrable=deferrable)
    driven.ti.state = "failed"
    flyte_default.on_launch(lambda run: (driven.task.on_kill(), run.move("RUNNING")))
    with pytest.raises(FlyteTaskKilled):
        driven.run()
    line = one(lines, "abort_on_kill=False")
    assert "is not aborted although the task was marked failed, or its DAG run was" in line
    assert "/runs/" in line
    assert flyte_default.calls("AbortRun") == []


# -- a trigger that is told to stop

ON_KILL = {
    "deferred": "This trigger was told to stop, but nobody stopped the task: it is deferred. Flyte run r1 is not ",
    "queued": "Flyte run r1 is not aborted by this trigger, because its task is queued again. If it was cleared, its ",
    "failed": "Because the task was marked failed, or its DAG run was: Flyte run flytesnacks/development/r1 was ",
}

if IS_3:  # before, a trigger is not told

    @pytest.mark.parametrize("state", ON_KILL)
    async def test_a_trigger_says_what_becomes_of_its_run(
        flyte_default: LocalFlyte, monkeypatch: pytest.MonkeyPatch, state: str
    ) -> None:
        from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

        monkeypatch.setattr(RuntimeTaskInstance, "get_task_states", lambda **asked: {"manual__1": {"train": state}})
        flyte_default.run("r1").move("RUNNING")
        made = FlyteLaunchedRunTrigger(run_name="r1", abort_for="train")
        made.task_instance = SimpleNamespace(dag_id="sales", task_id="train", run_id="manual__1", map_index=-1)
        lines = lines_of(made)
        await made.on_kill()
        [line] = lines
        assert line.removeprefix("INFO: ").startswith(ON_KILL[state])


@pytest.mark.parametrize(
    ("arguments", "why"),
    [({"abort_on_kill": False}, "(abort_on_kill=False)"), ({"abort_for": None}, "because this task did not launch it")],
)
async def test_a_trigger_that_aborts_nothing_says_why(arguments: dict[str, Any], why: str) -> None:
    made = FlyteLaunchedRunTrigger(**{"run_name": "r1", "abort_for": "train"} | arguments)
    lines = lines_of(made)
    await made.on_kill()
    [line] = lines
    assert line.startswith("INFO: Flyte run r1 is not aborted")
    assert why in line
