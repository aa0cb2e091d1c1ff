"""Blocking calls into Airflow from an event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


async def in_airflow(call: Callable[..., T], *args: Any, **kwargs: Any) -> T:
    """Make a blocking call into Airflow from an event loop, in a thread, and to its end.

    Such a call may ask the supervisor. From asgiref's thread that goes back to the loop which owns the supervisor's
    socket; from any other one, ``asyncio.to_thread``'s too, Airflow before 3.2 reads the socket in a second loop, and
    then all waits of the triggerer hang (3.0.6) or its runner dies (3.1.8). Nor may the call be cancelled halfway:
    those versions take its unread answer for that of the next call.
    """
    from asgiref.sync import sync_to_async

    return await asyncio.shield(sync_to_async(call)(*args, **kwargs))
