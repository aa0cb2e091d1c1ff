"""The token that all clients of one config in a process share, and when it is renewed.

The first caller who needs one asks for it, and the others wait. It is renewed before it expires, and where it is
refused.
Tokens live in memory only.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import math
import os
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from airflow_provider_flyte.client.auth.token_sources import Fresh, source_for
from airflow_provider_flyte.client.cache import Cache
from airflow_provider_flyte.client.config import FlyteConfig
from airflow_provider_flyte.client.credentials import Credentials, Secret
from airflow_provider_flyte.client.errors import (
    FlyteError,
    NotFlyteError,
    RpcError,
    Status,
    TokenServerError,
    is_lasting,
)
from airflow_provider_flyte.client.rpc import Method
from airflow_provider_flyte.client.transport.base import Metadata
from airflow_provider_flyte.client.transport.retry import is_read
from airflow_provider_flyte.client.transport.route import EndpointKey, endpoint_key

log = logging.getLogger(__name__)

_MARGIN = 60.0
"""Seconds before its end from which a token is renewed; a fifth of its life where that is less."""

_AGAIN_AFTER = 5.0
"""Seconds between two tries where a token cannot be renewed."""

_REFUSALS = {Status.UNAUTHENTICATED: 5.0, Status.UNKNOWN: 60.0}
"""Statuses that may mean a refused token, and the seconds for which no new one is asked for after one that did not
help: UNKNOWN is most likely not about tokens."""

_MOST_TOKENS = 64


@dataclass(frozen=True)
class Token:
    """A token, and until when it is used, in seconds of the clock."""

    text: Secret
    header: str
    stale_at: float = math.inf
    """From when on it is renewed."""

    dies_at: float = math.inf
    """Until when it is used where it cannot be renewed."""

    @property
    def metadata(self) -> Metadata:
        """The metadata of a call with this token."""
        return ((self.header, Secret(f"Bearer {self.text}")),)

    def is_another_than(self, refused: Token | None) -> bool:
        return refused is None or self.text != refused.text


class Tokens:
    """The token of one config in this process, for blocking and for asyncio callers.

    :param fetch: blocks, for the given seconds at most, and gives a token.
    :param clock: seconds that only grow.
    :param chance: a number between two; several processes do not renew their tokens at the same moment.
    """

    def __init__(
        self,
        fetch: Callable[[float], Fresh],
        *,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._fetch = fetch
        self._clock = clock
        self._chance = chance
        self._lock = threading.Lock()
        self._token: Token | None = None
        self._tries = 0
        self._failure: FlyteError | None = None
        self._failed_at = -math.inf
        self._useless_until: dict[Status, float] = {}
        self._flights: dict[tuple[asyncio.AbstractEventLoop, Token | None], asyncio.Task[Token]] = {}
        self._warned = False

    def get(self, timeout: float, refused: Token | None = None) -> Token:
        """A token that should be valid, and another one than the refused one where that is possible.

        :raises FlyteError: where there is none.
        """
        held = self._held(refused)
        if held is not None:
            return held
        until, tries = self._clock() + timeout, self._tries
        if not self._lock.acquire(timeout=timeout):
            raise TokenServerError(
                Status.DEADLINE_EXCEEDED,
                f"none within {timeout:g} s",
                method="The request for a token",
                endpoint="the token server",
            )
        try:
            held = self._held(refused)
            if held is not None:
                return held
            self._raise_if_just_failed(tries)
            return self._renew(max(0.1, until - self._clock()), refused)
        finally:
            self._lock.release()

    async def aget(self, timeout: float, refused: Token | None = None) -> Token:
        """:meth:`get` on an event loop: in a thread, one for all calls there that need the same."""
        held = self._held(refused)
        if held is not None:
            return held
        loop = asyncio.get_running_loop()
        flight = self._flights.get((loop, refused))
        if flight is None:
            self._flights = {key: each for key, each in self._flights.items() if not key[0].is_closed()}
            # In an empty context: a task's log follows its context, and this one works for all calls.
            flight = contextvars.Context().run(loop.create_task, asyncio.to_thread(self.get, timeout, refused))
            self._flights[loop, refused] = flight
            flight.add_done_callback(lambda done: self._landed((loop, refused), done))
        # Shielded: the cancellation of one call is not that of the others.
        return await asyncio.shield(flight)

    def may_help(self, error: RpcError, method: Method[Any, Any], *, after: Token | None) -> bool:
        """Whether a new token may help after this refusal.

        Some proxies show a refused token as UNKNOWN; a write that met that may have been carried out all the same.

        :param after: the token that was refused before this one. Then no other one helps, and for a while none is asked
            for: a thousand calls would ask for as many.
        """
        status, now = error.status, self._clock()
        if isinstance(error, NotFlyteError) and isinstance(error.__cause__, RpcError):
            # Concluded from a probe of what else answers there; the refusal itself is what led to it.
            status = error.__cause__.status
        if status not in _REFUSALS or (status is Status.UNKNOWN and not is_read(method)):
            return False
        if after is not None:
            self._useless_until[status] = now + _REFUSALS[status]
        return now >= self._useless_until.get(status, now)

    def _held(self, refused: Token | None) -> Token | None:
        token = self._token
        good = token is not None and self._clock() < token.stale_at and token.is_another_than(refused)
        return token if good else None

    def _raise_if_just_failed(self, tries: int) -> None:
        """Raise the error of a request in vain for which this call waited; a refusal counts a little longer."""
        error = self._failure
        if error is None:
            return
        recent = is_lasting(error) and self._clock() - self._failed_at < _AGAIN_AFTER
        if self._tries != tries or recent:
            raise _again(error)

    def _renew(self, timeout: float, refused: Token | None) -> Token:
        old, asked_at = self._token, self._clock()
        try:
            fresh = self._fetch(timeout)
        except FlyteError as error:
            now = self._clock()
            if old is None or now >= old.dies_at or not old.is_another_than(refused):
                self._failure, self._failed_at = error, now
                raise
            log.log(
                logging.DEBUG if self._warned else logging.WARNING,
                "The token for Flyte could not be renewed; the old one is good for %.0f s more. %s",
                old.dies_at - now,
                error,
            )
            self._warned = True
            self._token = replace(old, stale_at=min(now + _AGAIN_AFTER, old.dies_at))
            return self._token
        finally:
            self._tries += 1
        if self._warned:
            log.info("The token for Flyte could be renewed again.")
        self._failure, self._warned = None, False
        margin = min(_MARGIN, fresh.lifetime / 5) * self._chance(1.0, 1.5)
        stale_at = asked_at + (fresh.lifetime - margin if fresh.check_after is None else fresh.check_after)
        self._token = Token(fresh.text, fresh.header, stale_at, asked_at + fresh.lifetime)
        return self._token

    def _landed(self, key: tuple[asyncio.AbstractEventLoop, Token | None], flight: asyncio.Task[Token]) -> None:
        self._flights.pop(key, None)
        if not flight.cancelled():
            flight.exception()


class _Entry(NamedTuple):
    config: FlyteConfig
    tokens: Tokens


_tokens: Cache[tuple[EndpointKey, type[Credentials], tuple[object, ...]], _Entry] = Cache(_MOST_TOKENS)


def tokens_of(config: FlyteConfig) -> Tokens:
    """The tokens that this process has for a config.

    Another secret replaces the old one, whose tokens are dropped with the last client that uses them.
    """
    credentials = config.credentials
    assert credentials is not None
    key = (endpoint_key(config), type(credentials), credentials.without_secret())

    def is_of_this_config(entry: _Entry) -> bool:
        return _proof(entry.config) == _proof(config)

    return _tokens.get(key, lambda: _Entry(config, Tokens(source_for(config))), is_of_this_config).tokens


def _proof(config: FlyteConfig) -> tuple[object, ...]:
    """The part of a config that decides which token it gets."""
    return config.credentials, config.metadata, config.metadata_header, config.client_private_key


# Another thread may have held a lock during the fork.
os.register_at_fork(after_in_child=_tokens.clear)


def forget() -> None:
    """Forget all tokens; for tests, whose servers follow each other on one port."""
    _tokens.clear()


def _again(error: FlyteError) -> FlyteError:
    """A copy of an error for another caller: one that is raised twice collects both tracebacks."""
    return error.copy() if isinstance(error, RpcError) else type(error)(*error.args)
