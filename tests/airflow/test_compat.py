"""What differs between Airflow's versions; ``make matrix`` runs this with each of them."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections import Counter
from datetime import datetime, timezone
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest

from airflow_provider_flyte import compat
from airflow_provider_flyte.compat.event_loop import in_airflow
from airflow_provider_flyte.compat.human_requests import close_persons_request, persons_answer
from airflow_provider_flyte.compat.resumption import first_reschedule
from airflow_provider_flyte.exceptions import FlyteArgumentError
from airflow_provider_flyte.hooks import FlyteHook
from airflow_provider_flyte.sensors import FlyteRunSensor
from airflow_provider_flyte.testing import LocalFlyte
from airflow_provider_flyte.triggers import FlyteRunsTrigger
from tests.support.own_airflow import AIRFLOW, DAGS_FOLDER, connection_json, load_dag_file

pytestmark = pytest.mark.one_transport("grpc")


SINCE = {"SharedStreamProducer": (3, 3)}
"""Names that older Airflows do not have, nor anything in their place."""


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", [name for name in compat._HOMES if SINCE.get(name, (2, 11)) <= AIRFLOW])
def test_every_name_is_there_and_warns_of_nothing(name: str) -> None:
    assert compat.find(name) is getattr(compat, name)


def test_the_error_of_an_unknown_name_is_pythons_own() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Nothing'"):
        _ = compat.Nothing


class Supervisor:
    """Airflow's, as its triggerers before 3.2 talk to it: one socket, which belongs to the loop it was opened in.

    Each call writes a frame and reads the next one, under a lock of that loop's; who is cancelled between them leaves
    an answer behind.
    """

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.lock = asyncio.Lock()
        self.answers: list[str] = []
        self.asked: list[str] = []
        self.hold = asyncio.Event()
        self.hold.set()

    def send(self, poll: str) -> str:
        from asgiref.sync import async_to_sync

        return async_to_sync(self.asend)(poll)

    async def asend(self, poll: str) -> str:
        assert asyncio.get_running_loop() is self.loop, "Task got Future attached to a different loop"
        async with self.lock:
            self.asked.append(poll)
            self.answers.append(poll)
            await self.hold.wait()
            answer = self.answers.pop(0)
            assert answer == poll, "Response read out of order!"
            return answer


async def test_calls_into_airflow_reach_the_supervisor_in_its_own_loop() -> None:
    supervisor = Supervisor()
    polls = [f"poll {number}" for number in range(8)]
    assert await asyncio.gather(*(in_airflow(supervisor.send, one) for one in polls)) == polls


async def test_they_hold_no_loop() -> None:
    here = threading.get_ident()
    assert await in_airflow(threading.get_ident) != here


async def test_one_that_nobody_waits_for_any_more_is_made_to_its_end() -> None:
    supervisor = Supervisor()
    supervisor.hold.clear()
    first = asyncio.ensure_future(in_airflow(supervisor.send, "first"))
    while not supervisor.asked:
        await asyncio.sleep(0)
    first.cancel()
    supervisor.hold.set()
    assert await in_airflow(supervisor.send, "second") == "second"
    assert supervisor.answers == []


@pytest.mark.skipif(AIRFLOW < (3, 1), reason="cannot ask a person")
@pytest.mark.parametrize("reads", [True, False])
async def test_so_are_those_about_a_request_to_a_person(monkeypatch: pytest.MonkeyPatch, reads: bool) -> None:
    from airflow.sdk.execution_time import task_runner

    supervisor = Supervisor()
    comms = SimpleNamespace(send=lambda msg: supervisor.send(msg))
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", comms, raising=False)
    supervisor.hold.clear()
    ti_id = str(uuid4())
    asked: Any = persons_answer(ti_id) if reads else close_persons_request(ti_id, ["Approve"], {})
    first = asyncio.ensure_future(asked)
    while not supervisor.asked:
        await asyncio.sleep(0)
    first.cancel()
    supervisor.hold.set()
    assert await in_airflow(supervisor.send, "second") == "second"
    assert supervisor.answers == []


@pytest.fixture
async def supervised(monkeypatch: pytest.MonkeyPatch) -> Supervisor:
    """What Airflow does for a hook asks that supervisor, and there is no asynchronous way, as before 3.3.2."""
    supervisor = Supervisor()

    def asking(name: str, call: Any) -> Any:
        def ask(*args: Any, **kwargs: Any) -> Any:
            supervisor.send(name)
            return call(*args, **kwargs)

        return ask

    for one in {type(compat.BaseHook.get_connection("flyte_default")), compat.find("Connection")}:
        monkeypatch.delattr(one, "aextra_dejson", raising=False)
    monkeypatch.setattr(FlyteHook, "get_connection", asking("connection", FlyteHook.get_connection))
    mask = sys.modules[compat._HOMES["mask_secret"][AIRFLOW < (3,)]]
    monkeypatch.setattr(mask, "mask_secret", asking("mask", mask.mask_secret))
    monkeypatch.delattr(mask, "amask_secret", raising=False)
    return supervisor


@pytest.fixture
def with_secret(flyte_default: LocalFlyte, monkeypatch: pytest.MonkeyPatch) -> None:
    stored = connection_json(flyte_default, secret_metadata={"x-proxy": "made-up-secret"})
    monkeypatch.setenv("AIRFLOW_CONN_FLYTE_DEFAULT", stored)


async def test_a_hook_asks_the_supervisor_in_its_own_loop(with_secret: None, supervised: Supervisor) -> None:
    configs = await asyncio.gather(*(FlyteHook().aget_config() for _ in range(8)))
    assert len(configs) == 8
    assert Counter(supervised.asked) >= Counter({"connection": 8, "mask": 16})


async def test_a_trigger_that_is_cancelled_leaves_no_answer_behind(with_secret: None, supervised: Supervisor) -> None:
    supervised.hold.clear()
    reading = asyncio.ensure_future(FlyteHook().aget_config())
    while not supervised.asked:
        await asyncio.sleep(0)
    reading.cancel()
    supervised.hold.set()
    assert await FlyteHook().aget_config()
    assert supervised.answers == []


class TaskInstance:
    """One of Airflow 3.0 in ``dag.test()``, as far as a sensor asks it."""

    task_id = "wait"

    def get_first_reschedule_date(self, context: Any) -> str:
        return "2026-11-26T14:00:00Z"


def test_the_first_reschedule_is_a_date_where_airflow_gives_a_text() -> None:
    """Airflow's own sensor subtracts it from now."""
    sensor = FlyteRunSensor(task_id="wait", run_name="r1", mode="reschedule")
    given: Any = {"ti": TaskInstance(), "run_id": "manual__1"}
    date = datetime(2026, 11, 26, 14, tzinfo=timezone.utc)
    context: Any
    began, context = first_reschedule(given, sensor)
    assert began == date.timestamp()
    assert context["ti"].get_first_reschedule_date(context) == date
    assert (context["ti"].task_id, context["run_id"]) == ("wait", "manual__1")


