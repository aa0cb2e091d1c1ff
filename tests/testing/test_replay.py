"""The local server gives the answers that a real one gave: every recorded scene, call by call, over real gRPC.

Between the recorded calls an executor moved the runs, unseen but in executor.json. What it did is read off the next
answer and stands in ``SCENES``; the times of its events too, so that the attempts are compared to the last digit.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from airflow_provider_flyte.client import rpc
from airflow_provider_flyte.client.idl.common import identifier_pb2
from airflow_provider_flyte.client.idl.common.phase_pb2 import ActionPhase
from airflow_provider_flyte.client.idl.task import task_service_pb2
from airflow_provider_flyte.client.idl.workflow import internal_run_service_pb2, run_definition_pb2
from airflow_provider_flyte.testing import LocalFlyte

RECORDINGS = Path(__file__).parents[1] / "recordings"
NOT_PLAYED = {"translator"}  # the client makes its literals itself; of outputs.json, call 5 is skipped for the same
IGNORED = [
    line
    for line in (Path(__file__).parent / "ignored_paths.txt").read_text().splitlines()
    if line and not line.startswith("#")
]
ROWS: dict[str, rpc.Method[Any, Any]] = {row.path: row for row in rpc.METHODS}
TIMEOUT = 10.0


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
class Scene:
    run: str = ""
    before: tuple[str, ...] = ()
    """Scenes that came earlier, on the same backend."""
    storage: str = "mem://flyte-data"
    moves: dict[int, list[Move]] = field(default_factory=dict)
    """What the executor does before a call."""
    between: dict[int, list[list[Move]]] = field(default_factory=dict)
    """What it does after each message of a stream but the last."""
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
    "executor": Scene("exe442575", storage="file://flyte-data", moves={22: [Files(shown_by=22)]}),
}


def load(scene: str) -> list[dict[str, Any]]:
    calls: list[dict[str, Any]] = json.loads((RECORDINGS / f"{scene}.json").read_text())["calls"]
    return calls


def test_every_scene_is_played() -> None:
    scenes = {p.stem for p in RECORDINGS.glob("*.json") if "calls" in json.loads(p.read_text())}
    assert set(SCENES) == scenes - NOT_PLAYED


def test_few_paths_are_ignored() -> None:
    assert 0 < len(IGNORED) <= 10


@pytest.mark.parametrize("scene", SCENES)
def test_scene(scene: str) -> None:
    with LocalFlyte(storage=SCENES[scene].storage) as flyte:
        deploy_recorded_task(flyte)
        with grpc.insecure_channel(flyte.endpoint) as channel:
            for name in (*SCENES[scene].before, scene):
                Replay(name, flyte, channel).play()


def deploy_recorded_task(flyte: LocalFlyte) -> None:
    """The task that all recorded runs are of, as GetTaskDetails showed it."""
    answer = task_service_pb2.GetTaskDetailsResponse.FromString(
        base64.b64decode(load("refusals")[10]["responses"][0]["message"])
    )
    flyte.deploy("nightly.train", version="v1", spec=answer.details.spec)


class Replay:
    """One scene, played to the local server."""

    def __init__(self, name: str, flyte: LocalFlyte, channel: grpc.Channel) -> None:
        self.name = name
        self.scene = SCENES[name]
        self.flyte = flyte
        self.channel = channel

    def play(self) -> None:
        for number, call in enumerate(load(self.name)):
            if "TranslatorService" in call["method"]:
                continue
            self.move(*self.scene.moves.get(number, []))
            row = ROWS[call["method"]]
            if isinstance(row, rpc.ServerStream):
                self.play_stream(row, number, call)
            else:
                self.play_call(row, number, call)

    def play_call(self, row: rpc.Method[Any, Any], number: int, call: dict[str, Any]) -> None:
        got: list[bytes] = []
        try:
            got.append(self.channel.unary_unary(row.path)(base64.b64decode(call["request"]), timeout=TIMEOUT))
            code, details = "OK", ""
        except grpc.RpcError as error:
            code, details = error.code().name, error.details()
        assert (code, details) == (call["status"]["code"], call["status"].get("details", "")), self.at(number, call)
        wanted = [base64.b64decode(response["message"]) for response in call["responses"]]
        assert len(got) == len(wanted), self.at(number, call)
        for mine, recorded in zip(got, wanted, strict=True):
            self.compare(row, number, call, mine, recorded)

    def play_stream(self, row: rpc.Method[Any, Any], number: int, call: dict[str, Any]) -> None:
        stream = self.channel.unary_stream(row.path)(base64.b64decode(call["request"]), timeout=TIMEOUT)
        moves = [*self.scene.between.get(number, []), []]
        wanted = [base64.b64decode(response["message"]) for response in call["responses"]]
        assert len(moves) == len(wanted), "the table says what happens after each message"
        for place, (recorded, after) in enumerate(zip(wanted, moves, strict=True)):
            mine = next(stream)
            # The first batch of WatchRuns shows what else there was on the recorded backend.
            if not (row.name == "RunService/WatchRuns" and place == 0):
                self.compare(row, number, call, mine, recorded)
            self.move(*after)
        if call["status"]["code"] == "OPEN":
            self.move(self.scene.then[number])
            assert next(stream) is not None, self.at(number, call)
            stream.cancel()
        else:
            assert next(stream, None) is None, self.at(number, call)
            assert stream.code().name == call["status"]["code"], self.at(number, call)

    def compare(
        self, row: rpc.Method[Any, Any], number: int, call: dict[str, Any], mine: bytes, recorded: bytes
    ) -> None:
        differences = list(differing(row.response.FromString(mine), row.response.FromString(recorded)))
        assert not differences, f"{self.at(number, call)}: {differences}"
        if row.name == "RunService/CreateRun":
            given = row.request.FromString(base64.b64decode(call["request"])).run_id.name
            made = row.response.FromString(mine).run.action.id.run.name
            assert made == given or (not given and len(made) == 20), self.at(number, call)

    def at(self, number: int, call: dict[str, Any]) -> str:
        return f"{self.name}.json, call {number} ({call['method'].rpartition('.')[2]})"

    def move(self, *moves: Move) -> None:
        for move in moves:
            if isinstance(move, Files):
                self.write(move)
            elif isinstance(move, Event):
                self.executor("RecordActionEvents", record_event(self.scene.run, move))
            else:
                status = run_definition_pb2.ActionStatus(
                    phase=ActionPhase.Value(f"ACTION_PHASE_{move.phase}"), attempts=move.attempts
                )
                request = internal_run_service_pb2.UpdateActionStatusRequest(
                    action_id=root(self.scene.run), status=status
                )
                self.executor("UpdateActionStatus", request)

    def executor(self, method: str, request: Message) -> None:
        path = f"/flyteidl2.workflow.InternalRunService/{method}"
        self.channel.unary_unary(path)(request.SerializeToString(), timeout=TIMEOUT)

    def write(self, move: Files) -> None:
        call = load(self.name)[move.shown_by]
        shown = ROWS[call["method"]].response.FromString(base64.b64decode(call["responses"][0]["message"]))
        self.flyte.store_outputs(shown.outputs_uri, {literal.name: literal.value for literal in shown.outputs.literals})


def root(run: str) -> identifier_pb2.ActionIdentifier:
    return identifier_pb2.ActionIdentifier(
        run=identifier_pb2.RunIdentifier(project="flytesnacks", domain="development", name=run), name="a0"
    )


def record_event(run: str, move: Event) -> internal_run_service_pb2.RecordActionEventsRequest:
    event = run_definition_pb2.ActionEvent(
        id=root(run),
        attempt=move.attempt,
        phase=ActionPhase.Value(f"ACTION_PHASE_{move.phase}"),
        version=1,
        cluster=move.cluster,
    )
    event.updated_time.FromJsonString(f"2026-11-23T{move.at}Z")
    if move.error:
        event.error_info.message = move.error
        event.error_info.kind = run_definition_pb2.ErrorInfo.Kind.Value(move.kind)
    if move.outputs:
        event.outputs.output_uri = move.outputs
    return internal_run_service_pb2.RecordActionEventsRequest(events=[event])


def differing(mine: Any, recorded: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """The fields in which two messages differ, by path; of an ignored one only whether it is set."""
    if not isinstance(mine, Message):
        if mine != recorded and not (mine != mine and recorded != recorded):  # not a number is equal here
            yield path, mine, recorded
        return
    fields: dict[str, FieldDescriptor] = {f.name: f for m in (mine, recorded) for f, _ in m.ListFields()}
    for name, described in fields.items():
        here = f"{path}.{name}" if path else name
        if described.has_presence and mine.HasField(name) != recorded.HasField(name):
            yield here, mine.HasField(name), recorded.HasField(name)
        elif any(fnmatchcase(here, pattern) for pattern in IGNORED):
            continue
        else:
            ours, theirs = getattr(mine, name), getattr(recorded, name)
            if hasattr(ours, "items"):
                ours, theirs = sorted(ours.items()), sorted(theirs.items())
            if not isinstance(ours, list) and not hasattr(ours, "extend"):
                yield from differing(ours, theirs, here)
            elif len(ours) != len(theirs):
                yield here, len(ours), len(theirs)
            else:
                for one, other in zip(ours, theirs, strict=True):
                    yield from differing(one, other, here)
