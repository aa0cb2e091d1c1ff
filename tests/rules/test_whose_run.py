"""The annotations of a run -> whose it is, and whether it counts. By tables, without a server."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from airflow_provider_flyte.client.errors import ConfigError
from airflow_provider_flyte.client.phase import RunPhase
from airflow_provider_flyte.tries.decision import Answer, Attach, Refuse, Start, decide, stragglers
from airflow_provider_flyte.tries.identity import (
    DEFAULT_PREFIX,
    DagRunMarks,
    Found,
    Sameness,
    TaskInstance,
    Try,
    abort_reason,
    launch_annotations,
    next_name,
    run_name,
)

KEY = "airflow.apache.org/"
TASK = TaskInstance("sales", "train", "x")
MARKS = DagRunMarks("7", clear_number=1)


def a_try(number: int = 1, max_tries: int = 3, **changed: Any) -> Try:
    given: dict[str, Any] = {"task": TASK, "number": number, "max_tries": max_tries, "dag_run": MARKS}
    return Try(**given | changed)


def run_of(launching: Try, phase: int = RunPhase.RUNNING, why_aborted: str = "", **changed: str | None) -> Found:
    """The run that this try has launched; ``changed`` are annotations, None for one that is not there."""
    stored = launch_annotations(launching) | {KEY + name: value for name, value in changed.items() if value is not None}
    for name in (name for name, value in changed.items() if value is None):
        stored.pop(KEY + name, None)
    return Found(launching.name, phase, stored, why_aborted)


def owned(**stored: str) -> TaskInstance | None:
    return Found("r", RunPhase.RUNNING, {KEY + name: value for name, value in stored.items()}).owner


WHO = {"dag_id": "sales", "task_id": "train", "run_id": "x"}


@pytest.mark.parametrize(
    ("map_index", "means"),
    [("-1", -1), ("0", 0), ("7", 7), ("", -1), ("seven", -1), ("-7", -1), ("²", -1), ("1.0", -1)],
)
def test_the_map_index_of_the_owner(map_index: str, means: int) -> None:
    assert owned(**WHO, map_index=map_index) == TaskInstance("sales", "train", "x", means)


def test_the_owner_of_a_run_that_says_the_least() -> None:
    assert owned(**WHO) == TaskInstance("sales", "train", "x", -1, "")
    assert owned(**WHO, airflow="prod") == TaskInstance("sales", "train", "x", airflow="prod")
    assert owned(**WHO, operator_id="fit") == TaskInstance("sales", "train", "x", -1, "fit")
    assert owned() is None
    assert Found("r", RunPhase.RUNNING, WHO).owner is None  # somebody else's annotations


@pytest.mark.parametrize("missing", WHO)
def test_a_run_without_an_owner(missing: str) -> None:
    assert owned(**{name: value for name, value in WHO.items() if name != missing}, map_index="0") is None


@pytest.mark.parametrize(
    ("index", "inside", "text"),
    [
        (-1, "", "sales.train in x"),
        (0, "", "sales.train[0] in x"),
        (1, "", "sales.train[1] in x"),
        (-1, "fit", "sales.train (fit) in x"),
    ],
)
def test_a_task_instance_in_words(index: int, inside: str, text: str) -> None:
    assert str(TaskInstance("sales", "train", "x", index, inside)) == text


# -- who ended it


@pytest.mark.parametrize(
    ("phase", "reason", "by_airflow"),
    [
        (RunPhase.ABORTED, abort_reason(TASK, "cleared"), True),
        (RunPhase.RUNNING, abort_reason(TASK, "cleared"), False),
        (RunPhase.ABORTED, "too dear", False),
        (RunPhase.ABORTED, "", False),
        (RunPhase.ABORTED, "by Airflow: ", False),
    ],
)
def test_a_run_that_airflow_has_ended(phase: RunPhase, reason: str, by_airflow: bool) -> None:
    assert Found("r", phase, {}, reason).ended_by_airflow is by_airflow
    assert abort_reason(TASK, "cleared") == "Airflow: sales.train in x: cleared"


# -- a clear that left max_tries as it was


@pytest.mark.parametrize(
    ("number", "then", "now", "retries", "counts"),
    [
        # The clear came between them, and left so many retries that this try is from before it.
        (1, "0", 1, 1, False),
        (2, "0", 1, 1, False),
        (1, "0", 1, 2, False),
        (2, "0", 1, 2, True),
        (1, "0", 1, 3, True),
        # Cleared, but another task of the DAG run.
        (2, "0", 1, 3, True),
        # Not cleared since.
        (1, "1", 1, 1, True),
        # Not known.
        (1, "0", 1, None, True),
        (1, None, 1, 1, True),
        (1, "0", None, 1, True),
    ],
)
def test_a_run_from_before_a_clear_with_fewer_retries(
    number: int, then: str | None, now: int | None, retries: int | None, counts: bool
) -> None:
    trying = a_try(3, dag_run=DagRunMarks("7", clear_number=now), retries=retries)
    run = run_of(a_try(number), clear_number=then)
    first = Start(trying.name, end_first=(run.name,))
    assert decide(trying, [run]) == (Attach(run.name) if counts else first)


@pytest.mark.parametrize("number", [None, "", "one", "-1"])
def test_a_run_that_does_not_say_its_try_counts(number: str | None) -> None:
    run = run_of(a_try(1), clear_number="0", try_number=number)
    assert decide(a_try(3, retries=1), [run]) == Attach(run.name)


# -- which DAG run's it is

ZONED = datetime(2026, 11, 26, 12, tzinfo=timezone.utc)


@pytest.mark.parametrize("name", ["run_after", "started"])
def test_a_time_has_a_zone(name: str) -> None:
    with pytest.raises(ConfigError, match=f"{name} of the DAG run is .*, without a zone"):
        DagRunMarks(**{name: datetime(2026, 11, 26, 12)})  # type: ignore[arg-type]


def test_what_is_not_known_is_no_annotation() -> None:
    assert DagRunMarks().annotations() == {}
    assert DagRunMarks("7", ZONED, ZONED, 0, "t").annotations() == {
        "dag_run_key": "7",
        "dag_run_after": "2026-11-26T12:00:00+00:00",
        "dag_run_started": "2026-11-26T12:00:00+00:00",
        "dag_run_trace": "t",
        "clear_number": "0",
    }
    # One moment, one text.
    there = ZONED.astimezone(timezone(timedelta(hours=5)))
    assert DagRunMarks(started=there).annotations() == DagRunMarks(started=ZONED).annotations()


SAME, OTHER, UNKNOWN = Sameness


@pytest.mark.parametrize(
    ("stored", "now", "same"),
    [
        # The key settles it, whatever else there is.
        ({"dag_run_key": "7"}, DagRunMarks("7"), SAME),
        ({"dag_run_key": "7", "clear_number": "5"}, DagRunMarks("7", clear_number=0), SAME),
        ({"dag_run_key": "6", "dag_run_trace": "t"}, DagRunMarks("7", trace="t"), OTHER),
        # It was cleared more often than this DAG run: another one's.
        ({"clear_number": "1"}, DagRunMarks(clear_number=0), OTHER),
        ({"clear_number": "1"}, DagRunMarks(clear_number=1), SAME),
        ({"clear_number": "0"}, DagRunMarks(clear_number=1), SAME),
        ({"clear_number": "many"}, DagRunMarks(clear_number=0), SAME),
        ({"clear_number": "1"}, DagRunMarks(), OTHER),
        # The trace.
        ({"dag_run_trace": "t"}, DagRunMarks(trace="t"), SAME),
        ({"dag_run_trace": "s"}, DagRunMarks(trace="t"), OTHER),
        ({"dag_run_trace": "s", "clear_number": "0"}, DagRunMarks(trace="t", clear_number=1), UNKNOWN),
        ({"dag_run_trace": "s", "clear_number": "1"}, DagRunMarks(trace="t", clear_number=1), OTHER),
        # What is no time proves nothing.
        ({"dag_run_started": "noon"}, DagRunMarks(started=ZONED), UNKNOWN),
        ({"dag_run_started": "2030-01-01T00:00:00"}, DagRunMarks(started=ZONED), UNKNOWN),
        ({"dag_run_started": "2030-01-01T00:00:00+00:00"}, DagRunMarks(started=ZONED), OTHER),
        ({"dag_run_started": "2030-01-01T00:00:00+00:00"}, DagRunMarks(), SAME),
        # Nothing in common.
        ({}, DagRunMarks("7", ZONED, ZONED, 0, "t"), SAME),
    ],
)
def test_the_marks_of_a_dag_run(stored: dict[str, str], now: DagRunMarks, same: Sameness) -> None:
    run = Found("r", RunPhase.RUNNING, {KEY + name: value for name, value in stored.items()})
    assert now.compare(run) is same


@pytest.mark.parametrize(
    ("trying", "run", "same"),
    [
        # Launched by hand under the chosen name.
        (a_try(run_name="nightly"), Found("nightly", RunPhase.RUNNING, {}), SAME),
        # The same try: its id tells, and nothing else.
        (a_try(attempt_id="a"), run_of(a_try(attempt_id="a"), dag_run_key="8"), SAME),
        (a_try(attempt_id="a"), run_of(a_try(attempt_id="b")), OTHER),
        (a_try(attempt_id="a"), run_of(a_try()), SAME),
        (a_try(), run_of(a_try(attempt_id="b")), SAME),
        # Another try: it says nothing.
        (a_try(2, attempt_id="a"), run_of(a_try(1, attempt_id="b")), SAME),
        (a_try(2, attempt_id="a"), run_of(a_try(1, attempt_id="a"), dag_run_key="8"), OTHER),
        # What it resumes with is its own.
        (a_try(resumes=a_try().name), run_of(a_try(), dag_run_key="8"), SAME),
        (a_try(resumes="another"), run_of(a_try(), dag_run_key="8"), OTHER),
        # A test has no earlier run but the one that it resumes with.
        (a_try(is_test=True), run_of(a_try(is_test=True)), OTHER),
        (a_try(is_test=True, attempt_id="a"), run_of(a_try(is_test=True, attempt_id="a")), OTHER),
        (a_try(is_test=True, resumes=a_try(is_test=True).name), run_of(a_try(is_test=True)), SAME),
    ],
)
def test_whether_a_run_is_this_dag_runs(trying: Try, run: Found, same: Sameness) -> None:
    assert trying.compare(run) is same


# -- what a try does


def refused(trying: Try, *runs: Found) -> str:
    decision = decide(trying, runs)
    assert isinstance(decision, Refuse), decision
    return decision.reason


def test_why_a_run_is_refused() -> None:
    by_hand = Found(a_try().name, RunPhase.RUNNING, {})
    assert refused(a_try(), by_hand).endswith("Set another run name prefix in the Flyte connection.")
    chosen = Found("nightly-2", RunPhase.RUNNING, {})
    assert refused(a_try(2, run_name="nightly"), chosen).endswith("Set another run_name.")
    others = TaskInstance("sales", "train", "y")
    other = Found(a_try().name, RunPhase.RUNNING, launch_annotations(a_try(task=others)))
    assert refused(a_try(), other) == (
        f"Run {other.name} was launched by another task instance, sales.train in y, not sales.train in x. Set another "
        "run name prefix in one of the two Airflows' Flyte connections."
    )
    # Also where it has an earlier try's name.
    assert refused(a_try(2), other) == refused(a_try(), other)
    shared = Found("nightly", RunPhase.RUNNING, launch_annotations(a_try(task=others)))
    assert refused(a_try(run_name="nightly"), shared).endswith("leave run_name out: then each has its own.")


def test_a_run_of_another_airflow_is_refused_whichever_of_them_asks() -> None:
    """With words that name the settings: both may have the DAG, or it is one whose address has changed."""
    here, there = (TaskInstance("sales", "train", "x", airflow=name) for name in ("https://here", "https://there"))
    for mine, other in ((here, there), (there, here), (here, TASK), (TASK, here)):
        run = Found(a_try().name, RunPhase.RUNNING, launch_annotations(a_try(task=other)))
        for number in (1, 2):
            why = refused(a_try(number, task=mine), run)
            assert (
                f"its annotations name {other.airflow!r}, and this Airflow is {mine.airflow!r}. Set another run" in why
            )
            assert f"set [flyte] airflow_id = {other.airflow} in the configuration of all its parts." in why
    chosen = Found("nightly", RunPhase.RUNNING, launch_annotations(a_try(task=there)))
    assert "Give another run_name. If both are one Airflow" in refused(a_try(task=here, run_name="nightly"), chosen)
    # That the task resumes with it, makes it no more its own.
    assert "https://there" in refused(a_try(task=here, run_name="nightly", resumes="nightly"), chosen)


def test_a_chosen_name_that_is_taken() -> None:
    then = run_of(a_try(run_name="nightly"), dag_run_key="6")
    assert "for an earlier DAG run of the same id, x, deleted since" in refused(a_try(run_name="nightly"), then)
    test = run_of(a_try(run_name="nightly", is_test=True))
    assert "by an earlier execution of this task" in refused(a_try(run_name="nightly", is_test=True), test)


def test_the_names_of_other_dag_runs_are_passed_over() -> None:
    trying = a_try()
    names = [trying.name_of(1, skipped) for skipped in range(3)]
    assert len(set(names)) == 3
    others = [Found(name, RunPhase.RUNNING, run_of(a_try(), dag_run_key="6").annotations) for name in names]
    assert decide(trying, others[:1]) == Start(names[1], others=(names[0],))
    assert decide(trying, others[:2]) == Start(names[2], others=(names[0], names[1]))
    # What is over needs no word.
    over = Found(names[0], RunPhase.FAILED, others[0].annotations)
    assert decide(trying, [over]) == Start(names[1])
    mine = Found(names[1], RunPhase.RUNNING, run_of(a_try()).annotations)
    assert decide(trying, [over, mine]) == Attach(names[1])
    assert next_name(trying, 1, 0, over) == names[1]
    assert next_name(trying, 1, 1, others[1]) == names[2]
    assert next_name(trying, 1, 1, mine) is None
    assert next_name(a_try(run_name="nightly"), 1, 0, over) is None
    assert next_name(trying, 1, 0, Found(names[0], RunPhase.RUNNING, {})) is None


def test_what_it_resumes_with_comes_first() -> None:
    own, earlier = run_of(a_try(2)), run_of(a_try(1))
    assert decide(a_try(2, resumes=earlier.name), [own, earlier]) == Attach(earlier.name)
    assert decide(a_try(2, resumes="gone"), [own, earlier]) == Attach(own.name)
    # Unless it is somebody else's.
    other = Found("r", RunPhase.RUNNING, launch_annotations(a_try(task=TaskInstance("sales", "train", "y"))))
    assert decide(a_try(resumes="r"), [other]) == Start(a_try().name)
    by_hand = Found("nightly", RunPhase.RUNNING, {})
    assert decide(a_try(2, resumes="nightly", run_name="nightly"), [by_hand]) == Attach("nightly")
    # Whatever has become of it since.
    over = Found("nightly", RunPhase.FAILED, {})
    assert decide(a_try(2, resumes="nightly", run_name="nightly"), [over]) == Attach("nightly")
    assert "another task instance" in refused(a_try(resumes="r", run_name="r"), other)
    assert decide(a_try(2, resumes="r"), [Found("r", RunPhase.RUNNING, {})]) == Start(a_try(2).name)


def test_what_earlier_tries_came_to() -> None:
    failed, running = run_of(a_try(1), RunPhase.FAILED), run_of(a_try(2))
    good = run_of(a_try(2), RunPhase.SUCCEEDED)
    assert decide(a_try(3), [failed, running]) == Attach(running.name)
    assert decide(a_try(3), [failed, good]) == Answer(good.name)
    assert decide(a_try(3), [failed]) == Start(a_try(3).name, after=failed.name)
    # Tries that nobody allowed: the newest is the answer.
    assert decide(a_try(4, max_tries=3), [run_of(a_try(1), RunPhase.FAILED)]) == Start(a_try(4).name, after=failed.name)
    newest = run_of(a_try(4), RunPhase.FAILED)
    assert decide(a_try(5, max_tries=3), [failed, newest]) == Answer(newest.name)
    # What Airflow has ended repeats nothing, and counts for nothing.
    ended = run_of(a_try(1), RunPhase.ABORTED, abort_reason(TASK, "cleared"))
    assert decide(a_try(3), [ended]) == Start(a_try(3).name)
    assert decide(a_try(5, max_tries=3), [ended]) == Start(a_try(5).name)


def test_what_may_be_an_earlier_dag_runs_is_ended_and_does_not_count() -> None:
    """A reset that nothing proves: the same row may be another one's on SQLite."""
    then, now = DagRunMarks(started=ZONED), DagRunMarks(started=ZONED + timedelta(hours=1))
    going = run_of(a_try(1, dag_run=then))
    assert decide(a_try(2, dag_run=now), [going]) == Start(a_try(2).name, end_first=(going.name,))
    over = run_of(a_try(1, dag_run=then), RunPhase.SUCCEEDED)
    assert decide(a_try(2, dag_run=now), [over]) == Start(a_try(2).name)
    another = run_of(a_try(1, dag_run=DagRunMarks("6")))
    assert decide(a_try(2), [another]) == Start(a_try(2).name, others=(another.name,))


