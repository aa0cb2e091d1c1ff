"""CeleryExecutor with two workers: one ends in each way; none keeps anything of what it has done."""

from __future__ import annotations

import signal

import pytest

from tests.e2e.airflow_api import until
from tests.e2e.keeper import already_gone
from tests.ha.batch import Batch
from tests.ha.scenes import WORKERS, Scenes

pytestmark = pytest.mark.timeout(900)

Open = dict[int, tuple[int, int, int]]
"""Of each process: file descriptors, threads, connections to Flyte."""


def test_a_hundred_launches_leave_nothing_in_the_processes_of_the_pool(celery: Scenes) -> None:
    """Each of which has launched before, so that what a process opens once is open."""
    warm = celery.finish(Batch(celery.airflow, celery.flyte, "warm", "ha_quick_24"))
    before = until(lambda: _quiet(celery), 60, "processes at rest", lambda: str(_all(celery)))
    counted = celery.finish(Batch(celery.airflow, celery.flyte, "hundred", "ha_quick_100"))
    after = until(lambda: _quiet(celery), 60, "processes at rest", lambda: str(_all(celery)))
    celery.say(f"hundred: {counted}")
    for name, each in before.items():
        celery.say(f"file descriptors, threads, connections to Flyte of {name}: {each}, afterwards {after[name]}")
    celery.total += warm + counted
    assert counted.faults() == {}
    assert counted.runs == 100
    assert after == before


def test_a_worker_is_killed(celery: Scenes) -> None:
    """With all its processes: the messages that it had come back after the visibility timeout."""
    celery.play("kill-worker", lambda: celery.kill(WORKERS[:1]), after=lambda: celery.restart(WORKERS[:1]))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGQUIT], ids=["TERM", "QUIT"])
def test_a_worker_is_ended(celery: Scenes, number: signal.Signals) -> None:
    """TERM waits for the tasks that run, QUIT ends them."""

    def ended() -> None:
        def again() -> bool:
            celery.start_what_ended()
            return WORKERS[0] in celery.came_back

        until(again, 60, "the end of the worker", celery.airflow.tails)

    celery.play(number.name.lower(), lambda: celery.airflow.component(WORKERS[0]).send_signal(number), after=ended)


def _pool(celery: Scenes, worker: str) -> Open:
    found = {}
    for process in celery.airflow.component(worker).children():
        with already_gone():
            to_flyte = sum(bool(one.raddr) and one.raddr.port == celery.flyte.port for one in process.net_connections())
            found[process.pid] = (process.num_fds(), process.num_threads(), to_flyte)
    return found


def _all(celery: Scenes) -> dict[str, Open]:
    return {name: _pool(celery, name) for name in WORKERS}


def _quiet(celery: Scenes) -> dict[str, Open] | None:
    """Once none of them works for a task any more."""
    pools = [process for name in WORKERS for process in celery.airflow.component(name).children()]
    return None if any(process.children() for process in pools) else _all(celery)
