"""One run a try: each sentence of the design's "Launch identity", without a network."""

from __future__ import annotations

import random
import re
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from airflow_provider_flyte.client.errors import ConfigError
from airflow_provider_flyte.client.phase import RunPhase
from airflow_provider_flyte.tries.decision import Answer, Attach, Refuse, Start, decide
from airflow_provider_flyte.tries.identity import (
    DagRunMarks,
    Found,
    Sameness,
    TaskInstance,
    Try,
    abort_reason,
    launch_annotations,
    run_name,
)

TASK = TaskInstance("sales", "train", "manual__2026-11-23")
STARTED = datetime(2026, 11, 23, 12, tzinfo=timezone.utc)
MARKS = DagRunMarks(started=STARTED, clear_number=0)
LATER = STARTED + timedelta(hours=1)
# A busy machine is no failure.

GOING = [RunPhase.QUEUED, RunPhase.RUNNING, RunPhase.PAUSED, 99]
FAILED = [RunPhase.FAILED, RunPhase.ABORTED, RunPhase.TIMED_OUT]


def a_try(number: int = 1, max_tries: int = 2, **changed: Any) -> Try:
    given: dict[str, Any] = {"task": TASK, "number": number, "max_tries": max_tries, "dag_run": MARKS}
    return Try(**given | changed)


def run_of(launching: Try, phase: int = RunPhase.RUNNING, abort_reason: str = "") -> Found:
    return Found(launching.name, phase, launch_annotations(launching), abort_reason)


# -- names

_texts = st.text(max_size=300)
_prefixes = st.from_regex(r"[a-z][-a-z0-9]{0,14}", fullmatch=True)


@given(_prefixes, _texts, _texts, _texts, st.integers(-1, 10_000), st.integers(1, 1000))
def test_a_name_is_one_that_flyte_takes(prefix: str, dag: str, task: str, run: str, index: int, number: int) -> None:
    name = run_name(prefix, dag, task, run, index, number)
    assert re.fullmatch(r"[a-z]([-a-z0-9]*[a-z0-9])?", name)
    assert len(name) <= 30
    assert name.startswith(prefix)
    assert name == run_name(prefix, dag, task, run, index, number)


_identities = st.tuples(_texts, _texts, _texts, st.integers(-1, 99), st.integers(1, 99))


@given(_identities, _identities)
def test_names_differ_where_anything_does(one: tuple[Any, ...], other: tuple[Any, ...]) -> None:
    assert (run_name("af-", *one) == run_name("af-", *other)) == (one == other)


def test_nothing_moves_from_one_part_to_the_next() -> None:
    assert run_name("af-", "a.b", "c", "r", -1, 1) != run_name("af-", "a", "b.c", "r", -1, 1)
    assert TaskInstance("a.b", "c", "r") != TaskInstance("a", "b.c", "r")


def test_a_name_stays_the_same_over_releases() -> None:
    """A worker of a newer release must find the run that an older one launched."""
    assert a_try().name == "af-jh5vdpcy4rwqscihcyij"


@pytest.mark.parametrize("prefix", ["", "A", "1a", "a_", "a" * 16])
def test_a_prefix_that_cannot_be_is_refused(prefix: str) -> None:
    with pytest.raises(ConfigError):
        run_name(prefix, "d", "t", "r", -1, 1)


def test_names_are_the_tries_own_first_and_then_the_earlier_ones() -> None:
    assert a_try(3).names == [a_try(3).name, a_try(2).name, a_try(1).name]


def test_a_chosen_name_gets_a_number_from_the_second_try_on() -> None:
    assert a_try(3, run_name="nightly").names == ["nightly-3", "nightly-2", "nightly"]


def test_a_chosen_name_must_leave_room_for_the_retries() -> None:
    """Said before the first try, not by the one that needs the room."""
    assert a_try(1, max_tries=0, run_name="a" * 30).name == "a" * 30
    with pytest.raises(ConfigError, match="Shorten it to 28"):
        a_try(1, max_tries=2, run_name="a" * 29)
    with pytest.raises(ConfigError, match="No Flyte run can be named"):
        a_try(run_name="Nightly")


def test_what_airflow_never_says_is_refused() -> None:
    with pytest.raises(ConfigError, match="try_number"):
        a_try(0)
    with pytest.raises(ConfigError, match="without a zone"):
        DagRunMarks(started=datetime(2026, 1, 1))


