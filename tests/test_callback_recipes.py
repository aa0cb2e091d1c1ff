"""The callbacks of docs/callbacks.md, as Airflow calls them, and what a webhook and a mail server are sent by them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_flyte.testing import LocalFlyte
from tests.support.own_airflow import AIRFLOW
from tests.support.receivers import mail_server, webhook
from tests.test_docs import dag_file

pytestmark = [pytest.mark.one_transport("grpc"), pytest.mark.timeout(180)]


@pytest.mark.usefixtures("airflow_db")
def test_slack_is_told(flyte_default: LocalFlyte, monkeypatch: pytest.MonkeyPatch) -> None:
    flyte_default.deploy("train.fit")
    dag = dag_file("callbacks", "tell_slack").dag
    dag.task_dict["train"].resume_after = 0
    with webhook() as (url, received):
        monkeypatch.setenv("SLACK_WEBHOOK_URL", url)
        flyte_default.on_launch(lambda run: run.phases("RUNNING", "RUNNING", every=0.2).succeeds())
        dag.test()
        flyte_default.on_launch(lambda run: run.fails(message="<!channel> no rows"))
        dag.test()
    said = [message["text"] for message in received]
    good, bad = flyte_default.runs()
    page = re.search(r"http\S+/runs/", said[1])
    assert page
    assert said == [
        "train launches a Flyte run",
        f"train: Flyte run {good.name} has succeeded {page[0]}{good.name}",
        "train launches a Flyte run",
        f"train: Flyte run {bad.name} FAILED (USER): &lt;!channel&gt; no rows {page[0]}{bad.name}",
    ]


def test_what_slack_is_told_of_other_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow_provider_flyte.exceptions import FlyteRunFailed, FlyteRunMissing
    from tests.support.driving import TaskInstance

    tell_of_failure = dag_file("callbacks", "tell_slack").tell_of_failure
    missing, failed = (
        kind("text", run=run, project="p", domain="d", url=f"http://flyte/{run}")
        for kind, run in ((FlyteRunMissing, "r1"), (FlyteRunFailed, "r2"))
    )
    with webhook() as (url, received):
        monkeypatch.setenv("SLACK_WEBHOOK_URL", url)
        for error in (FlyteRunMissing("both", run="r1", project="p", domain="d", errors=[missing, failed]), "killed"):
            tell_of_failure({"ti": TaskInstance(), "exception": error})
    assert [message["text"] for message in received] == [
        "train: FlyteRunMissing, Flyte run r1 http://flyte/r1",
        "train: Flyte run r2  ():  http://flyte/r2",
        "train: killed",
    ]


@pytest.mark.usefixtures("airflow_db")
def test_a_mail_is_sent(flyte_default: LocalFlyte, monkeypatch: pytest.MonkeyPatch) -> None:
    flyte_default.run("nightly-training").fails(message="<b>no rows</b>")
    dag = dag_file("callbacks", "mail_failures").dag
    with mail_server() as (port, received):
        connection = {
            "conn_type": "smtp",
            "host": "127.0.0.1",
            "port": port,
            "extra": {"disable_ssl": True, "disable_tls": True},
        }
        monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", json.dumps(connection))
        dag.test()
    [mail] = received
    assert mail["Subject"] == "mail_failures: Flyte run nightly-training"
    payload: Any = mail.get_payload()
    text = payload[0].get_payload(decode=True).decode() if isinstance(payload, list) else payload
    assert "&lt;b&gt;no rows&lt;/b&gt;" in text
    assert "/runs/nightly-training" in text


if AIRFLOW >= (3, 1):

    async def test_a_delay_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        """By the trigger in which Airflow's triggerer calls such a function."""
        from airflow.triggers.callback import CallbackTrigger

        page = (Path(__file__).parents[1] / "docs" / "callbacks.md").read_text()
        [block] = [one for one in re.findall(r"^```python\n(.*?)^```", page, re.M | re.S) if "async def" in one]
        (tmp_path / "alerts.py").write_text(block)
        monkeypatch.syspath_prepend(tmp_path)
        dag_run = {"dag_id": "train_in_time", "dag_run_id": "scheduled__1", "state": "running"}
        with webhook() as (url, received):
            monkeypatch.setenv("SLACK_WEBHOOK_URL", url)
            [path] = re.findall(r'AsyncCallback\("(.*?)"\)', page)
            async for _ in CallbackTrigger(path, {"context": {"dag_run": dag_run, "deadline": {}}}).run():
                pass
        assert received == [{"text": "train_in_time scheduled__1 is still running"}]
