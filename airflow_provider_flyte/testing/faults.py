"""What goes wrong, on order: ``flyte.inject("GetRunDetails", unavailable(times=3))``."""

from __future__ import annotations

import inspect
import random
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from airflow_provider_flyte.testing.calls import Call, Refusal

When: TypeAlias = Callable[..., bool]
"""A question about the request, or about the request and the call's metadata."""


@dataclass(frozen=True)
class Fault:
    """What a call meets. Made by the functions below."""

    times: int | None = field(default=None, kw_only=True)
    """How many calls meet it; None: all, until it is cleared."""

    for_streams_only = False

    def before(self, call: Call) -> None:
        """What happens before the call is handled."""

    def answer(self, message: Any) -> Any:
        """What becomes of an answer, or of each message of a stream."""
        return message

    def stream(self, call: Call, messages: Iterator[Any]) -> Iterator[Any]:
        """What becomes of a stream."""
        return (self.answer(message) for message in messages)


@dataclass(frozen=True)
class _Refuse(Fault):
    code: str
    details: str

    def before(self, call: Call) -> None:
        raise Refusal(self.code, self.details)


@dataclass(frozen=True)
class _Lose(Fault):
    code: str
    details: str

    def answer(self, message: Any) -> Any:
        raise Refusal(self.code, self.details)


@dataclass(frozen=True)
class _Delay(Fault):
    seconds: float

    def before(self, call: Call) -> None:
        call.wait(self.seconds)


@dataclass(frozen=True)
class _Garbage(Fault):
    def answer(self, message: Any) -> Any:
        # A field number 0 cannot be: no protobuf parser takes it.
        return b"\x00\xff\xff\xff"


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
class _Lost(Fault):
    share: float
    chance: random.Random = field(compare=False)

    for_streams_only = True

    def stream(self, call: Call, messages: Iterator[Any]) -> Iterator[Any]:
        return (message for message in messages if self.chance.random() >= self.share)


def status(code: str, details: str = "", *, times: int | None = None) -> Fault:
    """Refuse with this gRPC status (``"INTERNAL"``) and text, without doing what was asked."""
    return _Refuse(code, details, times=times)


def unavailable(details: str = "the server is away", *, times: int | None = None) -> Fault:
    """Refuse with UNAVAILABLE."""
    return _Refuse("UNAVAILABLE", details, times=times)


def lost_answer(
    code: str = "UNAVAILABLE", details: str = "Socket closed", *, times: int | None = None
) -> Fault:
    """Do what was asked, but answer with an error: the client cannot know that it was done."""
    return _Lose(code, details, times=times)


def delay(seconds: float, *, times: int | None = None) -> Fault:
    """Answer, or begin a stream, later. What was asked is done then, also where the client has given up."""
    return _Delay(seconds, times=times)


def garbage(*, times: int | None = None) -> Fault:
    """Answer with bytes that do not parse."""
    return _Garbage(times=times)


def cut_stream(
    after: int | None = None,
    *,
    seconds: float | None = None,
    code: str = "UNAVAILABLE",
    details: str = "Socket closed",
    times: int | None = None,
) -> Fault:
    """End a stream early: after so many messages, after so many seconds, or both, whichever comes first.

    :param code: The status it ends with; ``"OK"`` for an end that looks like a normal one.
    """
    if after is None and seconds is None:
        raise ValueError("cut_stream needs after=<messages> or seconds=<seconds>")
    return _Cut(after, seconds, code, details, times=times)


def silent_stream(after: int = 0, *, times: int | None = None) -> Fault:
    """Keep a stream open and send nothing, or nothing more after so many messages."""
    return _Silent(after, times=times)


def lost_hints(share: float = 0.5, *, seed: int | None = None, times: int | None = None) -> Fault:
    """Lose this share of a stream's messages, at random, without a word.

    :param share: 1.0 loses all.
    :param seed: Lose the same ones again.
    """
    return _Lost(share, random.Random(seed), times=times)


class _Armed:
    def __init__(self, names: frozenset[str], fault: Fault, when: When | None) -> None:
        self.names = names
        self.fault = fault
        self.left = fault.times
        self._when = when
        self._wants_metadata = when is not None and len(inspect.signature(when).parameters) > 1

    def meets(self, name: str, request: Any, metadata: Mapping[str, str]) -> bool:
        if name not in self.names or self.left == 0:
            return False
        if self._when is None:
            return True
        return self._when(request, metadata) if self._wants_metadata else self._when(request)


class FaultBox:
    """The faults in force."""

    def __init__(self, resolve: Callable[[str], frozenset[str]], streams: frozenset[str]) -> None:
        self._resolve = resolve
        self._streams = streams
        self._lock = threading.Lock()
        self._armed: list[_Armed] = []
        self._runs: dict[tuple[str, ...], Fault] = {}

    def inject(self, method: str, fault: Fault, when: When | None = None) -> None:
        """From now on calls of this method meet this fault; several are met in the order of their injection."""
        names = self._resolve(method)
        if fault.for_streams_only:
            names &= self._streams
            if not names:
                raise ValueError(f"{method} is no stream; the streams are {', '.join(sorted(self._streams))}")
        with self._lock:
            self._armed.append(_Armed(names, fault, when))

    def clear(self, method: str | None = None) -> None:
        """Take back the faults of a method, or all; those of a run's script stay."""
        names = self._resolve(method) if method is not None else None
        with self._lock:
            for armed in self._armed:
                armed.names = armed.names - names if names is not None else frozenset()
            self._armed = [armed for armed in self._armed if armed.names]

    def set_for_run(self, key: tuple[str, ...], fault: Fault | None) -> None:
        """What reads of one run meet: a step of its script."""
        with self._lock:
            if fault is None:
                self._runs.pop(key, None)
            else:
                self._runs[key] = fault

    def met(self, name: str, request: Any, metadata: Mapping[str, str]) -> Iterator[Fault]:
        """The faults that this call meets, counted off one by one: after a refusal the next ones are not met."""
        with self._lock:
            armed = list(self._armed)
            runs = dict(self._runs)
        for one in armed:
            if one.meets(name, request, metadata):
                with self._lock:
                    if one.left == 0:
                        continue
                    if one.left is not None:
                        one.left -= 1
                yield one.fault
        if runs:
            for key, fault in runs.items():
                if reads_run(name, request, key):
                    yield fault


def reads_run(name: str, request: Any, key: tuple[str, ...]) -> bool:
    """Whether a call reads this run by its name: its details, its data, or a ListRuns filtered by names."""
    project, domain, run = key
    method = name.rpartition("/")[2]
    if not method.startswith(("Get", "List", "Watch")):
        return False
    fields = request.DESCRIPTOR.fields_by_name
    if "run_id" in fields:
        asked = request.run_id
    elif "action_id" in fields:
        asked = request.action_id.run
    elif method == "ListRuns":
        scope = request.project_id
        return (scope.name, scope.domain) == (project, domain) and any(
            given.field == "run_name" and run in given.values for given in request.request.filters
        )
    else:
        return False
    return (asked.project, asked.domain, asked.name) == (project, domain, run)
