"""A local Flyte 2 control plane, to test DAGs and the provider itself without a cluster.

Importing this package imports nothing else: the pytest plugin in it is loaded into every test session.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_flyte.testing.calls import RecordedCall
    from airflow_provider_flyte.testing.faults import (
        Fault,
        cut_stream,
        database_down,
        delay,
        garbled,
        gzipped,
        lost_answer,
        lost_updates,
        no_name_filter,
        silent_stream,
        slow_first_message,
        status,
        unavailable,
    )
    from airflow_provider_flyte.testing.script import RunHandle
    from airflow_provider_flyte.testing.server import LocalFlyte

_HOMES = {
    "LocalFlyte": "server",
    "RunHandle": "script",
    "RecordedCall": "calls",
    "Fault": "faults",
    "cut_stream": "faults",
    "database_down": "faults",
    "delay": "faults",
    "garbled": "faults",
    "gzipped": "faults",
    "lost_answer": "faults",
    "lost_updates": "faults",
    "no_name_filter": "faults",
    "silent_stream": "faults",
    "slow_first_message": "faults",
    "status": "faults",
    "unavailable": "faults",
}

__all__ = [
    "Fault",
    "LocalFlyte",
    "RecordedCall",
    "RunHandle",
    "cut_stream",
    "database_down",
    "delay",
    "garbled",
    "gzipped",
    "lost_answer",
    "lost_updates",
    "no_name_filter",
    "silent_stream",
    "slow_first_message",
    "status",
    "unavailable",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
