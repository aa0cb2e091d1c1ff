"""The connection's form on Airflow 2.11, by the HTTP requests of its pages: created, opened again, tested and used."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime

import pytest
from airflow.models.connection import Connection

from airflow_provider_flyte.sensors import FlyteRunSensor
from airflow_provider_flyte.testing import RunHandle
from tests.support.after_first_poll import AfterFirstPoll
from tests.support.form_of_2 import NAMES, Pages
from tests.support.guarded_flytes import AUTHENTICATIONS, RUN, GuardedFlyte, guarded_flytes

USER, PASSWORD = "admin", "made-up-admin-password"
HIDDEN = "RATHER_LONG_SENSITIVE_FIELD_PLACEHOLDER"


@pytest.fixture(scope="module")
def flytes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, GuardedFlyte]]:
    folder = tmp_path_factory.mktemp("readable")
    with pytest.MonkeyPatch.context() as patch, guarded_flytes(folder) as made:
        patch.setenv("AIRFLOW__FLYTE__API_SERVER_FOLDERS", str(folder))
        yield made


@pytest.fixture(scope="module")
def pages(airflow_db: None) -> Iterator[Pages]:
    """All of the webserver but its sockets."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW__CORE__TEST_CONNECTION", "Enabled")
        from airflow.www.app import create_app

        app = create_app(testing=True)
        app.config["WTF_CSRF_ENABLED"] = True
        with app.app_context():
            security = app.appbuilder.sm
            security.add_user(USER, "Ad", "Min", "admin@example.com", security.find_role("Admin"), PASSWORD)
        with app.test_client() as http:
            yield Pages(http, USER, PASSWORD)


def test_the_form_is_drawn(pages: Pages) -> None:
    """2.11 drops a whole connection type that has a widget it cannot draw."""
    form = pages.add()
    assert '<option value="flyte">Flyte 2</option>' in pages.page
    drawn = {*form.fields, *form.checkboxes}
    assert {f"extra__flyte__{name}" for name in NAMES} <= drawn


@pytest.mark.parametrize("authentication", AUTHENTICATIONS)
def test_a_connection_made_by_hand(pages: Pages, flytes: dict[str, GuardedFlyte], authentication: str) -> None:
    guarded, conn_id = flytes[authentication], f"flyte_{authentication}"
    form = pages.add().enter({"conn_id": conn_id, **guarded.fields})
    assert pages.test(form) == (True, guarded.found())
    pages.save(form)

    form = pages.edit(conn_id)
    secret = guarded.fields.get("password")
    assert form.shown() == {name: value for name, value in guarded.fields.items() if value != secret} | {
        "conn_id": conn_id
    }
    if secret:
        assert str(secret) not in pages.page
        # Airflow leaves it out of the page, and so out of the test.
        good, said = pages.test(form)
        assert not good
        assert "but Secret (password) is empty: enter the" in said
        pages.save(form.enter({"host": "127.0.0.1"}))
        # What was not typed again is kept.
        assert Connection.get_connection_from_secrets(conn_id).password == secret
        pages.save(pages.edit(conn_id).enter({"host": guarded.fields.get("host", "")}))


def test_a_hidden_secret_is_not_taken_for_one(pages: Pages, flytes: dict[str, GuardedFlyte]) -> None:
    fields = flytes["none"].fields | {"conn_id": "flyte_headers", "secret_metadata": '{"x-proxy-key": "made-up-key"}'}
    pages.save(pages.add().enter(fields))
    form = pages.edit("flyte_headers")
    assert "made-up-key" not in pages.page
    assert json.loads(form.fields["extra"])["secret_metadata"] == HIDDEN
    assert pages.test(form) == (
        False,
        f"Settings: secret_metadata is {HIDDEN}, which Airflow shows instead of a secret: type it again.",
    )
    pages.save(form)
    stored = Connection.get_connection_from_secrets("flyte_headers").extra_dejson
    assert stored["secret_metadata"] == fields["secret_metadata"]


def test_waits_go_through_them(pages: Pages, flytes: dict[str, GuardedFlyte]) -> None:
    from airflow.models.dag import DAG

    with DAG("by_hand", schedule=None, start_date=datetime(2026, 1, 1)) as dag:
        for name in AUTHENTICATIONS:
            FlyteRunSensor(
                task_id=name,
                run_name=RUN,
                flyte_conn_id=f"flyte_{name}",
                deferrable=True,
                poke_interval=0.1,
                resume_after=0,
            )
    with ExitStack() as stack:
        for guarded in flytes.values():
            stack.enter_context(AfterFirstPoll(guarded.flyte, {RUN: RunHandle.succeeds}))
        dag_run = dag.test()
    assert {task.task_id: task.state for task in dag_run.get_task_instances()} == dict.fromkeys(
        AUTHENTICATIONS, "success"
    )
    for guarded in flytes.values():
        asked = guarded.flyte.calls("ListRuns")
        assert asked
        assert all(guarded.accepts(call.metadata.get("authorization", "")) for call in asked if call.code == "OK")
