"""Airflow's own triggerer survives whatever a server says, and so do the waits beside."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from airflow_provider_flyte.testing import LocalFlyte
from airflow_provider_flyte.triggers import FlyteRunTrigger
from tests.support.own_airflow import connection_json
from tests.support.replay_server import Answer, ReplayServer
from tests.support.triggerer import Ran, run_triggers

OURS = "[2026-11-26, 12:00:00 UTC] {taskinstance.py:1} INFO - Marking task as SUCCESS"

JSON = {"content-type": "application/json"}


def refusal(message: str, **more: object) -> Answer:
    return Answer(401, JSON, [json.dumps({"code": "unauthenticated", "message": message, **more}).encode()])


ANSWERS = {
    "surrogate": refusal("bad \ud800 token"),
    "lines": refusal(f"no\n{OURS}\r\n\x1b[2Jclear\0"),
    "megabytes": refusal("x" * 3_000_000),
    "details": refusal("no", details=[{"type": "a\nb", "debug": {"\udfff": f"\u2028{OURS}\u202e"}}]),
    "nested": Answer(
        401, JSON, [b'{"code": "unauthenticated", "details": [{"debug": ' + b"[" * 900 + b"]" * 900 + b"}]}"]
    ),
    "page": Answer(200, {"content-type": "text/html"}, [f"<title>\x1b[31m{OURS}\n</title>".encode()]),
    "redirect": Answer(302, {"location": "http://[bad"}, [b""]),
    "redirect to a script": Answer(302, {"location": "javascript:alert(1)"}, [b""]),
    "type": Answer(200, {"content-type": "text/\x7f\x85"}, [b""]),
}


@pytest.fixture(scope="module")
def ran() -> Iterator[tuple[Ran, dict[str, int]]]:
    """One triggerer with a wait for each of the servers, and two for a Flyte that is as it should be."""
    with ExitStack() as stack:
        flyte = stack.enter_context(LocalFlyte(transports=("connect",)))
        flyte.run("r1").phases("RUNNING", "SUCCEEDED", every=3)
        flyte.run("r2").fails(kind="USER", message=f"no\n{OURS}\x1b[2J\0")
        connections = {"well": connection_json(flyte, transport="connect")}
        waits = {
            "well": FlyteRunTrigger("r1", flyte_conn_id="well"),
            "failed": FlyteRunTrigger("r2", flyte_conn_id="well"),
        }
        for number, (name, answer) in enumerate(ANSWERS.items()):
            server = stack.enter_context(ReplayServer(answer))
            host, _, port = server.endpoint.partition(":")
            extra = {"insecure": True, "transport": "connect", "project": "p", "domain": "d"}
            connections[f"c{number}"] = json.dumps(
                {"conn_type": "flyte", "host": host, "port": int(port), "extra": extra}
            )
            waits[name] = FlyteRunTrigger("r1", flyte_conn_id=f"c{number}", unreachable_after=1)
        yield run_triggers(list(waits.values()), connections), {name: place for place, name in enumerate(waits)}


def test_the_triggerer_and_its_other_waits_survive(ran: tuple[Ran, dict[str, int]]) -> None:
    became, places = ran
    assert became.alive, became.log[-3000:]
    assert became.failures == {}
    assert became.events[places["well"]]["ending"] == "succeeded"
    assert "Logging error" not in became.log


@pytest.mark.parametrize("name", [*ANSWERS, "failed"])
def test_what_the_event_has(ran: tuple[Ran, dict[str, int]], name: str) -> None:
    became, places = ran
    event = became.events[places[name]]
    assert event["ending"] == ("failed" if name == "failed" else "unreachable")
    assert event["message"].isprintable()
    # A list shows no reason for a failure; the worker reads it.
    assert (name != "failed") <= len(event["message"]) <= 500


def test_no_line_of_the_log_is_a_server_s(ran: tuple[Ran, dict[str, int]]) -> None:
    log = ran[0].log
    assert OURS in log
    assert not [line for line in log.splitlines() if line.startswith(OURS)]
    assert "\x1b[2J" not in log
    assert max(map(len, log.splitlines())) < 10_000
