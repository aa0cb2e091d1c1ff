"""Messages of TailLogs -> the lines that are new, and how they are shown. By tables, without a server."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_flyte.client.flows.run_log import (
    LINES_A_SECOND,
    LINES_AT_ONCE,
    Known,
    LogOfRun,
    LogPosition,
    positions_from,
    shown,
)
from airflow_provider_flyte.client.flows.select_cluster import OPERATIONS, question
from airflow_provider_flyte.client.idl.dataproxy import dataproxy_service_pb2
from airflow_provider_flyte.client.rpc import DataProxyService
from airflow_provider_flyte.client.run_key import RunKey

KEY = RunKey("p", "development", "r1")
SECOND = 10**9
START = 1_700_000_000 * SECOND


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def message(*lines: tuple[int, str]) -> Any:
    """One message with lines, each with its time in seconds after the start; below 0 it has none."""
    response = dataproxy_service_pb2.TailLogsResponse()
    log = response.logs.add()
    for at, text in lines:
        line = log.lines.add(message=text)
        if at >= 0:
            line.timestamp.seconds = START // SECOND + at
    return response


def texts(lines: list[str]) -> list[str]:
    return [line.rpartition(": ")[2] for line in lines if line.startswith("Log of ")]


class Log(LogOfRun):
    """A run's log, and the lines that it has written since they were read last."""

    def __init__(self, position: LogPosition | None = None, clock: Clock | None = None) -> None:
        self._lines: list[str] = []
        super().__init__(KEY, "", clock or Clock(), on_log=self._lines.append, position=position)

    def lines(self) -> list[str]:
        lines, self._lines[:] = list(self._lines), []
        return lines


def read(log: Log, *lines: tuple[int, str], batch: int = 100) -> list[str]:
    """What a stream that sends these lines gives, from their beginning."""
    call = log.stream()
    for start in range(0, len(lines), batch):
        call.read(message(*lines[start : start + batch]))
    return log.lines()


def test_how_lines_are_shown() -> None:
    assert read(Log(), (0, "one"), (-1, "two"), (1, "  three\r\nfour\x1b[1m")) == [
        "The log of attempt 1 of Flyte run r1 follows.",
        "Log of r1, 2023-11-14T22:13:20.000Z: one",
        "Log of r1, 2023-11-14T22:13:20.000Z: two",
        "Log of r1, 2023-11-14T22:13:21.000Z:   three four",
    ]


@pytest.mark.parametrize("at", [2**63 * SECOND, 253_402_300_800 * SECOND, 10**30])
def test_a_time_that_cannot_be_is_left_out(at: int) -> None:
    assert shown("r1", at, "x") == "Log of r1: x"
    assert shown("r1", 0, "x") == "Log of r1: x"


@pytest.mark.parametrize("seconds", [253_402_300_799, 9_223_372_037, 2**62, -1])
def test_a_time_that_no_event_takes_is_none(seconds: int) -> None:
    """Airflow's triggerer ends, with all that wait in it, where a number of an event has more than 64 bits."""
    log = Log()
    read(log, (0, "one"))
    response = message((-1, "two"))
    response.logs[0].lines[0].timestamp.seconds = seconds
    log.stream().read(response)
    assert log.lines() == ["Log of r1, 2023-11-14T22:13:20.000Z: two"] or log.position.at == START
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(log.position.to_json()))["at"] == log.position.at == START


def test_a_long_line_is_cut() -> None:
    assert len(shown("r1", START, "x" * 10_000_000)) < 2_100


