"""One run a try: what a try's run is called, whose it is, and what a try does about the runs that are there. Pure.

The name is computed before anything is launched, so that a crash at any point finds the run again. Annotations say
which task instance, which try and which ``max_tries`` launched it: Airflow raises ``max_tries`` when a finished task is
cleared, so runs that carry another number belong to what was cleared.

Whoever launches looks up :attr:`Try.names` (ListRuns, then GetRunDetails of what is there), makes a :class:`Found` of
each, and asks :func:`decide`.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from airflow_provider_flyte.client.errors import ConfigError
from airflow_provider_flyte.client.phase import is_successful, is_terminal
from airflow_provider_flyte.client.run_key import RUN_NAME_LENGTH, check_run_name, check_run_name_prefix

DEFAULT_PREFIX = "af-"

_KEY = "airflow.apache.org/"
# In letters of base32; what the longest prefix leaves are 75 bits.
_HASH_LENGTH = 20
_ABORT_MARK = "Airflow: "


@dataclass(frozen=True)
class TaskInstance:
    """The task instance that launches, without its try."""

    dag_id: str
    task_id: str
    run_id: str
    """The DAG run's id; never its logical date, which may be missing or be shared."""
    map_index: int = -1
    """-1 for a task that is not mapped."""

    def __str__(self) -> str:
        mapped = f"[{self.map_index}]" if self.map_index >= 0 else ""
        return f"{self.dag_id}.{self.task_id}{mapped} in {self.run_id}"


@dataclass(frozen=True)
class Try:
    """One try of a task instance, as Airflow tells it when it starts."""

    task: TaskInstance
    number: int
    """Airflow's ``try_number``: 1 for the first; goes on counting when the task is cleared."""

    max_tries: int
    """Airflow's ``max_tries``: the number of the last try is one more."""

    dag_run_made: datetime | None = None
    """When the DAG run was made, by Airflow's clock and with a zone: tells one that was deleted from one that was made
    again under the same run id. A clear must not change it. None: not told apart."""

    retries: int | None = None
    """The task's retries by now; may differ from what ``max_tries`` was made of. None: not known."""

    clear_number: int | None = None
    """How often something of the DAG run was cleared, as Airflow counts. None: not known."""

    prefix: str = DEFAULT_PREFIX
    """What computed names begin with."""

    run_name: str | None = None
    """A name that the user chose, instead of a computed one."""

    def __post_init__(self) -> None:
        if self.number < 1:
            raise ConfigError(f"try_number is {self.number!r}; the first try is 1.")
        if self.dag_run_made is not None and self.dag_run_made.utcoffset() is None:
            raise ConfigError(f"dag_run_made is {self.dag_run_made!r}, without a zone. Give a datetime with one.")
        # The names of the tries to come too: what cannot be retried must not fail only then.
        for number in {self.number, self.max_tries + 1}:
            self.name_of(number)

    @property
    def name(self) -> str:
        """The run's name of this try."""
        return self.name_of(self.number)

    @property
    def names(self) -> list[str]:
        """Every name that matters to this try: its own first, then those of the earlier ones, newest first."""
        return [self.name_of(number) for number in range(self.number, 0, -1)]

    def name_of(self, number: int) -> str:
        """The run's name of any try: ``-2``, ``-3`` ... appended to a name that the user chose."""
        if self.run_name is None:
            task = self.task
            return run_name(self.prefix, task.dag_id, task.task_id, task.run_id, task.map_index, number)
        name = check_run_name(self.run_name) if number <= 1 else f"{check_run_name(self.run_name)}-{number}"
        if len(name) > RUN_NAME_LENGTH:
            raise ConfigError(
                f"run_name {self.run_name!r} is too long: a retry launches {name!r}, and a Flyte run's name has at "
                f"most {RUN_NAME_LENGTH} characters. Shorten it to {RUN_NAME_LENGTH - len(f'-{number}')}."
            )
        return name


def run_name(prefix: str, dag_id: str, task_id: str, run_id: str, map_index: int, try_number: int) -> str:
    """The name of the run that this try of this task instance launches: the prefix and a hash of all of it.

    :raises ConfigError: for a prefix that no run's name can begin with, or that leaves too little room.
    """
    length = min(_HASH_LENGTH, RUN_NAME_LENGTH - len(check_run_name_prefix(prefix)))
    # As JSON, so that no two of them can be written alike by moving letters from one part to the next.
    identity = json.dumps([dag_id, task_id, run_id, map_index, try_number]).encode()
    digest = base64.b32encode(hashlib.sha256(identity).digest()).decode().lower()
    return check_run_name(prefix + digest[:length])


def launch_annotations(launching: Try) -> dict[str, str]:
    """The annotations by which a run's task instance, try and ``max_tries`` are known."""
    task = launching.task
    told = {
        "dag_id": task.dag_id,
        "task_id": task.task_id,
        "run_id": task.run_id,
        "map_index": str(task.map_index),
        "try_number": str(launching.number),
        "max_tries": str(launching.max_tries),
    }
    if launching.clear_number is not None:
        told["clear_number"] = str(launching.clear_number)
    if launching.dag_run_made is not None:
        told["dag_run_made"] = launching.dag_run_made.isoformat()
    return {_KEY + key: value for key, value in told.items()}


