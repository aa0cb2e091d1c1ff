"""Airflow 2.11 as a whole, behind the methods that tests know from Airflow 3: other processes, another API."""

from __future__ import annotations

import ast
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

from tests.support.airflow_api import AirflowApi, Task
from tests.support.airflow_process import USER, StandaloneAirflow


class ApiOfTwo(AirflowApi):
    """The stable API of Airflow 2."""

    version_path = "/api/v1"

    def _authorize(self) -> None:
        self._http.auth = (self._login["username"], self._login["password"])

    def health(self) -> dict[str, Any]:
        """Health of each component, and ``status`` of all; empty while nobody answers."""
        try:
            answer = self._http.get("/api/v1/health")
        except httpx.TransportError:
            return {}
        if answer.status_code != httpx.codes.OK:
            return {}
        parts: dict[str, Any] = answer.json()
        well = all(parts[name]["status"] == "healthy" for name in ("metadatabase", "scheduler", "triggerer"))
        return {**parts, "status": "healthy" if well else "unhealthy"}

    def import_errors(self) -> str:
        """What kept DAG files from being read."""
        return "\n".join(error["stack_trace"] for error in self._pages("/importErrors", "import_errors"))

    def task_log(self, task: Task, try_number: int | None = None) -> list[dict[str, Any]]:
        """The lines of a task's log, each of which is a text here."""
        answer = self._ask(
            "GET",
            f"/dags/{task['dag_id']}/dagRuns/{task['dag_run_id']}/taskInstances/{task['task_id']}"
            f"/logs/{try_number or task['try_number']}",
            missing={"content": "[]"},
            headers={"Accept": "application/json"},
            params={"map_index": task["map_index"], "full_content": True},
        )
        # A list of pairs of host and log, as Python writes it.
        texts = [text for _host, text in ast.literal_eval(answer["content"])]
        return [{"event": line} for line in "\n".join(texts).splitlines()]

    def trigger(self, dag_id: str, run_id: str | None = None, /, **conf: Any) -> str:
        """Start a DAG run and return its id."""
        wanted = {"conf": conf} | ({"dag_run_id": run_id} if run_id else {})
        made: str = self._ask("POST", f"/dags/{dag_id}/dagRuns", json=wanted)["dag_run_id"]
        return made


class AirflowTwo(StandaloneAirflow):
    """Scheduler, triggerer and web server of Airflow 2.11."""

    components = ("webserver", "scheduler", "triggerer")

    def __init__(self, dag_folders: Mapping[str, Path], **kwargs: Any) -> None:
        super().__init__(dag_folders, **kwargs)
        [folder] = dag_folders.values()
        self.api = ApiOfTwo(self.url, USER, self.password)
        self.settings = {
            name: value for name, value in self.settings.items() if not name.startswith(("API__", "CORE__AUTH_MANAGER"))
        } | {
            "API__AUTH_BACKENDS": "airflow.api.auth.backend.basic_auth",
            "CORE__DAGS_FOLDER": str(folder),
            "SCHEDULER__DAG_DIR_LIST_INTERVAL": "5",
            "WEBSERVER__WEB_SERVER_HOST": "127.0.0.1",
            "WEBSERVER__WEB_SERVER_PORT": self.url.rpartition(":")[2],
            "WEBSERVER__WORKERS": "1",
            "WEBSERVER__SECRET_KEY": self.settings["API__SECRET_KEY"],
        }

    def start(self, timeout: float = 180.0) -> None:
        """Make the database and the user, start everything, and wait until all of it is healthy."""
        super().start(timeout)
        user = ("--username", USER, "--password", self.password, "--role", "Admin")
        person = ("--firstname", "A", "--lastname", "B", "--email", "a@example.com")
        self._run("user", "users", "create", *user, *person, until=time.monotonic() + timeout)

    def environment(self) -> dict[str, str]:
        """What its processes have."""
        # Airflow 2 would refuse more than one task at a time with SQLite.
        return super().environment() | {"_AIRFLOW__SKIP_DATABASE_EXECUTOR_COMPATIBILITY_CHECK": "1"}