LOGS = {
    "times of their own": [(number, f"line {number}") for number in range(60)],
    "the same lines again": [(number, "still waiting") for number in range(60)],
    "three a second": [(number // 3, f"line {number % 2}") for number in range(60)],
    "all in one second": [(5, f"line {number}") for number in range(60)],
    "all the same": [(5, "line") for number in range(60)],
    "without times": [(-1, f"line {number}") for number in range(60)],
    "the same without times": [(-1, "line") for number in range(60)],
    "some without times": [(-1 if number % 3 else number, f"line {number}") for number in range(60)],
}


@pytest.mark.parametrize("lines", LOGS.values(), ids=LOGS)
def test_a_stream_that_begins_again_repeats_and_loses_nothing(lines: list[tuple[int, str]]) -> None:
    for cut in range(1, len(lines)):
        log = Log()
        written = read(log, *lines[:cut])
        # Also for another process, which gets the position as JSON.
        again = Log(LogPosition.from_json(json.loads(json.dumps(log.position.to_json()))))
        for each in (log, again):
            assert texts(written + read(each, *lines)) == [text for _, text in lines], cut


@given(
    st.lists(st.tuples(st.integers(0, 3), st.sampled_from("ab")), min_size=1, max_size=40).map(
        lambda steps: [(sum(step for step, _ in steps[: at + 1]), text) for at, (_, text) in enumerate(steps)]
    ),
    st.lists(st.integers(1, 40), max_size=4),
)
def test_streams_that_begin_again_wherever_they_were_cut(lines: list[tuple[int, str]], cuts: list[int]) -> None:
    log, written = Log(), []
    for cut in [*cuts, len(lines)]:
        written += read(log, *lines[:cut], batch=7)
    assert texts(written) == [text for _, text in lines]


def test_a_stream_that_begins_a_thousand_lines_back() -> None:
    lines = [(number, f"line {number}") for number in range(60)]
    log = Log()
    assert texts(read(log, *lines[:20]) + read(log, *lines[30:])) == [f"line {n}" for n in (*range(20), *range(30, 60))]


def test_a_line_that_is_late_is_not_lost() -> None:
    log = Log()
    assert texts(read(log, (5, "a"), (3, "b"), (6, "c"))) == ["a", "b", "c"]
    assert texts(read(log, (5, "a"), (3, "b"), (6, "c"), (4, "d"))) == ["d"]


def test_the_position_stays_small() -> None:
    for lines in (*LOGS.values(), [(5, f"line {number}") for number in range(10_000)]):
        log = Log()
        for cut in range(1, len(lines), 100):
            read(log, *lines[:cut])
            assert len(json.dumps(log.position.to_json())) < 600


def test_more_than_so_many_lines_a_second_are_left_out_and_counted() -> None:
    clock = Clock()
    log = Log(clock=clock)
    lines = [(number, f"line {number}") for number in range(LINES_AT_ONCE + 1000)]
    call = log.stream()
    call.read(message(*lines[: LINES_AT_ONCE + 10]))
    assert len(texts(log.lines())) == LINES_AT_ONCE
    clock.now += 0.5
    call.read(message(*lines[LINES_AT_ONCE + 10 : LINES_AT_ONCE + 30]))
    assert log.lines() == []
    clock.now += 0.5
    call.read(message(*lines[LINES_AT_ONCE + 30 : LINES_AT_ONCE + 100]))
    said, *more = log.lines()
    assert said == (
        "Lines of the log of Flyte run r1 that are left out here: 30. More than 50 a second are not written; the run's "
        "page has them."
    )
    assert texts(more) == [f"line {number}" for number in range(LINES_AT_ONCE + 30, LINES_AT_ONCE + 30 + 50)]
    log.tell_left_out()
    log.tell_left_out()
    [said] = log.lines()
    assert said.startswith("Lines of the log of Flyte run r1 that are left out here: 20. ")
    clock.now += 3600
    call.read(message(*lines[-600:]))
    assert len(texts(log.lines())) == LINES_AT_ONCE
    assert LINES_A_SECOND == 50


def test_what_was_left_out_last_is_not_known() -> None:
    """So that the end of a failed run's log has it."""
    log = Log()
    lines = [(number, f"line {number}") for number in range(LINES_AT_ONCE + 30)]
    read(log, *lines)
    before = Known(log.position, gap=True)
    left = [text for at, text in lines if (START + at * SECOND, text) not in before]
    assert left == [f"line {number}" for number in range(LINES_AT_ONCE, LINES_AT_ONCE + 30)]


def test_what_was_left_out_before_a_line_that_was_written_is_no_end() -> None:
    clock = Clock()
    log = Log(clock=clock)
    lines = [(number, f"flood {number}") for number in range(LINES_AT_ONCE + 60)]
    call = log.stream()
    call.read(message(*lines))
    clock.now += 6
    last = [(1000 + number, f"epoch {number} done") for number in range(5)]
    call.read(message(*last))
    before = Known(log.position, gap=True)
    assert [text for at, text in [*lines, *last] if (START + at * SECOND, text) not in before] == []


def test_what_is_too_large_is_said_once_it_is_new() -> None:
    log = Log()
    call = log.stream()
    assert call.method.largest == 1 << 20
    instead = call.method.instead
    call.read(message((1, "one")))
    assert call.read(instead)
    said = (
        "A part of the log of Flyte run r1 is left out here, because it has lines, or a line, of more than 1 MiB. "
        "The run's page has it."
    )
    assert log.lines()[-1] == said
    again = log.stream()
    assert not again.read(instead)
    again.read(message((1, "one"), (2, "two")))
    again.read(instead)
    assert [line.rpartition(": ")[2] for line in log.lines()] == ["two", said]


@pytest.mark.parametrize("before", [[], [(1, "one")]], ids=["first", "after a line"])
def test_what_is_too_large_is_said_once_however_often_a_stream_begins_again(before: list[tuple[int, str]]) -> None:
    log, said = Log(), []
    for _ in range(5):
        call = log.stream()
        call.read(message(*before))
        said.append(call.read(call.method.instead))
    assert said == [True, False, False, False, False]
    # A second one is news, and so is one after a line.
    assert call.read(call.method.instead)
    call.read(message((2, "two")))
    assert call.read(call.method.instead)
    assert len([line for line in log.lines() if line.startswith("A part of the log ")]) == 3
    # As is that of another attempt.
    log._attempts = 2
    assert log.next_attempt()
    call = log.stream()
    assert call.read(call.method.instead)


def test_it_is_asked_where_all_logs_are() -> None:
    """On hosted Flyte a data plane has them."""
    call = Log().stream()
    asked = question(call.method, call.request)
    assert asked is not None
    assert (asked.operation, asked.project) == (OPERATIONS[DataProxyService.TailLogs], "p")


def test_nothing_comes_after_the_end() -> None:
    log = Log()
    call = log.stream()
    call.read(message(*((number, "x") for number in range(LINES_AT_ONCE + 5))))
    log.stop()
    assert log.lines()[-1].startswith("Lines of the log of Flyte run r1 that are left out here: 5. ")
    assert not call.read(message((10_000, "late")))
    log.stop()
    assert log.lines() == []


@pytest.mark.parametrize(
    "value",
    [
        None,
        "x",
        {"at": "x"},
        {"at": -1},
        {"at": 2**63},
        {"gap": [1, 2**70]},
        {"attempt": 0},
        {"attempt": True},
        {"count": 1.5},
        {"lines": 3},
        {"lines": ["a"]},
        {"lines": {"a": "b"}},
        {"gap": 3},
        {"gap": [1]},
        {"gap": ["a", "b"]},
        {"unknown": 1},
        {1: 2},
        [],
    ],
)
def test_what_is_no_position_is_the_beginning(value: Any) -> None:
    assert LogPosition.from_json(value) == LogPosition()
    assert positions_from(value) == {} or all(each == LogPosition() for each in positions_from(value).values())
