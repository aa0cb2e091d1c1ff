"""The search finds a secret in each form, and nothing where there is none."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote, quote_plus, urlencode

import pytest

from tests.support.certificates import make_certificate
from tests.support.secret_search import forms, found, shown_by

SECRET = 'c4nary+s3cret/with "all" & sundry=?>~'
PLANTED = {
    "as it is": f"x{SECRET}x",
    "in JSON": json.dumps({"password": SECRET}),
    "in a URL": f"https://{quote(SECRET, safe='')}@example.com",
    "in a path": f"/{quote(SECRET)}/",
    "in a query": urlencode({"key": SECRET}),
    "in a form": f"a=b&c={quote_plus(SECRET)}&d",
    **{
        f"{name} after {before} bytes": encode(b"x" * before + SECRET.encode() + b"y" * after).decode().rstrip("=")
        for name, encode in (("base64", base64.b64encode), ("base64url", base64.urlsafe_b64encode))
        for before in range(4)
        for after in range(3)
    },
    "as a basic pair": "Basic " + base64.b64encode(f"my-id:{SECRET}".encode()).decode(),
    "as a quoted basic pair": "Basic " + base64.b64encode(f"my-id:{quote(SECRET, safe='')}".encode()).decode(),
    "in the key of an API": base64.b64encode(f"flyte.example.com:my-id:{SECRET}:None".encode()).decode().rstrip("="),
}


@pytest.mark.parametrize("planted", PLANTED.values(), ids=PLANTED)
@pytest.mark.parametrize("binary", [False, True])
def test_a_planted_secret_is_found(planted: str, binary: bool) -> None:
    content = b"\xff\0" + planted.encode() + b"\xfe" if binary else planted
    hits = found({"the secret": SECRET, "another": "not-there-at-all"}, [("here", content), ("there", "nothing")])
    assert hits
    assert all(line.startswith("the secret ") and line.endswith(" in here") for line in hits), hits
    assert SECRET not in str(hits)


def test_a_key_is_found_by_any_of_its_lines() -> None:
    _, key = make_certificate("localhost")
    lines = key.decode().splitlines()[1:-1]
    assert len(lines) > 1
    for line in lines:
        assert found({"the key": key.decode()}, [("a log", f"... {line} ...")])
    assert not found({"the key": key.decode()}, [("a log", "-----BEGIN PRIVATE KEY-----")])


def test_nothing_is_found_in_what_has_no_secret() -> None:
    assert found({"the secret": SECRET}, [("a log", SECRET[:-1]), ("another", "***")]) == []


def test_a_secret_that_is_too_short_to_be_told_apart() -> None:
    with pytest.raises(AssertionError, match="too short"):
        forms("abc")


def test_locals_are_looked_at_too() -> None:
    def fails(secret: str) -> None:
        raise ValueError(len(secret))

    with pytest.raises(ValueError) as raised:  # noqa: PT011
        fails(SECRET)
    assert found({"the secret": SECRET}, [("it", shown_by(raised.value))]) == []
    with pytest.raises(TypeError) as other:
        json.dumps({"x": {SECRET.encode()}})
    assert found({"the secret": SECRET}, [("it", shown_by(other.value))])
