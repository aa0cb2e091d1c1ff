"""What an event of an asset has of a run: the same where a trigger sees its end and where a task has waited for it."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Any

from airflow_provider_flyte.client.flows.runs_by_creation import RunRow
from airflow_provider_flyte.client.moments import time_of
from airflow_provider_flyte.client.phase import phase_name

MOST_LABELS = 100
"""How many labels an event has, which is a row of Airflow's database. A run has a handful."""


def run_payload(row: RunRow, url: str, labels: Mapping[str, str] | None = None) -> dict[str, Any]:
    """JSON types, a few hundred bytes.

    :param row: the run, by its root action.
    :param url: its page in the Flyte console.
    :param labels: its labels, where they were asked for; more than :data:`MOST_LABELS` are left out.
    """
    start, end = (time_of(at).isoformat() if at else None for at in (row.created_at, row.ended_at))
    payload: dict[str, Any] = {
        # The same each time that this end is reported, and no other's.
        "id": f"{row.key} {end}" if end else str(row.key),
        "run_name": row.name,
        "project": row.key.project,
        "domain": row.key.domain,
        "phase": phase_name(row.phase),
        "task_name": row.task_name,
        "task_version": row.task_version,
        "start_time": start,
        "end_time": end,
        "url": url,
    }
    return payload if labels is None else payload | {"labels": dict(islice(sorted(labels.items()), MOST_LABELS))}
