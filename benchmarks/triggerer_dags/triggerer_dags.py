"""The DAGs of ``benchmarks/triggerer.py``, which says by the environment how large they are."""

from __future__ import annotations

import os

from airflow.sdk import DAG, task
from triggerer_measures import AtTrigger, Deferred, LoopLagTrigger

from airflow_provider_flyte.sensors import FlyteRunSensor

MANY = int(os.environ["BENCH_MANY"])
SENSORS = int(os.environ["BENCH_SENSORS"])
PAIRS = int(os.environ["BENCH_PAIRS"])

with DAG("loop_lag", schedule=None, params={"path": ""}):
    Deferred(task_id="measure", trigger=LoopLagTrigger, argument="{{ params.path }}")


@task
def nothing(number: int) -> None:
    """What comes after."""


# Nothing of it is ever run: no slot is free. The benchmark defers the task instances itself.
with DAG("many", schedule=None, default_args={"pool": "nobody"}):
    for name in ("DateTimeTrigger", "FlyteRunTrigger"):
        nothing.override(task_id=name).expand(number=list(range(MANY)))

for kind, arguments in (
    ("deferred", {"deferrable": True}),
    ("from_trigger", {"start_from_trigger": True, "end_from_trigger": True}),
):
    with DAG(f"sensors_{kind}", schedule=None):
        FlyteRunSensor.partial(task_id="wait", retries=2, **arguments).expand(
            run_name=[f"{kind.replace('_', '-')}-{number}" for number in range(SENSORS)]
        )

with DAG("end_to_start", schedule=None, params={"first": 0.0, "apart": 0.0}, max_active_tasks=64):
    for number in range(PAIRS):
        at = f"{{{{ params.first + params.apart * {number} }}}}"
        own = Deferred(task_id=f"own_{number}", trigger=AtTrigger, argument=at)
        own >> nothing.override(task_id=f"after_own_{number}")(0)
        ours = FlyteRunSensor(task_id=f"ours_{number}", run_name=f"pair-{number}", deferrable=True)
        ours >> nothing.override(task_id=f"after_ours_{number}")(0)
