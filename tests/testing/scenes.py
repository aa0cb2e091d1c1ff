"""What the executor did while the recordings were made, unseen but in executor.json: read off the next answers.

The times of its events too, so that the attempts are compared to the last digit.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Event:
    """The executor reports what happened in an attempt."""

    phase: str
    at: str
    attempt: int = 1
    error: str = ""
    kind: str = "KIND_USER"
    cluster: str = ""
    outputs: str = ""
    day: str = "2026-11-23"


@dataclass(frozen=True)
class Status:
    """The executor sets the status."""

    phase: str
    attempts: int = 1


@dataclass(frozen=True)
class Files:
    """The task writes its outputs: those that a later answer, to the call with this number, shows."""

    shown_by: int


Move = Event | Status | Files


@dataclass(frozen=True)
class Launched:
    """A run that was launched before the scene, by a command line if nothing else is said."""

    name: str
    project: str = "flytesnacks"
    task: str = "nightly.train"
    version: str = "v1"
    source: str = "RUN_SOURCE_CLI"
    at: str = ""
    """When; then the server's clock stands there."""


@dataclass(frozen=True)
class Alongside:
    """A stream that was open while other calls were made, each of which brings a message."""

    opened_before: int
    """The number of the call before which it is opened."""

    at_once: int
    """How many messages come then, before any other call."""

    told_of: range
    """The calls of the executor whose changes are sent."""


@dataclass(frozen=True)
class Scene:
    run: str = ""
    before: tuple[str, ...] = ()
    """Scenes that came earlier, on the same backend."""
    launched: tuple[Launched, ...] = ()
    listed: str = ""
    """A scene whose lists show which runs there were, since when and how they ended; the clock follows it."""
    timed: bool = False
    """All times are recorded, so that they are compared too."""
    storage: str = "mem://flyte-data"
    moves: dict[int, list[Move]] = field(default_factory=dict)
    """What the executor does before a call."""
    between: dict[int, list[list[Move]]] = field(default_factory=dict)
    """What it does after each message of a stream but the last."""
    alongside: dict[int, Alongside] = field(default_factory=dict)
    """Streams that are read while later calls are made, by their numbers."""
    then: dict[int, Move] = field(default_factory=dict)
    """A move that shows that an OPEN stream is open: it brings one more message."""


def both(phase: str, at: str, **more: Any) -> list[Move]:
    """Event and status of a phase."""
    return [Event(phase, at, **more), Status(phase, more.get("attempt", 1))]


NO_ROWS = "ValueError: no rows for 2026-11-23"
TRACE = f'{NO_ROWS}\nTraceback (most recent call last):\n  File "train.py", line 12, in train\n'

