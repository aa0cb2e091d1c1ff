"""Calls with a token: where it comes from, that it is renewed, and that nobody sees it."""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_flyte.client import FlyteClient, FlyteConfig, RunDetails, errors
from airflow_provider_flyte.client.credentials import ClientCredentials, StaticToken, TokenFile
from airflow_provider_flyte.client.errors import FlyteError, is_lasting, is_transient
from airflow_provider_flyte.client.flows.calls import Call
from airflow_provider_flyte.client.rpc import RunService
from airflow_provider_flyte.testing import LocalFlyte, status
from tests.client.conftest import config_for
from tests.support.oauth2 import OAuth2Server
from tests.support.secret_search import found, shown_by

both = pytest.mark.parametrize("on_a_loop", [False, True], ids=["blocking", "loop"])


@pytest.fixture
def oauth2() -> Iterator[OAuth2Server]:
    with OAuth2Server() as server:
        yield server


@pytest.fixture
def guarded(local_flyte: LocalFlyte, oauth2: OAuth2Server) -> LocalFlyte:
    """A Flyte that wants a token of the OAuth2 server, and has a run r1."""
    local_flyte.run("r1")
    oauth2.guard(local_flyte)
    return local_flyte


def read(config: FlyteConfig, *, on_a_loop: bool, times: int = 1) -> str:
    async def on_loop() -> str:
        async with FlyteClient(config):
            for _ in range(times):
                details = await RunDetails.get.aio("r1")
            return details.name

    if on_a_loop:
        return asyncio.run(on_loop())
    with FlyteClient(config):
        for _ in range(times):
            details = RunDetails.get("r1")
        return details.name


def sent(flyte: LocalFlyte, method: str, header: str = "authorization") -> list[str | None]:
    return [call.metadata.get(header) for call in flyte.calls(method)]


@both
def test_everything_may_be_given(local_flyte: LocalFlyte, oauth2: OAuth2Server, on_a_loop: bool) -> None:
    local_flyte.run("r1")
    oauth2.guard(local_flyte, header="x-token")
    local_flyte.inject("GetOAuth2Metadata", status("UNIMPLEMENTED"))
    local_flyte.inject("GetPublicClientConfig", status("UNIMPLEMENTED"))
    credentials = ClientCredentials("my-id", "correct-horse", ("offline",), "mine", oauth2.url)
    assert read(config_for(local_flyte, credentials=credentials, metadata_header="x-token"), on_a_loop=on_a_loop)
    assert oauth2.forms == [{"grant_type": ["client_credentials"], "scope": ["offline"], "audience": ["mine"]}]


def test_one_token_for_all_callers_of_a_process(guarded: LocalFlyte, oauth2: OAuth2Server) -> None:
    """Blocking ones in threads, and those of an event loop, at the same time and afterwards."""
    config = config_for(guarded, credentials=oauth2.credentials())
    gate = threading.Barrier(9)

    def blocking() -> str:
        gate.wait()
        return read(config, on_a_loop=False)

    async def on_loop() -> list[str]:
        async with FlyteClient(config):
            await asyncio.to_thread(gate.wait)
            return [each.name for each in await asyncio.gather(*(RunDetails.get.aio("r1") for _ in range(20)))]

    with ThreadPoolExecutor(8) as threads:
        names = [threads.submit(blocking) for _ in range(8)]
        assert asyncio.run(on_loop()) == ["r1"] * 20
        assert [each.result() for each in names] == ["r1"] * 8
    assert read(config, on_a_loop=True) == "r1"
    assert len(oauth2.issued) == 1


async def test_a_call_that_is_cancelled_does_not_take_the_token_from_the_others(
    guarded: LocalFlyte, oauth2: OAuth2Server
) -> None:
    asked, go_on = threading.Event(), threading.Event()

    def hold() -> None:
        asked.set()
        assert go_on.wait(10)

    oauth2.before = hold
    async with FlyteClient(config_for(guarded, credentials=oauth2.credentials())):
        first, second = (asyncio.ensure_future(RunDetails.get.aio("r1")) for _ in range(2))
        await asyncio.to_thread(asked.wait, 10)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        go_on.set()
        assert (await second).name == "r1"
    assert len(oauth2.issued) == 1


