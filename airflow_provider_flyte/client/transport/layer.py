"""Layers between a client and the transport, each written once for blocking and for asyncio callers.

A layer decides in a generator, its *steps*: it yields what is to be done and is sent the result. Two small drivers do
it, as for httpx's ``auth_flow``.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import AbstractContextManager, aclosing, closing, nullcontext
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from airflow_provider_flyte.client.rpc import Method, Req, Resp, ServerStream, Unary
from airflow_provider_flyte.client.transport.base import AsyncTransport, Metadata, Transport

S = TypeVar("S")
T = TypeVar("T")


@dataclass(frozen=True)
class Send:
    """A step that makes the call. Its result is the answer; of a stream, that it has begun."""

    metadata: Metadata
    through: str = ""
    """The transport to use, where a layer has several."""


@dataclass(frozen=True)
class Do:
    """A step that does something else that takes time."""

    blocking: Callable[[], Any]
    on_loop: Callable[[], Awaitable[Any]]


Steps: TypeAlias = Generator[Send | Do, Any, Any]


def drive(steps: Generator[S, Any, T], do: Callable[[S], Any]) -> T:
    """Run the steps that a generator yields, and return what it returns."""
    try:
        step = next(steps)
        while True:
            try:
                result = do(step)
            except Exception as error:
                step = steps.throw(error)
            else:
                step = steps.send(result)
    except StopIteration as end:
        answer: T = end.value
        return answer


async def adrive(steps: Generator[S, Any, T], do: Callable[[S], Awaitable[Any]]) -> T:
    """:func:`drive` on an event loop."""
    try:
        step = next(steps)
        while True:
            try:
                result = await do(step)
            except Exception as error:
                step = steps.throw(error)
            else:
                step = steps.send(result)
    except StopIteration as end:
        answer: T = end.value
        return answer


class Layer:
    """The common part of both halves of a layer; by default it passes calls on."""

    def _steps(
        self, method: Method[Any, Any], request: Any, timeout: float | None, run: str | None, metadata: Metadata
    ) -> Steps:
        return (yield Send(metadata))

    def _around(self) -> AbstractContextManager[None]:
        """A context around a whole call, with all messages of a stream."""
        return nullcontext()


class BlockingLayer(Layer):
    """Blocking calls."""

    def _through(self, transport: str) -> Transport:
        raise NotImplementedError

    def unary(
        self, method: Unary[Req, Resp], request: Req, *, timeout: float, run: str | None = None, metadata: Metadata = ()
    ) -> Resp:
        def do(step: Send | Do) -> Any:
            if isinstance(step, Do):
                return step.blocking()
            inner = self._through(step.through)
            return inner.unary(method, request, timeout=timeout, run=run, metadata=step.metadata)

        with self._around():
            answer: Resp = drive(self._steps(method, request, timeout, run, metadata), do)
            return answer

    def server_stream(
        self,
        method: ServerStream[Req, Resp],
        request: Req,
        *,
        timeout: float | None = None,
        run: str | None = None,
        metadata: Metadata = (),
    ) -> Generator[Resp, None, None]:
        def do(step: Send | Do) -> Any:
            if isinstance(step, Do):
                return step.blocking()
            inner = self._through(step.through)
            stream = inner.server_stream(method, request, timeout=timeout, run=run, metadata=step.metadata)
            return next(stream, None), stream

        with self._around():
            first, stream = drive(self._steps(method, request, timeout, run, metadata), do)
            with closing(stream):
                if first is not None:
                    yield first
                    yield from stream


class AsyncLayer(Layer):
    """Calls on one event loop."""

    def _through(self, transport: str) -> AsyncTransport:
        raise NotImplementedError

    async def unary(
        self, method: Unary[Req, Resp], request: Req, *, timeout: float, run: str | None = None, metadata: Metadata = ()
    ) -> Resp:
        async def do(step: Send | Do) -> Any:
            if isinstance(step, Do):
                return await step.on_loop()
            inner = self._through(step.through)
            return await inner.unary(method, request, timeout=timeout, run=run, metadata=step.metadata)

        with self._around():
            answer: Resp = await adrive(self._steps(method, request, timeout, run, metadata), do)
            return answer

    async def server_stream(
        self,
        method: ServerStream[Req, Resp],
        request: Req,
        *,
        timeout: float | None = None,
        run: str | None = None,
        metadata: Metadata = (),
    ) -> AsyncGenerator[Resp, None]:
        async def do(step: Send | Do) -> Any:
            if isinstance(step, Do):
                return await step.on_loop()
            inner = self._through(step.through)
            stream = inner.server_stream(method, request, timeout=timeout, run=run, metadata=step.metadata)
            return await anext(stream, None), stream

        with self._around():
            first, stream = await adrive(self._steps(method, request, timeout, run, metadata), do)
            async with aclosing(stream):
                if first is not None:
                    yield first
                    async for message in stream:
                        yield message
