"""When runs are polled, and what follows from the answers. In virtual time, by a table of runs."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from typing import Any

import pytest

from airflow_provider_flyte.client.phase import RunPhase
from airflow_provider_flyte.client.verdict import Outcome, WaitRules
from airflow_provider_flyte.client.watch.pacing import CALLS_AT_ONCE
from airflow_provider_flyte.client.watch.project_polls import ProjectPolls
from airflow_provider_flyte.client.watch.waits import Group
from tests.support.scripted_flyte import HERE, THERE, Asked
from tests.support.virtual_time import until
from tests.support.waiting_world import World, times

RUNNING, SUCCEEDED, FAILED = RunPhase.RUNNING, RunPhase.SUCCEEDED, RunPhase.FAILED
CALLER: contextvars.ContextVar[str] = contextvars.ContextVar("caller", default="nobody")


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
    assert world.outcomes == {"r1": Outcome.SUCCEEDED}
    assert world.ended_at == {"r1": pytest.approx(25.39, abs=0.01)}
    assert (world.watcher.status.ends_by_poll, world.watcher.status.ends_by_stream) == (1, 0)
    # Without waits there are no polls.
    await until(100)
    assert len(world.flyte.asked) == 10


async def test_waits_that_begin_together_are_polled_together(world: World) -> None:
    world.begin()
    for name in ("r1", "r2"):
        world.flyte.run(name, RUNNING)
    world.wait("r1", "r2")
    await until(0.6)
    assert [asked.names for asked in world.flyte.asked] == [("r1", "r2")] * 2


async def test_a_wait_that_begins_a_moment_later_is_polled_with_the_first(world: World) -> None:
    world.begin()
    with world.watcher.wait_each(["r1"]):
        await asyncio.sleep(0)
        with world.watcher.wait_each(["r2"]):
            await until(0.1)
    assert [asked.names for asked in world.flyte.asked] == [("r1", "r2")]


async def test_a_new_wait_is_polled_without_runs_that_are_missing(world: World) -> None:
    world.begin()
    world.wait("gone")
    await until(21)
    seen = len(world.flyte.asked)
    world.wait("r2")
    await until(21.1)
    assert [asked.names for asked in world.flyte.asked[seen:]] == [("r2",)]


@pytest.mark.parametrize("turns", range(8))
async def test_a_wait_that_begins_and_ends_at_once_changes_nothing(world: World, turns: int) -> None:
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
    """One for the time, one for a new wait; those of the rounds before have ended."""
    world.begin()
    others = asyncio.all_tasks()
    world.wait("r1")
    await until(100)
    # With the task of the project, and the wait itself.
    assert len(asyncio.all_tasks() - others) == 4


async def test_a_later_wait_is_polled_at_once(world: World) -> None:
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


async def test_a_wait_that_begins_before_the_next_round_does_not_put_it_off(world: World) -> None:
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
    assert proofs[-1].names == ("r1",)
    assert proofs[-1].at == pytest.approx(proofs[1].at + 300, abs=6)


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


# -- calls


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


async def polled_each_second(world: World) -> ProjectPolls:
    world.begin(min_poll_interval=1.0, poll_interval=1.0)
    world.wait("r1")
    await until(0.1)
    [polls] = world.watcher._projects.values()
    return polls


@pytest.mark.parametrize(
    ("takes", "at_once", "begun_after"),
    [
        pytest.param(0.001, 1, 0.019, id="quick-answers"),
        pytest.param(0.02, 2, 0.2375, id="slow-answers"),
        pytest.param(0.5, 20, 0.2375, id="answers-that-hang"),
    ],
)
async def test_lists_do_not_hold_up_ends_that_the_stream_sends(
    world: World, takes: float, at_once: int, begun_after: float
) -> None:
    """Twenty groups are polled one after the other, and all have begun within a quarter of the interval of 1 s."""
    polls = await polled_each_second(world)
    loop = asyncio.get_running_loop()
    began: list[float] = []
    now = most = 0

    async def poll() -> bool:
        nonlocal now, most
        began.append(loop.time())
        now += 1
        most = max(most, now)
        await asyncio.sleep(takes)
        now -= 1
        return True

    assert await polls._one_after_the_other([poll] * 20) == [True] * 20
    assert most == at_once
    assert began[-1] - began[0] == pytest.approx(begun_after)
    assert await polls._one_after_the_other([]) == []


@pytest.mark.parametrize(
    ("after", "begun"), [pytest.param(0.1, 2, id="some-have-begun"), pytest.param(5.0, 3, id="all-have-begun")]
)
async def test_polls_end_with_the_round_that_began_them(world: World, after: float, begun: int) -> None:
    polls = await polled_each_second(world)
    cancelled = 0

    async def poll() -> bool:
        nonlocal cancelled
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled += 1
            raise
        return True

    polling = asyncio.ensure_future(polls._one_after_the_other([poll] * 3))
    await asyncio.sleep(after)
    polling.cancel()
    await asyncio.gather(polling, return_exceptions=True)
    await asyncio.sleep(0)
    assert cancelled == begun


@pytest.mark.parametrize("stream", [False, True])
async def test_groups_are_polled_at_once_where_only_polls_show_ends(
    world: World, stream: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_provider_flyte.client.watch.waits.NAMES_A_CALL", 1)
    world.begin(stream=stream)
    for number in range(5):
        world.flyte.run(f"r{number}", RUNNING)
        world.wait(f"r{number}")
    await until(20)
    world.flyte.takes, world.flyte.most_at_once = 0.01, 0
    await until(30)
    assert world.flyte.most_at_once == (1 if stream else 5)


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
