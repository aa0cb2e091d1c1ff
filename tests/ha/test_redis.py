"""CeleryExecutor with two workers: Redis delivers messages twice, stalls, and restarts with its data."""

from __future__ import annotations

import json
import signal
from threading import Event
from typing import Any
from uuid import uuid4

import pytest

from tests.ha.batch import Batch
from tests.ha.scenes import WORKERS, Scenes
from tests.support.airflow_api import until
from tests.support.debian_servers import Redis
from tests.support.own_airflow import AIRFLOW

pytestmark = [pytest.mark.timeout(900), pytest.mark.parametrize("scenes", ["CeleryExecutor"], indirect=True)]

FROZEN = 15.0
QUEUE = "default"
BEGUN = f"Executing {'workload' if AIRFLOW >= (3,) else 'command'} in Celery"
# Airflow 2 says so in the task's own log.
AGAIN = "Task already running elsewhere" if AIRFLOW >= (3,) else "'Task Instance Not Running' FAILED"


@pytest.fixture
def redis(scenes: Scenes) -> Redis:
    assert scenes.redis is not None
    return scenes.redis


def test_messages_come_again(scenes: Scenes) -> None:
    """Because their tasks take longer than the visibility timeout; Celery looks for such messages every 100 s."""
    seen = _times_said(scenes, AGAIN)
    scenes.play("again", lambda: until(lambda: _times_said(scenes, AGAIN) > seen, 200, "a message that comes again"))
    scenes.say(f"again: {_times_said(scenes, AGAIN) - seen} messages of tasks that were running")


def test_messages_come_twice_at_once(scenes: Scenes, redis: Redis) -> None:
    """So that two workers begin the same try."""
    from redis import Redis as Client

    seen = _times_said(scenes, BEGUN)
    # Whatever fails here, the next scenario needs them.
    with scenes.airflow.paused(WORKERS), Client.from_url(redis.address) as client:
        # A worker that waited for a message when it was stopped still gets one, which then is not in the queue.
        until(lambda: client.info("clients")["blocked_clients"] == 0, 60, "the end of what the workers waited for")
        batch = Batch(scenes.airflow, scenes.flyte, "twice")
        # Of all but the sensor that has no worker.
        messages = until(lambda: _messages(client, 6), 120, "the messages of all tasks", batch.describe)
        client.rpush(QUEUE, *(_doubled(each) for each in messages))
    scenes.check("twice", batch)
    taken = _times_said(scenes, BEGUN) - seen
    scenes.say(f"twice: {len(messages)} messages and as many copies; workers took {taken}, those of resumed tasks too")
    assert taken >= 2 * len(messages)


def test_redis_stalls(scenes: Scenes, redis: Redis) -> None:
    def deed() -> None:
        redis.freeze()
        Event().wait(FROZEN)
        redis.thaw()

    scenes.play("redis-stalls", deed)


def test_redis_dies_and_comes_back_with_its_data(scenes: Scenes, redis: Redis) -> None:
    def deed() -> None:
        redis.stop(signal.SIGKILL)
        Event().wait(5)
        redis.start()

    scenes.play("redis-dies", deed)


def _messages(client: Any, count: int) -> list[bytes]:
    """What lies in Redis, once it is so much."""
    found = list(client.lrange(QUEUE, 0, -1))
    return found if len(found) >= count else []


def _doubled(message: bytes) -> str:
    """The same message, as Redis delivers it another time."""
    made = json.loads(message)
    made["properties"]["delivery_tag"] = str(uuid4())
    return json.dumps(made)


def _times_said(scenes: Scenes, text: str) -> int:
    """How often, by the workers and in the logs of tasks."""
    tasks = [path.read_text(errors="replace") for path in scenes.airflow.home.glob("logs/dag_id=*/**/*.log")]
    return sum(each.count(text) for each in (*map(scenes.airflow.log_of, WORKERS), *tasks))
