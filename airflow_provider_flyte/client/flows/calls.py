"""The calls that the client makes and how it reads their answers, for blocking and asyncio callers alike.

A :class:`Call` is plain data; a *flow* is a generator that yields calls and is sent their results, for calls that
take more than one. :meth:`FlyteClient.execute` and :meth:`FlyteClient.aexecute` drive either.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, NamedTuple, TypeVar

from airflow_provider_flyte.client.errors import GarbledAnswerError, RpcError, Status
from airflow_provider_flyte.client.idl.common import identifier_pb2, list_pb2
from airflow_provider_flyte.client.idl.dataproxy import dataproxy_service_pb2
from airflow_provider_flyte.client.idl.project import project_service_pb2
from airflow_provider_flyte.client.idl.workflow import run_definition_pb2, run_service_pb2
from airflow_provider_flyte.client.outside import LONGEST_NAME, one_line, some_lines
from airflow_provider_flyte.client.phase import NOT_OVER, TERMINAL
from airflow_provider_flyte.client.rpc import DataProxyService, ProjectService, RunService, ServerStream, Unary
from airflow_provider_flyte.client.run_key import RunKey
from airflow_provider_flyte.client.verdict import RunError, Seen

T = TypeVar("T")

ROOT_ACTION = "a0"
"""Name of a run's root action."""

PAGE_SIZE = 200
"""Runs on a page; ListRuns refuses more."""

NEWEST = 100
"""How many attempts of a run are read, and how many phases, events and logs of each: the last ones."""

MOST_PAGES = 50
"""Pages that are read of a list: five times what the longest one needs."""

NAMES_A_CALL = 2000
"""Maximum number of names in one ListRuns; 2,500 cost the server 7 ms."""


@dataclass(frozen=True)
class Call(Generic[T]):
    """One unary call: the row, the request, and how to read the response."""

    method: Unary[Any, Any]
    request: Any
    read: Callable[[Any], T]
    run: str | None = None
    final: type[RpcError] | None = None
    """Errors that are not repeated whatever the policy: ``RpcError`` where the answer is not worth a wait."""
    timeout: float | None = None
    """Seconds for one try, where that is less than the config's."""


@dataclass(frozen=True)
class StreamCall(Generic[T]):
    """One server stream: the row, the request, and how to read each message."""

    method: ServerStream[Any, Any]
    request: Any
    read: Callable[[Any], T]
    timeout: float | None = None
    """Seconds after which it ends by itself, without an error; None: never."""
    run: str | None = None


Flow = Generator["Call[Any] | StreamCall[Any]", Any, T]
"""What is sent for a stream is None, once it has ended: its messages went to ``read``."""


class RunsPage(NamedTuple):
    """One page of ListRuns: the phases by run, and the token of the next page or ''."""

    phases: dict[RunKey, int]
    next_token: str


def run_identifier(key: RunKey, org: str) -> identifier_pb2.RunIdentifier:
    return identifier_pb2.RunIdentifier(org=org, project=key.project, domain=key.domain, name=key.name)


def get_run_details(
    run_id: identifier_pb2.RunIdentifier, final: type[RpcError] | None = None
) -> Call[run_definition_pb2.RunDetails]:
    """RunService/GetRunDetails. Details that name no run are those of the run that was asked for.

    Those of another run, as a cache in between may give, are an answer that cannot be read. The org is not compared:
    some answers leave it out.
    """

    def read(response: Any) -> run_definition_pb2.RunDetails:
        details: run_definition_pb2.RunDetails = response.details
        named = details.action.id.run
        for field in ("project", "domain", "name"):
            if getattr(named, field) not in ("", getattr(run_id, field)):
                about = RunKey(named.project, named.domain, named.name)
                raise GarbledAnswerError(
                    Status.INTERNAL,
                    f"the answer is about another run, {about}",
                    method=RunService.GetRunDetails.name,
                    endpoint="the Flyte endpoint",
                    run=run_id.name,
                )
        named.project, named.domain, named.name = run_id.project, run_id.domain, run_id.name
        _keep_the_newest(details.action)
        return details

    request = run_service_pb2.GetRunDetailsRequest(run_id=run_id)
    return Call(RunService.GetRunDetails, request, read, run=run_id.name, final=final)


