"""Which paused runs a round reads, and what is logged of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_flyte.client import FlyteClient
from airflow_provider_flyte.client.errors import UnimplementedError
from airflow_provider_flyte.client.flows import condition_news
from airflow_provider_flyte.client.flows.condition_news import ConditionNotices, ConditionRounds
from airflow_provider_flyte.client.run_key import ProjectDomain
from airflow_provider_flyte.testing import LocalFlyte, status

pytestmark = pytest.mark.one_transport("connect")

HERE = ProjectDomain("flytesnacks", "development")


class Task:
    """A task that waits for the runs r0, r1, ..., each of which is RUNNING and asks for an answer."""

    def __init__(self, flyte: LocalFlyte, client: FlyteClient, runs: int) -> None:
        self.flyte = flyte
        self.client = client
        self.conditions = [flyte.run(f"r{n}").move("RUNNING").condition("approve") for n in range(runs)]
        self.began = 0.0
        self.takes = 0.0
        self.rounds = ConditionRounds(HERE, self._clock, longest=5.0)
        self.logged: list[str] = []
        self.refusals: list[str] = []
        self.notices = ConditionNotices(
            lambda each: self.logged.append(f"{each.key.name} {'waits' if each.waits else each.outcome}"), self._refuse
        )

    def _clock(self) -> float:
        return self.began + self.takes * len(self.flyte.calls())

    def _refuse(self, line: str) -> None:
        self.refusals.append(line)

    def round(self) -> list[str]:
        """Go a round; returns the runs that were read, or were to be."""
        self.began += 15.0
        self.flyte.calls.clear()
        names = [each.name for each in self.conditions]
        self.client.execute(self.rounds.round(names, "", self.notices.take), retry_for=0.0)
        listed = [call.request.run_id.name for call in self.flyte.calls("ListActions")]
        return listed + [
            call.request.action_id.run.name
            for call in self.flyte.calls("GetActionDetails")
            if call.request.action_id.run.name not in listed
        ]

    def answer(self, number: int) -> None:
        self.client.signal(f"r{number}", "approve", True)


def of(run: str) -> Callable[[Any], bool]:
    """Reads of this run's actions."""
    return lambda request: bool(request.run_id.name == run)


def waits(*numbers: int) -> list[str]:
    return [f"r{number} waits" for number in numbers]


@pytest.fixture
def few_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(condition_news, "MOST_AGAIN", 2)


def test_one_that_cannot_be_read_holds_up_no_other(local_flyte: LocalFlyte, client: FlyteClient) -> None:
    task = Task(local_flyte, client, 3)
    local_flyte.inject("ListActions", status("INTERNAL", "a broken row"), when=of("r0"))
    assert len(task.round()) == 3
    assert sorted(task.logged) == waits(1, 2)
    local_flyte.clear_faults()
    task.round()
    assert sorted(task.logged) == waits(0, 1, 2)
    assert task.refusals == []


@pytest.mark.parametrize("code", ["INTERNAL", "PERMISSION_DENIED"])
def test_a_condition_that_cannot_be_read_holds_up_no_other_of_its_run(
    local_flyte: LocalFlyte, client: FlyteClient, code: str
) -> None:
    task = Task(local_flyte, client, 1)
    broken = task.conditions[0].action
    local_flyte.inject("GetActionDetails", status(code, "a broken row"), when=lambda r: r.action_id.name == broken)
    second = local_flyte.run("r0").condition("approve")
    task.round()
    assert [(each.action, each.waits) for each in task.rounds.open] == [(second.action, True)]
    assert task.logged == waits(0)
    # It is tried again.
    local_flyte.clear_faults()
    task.round()
    assert task.logged == waits(0, 0)
    assert task.refusals == []


def test_conditions_that_cannot_be_read_make_a_round_no_longer(local_flyte: LocalFlyte, client: FlyteClient) -> None:
    task = Task(local_flyte, client, 1)
    for _ in range(5):
        local_flyte.run("r0").condition("approve")
    local_flyte.inject("GetActionDetails", status("INTERNAL", "a broken row"))
    task.takes = 3.0
    task.round()
    assert len(local_flyte.calls("GetActionDetails")) == 1
    assert task.logged == []


def test_conditions_none_of_which_flyte_will_have_read(local_flyte: LocalFlyte, client: FlyteClient) -> None:
    task = Task(local_flyte, client, 1)
    local_flyte.inject("GetActionDetails", status("PERMISSION_DENIED", "not yours"))
    task.round()
    assert len(task.refusals) == 1
    assert task.round() == []