RESCHEDULED = """
from airflow import DAG
from airflow_provider_flyte.sensors import FlyteRunSensor

with DAG(dag_id="rescheduled", schedule=None) as dag:
    FlyteRunSensor(task_id="wait", run_name="r1", mode="reschedule", poke_interval=0.1, timeout=60)
"""


def test_a_sensor_that_is_rescheduled_in_a_test_of_its_dag(airflow_db: None, flyte_default: LocalFlyte) -> None:
    """Airflow's own sensor asks for the date at its second look, and counts with it where the run is not over then."""
    run = flyte_default.run("r1").move("RUNNING")

    def end_after_the_second_poke() -> None:
        flyte_default.wait_for_call("GetRunDetails", 2, timeout=100)
        run.succeeds()

    ending = threading.Thread(target=end_after_the_second_poke)
    ending.start()
    (DAGS_FOLDER / "rescheduled.py").write_text(RESCHEDULED)
    [ti] = load_dag_file("rescheduled").dag.test().get_task_instances()
    ending.join()
    assert (ti.state, ti.try_number) == ("success", 1)


def test_a_trigger_for_assets_is_there_or_says_what_it_needs() -> None:
    if AIRFLOW >= (3,):
        path, _ = FlyteRunsTrigger(task_name="demo.train").serialize()
        assert path == "airflow_provider_flyte.triggers.FlyteRunsTrigger"
    else:
        with pytest.raises(FlyteArgumentError, match=r"FlyteRunsTrigger needs Airflow 3\.0 or newer"):
            FlyteRunsTrigger(task_name="demo.train")
