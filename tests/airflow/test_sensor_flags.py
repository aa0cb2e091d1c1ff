"""soft_fail, never_fail and silent_fail mean the same in every mode: the whole table, run by Airflow itself."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest

from airflow_provider_flyte.testing import LocalFlyte
from tests.support.own_airflow import AIRFLOW, connection_json, load_dag_file

pytestmark = pytest.mark.timeout(300)

FAILS, FAILS_FOR_GOOD, SKIPS, WAITS_ON = "fails", "fails for good", "skips", "waits on"

TABLE = {
    #                plain           soft_fail       never_fail  silent_fail
    "failed": (FAILS_FOR_GOOD, SKIPS, SKIPS, FAILS_FOR_GOOD),
    "missing": (FAILS, SKIPS, SKIPS, WAITS_ON),
    "unreachable": (FAILS, FAILS, SKIPS, WAITS_ON),
    "no_connection": (FAILS, FAILS, SKIPS, WAITS_ON),
    "timed_out": (FAILS_FOR_GOOD, SKIPS, SKIPS, FAILS_FOR_GOOD),
}
ERRORS = {
    "failed": "FlyteRunFailedForGood",
    "missing": "FlyteRunMissing",
    "unreachable": "FlyteUnreachable",
    "no_connection": "FlyteConfigurationError",
    "timed_out": "FlyteRunTimeout",
}
TIMEOUTS = {"FlyteRunTimeout", "AirflowSensorTimeout"}


@pytest.fixture(scope="module")
def flags() -> ModuleType:
    return load_dag_file("flags_table")


@pytest.fixture(scope="module")
def task_instances(airflow_db: None, flags: ModuleType) -> dict[str, Any]:
    return run_table(flags.dag)


def run_table(dag: Any) -> dict[str, Any]:
    """The task instances by task, after all have ended."""
    with LocalFlyte() as flyte, pytest.MonkeyPatch.context() as env:
        flyte.run("failed").fails(kind="USER", message="no rows")
        flyte.run("endless").phases("RUNNING")
        flyte.run("over").succeeds()
        env.setenv("AIRFLOW_CONN_FLYTE_DEFAULT", connection_json(flyte))
        with LocalFlyte() as down:
            env.setenv("AIRFLOW_CONN_FLYTE_DOWN", connection_json(down))
        dag_run = dag.test()
        return {ti.task_id: ti for ti in dag_run.get_task_instances()}


@pytest.mark.parametrize("mode", ["poke", "reschedule", "deferred"])
@pytest.mark.parametrize("flag", ["plain", "soft_fail", "never_fail", "silent_fail"])
@pytest.mark.parametrize("condition", list(TABLE))
def test_the_flags_mean_the_same_in_every_mode(
    task_instances: dict[str, Any], flags: ModuleType, condition: str, flag: str, mode: str
) -> None:
    check_cell(task_instances[f"{condition}-{flag}-{mode}"], flags, condition, flag)


def check_cell(ti: Any, flags: ModuleType, condition: str, flag: str) -> None:
    """What the table says of this condition and flag is what became of the task instance."""
    expected = TABLE[condition][list(flags.FLAGS).index(flag)]
    errors = flags.ends[ti.task_id]
    if (3,) <= AIRFLOW < (3, 3):
        # Their dag.test() gives callbacks no exception: how many there were has to do.
        assert {*errors} <= {"NoneType"}
        errors = [next(iter(TIMEOUTS)) if expected == WAITS_ON else ERRORS[condition]] * len(errors)
    if expected == SKIPS:
        assert (ti.state, errors) == ("skipped", [])
    elif expected == FAILS:
        assert (ti.state, errors) == ("failed", [ERRORS[condition]] * 2)
    elif expected == FAILS_FOR_GOOD:
        assert (ti.state, errors) == ("failed", [ERRORS[condition]])
    else:
        assert ti.state == "failed"
        assert len(errors) == 1
        assert errors[0] in TIMEOUTS
