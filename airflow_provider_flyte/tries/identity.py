"""One run a try: the name of a try's run, and whose run one is that exists. Pure.

The name is computed before anything is launched, so that a crash at any point finds the run again. Annotations name
the task instance, the try and ``max_tries`` that launched it: Airflow raises ``max_tries`` when a finished task is
cleared, so runs that carry another number belong to what was cleared.

A run of the name may have been launched for another DAG run of the same id: one that was deleted, or one of another
Airflow. Annotations show which (:class:`DagRunMarks`). Such a run is skipped, and the try takes the next name.

What a try does about the runs that exist is decided in ``decision.py``.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from enum import Enum
from typing import Any

from airflow_provider_flyte.client.errors import ConfigError
from airflow_provider_flyte.client.outside import one_line
from airflow_provider_flyte.client.phase import is_terminal
from airflow_provider_flyte.client.run_key import RUN_NAME_LENGTH, check_run_name, check_run_name_prefix

DEFAULT_PREFIX = "af-"

_KEY = "airflow.apache.org/"
# In letters of base32; what the longest prefix leaves are 75 bits.
_HASH_LENGTH = 20
_ABORT_MARK = "Airflow: "

MOST_NAMES = 100
"""How many names of one try may be those of other DAG runs' runs; each costs two calls to find out."""

_LATER = 5
"""How many later tries a process looks for that Airflow may have given up without its notice."""


@dataclass(frozen=True)
class TaskInstance:
    """The task instance that launches, without its try."""

    dag_id: str
    task_id: str
    run_id: str
    """The DAG run's id; never its logical date, which may be missing or be shared."""
    map_index: int = -1
    """-1 for a task that is not mapped."""

    operator_id: str = ""
    """The ``task_id`` of an operator that is executed inside this task; '' for the task's own."""

    airflow: str = ""
    """The Airflow that has it (``settings.airflow_id``): two of them may have the same DAG."""

    iteration: int = -1
    """Which iteration of a task loop it is; -1 outside of one."""

    def __str__(self) -> str:
        mapped = f"[{self.map_index}]" if self.map_index >= 0 else ""
        mapped += f" (iteration {self.iteration})" if self.iteration >= 0 else ""
        inside = f" ({self.operator_id})" if self.operator_id else ""
        # It may be read off a run's annotations.
        return one_line(f"{self.dag_id}.{self.task_id}{mapped}{inside} in {self.run_id}")


class Sameness(Enum):
    """Whether a run was launched for this DAG run, or for another one of the same id."""

    SAME = "same"
    OTHER = "other"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class DagRunMarks:
    """What a task knows of its DAG run, to distinguish one that was reset from one that was deleted and made
    again under the same id. docs/decisions.md has what each reset does to each of them. None: not known.
    """

    key: str | None = None
    """Its key in Airflow's database, where no other DAG run ever gets it."""

    run_after: datetime | None = None
    """No reset changes it; one that is made again may have the same."""

    started: datetime | None = None
    """No two DAG runs started at the same moment; a reset gives it another start."""

    clear_number: int | None = None
    """How often something of it was cleared; never goes down."""

    trace: str | None = None
    """The trace that this task instance belongs to, a random id. Changes when the task is cleared."""

    dated: bool = False
    """Whether ``started`` is the DAG run's date, as in ``dag.test()``, and so proves nothing."""

    def __post_init__(self) -> None:
        for name in ("run_after", "started"):
            time = getattr(self, name)
            if time is not None and time.utcoffset() is None:
                raise ConfigError(f"{name} of the DAG run is {time!r}, without a zone. Give a datetime with one.")

    def annotations(self) -> dict[str, str]:
        """The known marks, as annotations of a launched run."""
        marks = {
            "dag_run_key": self.key,
            "dag_run_after": _text(self.run_after),
            "dag_run_started": _text(self.started),
            "dag_run_trace": self.trace,
            "clear_number": None if self.clear_number is None else str(self.clear_number),
        }
        return {name: mark for name, mark in marks.items() if mark is not None}

    def compare(self, run: Found) -> Sameness:
        """Whether this run was launched for this DAG run."""
        mine = self.annotations()
        equal = {name: run.annotation(name) == mark for name, mark in mine.items() if run.annotation(name) is not None}
        if "dag_run_key" in equal:
            return Sameness.SAME if equal["dag_run_key"] else Sameness.OTHER
        cleared = _number(mine.get("clear_number")) - _number(run.annotation("clear_number"))
        if not equal.get("dag_run_after", True) or cleared < 0:
            return Sameness.OTHER
        if equal.get("dag_run_trace"):
            return Sameness.SAME
        if equal.get("dag_run_started") and not self.dated:
            return Sameness.SAME
        if self._began_before(run):
            return Sameness.OTHER
        if "dag_run_trace" in equal:
            return Sameness.UNKNOWN if cleared else Sameness.OTHER
        return Sameness.UNKNOWN if "dag_run_started" in equal else Sameness.SAME

    def proves(self, run: Found) -> bool:
        """Whether a mark that no other DAG run has shows that this run was launched for this DAG run."""
        mine = self.annotations()
        names = ("dag_run_key", "dag_run_trace", *(() if self.dated else ("dag_run_started",)))
        return any(name in mine and run.annotation(name) == mine[name] for name in names)

    def _began_before(self, run: Found) -> bool:
        """Whether this DAG run has an earlier start than the run's. A reset only ever gives it a later one."""
        try:
            theirs = datetime.fromisoformat(run.annotation("dag_run_started") or "")
        except ValueError:
            return False
        if self.started is None or self.dated or theirs.utcoffset() is None:
            return False
        return self.started < theirs


