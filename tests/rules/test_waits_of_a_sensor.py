"""One execution of a sensor: whether it ends, defers or pokes again. By a scripted Flyte."""

from __future__ import annotations

import time
from dataclasses import asdict
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from airflow_provider_flyte import exceptions
from airflow_provider_flyte.client.errors import Status
from airflow_provider_flyte.client.phase import RunPhase
from airflow_provider_flyte.compat import AirflowSensorTimeout, AirflowSkipException, AirflowTaskTimeout, TaskDeferred
from airflow_provider_flyte.report.xcom import DETAILS
from airflow_provider_flyte.sensors import FlyteRunSensor
from airflow_provider_flyte.wait.event import Ending, RunEvent
from airflow_provider_flyte.wait.resumption import OPERATOR, SENSOR, Settled
from tests.support.driving import Driven, TaskInstance, lines_of
from tests.support.scripted_flyte import HERE, Connected, ScriptedFlyte, refusal

RUNNING, SUCCEEDED, FAILED, ABORTED = RunPhase.RUNNING, RunPhase.SUCCEEDED, RunPhase.FAILED, RunPhase.ABORTED
FLAGS = ("soft_fail", "never_fail", "silent_fail")


class Sensing(Driven):
    """One try of a sensor."""

    def execute(self) -> Any:
        """Up to its end or its deferral."""
        return self.task.execute(self.context)


class World:
    """A Flyte, the connection to it, and sensors."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.flyte = ScriptedFlyte(time.time)
        self.connection = Connected(self.flyte, monkeypatch)

    def sensor(self, **arguments: Any) -> Sensing:
        given: dict[str, Any] = {"task_id": "wait", "deferrable": True, "timeout": 3600.0, "poke_interval": 7.0}
        if "run_names" not in arguments:
            given["run_name"] = "r1"
        task = FlyteRunSensor(**given | arguments)
        self.lines = lines_of(task)
        return Sensing(task, TaskInstance(2))

    def fails(self, code: Status, *rpcs: str) -> None:
        self.flyte.fails = lambda asked: refusal(code, "away") if not rpcs or asked.rpc in rpcs else None


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    # What fails is not repeated in real time.
    monkeypatch.setattr("airflow_provider_flyte.wait.task_wait.BRIEFLY", 0.0)
    monkeypatch.setattr("airflow_provider_flyte.wait.task_wait.patience", lambda event: 0.0)
    return World(monkeypatch)


def deferral(driven: Sensing, event: RunEvent | None = None, settled: Settled | None = None) -> Any:
    """What it defers with: the trigger's arguments, what was settled, and the time-out."""
    with pytest.raises(TaskDeferred) as deferred:
        resume(driven, event, settled) if event else driven.execute()
    value = deferred.value
    assert value.method_name == "execute_complete"
    return value.trigger.serialize()[1], Settled(**value.kwargs or {}), value.timeout


def resume(driven: Sensing, event: RunEvent, settled: Settled | None = None) -> Any:
    return driven.resume(event.to_payload(), **(asdict(settled) if settled else {}))


def before(*names: str, **changed: Any) -> Settled:
    """What was settled a minute ago, an hour before the time-out."""
    now = time.time()
    given: dict[str, Any] = {"began": now - 60.0, "deadline": now + 3540.0}
    return Settled(SENSOR, 2, "p", "development", list(names or ["r1"]), "flyte.example:443", **given | changed)


# -- deferring


