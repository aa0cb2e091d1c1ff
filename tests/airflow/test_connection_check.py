"""The Test button: which step failed, what to try, and what it never does."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_flyte.client import FlyteConfig
from airflow_provider_flyte.client.credentials import ClientCredentials
from airflow_provider_flyte.connection.check import check
from airflow_provider_flyte.hooks import FlyteHook
from airflow_provider_flyte.testing import LocalFlyte, status
from tests.support.own_airflow import connection_json

pytestmark = pytest.mark.one_transport("connect")

SECRET = "s3cret-of-the-file"


def config(flyte: LocalFlyte, **changes: Any) -> FlyteConfig:
    settings: dict[str, Any] = {"insecure": True, "project": "flytesnacks", "domain": "development"}
    return FlyteConfig(endpoint=flyte.endpoint, **(settings | changes))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "project flytesnacks, domain development, runs visible."),
        ({"domain": ""}, "it answers. Each task must name its domain."),
        ({"project": ""}, "it answers. Each task must name its project and domain."),
    ],
)
def test_a_good_connection(local_flyte: LocalFlyte, protocol: str, changes: dict[str, Any], words: str) -> None:
    name = {"grpc": "gRPC", "connect": "Connect"}[protocol]
    assert check(config(local_flyte, **changes)) == (True, f"Flyte 2 at {local_flyte.endpoint} through {name}: {words}")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"project": "other"}, "Project: Flyte has no project 'other'; visible are: flytesnacks."),
        (
            {"domain": "test"},
            "Domain: project 'flytesnacks' has no domain 'test'; it has: development, production",
        ),
        ({"insecure": False}, "TLS: "),
        (
            {"credentials": ClientCredentials("my-id", SECRET)},
            "Credentials: The request for a token at {flyte} failed with UNAUTHENTICATED: Flyte is reached over "
            "plaintext (insecure), so it is not asked which server gives tokens",
        ),
    ],
)
def test_a_setting_that_is_wrong(local_flyte: LocalFlyte, changes: dict[str, Any], words: str) -> None:
    good, message = check(config(local_flyte, **changes))
    assert not good
    assert message.startswith(words.replace("{flyte}", local_flyte.endpoint))
    assert SECRET not in message


@pytest.mark.parametrize(
    ("method", "code", "words"),
    [
        ("*", "UNAUTHENTICATED", "Credentials: "),
        ("ListRuns", "PERMISSION_DENIED", "Permissions: "),
        ("ListRuns", "UNAVAILABLE", "Endpoint: "),
        ("ListRuns", "INTERNAL", "Flyte: "),
    ],
)
def test_a_step_that_fails(local_flyte: LocalFlyte, method: str, code: str, words: str) -> None:
    local_flyte.inject(method, status(code, "not today"))
    good, message = check(config(local_flyte))
    assert not good
    assert message.startswith(words)
    assert "not today" in message


@pytest.mark.parametrize("code", ["PERMISSION_DENIED", "UNIMPLEMENTED"])
def test_a_project_that_cannot_be_read_is_not_needed(local_flyte: LocalFlyte, code: str) -> None:
    local_flyte.inject("GetProject", status(code, ""))
    good, message = check(config(local_flyte))
    assert good, message


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_it_ends_in_time_where_nobody_answers(silent_port: int) -> None:
    settings = FlyteConfig(endpoint=f"localhost:{silent_port}", insecure=True, project="p", domain="d")
    good, message = check(settings, patience=0.2)
    assert not good
    assert message == (
        f"Endpoint: no answer from localhost:{silent_port} within 0.2 s. Check the connection's host and port, and "
        "that this machine can reach it."
    )


_IN_A_PROCESS = """
import sys
from airflow_provider_flyte.client import FlyteConfig
from airflow_provider_flyte.connection.check import check

print(check(FlyteConfig(endpoint="localhost:1", ca_bundle=sys.argv[1]), patience=0.2))
"""


def test_a_file_that_never_ends_keeps_no_process_from_exiting(tmp_path: Path) -> None:
    """As one on a file server that is away: neither the check's time nor the end of the API server waits for it."""
    pipe = tmp_path / "roots.pem"
    os.mkfifo(pipe)
    environment = os.environ | {"AIRFLOW__FLYTE__API_SERVER_FOLDERS": str(tmp_path)}
    command = [sys.executable, "-c", _IN_A_PROCESS, str(pipe)]
    process = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment, check=True)
    assert process.stdout.startswith('(False, "Endpoint: no answer from localhost:1 within 0.2 s.')


