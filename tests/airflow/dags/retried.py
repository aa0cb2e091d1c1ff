"""A DAG whose tasks have Flyte's retry policy, on a worker and deferred. For Airflow 3.3."""

from __future__ import annotations

from typing import Any

from airflow import DAG

from airflow_provider_flyte.operators import FlyteRunOperator

try:
    from airflow_provider_flyte.retry_policies import FlyteRetryPolicy
except ImportError:
    # Every Airflow reads the folder of this file.
    pass
else:
    ARGUMENTS: dict[str, Any] = {
        "poll_interval": 0.2,
        "resume_after": 0,
        "retries": 1,
        "retry_delay": 2,
        "retry_policy": FlyteRetryPolicy(system_delay=0),
    }
    with DAG(dag_id="retried", schedule=None) as dag:
        for deferrable in (False, True):
            where = "deferred" if deferrable else "on_a_worker"
            for kind in ("user", "system"):
                FlyteRunOperator(
                    task_id=f"{kind}_{where}", task_name=f"demo.{kind}", deferrable=deferrable, **ARGUMENTS
                )
        FlyteRunOperator.partial(task_id="mapped", task_name="demo.user", **ARGUMENTS).expand(labels=[{"a": "b"}])
