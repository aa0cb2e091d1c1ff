"""What happened to a run and when, against what a real backend answered."""

from __future__ import annotations

import pytest

from airflow_provider_flyte.client.idl.workflow import run_definition_pb2
from airflow_provider_flyte.client.timeline import timeline
from tests.client.test_recorded_runs import EXPECTED, recorded


def test_a_run_that_succeeded_in_its_second_attempt() -> None:
    assert recorded("executor/21").timeline() == [
        "2026-11-23T14:02:55.711Z launched",
        "2026-11-23T14:02:55.717Z attempt 1: WAITING_FOR_RESOURCES for 0.00 s",
        "2026-11-23T14:02:55.720Z attempt 1: INITIALIZING for 0.00 s",
        "2026-11-23T14:02:55.724Z attempt 1: RUNNING for 0.01 s",
        "2026-11-23T14:02:55.738Z attempt 1: FAILED: attempt 1",
        "2026-11-23T14:02:55.743Z attempt 2: RUNNING for 0.00 s",
        "2026-11-23T14:02:55.746Z attempt 2: SUCCEEDED",
        "2026-11-23T14:02:55.747Z SUCCEEDED after 0.04 s",
    ]


def test_a_run_that_failed_shows_the_first_line_of_each_error() -> None:
    """The phase is set before the last attempt's events arrive, so that their times may be later."""
    assert [line.partition(" ")[2] for line in recorded("failed_user/3").timeline()] == [
        "launched",
        "attempt 1: RUNNING for 0.00 s",
        "attempt 1: FAILED: ValueError: no rows for 2026-11-23",
        "attempt 2: RUNNING for 0.01 s",
        "FAILED after 0.01 s",
        "attempt 2: FAILED: ValueError: no rows for 2026-11-23",
    ]


def test_an_abort_shows_its_reason() -> None:
    [launched, ended] = recorded("aborted/2").timeline()
    assert launched.endswith("launched")
    assert ended.partition(" ")[2].startswith("ABORTED after 0.00 s: ")


def test_a_run_that_goes_on_has_no_end() -> None:
    assert recorded("executor/10").timeline()[-1].endswith("attempt 1: RUNNING")


@pytest.mark.parametrize("call", list(EXPECTED))
def test_every_recorded_run_has_one(call: str) -> None:
    lines = recorded(call).timeline()
    assert len([line for line in lines if line.endswith(" launched")]) == 1
    assert lines == sorted(lines)


def test_warnings_of_the_cluster_and_long_times() -> None:
    details = run_definition_pb2.RunDetails()
    action = details.action
    action.status.start_time.seconds = 1_000_000
    attempt = action.attempts.add(attempt=1)
    for number in range(30):
        event = attempt.cluster_events.add(
            type="TYPE_WARNING", reason="Failed", message=f"pull {number}\nmore", count=5
        )
        event.occurred_at.seconds = 1_000_010 + number
    attempt.cluster_events.add(type="TYPE_NORMAL", reason="Scheduled").occurred_at.seconds = 1_000_005
    running = attempt.phase_transitions.add(phase=4)
    running.start_time.seconds, running.end_time.seconds = 1_000_050, 1_000_050 + 90_061
    lines = timeline(details)
    assert lines[1] == "1970-01-12T13:47:10.000Z attempt 1: Failed (5 times): pull 20"
    assert len(lines) == 12
    assert lines[-1] == "1970-01-12T13:47:30.000Z attempt 1: RUNNING for 1 day, 1:01:01"


def test_what_is_missing_or_cannot_be_is_no_error() -> None:
    """A newer server's phase, no times, a time that no calendar has."""
    details = run_definition_pb2.RunDetails()
    details.action.status.phase = 99  # type: ignore[assignment]  # an open enum
    details.action.status.end_time.seconds = 2**60
    details.action.attempts.add(attempt=1).phase_transitions.add(phase=98)
    assert timeline(details) == [
        "at no known time launched",
        "at no known time attempt 1: phase 98",
        "at no known time phase 99",
    ]
    assert timeline(run_definition_pb2.RunDetails()) == ["at no known time launched"]