def test_it_leaves_nothing_behind(local_flyte: LocalFlyte) -> None:
    """The process may fork tasks later."""
    before = set(threading.enumerate())
    assert check(config(local_flyte))[0]
    for thread in set(threading.enumerate()) - before:
        thread.join(5)
    ours = [thread for thread in threading.enumerate() if thread.name.startswith("flyte-connection-check")]
    assert ours == []


# -- by the hook, as the UI calls it


def stored_as(monkeypatch: pytest.MonkeyPatch, flyte: LocalFlyte, **extra: Any) -> FlyteHook:
    monkeypatch.setenv("AIRFLOW_CONN_BY_HAND", connection_json(flyte, **extra))
    return FlyteHook("by_hand")


def test_the_button(local_flyte: LocalFlyte, monkeypatch: pytest.MonkeyPatch) -> None:
    good, message = stored_as(monkeypatch, local_flyte).test_connection()
    assert good, message
    good, message = stored_as(monkeypatch, local_flyte, timeout="soon").test_connection()
    # Not the connection's name: the UI tests a copy under another one.
    assert (good, message) == (
        False,
        'Settings: timeout is "soon"; enter a number of seconds above 0, at most a hundred years.',
    )
    good, message = FlyteHook("nowhere").test_connection()
    assert not good
    assert "There is no Airflow connection 'nowhere'" in message


@pytest.mark.parametrize(
    "field",
    ["ca_bundle", "client_certificate", "client_private_key", "credentials_file"],
)
def test_it_opens_no_file_that_nobody_allowed(
    local_flyte: LocalFlyte, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, field: str
) -> None:
    """Whoever may edit connections must not be able to have the API server read files."""
    allowed = tmp_path / "allowed"
    allowed.mkdir()
    monkeypatch.setenv("AIRFLOW__FLYTE__API_SERVER_FOLDERS", f"/nowhere, {allowed}")
    secret = tmp_path / "secret"
    secret.write_text(SECRET)
    link = allowed / "link"
    link.symlink_to(secret)
    pair = {"client_certificate", "client_private_key"} if field.startswith("client_") else set()
    others: dict[str, Any] = dict.fromkeys(pair - {field}, _PEM)
    others["insecure"] = not field.startswith("client_")
    if field == "credentials_file":
        others["authentication"] = "token_file"
    for path in (secret, link, allowed / ".." / "secret"):
        good, message = stored_as(monkeypatch, local_flyte, **others, **{field: str(path)}).test_connection()
        assert not good
        assert message.startswith(f"Settings: {field} names the file {path}, which the Test button does not open.")
        assert "[flyte] api_server_folders" in message
        assert SECRET not in message


_PEM = "-----BEGIN X-----\nAAAA\n-----END X-----\n"


def test_it_opens_a_file_that_somebody_allowed(
    local_flyte: LocalFlyte, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AIRFLOW__FLYTE__API_SERVER_FOLDERS", str(tmp_path))
    token = tmp_path / "token"
    token.write_text(SECRET)
    hook = stored_as(monkeypatch, local_flyte, authentication="token_file", credentials_file=str(token))
    good, message = hook.test_connection()
    assert good, message
    sent = [call.metadata.get("authorization") for call in local_flyte.calls("ListRuns")]
    assert sent == [f"Bearer {SECRET}"]
    missing = stored_as(monkeypatch, local_flyte, authentication="token_file", credentials_file=f"{token}.not-there")
    good, message = missing.test_connection()
    assert not good
    assert message.startswith("Settings: ")
    assert f"{token}.not-there" in message


def test_many_projects_are_named_in_part(local_flyte: LocalFlyte) -> None:
    for number in range(300):
        local_flyte.run("r1", project=f"project-{number}")
    good, words = check(config(local_flyte, project="other"))
    assert not good
    assert words.startswith("Project: Flyte has no project 'other'; visible are: flytesnacks, project-0, ")
    assert words.endswith("project-299.")
    assert len(words) < 2100
