"""Airflow's own API server, as users of several roles ask it."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager

import httpx
import pytest
import uvicorn


@contextmanager
def serving() -> Iterator[httpx.Client]:
    """A client of Airflow's API server, which runs in a thread."""
    from airflow.api_fastapi.app import create_app

    config = uvicorn.Config(create_app(apps="core"), host="127.0.0.1", port=0, log_config=None)
    served = uvicorn.Server(config)
    thread = threading.Thread(target=served.run)
    thread.start()
    try:
        while not served.started:
            assert thread.is_alive()
            time.sleep(0.05)
        port = served.servers[0].sockets[0].getsockname()[1]
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=30) as client:
            yield client
    finally:
        served.should_exit = True
        thread.join(30)


def delete_dag_runs(dag_id: str, run_ids: Collection[str] | None = None) -> None:
    """Delete DAG runs with their task instances and XCom, as Airflow does.

    :param run_ids: these; None: all of the DAG.
    """
    from airflow.models.dagrun import DagRun
    from airflow.models.taskinstance import TaskInstance
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session
    from sqlalchemy import delete

    with create_session() as session:
        for model in (XComModel, TaskInstance, DagRun):
            statement = delete(model).where(model.dag_id == dag_id)
            session.execute(statement if run_ids is None else statement.where(model.run_id.in_(run_ids)))


def token(role: str | None) -> str:
    """What somebody of this role has who has signed in."""
    from airflow.api_fastapi.app import get_auth_manager
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

    return str(get_auth_manager().generate_jwt(SimpleAuthManagerUser(username="somebody", role=role)))


def let_users_sign_in(patch: pytest.MonkeyPatch) -> None:
    """Let :func:`token` work."""
    patch.setenv("AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS", "anna:admin")
    patch.setenv("AIRFLOW__API_AUTH__JWT_SECRET", "s" * 64)


def refuse(monkeypatch: pytest.MonkeyPatch, entity: str) -> None:
    """Let nobody have this right to DAGs."""
    from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager

    monkeypatch.setattr(
        SimpleAuthManager, "is_authorized_dag", lambda self, *, access_entity, **_: access_entity.value != entity
    )