def test_a_child_process_gets_a_token_of_its_own(guarded: LocalFlyte, oauth2: OAuth2Server, protocol: str) -> None:
    """A lock may have been held at the moment of the fork, and never be released in the child."""
    program = f"""
        import os
        from airflow_provider_flyte.client import FlyteClient, FlyteConfig, RunDetails
        from airflow_provider_flyte.client.credentials import ClientCredentials
        from airflow_provider_flyte.client.auth.token_cache import _tokens as of_process
        client = FlyteClient(FlyteConfig(
            endpoint={guarded.endpoint!r}, insecure=True, transport={protocol!r}, project="flytesnacks",
            domain="development",
            credentials=ClientCredentials("my-id", "correct-horse", oauth_endpoint={oauth2.url!r}),
        ))
        assert RunDetails.get("r1", client=client).name == "r1"
        for entry in of_process.values():
            entry.tokens._lock.acquire()
        child = os.fork()
        if child == 0:
            os._exit(0 if RunDetails.get("r1", client=client).name == "r1" else 1)
        assert os.waitpid(child, 0)[1] == 0
        client.close()
    """
    environment = {**os.environ, "GRPC_VERBOSITY": "NONE"}
    subprocess.run([sys.executable, "-c", textwrap.dedent(program)], check=True, timeout=60, env=environment)
    assert len(oauth2.issued) == 2


@both
@pytest.mark.parametrize("code", ["UNAUTHENTICATED", "UNKNOWN"])
def test_a_token_that_was_revoked_is_replaced_once(
    local_flyte: LocalFlyte, oauth2: OAuth2Server, code: str, on_a_loop: bool
) -> None:
    local_flyte.run("r1")
    oauth2.guard(local_flyte, code=code)
    config = config_for(local_flyte, credentials=oauth2.credentials(), retry_budget=0.01)
    assert read(config, on_a_loop=on_a_loop)
    oauth2.revoke_all()
    assert read(config, on_a_loop=on_a_loop, times=2) == "r1"
    assert len(oauth2.issued) == 2


@both
@pytest.mark.parametrize("code", ["UNAUTHENTICATED", "UNKNOWN"])
def test_where_a_new_token_is_refused_too_it_is_that_error(
    guarded: LocalFlyte, oauth2: OAuth2Server, code: str, on_a_loop: bool
) -> None:
    guarded.inject("GetRunDetails", status(code, "whoever you are"))
    config = config_for(guarded, credentials=oauth2.credentials(), retry_budget=0.01)
    expected = {"UNAUTHENTICATED": errors.UnauthenticatedError, "UNKNOWN": errors.UnknownError}[code]
    for _ in range(3):
        with pytest.raises(expected, match="whoever you are"):
            read(config, on_a_loop=on_a_loop)
    assert len(oauth2.issued) == 2


@both
def test_a_write_that_may_have_been_done_is_not_repeated(
    guarded: LocalFlyte, oauth2: OAuth2Server, on_a_loop: bool
) -> None:
    guarded.inject("AbortRun", status("UNKNOWN", "who knows"))
    request = RunService.AbortRun.request()
    request.run_id.name = "r1"
    abort = Call(RunService.AbortRun, request, lambda response: response)
    client = FlyteClient(config_for(guarded, credentials=oauth2.credentials()))

    async def on_loop() -> None:
        async with client:
            await client.aexecute(abort)

    def blocking() -> None:
        with client:
            client.execute(abort)

    with pytest.raises(errors.UnknownError):
        asyncio.run(on_loop()) if on_a_loop else blocking()
    assert guarded.calls.count("AbortRun") == 1


