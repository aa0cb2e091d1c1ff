"""Calls that carry a token: the transports of a config with credentials.

Above the transports, so that each call takes its token through whichever one leads to Flyte. A call whose token is
refused is made once more with a new one.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from airflow_provider_flyte.client.auth.token_cache import Token, Tokens
from airflow_provider_flyte.client.credentials import Secret
from airflow_provider_flyte.client.errors import RpcError
from airflow_provider_flyte.client.rpc import AuthMetadataService, Method, Unary
from airflow_provider_flyte.client.transport.base import AsyncTransport, Metadata, Transport
from airflow_provider_flyte.client.transport.layer import AsyncLayer, BlockingLayer, Do, Layer, Send, Steps
from airflow_provider_flyte.client.transport.retry import RetryPolicy, is_read

_FOR_A_TOKEN = AuthMetadataService.GetOAuth2Metadata
"""A read: a write is not repeated by its caller, but asking for its token may be."""


class _Auth(Layer):
    """What the blocking and the asyncio transport do alike.

    :param policy: how long a token is asked for again before a write.
    :param timeout: seconds for a stream's token.
    :param on_token: called with each token before it is used for the first time.
    """

    def __init__(self, tokens: Tokens, policy: RetryPolicy, timeout: float, on_token: Callable[[Secret], None]) -> None:
        self._tokens = tokens
        self._policy = policy
        self._timeout = timeout
        self._on_token = on_token
        self._announced: Token | None = None

    def _steps(
        self, method: Method[Any, Any], request: Any, timeout: float | None, run: str | None, metadata: Metadata
    ) -> Steps:
        tokens, refused = self._tokens, None
        within = timeout if isinstance(method, Unary) and timeout is not None else self._timeout
        get, aget = partial(tokens.get, within), partial(tokens.aget, within)
        if is_read(method):
            token = yield Do(get, aget)
        else:
            policy = self._policy
            token = yield Do(
                lambda: policy.retrying(_FOR_A_TOKEN)(get), lambda: policy.async_retrying(_FOR_A_TOKEN)(aget)
            )
        while True:
            if token.is_another_than(self._announced):
                self._announced = token
                self._on_token(token.text)
            try:
                return (yield Send((*metadata, *token.metadata)))
            except RpcError as error:
                if not tokens.may_help(error, method, after=refused):
                    raise
                refused = token
                token = yield Do(partial(get, refused), partial(aget, refused))
                if not token.is_another_than(refused):
                    raise


class AuthTransport(_Auth, BlockingLayer):
    """Blocking calls.

    :param inner: makes them.
    """

    def __init__(
        self,
        inner: Transport,
        tokens: Tokens,
        policy: RetryPolicy,
        timeout: float,
        on_token: Callable[[Secret], None],
    ) -> None:
        super().__init__(tokens, policy, timeout, on_token)
        self._inner = inner

    def _through(self, transport: str) -> Transport:
        return self._inner

    def close(self) -> None:
        self._inner.close()


class AsyncAuthTransport(_Auth, AsyncLayer):
    """Calls on one event loop that carry a token."""

    def __init__(
        self,
        inner: AsyncTransport,
        tokens: Tokens,
        policy: RetryPolicy,
        timeout: float,
        on_token: Callable[[Secret], None],
    ) -> None:
        super().__init__(tokens, policy, timeout, on_token)
        self._inner = inner

    def _through(self, transport: str) -> AsyncTransport:
        return self._inner

    async def close(self) -> None:
        await self._inner.close()
