"""The state of a watcher, for logs and metrics."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class WatcherStatus:
    """The state of a watcher, with counts since it was made."""

    waits: int
    """Open now."""

    calls: int
    streams: int
    """How many were opened."""

    stream_up: bool
    """Whether every project with waits has a stream that seems to work."""

    ends_by_stream: int
    ends_by_poll: int
    answered_ago: float | None
    """Seconds since Flyte answered; None: not yet."""

    def __str__(self) -> str:
        ago = "has not answered yet" if self.answered_ago is None else f"last answered {self.answered_ago:.0f} s ago"
        stream = "sends updates by stream" if self.stream_up else "is polled, because there is no stream of updates"
        return f"Still waiting ({self.waits} waits share this connection to Flyte). Flyte {ago} and {stream}."
