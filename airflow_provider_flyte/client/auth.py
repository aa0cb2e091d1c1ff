"""Calls that carry a token: the transports of a config with credentials.

Above the doors, so that each call takes its token through whichever one leads to Flyte. A call whose token is refused
is made once more with a new one.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from typing import Any

from airflow_provider_flyte.client.errors import RpcError
from airflow_provider_flyte.client.retry import RetryPolicy, is_read
from airflow_provider_flyte.client.rpc import AuthMetadataService, Method, Req, Resp, ServerStream, Unary
from airflow_provider_flyte.client.tokens import Token, Tokens
from airflow_provider_flyte.client.transport import AsyncTransport, Metadata, Transport

_FOR_A_TOKEN = AuthMetadataService.GetOAuth2Metadata
"""A read: a write is not repeated by its caller, but asking for its token may be."""


class AuthTransport:
    """Blocking calls.

    :param inner: makes them.
    :param policy: how long a token is asked for again before a write.
    """

    def __init__(self, inner: Transport, tokens: Tokens, policy: RetryPolicy, timeout: float) -> None:
        self._inner = inner
        self._tokens = tokens
        self._policy = policy
        self._timeout = timeout

    def unary(
        self, method: Unary[Req, Resp], request: Req, *, timeout: float, run: str | None = None, metadata: Metadata = ()
    ) -> Resp:
        token, refused = self._token(method, timeout), None
        while True:
            carried = (*metadata, *token.metadata)
            try:
                return self._inner.unary(method, request, timeout=timeout, run=run, metadata=carried)
            except RpcError as error:
                if not self._tokens.may_help(error, method, after=refused):
                    raise
                token, refused = self._tokens.get(timeout, refused=token), token
                if not token.is_another_than(refused):
                    raise

    def server_stream(
        self,
        method: ServerStream[Req, Resp],
        request: Req,
        *,
        timeout: float | None = None,
        run: str | None = None,
        metadata: Metadata = (),
    ) -> Iterator[Resp]:
        token, refused, begun = self._token(method, self._timeout), None, False
        while True:
            carried = (*metadata, *token.metadata)
            try:
                for response in self._inner.server_stream(method, request, timeout=timeout, run=run, metadata=carried):
                    begun = True
                    yield response
                return
            except RpcError as error:
                if begun or not self._tokens.may_help(error, method, after=refused):
                    raise
                token, refused = self._tokens.get(self._timeout, refused=token), token
                if not token.is_another_than(refused):
                    raise

    def close(self) -> None:
        self._inner.close()

    def _token(self, method: Method[Any, Any], timeout: float) -> Token:
        if is_read(method):
            return self._tokens.get(timeout)
        return self._policy.retrying(_FOR_A_TOKEN)(self._tokens.get, timeout)


class AsyncAuthTransport:
    """Calls on one event loop."""

    def __init__(self, inner: AsyncTransport, tokens: Tokens, policy: RetryPolicy, timeout: float) -> None:
        self._inner = inner
        self._tokens = tokens
        self._policy = policy
        self._timeout = timeout

    async def unary(
        self, method: Unary[Req, Resp], request: Req, *, timeout: float, run: str | None = None, metadata: Metadata = ()
    ) -> Resp:
        token, refused = await self._token(method, timeout), None
        while True:
            carried = (*metadata, *token.metadata)
            try:
                return await self._inner.unary(method, request, timeout=timeout, run=run, metadata=carried)
            except RpcError as error:
                if not self._tokens.may_help(error, method, after=refused):
                    raise
                token, refused = await self._tokens.aget(timeout, refused=token), token
                if not token.is_another_than(refused):
                    raise

    async def server_stream(
        self,
        method: ServerStream[Req, Resp],
        request: Req,
        *,
        timeout: float | None = None,
        run: str | None = None,
        metadata: Metadata = (),
    ) -> AsyncGenerator[Resp, None]:
        token, refused, begun = await self._token(method, self._timeout), None, False
        while True:
            carried = (*metadata, *token.metadata)
            stream = self._inner.server_stream(method, request, timeout=timeout, run=run, metadata=carried)
            try:
                async with aclosing(stream):
                    async for response in stream:
                        begun = True
                        yield response
                return
            except RpcError as error:
                if begun or not self._tokens.may_help(error, method, after=refused):
                    raise
                token, refused = await self._tokens.aget(self._timeout, refused=token), token
                if not token.is_another_than(refused):
                    raise

    async def close(self) -> None:
        await self._inner.close()

    async def _token(self, method: Method[Any, Any], timeout: float) -> Token:
        if is_read(method):
            return await self._tokens.aget(timeout)
        return await self._policy.async_retrying(_FOR_A_TOKEN)(self._tokens.aget, timeout)
