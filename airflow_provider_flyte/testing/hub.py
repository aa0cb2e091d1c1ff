"""The subscriptions to changes behind the streams."""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

from airflow_provider_flyte.testing.calls import Call

Thing = TypeVar("Thing")

BUFFER = 100
"""Notifications that wait for one subscriber. The real backend keeps 100 and silently drops what comes
after: at 1,100 changes a second 51 % never arrived."""


class Subscription(Generic[Thing]):
    """The changes that have not been read yet."""

    def __init__(self) -> None:
        self._waiting: deque[Thing] = deque()
        self._changed = threading.Condition()
        self._closed = False

    def put(self, thing: Thing) -> None:
        """Add a change, or lose it if too many wait."""
        with self._changed:
            if len(self._waiting) < BUFFER:
                self._waiting.append(thing)
                self._changed.notify()

    def close(self) -> None:
        """End the iteration."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def __iter__(self) -> Iterator[Thing]:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or self._waiting)
                if self._closed:
                    return
                thing = self._waiting.popleft()
            yield thing

    def drain(self) -> None:
        """Forget what waits: the caller is about to read the newest state anyway."""
        with self._changed:
            self._waiting.clear()


class Hub(Generic[Thing]):
    """Topics and their subscribers."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._topics: defaultdict[Hashable, list[Subscription[Thing]]] = defaultdict(list)

    @contextmanager
    def subscribe(self, topic: Hashable, call: Call) -> Iterator[Subscription[Thing]]:
        """Subscribe to a topic until the block ends; the call's end ends the iteration."""
        subscription: Subscription[Thing] = Subscription()
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

    def subscribers(self, topic: Hashable) -> int:
        """How many streams are told of this topic now."""
        with self._lock:
            return len(self._topics.get(topic, ()))

    def publish(self, thing: Thing, *topics: Hashable) -> None:
        """Notify the subscribers of these topics that a thing changed."""
        with self._lock:
            subscribers = [s for topic in topics if topic in self._topics for s in self._topics[topic]]
        for subscription in subscribers:
            subscription.put(thing)
