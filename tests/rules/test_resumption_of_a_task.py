"""What a deferred task is resumed with -> what it goes by. By tables, without a server."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_flyte.compat.resumption import TRIGGER_FAILED, TRIGGER_TIMED_OUT
from airflow_provider_flyte.wait.deferral import execution_deadline, resumption, try_start
from airflow_provider_flyte.wait.event import Ending, RunEvent
from airflow_provider_flyte.wait.resumption import OPERATOR, SENSOR, XCOM_KEY, Settled, settled_before

SETTLED = Settled(SENSOR, 2, "p", "d", ["r1"])


class Log:
    """The task's log."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def _add(self, level: str) -> Any:
        return lambda event, *args: self.lines.append(f"{level}: {event % args if args else event}")

    def __getattr__(self, name: str) -> Any:
        return self._add(name)


class XComs:
    """A task instance and what is in XCom of it."""

    dag_id, task_id, run_id = "sales", "train", "x"

    def __init__(self, number: int = 2, map_index: int | None = -1, broken: bool = False) -> None:
        self.try_number, self.map_index, self.broken = number, map_index, broken
        self.values: dict[str, Any] = {}
        self.pulled: list[tuple[str, str, int]] = []

    def xcom_push(self, key: str, value: Any) -> None:
        if self.broken:
            raise OSError("no database")
        self.values[key] = value

    def xcom_pull(self, task_ids: str, key: str, map_indexes: int) -> Any:
        if self.broken:
            raise OSError("no database")
        self.pulled.append((task_ids, key, map_indexes))
        return self.values.get(key)


@pytest.fixture
def log() -> Log:
    return Log()


def context(ti: Any) -> Any:
    return {"ti": ti}


# -- what was settled


def test_what_an_older_version_did_not_settle() -> None:
    expected = {
        "kind": SENSOR,
        "try_number": 2,
        "project": "p",
        "domain": "d",
        "run_names": ["r1"],
        "endpoint": None,
        "launched": True,
        "asked_name": None,
        "returned": None,
        "began": 0.0,
        "deadline": None,
        "execution_deadline": None,
        "ours": False,
        "queued_until": None,
        "logs": None,
    }
    assert asdict(SETTLED) == expected


@pytest.mark.parametrize(
    ("kind", "number", "settled", "belongs"),
    [
        (SENSOR, 2, {}, True),
        (SENSOR, 3, {}, False),
        (SENSOR, 1, {}, False),
        (OPERATOR, 2, {}, False),
        (OPERATOR, 2, {"kind": OPERATOR}, True),
    ],
)
def test_what_was_settled_belongs_to_one_try(
    log: Log, kind: str, number: int, settled: dict[str, Any], belongs: bool
) -> None:
    was = Settled(**asdict(SETTLED) | settled)
    assert was.belongs_to(context(XComs(number)), kind, log) is belongs
    assert len(log.lines) == (not belongs)
    if kind == was.kind and not belongs:
        line = f"info: Airflow resumes try {number} with what try 2 waited for, so this try begins from the start."
        assert log.lines == [line]


@pytest.mark.parametrize(
    ("was", "now", "names", "words"),
    [
        (SENSOR, OPERATOR, ["r1"], "was a FlyteRunSensor, which was to wait for r1, and is a FlyteRunOperator now."),
        (OPERATOR, SENSOR, ["r1"], "was a FlyteRunOperator, which had launched or was to launch r1, and is a "),
        (SENSOR, OPERATOR, ["a", "b", "c", "d", "e"], "wait for a, b, c, d, e, and"),
        (SENSOR, OPERATOR, ["a", "b", "c", "d", "e", "f"], "wait for a, b, c, d, e ..., and"),
    ],
)
def test_a_dag_that_was_edited_meanwhile(log: Log, was: str, now: str, names: list[str], words: str) -> None:
    assert not Settled(was, 2, "p", "d", names).belongs_to(context(XComs()), now, log)
    [line] = log.lines
    assert line.startswith("warning: The DAG was edited while this task was deferred: ")
    assert words in line
    assert ("A run that was launched is not aborted" in line) == (was == OPERATOR)


@pytest.mark.parametrize(("deadline", "late"), [(None, False), (1000.1, False), (1000.0, True), (999.0, True)])
def test_whether_it_is_late(monkeypatch: pytest.MonkeyPatch, deadline: float | None, late: bool) -> None:
    monkeypatch.setattr("airflow_provider_flyte.wait.resumption.time.time", lambda: 1000.0)
    assert Settled(SENSOR, 1, "p", "d", ["r1"], deadline=deadline).late is late


