"""Answers that cannot be read: a mistake of the settings before Flyte was ever reached, and trouble after.

Below the tokens and above what chooses the transport, which knows by then whether Flyte answers there.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from airflow_provider_flyte.client.config import FlyteConfig
from airflow_provider_flyte.client.errors import BadAnswerError, GarbledAnswerError
from airflow_provider_flyte.client.transport.base import AsyncTransport, Transport
from airflow_provider_flyte.client.transport.layer import AsyncLayer, BlockingLayer
from airflow_provider_flyte.client.transport.selector import reached_through

log = logging.getLogger(__name__)

_LOGGED_EVERY = 60.0
"""Seconds: a proxy that garbles every answer must not fill the log."""


class Judge:
    """The meaning of unreadable answers; one for all transports of a client.

    :param garbled: called for each answer that could not be read although Flyte was reached.
    """

    def __init__(self, config: FlyteConfig, garbled: Callable[[], None] = lambda: None) -> None:
        self._config = config
        self._garbled = garbled
        self._logged_at = -math.inf

    @contextmanager
    def judging(self) -> Iterator[None]:
        """A context around a call."""
        try:
            yield
        except BadAnswerError as error:
            if not reached_through(self._config):
                raise
            garbled = error.turned_into(GarbledAnswerError)
            now = time.monotonic()
            level = logging.WARNING if now - self._logged_at >= _LOGGED_EVERY else logging.DEBUG
            if level == logging.WARNING:
                self._logged_at = now
            log.log(level, "An answer could not be read. %s", garbled)
            try:
                self._garbled()
            except Exception:
                # For instance a metrics backend's error, which must not hide what happened.
                log.debug("An unreadable answer could not be counted.", exc_info=True)
            raise garbled from error


class JudgingTransport(BlockingLayer):
    """Blocking calls over another transport."""

    def __init__(self, inner: Transport, judge: Judge) -> None:
        self._inner = inner
        self._judge = judge

    def _around(self) -> AbstractContextManager[None]:
        return self._judge.judging()

    def _through(self, transport: str) -> Transport:
        return self._inner

    def close(self) -> None:
        self._inner.close()


class AsyncJudgingTransport(AsyncLayer):
    """Calls on one event loop over another transport."""

    def __init__(self, inner: AsyncTransport, judge: Judge) -> None:
        self._inner = inner
        self._judge = judge

    def _around(self) -> AbstractContextManager[None]:
        return self._judge.judging()

    def _through(self, transport: str) -> AsyncTransport:
        return self._inner

    async def close(self) -> None:
        await self._inner.close()
