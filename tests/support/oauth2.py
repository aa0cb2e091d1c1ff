"""A real OAuth2 server: oauthlib's, with the client-credentials grant, over HTTP."""

from __future__ import annotations

import base64
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, unquote

from oauthlib.oauth2 import BackendApplicationServer, RequestValidator
from oauthlib.oauth2.rfc6749.errors import CustomOAuth2Error

from airflow_provider_flyte.client.credentials import ClientCredentials
from airflow_provider_flyte.client.idl.auth import auth_service_pb2
from airflow_provider_flyte.testing import LocalFlyte, status

Answer = tuple[int, str, str]
"""Status, content type and body."""


class _Client:
    def __init__(self, client_id: str) -> None:
        self.client_id = client_id


class _Rules(RequestValidator):
    def __init__(self, server: OAuth2Server) -> None:
        self._server = server

    def authenticate_client(self, request: Any, *args: Any, **kwargs: Any) -> bool:
        scheme, _, pair = request.headers.get("Authorization", "").partition(" ")
        if scheme != "Basic":
            return False
        client_id, _, secret = base64.b64decode(pair).decode().partition(":")
        request.client = _Client(unquote(client_id))
        return self._server.secrets.get(unquote(client_id)) == unquote(secret)

    def validate_grant_type(self, client_id: str, grant_type: str, client: Any, request: Any, **kwargs: Any) -> bool:
        if self._server.audience and dict(request.decoded_body).get("audience") != self._server.audience:
            raise CustomOAuth2Error("invalid_target", description="no such audience")
        return grant_type == "client_credentials"

    def validate_scopes(self, client_id: str, scopes: list[str], client: Any, request: Any, **kwargs: Any) -> bool:
        return set(scopes) <= {"all", "offline"}

    def get_default_scopes(self, client_id: str, request: Any, **kwargs: Any) -> list[str]:
        return ["all"]

    def save_bearer_token(self, token: dict[str, Any], request: Any, *args: Any, **kwargs: Any) -> None:
        self._server.issue(token["access_token"])


class OAuth2Server:
    """Use it as ``with OAuth2Server() as server``.

    :param lifetime: seconds for which a token is valid.
    """

    def __init__(self, *, lifetime: float = 3600.0, tls: ssl.SSLContext | None = None) -> None:
        self.lifetime = lifetime
        self.secrets = {"my-id": "correct-horse"}
        self.audience = ""
        self.issued: list[str] = []
        self.forms: list[dict[str, list[str]]] = []
        self.answers: deque[Answer] = deque()
        """Answers for the next requests, instead of tokens."""

        self.before: Callable[[], None] = lambda: None
        """Called with each request."""

        self._good_until: dict[str, float] = {}
        self._oauth2 = BackendApplicationServer(_Rules(self), token_expires_in=lambda request: self.lifetime)
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"])).decode()
                server.forms.append(parse_qs(body))
                server.before()
                if server.answers:
                    code, kind, text = server.answers.popleft()
                    headers = {"Content-Type": kind}
                else:
                    headers, text, code = server._oauth2.create_token_response(
                        self.path, http_method="POST", body=body, headers=dict(self.headers.items())
                    )
                self.send_response(code)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *args: Any) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if tls:
            self._http.socket = tls.wrap_socket(self._http.socket, server_side=True)
        self.port = self._http.server_port
        self.url = f"{'https' if tls else 'http'}://localhost:{self.port}/oauth2/token"
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    def __enter__(self) -> OAuth2Server:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def credentials(self, secret: str = "correct-horse") -> ClientCredentials:
        """A client's that name this server, as they have to where Flyte is reached over plaintext."""
        return ClientCredentials("my-id", secret, oauth_endpoint=self.url)

    def issue(self, token: str) -> None:
        self.issued.append(token)
        self._good_until[token] = time.monotonic() + self.lifetime

    def revoke_all(self) -> None:
        self._good_until.clear()

    def accepts(self, header: str) -> bool:
        """Whether the value of a header is a valid token of this server."""
        scheme, _, token = header.partition(" ")
        return scheme == "Bearer" and self._good_until.get(token, 0.0) > time.monotonic()

    def guard(self, flyte: LocalFlyte, header: str = "authorization", code: str = "UNAUTHENTICATED") -> None:
        """Let a Flyte name this server, and refuse calls without one of its tokens."""
        flyte.auth.oauth2 = auth_service_pb2.GetOAuth2MetadataResponse(token_endpoint=self.url)
        flyte.auth.public.authorization_metadata_key = header

        def refused(request: Any, metadata: Any) -> bool:
            anonymous = type(request).DESCRIPTOR.full_name.startswith("flyteidl2.auth") or (
                "OAuth2Metadata" in type(request).__name__ or "PublicClientConfig" in type(request).__name__
            )
            return not anonymous and not self.accepts(metadata.get(header, ""))

        flyte.inject("*", status(code, "token refused"), when=refused)
