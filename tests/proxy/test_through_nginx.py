"""Flyte behind a real nginx: which transport auto picks, and the error where none passes."""

from __future__ import annotations

import asyncio
import re
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from typing import Any

import pytest

from airflow_provider_flyte.client import FlyteClient, FlyteConfig, RunDetails, RunWatcher
from airflow_provider_flyte.client import errors as flyte_errors
from airflow_provider_flyte.client.config import AUTO, CONNECT, GRPC
from airflow_provider_flyte.client.errors import RpcError, Status
from airflow_provider_flyte.client.flows.calls import Call, run_identifier
from airflow_provider_flyte.client.rpc import METHODS, InternalRunService, RunService
from airflow_provider_flyte.client.transport import discovery
from airflow_provider_flyte.testing import LocalFlyte
from tests.proxy.nginx import Nginx
from tests.proxy.ways import CHART_SERVICES, LISTENS, STATUSES
from tests.support.certificates import make_certificate
from tests.support.clock import Clock

Config = Callable[..., FlyteConfig]
both = pytest.mark.parametrize("on_a_loop", [False, True], ids=["blocking", "loop"])

PICKED = {
    "grpc": GRPC,
    "grpc-plaintext": GRPC,
    "http-behind-h2": CONNECT,
    "no-trailers": CONNECT,
    "http-behind-tls": CONNECT,
    "http": CONNECT,
    "own-404": CONNECT,
    "buffered": CONNECT,
    "buffered-http": CONNECT,
    "buffered-chunked": CONNECT,
    "chart": CONNECT,
    "chart-http": CONNECT,
    "documented-1": CONNECT,
    "documented-2": GRPC,
}
"""What auto takes, by the way in."""


def read(config: FlyteConfig, *, on_a_loop: bool) -> str:
    async def on_loop() -> str:
        async with FlyteClient(config):
            return (await RunDetails.get.aio("r1")).name

    if on_a_loop:
        return asyncio.run(on_loop())
    with FlyteClient(config):
        return RunDetails.get("r1").name


def refused(config: FlyteConfig, *, on_a_loop: bool) -> RpcError:
    """What reading a run through it fails with."""
    with pytest.raises(RpcError) as raised:
        read(config, on_a_loop=on_a_loop)
    error = raised.value
    assert (error.method, error.run, error.endpoint) == ("RunService/GetRunDetails", "r1", config.endpoint)
    return error


@pytest.fixture(autouse=True)
def _run(flyte: LocalFlyte) -> None:
    flyte.run("r1")


@both
@pytest.mark.parametrize("way", PICKED)
def test_auto_picks_what_passes(config: Config, way: str, on_a_loop: bool) -> None:
    settings = config(way)
    assert read(settings, on_a_loop=on_a_loop) == "r1"
    assert discovery.endpoint_of(settings).transport == PICKED[way]


@both
@pytest.mark.parametrize("way", PICKED)
def test_the_other_transport_is_distinguished_from_an_outage(config: Config, way: str, on_a_loop: bool) -> None:
    other, kind, words = {
        GRPC: (CONNECT, flyte_errors.NoConnectError, "set Transport to auto or grpc in the Flyte connection"),
        CONNECT: (GRPC, flyte_errors.NoGrpcError, "set Transport to auto or connect in the Flyte connection"),
    }[PICKED[way]]
    error = refused(config(way, transport=other, retry_budget=60.0), on_a_loop=on_a_loop)
    assert type(error) is kind
    assert words in str(error)
    assert flyte_errors.is_lasting(error)


@both
@pytest.mark.parametrize("way", ["http-behind-h2", "http-behind-tls", "http"])
def test_http_1_1_is_spoken_everywhere(config: Config, proxy: Nginx, way: str, on_a_loop: bool) -> None:
    """Also where TLS would agree on HTTP/2 and the package for it is there."""
    mark = uuid.uuid4().hex
    assert read(config(way, transport=CONNECT, metadata=(("x-test", mark),)), on_a_loop=on_a_loop) == "r1"
    [line] = asyncio.run(proxy.logged(mark))
    assert line == f"HTTP/1.1 200 {RunService.GetRunDetails.path}"


