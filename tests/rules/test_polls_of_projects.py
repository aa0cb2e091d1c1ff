"""When which runs are asked for, and what becomes of the answers. In virtual time, by a table of runs."""

from __future__ import annotations

import asyncio
import contextvars
import itertools
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest

from airflow_provider_flyte.client import FlyteClient
from airflow_provider_flyte.client.errors import Status
from airflow_provider_flyte.client.phase import RunPhase
from airflow_provider_flyte.client.run_key import ProjectDomain
from airflow_provider_flyte.client.verdict import Outcome, WaitRules, WaitState
from airflow_provider_flyte.client.watch.pacing import CALLS_AT_ONCE, Budget, Pace
from airflow_provider_flyte.client.watch.poller import Poller
from airflow_provider_flyte.client.watch.project_polls import ProjectPolls
from airflow_provider_flyte.client.watch.results import WaitResults
from airflow_provider_flyte.client.watch.waits import Group, Wait
from tests.support.scripted_flyte import HERE, THERE, Asked, ScriptedFlyte, refusal
from tests.support.virtual_time import until
from tests.support.waiting_world import NEVER, World, fails, times

RUNNING, SUCCEEDED, FAILED = RunPhase.RUNNING, RunPhase.SUCCEEDED, RunPhase.FAILED
AWAY, LISTS_NOTHING = Status.UNAVAILABLE, Status.INVALID_ARGUMENT
CALLER: contextvars.ContextVar[str] = contextvars.ContextVar("caller", default="nobody")


@pytest.fixture
async def world() -> AsyncIterator[World]:
    made = World()
    yield made
    await made.end()


# -- rounds


async def test_rounds_come_at_their_pace(world: World) -> None:
    world.begin()
    world.flyte.run("r1", RUNNING)
    world.wait("r1")
    await until(21)
    assert times(world.flyte.asked) == [0, 0.5, 1.25, 2.38, 4.06, 6.59, 10.39, 15.39, 20.39]
    # Only the first asks whether it exists.
    assert [asked.ended_only for asked in world.flyte.asked] == [False] + [True] * 8
    assert {asked.names for asked in world.flyte.asked} == {("r1",)}
    world.flyte.run("r1", SUCCEEDED)
    await until(26)
    assert (world.outcomes, world.ended_at) == ({"r1": Outcome.SUCCEEDED}, {"r1": pytest.approx(25.39, abs=0.01)})
    assert (world.watcher.status.ends_by_poll, world.watcher.status.ends_by_stream) == (1, 0)
    # Nobody waits any more, so nobody asks.
    await until(100)
    assert len(world.flyte.asked) == 10


async def test_those_who_begin_together_are_asked_for_together(world: World) -> None:
    world.begin()
    for name in ("r1", "r2"):
        world.flyte.run(name, RUNNING)
    world.wait("r1", "r2")
    await until(0.6)
    assert [asked.names for asked in world.flyte.asked] == [("r1", "r2")] * 2


async def test_one_who_comes_a_moment_later_is_asked_for_with_the_first(world: World) -> None:
    world.begin()
    with world.watcher.wait_each(["r1"]):
        await asyncio.sleep(0)
        with world.watcher.wait_each(["r2"]):
            await until(0.1)
    assert [asked.names for asked in world.flyte.asked] == [("r1", "r2")]


async def test_one_who_comes_is_asked_for_without_others_who_are_missing(world: World) -> None:
    world.begin()
    world.wait("gone")
    await until(21)
    seen = len(world.flyte.asked)
    world.wait("r2")
    await until(21.1)
    assert [asked.names for asked in world.flyte.asked[seen:]] == [("r2",)]


