"""FlyteRunTrigger on a real loop and a real server: one event on every way out, and shared work."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import json
import logging
import time
from typing import Any

import pytest

from airflow_provider_flyte.testing import LocalFlyte, garbled, status, unavailable
from airflow_provider_flyte.triggers import FlyteRunTrigger
from airflow_provider_flyte.wait import shared_watcher
from tests.support.own_airflow import connection_json

pytestmark = [pytest.mark.one_transport("grpc"), pytest.mark.usefixtures("no_watcher_left")]


def trigger(**arguments: Any) -> FlyteRunTrigger:
    given: dict[str, Any] = {"run_name": "r1", "poll_interval": 0.5}
    return FlyteRunTrigger(**given | arguments)


async def ending(made: FlyteRunTrigger) -> dict[str, Any]:
    """The one event, JSON as Airflow stores it; after it there is none."""
    events = [event.payload async for event in made.run()]
    assert len(events) == 1
    payload: dict[str, Any] = json.loads(json.dumps(events[0]))
    return payload


def test_serialize_is_the_signature_and_later_arguments_have_defaults() -> None:
    path, kwargs = trigger().serialize()
    parameters = inspect.signature(FlyteRunTrigger).parameters
    assert path == "airflow_provider_flyte.triggers.FlyteRunTrigger"
    assert set(kwargs) == set(parameters)
    assert [name for name, parameter in parameters.items() if parameter.default is parameter.empty] == []
    changed = {
        name: _other(parameter.default, place, f"changed-{name}")
        for place, (name, parameter) in enumerate(parameters.items())
    }
    for name in ("deadline", "execution_deadline", "not_before"):
        changed[name] = 7.0 + len(name)
    changed |= {"stream_logs": True, "on_paused": "log"}
    assert FlyteRunTrigger(**changed).serialize()[1] == changed


def _other(default: Any, place: int, text: str) -> Any:
    """Another value than the default, of its kind."""
    if isinstance(default, bool):
        return not default
    return 7.0 + place if isinstance(default, float) else text


def test_triggers_stored_before_an_upgrade_still_load() -> None:
    FlyteRunTrigger(run_name="r1", project="p", domain="d", flyte_conn_id="c", deadline=1.0)


@pytest.mark.usefixtures("airflow_db")
async def test_each_way_a_run_can_end(flyte_default: LocalFlyte) -> None:
    flyte_default.run("r1").phases("QUEUED", "RUNNING", "SUCCEEDED", every=0.1)
    flyte_default.run("r2").fails(kind="USER", message="no rows")
    flyte_default.run("r3").phases("RUNNING")
    ends = await asyncio.gather(
        ending(trigger()),
        ending(trigger(run_name="r2")),
        ending(trigger(run_name="r3", deadline=1.0)),
        ending(trigger(run_name="r3", deadline=2.0, execution_deadline=1.0)),
        ending(trigger(run_name="r4", missing_after=0.2)),
        ending(trigger(flyte_conn_id="absent")),
        ending(trigger(run_name="NO")),
    )
    assert [end["ending"] for end in ends] == [
        "succeeded",
        "failed",
        "timed_out",
        "task_timed_out",
        "missing",
        "no_connection",
        "no_connection",
    ]
    assert "There is no Airflow connection 'absent'" in ends[5]["message"]


async def test_trouble_is_its_own_ending(flyte_default: LocalFlyte) -> None:
    flyte_default.run("r1").phases("RUNNING")
    flyte_default.inject("*", unavailable("try later"))
    end = await ending(trigger(unreachable_after=0.3))
    assert end["ending"] == "unreachable"
    assert "try later" in end["message"]


async def test_trouble_that_nobody_can_wait_out_ends_at_once(flyte_default: LocalFlyte) -> None:
    flyte_default.inject("*", status("UNAUTHENTICATED", "who are you"))
    end = await ending(trigger())
    assert end["ending"] == "unreachable"
    assert "Check the credentials in the Flyte connection" in end["message"]


async def test_silent_fail_waits_through_everything(flyte_default: LocalFlyte, monkeypatch: pytest.MonkeyPatch) -> None:
    flyte_default.run("r1").phases("RUNNING")
    flyte_default.inject("*", garbled(times=2))
    waiting = asyncio.ensure_future(ending(trigger(missing_after=None, unreachable_after=None, keep_waiting=True)))
    await flyte_default.wait_for_call_async("ListRuns", 3)
    flyte_default.run("r1").succeeds()
    assert (await waiting)["ending"] == "succeeded"


async def test_an_event_is_held_until_the_scheduler_can_take_it(flyte_default: LocalFlyte) -> None:
    flyte_default.run("r1").succeeds()
    slept: list[float] = []

    class Held(FlyteRunTrigger):
        @staticmethod
        def _now() -> float:
            return 1000.0 + sum(slept)

        @staticmethod
        async def _sleep(seconds: float) -> None:
            slept.append(seconds)

    assert (await ending(Held("r1", not_before=1010.0)))["ending"] == "succeeded"
    assert slept == [10.0]
    assert (await ending(Held("r1", not_before=1000.0)))["ending"] == "succeeded"
    assert slept == [10.0]


async def test_cancellation_is_no_event(flyte_default: LocalFlyte) -> None:
    flyte_default.run("r1").phases("RUNNING")
    made = trigger()
    events: list[Any] = []

    async def consume() -> None:
        events.extend([event async for event in made.run()])

    task = asyncio.ensure_future(consume())
    await flyte_default.wait_for_call_async("ListRuns")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await made.cleanup()
    await made.cleanup()
    assert events == []


async def test_a_closed_generator_gives_the_watcher_back(flyte_default: LocalFlyte) -> None:
    """``dag.test()`` takes the first event, cancels the generator and never calls cleanup()."""
    flyte_default.run("r1").succeeds()
    generator = trigger().run()
    await generator.__anext__()
    await generator.aclose()  # type: ignore[attr-defined]
    assert shared_watcher._of_loop(asyncio.get_running_loop())["flyte_default"].users == 0


async def test_all_triggers_of_a_loop_share_one_poll_and_one_reading(
    flyte_default: LocalFlyte, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    # Each reading of this connection leaves one line in the log.
    monkeypatch.setenv("AIRFLOW_CONN_FLYTE_DEFAULT", connection_json(flyte_default, typo="x"))
    names = [f"r{number}" for number in range(300)]
    for name in names:
        flyte_default.run(name).phases("RUNNING")
    waits = [asyncio.ensure_future(ending(trigger(run_name=name))) for name in names]
    await flyte_default.wait_for_call_async("ListRuns", 2)
    for name in names:
        flyte_default.run(name).succeeds()
    assert {end["ending"] for end in await asyncio.gather(*waits)} == {"succeeded"}
    assert caplog.text.count("unknown extra fields ['typo'] are ignored") == 1
    polls = len(flyte_default.calls("ListRuns"))
    assert polls < 30, "a poll is for all waits, not for each"
    assert flyte_default.calls("GetRunDetails") == []


async def test_only_triggers_that_have_to_wait_for_the_watcher_make_a_task(flyte_default: LocalFlyte) -> None:
    def made() -> int:
        codes = [task.get_coro().cr_code.co_filename for task in asyncio.all_tasks()]  # type: ignore[union-attr]
        return codes.count(inspect.getfile(FlyteRunTrigger))

    flyte_default.run("r1").move("RUNNING")
    waits = []
    for expected in (1, 0):
        waits.append(asyncio.ensure_future(ending(trigger(deadline=time.time() + 60))))
        await asyncio.sleep(0)  # it has begun
        assert made() == expected
        await flyte_default.wait_for_call_async("WatchRuns")
    flyte_default.run("r1").succeeds()
    assert [end["ending"] for end in await asyncio.gather(*waits)] == ["succeeded"] * 2


async def test_a_trigger_that_is_cancelled_while_the_connection_is_read_harms_no_other(
    flyte_default: LocalFlyte,
) -> None:
    flyte_default.run("r1").succeeds()
    first, second = (asyncio.ensure_future(ending(trigger())) for _ in range(2))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    first.cancel()
    assert (await second)["ending"] == "succeeded"
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_news_goes_to_the_log_of_the_wait_that_it_is_about(
    flyte_default: LocalFlyte, caplog: pytest.LogCaptureFixture
) -> None:
    """Airflow routes log lines by context variables; the shared task must not speak in one wait's context."""
    whose: contextvars.ContextVar[str] = contextvars.ContextVar("whose", default="nobody")
    lines: list[tuple[str, str]] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append((whose.get(), record.getMessage()))

    handler = Handler()
    made = {name: trigger(run_name=name) for name in ("r1", "r2")}

    async def wait(name: str) -> None:
        whose.set(name)
        await ending(made[name])

    for name, each in made.items():
        flyte_default.run(name).phases("RUNNING")
        log = logging.getLogger(f"test.{name}")
        log.addHandler(handler)
        each._log = log  # type: ignore[assignment]
    flyte_default.inject("ListRuns", unavailable(times=3))
    waits = [asyncio.ensure_future(wait(name)) for name in made]
    await flyte_default.wait_for_call_async("ListRuns", 3)
    for name in made:
        flyte_default.run(name).succeeds()
    await asyncio.gather(*waits)
    for name in made:
        mine = [line for whom, line in lines if whom == name]
        assert any("No answer from Flyte, still waiting" in line for line in mine)
        assert any("Flyte answers again" in line for line in mine)
    assert not [line for whom, line in lines if whom == "nobody"]


