"""Times, switches and choices: refused in words as soon as they are known, wherever they can be given."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_flyte.client import FlyteClient, FlyteConfig, RunWatcher
from airflow_provider_flyte.client.errors import ConfigError
from airflow_provider_flyte.client.verdict import WaitRules
from airflow_provider_flyte.connection.reader import ConnectionProblem, config_from
from airflow_provider_flyte.exceptions import FlyteArgumentError
from airflow_provider_flyte.operators import FlyteRunOperator
from airflow_provider_flyte.sensors import FlyteRunSensor
from airflow_provider_flyte.triggers import FlyteLaunchedRunTrigger, FlyteRunTrigger
from tests.support.own_airflow import AIRFLOW


def operator(**arguments: Any) -> FlyteRunOperator:
    return FlyteRunOperator(task_id="train", task_name="demo.train", **arguments)


def sensor(**arguments: Any) -> FlyteRunSensor:
    return FlyteRunSensor(task_id="wait", run_name="r1", **arguments)


def config(**settings: Any) -> FlyteConfig:
    return FlyteConfig(endpoint="flyte:443", **settings)


def watcher(**arguments: Any) -> RunWatcher:
    return RunWatcher(FlyteClient(config()), **arguments)


TIMES: list[tuple[Callable[..., Any], str]] = [
    *((operator, name) for name in ("poll_interval", "queued_timeout", "missing_after", "unreachable_after")),
    *((operator, name) for name in ("launch_unreachable_after", "resume_after")),
    *((sensor, name) for name in ("missing_after", "unreachable_after", "resume_after")),
    *((FlyteRunTrigger, name) for name in ("poll_interval", "missing_after", "unreachable_after")),
    *((FlyteRunTrigger, name) for name in ("deadline", "execution_deadline", "not_before")),
    *((FlyteLaunchedRunTrigger, name) for name in ("poll_interval", "missing_after", "unreachable_after")),
    *((FlyteLaunchedRunTrigger, name) for name in ("queued_deadline", "execution_deadline", "not_before")),
    *((config, name) for name in ("timeout", "retry_budget", "keepalive")),
    *((watcher, name) for name in ("poll_interval", "min_poll_interval", "max_calls_per_second")),
    *((WaitRules, name) for name in ("missing_after", "unreachable_after")),
]
IDS = [f"{make.__name__}-{name}" for make, name in TIMES]


@pytest.mark.parametrize(("make", "name"), TIMES, ids=IDS)
@pytest.mark.parametrize("value", [-1, math.inf, math.nan, 1e300, 10**400, True, "60", "{{ params.seconds }}"])
def test_what_is_no_time(make: Callable[..., Any], name: str, value: Any) -> None:
    if name == "max_calls_per_second" and value == 1e300:
        return
    with pytest.raises((FlyteArgumentError, ConfigError), match=f"{name} is .*; give "):
        make(**{name: value})


@pytest.mark.parametrize(("make", "name"), TIMES, ids=IDS)
def test_a_timedelta_is_as_good_as_seconds(make: Callable[..., Any], name: str) -> None:
    if "deadline" in name or name in ("not_before", "max_calls_per_second"):
        return
    made = make(**{name: timedelta(minutes=2)})
    if make is not watcher:
        assert getattr(made, name) == 120


@pytest.mark.parametrize("make", [operator, FlyteRunTrigger, FlyteLaunchedRunTrigger])
def test_no_task_polls_without_a_pause(make: Callable[..., Any]) -> None:
    with pytest.raises(
        FlyteArgumentError, match=r"poll_interval is 0; give .* \(at least 0\.1, at most a hundred years\)"
    ):
        make(poll_interval=0)
    assert make(poll_interval=0.1).poll_interval == 0.1


@pytest.mark.parametrize("name", ["poke_interval", "timeout"])
@pytest.mark.parametrize("value", [math.inf, math.nan])
def test_airflows_own_times_of_a_sensor(name: str, value: float) -> None:
    with pytest.raises(FlyteArgumentError, match=f"{name} is (inf|nan); give a number of seconds"):
        sensor(**{name: value})
    with pytest.raises(FlyteArgumentError, match=f"{name} is (inf|nan); give a number of seconds"):
        sensor(default_args={name: value})
    assert getattr(sensor(**{name: timedelta(minutes=2)}), name) == 120
    assert sensor(timeout=0).timeout == 0
    with pytest.raises(
        FlyteArgumentError, match=r"poke_interval is 0.*; give .* \(at least 0\.1, at most a hundred years\)"
    ):
        sensor(poke_interval=0)


SWITCHES: list[tuple[Callable[..., Any], str]] = [
    *(
        (operator, name)
        for name in ("wait", "deferrable", "abort_on_kill", "abort_on_timeout", "log_progress", "redact_env")
    ),
    *((operator, name) for name in ("overwrite_cache", "interruptible", "stream_logs")),
    *((sensor, name) for name in ("deferrable", "fail_fast", "log_progress", "stream_logs", "redact_env")),
    *((FlyteRunTrigger, name) for name in ("keep_waiting", "any_one", "fail_fast", "stream_logs")),
    *((FlyteLaunchedRunTrigger, name) for name in ("abort_on_kill", "abort_on_timeout")),
    *((config, name) for name in ("insecure", "verify", "stream_logs")),
]


@pytest.mark.parametrize(("make", "name"), SWITCHES, ids=[f"{make.__name__}-{name}" for make, name in SWITCHES])
def test_what_is_no_switch(make: Callable[..., Any], name: str) -> None:
    for value in ("False", "true", "", 0, 1):
        with pytest.raises((FlyteArgumentError, ConfigError), match=f"{name} is {value!r}; give True or False"):
            make(**{name: value})
    for good in (True, False):
        assert getattr(make(**{name: good}), name) is good


def test_the_same_from_default_args_and_when_a_mapped_task_is_made() -> None:
    with pytest.raises(FlyteArgumentError, match="deferrable is 'False'; give True or False"):
        operator(default_args={"deferrable": "False"})


@pytest.mark.parametrize(
    ("make", "arguments"),
    [
        (operator, {"retry_as": "again"}),
        (operator, {"retry_as": None}),
        (operator, {"fail_fast_on": "system"}),
        (operator, {"log_lines": -1}),
        (operator, {"log_lines": "50"}),
        (operator, {"max_action_concurrency": 0}),
        (operator, {"max_action_concurrency": 1}),
        (operator, {"cache_lookup_scope": "project"}),
        (operator, {"force_rerun_actions": "a3"}),
        (operator, {"force_rerun_actions": 4}),
        (operator, {"max_action_concurrency": 2**32}),
        (sensor, {"wait_for": "some"}),
    ],
)
def test_choices_and_numbers(make: Callable[..., Any], arguments: dict[str, Any]) -> None:
    [(name, value)] = arguments.items()
    with pytest.raises(FlyteArgumentError, match=f"{name} is {value!r}; give "):
        make(**arguments)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"force_rerun_actions": ["a3", 4]}, r"force_rerun_actions is \['a3', 4\]; give the actions' names as a list"),
        ({"force_rerun_actions": ["a3"]}, "force_rerun_actions has a meaning only with retry_as='recover'"),
        ({"notifications": [{"on_phase": "FAILED"}]}, r"notifications\[0\] has no way to notify"),
        ({"notifications": "oncall"}, "notifications is a str. Give a list of dicts"),
        (
            {"notifications": [{"on_phase": "FAILED", "delivery": "a"}], "notification_rule": "b"},
            "notification_rule and notifications exclude each other",
        ),
    ],
)
def test_lists(arguments: dict[str, Any], says: str) -> None:
    with pytest.raises(FlyteArgumentError, match=says):
        operator(**arguments)


def test_a_dag_with_a_wrong_argument_is_an_import_error_in_words(tmp_path: Path, airflow_db: None) -> None:
    (tmp_path / "wrong.py").write_text(
        "from airflow import DAG\n"
        "from airflow_provider_flyte.operators import FlyteRunOperator\n"
        "with DAG(dag_id='wrong', schedule=None):\n"
        "    FlyteRunOperator(task_id='train', task_name='demo.train', wait='False')\n"
    )
    [error] = import_errors(tmp_path)
    assert "wait is 'False'; give True or False" in error


def import_errors(folder: Path) -> list[str]:
    try:
        from airflow.dag_processing.dagbag import DagBag
    except ImportError:
        from airflow.models.dagbag import DagBag  # type: ignore[no-redef]
    return list(DagBag(str(folder)).import_errors.values())


@pytest.mark.parametrize("field", ["timeout", "retry_budget", "keepalive"])
@pytest.mark.parametrize("value", [0, -1, "inf", "nan", 1e300, 10**400, True, "soon"])
def test_times_of_a_connection(field: str, value: Any) -> None:
    with pytest.raises(
        ConnectionProblem, match=f"{field} is .*; enter a number of seconds above 0, at most a hundred years"
    ):
        config_from(
            SimpleNamespace(
                conn_id="c1", conn_type="flyte", host="flyte", port=None, login=None, password=None, extra=None
            ),
            {field: value},
        )


def test_a_switch_is_never_a_text_of_numpys_either() -> None:
    numpy = pytest.importorskip("numpy")
    assert operator(wait=numpy.bool_(False)).wait is False
    assert operator(poll_interval=numpy.float64(2)).poll_interval == 2.0


@pytest.mark.parametrize(
    "make",
    [
        lambda: sensor(start_from_trigger=True),
        lambda: FlyteRunSensor.partial(task_id="mapped", start_from_trigger=True),
    ],
    ids=["single", "mapped"],
)
def test_starting_in_the_triggerer_needs_3_3(make: Callable[[], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    if AIRFLOW >= (3, 3):
        monkeypatch.setattr("airflow.__version__", "3.2.2")
    with pytest.raises(FlyteArgumentError, match=r"needs Airflow 3\.3 or newer.* this is .*deferrable=True instead"):
        make()
