"""The local server gives the answers that a real one gave: every recorded scene, call by call, over real gRPC."""

from __future__ import annotations

import base64
import copy
import json
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache, partial
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from airflow_provider_flyte.client import rpc
from airflow_provider_flyte.client.idl.common import identifier_pb2
from airflow_provider_flyte.client.idl.task import task_service_pb2
from airflow_provider_flyte.client.idl.workflow import internal_run_service_pb2, run_definition_pb2, run_service_pb2
from airflow_provider_flyte.testing import Fault, LocalFlyte, cut_stream, status
from tests.testing.comparing import IGNORED, OWN_CLOCK, differing, leaves
from tests.testing.scenes import LEFT_OUT, SCENES, Event, Files, Launched, Move

RECORDINGS = Path(__file__).parents[1] / "recordings"
ROWS: dict[str, rpc.Method[Any, Any]] = {row.path: row for row in rpc.METHODS}
TIMEOUT = 10.0


@cache
def load(scene: str) -> list[dict[str, Any]]:
    calls: list[dict[str, Any]] = json.loads((RECORDINGS / f"{scene}.json").read_text())["calls"]
    return calls


def played(scene: str) -> list[tuple[int, dict[str, Any]]]:
    """The calls of a scene that are played, with their numbers."""
    left_out, _ = LEFT_OUT.get(scene, ((), ""))
    return [(number, call) for number, call in enumerate(load(scene)) if number not in left_out]


def recorded_answers(scene: str) -> list[Message]:
    return [
        ROWS[call["method"]].response.FromString(base64.b64decode(response["message"]))
        for _, call in played(scene)
        for response in call["responses"]
    ]


@pytest.mark.parametrize("scene", SCENES)
def test_scene(scene: str) -> None:
    play(scene)


def test_every_scene_is_played_or_left_out_for_a_reason() -> None:
    recorded = {path.stem for path in RECORDINGS.glob("*.json") if "calls" in json.loads(path.read_text())}
    assert set(SCENES) == {scene for scene in recorded if played(scene)}


@pytest.mark.parametrize(("scene", "number"), [(scene, number) for scene in LEFT_OUT for number in LEFT_OUT[scene][0]])
def test_what_is_left_out_cannot_be_played(scene: str, number: int) -> None:
    call = load(scene)[number]
    with LocalFlyte() as flyte, grpc.insecure_channel(flyte.endpoint) as channel:
        ask: Any = channel.unary_stream(call["method"], None, None)
        stream = ask(base64.b64decode(call["request"]), timeout=TIMEOUT)
        with pytest.raises(grpc.RpcError):
            list(stream)
        assert stream.code() is grpc.StatusCode.UNIMPLEMENTED


def test_nothing_recorded_is_unknown_to_our_messages() -> None:
    for scene in SCENES:
        for answer in recorded_answers(scene):
            known = copy.deepcopy(answer)
            known.DiscardUnknownFields()
            assert known.ByteSize() == answer.ByteSize(), scene


def test_few_paths_are_ignored_and_every_other_field_is_compared() -> None:
    seen: set[str] = set()
    ignored: set[str] = set()
    for scene in SCENES:
        for answer in recorded_answers(scene):
            changed = copy.deepcopy(answer)
            for path, value, put in leaves(changed):
                if path not in seen:
                    seen.add(path)
                    put(another(value))
                    if not list(differing(changed, answer)):
                        ignored.add(path)
                    put(value)
    assert len(seen) > 300
    assert len(IGNORED) <= 10
    whole = {path.removesuffix(".seconds").removesuffix(".nanos") for path in ignored}
    assert all(any(fnmatchcase(path, pattern) for path in whole) for pattern in IGNORED)
    own_clock = {"start_time", "end_time", "duration_ms", "run_start_time", "deployed_at"}
    assert {path for path in whole if path.rpartition(".")[2] not in own_clock} == {
        "cluster_endpoint",
        "dataplane_domain",
        "run.action.id.run.name",
    }
    assert "details.action.attempts.start_time" not in whole