def test_what_it_defers_with(world: World) -> None:
    world.flyte.run("r1", RUNNING)
    driven = world.sensor(
        missing_after=8.0,
        unreachable_after=9.0,
        resume_after=10.0,
        execution_timeout=timedelta(seconds=1800),
        project="p",
    )
    now = time.time()
    trigger, settled, timeout = deferral(driven)
    start = driven.ti.start_date.timestamp()
    assert trigger["deadline"] == settled.deadline == settled.began + 3600.0
    assert settled.began == pytest.approx(now, abs=300)
    assert trigger["not_before"] == pytest.approx(now + 10.0, abs=300)
    assert trigger["not_before"] - settled.began >= 10.0
    assert trigger["execution_deadline"] == settled.execution_deadline == start + 1800.0
    fixed = {
        name: value for name, value in trigger.items() if name not in ("deadline", "not_before", "execution_deadline")
    }
    assert fixed == {
        "run_name": "r1",
        "project": "p",
        "domain": "development",
        "flyte_conn_id": "flyte_default",
        "poll_interval": 7.0,
        "missing_after": 8.0,
        "unreachable_after": 9.0,
        "keep_waiting": False,
        "run_names": None,
        "any_one": False,
        "fail_fast": True,
        "log_progress": False,
        "on_paused": "log",
        "stream_logs": None,
        "logs": None,
        "search": None,
    }
    assert (settled.kind, settled.try_number, settled.run_names) == (SENSOR, 2, ["r1"])
    assert (settled.project, settled.domain, settled.endpoint) == ("p", "development", "flyte.example:443")
    # Airflow's own limit comes after the trigger's.
    assert timedelta(seconds=3600) < timeout < timedelta(seconds=3600 + 900)


def test_several_are_waited_for_once_each(world: World) -> None:
    for name in ("r1", "r2"):
        world.flyte.run(name, RUNNING)
    driven = world.sensor(run_names=["r1", "r2", "r1"], wait_for="any", fail_fast=False)
    trigger, settled, _ = deferral(driven)
    assert (trigger["run_name"], trigger["run_names"]) == ("", ["r1", "r2"])
    assert (trigger["any_one"], trigger["fail_fast"]) == (True, False)
    assert settled.run_names == ["r1", "r2"]


def test_with_silent_fail_the_trigger_waits_for_ever(world: World) -> None:
    world.flyte.run("r1", RUNNING)
    trigger, _, _ = deferral(world.sensor(silent_fail=True, missing_after=8.0, unreachable_after=9.0))
    assert (trigger["missing_after"], trigger["unreachable_after"], trigger["keep_waiting"]) == (None, None, True)


def test_what_is_over_is_not_deferred(world: World) -> None:
    world.flyte.run("r1", SUCCEEDED)
    value = world.sensor().execute()
    assert value["action"]["id"]["run"]["name"] == "r1"
    world.flyte.run("r2", SUCCEEDED)
    values = world.sensor(run_names=["r1", "r2"]).execute()
    assert set(values) == {"r1", "r2"}
    # One of a list is one of a list.
    assert set(world.sensor(run_names=["r1"]).execute()) == {"r1"}


# -- its end, by Airflow's flags


@pytest.mark.parametrize("flag", [None, *FLAGS])
@pytest.mark.parametrize(
    ("what", "kind", "soft"),
    [
        ("failed", exceptions.FlyteRunAborted, True),
        ("missing", exceptions.FlyteRunMissing, True),
        ("refused", exceptions.FlyteUnreachable, False),
        ("unusable", exceptions.FlyteConfigurationError, False),
    ],
)
def test_how_it_ends_without_success(
    world: World, flag: str | None, what: str, kind: type[Exception], soft: bool
) -> None:
    if what == "failed":
        world.flyte.run("r1", ABORTED)
    if what == "refused":
        world.fails(Status.PERMISSION_DENIED)
    if what == "unusable":
        world.connection.change(timeout="soon")
    driven = world.sensor(missing_after=0.0, **({flag: True} if flag else {}))
    if flag == "silent_fail":
        if what == "failed":
            with pytest.raises(kind):
                driven.execute()
            return
        deferral(driven)
        [line] = [line for line in world.lines if line.startswith("ERROR: Still waiting for Flyte run r1 because of")]
        assert "silent_fail" in line
        return
    skips = flag == "never_fail" or (flag == "soft_fail" and soft)
    with pytest.raises(AirflowSkipException if skips else kind) as raised:
        driven.execute()
    if skips:
        assert str(raised.value).startswith(f"Skipped because of {flag}. ")
        assert isinstance(raised.value.__cause__, kind)
    assert (DETAILS in driven.ti.xcoms) == (what == "failed")


# -- resumed


def test_a_run_that_is_over_by_the_event(world: World) -> None:
    world.flyte.run("r1", SUCCEEDED)
    value = resume(world.sensor(), RunEvent(Ending.SUCCEEDED, "r1"), before())
    assert value["action"]["status"]["phase"] == "ACTION_PHASE_SUCCEEDED"


