"""What the two halves of a layer do alike: one set of steps, and two drivers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Generator
from typing import Any

import pytest

from airflow_provider_flyte.client.errors import NotFoundError, RpcError, Status, error_for
from airflow_provider_flyte.client.rpc import Method, RunService
from airflow_provider_flyte.client.transport.base import Metadata
from airflow_provider_flyte.client.transport.layer import AsyncLayer, BlockingLayer, Do, Layer, Send, Steps

both = pytest.mark.parametrize("on_a_loop", [False, True], ids=["blocking", "loop"])
WATCH, REQUEST = RunService.WatchRuns, RunService.WatchRuns.request()


def not_found() -> RpcError:
    return error_for(Status.NOT_FOUND, "no", method="m", endpoint="e")


class Inner:
    """A transport whose streams send numbers, as many as it is told, or fail; it notes what was made and closed."""

    def __init__(self, messages: int, fails: int = 0) -> None:
        self.messages, self.fails = messages, fails
        self.sent: list[Metadata] = []
        self.closed = 0

    def begin(self, metadata: Metadata) -> None:
        self.sent.append(metadata)
        if len(self.sent) <= self.fails:
            raise not_found()


class BlockingInner(Inner):
    def server_stream(self, *_: Any, metadata: Metadata, **__: Any) -> Generator[int, None, None]:
        try:
            self.begin(metadata)
            yield from range(1, self.messages + 1)
        finally:
            self.closed += 1


class AsyncInner(Inner):
    async def server_stream(self, *_: Any, metadata: Metadata, **__: Any) -> AsyncGenerator[int, None]:
        try:
            self.begin(metadata)
            for number in range(1, self.messages + 1):
                yield number
            if self.messages == 0 and not self.fails:
                await asyncio.Event().wait()
        finally:
            self.closed += 1


class Twice(Layer):
    """Makes a call again that fails, and carries which half has asked."""

    def _steps(
        self, method: Method[Any, Any], request: Any, timeout: float | None, run: str | None, metadata: Metadata
    ) -> Steps:
        async def on_loop() -> str:
            return "loop"

        half = yield Do(lambda: "blocking", on_loop)
        try:
            return (yield Send((("half", half),)))
        except RpcError:
            return (yield Send((("half", half), ("again", "1"))))


class BlockingTwice(Twice, BlockingLayer):
    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def _through(self, transport: str) -> Any:
        return self._inner


class AsyncTwice(Twice, AsyncLayer):
    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def _through(self, transport: str) -> Any:
        return self._inner


def received(inner_of: tuple[int, int], *, on_a_loop: bool, most: int = 9) -> tuple[list[Any], Inner]:
    """The first messages of a stream through the layer, which is closed then."""
    inner = AsyncInner(*inner_of) if on_a_loop else BlockingInner(*inner_of)
    got: list[Any] = []

    async def on_loop() -> None:
        stream = AsyncTwice(inner).server_stream(WATCH, REQUEST)
        async for message in stream:
            got.append(message)
            if len(got) == most:
                break
        await stream.aclose()

    if on_a_loop:
        asyncio.run(on_loop())
    else:
        stream = BlockingTwice(inner).server_stream(WATCH, REQUEST)
        for message in stream:
            got.append(message)
            if len(got) == most:
                break
        stream.close()
    return got, inner


@both
def test_a_stream_is_passed_on_and_closed(on_a_loop: bool) -> None:
    half = "loop" if on_a_loop else "blocking"
    for most in (1, 2, 9):
        got, inner = received((3, 0), on_a_loop=on_a_loop, most=most)
        assert got == [1, 2, 3][:most]
        assert inner.closed == 1
        assert inner.sent == [(("half", half),)]


@both
def test_a_stream_that_fails_before_its_first_message_follows_the_steps(on_a_loop: bool) -> None:
    got, inner = received((1, 1), on_a_loop=on_a_loop)
    assert got == [1]
    assert [("again", "1") in each for each in inner.sent] == [False, True]
    with pytest.raises(NotFoundError):
        received((1, 2), on_a_loop=on_a_loop)


async def test_a_stream_whose_first_message_never_comes_ends_when_its_task_is_cancelled() -> None:
    inner = AsyncInner(0)
    stream = AsyncTwice(inner).server_stream(WATCH, REQUEST)
    waiting: asyncio.Task[Any] = asyncio.ensure_future(stream.__anext__())
    while not inner.sent:
        await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert inner.closed == 1