def another(value: Any) -> Any:
    if isinstance(value, bool):
        return not value
    return value + (b"1" if isinstance(value, bytes) else type(value)("1"))


@dataclass(frozen=True)
class Wrong(Fault):
    """An answer with something changed."""

    change: Callable[[Any], Any]

    def answer(self, message: Any) -> Any:
        changed = copy.deepcopy(message)
        self.change(changed)
        return changed


def set_(path: str, value: Any) -> Wrong:
    """A field, by its path, is another one in each answer."""

    def change(message: Any) -> None:
        *way, name = path.split(".")
        for part in way:
            message = message[int(part)] if part.isdecimal() else getattr(message, part)
        setattr(message, name, value)

    return Wrong(change)


@pytest.mark.parametrize(
    ("scene", "method", "fault"),
    [
        ("succeeded", "GetRunDetails", set_("details.action.status.phase", 4)),
        ("succeeded", "GetRunDetails", set_("details.action.id.run.org", "")),
        ("succeeded", "GetRunDetails", Wrong(lambda answer: answer.details.action.status.ClearField("start_time"))),
        ("succeeded", "AbortRun", status("FAILED_PRECONDITION", "the run is over")),
        ("failed_user", "GetRunDetails", Wrong(lambda answer: answer.details.action.ClearField("error_info"))),
        ("executor", "GetRunDetails", set_("details.action.attempts.0.phase_transitions.0.end_time.nanos", 1)),
        ("executor", "CreateRun", set_("run.action.id.run.name", "exe442575x")),
        ("list_runs", "ListRuns", Wrong(lambda answer: answer.runs.reverse())),
        ("list_runs", "ListRuns", set_("token", "")),
        ("refusals", "GetProject", status("NOT_FOUND", "no such project: nope")),
        ("refusals", "GetProject", status("INVALID_ARGUMENT", "project not found: nope")),
        ("refusals", "GetPublicClientConfig", set_("dataplane_domain", "")),
        ("outputs", "GetActionData", Wrong(lambda answer: answer.inputs.literals.add(name="more"))),
        ("watch_action_details", "WatchActionDetails", set_("details.status.phase", 5)),
        ("watch_action_details", "WatchActionDetails", cut_stream(after=3, code="OK")),
        ("watch_action_details", "WatchActionDetails", cut_stream(after=4, code="UNAVAILABLE")),
        ("watch_run_details", "WatchRunDetails", set_("details.action.status.phase", 4)),
        ("watch_runs", "WatchRuns", set_("runs.0.action.status.attempts", 7)),
        ("watch_runs", "WatchRuns", cut_stream(after=3, code="OK")),
        ("aborted", "WatchActionDetails", cut_stream(after=1, code="OK")),
        ("list_runs_by_task", "ListRuns", Wrong(lambda answer: answer.runs.reverse())),
        ("list_runs_by_creation", "ListRuns", set_("runs.0.action.status.start_time.nanos", 1)),
        ("late_end", "GetRunDetails", set_("details.action.status.duration_ms", 1)),
        ("start_time", "GetActionData", Wrong(lambda answer: answer.inputs.ClearField("context"))),
        ("child_actions", "GetActionDetails", Wrong(lambda answer: answer.details.ClearField("condition"))),
        ("child_actions", "WatchActions", set_("enriched_actions.0.meets_filter", False)),
        ("child_counts", "WatchActions", Wrong(lambda answer: answer.enriched_actions[0].ClearField("action"))),
        ("child_counts", "WatchActions", Wrong(lambda one: one.enriched_actions[0].children_phase_counts.clear())),
        ("child_counts", "WatchActions", cut_stream(after=4, code="OK")),
        ("data_plane", "SelectCluster", set_("cluster_endpoint", "")),
        ("data_plane", "TailLogs", status("NOT_FOUND", "no log context found")),
    ],
)
def test_a_wrong_answer_is_noticed(scene: str, method: str, fault: Fault) -> None:
    with pytest.raises(AssertionError, match=rf"{scene}\.json, call \d+ \(\w+/{method}\)"):
        play(scene, (method, fault))