@dataclass(frozen=True)
class Try:
    """One try of a task instance, as it is when Airflow starts it."""

    task: TaskInstance
    number: int
    """Airflow's ``try_number``: 1 for the first; keeps counting when the task is cleared."""

    max_tries: int
    """Airflow's ``max_tries``: the number of the last try is one more."""

    dag_run: DagRunMarks = field(default_factory=DagRunMarks)
    """What distinguishes the DAG run from another one of the same id."""

    attempt_id: str | None = None
    """Airflow's id of the task instance, from 3.0 on: another one for each try of each DAG run. None: not known."""

    retries: int | None = None
    """The task's current retries; ``max_tries`` may have been made of others. None: not known."""

    is_test: bool = False
    """Whether ``airflow tasks test`` executes it for a DAG run that exists: it launches anew each time, and no other
    try knows of its runs.
    """

    resumes: str | None = None
    """The run that this try has launched or waited for already, where that is known."""

    prefix: str = DEFAULT_PREFIX
    """The beginning of computed names."""

    run_name: str | None = None
    """A name that the user chose, instead of a computed one."""

    def __post_init__(self) -> None:
        if self.number < 1:
            raise ConfigError(f"try_number is {self.number!r}; the first try is 1.")
        # The names of the tries to come too: what cannot be retried must not fail only then.
        for number in {self.number, self.max_tries + 1}:
            self.name_of(number)

    def to_json(self) -> dict[str, Any]:
        """The same in JSON types."""
        values = asdict(self)
        for name in ("run_after", "started"):
            values["dag_run"][name] = _text(values["dag_run"][name])
        return values

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Try:
        """Read what :meth:`to_json` has written."""
        marks = dict(values["dag_run"])
        for name in ("run_after", "started"):
            marks[name] = datetime.fromisoformat(marks[name]) if marks[name] else None
        return cls(**{**values, "task": TaskInstance(**values["task"]), "dag_run": DagRunMarks(**marks)})

    @property
    def name(self) -> str:
        """The run's name of this try, if no run of another DAG run has it."""
        return self.name_of(self.number)

    @property
    def numbers(self) -> range:
        """The tries that matter to this one: itself first, then the earlier ones, newest first."""
        return range(self.number, self.number - 1 if self.is_test else 0, -1)

    @property
    def later_numbers(self) -> range:
        """The next tries, as far as Airflow allows them now; none has launched yet unless this one was given up."""
        last = min(max(self.max_tries + 1, self.number + 1), self.number + _LATER)
        return range(0) if self.is_test else range(self.number + 1, last + 1)

    @property
    def names(self) -> list[str]:
        """The run's name of each of :attr:`numbers`."""
        return [self.name_of(number) for number in self.numbers]

    def name_of(self, number: int, skipped: int = 0) -> str:
        """The run's name of any try: ``-2``, ``-3`` ... appended to a name that the user chose.

        :param number: the try's.
        :param skipped: how many names of this try belong to other DAG runs of the same id. Not for a chosen name.
        """
        if self.run_name is None:
            task = self.task
            inside = {"operator": task.operator_id} if task.operator_id else {}
            loop = {"iteration": task.iteration} if task.iteration >= 0 else {}
            test = {"test": True} if self.is_test else {}
            return run_name(
                self.prefix,
                task.dag_id,
                task.task_id,
                task.run_id,
                task.map_index,
                number,
                {**inside, **loop, **test, **({"skipped": skipped} if skipped else {})},
            )
        name = check_run_name(self.run_name) if number <= 1 else f"{check_run_name(self.run_name)}-{number}"
        if len(name) > RUN_NAME_LENGTH:
            raise ConfigError(
                f"run_name {self.run_name!r} is too long: a retry launches {name!r}, and a Flyte run's name has at "
                f"most {RUN_NAME_LENGTH} characters. Shorten it to {RUN_NAME_LENGTH - len(f'-{number}')}."
            )
        return name

    def compare(self, run: Found) -> Sameness:
        """Whether a run that carries one of this task instance's names was launched for its DAG run."""
        if not run.owner:
            # Launched by hand, under the name that the user chose.
            return Sameness.SAME
        attempt, number = run.annotation("task_instance_id"), run.annotation("try_number")
        if not self.is_test and self.attempt_id and attempt and number == str(self.number):
            return Sameness.SAME if attempt == self.attempt_id else Sameness.OTHER
        if run.name == self.resumes:
            return Sameness.SAME
        if self.is_test:
            return Sameness.OTHER
        return self.dag_run.compare(run)


