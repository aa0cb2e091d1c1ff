"""The task that is to run: its version and interface, or for an error the tasks that are deployed instead."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from typing import Any

from airflow_provider_flyte.client.errors import NoSuchTaskError, NotFoundError
from airflow_provider_flyte.client.flows.calls import PAGE_SIZE, Call, Flow, check_list_ends
from airflow_provider_flyte.client.idl.common import identifier_pb2, list_pb2
from airflow_provider_flyte.client.idl.task import task_definition_pb2, task_service_pb2
from airflow_provider_flyte.client.outside import LONGEST_NAME, one_line
from airflow_provider_flyte.client.rpc import TaskService

SHOWN = 10
"""How many names an error lists."""

_MOST_MEANT = 2


def find_task(
    project: str, domain: str, org: str, name: str, version: str | None
) -> Flow[task_definition_pb2.TaskDetails]:
    """The task's details; the latest deployed version where none is named.

    :raises NoSuchTaskError: with the versions, or the tasks, that there are.
    """
    task = task_definition_pb2.TaskName(org=org, project=project, domain=domain, name=name)
    if version is None:
        version = yield _latest_version(task)
        if version is None:
            raise (yield from _no_such_task(task))
    try:
        details: task_definition_pb2.TaskDetails = yield _get_task_details(task, version)
        return details
    except NotFoundError:
        # GetTaskDetails answers NOT_FOUND for a database error, too: only a list proves that the version does not
        # exist.
        versions = yield from all_of(lambda token: _list_versions(task, token))
        if version in versions:
            raise
        if not versions:
            raise (yield from _no_such_task(task)) from None
        raise NoSuchTaskError(
            f"Task {name} has no version {version!r} in {project}/{domain}. {there_are('versions', versions)} "
            "Name one of them, or none for the latest."
        ) from None


def _no_such_task(task: task_definition_pb2.TaskName) -> Flow[NoSuchTaskError]:
    tasks = yield from all_of(lambda token: _list_tasks(task, token))
    return NoSuchTaskError(
        f"There is no task {task.name!r} in {task.project}/{task.domain}. {instead_of(task.name, 'tasks', tasks)} "
        "Check the name, the project and the domain, and that it is deployed."
    )


def instead_of(name: str, what: str, names: Sequence[str]) -> str:
    """The known names that are like a mistyped one; where none is, all names."""
    close = difflib.get_close_matches(name, names, n=_MOST_MEANT)
    return f"Did you mean {' or '.join(close)}?" if close else there_are(what, names)


def there_are(what: str, names: Sequence[str]) -> str:
    """The names that exist, for an error."""
    if not names:
        return f"There are no {what}."
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"There are the {what} {', '.join(names[:SHOWN])}{more}."


def all_of(page: Callable[[str], Call[tuple[list[str], str]]]) -> Flow[list[str]]:
    """The rows of all pages.

    :raises GarbledAnswerError: where the pages never end.
    """
    found: list[str] = []
    tokens: list[str] = []
    token = ""
    while True:
        call = page(token)
        names, token = yield call
        found += [one_line(each, LONGEST_NAME) for each in names]
        if not token:
            return found
        check_list_ends(call.method, tokens, token)


def _get_task_details(task: task_definition_pb2.TaskName, version: str) -> Call[task_definition_pb2.TaskDetails]:
    task_id = task_definition_pb2.TaskIdentifier(
        org=task.org, project=task.project, domain=task.domain, name=task.name, version=version
    )
    return Call(
        TaskService.GetTaskDetails,
        task_service_pb2.GetTaskDetailsRequest(task_id=task_id),
        lambda response: response.details,
    )


def _latest_version(task: task_definition_pb2.TaskName) -> Call[str | None]:
    """ListTasks has one row a task name: its latest version."""
    named = list_pb2.Filter(function=list_pb2.Filter.EQUAL, field="name", values=[task.name])

    def read(response: Any) -> str | None:
        return next((row.task_id.version for row in response.tasks if row.task_id.name == task.name), None)

    return Call(TaskService.ListTasks, _tasks_request(task, "", [named]), read)


def _list_tasks(task: task_definition_pb2.TaskName, token: str) -> Call[tuple[list[str], str]]:
    return Call(
        TaskService.ListTasks,
        _tasks_request(task, token, []),
        lambda response: ([row.task_id.name for row in response.tasks], response.token),
    )


def _tasks_request(
    task: task_definition_pb2.TaskName, token: str, filters: Sequence[list_pb2.Filter]
) -> task_service_pb2.ListTasksRequest:
    return task_service_pb2.ListTasksRequest(
        request=list_pb2.ListRequest(limit=PAGE_SIZE, token=token, filters=filters),
        project_id=identifier_pb2.ProjectIdentifier(organization=task.org, domain=task.domain, name=task.project),
    )


def _list_versions(task: task_definition_pb2.TaskName, token: str) -> Call[tuple[list[str], str]]:
    return Call(
        TaskService.ListVersions,
        task_service_pb2.ListVersionsRequest(
            request=list_pb2.ListRequest(limit=PAGE_SIZE, token=token), task_name=task
        ),
        lambda response: ([row.version for row in response.versions], response.token),
    )
