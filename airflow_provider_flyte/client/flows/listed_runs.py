"""Runs by their names as a list shows them: in one ListRuns, or some of them by GetRunDetails where this backend does
not list by name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from airflow_provider_flyte.client.errors import NotFoundError
from airflow_provider_flyte.client.flows import calls
from airflow_provider_flyte.client.flows.calls import PAGE_SIZE, Flow, RunsPage
from airflow_provider_flyte.client.flows.named_runs import NameFilterRefused, all_listed, read_run
from airflow_provider_flyte.client.flows.runs_by_creation import RunRow, row_of
from airflow_provider_flyte.client.phase import TERMINAL
from airflow_provider_flyte.client.run_key import ProjectDomain, RunKey

MOST = PAGE_SIZE
"""How many runs may be asked for at once: as many as fit on a page of ListRuns, which orders by phase, so that a run
could move past the border of two pages.
"""

MOST_READ = 20
"""How many runs are read one by one: the first ones."""


@dataclass(frozen=True)
class ListedRuns:
    """What Flyte shows of some runs."""

    rows: Mapping[str, RunRow]
    """By name."""

    missing: frozenset[str] = frozenset()
    """The names of which Flyte has no run."""

    one_by_one: bool = False
    """Whether each had to be read by itself."""


def listed_runs(where: ProjectDomain, names: Sequence[str], org: str) -> Flow[ListedRuns]:
    """What Flyte shows of these runs. Where it does not list by name, the first :data:`MOST_READ` are read.

    :param where: their project and domain.
    :param names: each once; at least one, at most :data:`MOST`.
    :param org: the organization, or ''.
    :raises RpcError: where it is not known whether there are such runs.
    """
    try:
        rows = yield from _rows(where, names, org)
    except NameFilterRefused:
        return (yield from _read_one_by_one(where, names[:MOST_READ], org))
    return ListedRuns(rows, frozenset(names) - rows.keys())


def ended_rows(where: ProjectDomain, names: Sequence[str], org: str) -> Flow[dict[str, RunRow]]:
    """Those of these runs that are over, by name.

    :param names: at most as many as :data:`calls.NAMES_A_CALL`.
    :raises NameFilterRefused: where this backend does not list by name.
    """
    rows = yield from _rows(where, names, org, terminal_only=True)
    return {name: row for name, row in rows.items() if row.phase in TERMINAL}


def _rows(
    where: ProjectDomain, names: Sequence[str], org: str, *, terminal_only: bool = False
) -> Flow[dict[str, RunRow]]:
    rows: dict[RunKey, RunRow] = {}
    listing = calls.list_runs(where.project, where.domain, names, org, terminal_only=terminal_only)

    def read(response: Any) -> RunsPage:
        rows.update((row.key, row) for row in (row_of(run.action, run.labels) for run in response.runs))
        return listing.read(response)

    yield from all_listed(replace(listing, read=read), where.run(names[0]), org)
    # Without what a backend adds of others.
    return {name: rows[where.run(name)] for name in names if where.run(name) in rows}


def _read_one_by_one(where: ProjectDomain, names: Sequence[str], org: str) -> Flow[ListedRuns]:
    rows: dict[str, RunRow] = {}
    missing = set()
    for name in names:
        try:
            details = yield from read_run(where.run(name), org)
        except NotFoundError:
            # Nothing here can tell it from a database in trouble.
            continue
        if details is None:
            missing.add(name)
        else:
            rows[name] = row_of(details.action, {})
    return ListedRuns(rows, frozenset(missing), one_by_one=True)
