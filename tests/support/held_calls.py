"""A fault that holds two calls until a test releases each of them."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_flyte.testing.faults import Fault


def _two() -> list[threading.Event]:
    return [threading.Event(), threading.Event()]


@dataclass(frozen=True)
class Held(Fault):
    """Each call waits until the test releases it."""

    arrived: list[threading.Event] = field(default_factory=_two)
    go: list[threading.Event] = field(default_factory=_two)

    def before(self, method: str, call: Any) -> None:
        number = sum(each.is_set() for each in self.arrived)
        self.arrived[number].set()
        assert self.go[number].wait(60)
