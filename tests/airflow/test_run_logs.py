"""stream_logs: the lines of a run's log stand in the task's while it waits, on a worker and while deferred."""

from __future__ import annotations

import asyncio
import contextlib
import re
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_flyte.client import FlyteConfig
from airflow_provider_flyte.compat import TaskDeferred
from airflow_provider_flyte.exceptions import FlyteRunFailed
from airflow_provider_flyte.hooks import FlyteHook
from airflow_provider_flyte.operators import FlyteRunOperator
from airflow_provider_flyte.settings import streams_logs
from airflow_provider_flyte.testing import LocalFlyte, cut_stream, silent_stream, status
from airflow_provider_flyte.triggers import FlyteRunTrigger
from airflow_provider_flyte.wait import run_logs
from airflow_provider_flyte.wait.event import Ending, RunEvent
from tests.support.driving import DagRun, Driven, TaskInstance, Try, kwargs_of, lines_of, made_again
from tests.support.own_airflow import connection_json

LATE = 60.0
"""Seconds after which a test gives up."""

FOLLOWS = "INFO: The log of attempt {} of Flyte run r1 follows."


def about_logs(lines: list[str]) -> list[str]:
    """The lines of and about logs, without their times."""
    found = [line for line in lines if re.search(r"\blog\b", line, re.IGNORECASE)]
    return [re.sub(r", \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z: ", ": ", line) for line in found]


def when(seen: Callable[[], Any], *do: Callable[[], Any]) -> None:
    """Do something once something was seen, or too late."""

    def wait() -> None:
        for each in do[:1]:
            until = time.monotonic() + LATE
            while not seen() and time.monotonic() < until:
                time.sleep(0.01)
            each()
        for each in do[1:]:
            each()

    threading.Thread(target=wait, daemon=True).start()


class Deferred:
    """A trigger that waits for r1, and what it logs."""

    def __init__(self, **arguments: Any) -> None:
        defaults: dict[str, Any] = {"run_name": "r1", "poll_interval": 1.0}
        self.trigger = made_again(FlyteRunTrigger(**defaults | arguments))
        self.lines = lines_of(self.trigger)

    async def until_over(self) -> Any:
        """Wait for the event, and return its payload."""
        [event] = [event async for event in self.trigger.run()]
        await self.trigger.cleanup()
        count = len(self.lines)
        if self.trigger._logs is not None:
            await self.trigger._logs.ended()
        assert len(self.lines) == count, "a line after the event"
        return event.payload

    def run(self) -> Any:
        return asyncio.run(asyncio.wait_for(self.until_over(), LATE))

    def logged(self, *lines: str) -> bool:
        return set(lines) <= set(about_logs(self.lines))


def test_while_deferred(flyte_default: LocalFlyte) -> None:
    run = flyte_default.run("r1").move("RUNNING").logs("one 100 %s", "\x1b[31mtwo\x1b[0m\tof\x00 two")
    wait = Deferred(stream_logs=True)
    when(
        lambda: wait.logged("INFO: Log of r1: one 100 %s"),
        lambda: run.logs("three"),
    )
    when(lambda: wait.logged("INFO: Log of r1: three"), run.succeeds)
    payload = wait.run()
    assert about_logs(wait.lines) == [
        FOLLOWS.format(1),
        "INFO: Log of r1: one 100 %s",
        "INFO: Log of r1: two of\N{REPLACEMENT CHARACTER} two",
        "INFO: Log of r1: three",
    ]
    assert payload["logs"]["r1"]["attempt"] == 1
    assert payload["logs"]["r1"]["count"] == 1


PROGRESS = "INFO: Flyte run r1: 1 of 1 actions done, 0 running."


def test_the_progress_comes_with_it(flyte_default: LocalFlyte) -> None:
    run = flyte_default.run("r1").move("RUNNING")
    run.child("c1").succeeds()
    wait = Deferred(stream_logs=True)
    when(lambda: PROGRESS in wait.lines, run.succeeds)
    wait.run()
    assert PROGRESS in wait.lines


def test_on_a_worker_too(flyte_default: LocalFlyte) -> None:
    flyte_default.run("r1").move("RUNNING").child("c1").succeeds()
    task = Try(run_name="r1", deferrable=False, stream_logs=True)
    lines = lines_of(task.sensor)
    assert not task.sensor.poke(task.context)
    assert PROGRESS in lines
    assert task.sensor._wait is not None
    task.sensor._wait.close()


