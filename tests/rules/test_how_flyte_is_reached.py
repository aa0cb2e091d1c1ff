"""What a discovery sees -> the transport that it finds, or what is wrong. By tables, without a network."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_flyte.client import FlyteConfig, StaticToken
from airflow_provider_flyte.client import errors as client_errors
from airflow_provider_flyte.client.errors import RpcError, Status, error_for
from airflow_provider_flyte.client.transport import discovery
from airflow_provider_flyte.client.transport.discovery import (
    MOST_ASKERS,
    NO_RUN,
    NOWHERE,
    Endpoint,
    Found,
    calls_to_try,
    find,
)
from airflow_provider_flyte.client.transport.probe import Certificate, Security

GRPC, CONNECT, AUTO = "grpc", "connect", "auto"


def rpc(code: Status, *, answered: bool = False, http: int | None = None) -> RpcError:
    error = error_for(code, f"so says {code.name}", method="Probe", endpoint="here")
    error.answered, error.http_status = answered, http
    return error


def config(**changed: Any) -> FlyteConfig:
    given: dict[str, Any] = {"endpoint": "flyte.example:443", "insecure": True, "project": "p", "domain": "d"}
    return FlyteConfig(**given | changed)


class Network:
    """What is at the port, and how each transport's requests end."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.port = SimpleNamespace(speaks=Security.PLAINTEXT, certificate=None, why="nothing", details="port details")
        self.ends: dict[str, list[RpcError | None]] = {}
        self.asked: list[tuple[str, str]] = []
        self.closed: list[str] = []
        monkeypatch.setattr("airflow_provider_flyte.client.transport.probe.probe_port", lambda route: self.port)
        monkeypatch.setattr(discovery, "open_transport", self._open)

    def _open(self, transport: str, *_: Any) -> Any:
        ends = iter(self.ends[transport])

        def unary(method: Any, *_: Any, **__: Any) -> None:
            self.asked.append((transport, method.name))
            if error := next(ends):
                raise error

        return SimpleNamespace(unary=unary, close=lambda: self.closed.append(transport))

    def find(self, settings: FlyteConfig, *given: Any) -> Found:
        route: Any = None
        return find(settings, route, (), *given)


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Network:
    return Network(monkeypatch)


AWAY, REFUSED = rpc(Status.UNAVAILABLE), rpc(Status.UNAUTHENTICATED)
SAYS_AWAY, SAYS_REFUSED = rpc(Status.UNAVAILABLE, answered=True), rpc(Status.UNAUTHENTICATED, answered=True)
PAGE = rpc(Status.UNIMPLEMENTED, http=404)
NOT_THERE = rpc(Status.UNIMPLEMENTED)
BAD_GATEWAY = rpc(Status.UNAVAILABLE, http=502)