def play(scene: str, *faults: tuple[str, Fault]) -> None:
    clock = Clock()
    with LocalFlyte(storage=SCENES[scene].storage, clock=clock) as flyte:
        # The task that all recorded runs are of, as GetTaskDetails showed it.
        answer = task_service_pb2.GetTaskDetailsResponse.FromString(
            base64.b64decode(load("refusals")[10]["responses"][0]["message"])
        )
        spec = answer.details.spec
        flyte.deploy("nightly.train", version="v1", spec=spec)
        for run in SCENES[scene].launched:
            flyte.deploy("other", project=run.project)
        runs = listed(SCENES[scene].listed) if SCENES[scene].listed else []
        tasks = {(run.metadata.task.id.name, run.metadata.task.id.version) for run in runs}
        for task, version in {(run.task, run.version) for run in SCENES[scene].launched} | tasks:
            flyte.deploy(task, version=version, spec=spec)
        with grpc.insecure_channel(flyte.endpoint) as channel:
            for run in SCENES[scene].launched:
                if run.at:
                    clock.set(parsed(run.at))
                launch(channel, run)
            make_listed(runs, channel, clock)
            for earlier in SCENES[scene].before:
                Replay(earlier, flyte, channel).play()
            for method, fault in faults:
                flyte.inject(method, fault)
            Replay(scene, flyte, channel).play()


def parsed(at: str) -> Timestamp:
    moment = Timestamp()
    moment.FromJsonString(at)
    return moment


class Clock:
    """The server's clock: the real one until it is set, then it stands."""

    def __init__(self) -> None:
        self._standing: int | None = None

    def __call__(self) -> int:
        return time.time_ns() if self._standing is None else self._standing

    def set(self, at: Timestamp) -> None:
        self._standing = at.ToNanoseconds()


def launch(channel: Any, run: Launched) -> None:
    request = run_service_pb2.CreateRunRequest(source=run.source)
    request.run_id.project, request.run_id.domain, request.run_id.name = run.project, "development", run.name
    request.task_id.project, request.task_id.domain = "flytesnacks", "development"
    request.task_id.name, request.task_id.version = run.task, run.version
    channel.unary_unary(rpc.RunService.CreateRun.path)(request.SerializeToString(), timeout=TIMEOUT)


def listed(scene: str) -> list[run_definition_pb2.Action]:
    """The runs in the lists of a scene."""
    lists = [answer for answer in recorded_answers(scene) if isinstance(answer, run_service_pb2.ListRunsResponse)]
    return list({run.action.id.run.name: run.action for answer in lists for run in answer.runs}.values())


def make_listed(runs: Iterable[run_definition_pb2.Action], channel: Any, clock: Clock) -> None:
    """The runs that a scene's lists show: launched and moved at the times that they show."""
    steps: list[tuple[Timestamp, Callable[[], None]]] = []
    for action in runs:
        task, source = action.metadata.task.id, run_definition_pb2.RunSource.Name(action.metadata.source)
        run = Launched(action.id.run.name, action.id.run.project, task.name, task.version, source)
        steps.append((action.status.start_time, partial(launch, channel, run)))
        over = action.status.HasField("end_time")
        new = run_definition_pb2.ActionStatus(phase=action.status.phase, attempts=action.status.attempts)
        moved = partial(update_status, channel, action.id, new)
        steps.append((action.status.end_time if over else action.status.start_time, moved))
    for at, step in sorted(steps, key=lambda each: each[0].ToNanoseconds()):
        clock.set(at)
        step()


def update_status(channel: Any, action: identifier_pb2.ActionIdentifier, new: run_definition_pb2.ActionStatus) -> None:
    request = internal_run_service_pb2.UpdateActionStatusRequest(action_id=action, status=new)
    channel.unary_unary(rpc.InternalRunService.UpdateActionStatus.path)(request.SerializeToString(), timeout=TIMEOUT)