def test_an_event_that_does_not_hold_leads_to_another_deferral(world: World) -> None:
    world.flyte.run("r1", RUNNING)
    settled = before(execution_deadline=time.time() + 100.0)
    trigger, kept, timeout = deferral(world.sensor(), RunEvent(Ending.SUCCEEDED, "r1"), settled)
    assert kept == settled
    assert (trigger["deadline"], trigger["execution_deadline"]) == (settled.deadline, settled.execution_deadline)
    assert timedelta(seconds=3000) < timeout


def test_an_event_that_holds_ends_it(world: World) -> None:
    world.flyte.run("r1", RUNNING)
    driven = world.sensor()
    with pytest.raises(exceptions.FlyteWaitBroken, match="it broke"):
        resume(driven, RunEvent(Ending.CRASHED, "r1", message="it broke"), before())
    with pytest.raises(AirflowSkipException, match="never_fail"):
        resume(world.sensor(never_fail=True), RunEvent(Ending.CRASHED, "r1"), before())


@pytest.mark.parametrize(("missing", "ends"), [(1, True), (0, False)])
def test_only_a_trigger_that_counted_knows_how_long_a_run_has_been_missing(
    world: World, missing: int, ends: bool
) -> None:
    """The event of one that did not is no reason: the list of a new process proves little."""
    settled = before(began=time.time() - 1000.0)
    event = RunEvent(Ending.TIMED_OUT if not ends else Ending.MISSING, "r1", missing=missing)
    with pytest.raises(exceptions.FlyteRunMissing if ends else exceptions.FlyteRunTimeout):
        resume(world.sensor(missing_after=500.0), event, settled)


def test_execution_timeout(world: World) -> None:
    world.flyte.run("r1", RUNNING)
    driven = world.sensor(soft_fail=True)
    with pytest.raises(AirflowTaskTimeout, match="has passed while waiting for Flyte run r1"):
        resume(driven, RunEvent(Ending.TASK_TIMED_OUT, "r1"), before())
    assert driven.ti.xcoms[DETAILS]["action"]["status"]["phase"] == "ACTION_PHASE_RUNNING"
    # A run that has ended meanwhile is what counts.
    world.flyte.run("r1", SUCCEEDED)
    assert resume(driven, RunEvent(Ending.TASK_TIMED_OUT, "r1"), before())


@pytest.mark.parametrize(
    ("ending", "deadline"), [(Ending.TIMED_OUT, 1000.0), (Ending.UNREACHABLE, -1.0), (Ending.SUCCEEDED, -1.0)]
)
def test_the_sensors_own_timeout(world: World, ending: Ending, deadline: float) -> None:
    world.flyte.run("r1", RUNNING)
    settled = before(deadline=time.time() + deadline)
    with pytest.raises(exceptions.FlyteRunTimeout, match="timeout of 3600 s has passed"):
        resume(world.sensor(), RunEvent(ending, "r1"), settled)
    with pytest.raises(AirflowSkipException):
        resume(world.sensor(soft_fail=True), RunEvent(ending, "r1"), settled)


def test_of_several_those_that_are_over_are_read_at_a_timeout(world: World) -> None:
    world.flyte.run("r1", SUCCEEDED)
    world.flyte.run("r2", RUNNING)
    driven = world.sensor(run_names=["r1", "r2"])
    with pytest.raises(exceptions.FlyteRunTimeout):
        resume(driven, RunEvent(Ending.TIMED_OUT, ""), before("r1", "r2"))
    assert set(driven.ti.xcoms[DETAILS]) == {"r1"}
    # Without a time-out they are left to the end.
    world.flyte.asked.clear()
    deferral(world.sensor(run_names=["r1", "r2"]), RunEvent(Ending.UNREACHABLE, ""), before("r1", "r2"))
    assert {asked.rpc for asked in world.flyte.asked} == {"ListRuns"}


def test_a_timeout_without_a_connection(world: World) -> None:
    world.connection.change(timeout="soon")
    with pytest.raises(AirflowSensorTimeout, match="has passed without a Flyte connection"):
        resume(world.sensor(silent_fail=True), RunEvent(Ending.TIMED_OUT, "r1"), before())


