"""The connection's form of Airflow 2.11, by the HTTP requests of its pages."""

from __future__ import annotations

import json
from collections.abc import Mapping
from html.parser import HTMLParser
from typing import Any

from airflow_provider_flyte.connection.fields import FIELDS

NAMES = [field.name for field in FIELDS]


class Form(HTMLParser):
    """The fields that a browser sends of the form with this id."""

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
        """The contents of the fields of a connection to Flyte, without the empty ones."""
        values: dict[str, str | bool] = {}
        for name, value in self.fields.items():
            mine = name in ("conn_id", "host", "port", "login", "password") or name.startswith("extra__flyte__")
            if mine and value:
                values[name.removeprefix("extra__flyte__")] = name in self.checkboxes or value
        return values


class Pages:
    """Admin > Connections, for somebody who has signed in.

    :param http: a client of httpx or of Flask.
    :param user: who signs in.
    :param password: with which password.
    """

    def __init__(self, http: Any, user: str, password: str) -> None:
        self._http = http
        login = Form(http.get("/login/").text, "login").enter({"username": user, "password": password})
        assert http.post("/login/", data=login.fields).status_code == 302

    def add(self) -> Form:
        self._path = "/connection/add"
        self.page = self._http.get(self._path).text
        return Form(self.page, "model_form").enter({"conn_type": "flyte"})

    def edit(self, conn_id: str) -> Form:
        from airflow.models.connection import Connection
        from airflow.settings import Session

        assert Session is not None
        number = Session.query(Connection.id).filter_by(conn_id=conn_id).scalar()
        self._path = f"/connection/edit/{number}"
        self.page = self._http.get(self._path).text
        return Form(self.page, "model_form")

    def save(self, form: Form) -> None:
        answer = self._http.post(self._path, data=form.fields)
        assert answer.status_code == 302, answer.text

    def test(self, form: Form) -> tuple[bool, str]:
        """Press Test, and send what ``getSerializedFormData`` in the page's connection_form.js makes of the form."""
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