def abort_reason(task: TaskInstance | str, why: str) -> str:
    """The reason to abort a run with, by which :func:`decide` knows that Airflow ended it and nobody else."""
    return f"{_ABORT_MARK}{task}: {why}"


@dataclass(frozen=True)
class Found:
    """A run that is there, as ListRuns and GetRunDetails show it."""

    name: str
    phase: int
    annotations: Mapping[str, str]
    abort_reason: str = ""
    """Why it was aborted, where it was."""

    @property
    def over(self) -> bool:
        return is_terminal(self.phase)

    @property
    def ended_by_airflow(self) -> bool:
        """Whether it was aborted because its task was cleared or marked."""
        return self.over and self.abort_reason.startswith(_ABORT_MARK)

    def told(self, key: str) -> str | None:
        return self.annotations.get(_KEY + key)

    @property
    def owner(self) -> TaskInstance | None:
        """The task instance that launched it, None where none did."""
        dag_id, task_id, run_id = self.told("dag_id"), self.told("task_id"), self.told("run_id")
        if dag_id is None or task_id is None or run_id is None:
            return None
        map_index = self.told("map_index") or ""
        return TaskInstance(dag_id, task_id, run_id, int(map_index) if map_index.isdecimal() else -1)


@dataclass(frozen=True)
class Attach:
    """Wait for this run; launch nothing."""

    name: str


@dataclass(frozen=True)
class Answer:
    """This run, which is over, is what the task came to; launch nothing."""

    name: str


@dataclass(frozen=True)
class Start:
    """Launch a run."""

    name: str
    after: str | None = None
    """The run of an earlier try that this one repeats, for a re-run or a recovery."""

    end_first: tuple[str, ...] = ()
    """Runs of this task instance from before a clear that still go on."""


@dataclass(frozen=True)
class Refuse:
    """Neither launch nor wait: the run that has the name is not this task's."""

    reason: str


Decision = Attach | Answer | Start | Refuse


def decide(trying: Try, found: Iterable[Found]) -> Decision:
    """What this try does, given the runs that are there under :attr:`Try.names`."""
    there = {run.name: run for run in found}
    own = there.get(trying.name)
    if own is not None:
        return _refusal(trying, own) or Attach(own.name)
    earlier = [there[name] for name in trying.names[1:] if name in there]
    for run in earlier:
        # One from before the DAG run was made again is no answer; who goes on under this id should know of it.
        if refusal := _refusal(trying, run):
            return refusal
    mine = [run for run in earlier if run.owner]
    counting = [
        run
        for run in mine
        if run.told("max_tries") == str(trying.max_tries)
        and not run.ended_by_airflow
        and not _cleared_with_fewer_retries(trying, run)
    ]
    # A run that the user launched by hand under the chosen name: waited for while it goes on, as the first try did.
    counting += [run for run in earlier if not run.owner and not run.over]
    for run in counting:
        if not run.over:
            return Attach(run.name)
    for run in counting:
        if is_successful(run.phase):
            return Answer(run.name)
    # A scheduler that resets an orphan adds tries that nobody allowed.
    if counting and trying.number > trying.max_tries + 1:
        return Answer(counting[0].name)
    return Start(
        trying.name,
        after=counting[0].name if counting else None,
        end_first=tuple(run.name for run in mine if run not in counting and not run.over),
    )


def _cleared_with_fewer_retries(trying: Try, run: Found) -> bool:
    """Whether this run is from before a clear that left ``max_tries`` as it was.

    A clear sets it to the number of tries so far and the task's retries; so it may stay the same where these were
    lowered. Airflow counts the clears of all tasks of a DAG run together, so that alone is no proof.
    """
    number, cleared = run.told("try_number") or "", run.told("clear_number")
    if trying.retries is None or trying.clear_number is None or cleared is None or not number.isdecimal():
        return False
    return cleared != str(trying.clear_number) and int(number) <= trying.max_tries - trying.retries


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
    if run.owner != trying.task:
        advice = (
            "Give each DAG run another run_name, for instance with {{ ds_nodash }} in it."
            if trying.run_name is not None
            else "Set another run name prefix in one of the two Airflows' Flyte connections."
        )
        return Refuse(f"Run {run.name} was launched by another task instance, {run.owner}, not {trying.task}. {advice}")
    made = run.told("dag_run_made")
    if trying.dag_run_made is not None and made is not None and made != trying.dag_run_made.isoformat():
        older = _parsed(made)
        if older is None or older < trying.dag_run_made:
            return Refuse(
                f"Run {run.name} was launched for an earlier DAG run of the same id, {trying.task.run_id}, made at "
                f"{made} and deleted since. Trigger the DAG under another run id, or delete that run in Flyte."
            )
    return None


def _parsed(text: str) -> datetime | None:
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        return None
    return parsed if parsed.utcoffset() is not None else None
