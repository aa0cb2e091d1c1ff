"""Answering a condition: a child action in which a run waits, PAUSED, for a value (RunService/SignalEvent)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from airflow_provider_flyte.client.errors import ConditionError, InvalidArgumentError, NotFoundError, RpcError
from airflow_provider_flyte.client.flows import calls
from airflow_provider_flyte.client.flows.calls import Call, Flow
from airflow_provider_flyte.client.idl.common import identifier_pb2, list_pb2
from airflow_provider_flyte.client.idl.core import types_pb2
from airflow_provider_flyte.client.idl.workflow import run_definition_pb2, run_service_pb2
from airflow_provider_flyte.client.outside import LONGEST_NAME, one_line
from airflow_provider_flyte.client.phase import RunPhase, is_terminal, phase_name
from airflow_provider_flyte.client.rpc import RunService
from airflow_provider_flyte.client.run_key import RunKey

_TYPES: dict[int, type] = {
    types_pb2.BOOLEAN: bool,
    types_pb2.INTEGER: int,
    types_pb2.FLOAT: float,
    types_pb2.STRING: str,
}
"""What a condition may ask for; an answer holds nothing else (``EventPayload``)."""

_INT64 = range(-(1 << 63), 1 << 63)


@dataclass(frozen=True)
class SignalledCondition:
    """A condition that was answered."""

    key: RunKey
    """The run."""

    condition: str
    """The name of its action."""

    prompt: str
    """What it asked; as Flyte has it."""

    value: bool | int | float | str
    """The answer."""

    def __str__(self) -> str:
        return f"Condition {self.condition!r} of Flyte run {self.key} was answered with {self.value!r}"


def check_condition(name: object) -> str:
    """The name of a condition, checked: a request without one is a panic in the server."""
    if not isinstance(name, str) or not name.strip():
        raise ConditionError(f"condition is {name!r}. Give the name of a condition that the run waits for.")
    return name


def signal(key: RunKey, org: str, condition: str, value: object) -> Flow[SignalledCondition]:
    """Answer a condition that waits.

    :param condition: the name of its action.
    :param value: of the type that it asks for; for a float an int does.
    :raises ConditionError: where the run has no such condition, it does not wait, or the value has another type.
        Nothing was answered then.
    :raises NotFoundError: where Flyte cannot read the run, or does not have it.
    """
    details = yield from condition_details(key, org, condition)
    shown = f"Condition {one_line(condition, LONGEST_NAME)!r} of Flyte run {key}"
    if not details.HasField("condition"):
        raise ConditionError(f"Action {one_line(condition, LONGEST_NAME)!r} of Flyte run {key} is no condition.")
    payload, answered = payload_of(details.condition, value, shown)
    _check_waits(details, shown)
    request = run_service_pb2.SignalEventRequest(
        action_id=_action(key, org, condition), parent_action_name=details.metadata.parent, payload=payload
    )
    try:
        yield Call(RunService.SignalEvent, request, lambda response: None, run=key.name)
    except InvalidArgumentError:
        # Somebody may have answered it in between.
        _check_waits((yield from condition_details(key, org, condition)), shown)
        raise
    except RpcError as error:
        if not error.transient:
            raise
        # The answer is lost. Not sent again: the condition shows whether it has a value, and which.
        again = yield from condition_details(key, org, condition)
        if int(again.status.phase) != RunPhase.SUCCEEDED or not _has(again, answered):
            raise
    return SignalledCondition(key, condition, details.condition.prompt, answered)


def _check_waits(details: run_definition_pb2.ActionDetails, shown: str) -> None:
    phase = int(details.status.phase)
    if phase != RunPhase.PAUSED:
        why = "it is over" if is_terminal(phase) else "it does not wait yet"
        raise ConditionError(f"{shown} cannot be answered: {why} ({phase_name(phase)}).")


def payload_of(
    condition: run_definition_pb2.ConditionAction, value: object, shown: str
) -> tuple[run_service_pb2.EventPayload, bool | int | float | str]:
    """The answer as a message, and as the type that was asked for.

    :param shown: the condition in an error.
    """
    kind = _TYPES.get(condition.type.simple)
    if kind is None:
        raise ConditionError(
            f"{shown} asks for a type that no answer can have. Only bool, int, float and str can be sent."
        )
    if kind is float and type(value) is int:
        value = float(value)
    if type(value) is not kind or (kind is int and value not in _INT64) or (kind is float and math.isnan(value)):  # type: ignore[arg-type]
        raise ConditionError(f"{shown} asks for {_NAMES[kind]}, not {one_line(repr(value), LONGEST_NAME)}.")
    made = run_service_pb2.EventPayload(**{_FIELDS[kind]: value})  # type: ignore[arg-type]
    return made, value  # type: ignore[return-value]


_FIELDS = {bool: "bool_value", int: "int_value", float: "float_value", str: "string_value"}
_NAMES = {bool: "a bool", int: "an int of 64 bits", float: "a float", str: "a str"}


def value_from_text(text: str, condition: run_definition_pb2.ConditionAction) -> bool | int | float | str:
    """An answer that somebody typed, in the type that the condition asks for; as it is, where it cannot be that.

    :param text: ``true``, ``yes``, ``3``, ``0.5``, or any text.
    """
    kind = _TYPES.get(condition.type.simple)
    try:
        if kind is bool:
            return _BOOLS[text.strip().lower()]
        return kind(text) if kind in (int, float) else text
    except (KeyError, ValueError):
        return text


_BOOLS = dict.fromkeys(("true", "yes", "y"), True) | dict.fromkeys(("false", "no", "n"), False)


def paused_conditions(key: RunKey, org: str) -> Flow[list[str]]:
    """The names of the actions of a run that wait for an answer; the first 200 of them."""
    # One value alone is INTERNAL in ListRuns, so it is sent twice here, too.
    only = list_pb2.Filter(function=list_pb2.Filter.VALUE_IN, field="phase", values=[str(int(RunPhase.PAUSED))] * 2)
    request = run_service_pb2.ListActionsRequest(
        run_id=calls.run_identifier(key, org), request=list_pb2.ListRequest(limit=calls.PAGE_SIZE, filters=[only])
    )
    listed = yield Call(RunService.ListActions, request, lambda response: list(response.actions), key.name)
    return [each.id.name for each in listed if each.status.phase == RunPhase.PAUSED]


def condition_details(key: RunKey, org: str, condition: str) -> Flow[run_definition_pb2.ActionDetails]:
    """What Flyte has of a condition.

    :raises ConditionError: where the run has no such action; names those that wait for an answer.
    """
    request = run_service_pb2.GetActionDetailsRequest(action_id=_action(key, org, condition))
    try:
        details: run_definition_pb2.ActionDetails = yield Call(
            RunService.GetActionDetails, request, _read_details, key.name
        )
    except NotFoundError:
        # It may answer so for an error of its database, too; then the list fails.
        waiting = yield from paused_conditions(key, org)
        names = one_line(", ".join(waiting)) or "none"
        raise ConditionError(
            f"Flyte run {key} has no condition {one_line(condition, LONGEST_NAME)!r}; waiting for an answer are: "
            f"{names}."
        ) from None
    return details


def _has(details: run_definition_pb2.ActionDetails, value: object) -> bool:
    """Whether the condition has this value; True where Flyte does not tell which."""
    if details.WhichOneof("result") != "signal_info":
        return True
    primitive = details.signal_info.output.scalar.primitive
    field = primitive.WhichOneof("value")
    return field is None or getattr(primitive, field) == value


def _action(key: RunKey, org: str, name: str) -> identifier_pb2.ActionIdentifier:
    return identifier_pb2.ActionIdentifier(run=calls.run_identifier(key, org), name=name)


def _read_details(response: Any) -> run_definition_pb2.ActionDetails:
    details: run_definition_pb2.ActionDetails = response.details
    return details