def _keep_the_newest(action: run_definition_pb2.ActionDetails) -> None:
    """Leave out the oldest of what may be without number: a timeline takes 5 us for each, and XCom more."""
    del action.attempts[:-NEWEST]
    for attempt in action.attempts:
        for parts in (attempt.phase_transitions, attempt.cluster_events, attempt.log_info):
            del parts[:-NEWEST]


def get_action_data(
    action_id: identifier_pb2.ActionIdentifier,
) -> Call[dataproxy_service_pb2.GetActionDataResponse]:
    """DataProxyService/GetActionData; the method of the same name in RunService is UNIMPLEMENTED."""
    return Call(
        DataProxyService.GetActionData,
        dataproxy_service_pb2.GetActionDataRequest(action_id=action_id),
        lambda response: response,
        run=action_id.run.name,
    )


def list_runs(
    project: str,
    domain: str,
    names: Sequence[str],
    org: str,
    *,
    terminal_only: bool = False,
    final: type[RpcError] | None = None,
) -> Call[RunsPage]:
    """RunService/ListRuns over these names; with ``terminal_only`` the server leaves out what is not over."""
    filters = [_name_filter(names), *([phase_filter(TERMINAL)] if terminal_only else ())]
    request = list_pb2.ListRequest(limit=PAGE_SIZE, filters=filters)
    run = names[0] if len(names) == 1 else None
    return _list(project, domain, org, request, run=run, final=final)


def list_active_runs(
    project: str, domain: str, org: str, *, limit: int, final: type[RpcError] | None = None
) -> Call[RunsPage]:
    """RunService/ListRuns over some runs that are not over: quick with this filter, however many runs there are."""
    request = list_pb2.ListRequest(limit=limit, filters=[phase_filter(NOT_OVER)])
    return _list(project, domain, org, request, final=final)


def list_paused(project: str, domain: str, names: Sequence[str], org: str) -> Call[RunsPage]:
    """RunService/ListRuns over those of these runs in which an action is paused; the runs themselves are RUNNING."""
    request = list_pb2.ListRequest(limit=PAGE_SIZE, filters=[_name_filter(names)])
    return _list(project, domain, org, request, run=names[0] if len(names) == 1 else None, paused=True)


def _list(
    project: str,
    domain: str,
    org: str,
    request: list_pb2.ListRequest,
    *,
    run: str | None = None,
    final: type[RpcError] | None = None,
    paused: bool = False,
) -> Call[RunsPage]:
    project_id = identifier_pb2.ProjectIdentifier(organization=org, domain=domain, name=project)
    listing = run_service_pb2.ListRunsRequest(request=request, project_id=project_id, paused_actions_only=paused)
    return Call(RunService.ListRuns, listing, _read_runs, run=run, final=final)


def phase_filter(phases: Iterable[int]) -> list_pb2.Filter:
    """Only runs in these phases, of which there must be two: see :func:`_name_filter`."""
    values = [str(int(phase)) for phase in sorted(phases)]
    return list_pb2.Filter(function=list_pb2.Filter.VALUE_IN, field="phase", values=values)


def watch_runs(project: str, domain: str, org: str) -> StreamCall[dict[RunKey, int]]:
    """RunService/WatchRuns of a project and domain: some of its runs, then each that changes."""
    project_id = identifier_pb2.ProjectIdentifier(organization=org, domain=domain, name=project)
    return StreamCall(RunService.WatchRuns, run_service_pb2.WatchRunsRequest(project_id=project_id), _phases)


def _phases(response: Any) -> dict[RunKey, int]:
    return {_key(run): run.action.status.phase for run in response.runs}


def _name_filter(names: Sequence[str]) -> list_pb2.Filter:
    # VALUE_IN with a single value is INTERNAL ("unable to convert string to array").
    function = list_pb2.Filter.EQUAL if len(names) == 1 else list_pb2.Filter.VALUE_IN
    return list_pb2.Filter(function=function, field="run_name", values=names)


