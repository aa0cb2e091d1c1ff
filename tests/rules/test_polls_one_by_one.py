"""How runs are polled where Flyte refuses to list them by name. In virtual time, by a table of runs."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from airflow_provider_flyte.client import FlyteClient
from airflow_provider_flyte.client.errors import Status
from airflow_provider_flyte.client.flows.calls import Flow, list_runs
from airflow_provider_flyte.client.phase import RunPhase
from airflow_provider_flyte.client.run_key import ProjectDomain
from airflow_provider_flyte.client.verdict import Outcome, WaitRules, WaitState
from airflow_provider_flyte.client.watch.pacing import CALLS_AT_ONCE, Budget, Pace
from airflow_provider_flyte.client.watch.poller import Poller
from airflow_provider_flyte.client.watch.project_polls import ProjectPolls
from airflow_provider_flyte.client.watch.results import WaitResults
from airflow_provider_flyte.client.watch.waits import Group, Wait
from tests.support.scripted_flyte import HERE, THERE, ScriptedFlyte, refusal
from tests.support.virtual_time import until
from tests.support.waiting_world import NEVER, World, fails, times

RUNNING, SUCCEEDED = RunPhase.RUNNING, RunPhase.SUCCEEDED
AWAY, LISTS_NOTHING = Status.UNAVAILABLE, Status.INVALID_ARGUMENT


async def test_runs_are_read_one_by_one_for_ten_minutes(world: World, caplog: pytest.LogCaptureFixture) -> None:
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


async def test_with_one_turn_a_round_one_run_is_read(world: World) -> None:
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


async def test_for_how_long_no_list_is_tried() -> None:
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


async def test_each_call_of_a_flow_has_its_turn() -> None:
    now, made = 1000.0, []

    async def pause(seconds: float) -> None:
        nonlocal now
        now += seconds

    def flow() -> Flow[None]:
        for number in range(CALLS_AT_ONCE + 6):
            made.append(now)
            yield list_runs("p", "development", [f"r{number}"], "")

    flyte = ScriptedFlyte(lambda: now)
    poller = Poller(lambda: flyte.client, Budget(1.0, lambda: now, pause), lambda: now)
    await poller.call(flow())
    assert poller.calls == len(flyte.asked) == CALLS_AT_ONCE + 6
    # Some at once, then one a second.
    assert now == 1005.0
    # A request is made when it can be sent.
    made.clear()
    await poller.call(flow())
    assert made[0] == 1006.0


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


async def test_ends_are_found(world: World) -> None:
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


async def test_turns_are_shared(world: World) -> None:
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


async def test_new_waits_have_at_most_half_of_the_turns(world: World) -> None:
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
    # New waits are first.
    assert set(second[:25]) <= new
    assert set(second[25:]) <= old
    # All others have a turn before any wait has its second.
    assert set(second[25:35]) == old - set(first)
    third = await a_round()
    assert len(set(third) & (new - set(second))) >= 15
    assert set(third) & set(second) <= old
    # Between two rounds for all, new waits may have all turns.
    assert set(await a_round(only_new=True) if wait("x") else ()) <= {f"x{number}" for number in range(60)}


async def test_other_projects_and_new_waits_are_not_put_off(world: World) -> None:
    """Neither other projects nor a new wait: calls that wait for their turn count already."""
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


async def test_a_run_that_cannot_be_read_is_no_trouble_of_others(world: World) -> None:
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
    # Flyte answers, so the pace is the usual one.
    at = times(world.flyte.calls("GetRunDetails"))
    assert at[-1] - at[-3] == 5.0
    world.flyte.run("r2", SUCCEEDED)
    await until(36)
    assert world.outcomes == {"r2": Outcome.SUCCEEDED}


async def test_trouble_of_all_leads_to_another_client(world: World) -> None:
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


async def test_while_nothing_answers_rounds_come_as_in_trouble(world: World) -> None:
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
async def test_a_run_is_missing_only_if_other_reads_work(world: World, lists: bool) -> None:
    world.begin(rules=WaitRules(missing_after=10.0, unreachable_after=30.0))
    # The list by name is refused, and one without names is answered, or not.
    world.flyte.fails = fails(LISTS_NOTHING, "ListRuns", when=lambda asked: bool(asked.names) or not lists)
    world.wait("r1")
    await until(40)
    assert world.outcomes == {"r1": Outcome.MISSING if lists else Outcome.UNREACHABLE}
    if not lists:
        assert "It is not known whether the run exists. " in world.results["r1"].verdict.message