@pytest.mark.parametrize("takes", [0.0, 3.0], ids=["both read", "one read"])
@pytest.mark.parametrize("which", [0, 1])
def test_one_that_is_refused_is_no_refusal_of_one_that_could_not_be_read(
    local_flyte: LocalFlyte, client: FlyteClient, which: int, takes: float
) -> None:
    task = Task(local_flyte, client, 1)
    refused = [task.conditions[0].action, local_flyte.run("r0").condition("approve").action][which]
    method, why = "GetActionDetails", "a broken row"
    local_flyte.inject(method, status("PERMISSION_DENIED", why), when=lambda r: r.action_id.name == refused)
    local_flyte.inject(method, status("INTERNAL", why), when=lambda r: r.action_id.name != refused)
    task.takes = takes
    task.round()
    assert (task.logged, task.refusals) == ([], [])
    local_flyte.clear_faults()
    task.takes = 0.0
    task.round()
    assert (task.logged, task.refusals) == (waits(0, 0), [])


def test_one_that_flyte_will_not_have_read(local_flyte: LocalFlyte, client: FlyteClient) -> None:
    task = Task(local_flyte, client, 3)
    local_flyte.inject("ListActions", status("PERMISSION_DENIED", "not yours"), when=lambda r: r.run_id.name != "r2")
    assert len(task.round()) == 3
    assert task.round() == ["r2"]
    assert task.logged == waits(2)
    [line] = task.refusals
    assert line.startswith("What Flyte runs wait for is not logged here")


def test_those_of_which_nothing_changed_take_turns(
    local_flyte: LocalFlyte, client: FlyteClient, few_again: None
) -> None:
    task = Task(local_flyte, client, 5)
    assert len(task.round()) == 5
    later = [name for _ in range(5) for name in task.round()]
    assert len(later) == 10
    assert sorted(later[:5]) == [f"r{number}" for number in range(5)]
    assert set(later[4:]) == set(later)
    assert len(task.logged) == 5


def test_what_comes_and_goes_is_read_at_once(local_flyte: LocalFlyte, client: FlyteClient, few_again: None) -> None:
    task = Task(local_flyte, client, 6)
    task.round()
    task.round()
    # Not in turn now.
    task.answer(0)
    task.answer(1)
    task.conditions.append(local_flyte.run("r6").move("RUNNING").condition("approve"))
    task.logged.clear()
    read = task.round()
    assert {"r0", "r1", "r6"} < set(read)
    assert sorted(task.logged) == ["r0 was answered with True", "r1 was answered with True", "r6 waits"]
    assert not {"r0", "r1"} & set(task.round() + task.round() + task.round())


def test_a_round_that_takes_too_long_leaves_the_rest_to_the_next(local_flyte: LocalFlyte, client: FlyteClient) -> None:
    task = Task(local_flyte, client, 5)
    # Two calls for each run.
    task.takes = 2.0
    first, second, third = task.round(), task.round(), task.round()
    assert [len(first), len(second)] == [2, 2]
    assert sorted({*first, *second, *third}) == [f"r{number}" for number in range(5)]
    assert len(task.logged) == 5


def test_those_that_cannot_be_read_take_turns_with_the_others(local_flyte: LocalFlyte, client: FlyteClient) -> None:
    task = Task(local_flyte, client, 4)
    local_flyte.inject("ListActions", status("INTERNAL", "a broken row"), when=lambda r: r.run_id.name in ("r0", "r1"))
    task.takes = 3.0
    for _ in range(3):
        task.round()
    assert sorted(task.logged) == waits(2, 3)


def test_lists_that_are_refused(local_flyte: LocalFlyte, client: FlyteClient) -> None:
    task = Task(local_flyte, client, 1)
    local_flyte.inject("ListRuns", status("UNIMPLEMENTED", "not here"))
    with pytest.raises(UnimplementedError):
        task.round()


def test_runs_that_nobody_asks_for_are_forgotten(local_flyte: LocalFlyte, client: FlyteClient) -> None:
    task = Task(local_flyte, client, 3)
    task.round()
    assert len(list(task.rounds.open)) == 3
    del task.conditions[0]
    assert sorted(task.round()) == ["r1", "r2"]
    assert len(list(task.rounds.open)) == 2
