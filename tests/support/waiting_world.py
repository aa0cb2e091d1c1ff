"""A watcher of a scripted Flyte, and waits. For tests in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from airflow_provider_flyte.client import RunWatcher
from airflow_provider_flyte.client.errors import Status
from airflow_provider_flyte.client.verdict import Outcome, WaitRules
from airflow_provider_flyte.client.watch.results import WaitResult
from tests.support.scripted_flyte import Asked, ScriptedFlyte, refusal

NEVER = WaitRules(missing_after=None, unreachable_after=None)


class World:
    """A watcher, its waits, and how they ended."""

    def __init__(self) -> None:
        self.flyte = ScriptedFlyte()
        self.results: dict[str, WaitResult] = {}
        self.ended_at: dict[str, float] = {}
        self.lines: dict[str, list[str]] = {}
        self._waits: list[asyncio.Task[None]] = []

    def begin(self, **settings: Any) -> RunWatcher:
        defaults: dict[str, Any] = {"stream": False, "rules": NEVER, "clock": asyncio.get_running_loop().time}
        self.watcher = RunWatcher(self.flyte.client, **defaults | settings)
        return self.watcher

    def wait(self, *names: str, **arguments: Any) -> list[asyncio.Task[None]]:
        tasks = [asyncio.ensure_future(self._wait(name, arguments)) for name in names]
        self._waits += tasks
        return tasks

    async def _wait(self, name: str, arguments: dict[str, Any]) -> None:
        lines = self.lines.setdefault(name, [])
        self.results[name] = await self.watcher.wait(name, on_trouble=lines.append, **arguments)
        self.ended_at[name] = asyncio.get_running_loop().time()

    @property
    def outcomes(self) -> dict[str, Outcome]:
        return {name: result.outcome for name, result in self.results.items()}

    async def end(self) -> None:
        for wait in self._waits:
            wait.cancel()
        await asyncio.gather(*self._waits, return_exceptions=True)
        await self.watcher.aclose()


def times(asked: list[Asked]) -> list[float]:
    return [round(each.at, 2) for each in asked]


def fails(code: Status, *rpcs: str, when: Callable[[Asked], bool] = lambda asked: True) -> Any:
    return lambda asked: refusal(code, "away") if asked.rpc in rpcs and when(asked) else None