SCENES = {
    "succeeded": Scene(
        "rec439774a",
        moves={
            2: both("WAITING_FOR_RESOURCES", "13:16:14.898002", cluster="c1"),
            3: both("INITIALIZING", "13:16:14.960928", cluster="c1"),
            4: both("RUNNING", "13:16:15.019898", cluster="c1"),
            5: both("SUCCEEDED", "13:16:15.077033", cluster="c1"),
        },
    ),
    "failed_user": Scene(
        "rec439774b",
        moves={
            1: [
                *both("RUNNING", "13:16:15.159076"),
                Event("FAILED", "13:16:15.162054", error=NO_ROWS),
                Status("QUEUED", attempts=2),
            ],
            2: [*both("RUNNING", "13:16:15.167172", attempt=2), Status("FAILED", attempts=2)],
            3: [Event("FAILED", "13:16:15.173953", attempt=2, error=TRACE)],
        },
    ),
    "failed_system": Scene(
        "rec439774c",
        moves={
            1: [
                *both("RUNNING", "13:16:15.182867"),
                *both("FAILED", "13:16:15.185661", error="node preempted: OOMKilled", kind="KIND_SYSTEM"),
            ]
        },
    ),
    "aborted": Scene("rec439774d", then={4: Event("RUNNING", "13:16:20")}),
    "timed_out": Scene("rec439774e", moves={1: [*both("RUNNING", "13:16:16.719010"), Status("TIMED_OUT")]}),
    "paused": Scene("rec439774f", moves={1: [*both("RUNNING", "13:16:16.730405"), Status("PAUSED")]}),
    "recovered": Scene("rec439774g", moves={1: [*both("RUNNING", "13:16:16.741138"), Status("RECOVERED")]}),
    "watch_action_details": Scene(
        "rec439774h",
        between={
            1: [
                [Event("RUNNING", "13:16:17.052485")],
                [Status("RUNNING")],
                [Event("SUCCEEDED", "13:16:17.358017")],
            ]
        },
        moves={2: [Status("SUCCEEDED")]},
    ),
    "watch_run_details": Scene(
        "rec439774i",
        between={1: [both("RUNNING", "13:16:17.7"), both("SUCCEEDED", "13:16:18")]},
        then={1: Status("SUCCEEDED")},
    ),
    "watch_runs": Scene(
        "rec439774j",
        between={1: [both("RUNNING", "13:16:19.7"), both("SUCCEEDED", "13:16:20")]},
        then={1: Status("SUCCEEDED")},
    ),
    "list_runs": Scene(
        before=(
            "succeeded",
            "failed_user",
            "failed_system",
            "aborted",
            "timed_out",
            "paused",
            "recovered",
            "watch_action_details",
            "watch_run_details",
            "watch_runs",
        )
    ),
    "refusals": Scene(before=("failed_user",)),
    "outputs": Scene(
        "out439909",
        storage="file://flyte-data",
        moves={
            2: [
                Files(shown_by=3),
                *both(
                    "SUCCEEDED",
                    "13:18:29.536122",
                    outputs="file://flyte-data/flytesnacks/development/out439909/a0/1/outputs.pb",
                ),
            ]
        },
    ),
    "broken_requests": Scene(launched=(Launched("elsewhere", project="finance"), Launched("more683789t"))),
    "executor": Scene("exe442575", storage="file://flyte-data", moves={22: [Files(shown_by=22)]}),
    "list_runs_by_task": Scene(listed="list_runs_by_task", timed=True),
    "list_runs_by_creation": Scene(listed="list_runs_by_creation", timed=True),
    "late_end": Scene(
        storage="file://flyte-data",
        timed=True,
        launched=(
            Launched("born694411late", task="etl.load", source="RUN_SOURCE_UNSPECIFIED", at="2026-11-26T12:00:11.887Z"),
        ),
    ),
    "start_time": Scene(storage="file://flyte-data"),
    "child_actions": Scene(
        "more683814c",
        storage="file://flyte-data",
        listed="child_actions",
        moves={0: [Event("RUNNING", "09:03:37.737695", day="2026-11-26")]},
        # The run's own RUNNING is told once more while the stream is opened.
        between={16: [[Status("RUNNING")]]},
        alongside={16: Alongside(opened_before=0, at_once=2, told_of=range(16))},
        then={16: Status("RUNNING")},
    ),
    "child_counts": Scene(
        "counts694919",
        launched=(Launched("counts694919", source="RUN_SOURCE_UNSPECIFIED", at="2026-11-26T12:08:39.409672Z"),),
        moves={0: [Status("RUNNING")]},
        alongside={
            13: Alongside(opened_before=4, at_once=0, told_of=range(6, 12)),
            14: Alongside(opened_before=4, at_once=1, told_of=range(4, 12)),
        },
        then={13: Status("RUNNING"), 14: Status("RUNNING")},
    ),
    "data_plane": Scene(listed="list_runs_by_creation"),
}

UNCALLED = "the client does not call it, and the local server does not play it"
TRANSLATOR = "the client makes its literals itself: the local server has no TranslatorService"

LEFT_OUT = {
    "translator": (range(8), TRANSLATOR),
    "outputs": (range(5, 6), TRANSLATOR),
    "list_runs_by_task": (range(6, 7), "its time is a word of PostgreSQL's, yesterday; here times are RFC 3339"),
    "data_plane": (range(15, 16), f"GetActionLogContext: {UNCALLED}"),
}
"""The recorded calls that are not played, by their numbers, and why."""
