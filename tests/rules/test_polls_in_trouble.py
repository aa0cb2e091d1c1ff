"""How projects are polled while calls fail. In virtual time, by a table of runs."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from airflow_provider_flyte.client import FlyteClient
from airflow_provider_flyte.client.errors import Status
from airflow_provider_flyte.client.phase import RunPhase
from airflow_provider_flyte.client.verdict import Outcome, WaitRules
from tests.support.scripted_flyte import ScriptedFlyte
from tests.support.virtual_time import until
from tests.support.waiting_world import World, fails, times

RUNNING, SUCCEEDED = RunPhase.RUNNING, RunPhase.SUCCEEDED
AWAY = Status.UNAVAILABLE


async def test_in_trouble_one_poll_shows_whether_it_is_over(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow_provider_flyte.client.watch.waits.NAMES_A_CALL", 20)
    world.begin()
    names = [f"r{number}" for number in range(41)]
    for name in names:
        world.flyte.run(name, RUNNING)
    world.wait(*names, "absent")
    await until(21)
    seen = len(world.flyte.asked)
    world.flyte.fails = fails(AWAY, "ListRuns")
    await until(60)
    at = times(world.flyte.asked[seen:])
    # The first round meets it with all of its polls: three groups, and the run that is not there yet.
    assert at.count(at[0]) == 4
    assert len(set(at[4:])) == len(at[4:]) > 10
    # They come sooner than usual, but spread.
    pauses = [later - one for one, later in itertools.pairwise(at)]
    assert max(pauses) <= 2.0
    # Each log has it once.
    assert {len(lines) for lines in world.lines.values()} == {1}
    assert all("No answer from Flyte, still waiting: " in lines[0] for lines in world.lines.values())
    world.flyte.fails = lambda asked: None
    seen = len(world.flyte.asked)
    await until(63)
    again = world.flyte.asked[seen:]
    # In the round that meets an answer all others are asked too.
    assert len([each for each in again if each.at == again[0].at]) == 4
    assert {len(lines) for lines in world.lines.values()} == {2}
    assert all("Flyte answers again after" in lines[1] for lines in world.lines.values())
    # From now on nothing is logged, and the pace is the usual one.
    await until(120)
    at = sorted({each.at for each in world.flyte.asked[seen:]})
    assert at[-1] - at[-2] == 5.0


async def test_one_failure_between_answers_is_no_trouble(world: World) -> None:
    world.begin()
    world.flyte.run("r1", RUNNING)
    world.wait("r1")
    await until(21)
    seen = len(world.flyte.asked)
    world.flyte.fails = fails(AWAY, "ListRuns", when=lambda asked: len(world.flyte.asked) == seen + 1)
    await until(60)
    assert world.lines == {"r1": []}


async def test_of_many_pages_none_is_asked_for_after_the_first_trouble(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Runs that are not there yet, in fifty pages: each round of an outage made fifty calls."""
    monkeypatch.setattr("airflow_provider_flyte.client.watch.project_polls.PAGE_SIZE", 2)
    world.begin()
    world.flyte.takes = 0.01
    names = [f"r{number}" for number in range(100)]
    world.wait(*names)
    await until(21)
    assert len(world.flyte.asked) % 50 == 0
    assert world.flyte.most_at_once == 10
    world.flyte.fails = fails(AWAY, "ListRuns")
    world.flyte.asked.clear()
    await until(26)
    # Those that were on their way, and then one a round shows whether it is over.
    at = times(world.flyte.asked)
    assert at.count(at[0]) == 10
    assert len(at) == 10 + len(set(at[10:]))
    await until(60)
    # What is on its way now gets an answer, and is not asked for again so soon.
    while world.flyte.at_once:
        await asyncio.sleep(world.flyte.takes)
    world.flyte.fails = lambda asked: None
    world.flyte.asked.clear()
    await until(63)
    assert {name for asked in world.flyte.asked for name in asked.names} == set(names)


@pytest.mark.parametrize("name", ["r1", "gone"])
async def test_failures_between_answers_are_no_trouble(
    world: World, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    world.begin()
    world.flyte.run("r1", RUNNING)
    world.wait(name)
    await until(21)
    world.flyte.fails = fails(AWAY, "ListRuns", when=lambda asked: len(world.flyte.asked) % 2 == 0)
    await until(120)
    assert len(world.flyte.asked) > 20
    assert world.lines == {name: []}
    assert caplog.records == []


@pytest.mark.parametrize("code", [Status.UNAUTHENTICATED, Status.PERMISSION_DENIED])
async def test_a_refusal_ends_waits_at_once(world: World, code: Status) -> None:
    world.begin(rules=WaitRules())
    world.flyte.run("r1", RUNNING)
    world.wait("r1")
    await until(21)
    world.flyte.fails = fails(code, "ListRuns")
    await until(26)
    assert world.outcomes == {"r1": Outcome.UNREACHABLE}
    assert world.ended_at["r1"] == pytest.approx(25.39, abs=0.01)


async def test_another_client_is_asked_in_the_same_round(world: World) -> None:
    old, new = world.flyte, ScriptedFlyte()

    async def renew() -> FlyteClient:
        return new.client

    world.begin(renew=renew, rules=WaitRules())
    old.run("r1", RUNNING)
    new.run("r1", RUNNING)
    world.wait("r1")
    await until(21)
    old.fails = fails(Status.UNAUTHENTICATED, "ListRuns")
    await until(25.5)
    assert times(new.asked) == [25.39]
    assert new.asked[0].ended_only
    new.run("r1", SUCCEEDED)
    await until(40)
    assert (world.outcomes, world.lines) == ({"r1": Outcome.SUCCEEDED}, {"r1": []})


async def test_an_error_that_is_not_flytes_is_trouble_too(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """A wait must not hang because of it."""
    world.begin(rules=WaitRules(unreachable_after=30.0))
    world.flyte.run("r1", RUNNING)
    world.flyte.fails = lambda asked: ValueError() if asked.at < 3 else None
    world.wait("r1")
    await until(10)
    assert "A poll for runs failed with an unexpected error; it is repeated." in caplog.text
    assert world.lines["r1"][0] == "No answer from Flyte, still waiting: ValueError"
    assert world.lines["r1"][1].startswith("Flyte answers again after")
    world.flyte.run("r1", SUCCEEDED)
    await until(20)
    assert world.outcomes == {"r1": Outcome.SUCCEEDED}