@pytest.mark.parametrize(
    ("names", "arguments", "run_name", "run_names"),
    [
        (["r9"], {}, "r9", None),
        (["r9"], {"run_names": ["r1"]}, "", ["r9"]),
        (["r8", "r9"], {}, "", ["r8", "r9"]),
    ],
)
def test_what_was_settled_is_waited_for_whatever_a_template_says_now(
    world: World, names: list[str], arguments: dict[str, Any], run_name: str, run_names: list[str] | None
) -> None:
    for name in names:
        world.flyte.run(name, RUNNING)
    trigger, _, _ = deferral(world.sensor(**arguments), RunEvent(Ending.UNREACHABLE, ""), before(*names))
    assert (trigger["run_name"], trigger["run_names"]) == (run_name, run_names)


@pytest.mark.parametrize("changed", [{"try_number": 1}, {"kind": OPERATOR}])
def test_what_another_try_has_settled_is_nothing(world: World, changed: dict[str, Any]) -> None:
    world.flyte.run("r1", RUNNING)
    settled = Settled(**asdict(before("r9")) | changed)
    trigger, kept, _ = deferral(world.sensor(), RunEvent(Ending.TIMED_OUT, "r9"), settled)
    assert (trigger["run_name"], kept.try_number) == ("r1", 2)


def test_where_airflow_has_lost_what_was_settled_the_try_began_with_the_task(world: World) -> None:
    world.flyte.run("r1", RUNNING)
    driven = world.sensor()
    driven.ti.start_date = datetime.now(timezone.utc) - timedelta(seconds=1000)
    _, kept, _ = deferral(driven, RunEvent(Ending.UNREACHABLE, "r1"))
    assert kept.began == driven.ti.start_date.timestamp()
    driven.ti.xcoms.clear()
    driven.ti.start_date = datetime.now(timezone.utc) - timedelta(seconds=3601)
    with pytest.raises(exceptions.FlyteRunTimeout):
        resume(driven, RunEvent(Ending.UNREACHABLE, "r1"))


@pytest.mark.parametrize(
    ("ago", "limit", "ending"),
    [(100.0, None, Ending.TIMED_OUT), (100.0, 90.0, Ending.TASK_TIMED_OUT), (100.0, 500.0, Ending.TIMED_OUT)],
)
def test_which_time_limit_ended_a_deferral(world: World, ago: float, limit: float | None, ending: Ending) -> None:
    driven = world.sensor(execution_timeout=None if limit is None else timedelta(seconds=limit))
    driven.ti.start_date = datetime.now(timezone.utc) - timedelta(seconds=ago)
    assert driven.task._which_timeout(driven.context) is ending


