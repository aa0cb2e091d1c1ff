"""Flyte tasks as assets: ``flyte://project/domain/task``.

Whoever launches runs of a task, or watches them, and whoever is scheduled by them name the same asset.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlsplit

from airflow_provider_flyte.client.quoting import quoted
from airflow_provider_flyte.compat import Asset
from airflow_provider_flyte.exceptions import FlyteArgumentError

if TYPE_CHECKING:
    from urllib.parse import SplitResult

    from openlineage.client.event_v2 import Dataset

__all__ = ["flyte_asset"]

SCHEME = "flyte"

_FORM = "A Flyte task as an asset is flyte://project/domain/task"


def flyte_asset(*, task_name: str, project: str, domain: str, **arguments: Any) -> Asset:
    """The asset of a Flyte task, ``flyte://project/domain/task``; on Airflow 2.11 a ``Dataset``.

    Its name is its URI, so that it is the same asset wherever it is made.

    :param task_name: the Flyte task, such as ``train.fit``.
    :param project: its Flyte project.
    :param domain: its Flyte domain.
    :param arguments: further ones of Airflow's ``Asset``: ``extra``, ``group``, ``watchers``.
    :raises FlyteArgumentError: for what can be no name.
    """
    parts = {"project": project, "domain": domain, "task_name": task_name}
    for name, part in parts.items():
        if not isinstance(part, str) or (why := _why_no_name(part)):
            why = why if isinstance(part, str) else "is not a text"
            raise FlyteArgumentError(f"{name} is {quoted(part)}, which {why}. {_FORM}.")
    return Asset(f"{SCHEME}://{'/'.join(map(_encoded, parts.values()))}", **arguments)


def normalize(parts: SplitResult) -> SplitResult:
    """The one spelling of an asset's URI; Airflow calls this for each asset of the scheme ``flyte``.

    Names are taken as they are, because Flyte tells upper case from lower. Each has one percent-encoding. Airflow
    itself takes away slashes at the end and what is behind ``#``.

    :param parts: the URI, as Airflow has split it.
    :raises ValueError: where the URI is not ``flyte://project/domain/task``.
    """
    project, path = parts.netloc, parts.path.split("/")
    if parts.query:
        raise ValueError(f"{_FORM}, without ? and what follows it: a version is no part of it.")
    if len(path) != 3 or path[0]:
        raise ValueError(f"{_FORM}: three parts, and a / within a name is written %2F.")
    if "@" in project or ":" in project:
        raise ValueError(f"{_FORM}: the first part is the project, without a user, a password or a port.")
    names = []
    for what, part in zip(("project", "domain", "task"), (project, *path[1:]), strict=True):
        try:
            name = unquote(part, errors="strict")
        except UnicodeDecodeError:
            raise ValueError(f"{_FORM}, and the {what} is not UTF-8, percent-encoded.") from None
        if why := _why_no_name(name):
            raise ValueError(f"{_FORM}, and the {what} {why}.")
        names.append(_encoded(name))
    return parts._replace(netloc=names[0], path=f"/{names[1]}/{names[2]}", query="")


def to_openlineage(asset: Asset, lineage_context: Any) -> Dataset:
    """The asset as a dataset of OpenLineage's events. Called by its provider alone, so that is installed.

    :param asset: of the scheme ``flyte``.
    :param lineage_context: the provider's.
    """
    from openlineage.client.event_v2 import Dataset

    parts = urlsplit(asset.uri)
    return Dataset(namespace=f"{SCHEME}://{parts.netloc}", name=parts.path.lstrip("/"))


def _encoded(name: str) -> str:
    return quote(name, safe="")


def _why_no_name(name: str) -> str:
    if not name.strip():
        return "is empty"
    if name in (".", ".."):
        return "is a dot or two"
    return "" if name.isprintable() else "has characters that cannot be printed"
