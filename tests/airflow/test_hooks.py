"""FlyteHook: connection to client, blocking and on a loop, and the Test button."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest

from airflow_provider_flyte.client import ConditionError
from airflow_provider_flyte.compat import connections
from airflow_provider_flyte.exceptions import FlyteArgumentError, FlyteConfigurationError
from airflow_provider_flyte.hooks import FlyteHook
from airflow_provider_flyte.testing import LocalFlyte
from tests.support.certificates import make_certificate
from tests.support.own_airflow import AIRFLOW, connection_json
from tests.support.secret_search import found, shown_by

pytestmark = pytest.mark.one_transport("connect")

SECRETS = {
    "password": "correct-horse-battery",
    "header": "staple-of-the-header",
    "private key": make_certificate("localhost")[1].decode(),
}


def test_a_client_for_blocking_calls(flyte_default: LocalFlyte) -> None:
    from airflow_provider_flyte.client import RunDetails

    flyte_default.run("r1").succeeds()
    with FlyteHook().get_client():
        assert RunDetails.get("r1").done()
    assert FlyteHook().get_conn().config.endpoint == flyte_default.endpoint


async def test_a_client_for_a_loop(flyte_default: LocalFlyte) -> None:
    from airflow_provider_flyte.client import RunDetails

    flyte_default.run("r1").succeeds()
    async with await FlyteHook().aget_client():
        assert (await RunDetails.get.aio("r1")).done()


async def test_it_answers_a_condition(flyte_default: LocalFlyte) -> None:
    for project in ("flytesnacks", "other"):
        run = flyte_default.run("r1", project=project)
        run.condition("approve")
        run.condition("rows", int)
        named = None if project == "flytesnacks" else project
        done = await asyncio.to_thread(FlyteHook().signal, "r1", "approve", True, project=named)
        assert (done.value, done.key.project) == (True, project)
        assert (await FlyteHook().asignal("r1", "rows", 3, project=named)).value == 3
        with pytest.raises(ConditionError, match="waiting for an answer are: none"):
            await FlyteHook().asignal("r1", "other", 3, project=named)


async def test_both_read_the_same_settings(flyte_default: LocalFlyte) -> None:
    assert await FlyteHook().aget_config() == await asyncio.to_thread(FlyteHook().get_config)


async def test_a_missing_connection(airflow_db: None) -> None:
    words = "There is no Airflow connection 'nowhere'"
    with pytest.raises(FlyteConfigurationError, match=words):
        await FlyteHook("nowhere").aget_client()
    with pytest.raises(FlyteConfigurationError, match=words):
        FlyteHook("nowhere").get_client()


async def test_an_unusable_connection(local_flyte: LocalFlyte, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_ODD", connection_json(local_flyte, insecure="perhaps"))
    with pytest.raises(FlyteConfigurationError, match="enter true or false"):
        FlyteHook("odd").get_config()
    with pytest.raises(FlyteConfigurationError, match="enter true or false"):
        await FlyteHook("odd").aget_config()


PROBLEMS: dict[str, dict[str, Any]] = {
    "a broken API key": {"authentication": "api_key"},
    "a client without its ID": {"authentication": "client_credentials"},
    "a password that nobody needs": {},
    "a token with a blank": {"authentication": "token", "password": f"{SECRETS['password']} {SECRETS['password']}"},
    "a host with a path": {"authentication": "token", "host": "flyte/path"},
    "a header that cannot be sent": {"authentication": "token", "metadata": {"grpc-x": "y"}},
    "a key of another certificate": {
        "authentication": "token",
        "insecure": False,
        "client_certificate": make_certificate("localhost")[0].decode(),
        "client_private_key": SECRETS["private key"],
    },
    "a key without its certificate": {"authentication": "token", "client_private_key": SECRETS["private key"]},
}


@pytest.mark.parametrize("problem", PROBLEMS.values(), ids=PROBLEMS)
async def test_no_traceback_of_an_unusable_connection_shows_a_secret(
    local_flyte: LocalFlyte, monkeypatch: pytest.MonkeyPatch, problem: dict[str, Any]
) -> None:
    """Some who read logs have locals rendered in them."""
    extra = {name: value for name, value in problem.items() if name not in ("password", "host")}
    extra.setdefault("secret_metadata", {"x-key": SECRETS["header"]})
    stored = json.loads(connection_json(local_flyte, **extra)) | {"password": SECRETS["password"]}
    stored |= {name: value for name, value in problem.items() if name in ("password", "host")}
    monkeypatch.setenv("AIRFLOW_CONN_ODD", json.dumps(stored))
    with pytest.raises(FlyteConfigurationError) as blocking:
        FlyteHook("odd").get_client()
    with pytest.raises(FlyteConfigurationError) as on_a_loop:
        await FlyteHook("odd").aget_client()
    for error in (blocking.value, on_a_loop.value):
        assert "hooks.py" in shown_by(error)
        assert found(SECRETS, [("the traceback", shown_by(error))]) == []


EXTRAS = {
    "a list": (json.dumps([{"api_key": SECRETS["header"]}]), "extra is a list"),
    "null": ("null", "extra is null"),
    "a number": ("7", "extra is a number"),
    "false": ("false", "extra is true or false"),
    "a text encoded twice": (
        json.dumps(json.dumps({"api_key": SECRETS["header"]})),
        "extra is a text inside JSON, as if it had been encoded twice",
    ),
    "no JSON": (f"{{'api_key': '{SECRETS['header']}'}}", "extra cannot be read as JSON"),
}


def expect_words(conn_id: str, words: str, caplog: pytest.LogCaptureFixture, advice: str) -> None:
    """The same from a worker, a triggerer and the Test button, and no secret in what any of them leaves behind."""
    with pytest.raises(FlyteConfigurationError) as blocking:
        FlyteHook(conn_id).get_client()
    with pytest.raises(FlyteConfigurationError) as on_a_loop:
        asyncio.run(FlyteHook(conn_id).aget_client())
    good, message = FlyteHook(conn_id).test_connection()
    assert not good
    for text in (str(blocking.value), str(on_a_loop.value), message):
        if (3,) <= AIRFLOW < (3, 2) and "EnvironmentVariablesBackend failed with ValueError" in text:
            # It refuses such an environment variable itself.
            continue
        assert words in text
        assert advice in text
    for error in (blocking.value, on_a_loop.value):
        assert found(SECRETS, [("the traceback", shown_by(error))]) == []
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("airflow_provider_flyte")]
    assert found(SECRETS, [("the answer", message), ("our log", "\n".join(ours))]) == []


@pytest.mark.parametrize(("extra", "words"), EXTRAS.values(), ids=EXTRAS)
def test_extra_that_is_no_object(
    airflow_db: None,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    extra: str,
    words: str,
) -> None:
    stored = {"conn_type": "flyte", "host": "flyte.example.com", "password": SECRETS["password"], "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_ODD", json.dumps(stored))
    expect_words("odd", words, caplog, "Enter a JSON object")


VARIABLES = {
    "broken JSON": ('{"conn_type": "flyte", "password": "' + SECRETS["password"] + '"', "JSONDecodeError"),
    "JSON with a name that is none": (json.dumps({"hots": "flyte", "password": SECRETS["password"]}), "'hots'"),
    "a port that is a text": (
        json.dumps({"conn_type": "flyte", "port": SECRETS["password"]}),
        "its port is not a number",
    ),
    "a URI with a / in its password": (
        f"flyte://me:{SECRETS['password']}/x@flyte.example.com",
        "its port is not a number",
    ),
    "extra that is too deep": (
        json.dumps({"conn_type": "flyte", "host": "h", "extra": "[" * 100_000}),
        "RecursionError",
    ),
    "a list": (json.dumps([SECRETS["password"]]), ""),
    "a text": (SECRETS["password"], ""),
}


@pytest.mark.parametrize(("variable", "words"), VARIABLES.values(), ids=VARIABLES)
def test_a_variable_that_is_no_connection(
    airflow_db: None,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    variable: str,
    words: str,
) -> None:
    """Airflow passes over it, and says that there is no connection."""
    monkeypatch.setenv("AIRFLOW_CONN_ODD", variable)
    advice = "The environment variable AIRFLOW_CONN_ODD is not a connection: set it to a JSON object"
    expect_words("odd", words, caplog, advice)


@pytest.fixture
def stored_odd(airflow_db: None) -> Iterator[None]:
    """A connection in the database, with the id that a test gives to a variable too."""
    from airflow.models import Connection
    from airflow.utils.session import create_session

    with create_session() as session:
        session.add(Connection(conn_id="odd", conn_type="flyte", host="another.example.com"))
    yield
    with create_session() as session:
        session.query(Connection).filter_by(conn_id="odd").delete()


@pytest.mark.usefixtures("stored_odd")
def test_a_variable_that_is_no_connection_does_not_give_way_to_the_database(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Airflow takes the one of the database then, which may be another Flyte's."""
    # With this, the process reads the database as a scheduler does.
    monkeypatch.setenv("_AIRFLOW_PROCESS_CONTEXT", "server")
    assert FlyteHook("odd").get_config().endpoint == "another.example.com:443"
    monkeypatch.setenv("AIRFLOW_CONN_ODD", json.dumps({"conn_type": "flyte", "host": "here", "port": "80a"}))
    advice = "The environment variable AIRFLOW_CONN_ODD is not a connection: set it to a JSON object"
    expect_words("odd", "its port is not a number from 0 to 65535", caplog, advice)