@pytest.mark.parametrize("turns", range(8))
async def test_one_who_comes_and_goes_at_once_changes_nothing(world: World, turns: int) -> None:
    world.begin()
    world.flyte.run("r1", RUNNING)
    world.wait("r1")
    await until(61)
    seen = len(world.flyte.asked)
    with world.watcher.wait_each(["r2"]):
        for _ in range(turns):
            await asyncio.sleep(0)
    await until(76)
    rounds = [asked.at for asked in world.flyte.asked[seen:] if "r1" in asked.names]
    if not [asked for asked in world.flyte.asked if "r2" in asked.names]:
        # There was nothing to ask for, which is no failure.
        assert [round(at, 2) for at in rounds] == [65.39, 70.39, 75.39]
    # It may come a little sooner, because a wait began, and not as in trouble.
    assert rounds[-1] - rounds[-2] > 2.0
    assert len(rounds) <= 6


async def test_between_two_rounds_two_tasks_wait(world: World) -> None:
    """For the time, and for somebody who comes; those of the rounds before are gone."""
    world.begin()
    others = asyncio.all_tasks()
    world.wait("r1")
    await until(100)
    # With that of the project, and who waits.
    assert len(asyncio.all_tasks() - others) == 4


async def test_one_who_comes_later_is_asked_for_at_once(world: World) -> None:
    world.begin()
    for name in ("r1", "r2"):
        world.flyte.run(name, RUNNING)
    world.wait("r1")
    await until(21)
    seen = len(world.flyte.asked)
    world.wait("r2")
    await until(22.4)
    at_once, *then = world.flyte.asked[seen:]
    assert (at_once.at, at_once.names, at_once.ended_only) == (21.0, ("r2",), False)
    # It may be over soon, so rounds for all come sooner again.
    assert times(then) == [21.5, 22.25]
    assert {asked.names for asked in then} == {("r1", "r2")}


async def test_one_who_comes_before_the_next_round_does_not_put_it_off(world: World) -> None:
    world.begin()
    for name in ("r1", "r2"):
        world.flyte.run(name, RUNNING)
    world.wait("r1")
    await until(20.3)
    world.wait("r2")
    await until(20.5)
    assert times(world.flyte.asked[-2:]) == [20.3, 20.39]


async def test_an_end_that_a_poll_finds_makes_rounds_come_sooner(world: World) -> None:
    world.begin()
    for name in ("r1", "r2"):
        world.flyte.run(name, RUNNING)
    world.wait("r1", "r2")
    await until(21)
    world.flyte.run("r2", FAILED)
    await until(27)
    assert world.outcomes == {"r2": Outcome.FAILED}
    # Others may follow.
    assert times(world.flyte.asked[-3:]) == [25.39, 25.89, 26.64]


async def test_the_time_of_an_answer_is_part_of_the_interval(world: World) -> None:
    world.begin()
    world.flyte.run("r1", RUNNING)
    world.wait("r1")
    await until(21)
    world.flyte.takes = 1.0
    await until(40)
    at = times(world.flyte.asked)[-3:]
    assert at[2] - at[1] == pytest.approx(4.0, abs=0.02)


async def test_each_project_is_polled_by_itself(world: World) -> None:
    world.begin()
    world.flyte.run("r1", RUNNING)
    world.flyte.run("r1", SUCCEEDED, THERE)
    world.wait("r1")
    world.wait("r1", domain="staging")
    await until(1)
    assert {(asked.where, asked.at) for asked in world.flyte.asked} == {(HERE, 0.0), (THERE, 0.0), (HERE, 0.5)}
    assert world.watcher.status.waits == 1
    assert len(world.watcher) == 1


# -- runs that are gone