# -- whose a run is


def test_annotations_name_the_task_instance_the_try_and_max_tries() -> None:
    mapped = TaskInstance("sales", "train", "r", 7)
    marks = DagRunMarks("7", LATER, STARTED, 1, "4bf92f35")
    assert launch_annotations(a_try(2, 5, task=mapped, dag_run=marks, attempt_id="0198-a")) == {
        "airflow.apache.org/dag_id": "sales",
        "airflow.apache.org/task_id": "train",
        "airflow.apache.org/run_id": "r",
        "airflow.apache.org/map_index": "7",
        "airflow.apache.org/try_number": "2",
        "airflow.apache.org/max_tries": "5",
        "airflow.apache.org/task_instance_id": "0198-a",
        "airflow.apache.org/dag_run_key": "7",
        "airflow.apache.org/dag_run_after": "2026-11-23T13:00:00+00:00",
        "airflow.apache.org/dag_run_started": "2026-11-23T12:00:00+00:00",
        "airflow.apache.org/dag_run_trace": "4bf92f35",
        "airflow.apache.org/clear_number": "1",
    }
    assert Found("r", 4, launch_annotations(a_try(task=mapped))).owner == mapped
    assert str(mapped) == "sales.train[7] in r"


@pytest.mark.parametrize("spoilt", ["dag_id", "task_id", "run_id"])
def test_a_run_that_says_too_little_is_nobodys(spoilt: str) -> None:
    message = {key: value for key, value in launch_annotations(a_try()).items() if not key.endswith(spoilt)}
    assert Found("r", 4, message).owner is None


# -- try n starts


def test_nothing_is_there_so_the_try_launches() -> None:
    assert decide(a_try(), []) == Start(a_try().name)
    assert decide(a_try(3), []) == Start(a_try(3).name)


@pytest.mark.parametrize("phase", list(RunPhase))
def test_its_own_run_is_attached_to_whatever_its_phase(phase: RunPhase) -> None:
    """A crash after the launch; the wait then sees at once what is over."""
    assert decide(a_try(2), [run_of(a_try(2), phase), run_of(a_try(1), RunPhase.RUNNING)]) == Attach(a_try(2).name)


def test_its_own_run_is_attached_to_though_retries_were_edited() -> None:
    assert decide(a_try(1, max_tries=5), [run_of(a_try(1, max_tries=0))]) == Attach(a_try(1).name)


@pytest.mark.parametrize("phase", GOING)
def test_an_earlier_run_that_goes_on_is_attached_to(phase: int) -> None:
    found = [run_of(a_try(1), RunPhase.SUCCEEDED), run_of(a_try(2), phase)]
    assert decide(a_try(3), found) == Attach(a_try(2).name)


@pytest.mark.parametrize("phase", [RunPhase.SUCCEEDED, RunPhase.RECOVERED])
def test_an_earlier_run_that_succeeded_is_the_answer(phase: int) -> None:
    found = [run_of(a_try(1), phase), run_of(a_try(2), RunPhase.FAILED)]
    assert decide(a_try(3), found) == Answer(a_try(1).name)


@pytest.mark.parametrize("phase", FAILED)
def test_after_failures_the_try_launches_and_says_what_it_repeats(phase: int) -> None:
    found = [run_of(a_try(1), RunPhase.FAILED), run_of(a_try(2), phase)]
    assert decide(a_try(3), found) == Start(a_try(3).name, after=a_try(2).name)


# -- a clear


@pytest.mark.parametrize("phase", [RunPhase.SUCCEEDED, RunPhase.FAILED])
def test_what_was_cleared_does_not_count(phase: int) -> None:
    """Clearing a finished task raises max_tries."""
    assert decide(a_try(2, max_tries=3), [run_of(a_try(1, max_tries=2), phase)]) == Start(a_try(2).name)


@pytest.mark.parametrize("phase", GOING)
def test_what_the_predecessor_of_a_clear_left_running_is_to_be_ended_first(phase: int) -> None:
    found = [run_of(a_try(1, max_tries=2), phase)]
    assert decide(a_try(2, max_tries=3), found) == Start(a_try(2).name, end_first=(a_try(1).name,))


