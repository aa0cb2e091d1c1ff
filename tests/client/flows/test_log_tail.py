"""The last lines of an attempt's log, blocking and on a loop: what there is in time, and never an error."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from airflow_provider_flyte.client import FlyteClient, LogTail, RunDetails
from airflow_provider_flyte.client.errors import ConfigError
from airflow_provider_flyte.testing import LocalFlyte, cut_stream, silent_stream, status, unavailable
from tests.client.conftest import config_for
from tests.support.both_ways import called


@pytest.fixture(scope="module", params=["grpc", "connect"])
def server(request: pytest.FixtureRequest) -> Iterator[LocalFlyte]:
    with LocalFlyte(transports=(request.param,)) as flyte:
        yield flyte


@pytest.fixture
def flyte(server: LocalFlyte) -> Iterator[LocalFlyte]:
    yield server
    server.clear_faults()
    server.calls.clear()


def tail(flyte: LocalFlyte, way: str, name: str, **asked: Any) -> LogTail:
    client = FlyteClient(config_for(flyte))
    return called(client, client.tail_log, way, name, **asked)


def test_the_last_lines_of_a_long_log(flyte: LocalFlyte, way: str) -> None:
    name = f"long-{way}"
    flyte.run(name).move("RUNNING").logs(*(f"line {number}\n" for number in range(1000))).fails()
    seen = tail(flyte, way, name, lines=3)
    assert seen == LogTail(("line 997", "line 998", "line 999"))


def test_each_attempt_has_its_own(flyte: LocalFlyte, way: str) -> None:
    name = f"two-{way}"
    run = flyte.run(name).move("RUNNING").logs("first")
    run.fails(attempts=2).logs("second")
    assert tail(flyte, way, name, attempt=1).lines == ("first",)
    assert tail(flyte, way, name, attempt=2).lines == ("second",)


def test_what_came_in_time_counts_where_the_stream_stays_open(flyte: LocalFlyte, way: str) -> None:
    """As of a run that goes on, and of a backend that never closes."""
    name = f"open-{way}"
    flyte.run(name).move("RUNNING").logs("so far")
    assert tail(flyte, way, name, within=0.3) == LogTail(("so far",))


def test_a_stream_that_sends_nothing_is_left(flyte: LocalFlyte, way: str) -> None:
    name = f"silent-{way}"
    flyte.run(name).logs("never seen").fails()
    flyte.inject("TailLogs", silent_stream())
    assert tail(flyte, way, name, within=0.2) == LogTail()


def test_a_stream_that_breaks_leaves_what_it_sent(flyte: LocalFlyte, way: str) -> None:
    name = f"cut-{way}"
    flyte.run(name).move("RUNNING").logs("seen").fails()
    flyte.inject("TailLogs", cut_stream(after=1))
    seen = tail(flyte, way, name)
    assert seen.lines == ("seen",)
    assert "DataProxyService/TailLogs" in seen.trouble


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        # Nothing is wrong with the run's name or the address.
        (status("UNIMPLEMENTED", "not configured"), "Flyte has none (UNIMPLEMENTED: not configured)."),
        (status("NOT_FOUND", "pod is gone"), "Flyte has none (NOT_FOUND: pod is gone)."),
        (status("PERMISSION_DENIED", "no"), "TailLogs for run r1"),
        (unavailable(), "TailLogs for run r1"),
    ],
    ids=str,
)
def test_a_refusal_is_reported_and_not_raised(flyte: LocalFlyte, way: str, fault: Any, words: str) -> None:
    flyte.run("r1").move("FAILED")
    flyte.inject("TailLogs", fault)
    seen = tail(flyte, way, "r1")
    assert seen.lines == ()
    assert words in seen.trouble
    assert len(flyte.calls("TailLogs")) == 1


def test_a_pod_that_is_gone(flyte: LocalFlyte, way: str) -> None:
    flyte.run("r1").move("FAILED")
    assert tail(flyte, way, "r1").trouble == (
        "Flyte has none (NOT_FOUND: no log context found for action "
        'run:{project:"flytesnacks" domain:"development" name:"r1"} name:"a0" attempt 1).'
    )


def test_a_very_long_line_is_cut(flyte: LocalFlyte, way: str) -> None:
    name = f"wide-{way}"
    flyte.run(name).logs("x" * 100_000).fails()
    [line] = tail(flyte, way, name).lines
    assert len(line) == 2000
    assert line.strip("x") == " ... "


@pytest.mark.parametrize(
    "wrong",
    [{"attempt": 0}, {"attempt": True}, {"lines": 0}, {"lines": 1.5}, {"within": 0}, {"within": "5"}],
    ids=str,
)
def test_bad_input_is_refused_before_any_call(flyte: LocalFlyte, wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        tail(flyte, "blocking", "r1", **wrong)
    assert not len(flyte.calls)


async def test_the_details_know_the_last_attempt(flyte: LocalFlyte) -> None:
    flyte.run("known").move("RUNNING").logs("first").fails(attempts=2).logs("second")
    async with FlyteClient(config_for(flyte)):
        details = await RunDetails.get.aio("known")
        assert (await details.log_tail.aio()).lines == ("second",)
        assert details.log_tail(lines=1).lines == ("second",)


def test_a_last_attempt_without_a_number(flyte: LocalFlyte) -> None:
    """As protobuf reads a message that leaves it out."""
    flyte.run("unnumbered").move("RUNNING").logs("first").fails()
    with FlyteClient(config_for(flyte)):
        details = RunDetails.get("unnumbered")
        details.pb2.action.attempts[-1].attempt = 0
        assert details.log_tail().lines == ("first",)
