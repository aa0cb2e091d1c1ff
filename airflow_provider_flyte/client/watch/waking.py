"""The pause of a loop that has nothing to do."""

from __future__ import annotations

import asyncio

_SHORTEST = 0.001
"""Seconds. A timer may end a little before its time, and a loop would spin until something is due."""


async def pause_until(something_to_do: asyncio.Event, due_in: float | None) -> None:
    """Wait until this is set, or something is due.

    :param due_in: seconds until then; None: nothing is.
    """
    waking = asyncio.ensure_future(something_to_do.wait())
    try:
        await asyncio.wait({waking}, timeout=None if due_in is None else max(_SHORTEST, due_in))
    finally:
        waking.cancel()