@pytest.mark.parametrize(
    ("transport", "grpc", "connect", "outcome"),
    [
        (AUTO, None, None, Found(GRPC)),
        (AUTO, SAYS_REFUSED, None, Found(GRPC)),
        (AUTO, AWAY, None, Found(CONNECT, Status.UNAVAILABLE)),
        (AUTO, AWAY, SAYS_REFUSED, Found(CONNECT, Status.UNAVAILABLE)),
        # Both give the same answer, so it is Flyte's.
        (AUTO, REFUSED, SAYS_REFUSED, Found(GRPC)),
        # It is away through either.
        (AUTO, REFUSED, SAYS_AWAY, client_errors.UnavailableError),
        (AUTO, AWAY, AWAY, client_errors.UnavailableError),
        (AUTO, REFUSED, AWAY, client_errors.UnauthenticatedError),
        (AUTO, AWAY, PAGE, client_errors.NotFlyteError),
        (AUTO, REFUSED, BAD_GATEWAY, client_errors.UnavailableError),
        (GRPC, None, None, Found(GRPC)),
        (GRPC, AWAY, None, client_errors.NoGrpcError),
        (GRPC, AWAY, AWAY, client_errors.UnavailableError),
        (CONNECT, None, None, Found(CONNECT)),
        (CONNECT, None, SAYS_AWAY, Found(CONNECT)),
        (CONNECT, None, AWAY, client_errors.NoConnectError),
        (CONNECT, SAYS_REFUSED, AWAY, client_errors.NoConnectError),
        (CONNECT, AWAY, AWAY, client_errors.UnavailableError),
        (CONNECT, AWAY, PAGE, client_errors.NotFlyteError),
    ],
)
def test_what_is_found(
    network: Network, transport: str, grpc: RpcError | None, connect: RpcError | None, outcome: Any
) -> None:
    network.ends = {GRPC: [grpc] * 3, CONNECT: [connect] * 3}
    settings = config(transport=transport)
    if isinstance(outcome, Found):
        assert network.find(settings) == outcome
    else:
        with pytest.raises(RpcError) as raised:
            network.find(settings)
        assert type(raised.value) is outcome
    # In the order of preference, and nothing that is not needed; each is closed.
    asked = list(dict.fromkeys(name for name, _ in network.asked))
    assert asked[0] == (CONNECT if transport == CONNECT else GRPC)
    assert len(asked) == (1 if outcome in (Found(GRPC), Found(CONNECT)) and grpc is not REFUSED else 2)
    assert network.closed == asked


def test_before_there_is_a_token_a_refusal_of_grpc_is_no_reason_for_connect(network: Network) -> None:
    network.ends = {GRPC: [REFUSED] * 3, CONNECT: [AWAY] * 3}
    settings = config(credentials=StaticToken("secret-token"))
    with pytest.raises(client_errors.UnauthenticatedError) as raised:
        network.find(settings)
    assert "Connect: so says UNAVAILABLE" in str(raised.value)
    network.ends[GRPC] = [AWAY] * 3
    with pytest.raises(client_errors.UnavailableError):
        network.find(settings)


def test_where_nothing_listens(network: Network) -> None:
    network.port.speaks = None
    with pytest.raises(client_errors.UnavailableError) as raised:
        network.find(config())
    assert raised.value.details == "nothing (port details)"
    # The call that led to it knows more.
    with pytest.raises(client_errors.UnauthenticatedError) as first:
        network.find(config(), REFUSED, GRPC)
    assert first.value.details == "so says UNAUTHENTICATED (port details)"
    assert network.asked == []


@pytest.mark.parametrize(
    ("insecure", "speaks", "certificate", "kind"),
    [
        (True, Security.TLS, None, client_errors.SpeaksTlsError),
        (True, Security.PLAINTEXT, Certificate.INVALID, None),
        (False, Security.PLAINTEXT, None, client_errors.SpeaksPlaintextError),
        (False, Security.TLS, None, None),
        (False, Security.TLS, Certificate.UNKNOWN_AUTHORITY, client_errors.UnknownAuthorityError),
        (False, Security.TLS, Certificate.OTHER_NAME, client_errors.WrongHostNameError),
        (False, Security.TLS, Certificate.CLIENTS, client_errors.ClientCertificateError),
        (False, Security.TLS, Certificate.INVALID, client_errors.CertificateError),
    ],
)
def test_what_the_port_shows(
    network: Network, insecure: bool, speaks: Security, certificate: Certificate | None, kind: type | None
) -> None:
    network.port.speaks, network.port.certificate = speaks, certificate
    network.ends = {GRPC: [AWAY] * 3, CONNECT: [None]}
    settings = config(insecure=insecure)
    if kind is None:
        assert network.find(settings) == Found(CONNECT, Status.UNAVAILABLE)
        return
    with pytest.raises(kind) as raised:
        network.find(settings)
    assert type(raised.value) is kind
    assert isinstance(raised.value, RpcError)
    assert raised.value.details == "so says UNAVAILABLE (port details)"
    # Where Flyte answers all the same it is no mistake.
    network.ends[GRPC] = [None]
    assert network.find(settings) == Found(GRPC)


