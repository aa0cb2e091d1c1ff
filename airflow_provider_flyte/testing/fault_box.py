"""The faults in force, and those that apply to a call."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

from airflow_provider_flyte.testing.faults import Fault, When

Condition: TypeAlias = Callable[[str, Any, Mapping[str, str]], bool]
"""Whether a fault is for this call: its ``Service/Method``, request and metadata."""


class _Armed:
    def __init__(self, fault: Fault, names: frozenset[str], condition: Condition) -> None:
        self.fault = fault
        self.names = names
        self.left = fault.times
        self.condition = condition


class FaultBox:
    """The faults in force."""

    def __init__(
        self, resolve: Callable[[str], frozenset[str]], names: frozenset[str], streams: frozenset[str]
    ) -> None:
        self._resolve = resolve
        self._names = names
        self._streams = streams
        self._lock = threading.Lock()
        self._armed: list[_Armed] = []
        self._runs: dict[tuple[str, ...], _Armed] = {}

    def inject(self, method: str, fault: Fault, when: When | None = None) -> None:
        """Apply a fault to calls of this method from now on; several apply in the order of their injection."""
        names = self._resolve(method)
        if fault.for_streams_only:
            names &= self._streams
            if not names:
                raise ValueError(f"{method} is no stream; the streams are {', '.join(sorted(self._streams))}")
        with self._lock:
            self._armed.append(_Armed(fault, names, _condition(when)))

    def clear(self, method: str | None = None) -> None:
        """Remove the faults of a method, or all; those of a run's script stay."""
        names = self._names if method is None else self._resolve(method)
        with self._lock:
            for armed in self._armed:
                armed.names -= names
            self._armed = [armed for armed in self._armed if armed.names]

    def set_for_run(self, key: tuple[str, ...], fault: Fault | None) -> None:
        """Set the fault that applies to reads of one run: a step of its script."""
        with self._lock:
            self._runs.pop(key, None)
            if fault is not None:
                names = self._streams if fault.for_streams_only else self._names
                self._runs[key] = _Armed(fault, names, lambda name, request, _: reads_run(name, request, key))

    def met(self, name: str, request: Any, metadata: Mapping[str, str]) -> Iterator[Fault]:
        """The faults that apply to this call, counted one by one: after a refusal the next ones do not apply."""
        with self._lock:
            in_force = [*self._armed, *self._runs.values()]
        for armed in in_force:
            if name in armed.names and armed.fault.is_for(request) and armed.condition(name, request, metadata):
                with self._lock:
                    if armed.left == 0:
                        continue
                    if armed.left is not None:
                        armed.left -= 1
                yield armed.fault


def _condition(when: When | None) -> Condition:
    if when is None:
        return lambda name, request, metadata: True
    if len(inspect.signature(when).parameters) > 1:
        return lambda name, request, metadata: when(request, metadata)
    return lambda name, request, metadata: when(request)


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