def test_lines_have_their_own_time(flyte_default: LocalFlyte) -> None:
    run = flyte_default.run("r1").move("RUNNING").logs("one")
    wait = Deferred(stream_logs=True)
    when(lambda: wait.logged("INFO: Log of r1: one"), run.succeeds)
    wait.run()
    [line] = [line for line in wait.lines if line.startswith("INFO: Log of r1")]
    assert re.fullmatch(r"INFO: Log of r1, \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z: one", line)


def test_attempts_are_followed(flyte_default: LocalFlyte) -> None:
    run = flyte_default.run("r1").move("RUNNING").logs("first")
    wait = Deferred(stream_logs=True)
    when(lambda: wait.logged("INFO: Log of r1: first"), lambda: run.retries().logs("second"))
    when(lambda: wait.logged("INFO: Log of r1: second"), run.succeeds)
    wait.run()
    assert about_logs(wait.lines) == [
        FOLLOWS.format(1),
        "INFO: Log of r1: first",
        FOLLOWS.format(2),
        "INFO: Log of r1: second",
    ]


def operator(**arguments: Any) -> FlyteRunOperator:
    defaults: dict[str, Any] = {
        "task_id": "train",
        "task_name": "demo.train",
        "run_name": "r1",
        "poll_interval": 0.1,
        "resume_after": 0,
        "do_xcom_push": False,
    }
    return FlyteRunOperator(**defaults | arguments)


class Launched:
    """An operator whose run logs a line, waits until that was seen, and ends."""

    def __init__(self, flyte: LocalFlyte, monkeypatch: pytest.MonkeyPatch, *, deferrable: bool, end: Any) -> None:
        flyte.deploy("demo.train")
        self.task = operator(deferrable=deferrable, stream_logs=True)
        self.lines = lines_of(self.task)
        begin = FlyteRunTrigger.__init__

        def logs_here(trigger: FlyteRunTrigger, **arguments: Any) -> None:
            begin(trigger, **arguments)
            trigger._log = self.task._log  # type: ignore[attr-defined]

        monkeypatch.setattr(FlyteRunTrigger, "__init__", logs_here)

        def play(run: Any) -> None:
            run.move("RUNNING").logs("one")
            when(lambda: "INFO: Log of r1: one" in about_logs(self.lines), lambda: end(run))

        flyte.on_launch(play)
        self.driven = Driven(self.task, TaskInstance(), DagRun())

    def run(self) -> list[str]:
        """What the task and its trigger log of and about logs."""
        with contextlib.suppress(FlyteRunFailed):
            self.driven.run()
        return about_logs(self.lines)


@pytest.mark.parametrize("deferrable", [True, False])
class TestOperator:
    """The same deferred and on a worker."""

    def test_a_success(self, flyte_default: LocalFlyte, monkeypatch: pytest.MonkeyPatch, deferrable: bool) -> None:
        launched = Launched(flyte_default, monkeypatch, deferrable=deferrable, end=lambda run: run.succeeds())
        assert launched.run() == [FOLLOWS.format(1), "INFO: Log of r1: one"]
        assert len(launched.driven.deferrals) == deferrable

    def test_what_was_written_is_not_written_again_after_a_failure(
        self, flyte_default: LocalFlyte, monkeypatch: pytest.MonkeyPatch, deferrable: bool
    ) -> None:
        launched = Launched(flyte_default, monkeypatch, deferrable=deferrable, end=lambda run: run.fails())
        assert launched.run() == [FOLLOWS.format(1), "INFO: Log of r1: one"]

    def test_what_comes_after_the_end_is_written_after_a_failure(
        self, flyte_default: LocalFlyte, monkeypatch: pytest.MonkeyPatch, deferrable: bool
    ) -> None:
        launched = Launched(
            flyte_default, monkeypatch, deferrable=deferrable, end=lambda run: run.fails().logs("two", "three")
        )
        flyte_default.inject("TailLogs", silent_stream(after=1, times=1))
        assert launched.run() == [
            FOLLOWS.format(1),
            "INFO: Log of r1: one",
            "INFO: The end of the log of attempt 1:\n  | two\n  | three",
        ]

    def test_the_tail_of_another_attempt_is_whole(
        self, flyte_default: LocalFlyte, monkeypatch: pytest.MonkeyPatch, deferrable: bool
    ) -> None:
        launched = Launched(
            flyte_default, monkeypatch, deferrable=deferrable, end=lambda run: run.fails(attempts=2).logs("again")
        )
        flyte_default.inject("TailLogs", silent_stream(after=1, times=1))
        assert launched.run() == [
            FOLLOWS.format(1),
            "INFO: Log of r1: one",
            "INFO: The end of the log of attempt 2:\n  | again",
        ]


