"""The sensor in poke mode, and its template fields."""

from __future__ import annotations

from functools import partial

import pytest

from airflow_provider_flyte.compat import AirflowSkipException
from airflow_provider_flyte.exceptions import FlyteRunFailed, FlyteRunTimeout, FlyteUnreachable
from airflow_provider_flyte.sensors import FlyteRunSensor
from airflow_provider_flyte.testing import LocalFlyte, unavailable
from airflow_provider_flyte.wait.task_wait import TaskWait
from tests.support.clock import Clock
from tests.support.driving import Try

pytestmark = pytest.mark.one_transport("connect")


def test_poking_until_the_run_is_over(flyte_default: LocalFlyte) -> None:
    flyte_default.run("r1", envs={"PASSWORD": "correct-horse-battery"}).phases(
        "QUEUED", "RUNNING", "SUCCEEDED", every=0.2
    )
    value = Try(run_name="r1", deferrable=False).run()
    assert value["action"]["status"]["phase"] == "ACTION_PHASE_SUCCEEDED"
    assert value["runSpec"]["envs"]["values"] == [{"key": "PASSWORD", "value": "***"}]


def test_trouble_between_pokes_is_ridden_out(flyte_default: LocalFlyte) -> None:
    flyte_default.run("r1").phases("RUNNING", unavailable(), "SUCCEEDED", every=0.3)
    assert Try(run_name="r1", deferrable=False).run()["action"]["status"]["phase"] == "ACTION_PHASE_SUCCEEDED"


def test_trouble_adds_up_over_pokes(flyte_default: LocalFlyte, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow_provider_flyte.wait.task_wait.BRIEFLY", 0.0)
    flyte_default.run("r1").move("RUNNING")
    flyte_default.inject("*", unavailable())
    clock = Clock()
    monkeypatch.setattr("airflow_provider_flyte.wait.task_wait.TaskWait", partial(TaskWait, now=clock))
    task = Try(run_name="r1", deferrable=False, unreachable_after=300)
    assert not task.sensor.poke(task.context)
    clock.now += 299
    assert not task.sensor.poke(task.context)
    clock.now += 2
    with pytest.raises(FlyteUnreachable):
        task.sensor.poke(task.context)


@pytest.mark.parametrize(("flags", "ends"), [({}, FlyteRunFailed), ({"soft_fail": True}, AirflowSkipException)])
def test_details_are_in_xcom_before_the_task_fails_or_skips(
    flyte_default: LocalFlyte, flags: dict[str, bool], ends: type[Exception]
) -> None:
    flyte_default.run("r1").fails(message="no rows")
    task = Try(run_name="r1", deferrable=False, **flags)
    with pytest.raises(ends, match="no rows"):
        task.run()
    assert task.ti.xcoms["return_value"]["action"]["errorInfo"]["message"] == "no rows"


@pytest.mark.parametrize(
    ("flags", "ends"),
    [({}, FlyteRunTimeout), ({"soft_fail": True}, AirflowSkipException), ({"never_fail": True}, AirflowSkipException)],
)
def test_a_timeout_leaves_the_details_too(
    flyte_default: LocalFlyte, flags: dict[str, bool], ends: type[Exception]
) -> None:
    flyte_default.run("r1").phases("RUNNING")
    task = Try(run_name="r1", deferrable=False, timeout=0.2, **flags)
    with pytest.raises(ends, match="it is RUNNING"):
        task.run()
    assert task.ti.xcoms["return_value"]["action"]["status"]["phase"] == "ACTION_PHASE_RUNNING"


def test_a_single_poke_needs_no_execute(flyte_default: LocalFlyte) -> None:
    """Users poke in their own unit tests."""
    flyte_default.run("r1").phases("RUNNING")
    task = Try(run_name="r1", deferrable=False)
    assert not task.sensor.poke(task.context)
    flyte_default.run("r1").succeeds()
    assert task.sensor.poke(task.context)


def test_init_only_assigns_template_fields() -> None:
    sensor = FlyteRunSensor(task_id="wait", run_name="{{ ti.xcom_pull('x') }}", project="{{ p }}", domain="{{ d }}")
    assert sensor.run_name == "{{ ti.xcom_pull('x') }}"
    assert set(sensor.template_fields) == {
        *("run_name", "run_names", "task_name", "since", "until", "labels"),
        *("project", "domain", "flyte_conn_id"),
    }
