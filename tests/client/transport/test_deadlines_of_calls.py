"""A call ends when its time is over, whatever trickles in: until the last byte of headers and body."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import socket
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from airflow_provider_flyte.client import FlyteConfig, errors
from airflow_provider_flyte.client.auth.oauth2 import TokenServer
from airflow_provider_flyte.client.credentials import ClientCredentials, Secret
from airflow_provider_flyte.client.rpc import RunService
from airflow_provider_flyte.client.transport import connections, probe
from airflow_provider_flyte.client.transport.deadline import Deadline, left
from airflow_provider_flyte.client.transport.route import Route
from airflow_provider_flyte.testing import LocalFlyte
from tests.support.one_call import ask
from tests.support.trickling_server import TricklingServer, trickling_server

_SETTINGS = b"\0\0\0\4\0\0\0\0\0"
"""HTTP/2's first frame."""

_HEADERS = b"HTTP/1.1 %b\r\ncontent-type: %b\r\ntransfer-encoding: chunked\r\n\r\n"
_OF_TLS = b"\x16\x03\x03\x40\x00"
"""The beginning of a record of the handshake that is 16 kB long."""

ANSWERS = {
    "connect: status": (b"HTTP/1.1 200 ", b"x"),
    "connect: headers": (b"HTTP/1.1 200 OK\r\nx: ", b"x"),
    "connect: one header after the other": (b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 102 x\r\n\r\n"),
    "connect: message": (_HEADERS % (b"200 OK", b"application/proto"), b"1\r\n\0\r\n"),
    "connect: frame of a message": (_HEADERS % (b"200 OK", b"application/proto") + b"1;", b"x"),
    "connect: page": (_HEADERS % (b"502 Bad", b"text/html") + b"1;", b"x"),
    "connect: TLS": (_OF_TLS, b"\0"),
    "grpc: settings": (b"\0\x3f\xfc\4\0\0\0\0\0", b"\0"),
    "grpc: headers": (_SETTINGS + b"\0\x40\0\1\4\0\0\0\1", b"\0"),
    "grpc: TLS": (_OF_TLS, b"\0"),
}


def call(endpoint: str, name: str, method: Any, on_a_loop: bool, request: Any = None) -> None:
    config = FlyteConfig(endpoint=endpoint, insecure="TLS" not in name, transport=name.partition(":")[0])
    ask(config, method, request, on_a_loop=on_a_loop, timeout=0.3)


both = pytest.mark.parametrize("on_a_loop", [False, True], ids=["blocking", "loop"])


@both
@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_that_trickles(name: str, on_a_loop: bool) -> None:
    with trickling_server(*ANSWERS[name]) as server:
        with pytest.raises(errors.DeadlineExceededError):
            call(server.endpoint, name, RunService.ListRuns, on_a_loop)
        # gRPC leaves its connection open for the next call.
        assert name.startswith("grpc") or server.left.wait(10)


@both
@pytest.mark.parametrize("name", ANSWERS)
def test_a_stream_that_trickles(name: str, on_a_loop: bool) -> None:
    """It ends as one does whose time is over."""
    with trickling_server(*ANSWERS[name]) as server:
        with contextlib.suppress(errors.DeadlineExceededError):
            call(server.endpoint, name, RunService.WatchRuns, on_a_loop)
        assert name.startswith("grpc") or server.left.wait(10)


@both
def test_a_request_that_nobody_reads(on_a_loop: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        large = RunService.ListRuns.request(request={"token": "x" * (16 << 20)})
        with pytest.raises(errors.DeadlineExceededError):
            call(f"127.0.0.1:{deaf.getsockname()[1]}", "connect: large", RunService.ListRuns, on_a_loop, large)


def token_from(server: TricklingServer, timeout: float) -> None:
    config = FlyteConfig(endpoint="flyte.example.com:443")
    credentials = ClientCredentials(client_id="me", client_secret=Secret("s3cret"))
    TokenServer(config, f"http://{server.endpoint}/token").ask(credentials, (), "", timeout)


@pytest.mark.parametrize("name", [name for name in ANSWERS if name.startswith("connect") and "TLS" not in name])
def test_a_token_that_trickles(name: str) -> None:
    with trickling_server(*ANSWERS[name]) as server:
        with pytest.raises(errors.TokenServerError, match="no answer within"):
            token_from(server, 0.3)
        assert server.left.wait(10)


@pytest.mark.parametrize("name", ["connect: through TLS", "grpc: through TLS"])
@both
def test_a_proxy_that_trickles(monkeypatch: pytest.MonkeyPatch, name: str, on_a_loop: bool) -> None:
    """Its answer to CONNECT belongs to the call, too."""
    with trickling_server(b"HTTP/1.1 200 OK\r\nx: ", b"x") as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://{proxy.endpoint}")
        with pytest.raises(errors.DeadlineExceededError):
            call("flyte.example.com:443", name, RunService.ListRuns, on_a_loop)
        assert proxy.left.wait(10)


def test_a_probe_through_a_proxy_that_trickles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "TIMEOUT", 0.3)
    with trickling_server(b"HTTP/1.1 200 OK\r\nx: ", b"x") as proxy:
        route = Route("flyte.example.com", 443, False, proxy=Secret(f"http://{proxy.endpoint}"))
        assert probe.probe_port(route).speaks is None
        assert proxy.left.wait(10)


def test_a_probe_reads_no_endless_head_of_a_proxy() -> None:
    with trickling_server(b"HTTP/1.1 200 OK\r\nx: " + b"x" * (1 << 20), b"x") as proxy:
        route = Route("flyte.example.com", 443, False, proxy=Secret(f"http://{proxy.endpoint}"))
        assert probe.probe_port(route).why == "the proxy hung up"


# -- what keeps it


def test_a_deadline_is_the_timeout_that_it_was_given_and_knows_what_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    deadline = Deadline(2.5)
    assert (deadline, left(deadline)) == (2.5, 2.5)
    clock[0] += 2
    assert (deadline, left(deadline)) == (2.5, 0.5)
    clock[0] += 0.5
    with pytest.raises(TimeoutError):
        left(deadline)
    assert (left(3.0), left(None)) == (3.0, None)


@pytest.fixture
def nobody() -> Iterator[tuple[str, int]]:
    """An address where connections are not answered."""
    with contextlib.ExitStack() as opened:
        full = opened.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(2):
            # Its queue is full then.
            waiting = opened.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        yield full.getsockname()


def test_an_address_where_nobody_answers_leaves_time_for_the_next(
    nobody: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a host's IPv6 address where only IPv4 is routed."""
    with LocalFlyte(transports=("connect",)) as flyte:
        good = ("127.0.0.1", int(flyte.endpoint.rpartition(":")[2]))
        found = [(socket.AF_INET, socket.SOCK_STREAM, 0, "", address) for address in (nobody, good)]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *asked, **more: found)
        with closing(connections.connect("flyte.example.com", 80, Deadline(2.0))) as connected:
            assert connected.getpeername() == good


class _TimedOut(BaseException):
    """What Airflow's ``execution_timeout`` raises, from the handler of a signal."""


def test_a_signal_while_it_connects_leaves_no_socket(nobody: tuple[str, int]) -> None:
    def stop(number: int, frame: object) -> None:
        raise _TimedOut

    before = signal.signal(signal.SIGUSR1, stop)
    timer = threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGUSR1))
    try:
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            timer.start()
            with pytest.raises(_TimedOut):
                connections.connect(*nobody, Deadline(60.0))
            gc.collect()
    finally:
        timer.join()
        signal.signal(signal.SIGUSR1, before)
    assert seen == []
