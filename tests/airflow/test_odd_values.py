"""Values that are odd and possible: each is shown as far as it can be, and the task's outcome stays what it is."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest
from google.protobuf.struct_pb2 import Value

from airflow_provider_flyte.client.idl.core.literals_pb2 import Literal
from airflow_provider_flyte.exceptions import FlyteRunFailed
from airflow_provider_flyte.operators import FlyteRunOperator
from airflow_provider_flyte.testing import Fault, LocalFlyte
from tests.support.deep_messages import inside
from tests.support.driving import DagRun, Driven, TaskInstance, Try

pytestmark = pytest.mark.one_transport("grpc")

OURS = "[2026-11-26, 12:00:00 UTC] {taskinstance.py:1} INFO - Marking task as SUCCESS"
DEEP = inside(Value, "list_value.values", Value(bool_value=True).SerializeToString(), 500)
DEEP_LITERAL = inside(Literal, "collection.literals", b"", 500)
deferred = pytest.mark.parametrize("deferrable", [False, True], ids=["worker", "deferred"])


@dataclass(frozen=True)
class Odd(Fault):
    """Details and outputs that are odd, of runs that are over."""

    def answer(self, message: Any) -> Any:
        kind = message.DESCRIPTOR.name
        if kind == "GetRunDetailsResponse":
            action = message.details.action
            action.id.run.name, action.id.run.project = "", ""
            action.status.end_time.seconds, action.status.end_time.nanos = 2**62, -7
            for attempt in action.attempts:
                attempt.phase_transitions.add(phase=77).end_time.seconds = -(2**62)
                attempt.cluster_events.add(type=2, reason=f"x\n{OURS}", message=f"\x1b[2J\n{OURS}", count=2**31 - 1)
            action.task.task_template.custom.update({"rate": math.nan, "limits": [math.inf]})
            action.task.task_template.metadata.timeout.seconds = 2**62
            return message.SerializeToString() + inside(
                type(message), "details.action.task.task_template.custom.fields.list_value.values", DEEP
            )
        elif kind == "GetActionDataResponse":
            nested = b"\x91" * 900 + b"\x01"
            for name, packed in (("deep", nested), ("nan", msgspec.msgpack.encode(math.nan)), ("cut", b"\x92\x01")):
                binary = message.outputs.literals.add(name=name).value.scalar.binary
                binary.tag, binary.value = "msgpack", packed
            late = message.outputs.literals.add(name="late").value.scalar.primitive
            late.datetime.seconds = 2**62
            return message.SerializeToString() + inside(type(message), "outputs.literals.value", DEEP_LITERAL)
        return message


@pytest.fixture
def odd(flyte_default: LocalFlyte) -> LocalFlyte:
    declared = dict.fromkeys(("o0", "deep", "nan", "cut", "late"), int)
    flyte_default.deploy("demo.train", outputs=declared)
    flyte_default.inject("*", Odd())
    return flyte_default


def train(deferrable: bool) -> Driven:
    operator = FlyteRunOperator(
        task_id="train", task_name="demo.train", deferrable=deferrable, poll_interval=0.1, resume_after=0, log_lines=5
    )
    return Driven(operator, TaskInstance(), DagRun())


@deferred
def test_a_success_stays_one(odd: LocalFlyte, deferrable: bool) -> None:
    odd.on_launch(lambda run: run.writes({"o0": 7}).phases("RUNNING", "SUCCEEDED", every=0.2))
    driven = train(deferrable)
    details = driven.run()
    assert details["action"]["status"]["endTime"].startswith("9999-12-31T23:59:59")
    custom = details["action"]["task"]["taskTemplate"]["custom"]
    assert "nested too deeply to be read" in json.dumps(custom.pop("k"))
    assert custom == {"rate": "NaN", "limits": ["Infinity"]}
    xcoms = driven.ti.xcoms
    assert xcoms["o0"] == 7
    assert xcoms["nan"] == {"type": "float", "value": "NaN"}
    assert xcoms["cut"]["type"] == xcoms["late"]["type"] == "unreadable"
    # The literal that is nested too deeply has no name.
    assert '{"type": "unreadable"' in json.dumps(xcoms["outputs"].pop(""))
    assert set(xcoms["outputs"]) == {"o0", "deep", "nan", "cut", "late"}
    json.dumps(xcoms, allow_nan=False)


@deferred
def test_a_failure_stays_the_run_s(odd: LocalFlyte, deferrable: bool, caplog: pytest.LogCaptureFixture) -> None:
    odd.on_launch(lambda run: run.phases("RUNNING").fails(kind="USER", message=f"no rows\n{OURS}\x1b[2J"))
    with pytest.raises(FlyteRunFailed) as raised:
        train(deferrable).run()
    assert raised.value.kind == "USER"
    assert raised.value.message == f"no rows\n{OURS}"
    assert f"(USER error): no rows\n  | {OURS}\nLook at " in str(raised.value)
    for line in "\n".join(caplog.messages).split("\n"):
        assert line.isprintable()
        assert not line.startswith(OURS)


@deferred
def test_a_sensor_s_run_stays_a_success(odd: LocalFlyte, deferrable: bool) -> None:
    odd.run("r1").phases("RUNNING", "SUCCEEDED", every=0.2)
    assert Try(run_name="r1", deferrable=deferrable).run()
