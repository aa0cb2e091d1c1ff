"""An attempt to launch that failed -> wait and try again, or not. By tables, without a server."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_flyte.client.errors import (
    ConfigError,
    LaunchUncertainError,
    RpcError,
    Status,
    error_for,
)
from airflow_provider_flyte.exceptions import FlyteLaunchFailed, FlyteLaunchUncertain, FlyteRunError, FlyteUnreachable
from airflow_provider_flyte.launch.trouble import LaunchTrouble

NOW = 1000.0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, which the test sets."""
    time = [NOW]
    monkeypatch.setattr("airflow_provider_flyte.launch.trouble.time.time", lambda: time[0])
    return time


class Log:
    """The task's log."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def _add(self, event: str, *args: Any) -> None:
        self.lines.append(event % args if args else event)

    info = warning = error = _add


@pytest.fixture
def log() -> Log:
    return Log()


def rpc(code: Status, http_status: int | None = None) -> RpcError:
    error = error_for(code, "away", method="CreateRun", endpoint="here")
    error.http_status = http_status
    return error


def uncertain(first: Exception | None, http_status: int | None = None) -> LaunchUncertainError:
    error = rpc(Status.UNAVAILABLE, http_status).turned_into(LaunchUncertainError)
    error.__cause__ = first
    return error


def failed(kind: type[FlyteRunError], cause: Exception | None) -> FlyteRunError:
    error = kind("It failed.", run="r1", project="p", domain="d", url="http://there")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("kind", "cause", "waits"),
    [
        (FlyteUnreachable, rpc(Status.UNAVAILABLE), True),
        (FlyteUnreachable, rpc(Status.DEADLINE_EXCEEDED), True),
        # Which a broken database says too.
        (FlyteUnreachable, rpc(Status.NOT_FOUND), True),
        (FlyteUnreachable, rpc(Status.UNAUTHENTICATED), False),
        (FlyteUnreachable, ConfigError("no such key"), False),
        (FlyteUnreachable, None, False),
        (FlyteLaunchFailed, rpc(Status.UNAVAILABLE), True),
        (FlyteLaunchFailed, rpc(Status.NOT_FOUND), True),
        (FlyteLaunchFailed, rpc(Status.PERMISSION_DENIED), False),
        (FlyteLaunchFailed, rpc(Status.INVALID_ARGUMENT), False),
        # Somebody else launches runs of this name.
        (FlyteLaunchFailed, None, False),
        (FlyteLaunchUncertain, uncertain(rpc(Status.UNAVAILABLE)), True),
        (FlyteLaunchUncertain, uncertain(rpc(Status.INTERNAL)), True),
        # Flyte has the request, and may yet carry it out.
        (FlyteLaunchUncertain, uncertain(rpc(Status.DEADLINE_EXCEEDED)), False),
        (FlyteLaunchUncertain, uncertain(rpc(Status.UNAVAILABLE), 504), False),
        (FlyteLaunchUncertain, uncertain(rpc(Status.UNAVAILABLE), 503), True),
        (FlyteLaunchUncertain, uncertain(rpc(Status.PERMISSION_DENIED)), False),
        (FlyteLaunchUncertain, uncertain(None), False),
    ],
)
def test_which_attempts_are_repeated(
    clock: list[float], log: Log, kind: type[FlyteRunError], cause: Exception | None, waits: bool
) -> None:
    trouble = LaunchTrouble(60.0, log)
    error = failed(kind, cause)
    if waits:
        trouble.met(error, 990.0)
        assert (trouble.since, trouble.left, trouble.uncertain) == (990.0, 50.0, kind is FlyteLaunchUncertain)
        assert len(log.lines) == 1
        return
    with pytest.raises(kind) as raised:
        trouble.met(error, 990.0)
    assert raised.value is error
    assert (trouble.since, log.lines) == (None, [])


@pytest.mark.parametrize(
    ("limit", "since", "left"),
    [
        (None, None, None),
        (None, 990.0, None),
        (60.0, None, None),
        (60.0, 990.0, 50.0),
        (60.0, 940.0, 0.0),
        (60.0, 0.0, 0.0),
    ],
)
def test_how_much_time_is_left(
    clock: list[float], log: Log, limit: float | None, since: float | None, left: float | None
) -> None:
    assert LaunchTrouble(limit, log, since=since).left == left


def test_trouble_is_counted_from_its_beginning_and_logged_once(clock: list[float], log: Log) -> None:
    trouble = LaunchTrouble(60.0, log)
    error = failed(FlyteUnreachable, rpc(Status.UNAVAILABLE))
    trouble.met(error, 990.0)
    clock[0] = 1049.9
    trouble.met(error, 1040.0)
    assert trouble.since == 990.0
    assert log.lines == ["No answer from Flyte before the launch, still waiting: It failed."]
    clock[0] = 1050.0
    with pytest.raises(FlyteUnreachable) as raised:
        trouble.met(error, 1045.0)
    assert raised.value is error
    trouble.over()
    assert log.lines[1:] == ["Flyte answers again."]


def test_without_trouble_nothing_is_over(log: Log) -> None:
    LaunchTrouble(60.0, log).over()
    assert log.lines == []


def test_what_was_uncertain_once_stays_so(clock: list[float], log: Log) -> None:
    """The run may be there whatever comes after."""
    trouble = LaunchTrouble(60.0, log)
    trouble.met(failed(FlyteLaunchUncertain, uncertain(rpc(Status.UNAVAILABLE))), 990.0)
    assert log.lines == [
        "No answer from Flyte before the launch, still waiting: It is not known whether Flyte run r1 was launched. The "
        f"task looks for it, and launches only if Flyte does not have it. {rpc(Status.UNAVAILABLE)}"
    ]
    clock[0] = 1050.0
    with pytest.raises(FlyteLaunchUncertain) as raised:
        trouble.met(failed(FlyteUnreachable, rpc(Status.UNAVAILABLE)), 1049.0)
    error = raised.value
    assert str(error) == "Whether a Flyte run was launched is not known, it may still be running. It failed."
    assert (error.run, error.project, error.domain, error.url) == ("r1", "p", "d", "http://there")
    # What says so itself is left as it is.
    last = failed(FlyteLaunchUncertain, uncertain(rpc(Status.UNAVAILABLE)))
    with pytest.raises(FlyteLaunchUncertain) as raised:
        trouble.met(last, 1049.0)
    assert raised.value is last


@pytest.mark.parametrize(("kind", "compares"), [(FlyteUnreachable, True), (FlyteLaunchFailed, False)])
def test_a_worker_without_the_triggerers_way_to_flyte(
    clock: list[float], log: Log, kind: type[FlyteRunError], compares: bool
) -> None:
    trouble = LaunchTrouble(None, log, answers_triggerer=True)
    for _ in range(2):
        trouble.met(failed(kind, rpc(Status.UNAVAILABLE)), 990.0)
    assert len([line for line in log.lines if "has just answered the triggerer" in line]) == compares
    assert len(log.lines) == 1 + compares


@pytest.mark.parametrize("limit", [None, 60.0])
def test_after_a_trigger_that_crashed_the_next_error_ends_the_try(
    clock: list[float], log: Log, limit: float | None
) -> None:
    trouble = LaunchTrouble(limit, log)
    trouble.give_up()
    with pytest.raises(FlyteUnreachable):
        trouble.met(failed(FlyteUnreachable, rpc(Status.UNAVAILABLE)), NOW)
