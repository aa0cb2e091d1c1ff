"""Rules are tested in virtual time: hours of waiting take no time."""

from __future__ import annotations

from asyncio import AbstractEventLoop
from collections.abc import AsyncIterator, Callable, Mapping

import pytest

from tests.support.virtual_time import VirtualLoop
from tests.support.waiting_world import World


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], AbstractEventLoop]]:
    return {"virtual": VirtualLoop}


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """A watcher of a scripted Flyte, and waits."""
    made = World()
    yield made
    await made.end()
