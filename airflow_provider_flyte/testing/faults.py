"""Faults to inject: ``flyte.inject("GetRunDetails", unavailable(times=3))``."""

from __future__ import annotations

import gzip
import random
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from airflow_provider_flyte.client.idl.workflow import run_service_pb2
from airflow_provider_flyte.testing.calls import Call, Refusal

When: TypeAlias = Callable[..., bool]
"""A condition on the request, or on the request and the call's metadata."""


CODES = frozenset(
    {
        "CANCELLED",
        "UNKNOWN",
        "INVALID_ARGUMENT",
        "DEADLINE_EXCEEDED",
        "NOT_FOUND",
        "ALREADY_EXISTS",
        "PERMISSION_DENIED",
        "RESOURCE_EXHAUSTED",
        "FAILED_PRECONDITION",
        "ABORTED",
        "OUT_OF_RANGE",
        "UNIMPLEMENTED",
        "INTERNAL",
        "UNAVAILABLE",
        "DATA_LOSS",
        "UNAUTHENTICATED",
    }
)
"""The codes that an answer can be refused with, by gRPC's names; no import of grpc for them."""


@dataclass(frozen=True)
class Fault:
    """A fault that applies to calls. The functions below make them."""

    times: int | None = field(default=None, kw_only=True)
    """How many calls it applies to; None: all, until it is cleared."""

    for_streams_only = False

    def is_for(self, request: Any) -> bool:
        """Whether it applies to a call with this request."""
        return True

    def before(self, method: str, call: Call) -> None:
        """What happens before the call is handled."""

    def answer(self, message: Any) -> Any:
        """The answer, or a message of a stream, as the client gets it."""
        return message

    def stream(self, call: Call, messages: Iterator[Any]) -> Iterator[Any]:
        """The messages of a stream, as the client gets them."""
        return (self.answer(message) for message in messages)


@dataclass(frozen=True)
class _Refuse(Fault):
    code: str
    details: str

    def before(self, method: str, call: Call) -> None:
        raise Refusal(self.code, self.details)


@dataclass(frozen=True)
class _DatabaseDown(Fault):
    def before(self, method: str, call: Call) -> None:
        why = "dial tcp 127.0.0.1:5432: connect: connection refused"
        if method in _NOT_FOUND_FOR_TROUBLE:
            raise Refusal("NOT_FOUND", f"{_NOT_FOUND_FOR_TROUBLE[method]}: {why}")
        if not method.startswith("AuthMetadataService/"):
            raise Refusal("INTERNAL", f"{_INTERNAL_FOR_TROUBLE.get(method, 'failed')}: {why}")


_NOT_FOUND_FOR_TROUBLE = {
    "RunService/GetRunDetails": "failed to get run",
    "RunService/WatchActionDetails": "failed to get action details",
    "TaskService/GetTaskDetails": "failed to get task",
}
"""The methods that report any trouble with the database as a missing row; no other one that was measured does."""

_INTERNAL_FOR_TROUBLE = {"RunService/ListRuns": "failed to list actions"}


@dataclass(frozen=True)
class _Lose(Fault):
    code: str
    details: str

    def answer(self, message: Any) -> Any:
        raise Refusal(self.code, self.details)


@dataclass(frozen=True)
class _Delay(Fault):
    seconds: float

    def before(self, method: str, call: Call) -> None:
        call.wait(self.seconds)


@dataclass(frozen=True)
class _Garbled(Fault):
    def answer(self, message: Any) -> Any:
        # There is no field number 0: every protobuf parser refuses it.
        return b"\x00\xff\xff\xff"


@dataclass(frozen=True)
class _Gzipped(Fault):
    def answer(self, message: Any) -> Any:
        return gzip.compress(message if isinstance(message, bytes) else message.SerializeToString(), 1)


@dataclass(frozen=True)
class _NoNameFilter(_Refuse):
    def is_for(self, request: Any) -> bool:
        return isinstance(request, run_service_pb2.ListRunsRequest) and any(
            given.field == "run_name" for given in request.request.filters
        )


@dataclass(frozen=True)
class _Cut(Fault):
    after: int | None
    seconds: float | None
    code: str
    details: str

    for_streams_only = True

    def stream(self, call: Call, messages: Iterator[Any]) -> Iterator[Any]:
        def hang_up() -> None:  # ends the handler's generator wherever it waits
            call.cut = True
            call.close()

        timer = threading.Timer(self.seconds, hang_up) if self.seconds is not None else None
        try:
            if timer is not None:
                timer.start()
            if self.after != 0:
                for sent, message in enumerate(messages, start=1):
                    yield message
                    if sent == self.after:
                        break
        finally:
            if timer is not None:
                timer.cancel()
                timer.join()
        if self.code != "OK":
            raise Refusal(self.code, self.details)


