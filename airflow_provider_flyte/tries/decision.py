"""The decision whether a try launches its run, waits for one that exists, or neither. Pure.

A caller looks up the runs of the tries (``lookup.find_tries``), and passes them to :func:`decide`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import count

from airflow_provider_flyte.client.outside import LONGEST_NAME, one_line
from airflow_provider_flyte.client.phase import is_successful
from airflow_provider_flyte.tries.identity import MOST_NAMES, Found, Sameness, Try, next_name

_ANOTHER_PREFIX = "Set another run name prefix in one of the two Airflows' Flyte connections."


@dataclass(frozen=True)
class Attach:
    """Wait for this run; launch nothing."""

    name: str


@dataclass(frozen=True)
class Answer:
    """This run, which is over, is the task's outcome; launch nothing."""

    name: str


@dataclass(frozen=True)
class Start:
    """Launch a run."""

    name: str
    after: str | None = None
    """The run of an earlier try that this one repeats, for a re-run or a recovery."""

    end_first: tuple[str, ...] = ()
    """Runs of this task instance from before a clear that are still running."""

    others: tuple[str, ...] = ()
    """Runs of other DAG runs of the same id, which are left alone."""


@dataclass(frozen=True)
class Refuse:
    """Neither launch nor wait: the run that has the name is not this task's."""

    reason: str


Decision = Attach | Answer | Start | Refuse


def decide(trying: Try, found: Iterable[Found]) -> Decision:
    """What this try does, given those runs of its tries that exist."""
    existing = {run.name: run for run in found}
    resumed = existing.get(trying.resumes or "")
    if resumed is not None and _is_resumed(trying, resumed):
        return Attach(resumed.name)
    own, *earlier = (list(_named(trying, existing, number)) for number in trying.numbers)
    for run in own:
        if refusal := _refusal(trying, run):
            return refusal
        if trying.compare(run) is Sameness.SAME:
            return Attach(run.name)
    if own and trying.run_name is not None:
        return _taken(trying, own[0])
    if len(own) >= MOST_NAMES:
        return Refuse(
            f"Flyte has {MOST_NAMES} runs and perhaps more under the names that try {trying.number} of {trying.task} "
            "may give its run, all of other DAG runs of this id. Set another run name prefix in the Flyte connection, "
            "or trigger the DAG under another run id."
        )
    mine: list[Found] = []
    by_hand: list[Found] = []
    others = [run for run in own if not run.over]
    for runs in earlier:
        for run in runs:
            if refusal := _refusal(trying, run):
                return refusal
        kept = _of_this_dag_run(trying, runs)
        others += [run for run in runs if run is not kept and not run.over]
        if kept is not None:
            (mine if kept.owner else by_hand).append(kept)
    counting = [
        run
        for run in mine
        if run.annotation("max_tries") == str(trying.max_tries)
        and not run.ended_by_airflow
        and not _cleared_with_fewer_retries(trying, run)
        and trying.compare(run) is Sameness.SAME
    ]
    # A run that the user launched by hand under the chosen name: waited for while it is running, as the first try did.
    counting += [run for run in by_hand if not run.over]
    for run in counting:
        if not run.over:
            return Attach(run.name)
    for run in counting:
        if is_successful(run.phase):
            return Answer(run.name)
    # A scheduler that resets an orphan adds tries beyond the allowed ones.
    if counting and trying.number > trying.max_tries + 1:
        return Answer(counting[0].name)
    return Start(
        trying.name_of(trying.number, skipped=len(own)),
        after=counting[0].name if counting else None,
        end_first=tuple(run.name for run in mine if run not in counting and not run.over),
        others=tuple(run.name for run in others),
    )


def launched_later(trying: Try, found: Iterable[Found]) -> Found | None:
    """A run that a later try has launched: Airflow has given this try up, and nobody has told its process."""
    later = (run for run in found if run.owner == trying.task and run.try_number > trying.number)
    return next((run for run in later if trying.dag_run.proves(run)), None)