class _Vault:
    """A secrets backend that goes before the environment."""

    def __init__(self, host: str | None) -> None:
        self.host = host

    def get_connection(self, conn_id: str) -> Any:
        if self.host is None:
            raise ConnectionError("sealed")
        from airflow_provider_flyte.compat import find

        return find("Connection")(conn_id=conn_id, conn_type="flyte", host=self.host)


@pytest.mark.parametrize(("host", "is_read"), [("vault.example.com", True), (None, False)])
def test_a_variable_that_no_one_reads_is_not_minded(
    airflow_db: None, monkeypatch: pytest.MonkeyPatch, host: str | None, is_read: bool
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_ODD", "{")
    backends = connections._secrets_backends()
    monkeypatch.setattr(connections, "_secrets_backends", lambda: [_Vault(host), *backends])
    assert connections.unread_variable("odd") == (
        ""
        if is_read
        else "EnvironmentVariablesBackend failed with JSONDecodeError: Expecting property name enclosed "
        "in double quotes: line 1 column 2 (char 1)"
    )


@pytest.mark.parametrize("conn_id", [None, "", 7])
async def test_an_id_that_is_none(conn_id: Any) -> None:
    words = f"flyte_conn_id is {conn_id!r}. Give the id of an Airflow connection"
    with pytest.raises(FlyteArgumentError, match=words):
        await FlyteHook(conn_id).aget_client()
    with pytest.raises(FlyteArgumentError, match=words):
        FlyteHook(conn_id).get_client()
