"""Airflow's pages as a person uses them, in a real Chromium or Chrome: the machine's, because the driver's own would be
a download.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote

import pytest
from playwright.sync_api import Dialog, Frame, Locator, Page, Request, ViewportSize, expect, sync_playwright
from playwright.sync_api import TimeoutError as PlaywrightTimeoutError

from airflow_provider_flyte.connection.fields import CONN_NAME, FIELDS
from tests.support.airflow_api import is_refused_by_sqlite

PROGRAM = shutil.which("chromium") or shutil.which("google-chrome")
_ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")
_PATIENCE = 60.0
_UNTIL_SENT = 8_000.0
"""Milliseconds until a click sends what it sends: three times of it are less than the driver's patience."""

_WINDOW: ViewportSize = {"width": 1000, "height": 900}
_AT_ONCE = """
*, *::before, *::after { animation-duration: 1ms !important; transition: none !important }
[data-scope=toast] { pointer-events: none !important }
"""
"""What slides, fades or is covered by a message is waited for before it is clicked."""

_FIELDS = {field.name: field for field in FIELDS}
_UNSET = "__null__"
"""What the form's lists hold as the value of their first entry."""


def require() -> None:
    """Skip the test where there is no browser; fail it where there has to be one."""
    if PROGRAM is None:
        assert "REQUIRE_CHROMIUM" not in os.environ, "chromium is missing"
        pytest.skip("chromium is not installed")


class Said(NamedTuple):
    """What the Test button shows."""

    title: str
    text: str


@contextmanager
def connections_page(url: str, user: str, password: str) -> Iterator[ConnectionsPage]:
    """Admin > Connections, for somebody who has signed in."""
    with _signed_in(url, user, password) as page:
        yield ConnectionsPage(page, f"{url}/connections")


@contextmanager
def log_page(url: str, user: str, password: str) -> Iterator[LogPage]:
    """The logs of tasks, for somebody who has signed in."""
    with _signed_in(url, user, password) as page:
        yield LogPage(page, url)


@contextmanager
def empty_page() -> Iterator[Page]:
    """A page of nobody."""
    expect.set_options(timeout=_PATIENCE * 1000)
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=PROGRAM, args=_ARGUMENTS)
        context = browser.new_context(viewport=_WINDOW)
        context.set_default_timeout(_PATIENCE * 1000)
        try:
            yield context.new_page()
        finally:
            browser.close()


@contextmanager
def _signed_in(url: str, user: str, password: str) -> Iterator[Page]:
    with empty_page() as page:
        page.goto(f"{url}/auth/login/")
        page.locator("input[name=username]").fill(user)
        page.locator("input[name=password]").fill(password)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url(f"{url}/")
        yield page


class LogPage:
    """The log of one task instance."""

    def __init__(self, page: Page, url: str) -> None:
        self._page = page
        self._url = url

    def open(self, task: Mapping[str, Any]) -> None:
        """Show the log of a task instance, as the API gives it."""
        self._page.goto(f"{self._url}/dags/{task['dag_id']}/runs/{task['dag_run_id']}/tasks/{task['task_id']}")

    def shows(self, *lines: str) -> None:
        """Wait until each of these lines is there."""
        for line in lines:
            expect(self._page.get_by_text(line).first).to_be_visible()


class ConnectionsPage:
    """The list of connections."""

    def __init__(self, page: Page, url: str) -> None:
        self._page = page
        self._url = url
        self._toasts = page.locator("[data-scope=toast][data-part=root]")
        self.open()

    def open(self) -> None:
        """Load it anew, without what was said and marked before."""
        self._page.goto(self._url)
        self._page.add_style_tag(content=_AT_ONCE)

    def another_window(self) -> ConnectionsPage:
        """The same list, as somebody else has it."""
        return ConnectionsPage(self._page.context.new_page(), self._url)

    def add(self, conn_id: str) -> ConnectionForm:
        """An empty form, for a connection to Flyte of this name."""
        self._page.get_by_role("button", name="Add Connection").click()
        form = ConnectionForm(self._page)
        form.begin(conn_id)
        return form

    def edit(self, conn_id: str) -> ConnectionForm:
        """The form of a connection that there is."""
        self._button(conn_id, "Edit Connection").click()
        form = ConnectionForm(self._page)
        form.until_filled(conn_id)
        return form

    def test(self, conn_id: str) -> Said:
        """Press its Test button, and read."""
        self._toasts.evaluate_all("all => all.forEach(one => one.dataset.old = 'yes')")
        self._button(conn_id, "Test Connection").click()
        toast = self._toasts.and_(self._page.locator(":not([data-old])")).filter(has_text="Test Connection")
        title, text = (toast.locator(f"[data-part={part}]") for part in ("title", "description"))
        return Said(title.inner_text(), text.inner_text())

    def picture(self, path: Path) -> None:
        """The list, with what was said last."""
        _picture(self._page, path, 720)

    def _button(self, conn_id: str, name: str) -> Locator:
        cell = self._page.get_by_role("cell", name=conn_id, exact=True)
        return self._page.get_by_role("row").filter(has=cell).get_by_role("button", name=name)