def test_retries_after_a_clear_count_anew() -> None:
    found = [run_of(a_try(1, max_tries=0), RunPhase.SUCCEEDED), run_of(a_try(2, max_tries=2), RunPhase.FAILED)]
    assert decide(a_try(3, max_tries=2), found) == Start(a_try(3).name, after=a_try(2).name)


# -- the retry budget


@pytest.mark.parametrize("phase", FAILED)
def test_past_the_budget_the_last_run_is_the_answer(phase: int) -> None:
    """A scheduler that resets an orphan adds a try that nobody allowed."""
    assert decide(a_try(2, max_tries=0), [run_of(a_try(1, max_tries=0), phase)]) == Answer(a_try(1).name)
    found = [run_of(a_try(1), RunPhase.FAILED), run_of(a_try(3), phase)]
    assert decide(a_try(4, max_tries=2), found) == Answer(a_try(3).name)


def test_past_the_budget_a_run_that_goes_on_is_waited_for() -> None:
    assert decide(a_try(2, max_tries=0), [run_of(a_try(1, max_tries=0))]) == Attach(a_try(1).name)


def test_past_the_budget_the_first_run_is_launched_where_none_ever_was() -> None:
    """A try that was reset before it came to launch anything has used nothing up."""
    assert decide(a_try(2, max_tries=0), []) == Start(a_try(2).name)


def test_a_running_task_that_was_cleared_starts_anew() -> None:
    """That does not raise max_tries, but the kill aborted its run, and the reason tells."""
    killed = run_of(a_try(1, max_tries=0), RunPhase.ABORTED, abort_reason(TASK, "the task was cleared"))
    assert decide(a_try(2, max_tries=0), [killed]) == Start(a_try(2).name)
    by_hand = run_of(a_try(1, max_tries=0), RunPhase.ABORTED, "too slow")
    assert decide(a_try(2, max_tries=0), [by_hand]) == Answer(a_try(1).name)


# -- foreign and stale runs


@pytest.mark.parametrize("other", [
    TaskInstance("other", "train", TASK.run_id),
    TaskInstance("sales", "other", TASK.run_id),
    TaskInstance("sales", "train", "manual__2026-11-22"),
    TaskInstance("sales", "train", TASK.run_id, 0),
], ids=str)  # fmt: skip
def test_a_run_of_another_task_instance_is_refused(other: TaskInstance) -> None:
    theirs = launch_annotations(a_try(task=other))
    for number in (1, 2):
        decision = decide(a_try(number), [Found(a_try(1).name, RunPhase.SUCCEEDED, theirs)])
        assert isinstance(decision, Refuse)
        assert f"launched by another task instance, {other}" in decision.reason


def test_a_run_that_nobody_says_is_his_is_refused_under_a_computed_name() -> None:
    decision = decide(a_try(), [Found(a_try().name, RunPhase.RUNNING, {})])
    assert isinstance(decision, Refuse)
    assert "no Airflow task launched" in decision.reason


# -- another DAG run of the same id

SAME, OTHER, UNKNOWN = Sameness.SAME, Sameness.OTHER, Sameness.UNKNOWN
AFTER = STARTED - timedelta(days=1)


