"""A client of the Flyte 2 control plane. Nothing here knows Airflow.

Names are loaded when first used: importing this package imports neither grpc nor protobuf.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_flyte.client.client import FlyteClient
    from airflow_provider_flyte.client.config import FlyteConfig
    from airflow_provider_flyte.client.flows.abort import Abort, AbortedRun
    from airflow_provider_flyte.client.flows.launch import LaunchedRun
    from airflow_provider_flyte.client.flows.launch_request import Launch
    from airflow_provider_flyte.client.flows.log_tail import LogTail
    from airflow_provider_flyte.client.literals.spelling import restored
    from airflow_provider_flyte.client.phase import RunPhase
    from airflow_provider_flyte.client.run_details import RunDetails
    from airflow_provider_flyte.client.run_key import RunKey
    from airflow_provider_flyte.client.watch.watcher import RunWatcher

__all__ = [
    "Abort",
    "AbortedRun",
    "FlyteClient",
    "FlyteConfig",
    "Launch",
    "LaunchedRun",
    "LogTail",
    "RunDetails",
    "RunKey",
    "RunPhase",
    "RunWatcher",
    "restored",
]

_HOMES = {
    "Abort": "flows.abort",
    "AbortedRun": "flows.abort",
    "FlyteClient": "client",
    "FlyteConfig": "config",
    "Launch": "flows.launch_request",
    "LaunchedRun": "flows.launch",
    "LogTail": "flows.log_tail",
    "RunDetails": "run_details",
    "RunKey": "run_key",
    "RunPhase": "phase",
    "RunWatcher": "watch.watcher",
    "restored": "literals.spelling",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
