"""Every way a wait can end without success x Airflow's flags x the modes of the sensor, a task each.

In two DAGs: waits for one run, and waits for several.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from datetime import datetime, timedelta
from typing import Any

from airflow import DAG

from airflow_provider_flyte.sensors import FlyteRunSensor

MODES: dict[str, dict[str, Any]] = {
    "poke": {"deferrable": False, "mode": "poke"},
    "reschedule": {"deferrable": False, "mode": "reschedule"},
    "deferred": {"deferrable": True},
}
FLAGS: dict[str, dict[str, Any]] = {
    "plain": {},
    "soft_fail": {"soft_fail": True},
    "never_fail": {"never_fail": True},
    "silent_fail": {"silent_fail": True},
}
PATIENCE = 0.8
"""The timeout of the waits that only a timeout ends."""
CONDITIONS: dict[str, dict[str, Any]] = {
    "failed": {"run_name": "failed"},
    "missing": {"run_name": "missing", "missing_after": 0.2},
    "unreachable": {"run_name": "r1", "flyte_conn_id": "flyte_down", "unreachable_after": 0.2},
    "no_connection": {"run_name": "r1", "flyte_conn_id": "flyte_absent"},
    "timed_out": {"run_name": "endless"},
}
SEVERAL: dict[str, dict[str, Any]] = {
    "failed": {"run_names": ["endless", "failed"]},
    "failed_any": {"run_names": ["endless", "failed"], "wait_for": "any"},
    "failed_patient": {"run_names": ["failed", "over"], "fail_fast": False},
    "missing": {"run_names": ["over", "missing"], "missing_after": 0.2},
    "missing_patient": {"run_names": ["over", "missing"], "missing_after": 0.2, "fail_fast": False},
    "unreachable": {"run_names": ["r1", "r2"], "flyte_conn_id": "flyte_down", "unreachable_after": 0.2},
    "timed_out": {"run_names": ["over", "endless"]},
}

ends: dict[str, list[str]] = defaultdict(list)
"""The exception of each try that did not succeed, by task."""


def _note(context: Any) -> None:
    ends[context["ti"].task_id].append(type(context.get("exception")).__name__)


def _tasks(conditions: dict[str, dict[str, Any]]) -> None:
    for condition, flag, mode in itertools.product(conditions, FLAGS, MODES):
        FlyteRunSensor(
            task_id=f"{condition}-{flag}-{mode}",
            retries=1,
            retry_delay=timedelta(0),
            poke_interval=0.1,
            # On Airflow 2.11 a reschedule's timeout spans tries: long enough for two.
            timeout=PATIENCE if condition == "timed_out" or flag == "silent_fail" else 600.0,
            resume_after=0,
            on_failure_callback=_note,
            on_retry_callback=_note,
            **{**conditions[condition], **FLAGS[flag], **MODES[mode]},
        )


with DAG("flags_table", schedule=None, start_date=datetime(2026, 1, 1)) as dag:
    _tasks(CONDITIONS)

with DAG("flags_table_several", schedule=None, start_date=datetime(2026, 1, 1)) as several_dag:
    _tasks(SEVERAL)