@pytest.mark.parametrize(("then", "now", "same"), [
    # Nothing but the clock: an Airflow 3 without traces, an Airflow 2 on SQLite.
    (DagRunMarks(started=STARTED), DagRunMarks(started=STARTED.astimezone(timezone(timedelta(hours=5)))), SAME),
    (DagRunMarks(started=STARTED), DagRunMarks(started=LATER), UNKNOWN),
    (DagRunMarks(started=STARTED, clear_number=0), DagRunMarks(started=LATER, clear_number=1), UNKNOWN),
    # A reset gives a later start, never an earlier one.
    (DagRunMarks(started=LATER), DagRunMarks(started=STARTED), OTHER),
    (DagRunMarks(started=LATER, clear_number=0), DagRunMarks(started=STARTED, clear_number=1), OTHER),
    (DagRunMarks(started=LATER, trace="a"), DagRunMarks(started=STARTED, trace="b", clear_number=1), OTHER),
    (DagRunMarks(started=LATER, trace="a"), DagRunMarks(started=STARTED, trace="a"), SAME),
    (DagRunMarks(started=LATER), DagRunMarks(started=STARTED, dated=True), UNKNOWN),
    (DagRunMarks(started=LATER, dated=True), DagRunMarks(started=STARTED), OTHER),
    (DagRunMarks(started=LATER, clear_number=1), DagRunMarks(started=STARTED, clear_number=0), OTHER),
    (DagRunMarks(started=STARTED, dated=True), DagRunMarks(started=STARTED, dated=True), UNKNOWN),
    (DagRunMarks(), DagRunMarks(started=STARTED), SAME),
    (DagRunMarks(started=STARTED), DagRunMarks(), SAME),
    # Airflow 2: the row in the database.
    (DagRunMarks("7", started=STARTED), DagRunMarks("7", started=LATER), SAME),
    (DagRunMarks("7", started=STARTED, dated=True), DagRunMarks("8", started=STARTED, dated=True), OTHER),
    (DagRunMarks("8", started=STARTED, dated=True), DagRunMarks("7", started=STARTED, dated=True), OTHER),
    # Airflow 3: run_after, and a trace.
    (DagRunMarks(run_after=AFTER, started=STARTED), DagRunMarks(run_after=STARTED, started=STARTED), OTHER),
    (DagRunMarks(run_after=STARTED, started=STARTED), DagRunMarks(run_after=AFTER, started=STARTED), OTHER),
    (DagRunMarks(run_after=AFTER, started=STARTED), DagRunMarks(run_after=AFTER, started=LATER), UNKNOWN),
    (DagRunMarks(started=STARTED, trace="a"), DagRunMarks(started=LATER, trace="a"), SAME),
    (DagRunMarks(started=STARTED, trace="a"), DagRunMarks(started=LATER, trace="b"), OTHER),
    (DagRunMarks(started=STARTED, trace="a"), DagRunMarks(started=STARTED, trace="b"), SAME),
    (DagRunMarks(started=STARTED, trace="a", clear_number=0), DagRunMarks(started=LATER, trace="b", clear_number=1),
     UNKNOWN),
    (DagRunMarks(started=STARTED), DagRunMarks(started=LATER, trace="b"), UNKNOWN),
])  # fmt: skip
def test_a_dag_run_is_not_another_one_of_its_id(then: DagRunMarks, now: DagRunMarks, same: Sameness) -> None:
    assert now.compare(run_of(a_try(dag_run=then))) is same


def test_the_same_try_is_known_by_its_id() -> None:
    """Airflow 3 gives each try of each DAG run one of its own, and leaves it where it executes a try again."""
    reset = DagRunMarks(started=LATER, clear_number=0)
    then = a_try(attempt_id="a")
    assert decide(a_try(attempt_id="a", dag_run=reset), [run_of(then)]) == Attach(then.name)
    assert isinstance(decide(a_try(attempt_id="b"), [run_of(then)]), Start)
    # Of an earlier try it says nothing.
    assert decide(a_try(2, attempt_id="b"), [run_of(then)]) == Attach(then.name)


OLD = DagRunMarks("6", started=STARTED - timedelta(hours=1))
NEW = DagRunMarks("7", started=STARTED)


@pytest.mark.parametrize("phase", [*GOING, *FAILED, RunPhase.SUCCEEDED])
def test_a_dag_run_that_was_deleted_and_made_again_launches_its_own(phase: int) -> None:
    old = run_of(a_try(dag_run=OLD), phase)
    going = (old.name,) if phase in GOING else ()
    made_again = decide(a_try(dag_run=NEW), [old])
    assert made_again == Start(a_try().name_of(1, skipped=1), others=going)
    # And finds it again.
    mine = Found(made_again.name, RunPhase.RUNNING, launch_annotations(a_try(dag_run=NEW)))
    assert decide(a_try(dag_run=NEW), [old, mine]) == Attach(mine.name)
    assert decide(a_try(2, dag_run=NEW), [old, mine]) == Attach(mine.name)
    # Where its first try came to nothing, the old run is no answer to the second one.
    assert decide(a_try(2, dag_run=NEW), [old]) == Start(a_try(2).name, others=going)
    # Made again once more.
    newest = DagRunMarks("8", started=LATER)
    third = decide(a_try(dag_run=newest), [old, mine])
    assert third == Start(a_try().name_of(1, skipped=2), others=(*going, mine.name))


