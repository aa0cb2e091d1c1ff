"""The log of a run while it is written (DataProxyService/TailLogs): which lines are new, how they are shown. No I/O.

TailLogs has no cursor. By its source the open-source backend begins each stream with the first line of the attempt's
container (or a thousand lines back, where it does not know when that started), so what was read is remembered.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta, timezone
from typing import Any

from airflow_provider_flyte.client.errors import FlyteError, PermissionDeniedError, RpcError, UnimplementedError
from airflow_provider_flyte.client.flows import calls
from airflow_provider_flyte.client.flows.calls import Flow, StreamCall
from airflow_provider_flyte.client.idl.common import identifier_pb2
from airflow_provider_flyte.client.idl.dataproxy import dataproxy_service_pb2
from airflow_provider_flyte.client.outside import one_line
from airflow_provider_flyte.client.phase import RunPhase, is_terminal
from airflow_provider_flyte.client.rpc import DataProxyService
from airflow_provider_flyte.client.run_key import RunKey

LINES_A_SECOND, LINES_AT_ONCE = 50, 500
"""Lines of one log that are written: so many a second on average, and so many when it was quiet before."""

REFUSALS = (UnimplementedError, PermissionDeniedError)
"""What a backend answers that will not send the log of this run, now or later."""

LARGEST = 1 << 20
"""Bytes of a message that is read: a hundred lines of 10 kB. A line may have any size, and 20 logs are read at once."""

_LEFT_OUT = dataproxy_service_pb2.TailLogsResponse()
"""Stands for a larger message."""

_TAIL_LOGS = replace(DataProxyService.TailLogs, largest=LARGEST, instead=_LEFT_OUT)

_REMEMBERED = 20
"""How many lines of one moment are remembered by their content. Of more, which clocks of seconds and lines without a
time bring about, only the number is."""

_LATEST = (1 << 63) - 1
"""The latest time of a line: Airflow's triggerer ends, with all that wait in it, where an event has a larger number."""

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_SECOND = 1_000_000_000


@dataclass
class LogPosition:
    """How far the log of a run was read: a few numbers, however long it is."""

    attempt: int = 1
    at: int = 0
    """The newest line's time, in nanoseconds since the epoch; 0: no line has a time."""

    count: int = 0
    """How many lines of that time there were."""

    lines: dict[str, int] | None = field(default_factory=dict)
    """Checksums of these lines, and how often each came; None: there were too many."""

    gap: tuple[int, int] | None = None
    """Times of the first and the last line of those that were left out after all that was written."""

    def add(self, at: int, text: str) -> None:
        """Note a line that was read."""
        if at > self.at:
            self.at, self.count, self.lines = at, 0, {}
        if at < self.at:
            return
        self.count += 1
        if self.lines is not None:
            known = _checksum(text)
            self.lines[known] = self.lines.get(known, 0) + 1
            if len(self.lines) > _REMEMBERED:
                self.lines = None

    def to_json(self) -> dict[str, Any]:
        """As JSON types."""
        return asdict(self) | {"gap": None if self.gap is None else list(self.gap)}

    @classmethod
    def from_json(cls, value: object) -> LogPosition:
        """The same again; the beginning of the log, where it is nothing of the kind."""
        try:
            position = cls(**value)  # type: ignore[arg-type]  # what does not fit raises
            numbers = [position.attempt, position.at, position.count, *(position.lines or {}).values()]
            if position.gap is not None:
                first, last = position.gap
                position.gap = first, last
                numbers += position.gap
        except (TypeError, ValueError, AttributeError):
            return cls()
        fit = all(type(number) is int and 0 <= number <= _LATEST for number in numbers) and position.attempt
        return position if fit else cls()