# -- names


def test_names() -> None:
    assert DEFAULT_PREFIX == "af-"
    assert len(run_name("af-", "d", "t", "r", -1, 1)) == 3 + 20
    assert len(run_name("a" * 15, "d", "t", "r", -1, 1)) == 30
    assert a_try(1, run_name="nightly").name == "nightly"
    assert a_try(2, run_name="nightly").names == ["nightly-2", "nightly"]
    assert list(a_try(3).numbers) == [3, 2, 1]
    assert list(a_try(3, is_test=True).numbers) == [3]
    tries = [a_try(), a_try(is_test=True), a_try(task=TaskInstance("sales", "train", "x", operator_id="fit"))]
    assert len({each.name for each in tries}) == 3


@pytest.mark.parametrize("number", [0, -1])
def test_the_first_try_is_one(number: int) -> None:
    with pytest.raises(ConfigError, match="the first try is 1"):
        a_try(number)


def test_a_name_that_leaves_no_room_is_refused_before_the_first_try() -> None:
    assert a_try(1, max_tries=8, run_name="a" * 28).name_of(9) == "a" * 28 + "-9"
    with pytest.raises(ConfigError, match="Shorten it to 27"):
        a_try(1, max_tries=9, run_name="a" * 28)
    with pytest.raises(ConfigError, match="Shorten it to 28"):
        a_try(2, max_tries=0, run_name="a" * 29)


