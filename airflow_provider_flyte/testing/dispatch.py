"""From a method to its handler: what every transport does with a call, whatever its protocol."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol, TypeAlias

from airflow_provider_flyte.client import rpc
from airflow_provider_flyte.testing.calls import Call, CallLog, Panic, RecordedCall, Refusal
from airflow_provider_flyte.testing.fault_box import FaultBox
from airflow_provider_flyte.testing.faults import Fault

Row: TypeAlias = rpc.Method[Any, Any]
Handlers: TypeAlias = Mapping[Row, Callable[[Any, Call], Any]]
"""A function of the request and the call for each method: it returns the response, or yields the responses."""


class HandlerGroup(Protocol):
    """A part of the server."""

    def table(self) -> Handlers:
        """The function that answers each method."""


NAMES = frozenset(row.name for row in rpc.METHODS)
STREAMS = frozenset(row.name for row in rpc.METHODS if isinstance(row, rpc.ServerStream))


_service = rpc.RunService
NEEDS_AN_ID: frozenset[Row] = frozenset(
    {
        _service.AbortRun,
        _service.GetActionDataURIs,
        _service.GetActionDetails,
        _service.GetRunDetails,
        _service.ListActions,
        _service.WatchActionDetails,
        _service.WatchActions,
        _service.WatchRunDetails,
    }
)
"""The methods that panic if the request has no id of a run, or the id of an action without a run.

An id with empty fields is that of a run that does not exist (broken_requests.json has four of them; by its source the
backend treats the others alike).
"""


def resolve(method: str) -> frozenset[str]:
    """The ``Service/Method`` names that are meant by ``Method``, ``Service/Method``, a full path or ``*``."""
    if method == "*":
        return NAMES
    wanted = method.rpartition(".")[2]
    found = frozenset(name for name in NAMES if name == wanted or name.rpartition("/")[2] == wanted)
    if not found:
        methods = sorted({name.rpartition("/")[2] for name in NAMES})
        close = difflib.get_close_matches(wanted, methods, n=1)
        suggestion = f"; did you mean {close[0]}?" if close else ""
        raise ValueError(f"unknown method {method!r}{suggestion} Known are *, {', '.join(methods)}")
    return found


class Dispatcher:
    """Records each call, applies its faults, and passes it to its handler.

    :param admit: raises :class:`Refusal` for a call that came to the wrong port.
    """

    def __init__(
        self, handlers: Handlers, faults: FaultBox, calls: CallLog, admit: Callable[[Row, Any, Call], None]
    ) -> None:
        self._admit = admit
        self._handlers = handlers
        self._faults = faults
        self._calls = calls

    def unary(self, row: Row, request: Any, call: Call) -> Any:
        """One answer: a message, or bytes if a fault makes them. Raises :class:`Refusal` or :class:`Panic`."""
        recorded = self._record(row, request, call)
        try:
            faults = self._meet(row, request, call)
            self._admit(row, request, call)
            _panic_without_id(row, request)
            answer = self._handler(row)(request, call)
            for fault in faults:
                answer = fault.answer(answer)
        except Refusal as refusal:
            recorded.code = refusal.code
            raise
        except Panic:
            recorded.code = "INTERNAL"
            raise
        recorded.code = "OK"
        return answer

    def stream(self, row: Row, request: Any, call: Call) -> Iterator[Any]:
        """The messages of a stream, until it ends, is refused, or the call is closed."""
        recorded = self._record(row, request, call)
        try:
            faults = self._meet(row, request, call)
            self._admit(row, request, call)
            _panic_without_id(row, request)
            messages = self._handler(row)(request, call)
            try:
                faulty = messages
                for fault in faults:
                    faulty = fault.stream(call, faulty)
                yield from faulty
            finally:
                messages.close()
        except Refusal as refusal:
            recorded.code = refusal.code
            raise
        except Panic:
            recorded.code = "INTERNAL"
            raise
        except GeneratorExit:
            recorded.code = "CANCELLED"
            raise
        recorded.code = "CANCELLED" if call.closed and not call.cut else "OK"

    def _record(self, row: Row, request: Any, call: Call) -> RecordedCall:
        recorded = RecordedCall(row.name, request, call.metadata, call.cluster)
        self._calls.record(recorded)
        return recorded

    def _meet(self, row: Row, request: Any, call: Call) -> list[Fault]:
        met = []
        for fault in self._faults.met(row.name, request, call.metadata):
            fault.before(row.name, call)
            met.append(fault)
        return met

    def _handler(self, row: Row) -> Callable[[Any, Call], Any]:
        try:
            return self._handlers[row]
        except KeyError:
            raise Refusal("UNIMPLEMENTED", f"the local server does not play {row.name}") from None


def _panic_without_id(row: Row, request: Any) -> None:
    if row not in NEEDS_AN_ID:
        return
    if "action_id" in request.DESCRIPTOR.fields_by_name:
        whole = request.HasField("action_id") and request.action_id.HasField("run")
    else:
        whole = request.HasField("run_id")
    if not whole:
        raise Panic("runtime error: invalid memory address or nil pointer dereference")