class Known:
    """Which lines of a stream were read before, by a position.

    :param position: how far the log was read; it is copied.
    :param gap: whether what was left out counts as not read.
    """

    def __init__(self, position: LogPosition, *, gap: bool = False) -> None:
        self._at = position.at
        self._left = position.count
        self._lines = None if position.lines is None else Counter(position.lines)
        self._gap = position.gap if gap else None

    @property
    def all_again(self) -> bool:
        """Whether all that was read before has come again, so that everything is new."""
        return not self._left

    def __contains__(self, line: tuple[int, str]) -> bool:
        at, text = line
        if self.all_again:
            return False
        if at > self._at:
            self._left = 0
            return False
        known = at < self._at or self._repeats(text)
        return known and not (self._gap and self._gap[0] <= at <= self._gap[1])

    def _repeats(self, text: str) -> bool:
        if self._lines is not None:
            checksum = _checksum(text)
            if not self._lines[checksum]:
                return False
            self._lines[checksum] -= 1
        self._left -= 1
        return True


class Times:
    """The times of a stream's lines: a line without one has that of the line before."""

    def __init__(self) -> None:
        self._last = 0

    def of(self, line: Any) -> int:
        """In nanoseconds since the epoch."""
        stamp = line.timestamp
        at = int(stamp.seconds * _SECOND + stamp.nanos)
        if 0 < at <= _LATEST:
            self._last = at
        return self._last


class LogOfRun:
    """What is known of a run's log, and what of it was written.

    :param key: the run.
    :param org: of the config.
    :param clock: seconds that only grow.
    :param on_log: called with each line to write.
    :param position: where another process had got to.
    :param on_line: called with the time and the text of each line of the log as it came, instead of writing it; then
        none is left out because there are many. The time is in nanoseconds since the epoch, 0 where there is none.
    """

    def __init__(
        self,
        key: RunKey,
        org: str,
        clock: Callable[[], float],
        *,
        on_log: Callable[[str], None],
        position: LogPosition | None = None,
        on_line: Callable[[int, str], None] | None = None,
    ) -> None:
        self.key = key
        self.on_log = on_log
        self._on_line = on_line
        self.position = position or LogPosition()
        self.phase = 0
        """Of the run, when it was looked at last."""

        self._org = org
        self._clock = clock
        self._attempts = 1
        self._stopped = False
        self._announced = self.position.at > 0
        self._room = float(LINES_AT_ONCE)
        self._room_at = clock()
        self._full = False
        self._left_out = 0
        self._known = Known(self.position)
        self._times = Times()
        self._large = self._large_logged = 0
        """How many too large messages this stream has sent after the newest line, and how many of these were logged."""

    def look(self) -> Flow[None]:
        """Find out where the run and its attempts are."""
        details = yield calls.get_run_details(calls.run_identifier(self.key, self._org), RpcError)
        self.phase = int(details.action.status.phase)
        self._attempts = max(1, int(details.action.status.attempts))

    @property
    def begun(self) -> bool:
        """Whether the attempt may have a log."""
        return self.attempt_is_over or self.phase >= RunPhase.RUNNING

    @property
    def attempt_is_over(self) -> bool:
        """Whether nothing more comes into the attempt's log."""
        return self._attempts > self.position.attempt or is_terminal(self.phase)

    def next_attempt(self) -> bool:
        """Go on to the next attempt; False where this is the last one."""
        if self._attempts <= self.position.attempt:
            return False
        self.position = LogPosition(self.position.attempt + 1)
        self._announced = False
        self._large_logged = 0
        return True

    def stream(self) -> StreamCall[bool]:
        """The attempt's log, from its beginning, and then what is added; reading a message tells if there was news."""
        self._known, self._times, self._large = Known(self.position), Times(), 0
        action = identifier_pb2.ActionIdentifier(run=calls.run_identifier(self.key, self._org), name=calls.ROOT_ACTION)
        request = dataproxy_service_pb2.TailLogsRequest(action_id=action, attempt=self.position.attempt)
        return StreamCall(_TAIL_LOGS, request, self._read, run=self.key.name)

    def stop(self) -> None:
        """Write nothing of it after this."""
        self.tell_left_out()
        self.silence()

    def silence(self) -> None:
        """Write nothing of it after this, whatever was left out."""
        self._stopped = True

    def tell_left_out(self) -> None:
        """Write how many lines were left out since this was written last, if there are any."""
        count, self._left_out = self._left_out, 0
        if count and not self._stopped:
            self.on_log(
                f"Lines of the log of Flyte run {self.key.name} that are left out here: {count}. More than "
                f"{LINES_A_SECOND} a second are not written; the run's page has them."
            )

    def _read(self, response: dataproxy_service_pb2.TailLogsResponse) -> bool:
        position, news = self.position, False
        if self._stopped:
            return news
        if response is _LEFT_OUT:
            return self._tell_too_large()
        for log in response.logs:
            for line in log.lines:
                at, text = self._times.of(line), line.message
                if (at, text) in self._known or self._stopped:
                    continue
                news = True
                position.add(at, text)
                self._large = self._large_logged = 0
                if self._on_line is not None:
                    self._on_line(at, text)
                elif self._has_room(at):
                    self._announce()
                    self.tell_left_out()
                    self.on_log(shown(self.key.name, at, text))
                    # What was left out before this line is no end of the log.
                    position.gap = None
                else:
                    self._left_out += 1
        return news

    def _tell_too_large(self) -> bool:
        if not self._known.all_again:
            # It may have come before.
            return False
        self._large += 1
        if self._large <= self._large_logged:
            # It came in an earlier stream.
            return False
        self._large_logged = self._large
        if self._has_room(self.position.at):
            self.on_log(
                f"A part of the log of Flyte run {self.key.name} is left out here, because it has lines, or a line, of "
                f"more than {LARGEST >> 20} MiB. The run's page has it."
            )
        return True

    def _announce(self) -> None:
        if not self._announced:
            self._announced = True
            self.on_log(f"The log of attempt {self.position.attempt} of Flyte run {self.key.name} follows.")

    def _has_room(self, at: int) -> bool:
        now = self._clock()
        self._room = min(LINES_AT_ONCE, self._room + (now - self._room_at) * LINES_A_SECOND)
        self._room_at = now
        # What was full takes lines again when there is room for those of a second: else every other line were missing.
        if self._room < (LINES_A_SECOND if self._full else 1):
            gap = self.position.gap
            self.position.gap = (gap[0] if gap else at, at)
            self._full = True
            return False
        self._full = False
        self._room -= 1
        return True