@both
def test_more_calls_than_a_proxy_takes_on_one_connection(config: Config, on_a_loop: bool) -> None:
    """Nginx closes one after a thousand; a write, which nobody repeats, must not meet that."""
    settings = config("http-behind-h2", transport=CONNECT)
    request = RunService.AbortRun.request(run_id=run_identifier(settings.key("nobody"), ""))
    call = Call(RunService.AbortRun, request, lambda response: response)

    async def on_loop() -> None:
        async with FlyteClient(settings) as client:
            for _ in range(1100):
                with pytest.raises(flyte_errors.NotFoundError):
                    await client.aexecute(call)

    if on_a_loop:
        asyncio.run(on_loop())
        return
    with FlyteClient(settings) as client:
        for _ in range(1100):
            with pytest.raises(flyte_errors.NotFoundError):
                client.execute(call)


@pytest.mark.parametrize("way", PICKED)
async def test_a_wait_ends_by_the_poll(config: Config, flyte: LocalFlyte, way: str) -> None:
    """Also where updates are held back for ever."""
    name = f"wait-{way}"
    run = flyte.run(name).move("RUNNING")
    clock = Clock()
    before = flyte.calls.count("ListRuns")
    async with FlyteClient(config(way)) as client, RunWatcher(client, clock=clock, sleep=clock.sleep) as watcher:
        waiting = asyncio.ensure_future(watcher.wait(name))
        await flyte.wait_for_call_async("ListRuns", before + 2)
        run.succeeds()
        assert (await waiting).outcome.name == "SUCCEEDED"


def stream_messages(
    config: FlyteConfig, domain: str, timeout: float | None, *, on_a_loop: bool, most: int | None = None
) -> list[float]:
    """Seconds after which each message of a stream came, until its end or so many of them."""
    request = RunService.WatchRuns.request()
    request.project_id.name, request.project_id.domain = "flytesnacks", domain
    came: list[float] = []
    began = time.monotonic()

    async def on_loop() -> None:
        async with FlyteClient(config) as client:
            stream = client.async_transport().server_stream(RunService.WatchRuns, request, timeout=timeout)
            async with aclosing(stream):
                async for _ in stream:
                    came.append(time.monotonic() - began)
                    if len(came) == most:
                        return

    if on_a_loop:
        asyncio.run(on_loop())
        return came
    with FlyteClient(config) as client:
        for _ in client.transport().server_stream(RunService.WatchRuns, request, timeout=timeout):
            came.append(time.monotonic() - began)
            if len(came) == most:
                break
    return came


@both
def test_a_buffering_proxy_gives_a_stream_only_when_it_is_over(
    config: Config, flyte: LocalFlyte, on_a_loop: bool
) -> None:
    flyte.run("r1", domain="production")
    # One that gives it at once is given so long that no machine is too slow for it.
    ends_after = {"http": 60.0, "http-behind-h2": 60.0, "buffered-chunked": 1.5, "buffered": 1.5, "buffered-http": 1.5}

    def is_held_back(way: str) -> bool:
        ends = ends_after[way]
        came = stream_messages(config(way), "production", ends, on_a_loop=on_a_loop, most=1)
        # On a slow machine the client has ended the stream before the proxy gives what it held back.
        return not came or came[0] >= ends

    with ThreadPoolExecutor(len(ends_after)) as threads:
        assert list(threads.map(is_held_back, ends_after)) == [False, False, True, True, True]


def test_a_stream_that_an_idle_timeout_ended_is_an_outage(config: Config) -> None:
    """As is everything that another stream, or the same poll again, may not meet."""

    def end_of(case: tuple[str, bool]) -> RpcError:
        way, on_a_loop = case
        with pytest.raises(RpcError) as raised:
            # Nothing ever happens in staging.
            stream_messages(config(way), "staging", None, on_a_loop=on_a_loop)
        return raised.value

    cases = [(way, on_a_loop) for way in ("grpc-idle", "idle", "idle-http") for on_a_loop in (False, True)]
    with ThreadPoolExecutor(len(cases)) as threads:
        errors = list(threads.map(end_of, cases))
    for error in errors:
        assert flyte_errors.is_transient(error)
        assert error.status in (Status.INTERNAL, Status.UNAVAILABLE)
    for way, on_a_loop in cases:
        assert read(config(way), on_a_loop=on_a_loop) == "r1"


