"""CeleryExecutor with two workers: one ends in each way; none keeps anything of what it has done."""

from __future__ import annotations

import signal

import pytest

from tests.e2e.airflow_api import until
from tests.e2e.keeper import already_gone
from tests.ha.batch import Batch
from tests.ha.scenes import WORKERS, Scenes

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
    scenes.play("kill-worker", lambda: scenes.kill(WORKERS[:1]), after=lambda: scenes.restart(WORKERS[:1]))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGQUIT], ids=["TERM", "QUIT"])
def test_a_worker_is_ended(scenes: Scenes, number: signal.Signals) -> None:
    """TERM waits for the tasks that run, QUIT ends them."""

    def ended() -> None:
        def again() -> bool:
            scenes.start_what_ended()
            return WORKERS[0] in scenes.came_back

        until(again, 60, "the end of the worker", scenes.airflow.tails)

    scenes.play(number.name.lower(), lambda: scenes.airflow.component(WORKERS[0]).send_signal(number), after=ended)


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
    pools = [process for name in WORKERS for process in scenes.airflow.component(name).children()]
    return None if any(process.children() for process in pools) else _all(scenes)