@dataclass(frozen=True)
class _Silent(Fault):
    after: int

    for_streams_only = True

    def stream(self, call: Call, messages: Iterator[Any]) -> Iterator[Any]:
        for _ in range(self.after):
            message = next(messages, None)
            if message is None:
                return
            yield message
        call.wait()


@dataclass(frozen=True)
class _SlowFirst(Fault):
    seconds: float

    for_streams_only = True

    def stream(self, call: Call, messages: Iterator[Any]) -> Iterator[Any]:
        # The subscription exists from the beginning, and has room for so many updates as it always has.
        first = next(messages, None)
        if first is not None and not call.wait(self.seconds):
            yield first
            yield from messages


@dataclass(frozen=True)
class _Lost(Fault):
    share: float
    chance: random.Random = field(compare=False)

    for_streams_only = True

    def stream(self, call: Call, messages: Iterator[Any]) -> Iterator[Any]:
        return (message for message in messages if self.chance.random() >= self.share)


def status(code: str, details: str = "", *, times: int | None = None) -> Fault:
    """Refuse with this gRPC status (``"INTERNAL"``) and text, without carrying out the request."""
    return _Refuse(_known(code), details, times=times)


def unavailable(details: str = "the server is away", *, times: int | None = None) -> Fault:
    """Refuse with UNAVAILABLE."""
    return _Refuse("UNAVAILABLE", details, times=times)


def database_down(*, times: int | None = None) -> Fault:
    """Answer as a backend that has lost its database does: ListRuns with INTERNAL, but GetRunDetails,
    WatchActionDetails and GetTaskDetails with NOT_FOUND, as if there were no such run or task. Of the other methods
    nothing is known: INTERNAL. Meant for all of them: ``flyte.inject("*", database_down())``.
    """
    return _DatabaseDown(times=times)


def lost_answer(code: str = "UNAVAILABLE", details: str = "Socket closed", *, times: int | None = None) -> Fault:
    """Carry out the request, but answer with an error: the client cannot know that it was carried out."""
    return _Lose(_known(code), details, times=times)


def delay(seconds: float, *, times: int | None = None) -> Fault:
    """Answer, or begin a stream, later. The request is carried out then, even if the client has given up."""
    return _Delay(seconds, times=times)


def garbled(*, times: int | None = None) -> Fault:
    """Answer with bytes that cannot be read as a message."""
    return _Garbled(times=times)


def gzipped(*, times: int | None = None) -> Fault:
    """Answer with a message that is packed with gzip and not marked as such: gRPC's flag is 0, and Connect's headers
    know nothing of it. A proxy may do so, and grpcio's blocking channel has handed on answers like that.
    """
    return _Gzipped(times=times)


def no_name_filter(code: str = "INVALID_ARGUMENT", *, times: int | None = None) -> Fault:
    """Refuse ListRuns that filter by name, and nothing else: for ``flyte.inject("*", ...)``.

    A hosted backend may do so, with a code of its choice.
    """
    details = "failed to convert filters: invalid filter field: run_name"
    return _NoNameFilter(_known(code), details, times=times)


def cut_stream(
    after: int | None = None,
    *,
    seconds: float | None = None,
    code: str = "UNAVAILABLE",
    details: str = "Socket closed",
    times: int | None = None,
) -> Fault:
    """End a stream early: after so many messages, after so many seconds, or both, whichever comes first.

    :param code: The status it ends with; ``"OK"`` for an end that seems normal.
    """
    if after is None and seconds is None:
        raise ValueError("cut_stream needs after=<messages> or seconds=<seconds>")
    if code != "OK":
        _known(code)
    return _Cut(after, seconds, code, details, times=times)


def silent_stream(after: int = 0, *, times: int | None = None) -> Fault:
    """Keep a stream open and send nothing, or nothing more after so many messages."""
    return _Silent(after, times=times)


def slow_first_message(seconds: float, *, times: int | None = None) -> Fault:
    """Send a stream's first message so many seconds late, as a backend with a million runs does, which sorts them all.

    Updates are queued meanwhile; those that the queue has no room for are lost.
    """
    return _SlowFirst(seconds, times=times)


def lost_updates(share: float = 0.5, *, seed: int | None = None, times: int | None = None) -> Fault:
    """Lose this share of a stream's messages, at random and silently.

    :param share: 1.0 loses all.
    :param seed: Lose the same ones again.
    """
    return _Lost(share, random.Random(seed), times=times)


def _known(code: str) -> str:
    if code not in CODES:
        raise ValueError(f"no such code: {code!r}; known are {', '.join(sorted(CODES))}")
    return code