@both
def test_a_write_waits_for_its_token(guarded: LocalFlyte, oauth2: OAuth2Server, on_a_loop: bool) -> None:
    """The token server is away for a moment; nothing was written yet, so it is asked again."""
    oauth2.answers.append((503, "text/html", "<h1>away</h1>"))
    request = RunService.AbortRun.request()
    request.run_id.name, request.run_id.project, request.run_id.domain = "r1", "flytesnacks", "development"
    abort = Call(RunService.AbortRun, request, lambda response: response)
    client = FlyteClient(config_for(guarded, credentials=oauth2.credentials()))

    async def on_loop() -> None:
        async with client:
            await client.aexecute(abort)

    if on_a_loop:
        asyncio.run(on_loop())
    else:
        with client:
            client.execute(abort)
    assert guarded.calls.count("AbortRun") == 1


@both
def test_a_stream_whose_token_was_revoked_is_opened_again(
    guarded: LocalFlyte, oauth2: OAuth2Server, on_a_loop: bool
) -> None:
    request = RunService.WatchRuns.request()
    request.project_id.name, request.project_id.domain = "flytesnacks", "development"
    config = config_for(guarded, credentials=oauth2.credentials())
    assert read(config, on_a_loop=on_a_loop)
    oauth2.revoke_all()

    async def on_loop() -> Any:
        async with FlyteClient(config) as client:
            stream = client.async_transport().server_stream(RunService.WatchRuns, request, timeout=5)
            try:
                return await anext(stream)
            finally:
                await stream.aclose()

    if on_a_loop:
        first = asyncio.run(on_loop())
    else:
        with FlyteClient(config) as client:
            first = next(iter(client.transport().server_stream(RunService.WatchRuns, request, timeout=5)))
    assert [run.action.id.run.name for run in first.runs] == ["r1"]


Wrong = Callable[[OAuth2Server], None]


def answering(code: int, body: str, kind: str = "application/json", times: int = 1) -> Wrong:
    return lambda server: server.answers.extend([(code, kind, body)] * times)


def wrong_audience(server: OAuth2Server) -> None:
    server.audience = "somebody else"


def wrong_secret(server: OAuth2Server) -> None:
    server.secrets["my-id"] = "battery-staple"


@both
@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (wrong_secret, r"invalid_client.*Check client id, client secret"),
        (wrong_audience, r"invalid_target \(no such audience\)"),
        (answering(400, '{"error": "invalid_scope"}'), "invalid_scope"),
        (
            answering(400, '{"error": "bad", "error_description": "is correct-horse\\nright"}'),
            r"bad \(is \*\*\* right\)",
        ),
        (
            answering(400, '{"error": "bad", "error_description": "x\\ud800\\u001b[2Jy"}'),
            "bad \\(x\N{REPLACEMENT CHARACTER}y\\)",
        ),
        (
            answering(400, f'{{"error": "bad", "error_description": "{"x" * 9000} end"}}'),
            r"bad \(x{97} \.\.\. x{94} end\)",
        ),
        (answering(404, "<h1>none</h1>", "text/html"), "HTTP 404"),
        (answering(302, "", "text/html"), "HTTP 302 instead of a token"),
    ],
)
def test_what_the_token_server_refuses_is_lasting(
    guarded: LocalFlyte,
    oauth2: OAuth2Server,
    wrong: Wrong,
    words: str,
    on_a_loop: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # However busy the machine is.
    monkeypatch.setattr("airflow_provider_flyte.client.auth.token_cache._AGAIN_AFTER", 600.0)
    wrong(oauth2)
    config = config_for(guarded, credentials=oauth2.credentials())
    for _ in range(2):
        with pytest.raises(errors.TokenError, match=words) as raised:
            read(config, on_a_loop=on_a_loop)
        assert is_lasting(raised.value)
        assert isinstance(raised.value, errors.UnauthenticatedError)
        assert str(raised.value).startswith(f"The request for a token at {oauth2.url} failed")
        assert_hidden(raised.value, "correct-horse")
    # A thousand tasks with the same mistake do not make a thousand requests.
    assert len(oauth2.forms) == 1


@both
@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (answering(503, '{"error": "temporarily_unavailable"}', times=9), "HTTP 503, temporarily_unavailable"),
        (answering(429, "slow down", "text/plain", times=9), "HTTP 429"),
        (answering(200, "<h1>log in</h1>", "text/html", times=9), "holds no token"),
        (answering(200, '{"access_token": "two words"}', times=9), "holds no token"),
        (answering(200, '["a token"]', times=9), "holds no token"),
        (answering(200, "[" * 100_000, times=9), "holds no token"),
    ],
)
def test_what_may_pass_is_asked_again(
    guarded: LocalFlyte, oauth2: OAuth2Server, wrong: Wrong, words: str, on_a_loop: bool
) -> None:
    wrong(oauth2)
    with pytest.raises(errors.TokenServerError, match=words) as raised:
        read(config_for(guarded, credentials=oauth2.credentials(), retry_budget=0.01), on_a_loop=on_a_loop)
    assert is_transient(raised.value)
    while len(oauth2.answers) > 1:
        oauth2.answers.pop()
    assert read(config_for(guarded, credentials=oauth2.credentials()), on_a_loop=on_a_loop) == "r1"


