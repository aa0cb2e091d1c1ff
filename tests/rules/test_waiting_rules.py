"""What was seen -> what a wait knows and decides. By tables, without a server."""

from __future__ import annotations

import pytest

from airflow_provider_flyte.client.phase import RunPhase
from airflow_provider_flyte.client.verdict import (
    Absent,
    Outcome,
    RunError,
    Seen,
    Trouble,
    WaitRules,
    WaitState,
    decide,
    decide_together,
    describe,
    observe,
    trouble_over,
)

RULES = WaitRules(missing_after=60.0, unreachable_after=300.0)
AWAY, REFUSED = Trouble("away"), Trouble("refused", lasting=True)
RUNNING = Seen(RunPhase.RUNNING)


def test_what_a_wait_knows_at_first() -> None:
    assert WaitState(7.0) == WaitState(absent_since=7.0, seen=None, absent=False, trouble=None, trouble_since=None)
    # Nobody has looked yet, so it is not missing.
    assert decide(WaitState(0.0), 1e6, RULES).outcome is Outcome.WAITING
    assert WaitRules() == RULES


@pytest.mark.parametrize(
    ("rules", "patience", "most"),
    [(RULES, 30.0, 30.0), (RULES, 300.0, 300.0), (RULES, 400.0, 300.0), (WaitRules(60.0, None), 400.0, 400.0)],
)
def test_patience_has_an_end(rules: WaitRules, patience: float, most: float) -> None:
    assert rules.at_most(patience) == most


@pytest.mark.parametrize(
    ("phase", "words"), [(None, "not created yet"), (RunPhase.RUNNING, "RUNNING"), (0, "UNSPECIFIED")]
)
def test_a_phase_in_words(phase: int | None, words: str) -> None:
    assert describe(phase) == words


def test_observations() -> None:
    new = WaitState(0.0)
    absent = observe(new, Absent(), 10.0)
    assert absent == WaitState(0.0, absent=True)
    assert observe(absent, Absent(), 20.0) == absent
    there = observe(absent, RUNNING, 30.0)
    assert there == WaitState(0.0, RUNNING, absent=False)
    gone = observe(there, Absent(), 40.0)
    assert gone == WaitState(40.0, RUNNING, absent=True)
    assert observe(gone, Absent(), 50.0) == gone
    trouble = observe(gone, AWAY, 60.0)
    assert trouble == WaitState(40.0, RUNNING, True, AWAY, 60.0)
    # The newest words, and the time of the first.
    assert observe(trouble, REFUSED, 70.0) == WaitState(40.0, RUNNING, True, REFUSED, 60.0)
    assert trouble_over(trouble) == gone
    assert observe(trouble, RUNNING, 80.0) == there
    assert observe(WaitState(0.0, trouble=AWAY, trouble_since=0.0), AWAY, 9.0).trouble_since == 0.0


ERROR = RunError("USER", "no rows")


@pytest.mark.parametrize(
    ("state", "now", "rules", "outcome"),
    [
        (WaitState(0.0, Seen(RunPhase.SUCCEEDED)), 0.0, RULES, Outcome.SUCCEEDED),
        (WaitState(0.0, Seen(RunPhase.RECOVERED)), 0.0, RULES, Outcome.SUCCEEDED),
        (WaitState(0.0, Seen(RunPhase.FAILED, ERROR)), 0.0, RULES, Outcome.FAILED),
        # A run that is over stays over, whatever comes after.
        (WaitState(0.0, Seen(RunPhase.SUCCEEDED), True, REFUSED, 0.0), 1e6, RULES, Outcome.SUCCEEDED),
        (WaitState(0.0, RUNNING), 1e6, RULES, Outcome.WAITING),
        # A newer server's phase is not over.
        (WaitState(0.0, Seen(99)), 1e6, RULES, Outcome.WAITING),
        (WaitState(10.0, absent=True), 69.9, RULES, Outcome.WAITING),
        (WaitState(10.0, absent=True), 70.0, RULES, Outcome.MISSING),
        (WaitState(10.0, absent=True), 1e6, WaitRules(None, 300.0), Outcome.WAITING),
        (WaitState(10.0, absent=True), 10.0, WaitRules(0.0, 300.0), Outcome.MISSING),
        # While there is trouble nobody knows.
        (WaitState(0.0, None, True, AWAY, 10.0), 309.9, RULES, Outcome.WAITING),
        (WaitState(0.0, None, True, AWAY, 10.0), 310.0, RULES, Outcome.UNREACHABLE),
        (WaitState(0.0, RUNNING, False, AWAY, 0.0), 300.0, RULES, Outcome.UNREACHABLE),
        (WaitState(0.0, RUNNING, False, AWAY, 0.0), 1e6, WaitRules(60.0, None), Outcome.WAITING),
        (WaitState(0.0, RUNNING, False, REFUSED, 10.0), 10.0, RULES, Outcome.UNREACHABLE),
        (WaitState(0.0, RUNNING, False, REFUSED, 10.0), 1e6, WaitRules(60.0, None), Outcome.WAITING),
    ],
)
def test_decisions(state: WaitState, now: float, rules: WaitRules, outcome: Outcome) -> None:
    verdict = decide(state, now, rules)
    assert (verdict.outcome, verdict.over) == (outcome, outcome is not Outcome.WAITING)
    assert verdict.phase == (state.seen.phase if state.seen else None)
    failed = outcome is Outcome.FAILED
    assert (verdict.kind, verdict.message) == (
        ("USER", "no rows")
        if failed
        else ("", state.trouble.message if state.trouble and outcome is Outcome.UNREACHABLE else "")
    )


def test_a_failure_that_nobody_has_explained_yet() -> None:
    verdict = decide(WaitState(0.0, Seen(RunPhase.ABORTED)), 0.0, RULES)
    assert (verdict.outcome, verdict.kind, verdict.message) == (Outcome.FAILED, "", "")


W, S, F, M, U = Outcome


@pytest.mark.parametrize(
    ("counts", "any_one", "fail_fast", "outcome"),
    [
        ({S: 2}, False, True, S),
        ({S: 1, W: 1}, False, True, W),
        ({S: 1, W: 1}, True, True, S),
        ({S: 1, F: 1}, True, True, S),
        ({F: 1, W: 1}, False, True, F),
        ({F: 1, W: 1}, False, False, W),
        ({F: 1, S: 1}, False, False, F),
        ({F: 1, W: 1}, True, False, W),
        ({F: 2}, True, False, F),
        ({U: 1, M: 1, F: 1}, False, True, F),
        ({U: 1, M: 1, S: 1}, False, True, M),
        ({U: 1, S: 1}, False, True, U),
        ({F: 0, S: 1}, False, True, S),
        ({W: 0, S: 1}, False, True, S),
        ({W: 2}, False, True, W),
    ],
)
def test_of_several_runs(counts: dict[Outcome, int], any_one: bool, fail_fast: bool, outcome: Outcome) -> None:
    assert decide_together(counts, any_one=any_one, fail_fast=fail_fast) is outcome
