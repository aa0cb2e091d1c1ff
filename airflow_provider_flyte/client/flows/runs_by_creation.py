"""Runs in the order of their creation: the lists that stay cheap however many runs there are.

A page's token is an offset: rows that leave a list between two of its pages push others past the border unseen. So the
next page is asked for by time, from the last row's creation on, and has that row once more; only where a whole page was
created in one moment it is asked for by its token.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from airflow_provider_flyte.client.flows import calls
from airflow_provider_flyte.client.flows.calls import PAGE_SIZE, Call, check_list_ends
from airflow_provider_flyte.client.idl.common import identifier_pb2, list_pb2
from airflow_provider_flyte.client.idl.task import task_definition_pb2
from airflow_provider_flyte.client.idl.workflow import run_definition_pb2, run_service_pb2
from airflow_provider_flyte.client.moments import time_of
from airflow_provider_flyte.client.outside import LONGEST_NAME, one_line
from airflow_provider_flyte.client.phase import NOT_OVER
from airflow_provider_flyte.client.rpc import RunService
from airflow_provider_flyte.client.run_key import ProjectDomain, RunKey, is_run_name


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run as lists show it. Times are microseconds since the epoch, which is what Flyte's database keeps."""

    key: RunKey
    phase: int
    task_name: str
    task_version: str
    created_at: int
    """Moves back to the start that the executor reports, where that is earlier; never forward."""

    ended_at: int | None
    """What the executor reports, however late; None while it is not over."""

    labels: Mapping[str, str] = field(default_factory=dict)
    """Empty where the list does not show them, too: the open-source backend's has not, so far."""

    @property
    def name(self) -> str:
        """The run's name."""
        return self.key.name


@dataclass(frozen=True)
class Listing:
    """A list of runs by their creation, at one of its pages.

    :param where: the project and domain.
    :param tasks: the tasks' names, each once; () for the runs of all tasks.
    :param since: the first creation, in microseconds since the epoch; 0 for no limit.
    :param not_over: only runs that are not over.
    :param limit: runs on a page.
    :param until: only runs that were created before it, in microseconds since the epoch; 0 for no limit.
    :param newest_first: the newest run comes first instead of the oldest.
    """

    where: ProjectDomain
    tasks: tuple[str, ...]
    since: int
    not_over: bool = False
    limit: int = PAGE_SIZE
    until: int = 0
    newest_first: bool = False
    _tokens: tuple[str, ...] = field(default=(), repr=False)

    def call(self, org: str) -> Call[Page]:
        """The call for this page; it raises GarbledAnswerError for a list that would never end."""
        request = by_creation(
            self.where,
            self.tasks[0] if len(self.tasks) == 1 else "",
            org,
            self.since,
            limit=self.limit,
            until=self.until,
            newest_first=self.newest_first,
        )
        if len(self.tasks) > 1:
            # A scope has room for one task.
            request.request.filters.add(function=list_pb2.Filter.VALUE_IN, field="task_name", values=self.tasks)
        if self.not_over:
            request.request.filters.append(calls.phase_filter(NOT_OVER))
        if self._tokens:
            request.request.token = self._tokens[-1]
        return Call(RunService.ListRuns, request, self._read)

    def _read(self, response: run_service_pb2.ListRunsResponse) -> Page:
        rows = [row_of(run.action, run.labels) for run in response.runs]
        created = [row.created_at for row in rows]
        last = max(created, default=0)
        border = min(created, default=0) if self.newest_first else last
        return Page(list(_asked_for(rows, self.where)), last, self._following(border, response.token))

    def _following(self, border: int, token: str) -> Listing | None:
        if not token:
            return None
        if self.newest_first and 0 < border + 1 < (self.until or border + 2):
            return replace(self, until=border + 1, _tokens=())
        if not self.newest_first and border > self.since:
            return replace(self, since=border, _tokens=())
        tokens = list(self._tokens)
        check_list_ends(RunService.ListRuns, tokens, token)
        return replace(self, _tokens=tuple(tokens))


@dataclass(frozen=True)
class Page:
    """One page of a list."""

    rows: Sequence[RunRow]
    last: int
    """When the newest of all its runs was created; 0 for none."""

    following: Listing | None
    """The list at its next page; None where this one is the last."""


def by_creation(
    where: ProjectDomain,
    task_name: str,
    org: str,
    since: int,
    *,
    limit: int,
    until: int = 0,
    newest_first: bool = False,
) -> run_service_pb2.ListRunsRequest:
    """The request for the runs of a task, or of all tasks, that were created since a moment and before another one.

    :param since: microseconds since the epoch; 0 for no limit.
    :param until: alike.
    """
    direction = list_pb2.Sort.DESCENDING if newest_first else list_pb2.Sort.ASCENDING
    listing = list_pb2.ListRequest(
        limit=limit,
        sort_by_fields=[list_pb2.Sort(key="created_at", direction=direction)],
        filters=[*_created(list_pb2.Filter.GREATER_THAN_OR_EQUAL, since), *_created(list_pb2.Filter.LESS_THAN, until)],
    )
    if task_name:
        task = task_definition_pb2.TaskName(org=org, project=where.project, domain=where.domain, name=task_name)
        return run_service_pb2.ListRunsRequest(request=listing, task_name=task)
    project = identifier_pb2.ProjectIdentifier(organization=org, domain=where.domain, name=where.project)
    return run_service_pb2.ListRunsRequest(request=listing, project_id=project)


def _created(function: list_pb2.Filter.Function, moment: int) -> list[list_pb2.Filter]:
    if not moment:
        return []
    # Not strftime, which writes the year 1 as 1.
    text = time_of(moment).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
    return [list_pb2.Filter(function=function, field="created_at", values=[text])]


def has_labels(labels: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    """Whether a run has all of these labels.

    :param labels: a row's.
    :param wanted: as somebody has written them.
    """
    return all(
        labels.get(one_line(name, LONGEST_NAME)) == one_line(value, LONGEST_NAME) for name, value in wanted.items()
    )


def row_of(action: run_definition_pb2.Action | run_definition_pb2.ActionDetails, labels: Mapping[str, str]) -> RunRow:
    """A run by its root action, as a list or the run's details have it."""
    run, task, status = action.id.run, action.metadata.task.id, action.status
    return RunRow(
        RunKey(run.project, run.domain, run.name),
        status.phase,
        one_line(task.name, LONGEST_NAME),
        one_line(task.version, LONGEST_NAME),
        _microseconds(status.start_time),
        _microseconds(status.end_time) if status.HasField("end_time") else None,
        {one_line(name, LONGEST_NAME): one_line(labels[name], LONGEST_NAME) for name in sorted(labels)},
    )


def _microseconds(time: Any) -> int:
    return int(time.seconds) * 1_000_000 + int(time.nanos) // 1000


def _asked_for(rows: Iterable[RunRow], where: ProjectDomain) -> Iterable[RunRow]:
    """Without what no run can be named, and what a backend adds of other projects."""
    return (row for row in rows if is_run_name(row.name) and row.key.project_domain == where)