def stragglers(trying: Try, found: Iterable[Found], mine: str) -> list[str]:
    """The runs of this task instance's earlier tries that are still running.

    :param mine: the run that this try has.
    """
    there = {run.name: run for run in found}
    kept = [_of_this_dag_run(trying, list(_named(trying, there, number))) for number in trying.numbers[1:]]
    return [run.name for run in kept if run and run.owner == trying.task and not run.over and run.name != mine]


def _is_resumed(trying: Try, run: Found) -> bool:
    """Whether the run that bears the name which this try resumes with is the one that it had."""
    whose = run.owner == trying.task or (run.owner is None and trying.run_name is not None)
    return whose and trying.compare(run) is Sameness.SAME


def _named(trying: Try, existing: Mapping[str, Found], number: int) -> Iterator[Found]:
    """The runs that have this try's names."""
    for skipped in count():
        run = existing.get(trying.name_of(number, skipped))
        if run is None:
            return
        yield run
        if next_name(trying, number, skipped, run) is None:
            return


def _of_this_dag_run(trying: Try, runs: list[Found]) -> Found | None:
    """That one of the runs with an earlier try's names which this DAG run has launched, as far as is known.

    Only the last one may be: a name is skipped when the run that has it is known to be another DAG run's.
    """
    return runs[-1] if runs and trying.compare(runs[-1]) is not Sameness.OTHER else None


def _cleared_with_fewer_retries(trying: Try, run: Found) -> bool:
    """Whether this run is from before a clear that left ``max_tries`` as it was.

    A clear sets it to the number of tries so far and the task's retries; so it may stay the same where these were
    lowered. Airflow counts the clears of all tasks of a DAG run together, so that alone is no proof.
    """
    number, cleared = run.try_number, run.annotation("clear_number")
    now = trying.dag_run.clear_number
    if trying.retries is None or now is None or cleared is None or not number:
        return False
    return cleared != str(now) and number <= trying.max_tries - trying.retries


def _refusal(trying: Try, run: Found) -> Refuse | None:
    """Why this run cannot be the task instance's, if so."""
    if not run.owner:
        # The name that the user chose may be that of a run launched by hand; one that is made here may not.
        if run.name == trying.run_name:
            return None
        return Refuse(
            f"Flyte has a run {run.name} that no Airflow task launched, under a name that is made for {trying.task}. "
            f"Set another {'run_name' if trying.run_name else 'run name prefix in the Flyte connection'}."
        )
    if replace(run.owner, airflow=trying.task.airflow) == trying.task and run.owner != trying.task:
        advice = "Give another run_name." if trying.run_name is not None else _ANOTHER_PREFIX
        theirs = one_line(run.owner.airflow, LONGEST_NAME)
        return Refuse(
            f"Run {run.name} was launched by the same task, {trying.task}, of another Airflow: its annotations name "
            f"{theirs!r}, and this Airflow is {trying.task.airflow!r}. {advice} If both are one Airflow "
            f"whose base_url has changed, or differs between its parts, set [flyte] airflow_id = {theirs} "
            "in the configuration of all its parts."
        )
    if run.owner != trying.task:
        advice = (
            "Give each DAG run another run_name, also two of one day, or leave run_name out: then each has its own."
            if trying.run_name is not None
            else _ANOTHER_PREFIX
        )
        return Refuse(f"Run {run.name} was launched by another task instance, {run.owner}, not {trying.task}. {advice}")
    return None


def _taken(trying: Try, run: Found) -> Refuse:
    """The refusal of a chosen name whose run another DAG run of the same id has launched."""
    if trying.is_test:
        whose, advice = "by an earlier execution of this task", "Test with another run_name"
    else:
        whose = f"for an earlier DAG run of the same id, {trying.task.run_id}, deleted since"
        advice = "Trigger the DAG under another run id with another run_name"
    return Refuse(
        f"Run {run.name} was launched {whose}, so it is not this task's, and Flyte launches no second run under one "
        f"name. {advice}, or leave run_name out: then the task launches a run of its own."
    )
