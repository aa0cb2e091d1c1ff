"""Filters, order and pages of the list calls, as the backend's SQL has them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeAlias, TypeVar

from google.protobuf import timestamp_pb2

from airflow_provider_flyte.client.idl.common import list_pb2
from airflow_provider_flyte.testing.calls import Refusal
from airflow_provider_flyte.testing.store import Action, TaskVersion

Row = TypeVar("Row")
Columns: TypeAlias = Mapping[str, Callable[[Row], str | int]]

EQUAL = list_pb2.Filter.Function.EQUAL
GREATER_THAN_OR_EQUAL = list_pb2.Filter.Function.GREATER_THAN_OR_EQUAL
VALUE_IN = list_pb2.Filter.Function.VALUE_IN

DEFAULT_LIMIT = 50
MAX_LIMIT = 200

ACTION_COLUMNS: Columns[Action] = {
    "run_name": lambda action: action.key[2],
    # An IntEnum member prints as its name before Python 3.11.
    "phase": lambda action: int(action.phase),
}
"""What runs and actions can be filtered by here; the real backend has more columns, but a run's labels are none."""

CREATED_AT = "created_at"

TASK_COLUMNS: Columns[TaskVersion] = {
    "name": lambda task: task.id.name,
    "version": lambda task: task.id.version,
}


def default_order(action: Action) -> tuple[int, int]:
    """By phase, then newest first: what goes on stands above what is over (list_runs.json, call 0).

    So a run whose phase changes between two pages changes its place, and may be on both of them or on none.
    """
    return action.phase, -action.number


def page_of(request: list_pb2.ListRequest) -> tuple[int, int]:
    """Offset and limit. The token is opaque to clients; here, as on the real backend, it is the offset."""
    if (
        request.HasField("sort_by")
        or request.raw_filters
        or any(each.key != CREATED_AT for each in request.sort_by_fields)
    ):
        raise Refusal("UNIMPLEMENTED", "the local server sorts by created_at alone, and does not play raw_filters")
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
    """As the list wants them: by creation, or as the backend has them by default."""
    if not request.sort_by_fields:
        return sorted(rows, key=default_order)
    newest_first = request.sort_by_fields[0].direction == list_pb2.Sort.DESCENDING
    return sorted(rows, key=lambda action: action.number, reverse=newest_first)


def created_since(request: list_pb2.ListRequest) -> tuple[list[list_pb2.Filter], int]:
    """The other filters, and since when runs were created, in nanoseconds. A text that is no time filters nothing."""
    since, others = 0, []
    for given in request.filters:
        if given.field == CREATED_AT and given.function == GREATER_THAN_OR_EQUAL and len(given.values) == 1:
            moment = timestamp_pb2.Timestamp()
            with contextlib.suppress(ValueError):
                moment.FromJsonString(given.values[0])
            since = max(since, moment.ToNanoseconds())
        else:
            others.append(given)
    return others, since


def names_in(request: list_pb2.ListRequest) -> list[str] | None:
    """The run names that a list is limited to, None for no limit: they are looked up instead of filtered."""
    for given in request.filters:
        if given.field == "run_name":
            return list(given.values)
    return None


def check(filters: Iterable[list_pb2.Filter], columns: Columns[Row]) -> None:
    """Refuse unknown fields: the backend looks at them before it asks the database."""
    for given in filters:
        if given.field not in columns:
            raise Refusal("INVALID_ARGUMENT", f"failed to convert filters: invalid filter field: {given.field}")
        if given.function not in (EQUAL, VALUE_IN):
            name = list_pb2.Filter.Function.Name(given.function)
            raise Refusal("UNIMPLEMENTED", f"the local server does not play the filter function {name}")
        if not given.values:
            raise Refusal("INVALID_ARGUMENT", f"failed to convert filters: filter {given.field} has no values")
        if given.function == EQUAL and len(given.values) > 1:
            raise Refusal("UNIMPLEMENTED", "the local server does not play EQUAL with several values")


def matches(
    filters: Iterable[list_pb2.Filter], columns: Columns[Row], rows: Iterable[Row], *, scope: int = 2
) -> list[Row]:
    """The rows that pass all filters.

    :param scope: How many arguments of the SQL statement come before the filters'; an error text counts them.
    """
    wanted = [(columns[given.field], _values(given, scope + place)) for place, given in enumerate(filters)]
    return [row for row in rows if all(str(column(row)) in values for column, values in wanted)]


def _values(given: list_pb2.Filter, place: int) -> frozenset[str]:
    if given.function == VALUE_IN and len(given.values) == 1:
        # A defect of the backend: one value is passed to pq as a string where an array is due. The text is recorded
        # for a text column; for phase only the column's type can differ.
        kind = "_int4 (OID 1007)" if given.field == "phase" else "_text (OID 1009)"
        raise Refusal(
            "INTERNAL",
            f"failed to list actions: failed to encode args[{place}]: unable to encode "
            f'pq.GenericArray{{A:"{given.values[0]}"}} into binary format for {kind}: '
            "pq: unable to convert string to array",
        )
    return frozenset(given.values)