def _read_runs(response: run_service_pb2.ListRunsResponse) -> RunsPage:
    return RunsPage(_phases(response), response.token)


def _key(run: run_definition_pb2.Run) -> RunKey:
    # The org is left out on purpose: ListRuns answers carry none.
    run_id = run.action.id.run
    return RunKey(run_id.project, run_id.domain, run_id.name)


def find_runs(
    project: str,
    domain: str,
    names: Sequence[str],
    org: str,
    *,
    terminal_only: bool = False,
    final: type[RpcError] | None = None,
) -> Flow[dict[RunKey, int]]:
    """The phases of those of these runs that ListRuns has. For callers see ``named_runs.py``: a backend may refuse the
    filter.

    :param terminal_only: only of runs that are over.
    """
    found: dict[RunKey, int] = {}
    # Without the phase filter a call is for no more than fits on a page: ListRuns orders by phase, so that a run may be
    # on no page when another one ends between two of them. Runs that are over do not move between pages.
    for some in chunks(names, NAMES_A_CALL if terminal_only else PAGE_SIZE):
        listing = list_runs(project, domain, some, org, terminal_only=terminal_only, final=final)
        found.update((yield from all_pages(listing)))
    return found


def all_pages(listing: Call[RunsPage]) -> Flow[dict[RunKey, int]]:
    """The phases on this page of ListRuns and on those after it."""
    found: dict[RunKey, int] = {}
    tokens: list[str] = []
    while True:
        page = yield listing
        found.update(page.phases)
        if not page.next_token:
            return found
        check_list_ends(listing.method, tokens, page.next_token)
        request = run_service_pb2.ListRunsRequest()
        request.CopyFrom(listing.request)
        request.request.token = page.next_token
        listing = replace(listing, request=request)


def check_list_ends(method: Unary[Any, Any], tokens: list[str], token: str) -> None:
    """Take a page's token to those of the pages before it.

    :raises GarbledAnswerError: where that list would never end.
    """
    if token in tokens:
        why = "the token of its next page is that of an earlier one"
    elif len(tokens) + 1 >= MOST_PAGES:
        why = f"there is a page after {MOST_PAGES}"
    else:
        tokens.append(token)
        return
    details = f"the list does not end: {why}"
    raise GarbledAnswerError(Status.INTERNAL, details, method=method.name, endpoint="the Flyte endpoint")


def only(call: Call[T] | StreamCall[T]) -> Flow[T]:
    """The flow of one call."""
    answer: T = yield call
    return answer


def seen(details: run_definition_pb2.RunDetails) -> Seen:
    """Whether the run is over and how, by its details."""
    return Seen(details.action.status.phase, run_error(details.action))


def run_error(action: run_definition_pb2.ActionDetails) -> RunError | None:
    """Why the run did not succeed, as far as the server knows yet."""
    which = action.WhichOneof("result")
    if which == "error_info" and action.error_info.ByteSize():
        # FAILED arrives before its error: until then error_info is set but empty.
        kind = run_definition_pb2.ErrorInfo.Kind
        names = {kind.KIND_USER: "USER", kind.KIND_SYSTEM: "SYSTEM"}
        return RunError(names.get(action.error_info.kind, "UNKNOWN"), some_lines(action.error_info.message))
    if which == "abort_info":
        return RunError("ABORTED", some_lines(action.abort_info.reason))
    return None


def chunks(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """The items in lists of at most ``size``."""
    return (items[start : start + size] for start in range(0, len(items), size))


def list_projects() -> Call[list[str]]:
    """ProjectService/ListProjects: the ids of the projects that can be seen."""
    return Call(
        ProjectService.ListProjects,
        project_service_pb2.ListProjectsRequest(),
        lambda response: [one_line(project.id, LONGEST_NAME) for project in response.projects.projects],
    )


def get_domains(project: str, org: str) -> Call[list[str]]:
    """ProjectService/GetProject: the ids of a project's domains."""
    return Call(
        ProjectService.GetProject,
        project_service_pb2.GetProjectRequest(id=project, org=org),
        lambda response: [one_line(domain.id, LONGEST_NAME) for domain in response.project.domains],
    )
