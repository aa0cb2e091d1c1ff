"""One request for a token: OAuth2's client-credentials grant (RFC 6749, 4.4), over httpx. Blocking.

The client secret leaves this machine here only, so the server's certificate is always checked. It is reached
through the environment's proxy as Flyte is, verified against the config's CA bundle and the system's roots (it may be
another company's), and shown no client certificate.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import NamedTuple
from urllib.parse import quote, urlencode, urlsplit

import httpx

from airflow_provider_flyte import USER_AGENT
from airflow_provider_flyte.client.arguments import LONGEST
from airflow_provider_flyte.client.config import FlyteConfig
from airflow_provider_flyte.client.credentials import ClientCredentials, Secret, check_token
from airflow_provider_flyte.client.errors import ConfigError, Status, TokenError, TokenServerError
from airflow_provider_flyte.client.outside import one_line, without
from airflow_provider_flyte.client.transport.answers import LARGEST_PAGE, beginning
from airflow_provider_flyte.client.transport.connect_protocol import read_json
from airflow_provider_flyte.client.transport.deadline import Deadline, for_httpx
from airflow_provider_flyte.client.transport.route import Route, environment_proxy, roots_of, system_roots

REQUEST = "The request for a token"
"""What failed, in errors."""

_ERROR = re.compile(r"[a-z_]{1,60}")
"""The error codes of RFC 6749, 5.2, and what servers add to them."""

_LONGEST_TEXT = 200
_MAY_PASS = (407, 408, 425, 429)
"""407 is the environment's proxy, not the server."""


class Grant(NamedTuple):
    """A token server's answer."""

    token: Secret
    lifetime: float | None
    """Seconds; None where the server's answer does not have it."""


class TokenServer:
    """The server that a URL names.

    :param config: whose proxy and authorities count.
    :param url: https, or a local host's; checked before.
    """

    def __init__(self, config: FlyteConfig, url: str) -> None:
        parts = urlsplit(url)
        # Without the query, which may hold a secret.
        self.name = f"{parts.scheme}://{parts.netloc}{parts.path}"
        self._url = url
        plaintext = parts.scheme == "http"
        port = parts.port or (80 if plaintext else 443)
        proxy = environment_proxy(f"{parts.hostname}:{port}", plaintext=plaintext)
        roots = None
        if not plaintext:
            both = [roots_of(config)] + ([system_roots()] if config.ca_bundle else [])
            roots = b"\n".join(each for each in both if each) or None
        self._route = Route(parts.hostname or "", port, plaintext, roots=roots, proxy=proxy)

    def ask(self, credentials: ClientCredentials, scopes: tuple[str, ...], audience: str, timeout: float) -> Grant:
        """Ask for a token.

        :raises TokenError: where the server refuses; asking again cannot help.
        :raises TokenServerError: where it gives no usable answer; it may later.
        """
        form = {"grant_type": "client_credentials"}
        if scopes:
            form["scope"] = " ".join(scopes)
        if audience:
            form["audience"] = audience
        authorization = _basic(credentials)
        sent = (credentials.client_secret, authorization, *self._route.proxy_credentials)
        with self._as_token_errors(timeout, sent):
            got = self._read(*self._post(authorization, form, timeout), sent)
        # Raised only here, where no local variable holds an answer that a traceback could show.
        if isinstance(got, TokenError):
            raise got
        return got

    @contextmanager
    def _as_token_errors(self, timeout: float, sent: tuple[str, ...]) -> Iterator[None]:
        """Turn httpx's errors into ours. Without the cause: its traceback would hold the request and so the secret."""
        try:
            yield
            return
        except (httpx.TimeoutException, TimeoutError):
            status, details = Status.DEADLINE_EXCEEDED, f"no answer within {timeout:g} s"
        except (httpx.HTTPError, OSError) as error:
            status, details = Status.UNAVAILABLE, without(str(error), sent) or type(error).__name__
        raise self._unusable(details, status) from None

    def _post(self, authorization: Secret, form: dict[str, str], timeout: float) -> tuple[int, bytes]:
        from airflow_provider_flyte.client.transport.connections import keep_deadlines

        deadline = Deadline(timeout)
        request = httpx.Request(
            "POST",
            self._url,
            headers={
                "authorization": authorization,
                "content-type": "application/x-www-form-urlencoded",
                "accept": "application/json",
                "user-agent": USER_AGENT,
            },
            content=urlencode(form).encode(),
            extensions={"timeout": for_httpx(deadline, deadline)},
        )
        # Without httpx's client: a redirect must not take the secret elsewhere.
        transport = httpx.HTTPTransport(
            verify=True if self._route.insecure else self._route.tls,
            proxy=httpx.Proxy(self._route.proxy) if self._route.proxy else None,
            trust_env=False,
        )
        keep_deadlines(transport)
        with closing(transport), closing(transport.handle_request(request)) as response:
            body = bytearray()
            for part in response.iter_raw():
                body += part
                if len(body) > LARGEST_PAGE:
                    break
            return response.status_code, beginning(bytes(body))

    def _read(self, status: int, body: bytes, sent: tuple[str, ...]) -> Grant | TokenError:
        answer = read_json(body)
        if not isinstance(answer, dict):
            answer = {}
        if status == 200:
            return self._grant(answer)
        error, details = answer.get("error"), answer.get("error_description")
        reason = without(error, sent) if isinstance(error, str) and _ERROR.fullmatch(error) else f"HTTP {status}"
        if isinstance(details, str) and details:
            # The server may repeat what it refuses.
            reason += f" ({one_line(without(details, sent), _LONGEST_TEXT)})"
        if status >= 500 or status in _MAY_PASS:
            return self._unusable(f"HTTP {status}" if reason == f"HTTP {status}" else f"HTTP {status}, {reason}")
        if status < 400:
            reason = f"HTTP {status} instead of a token"
        return TokenError(Status.UNAUTHENTICATED, reason, method=REQUEST, endpoint=self.name)

    def _grant(self, answer: dict[str, object]) -> Grant | TokenError:
        token, lifetime = answer.get("access_token"), answer.get("expires_in")
        try:
            token = Secret(check_token(token if isinstance(token, str) else "", "the token"))
        except ConfigError:
            token = None
        if token is None:
            return self._unusable("the answer holds no token")
        try:
            seconds = float(lifetime) if isinstance(lifetime, int | float | str) else None
        except (ValueError, OverflowError):
            seconds = None
        return Grant(token, min(seconds, LONGEST) if seconds and seconds > 0 else None)

    def _unusable(self, details: str, status: Status = Status.UNAVAILABLE) -> TokenServerError:
        if self._route.proxy:
            details += f", through the proxy {self._route.proxy_name}"
        return TokenServerError(status, details, method=REQUEST, endpoint=self.name)


def _basic(credentials: ClientCredentials) -> Secret:
    pair = f"{quote(credentials.client_id, safe='')}:{quote(credentials.client_secret, safe='')}"
    return Secret("Basic " + base64.b64encode(pair.encode()).decode())
