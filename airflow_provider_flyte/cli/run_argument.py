"""The run that a command is about: its argument RUN, and the client for it."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from airflow_provider_flyte.cli.execution import NotThere

if TYPE_CHECKING:
    from airflow_provider_flyte.client import FlyteClient, FlyteConfig, RunDetails, RunKey

_PAGE = re.compile(r".*/v2/domain/(?P<domain>[^/]+)/project/(?P<project>[^/]+)/runs/(?P<name>[^/]+)(/.*)?")


@contextmanager
def client_and_run(args: argparse.Namespace) -> Iterator[tuple[FlyteClient, RunKey]]:
    """A client for the connection that the arguments name, and the run."""
    from airflow_provider_flyte.hooks import FlyteHook

    with FlyteHook(args.conn_id).get_client() as client:
        yield client, run_of(args.run, client.config)


def run_of(text: str, config: FlyteConfig) -> RunKey:
    """The run of a name, ``project/domain/name``, or the address of a page in Flyte's console.

    :raises ConfigError: for what is none of them, and for the page of another Flyte.
    """
    from airflow_provider_flyte.client.errors import ConfigError
    from airflow_provider_flyte.client.outside import one_line
    from airflow_provider_flyte.client.run_key import run_key

    if "://" in text:
        return _run_of_page(text, config)
    parts = text.split("/")
    if len(parts) == 1:
        return config.key(text)
    if len(parts) != 3:
        raise ConfigError(
            f"RUN is {one_line(text)!r}. Give the run's name, project/domain/name, or its page's address."
        )
    project, domain, name = parts
    # The connection's project and domain stand for none of them.
    key = run_key(name, project, domain)
    config.check_project_domain(key.project, key.domain)
    return key


def run_of_page(address: str) -> RunKey | None:
    """The run whose page in a console this is the address of; None where it is that of no run's page."""
    from airflow_provider_flyte.client.errors import ConfigError
    from airflow_provider_flyte.client.run_key import run_key

    try:
        page = _PAGE.fullmatch(urlsplit(address).path)
        return run_key(*(unquote(page[part]) for part in ("name", "project", "domain"))) if page else None
    except (ConfigError, ValueError):
        return None


def _run_of_page(address: str, config: FlyteConfig) -> RunKey:
    from airflow_provider_flyte.client.errors import ConfigError
    from airflow_provider_flyte.client.outside import one_line

    key = run_of_page(address)
    if key is None:
        raise ConfigError(
            f"{one_line(address)!r} is not the address of a run's page in Flyte's console, which ends in "
            "/v2/domain/.../project/.../runs/NAME. Give the run as project/domain/name."
        )
    config.check_project_domain(key.project, key.domain)
    url, ours = urlsplit(address), urlsplit(config.run_url(key))
    # Another Flyte may have a run of this name, too.
    if (url.netloc.lower(), _before(url.path)) != (ours.netloc.lower(), _before(ours.path)):
        raise ConfigError(
            f"{one_line(address)!r} is a page of another Flyte: with this connection run pages are at "
            f"{ours.scheme}://{ours.netloc}{_before(ours.path)}. Name that Flyte's connection by --conn-id. If it is "
            "this Flyte under another name, give the run as project/domain/name."
        )
    return key


def _before(path: str) -> str:
    return path.partition("/v2/domain/")[0]


def details_of(client: FlyteClient, key: RunKey) -> RunDetails:
    """What Flyte has of the run.

    :raises NotThere: where there is no such run.
    :raises NotFoundError: where ListRuns has it, and its details cannot be read.
    """
    from airflow_provider_flyte.client import RunDetails
    from airflow_provider_flyte.client.flows.calls import get_run_details, run_identifier
    from airflow_provider_flyte.client.flows.named_runs import observe_run
    from airflow_provider_flyte.client.verdict import Absent

    observation, details = client.execute(observe_run(key, client.config.org))
    if isinstance(observation, Absent):
        raise NotThere(
            f"Flyte has no run {key} at {client.config.endpoint}. Check the name, the project and the domain."
        )
    if details is None:
        details = client.execute(get_run_details(run_identifier(key, client.config.org)))
    return RunDetails(details, client)
