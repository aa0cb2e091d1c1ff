"""Runs by their names: all in one ListRuns, or each by itself where this backend refuses to list by name.

A hosted backend may refuse that filter with INVALID_ARGUMENT or UNIMPLEMENTED. INTERNAL may mean it too; mostly it
means a database that is down, which other reads then show as well. What is a refusal is decided here alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from airflow_provider_flyte.client.errors import (
    InternalError,
    InvalidArgumentError,
    NotFoundError,
    RpcError,
    UnimplementedError,
)
from airflow_provider_flyte.client.flows.calls import (
    Call,
    Flow,
    RunsPage,
    all_pages,
    find_runs,
    get_run_details,
    list_active_runs,
    run_identifier,
    seen,
)
from airflow_provider_flyte.client.idl.workflow import run_definition_pb2
from airflow_provider_flyte.client.run_key import RunKey
from airflow_provider_flyte.client.verdict import Absent, Observation, Seen

_REFUSALS = (InvalidArgumentError, UnimplementedError)


class NameFilterRefused(Exception):  # a signal between flows: no user of the client meets it
    """This backend does not list runs by name: each has to be read by itself.

    :param error: its refusal.
    """

    def __init__(self, error: RpcError) -> None:
        super().__init__(str(error))
        self.error = error


def list_by_name(project: str, domain: str, names: Sequence[str], org: str) -> Flow[dict[RunKey, int]]:
    """The phases of those of these runs that ListRuns has; see :func:`calls.find_runs`.

    :raises NameFilterRefused: where this backend does not list by name.
    :raises InternalError: where its database is down.
    """
    listed = partial(find_runs, project, domain, names, org)
    return (yield from _unless_refused(lambda final: listed(final=final), RunKey(project, domain, names[0]), org))


def all_listed(listing: Call[RunsPage], one: RunKey, org: str) -> Flow[dict[RunKey, int]]:
    """The phases that a list shows which was made by :func:`calls.list_runs`; raises alike.

    :param one: one of the runs.
    """
    return (yield from _unless_refused(lambda final: all_pages(replace(listing, final=final)), one, org))


def _unless_refused(
    listed: Callable[[type[RpcError] | None], Flow[dict[RunKey, int]]], one: RunKey, org: str
) -> Flow[dict[RunKey, int]]:
    try:
        try:
            return (yield from listed(InternalError))
        except InternalError:
            reads = yield from _reads_otherwise(one, org)
        try:
            # The database is down: retried for as long as the caller wants.
            return (yield from listed(InternalError if reads else None))
        except InternalError as error:
            if not reads:
                raise
            # It failed twice, and a read in between succeeded: the filter is the reason.
            raise NameFilterRefused(error) from error
    except _REFUSALS as error:
        raise NameFilterRefused(error) from error


def _reads_otherwise(key: RunKey, org: str) -> Flow[bool]:
    """Whether this backend reads its database, if it is not asked for names."""
    reads: tuple[Call[Any], ...] = (
        list_active_runs(key.project, key.domain, org, limit=1, final=RpcError),
        # For a backend that lists nothing at all.
        get_run_details(run_identifier(key, org), final=RpcError),
    )
    for read in reads:
        try:
            yield read
        except RpcError:
            continue
        return True
    return False


def read_run(key: RunKey, org: str, *, to_launch: bool = False) -> Flow[run_definition_pb2.RunDetails | None]:
    """The run's details where it cannot be listed by name; None for a run that does not exist.

    GetRunDetails answers NOT_FOUND for every database error too, so it is believed only if a list, of other runs, can
    be had right after.

    :param to_launch: whether NOT_FOUND is believed where every list is refused: a hosted backend keeps no second run of
        a name.
    :raises NotFoundError: where it is not known whether the run exists.
    :raises RpcError: where the database is in trouble.
    """
    try:
        details: run_definition_pb2.RunDetails = yield get_run_details(run_identifier(key, org))
    except NotFoundError as unproven:
        try:
            yield list_active_runs(key.project, key.domain, org, limit=1)
        except _REFUSALS:
            if not to_launch:
                raise unproven from None
        return None
    return details


def phase_of(key: RunKey, org: str, *, to_launch: bool = False) -> Flow[int | None]:
    """The run's phase, None where it is proven that there is no such run; for the rest see :func:`read_run`."""
    try:
        found = yield from list_by_name(key.project, key.domain, [key.name], org)
    except NameFilterRefused:
        details = yield from read_run(key, org, to_launch=to_launch)
        return None if details is None else details.action.status.phase
    return found.get(key)


def observe_run(key: RunKey, org: str) -> Flow[tuple[Observation, run_definition_pb2.RunDetails | None]]:
    """An observation of a run, with its details if they could be read."""
    try:
        details: run_definition_pb2.RunDetails = yield get_run_details(run_identifier(key, org))
    except NotFoundError:
        # It answers so for every database error, too.
        phase = yield from phase_of(key, org)
        return (Absent() if phase is None else Seen(phase)), None
    return seen(details), details


def details_of(keys: Sequence[RunKey], org: str) -> Flow[dict[RunKey, run_definition_pb2.RunDetails]]:
    """The details of those of these runs, all of one project and domain, that exist; asked for before a launch.

    :raises NotFoundError: where ListRuns has a run of which GetRunDetails answers NOT_FOUND: the database is in
        trouble.
    """
    project, domain = keys[0].project, keys[0].domain
    found: dict[RunKey, run_definition_pb2.RunDetails] = {}
    try:
        phases = yield from list_by_name(project, domain, [key.name for key in keys], org)
    except NameFilterRefused:
        for key in keys:
            details = yield from read_run(key, org, to_launch=True)
            if details is not None:
                found[key] = details
        return found
    for key in keys:
        if key in phases:
            found[key] = yield get_run_details(run_identifier(key, org))
    return found