async def test_waits_outlast_idle_timeouts_and_buffers(config: Config, flyte: LocalFlyte, proxy: Nginx) -> None:
    """The streams are cut after three seconds, or tell nothing; nobody who waits hears of it."""
    ways = ("grpc-idle", "idle", "idle-http", "buffered", "buffered-http")
    marks = {way: uuid.uuid4().hex for way in ways}
    news: list[str] = []

    async def wait(way: str) -> str:
        settings = config(way, metadata=(("x-test", marks[way]),))
        async with FlyteClient(settings) as client, RunWatcher(client, poll_interval=1.0) as watcher:
            return (await watcher.wait(f"outlasts-{way}", on_trouble=news.append)).outcome.name

    runs = [flyte.run(f"outlasts-{way}").move("RUNNING") for way in ways]
    waiting = asyncio.gather(*map(wait, ways))
    # When the next one is opened is for its price to say, which a busy machine makes a high one.
    cut = (proxy.logged(marks[way], RunService.WatchRuns.path) for way in ways if "idle" in way)
    assert all(await asyncio.gather(*cut))
    assert not waiting.done()
    for run in runs:
        run.succeeds()
    assert set(await waiting) == {"SUCCEEDED"}
    assert news == [], "\n".join(news)


_SAID: dict[int, tuple[type[RpcError], bool, str]] = {
    301: (flyte_errors.LoginPageError, True, "a redirect to https://sso.example/login. A login page answered instead"),
    302: (flyte_errors.LoginPageError, True, "a redirect to https://sso.example/login. A login page answered instead"),
    401: (flyte_errors.UnauthenticatedError, True, "Check the credentials in the Flyte connection."),
    403: (flyte_errors.PermissionDeniedError, True, "Ask for access to this project and domain"),
    413: (flyte_errors.InvalidArgumentError, True, "Check the arguments"),
    429: (flyte_errors.ProxyError, False, "it is a rate limit. Raise it for /flyteidl2.*"),
    500: (flyte_errors.UnknownError, False, "a proxy in front of it"),
    502: (flyte_errors.ProxyError, False, "look at the proxy's log for this call"),
    503: (flyte_errors.ProxyError, False, "look at the proxy's log for this call"),
    504: (flyte_errors.ProxyError, False, "look at the proxy's log for this call"),
}
"""Error class, whether it is lasting, and text, by the proxy's answer; for all others it is no Flyte."""


@pytest.mark.parametrize("listen", LISTENS)
@pytest.mark.parametrize("http_status", STATUSES)
def test_what_a_proxy_says_of_its_own(config: Config, http_status: int, listen: str) -> None:
    kind, lasting, words = _SAID.get(
        http_status, (flyte_errors.NotFlyteError, True, "Something other than a Flyte 2 API answers at localhost:")
    )
    for transport, on_a_loop in [(AUTO, False), (AUTO, True), (GRPC, False), (CONNECT, True)]:
        discovery.forget()
        settings = config(f"{http_status}-{listen}", transport=transport)
        error = refused(settings, on_a_loop=on_a_loop)
        assert (type(error), flyte_errors.is_lasting(error)) == (kind, lasting)
        assert words in str(error)
        assert f"HTTP {http_status}" in str(error)
        if http_status not in (301, 302):
            assert f'"{http_status} from the proxy"' in str(error)
        # A login's query belongs to nobody else.
        assert "secret" not in str(error)
        # What was tried, and what answered.
        assert "gRPC: " in str(error)
        assert "Connect: HTTP" in str(error)
        if kind is flyte_errors.ProxyError:
            assert f"HTTP {http_status} from nginx/" in str(error)
            assert f"A proxy answered at {settings.endpoint}, not Flyte" in str(error)
            # Both were tried.
            assert "set Transport" not in str(error)
        assert discovery.endpoint_of(settings).transport is None