def test_an_error_that_nobody_expects_is_skipped_with_never_fail(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.flyte.run("r1", RUNNING)

    def breaks(*_: Any) -> Any:
        raise ValueError("broken")

    monkeypatch.setattr(Settled, "keep", breaks)
    with pytest.raises(ValueError, match="broken"):
        world.sensor().execute()
    with pytest.raises(AirflowSkipException, match=r"Skipped because of never_fail\. broken"):
        world.sensor(never_fail=True).execute()


# -- poking


def test_a_poke(world: World) -> None:
    world.flyte.run("r1", RUNNING)
    driven = world.sensor(deferrable=False)
    assert driven.task.poke(driven.context) is False
    wait = driven.task._wait
    assert driven.task.poke(driven.context) is False
    # Trouble adds up over the pokes of one process.
    assert driven.task._wait is wait
    world.flyte.run("r1", SUCCEEDED)
    done: Any = driven.task.poke(driven.context)
    assert done.is_done is True
    assert done.xcom_value["action"]["id"]["run"]["name"] == "r1"


def test_a_poke_without_a_connection(world: World) -> None:
    world.connection.change(timeout="soon")
    with pytest.raises(exceptions.FlyteConfigurationError):
        world.sensor(deferrable=False).task.poke({"ti": TaskInstance()})
    driven = world.sensor(deferrable=False, silent_fail=True)
    assert driven.task.poke(driven.context) is False
    world.connection.change()
    world.flyte.run("r1", SUCCEEDED)
    assert driven.task.poke(driven.context)


def test_a_whole_wait_by_pokes(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.flyte.run("r1", SUCCEEDED)
    driven = world.sensor(deferrable=False)
    value = driven.execute()
    assert value["action"]["id"]["run"]["name"] == "r1"
    assert driven.task._wait._held._client is None


@pytest.mark.parametrize("soft_fail", [False, True])
def test_a_poking_sensor_that_runs_out_of_time(world: World, soft_fail: bool) -> None:
    world.flyte.run("r1", SUCCEEDED)
    world.flyte.run("r2", RUNNING)
    driven = world.sensor(run_names=["r1", "r2"], deferrable=False, timeout=0.0, poke_interval=0.1, soft_fail=soft_fail)
    with pytest.raises(AirflowSkipException if soft_fail else exceptions.FlyteRunTimeout):
        driven.execute()
    assert set(driven.ti.xcoms[DETAILS]) == {"r1"}


# -- arguments


@pytest.mark.parametrize("never_fail", [False, True])
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"run_name": None}, "None"),
        ({"run_name": "No!"}, "No!"),
        ({"run_name": "r1", "run_names": ["r2"]}, "run_name and run_names are both given"),
        ({"run_names": {"action": {}}}, "run_names is the details of one Flyte run"),
        ({"run_names": {"r1": 1, "No!": 2}}, "No!"),
        ({"run_names": "r1"}, "not a list of names"),
        ({"run_names": 7}, "not a list of names"),
        ({"run_names": []}, "run_names is empty"),
        ({"run_names": ["r1", "No!"]}, "No!"),
    ],
)
def test_names_that_make_no_sense(world: World, never_fail: bool, arguments: dict[str, Any], words: str) -> None:
    driven = world.sensor(never_fail=never_fail, **arguments)
    with pytest.raises(AirflowSkipException if never_fail else exceptions.FlyteArgumentError, match=words):
        driven.execute()
    assert world.flyte.asked == []


def test_names_of_any_kind_of_list(world: World) -> None:
    for name in ("r1", "r2"):
        world.flyte.run(name, RUNNING)
    for given in (("r1", "r2"), (name for name in ("r1", "r2")), {"r1": 1, "r2": 2}):
        trigger, _, _ = deferral(world.sensor(run_names=given))
        assert trigger["run_names"] == ["r1", "r2"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"wait_for": "some"},
        {"fail_fast": "yes"},
        {"deferrable": "yes"},
        {"missing_after": -1.0},
        {"unreachable_after": -1.0},
        {"resume_after": -1.0},
        {"redact_env": "yes"},
        {"poke_interval": 0.0},
        {"timeout": -1.0},
        {"timeout": float("inf")},
    ],
)
def test_other_arguments_that_make_no_sense(world: World, wrong: dict[str, Any]) -> None:
    [name] = wrong
    with pytest.raises(exceptions.FlyteArgumentError, match=name):
        world.sensor(**wrong)
    if name in ("poke_interval", "timeout"):
        with pytest.raises(exceptions.FlyteArgumentError, match=name):
            FlyteRunSensor(task_id="wait", run_name="r1", default_args=wrong)


def test_defaults(world: World) -> None:
    task = FlyteRunSensor(
        task_id="wait", run_name="r1", default_args={"poke_interval": 9, "timeout": timedelta(hours=1)}
    )
    assert (task.poke_interval, task.timeout) == (9, 3600)
    assert (task.wait_for, task.fail_fast, task.redact_env, task.run_names) == ("all", True, True, None)


def test_the_env_of_a_run_is_redacted_unless_it_is_not_wanted(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.flyte.run("r1", SUCCEEDED)
    seen: list[bool] = []

    def xcom_value(details: Any, *, redact_env: bool) -> Any:
        seen.append(redact_env)
        return {}

    monkeypatch.setattr("airflow_provider_flyte.wait.task_wait.xcom_value", xcom_value)
    world.sensor().execute()
    world.sensor(redact_env=False).execute()
    assert seen == [True, False]


def test_where_runs_are(world: World) -> None:
    there = type(HERE)("q", "staging")
    world.flyte.run("r1", SUCCEEDED, there)
    assert world.sensor(project="q", domain="staging").execute()
    assert {asked.where for asked in world.flyte.asked} == {there}
