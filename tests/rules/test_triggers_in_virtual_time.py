"""What a trigger waits for -> its event, and what it logs. In virtual time, by a scripted Flyte."""

from __future__ import annotations

import asyncio
import math
from typing import Any

import pytest

from airflow_provider_flyte.client import RunWatcher
from airflow_provider_flyte.client.errors import Status
from airflow_provider_flyte.client.phase import RunPhase
from airflow_provider_flyte.exceptions import FlyteArgumentError
from airflow_provider_flyte.triggers import FlyteLaunchedRunTrigger, FlyteRunTrigger
from airflow_provider_flyte.wait import shared_watcher
from airflow_provider_flyte.wait.event import Ending
from tests.support.driving import lines_of
from tests.support.scripted_flyte import THERE, Connected, ScriptedFlyte, refusal
from tests.support.virtual_time import until

RUNNING, SUCCEEDED, FAILED = RunPhase.RUNNING, RunPhase.SUCCEEDED, RunPhase.FAILED
BEGAN = 1_700_000_000.0
"""When the loop's time was 0, in seconds since the epoch."""


class Triggerer:
    """A triggerer's loop, and a Flyte."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.flyte = ScriptedFlyte()
        self.connection = Connected(self.flyte, monkeypatch)
        defaults: Any = RunWatcher.__init__.__kwdefaults__
        monkeypatch.setitem(defaults, "clock", lambda: asyncio.get_running_loop().time())
        self.loop = asyncio.get_running_loop()

    def now(self) -> float:
        return BEGAN + self.loop.time()

    def trigger(self, kind: type[FlyteRunTrigger] = FlyteRunTrigger, **arguments: Any) -> Any:
        made: Any = kind(**({} if "run_names" in arguments else {"run_name": "r1"}) | arguments)
        made._now = self.now
        self.lines = lines_of(made)
        return made

    async def event(self, made: Any) -> Any:
        """Its only event; ``at`` is when it came."""
        [event] = [event.payload async for event in made.run()]
        self.at = self.loop.time()
        return event

    @property
    def shared(self) -> dict[str, Any]:
        return shared_watcher._of_loop(self.loop)


@pytest.fixture
async def triggerer(monkeypatch: pytest.MonkeyPatch, no_watcher_left: None) -> Triggerer:
    return Triggerer(monkeypatch)


# -- one run


@pytest.mark.parametrize(
    ("phase", "ending"),
    [
        (SUCCEEDED, "succeeded"),
        (RunPhase.RECOVERED, "succeeded"),
        (FAILED, "failed"),
        (RunPhase.ABORTED, "failed"),
        (RunPhase.TIMED_OUT, "failed"),
    ],
)
async def test_the_end_of_a_run(triggerer: Triggerer, phase: int, ending: str) -> None:
    triggerer.flyte.run("r1", RUNNING)
    made = triggerer.trigger()
    waiting = asyncio.ensure_future(triggerer.event(made))
    await until(30)
    triggerer.flyte.run("r1", phase)
    triggerer.flyte.sends("r1")
    event = await waiting
    assert (event["ending"], event["run_name"], event["phase"], event["message"]) == (ending, "r1", phase, "")
    assert (event["missing"], triggerer.at) == (0, 30.0)
    assert triggerer.lines[0] == "INFO: Waiting for Flyte run r1 over the Airflow connection 'flyte_default'."
    assert triggerer.lines[-1].startswith("INFO: The wait for Flyte run r1 is over: run r1 ")
    assert triggerer.lines[-1].endswith(".")
    assert len(triggerer.lines) == 2
    # Released, once.
    assert triggerer.shared["flyte_default"].users == 0
    await made.cleanup()
    assert triggerer.shared["flyte_default"].users == 0


async def test_project_and_interval_are_the_triggers(triggerer: Triggerer) -> None:
    triggerer.flyte.run("r1", RUNNING, THERE)
    triggerer.flyte.fails = lambda asked: refusal(Status.UNIMPLEMENTED) if asked.rpc == "WatchRuns" else None
    made = triggerer.trigger(domain="staging", poll_interval=2.0)
    waiting = asyncio.ensure_future(triggerer.event(made))
    await until(31)
    assert {asked.where for asked in triggerer.flyte.asked} == {THERE}
    at = [asked.at for asked in triggerer.flyte.calls()]
    assert at[-1] - at[-2] == 2.0
    triggerer.flyte.run("r1", SUCCEEDED, THERE)
    assert (await waiting)["ending"] == "succeeded"


async def test_a_run_that_is_missing(triggerer: Triggerer) -> None:
    event = await triggerer.event(triggerer.trigger(missing_after=20.0))
    assert (event["ending"], event["phase"], event["missing"]) == ("missing", None, 1)
    assert 20 <= triggerer.at <= 26


async def test_a_flyte_that_does_not_answer(triggerer: Triggerer) -> None:
    triggerer.flyte.run("r1", RUNNING)
    triggerer.flyte.fails = lambda asked: refusal(Status.UNAVAILABLE, "away")
    made = triggerer.trigger(unreachable_after=100.0)
    event = await triggerer.event(made)
    assert event["ending"] == "unreachable"
    assert "away" in event["message"]
    assert 100 <= triggerer.at <= 103
    warned, *progress, over = triggerer.lines[1:]
    assert warned.startswith("WARNING: No answer from Flyte, still waiting: ")
    assert [line.startswith("INFO: Still waiting. Flyte has given no answer") for line in progress] == [True]
    assert over == f"INFO: The wait for Flyte run r1 is over: Flyte gave no usable answer: {event['message']}"
    # Later waits read the connection anew.
    assert "flyte_default" not in triggerer.shared


@pytest.mark.parametrize(
    ("deadlines", "ending", "at"),
    [
        ({"deadline": 40.0}, Ending.TIMED_OUT, 40.0),
        ({"execution_deadline": 40.0}, Ending.TASK_TIMED_OUT, 40.0),
        ({"deadline": 40.0, "execution_deadline": 30.0}, Ending.TASK_TIMED_OUT, 30.0),
        ({"deadline": 30.0, "execution_deadline": 40.0}, Ending.TIMED_OUT, 30.0),
        # Of both that have passed the earlier one.
        ({"deadline": -5.0, "execution_deadline": -9.0}, Ending.TASK_TIMED_OUT, 0.0),
        ({"deadline": -9.0, "execution_deadline": -5.0}, Ending.TIMED_OUT, 0.0),
    ],
)
async def test_deadlines(triggerer: Triggerer, deadlines: dict[str, Any], ending: Ending, at: float) -> None:
    triggerer.flyte.run("r1", RUNNING)
    event = await triggerer.event(triggerer.trigger(**{name: BEGAN + when for name, when in deadlines.items()}))
    assert (event["ending"], triggerer.at) == (ending.value, at)
    assert event["run_name"] == "r1"


@pytest.mark.parametrize(
    ("deadlines", "ending"),
    [
        ({"queued_deadline": 40.0}, Ending.QUEUED),
        ({"queued_deadline": 30.0, "execution_deadline": 40.0}, Ending.QUEUED),
        ({"queued_deadline": 40.0, "execution_deadline": 30.0}, Ending.TASK_TIMED_OUT),
        # What ends the task goes before what only has a worker look.
        ({"queued_deadline": -9.0, "execution_deadline": -5.0}, Ending.TASK_TIMED_OUT),
        ({"queued_deadline": -9.0, "execution_deadline": 40.0}, Ending.QUEUED),
    ],
)
async def test_deadlines_of_a_launched_run(triggerer: Triggerer, deadlines: dict[str, Any], ending: Ending) -> None:
    triggerer.flyte.run("r1", RunPhase.QUEUED)
    given = {name: BEGAN + when for name, when in deadlines.items()}
    event = await triggerer.event(triggerer.trigger(FlyteLaunchedRunTrigger, **given))
    assert event["ending"] == ending.value


@pytest.mark.parametrize(("not_before", "at"), [(None, 0.0), (-1.0, 0.0), (0.0, 0.0), (0.5, 0.5), (7.4, 7.4)])
async def test_an_event_is_held(triggerer: Triggerer, not_before: float | None, at: float) -> None:
    triggerer.flyte.run("r1", SUCCEEDED)
    made = triggerer.trigger(not_before=None if not_before is None else BEGAN + not_before)
    await triggerer.event(made)
    assert triggerer.at == pytest.approx(at, abs=1e-3)
    held = [line for line in triggerer.lines if "stays deferred" in line]
    assert len(held) == (at > 0)
    assert all(f"stays deferred for {math.ceil(at)} s more (resume_after)" in line for line in held)


async def test_a_cancellation_is_no_event(triggerer: Triggerer) -> None:
    triggerer.flyte.run("r1", RUNNING)
    waiting = asyncio.ensure_future(triggerer.event(triggerer.trigger()))
    await until(5)
    assert triggerer.shared["flyte_default"].users == 1
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert triggerer.shared["flyte_default"].users == 0
    assert len(triggerer.lines) == 1


async def test_what_airflow_cleans_up_is_given_back(triggerer: Triggerer) -> None:
    made = triggerer.trigger()
    waiting = asyncio.ensure_future(triggerer.event(made))
    await until(5)
    await made.cleanup()
    assert triggerer.shared["flyte_default"].users == 0
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert triggerer.shared["flyte_default"].users == 0


# -- several


async def several(triggerer: Triggerer, phases: dict[str, int | None], **arguments: Any) -> Any:
    for name, phase in phases.items():
        if phase is not None:
            triggerer.flyte.run(name, phase)
    return await triggerer.event(triggerer.trigger(run_names=list(phases), deadline=BEGAN + 200.0, **arguments))


@pytest.mark.parametrize(
    ("phases", "arguments", "ending"),
    [
        ({"a": SUCCEEDED, "b": SUCCEEDED}, {}, "succeeded"),
        ({"a": SUCCEEDED, "b": RUNNING}, {}, "timed_out"),
        ({"a": SUCCEEDED, "b": RUNNING}, {"any_one": True}, "succeeded"),
        ({"a": FAILED, "b": RUNNING}, {}, "failed"),
        ({"a": FAILED, "b": RUNNING}, {"fail_fast": False}, "timed_out"),
        ({"a": FAILED, "b": SUCCEEDED}, {"fail_fast": False}, "failed"),
        ({"a": None, "b": SUCCEEDED}, {}, "missing"),
    ],
)
async def test_how_several_stand(
    triggerer: Triggerer, phases: dict[str, int | None], arguments: dict[str, Any], ending: str
) -> None:
    event = await several(triggerer, phases, **arguments)
    assert event["ending"] == ending
    assert event["missing"] == (ending == "missing")
    assert triggerer.lines[0].startswith("INFO: Waiting for 2 Flyte runs over")


async def test_how_many_are_missing(triggerer: Triggerer) -> None:
    event = await several(triggerer, {"a": None, "b": None, "c": SUCCEEDED}, fail_fast=False)
    assert (event["ending"], event["missing"]) == ("missing", 2)


async def test_ends_are_logged_one_by_one_and_then_seldom(triggerer: Triggerer) -> None:
    names = [f"r{number}" for number in range(70)]
    await several(triggerer, dict.fromkeys(names, SUCCEEDED))
    ends = [line for line in triggerer.lines if " of 70 Flyte runs" in line]
    assert ends[0].startswith("INFO: 1 of 70 Flyte runs: run r")
    assert ends[0].endswith(" has succeeded.")
    assert [line.split()[1] for line in ends[:20]] == [str(number) for number in range(1, 21)]
    assert ends[20:] == [f"INFO: {number} of 70 Flyte runs have ended." for number in (32, 64, 70)]


async def test_for_one_run_nothing_is_counted(triggerer: Triggerer) -> None:
    triggerer.flyte.run("r1", FAILED)
    await triggerer.event(triggerer.trigger())
    assert not [line for line in triggerer.lines if " of " in line and "Flyte runs" in line]


# -- the connection


async def test_a_connection_that_cannot_be_used(triggerer: Triggerer) -> None:
    triggerer.connection.change(timeout="soon")
    event = await triggerer.event(triggerer.trigger())
    assert (event["ending"], event["run_name"]) == ("no_connection", "r1")
    assert "timeout" in event["message"]


async def test_a_project_that_is_not_known(triggerer: Triggerer) -> None:
    triggerer.connection.change(project="")
    event = await triggerer.event(triggerer.trigger())
    assert event["ending"] == "no_connection"


async def test_a_connection_that_is_mended_meanwhile(triggerer: Triggerer) -> None:
    """With ``silent_fail``."""
    triggerer.connection.change(timeout="soon")
    triggerer.flyte.run("r1", SUCCEEDED)
    waiting = asyncio.ensure_future(triggerer.event(triggerer.trigger(keep_waiting=True)))
    await until(12)
    triggerer.connection.change()
    assert (await waiting)["ending"] == "succeeded"
    assert triggerer.at == 15.0
    lines = [line for line in triggerer.lines if line.startswith("WARNING: Still waiting for Flyte run r1. ")]
    assert len(lines) == 3


async def test_a_deadline_while_the_connection_is_waited_for(triggerer: Triggerer) -> None:
    triggerer.connection.change(timeout="soon")
    event = await triggerer.event(triggerer.trigger(keep_waiting=True, deadline=BEGAN + 12.0))
    assert (event["ending"], triggerer.at) == ("timed_out", 12.0)


@pytest.mark.parametrize(("limit", "at"), [(12.0, 15.0), (15.0, 15.0), (None, 50.0)])
async def test_an_airflow_that_cannot_give_the_connection(
    triggerer: Triggerer, monkeypatch: pytest.MonkeyPatch, limit: float | None, at: float
) -> None:
    from airflow_provider_flyte import hooks
    from airflow_provider_flyte.compat.connections import aconnection

    async def away(*_: Any) -> Any:
        if triggerer.loop.time() < 48.0:
            raise OSError("no API server")
        return await aconnection(*_)

    monkeypatch.setattr(hooks, "aconnection", away)
    triggerer.flyte.run("r1", SUCCEEDED)
    event = await triggerer.event(triggerer.trigger(unreachable_after=limit))
    assert triggerer.at == at
    words = "The Airflow connection could not be read: OSError: no API server"
    if limit is None:
        assert event["ending"] == "succeeded"
    else:
        assert (event["ending"], event["message"]) == ("unreachable", words)
    assert triggerer.lines[0] == f"WARNING: Still waiting for Flyte run r1. {words}"


async def test_an_error_that_nobody_expects_is_an_event(triggerer: Triggerer) -> None:
    made = triggerer.trigger()

    def breaks() -> None:
        raise ValueError("broken")

    made._log_beginning = breaks
    event = await triggerer.event(made)
    assert (event["ending"], event["message"]) == ("crashed", "ValueError: broken")
    assert triggerer.lines[0].startswith("ERROR: The wait for Flyte run r1 failed in the triggerer")


# -- one watcher for all


async def test_all_share_one_watcher(triggerer: Triggerer) -> None:
    for name in ("r1", "r2", "r3"):
        triggerer.flyte.run(name, RUNNING)
    waits = [asyncio.ensure_future(triggerer.event(triggerer.trigger(run_name=name))) for name in ("r1", "r2", "r3")]
    await until(5)
    shared = triggerer.shared["flyte_default"]
    assert shared.users == 3
    assert len(shared.ready) == 3
    assert {asked.names for asked in triggerer.flyte.calls()} == {("r1", "r2", "r3")}
    for name in ("r1", "r2", "r3"):
        triggerer.flyte.run(name, SUCCEEDED)
    triggerer.flyte.sends("r1", "r2", "r3")
    await asyncio.gather(*waits)
    assert shared.users == 0
    # It stays for a minute, for whoever comes next.
    await until(triggerer.loop.time() + 59.9)
    assert triggerer.shared["flyte_default"] is shared
    await triggerer.event(triggerer.trigger())
    assert triggerer.shared["flyte_default"] is shared
    await until(triggerer.loop.time() + 59.9)
    assert triggerer.shared["flyte_default"] is shared
    await until(triggerer.loop.time() + 0.2)
    assert triggerer.shared == {}
    assert asyncio.all_tasks() == {asyncio.current_task()}


# -- what is stored


def test_what_is_stored() -> None:
    given = {
        "run_name": "r1",
        "project": "p",
        "domain": "d",
        "flyte_conn_id": "c",
        "poll_interval": 7.0,
        "deadline": 8.0,
        "execution_deadline": 9.0,
        "not_before": 10.0,
        "missing_after": 11.0,
        "unreachable_after": 12.0,
        "keep_waiting": True,
        "run_names": None,
        "any_one": True,
        "fail_fast": False,
        "log_progress": True,
        "stream_logs": True,
        "logs": {"r1": {"attempt": 2}},
        "search": {"task_name": "etl.load", "since": "2026-11-27"},
        "on_paused": "fail",
    }
    assert FlyteRunTrigger(**given).serialize() == ("airflow_provider_flyte.triggers.FlyteRunTrigger", given)  # type: ignore[arg-type]
    defaults = FlyteRunTrigger("r1").serialize()[1]
    assert (defaults["any_one"], defaults["fail_fast"], defaults["keep_waiting"]) == (False, True, False)
    assert defaults["log_progress"] is False
    assert {defaults[name] for name in ("stream_logs", "logs", "search", "on_paused")} == {None}
    assert (defaults["run_name"], defaults["run_names"], FlyteRunTrigger().run_name) == ("r1", None, "")


def test_a_trigger_has_few_enough_attributes() -> None:
    """Python 3.11 shares the names of 30 among all instances; with one more a trigger took 1,700 bytes, not 400."""
    assert len(vars(FlyteLaunchedRunTrigger(run_name="r1"))) <= 30


@pytest.mark.parametrize(
    "wrong",
    [
        {"deadline": "soon"},
        {"execution_deadline": "soon"},
        {"not_before": "soon"},
        {"poll_interval": 0.0},
        {"missing_after": -1.0},
        {"unreachable_after": -1.0},
        {"keep_waiting": "yes"},
        {"any_one": "yes"},
        {"fail_fast": "yes"},
        {"log_progress": "yes"},
        {"stream_logs": "yes"},
    ],
)
def test_arguments_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    [name] = wrong
    with pytest.raises(FlyteArgumentError, match=name):
        FlyteRunTrigger("r1", **wrong)
