"""A local Flyte for each kind of authentication, which requires its credential, and the fields to enter for it."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from airflow_provider_flyte.testing import LocalFlyte, status
from tests.support.oauth2 import OAuth2Server

AUTHENTICATIONS = ("none", "api_key", "client_credentials", "token", "token_file")
RUN = "by-hand"
TOKEN = "made-up-token-77ab"
_FILED = "made-up-filed-token-03cd"
_KEY_SECRET = "made-up-key-secret-91ef"


@dataclass(frozen=True)
class GuardedFlyte:
    """A Flyte with a run that is running.

    :param fields: What is entered into the connection's form.
    :param accepts: Whether a call with this authorization is let through.
    """

    flyte: LocalFlyte
    fields: dict[str, str | bool]
    accepts: Callable[[str], bool]

    def found(self, host: str | None = None) -> str:
        """The text of the Test button when all is well."""
        endpoint = f"{host or self.flyte.host}:{self.flyte.port}"
        return f"Flyte 2 at {endpoint} through gRPC: project flytesnacks, domain development, runs visible."


@contextmanager
def guarded_flytes(folder: Path) -> Iterator[dict[str, GuardedFlyte]]:
    """A guarded Flyte for each kind of authentication, by its name.

    :param folder: where a file with a token is put.
    """
    with ExitStack() as stack:
        flytes = {name: stack.enter_context(LocalFlyte()) for name in AUTHENTICATIONS}
        oauth2 = stack.enter_context(OAuth2Server())
        oauth2.secrets["key-id"] = _KEY_SECRET
        for name in ("api_key", "client_credentials"):
            oauth2.guard(flytes[name])
        file = folder / "token"
        file.write_text(_FILED)
        key = f"{flytes['api_key'].endpoint}:key-id:{_KEY_SECRET}:None"
        named: dict[str, str | bool] = {"oauth_endpoint": oauth2.url}
        special: dict[str, tuple[dict[str, str | bool], Callable[[str], bool]]] = {
            "none": ({}, lambda authorization: not authorization),
            "api_key": (named | {"password": base64.b64encode(key.encode()).decode()}, oauth2.accepts),
            "client_credentials": (named | {"login": "my-id", "password": "correct-horse"}, oauth2.accepts),
            "token": ({"password": TOKEN}, _guard(flytes["token"], TOKEN)),
            "token_file": ({"credentials_file": str(file)}, _guard(flytes["token_file"], _FILED)),
        }
        guarded = {}
        for name, (fields, accepts) in special.items():
            flytes[name].run(RUN).phases("RUNNING")
            usual: dict[str, str | bool] = {
                "port": str(flytes[name].port),
                "insecure": True,
                "project": "flytesnacks",
                "domain": "development",
                "authentication": name,
            }
            if name != "api_key":
                # The key names the endpoint.
                usual["host"] = flytes[name].host
            guarded[name] = GuardedFlyte(flytes[name], usual | fields, accepts)
        yield guarded


def _guard(flyte: LocalFlyte, token: str) -> Callable[[str], bool]:
    """Refuse calls without this token, as a proxy in front would."""

    def accepts(authorization: str) -> bool:
        return authorization == f"Bearer {token}"

    flyte.inject(
        "*",
        status("UNAUTHENTICATED", "no token"),
        when=lambda request, metadata: not accepts(metadata.get("authorization", "")),
    )
    return accepts
