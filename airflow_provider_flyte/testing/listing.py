"""Filters, order and pages of the list calls, as the backend's SQL has them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeAlias, TypeVar

from airflow_provider_flyte.client.idl.common import list_pb2
from airflow_provider_flyte.testing.calls import Refusal
from airflow_provider_flyte.testing.store import Action, TaskVersion

Row = TypeVar("Row")
Columns: TypeAlias = Mapping[str, Callable[[Row], str | int]]

DEFAULT_LIMIT = 50
MAX_LIMIT = 200

ACTION_COLUMNS: Columns[Action] = {
    "run_name": lambda action: action.key[2],
    "phase": lambda action: action.phase,
    "project": lambda action: action.key[0],
    "domain": lambda action: action.key[1],
    "name": lambda action: action.key[3],
    "attempts": lambda action: action.attempts,
    "created_at": lambda action: action.created_ns,
    "task_name": lambda action: action.task_id.name,
    "task_version": lambda action: action.task_id.version,
    "task_type": lambda action: action.metadata.task.task_type,
    "task_short_name": lambda action: action.metadata.task.short_name,
    "environment_name": lambda action: action.metadata.environment_name,
    "function_name": lambda action: action.metadata.funtion_name,
    "action_group": lambda action: action.group,
}
"""What runs and actions can be filtered by here. Recorded are run_name and phase; a run's labels are no column."""

TASK_COLUMNS: Columns[TaskVersion] = {
    "name": lambda task: task.id.name,
    "project": lambda task: task.id.project,
    "domain": lambda task: task.id.domain,
    "version": lambda task: task.id.version,
}

def default_order(action: Action) -> tuple[int, int]:
    """By phase, then newest first: what goes on stands above what is over (list_runs.json, call 0).

    So a run whose phase changes between two pages changes its place, and may be on both of them or on none.
    """
    return action.phase, -action.number


def page_of(request: list_pb2.ListRequest) -> tuple[int, int]:
    """Offset and limit. The token is opaque to clients; here, as on the real backend, it is the offset."""
    limit = request.limit or DEFAULT_LIMIT
    if limit > MAX_LIMIT:
        raise Refusal("INVALID_ARGUMENT", f"invalid limit: {limit} (exceeds maximum of {MAX_LIMIT})")
    if request.token and not request.token.isdecimal():
        raise Refusal("INVALID_ARGUMENT", f'invalid token: "{request.token}"')
    return int(request.token or 0), limit


def cut(rows: Sequence[Row], offset: int, limit: int) -> tuple[Sequence[Row], str]:
    """One page and the token of the next, empty on the last."""
    end = offset + limit
    return rows[offset:end], str(end) if len(rows) > end else ""


def names_in(request: list_pb2.ListRequest) -> list[str] | None:
    """The run names that a list is limited to, None for no limit: they are looked up instead of filtered."""
    for given in request.filters:
        if given.field == "run_name" and given.function in (
            list_pb2.Filter.Function.EQUAL,
            list_pb2.Filter.Function.VALUE_IN,
        ):
            return list(given.values)
    return None


def matches(
    filters: Iterable[list_pb2.Filter], columns: Columns[Row], rows: Iterable[Row], *, scope: int = 2
) -> list[Row]:
    """The rows that pass all filters.

    :param scope: How many arguments of the SQL statement come before the filters'; an error text counts them.
    """
    tests = [_test(given, columns, scope + place) for place, given in enumerate(filters)]
    return [row for row in rows if all(test(row) for test in tests)]


def check(filters: Iterable[list_pb2.Filter], columns: Columns[Row]) -> None:
    """Refuse unknown fields: the backend looks at them before it asks the database."""
    for given in filters:
        if given.field not in columns:
            raise Refusal(
                "INVALID_ARGUMENT", f"failed to convert filters: invalid filter field: {given.field}"
            )
        if not given.values:
            raise Refusal(
                "INVALID_ARGUMENT", f"failed to convert filters: filter {given.field} has no values"
            )


def _test(given: list_pb2.Filter, columns: Columns[Row], place: int) -> Callable[[Row], bool]:
    column = columns[given.field]
    function = list_pb2.Filter.Function
    numeric = given.field in ("phase", "attempts", "created_at")
    values = [_number(given, value) if numeric else value for value in given.values]
    if given.function == function.VALUE_IN:
        if len(values) == 1:
            # A defect of the backend: one value is passed to pq as a string where an array is due. The text is
            # recorded for a text column; for phase only the column's type can differ.
            kind = "_int4 (OID 1007)" if numeric else "_text (OID 1009)"
            raise Refusal(
                "INTERNAL",
                f"failed to list actions: failed to encode args[{place}]: unable to encode "
                f'pq.GenericArray{{A:"{given.values[0]}"}} into binary format for {kind}: '
                "pq: unable to convert string to array",
            )
        wanted = frozenset(values)
        return lambda row: column(row) in wanted
    if len(values) > 1:
        raise Refusal("INTERNAL", f"failed to list actions: {given.field} takes one value")
    value = values[0]
    if given.function == function.EQUAL:
        return lambda row: column(row) == value
    if given.function == function.NOT_EQUAL:
        return lambda row: column(row) != value
    text = str(value)
    if given.function == function.CONTAINS:
        return lambda row: text in str(column(row))
    if given.function == function.CONTAINS_CASE_INSENSITIVE:
        return lambda row: text.lower() in str(column(row)).lower()
    if given.function == function.ENDS_WITH:
        return lambda row: str(column(row)).endswith(text)
    name = function.Name(given.function)
    raise Refusal("INVALID_ARGUMENT", f"failed to convert filters: unsupported filter function: {name}")


def _number(given: list_pb2.Filter, value: str) -> int:
    try:
        return int(value)
    except ValueError:
        raise Refusal(
            "INTERNAL",
            f'failed to list actions: pq: invalid input syntax for type integer: "{value}" ({given.field})',
        ) from None
