"""The connection's form in a real browser: a connection by hand for each authentication, tested and waited through."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e import browser
from tests.support.airflow_process import USER, StandaloneAirflow
from tests.support.guarded_flytes import AUTHENTICATIONS, RUN, TOKEN, GuardedFlyte, guarded_flytes

# Without a browser, Airflow need not be started for it.
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300), pytest.mark.usefixtures("chromium")]

GOOD, BAD = "Test Connection Successful", "Test Connection Failed"


@pytest.fixture(scope="module")
def flytes(readable_folder: Path) -> Iterator[dict[str, GuardedFlyte]]:
    with guarded_flytes(readable_folder) as made:
        yield made


@pytest.fixture(scope="session")
def chromium() -> None:
    browser.require()


@pytest.fixture(scope="module")
def page(airflow: StandaloneAirflow) -> Iterator[browser.ConnectionsPage]:
    with browser.connections_page(airflow.url, USER, airflow.password) as opened:
        yield opened


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where pictures go: with ``make pictures`` into the documentation, else nowhere that stays."""
    return Path(os.environ.get("PICTURES") or tmp_path_factory.mktemp("pictures"))


@pytest.mark.parametrize("authentication", AUTHENTICATIONS)
def test_a_connection_made_by_hand(
    page: browser.ConnectionsPage, flytes: dict[str, GuardedFlyte], pictures: Path, authentication: str
) -> None:
    guarded, conn_id = flytes[authentication], f"flyte_{authentication}"
    form = page.add(conn_id).enter(guarded.fields)
    if authentication == "client_credentials":
        form.picture("Extra Fields", pictures / "connection-form-extra.png", 1060)
        form.picture("Standard Fields", pictures / "connection-form.png", 850)
    form.save()

    form = page.edit(conn_id)
    masked = {"password": "***"} if "password" in guarded.fields else {}
    assert form.shown() == guarded.fields | {"connection_id": conn_id} | masked
    form.close()

    if authentication == "client_credentials":
        page.open()
    assert page.test(conn_id) == (GOOD, guarded.found())
    if authentication == "client_credentials":
        page.picture(pictures / "connection-test-good.png")


@pytest.fixture(scope="module")
def dag_run(page: browser.ConnectionsPage, airflow: StandaloneAirflow) -> str:
    """A DAG run with a wait through each connection that was made: it goes on while the form is used."""
    airflow.api.wait_for_dags("by_hand")
    return airflow.api.trigger("by_hand")


@pytest.fixture(scope="module")
def mistaken(page: browser.ConnectionsPage, flytes: dict[str, GuardedFlyte]) -> str:
    """A connection that one may spoil."""
    page.add("flyte_mistaken").enter(flytes["client_credentials"].fields).save()
    return "flyte_mistaken"


@pytest.mark.parametrize(
    ("fields", "step", "advice"),
    [
        ({"port": "1"}, "Endpoint: ", "Nothing usable answered at localhost:1: check the connection's host and port"),
        ({"insecure": False}, "TLS: ", "does not speak TLS: switch Insecure on in the Flyte connection"),
        ({"password": "correct-hose"}, "Credentials: ", "invalid_client. Check client id, client secret, scopes"),
        ({"project": "flytesnack"}, "Project: ", "Flyte has no project 'flytesnack'; visible are: flytesnacks."),
        (
            {"authentication": "token_file", "credentials_file": "/etc/passwd"},
            "Settings: ",
            "credentials_file names the file /etc/passwd, which the Test button does not open.",
        ),
    ],
    ids=["port", "insecure", "secret", "project", "file"],
)
def test_a_mistake_is_named(
    page: browser.ConnectionsPage,
    flytes: dict[str, GuardedFlyte],
    dag_run: str,
    mistaken: str,
    pictures: Path,
    fields: dict[str, str | bool],
    step: str,
    advice: str,
) -> None:
    page.edit(mistaken).enter(flytes["client_credentials"].fields | fields).save()
    if "project" in fields:
        page.open()
    title, text = page.test(mistaken)
    assert title == BAD
    assert text.startswith(step)
    assert advice in text
    if "project" in fields:
        page.picture(pictures / "connection-test-bad.png")


def test_a_masked_secret_is_not_taken_for_one(
    page: browser.ConnectionsPage, flytes: dict[str, GuardedFlyte], dag_run: str
) -> None:
    fields = flytes["token"].fields
    page.add("flyte_copied").enter(fields | {"password": "***"}).save()
    assert page.test("flyte_copied") == (
        BAD,
        "Settings: Secret (password) is ***, which Airflow shows instead of a secret: type it again.",
    )
    page.edit("flyte_copied").enter({"password": TOKEN}).save()
    assert page.test("flyte_copied").title == GOOD


def test_another_host_needs_no_secret_typed_again(
    page: browser.ConnectionsPage, flytes: dict[str, GuardedFlyte], dag_run: str, mistaken: str
) -> None:
    page.edit(mistaken).enter(flytes["client_credentials"].fields).save()
    page.edit(mistaken).enter({"host": "127.0.0.1"}).save()
    assert page.test(mistaken) == (GOOD, flytes["client_credentials"].found("127.0.0.1"))


def test_when_airflow_says_bad_request(
    page: browser.ConnectionsPage, flytes: dict[str, GuardedFlyte], dag_run: str, mistaken: str
) -> None:
    """If this fails, what the documentation says of it is out of date."""
    guarded = flytes["client_credentials"]
    page.edit(mistaken).enter({"host": guarded.flyte.endpoint, "port": ""}).save()
    assert page.test(mistaken) == (BAD, "Bad Request")
    page.edit(mistaken).enter(guarded.fields).save()
    page.another_window().edit(mistaken).enter({"host": "127.0.0.1"}).save()
    assert page.test(mistaken) == (BAD, "Bad Request")
    page.open()
    assert page.test(mistaken) == (GOOD, guarded.found("127.0.0.1"))


def test_the_triggerers_waits_go_through_them(
    airflow: StandaloneAirflow, flytes: dict[str, GuardedFlyte], dag_run: str
) -> None:
    api = airflow.api
    for authentication, guarded in flytes.items():
        api.wait_for_task("by_hand", dag_run, authentication, ("deferred",))
        # From here on only the triggerer asks.
        before = len(guarded.flyte.calls("ListRuns"))
        guarded.flyte.wait_for_call("ListRuns", count=before + 1, timeout=20)
        [asked, *_] = guarded.flyte.calls("ListRuns")[before:]
        assert guarded.accepts(asked.metadata.get("authorization", ""))
        guarded.flyte.run(RUN).succeeds()
    assert api.wait_for_run("by_hand", dag_run) == "success"
    assert {task["try_number"] for task in api.tasks("by_hand", dag_run)} == {1}
