"""The connection's form on Airflow 2.11, by the HTTP requests of its pages: created, opened again, tested and used."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from datetime import datetime
from html.parser import HTMLParser
from typing import Any

import pytest
from airflow.models.connection import Connection

from airflow_provider_flyte.connection import FIELDS
from airflow_provider_flyte.sensors import FlyteRunSensor
from airflow_provider_flyte.testing import RunHandle
from tests.e2e.after_first_look import AfterFirstLook
from tests.guarded_flytes import AUTHENTICATIONS, RUN, GuardedFlyte, guarded_flytes

NAMES = [field.name for field in FIELDS]
USER, PASSWORD = "admin", "made-up-admin-password"
HIDDEN = "RATHER_LONG_SENSITIVE_FIELD_PLACEHOLDER"


class Form(HTMLParser):
    """What a browser sends of the form with this id."""

    def __init__(self, page: str, form_id: str) -> None:
        super().__init__()
        self.fields: dict[str, str] = {}
        self.checkboxes: set[str] = set()
        self._id = form_id
        self._inside = False
        self._text = self._select = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        name = values.get("name") or ""
        if tag == "form":
            self._inside = values.get("id") == self._id or values.get("name") == self._id
        elif not self._inside:
            return
        elif tag == "input" and name:
            if values.get("type") == "checkbox":
                self.checkboxes.add(name)
                if "checked" not in values:
                    return
            self.fields[name] = values.get("value") or ""
        elif tag == "textarea":
            self._text = name
            self.fields[name] = ""
        elif tag == "select":
            self._select = name
        elif tag == "option" and "selected" in values:
            self.fields[self._select] = values.get("value") or ""

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea":
            # HTML leaves out the first line break.
            self.fields[self._text] = self.fields[self._text].removeprefix("\r\n").removeprefix("\n")
            self._text = ""
        elif tag == "form":
            self._inside = False

    def handle_data(self, data: str) -> None:
        if self._text:
            self.fields[self._text] += data

    def enter(self, fields: Mapping[str, str | bool]) -> Form:
        for name, value in fields.items():
            key = f"extra__flyte__{name}" if name in NAMES else name
            if key not in self.checkboxes:
                self.fields[key] = str(value)
            elif value:
                self.fields[key] = "y"
            else:
                self.fields.pop(key, None)
        return self

    def shown(self) -> dict[str, str | bool]:
        """What stands in the fields of a connection to Flyte, empty ones left out."""
        values: dict[str, str | bool] = {}
        for name, value in self.fields.items():
            mine = name in ("conn_id", "host", "port", "login", "password") or name.startswith("extra__flyte__")
            if mine and value:
                values[name.removeprefix("extra__flyte__")] = name in self.checkboxes or value
        return values


class Pages:
    """Admin > Connections, for somebody who has signed in."""

    def __init__(self, http: Any) -> None:
        self._http = http
        login = Form(http.get("/login/").text, "login").enter({"username": USER, "password": PASSWORD})
        assert http.post("/login/", data=login.fields).status_code == 302

    def add(self) -> Form:
        self._path = "/connection/add"
        self.page = self._http.get(self._path).text
        return Form(self.page, "model_form").enter({"conn_type": "flyte"})

    def edit(self, conn_id: str) -> Form:
        from airflow.settings import Session

        number = Session.query(Connection.id).filter_by(conn_id=conn_id).scalar()
        self._path = f"/connection/edit/{number}"
        self.page = self._http.get(self._path).text
        return Form(self.page, "model_form")

    def save(self, form: Form) -> None:
        answer = self._http.post(self._path, data=form.fields)
        assert answer.status_code == 302, answer.text

    def test(self, form: Form) -> tuple[bool, str]:
        """Press Test: what the page's script makes of the form, ``getSerializedFormData`` in connection_form.js."""
        body: dict[str, Any] = {}
        extra: dict[str, Any] = {}
        for name, value in form.fields.items():
            if name == "conn_id":
                body["connection_id"] = value
            elif value == "" or name == "csrf_token":
                continue
            elif name == "port":
                body[name] = int(value)
            elif name == "extra":
                extra |= json.loads(value)
            elif name.startswith("extra__"):
                extra[name] = value
                extra[name.split("__", 2)[2]] = value
            else:
                body[name] = value
        answer = self._http.post("/api/v1/connections/test", json=body | {"extra": json.dumps(extra)})
        assert answer.status_code == 200, answer.text
        return answer.json["status"], answer.json["message"]


@pytest.fixture(scope="module")
def flytes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, GuardedFlyte]]:
    folder = tmp_path_factory.mktemp("readable")
    with pytest.MonkeyPatch.context() as patch, guarded_flytes(folder) as made:
        patch.setenv("AIRFLOW__FLYTE__TEST_CONNECTION_FOLDERS", str(folder))
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
            yield Pages(http)


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
            stack.enter_context(AfterFirstLook(guarded.flyte, {RUN: RunHandle.succeeds}))
        dag_run = dag.test()
    assert {task.task_id: task.state for task in dag_run.get_task_instances()} == dict.fromkeys(
        AUTHENTICATIONS, "success"
    )
    for guarded in flytes.values():
        asked = guarded.flyte.calls("ListRuns")
        assert asked
        assert all(guarded.accepts(call.metadata.get("authorization", "")) for call in asked if call.code == "OK")
