"""Credentials: what is accepted, what is refused, and that neither shows them."""

from __future__ import annotations

import base64
import traceback
from typing import Any

import pytest

from airflow_provider_flyte.client.credentials import ClientCredentials, StaticToken, TokenFile, api_key
from airflow_provider_flyte.client.errors import ConfigError


def key_of(text: str | bytes) -> str:
    return base64.b64encode(text if isinstance(text, bytes) else text.encode()).decode()


@pytest.mark.parametrize(
    ("address", "endpoint"),
    [
        ("flyte.example.com", "flyte.example.com:443"),
        ("flyte.example.com:8443", "flyte.example.com:8443"),
        ("dns:///flyte.example.com", "flyte.example.com:443"),
        ("dns:///flyte.example.com:8443", "flyte.example.com:8443"),
        ("https://flyte.example.com/", "flyte.example.com:443"),
        ("https://flyte.example.com:8443", "flyte.example.com:8443"),
        ("[::1]", "[::1]:443"),
    ],
)
@pytest.mark.parametrize(("org", "read"), [("", ""), ("None", ""), ("acme", "acme")])
def test_an_api_key(address: str, endpoint: str, org: str, read: str) -> None:
    text = key_of(f"{address}:my-id:correct-horse:{org}")
    for spelled in (text, text.rstrip("="), text.translate(str.maketrans("+/", "-_")), f" {text[:9]}\n{text[9:]}\n"):
        assert api_key(spelled) == (endpoint, ClientCredentials("my-id", "correct-horse"), read)


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        ("", "is empty"),
        ("correct-horse!", "not base64"),
        (key_of("flyte:my-id:correct-horse:")[:-3], "not base64"),
        (key_of(b"\xff\xfe:id:correct-horse:"), "not base64 of a text"),
        (key_of("correct-horse"), "holds 1 parts"),
        (key_of("flyte:my-id:correct-horse"), "holds 3 parts"),
        (key_of(":my-id:correct-horse:"), "its endpoint is empty"),
        (key_of("flyte::correct-horse:"), "its client id is empty"),
        (key_of("flyte:my-id::correct-horse"), "its client secret is empty"),
        (key_of("http://flyte:my-id:correct-horse:"), "the endpoint is not a host"),
        (key_of("flyte:port:my-id:correct-horse:"), "the endpoint is not a host"),
    ],
)
def test_a_broken_api_key_says_what_is_broken_and_is_not_shown(broken: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as raised:
        api_key(broken)
    shown = "".join(traceback.format_exception(raised.value))
    assert "correct-horse" not in shown.partition("ConfigError: ")[2]
    assert raised.value.__context__ is None or raised.value.__suppress_context__


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: ClientCredentials("", "correct-horse"), "client_id is empty"),
        (lambda: ClientCredentials("id", ""), "client_secret is empty"),
        (lambda: ClientCredentials("id", "correct-horse", scopes=("a b",)), "scopes has 'a b'"),
        (
            lambda: ClientCredentials("id", "correct-horse", oauth_endpoint="login.example.com"),
            "oauth_endpoint is no URL",
        ),
        (
            lambda: ClientCredentials("id", "correct-horse", oauth_endpoint="https://u:p@login"),
            "oauth_endpoint is no URL",
        ),
        (
            lambda: ClientCredentials("id", "correct-horse", oauth_endpoint="https://login:port"),
            "oauth_endpoint is no URL",
        ),
        (
            lambda: ClientCredentials("id", "correct-horse", oauth_endpoint="https://login/a\tb"),
            "oauth_endpoint is no URL",
        ),
        (
            lambda: ClientCredentials("id", "correct-horse", oauth_endpoint="http://login.example.com/token"),
            "plaintext",
        ),
        (lambda: StaticToken(""), "token is empty"),
        (lambda: StaticToken("Bearer correct-horse"), "without 'Bearer'"),
        (lambda: StaticToken("correct-horse\n"), "line break"),
        (lambda: TokenFile(""), "path of the token file"),
    ],
)
def test_what_cannot_work_is_refused_and_not_shown(make: Any, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as raised:
        make()
    assert "correct-horse" not in str(raised.value)


@pytest.mark.parametrize("host", ["localhost:9000", "127.0.0.1", "[::1]:80", "idp.localhost"])
def test_a_local_token_server_may_be_plaintext(host: str) -> None:
    assert ClientCredentials("id", "secret", oauth_endpoint=f"http://{host}/token").oauth_endpoint


def test_what_cannot_be_sent_is_refused_and_a_secret_not_shown() -> None:
    given: dict[str, Any] = {"client_id": "me", "client_secret": "hush"}
    for wrong in ({"client_id": "\ud800"}, {"client_secret": "hush\ud800"}, {"audience": "\ud800"}):
        with pytest.raises(ConfigError, match=f"{next(iter(wrong))}.* holds a lone surrogate") as refused:
            ClientCredentials(**given | wrong)
        assert "hush" not in str(refused.value)