async def test_a_run_that_goes_is_noticed_because_its_proof_lasts_ten_minutes(world: World) -> None:
    world.begin(rules=WaitRules(missing_after=60.0))
    for name in ("r1", "r2"):
        world.flyte.run(name, RUNNING)
    world.wait("r1", "r2")
    await until(200)
    del world.flyte.runs[HERE.run("r2")]
    await until(620)
    proofs = [asked for asked in world.flyte.asked if not asked.ended_only]
    # All were proved at first, and when half of the ten minutes had passed.
    assert [asked.names for asked in proofs[:2]] == [("r1", "r2")] * 2
    assert 300 <= proofs[1].at <= 305
    # From then on the one that is gone is asked for in each round.
    assert {asked.names for asked in proofs[2:-1]} == {("r2",)}
    assert world.outcomes == {"r2": Outcome.MISSING}
    assert world.ended_at["r2"] == pytest.approx(proofs[1].at + 60, abs=6)
    assert (proofs[-1].names, proofs[-1].at) == (("r1",), pytest.approx(proofs[1].at + 300, abs=6))


async def test_many_are_proved_page_by_page(world: World) -> None:
    world.begin()
    names = [f"r{number}" for number in range(450)]
    for name in names:
        world.flyte.run(name, RUNNING)
    world.wait(*names)
    await until(1)
    assert [(len(asked.names), asked.ended_only) for asked in world.flyte.asked] == [
        (200, False),
        (200, False),
        (50, False),
        (450, True),
    ]


# -- trouble


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
    # They come sooner than in quiet times, but spread.
    pauses = [later - one for one, later in itertools.pairwise(at)]
    assert max(pauses) <= 2.0
    # All know of it, and once.
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
    # From now on all is quiet, and the pace that of quiet times.
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


async def test_an_error_that_is_none_of_flytes_is_trouble_too(world: World, caplog: pytest.LogCaptureFixture) -> None:
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


