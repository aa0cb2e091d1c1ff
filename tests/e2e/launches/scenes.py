"""One task instance that launches, with all that Airflow and the Flyte server know of it."""

from __future__ import annotations

import os
import signal
from typing import Any

from airflow_provider_flyte.testing import LocalFlyte, RecordedCall, RunHandle
from airflow_provider_flyte.tries.identity import DEFAULT_PREFIX, run_name
from tests.support.airflow_api import Task, until
from tests.support.airflow_process import StandaloneAirflow


class Scene:
    """A task instance, in whichever try.

    :param airflow: where it runs.
    :param flyte: where its runs are.
    :param dag_id: its DAG.
    :param dag_run: its DAG run.
    :param task_id: its task.
    :param map_index: -1 for a task that is not mapped.
    """

    def __init__(
        self,
        airflow: StandaloneAirflow,
        flyte: LocalFlyte,
        dag_id: str,
        dag_run: str,
        task_id: str = "train",
        map_index: int = -1,
    ) -> None:
        self.airflow = airflow
        self.flyte = flyte
        self.dag_id = dag_id
        self.dag_run = dag_run
        self.task_id = task_id
        self.map_index = map_index

    # -- Airflow

    def task(self) -> Task:
        """The task instance as it is now."""
        [found] = [
            task
            for task in self.airflow.api.tasks(self.dag_id, self.dag_run, self.task_id)
            if task["map_index"] == self.map_index
        ]
        return found

    def wait(self, *states: str, tries: int = 1, timeout: float = 120.0) -> Task:
        """Wait until it is in one of these states, in this try or a later one."""

        def find() -> Task | None:
            task = self.task()
            return task if task["state"] in states and task["try_number"] >= tries else None

        what = f"{self.dag_id} {self.dag_run} {'/'.join(states)} in try {tries}"
        return until(find, timeout, what, self.describe)

    def log(self, try_number: int | None = None) -> str:
        """What its log says."""
        return self.airflow.api.log_text(self.task(), try_number)

    def wait_for_log(self, text: str, what: str, try_number: int | None = None) -> None:
        """Wait until a try's log has this text.

        :param what: names it for a message on failure.
        """
        until(lambda: text in self.log(try_number), 120, what, self.describe)

    def describe(self) -> str:
        """All that is known, for a message on failure."""
        calls = [(call.method, call.code) for call in self.calls()]
        task = self.task()
        logs = "\n".join(f"--- try {number}\n{self.log(number)}" for number in range(1, task["try_number"] + 1))
        return f"{task['state']} in try {task['try_number']}; {self.counts()}\n{calls}\n{logs}"

    def on_worker(self) -> Task:
        """Wait until its worker waits for the run."""
        task = self.wait("running")
        self.wait_for_log(f"{self.name()}: ", "the worker's first poll")
        return task

    def in_triggerer(self) -> Task:
        """Wait until the triggerer waits for the run."""
        task = self.wait("deferred")
        self.wait_for_log(f"Waiting for Flyte run {self.name()}", "the trigger")
        return task

    def kill_worker(self) -> None:
        """``kill -9`` the process in which the task runs."""
        os.kill(self.task()["pid"], signal.SIGKILL)

    # -- Flyte

    def name(self, try_number: int = 1) -> str:
        """What a try's run is called."""
        return run_name(DEFAULT_PREFIX, self.dag_id, self.task_id, self.dag_run, self.map_index, try_number)

    def runs(self) -> list[RunHandle]:
        """Its runs by their annotations, whatever their names."""
        return [run for run in self.flyte.runs() if self._is_mine(run.run_spec)]

    def calls(self, method: str | None = None) -> list[RecordedCall]:
        """The calls about its runs."""
        return [call for call in self.flyte.calls(method) if self.concerns(call.request)]

    def concerns(self, request: Any) -> bool:
        """Whether a request is about a run of its first tries."""
        fields = request.DESCRIPTOR.fields_by_name
        names = {self.name(number) for number in range(1, 5)}
        if "run_spec" in fields and request.HasField("run_spec"):
            return self._is_mine(request.run_spec)
        if "run_id" in fields:
            return request.run_id.name in names
        if "request" in fields:
            return any(names & set(one.values) for one in request.request.filters)
        return False

    def counts(self) -> dict[str, int]:
        """The numbers that matter: runs, how often Flyte started them, and the calls that launch and end."""
        runs = self.runs()
        return {
            "runs": len(runs),
            "enqueued": sum(run.enqueued for run in runs),
            "creates": len(self.calls("CreateRun")),
            "aborts": len(self.calls("AbortRun")),
        }

    def wait_for_call(self, method: str, count: int = 1) -> RecordedCall:
        """Wait until the server has got so many such calls about its runs; the newest."""
        return until(lambda: self.calls(method)[count - 1 :], 120, f"{method} for {self.dag_run}", self.describe)[-1]

    def wait_for_next_call(self, method: str) -> RecordedCall:
        """Wait until somebody makes such a call from now on."""
        return self.wait_for_call(method, len(self.calls(method)) + 1)

    def run(self) -> RunHandle:
        """Its only run, once it is launched."""
        [run] = until(self.runs, 120, f"the run of {self.dag_id} {self.dag_run}", self.describe)
        return run

    def _is_mine(self, run_spec: Any) -> bool:
        values = run_spec.annotations.values
        mine = {"dag_id": self.dag_id, "run_id": self.dag_run, "task_id": self.task_id, "map_index": self.map_index}
        return all(values.get(f"airflow.apache.org/{key}") == str(value) for key, value in mine.items())


ONE_RUN = {"runs": 1, "enqueued": 1, "creates": 1, "aborts": 0}
