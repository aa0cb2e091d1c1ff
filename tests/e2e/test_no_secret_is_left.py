"""Whatever Airflow does with its connections, no secret of them or of the Flyte runs is left anywhere or shown."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.canary import Canary
from tests.e2e.left_behind import ProcessNotes, columns, files
from tests.support.airflow_api import AirflowApi, until
from tests.support.airflow_process import USER, StandaloneAirflow
from tests.support.debian_servers import Postgres
from tests.support.secret_search import found

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

DAG = "e2e_canary"
WAITING = 7
GOOD = ("api_key", "client_credentials", "token", "token_file", "secret_metadata", "client_private_key")


def test_no_secret_is_left_anywhere(
    airflow: StandaloneAirflow, postgres: Postgres, canary: Canary, canary_run: str, processes: ProcessNotes
) -> None:
    api = AirflowApi(airflow.url, USER, airflow.password)
    answers: list[Any] = []
    api.answers = answers
    output = {connection["connection_id"]: api.test_connection(connection) for connection in canary.connections()}
    for name in GOOD:
        assert output[f"canary_{name}"].startswith("Flyte 2 at "), output
    assert output["canary_refused"].startswith("Credentials: "), output

    def all_wait() -> bool:
        return [task["state"] for task in api.tasks(DAG, canary_run)].count("deferred") == WAITING

    until(all_wait, 120, "the waits of the canary", lambda: api.describe(DAG, canary_run))
    until(lambda: not canary.unused, 60, f"the use of {canary.unused}")
    while_waiting = dict(columns(airflow))
    assert "canary_api_key" in while_waiting["trigger.kwargs"], "it is not decrypted"
    canary.end_runs()
    api.wait_for_run(DAG, canary_run)
    states = {task["task_id"]: task["state"] for task in api.tasks(DAG, canary_run)}
    failed = dict.fromkeys(("crash", "failed", "refused", "unusable"), "failed")
    assert states == failed | dict.fromkeys(("wait", "poke", "show"), "success"), api.describe(DAG, canary_run)

    for task in api.tasks(DAG, canary_run):
        log = api.log_text(task)
        assert log
        for key in api.xcom_keys(task):
            api.xcom(task, key)
    api.connections()
    api.audit_log()
    api.close()
    assert "[debug" in airflow.log_of("scheduler")
    noted = list(processes.sources())
    for known in ("triggerer", f"AIRFLOW_HOME={airflow.home}"):
        assert any(known.encode() in content for _, content in noted)

    def sources() -> Iterator[tuple[str, str | bytes]]:
        yield from answers
        yield from while_waiting.items()
        yield from columns(airflow)
        yield from files(airflow.home)
        yield from files(postgres.folder)
        yield from noted

    hits = found(canary.secrets, sources())
    assert not hits, "\n".join(hits)