@pytest.mark.parametrize("phase", [*GOING, RunPhase.SUCCEEDED])
def test_after_a_reset_that_nothing_proves_the_try_starts_anew(phase: int) -> None:
    """Neither an answer, which may be that of a DAG run that was deleted, nor a second run beside the first."""
    reset = DagRunMarks(started=LATER, clear_number=0)
    first = run_of(a_try(), phase)
    expected = Start(a_try(2).name, end_first=(first.name,) if phase in GOING else ())
    assert decide(a_try(2, dag_run=reset), [first]) == expected


def test_a_name_that_was_passed_over_belongs_to_another_dag_run() -> None:
    """Though by now nothing tells: the run behind it was launched by one that knew."""
    dated = DagRunMarks(started=STARTED, dated=True)
    first = run_of(a_try(dag_run=dated), RunPhase.RUNNING)
    second = Found(a_try().name_of(1, skipped=1), RunPhase.RUNNING, launch_annotations(a_try(dag_run=dated)))
    assert decide(a_try(2, dag_run=dated), [first, second]) == Start(
        a_try(2).name, end_first=(second.name,), others=(first.name,)
    )


def test_a_chosen_name_that_another_dag_run_has_is_refused() -> None:
    old = run_of(a_try(dag_run=OLD, run_name="nightly"), RunPhase.SUCCEEDED)
    decision = decide(a_try(dag_run=NEW, run_name="nightly"), [old])
    assert isinstance(decision, Refuse)
    assert "an earlier DAG run of the same id, manual__2026-11-23, deleted since" in decision.reason
    assert decide(a_try(2, dag_run=NEW, run_name="nightly"), [old]) == Start("nightly-2")


@pytest.mark.parametrize("spoilt", ["yesterday", "2026-11-23T12:00:00"])
def test_a_spoilt_time_proves_nothing_in_its_favour(spoilt: str) -> None:
    message = launch_annotations(a_try()) | {"airflow.apache.org/dag_run_started": spoilt}
    assert isinstance(decide(a_try(), [Found(a_try().name, RunPhase.SUCCEEDED, message)]), Start)


# -- airflow tasks test


def test_a_test_launches_anew_each_time_and_nobody_else_knows_of_it() -> None:
    first = a_try(attempt_id="a", is_test=True)
    assert first.name != a_try().name
    decision = decide(first, [run_of(a_try(attempt_id="a"), RunPhase.SUCCEEDED)])
    assert decision == Start(first.name)
    second = decide(first, [run_of(first, RunPhase.SUCCEEDED)])
    assert isinstance(second, Start)
    assert second.name not in (first.name, a_try().name)
    assert a_try(3, is_test=True).names == [a_try(3, is_test=True).name]


def test_a_test_under_a_chosen_name_says_that_it_is_taken() -> None:
    test = a_try(is_test=True, run_name="nightly")
    assert decide(test, []) == Start("nightly")
    decision = decide(test, [run_of(test, RunPhase.SUCCEEDED)])
    assert isinstance(decision, Refuse)
    assert "Test with another run_name" in decision.reason
    assert decide(test, [Found("nightly", RunPhase.RUNNING, {})]) == Attach("nightly")


# -- an operator inside another task


def test_an_operator_inside_another_task_has_runs_of_its_own() -> None:
    one, other = (TaskInstance("sales", "train", "r", operator_id=name) for name in ("fit", "score"))
    names = {a_try(task=task).name for task in (one, other, TaskInstance("sales", "train", "r"))}
    assert len(names) == 3
    assert run_of(a_try(task=one)).owner == one
    assert str(one) == "sales.train (fit) in r"


# -- a chosen name


@pytest.mark.parametrize("phase", [*GOING, RunPhase.SUCCEEDED, RunPhase.FAILED])
def test_a_chosen_name_attaches_to_a_run_launched_by_hand(phase: int) -> None:
    assert decide(a_try(run_name="nightly"), [Found("nightly", phase, {})]) == Attach("nightly")


def test_a_retry_waits_for_a_run_launched_by_hand_or_launches_its_own() -> None:
    second = a_try(2, run_name="nightly")
    assert decide(second, [Found("nightly", RunPhase.RUNNING, {})]) == Attach("nightly")
    assert decide(second, [Found("nightly", RunPhase.FAILED, {})]) == Start("nightly-2")


def test_a_chosen_name_with_retries() -> None:
    first = run_of(a_try(1, run_name="nightly"), RunPhase.FAILED)
    assert decide(a_try(2, run_name="nightly"), [first]) == Start("nightly-2", after="nightly")
    second = run_of(a_try(2, run_name="nightly"), RunPhase.SUCCEEDED)
    assert decide(a_try(3, run_name="nightly"), [first, second]) == Answer("nightly-2")


