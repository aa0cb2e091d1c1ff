"""What the provider's triggers for tasks have in common: what Airflow stores of them, and their hold on the watcher."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Collection
from inspect import signature
from typing import TYPE_CHECKING, Any

from airflow_provider_flyte.compat import BaseTrigger

if TYPE_CHECKING:
    from airflow_provider_flyte.wait.shared_watcher import Lease


class TaskTrigger(BaseTrigger):
    """A trigger for one deferred task. Each argument of its ``__init__`` is an attribute too."""

    _further: Collection[str] = ()
    """Names of arguments that ``__init__`` takes without naming them."""

    _lease: Lease | None = None
    """Its hold on the shared watcher."""

    not_before: float | None
    """The event is held until then, in seconds since the epoch; None: not at all."""

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The class path, and the arguments of ``__init__``."""
        kind = type(self)
        named = [each.name for each in signature(kind).parameters.values() if each.kind is not each.VAR_KEYWORD]
        return f"{kind.__module__}.{kind.__qualname__}", {
            name: getattr(self, name) for name in (*named, *self._further)
        }

    async def cleanup(self) -> None:
        """Give the watcher back. Airflow calls this at shutdown and redistribution too: nothing is aborted."""
        self._release()

    def _release(self) -> None:
        lease, self._lease = self._lease, None
        if lease is not None:
            lease.release()

    async def _hold(self) -> None:
        """Wait until the event may be sent: the scheduler fails some tasks that resume just after they deferred."""
        if self.not_before is not None and (left := self.not_before - self._now()) > 0:
            self.log.info(
                "The task stays deferred for %d s more (resume_after), because Airflow's scheduler may fail one that "
                "resumes right after it deferred.",
                math.ceil(left),
            )
            await self._sleep(left)

    # Tests put a virtual clock here.
    _now = staticmethod(time.time)
    _sleep = staticmethod(asyncio.sleep)