def same_words(mine: str, recorded: str) -> bool:
    """Whether they say the same: what grpcio calls a stream that was reset changes with its version."""
    return recorded in mine if recorded.startswith("Received RST_STREAM") else mine == recorded


class Replay:
    """One scene, played to the local server."""

    def __init__(self, name: str, flyte: LocalFlyte, channel: Any) -> None:
        self.name = name
        self.scene = SCENES[name]
        self.flyte = flyte
        self.channel = channel
        self.beside: dict[int, Any] = {}
        """The streams that are read while later calls are made."""
        self.unread: dict[int, list[bytes]] = {}

    def play(self) -> None:
        for number, call in played(self.name):
            self.move(*self.scene.moves.get(number, []))
            self.open_alongside(number)
            row = ROWS[call["method"]]
            if number in self.beside:
                self.end_stream(number, call, self.beside[number])
            elif isinstance(row, rpc.ServerStream):
                self.play_stream(row, number, call)
            else:
                self.play_call(row, number, call)
            if "InternalRunService" in row.path:
                for stream, beside in self.scene.alongside.items():
                    if number in beside.told_of:
                        self.read_alongside(stream)
        assert not any(self.unread.values()), self.name

    def open_alongside(self, number: int) -> None:
        """Open the streams that were open while this call and those after it were made."""
        for stream, beside in self.scene.alongside.items():
            if beside.opened_before != number:
                continue
            call = load(self.name)[stream]
            row = ROWS[call["method"]]
            self.beside[stream] = self.channel.unary_stream(row.path)(
                base64.b64decode(call["request"]), timeout=TIMEOUT
            )
            self.unread[stream] = [base64.b64decode(response["message"]) for response in call["responses"]]
            # Some streams begin with silence.
            hub, run = self.flyte._store.hub, ("flytesnacks", "development", self.scene.run)
            until = time.monotonic() + TIMEOUT
            while hub.subscribers(("actions", *run)) < len(self.beside):
                assert time.monotonic() < until, self.at(stream)
                time.sleep(0.001)
            moves = [*self.scene.between.get(stream, []), [], []]
            for place in range(beside.at_once):
                self.read_alongside(stream)
                self.move(*moves[place])

    def read_alongside(self, number: int) -> None:
        """Read one message of a stream that is open meanwhile."""
        mine = self.next_message(self.beside[number])
        assert mine is not None, f"{self.at(number)} ended: {self.beside[number].code()}"
        assert self.unread[number], f"{self.at(number)} sends more"
        self.compare(ROWS[load(self.name)[number]["method"]], number, mine, self.unread[number].pop(0))

    def play_call(self, row: rpc.Method[Any, Any], number: int, call: dict[str, Any]) -> None:
        got: list[bytes] = []
        try:
            got.append(self.channel.unary_unary(row.path)(base64.b64decode(call["request"]), timeout=TIMEOUT))
            code, details = "OK", ""
        except grpc.RpcError as error:
            code, details = error.code().name, error.details() or ""
        assert code == call["status"]["code"], self.at(number)
        assert same_words(details, call["status"].get("details", "")), f"{self.at(number)}: {details}"
        wanted = [base64.b64decode(response["message"]) for response in call["responses"]]
        assert len(got) == len(wanted), self.at(number)
        for mine, recorded in zip(got, wanted, strict=True):
            self.compare(row, number, mine, recorded)

    def play_stream(self, row: rpc.Method[Any, Any], number: int, call: dict[str, Any]) -> None:
        stream = self.channel.unary_stream(row.path)(base64.b64decode(call["request"]), timeout=TIMEOUT)
        wanted = [base64.b64decode(response["message"]) for response in call["responses"]]
        moves = [*self.scene.between.get(number, []), []] if wanted else []
        for place, (recorded, after) in enumerate(zip(wanted, moves, strict=True)):
            mine = self.next_message(stream)
            assert mine is not None, f"{self.at(number)} ended after {place} messages: {stream.code()}"
            # The first batch of WatchRuns shows what else there was on the recorded backend.
            if not (row.name == "RunService/WatchRuns" and place == 0):
                self.compare(row, number, mine, recorded)
            self.move(*after)
        self.end_stream(number, call, stream)

    def end_stream(self, number: int, call: dict[str, Any], stream: Any) -> None:
        if call["status"]["code"] == "OPEN":
            self.move(*([self.scene.then[number]] if number in self.scene.then else ()))
            assert self.next_message(stream) is not None, f"{self.at(number)} is not open: {stream.code()}"
            stream.cancel()
        else:
            assert self.next_message(stream) is None, f"{self.at(number)} goes on"
            assert stream.code().name == call["status"]["code"], self.at(number)
            assert same_words(stream.details(), call["status"].get("details", "")), self.at(number)

    @staticmethod
    def next_message(stream: Any) -> bytes | None:
        """The next message; None at the end, whatever its status."""
        try:
            message: bytes | None = next(stream, None)
        except grpc.RpcError:
            return None
        return message

    def compare(self, row: rpc.Method[Any, Any], number: int, mine: bytes, recorded: bytes) -> None:
        ignored = [path for path in IGNORED if not (self.scene.timed and path in OWN_CLOCK)]
        answers = (row.response.FromString(mine), row.response.FromString(recorded))
        differences = list(differing(*answers, ignored=ignored))
        assert not differences, f"{self.at(number)}: {differences}"
        if row.name == "RunService/CreateRun":
            # The name is ignored by the comparison, for the runs that the server names.
            given = row.request.FromString(base64.b64decode(load(self.name)[number]["request"])).run_id.name
            made = row.response.FromString(mine).run.action.id.run.name
            assert made == given or (not given and len(made) == 20), self.at(number)

    def at(self, number: int) -> str:
        return f"{self.name}.json, call {number} ({load(self.name)[number]['method'].rpartition('.')[2]})"

    def move(self, *moves: Move) -> None:
        for move in moves:
            if isinstance(move, Files):
                self.write(move)
            elif isinstance(move, Event):
                self.executor("RecordActionEvents", record_event(self.scene.run, move))
            else:
                new = run_definition_pb2.ActionStatus(phase=f"ACTION_PHASE_{move.phase}", attempts=move.attempts)
                update_status(self.channel, root(self.scene.run), new)

    def executor(self, method: str, request: Message) -> None:
        path = f"/flyteidl2.workflow.InternalRunService/{method}"
        self.channel.unary_unary(path)(request.SerializeToString(), timeout=TIMEOUT)

    def write(self, move: Files) -> None:
        call = load(self.name)[move.shown_by]
        shown = ROWS[call["method"]].response.FromString(base64.b64decode(call["responses"][0]["message"]))
        outputs = {literal.name: literal.value for literal in shown.outputs.literals}
        self.flyte.store_outputs(shown.outputs_uri, outputs)


def root(run: str) -> identifier_pb2.ActionIdentifier:
    return identifier_pb2.ActionIdentifier(
        run=identifier_pb2.RunIdentifier(project="flytesnacks", domain="development", name=run), name="a0"
    )


def record_event(run: str, move: Event) -> internal_run_service_pb2.RecordActionEventsRequest:
    event = run_definition_pb2.ActionEvent(
        id=root(run),
        attempt=move.attempt,
        phase=f"ACTION_PHASE_{move.phase}",
        version=1,
        cluster=move.cluster,
    )
    event.updated_time.FromJsonString(f"{move.day}T{move.at}Z")
    if move.error:
        event.error_info.CopyFrom(run_definition_pb2.ErrorInfo(message=move.error, kind=move.kind))
    if move.outputs:
        event.outputs.output_uri = move.outputs
    return internal_run_service_pb2.RecordActionEventsRequest(events=[event])
