"""The same call by a blocking client or by one on a loop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from airflow_provider_flyte.client import FlyteClient
from airflow_provider_flyte.client.flows.calls import Flow

T = TypeVar("T")


def executed(client: FlyteClient, flow: Flow[T], way: str) -> T:
    """What a flow returns.

    :param client: closed afterwards.
    :param way: ``"loop"``, or anything else for a blocking client.
    """
    return _done(client, way, lambda: client.execute(flow), lambda: client.aexecute(flow))


def called(client: FlyteClient, method: Callable[..., T], way: str, *arguments: Any, **named: Any) -> T:
    """What a method returns that has an ``aio``.

    :param client: whose method it is; closed afterwards.
    """
    both: Any = method
    result: T = _done(client, way, lambda: method(*arguments, **named), lambda: both.aio(*arguments, **named))
    return result


def _done(client: FlyteClient, way: str, do: Callable[[], T], ado: Callable[[], Awaitable[T]]) -> T:
    async def on_a_loop() -> T:
        async with client:
            return await ado()

    if way == "loop":
        return asyncio.run(on_a_loop())
    with client:
        return do()