async def test_the_connection_is_read_again_after_a_failure(
    local_flyte: LocalFlyte, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (await ending(trigger(flyte_conn_id="later")))["ending"] == "no_connection"
    local_flyte.run("r1").succeeds()
    monkeypatch.setenv("AIRFLOW_CONN_LATER", connection_json(local_flyte))
    assert (await ending(trigger(flyte_conn_id="later")))["ending"] == "succeeded"


async def test_a_connection_that_led_nowhere_is_read_again(
    local_flyte: LocalFlyte, monkeypatch: pytest.MonkeyPatch
) -> None:
    local_flyte.run("r1").succeeds()
    monkeypatch.setenv("AIRFLOW_CONN_FLYTE_DEFAULT", connection_json(local_flyte, insecure=False))
    assert (await ending(trigger()))["ending"] == "unreachable"
    monkeypatch.setenv("AIRFLOW_CONN_FLYTE_DEFAULT", connection_json(local_flyte))
    assert (await ending(trigger()))["ending"] == "succeeded"


async def test_what_is_done_for_all_waits_is_in_nobodys_log(
    flyte_default: LocalFlyte, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first wait starts the shared work; its log must not get the lines of the others for ever."""
    whose: contextvars.ContextVar[str] = contextvars.ContextVar("whose", default="nobody")
    lines: dict[str, str] = {}

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines[record.getMessage()] = whose.get()

    async def wait() -> None:
        whose.set("r1")
        await ending(trigger())

    handler = Handler()
    logging.getLogger("airflow_provider_flyte").addHandler(handler)
    # One line from the reading of the connection, one from the watcher.
    monkeypatch.setenv("AIRFLOW_CONN_FLYTE_DEFAULT", connection_json(flyte_default, typo="x"))
    flyte_default.run("r1").phases(99)
    waiting = asyncio.ensure_future(wait())
    await flyte_default.wait_for_call_async("ListRuns", 2)
    flyte_default.run("r1").succeeds()
    await waiting
    logging.getLogger("airflow_provider_flyte").removeHandler(handler)
    [read] = [whom for line, whom in lines.items() if "unknown extra fields" in line]
    [watched] = [whom for line, whom in lines.items() if "is in phase 99" in line]
    assert (read, watched) == ("nobody", "nobody")
