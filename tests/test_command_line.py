"""What Airflow's own command line shows of a connection, as docs/connection.md says; none of it is ours."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.metadata import version

import pytest

from tests.secret_search import found

SECRETS = {"password": "correct-horse-battery", "key": "staple-of-the-key", "header": "staple-of-the-header"}
EXTRA = {
    "authentication": "token",
    "client_private_key": SECRETS["key"],
    "secret_metadata": {"x-proxy-key": SECRETS["header"]},
}
CONNECTION = json.dumps({"conn_type": "flyte", "host": "localhost", "password": SECRETS["password"], "extra": EXTRA})
IS_3 = not version("apache-airflow").startswith("2.")


@pytest.fixture(scope="module")
def stored(airflow_db: None) -> Iterator[str]:
    from airflow.models import Connection
    from airflow.utils.session import create_session

    with create_session() as session:
        session.add(Connection.from_json(CONNECTION, conn_id="shown"))
    yield "shown"
    with create_session() as session:
        session.query(Connection).filter_by(conn_id="shown").delete()


def shown(capsys: pytest.CaptureFixture[str], *command: str) -> set[str]:
    """Which secrets a command of ``airflow connections`` prints."""
    from airflow.cli.cli_parser import get_parser

    arguments = get_parser().parse_args(["connections", *command, "-o", "json"])
    arguments.func(arguments)
    printed = capsys.readouterr().out
    assert '"conn_type": "flyte"' in printed
    return {name for name, secret in SECRETS.items() if found({name: secret}, [("the output", printed)])}


def test_get_shows_all(stored: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(capsys, "get", stored) == {"password", "key", "header"}


def test_list_shows_nothing_unless_asked_on_airflow_3(stored: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(capsys, "list") == (set() if IS_3 else {"password", "key", "header"})
    if IS_3:
        assert shown(capsys, "list", "--show-values") == {"password", "key", "header"}


def test_hide_sensitive_leaves_extra_fields_in_the_uri(stored: str, capsys: pytest.CaptureFixture[str]) -> None:
    if IS_3:
        assert shown(capsys, "list", "--show-values", "--hide-sensitive") == {"key", "header"}
