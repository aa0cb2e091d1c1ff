"""A run that ends once a test has seen enough."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from airflow_provider_flyte.testing import RunHandle

LATE = 60.0
"""Seconds after which a test gives up."""


def ends_once(run: RunHandle, seen: Callable[[], Any]) -> None:
    """Let a run succeed once something was seen, or too late."""

    def end() -> None:
        until = time.monotonic() + LATE
        while not seen() and time.monotonic() < until:
            time.sleep(0.01)
        run.succeeds()

    threading.Thread(target=end, daemon=True).start()