@both
def test_a_token_server_that_is_slow_or_away(guarded: LocalFlyte, oauth2: OAuth2Server, on_a_loop: bool) -> None:
    go_on = threading.Event()
    oauth2.before = lambda: assert_true(go_on.wait(10))
    config = config_for(guarded, credentials=oauth2.credentials(), retry_budget=0.01, timeout=0.3)
    try:
        with pytest.raises(errors.TokenServerError, match="no answer within"):
            read(config, on_a_loop=on_a_loop)
    finally:
        go_on.set()
    nowhere = ClientCredentials("my-id", "correct-horse", oauth_endpoint="https://localhost:1/token")
    with pytest.raises(errors.TokenServerError, match="check that the token server runs") as raised:
        read(config_for(guarded, credentials=nowhere, retry_budget=0.01), on_a_loop=on_a_loop)
    assert_hidden(raised.value, "correct-horse")


def assert_true(what: bool) -> None:
    assert what


# -- other credentials


@both
def test_a_static_token(local_flyte: LocalFlyte, on_a_loop: bool) -> None:
    local_flyte.run("r1")
    local_flyte.auth.public.authorization_metadata_key = "Flyte-Authorization"
    config = config_for(local_flyte, credentials=StaticToken("tr0ub4dor"))
    assert read(config, on_a_loop=on_a_loop, times=2)
    assert sent(local_flyte, "GetRunDetails", "flyte-authorization") == ["Bearer tr0ub4dor"] * 2
    assert local_flyte.calls.count("GetPublicClientConfig") == 1
    local_flyte.inject("GetRunDetails", status("UNAUTHENTICATED", "not you"))
    with pytest.raises(errors.UnauthenticatedError, match="not you") as raised:
        read(config, on_a_loop=on_a_loop)
    assert local_flyte.calls.count("GetRunDetails") == 3
    assert_hidden(raised.value, "tr0ub4dor")


@both
def test_where_nothing_is_published_the_header_is_authorization(local_flyte: LocalFlyte, on_a_loop: bool) -> None:
    local_flyte.run("r1")
    local_flyte.inject("GetPublicClientConfig", status("PERMISSION_DENIED"))
    assert read(config_for(local_flyte, credentials=StaticToken("tr0ub4dor")), on_a_loop=on_a_loop)
    assert sent(local_flyte, "GetRunDetails") == ["Bearer tr0ub4dor"]


@both
def test_a_token_file_is_read_again_when_it_is_another_one(
    local_flyte: LocalFlyte, tmp_path: Path, on_a_loop: bool
) -> None:
    local_flyte.run("r1")
    local_flyte.inject(
        "GetRunDetails",
        status("UNAUTHENTICATED", "old"),
        when=lambda request, metadata: metadata["authorization"] != "Bearer second",
    )
    file = tmp_path / "token"
    file.write_text("first\n")
    config = config_for(local_flyte, credentials=TokenFile(str(file)))
    with pytest.raises(errors.UnauthenticatedError, match="old"):
        read(config, on_a_loop=on_a_loop)
    (tmp_path / "new").write_text("second\n")
    os.replace(tmp_path / "new", file)
    assert read(config, on_a_loop=on_a_loop) == "r1"