def test_a_number_is_never_appended_to_what_somebody_else_launched() -> None:
    decision = decide(a_try(2, run_name="nightly"), [Found("nightly-2", RunPhase.RUNNING, {})])
    assert isinstance(decision, Refuse)
    assert "Set another run_name" in decision.reason


def test_a_chosen_name_that_every_dag_run_shares_is_refused() -> None:
    yesterday = a_try(task=TaskInstance("sales", "train", "manual__2026-11-22"), run_name="nightly")
    decision = decide(a_try(run_name="nightly"), [run_of(yesterday, RunPhase.SUCCEEDED)])
    assert isinstance(decision, Refuse)
    assert "leave run_name out" in decision.reason


# -- a whole life of a task instance


class Life(RuleBasedStateMachine):
    """A task instance in an Airflow that crashes, resets, retries and clears, over a Flyte that keeps every run."""

    @initialize(retries=st.integers(0, 3), chosen=st.sampled_from([None, "nightly"]))
    def begin(self, retries: int, chosen: str | None) -> None:
        self.retries = self.max_tries = retries
        self.chosen = chosen
        self.number = 1
        self.runs: dict[str, Found] = {}
        self.epoch_of: dict[str, int] = {}
        self.epoch = 1

    def trying(self) -> Try:
        return a_try(self.number, self.max_tries, run_name=self.chosen)

    def in_epoch(self) -> list[Found]:
        return [run for name, run in self.runs.items() if self.epoch_of[name] == self.epoch]

    @rule(shuffled=st.randoms())
    def the_try_starts(self, shuffled: random.Random) -> None:
        trying = self.trying()
        found = list(self.runs.values())
        shuffled.shuffle(found)
        decision = decide(trying, found)
        assert decision == decide(trying, self.runs.values())
        since_clear = self.in_epoch()
        if isinstance(decision, Start):
            assert decision.name not in self.runs
            assert all(run.over for run in since_clear)
            assert not any(run.phase in (RunPhase.SUCCEEDED, RunPhase.RECOVERED) for run in since_clear)
            assert set(decision.end_first) == {name for name, run in self.runs.items() if not run.over}
            for name in decision.end_first:
                self.runs[name] = Found(name, RunPhase.ABORTED, self.runs[name].annotations, abort_reason(TASK, "x"))
            self.runs[decision.name] = run_of(trying)
            self.epoch_of[decision.name] = self.epoch
        elif isinstance(decision, Attach):
            assert decision.name == trying.name or not self.runs[decision.name].over
            assert self.epoch_of[decision.name] == self.epoch
        else:
            assert isinstance(decision, Answer)
            assert self.runs[decision.name].over
            assert self.epoch_of[decision.name] == self.epoch

    @rule(phase=st.sampled_from([*GOING, *FAILED, RunPhase.SUCCEEDED, RunPhase.RECOVERED]), which=st.randoms())
    def a_run_moves(self, phase: int, which: random.Random) -> None:
        going = [name for name, run in self.runs.items() if not run.over]
        if going:
            name = which.choice(going)
            self.runs[name] = Found(name, phase, self.runs[name].annotations)

    @rule()
    def all_runs_succeed(self) -> None:
        for name, run in self.runs.items():
            if not run.over:
                self.runs[name] = Found(name, RunPhase.SUCCEEDED, run.annotations)

    @precondition(lambda self: self.number <= self.max_tries)
    @rule()
    def airflow_retries(self) -> None:
        self.number += 1

    @rule()
    def the_scheduler_resets_an_orphan(self) -> None:
        if self.number < self.max_tries + 4:
            self.number += 1

    @rule()
    def somebody_clears_the_finished_task(self) -> None:
        self.max_tries = self.number + self.retries
        self.number += 1
        self.epoch += 1

    @invariant()
    def no_more_runs_than_tries_that_are_allowed(self) -> None:
        if hasattr(self, "runs"):
            assert len(self.in_epoch()) <= self.retries + 1

    @invariant()
    def never_two_at_once(self) -> None:
        if hasattr(self, "runs"):
            assert sum(not run.over for run in self.in_epoch()) <= 1


TestLife = Life.TestCase