@pytest.mark.parametrize(
    ("ends", "asks"),
    [
        ([None, None], 1),
        ([rpc(Status.NOT_FOUND, answered=True), None], 1),
        ([AWAY, None], 1),
        ([BAD_GATEWAY, None], 1),
        # A proxy may have put a page of its own in the place of Flyte's NOT_FOUND.
        ([PAGE, None], 2),
        ([PAGE, AWAY], 2),
        # A data plane has neither service.
        ([PAGE, PAGE, None], 3),
        ([NOT_THERE, NOT_THERE, rpc(Status.NOT_FOUND, answered=True)], 3),
        ([PAGE, PAGE, PAGE], 3),
    ],
)
def test_how_many_requests_it_takes(network: Network, ends: list[RpcError | None], asks: int) -> None:
    network.ends = {CONNECT: ends, GRPC: [AWAY] * 3}
    try:
        found = network.find(config(transport=CONNECT))
    except RpcError:
        found = None
    last = ends[asks - 1]
    assert (found == Found(CONNECT)) == (last is None or last.answered)
    assert [name for transport, name in network.asked if transport == CONNECT] == [
        "RunService/GetActionDetails",
        "AuthMetadataService/GetPublicClientConfig",
        "DataProxyService/GetActionData",
    ][:asks]


@pytest.mark.parametrize(
    ("changed", "project", "domain"), [({}, "p", "d"), ({"project": "", "domain": ""}, NOWHERE, NOWHERE)]
)
def test_discovery_asks_for_a_run_that_cannot_exist(changed: dict[str, str], project: str, domain: str) -> None:
    (_, first), (_, _), (_, last) = calls_to_try(config(org="acme", **changed), ())
    assert first.action_id == last.action_id
    run = first.action_id.run
    assert (run.org, run.project, run.domain, run.name) == ("acme", project, domain, NO_RUN)
    assert first.action_id.name


def test_without_its_token_only_what_needs_none_is_asked_for() -> None:
    settings = config(credentials=StaticToken("secret-token"))
    [(method, _)] = calls_to_try(settings, ())
    assert method.name == "AuthMetadataService/GetPublicClientConfig"
    assert len(list(calls_to_try(settings, (("authorization", "Bearer x"),)))) == 3


# -- when there is one


class Clocked:
    """An endpoint, by a clock."""

    def __init__(self) -> None:
        self.now = 0.0
        self.endpoint = Endpoint("here")
        self.found: list[int] = []

    def begin(self, outcome: Found | RpcError | None, asker: int = 1) -> Any:
        """The result of a discovery; None if none is due."""

        def found() -> Found:
            self.found.append(asker)
            if isinstance(outcome, RpcError):
                raise outcome
            assert outcome is not None
            return outcome

        begun = self.endpoint.join_or_begin(found, asker, self.now, lambda: self.now)
        return None if begun is None else begun.outcome.result(10)


@pytest.fixture
def clocked() -> Clocked:
    return Clocked()


def test_a_transport_that_was_found_is_known(clocked: Clocked) -> None:
    assert clocked.endpoint.transport is None
    assert clocked.begin(Found(CONNECT)) == Found(CONNECT)
    assert clocked.endpoint.transport == CONNECT
    assert clocked.endpoint.trouble_met(1) is None


def test_trouble_is_known_until_flyte_answers(clocked: Clocked) -> None:
    assert clocked.begin(AWAY) is AWAY
    assert (clocked.endpoint.trouble_met(1), clocked.endpoint.trouble_met(2)) == (AWAY, None)
    clocked.endpoint.answered(GRPC)
    assert clocked.endpoint.trouble_met(1) is None
    assert clocked.endpoint.transport == GRPC


