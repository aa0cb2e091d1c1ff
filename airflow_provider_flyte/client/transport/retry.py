"""The one retry policy: transient failures of reads, full jitter, bounded by time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from tenacity import AsyncRetrying, Retrying, retry_if_exception, stop_after_delay, wait_random_exponential
from tenacity.retry import retry_never

from airflow_provider_flyte.client.errors import RpcError, is_transient
from airflow_provider_flyte.client.rpc import Method

_FIRST_PAUSE = 0.25
_LONGEST_PAUSE = 2.0
_READS = ("Get", "List", "Watch", "Tail", "Select", "Upload")


def is_read(method: Method[Any, Any]) -> bool:
    """Whether repeating the method changes nothing. CreateRun enqueues again, AbortRun overwrites a success; inputs
    that are uploaded twice lie in the same place.
    """
    return method.path.rpartition("/")[2].startswith(_READS)


@dataclass(frozen=True)
class RetryPolicy:
    """How long a read is repeated, and by which clock."""

    budget: float
    """Seconds after which a transient failure is final."""

    sleep: Callable[[float], None] = time.sleep
    async_sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    clock: Callable[[], float] = time.monotonic
    """Seconds that only grow, by which discoveries are paced."""

    def retrying(self, method: Method[Any, Any], final: type[RpcError] | None = None) -> Retrying:
        """For blocking calls.

        :param final: what is not repeated, transient or not.
        """
        return Retrying(sleep=self.sleep, **self._strategy(method, final))

    def async_retrying(self, method: Method[Any, Any], final: type[RpcError] | None = None) -> AsyncRetrying:
        """The retry loop of calls on an event loop."""
        return AsyncRetrying(sleep=self.async_sleep, **self._strategy(method, final))

    def _strategy(self, method: Method[Any, Any], final: type[RpcError] | None) -> dict[str, Any]:
        def repeats(error: BaseException) -> bool:
            return is_transient(error) and not (final and isinstance(error, final))

        return {
            "retry": retry_if_exception(repeats) if is_read(method) else retry_never,
            "wait": wait_random_exponential(multiplier=_FIRST_PAUSE, max=_LONGEST_PAUSE),
            "stop": stop_after_delay(self.budget),
            "reraise": True,
        }
