"""The child actions of a run that failed, with their errors: the run's own message often says only that one did."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from airflow_provider_flyte.client.errors import InvalidArgumentError, RpcError, UnimplementedError
from airflow_provider_flyte.client.flows import calls
from airflow_provider_flyte.client.flows.calls import Call, Flow
from airflow_provider_flyte.client.idl.common import identifier_pb2, list_pb2
from airflow_provider_flyte.client.idl.workflow import run_definition_pb2, run_service_pb2
from airflow_provider_flyte.client.outside import LONGEST_NAME, one_line
from airflow_provider_flyte.client.phase import RunPhase, phase_name
from airflow_provider_flyte.client.rpc import RunService
from airflow_provider_flyte.client.run_key import RunKey

MOST = 5
"""How many of them are shown."""

WITHIN = 3.0
"""Seconds for all calls together: they are an addition to a failure that is known already."""

_FAILED = (RunPhase.FAILED, RunPhase.TIMED_OUT)


@dataclass(frozen=True)
class FailedAction:
    """One of them, cleaned for a log."""

    name: str
    task: str
    """The name of its task; '' where it is not known."""

    why: str
    """Phase, kind of error and the first line of its message, as far as they are known."""

    def __str__(self) -> str:
        return f"{self.name} ({self.task}): {self.why}" if self.task else f"{self.name}: {self.why}"


@dataclass(frozen=True)
class FailedActions:
    """Those that failed first, as far as they could be read."""

    first: tuple[FailedAction, ...] = ()
    more: int = 0
    """How many others failed; of more than 200 the least number."""

    trouble: str = ""
    """Why they could not be listed; '' too where this backend does not list actions."""


def failed_actions(
    key: RunKey,
    org: str,
    *,
    most: int = MOST,
    within: float = WITHIN,
    clock: Callable[[], float] = time.monotonic,
) -> Flow[FailedActions]:
    """List the failed child actions of a run, and read the errors of those that failed first.

    Never a failed call, and one call alone for a run without any. The root action is none of them.

    :param most: how many errors are read.
    :param within: seconds after which nothing more is asked for.
    :param clock: seconds that only grow.
    """
    until = clock() + within
    try:
        listed = yield _list_failed(key, org, within)
    except (UnimplementedError, InvalidArgumentError):
        return FailedActions()
    except RpcError as error:
        return FailedActions(trouble=str(error))
    failed = [each for each in listed if each.status.phase in _FAILED and each.id.name != calls.ROOT_ACTION]
    # One that failed because of another ended after it.
    failed.sort(key=lambda each: (each.status.end_time.seconds, each.status.end_time.nanos))
    first = []
    for action in failed[:most]:
        details, left = None, until - clock()
        if left > 0:
            try:
                details = yield _details(key, org, action.id.name, left)
            except RpcError:
                # What is known of the others is worth as much.
                until = clock()
        first.append(_described(action, details))
    return FailedActions(tuple(first), len(failed) - len(first))


def _list_failed(key: RunKey, org: str, timeout: float) -> Call[list[run_definition_pb2.Action]]:
    values = [str(int(phase)) for phase in _FAILED]
    # The fields of this method are in small letters, those of WatchActions in capitals.
    only = list_pb2.Filter(function=list_pb2.Filter.VALUE_IN, field="phase", values=values)
    request = run_service_pb2.ListActionsRequest(
        run_id=calls.run_identifier(key, org), request=list_pb2.ListRequest(limit=calls.PAGE_SIZE, filters=[only])
    )
    return Call(RunService.ListActions, request, lambda response: list(response.actions), key.name, RpcError, timeout)


def _details(key: RunKey, org: str, name: str, timeout: float) -> Call[run_definition_pb2.ActionDetails]:
    action = identifier_pb2.ActionIdentifier(run=calls.run_identifier(key, org), name=name)
    request = run_service_pb2.GetActionDetailsRequest(action_id=action)
    return Call(RunService.GetActionDetails, request, _read_details, key.name, RpcError, timeout)


def _read_details(response: Any) -> run_definition_pb2.ActionDetails:
    details: run_definition_pb2.ActionDetails = response.details
    return details


def _described(action: run_definition_pb2.Action, details: run_definition_pb2.ActionDetails | None) -> FailedAction:
    task, why = "", phase_name(action.status.phase)
    if details is not None:
        task = one_line(details.metadata.task.id.name, LONGEST_NAME)
        if error := calls.run_error(details):
            kind = f" ({error.kind} error)" if error.kind in ("USER", "SYSTEM") else ""
            message = one_line(error.message.strip().partition("\n")[0])
            why += f"{kind}: {message}" if message else kind
    return FailedAction(one_line(action.id.name, LONGEST_NAME), task, why)
