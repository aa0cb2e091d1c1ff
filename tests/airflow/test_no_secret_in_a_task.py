"""What one task leaves behind holds no secret, on either Airflow: its logs at DEBUG, XCom, events and trigger.

``e2e/test_no_secret_is_left.py`` searches a whole Airflow 3.
"""

from __future__ import annotations

import json
import logging

import pytest

from airflow_provider_flyte.exceptions import FlyteRunFailed, FlyteUnreachable
from airflow_provider_flyte.testing import LocalFlyte
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
    extra = {"authentication": "client_credentials", "secret_metadata": {"x-proxy-key": SECRETS["header"]}}
    login = {"login": "my-id", "password": SECRETS["client secret"]}
    stored = json.dumps(json.loads(connection_json(local_flyte, **extra)) | login)
    monkeypatch.setenv("AIRFLOW_CONN_FLYTE_DEFAULT", stored)
    local_flyte.deploy("t", envs={"KEY": SECRETS["env of the container"]})
    for name in ("good", "bad", "refused"):
        local_flyte.run(name, task="t", envs={"KEY": SECRETS["env of the run"]}).phases("RUNNING", every=0.2)
    with OAuth2Server() as oauth2:
        oauth2.secrets["my-id"] = SECRETS["client secret"]
        oauth2.guard(local_flyte)
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
    # The token server's own log is not ours.
    logged = [record for record in caplog.records if not record.name.startswith("oauthlib")]
    sources = {
        "the log": "\n".join(f"{record.getMessage()} {record.args!r}" for record in logged),
        "what it returns": json.dumps(value),
        "XCom": json.dumps([task.ti.xcoms for task in tasks.values()]),
        "events": json.dumps([task.events for task in tasks.values()]),
        "triggers": str([each.trigger.serialize() for task in tasks.values() for each in task.deferrals]),
        "the failure": shown_by(failed.value),
        "the refusal": shown_by(refused.value),
    }
    assert '"KEY"' in sources["what it returns"]
    assert found(SECRETS | tokens, sources.items()) == []
