"""Airflow's REST API as the tests and the demo use it."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from typing import Any, ClassVar, TypeAlias, TypeVar

import httpx

T = TypeVar("T")
Task: TypeAlias = dict[str, Any]
"""A task instance as the API describes it."""

_PAGE = 100
_REPEATS = 10
OVER = ("success", "failed", "skipped", "upstream_failed", "removed")


class AirflowApi:
    """What is asked of one Airflow.

    :param url: where its API server listens.
    :param user: the login's name.
    :param password: its password.
    """

    version_path: ClassVar[str] = "/api/v2"

    def __init__(self, url: str, user: str, password: str) -> None:
        self._login = {"username": user, "password": password}
        # Without the environment: a proxy has no business between the two.
        self._http = httpx.Client(base_url=url, timeout=120.0, trust_env=False)
        self._authorized = False
        self.answers: list[tuple[str, str]] | None = None
        """Where a list is put here, each poll and its answer are added."""

    def close(self) -> None:
        """Give the connections back."""
        self._http.close()

    # -- the whole

    def health(self) -> dict[str, Any]:
        """Health of each component, and ``status`` of all; empty while nobody answers."""
        try:
            answer = self._http.get("/api/v2/monitor/health")
        except httpx.TransportError:
            return {}
        if answer.status_code != httpx.codes.OK:
            return {}
        parts: dict[str, Any] = answer.json()
        well = all(part and part["status"] == "healthy" for part in parts.values())
        return {**parts, "status": "healthy" if well else "unhealthy"}

    def version(self) -> str:
        """Airflow's own version."""
        version: str = self._ask("GET", "/version")["version"]
        return version

    def dag_ids(self) -> set[str]:
        """The DAGs that have been read so far."""
        return {dag["dag_id"] for dag in self._pages("/dags", "dags")}

    def import_errors(self) -> str:
        """What kept DAG files from being read."""
        return "\n".join(error["stack_trace"] for error in self._pages("/importErrors", "import_errors"))

    def wait_for_dags(self, *dag_ids: str, timeout: float = 60.0) -> None:
        """Wait until these DAGs can be triggered; a file that cannot be read ends the wait."""

        def read() -> bool:
            errors = self.import_errors()
            assert not errors, errors
            return set(dag_ids) <= self.dag_ids()

        until(read, timeout, f"DAGs {', '.join(dag_ids)}")

    def create_pool(self, name: str, slots: int = 16) -> None:
        """Make a pool."""
        self._ask("POST", "/pools", json={"name": name, "slots": slots})

    def resize_pool(self, name: str, slots: int) -> None:
        """Give a pool other slots."""
        body = {"pool": name, "slots": slots, "include_deferred": False}
        self._ask("PATCH", f"/pools/{name}", params={"update_mask": "slots"}, json=body)

    def pool(self, name: str) -> dict[str, Any]:
        """A pool, with how many of its slots are in use for what."""
        pool: dict[str, Any] = self._ask("GET", f"/pools/{name}")
        return pool

    # -- connections

    def create_connection(self, connection: dict[str, Any]) -> None:
        """Put a connection into the database."""
        self._ask("POST", "/connections", json=connection)

    def form(self, conn_type: str) -> dict[str, Any]:
        """What the connection form is drawn from."""
        forms: list[dict[str, Any]] = self._ask("GET", "/connections/hook_meta", base="/ui")
        [found] = [form for form in forms if form["connection_type"] == conn_type]
        return found

    def connections(self) -> list[dict[str, Any]]:
        """All connections as the list shows them, each also by itself."""
        found = self._pages("/connections", "connections")
        return [self._ask("GET", f"/connections/{connection['connection_id']}") for connection in found]

    def test_connection(self, connection: dict[str, Any]) -> str:
        """What the Test button says of a connection."""
        said: str = self._ask("POST", "/connections/test", json=connection)["message"]
        return said

    # -- DAG runs and tasks

    def trigger(self, dag_id: str, run_id: str | None = None, /, **conf: Any) -> str:
        """Start a DAG run and return its id.

        :param run_id: that id; by default Airflow makes one.
        :param conf: its parameters.
        """
        wanted = {"logical_date": None, "conf": conf} | ({"dag_run_id": run_id} if run_id else {})
        made: str = self._ask("POST", f"/dags/{dag_id}/dagRuns", json=wanted)["dag_run_id"]
        return made

    def trigger_for(self, dag_id: str, logical_date: str) -> str:
        """Start the DAG run of a date and return its id."""
        made: str = self._ask("POST", f"/dags/{dag_id}/dagRuns", json={"logical_date": logical_date})["dag_run_id"]
        return made

    def queue_run(self, dag_id: str, run_id: str) -> None:
        """Set a DAG run to queued, as a person does."""
        self._ask("PATCH", f"/dags/{dag_id}/dagRuns/{run_id}", json={"state": "queued"})

    def clear_run(self, dag_id: str, run_id: str) -> None:
        """Clear a DAG run, as a person does."""
        self._ask("POST", f"/dags/{dag_id}/dagRuns/{run_id}/clear", json={"dry_run": False, "only_failed": False})

    def delete_run(self, dag_id: str, run_id: str) -> None:
        """Delete a DAG run."""
        self._ask("DELETE", f"/dags/{dag_id}/dagRuns/{run_id}")

    def pause(self, dag_id: str, *, paused: bool = True) -> None:
        """Pause a DAG, or let it go on."""
        self._ask("PATCH", f"/dags/{dag_id}", json={"is_paused": paused})

    def backfill(self, dag_id: str, day: str, reprocess: str) -> None:
        """Backfill a DAG for one day, as a person does.

        :param reprocess: what becomes of a DAG run that is there: none, failed, completed.
        """
        body = {"dag_id": dag_id, "from_date": day, "to_date": day, "reprocess_behavior": reprocess}
        self._ask("POST", "/backfills", json=body)

    def dag_run(self, dag_id: str, run_id: str) -> dict[str, Any]:
        """A DAG run."""
        run: dict[str, Any] = self._ask("GET", f"/dags/{dag_id}/dagRuns/{run_id}")
        return run

    def dag_runs(self, dag_id: str) -> list[dict[str, Any]]:
        """The runs of a DAG."""
        return self._pages(f"/dags/{dag_id}/dagRuns", "dag_runs")

    def tasks(self, dag_id: str, run_id: str, task_id: str | None = None) -> list[Task]:
        """The task instances of a DAG run, or those of one task."""
        found = self._pages(f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances", "task_instances")
        return [task for task in found if task_id in (None, task["task_id"])]

    def task(self, dag_id: str, run_id: str, task_id: str) -> Task:
        """A task instance that is not mapped."""
        task: Task = self._ask("GET", f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}")
        return task

    def wait_for_task(
        self, dag_id: str, run_id: str, task_id: str, states: Collection[str] = OVER, timeout: float = 180.0
    ) -> Task:
        """Wait until a task instance is in one of these states; one that ends in another fails at once."""

        def look() -> Task | None:
            task = self.task(dag_id, run_id, task_id)
            if task["state"] in states:
                return task
            assert task["state"] not in OVER, self.describe(dag_id, run_id)
            return None

        return until(look, timeout, f"{dag_id}.{task_id}: {'/'.join(states)}", lambda: self.describe(dag_id, run_id))

    def human_request(self, task: Task) -> dict[str, Any]:
        """What a task instance asks a person, and the answer (Airflow 3.1 and newer)."""
        request: dict[str, Any] = self._ask("GET", f"{_path(task)}/{task['map_index']}/hitlDetails")
        return request

    def answer_request(self, task: Task, option: str) -> None:
        """Answer what a task instance asks, as a person does under Required Actions."""
        self._ask("PATCH", f"{_path(task)}/{task['map_index']}/hitlDetails", json={"chosen_options": [option]})

    def in_tab(self, task: Task, method: str, what: str, **given: Any) -> dict[str, Any]:
        """What a task instance's tab "Flyte" asks of its API, or has it do (Airflow 3.1 and newer)."""
        asked = {"dag_id": task["dag_id"], "run_id": task["dag_run_id"], "task_id": task["task_id"]}
        request: dict[str, Any] = {"json": given, "headers": {"X-Flyte-Tab": "1"}} if given else {}
        answer: dict[str, Any] = self._ask(method, f"/{what}", base="/flyte/api", params=asked, **request)
        return answer

    def mark(self, task: Task, state: str) -> None:
        """Mark a task instance, as a person does."""
        path = _path(task) if task["map_index"] < 0 else f"{_path(task)}/{task['map_index']}"
        self._ask("PATCH", path, json={"new_state": state})

    def clear(self, task: Task) -> None:
        """Clear a task instance, as a person does."""
        body = {"dry_run": False, "only_failed": False, "dag_run_id": task["dag_run_id"], "task_ids": [task["task_id"]]}
        self._ask("POST", f"/dags/{task['dag_id']}/clearTaskInstances", json=body)

    def end_run(self, dag_id: str, run_id: str) -> None:
        """Mark a DAG run as failed, as a person does; its deferred tasks end too."""
        self._ask("PATCH", f"/dags/{dag_id}/dagRuns/{run_id}", json={"state": "failed"})

    def wait_for_run(self, dag_id: str, run_id: str, timeout: float = 180.0) -> str:
        """Wait until a DAG run is over, and return how it ended."""

        def look() -> str | None:
            state: str = self.dag_run(dag_id, run_id)["state"]
            return state if state in OVER else None

        return until(look, timeout, f"the end of {dag_id}", lambda: self.describe(dag_id, run_id))

    def links(self, task: Task) -> dict[str, str | None]:
        """The extra links of a task instance, by their names."""
        path = f"{_path(task)}/links"
        found = self._ask("GET", path, params={} if task["map_index"] < 0 else {"map_index": task["map_index"]})
        return dict(found.get("extra_links", found))

    def xcom_keys(self, task: Task) -> list[str]:
        """The names of the values that a task instance has pushed."""
        entries = self._ask("GET", f"{_path(task)}/xcomEntries", params={"map_index": task["map_index"]})
        return [entry["key"] for entry in entries["xcom_entries"]]

    def audit_log(self) -> list[dict[str, Any]]:
        """What users have done."""
        return self._pages("/eventLogs", "event_logs")

    def xcom(self, task: Task, key: str = "return_value") -> Any:
        """A value that a task instance has pushed; None without one."""
        path = f"{_path(task)}/xcomEntries/{key}"
        entry = self._ask("GET", path, missing=None, params={"map_index": task["map_index"]})
        return None if entry is None else entry["value"]

    def task_log(self, task: Task, try_number: int | None = None) -> list[dict[str, Any]]:
        """The lines of a task's log, one dictionary each."""
        answer = self._ask(
            "GET",
            f"{_path(task)}/logs/{try_number or task['try_number']}",
            missing={"content": []},
            params={"map_index": task["map_index"], "full_content": True},
        )
        return [line if isinstance(line, dict) else {"event": line} for line in answer["content"]]

    def log_text(self, task: Task, try_number: int | None = None) -> str:
        """A task's log as text: events, with the exceptions that belong to them."""
        lines = []
        for line in self.task_log(task, try_number):
            lines.append(str(line.get("event", "")))
            lines += [
                f"{error['exc_type']}: {error['exc_value']}" for error in reversed(line.get("error_detail") or ())
            ]
        return "\n".join(lines)

    def describe(self, dag_id: str, run_id: str) -> str:
        """All task instances of a DAG run, and the logs of those that did not succeed: for a message on failure."""
        tasks = self.tasks(dag_id, run_id)
        # On the first line, which is all that a summary shows of it: those that did not succeed come first.
        states = ", ".join(
            f"{task['task_id']}[{task['map_index']}] {task['state']} (try {task['try_number']})"
            for task in sorted(tasks, key=lambda task: task["state"] in ("success", "skipped"))
        )
        odd = [task for task in tasks if task["state"] not in ("success", None) and task["try_number"]]
        logs = "\n".join(
            f"--- log of {task['task_id']}[{task['map_index']}]\n{self.log_text(task)}" for task in odd[:5]
        )
        return f"DAG run {dag_id}/{run_id}: {states}\n{logs}"

    # -- how

    def _pages(self, path: str, key: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        while True:
            answer = self._ask("GET", path, params={"limit": _PAGE, "offset": len(found)})
            found += answer[key]
            if len(found) >= answer["total_entries"]:
                return found

    def _authorize(self) -> None:
        answer = self._http.post("/auth/token", json=self._login)
        answer.raise_for_status()
        self._http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def _ask(self, method: str, path: str, *, base: str = "", missing: Any = ..., **request: Any) -> Any:
        path = f"{base or self.version_path}{path}"
        if not self._authorized:
            self._authorize()
            self._authorized = True
        answer = self._http.request(method, path, **request)
        # Airflow may read an old snapshot, too: no DAG run 0.3 s after it has shown it, one that is running and was
        # queued just now.
        again = {httpx.codes.SERVICE_UNAVAILABLE, httpx.codes.CONFLICT}
        if missing is ...:
            again.add(httpx.codes.NOT_FOUND)
        for _ in range(_REPEATS):
            if not is_refused_by_sqlite(answer.text) and answer.status_code not in again:
                break
            time.sleep(0.2)
            answer = self._http.request(method, path, **request)
        if self.answers is not None:
            self.answers.append((f"{method} {path}", answer.text))
        if answer.status_code == httpx.codes.NOT_FOUND and missing is not ...:
            return missing
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None


def is_refused_by_sqlite(answer: str) -> bool:
    """Whether to send a request again: SQLite refuses a writer whose snapshot has become old, however long it would
    wait.
    """
    return "Database error" in answer[:100]


def until(poll: Callable[[], T | None], timeout: float, what: str, explain: Callable[[], str] = lambda: "") -> T:
    """Ask until the answer is true-ish, and return it.

    :raises AssertionError: after ``timeout`` seconds, with the explanation.
    """
    deadline = time.monotonic() + timeout
    while not (answer := poll()):
        assert time.monotonic() < deadline, f"After {timeout:.0f} s still waiting for {what}. {explain()}"
        time.sleep(0.3)
    return answer


def _path(task: Task) -> str:
    return f"/dags/{task['dag_id']}/dagRuns/{task['dag_run_id']}/taskInstances/{task['task_id']}"
