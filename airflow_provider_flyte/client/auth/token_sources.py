"""Where a token comes from: a setting, a file, or a server that Flyte names. Blocking."""

from __future__ import annotations

import logging
import math
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from airflow_provider_flyte.client.auth.oauth2 import REQUEST, TokenServer
from airflow_provider_flyte.client.auth.token_hosts import (
    ENTER_IT,
    check_audience,
    check_header,
    check_named,
    check_scopes,
    is_believed,
    why_not_believed,
)
from airflow_provider_flyte.client.config import FlyteConfig
from airflow_provider_flyte.client.credentials import (
    ClientCredentials,
    Secret,
    StaticToken,
    TokenFile,
    check_token,
)
from airflow_provider_flyte.client.errors import (
    ConfigError,
    DeadlineExceededError,
    GarbledAnswerError,
    NotFlyteError,
    PermissionDeniedError,
    RpcError,
    Status,
    TokenError,
    UnauthenticatedError,
    UnavailableError,
    UnimplementedError,
    is_lasting,
)
from airflow_provider_flyte.client.idl.auth import auth_service_pb2
from airflow_provider_flyte.client.rpc import AuthMetadataService, Req, Resp, Unary
from airflow_provider_flyte.client.transport.route import route_to
from airflow_provider_flyte.client.transport.selector import SelectedTransport
from airflow_provider_flyte.client.transport.unreadable import Judge, JudgingTransport

log = logging.getLogger(__name__)

_CHECK_FILE_EVERY = 1.0
_FILE_MAY_BE_GONE = 60.0
"""Seconds for which the token that was read is used where its file is away: it may be in the middle of a change."""

_LONGEST_FILE = 65536
_NO_ANSWER_NOW = (UnavailableError, DeadlineExceededError, GarbledAnswerError)
_NO_DISCOVERY = (UnimplementedError, NotFlyteError, PermissionDeniedError, UnauthenticatedError)
"""Errors with which a deployment, or a proxy before it, does not show clients how to authenticate."""


class Fresh(NamedTuple):
    """A token just got."""

    text: Secret
    header: str
    lifetime: float = math.inf
    """Seconds from when it was asked for."""

    check_after: float | None = None
    """Seconds after which to check whether there is another one; None: shortly before the end of its life."""


Fetch = Callable[[float], Fresh]
"""Gives a token, within so many seconds."""


def source_for(config: FlyteConfig) -> Fetch:
    """Where the tokens of a config with credentials come from."""
    deployment, credentials = _Deployment(config), config.credentials
    if isinstance(credentials, ClientCredentials):
        return _Granted(config, credentials, deployment).fetch
    if isinstance(credentials, TokenFile):
        return _FromFile(credentials, deployment).fetch
    assert isinstance(credentials, StaticToken)
    token = credentials.token
    return lambda timeout: Fresh(Secret(token), deployment.header(timeout))


