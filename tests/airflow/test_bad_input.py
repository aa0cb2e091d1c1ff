"""What a user reads when something is wrong, poking and deferred."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from airflow_provider_flyte.compat import AirflowFailException, AirflowSkipException
from airflow_provider_flyte.exceptions import FlyteArgumentError, FlyteConfigurationError, FlyteUnreachable
from airflow_provider_flyte.testing import LocalFlyte
from tests.support.driving import Try
from tests.support.own_airflow import connection_json
from tests.support.strangers import stranger

pytestmark = [
    pytest.mark.one_transport("grpc"),
    pytest.mark.parametrize("deferrable", [False, True], ids=["poke", "deferred"]),
]


def _ends(expected: type[Exception], **arguments: Any) -> str:
    with pytest.raises(expected) as ended:
        Try(**{"run_name": "r1", "unreachable_after": 0.3} | arguments).run()
    return str(ended.value)


@pytest.mark.parametrize("name", ["Train_1", "1run", "run-", "a" * 31, "", None, 7, "{{ oops }}"])
def test_a_run_name_that_flyte_cannot_have(flyte_default: LocalFlyte, deferrable: bool, name: object) -> None:
    words = _ends(FlyteArgumentError, run_name=name, deferrable=deferrable)
    assert repr(name) in words
    assert "run_name" in words
    assert flyte_default.calls() == []


def test_a_wrong_argument_is_not_retried_and_only_never_fail_hides_it(
    flyte_default: LocalFlyte, deferrable: bool
) -> None:
    assert issubclass(FlyteArgumentError, AirflowFailException)
    for flags in ({}, {"soft_fail": True}, {"silent_fail": True}):
        _ends(FlyteArgumentError, run_name="No!", deferrable=deferrable, **flags)
    _ends(AirflowSkipException, run_name="No!", deferrable=deferrable, never_fail=True)


@pytest.mark.parametrize("argument", ["missing_after", "unreachable_after", "resume_after"])
def test_seconds_that_are_none(flyte_default: LocalFlyte, deferrable: bool, argument: str) -> None:
    words = _ends(FlyteArgumentError, deferrable=deferrable, **{argument: "soon"})
    assert words.startswith(f"{argument} is 'soon'; give a number of seconds")


@pytest.mark.parametrize("part", ["project", "domain"])
def test_project_or_domain_is_nowhere(
    local_flyte: LocalFlyte, monkeypatch: pytest.MonkeyPatch, deferrable: bool, part: str
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_FLYTE_DEFAULT", connection_json(local_flyte, **{part: None}))
    words = _ends(FlyteConfigurationError, deferrable=deferrable)
    assert f"No Flyte {part} for run 'r1'. Set {part}=..., or '{part}' in the connection's extra fields" in words
    assert "'flyte_default'" in words
    assert local_flyte.calls() == []


def test_a_text_that_cannot_be_sent(flyte_default: LocalFlyte, deferrable: bool) -> None:
    words = r"is '\ud800', which holds a lone surrogate"
    assert f"project {words}" in _ends(FlyteConfigurationError, project="\ud800", deferrable=deferrable)
    assert f"flyte_conn_id {words}" in _ends(FlyteArgumentError, flyte_conn_id="\ud800", deferrable=deferrable)
    assert flyte_default.calls() == []


def test_there_is_no_connection(airflow_db: None, deferrable: bool) -> None:
    words = _ends(FlyteConfigurationError, flyte_conn_id="nowhere", deferrable=deferrable)
    assert "There is no Airflow connection 'nowhere'. Create it under Admin > Connections" in words
    assert "AIRFLOW_CONN_NOWHERE" in words


def test_nothing_listens(monkeypatch: pytest.MonkeyPatch, deferrable: bool) -> None:
    with LocalFlyte() as gone:
        monkeypatch.setenv("AIRFLOW_CONN_FLYTE_DEFAULT", connection_json(gone))
    words = _ends(FlyteUnreachable, deferrable=deferrable)
    assert "the run itself may still be running" in words
    assert f"Nothing usable answered at {gone.endpoint}: check the connection's host and port" in words


def test_something_else_listens(monkeypatch: pytest.MonkeyPatch, deferrable: bool) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        port = other.server_address[1]
        stored = {"conn_type": "flyte", "host": "localhost", "port": port, "extra": {"insecure": True}}
        monkeypatch.setenv("AIRFLOW_CONN_FLYTE_DEFAULT", json.dumps(stored))
        words = _ends(FlyteUnreachable, deferrable=deferrable, unreachable_after=300, project="p", domain="d")
        other.shutdown()
    assert "HTTP 501 from BaseHTTP" in words
    assert 'with "Error response"' in words
    assert f"Something other than a Flyte 2 API answers at localhost:{port}" in words


def test_tls_against_plaintext(local_flyte: LocalFlyte, monkeypatch: pytest.MonkeyPatch, deferrable: bool) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_FLYTE_DEFAULT", connection_json(local_flyte, insecure=False))
    words = _ends(FlyteUnreachable, deferrable=deferrable, unreachable_after=300)
    assert f"{local_flyte.endpoint} does not speak TLS: switch Insecure on in the Flyte connection" in words


def test_plaintext_against_tls(
    certificate: tuple[bytes, bytes], monkeypatch: pytest.MonkeyPatch, deferrable: bool
) -> None:
    with LocalFlyte(tls=certificate) as flyte:
        monkeypatch.setenv("AIRFLOW_CONN_FLYTE_DEFAULT", connection_json(flyte))
        words = _ends(FlyteUnreachable, deferrable=deferrable, unreachable_after=300)
    assert f"{flyte.endpoint} speaks TLS: switch Insecure off in the Flyte connection" in words


def test_a_server_whose_answers_cannot_be_read(
    protocol: str, monkeypatch: pytest.MonkeyPatch, deferrable: bool
) -> None:
    with stranger(protocol) as server:
        monkeypatch.setenv("AIRFLOW_CONN_FLYTE_DEFAULT", connection_json(server, transport=protocol))
        words = _ends(FlyteUnreachable, deferrable=deferrable, unreachable_after=300)
    assert f"Something other than a Flyte 2 API answers at {server.endpoint}" in words


def test_a_phase_that_nobody_knows_is_not_over(flyte_default: LocalFlyte, deferrable: bool) -> None:
    flyte_default.run("r1").phases(99, "SUCCEEDED", every=0.3)
    value = Try(run_name="r1", deferrable=deferrable).run()
    assert value["action"]["status"]["phase"] == "ACTION_PHASE_SUCCEEDED"
