"""The pure decision, over directed and over random looks."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_flyte.client.phase import RunPhase, is_successful, is_terminal
from airflow_provider_flyte.client.verdict import (
    Absent,
    Observation,
    Outcome,
    RunError,
    Seen,
    Trouble,
    Verdict,
    WaitRules,
    WaitState,
    decide,
    decide_together,
    observe,
    trouble_over,
)

START = WaitState(absent_since=0.0)
RULES = WaitRules(missing_after=60, unreachable_after=300)

LOOKS = st.one_of(
    st.builds(
        Seen, st.integers(0, 12), st.none() | st.builds(RunError, st.sampled_from(["USER", "SYSTEM"]), st.text())
    ),
    st.just(Absent()),
    st.builds(Trouble, st.text(), st.booleans()),
)
STEPS = st.lists(st.tuples(st.floats(0, 400), LOOKS), max_size=20)
SOME_RULES = st.builds(WaitRules, st.none() | st.floats(0, 200), st.none() | st.floats(0, 400))


def after(*steps: tuple[float, Observation], rules: WaitRules = RULES) -> Verdict:
    """The verdict at the time of the last observation."""
    state, now = START, 0.0
    for now, observation in steps:
        state = observe(state, observation, now)
    return decide(state, now, rules)


@pytest.mark.parametrize("phase", range(12))
def test_a_seen_run(phase: int) -> None:
    verdict = after((0, Seen(phase)))
    expected = Outcome.WAITING
    if is_terminal(phase):
        expected = Outcome.SUCCEEDED if is_successful(phase) else Outcome.FAILED
    assert (verdict.outcome, verdict.phase) == (expected, phase)


def test_a_failure_carries_kind_and_message() -> None:
    verdict = after((0, Seen(RunPhase.FAILED, RunError("USER", "no rows"))))
    assert (verdict.outcome, verdict.kind, verdict.message) == (Outcome.FAILED, "USER", "no rows")


def test_a_run_is_missing_when_the_grace_period_ends() -> None:
    assert after((0, Absent()), (59.9, Absent())).outcome is Outcome.WAITING
    assert after((0, Absent()), (60, Absent())).outcome is Outcome.MISSING
    assert after((0, Absent()), (9999, Absent()), rules=WaitRules(None)).outcome is Outcome.WAITING


def test_the_grace_period_begins_anew_for_a_run_that_was_there() -> None:
    assert after((0, Seen(4)), (500, Absent()), (559, Absent())).outcome is Outcome.WAITING
    assert after((0, Seen(4)), (500, Absent()), (560, Absent())).outcome is Outcome.MISSING


def test_trouble_hides_neither_time_nor_presence() -> None:
    # Only an honest answer makes a run missing.
    assert after((0, Absent()), (100, Trouble("away"))).outcome is Outcome.WAITING
    assert after((0, Absent()), (50, Trouble("away")), (61, Absent())).outcome is Outcome.MISSING


def test_trouble_that_lasts_is_its_own_outcome() -> None:
    first, last = (10.0, Trouble("away")), (310.0, Trouble("still away"))
    assert after(first, (309, Trouble("away"))).outcome is Outcome.WAITING
    assert after(first, last) == Verdict(Outcome.UNREACHABLE, None, message="still away")
    assert after(first, (200, Seen(4)), last).outcome is Outcome.WAITING
    assert after(first, last, rules=WaitRules(60, None)).outcome is Outcome.WAITING


def test_lasting_trouble_does_not_wait_for_the_budget() -> None:
    lasting = Trouble("refused", lasting=True)
    assert after((0, lasting)).outcome is Outcome.UNREACHABLE
    assert after((0, lasting), rules=WaitRules(60, None)).outcome is Outcome.WAITING


def test_an_answer_without_news_ends_trouble() -> None:
    state = trouble_over(observe(START, Trouble("away"), 0))
    assert decide(state, 1000, RULES).outcome is Outcome.WAITING


@given(STEPS, SOME_RULES)
def test_whatever_is_seen(steps: list[tuple[float, Observation]], rules: WaitRules) -> None:
    state, now, over = START, 0.0, None
    for pause, observation in steps:
        now += pause
        # A run that is over is looked at no more.
        if over is None:
            state = observe(state, observation, now)
            if isinstance(observation, Seen) and is_terminal(observation.phase):
                over = observation
        verdict = decide(state, now, rules)
        # What is over decides, whatever came before; nothing else is a success or a failure.
        assert (verdict.outcome in (Outcome.SUCCEEDED, Outcome.FAILED)) == (over is not None)
        if over is not None:
            assert verdict.phase == over.phase
            assert (verdict.outcome is Outcome.SUCCEEDED) == is_successful(over.phase)
        if verdict.outcome is Outcome.MISSING:
            assert isinstance(observation, Absent)
            assert rules.missing_after is not None
        if verdict.outcome is Outcome.UNREACHABLE:
            assert isinstance(observation, Trouble)
            assert rules.unreachable_after is not None
        # A verdict does not depend on how often it is asked for, nor does time alone make a run come back.
        assert decide(state, now, rules) == verdict
        if verdict.over:
            assert decide(state, now + 1000, rules).over
            assert decide(replace(state), now, rules) == verdict


S, F, M, U, W = Outcome.SUCCEEDED, Outcome.FAILED, Outcome.MISSING, Outcome.UNREACHABLE, Outcome.WAITING


@pytest.mark.parametrize(
    ("outcomes", "all_fast", "all_slow", "any_fast", "any_slow"),
    [
        ([W, W], W, W, W, W),
        ([S, W], W, W, S, S),
        ([S, S], S, S, S, S),
        ([F, W], F, W, F, W),
        ([M, W], M, W, M, W),
        ([F, S], F, F, S, S),
        ([F, S, W], F, W, S, S),
        ([M, F], F, F, F, F),
        ([U, M], M, M, M, M),
        ([U, S], U, U, S, S),
    ],
)
def test_several_verdicts_together(
    outcomes: list[Outcome], all_fast: Outcome, all_slow: Outcome, any_fast: Outcome, any_slow: Outcome
) -> None:
    counts = Counter(outcomes)
    assert decide_together(counts, any_one=False, fail_fast=True) is all_fast
    assert decide_together(counts, any_one=False, fail_fast=False) is all_slow
    assert decide_together(counts, any_one=True, fail_fast=True) is any_fast
    assert decide_together(counts, any_one=True, fail_fast=False) is any_slow
