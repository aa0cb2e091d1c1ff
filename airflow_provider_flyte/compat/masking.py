"""Secrets that Airflow is to mask in its logs."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from airflow_provider_flyte.compat import find
from airflow_provider_flyte.compat.event_loop import in_airflow


async def amask_secret(secret: Any) -> None:
    """Mask a text, or the secrets of extra fields, on an event loop: ``mask_secret`` asks the supervisor."""
    try:
        from airflow.sdk.log import amask_secret as amask
    except ImportError:
        await in_airflow(find("mask_secret"), secret)
    else:
        await amask(secret)


_MASKERS = ("airflow.sdk._shared", "airflow.sdk.execution_time", "airflow.utils.log")
"""Where a process's own masker is: from 3.1 on, in 3.0, in 2.11."""


def mask_here(secret: str) -> None:
    """Mask a text in what this process logs. For any thread and loop: the supervisor is not asked to do the same."""
    for home in _MASKERS:
        try:
            masker = import_module(f"{home}.secrets_masker")
        except ImportError:
            continue
        masker._secrets_masker().add_mask(secret)
        return