class ConnectionForm:
    """The form of one connection, as it is drawn from the provider's fields."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._dialog = page.get_by_role("dialog")

    def begin(self, conn_id: str) -> None:
        """Name it and choose its type."""
        self._input("connection_id").fill(conn_id)
        self._dialog.get_by_role("combobox").first.click()
        self._page.keyboard.type(CONN_NAME)
        self._page.keyboard.press("Enter")
        self._input("element_project").wait_for(state="attached")

    def until_filled(self, conn_id: str) -> None:
        """It is drawn empty at first."""
        expect(self._input("connection_id")).to_have_value(conn_id)
        self._input("element_project").wait_for(state="attached")

    def enter(self, fields: Mapping[str, str | bool]) -> ConnectionForm:
        """Type values into fields, choose them from lists, and switch switches.

        :param fields: by their names in the connection.
        """
        # One section is open at a time.
        for section, mine in (("Standard Fields", False), ("Extra Fields", True)):
            chosen = {name: value for name, value in fields.items() if (name in _FIELDS) is mine}
            if chosen:
                self._open(section)
            for name, value in chosen.items():
                self._enter(name, value)
        return self

    def shown(self) -> dict[str, str | bool]:
        """What stands in it, empty fields left out."""
        entries: list[tuple[str, str | bool]] = self._dialog.locator("input[name], textarea[name]").evaluate_all(
            "all => all.map(one => [one.name, one.type === 'checkbox' ? one.checked : one.value])"
        )
        return {name.removeprefix("element_"): value for name, value in entries if value and value != _UNSET}

    def save(self) -> None:
        """Press Save, and wait until the list shows what is stored now."""
        with self._page.expect_response(
            lambda answer: "/connections?" in answer.url and answer.request.method == "GET"
        ):
            self._press_save()
        self._dialog.wait_for(state="hidden")
        self._page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def _press_save(self) -> None:
        """Until something is sent, and taken: the form is drawn anew while it gets its values, and a click meanwhile is
        lost.

        What is sent may be answered late, and a form that was saved has no button to press again.
        """
        for is_last in (False, False, True):
            try:
                with self._page.expect_request(
                    lambda request: request.method in ("POST", "PATCH"), timeout=_UNTIL_SENT
                ) as sent:
                    self._dialog.get_by_role("button", name="Save").click()
            except PlaywrightTimeoutError:
                if is_last:
                    raise
            else:
                answer = sent.value.response()
                assert answer is not None
                if not is_last and is_refused_by_sqlite(answer.text()):
                    continue
                assert answer.ok, f"{answer.status}: {answer.text()}"
                return

    def close(self) -> None:
        """Leave it as it was."""
        self._page.keyboard.press("Escape")
        self._dialog.wait_for(state="hidden")

    def picture(self, section: str, path: Path, height: int) -> None:
        """From its top on, with one section open."""
        self._open(section)
        _picture(self._page, path, height, self._input("connection_id"))

    def _open(self, section: str) -> None:
        button = self._dialog.get_by_role("button", name=section, exact=True)
        if button.get_attribute("aria-expanded") == "false":
            button.click()

    def _enter(self, name: str, value: str | bool) -> None:
        field = _FIELDS.get(name)
        if field is None:
            self._input(name).fill(str(value))
        elif field.kind == "boolean":
            if self._input(f"element_{name}").is_checked() is not value:
                self._dialog.locator(f"label:has([name=element_{name}])").click()
        elif field.choices:
            self._dialog.locator(f"#element_{name}").get_by_role("combobox").click()
            self._page.get_by_role("option", name=str(value), exact=True).click()
        else:
            self._input(f"element_{name}").fill(str(value))

    def _input(self, name: str) -> Locator:
        return self._dialog.locator(f"[name={name}]")


def _picture(page: Page, path: Path, height: int, top: Locator | None = None) -> None:
    page.set_viewport_size({**_WINDOW, "height": height})
    page.mouse.move(0, 0)
    if top is not None:
        top.scroll_into_view_if_needed()
    hidden = "[data-old]" if top is None else "[data-scope=toast]"
    page.screenshot(path=path, animations="disabled", style=f"{hidden} {{ visibility: hidden }}")
    page.set_viewport_size(_WINDOW)


@contextmanager
def flyte_tab(url: str, user: str, password: str) -> Iterator[FlyteTab]:
    """The tab "Flyte" of task instances, for somebody who has signed in."""
    with _signed_in(url, user, password) as page:
        yield FlyteTab(page, url)


class FlyteTab:
    """The tab "Flyte" of a task instance, a DAG run or a DAG, in Airflow's page."""

    def __init__(self, page: Page, url: str) -> None:
        self._page = page
        self._url = url
        self._frame = page.frame_locator("iframe[title=Flyte]")
        self.complaints: list[str] = []
        """What the browser objects to: errors of scripts, what the policy refuses, dialogs, other origins asked."""
        page.on("console", lambda said: self.complaints.append(said.text) if _objects(said.type, said.text) else None)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("dialog", self._dismiss)
        page.on("request", self._note_origin)

    def _dismiss(self, dialog: Dialog) -> None:
        self.complaints.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _note_origin(self, request: Request) -> None:
        if "/flyte/" in request.frame.url and not request.url.startswith(f"{self._url}/flyte/"):
            self.complaints.append(f"asked: {request.url}")

    def open(self, task: Mapping[str, Any]) -> None:
        """Press the tab on the page of a task instance, as the API gives it."""
        self._page.goto(f"{self._url}{_path(task)}")
        self._page.get_by_role("link", name="Flyte", exact=True).click()

    def open_list(self, dag_id: str, run_id: str | None = None) -> None:
        """Press the tab on the page of a DAG, or of a DAG run."""
        # Not the overview of a DAG, which is drawn for seconds.
        self._page.goto(f"{self._url}/dags/{dag_id}/{f'runs/{run_id}' if run_id else 'tasks'}")
        self._page.get_by_role("link", name="Flyte", exact=True).click()

    def row(self, task: str) -> Locator:
        """The first row of a list with a task instance, by what the list calls it."""
        link = self._frame.get_by_role("link", name=task, exact=True)
        return self._frame.get_by_role("row").filter(has=link).first

    def leads_to(self, press: Locator, task: Mapping[str, Any]) -> None:
        """Follow a link by the keyboard to the tab of a task instance."""
        press.focus()
        self._page.keyboard.press("Enter")
        self._page.wait_for_url("**/plugin/flyte")
        assert unquote(self._page.url) == unquote(f"{self._url}{_path(task)}/plugin/flyte")

    def required_action(self, task: Mapping[str, Any]) -> Page:
        """Airflow's own page with what a task instance asks."""
        self._page.goto(f"{self._url}{_path(task)}/required_actions")
        return self._page

    def part(self, name: str) -> Locator:
        """A part of the page, by its id."""
        return self._frame.locator(f"#{name}")

    def button(self, name: str) -> Locator:
        """A button, by what stands on it."""
        return self._frame.get_by_role("button", name=name)

    def unfold(self, name: str) -> None:
        """Open a part that is folded, by what stands on it."""
        self._frame.locator("summary", has_text=name).click()

    def shows(self, **parts: str) -> None:
        """Wait until each of these parts has this text."""
        for name, text in parts.items():
            expect(self.part(name)).to_have_text(text)

    def choose_theme(self, name: str) -> None:
        """Let Airflow's page be light or dark, as its own switch does."""
        self._page.evaluate("name => { document.documentElement.className = name }", name)
        expect(self._frame.locator("html")).to_have_class("dark" if name == "dark" else "")

    def barriers(self) -> list[str]:
        """What keeps people from using the page, as axe finds it."""
        frame = self._page.frame(url=lambda url: "/flyte/" in url)
        assert frame is not None
        return barriers(frame)

    def opened_by(self, press: Locator) -> str:
        """The address of the window that this opens; nobody answers there but the test."""
        self._page.context.route("**/v2/domain/**", lambda route: route.fulfill(body="the console"))
        with self._page.context.expect_page() as opened:
            press.click()
        opened.value.wait_for_load_state()
        address = opened.value.url
        opened.value.close()
        return address

    def picture(self, path: Path) -> None:
        """Airflow's page with the tab."""
        before = len(self.complaints)
        _picture(self._page, path, 820)
        # The policy refuses the style by which the driver hides things in every frame.
        del self.complaints[before:]


def barriers(page: Page | Frame) -> list[str]:
    """What keeps people from using a page, as axe finds it."""
    page.evaluate((files("axe_playwright_python") / "axe.min.js").read_text())
    found: list[str] = page.evaluate(
        "async () => (await axe.run()).violations.map(one => `${one.id}: ${one.nodes.map(n => n.html)}`)"
    )
    return found


def _path(task: Mapping[str, Any]) -> str:
    """The path of a task instance's page in Airflow."""
    mapped = f"/mapped/{task['map_index']}" if task["map_index"] >= 0 else ""
    return f"/dags/{task['dag_id']}/runs/{task['dag_run_id']}/tasks/{task['task_id']}{mapped}"


def _objects(kind: str, text: str) -> bool:
    return "Content Security Policy" in text or (kind == "error" and "/flyte/" in text)