def test_a_sensor_that_pokes(flyte_default: LocalFlyte) -> None:
    run = flyte_default.run("r1").move("RUNNING").logs("one")
    task = Try(run_name="r1", deferrable=False, stream_logs=True)
    lines = lines_of(task.sensor)
    when(lambda: "INFO: Log of r1: one" in about_logs(lines), run.succeeds)
    task.run()
    assert about_logs(lines) == [FOLLOWS.format(1), "INFO: Log of r1: one"]
    assert not [each for each in threading.enumerate() if each.name == "flyte-run-logs"]


def test_not_in_reschedule_mode(flyte_default: LocalFlyte) -> None:
    flyte_default.run("r1").move("RUNNING").logs("one")
    task = Try(run_name="r1", deferrable=False, mode="reschedule", stream_logs=True)
    assert not task.sensor.poke(task.context)
    assert not flyte_default.calls("TailLogs")


def test_of_several_runs_the_first_five(flyte_default: LocalFlyte) -> None:
    names = [f"r{number}" for number in range(7)]
    runs = [flyte_default.run(name).move("RUNNING").logs(f"I am {name}") for name in names]
    wait = Deferred(run_name="", run_names=names, stream_logs=True)
    seen = [f"INFO: Log of {name}: I am {name}" for name in names[:5]]
    when(lambda: wait.logged(*seen), *(run.succeeds for run in runs))
    payload = wait.run()
    assert sorted(line for line in about_logs(wait.lines) if "I am" in line) == seen
    assert sorted(payload["logs"]) == names[:5]


def test_it_goes_on_where_the_trigger_before_had_got_to(flyte_default: LocalFlyte) -> None:
    run = flyte_default.run("r1").move("RUNNING").logs("one")
    before = Deferred(stream_logs=True, deadline=time.time() + 2)
    payload = before.run()
    assert about_logs(before.lines) == [FOLLOWS.format(1), "INFO: Log of r1: one"]
    run.logs("two")
    after = Deferred(stream_logs=True, logs=payload["logs"])
    when(lambda: after.logged("INFO: Log of r1: two"), run.succeeds)
    after.run()
    assert about_logs(after.lines) == ["INFO: Log of r1: two"]


def test_a_sensor_that_defers_again_hands_it_on(flyte_default: LocalFlyte) -> None:
    flyte_default.run("r1").move("RUNNING")
    task = Try(run_name="r1", stream_logs=True)
    position = {"r1": {"attempt": 1, "at": 5, "count": 1, "lines": {}, "gap": None}}
    event = {"ending": "missing", "run_name": "r1", "phase": None, "message": "", "version": 1, "logs": position}
    with pytest.raises(TaskDeferred) as deferred:
        task.resume(event)
    assert deferred.value.trigger.logs == position


def test_an_operator_that_defers_again_hands_it_on(flyte_default: LocalFlyte) -> None:
    flyte_default.deploy("demo.train")
    flyte_default.on_launch(lambda run: run.move("RUNNING"))
    driven = Driven(operator(deferrable=True, stream_logs=True), TaskInstance(), DagRun())
    position = {"r1": {"attempt": 1, "at": 5, "count": 1, "lines": {}, "gap": None}}
    with pytest.raises(TaskDeferred) as first:
        driven.task.execute(driven.context)
    assert first.value.trigger.logs is None
    again = first.value
    # Of a trigger that failed nothing is known but what the one before had written.
    for event in (RunEvent(Ending.QUEUED, "r1", logs=position), RunEvent(Ending.QUEUED, "r1")):
        with pytest.raises(TaskDeferred) as deferred:
            driven.resume(event.to_payload(), **kwargs_of(again))
        again = deferred.value
        assert again.trigger.logs == position


