"""Answers to conditions, on both transports: which are sent, what is refused, and what a lost answer comes to."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_flyte.client import (
    ConditionError,
    FlyteClient,
    FlyteConfig,
    InvalidArgumentError,
    RpcError,
    RunIsOverError,
    RunKey,
    RunPhase,
    SignalledCondition,
    Status,
    UnavailableError,
    UnimplementedError,
)
from airflow_provider_flyte.client.flows.conditions import TYPES, waiting_conditions
from airflow_provider_flyte.client.flows.signal import signal, value_from_text
from airflow_provider_flyte.client.idl.core import types_pb2
from airflow_provider_flyte.client.idl.workflow import run_definition_pb2
from airflow_provider_flyte.client.rpc import RunService
from airflow_provider_flyte.testing import LocalFlyte, RunHandle, garbled, lost_answer, status, unavailable


@pytest.fixture
def run(local_flyte: LocalFlyte) -> RunHandle:
    return local_flyte.run("r1").move("RUNNING")


def client_of(flyte: LocalFlyte) -> FlyteClient:
    config = FlyteConfig(
        endpoint=flyte.endpoint, insecure=True, project="flytesnacks", domain="development", retry_budget=0.1
    )
    return FlyteClient(config)


@pytest.mark.parametrize(
    ("kind", "value", "sent"),
    [
        (bool, True, True),
        (bool, False, False),
        (int, -(1 << 63), -(1 << 63)),
        (float, 0.5, 0.5),
        (float, 2, 2.0),
        (str, "", ""),
        (str, "\x1b[31m yes\n", "\x1b[31m yes\n"),
    ],
)
async def test_an_answer_is_sent_in_its_type(
    local_flyte: LocalFlyte, run: RunHandle, kind: type, value: Any, sent: Any
) -> None:
    async with client_of(local_flyte) as client:
        for name in ("one", "two"):
            condition = run.condition(name, kind, prompt="Publish?")
            arguments = ("r1", name, value)
            done = client.signal(*arguments) if name == "one" else await client.signal.aio(*arguments)
            assert done == SignalledCondition(client.config.key("r1"), name, "Publish?", sent, condition.action)
            primitive = condition.signal.scalar.primitive
            assert getattr(primitive, primitive.WhichOneof("value")) == sent
            assert type(done.value) is kind
    assert {call.request.parent_action_name for call in local_flyte.calls("SignalEvent")} == {"a0"}


@pytest.mark.parametrize(
    ("kind", "value", "words"),
    [
        (bool, 1, "asks for a bool, not 1."),
        (bool, "true", "asks for a bool, not 'true'."),
        (int, True, "asks for an int of 64 bits, not True."),
        (int, 1 << 63, "asks for an int of 64 bits, not 9223372036854775808."),
        (float, "0.5", "asks for a float, not '0.5'."),
        (float, float("nan"), "asks for a float, not nan."),
        (str, None, "asks for a str, not None."),
        (list[int], 1, "asks for a type that no answer can have."),
    ],
)
def test_an_answer_of_another_type_is_not_sent(
    local_flyte: LocalFlyte, run: RunHandle, kind: Any, value: Any, words: str
) -> None:
    run.condition("approve", kind)
    with client_of(local_flyte) as client, pytest.raises(ConditionError) as caught:
        client.signal("r1", "approve", value)
    assert str(caught.value).startswith(f"Condition 'approve' of Flyte run flytesnacks/development/r1 {words}")
    assert local_flyte.calls("SignalEvent") == []


def test_what_cannot_be_answered(local_flyte: LocalFlyte, run: RunHandle) -> None:
    run.condition("approve")
    run.condition("late").move("SUCCEEDED")
    run.condition("gone").move("ABORTED")
    run.condition("early").move("RUNNING")
    run.child("task")
    with client_of(local_flyte) as client:
        for name, words in {
            "other": "has no condition 'other'; waiting for an answer are: approve.",
            "late": "needs no answer any more: it was answered at ",
            "gone": "cannot be answered: it waits no more (ABORTED) at ",
            "early": "cannot be answered: it does not wait yet (RUNNING).",
            "task": "is no condition.",
            " ": "Give the name of a condition that the run waits for.",
        }.items():
            with pytest.raises(ConditionError) as caught:
                client.signal("r1", name, True)
            assert words in str(caught.value)
    assert local_flyte.calls("SignalEvent") == []


def test_an_answer_is_never_sent_twice(local_flyte: LocalFlyte, run: RunHandle) -> None:
    run.condition("approve")
    local_flyte.inject("SignalEvent", unavailable(times=1))
    with client_of(local_flyte) as client:
        with pytest.raises(UnavailableError):
            client.signal("r1", "approve", True)
        assert len(local_flyte.calls("SignalEvent")) == 1
        local_flyte.inject("SignalEvent", lost_answer(times=1))
        assert client.signal("r1", "approve", True).value is True
    assert len(local_flyte.calls("SignalEvent")) == 2


def asked(phase: int, answer: bool | None = None) -> run_definition_pb2.ActionDetails:
    """A condition as Flyte has it."""
    details = run_definition_pb2.ActionDetails()
    details.condition.name = "approve"
    details.condition.type.simple = types_pb2.BOOLEAN
    details.status.phase = phase  # type: ignore[assignment]  # an open enum
    if answer is not None:
        details.signal_info.output.scalar.primitive.boolean = answer
    return details


def after(error: type[RpcError], details: run_definition_pb2.ActionDetails) -> Any:
    """What an answer of True comes to that ends in an error, after which Flyte has this of the condition."""
    flow = signal(RunKey("p", "d", "r1"), "", "approve", True)
    next(flow)
    call = flow.send(asked(RunPhase.PAUSED))
    assert call.method is RunService.GetRunDetails
    call = flow.send(run_in(RunPhase.RUNNING))
    assert call.method is RunService.SignalEvent
    call = flow.throw(error(Status.UNAVAILABLE, "gone", method="SignalEvent", endpoint="flyte:443"))
    assert call.method is RunService.GetActionDetails
    try:
        call = flow.send(details)
    except StopIteration as ended:
        return ended.value.value
    assert call.method is RunService.GetRunDetails
    return flow.send(run_in(RunPhase.RUNNING))


def run_in(phase: int) -> run_definition_pb2.RunDetails:
    """The run as Flyte has it."""
    details = run_definition_pb2.RunDetails()
    details.action.status.phase = phase  # type: ignore[assignment]  # an open enum
    return details


def answering(phase: int) -> Any:
    """Answer a condition that waits, up to what is asked for after the run was read in this phase."""
    flow = signal(RunKey("p", "d", "r1"), "", "approve", True)
    next(flow)
    for read in (asked(RunPhase.PAUSED), run_in(phase)):
        flow.send(read)
    return flow


def test_somebody_elses_answer_is_not_taken_for_ours() -> None:
    assert after(UnavailableError, asked(RunPhase.SUCCEEDED, True)) is True
    assert after(UnavailableError, asked(RunPhase.SUCCEEDED)) is True
    for details in (asked(RunPhase.SUCCEEDED, False), asked(RunPhase.ABORTED), asked(RunPhase.PAUSED)):
        with pytest.raises(UnavailableError):
            after(UnavailableError, details)


def test_somebody_else_was_quicker() -> None:
    with pytest.raises(ConditionError, match="it was answered with False"):
        after(InvalidArgumentError, asked(RunPhase.SUCCEEDED, False))
    with pytest.raises(InvalidArgumentError):
        after(InvalidArgumentError, asked(RunPhase.PAUSED))


@pytest.mark.parametrize("phase", ["SUCCEEDED", "FAILED", "ABORTED", "TIMED_OUT", "RECOVERED"])
async def test_an_answer_for_a_run_that_is_over_is_not_sent(local_flyte: LocalFlyte, phase: str) -> None:
    run = local_flyte.run("r1").move("RUNNING")
    run.condition("approve")
    run.move(phase)
    async with client_of(local_flyte) as client:
        with pytest.raises(RunIsOverError) as caught:
            client.signal("r1", "approve", True)
        with pytest.raises(RunIsOverError) as caught_on_loop:
            await client.signal.aio("r1", "approve", True)
    assert str(caught.value) == str(caught_on_loop.value)
    assert str(caught.value) == (
        f"Condition 'approve' of Flyte run flytesnacks/development/r1 cannot be answered: the run is over ({phase}), "
        "and nothing goes on with an answer. If one is still needed, launch a new run and answer that one."
    )
    assert local_flyte.calls("SignalEvent") == []


def test_a_run_that_cannot_be_read_gets_no_answer(local_flyte: LocalFlyte, run: RunHandle) -> None:
    condition = run.condition("approve")
    local_flyte.inject("GetRunDetails", unavailable())
    with client_of(local_flyte) as client, pytest.raises(UnavailableError):
        client.signal("r1", "approve", True)
    assert (local_flyte.calls("SignalEvent"), condition.phase) == ([], RunPhase.PAUSED)


def test_a_run_that_ends_before_flyte_has_the_answer() -> None:
    flow = answering(RunPhase.RUNNING)
    flow.throw(InvalidArgumentError(Status.FAILED_PRECONDITION, "over", method="SignalEvent", endpoint="flyte:443"))
    for read in (asked(RunPhase.PAUSED), run_in(RunPhase.FAILED)):
        flow.send(read)
    with pytest.raises(RunIsOverError, match=r"the run is over \(FAILED\)"):
        flow.send(asked(RunPhase.PAUSED))


def away() -> RpcError:
    return UnavailableError(Status.UNAVAILABLE, "away", method="GetActionDetails", endpoint="flyte:443")


def test_a_value_of_another_type_is_no_matter_of_the_run(local_flyte: LocalFlyte, run: RunHandle) -> None:
    run.condition("approve")
    local_flyte.inject("GetRunDetails", unavailable())
    with client_of(local_flyte) as client, pytest.raises(ConditionError, match="asks for"):
        client.signal("r1", "approve", "of another type")
    assert local_flyte.calls("GetRunDetails") == []


@pytest.mark.parametrize("reads", [0, 1])
def test_a_refusal_that_cannot_be_explained_is_raised(reads: int) -> None:
    flow = answering(RunPhase.RUNNING)
    flow.throw(InvalidArgumentError(Status.INVALID_ARGUMENT, "no", method="SignalEvent", endpoint="flyte:443"))
    for _ in range(reads):
        flow.send(asked(RunPhase.PAUSED))
    with pytest.raises(InvalidArgumentError):
        flow.throw(away())


def test_a_lost_answer_that_cannot_be_looked_for_is_raised() -> None:
    flow = answering(RunPhase.RUNNING)
    flow.throw(UnavailableError(Status.UNAVAILABLE, "lost", method="SignalEvent", endpoint="flyte:443"))
    with pytest.raises(UnavailableError, match="lost"):
        flow.throw(away())


def test_that_a_run_is_over_is_said_though_its_condition_cannot_be_read_again() -> None:
    flow = answering(RunPhase.FAILED)
    with pytest.raises(RunIsOverError):
        flow.throw(away())


def test_a_run_that_went_on_to_its_end_with_somebody_elses_answer() -> None:
    flow = answering(RunPhase.SUCCEEDED)
    with pytest.raises(ConditionError, match="it was answered with False"):
        flow.send(asked(RunPhase.SUCCEEDED, False))


def test_who_has_answered_stands_in_the_error() -> None:
    details = asked(RunPhase.SUCCEEDED, False)
    details.status.end_time.FromJsonString("2026-03-04T05:06:07Z")
    user, by = details.signal_info.signalled_by.user, details.signal_info.signalled_by
    user.id.subject = "00u1"
    said = []
    for _ in range(3):
        with pytest.raises(ConditionError) as caught:
            next_answer(details)
        said.append(str(caught.value))
        if not user.spec.first_name:
            user.spec.first_name, user.spec.last_name = "Ann\n", "Example"
        else:
            by.application.id.subject, by.application.spec.name = "0oa1", "nightly"
    begin = "Condition 'approve' of Flyte run p/d/r1 needs no answer any more: it was answered with False by "
    who = ("00u1", "Ann Example", "nightly")
    assert said == [f"{begin}{each} at 2026-03-04T05:06:07+00:00." for each in who]


def next_answer(details: run_definition_pb2.ActionDetails) -> None:
    """Answer a condition of which Flyte has this."""
    flow = signal(RunKey("p", "d", "r1"), "", "approve", True)
    next(flow)
    flow.send(details)


def test_a_backend_without_an_executor(local_flyte: LocalFlyte, run: RunHandle) -> None:
    run.condition("approve")
    local_flyte.inject(
        "SignalEvent", status("UNIMPLEMENTED", "flyteidl2.actions.ActionsService.Signal is not implemented")
    )
    with client_of(local_flyte) as client, pytest.raises(UnimplementedError, match="Signal is not implemented"):
        client.signal("r1", "approve", True)


@pytest.mark.parametrize(
    ("simple", "text", "value"),
    [
        (types_pb2.BOOLEAN, " Yes", True),
        (types_pb2.BOOLEAN, "false", False),
        (types_pb2.BOOLEAN, "maybe", "maybe"),
        (types_pb2.INTEGER, "-3", -3),
        (types_pb2.INTEGER, "0.5", "0.5"),
        (types_pb2.FLOAT, "1e3", 1000.0),
        (types_pb2.STRING, "true", "true"),
    ],
)
def test_what_somebody_types(simple: Any, text: str, value: Any) -> None:
    assert value_from_text(text, TYPES[simple]) == value


def test_a_condition_is_found_by_its_own_name_and_by_its_actions(local_flyte: LocalFlyte, run: RunHandle) -> None:
    mine = run.condition("approve", prompt="Publish?")
    inner = run.child("c1").condition("rows", int)
    with client_of(local_flyte) as client:
        assert client.signal("r1", mine.action, True).condition == "approve"
        done = client.signal("r1", "rows", 3)
    assert (done.condition, done.action) == ("rows", inner.action)
    assert [call.request.parent_action_name for call in local_flyte.calls("SignalEvent")] == ["a0", "c1"]


def test_a_name_that_several_have_is_refused_while_several_wait(local_flyte: LocalFlyte, run: RunHandle) -> None:
    first, second = run.condition("approve"), run.condition("approve")
    with client_of(local_flyte) as client:
        with pytest.raises(ConditionError, match="2 conditions named 'approve' wait for an answer") as caught:
            client.signal("r1", "approve", True)
        assert first.action in str(caught.value)
        assert second.action in str(caught.value)
        with pytest.raises(ConditionError, match=f"waiting for an answer are: .*{first.action}"):
            client.signal("r1", "other", True)
        assert local_flyte.calls("SignalEvent") == []
        assert client.signal("r1", first.action, True).action == first.action
        assert client.signal("r1", "approve", False).action == second.action


def test_a_backend_that_does_not_list_by_the_type(local_flyte: LocalFlyte, run: RunHandle) -> None:
    run.condition("late").move("SUCCEEDED")
    words = "failed to convert filters: invalid filter field: action_type"
    refused = status("INVALID_ARGUMENT", words)
    with client_of(local_flyte) as client:
        local_flyte.inject(
            "ListActions", refused, when=lambda request: request.request.filters[0].field == "action_type"
        )
        with pytest.raises(ConditionError, match="has no condition 'late'; waiting for an answer are: none"):
            client.signal("r1", "late", True)


def test_what_waits_is_read_as_it_is(local_flyte: LocalFlyte, run: RunHandle) -> None:
    asked = run.condition("rows", int, prompt="How many\n\x1b[2J?", description="of them", markdown=True)
    with client_of(local_flyte) as client:
        (found,) = client.execute(waiting_conditions(client.config.key("r1"), "")).conditions
        assert found.action == asked.action
        assert (found.name, found.kind, found.markdown, found.parent) == ("rows", int, True, "a0")
        assert (found.prompt, found.description) == ("How many\n\x1b[2J?", "of them")


@pytest.mark.parametrize("fault", [garbled(), status("PERMISSION_DENIED", "not you"), unavailable()])
def test_a_condition_that_cannot_be_read_holds_no_other_up(local_flyte: LocalFlyte, run: RunHandle, fault: Any) -> None:
    bad, _ = run.condition("bad"), run.condition("approve")
    run.condition("late").move("SUCCEEDED")
    local_flyte.inject("GetActionDetails", fault, when=lambda request: request.action_id.name == bad.action)
    with client_of(local_flyte) as client:
        found = client.execute(waiting_conditions(client.config.key("r1"), ""))
        assert [each.name for each in found.conditions] == ["approve"]
        assert found.trouble is not None
        with pytest.raises(ConditionError, match=r"'late' of .* needs no answer any more"):
            client.signal("r1", "late", True)
        with pytest.raises(type(found.trouble)):
            # It may be the one that cannot be read.
            client.signal("r1", "other", True)
        assert client.signal("r1", "approve", True).condition == "approve"


def test_a_flyte_in_trouble_is_not_asked_for_each_condition(local_flyte: LocalFlyte, run: RunHandle) -> None:
    for number in range(20):
        run.condition(f"c{number}")
    local_flyte.inject("GetActionDetails", status("INVALID_ARGUMENT", "no"))
    with client_of(local_flyte) as client:
        found = client.execute(waiting_conditions(client.config.key("r1"), "", most=15))
        assert (found.conditions, found.left_out, type(found.trouble)) == ([], 5, InvalidArgumentError)
    # a0 is what discovery asks for.
    asked = {call.request.action_id.name for call in local_flyte.calls("GetActionDetails")} - {"a0"}
    assert len(asked) == 3
