"""CeleryExecutor with two workers: one ends in each way; none keeps anything of what it has done."""

from __future__ import annotations

import signal
from collections.abc import Callable

import psutil
import pytest

from tests.ha.batch import Batch
from tests.ha.scenes import WORKERS, Scenes
from tests.support.airflow_api import until
from tests.support.keeper import already_gone

pytestmark = [pytest.mark.timeout(900), pytest.mark.parametrize("scenes", ["CeleryExecutor"], indirect=True)]

Open = dict[int, tuple[int, int, int]]
"""Of each process: file descriptors, threads, connections to Flyte."""


def test_a_hundred_launches_leave_nothing_in_the_processes_of_the_pool(scenes: Scenes) -> None:
    """Each of which has launched before, so that what a process opens once is open."""
    warm = scenes.finish(Batch(scenes.airflow, scenes.flyte, "warm", "ha_quick_24"))
    before = until(lambda: _quiet(scenes), 60, "processes at rest", lambda: str(_all(scenes)))
    counted = scenes.finish(Batch(scenes.airflow, scenes.flyte, "hundred", "ha_quick_100"))
    after = until(lambda: _quiet(scenes), 60, "processes at rest", lambda: str(_all(scenes)))
    scenes.say(f"hundred: {counted}")
    for name, each in before.items():
        scenes.say(f"file descriptors, threads, connections to Flyte of {name}: {each}, afterwards {after[name]}")
    scenes.total += warm + counted
    assert counted.faults() == {}
    assert counted.runs == 100
    assert after == before


def test_a_worker_is_killed(scenes: Scenes) -> None:
    """With all its processes: the messages that it had come back after the visibility timeout."""
    _play(scenes, "kill-worker", lambda worker: scenes.kill([worker]), after=lambda worker: scenes.restart([worker]))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGQUIT], ids=["TERM", "QUIT"])
def test_a_worker_is_ended(scenes: Scenes, number: signal.Signals) -> None:
    """TERM waits for the tasks that run, QUIT ends them."""

    def ended(worker: str) -> None:
        def again() -> bool:
            scenes.start_what_ended()
            return worker in scenes.came_back

        until(again, 60, "the end of the worker", scenes.airflow.tails)

    _play(scenes, number.name.lower(), lambda worker: scenes.airflow.component(worker).send_signal(number), after=ended)


def _play(scenes: Scenes, name: str, end: Callable[[str], object], *, after: Callable[[str], object]) -> None:
    """End the worker that runs the most tasks."""
    chosen: list[str] = []

    def deed() -> None:
        tasks = {worker: len(_busy(scenes, worker)) for worker in WORKERS}
        chosen.append(max(tasks, key=tasks.__getitem__))
        end(chosen[0])
        scenes.say(f"{name}: {chosen[0]} ends, of workers that run so many tasks: {tasks}")
        assert tasks[chosen[0]]

    scenes.play(name, deed, after=lambda: after(chosen[0]))


def _pool(scenes: Scenes, worker: str) -> Open:
    found = {}
    for process in scenes.airflow.component(worker).children():
        with already_gone():
            to_flyte = sum(bool(one.raddr) and one.raddr.port == scenes.flyte.port for one in process.net_connections())
            found[process.pid] = (process.num_fds(), process.num_threads(), to_flyte)
    return found


def _all(scenes: Scenes) -> dict[str, Open]:
    return {name: _pool(scenes, name) for name in WORKERS}


def _quiet(scenes: Scenes) -> dict[str, Open] | None:
    """Once none of them works for a task any more."""
    return None if any(_busy(scenes, name) for name in WORKERS) else _all(scenes)


def _busy(scenes: Scenes, worker: str) -> list[psutil.Process]:
    """The processes of the pool that run a task: it has a process under them."""
    found = []
    for process in scenes.airflow.component(worker).children():
        with already_gone():
            if process.children():
                found.append(process)
    return found
