"""A call as the handlers see it, whichever transport it came through, and the record of the calls made."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any


class Refusal(Exception):
    """An answer that is an error: the name of a gRPC status code and a text. The transport translates it."""

    def __init__(self, code: str, details: str = "") -> None:
        super().__init__(f"{code}: {details}")
        self.code = code
        self.details = details

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.code, self.details)


class Panic(Exception):
    """No answer at all: the handler panicked. gRPC's stream is reset, HTTP/1.1's connection is closed."""


class Call:
    """One call in progress. A handler may wait for it; it is closed when the client or the server hangs up."""

    def __init__(
        self,
        metadata: Mapping[str, str] | None = None,
        *,
        transport: str = "",
        authority: str = "",
        cluster: int | None = None,
    ) -> None:
        self.metadata: Mapping[str, str] = metadata or {}
        self.transport = transport
        """``grpc`` or ``connect``."""
        self.authority = authority
        """Host and port that the client asked for."""
        self.cluster = cluster
        """Number of the cluster at whose data plane it came in; None: at the control plane."""
        self.cut = False
        """Whether a fault closed it, not the client."""
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self._on_close: list[Callable[[], None]] = []

    @property
    def closed(self) -> bool:
        """Whether the caller no longer waits for an answer."""
        return self._closed.is_set()

    def close(self) -> None:
        """Wake whatever waits for this call. It may be called repeatedly and from any thread."""
        with self._lock:
            if self._closed.is_set():
                return
            self._closed.set()
            callbacks, self._on_close = self._on_close, []
        for callback in callbacks:
            callback()

    def on_close(self, callback: Callable[[], None]) -> None:
        """Call this function when the call is closed, or at once if it already is."""
        with self._lock:
            if not self._closed.is_set():
                self._on_close.append(callback)
                return
        callback()

    def wait(self, seconds: float | None = None) -> bool:
        """Wait this long, or until the call is closed; return whether it is."""
        return self._closed.wait(seconds)


@dataclass(eq=False)
class RecordedCall:
    """A call that the server received."""

    method: str
    """``Service/Method``."""
    request: Any
    """The message as it came."""
    metadata: Mapping[str, str]
    """The metadata that the client sent, with names in lower case."""
    cluster: int | None = None
    """Number of the cluster whose data plane received it; None: the control plane."""
    at: float = field(default_factory=time.time)
    code: str | None = None
    """Name of the status that the call ended with; None while it is open."""


class CallLog:
    """The calls that the server received, oldest first: ``flyte.calls("ListRuns")``."""

    def __init__(self, resolve: Callable[[str], frozenset[str]], keep: int) -> None:
        self._resolve = resolve
        self._changed = threading.Condition()
        # Requests are kept whole and a ListRuns may name thousands of runs: only the newest are kept, all are counted.
        self._calls: deque[RecordedCall] = deque(maxlen=keep)
        self._counts: Counter[str] = Counter()

    def record(self, call: RecordedCall) -> None:
        """Record a call, and wake those who wait for it."""
        with self._changed:
            self._calls.append(call)
            self._counts[call.method] += 1
            self._changed.notify_all()

    def __call__(self, method: str | None = None) -> list[RecordedCall]:
        """The calls of a method (``ListRuns`` or ``RunService/ListRuns``), or all."""
        names = self._resolve(method) if method is not None else None
        with self._changed:
            return [call for call in self._calls if names is None or call.method in names]

    def __iter__(self) -> Iterator[RecordedCall]:
        return iter(self())

    def __len__(self) -> int:
        return self.count()

    def count(self, method: str | None = None) -> int:
        """The number of calls, including those that are no longer kept."""
        with self._changed:
            return self._count(self._resolve(method) if method is not None else None)

    def _count(self, names: frozenset[str] | None) -> int:
        return sum(n for name, n in self._counts.items() if names is None or name in names)

    def clear(self) -> None:
        """Forget all calls and start counting anew."""
        with self._changed:
            self._calls.clear()
            self._counts.clear()

    def wait(self, method: str, count: int, timeout: float) -> list[RecordedCall]:
        """Wait until a method has been called this often. ``TimeoutError`` names what was called instead."""
        names = self._resolve(method)
        with self._changed:
            if not self._changed.wait_for(lambda: self._count(names) >= count, timeout):
                raise TimeoutError(
                    f"{method} was called {self._count(names)} times within {timeout:g} s, not {count}; "
                    f"calls so far: {dict(self._counts)}"
                )
        return self(method)
