"""Who wants to hear of changes: the subscriptions behind the streams."""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

from airflow_provider_flyte.testing.calls import Call

Key: TypeAlias = tuple[str, ...]
"""(project, domain, run) or (project, domain, run, action). Never the org: the backend ignores it."""

BUFFER = 100
"""Notifications that wait for one subscriber. The real backend keeps 100 and drops what comes after, without a
word: at 1,100 changes a second 51 % never arrived."""


class Subscription:
    """The keys that changed and that nobody has taken yet."""

    def __init__(self) -> None:
        self._keys: deque[Key] = deque()
        self._changed = threading.Condition()
        self._closed = False

    def put(self, key: Key) -> None:
        """Note a change, or lose it where too many wait."""
        with self._changed:
            if len(self._keys) < BUFFER:
                self._keys.append(key)
                self._changed.notify()

    def close(self) -> None:
        """End the iteration."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def __iter__(self) -> Iterator[Key]:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or self._keys)
                if self._closed:
                    return
                key = self._keys.popleft()
            yield key

    def drain(self) -> None:
        """Forget what waits: the caller is about to read the newest state anyway."""
        with self._changed:
            self._keys.clear()


class Hub:
    """Topics and their subscribers."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._topics: defaultdict[Hashable, list[Subscription]] = defaultdict(list)

    @contextmanager
    def subscribe(self, topic: Hashable, call: Call) -> Iterator[Subscription]:
        """Hear of a topic until the block ends; the call's end ends the iteration."""
        subscription = Subscription()
        with self._lock:
            self._topics[topic].append(subscription)
        call.on_close(subscription.close)
        try:
            yield subscription
        finally:
            with self._lock:
                self._topics[topic].remove(subscription)
                if not self._topics[topic]:
                    del self._topics[topic]

    def publish(self, key: Key, *topics: Hashable) -> None:
        """Tell the subscribers of these topics that a key changed."""
        with self._lock:
            subscribers = [s for topic in topics if topic in self._topics for s in self._topics[topic]]
        for subscription in subscribers:
            subscription.put(key)