@both
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "No such file or directory"),
        (b"", "Its content is empty"),
        (b"correct horse", "cannot be sent"),
        (b"\xff\xfe\x00", "cannot be sent"),
        (b"x" * 100_000, "it is no file with a token"),
    ],
)
def test_a_token_file_that_cannot_be_used(
    local_flyte: LocalFlyte, tmp_path: Path, content: bytes | None, words: str, on_a_loop: bool
) -> None:
    file = tmp_path / "token"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(errors.ConfigError, match=words) as raised:
        read(config_for(local_flyte, credentials=TokenFile(str(file))), on_a_loop=on_a_loop)
    assert str(file) in str(raised.value)
    assert_hidden(raised.value, "correct horse")


# -- nobody sees it


def assert_hidden(error: BaseException, *secrets: str) -> None:
    """Neither the error nor a traceback of it, with all locals of ours and of grpc's and httpx's, shows a secret."""
    assert found({secret: secret for secret in secrets}, [("the error", shown_by(error))]) == []


@both
def test_no_token_and_no_secret_is_shown(
    guarded: LocalFlyte, oauth2: OAuth2Server, caplog: pytest.LogCaptureFixture, on_a_loop: bool
) -> None:
    caplog.set_level(logging.DEBUG)
    config = config_for(guarded, credentials=oauth2.credentials(), retry_budget=0.01, timeout=5.0)
    read(config, on_a_loop=on_a_loop)
    failures: list[FlyteError] = []
    for code in ("UNAUTHENTICATED", "UNAVAILABLE", "INTERNAL", "PERMISSION_DENIED"):
        guarded.inject("GetRunDetails", status(code, "no"))
        with pytest.raises(FlyteError) as raised:
            read(config, on_a_loop=on_a_loop)
        failures.append(raised.value)
        guarded.clear_faults("GetRunDetails")
    guarded.stop()
    with pytest.raises(FlyteError) as raised:
        read(config, on_a_loop=on_a_loop)
    failures.append(raised.value)
    secrets = [*oauth2.issued, "correct-horse"]
    for failure in failures:
        assert_hidden(failure, *secrets)
    logged = "\n".join(each.getMessage() for each in caplog.records)
    assert "httpcore" in {each.name.partition(".")[0] for each in caplog.records}
    printed = f"{config!r} {FlyteClient(config)!r} {vars(FlyteClient(config))!r}"
    assert found({secret: secret for secret in secrets}, [("the log", logged), ("what is printed", printed)]) == []


# -- plaintext


def test_plaintext_to_a_host_that_is_not_local_is_warned_of_once(caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(2):
        FlyteClient(FlyteConfig("flyte.example.com:80", insecure=True, credentials=StaticToken("tr0ub4dor")))
        FlyteClient(FlyteConfig("10.0.0.1:80", insecure=True, metadata=(("x-api-key", "tr0ub4dor"),)))
        FlyteClient(FlyteConfig("flyte:80", insecure=True, metadata=(("x-team", "ours"),)))
        FlyteClient(FlyteConfig("localhost:80", insecure=True, credentials=StaticToken("tr0ub4dor")))
        FlyteClient(FlyteConfig("flyte:443", credentials=StaticToken("tr0ub4dor")))
    lines = [record.getMessage() for record in caplog.records]
    assert [line.partition(":")[0] + line.partition("plaintext")[1] for line in lines] == [
        "Flyte at flyte.example.complaintext",
        "Flyte at 10.0.0.1plaintext",
    ]
    assert "tr0ub4dor" not in caplog.text


@pytest.mark.parametrize(
    "lifetime", ["1e30", "1" + "0" * 400, "NaN", "Infinity", "-1", '"soon"', "[]", "1e400", "null"]
)
def test_a_lifetime_that_is_odd_spoils_no_token(guarded: LocalFlyte, oauth2: OAuth2Server, lifetime: str) -> None:
    oauth2.issue("good")
    answering(200, f'{{"access_token": "good", "expires_in": {lifetime}}}')(oauth2)
    config = config_for(guarded, credentials=oauth2.credentials())
    assert read(config, on_a_loop=False, times=2) == "r1"
    assert read(config, on_a_loop=True) == "r1"
    assert len(oauth2.forms) == 1