class _Deployment:
    """How Flyte wants clients to authenticate (AuthMetadataService); asked without a token."""

    def __init__(self, config: FlyteConfig) -> None:
        self._config = config
        self._public: auth_service_pb2.GetPublicClientConfigResponse | None = None
        self._token_endpoint = ""

    def header(self, timeout: float) -> str:
        """The metadata key of the token.

        :raises TokenError: where Flyte names one that is not made for tokens.
        """
        if self._config.metadata_header:
            return self._config.metadata_header
        try:
            return check_header(self.public(timeout).authorization_metadata_key)
        except ConfigError as error:
            why = str(error)
            self._public = None
        raise self._refused(why)

    def public(self, timeout: float) -> auth_service_pb2.GetPublicClientConfigResponse:
        """Scopes, audience and metadata key; empty where Flyte does not publish them."""
        if self._public is None:
            try:
                self._public = self._ask(AuthMetadataService.GetPublicClientConfig, timeout)
            except RpcError as error:
                if isinstance(error, _NO_ANSWER_NOW) and not isinstance(error, NotFlyteError):
                    raise
                log.debug("Flyte does not publish which metadata key, scopes and audience to use: %s", error)
                nothing = auth_service_pb2.GetPublicClientConfigResponse()
                if not is_lasting(error):
                    return nothing
                self._public = nothing
        return self._public

    def token_endpoint(self, timeout: float, allowed: tuple[str, ...]) -> str:
        """URL of the server that gives tokens.

        :param allowed: hosts that Flyte may name, beside its own and that one's neighbours.
        :raises TokenError: where Flyte names none that may be used.
        """
        if self._token_endpoint:
            return self._token_endpoint
        why = ""
        if not is_believed(self._config):
            why = why_not_believed(self._config)
        else:
            try:
                answer = self._ask(AuthMetadataService.GetOAuth2Metadata, timeout)
                self._token_endpoint = check_named(answer.token_endpoint, self._config, allowed)
            except _NO_DISCOVERY as error:
                why = f"Flyte names no server that gives tokens: {error.status.name} ({error.details}). {ENTER_IT}"
            except ConfigError as error:
                why = str(error)
        if why:
            raise self._refused(why)
        return self._token_endpoint

    def wanted(self, credentials: ClientCredentials, timeout: float) -> tuple[tuple[str, ...], str]:
        """Scopes and audience to ask for: the connection's, else what Flyte publishes where it is believed.

        :raises TokenError: where Flyte publishes what may be another service's.
        """
        scopes, audience = credentials.scopes, credentials.audience
        if (scopes and audience) or not is_believed(self._config):
            return scopes, audience
        public = self.public(timeout)
        try:
            return (
                scopes or check_scopes(public.scopes, self._config),
                audience or check_audience(public.audience, self._config),
            )
        except ConfigError as error:
            why = str(error)
            self._public = None
        raise self._refused(why)

    def forget(self) -> None:
        """Forget Flyte's answers, so that they are asked for again."""
        self._public, self._token_endpoint = None, ""

    def _refused(self, why: str) -> TokenError:
        return TokenError(Status.UNAUTHENTICATED, why, method=REQUEST, endpoint=self._config.endpoint)

    def _ask(self, method: Unary[Req, Resp], timeout: float) -> Resp:
        # A way of its own, and not kept: its TLS context is a megabyte, and this is asked once or twice a process.
        transports = SelectedTransport(self._config, route_to(self._config))
        transport = JudgingTransport(transports, Judge(self._config))
        try:
            return transport.unary(method, method.request(), timeout=timeout)
        finally:
            transport.close()


class _Granted:
    """Tokens of OAuth2's client-credentials grant."""

    def __init__(self, config: FlyteConfig, credentials: ClientCredentials, deployment: _Deployment) -> None:
        self._config = config
        self._credentials = credentials
        self._deployment = deployment

    def fetch(self, timeout: float) -> Fresh:
        until = time.monotonic() + timeout

        def left() -> float:
            return max(0.1, until - time.monotonic())

        wanted, deployment = self._credentials, self._deployment
        header = deployment.header(left())
        url = wanted.oauth_endpoint or deployment.token_endpoint(left(), wanted.allowed_oauth_hosts)
        scopes, audience = deployment.wanted(wanted, left())
        try:
            grant = TokenServer(self._config, url).ask(wanted, scopes, audience, left())
        except TokenError:
            deployment.forget()
            raise
        return Fresh(grant.token, header, math.inf if grant.lifetime is None else grant.lifetime)


class _FromFile:
    """The token in a file, read again when the file has changed."""

    def __init__(self, file: TokenFile, deployment: _Deployment) -> None:
        self._path = file.path
        self._deployment = deployment
        self._read: tuple[int, int, int] | None = None
        self._text = Secret()

    def fetch(self, timeout: float) -> Fresh:
        try:
            self._read_again()
        except (OSError, ValueError) as error:
            why = (error.strerror if isinstance(error, OSError) else None) or str(error)
            raise ConfigError(
                f"The token file {self._path!r} cannot be used: {why}. Check the path in the Flyte connection, and "
                "what writes the file."
            ) from None
        return Fresh(self._text, self._deployment.header(timeout), _FILE_MAY_BE_GONE, _CHECK_FILE_EVERY)

    def _read_again(self) -> None:
        path = Path(self._path)
        seen = path.stat()
        if not stat.S_ISREG(seen.st_mode) or seen.st_size > _LONGEST_FILE:
            raise ValueError("it is no file with a token")
        now = (seen.st_mtime_ns, seen.st_ino, seen.st_size)
        if now != self._read:
            self._text = Secret(check_token(path.read_bytes().decode("latin-1").strip(), "its content"))
            self._read = now
