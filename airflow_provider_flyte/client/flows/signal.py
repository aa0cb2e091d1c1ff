"""Answering a condition, for which a run waits (RunService/SignalEvent)."""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import dataclass

from airflow_provider_flyte.client.errors import ConditionError, InvalidArgumentError, RpcError, RunIsOverError
from airflow_provider_flyte.client.flows.calls import Call, Flow, get_run_details, run_identifier
from airflow_provider_flyte.client.flows.conditions import (
    Answer,
    Condition,
    action_identifier,
    answered_with,
    find_condition,
    read_condition,
)
from airflow_provider_flyte.client.idl.workflow import run_definition_pb2, run_service_pb2
from airflow_provider_flyte.client.outside import LONGEST_NAME, one_line
from airflow_provider_flyte.client.phase import RunPhase, is_terminal, phase_name
from airflow_provider_flyte.client.rpc import RunService
from airflow_provider_flyte.client.run_key import RunKey

_INT64 = range(-(1 << 63), 1 << 63)


@dataclass(frozen=True)
class SignalledCondition:
    """A condition that was answered."""

    key: RunKey
    """The run."""

    condition: str
    """Its own name, which its author gave it."""

    prompt: str
    """What it asked; as Flyte has it."""

    value: Answer
    """The answer."""

    action: str
    """The name of its action."""

    def __str__(self) -> str:
        name = one_line(self.condition, LONGEST_NAME)
        return f"Condition {name!r} of Flyte run {self.key} {answered_with(self.value)}"


def check_condition(name: object) -> str:
    """The name of a condition, checked: a request without one is a panic in the server."""
    if not isinstance(name, str) or not name.strip():
        raise ConditionError(f"condition is {name!r}. Give the name of a condition that the run waits for.")
    return name


def signal(key: RunKey, org: str, condition: str, value: object) -> Flow[SignalledCondition]:
    """Answer a condition that waits.

    :param condition: its own name, or that of its action.
    :param value: of the type that it asks for; for a float an int does.
    :raises RunIsOverError: where the run is over. One that ends in the moment between this read and the answer is for
        Flyte to judge: what it takes then is recorded as answered, and nothing goes on with it.
    :raises ConditionError: where the run has no such condition, several have that name, it does not wait, or the value
        has another type. Nothing was answered then.
    :raises NotFoundError: where Flyte cannot read the run, or does not have it.
    """
    return (yield from answer((yield from find_condition(key, org, condition)), org, value))


def answer(condition: Condition, org: str, value: object) -> Flow[SignalledCondition]:
    """Answer a condition that was read just before; raises as :func:`signal` does."""
    check_waits(condition)
    payload, answered = payload_of(condition, value)
    yield from _check_run(condition, org)
    request = run_service_pb2.SignalEventRequest(
        action_id=action_identifier(condition.key, org, condition.action),
        parent_action_name=condition.parent,
        payload=payload,
    )
    try:
        yield Call(RunService.SignalEvent, request, lambda response: None, run=condition.key.name)
    except InvalidArgumentError:
        # Somebody may have answered it in between, or the run may have ended.
        with suppress(RpcError):
            yield from _check_again(condition, org)
            yield from _check_run(condition, org)
        raise
    except RpcError as error:
        if not error.transient:
            raise
        # The answer is lost. Not sent again: the condition shows whether it has a value, and which.
        again = None
        with suppress(RpcError):
            again = yield from read_condition(condition.key, org, condition.action)
        if again is None or not has_answer(again, answered):
            raise
    return SignalledCondition(condition.key, condition.name, condition.prompt, answered, condition.action)


def _check_run(condition: Condition, org: str) -> Flow[None]:
    """Refuse to answer a condition whose run is over.

    What a backend with an executor does with such an answer was not measured; a condition may stay PAUSED for ever.
    """
    run: run_definition_pb2.RunDetails = yield get_run_details(run_identifier(condition.key, org))
    phase = int(run.action.status.phase)
    if not is_terminal(phase):
        return
    # It may have been answered just after it was read, with which the run went on to its end.
    with suppress(RpcError):
        yield from _check_again(condition, org)
    raise RunIsOverError(
        f"{condition.shown} cannot be answered: the run is over ({phase_name(phase)}), and nothing goes on with an "
        "answer. If one is still needed, launch a new run and answer that one."
    )


def _check_again(condition: Condition, org: str) -> Flow[None]:
    again = yield from read_condition(condition.key, org, condition.action)
    if again is not None:
        check_waits(again)


def check_waits(condition: Condition) -> None:
    """Refuse to answer a condition that does not wait.

    :raises ConditionError: where it does not.
    """
    if condition.waits:
        return
    at = f" at {condition.ended_at.isoformat(timespec='seconds')}" if condition.ended_at else ""
    if condition.phase == RunPhase.SUCCEEDED:
        raise ConditionError(f"{condition.shown} needs no answer any more: it {condition.outcome}{at}.")
    why = f"{condition.outcome}{at}" if condition.over else f"does not wait yet ({phase_name(condition.phase)})"
    raise ConditionError(f"{condition.shown} cannot be answered: it {why}.")


def has_answer(condition: Condition, value: Answer) -> bool:
    """Whether it was answered with this; True too where Flyte does not show with what."""
    return condition.phase == RunPhase.SUCCEEDED and condition.value in (None, value)


def payload_of(condition: Condition, value: object) -> tuple[run_service_pb2.EventPayload, Answer]:
    """The answer as a message, and as the type that was asked for.

    :raises ConditionError: where it has another type.
    """
    kind = condition.kind
    if kind is None:
        raise ConditionError(
            f"{condition.shown} asks for {condition.asks_for}. Only bool, int, float and str can be sent."
        )
    if kind is float and type(value) is int:
        value = float(value)
    if type(value) is not kind or (kind is int and value not in _INT64) or (kind is float and math.isnan(value)):  # type: ignore[arg-type]
        raise ConditionError(
            f"{condition.shown} asks for {condition.asks_for}, not {one_line(repr(value), LONGEST_NAME)}."
        )
    made = run_service_pb2.EventPayload(**{_FIELDS[kind]: value})  # type: ignore[arg-type]
    return made, value  # type: ignore[return-value]


_FIELDS = {bool: "bool_value", int: "int_value", float: "float_value", str: "string_value"}


def value_from_text(text: str, kind: type | None) -> Answer:
    """An answer that somebody typed, in the type that the condition asks for; as it is, where it cannot be that.

    :param text: ``true``, ``yes``, ``3``, ``0.5``, or any text.
    """
    try:
        if kind is bool:
            return _BOOLS[text.strip().lower()]
        return kind(text) if kind in (int, float) else text
    except (KeyError, ValueError, OverflowError):
        return text


_BOOLS = dict.fromkeys(("true", "yes", "y"), True) | dict.fromkeys(("false", "no", "n"), False)
