"""What one task leaves behind holds no secret, on either Airflow: its logs at DEBUG, XCom, events and trigger.

``e2e/test_no_secret_is_left.py`` searches a whole Airflow 3.
"""

from __future__ import annotations

import json
import logging
import sys
from typing import Any

import pytest

from airflow_provider_flyte.exceptions import FlyteRunFailed, FlyteUnreachable
from airflow_provider_flyte.hooks import FlyteHook
from airflow_provider_flyte.testing import Fault, LocalFlyte
from airflow_provider_flyte.testing.calls import Call, Refusal
from tests.support.driving import Try
from tests.support.oauth2 import OAuth2Server
from tests.support.own_airflow import connection_json
from tests.support.secret_search import found, shown_by

pytestmark = pytest.mark.one_transport("grpc")

SECRETS = {
    "client secret": "correct-horse-battery",
    "header": "staple+of/the~header",
    "env of the run": "c4nary-of-the-run",
    "env of the container": "c4nary-of-the-container",
}


@pytest.mark.parametrize("arguments", [{"deferrable": False}, {"deferrable": True}], ids=["poke", "deferred"])
def test_nothing_shows_a_secret(
    local_flyte: LocalFlyte,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    arguments: dict[str, bool],
) -> None:
    caplog.set_level(logging.DEBUG)
    local_flyte.deploy("t", envs={"KEY": SECRETS["env of the container"]})
    for name in ("good", "bad", "refused"):
        local_flyte.run(name, task="t", envs={"KEY": SECRETS["env of the run"]}).phases("RUNNING", every=0.2)
    with OAuth2Server() as oauth2:
        oauth2.secrets["my-id"] = SECRETS["client secret"]
        oauth2.guard(local_flyte)
        extra = {
            "authentication": "client_credentials",
            "oauth_endpoint": oauth2.url,
            "secret_metadata": {"x-proxy-key": SECRETS["header"]},
        }
        login = {"login": "my-id", "password": SECRETS["client secret"]}
        stored = json.dumps(json.loads(connection_json(local_flyte, **extra)) | login)
        monkeypatch.setenv("AIRFLOW_CONN_FLYTE_DEFAULT", stored)
        tasks = {name: Try(run_name=name, **arguments) for name in ("good", "bad", "refused")}
        local_flyte.run("good").phases("RUNNING", "SUCCEEDED", every=0.5)
        local_flyte.run("bad").phases("RUNNING", "FAILED", every=0.5)
        value = tasks["good"].run()
        with pytest.raises(FlyteRunFailed) as failed:
            tasks["bad"].run()
        oauth2.secrets.clear()
        oauth2.revoke_all()
        with pytest.raises(FlyteUnreachable) as refused:
            tasks["refused"].run()
        tokens = {f"access token {number}": token for number, token in enumerate(oauth2.issued)}
    assert tokens
    sent = [call.metadata for call in local_flyte.calls("GetRunDetails")]
    assert {each["x-proxy-key"] for each in sent} == {SECRETS["header"]}
    sources = {
        "the log": "\n".join(f"{record.getMessage()} {record.args!r}" for record in caplog.records),
        "what it returns": json.dumps(value),
        "XCom": json.dumps([task.ti.xcoms for task in tasks.values()]),
        "events": json.dumps([task.events for task in tasks.values()]),
        "triggers": str([each.trigger.serialize() for task in tasks.values() for each in task.deferrals]),
        "the failure": shown_by(failed.value),
        "the refusal": shown_by(refused.value),
    }
    assert '"KEY"' in sources["what it returns"]
    assert found(SECRETS | tokens, sources.items()) == []
    # What other code of the task logs is masked by Airflow.
    used = {each["authorization"].removeprefix("Bearer ") for each in sent}
    assert used <= set(tokens.values())
    assert {masked(f"got {token}.") for token in used} == {"got ***."}


def masked(text: str) -> str:
    """As Airflow masks it in this process: 3.1 and newer, 3.0, 2.11."""
    homes = (f"airflow.{home}.secrets_masker" for home in ("sdk._shared", "sdk.execution_time", "utils.log"))
    maskers: list[Any] = [sys.modules[home] for home in homes if home in sys.modules]
    return str(maskers[0]._secrets_masker().redact(text))


class Repeats(Fault):
    """Refuses a call with all that it has brought."""

    def before(self, method: str, call: Call) -> None:
        raise Refusal("PERMISSION_DENIED", f"not allowed: {dict(call.metadata)}")


@pytest.mark.parametrize("arguments", [{"deferrable": False}, {"deferrable": True}], ids=["poke", "deferred"])
def test_a_server_that_repeats_the_token(
    local_flyte: LocalFlyte,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    arguments: dict[str, bool],
) -> None:
    caplog.set_level(logging.DEBUG)
    secret = "correct-horse-battery"
    stored = json.loads(connection_json(local_flyte, authentication="token")) | {"password": secret}
    monkeypatch.setenv("AIRFLOW_CONN_FLYTE_DEFAULT", json.dumps(stored))
    local_flyte.run("r1").move("RUNNING")
    for method in ("GetRunDetails", "ListRuns", "WatchRuns", "ListProjects"):
        local_flyte.inject(method, Repeats())
    task = Try(run_name="r1", **arguments)
    with pytest.raises(FlyteUnreachable) as refused:
        task.run()
    good, text = FlyteHook().test_connection()
    sources = {
        "the log": caplog.text,
        "events": json.dumps(task.events),
        "the refusal": shown_by(refused.value),
        "the Test button": text,
    }
    assert not good
    assert "not allowed: " in sources["the refusal"]
    assert "not allowed: " in text
    assert found({"token": secret}, sources.items()) == []
