"""Who gets the client secret: only a token server that the connection names, or that a verified Flyte may name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airflow_provider_flyte.client import FlyteConfig, errors
from airflow_provider_flyte.client.auth.oauth2 import TokenServer
from airflow_provider_flyte.client.auth.token_hosts import (
    check_audience,
    check_header,
    check_named,
    check_scopes,
    may_have_secret,
)
from airflow_provider_flyte.client.credentials import ClientCredentials, StaticToken
from airflow_provider_flyte.client.errors import ConfigError, is_lasting
from airflow_provider_flyte.client.idl.auth import auth_service_pb2
from airflow_provider_flyte.testing import LocalFlyte
from airflow_provider_flyte.testing.servers.connect_server import server_context
from tests.client.auth.test_auth import both, read
from tests.client.conftest import config_for
from tests.support.certificates import Authority
from tests.support.oauth2 import OAuth2Server
from tests.support.replay_server import Answer, ReplayServer

FLYTE = "flyte.example.com"


# -- the rule


@pytest.mark.parametrize(
    ("host", "flyte"),
    [
        (FLYTE, FLYTE),
        ("auth.example.com", FLYTE),
        ("example.com", FLYTE),
        ("AUTH.Example.COM.", FLYTE),
        ("auth.example.com", "Flyte.Example.com."),
        ("auth.example.co.uk", "flyte.example.co.uk"),
        ("example.co.uk", "flyte.example.co.uk"),
        ("auth.acme.io", "flyte.acme.io"),
        ("login.flyte.svc", "flyte-http.flyte.svc"),
        ("login.flyte.svc.cluster.local", "flyte-http.flyte.svc.cluster.local"),
        ("example.co.uk", "example.co.uk"),
        ("flyte", "flyte"),
        ("localhost", "localhost"),
        ("10.0.0.7", "10.0.0.7"),
        ("2001:db8::1", "[2001:0DB8::1]"),
        ("mine.azurewebsites.net", "mine.azurewebsites.net"),
    ],
)
def test_these_may_have_the_secret(host: str, flyte: str) -> None:
    assert may_have_secret(host, flyte)


@pytest.mark.parametrize(
    ("host", "flyte"),
    [
        ("evil.com", FLYTE),
        ("com", FLYTE),
        ("auth.evil.com", FLYTE),
        ("evilexample.com", FLYTE),
        ("example.com.evil.com", FLYTE),
        ("flyte.example.com.evil.com", FLYTE),
        ("a.auth.example.com", FLYTE),
        ("auth.flyte.example.com", FLYTE),
        ("example.com", "flyte.team.example.com"),
        ("auth.example.com", "flyte.team.example.com"),
        (".example.com", FLYTE),
        ("auth..example.com", FLYTE),
        ("-.example.com", FLYTE),
        ("evil.com\\.example.com", FLYTE),
        ("evil.com%2f.example.com", FLYTE),
        ("evil.com/.example.com", FLYTE),
        ("evil.com\u3002example.com", FLYTE),
        ("ex\u0430mple.com", FLYTE),
        ("auth.ex\u0430mple.com", "flyte.ex\u0430mple.com"),
        ("", ""),
        ("", FLYTE),
        # Neighbours that are strangers: everybody gets a name there.
        ("evil.com", "flyte.com"),
        ("evil.co.uk", "flyte.co.uk"),
        ("co.uk", "flyte.co.uk"),
        ("evil.com.au", "flyte.com.au"),
        ("evil.abc.de", "flyte.abc.de"),
        ("evil.uk.com", "flyte.uk.com"),
        ("evil.azurewebsites.net", "mine.azurewebsites.net"),
        ("evil-2.us-east-1.elb.amazonaws.com", "flyte-1.us-east-1.elb.amazonaws.com"),
        ("evil.westeurope.cloudapp.azure.com", "flyte.westeurope.cloudapp.azure.com"),
        ("evil", "flyte"),
        ("evil.flyte", "http.flyte"),
        ("auth.localhost", "localhost"),
        # Addresses have no neighbours.
        ("127.0.0.1", "localhost"),
        ("10.0.0.8", "10.0.0.7"),
        ("11.0.0.7", "10.0.0.7"),
        ("0.0.7", "10.0.0.7"),
        ("evil.0.0.7", "10.0.0.7"),
        ("2001:db8::2", "[2001:db8::1]"),
        ("10.0.0.0x7", "10.0.0.7"),
    ],
)
def test_these_may_not(host: str, flyte: str) -> None:
    assert not may_have_secret(host, flyte)


def test_what_the_connection_allows() -> None:
    allowed = ("login.okta.com", "10.0.0.7")
    for host in ("login.okta.com", "LOGIN.okta.com.", "10.0.0.7", "auth.example.com"):
        assert may_have_secret(host, FLYTE, allowed)
    for host in ("okta.com", "evil.okta.com", "a.login.okta.com", "10.0.0.8", ""):
        assert not may_have_secret(host, FLYTE, allowed)


@pytest.mark.parametrize(
    "wrong", ["https://login.okta.com", "login.okta.com:443", "*.okta.com", "a/b", "", "\u0430.com"]
)
def test_a_host_that_is_none_cannot_be_allowed(wrong: str) -> None:
    with pytest.raises(ConfigError, match=r"allowed_oauth_hosts has .*: enter names of hosts"):
        ClientCredentials("my-id", "correct-horse", allowed_oauth_hosts=(wrong,))


@pytest.mark.parametrize(
    ("changed", "host"),
    [({}, FLYTE), ({"server_name": "flyte.internal.example.org"}, "flyte.internal.example.org")],
)
def test_flytes_host_is_the_one_that_its_certificate_is_checked_for(changed: dict[str, Any], host: str) -> None:
    config = FlyteConfig(f"{FLYTE}:443", **changed)
    for named in (FLYTE, "flyte.internal.example.org"):
        url = f"https://{named}/token"
        if named == host:
            assert check_named(url, config, ()) == url
        else:
            with pytest.raises(ConfigError, match=f"which is neither {host} nor"):
                check_named(url, config, ())


@pytest.mark.parametrize(
    "own",
    [FLYTE, f"https://{FLYTE}", f"https://{FLYTE}:8443/api", f"api://{FLYTE}/.default", "https://Flyte.Example.com."],
)
def test_scopes_and_audience_that_are_named_after_flyte_are_believed(own: str) -> None:
    config = FlyteConfig(f"{FLYTE}:443")
    assert check_scopes(["all", "offline", own], config) == ("all", "offline", own)
    assert check_audience(own, config) == own
    assert check_audience("", config) == ""
    assert check_scopes([], config) == ()


@pytest.mark.parametrize(
    "foreign",
    [
        "https://graph.microsoft.com/.default",
        "api://default",
        "https://example.com",
        "https://payroll.example.com/read",
        "payroll.example.com",
        f"https://{FLYTE}@evil.com/",
        f"https://{FLYTE}.evil.com/",
        f"https://{FLYTE}/ admin",
        f"https://{FLYTE}/\ud800",
        "https://[flyte",
        "https://",
        "admin",
        " ",
    ],
)
def test_others_have_to_be_entered(foreign: str) -> None:
    config = FlyteConfig(f"{FLYTE}:443")
    with pytest.raises(ConfigError, match=r"Scopes \(scopes\)") as raised:
        check_scopes(["all", foreign], config)
    assert str(raised.value).isprintable()
    with pytest.raises(ConfigError, match=rf"not {FLYTE} and may .*Audience \(audience\)") as raised:
        check_audience(foreign, config)
    assert str(raised.value).isprintable()


LABELS = st.sampled_from(["a", "flyte", "auth", "example", "evil", "co", "com", "uk", "io", "10", "0"])
NAMES = st.lists(LABELS, min_size=1, max_size=5).map(".".join)


@given(NAMES, NAMES)
@example("evil.co.uk", "flyte.co.uk")
def test_who_may_have_it_shares_a_domain_of_its_own(host: str, flyte: str) -> None:
    if host != flyte and may_have_secret(host, flyte):
        domain = flyte.split(".")[1:]
        assert len(domain) >= 2
        assert host.split(".")[-len(domain) :] == domain
        assert len(host.split(".")) - len(domain) in (0, 1)
        assert domain not in (["co", "uk"], ["com", "uk"], ["a", "com"])


URLS = ("https://", "http://", "@", "\\", "/", "?", "#", ":443", ":", ".", "%2e", "%40", "%00", ";", "[", "]", "::1")
ODD = ("\t", "\n", " ", "\u3002", "\uff0f", "\u2100")
PIECES = st.sampled_from([*URLS, *ODD, "auth.example.com", FLYTE, "evil.com", "example.com", "token"])


@given(st.lists(PIECES, max_size=8).map(lambda pieces: "https://" + "".join(pieces)))
@example("https://evil.com\\.example.com/")
@example("https://auth.example.com\\@evil.com/")
@example("https://evil.com\u3002example.com/")
@example("https://evil.com#@auth.example.com/")
@example("https://xn--zz.example.com/")
@example("https://auth.example.com/" + "x" * 70_000)
@example("https://auth.example.com/a\tb")
def test_what_is_sent_goes_to_the_host_that_was_checked(url: str) -> None:
    """Two readings of one URL must not differ: the rule reads it with urllib, and httpx sends."""
    config = FlyteConfig(f"{FLYTE}:443")
    try:
        check_named(url, config, ())
    except ConfigError:
        return
    sent = httpx.URL(url)
    assert sent.scheme == "https"
    assert may_have_secret(sent.raw_host.decode(), FLYTE)


# -- with servers


@pytest.fixture
def authority() -> Authority:
    return Authority("of the test")


@pytest.fixture
def flyte(authority: Authority, protocol: str) -> Iterator[LocalFlyte]:
    with LocalFlyte(transports=(protocol,), tls=authority.issue("localhost")) as made:
        made.run("r1")
        yield made


@pytest.fixture
def oauth2(authority: Authority) -> Iterator[OAuth2Server]:
    with OAuth2Server(tls=server_context(authority.issue("localhost"))) as server:
        yield server


@pytest.fixture
def stranger(authority: Authority) -> Iterator[OAuth2Server]:
    """A token server at another host, which everything trusts and which would take the secret."""
    with OAuth2Server(tls=server_context(authority.issue("127.0.0.1"))) as server:
        server.url = server.url.replace("localhost", "127.0.0.1")
        yield server


def settings(flyte: LocalFlyte, authority: Authority, **changed: Any) -> FlyteConfig:
    tls = {"insecure": False, "ca_bundle": authority.pem.decode()}
    credentials = {"credentials": ClientCredentials("my-id", "correct-horse")}
    return config_for(flyte, **tls | credentials | changed)


def names(flyte: LocalFlyte, url: str) -> None:
    flyte.auth.oauth2 = auth_service_pb2.GetOAuth2MetadataResponse(token_endpoint=url)


@both
def test_everything_is_found_by_asking_flyte(
    flyte: LocalFlyte, oauth2: OAuth2Server, authority: Authority, on_a_loop: bool
) -> None:
    oauth2.guard(flyte, header="flyte-authorization")
    flyte.auth.public.scopes.extend(["all", "offline"])
    flyte.auth.public.audience = oauth2.audience = "https://localhost"
    oauth2.secrets["an id: 100 %"] = "p+ss/w:rd ü&="
    config = settings(flyte, authority, credentials=ClientCredentials("an id: 100 %", "p+ss/w:rd ü&="))
    assert read(config, on_a_loop=on_a_loop, times=3) == "r1"
    assert oauth2.forms == [
        {"grant_type": ["client_credentials"], "scope": ["all offline"], "audience": ["https://localhost"]}
    ]
    sent = [call.metadata.get("flyte-authorization") for call in flyte.calls("GetRunDetails")]
    assert sent == [f"Bearer {oauth2.issued[0]}"] * 3
    for method in ("GetOAuth2Metadata", "GetPublicClientConfig"):
        assert [call.metadata.get("flyte-authorization") for call in flyte.calls(method)] == [None]


@both
def test_a_server_at_another_host_has_to_be_confirmed(
    flyte: LocalFlyte, stranger: OAuth2Server, authority: Authority, on_a_loop: bool
) -> None:
    stranger.guard(flyte)
    words = r"at 127\.0\.0\.1, which is neither localhost nor .*Allowed OAuth2 hosts \(allowed_oauth_hosts\)"
    with pytest.raises(errors.TokenError, match=words) as raised:
        read(settings(flyte, authority), on_a_loop=on_a_loop)
    assert is_lasting(raised.value)
    assert stranger.forms == []
    confirmed = ClientCredentials("my-id", "correct-horse", allowed_oauth_hosts=("127.0.0.1",))
    assert read(settings(flyte, authority, credentials=confirmed), on_a_loop=on_a_loop) == "r1"
    given = ClientCredentials("my-id", "correct-horse", oauth_endpoint=stranger.url)
    assert read(settings(flyte, authority, credentials=given), on_a_loop=on_a_loop) == "r1"


@both
@pytest.mark.parametrize(
    ("published", "entered", "sent"),
    [
        ({"audience": "https://payroll.example.com"}, {"audience": "mine"}, {"audience": ["mine"]}),
        ({"scopes": ["all", "payroll:read"]}, {"scopes": ("all",)}, {"scope": ["all"]}),
    ],
)
def test_a_token_for_another_service_is_not_asked_for(
    flyte: LocalFlyte,
    oauth2: OAuth2Server,
    authority: Authority,
    published: dict[str, Any],
    entered: dict[str, Any],
    sent: dict[str, Any],
    on_a_loop: bool,
) -> None:
    """Whoever answers as Flyte would get it; also where the connection names the token server."""
    oauth2.guard(flyte)
    flyte.auth.public.MergeFrom(auth_service_pb2.GetPublicClientConfigResponse(**published))
    (field,) = published
    for credentials in (ClientCredentials("my-id", "correct-horse"), oauth2.credentials()):
        with pytest.raises(errors.TokenError, match=rf"(?s)may be another service's.*\({field}\)") as raised:
            read(settings(flyte, authority, credentials=credentials), on_a_loop=on_a_loop)
        assert is_lasting(raised.value)
        assert oauth2.forms == []
    confirmed = ClientCredentials("my-id", "correct-horse", **entered)
    oauth2.audience = entered.get("audience", "")
    assert read(settings(flyte, authority, credentials=confirmed), on_a_loop=on_a_loop) == "r1"
    assert oauth2.forms == [{"grant_type": ["client_credentials"]} | sent]


@both
def test_a_server_that_is_named_later_is_held_to_the_same_rule(
    flyte: LocalFlyte,
    oauth2: OAuth2Server,
    stranger: OAuth2Server,
    authority: Authority,
    on_a_loop: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("airflow_provider_flyte.client.auth.token_cache._AGAIN_AFTER", 0.0)
    oauth2.guard(flyte)
    config = settings(flyte, authority, retry_budget=0.01)
    assert read(config, on_a_loop=on_a_loop) == "r1"
    # A refused token is replaced, the token server refuses too, and Flyte is asked anew where it is.
    oauth2.revoke_all()
    oauth2.answers.append((400, "application/json", '{"error": "invalid_client"}'))
    names(flyte, stranger.url)
    for words in ("invalid_client", r"token server at 127\.0\.0\.1"):
        with pytest.raises(errors.UnauthenticatedError, match=words):
            read(config, on_a_loop=on_a_loop)
    assert stranger.forms == []


@both
@pytest.mark.parametrize("how", ["insecure", "skip_verification"])
def test_without_verified_tls_flyte_is_not_asked(
    authority: Authority, oauth2: OAuth2Server, protocol: str, how: str, on_a_loop: bool
) -> None:
    """Not even where it names a server that would do: whoever answers could."""
    plaintext = how == "insecure"
    with LocalFlyte(transports=(protocol,), tls=None if plaintext else authority.issue("localhost")) as flyte:
        flyte.run("r1")
        oauth2.guard(flyte)
        flyte.auth.public.scopes.append("offline")
        flyte.auth.public.audience = "somebody"
        tls = {"insecure": True} if plaintext else {"insecure": False, "verify": False}
        # Also trusts the token server, which verify=False does not change.
        config = config_for(flyte, ca_bundle=authority.pem.decode(), **tls)
        for hosts in ((), ("localhost",)):
            unnamed = ClientCredentials("my-id", "correct-horse", allowed_oauth_hosts=hosts)
            with pytest.raises(errors.TokenError, match=rf"\({how}\).*OAuth2 endpoint \(oauth_endpoint\)"):
                read(replace(config, credentials=unnamed), on_a_loop=on_a_loop)
        assert not oauth2.forms
        assert not flyte.calls("GetOAuth2Metadata")
        # Scopes and audience are the connection's alone.
        assert read(replace(config, credentials=oauth2.credentials()), on_a_loop=on_a_loop) == "r1"
        assert oauth2.forms == [{"grant_type": ["client_credentials"]}]


@both
def test_a_deployment_without_an_authorization_server(
    flyte: LocalFlyte, oauth2: OAuth2Server, authority: Authority, on_a_loop: bool
) -> None:
    with pytest.raises(errors.TokenError, match="Enter that server's URL as OAuth2 endpoint") as raised:
        read(settings(flyte, authority), on_a_loop=on_a_loop)
    assert "runs.authMetadata.externalAuthServerBaseUrl" in str(raised.value)
    assert is_lasting(raised.value)
    # What a verified Flyte publishes is taken with an endpoint that the connection names, too.
    flyte.auth.public.scopes.append("offline")
    assert read(settings(flyte, authority, credentials=oauth2.credentials()), on_a_loop=on_a_loop) == "r1"
    assert oauth2.forms == [{"grant_type": ["client_credentials"], "scope": ["offline"]}]


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://login.example.com/t", "is plaintext"),
        ("http://localhost:1/t", "at localhost that is plaintext, also on this machine"),
        ("", "its answer has no token endpoint"),
        ("login", "is no URL of a server"),
        ("https://me:hush@localhost/t", "is no URL of a server"),
        ("https://x\u001b[2J\n.example.com/t", "Flyte names"),
    ],
)
@both
def test_a_deployment_that_names_what_cannot_be_used(
    flyte: LocalFlyte, authority: Authority, url: str, words: str, on_a_loop: bool
) -> None:
    names(flyte, url)
    with pytest.raises(errors.TokenError, match=words) as raised:
        read(settings(flyte, authority), on_a_loop=on_a_loop)
    assert str(raised.value).isprintable()
    assert "hush" not in str(raised.value)


def test_a_redirect_of_the_token_server_is_not_followed(oauth2: OAuth2Server) -> None:
    for status in (301, 302, 303, 307, 308):
        with ReplayServer(Answer(status, {"location": oauth2.url}, [b""])) as server:
            tokens = TokenServer(FlyteConfig(f"{FLYTE}:443"), f"http://{server.endpoint}/token")
            with pytest.raises(errors.TokenError, match=f"HTTP {status} instead of a token"):
                tokens.ask(ClientCredentials("my-id", "correct-horse"), (), "", 10.0)
        assert len(server.requests) == 1
    assert oauth2.forms == []


# -- under which key the token goes


@pytest.mark.parametrize(
    ("named", "key"),
    [("", "authorization"), ("Authorization", "authorization"), ("flyte-authorization", "flyte-authorization")],
)
def test_flyte_may_name_a_key_that_is_for_tokens(named: str, key: str) -> None:
    assert check_header(named) == key


OTHERS = [
    "host",
    "user-agent",
    "cookie",
    "content-length",
    "te",
    "x-token",
    "proxy-authorization",
    "a" * 5000 + "-authorization",
    "authorization\n",
    "grpc-authorization-bin",
]


@pytest.mark.parametrize("key", OTHERS)
def test_flyte_may_name_no_other(key: str) -> None:
    with pytest.raises(ConfigError, match="metadata_header") as raised:
        check_header(key)
    assert len(str(raised.value)) < 600
    assert str(raised.value).isprintable()


@both
def test_the_token_is_sent_under_no_other_key(local_flyte: LocalFlyte, on_a_loop: bool) -> None:
    local_flyte.run("r1")
    local_flyte.auth.public.authorization_metadata_key = "User-Agent"
    config = config_for(local_flyte, credentials=StaticToken("tr0ub4dor"), retry_budget=0.1)
    with pytest.raises(errors.TokenError, match=r"key user-agent, .* Metadata header \(metadata_header\)"):
        read(config, on_a_loop=on_a_loop)
    assert local_flyte.calls.count("GetRunDetails") == 0
    assert read(replace(config, metadata_header="x-token"), on_a_loop=on_a_loop)
