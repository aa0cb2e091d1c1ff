"""How a connection is read, and why it is not: on a worker and on an event loop."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from airflow_provider_flyte.compat import find
from airflow_provider_flyte.compat.event_loop import in_airflow

if TYPE_CHECKING:
    from airflow_provider_flyte.compat import BaseHook


async def aconnection(hook: type[BaseHook], conn_id: str) -> Any:
    """The connection, on an event loop.

    Before 3.3.2 Airflow's own ``aget_connection`` masks the secrets with a call that blocks the loop, and without
    notifying the supervisor. A blocking ``get_connection`` in a task that was started inside a trigger finds no
    connection that is in the database (3.3.2). In ``dag.test()`` it is the other way round: the supervisor that a
    trigger has there answers blocking calls alone, and ``aget_connection`` takes that for a connection that does not
    exist (3.3.2).
    """
    if hasattr(find("Connection"), "aextra_dejson") and _supervisor_has_asend():
        return await hook.aget_connection(conn_id)
    return await in_airflow(hook.get_connection, conn_id)


def _supervisor_has_asend() -> bool:
    """Whether Airflow's supervisor can be asked on an event loop; True where there is none. For Airflow 3."""
    from airflow.sdk.execution_time import task_runner

    supervisor = getattr(task_runner, "SUPERVISOR_COMMS", None)
    return supervisor is None or hasattr(supervisor, "asend")


def failing_backends(conn_id: str) -> list[str]:
    """The secrets backends that fail to read a connection, and how. Airflow skips them, and reports that the connection
    does not exist.

    The text of a failure is left out where it may quote the connection.
    """
    asked = (_asked(backend, conn_id) for backend in _secrets_backends())
    return [failure for _, failure in asked if failure]


async def afailing_backends(conn_id: str) -> list[str]:
    """:func:`failing_backends` on an event loop."""
    return await in_airflow(failing_backends, conn_id)


def unread_variable(conn_id: str) -> str:
    """How Airflow fails to read the connection's environment variable, or ''.

    Airflow skips it and takes a connection of that id from the database, which may be another Flyte's. '' too
    where a secrets backend that goes before the environment has the connection.
    """
    before: list[Any] = []
    for backend in _secrets_backends():
        if type(backend).__name__ == "EnvironmentVariablesBackend":
            _, failure = _asked(backend, conn_id)
            return "" if failure and any(_asked(other, conn_id)[0] for other in before) else failure
        before.append(backend)
    return ""


async def aunread_variable(conn_id: str) -> str:
    """:func:`unread_variable` on an event loop."""
    return await in_airflow(unread_variable, conn_id)


def _secrets_backends() -> list[Any]:
    """The secrets backends, in the order in which Airflow asks them."""
    try:
        from airflow.sdk.execution_time.supervisor import ensure_secrets_backend_loaded
    except ImportError:
        from airflow.configuration import ensure_secrets_loaded

        return list(ensure_secrets_loaded())
    return list(ensure_secrets_backend_loaded())


def _asked(backend: Any, conn_id: str) -> tuple[bool, str]:
    """Whether a backend has a connection, and how it failed to read it, or ''."""
    try:
        if found := backend.get_connection(conn_id=conn_id):
            # Airflow caches a connection as its URI, and skips the backend where making the URI fails.
            found.get_uri()
    except Exception as error:
        text = _quoting_nothing(error)
        return False, f"{type(backend).__name__} failed with {type(error).__name__}{text and f': {text}'}"
    return bool(found), ""


def _quoting_nothing(error: Exception) -> str:
    """An error's text, where that quotes nothing of the connection."""
    if isinstance(error, json.JSONDecodeError | TypeError):
        return str(error)
    # Airflow's message for JSON, Python's for a URI. Where a password has a / in it, the port is a part of that.
    if isinstance(error, ValueError) and str(error).startswith(("Expected integer value for `port`", "Port ")):
        return "its port is not a number from 0 to 65535"
    return ""