def run_name(
    prefix: str,
    dag_id: str,
    task_id: str,
    run_id: str,
    map_index: int,
    try_number: int,
    more: Mapping[str, object] | None = None,
) -> str:
    """The name of the run that this try of this task instance launches: the prefix and a hash of all the rest.

    :param more: what else distinguishes the run from others.
    :raises ConfigError: for a prefix that no run's name can begin with, or that leaves too little room.
    """
    length = min(_HASH_LENGTH, RUN_NAME_LENGTH - len(check_run_name_prefix(prefix)))
    # As JSON, so that no two of them can be written alike by moving letters from one part to the next.
    identity = json.dumps([dag_id, task_id, run_id, map_index, try_number, *([more] if more else [])]).encode()
    digest = base64.b32encode(hashlib.sha256(identity).digest()).decode().lower()
    return check_run_name(prefix + digest[:length])


def launch_annotations(launching: Try) -> dict[str, str]:
    """The annotations by which a run's task instance, DAG run, try and ``max_tries`` are known."""
    task = launching.task
    annotations = {
        "dag_id": task.dag_id,
        "task_id": task.task_id,
        "run_id": task.run_id,
        "map_index": str(task.map_index),
        "try_number": str(launching.number),
        "max_tries": str(launching.max_tries),
        **launching.dag_run.annotations(),
    }
    if task.operator_id:
        annotations["operator_id"] = task.operator_id
    if task.iteration >= 0:
        annotations["iteration"] = str(task.iteration)
    if task.airflow:
        annotations["airflow"] = task.airflow
    if launching.attempt_id is not None:
        annotations["task_instance_id"] = launching.attempt_id
    return {_KEY + key: value for key, value in annotations.items()}


def owner_in(annotations: Mapping[str, str]) -> TaskInstance | None:
    """The task instance that a run's annotations name, None where they name none."""
    dag_id, task_id, run_id, map_index, operator_id, airflow = (
        annotations.get(_KEY + key) for key in ("dag_id", "task_id", "run_id", "map_index", "operator_id", "airflow")
    )
    if dag_id is None or task_id is None or run_id is None:
        return None
    index, iteration = _number(map_index, -1), _number(annotations.get(f"{_KEY}iteration"), -1)
    return TaskInstance(dag_id, task_id, run_id, index, operator_id or "", airflow or "", iteration)


def abort_reason(task: TaskInstance, why: str) -> str:
    """The reason of an abort, by which ``decision.py`` knows that Airflow ended the run."""
    return f"{_ABORT_MARK}{task}: {why}"


@dataclass(frozen=True)
class Found:
    """A run that exists, as ListRuns and GetRunDetails show it."""

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

    def annotation(self, key: str) -> str | None:
        return self.annotations.get(_KEY + key)

    @property
    def try_number(self) -> int:
        """The number of the try that launched it; 0 where it is not known."""
        return _number(self.annotation("try_number"))

    @property
    def owner(self) -> TaskInstance | None:
        """The task instance that launched it, None where none did."""
        return owner_in(self.annotations)


def next_name(trying: Try, number: int, skipped: int, run: Found) -> str | None:
    """The name under which a try's run may be, where the one that has its name was perhaps launched for another DAG
    run; None where there is no other, or as many as :data:`MOST_NAMES` are taken.
    """
    if skipped + 1 >= MOST_NAMES:
        return None
    if trying.run_name is not None or run.owner != trying.task or trying.compare(run) is Sameness.SAME:
        return None
    return trying.name_of(number, skipped + 1)


def _text(time: datetime | None) -> str | None:
    return None if time is None else time.astimezone(timezone.utc).isoformat()


def _number(text: str | None, otherwise: int = 0) -> int:
    # Python reads no int of thousands of digits.
    return int(text) if text and text.isdecimal() and len(text) <= _MOST_DIGITS else otherwise


_MOST_DIGITS = 18
