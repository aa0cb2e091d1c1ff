"""A server that repeats what it was sent puts no credential into an error of ours, however it writes or cuts it."""

from __future__ import annotations

import asyncio
import base64
import json
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_flyte.client import FlyteClient, FlyteConfig
from airflow_provider_flyte.client.credentials import Credentials, StaticToken, TokenFile
from airflow_provider_flyte.client.errors import RpcError
from airflow_provider_flyte.client.flows.calls import get_run_details, run_identifier, watch_runs
from airflow_provider_flyte.client.metadata import may_be_secret
from airflow_provider_flyte.client.outside import LONGEST, without
from airflow_provider_flyte.client.transport import connect_protocol
from airflow_provider_flyte.testing import Fault, LocalFlyte
from airflow_provider_flyte.testing.calls import Call, Refusal
from tests.client.conftest import config_for
from tests.support.oauth2 import OAuth2Server
from tests.support.replay_server import Answer, ReplayServer
from tests.support.secret_search import found

TOKEN = 'eyJhbGciOi"JIUzI1NiJ9.c3ViamVjdA==/+~'
HEADER = "made-up+header/of=a proxy"
SECRET = "correct horse+battery/staple="


def pieces(secret: str, size: int = 12) -> list[str]:
    """What nobody may see of it."""
    return [secret[start : start + size] for start in range(0, len(secret) - size + 1, size)]


@dataclass(frozen=True)
class Repeats(Fault):
    """Answers with what the call has brought, written in some way."""

    write: Callable[[str], str]
    code: str

    def before(self, method: str, call: Call) -> None:
        sent = [value for name, value in call.metadata.items() if name in ("authorization", "x-proxy-key")]
        raise Refusal(self.code, f"refused: {' and '.join(map(self.write, sent))}.")


WAYS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "in JSON": json.dumps,
    "in a URL": lambda sent: quote(sent, safe=""),
    "without its scheme": lambda sent: sent.removeprefix("Bearer "),
    "cut": lambda sent: f"{sent[:24]}...",
    "where long texts are cut": lambda sent: (
        f"{'x' * (LONGEST // 2 - 30)}{sent}{'y' * (LONGEST // 2)}{sent}{'z' * 960}"
    ),
    "in three lines": lambda sent: f"\n{sent}\n",
}


@pytest.fixture(params=["static", "file", "granted"])
def credentials(request: pytest.FixtureRequest, tmp_path: Path) -> Credentials:
    if request.param == "static":
        return StaticToken(TOKEN)
    if request.param == "file":
        (tmp_path / "token").write_text(TOKEN)
        return TokenFile(str(tmp_path / "token"))
    server: OAuth2Server = request.getfixturevalue("oauth2")
    server.secrets["my-id"] = SECRET
    return server.credentials(SECRET)


@pytest.fixture
def oauth2() -> Any:
    with OAuth2Server() as server:
        yield server


def one(call: Any) -> Any:
    yield call


def failure(config: FlyteConfig, call: Any, *, on_a_loop: bool) -> RpcError:
    async def on_loop() -> None:
        async with FlyteClient(config) as client:
            await client.aexecute(one(call))

    def blocking() -> None:
        with FlyteClient(config) as client:
            client.execute(one(call))

    with pytest.raises(RpcError) as failed:
        asyncio.run(on_loop()) if on_a_loop else blocking()
    return failed.value


@pytest.mark.parametrize("on_a_loop", [False, True], ids=["blocking", "loop"])
@pytest.mark.parametrize("way", WAYS)
def test_what_a_server_repeats(
    local_flyte: LocalFlyte, credentials: Credentials, way: str, on_a_loop: bool, request: pytest.FixtureRequest
) -> None:
    config = config_for(local_flyte, credentials=credentials, metadata=(("x-proxy-key", HEADER),), retry_budget=0.1)
    key = config.key("r1", "flytesnacks", "development")
    calls = [get_run_details(run_identifier(key, "")), watch_runs(key.project, key.domain, "")]
    for method, call in zip(("GetRunDetails", "WatchRuns"), calls, strict=True):
        for code in ("PERMISSION_DENIED", "UNAUTHENTICATED"):
            local_flyte.inject(method, Repeats(WAYS[way], code))
            error = failure(config, call, on_a_loop=on_a_loop)
            shown = f"{error} {error!r} {error.__cause__!r} {error.args} {vars(error)}"
            sent = local_flyte.calls(method)[-1].metadata
            secrets = [sent["authorization"].removeprefix("Bearer "), HEADER]
            assert "***" in error.details
            assert [each for secret in secrets for each in pieces(secret) if each in shown] == []
            local_flyte.clear_faults(method)


@dataclass(frozen=True)
class RepeatsAll(Fault):
    """Answers with all that the call has brought."""

    def before(self, method: str, call: Call) -> None:
        raise Refusal("PERMISSION_DENIED", f"no domain production for the data-team: {dict(call.metadata)}")


