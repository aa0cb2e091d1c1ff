"""The Test button: one step after the other, each with its own message when it fails.

It runs in the API server or in an executor that forks tasks later, so it is over within ten seconds, opens only files
that the configuration allows, leaves no channel behind, and keeps no process from exiting.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotInTime
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_flyte.client.outside import one_line
from airflow_provider_flyte.connection.reader import paths_in
from airflow_provider_flyte.settings import READABLE, SECTION, readable_folders

if TYPE_CHECKING:
    from airflow_provider_flyte.client import FlyteClient, FlyteConfig

PATIENCE = 9.0
"""Seconds for all steps together."""

_A_CALL = 3.0


class _FailedError(Exception):
    """A step failed; the text has what was seen, and what to do."""


def check(config: FlyteConfig, *, patience: float = PATIENCE) -> tuple[bool, str]:
    """Whether a task could use this connection, and a text: what it can do, or which step failed and what to try.

    :param config: the connection's settings.
    :param patience: seconds for all steps together.
    """
    # In a thread, because no deadline can be set for a DNS lookup, nor for a file on a server that is away. A daemon:
    # Python waits for the threads of a ThreadPoolExecutor before it exits.
    outcome: Future[tuple[bool, str]] = Future()
    made: list[FlyteClient] = []
    # Asked for here: none of our threads calls into Airflow.
    arguments = (config, readable_folders(), made, outcome)
    threading.Thread(target=_check, args=arguments, name="flyte-connection-check", daemon=True).start()
    try:
        return outcome.result(patience)
    except NotInTime:
        for client in made:
            # Ends the call that the thread is in.
            client.close()
        return False, (
            f"Endpoint: no answer from {config.endpoint} within {patience:g} s. Check the connection's host and port, "
            "and that this machine can reach it."
        )


def _check(
    config: FlyteConfig, folders: list[Path], made: list[FlyteClient], outcome: Future[tuple[bool, str]]
) -> None:
    """Go through the steps, and give what they show to whoever still waits for it.

    :param folders: below which files may be opened.
    :param made: gets the client as soon as there is one.
    """
    from airflow_provider_flyte.client.client import FlyteClient
    from airflow_provider_flyte.client.errors import FlyteError

    try:
        try:
            _refuse_files(config, folders)
            client = FlyteClient(replace(config, timeout=min(config.timeout, _A_CALL)))
        except (_FailedError, FlyteError) as error:
            outcome.set_result((False, f"Settings: {error}"))
            return
        made.append(client)
        try:
            outcome.set_result((True, _steps(client)))
        except FlyteError as error:
            outcome.set_result((False, f"{_step(error)}: {error}"))
        except _FailedError as error:
            outcome.set_result((False, str(error)))
        finally:
            client.close()
    except BaseException as error:
        if outcome.done():
            raise
        outcome.set_exception(error)


def _steps(client: FlyteClient) -> str:
    """Check that project and domain exist and runs are visible: what a wait needs, in this order."""
    from airflow_provider_flyte.client.errors import NotFoundError, PermissionDeniedError, UnimplementedError
    from airflow_provider_flyte.client.flows.calls import get_domains, list_projects, list_runs
    from airflow_provider_flyte.client.transport.selector import reached_through

    config = client.config
    project, domain = config.project, config.domain
    if project:
        try:
            domains = client.execute(get_domains(project, config.org), retry_for=0)
        except NotFoundError as error:
            projects: list[str] = client.execute(list_projects(), retry_for=0)
            seen = one_line(", ".join(projects)) or "none"
            raise _FailedError(f"Project: Flyte has no project {project!r}; visible are: {seen}.") from error
        except (PermissionDeniedError, UnimplementedError):
            # A wait does not need it.
            domains = []
        if domain and domains and domain not in domains:
            raise _FailedError(
                f"Domain: project {project!r} has no domain {domain!r}; it has: {one_line(', '.join(domains))}."
            )
    if project and domain:
        client.execute(list_runs(project, domain, ["any-name"], config.org), retry_for=0)
        found = f"project {project}, domain {domain}, runs visible."
    else:
        if not project:
            client.execute(list_projects(), retry_for=0)
        found = "it answers. Each task must name its " + ("domain." if project else "project and domain.")
    return f"Flyte 2 at {config.endpoint} through {reached_through(config)}: {found}"


def _step(error: Exception) -> str:
    """The step that failed."""
    from airflow_provider_flyte.client import errors

    for kinds, step in (
        ((errors.CertificateError, errors.SpeaksTlsError, errors.SpeaksPlaintextError), "TLS"),
        ((errors.WrongEndpointError, errors.BadAnswerError), "What answers"),
        ((errors.UnauthenticatedError,), "Credentials"),
        ((errors.PermissionDeniedError,), "Permissions"),
        ((errors.UnavailableError, errors.DeadlineExceededError), "Endpoint"),
        ((errors.ConfigError,), "Settings"),
    ):
        if isinstance(error, kinds):
            return step
    return "Flyte"


def _refuse_files(config: FlyteConfig, folders: list[Path]) -> None:
    """Refuse files that the API server could be made to read through a connection."""
    for field, path in paths_in(config).items():
        if not any(Path(path).resolve().is_relative_to(folder) for folder in folders):
            raise _FailedError(
                f"{field} names the file {path}, which the Test button does not open. Tasks will. To have it tested "
                f"too, have its folder named in [{SECTION}] {READABLE.name} of Airflow's configuration, or enter the "
                "text itself."
            )
