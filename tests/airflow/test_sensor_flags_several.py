"""The flags mean for several runs what they mean for one, in every mode; run by Airflow itself."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest

from tests.airflow.test_sensor_flags import check_cell, run_table
from tests.support.own_airflow import load_dag_file

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def flags() -> ModuleType:
    return load_dag_file("flags_table")


@pytest.fixture(scope="module")
def task_instances(airflow_db: None, flags: ModuleType) -> dict[str, Any]:
    return run_table(flags.several_dag)


@pytest.mark.parametrize("mode", ["poke", "reschedule", "deferred"])
@pytest.mark.parametrize("flag", ["plain", "soft_fail", "never_fail", "silent_fail"])
@pytest.mark.parametrize(
    "condition",
    ["failed", "failed_any", "failed_patient", "missing", "missing_patient", "unreachable", "timed_out"],
)
def test_the_flags_mean_the_same_for_several_runs(
    task_instances: dict[str, Any], flags: ModuleType, condition: str, flag: str, mode: str
) -> None:
    check_cell(
        task_instances[f"{condition}-{flag}-{mode}"], flags, condition.partition("_p")[0].removesuffix("_any"), flag
    )
