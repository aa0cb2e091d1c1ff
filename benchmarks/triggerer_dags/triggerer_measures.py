"""What runs inside the triggerer and the workers of ``benchmarks/triggerer.py``."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

from airflow.sdk import BaseOperator
from airflow.triggers.base import BaseTrigger, TriggerEvent

BEAT = 0.005
"""Seconds between two looks at the loop."""


class LoopLagTrigger(BaseTrigger):
    """Writes each second how late the loop was, and how many tasks it has; collects garbage when it is asked to.

    :param path: the file, one JSON object a line. One beside it, with the suffix ``.collect``, asks; it is removed.
    """

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path
        self._collecting = 0.0
        """Seconds of its thread's time that Python's garbage collection has taken so far."""

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return "triggerer_measures.LoopLagTrigger", {"path": self.path}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        gc.callbacks.append(self._note_collection)
        while True:
            late, held, until = [], 0.0, time.monotonic() + 1
            while time.monotonic() < until:
                before, worked = time.monotonic(), time.thread_time() - self._collecting
                await asyncio.sleep(BEAT)
                late.append((time.monotonic() - before - BEAT) * 1e3)
                # On a machine that others use too, lateness is theirs as well: this is the loop's own part.
                held = max(held, min(late[-1], (time.thread_time() - self._collecting - worked) * 1e3))
            line = {
                "at": time.time(),
                "pid": os.getpid(),
                "tasks": len(asyncio.all_tasks()),
                "late_ms": late,
                "held_ms": held,
                "collecting_s": self._collecting,
            }
            with Path(self.path).open("a") as file:
                file.write(json.dumps(line) + "\n")
            if (asked := Path(self.path).with_suffix(".collect")).exists():
                gc.collect()
                asked.unlink()
        yield TriggerEvent(None)

    def _note_collection(self, phase: str, info: dict[str, int]) -> None:
        self._collecting += time.thread_time() * (-1 if phase == "start" else 1)


class AtTrigger(BaseTrigger):
    """Fires by itself, on time.

    :param at: seconds since the epoch.
    """

    def __init__(self, at: float) -> None:
        super().__init__()
        # A template gives a text.
        self.at = float(at)

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return "triggerer_measures.AtTrigger", {"at": self.at}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        await asyncio.sleep(self.at - time.time())
        yield TriggerEvent(None)


class Deferred(BaseOperator):
    """Defers to one of these triggers.

    :param trigger: its class.
    :param argument: what it takes.
    """

    template_fields: Sequence[str] = ("argument",)

    def __init__(self, *, trigger: type[BaseTrigger], argument: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.trigger = trigger
        self.argument = argument

    def execute(self, context: Any) -> None:
        self.defer(trigger=self.trigger(self.argument), method_name="execute_complete")  # type: ignore[call-arg]

    def execute_complete(self, context: Any, event: Any) -> None:
        """Nothing more: what Airflow itself takes."""
