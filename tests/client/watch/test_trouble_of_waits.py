"""When the trouble of a group begins and ends, and what becomes of its waits: by numbers alone."""

from __future__ import annotations

import pytest

from airflow_provider_flyte.client.flows.calls import NAMES_A_CALL
from airflow_provider_flyte.client.verdict import Absent, Outcome, Trouble, WaitRules
from airflow_provider_flyte.client.watch.waits import PROOF_LASTS, ProjectWaits
from tests.client.watch.test_waits import AWAY, FOREVER, RUNNING, SUCCEEDED, Caller, done, existing

HASTY = WaitRules(unreachable_after=30.0)


def ends(waits: ProjectWaits, caller: Caller, began: float, until: float) -> float | None:
    """Polls fail from ``began`` on; gives when the wait gives up."""
    now = began
    while now < until:
        [group] = [group for group in (waits.young, *waits.groups) if group.names] or [waits.young]
        done(waits.failed(group, AWAY, now))
        if caller.outcome is not None:
            return now
        now += 1.0
    return None


@pytest.mark.parametrize("began", [0.0, 500.0])
def test_trouble_counts_from_the_first_poll_that_failed(began: float) -> None:
    waits = ProjectWaits()
    caller = Caller(waits, "r1", HASTY)
    done(waits.saw("r1", RUNNING, 0.0))
    assert ends(waits, caller, began, began + 100) == began + 30
    assert caller.outcome is Outcome.UNREACHABLE
    assert not waits


def test_trouble_counts_anew_after_an_answer() -> None:
    waits = ProjectWaits()
    caller = Caller(waits, "r1", HASTY)
    done(waits.saw("r1", RUNNING, 0.0))
    assert ends(waits, caller, 100.0, 129.0) is None
    done(waits.answered(waits.groups[0], 129.0))
    assert (waits.groups[0].failures, waits.groups[0].trouble, waits.groups[0].notified) == (0, None, False)
    assert ends(waits, caller, 200.0, 300.0) == 230.0


def test_two_outages_are_logged_with_the_length_of_each() -> None:
    waits = ProjectWaits()
    caller = Caller(waits, "r1")
    done(waits.saw("r1", RUNNING, 0.0))
    [group] = waits.groups
    for began, ended in ((10.0, 40.0), (100.0, 107.0)):
        done(waits.failed(group, AWAY, began))
        done(waits.failed(group, AWAY, began + 1))
        done(waits.answered(group, ended))
    assert caller.lines == [
        "No answer from Flyte, still waiting: the server is away",
        "Flyte answers again after 30 s.",
        "No answer from Flyte, still waiting: the server is away",
        "Flyte answers again after 7 s.",
    ]


def test_of_waits_with_other_patience_each_gives_up_in_time() -> None:
    waits = ProjectWaits()
    callers = {name: Caller(waits, name, WaitRules(unreachable_after=after)) for name, after in PATIENCE.items()}
    for name in PATIENCE:
        done(waits.saw(name, RUNNING, 0.0))
    found: dict[str, float] = {}
    for now in range(10, 100):
        if waits.groups:
            done(waits.failed(waits.groups[0], AWAY, float(now)))
        for name, caller in callers.items():
            if caller.outcome:
                found.setdefault(name, now - 10.0)
    assert found == {"soon": 5.0, "later": 20.0, "at the end": 60.0}
    assert waits.has("never")


PATIENCE: dict[str, float | None] = {"later": 20.0, "soon": 5.0, "never": None, "at the end": 60.0}


def test_who_waits_for_ever_costs_nothing_in_an_outage() -> None:
    waits, _ = existing(10)
    [group] = waits.groups
    assert [done(waits.failed(group, AWAY, float(now))) for now in range(1, 6)] == [0, 10, 0, 0, 0]


def test_lasting_trouble_is_passed_on_at_once_and_ends_only_who_may_end() -> None:
    waits = ProjectWaits()
    patient, hasty = Caller(waits, "r1", FOREVER), Caller(waits, "r2", HASTY)
    assert done(waits.failed(waits.young, Trouble("no access", lasting=True), 5.0)) == 2
    assert (patient.outcome, hasty.outcome) == (None, Outcome.UNREACHABLE)
    assert patient.lines == ["No answer from Flyte, still waiting: no access"]


# -- trouble of one run: where each is asked for by itself


def test_the_trouble_of_one_run_ends_with_its_answer() -> None:
    waits = ProjectWaits()
    caller = Caller(waits, "r1")
    other = Caller(waits, "r2")
    done(waits.saw("r1", AWAY, 10.0))
    done(waits.saw("r1", AWAY, 20.0))
    assert done(waits.saw("r1", RUNNING, 40.0)) == 1
    assert caller.lines == [
        "No answer from Flyte, still waiting: the server is away",
        "Flyte answers again after 30 s.",
    ]
    assert other.lines == []
    # It is known to be over: an answer about all has nothing to tell.
    assert done(waits.answered(waits.groups[0], 50.0)) == 0
    assert not waits._troubled


def test_an_answer_is_no_news_for_those_of_another_group() -> None:
    waits = ProjectWaits()
    young = Caller(waits, "young")
    old = Caller(waits, "old")
    done(waits.saw("old", RUNNING, 0.0))
    for now in (1.0, 2.0):
        done(waits.failed(waits.young, AWAY, now))
    assert done(waits.answered(waits.groups[0], 3.0)) == 0
    assert (len(young.lines), len(old.lines)) == (1, 0)
    assert done(waits.answered(waits.young, 4.0)) == 1
    assert len(young.lines) == 2


