"""What is known of the waits of a project, by numbers alone: what an answer costs, and whom to ask next."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from airflow_provider_flyte.client.flows.calls import NAMES_A_CALL
from airflow_provider_flyte.client.phase import RunPhase
from airflow_provider_flyte.client.run_key import ProjectDomain
from airflow_provider_flyte.client.verdict import Absent, Outcome, Seen, Trouble, Verdict, WaitRules, WaitState
from airflow_provider_flyte.client.watch.results import WaitResults
from airflow_provider_flyte.client.watch.waits import PROOF_LASTS, ProjectWaits, Wait

RUNNING, SUCCEEDED = Seen(RunPhase.RUNNING), Seen(RunPhase.SUCCEEDED)
AWAY = Trouble("the server is away")
FOREVER = WaitRules(missing_after=None, unreachable_after=None)


class Caller:
    """Somebody who waits, and what they were told."""

    def __init__(self, waits: ProjectWaits, name: str, rules: WaitRules = FOREVER, began: float = 0.0) -> None:
        self.lines: list[str] = []
        self.results = WaitResults(
            rules=rules,
            interval=5.0,
            on_trouble=self.lines.append,
            on_progress=None,
            began=began,
            close=lambda results: None,
        )
        self.wait = Wait(ProjectDomain("p", "d"), name, WaitState(absent_since=began), self.results)
        self.results.take((self.wait,))
        waits.add(self.wait)

    @property
    def outcome(self) -> Outcome | None:
        return self.wait.end.outcome if isinstance(self.wait.end, Verdict) else None


def done(work: Iterable[bool]) -> int:
    """Do it, and count whom it went over."""
    return len(list(work))


def existing(count: int, now: float = 0.0) -> tuple[ProjectWaits, list[Caller]]:
    """Waits for runs that were seen to be running."""
    waits = ProjectWaits()
    callers = [Caller(waits, f"r{number}") for number in range(count)]
    for caller in callers:
        done(waits.saw(caller.wait.key.name, RUNNING, now))
    return waits, callers


def test_a_run_that_was_seen_joins_a_group_and_its_request_stays() -> None:
    waits, callers = existing(3)
    [group] = waits.groups
    assert list(group.names) == ["r0", "r1", "r2"]
    assert not waits.young.names
    group.request = "made"
    done(waits.saw("r0", RUNNING, 1.0))
    Caller(waits, "r9")
    assert (group.request, list(waits.young.names)) == ("made", ["r9"])
    waits.discard(callers[0].wait)
    assert group.request is None


def test_groups_are_as_large_as_a_call_and_what_is_left_of_two_becomes_one() -> None:
    waits, callers = existing(2 * NAMES_A_CALL + 1)
    assert [len(group.names) for group in waits.groups] == [NAMES_A_CALL, NAMES_A_CALL, 1]
    for caller in callers[: NAMES_A_CALL // 2 + 1] + callers[NAMES_A_CALL : NAMES_A_CALL + NAMES_A_CALL // 2 + 1]:
        waits.discard(caller.wait)
    waits.tidy()
    assert [len(group.names) for group in waits.groups] == [NAMES_A_CALL - 1]
    assert len(waits) == NAMES_A_CALL - 1


def test_who_comes_fills_what_others_left() -> None:
    waits, callers = existing(2 * NAMES_A_CALL)
    for caller in callers[:NAMES_A_CALL]:
        waits.discard(caller.wait) if caller is not callers[0] else None
    for number in range(100):
        Caller(waits, f"new-{number}")
        done(waits.saw(f"new-{number}", RUNNING, 1.0))
    assert sorted(len(group.names) for group in waits.groups) == [101, NAMES_A_CALL]


def test_a_run_that_is_gone_is_young_again_and_missing_after_its_grace() -> None:
    waits = ProjectWaits()
    caller = Caller(waits, "r1", WaitRules(missing_after=60.0))
    done(waits.saw("r1", RUNNING, 0.0))
    done(waits.saw("r1", Absent(), 700.0))
    assert (list(waits.young.names), waits.groups) == (["r1"], [])
    done(waits.saw("r1", Absent(), 759.0))
    assert caller.outcome is None
    done(waits.saw("r1", Absent(), 760.0))
    assert caller.outcome is Outcome.MISSING
    assert not waits


def test_each_group_is_proved_again_in_time_and_not_all_at_once() -> None:
    waits, _ = existing(20 * NAMES_A_CALL)
    now, interval, at_once = 0.0, 5.0, []
    proved = {id(group): 0.0 for group in waits.groups}
    while now < 4 * PROOF_LASTS:
        now += interval
        groups = waits.to_prove(now, interval)
        at_once.append(len(groups))
        for group in groups:
            group.proved_at = proved[id(group)] = now
        assert now - min(proved.values()) <= PROOF_LASTS
    assert max(at_once) == 1


def test_what_was_known_of_a_run_goes_with_its_wait() -> None:
    waits, callers = existing(1000)
    done(waits.failed(waits.groups[0], AWAY, 1.0))
    done(waits.failed(waits.groups[0], AWAY, 2.0))
    for caller in callers:
        waits.discard(caller.wait)
    kept = [value for value in vars(waits).values() if isinstance(value, (dict, set, list)) and value]
    assert (len(waits), kept, waits.young.names) == (0, [], {})


# -- many waits for one run


def test_each_of_many_waits_for_one_run_is_notified_and_none_twice() -> None:
    waits = ProjectWaits()
    callers = [Caller(waits, "r1") for _ in range(5000)]
    assert len(waits) == 5000
    waits.discard(callers[0].wait)
    waits.discard(callers[0].wait)
    assert len(waits) == 4999
    assert done(waits.saw("r1", SUCCEEDED, 1.0)) == 4999
    assert {caller.outcome for caller in callers[1:]} == {Outcome.SUCCEEDED}
    assert callers[0].outcome is None
    assert (len(waits), bool(waits)) == (0, False)


def test_one_who_comes_while_the_others_are_notified_keeps_waiting() -> None:
    waits = ProjectWaits()
    [Caller(waits, "r1") for _ in range(3)]
    work = waits.saw("r1", SUCCEEDED, 1.0)
    next(work)
    late = Caller(waits, "r1")
    done(work)
    assert late.outcome is None
    assert list(waits.young.names) == ["r1"]


# -- trouble


def test_one_poll_that_fails_between_others_is_no_trouble() -> None:
    waits, [caller] = existing(1)
    [group] = waits.groups
    assert done(waits.failed(group, AWAY, 1.0)) == 0
    done(waits.answered(group, 2.0))
    assert done(waits.failed(group, AWAY, 3.0)) == 0
    assert caller.lines == []


def test_trouble_is_passed_on_once_and_costs_nothing_until_it_ends() -> None:
    waits, callers = existing(1000)
    [group] = waits.groups
    costs = [done(waits.failed(group, AWAY, float(now))) for now in range(100)]
    assert costs == [0, 1000, *[0] * 98]
    assert done(waits.answered(group, 100.0)) == 1000
    assert done(waits.answered(group, 101.0)) == 0
    for caller in callers:
        assert caller.lines == [
            "No answer from Flyte, still waiting: the server is away",
            "Flyte answers again after 100 s.",
        ]


def test_a_wait_gives_up_when_its_own_budget_is_spent() -> None:
    waits = ProjectWaits()
    patient = Caller(waits, "r1")
    hasty = Caller(waits, "r2", WaitRules(unreachable_after=30.0))
    late = Caller(waits, "r3", WaitRules(unreachable_after=30.0), began=20.0)
    now = 0.0
    ends: dict[str, float] = {}
    while now < 100:
        done(waits.failed(waits.young, AWAY, now))
        for each in (patient, hasty, late):
            if each.outcome:
                ends.setdefault(each.wait.key.name, now)
        now += 2.0
    assert ends == {"r2": 30.0, "r3": 50.0}
    assert hasty.outcome is late.outcome is Outcome.UNREACHABLE


def test_lasting_trouble_ends_a_wait_at_once() -> None:
    waits = ProjectWaits()
    caller = Caller(waits, "r1", WaitRules(unreachable_after=300.0))
    done(waits.failed(waits.young, Trouble("no access", lasting=True), 0.0))
    assert caller.outcome is Outcome.UNREACHABLE


def test_who_comes_in_the_middle_of_trouble_is_notified_too() -> None:
    waits = ProjectWaits()
    first = Caller(waits, "r1")
    for now in (0.0, 1.0, 2.0):
        done(waits.failed(waits.young, AWAY, now))
    second = Caller(waits, "r2", began=3.0)
    assert done(waits.failed(waits.young, AWAY, 4.0)) >= 1
    assert len(first.lines) == len(second.lines) == 1
    assert second.wait.state.trouble_since == 3.0


def test_an_answer_in_the_middle_of_notifying_ends_it() -> None:
    waits, callers = existing(10)
    [group] = waits.groups
    done(waits.failed(group, AWAY, 1.0))
    telling = waits.failed(group, AWAY, 2.0)
    next(telling)
    done(waits.answered(group, 3.0))
    assert done(telling) == 0
    assert [len(caller.lines) for caller in callers] == [2, *[0] * 9]


def test_trouble_of_one_group_is_not_that_of_another() -> None:
    waits, callers = existing(NAMES_A_CALL + 1)
    small = waits.groups[1]
    for now in (1.0, 2.0):
        done(waits.failed(small, AWAY, now))
    assert [len(caller.lines) for caller in callers] == [*[0] * NAMES_A_CALL, 1]


def test_all_are_ended_when_the_watcher_breaks() -> None:
    waits = ProjectWaits()
    callers = [Caller(waits, name) for name in ("r1", "r1", "r2")]
    error: Any = RuntimeError("broken")
    waits.end_all(error)
    assert [caller.wait.end for caller in callers] == [error] * 3
    assert not waits