async def test_what_nobody_asked_for_is_left_out(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A backend that ignores the filter, or the project."""
    world.begin()
    world.flyte.run("r1", RUNNING)
    world.flyte.run("r2", SUCCEEDED)
    world.flyte.run("r1", SUCCEEDED, THERE)

    def everything(asked: Asked) -> Any:
        from airflow_provider_flyte.client.idl.workflow import run_service_pb2

        response = run_service_pb2.ListRunsResponse()
        for key in world.flyte.runs:
            world.flyte._add(response.runs.add(), key)
        return response

    monkeypatch.setattr(world.flyte, "_list", everything)
    world.wait("r1", "gone")
    await until(60)
    assert world.results == {}
    [polls] = world.watcher._projects.values()
    assert list(polls.waits.young.names) == ["gone"]


async def test_calls_are_counted_and_at_most_ten_at_once(world: World) -> None:
    world.begin(max_calls_per_second=1e6)
    world.flyte.takes = 0.1
    for number in range(30):
        world.wait("r1", project=f"p{number}")
    await until(5)
    assert world.flyte.most_at_once == 10
    assert world.watcher.status.calls == len(world.flyte.asked)


# -- where lists are refused


async def test_where_lists_are_refused_runs_are_read_one_by_one_for_ten_minutes(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.begin()
    for where in (HERE, THERE):
        for name in ("r1", "r2"):
            world.flyte.run(name, RUNNING, where)
    world.flyte.fails = fails(LISTS_NOTHING, "ListRuns")
    world.wait("r1", "r2")
    world.wait("r1", domain="staging")
    await until(599)
    assert times(world.flyte.calls()) == [0, 0]
    reads = [asked for asked in world.flyte.calls("GetRunDetails") if asked.where == HERE]
    # Both in each round, at the pace of all rounds, and the first time in the round that met the refusal.
    assert times(reads[:8]) == [0, 0, 0.5, 0.5, 1.25, 1.25, 2.38, 2.38]
    assert {asked.names for asked in reads[:2]} == {("r1",), ("r2",)}
    assert caplog.text.count("Flyte refuses to list runs by name, so each run is polled by itself") == 1
    world.flyte.fails = lambda asked: None
    world.flyte.asked.clear()
    await until(606)
    assert {asked.where for asked in world.flyte.calls()} == {HERE, THERE}
    # In the first round after that.
    assert {round(at) for at in times(world.flyte.calls())} >= {600}
    assert min(times(world.flyte.calls())) >= 600
    assert caplog.text.count("Flyte refuses to list runs by name") == 1


async def test_with_one_turn_a_round_one_who_comes_has_it(world: World) -> None:
    watcher = world.begin(max_calls_per_second=1.0)
    polls = ProjectPolls(HERE, watcher._means, Pace(1.0, 1.0))
    world.flyte.fails = fails(LISTS_NOTHING, "ListRuns")
    for name in ("r1", "r2", "r3"):
        world.flyte.run(name, RUNNING)
        results = WaitResults(
            rules=NEVER, interval=5.0, on_trouble=None, on_progress=None, began=0.0, close=lambda results: None
        )
        polls.waits.add(Wait(HERE, name, WaitState(absent_since=0.0), results))
    await polls._round()
    assert world.flyte.calls("GetRunDetails")[0].names[0] in ("r1", "r2", "r3")
    assert len(world.flyte.calls("GetRunDetails")) == 1


async def test_a_group_that_is_empty_by_now_is_not_polled(world: World) -> None:
    """The stream may end the last waits of a group between a round and its poll."""
    answer = await world.begin()._poller.list_ended(HERE, Group(0.0))
    assert answer is not None
    assert (answer.observations, answer.trouble) == ({}, None)
    assert world.flyte.asked == []


async def test_requests_are_made_when_their_calls_have_their_turn(world: World) -> None:
    """All at once, they hold the loop: half a millisecond each."""
    poller = world.begin()._poller
    groups = [Group(0.0) for _ in range(3 * CALLS_AT_ONCE)]
    for number, group in enumerate(groups):
        group.add(f"r{number}")
    made: list[int] = []

    async def poll(group: Group) -> None:
        await poller.list_ended(HERE, group)
        made.append(sum(each.request is not None for each in groups))

    await asyncio.gather(*map(poll, groups))
    assert made[0] <= CALLS_AT_ONCE
    assert made[-1] == len(world.flyte.asked) == len(groups)


async def test_for_how_long_lists_are_left_alone() -> None:
    now = 1000.0

    async def never(seconds: float) -> None:
        raise AssertionError("There are few calls.")

    flyte = ScriptedFlyte(lambda: now)
    flyte.fails = fails(LISTS_NOTHING, "ListRuns")
    poller = Poller(lambda: flyte.client, Budget(1e9, lambda: now, never), lambda: now)
    assert poller.can_list(HERE)
    assert await poller.list(HERE, ["r1"]) is None
    assert not poller.can_list(HERE)
    now = 1599.9
    assert not poller.can_list(HERE)
    now = 1600.0
    assert poller.can_list(HERE)
    assert poller.can_list(THERE)
    # A request that asks for the same names is made once.
    flyte.fails = lambda asked: None
    group = Group(0.0)
    group.add("r1")
    await poller.list_ended(HERE, group)
    request = group.request
    await poller.list_ended(HERE, group)
    assert group.request is request
    assert poller.calls == len(flyte.asked) == 3


async def test_lists_that_are_refused_only_later(world: World) -> None:
    world.begin()
    for name in ("r1", "r2"):
        world.flyte.run(name, RUNNING)
    world.wait("r1", "r2")
    await until(21)
    world.flyte.fails = fails(LISTS_NOTHING, "ListRuns")
    await until(26)
    # In the round that met it: nobody loses a turn.
    assert times(world.flyte.calls("GetRunDetails")) == [25.39, 25.39]
    assert {asked.names for asked in world.flyte.calls("GetRunDetails")} == {("r1",), ("r2",)}


async def test_then_ends_are_found_too(world: World) -> None:
    world.begin()
    world.flyte.fails = fails(LISTS_NOTHING, "ListRuns")
    for name in ("r1", "r2"):
        world.flyte.run(name, RUNNING)
    world.wait("r1", "r2")
    await until(21)
    world.flyte.run("r1", SUCCEEDED)
    await until(26)
    assert world.outcomes == {"r1": Outcome.SUCCEEDED}
    assert world.watcher.status.ends_by_poll == 1
    assert world.watcher.status.answered_ago == pytest.approx(0.6, abs=0.05)
    # Its turn goes with it.
    await until(31)
    assert [asked.names for asked in world.flyte.calls("GetRunDetails")[-2:]] == [("r2",)] * 2
    [polls] = world.watcher._projects.values()
    assert list(polls._in_turns) == ["r2"]


async def test_then_turns_are_shared(world: World) -> None:
    """Ten calls a second, five seconds between two rounds: fifty turns a round."""
    world.begin(max_calls_per_second=10.0, min_poll_interval=5.0)
    names = [f"r{number}" for number in range(120)]
    for name in [*names, *(f"n{number}" for number in range(60))]:
        world.flyte.run(name, RUNNING)
    world.flyte.fails = fails(LISTS_NOTHING, "ListRuns")
    world.wait(*names)
    await until(100)
    reads = [asked.names[0] for asked in world.flyte.calls("GetRunDetails")]
    for name in names:
        turns = [number for number, each in enumerate(reads) if each == name]
        # One after the other, each as often as all others.
        assert max(later - one for one, later in itertools.pairwise(turns)) <= 130
    assert len(reads) <= 10 * 100 + 10


async def test_then_those_who_come_have_half_of_the_turns_at_most(world: World) -> None:
    watcher = world.begin(max_calls_per_second=10.0)
    polls = ProjectPolls(HERE, watcher._means, Pace(5.0, 5.0))
    world.flyte.fails = fails(LISTS_NOTHING, "ListRuns")

    def wait(prefix: str) -> set[str]:
        names = {f"{prefix}{number}" for number in range(60)}
        for name in names:
            world.flyte.run(name, RUNNING)
            results = WaitResults(
                rules=NEVER, interval=5.0, on_trouble=None, on_progress=None, began=0.0, close=lambda results: None
            )
            polls.waits.add(Wait(HERE, name, WaitState(absent_since=0.0), results))
        return names

    async def a_round(*, only_new: bool = False) -> list[str]:
        world.flyte.asked.clear()
        polls._pace.last = 5.0
        await polls._round(only_new=only_new)
        names = [asked.names[0] for asked in world.flyte.calls("GetRunDetails")]
        # As many as there are turns until the next round, each once.
        assert len(names) == len(set(names)) == 50
        return names

    old = wait("r")
    first = await a_round()
    new = wait("n")
    second = await a_round()
    # Those who come are first.
    assert set(second[:25]) <= new
    assert set(second[25:]) <= old
    # Those who wait have their turns before anybody has one again.
    assert set(second[25:35]) == old - set(first)
    third = await a_round()
    assert len(set(third) & (new - set(second))) >= 15
    assert set(third) & set(second) <= old
    # Before the next round for all those who come may have all turns.
    assert set(await a_round(only_new=True) if wait("x") else ()) <= {f"x{number}" for number in range(60)}


async def test_then_others_are_not_put_off(world: World) -> None:
    """Neither other projects nor one who comes: what waits for its turn already counts."""
    world.begin(max_calls_per_second=6.0)
    refusing = [ProjectDomain("p", f"refusing{number}") for number in range(5)]
    lists = [ProjectDomain("p", f"lists{number}") for number in range(10)]
    world.flyte.fails = fails(LISTS_NOTHING, "ListRuns", when=lambda asked: asked.where in refusing)
    for where in [*refusing, *lists]:
        for number in range(60 if where in refusing else 2):
            world.flyte.run(name := f"{where.domain}-{number}", RUNNING, where)
            world.wait(name, domain=where.domain)
    await until(100)
    for where in lists:
        world.flyte.run(f"{where.domain}-0", SUCCEEDED, where)
    world.flyte.run("new", SUCCEEDED, refusing[0])
    world.wait("new", domain=refusing[0].domain)
    await until(160)
    assert len(world.ended_at) == len(lists) + 1
    assert max(world.ended_at.values()) - 100 <= 15


async def test_then_one_that_nobody_can_read_is_no_trouble_of_others(world: World) -> None:
    world.begin()
    for name in ("r1", "r2"):
        world.flyte.run(name, RUNNING)
    world.flyte.fails = lambda asked: (
        refusal(LISTS_NOTHING)
        if asked.rpc == "ListRuns"
        else refusal(AWAY, "broken row")
        if asked.names == ("r1",)
        else None
    )
    world.wait("r1", "r2")
    await until(30)
    assert len(world.lines["r1"]) == 1
    assert "broken row" in world.lines["r1"][0]
    assert world.lines["r2"] == []
    # Flyte answers, so the pace is that of quiet times.
    at = times(world.flyte.calls("GetRunDetails"))
    assert at[-1] - at[-3] == 5.0
    world.flyte.run("r2", SUCCEEDED)
    await until(36)
    assert world.outcomes == {"r2": Outcome.SUCCEEDED}


async def test_then_trouble_of_all_leads_to_another_client(world: World) -> None:
    old, new = world.flyte, ScriptedFlyte()
    asks: list[float] = []

    async def renew() -> FlyteClient:
        asks.append(asyncio.get_running_loop().time())
        return new.client

    world.begin(renew=renew)
    for name in ("r1", "r2"):
        old.run(name, RUNNING)
        new.run(name, RUNNING)
    old.fails = fails(LISTS_NOTHING, "ListRuns")
    world.wait("r1", "r2")
    await until(21)
    old.fails = fails(Status.UNAUTHENTICATED, "ListRuns", "GetRunDetails", when=lambda asked: asked.names == ("r1",))
    await until(40)
    assert asks == []
    old.fails = fails(Status.UNAUTHENTICATED, "ListRuns", "GetRunDetails")
    await until(46)
    assert len(asks) == 1
    assert times(new.calls("GetRunDetails"))[0] == round(asks[0], 2)
    assert world.lines["r2"] == []


async def test_then_while_nothing_answers_rounds_come_as_in_trouble(world: World) -> None:
    world.begin()
    world.flyte.run("r1", RUNNING)
    world.flyte.fails = fails(LISTS_NOTHING, "ListRuns")
    world.wait("r1")
    await until(21)
    world.flyte.asked.clear()
    world.flyte.fails = fails(AWAY, "ListRuns", "GetRunDetails")
    await until(60)
    at = times(world.flyte.calls("GetRunDetails"))
    assert max(later - one for one, later in itertools.pairwise(at)) <= 2.0
    assert world.watcher.status.answered_ago == pytest.approx(60 - 20.39, abs=0.05)


@pytest.mark.parametrize("lists", [True, False])
async def test_then_a_run_is_missing_only_if_other_reads_work(world: World, lists: bool) -> None:
    world.begin(rules=WaitRules(missing_after=10.0, unreachable_after=30.0))
    # The list by name is refused, and one without names is answered, or not.
    world.flyte.fails = fails(LISTS_NOTHING, "ListRuns", when=lambda asked: bool(asked.names) or not lists)
    world.wait("r1")
    await until(40)
    assert world.outcomes == {"r1": Outcome.MISSING if lists else Outcome.UNREACHABLE}
    if not lists:
        assert "It is not known whether the run exists. " in world.results["r1"].verdict.message


# -- phases


async def test_an_unknown_phase_is_logged_once(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.begin()
    for name in ("r1", "r2"):
        world.flyte.run(name, RUNNING)
    world.wait("r1", "r2")
    world.flyte.runs |= {HERE.run("r1"): 99, HERE.run("r2"): 99}
    await until(20)
    assert [(record.levelno, record.args) for record in caplog.records] == [
        (logging.WARNING, (HERE.run("r1"), "phase 99"))
    ]


# -- beside a stream


async def streaming(world: World, *names: str, **settings: Any) -> None:
    """A watcher whose stream works, with waits for these runs."""
    world.begin(stream=True, **settings)
    for name in names:
        world.flyte.run(name, RUNNING)
    world.wait(*names)
    await until(21)
    assert world.watcher.status.stream_up


async def test_an_update_ends_a_wait_at_once(world: World) -> None:
    await streaming(world, "r1", "r2")
    world.flyte.run("r1", SUCCEEDED)
    world.flyte.run("other", SUCCEEDED)
    world.flyte.sends("r1", "other")
    await until(21.1)
    assert world.ended_at == {"r1": 21.0}
    assert (world.watcher.status.ends_by_stream, world.watcher.status.ends_by_poll) == (1, 0)


async def test_only_ends_that_somebody_waits_for_show_that_a_stream_keeps_up(world: World) -> None:
    await streaming(world, "r1", "r2")
    streams: Any = world.watcher._streams
    stream = streams._streams[HERE]
    stream.misses = 2
    for name, phase in (("other", SUCCEEDED), ("other", RUNNING), ("r1", RUNNING)):
        world.flyte.run(name, phase)
        world.flyte.sends(name)
        await asyncio.sleep(0.01)
    assert stream.misses == 2
    world.flyte.run("r1", SUCCEEDED)
    world.flyte.sends("r1")
    await asyncio.sleep(0.01)
    assert stream.misses == 0
    # One that a poll was quicker with, too.
    world.wait("r3")
    world.flyte.run("r2", SUCCEEDED)
    await until(26)
    assert "r2" in world.outcomes
    stream.misses = 2
    world.flyte.sends("r2")
    await asyncio.sleep(0.01)
    assert stream.misses == 0


async def test_an_update_that_is_no_end_is_none(world: World, caplog: pytest.LogCaptureFixture) -> None:
    await streaming(world, "r1", "r2")
    for phase in (RunPhase.PAUSED, 99, RUNNING):
        world.flyte.run("r1", phase)
        world.flyte.sends("r1")
        await asyncio.sleep(0.01)
    await until(30)
    assert world.results == {}
    assert world.watcher.status.ends_by_stream == 0
    assert caplog.text.count("phase 99, which this provider does not know") == 1


async def test_while_a_stream_works_one_who_comes_makes_no_hurry(world: World) -> None:
    await streaming(world, "r1")
    world.flyte.run("r2", RUNNING)
    seen = len(world.flyte.calls())
    world.wait("r2")
    await until(25.5)
    assert times(world.flyte.calls()[seen:]) == [21.0, 25.39]


async def test_an_end_that_the_stream_has_missed_is_noted_when_it_is_late(world: World) -> None:
    await streaming(world, "r1", "r2", "r3")
    world.flyte.run("r1", SUCCEEDED)
    await until(26)
    assert world.outcomes == {"r1": Outcome.SUCCEEDED}
    # It was to come with the stream, so there is no hurry, and a poll may be quicker.
    assert world.watcher.status.stream_up
    await until(30.3)
    assert len(world.flyte.calls("WatchRuns")) == 1
    assert times(world.flyte.calls()[-1:]) == [25.39]
    # The next round knows better: another stream is opened, and ends may be found by polls.
    await until(30.5)
    assert len(world.flyte.calls("WatchRuns")) == 2
    await until(31)
    assert times(world.flyte.calls()[-1:]) == [30.39]
    assert (world.watcher.status.ends_by_poll, world.watcher.status.ends_by_stream) == (1, 0)


@pytest.mark.parametrize(("interval", "rounds"), [(0.9, 2), (1.0, 1), (1.5, 1)])
async def test_after_a_second_an_update_is_late(world: World, interval: float, rounds: int) -> None:
    await streaming(world, "r1", "r2", poll_interval=interval)
    world.flyte.run("r1", SUCCEEDED)
    while not world.ended_at:
        await asyncio.sleep(0.01)
    [ended_at] = world.ended_at.values()
    await until(ended_at + interval * (rounds - 0.1))
    assert len(world.flyte.calls("WatchRuns")) == 1
    await until(ended_at + interval * (rounds + 0.1))
    assert len(world.flyte.calls("WatchRuns")) == 2


async def test_an_update_after_the_poll_is_not_late(world: World) -> None:
    await streaming(world, "r1", "r2")
    world.flyte.run("r1", SUCCEEDED)
    await until(26)
    world.flyte.sends("r1")
    await until(60)
    assert len(world.flyte.calls("WatchRuns")) == 1
    [polls] = world.watcher._projects.values()
    assert polls._pending == {}
    # It was the poll that ended the wait.
    assert (world.watcher.status.ends_by_poll, world.watcher.status.ends_by_stream) == (1, 0)


async def test_what_was_over_before_the_stream_was_opened_again_is_no_miss_of_it(world: World) -> None:
    await streaming(world, "r1", "r2")
    [polls] = world.watcher._projects.values()
    # Cut and open again between two polls, with an end in the gap of a run that its first batch does not have.
    world.flyte.first_batch = 0
    world.flyte.run("r1", SUCCEEDED)
    world.watcher._streams.renew()
    await until(24)
    assert world.watcher.status.stream_up
    await until(26)
    assert world.outcomes == {"r1": Outcome.SUCCEEDED}
    assert polls._pending == {}
    # What comes about from then on is one, once a poll has shown that it was not over while the stream was open.
    await until(30)
    world.flyte.run("r2", SUCCEEDED)
    while "r2" not in world.outcomes:
        await asyncio.sleep(0.01)
    assert [*polls._pending] == ["r2"]


async def test_what_is_over_before_anybody_waits_is_no_miss_of_the_stream(world: World) -> None:
    await streaming(world, "r1")
    world.flyte.run("r2", SUCCEEDED)
    world.wait("r2")
    await until(22)
    assert world.outcomes == {"r2": Outcome.SUCCEEDED}
    [polls] = world.watcher._projects.values()
    assert polls._pending == {}


@pytest.mark.parametrize(
    ("stream", "young", "seldom"), [(True, False, True), (True, True, False), (False, False, False)]
)
async def test_while_calls_are_short_projects_whose_stream_works_are_polled_seldom(
    world: World, stream: bool, young: bool, seldom: bool
) -> None:
    """Not those in which a run may be missing."""
    world.begin(stream=stream, max_calls_per_second=2.0)
    world.flyte.run("r1", RUNNING)
    world.wait("r1", *(["not-there-yet"] if young else []))
    budget = world.watcher._means.budget

    async def many_calls() -> None:
        while True:
            async with budget:
                pass

    others = [asyncio.ensure_future(many_calls()) for _ in range(10)]
    await until(200)
    for each in others:
        each.cancel()
    rounds = [asked.at for asked in world.flyte.calls() if asked.ended_only]
    pauses = [later - one for one, later in itertools.pairwise(rounds)]
    assert (min(pauses[-3:]) >= 20, max(pauses[-3:]) <= 20) == (seldom, not seldom)


# -- what is left behind


async def test_polls_run_in_nobodys_context(world: World) -> None:
    CALLER.set("the first who waits")
    seen: set[str] = set()

    def note(asked: Asked) -> None:
        seen.add(CALLER.get())

    world.flyte.fails = note
    world.begin(stream=True)
    world.wait("r1")
    await until(3)
    assert seen == {"nobody"}


async def test_nothing_is_left_to_wait_for(world: World) -> None:
    world.begin()
    world.flyte.run("r1", RUNNING)
    [wait] = world.wait("r1")
    await until(21)
    before = asyncio.all_tasks()
    wait.cancel()
    await until(22)
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert len(before) > 2
    assert len(world.watcher) == 0
