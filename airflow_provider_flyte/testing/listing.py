"""Filters, order and pages of the list calls, as the backend's SQL has them."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, TypeAlias, TypeVar

from google.protobuf import timestamp_pb2

from airflow_provider_flyte.client.idl.common import list_pb2
from airflow_provider_flyte.client.idl.workflow.run_definition_pb2 import RunSource
from airflow_provider_flyte.testing.calls import Refusal
from airflow_provider_flyte.testing.store import Action, TaskVersion

Row = TypeVar("Row")
Columns: TypeAlias = Mapping[str, Callable[[Row], str | int | None]]

EQUAL = list_pb2.Filter.Function.EQUAL
VALUE_IN = list_pb2.Filter.Function.VALUE_IN
COMPARISONS: Mapping[int, Callable[[Any, Any], bool]] = {
    list_pb2.Filter.Function.GREATER_THAN: operator.gt,
    list_pb2.Filter.Function.GREATER_THAN_OR_EQUAL: operator.ge,
    list_pb2.Filter.Function.LESS_THAN: operator.lt,
    list_pb2.Filter.Function.LESS_THAN_OR_EQUAL: operator.le,
}
"""What a time is filtered by."""

DEFAULT_LIMIT = 50
MAX_LIMIT = 200

ACTION_COLUMNS: Columns[Action] = {
    "run_name": lambda action: action.key[2],
    # An IntEnum member prints as its name before Python 3.11.
    "phase": lambda action: str(int(action.phase)),
    "task_name": lambda action: action.task_id.name,
    # The SDK lists conditions by it (remote/_condition.py); not recorded.
    "action_type": lambda action: str(int(action.metadata.action_type)),
    "run_source": lambda action: RunSource.Name(action.metadata.source),
    "created_at": lambda action: action.created_ns,
    "updated_at": lambda action: action.updated_ns,
    "ended_at": lambda action: action.ended_ns,
}
"""The columns that runs and actions can be filtered by, as texts but for times. The real backend has more, but none for
a run's labels."""

TIMES = frozenset({"created_at", "updated_at", "ended_at"})
"""The columns that are times, in nanoseconds; None where one is not set."""

TASK_COLUMNS: Columns[TaskVersion] = {
    "name": lambda task: task.id.name,
    "version": lambda task: task.id.version,
}


def default_order(action: Action) -> tuple[int, int, int]:
    """By phase, then newest first: what is running stands above what is over (list_runs.json, call 0).

    So a run whose phase changes between two pages changes its position, and may be on both of them or on none.
    """
    return action.phase, -action.created_ns, -action.number


def page_of(request: list_pb2.ListRequest, sorts: frozenset[str] = frozenset()) -> tuple[int, int]:
    """Offset and limit. The token is opaque to clients; here, as on the real backend, it is the offset.

    :param sorts: What the list can be sorted by.
    """
    if request.HasField("sort_by") or request.raw_filters:
        raise Refusal("UNIMPLEMENTED", "the local server does not play sort_by and raw_filters")
    for each in request.sort_by_fields:
        if each.key not in sorts:
            raise Refusal("UNIMPLEMENTED", f"the local server does not sort this list by {each.key}")
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


def in_order(request: list_pb2.ListRequest, rows: Iterable[Action]) -> list[Action]:
    """The rows in the order of the list: by its times, or in the backend's default order."""
    if not request.sort_by_fields:
        return sorted(rows, key=default_order)
    found = sorted(rows, key=lambda action: action.number)
    for each in reversed(request.sort_by_fields):
        newest_first = each.direction == list_pb2.Sort.DESCENDING
        found.sort(key=partial(_nulls_last, ACTION_COLUMNS[each.key]), reverse=newest_first)
    return found


def _nulls_last(column: Callable[[Action], Any], action: Action) -> tuple[bool, Any, int]:
    """The order of PostgreSQL: a time that is not set is the latest one."""
    value = column(action)
    return value is None, value or 0, action.number


def names_in(request: list_pb2.ListRequest) -> list[str] | None:
    """The run names that a list is limited to, None for no limit: they are looked up instead of filtered."""
    for given in request.filters:
        if given.field == "run_name":
            return list(given.values)
    return None


def check(filters: Iterable[list_pb2.Filter], columns: Columns[Row]) -> None:
    """Refuse unknown fields: the backend checks them before it asks the database."""
    for given in filters:
        if given.field not in columns:
            raise Refusal("INVALID_ARGUMENT", f"failed to convert filters: invalid filter field: {given.field}")
        if given.function not in (COMPARISONS if given.field in TIMES else (EQUAL, VALUE_IN)):
            name = list_pb2.Filter.Function.Name(given.function)
            raise Refusal("UNIMPLEMENTED", f"the local server does not play the filter {name} of {given.field}")
        if not given.values:
            raise Refusal("INVALID_ARGUMENT", f"failed to convert filters: filter {given.field} has no values")
        if given.function != VALUE_IN and len(given.values) > 1:
            name = list_pb2.Filter.Function.Name(given.function)
            raise Refusal("UNIMPLEMENTED", f"the local server does not play {name} with several values")
        if given.field in TIMES:
            _moment(given)


def matches(
    filters: Iterable[list_pb2.Filter], columns: Columns[Row], rows: Iterable[Row], *, scope: int = 2
) -> list[Row]:
    """The rows that pass all filters.

    :param scope: How many arguments of the SQL statement come before the filters'; an error text counts them.
    """
    # All are read before one is applied, because a bad one is refused whatever the others leave. One after the other
    # over all rows takes half the time of all filters a row, and a call may name two thousand.
    wanted = [(columns[given.field], _passes(given, scope + index)) for index, given in enumerate(filters)]
    left = list(rows)
    for column, passes in wanted:
        left = [row for row in left if passes(column(row))]
    return left


def _passes(given: list_pb2.Filter, index: int) -> Callable[[Any], bool]:
    if given.field in TIMES:
        compare, moment = COMPARISONS[given.function], _moment(given)
        return lambda value: value is not None and compare(value, moment)
    return _values(given, index).__contains__


def _moment(given: list_pb2.Filter) -> int:
    """The time in a filter. The backend gives the text to PostgreSQL, which reads much more as a time."""
    moment = timestamp_pb2.Timestamp()
    try:
        moment.FromJsonString(given.values[0])
    except ValueError:
        words = f"the local server reads a time in RFC 3339 only, not {given.field}={given.values[0]!r}"
        raise Refusal("UNIMPLEMENTED", words) from None
    return moment.ToNanoseconds()


def _values(given: list_pb2.Filter, index: int) -> frozenset[str]:
    if given.function == VALUE_IN and len(given.values) == 1:
        # A defect of the backend: one value is passed to pq as a string where an array is due. The text is recorded
        # for a text column; for phase only the column's type can differ.
        kind = "_int4 (OID 1007)" if given.field == "phase" else "_text (OID 1009)"
        raise Refusal(
            "INTERNAL",
            f"failed to list actions: failed to encode args[{index}]: unable to encode "
            f'pq.GenericArray{{A:"{given.values[0]}"}} into binary format for {kind}: '
            "pq: unable to convert string to array",
        )
    return frozenset(given.values)
