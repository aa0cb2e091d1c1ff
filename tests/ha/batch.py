"""A DAG run with tasks of every kind, and all that Airflow and Flyte know of them."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any, NamedTuple

from sqlalchemy.exc import DBAPIError

from airflow_provider_flyte.client.phase import RunPhase
from airflow_provider_flyte.testing import LocalFlyte, RunHandle
from tests.ha.counted import Counted
from tests.support import airflow_database
from tests.support.airflow_process import StandaloneAirflow
from tests.support.own_airflow import AIRFLOW

LAUNCH = {"deferred", "worker", "fails_once"}
WAITS = {"deferred", "running"}
WAITED_FOR = 2 if AIRFLOW >= (3,) else 1
KEY = "airflow.apache.org/{}"
TASKS = "select task_id, map_index, state, try_number from task_instance where dag_id = :dag_id and run_id = :run_id"
STATE = "select state from dag_run where dag_id = :dag_id and run_id = :run_id"


class Place(NamedTuple):
    """Where a task instance stands in its DAG run."""

    task_id: str
    map_index: int


class Task(NamedTuple):
    """A task instance as the database has it: the API server dies in some scenarios, and is slow in others."""

    place: Place
    state: str | None
    tries: int


class Batch:
    """The task instances of a DAG run, in whichever tries.

    :param airflow: where they run.
    :param flyte: where their runs are.
    :param name: the DAG run's id, with which the names of the runs begin that its sensors wait for.
    :param dag_id: its DAG.
    """

    def __init__(self, airflow: StandaloneAirflow, flyte: LocalFlyte, name: str, dag_id: str = "ha_batch") -> None:
        self.airflow = airflow
        self.flyte = flyte
        self.name = name
        self.dag_id = dag_id
        if dag_id == "ha_batch":
            for number in range(WAITED_FOR):
                flyte.run(f"{name}-{number}", task="ha.waited").move("RUNNING")
        airflow.api.trigger(dag_id, name)

    # -- now

    def tasks(self) -> list[Task]:
        """Its task instances."""
        return [
            Task(Place(row["task_id"], row["map_index"]), row["state"], row["try_number"]) for row in self._ask(TASKS)
        ]

    def runs(self) -> list[RunHandle]:
        """The runs that its tasks have launched, the oldest first."""
        return [run for run in self.flyte.runs() if self._note(run, "run_id") == self.name]

    def waits(self) -> bool:
        """Whether each of its tasks waits for a run."""
        tasks = self.tasks()
        launched = {self._of(run) for run in self.runs()}
        return bool(tasks) and all(
            task.state in WAITS and (task.place.task_id not in LAUNCH or task.place in launched) for task in tasks
        )

    def is_over(self) -> bool:
        """Whether its DAG run is over, as far as the database is there to say so."""
        try:
            return self._ask(STATE)[0]["state"] in ("success", "failed")
        except DBAPIError:
            return False

    def end_runs(self) -> None:
        """Have each run that goes on end: as the first of ``fails_once``, or returning its number."""
        mine = self.runs()
        for run in mine:
            if run.phase == RunPhase.RUNNING:
                place = self._of(run)
                first = next(each for each in mine if self._of(each) == place)
                if place.task_id == "fails_once" and first is run:
                    run.fails("USER", "it was to fail")
                else:
                    run.succeeds({"o0": mine.index(run)})
        if self.dag_id == "ha_batch":
            for number in range(WAITED_FOR):
                self.flyte.run(f"{self.name}-{number}").succeeds()

    def describe(self) -> str:
        """All that is known, for a message on failure."""
        return f"{self.count()}\n{self.airflow.api.describe(self.dag_id, self.name)}"

    # -- afterwards

    def count(self) -> Counted:
        """What came of it."""
        tasks, runs = self.tasks(), self.runs()
        failed = sum(run.phase == RunPhase.FAILED for run in runs)
        creates = [
            call for call in self.flyte.calls("CreateRun") if self._annotations(call.request).get("run_id") == self.name
        ]
        # No trigger watches before Airflow 3.
        watched = [run.name for run in runs if run.task[0] == "ha.train" and AIRFLOW >= (3,)]
        reported = self._reported() if watched else Counter()
        waits = Counter(self._of(run) for run in runs)
        return Counted(
            tasks=len(tasks),
            tries=sum(task.tries for task in tasks),
            due=sum(task.place.task_id in LAUNCH for task in tasks) + failed,
            runs=len(runs),
            started=sum(run.enqueued for run in runs),
            creates=len(creates),
            aborted=sum(run.phase == RunPhase.ABORTED for run in runs),
            ends=sum(self._saw_its_end(task, runs) for task in tasks),
            repeated=sum(max(0, self._events(task) - max(1, waits[task.place])) for task in tasks),
            watched=len(watched),
            reported=len(set(watched) & reported.keys()),
            reported_twice=sum(reported[name] > 1 for name in watched),
        )

    def _saw_its_end(self, task: Task, runs: list[RunHandle]) -> bool:
        if task.state != "success":
            return False
        mine = [run for run in runs if self._of(run) == task.place]
        if mine:
            # Airflow 2.11 answers with a text.
            return str(self._xcom(task, "o0")) == str(runs.index(mine[-1]))
        found = str(self._xcom(task, "return_value"))
        return any(f"{self.name}-{number}" in found for number in range(WAITED_FOR))

    def _xcom(self, task: Task, key: str) -> Any:
        place = {"dag_id": self.dag_id, "dag_run_id": self.name, **task.place._asdict()}
        return self.airflow.api.xcom(place, key)

    def _events(self, task: Task) -> int:
        """How many its triggers sent, in all tries."""
        place = f"logs/dag_id={self.dag_id}/run_id={self.name}/task_id={task.place.task_id}"
        within = "" if task.place.map_index < 0 else f"/map_index={task.place.map_index}"
        files = self.airflow.home.glob(f"{place}{within}/attempt=*")
        return sum(len(re.findall("Trigger fired event", file.read_text(errors="replace"))) for file in files)

    def _reported(self) -> Counter[str]:
        """The runs that the asset's events are about."""
        return airflow_database.runs_of_events(self.airflow, "ha_runs")

    def _ask(self, query: str) -> list[dict[str, Any]]:
        return airflow_database.rows(self.airflow, query, dag_id=self.dag_id, run_id=self.name)

    # -- whose run

    def _of(self, run: RunHandle) -> Place:
        return Place(str(self._note(run, "task_id")), int(self._note(run, "map_index") or "-1"))

    def _note(self, run: RunHandle, key: str) -> str | None:
        note: str | None = run.run_spec.annotations.values.get(KEY.format(key))
        return note

    def _annotations(self, request: Any) -> dict[str, str]:
        values = request.run_spec.annotations.values
        return {key.rpartition("/")[2]: value for key, value in values.items()}
