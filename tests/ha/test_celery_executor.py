"""CeleryExecutor with two workers, Redis and PostgreSQL: workers end in each way, Redis stalls and restarts."""

from __future__ import annotations

import json
import signal
from threading import Event
from typing import Any
from uuid import uuid4

import pytest

from tests.e2e.airflow_api import until
from tests.e2e.keeper import already_gone
from tests.ha.batch import Batch
from tests.ha.conftest import WORKERS, Scenes
from tests.support.debian_servers import Redis

pytestmark = pytest.mark.timeout(900)

FROZEN = 15.0
QUEUE = "default"
BEGUN = "Executing workload in Celery"
AGAIN = "Task already running elsewhere, ignoring redelivered message"


def test_undisturbed(celery: Scenes) -> None:
    celery.play("calm", lambda: None)


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
    celery.play("kill", lambda: celery.airflow.kill("worker-1"), after=lambda: celery.restart("worker-1"))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGQUIT], ids=["TERM", "QUIT"])
def test_a_worker_is_ended(celery: Scenes, number: signal.Signals) -> None:
    """TERM waits for the tasks that run, QUIT ends them."""

    def ended() -> None:
        def again() -> bool:
            celery.start_what_ended()
            return "worker-1" in celery.came_back

        until(again, 60, "the end of the worker", celery.airflow.tails)

    celery.play(number.name.lower(), lambda: celery.airflow.component("worker-1").send_signal(number), after=ended)


def test_messages_come_again(celery: Scenes) -> None:
    """Because their tasks take longer than the visibility timeout; Celery looks for such messages every 100 s."""
    seen = _times_said(celery, AGAIN)
    celery.play("again", lambda: until(lambda: _times_said(celery, AGAIN) > seen, 200, "a message that comes again"))
    celery.say(f"again: {_times_said(celery, AGAIN) - seen} messages of tasks that were running")


def test_messages_come_twice_at_once(celery: Scenes, redis: Redis) -> None:
    """So that two workers begin the same try."""
    from redis import Redis as Client

    seen = _times_said(celery, BEGUN)
    for name in WORKERS:
        celery.airflow.pause(name)
    batch = Batch(celery.airflow, celery.flyte, "twice")
    with Client.from_url(redis.address) as client:
        # All but the sensor that has no worker.
        messages = until(lambda: _messages(client, 6), 120, "the messages of all tasks", batch.describe)
        client.rpush(QUEUE, *(_doubled(each) for each in messages))
    for name in WORKERS:
        celery.airflow.resume(name)
    celery.check("twice", batch)
    taken = _times_said(celery, BEGUN) - seen
    celery.say(f"twice: {len(messages)} messages and as many copies; workers took {taken}, those of resumed tasks too")
    assert taken >= 2 * len(messages)


def test_redis_stalls(celery: Scenes, redis: Redis) -> None:
    def deed() -> None:
        redis.freeze()
        Event().wait(FROZEN)
        redis.thaw()

    celery.play("redis-stalls", deed)


def test_redis_dies_and_comes_back_with_its_data(celery: Scenes, redis: Redis) -> None:
    def deed() -> None:
        redis.stop(signal.SIGKILL)
        Event().wait(5)
        redis.start()

    celery.play("redis-dies", deed)


# -- what is open in the processes of a pool

Open = dict[int, tuple[int, int, int]]
"""Of each process: file descriptors, threads, connections to Flyte."""


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


def _messages(client: Any, count: int) -> list[bytes]:
    """What lies in Redis, once it is so much."""
    found = list(client.lrange(QUEUE, 0, -1))
    return found if len(found) >= count else []


def _doubled(message: bytes) -> str:
    """The same message, as Redis delivers it another time."""
    made = json.loads(message)
    made["properties"]["delivery_tag"] = str(uuid4())
    return json.dumps(made)


def _times_said(celery: Scenes, text: str) -> int:
    return sum(celery.airflow.log_of(name).count(text) for name in WORKERS)