class SlowLog:
    """A task's log that takes its time for a line."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.may_go_on = threading.Event()

    def info(self, event: str, /, *args: Any) -> None:
        self.lines.append(event)
        self.may_go_on.wait(LATE)

    warning = error = info


@pytest.mark.parametrize("begins_first", [True, False])
def test_a_thread_that_is_slow_delays_nothing_and_writes_nothing_more(
    flyte_default: LocalFlyte, monkeypatch: pytest.MonkeyPatch, begins_first: bool
) -> None:
    monkeypatch.setattr(run_logs, "_ENDS_WITHIN", 0.0)
    flyte_default.run("r1").move("RUNNING").logs(*map(str, range(250)))
    log = SlowLog()
    with FlyteHook().get_client() as client:
        logs = run_logs.WorkerLogs(lambda: client, [client.config.key("r1")], {}, log)
        until = time.monotonic() + LATE
        while begins_first and not log.lines and time.monotonic() < until:
            time.sleep(0.01)
        logs.end()
        log.may_go_on.set()
        logs._thread.join(LATE)
        assert not logs._thread.is_alive()
    # The one that it was at, before which another one says whose log it is.
    assert begins_first <= len(log.lines) <= 2


@pytest.mark.parametrize("asked", [None, False])
def test_who_does_not_ask_costs_no_calls(flyte_default: LocalFlyte, asked: bool | None) -> None:
    run = flyte_default.run("r1").move("RUNNING").logs("one")
    wait = Deferred(stream_logs=asked)
    when(lambda: flyte_default.calls("ListRuns"), run.succeeds)
    payload = wait.run()
    assert about_logs(wait.lines) == []
    assert "logs" not in payload
    assert wait.trigger._logs is None
    for method in ("TailLogs", "GetRunDetails", "WatchActions"):
        assert not flyte_default.calls(method)


@pytest.mark.parametrize(
    ("asked", "connection", "configured", "expected"),
    [
        (None, None, None, False),
        (None, None, "True", True),
        (None, False, "True", False),
        (None, True, "False", True),
        (False, True, "True", False),
        (True, False, "False", True),
    ],
)
def test_task_before_connection_before_configuration(
    monkeypatch: pytest.MonkeyPatch, asked: bool | None, connection: bool | None, configured: str | None, expected: bool
) -> None:
    if configured is not None:
        monkeypatch.setenv("AIRFLOW__FLYTE__STREAM_LOGS", configured)
    assert streams_logs(asked, FlyteConfig("localhost:80", insecure=True, stream_logs=connection)) is expected


def test_by_the_connection(flyte_default: LocalFlyte, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_FLYTE_DEFAULT", connection_json(flyte_default, stream_logs=True))
    run = flyte_default.run("r1").move("RUNNING").logs("one")
    wait = Deferred(stream_logs=None)
    when(lambda: wait.logged("INFO: Log of r1: one"), run.succeeds)
    wait.run()


@pytest.mark.parametrize("code", ["UNIMPLEMENTED", "PERMISSION_DENIED"])
def test_a_backend_that_sends_none(flyte_default: LocalFlyte, code: str) -> None:
    flyte_default.inject("TailLogs", status(code, "not here"))
    run = flyte_default.run("r1").move("RUNNING").logs("one")
    wait = Deferred(stream_logs=True)
    when(lambda: about_logs(wait.lines), run.succeeds)
    wait.run()
    [line] = about_logs(wait.lines)
    assert line.startswith("INFO: The log of Flyte run r1 is not written here, because Flyte does not send it ")
    assert len(flyte_default.calls("TailLogs")) == 1


@pytest.mark.parametrize("code", ["UNAVAILABLE", "OK"])
def test_a_stream_that_breaks_is_opened_again_and_nothing_is_repeated(flyte_default: LocalFlyte, code: str) -> None:
    lines = [f"line {number}" for number in range(250)]
    run = flyte_default.run("r1").move("RUNNING").logs(*lines)
    # The server sends a hundred lines a message, and begins at the first line again.
    flyte_default.inject("TailLogs", cut_stream(after=2, code=code, times=2))
    wait = Deferred(stream_logs=True)
    when(lambda: wait.logged("INFO: Log of r1: line 249"), run.succeeds)
    wait.run()
    assert about_logs(wait.lines) == [FOLLOWS.format(1), *(f"INFO: Log of r1: {line}" for line in lines)]
    assert len(flyte_default.calls("TailLogs")) == 3