@pytest.mark.parametrize("on_a_loop", [False, True], ids=["blocking", "loop"])
def test_ordinary_words_of_the_metadata_stay_readable(local_flyte: LocalFlyte, on_a_loop: bool) -> None:
    """Else an error without the domain or the team says nothing. Credentials go, under whatever key."""
    ordinary = (("x-stage", "production"), ("x-team", "data-team"), ("x-zone", "eu-west-1"))
    secret = (("x-pass-on", HEADER), ("x-session", "correcthorse"), ("x-word", "battery"))
    config = config_for(local_flyte, metadata=(*ordinary, *secret), secret_metadata_keys=("x-word",), retry_budget=0.1)
    local_flyte.inject("GetRunDetails", RepeatsAll())
    key = config.key("r1", "flytesnacks", "development")
    error = failure(config, get_run_details(run_identifier(key, "")), on_a_loop=on_a_loop)
    assert error.details.startswith("no domain production for the data-team: ")
    assert "eu-west-1" in error.details
    shown = f"{error} {error!r} {error.args} {vars(error)}"
    assert [value for _, value in secret if value in shown] == []


@pytest.mark.parametrize(
    ("key", "value", "secret"),
    [
        ("x-stage", "production", False),
        ("x-team", "Data Team", False),
        ("x-zone", "eu-west-1", False),
        ("x-cost-center", "4711", False),
        ("x-forwarded-host", "flyte.example.com:443", False),
        ("x-tenant", "ACME", False),
        ("x-empty", "", True),
        ("cookie", "production", True),
        ("proxy-authorization", "production", True),
        ("x-api-key", "production", True),
        ("x-stage", "eyJhbGciOiJIUzI1NiJ9.e30.", True),
        ("x-stage", "Basic bXktaWQ6Y29ycmVjdA==", True),
        ("x-stage", "550e8400-e29b-41d4-a716-446655440000", True),
        ("x-stage", "ghp_16C7e42F292c6912E7710c838347Ae178B4a", True),
        ("x-stage", "AKIAIOSFODNN7EXAMPLE", True),
        ("x-stage", "kqzvhwpxnbtrmdfjlscg", True),
        ("x-stage", "d41d8cd98f00b204", True),
    ],
)
def test_which_metadata_may_be_secret(key: str, value: str, secret: bool) -> None:
    assert may_be_secret(key, value) is secret


@given(st.text(min_size=5, max_size=60), st.text(max_size=40), st.text(max_size=40))
def test_no_credential_is_left_of_any_text(credential: str, before: str, after: str) -> None:
    for write in (str, json.dumps, lambda sent: quote(sent, safe="")):
        left = without(f"{before}{write(credential)}{after}", [credential])
        assert write(credential) not in left or write(credential) in f"{before}***{after}"


@pytest.mark.parametrize("text", ["", "no such project", "t1", "Bearer", "eyJhbGciOi"])
def test_another_text_is_left_alone(text: str) -> None:
    assert without(text, [f"Bearer {TOKEN}", "t1", "Bear", ""]) == text


@pytest.mark.parametrize("before", ["", "m", "me", "me:"])
@pytest.mark.parametrize("written", [base64.b64encode, base64.urlsafe_b64encode], ids=["base64", "base64url"])
def test_base64_of_a_longer_text(written: Callable[[bytes], bytes], before: str) -> None:
    text = f"refused: {written(f'{before}{SECRET}:None'.encode()).decode()}."
    assert found({"it": SECRET}, [("it", text)])
    assert found({"it": SECRET}, [("it", without(text, [SECRET]))]) == []


@pytest.mark.parametrize("on_a_loop", [False, True], ids=["blocking", "loop"])
@pytest.mark.parametrize(
    "envelope",
    [connect_protocol.envelope(b"hello", connect_protocol.COMPRESSED), b"\0\xff\xff\xff\xff"],
    ids=["packed", "large"],
)
def test_a_header_of_a_stream_that_repeats_it(envelope: bytes, on_a_loop: bool) -> None:
    """A traceback shows the causes of an error, too."""
    headers = {"content-type": connect_protocol.STREAM, "connect-content-encoding": f"Bearer {TOKEN} {'z' * 50_000}"}
    with ReplayServer(Answer(200, headers, [envelope])) as server:
        config = FlyteConfig(
            endpoint=server.endpoint, insecure=True, transport="connect", credentials=StaticToken(TOKEN)
        )
        error = failure(config, watch_runs("flytesnacks", "development", ""), on_a_loop=on_a_loop)
    shown = "".join(traceback.format_exception(error))
    assert not [piece for piece in pieces(TOKEN) if piece in shown]
    assert "zzz" not in shown.replace(str(error), "")
    assert not [cause for cause in causes(error) if not isinstance(cause, RpcError)]


def causes(error: BaseException | None) -> list[BaseException]:
    """What a traceback shows of it."""
    found: list[BaseException] = []
    while error is not None:
        found.append(error)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return found
