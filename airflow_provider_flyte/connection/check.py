"""The check of a connection, one step after the other: for the Test button, and for ``airflow flyte check``.

The button's runs in the API server or in an executor that forks tasks later, so it is over within ten seconds, opens
only files that the configuration allows, leaves no channel behind, and keeps no process from exiting.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotInTime
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from airflow_provider_flyte.client.outside import one_line
from airflow_provider_flyte.connection.files import why_not_opened
from airflow_provider_flyte.settings import readable_folders

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_flyte.client import FlyteClient, FlyteConfig

PATIENCE = 9.0
"""Seconds for all steps together."""

_A_CALL = 3.0


class _FailedError(Exception):
    """A step failed.

    :param step: its name.
    :param text: what was seen, and what to do.
    """

    def __init__(self, step: str, text: str) -> None:
        super().__init__(text)
        self.step = step


@dataclass(frozen=True)
class Step:
    """A step of the check."""

    name: str
    """What was looked at: Settings, Endpoint, Project, Domain, Runs; of a failed one also what it failed by: TLS, What
    answers, Credentials, Permissions, Flyte."""

    passed: bool
    seconds: float
    """How long it took."""

    text: str
    """What was found; of a failed step what is wrong, and what to do."""


class _Steps(list[Step]):
    """The steps so far, each of which took from the one before it until now."""

    def __init__(self, before: _Steps | None = None) -> None:
        super().__init__(before or ())
        self._since: float = before._since if before is not None else time.monotonic()

    def note(self, name: str, text: str, *, passed: bool = True) -> None:
        since, self._since = self._since, time.monotonic()
        self.append(Step(name, passed, self._since - since, text))


def check(config: FlyteConfig, *, patience: float = PATIENCE) -> tuple[bool, str]:
    """Whether a task could use this connection, and a text: what it can do, or which step failed and what to try.

    :param config: the connection's settings.
    :param patience: seconds for all steps together.
    """
    # Asked for here: none of our threads calls into Airflow.
    *_, last = steps = check_steps(config, patience=patience, folders=readable_folders())
    if not last.passed:
        return False, f"{last.name}: {last.text}"
    *_, reached = (step.text for step in steps if step.name == "Endpoint")
    return True, f"{reached}: {last.text}"


def check_steps(config: FlyteConfig, *, patience: float, folders: list[Path] | None = None) -> list[Step]:
    """Check a connection; the last step is the one that failed, if one did.

    :param config: the connection's settings.
    :param patience: seconds for all steps together.
    :param folders: below which files may be opened; by default all may.
    """
    # In a thread, because no deadline can be set for a DNS lookup, nor for a file on a server that is away. A daemon:
    # Python waits for the threads of a ThreadPoolExecutor before it exits.
    outcome: Future[None] = Future()
    made: list[FlyteClient] = []
    steps = _Steps()
    arguments = (config, folders, made, steps, outcome)
    threading.Thread(target=_check, args=arguments, name="flyte-connection-check", daemon=True).start()
    try:
        outcome.result(patience)
    except NotInTime:
        for client in made:
            # Ends the call that the thread is in.
            client.close()
        # A copy: what the thread notes from here on comes too late.
        late = _Steps(steps)
        late.note(
            "Endpoint",
            f"no answer from {config.endpoint} within {patience:g} s. Check the connection's host and port, and that "
            "this machine can reach it.",
            passed=False,
        )
        return late
    return steps


def _check(
    config: FlyteConfig, folders: list[Path] | None, made: list[FlyteClient], steps: _Steps, outcome: Future[None]
) -> None:
    """Go through the steps, for whoever still waits for them.

    :param folders: below which files may be opened; None: everywhere.
    :param made: gets the client as soon as there is one.
    :param steps: gets what was found.
    """
    from airflow_provider_flyte.client.client import FlyteClient
    from airflow_provider_flyte.client.errors import FlyteError

    try:
        try:
            if folders is not None and (why := why_not_opened(config, folders, "the Test button")):
                raise _FailedError("Settings", why)
            client = FlyteClient(replace(config, timeout=min(config.timeout, _A_CALL)))
        except (_FailedError, FlyteError) as error:
            steps.note("Settings", str(error), passed=False)
            outcome.set_result(None)
            return
        made.append(client)
        steps.note("Settings", f"{config.endpoint}, {'plaintext' if config.insecure else 'TLS'}")
        try:
            _ask(client, steps)
        except FlyteError as error:
            steps.note(_step(error), str(error), passed=False)
        except _FailedError as error:
            steps.note(error.step, str(error), passed=False)
        finally:
            client.close()
        outcome.set_result(None)
    except BaseException as error:
        outcome.set_exception(error)


def _ask(client: FlyteClient, steps: _Steps) -> None:
    """Check that project and domain exist and runs are visible: what a wait needs, in this order."""
    from airflow_provider_flyte.client.errors import NotFoundError, PermissionDeniedError, UnimplementedError
    from airflow_provider_flyte.client.flows.calls import get_domains, list_projects, list_runs
    from airflow_provider_flyte.client.transport.selector import reached_through

    config = client.config
    project, domain = config.project, config.domain
    domains: list[str] | None = []
    if project:
        try:
            domains = client.execute(get_domains(project, config.org), retry_for=0)
        except NotFoundError:
            domains = None
        except (PermissionDeniedError, UnimplementedError):
            # A wait does not need it.
            pass
    else:
        client.execute(list_projects(), retry_for=0)
    steps.note("Endpoint", f"Flyte 2 at {config.endpoint} through {reached_through(config)}")
    if domains is None:
        projects: list[str] = client.execute(list_projects(), retry_for=0)
        seen = one_line(", ".join(projects)) or "none"
        raise _FailedError("Project", f"Flyte has no project {project!r}; visible are: {seen}.")
    if domain and domains and domain not in domains:
        raise _FailedError(
            "Domain", f"project {project!r} has no domain {domain!r}; it has: {one_line(', '.join(domains))}."
        )
    if not project or not domain:
        steps.note("Runs", "it answers. Each task must name its " + ("domain." if project else "project and domain."))
        return
    client.execute(list_runs(project, domain, ["any-name"], config.org), retry_for=0)
    steps.note("Runs", f"project {project}, domain {domain}, runs visible.")


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