def shown(name: str, at: int, text: str) -> str:
    """A line of a run's log as one of a task's log, with its own time."""
    when = time_text(at)
    return f"Log of {name}{when and f', {when}'}: {one_line(text)}"


def lines_in(response: dataproxy_service_pb2.TailLogsResponse) -> int:
    """How many lines a message has; one that was too large counts as one."""
    return 1 if response is _LEFT_OUT else sum(len(log.lines) for log in response.logs)


def not_served(key: RunKey, error: FlyteError) -> str:
    """The line for a run whose log Flyte does not send."""
    return f"The log of Flyte run {key.name} is not written here, because Flyte does not send it (TailLogs). {error}"


def no_log_yet(key: RunKey, attempt: int, error: FlyteError) -> str:
    """The line for a run that is running and has no log."""
    return (
        f"Flyte has sent no log of attempt {attempt} of Flyte run {key.name} so far, and is asked again now and then. "
        f"{error}"
    )


def positions_from(value: object) -> dict[str, LogPosition]:
    """Positions by the names of runs, of JSON; without what is none."""
    if not isinstance(value, Mapping):
        return {}
    return {str(name): LogPosition.from_json(each) for name, each in value.items()}


def time_text(at: int) -> str:
    """The time of a line, in nanoseconds since the epoch, as a text; '' where it has none."""
    try:
        when = _EPOCH + timedelta(microseconds=at // 1000)
    except OverflowError:
        return ""
    return when.isoformat(timespec="milliseconds").replace("+00:00", "Z") if at else ""


def _checksum(text: str) -> str:
    return format(zlib.crc32(text.encode(errors="replace")), "x")
