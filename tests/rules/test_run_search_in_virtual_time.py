"""A trigger that looks for its run -> its event, its calls and its log. In virtual time, by a scripted Flyte."""

from __future__ import annotations

import asyncio
from datetime import datetime, timezone
from typing import Any

import pytest

from airflow_provider_flyte.client import RunWatcher
from airflow_provider_flyte.client.errors import Status
from airflow_provider_flyte.triggers import FlyteRunTrigger
from airflow_provider_flyte.wait import shared_watcher
from airflow_provider_flyte.wait.run_search import as_arguments, sought
from tests.support.born_runs import EPOCH, TASK, FlyteOfRuns, wall
from tests.support.driving import lines_of
from tests.support.scripted_flyte import Connected, refusal
from tests.support.virtual_time import until

HOUR = 3600.0
BEGAN = EPOCH / 1_000_000

SOUGHT = "the first run of Flyte task demo.train created since 2026-11-18T10:06:40Z"


def at(seconds: float) -> str:
    """A time by the loop's clock, in ISO format."""
    return datetime.fromtimestamp(BEGAN + seconds, timezone.utc).isoformat()


class Triggerer:
    """A triggerer's loop, and a Flyte."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.flyte = FlyteOfRuns()
        Connected(self.flyte, monkeypatch)
        defaults: Any = RunWatcher.__init__.__kwdefaults__
        monkeypatch.setitem(defaults, "clock", lambda: asyncio.get_running_loop().time())
        self.ended_at: list[float] = []

    def begin(self, *, search: dict[str, Any] | None = None, **arguments: Any) -> asyncio.Task[Any]:
        given: dict[str, Any] = {"search": {"task_name": TASK, "since": at(-HOUR), **(search or {})}}
        made: Any = FlyteRunTrigger(**given | {"poll_interval": 60.0} | arguments)
        # As Airflow makes it from what it has stored.
        made = FlyteRunTrigger(**made.serialize()[1])
        made._now = lambda: wall() / 1_000_000
        self.lines = lines_of(made)
        return asyncio.ensure_future(self._event(made))

    async def _event(self, made: Any) -> Any:
        [event] = [event.payload async for event in made.run()]
        self.ended_at.append(asyncio.get_running_loop().time())
        return event

    def times(self) -> list[float]:
        return [asked.at for asked in self.flyte.calls()]


@pytest.fixture
async def triggerer(monkeypatch: pytest.MonkeyPatch, no_watcher_left: None) -> Triggerer:
    return Triggerer(monkeypatch)


async def test_a_run_that_comes(triggerer: Triggerer) -> None:
    waiting = triggerer.begin()
    await until(62)
    triggerer.flyte.launch("other", task="demo.other")
    triggerer.flyte.launch("r1")
    event = await waiting
    assert (event["ending"], event["run_name"], event["phase"]) == ("found", "r1", 1)
    assert triggerer.ended_at == [65.0]
    # The first look asks for what is before the window, too.
    assert triggerer.times() == [0.0, *(5.0 * look for look in range(14))]
    # No stream: only what waits for the end of a run needs one.
    assert {asked.rpc for asked in triggerer.flyte.asked} == {"ListRuns"}
    assert triggerer.lines == [
        "INFO: Waiting for a run of Flyte task demo.train over the Airflow connection 'flyte_default'.",
        f"INFO: Looking for {SOUGHT}, in p/development.",
        f"INFO: Found {SOUGHT}: Flyte run p/development/r1, created 2026-11-18T11:07:42+00:00, QUEUED.",
        "INFO: The wait for a run of Flyte task demo.train is over: run r1 was found.",
    ]


async def test_a_run_of_the_future_is_not_asked_for_more_often_than_needed(triggerer: Triggerer) -> None:
    """A day before the window: each look is a list of what cannot be there yet, and a line each half an hour."""
    waiting = triggerer.begin(search={"since": at(2 * HOUR)})
    await until(2 * HOUR + 1)
    triggerer.flyte.launch("r1")
    assert (await waiting)["run_name"] == "r1"
    still = [line for line in triggerer.lines if line.startswith("INFO: Still looking for the first run")]
    assert len(still) == 4
    assert still[0].endswith("Z. No run of this task was created in that window.")


async def test_a_window_that_closes(triggerer: Triggerer) -> None:
    waiting = triggerer.begin(search={"until": at(30)}, missing_after=60.0)
    triggerer.flyte.launch("before", created_at=EPOCH - int(1.02 * HOUR * 1_000_000))
    triggerer.flyte.launch("late", created_at=EPOCH + 30_000_000)
    event = await waiting
    assert (event["ending"], event["missing"], event["run_name"]) == ("missing", 1, "")
    # The end, five minutes for clocks, and missing_after.
    assert triggerer.ended_at == [390.0]
    assert triggerer.lines[-1].endswith("is over: there is no such run, and the window has closed.")
    waiting = triggerer.begin(search={"until": at(30)}, missing_after=None, deadline=BEGAN + 500)
    assert (await waiting)["ending"] == "timed_out"
    assert triggerer.ended_at[-1] == 500.0


async def test_a_run_that_is_created_late_in_its_window_is_found(triggerer: Triggerer) -> None:
    """By a clock that is four minutes behind."""
    waiting = triggerer.begin(search={"until": at(30)})
    await until(200)
    triggerer.flyte.launch("r1", created_at=EPOCH - 20_000_000)
    assert (await waiting)["run_name"] == "r1"


async def test_an_outage_is_logged_once_and_ends_the_search_by_its_rule(triggerer: Triggerer) -> None:
    away = False
    triggerer.flyte.fails = lambda asked: refusal(Status.UNAVAILABLE, "away") if away else None
    waiting = triggerer.begin(unreachable_after=100.0)
    await until(11)
    away = True
    await until(61)
    away = False
    await until(101)
    away = True
    event = await waiting
    assert (event["ending"], event["run_name"]) == ("unreachable", "")
    assert "away" in event["message"]
    assert triggerer.ended_at == [205.0]
    [one, two, three] = [line for line in triggerer.lines if line.startswith("WARNING")]
    assert one.startswith("WARNING: No answer from Flyte, still waiting: ")
    assert (two, three) == ("WARNING: Flyte answers again after 50 s.", one)
    # Whoever waits next reads the connection anew.
    assert shared_watcher._of_loop(asyncio.get_running_loop()) == {}


async def test_one_look_that_fails_is_no_outage(triggerer: Triggerer) -> None:
    waiting = triggerer.begin()
    await until(11)
    triggerer.flyte.fails = lambda asked: refusal(Status.UNAVAILABLE) if asked.at == 15.0 else None
    await until(31)
    triggerer.flyte.launch("r1")
    assert (await waiting)["run_name"] == "r1"
    assert [line for line in triggerer.lines if line.startswith("WARNING")] == []


async def test_what_cannot_be_looked_for_is_told_the_task(triggerer: Triggerer) -> None:
    event = await triggerer.begin(search={"since": "None"})
    assert event["ending"] == "no_connection"
    assert "since is 'None'" in event["message"]


async def test_many_that_look_share_a_rate(triggerer: Triggerer) -> None:
    """300 sensors ask no more than one that waits for a run each would have polled."""
    waiting = [triggerer.begin() for _ in range(300)]
    await until(59)
    asked = len([time for time in triggerer.times() if time < 59])
    assert 300 < asked <= 300 * 3
    triggerer.flyte.launch("r1")
    events = await asyncio.gather(*waiting)
    assert {event["run_name"] for event in events} == {"r1"}
    assert max(triggerer.ended_at) < 120


@pytest.mark.parametrize(
    ("settings", "looks"),
    [
        ({"poll_interval": 20.0}, [0.0, 20.0, 40.0]),
        ({"min_poll_interval": 30.0}, [0.0, 30.0]),
        # Searches take a sixth of the calls, and this is the only one.
        ({"max_calls_per_second": 0.3}, [0.0, 20.0, 40.0]),
    ],
)
async def test_a_search_goes_by_the_settings_of_the_watcher(
    triggerer: Triggerer, monkeypatch: pytest.MonkeyPatch, settings: dict[str, float], looks: list[float]
) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(f"AIRFLOW__FLYTE__{name.upper()}", str(value))
    waiting = triggerer.begin()
    await until(59)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    # The first look asks for what is before the window, too.
    assert triggerer.times() == [0.0, *looks]


async def test_trouble_that_lasts_ends_the_search_at_once(triggerer: Triggerer) -> None:
    triggerer.flyte.fails = lambda asked: refusal(Status.UNAUTHENTICATED, "who are you?")
    assert (await triggerer.begin())["ending"] == "unreachable"
    assert triggerer.ended_at == [0.0]


async def test_a_watcher_is_given_back(triggerer: Triggerer) -> None:
    """Also where a search is cancelled: the rate is for those that look."""
    waiting = triggerer.begin()
    await until(11)
    [shared] = shared_watcher._of_loop(asyncio.get_running_loop()).values()
    assert shared.ready is not None
    assert shared.ready.asking.searches == 1
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert shared.ready.asking.searches == 0


def test_what_a_trigger_is_given_means_the_same_again() -> None:
    given = {"task_name": "etl.load", "since": 60, "until": "2026-11-27T00:00:00+01:00", "labels": {"a": "b"}}
    first = sought(given | {"which": "newest"}, 1_700_000_000.25)
    assert first.since == 1_699_999_940_250_000
    assert sought(as_arguments(first), 1_800_000_000.0) == first