def test_what_is_kept_is_in_xcom_too(log: Log) -> None:
    ti = XComs()
    kept = SETTLED.keep(context(ti), log)
    assert kept == ti.values[XCOM_KEY] == asdict(SETTLED)
    assert (Settled(**kept), log.lines) == (SETTLED, [])
    assert SETTLED.keep(context(XComs(broken=True)), log) == asdict(SETTLED)
    [line] = log.lines
    assert line.startswith("warning: XCom did not take what the task resumes with.")
    assert line.endswith("no database")


@pytest.mark.parametrize(("map_index", "asked"), [(-1, -1), (None, -1), (3, 3)])
def test_what_airflow_has_lost_is_read_from_xcom(log: Log, map_index: int | None, asked: int) -> None:
    ti = XComs(map_index=map_index)
    assert settled_before(context(ti), {}, log) is None
    SETTLED.keep(context(ti), log)
    assert settled_before(context(ti), {"event": {}}, log) == SETTLED
    assert ti.pulled[-1] == ("train", XCOM_KEY, asked)
    assert log.lines == []


def test_what_airflow_has_kept_is_believed(log: Log) -> None:
    ti = XComs()
    Settled(SENSOR, 1, "p", "d", ["another"]).keep(context(ti), log)
    assert settled_before(context(ti), asdict(SETTLED) | {"event": {}, "of_a_newer_version": 1}, log) == SETTLED
    assert ti.pulled == []


@pytest.mark.parametrize("values", ["a text", 7, ["r1"], {"kind": SENSOR}])
def test_what_cannot_be_read_is_nothing(log: Log, values: Any) -> None:
    ti = XComs()
    ti.values[XCOM_KEY] = values
    assert settled_before(context(ti), {}, log) is None


def test_an_xcom_that_cannot_be_read_is_logged(log: Log) -> None:
    assert settled_before(context(XComs(broken=True)), {}, log) is None
    assert log.lines == [
        "warning: Airflow has lost what the task resumes with, and it could not be read from XCom. no database"
    ]


# -- how it is resumed


def task(log: Log, timeout: float | None = None) -> Any:
    return SimpleNamespace(log=log, execution_timeout=None if timeout is None else timedelta(seconds=timeout))


def test_what_airflow_resumes_is_left_alone(log: Log) -> None:
    kwargs = {"event": {}, "error": "an argument of that name"}
    assert resumption(task(log), "execute_complete", kwargs) == ("execute_complete", kwargs)
    assert resumption(task(log), "execute_complete", None) == ("execute_complete", {})


@pytest.mark.parametrize(
    ("kwargs", "ending", "reason"),
    [
        ({"error": "it broke"}, Ending.CRASHED, "it broke"),
        ({"error": None}, Ending.CRASHED, "None"),
        ({}, Ending.CRASHED, ""),
        (None, Ending.CRASHED, ""),
        *(({"error": timed_out}, Ending.TASK_TIMED_OUT, timed_out) for timed_out in sorted(TRIGGER_TIMED_OUT)),
    ],
)
def test_a_trigger_that_failed_is_an_event(
    log: Log, kwargs: dict[str, Any] | None, ending: Ending, reason: str
) -> None:
    method, given = resumption(task(log), TRIGGER_FAILED, kwargs, lambda: Ending.TASK_TIMED_OUT)
    assert method == "execute_complete"
    assert given == {"event": RunEvent(ending, "", message=reason).to_payload()}


@pytest.mark.parametrize("error", sorted(TRIGGER_TIMED_OUT))
def test_by_default_a_deferral_that_took_too_long_is_a_crash(log: Log, error: str) -> None:
    _, given = resumption(task(log), TRIGGER_FAILED, {"error": error})
    assert given["event"] == RunEvent(Ending.CRASHED, "", message=error).to_payload()


def test_its_traceback_is_logged(log: Log) -> None:
    resumption(task(log), TRIGGER_FAILED, {"error": "it broke", "traceback": ["Traceback", "  line 7"]})
    assert any("line 7" in line for line in log.lines)


# -- its times

START = datetime(2024, 5, 1, 12, tzinfo=timezone.utc)


@pytest.mark.parametrize(("timeout", "passes"), [(None, None), (90.0, START.timestamp() + 90.0)])
def test_when_execution_timeout_has_passed(log: Log, timeout: float | None, passes: float | None) -> None:
    assert execution_deadline(task(log, timeout), context(SimpleNamespace(start_date=START))) == passes


def test_a_try_without_a_start_begins_now(monkeypatch: pytest.MonkeyPatch, log: Log) -> None:
    monkeypatch.setattr("airflow_provider_flyte.wait.deferral.time.time", lambda: 1000.0)
    assert try_start(context(SimpleNamespace(start_date=START))) == START.timestamp()
    assert try_start(context(SimpleNamespace(start_date=None))) == 1000.0
