"""A message -> an event, or why it is not one. By tables, without a server."""

from __future__ import annotations

import logging
from collections import UserDict
from typing import Any

import pytest

from airflow_provider_flyte.client.phase import RunPhase
from airflow_provider_flyte.wait.event import VERSION, Ending, EventError, RunEvent, log_traceback, read_event

PAYLOAD: dict[str, Any] = {
    "ending": "failed",
    "run_name": "r1",
    "phase": 6,
    "message": "no rows",
    "missing": 2,
    "version": 1,
}
EVENT = RunEvent(Ending.FAILED, "r1", RunPhase.FAILED, "no rows", 2)


def test_the_payload_of_an_event_stays_what_it_is() -> None:
    """A worker of another release reads it."""
    assert VERSION == 1
    assert EVENT.to_payload() == PAYLOAD
    assert RunEvent.from_payload(PAYLOAD) == EVENT
    assert RunEvent.from_payload(UserDict(PAYLOAD)) == EVENT
    assert {ending.name.lower(): ending.value for ending in Ending} == {ending.value: ending.value for ending in Ending}


def test_what_an_event_may_leave_out() -> None:
    assert RunEvent(Ending.MISSING, "r1") == RunEvent(Ending.MISSING, "r1", None, "", 0, 1)
    assert RunEvent.from_payload({**PAYLOAD, "phase": None}).phase is None
    assert RunEvent.from_payload({name: PAYLOAD[name] for name in PAYLOAD if name != "missing"}).missing == 0
    assert RunEvent.from_payload({**PAYLOAD, "missing": 0}).missing == 0
    logs = {"r1": {"attempt": 2}}
    assert RunEvent.from_payload({**PAYLOAD, "logs": logs}).to_payload() == {**PAYLOAD, "logs": logs}


@pytest.mark.parametrize(
    ("message", "sent"),
    [
        ("", ""),
        ("a" * 499, "a" * 499),
        ("a" * 500, "a" * 500),
        ("a" * 501, "a" * 247 + " ... " + "a" * 248),
        ("a" * 5000, "a" * 247 + " ... " + "a" * 248),
        ("a\0b", "a\N{REPLACEMENT CHARACTER}b"),
        ("a\nb\ud800", "a b\N{REPLACEMENT CHARACTER}"),
    ],
)
def test_a_message_that_is_too_long_is_cut(message: str, sent: str) -> None:
    payload = RunEvent(Ending.FAILED, "r1", message=message).to_payload()
    assert payload["message"] == sent
    assert RunEvent.from_payload(payload).message == sent


@pytest.mark.parametrize(
    ("payload", "error"),
    [
        (None, "the event is NoneType, not a mapping"),
        ("failed", "the event is str, not a mapping"),
        ([PAYLOAD], "the event is list, not a mapping"),
        ({}, "the event has version None, this provider reads 1"),
        ({**PAYLOAD, "version": 2}, "the event has version 2, this provider reads 1"),
        ({**PAYLOAD, "version": "1"}, "the event has version '1', this provider reads 1"),
        ({**PAYLOAD, "ending": "won"}, "the event does not fit: 'won' is not a valid Ending"),
        *(
            ({key: PAYLOAD[key] for key in PAYLOAD if key != name}, f"the event does not fit: '{name}'")
            for name in ("ending", "run_name", "phase", "message")
        ),
        *(
            ({**PAYLOAD, name: value}, "the event does not fit: run_name and message must be texts")
            for name in ("run_name", "message")
            for value in (None, 3, ["r1"])
        ),
        *(
            ({**PAYLOAD, "phase": value}, "the event does not fit: phase must be a number or null")
            for value in ("6", True, False, 6.0, [6])
        ),
        *(
            ({**PAYLOAD, "missing": value}, "the event does not fit: missing must be a number")
            for value in (None, "2", True, False, 2.0, -1)
        ),
    ],
)
def test_what_is_not_an_event(payload: object, error: str) -> None:
    with pytest.raises(EventError) as raised:
        RunEvent.from_payload(payload)
    assert str(raised.value) == error


DESCRIBED = {
    Ending.FOUND: "run r1 was found",
    Ending.SUCCEEDED: "run r1 has succeeded",
    Ending.FAILED: "run r1 is ABORTED",
    Ending.PAUSED: "run r1 waits for an answer (on_paused='fail')",
    Ending.MISSING: "Flyte does not have run r1 after the time that missing_after allows",
    Ending.UNREACHABLE: "Flyte gave no usable answer",
    Ending.TIMED_OUT: "the sensor's timeout has passed",
    Ending.TASK_TIMED_OUT: "execution_timeout has passed",
    Ending.QUEUED: "queued_timeout has passed, and a worker checks whether the run has left its queue",
    Ending.NO_CONNECTION: "the Airflow connection cannot be used",
    Ending.CRASHED: "the trigger failed",
    Ending.NOT_BEGUN: "the triggerer cannot tell what to wait for, so a worker begins",
}


@pytest.mark.parametrize("ending", list(Ending))
def test_what_ended_the_wait(ending: Ending) -> None:
    assert RunEvent(ending, "r1", RunPhase.ABORTED).describe() == DESCRIBED[ending]


ANSWERS = {Ending.SUCCEEDED, Ending.FAILED, Ending.MISSING}


@pytest.mark.parametrize("ending", list(Ending))
def test_what_is_an_answer_of_flyte(ending: Ending) -> None:
    assert RunEvent(ending, "r1").answered is (ending in ANSWERS)


def test_a_failure_whose_phase_is_not_known() -> None:
    assert RunEvent(Ending.FAILED, "r1").describe() == "run r1 is UNSPECIFIED"


# -- in a task


def test_an_event_that_cannot_be_read_is_logged_and_ignored(caplog: pytest.LogCaptureFixture) -> None:
    log = logging.getLogger("a task")
    assert read_event(PAYLOAD, "Flyte run r1", log) == EVENT
    assert caplog.messages == []
    assert read_event("nonsense", "Flyte run r1", log) is None
    assert caplog.messages == [
        "The trigger's event cannot be read: the event is str, not a mapping. The task reads Flyte run r1 itself."
    ]


@pytest.mark.parametrize(
    ("kwargs", "lines"),
    [
        ({}, []),
        ({"traceback": None}, []),
        ({"traceback": []}, []),
        ({"traceback": ["a \n", "b\n"]}, ["The trigger failed in the triggerer:\n  | a\n  | b"]),
    ],
)
def test_the_traceback_of_a_crash(kwargs: Any, lines: list[str], caplog: pytest.LogCaptureFixture) -> None:
    log_traceback(kwargs, logging.getLogger("a task"))
    assert caplog.messages == lines


def test_a_traceback_without_an_end(caplog: pytest.LogCaptureFixture) -> None:
    """It quotes what a server has written, and the task's log is read in a browser; its reason stands at its end."""
    log_traceback(
        {"traceback": ["Traceback:\n", "x" * 3_000_000, "y\n" * 100_000, "the reason"]}, logging.getLogger("a task")
    )
    [record] = caplog.records
    assert record.getMessage().startswith("The trigger failed in the triggerer:\n  | Traceback:")
    assert record.getMessage().endswith("\n  | the reason")
    assert len(record.getMessage()) < 60_000