@pytest.mark.parametrize(("known", "first", "longest"), [(False, 1.0, 10.0), (True, 5.0, 60.0)])
def test_pauses_grow_while_nothing_is_found(clocked: Clocked, known: bool, first: float, longest: float) -> None:
    if known:
        clocked.endpoint.answered(GRPC)
    for number in range(8):
        assert clocked.begin(AWAY) is AWAY
        most = min(longest, first * 2**number)
        clocked.now += most / 2 - 0.001
        assert clocked.begin(AWAY) is None
        clocked.now += most / 2 + 0.002
    assert len(clocked.found) == 8


def test_each_new_caller_asks_at_once(clocked: Clocked) -> None:
    """The token of another caller may be valid, so it does not get the refusal of the first."""
    clocked.begin(AWAY, 1)
    assert clocked.begin(REFUSED, 2) is REFUSED
    assert clocked.begin(REFUSED, 2) is None
    assert (clocked.endpoint.trouble_met(1), clocked.endpoint.trouble_met(2)) == (AWAY, REFUSED)
    for asker in range(3, MOST_ASKERS + 1):
        assert clocked.begin(AWAY, asker) is AWAY
    # So many are kept, and no more.
    assert clocked.begin(AWAY, MOST_ASKERS + 1) is None
    clocked.now += 100.0
    assert clocked.begin(AWAY, MOST_ASKERS + 1) is AWAY
    assert clocked.endpoint.trouble_met(1) is None
    assert clocked.endpoint.trouble_met(2) is REFUSED


def test_all_who_ask_meanwhile_share_one_discovery(clocked: Clocked) -> None:
    go_on = threading.Event()

    def slow() -> Found:
        go_on.wait(10)
        return Found(GRPC)

    first = clocked.endpoint.join_or_begin(slow, 1, 0.0, lambda: 0.0)
    assert clocked.endpoint.join_or_begin(slow, 1, 0.0, lambda: 0.0) is first
    assert first is not None
    assert not first.is_outdated
    # It does not keep the process from ending.
    assert all(thread.daemon for thread in threading.enumerate() if thread.name == "flyte-discovery")
    clocked.endpoint.answered(CONNECT)
    assert first.is_outdated
    go_on.set()
    assert first.outcome.result(10) == Found(GRPC)


def test_what_flyte_has_answered_meanwhile_counts_more_than_a_discoverys_trouble(clocked: Clocked) -> None:
    def overtaken() -> Found:
        clocked.endpoint.answered(GRPC)
        raise AWAY

    begun = clocked.endpoint.join_or_begin(overtaken, 1, 0.0, lambda: 0.0)
    assert begun is not None
    assert begun.outcome.result(10) is AWAY
    assert clocked.endpoint.trouble_met(1) is None
    # And it puts the next one off no more than a first one does.
    clocked.now = 2.49
    assert clocked.begin(AWAY) is None
    clocked.now = 5.01
    assert clocked.begin(AWAY) is AWAY


def test_an_error_that_nobody_expects_is_that_of_those_who_wait(clocked: Clocked) -> None:
    def broken() -> Found:
        raise ValueError("broken")

    begun = clocked.endpoint.join_or_begin(broken, 1, 0.0, lambda: 0.0)
    assert begun is not None
    assert isinstance(begun.outcome.exception(10), ValueError)
    clocked.now = 100.0
    assert clocked.begin(Found(GRPC)) == Found(GRPC)


def test_without_a_thread_discovery_fails(clocked: Clocked, monkeypatch: pytest.MonkeyPatch) -> None:
    def limited(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", limited)
    failure = clocked.begin(None)
    assert isinstance(failure, client_errors.UnavailableError)
    assert "no thread could be started to find out how Flyte can be reached: can't start" in failure.details
    assert failure.endpoint == "here"
    monkeypatch.undo()
    clocked.now = 100.0
    assert clocked.begin(Found(GRPC)) == Found(GRPC)