def test_of_a_run_that_nobody_waits_for_nothing_is_kept() -> None:
    waits = ProjectWaits()
    for look in (RUNNING, AWAY, Absent(), SUCCEEDED):
        assert done(waits.saw("r1", look, 1.0)) == 0
    assert not waits._troubled
    assert not waits.young.names
    assert not waits.groups


# -- a run that was there and is gone


@pytest.mark.parametrize("times", [1, 2])
def test_a_run_that_is_gone_is_asked_for_without_the_phase_filter(times: int) -> None:
    """The other poll would never tell: its wait would go on for ever."""
    waits = ProjectWaits()
    caller = Caller(waits, "r1", WaitRules(missing_after=60.0))
    for time in range(times):
        done(waits.saw("r1", RUNNING, 100.0 * time))
        assert (list(waits.young.names), [list(group.names) for group in waits.groups]) == ([], [["r1"]])
        done(waits.saw("r1", Absent(), 100.0 * time + 10))
        assert (list(waits.young.names), waits.groups) == (["r1"], [])
    last = 100.0 * (times - 1) + 10
    done(waits.saw("r1", Absent(), last + 59))
    assert caller.outcome is None
    done(waits.saw("r1", Absent(), last + 60))
    assert caller.outcome is Outcome.MISSING


def test_each_run_is_proved_within_the_time_that_a_proof_lasts() -> None:
    waits, _ = existing(1, now=100.0)
    [group] = waits.groups
    assert group.proved_at == 100.0
    half = 100.0 + PROOF_LASTS / 2
    assert waits.to_prove(half - 1, 5.0) == []
    assert waits.to_prove(half, 5.0) == [group]
    # Also where nobody asks for longer than a proof lasts.
    assert waits.to_prove(half, 10 * PROOF_LASTS) == [group]
    assert ProjectWaits().to_prove(half, 5.0) == []


def test_the_oldest_proofs_are_renewed_first_and_as_many_as_it_takes() -> None:
    waits, _ = existing(4 * NAMES_A_CALL)
    for number, group in enumerate(waits.groups):
        group.proved_at = 10.0 * (4 - number)
    first, second, third, fourth = waits.groups
    now = PROOF_LASTS
    assert waits.to_prove(now, 1.0) == [fourth]
    assert waits.to_prove(now, PROOF_LASTS / 2) == [fourth, third]
    assert waits.to_prove(now, PROOF_LASTS * 2) == [fourth, third, second, first]


# -- groups become one


@pytest.mark.parametrize(("of_first", "of_second", "one"), [(0, 0, True), (1, 0, False), (0, 1, False), (1, 1, False)])
def test_groups_in_trouble_stay_apart(of_first: int, of_second: int, one: bool) -> None:
    waits, callers = existing(NAMES_A_CALL + 1)
    for caller in callers[: NAMES_A_CALL - 1]:
        waits.discard(caller.wait)
    first, second = waits.groups
    first.failures, second.failures = of_first, of_second
    first.proved_at, second.proved_at = 7.0, 3.0
    waits.tidy()
    assert len(waits.groups) == (1 if one else 2)
    if one:
        assert waits.groups[0].proved_at == 3.0
        assert set(waits.groups[0].names) == set(waits.names())


@pytest.mark.parametrize(("left", "one"), [(NAMES_A_CALL - 1, True), (NAMES_A_CALL, False)])
def test_two_groups_are_one_call_when_they_fit_in_it(left: int, one: bool) -> None:
    waits, callers = existing(NAMES_A_CALL + 1)
    for caller in callers[: NAMES_A_CALL - left]:
        waits.discard(caller.wait)
    waits.tidy()
    assert len(waits.groups) == (1 if one else 2)


@pytest.mark.parametrize("failures", [0, 1])
@pytest.mark.parametrize(("left", "fits"), [(NAMES_A_CALL // 2, True), (NAMES_A_CALL // 2 + 1, False)])
def test_a_run_joins_a_group_that_is_half_empty_and_not_in_trouble(left: int, fits: bool, failures: int) -> None:
    waits, callers = existing(2 * NAMES_A_CALL)
    for caller in callers[: NAMES_A_CALL - left]:
        waits.discard(caller.wait)
    emptiest, full = waits.groups
    emptiest.failures = failures
    Caller(waits, "new")
    done(waits.saw("new", RUNNING, 9.0))
    if fits and not failures:
        assert waits.groups == [full, emptiest]
        assert "new" in emptiest.names
    else:
        assert [group.proved_at for group in waits.groups] == [0.0, 0.0, 9.0]
        assert list(waits.groups[2].names) == ["new"]


# -- who is new


def test_who_comes_is_new_until_the_next_poll_or_its_end() -> None:
    waits = ProjectWaits()
    callers = [Caller(waits, name) for name in ("r1", "r2", "r2")]
    assert waits.new == {"r1", "r2"}
    waits.discard(callers[1].wait)
    assert waits.new == {"r1", "r2"}
    waits.discard(callers[2].wait)
    assert waits.new == {"r1"}
    done(waits.saw("r1", SUCCEEDED, 1.0))
    assert waits.new == set()


def test_trouble_in_the_middle_of_notifying_that_it_is_over_ends_that() -> None:
    waits, callers = existing(10)
    [group] = waits.groups
    for now in (1.0, 2.0):
        done(waits.failed(group, AWAY, now))
    telling = waits.answered(group, 3.0)
    next(telling)
    done(waits.failed(group, AWAY, 4.0))
    assert done(telling) == 0
    assert sorted(len(caller.lines) for caller in callers) == [1] * 9 + [2]