# -- what an earlier try's process has launched since


@pytest.mark.parametrize(
    ("mine", "found"),
    [
        # Of each earlier try, the one before this one too; not this try's own.
        (3, [1, 2]),
        # This try has attached to an earlier one's.
        (1, [2]),
    ],
)
def test_the_runs_beside_the_one_that_this_try_has(mine: int, found: list[int]) -> None:
    runs = {number: run_of(a_try(number)) for number in (1, 2, 3)}
    beside = stragglers(a_try(3), runs.values(), runs[mine].name)
    assert sorted(beside) == sorted(runs[number].name for number in found)


@pytest.mark.parametrize(
    ("run", "is_one"),
    [
        (run_of(a_try(1)), True),
        (run_of(a_try(1), RunPhase.QUEUED), True),
        (run_of(a_try(1), RunPhase.SUCCEEDED), False),
        # By hand under the name, another task's, or another DAG run's of the same id.
        (Found(a_try(1).name, RunPhase.RUNNING, {}), False),
        (run_of(a_try(1), task_id="other"), False),
        (run_of(a_try(1, dag_run=DagRunMarks("8"))), False),
    ],
)
def test_only_what_this_task_instance_launched_and_runs_is_beside(run: Found, is_one: bool) -> None:
    assert stragglers(a_try(2), [run], a_try(2).name) == ([run.name] if is_one else [])