@both
@pytest.mark.parametrize("transport", [AUTO, GRPC, CONNECT])
@pytest.mark.parametrize("listen", LISTENS)
def test_a_login_page_that_says_200(config: Config, listen: str, transport: str, on_a_loop: bool) -> None:
    error = refused(config(f"login-{listen}", transport=transport, retry_budget=60.0), on_a_loop=on_a_loop)
    assert type(error) is flyte_errors.LoginPageError
    assert re.search(
        r"Connect: HTTP 200 from nginx/\S+ with \"Sign in\" instead of an answer of Flyte's\. A login", str(error)
    )


@both
@pytest.mark.parametrize("transport", [AUTO, GRPC, CONNECT])
@pytest.mark.parametrize("way", ["grpc", "http-behind-h2", "http-behind-tls"])
def test_plaintext_to_a_port_that_speaks_tls(config: Config, way: str, transport: str, on_a_loop: bool) -> None:
    error = refused(config(way, insecure=True, transport=transport, retry_budget=60.0), on_a_loop=on_a_loop)
    assert type(error) is flyte_errors.SpeaksTlsError
    assert "speaks TLS: switch Insecure off in the Flyte connection." in str(error)


@both
@pytest.mark.parametrize("transport", [AUTO, GRPC, CONNECT])
@pytest.mark.parametrize("way", ["grpc-plaintext", "http"])
def test_tls_to_a_port_that_speaks_plaintext(config: Config, way: str, transport: str, on_a_loop: bool) -> None:
    error = refused(config(way, insecure=False, transport=transport, retry_budget=60.0), on_a_loop=on_a_loop)
    assert type(error) is flyte_errors.SpeaksPlaintextError
    assert "does not speak TLS: switch Insecure on in the Flyte connection" in str(error)


@both
@pytest.mark.parametrize("transport", [AUTO, GRPC, CONNECT])
@pytest.mark.parametrize("way", ["grpc", "http-behind-h2", "http-behind-tls"])
def test_an_unknown_authority(
    config: Config, tmp_path: Any, monkeypatch: pytest.MonkeyPatch, way: str, transport: str, on_a_loop: bool
) -> None:
    settings = config(way, transport=transport, retry_budget=60.0)
    (tmp_path / "others.pem").write_bytes(make_certificate("localhost")[0])
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "others.pem"))
    error = refused(settings, on_a_loop=on_a_loop)
    assert type(error) is flyte_errors.UnknownAuthorityError
    assert "name a file with it in SSL_CERT_FILE" in str(error)


@both
@pytest.mark.parametrize("transport", [AUTO, GRPC, CONNECT])
@pytest.mark.parametrize("way", ["grpc", "http-behind-h2", "http-behind-tls"])
def test_a_certificate_for_another_host_name(
    config: Config, proxy: Nginx, way: str, transport: str, on_a_loop: bool
) -> None:
    settings = config(way, endpoint=f"127.0.0.1:{proxy.ports[way]}", transport=transport, retry_budget=60.0)
    error = refused(settings, on_a_loop=on_a_loop)
    assert type(error) is flyte_errors.WrongHostNameError
    assert "is for another host name: enter that name as host" in str(error)


def test_the_chart_lets_through_whatever_waiting_and_launching_ask_for() -> None:
    services = {row.path.split("/")[1].removeprefix("flyteidl2.") for row in METHODS}
    # Whoever launches by a Flyte trigger's name needs one more; docs/ingress.md says so. Without ClusterService
    # everything goes where it would anyhow (test_data_through_nginx.py).
    assert services - set(CHART_SERVICES) == {
        "workflow.InternalRunService",
        "trigger.TriggerService",
        "cluster.ClusterService",
    }


@pytest.mark.parametrize("way", ["chart", "chart-http"])
async def test_a_path_that_the_chart_does_not_let_through(config: Config, way: str) -> None:
    row = InternalRunService.RecordAction
    async with FlyteClient(config(way)) as client:
        await RunDetails.get.aio("r1")
        with pytest.raises(flyte_errors.UnimplementedError, match="a proxy may also let only some paths through"):
            await client.aexecute(Call(row, row.request(), lambda response: response))
