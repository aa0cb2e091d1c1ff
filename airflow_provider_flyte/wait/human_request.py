"""A condition as a request to a person in Airflow (human in the loop), and what was answered to it.

Airflow keeps one request for a task instance, over its tries, and never changes its text. So each request names its
condition in a field of its form, and an answer from another process or try counts only for the condition that it names.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_flyte.client.errors import ConditionError
from airflow_provider_flyte.client.flows.signal import payload_of, value_from_text
from airflow_provider_flyte.client.outside import LONGEST_NAME, one_line, some_lines, storable

if TYPE_CHECKING:
    from airflow_provider_flyte.client.flows.conditions import Answer, Condition

APPROVE, REJECT, SEND = "Approve", "Reject", "Send"

CLOSED = "No answer: the condition waits no more"
"""What stands in place of an option where a request is closed without an answer."""

ANSWER, CONDITION = "answer", "flyte_condition"
"""Fields of the form: the answer, where it is no bool, and the condition that is answered."""

_JSON_TYPES = {int: "integer", float: "number", str: "string"}
_LONGEST_SUBJECT = 150


def identity(condition: Condition) -> str:
    """The one name of a condition, among all of a Flyte."""
    return storable(f"{condition.key}/{condition.action}")


def request_for(
    condition: Condition, url: str, default: Mapping[str, Any] | None, assigned_users: Sequence[Mapping[str, str]]
) -> dict[str, Any]:
    """The arguments of Airflow's request.

    :param condition: what is asked.
    :param url: the run's page in Flyte's console.
    :param default: of :func:`default_response`: the answer that is proposed, and taken after a timeout.
    :param assigned_users: who may answer, with ``id`` and ``name``; empty: whoever may edit the DAG run.
    """
    prompt = one_line(condition.prompt, _LONGEST_SUBJECT) or "It has no prompt."
    return {
        "subject": f"{one_line(condition.name, LONGEST_NAME)}: {prompt}",
        "body": _body(condition, url),
        "options": [APPROVE, REJECT] if condition.kind is bool else [SEND],
        "defaults": default["chosen_options"] if default else None,
        "params": _form(condition, default["params_input"].get(ANSWER) if default else None),
        "assigned_users": [dict(each) for each in assigned_users],
    }


def default_response(condition: Condition, default: Answer | None) -> dict[str, Any] | None:
    """A person's answer, as it would be if it were the default.

    :param default: None: there is none.
    :raises ConditionError: where it has another type than the condition asks for.
    """
    if default is None:
        return None
    chosen, fields = as_response(condition, payload_of(condition, default)[1])
    return {"chosen_options": chosen, "params_input": fields}


def _body(condition: Condition, url: str) -> str:
    parts = [some_lines(text) for text in (condition.prompt, condition.description) if text.strip()]
    shown = "\n\n".join(map(_verbatim, parts))
    return f"{shown}\n\nThe answer is {condition.asks_for}. [Flyte run {condition.key.name}]({url}) waits for it."


def _verbatim(text: str) -> str:
    """Markdown that shows a text as it is.

    A code block: Airflow's page makes links of bare addresses, escaped or not, and fetches pictures from elsewhere.
    """
    fence = "`" * (1 + max(map(len, ["``", *re.findall("`+", text)])))
    return f"{fence}\n{text}\n{fence}"


def _form(condition: Condition, proposed: Answer | None) -> dict[str, Any]:
    name = identity(condition)
    shown = {"type": "string", "enum": [name], "title": "Flyte condition"}
    form = {CONDITION: _field(name, "The condition that is answered.", shown)}
    if condition.kind in _JSON_TYPES:
        typed = {"type": _JSON_TYPES[condition.kind], "title": "Answer"}
        return {ANSWER: _field(proposed, f"{condition.asks_for}.", typed), **form}
    return form


def _field(value: Any, description: str, schema: dict[str, Any]) -> dict[str, Any]:
    """A field as Airflow serializes a Param."""
    return {"value": value, "description": description, "schema": schema, "source": "task"}


def is_request_for(kept: object, wanted: Mapping[str, Any]) -> bool:
    """Whether the request that Airflow has is the one that was wanted; where it does not tell, it is taken for that.

    :param kept: Airflow's answer.
    :param wanted: of :func:`request_for`.
    """
    if not hasattr(kept, "subject"):
        return True
    texts = all(getattr(kept, name, None) == wanted[name] for name in ("subject", "body", "options"))
    return texts and _named(getattr(kept, "params", None)) == _named(wanted["params"])


def _named(params: object) -> Any:
    field = params.get(CONDITION) if isinstance(params, Mapping) else None
    return field.get("value") if isinstance(field, Mapping) else field


def as_response(condition: Condition, value: Answer) -> tuple[list[str], dict[str, Any]]:
    """The option and the fields of the form that an answer is."""
    named = {CONDITION: identity(condition)}
    if condition.kind is bool:
        return [APPROVE if value else REJECT], named
    return [SEND], {ANSWER: storable(value) if isinstance(value, str) else value, **named}


def is_response(event: object) -> bool:
    """Whether this is a person's answer, as Airflow or our trigger gives it to the task."""
    return isinstance(event, Mapping) and "chosen_options" in event


def answers(event: Mapping[str, Any], condition: Condition) -> bool:
    """Whether a person's answer names this condition."""
    fields = event.get("params_input")
    return isinstance(fields, Mapping) and fields.get(CONDITION) == identity(condition)


def value_of(event: Mapping[str, Any], condition: Condition) -> Answer:
    """The answer to a condition.

    :param event: a person's answer.
    :raises ConditionError: where it is none that the condition takes.
    """
    chosen, fields = event.get("chosen_options"), event.get("params_input")
    option = chosen[0] if isinstance(chosen, Sequence) and len(chosen) == 1 else None
    if condition.kind is bool:
        if option not in (APPROVE, REJECT):
            raise ConditionError(f"{condition.shown} takes {APPROVE} or {REJECT}, not {one_line(repr(chosen))}.")
        return bool(option == APPROVE)
    given = fields.get(ANSWER) if isinstance(fields, Mapping) else None
    if isinstance(given, str):
        given = value_from_text(given, condition.kind)
    elif condition.kind is int and isinstance(given, float) and given.is_integer():
        given = int(given)
    return payload_of(condition, given)[1]


def answered_by(event: Mapping[str, Any]) -> str | None:
    """The name of who has answered; None for a default that was taken."""
    user = event.get("responded_by_user")
    name = user.get("name") if isinstance(user, Mapping) else getattr(user, "name", None)
    return None if name is None else one_line(str(name), LONGEST_NAME)
