"""FlyteConditionOperator: a condition of Flyte's becomes a request of Airflow's, and the answer gets to Flyte."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Iterator
from contextlib import aclosing, contextmanager
from typing import Any

import pytest

from airflow_provider_flyte.client import RunPhase
from airflow_provider_flyte.client.errors import UnavailableError
from airflow_provider_flyte.client.outside import LONGEST, LONGEST_IN_EVENT
from airflow_provider_flyte.condition_triggers import FlyteConditionTrigger
from airflow_provider_flyte.conditions import FlyteConditionOperator
from airflow_provider_flyte.exceptions import FlyteArgumentError, FlyteConditionUnanswered, FlyteRunMissing
from airflow_provider_flyte.testing import LocalFlyte, RunHandle, garbled, status, unavailable
from airflow_provider_flyte.wait.condition_event import SEEK, SEND, WATCH
from tests.airflow.test_conditions_in_the_log import answer
from tests.support.asking import Asking, Requests, requests_in_airflow
from tests.support.driving import lines_of, made_again

pytestmark = pytest.mark.one_transport("connect")


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> Requests:
    monkeypatch.setattr("airflow_provider_flyte.condition_triggers.READ_EVERY", 0.05)
    return requests_in_airflow(monkeypatch)


def paused(flyte: LocalFlyte, kind: type = bool, **more: Any) -> tuple[RunHandle, RunHandle]:
    run = flyte.run("r1").move("RUNNING")
    return run, run.condition("approve", kind, prompt="Publish the *model*?", **more)


def given(condition: RunHandle) -> Any:
    primitive = condition.signal.scalar.primitive
    return getattr(primitive, primitive.WhichOneof("value"))


def with_an_answer_not_taken(requests: Requests, monkeypatch: pytest.MonkeyPatch) -> Asking:
    """A task that was resumed with an answer, which Flyte has refused."""
    monkeypatch.setattr("airflow_provider_flyte.approvals.approval.BRIEFLY", 0.1)
    asking = Asking()
    asking.start()
    requests.respond(["Approve"])
    asking.resume(requests.as_event())
    return asking


@pytest.mark.parametrize("by_airflow", [True, False])
def test_an_answer_in_airflow_gets_to_flyte(flyte_default: LocalFlyte, requests: Requests, by_airflow: bool) -> None:
    _, condition = paused(flyte_default)
    asking = Asking()
    asking.start()
    assert requests.request.subject == "approve: Publish the *model*?"
    assert requests.request.options == ["Approve", "Reject"]
    assert requests.request.body.startswith("```\nPublish the *model*?\n```\n")
    requests.respond(["Reject"])
    # Airflow 3.3 resumes the task with the answer; before, the trigger finds it.
    done = asking.resume(requests.as_event() if by_airflow else asking.event())
    assert (done["value"], done["answered_by"], done["timed_out"]) == (False, "ann", False)
    assert (done["condition"], done["action"], given(condition)) == ("approve", condition.action, False)
    assert not flyte_default.calls("AbortRun")


@pytest.mark.parametrize(("kind", "value"), [(int, 3), (float, 0.5), (str, "v2")])
def test_a_typed_answer(flyte_default: LocalFlyte, requests: Requests, kind: type, value: Any) -> None:
    _, condition = paused(flyte_default, kind)
    asking = Asking(default=value)
    asking.start()
    form = requests.request.params
    assert form["answer"]["value"] == value
    requests.respond(["Send"], {"answer": value, "flyte_condition": form["flyte_condition"]["value"]})
    assert asking.resume(requests.as_event())["value"] == value
    assert given(condition) == value


def test_it_waits_for_a_condition_that_comes_later(flyte_default: LocalFlyte, requests: Requests) -> None:
    run = flyte_default.run("r1").move("RUNNING")
    asking = Asking()
    asking.start()
    assert (asking.stage, requests.request) == (SEEK, None)
    run.condition("approve", prompt="Publish?")
    asking.resume(asking.event())
    assert (asking.stage, requests.request.subject) == (WATCH, "approve: Publish?")


def test_no_event_comes_right_after_the_deferral(flyte_default: LocalFlyte, requests: Requests) -> None:
    """Airflow's scheduler fails some tasks that resume so soon."""
    _, condition = paused(flyte_default)
    asking, before = Asking(resume_after=3600), time.time()
    asking.start()
    assert before + 3600 <= asking.deferred.trigger.not_before <= time.time() + 3600
    answer(flyte_default, condition, True)
    slept: list[float] = []

    async def event() -> Any:
        trigger = made_again(asking.deferred.trigger)

        async def sleep(seconds: float) -> None:
            slept.append(seconds)

        trigger._sleep = sleep
        events = trigger.run()
        try:
            return (await anext(events)).payload
        finally:
            await events.aclose()

    assert asking.resume(asyncio.run(event()))["value"] is True
    assert 3500 < max(slept) <= 3600
    assert Asking().task.resume_after == 0
    assert FlyteConditionOperator(task_id="ask", run_name="r1", condition="approve").resume_after == 10


@pytest.mark.parametrize("why", ["late", "run_over"])
def test_a_trigger_that_is_made_again_before_its_event_is_stored_ends_alike(
    flyte_default: LocalFlyte, requests: Requests, why: str
) -> None:
    """It has closed Airflow's request, which is no person's answer."""
    run, _ = paused(flyte_default)
    asking = Asking(resume_after=3600, response_timeout=0.01 if why == "late" else None)
    asking.start()
    if why == "run_over":
        run.fails()

    async def event(sleep: Any) -> Any:
        trigger = made_again(asking.deferred.trigger)
        trigger._sleep = sleep
        async with aclosing(trigger.run()) as events:
            return (await anext(events)).payload

    async def dies(seconds: float) -> None:
        if seconds > 60:
            raise asyncio.CancelledError

    async def passes(seconds: float) -> None:
        await asyncio.sleep(0)

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(event(dies))
    assert requests.response is not None
    again = asyncio.run(event(passes))
    assert again.get("ending") == why
    with pytest.raises(FlyteConditionUnanswered):
        asking.resume(again)


@pytest.mark.parametrize("value", [True, False])
def test_an_answer_in_flyte_closes_the_request(flyte_default: LocalFlyte, requests: Requests, value: bool) -> None:
    _, condition = paused(flyte_default)
    asking = Asking()
    asking.start()
    answer(flyte_default, condition, value)
    done = asking.resume(asking.event())
    assert (done["value"], done["answered_by"]) == (value, None)
    assert requests.response is not None
    assert requests.response["chosen_options"] == ["Approve" if value else "Reject"]


def test_an_answer_that_was_given_before(flyte_default: LocalFlyte, requests: Requests) -> None:
    _, condition = paused(flyte_default)
    answer(flyte_default, condition, True)
    assert Asking().start()["value"] is True
    assert requests.request is None


def test_texts_of_flyte_are_cleaned_and_an_answer_can_be_stored(flyte_default: LocalFlyte, requests: Requests) -> None:
    condition = flyte_default.run("r1").move("RUNNING").condition("approve", str, prompt="\x1b[2Jwhich?" * 1000)
    answer(flyte_default, condition, "v" * 5000 + "\0")
    asking = Asking()
    lines = lines_of(asking.task)
    done = asking.start()
    assert (len(done["prompt"]), "\x1b" in done["prompt"]) == (LONGEST, False)
    assert done["value"] == "v" * 5000
    assert any("was answered with 'vvv" in line for line in lines)
    assert max(map(len, lines)) < LONGEST_IN_EVENT


def test_a_prompt_cannot_leave_its_code_block(flyte_default: LocalFlyte, requests: Requests) -> None:
    flyte_default.run("r1").move("RUNNING").condition("approve", prompt="a\n```\n[b](http://evil.example) ```` c")
    Asking().start()
    assert requests.request.body.startswith("`````\na\n```\n[b](http://evil.example) ```` c\n`````\n")


def test_an_answer_that_flyte_has_taken_and_does_not_show_yet(
    flyte_default: LocalFlyte, requests: Requests, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_provider_flyte.approvals.approval.BRIEFLY", 0.1)
    _, condition = paused(flyte_default)
    asking = Asking()
    lines = lines_of(asking.task)
    asking.start()
    requests.respond(["Approve"])
    flyte_default.inject("SignalEvent", status("UNIMPLEMENTED", "no executor"))
    asking.resume(requests.as_event())
    done = asking.resume({"ending": "sent", "action": condition.action, "message": ""})
    assert (done["value"], condition.phase) == (True, RunPhase.PAUSED)
    assert "INFO: Condition 'approve' of Flyte run r1 was answered with True." in lines


def test_a_run_that_ends_before(flyte_default: LocalFlyte, requests: Requests) -> None:
    run, _ = paused(flyte_default)
    asking = Asking()
    asking.start()
    run.succeeds()
    with pytest.raises(FlyteConditionUnanswered, match="was not answered: its run is over"):
        asking.resume(asking.event())
    assert requests.response is not None
    flyte_default.run("r2").succeeds()
    asking = Asking(run_name="r2")
    asking.start()
    with pytest.raises(FlyteConditionUnanswered):
        asking.resume(asking.event())


@pytest.mark.parametrize("quicker", [False, True])
def test_a_run_that_is_over_when_a_persons_answer_comes(
    flyte_default: LocalFlyte, requests: Requests, quicker: bool
) -> None:
    """Airflow 3.3 gives it to the task itself, past the trigger that knows of the end."""
    run, condition = paused(flyte_default)
    asking = Asking()
    asking.start()
    requests.respond(["Approve"])
    if quicker:
        answer(flyte_default, condition, False)
    sent = len(flyte_default.calls("SignalEvent"))
    run.fails()
    if quicker:
        assert asking.resume(requests.as_event())["value"] is False
    else:
        with pytest.raises(FlyteConditionUnanswered, match="was not answered: its run is over"):
            asking.resume(requests.as_event())
    assert len(flyte_default.calls("SignalEvent")) == sent


def test_trouble_while_answered_conditions_are_looked_for_loses_no_answer(
    flyte_default: LocalFlyte, requests: Requests, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_provider_flyte.approvals.approval.BRIEFLY", 0.0)
    run, condition = paused(flyte_default)
    answer(flyte_default, condition, True)
    run.succeeds()
    # The worker and then the triggerer ask once each in vain.
    trouble = unavailable(times=2)
    flyte_default.inject("ListActions", trouble, when=lambda request: request.request.filters[0].field == "action_type")
    asking = Asking()
    asking.start()
    assert asking.resume(asking.event())["value"] is True


def test_another_condition_that_cannot_be_read(
    flyte_default: LocalFlyte, requests: Requests, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_provider_flyte.approvals.approval.BRIEFLY", 0.0)
    run, _ = paused(flyte_default)
    other = run.condition("other")
    flyte_default.inject("GetActionDetails", garbled(), when=lambda request: request.action_id.name == other.action)
    asking = Asking()
    asking.start()
    assert (asking.stage, requests.request.subject) == (WATCH, "approve: Publish the *model*?")


def test_the_default_after_a_timeout(flyte_default: LocalFlyte, requests: Requests) -> None:
    _, condition = paused(flyte_default)
    asking = Asking(response_timeout=0.2, default=True)
    asking.start()
    done = asking.resume(asking.event())
    assert (done["value"], done["timed_out"], done["answered_by"], given(condition)) == (True, True, None, True)


def test_a_timeout_without_a_default(flyte_default: LocalFlyte, requests: Requests) -> None:
    paused(flyte_default)
    asking = Asking(response_timeout=0.2)
    asking.start()
    with pytest.raises(FlyteConditionUnanswered, match=r"was not answered within 0\.2 s"):
        asking.resume(asking.event())
    assert requests.response is not None


@pytest.mark.parametrize("over", [False, True])
def test_a_triggerer_that_ends_between_closing_the_request_and_the_event(
    flyte_default: LocalFlyte, requests: Requests, over: bool
) -> None:
    run, _ = paused(flyte_default)
    asking = Asking(response_timeout=3600 if over else 0.2)
    asking.start()
    if over:
        run.succeeds()
    # It closes the request, and its event gets nowhere while it is held (resume_after).
    asking.event()
    assert requests.response is not None
    with pytest.raises(
        FlyteConditionUnanswered, match="its run is over" if over else r"was not answered within 0\.2 s"
    ):
        asking.resume(asking.event())


@pytest.mark.parametrize("default", [None, True])
def test_a_timeout_passes_also_while_the_condition_cannot_be_read(
    flyte_default: LocalFlyte, requests: Requests, monkeypatch: pytest.MonkeyPatch, default: bool | None
) -> None:
    monkeypatch.setattr("airflow_provider_flyte.approvals.approval.PATIENTLY", 0.1)
    _, condition = paused(flyte_default)
    asking = Asking(response_timeout=0.2, default=default)
    asking.start()
    with _away(flyte_default):
        event = asking.event(within=10)
        assert requests.response is not None
        if default is None:
            with pytest.raises(FlyteConditionUnanswered, match=r"was not answered within 0\.2 s"):
                asking.resume(event)
            return
        asking.resume(event)
    done = asking.resume(asking.event())
    assert (done["value"], done["timed_out"], done["answered_by"], given(condition)) == (True, True, None, True)


@pytest.mark.parametrize("stage", [SEEK, WATCH])
def test_a_condition_that_cannot_be_read_is_logged_once(
    flyte_default: LocalFlyte,
    requests: Requests,
    monkeypatch: pytest.MonkeyPatch,
    stage: str,
) -> None:
    run = flyte_default.run("r1").move("RUNNING")
    if stage == WATCH:
        condition = run.condition("approve")
    asking = Asking(poll_interval=1.0)
    asking.start()
    assert asking.stage == stage
    rounds: list[float] = []
    # Later than the deferral.
    began_at = time.time()
    monkeypatch.setattr(FlyteConditionTrigger, "_now", staticmethod(lambda: began_at + len(rounds)))

    async def next_round(seconds: float) -> None:
        rounds.append(seconds)
        if len(rounds) == 5:
            flyte_default.clear_faults()
        if len(rounds) == 6:
            if stage == WATCH:
                answer(flyte_default, condition, True)
            else:
                run.condition("approve")

    monkeypatch.setattr(FlyteConditionTrigger, "_sleep", staticmethod(next_round))
    flyte_default.inject("GetActionDetails" if stage == WATCH else "ListActions", unavailable())
    assert asking.event()["ending"] == ("gone" if stage == WATCH else "waits")
    assert len(rounds) == 6
    began = "WARNING: No answer from Flyte about run r1, still waiting: "
    assert [line.startswith(began) for line in asking.lines].count(True) == 1
    assert asking.lines.count("INFO: Flyte answers again.") == 1


def test_an_answer_that_flyte_does_not_take_is_sent_until_it_does(
    flyte_default: LocalFlyte, requests: Requests, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, condition = paused(flyte_default)
    flyte_default.inject("SignalEvent", status("UNIMPLEMENTED", "no executor", times=2))
    flyte_default.inject("SignalEvent", unavailable(times=2))
    asking = with_an_answer_not_taken(requests, monkeypatch)
    assert (asking.stage, asking.deferred.trigger.value) == (SEND, True)
    assert condition.phase == RunPhase.PAUSED
    # A triggerer that was killed makes the trigger again.
    done = asking.resume(asking.event())
    assert (done["value"], done["answered_by"], given(condition)) == (True, "ann", True)


@pytest.mark.parametrize("sent", [False, True])
def test_a_flyte_that_is_away_when_the_task_resumes_loses_no_answer(
    flyte_default: LocalFlyte, requests: Requests, monkeypatch: pytest.MonkeyPatch, sent: bool
) -> None:
    monkeypatch.setattr("airflow_provider_flyte.approvals.approval.BRIEFLY", 0.1)
    monkeypatch.setattr("airflow_provider_flyte.approvals.approval.PATIENTLY", 0.1)
    _, condition = paused(flyte_default)
    asking = Asking()
    asking.start()
    requests.respond(["Approve"], {"flyte_condition": requests.request.params["flyte_condition"]["value"]})
    if sent:
        flyte_default.inject("SignalEvent", unavailable(times=1))
        asking.resume(requests.as_event())
        event = asking.event()
    else:
        event = requests.as_event()
    with _away(flyte_default):
        asking.resume(event)
        assert asking.stage == SEEK
    done = asking.resume(asking.event())
    assert (done["value"], done["answered_by"], given(condition)) == (True, "ann", True)
    assert len(flyte_default.calls("SignalEvent")) == 1 + sent


def test_a_worker_that_alone_does_not_reach_flyte_says_so(
    flyte_default: LocalFlyte, requests: Requests, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_provider_flyte.approvals.approval.PATIENTLY", 0.1)
    paused(flyte_default)
    asking = Asking()
    asking.start()
    requests.respond(["Approve"], {"flyte_condition": requests.request.params["flyte_condition"]["value"]})
    with _away(flyte_default):
        asking.resume(requests.as_event())
    event = asking.event()
    with _away(flyte_default), pytest.raises(UnavailableError):
        asking.resume(event)
    assert requests.response is not None


@contextmanager
def _away(flyte: LocalFlyte) -> Iterator[None]:
    flyte.inject("GetActionDetails", unavailable())
    try:
        yield
    finally:
        flyte.clear_faults("GetActionDetails")


def test_a_run_that_flyte_does_not_have(
    flyte_default: LocalFlyte, requests: Requests, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_provider_flyte.wait.condition_reader.MISSING_AFTER", 0.2)
    asking = Asking(run_name="no-such-run")
    asking.start()
    with pytest.raises(FlyteRunMissing, match=r"Flyte has no run .*no-such-run"):
        asking.resume(asking.event())


@pytest.mark.parametrize("stage", [WATCH, SEND])
@pytest.mark.parametrize("over", [True, False])
def test_a_run_that_is_gone_or_over_while_its_condition_cannot_be_read_ends_the_wait(
    flyte_default: LocalFlyte, requests: Requests, monkeypatch: pytest.MonkeyPatch, stage: str, over: bool
) -> None:
    monkeypatch.setattr("airflow_provider_flyte.wait.condition_reader.MISSING_AFTER", 0.2)
    monkeypatch.setattr("airflow_provider_flyte.approvals.approval.BRIEFLY", 0.1)
    run, _ = paused(flyte_default)
    asking = Asking()
    asking.start()
    if stage == SEND:
        requests.respond(["Approve"])
        flyte_default.inject("SignalEvent", unavailable())
        asking.resume(requests.as_event())
    assert asking.stage == stage
    if over:
        run.succeeds()
    else:
        asking.deferred.trigger.run_name = "no-such-run"
    with _away(flyte_default):
        event = asking.event()
    error, said = (FlyteConditionUnanswered, "its run is over") if over else (FlyteRunMissing, "Flyte has no run")
    with pytest.raises(error, match=said):
        asking.resume(event)


@pytest.mark.parametrize(("times", "ends"), [(1, RunHandle.fails), (None, RunHandle.succeeds)])
def test_an_answer_to_a_run_that_is_over_is_not_sent_for_ever(
    flyte_default: LocalFlyte,
    requests: Requests,
    monkeypatch: pytest.MonkeyPatch,
    times: int | None,
    ends: Callable[[RunHandle], RunHandle],
) -> None:
    """Whether or not Flyte would take it by then."""
    run, _ = paused(flyte_default)
    flyte_default.inject("SignalEvent", unavailable(times=times))
    asking = with_an_answer_not_taken(requests, monkeypatch)
    assert asking.stage == SEND
    ends(run)
    with pytest.raises(FlyteConditionUnanswered, match="was not answered: its run is over"):
        asking.resume(asking.event())


@pytest.mark.parametrize("default", [None, False])
def test_an_answer_at_the_last_moment_counts(
    flyte_default: LocalFlyte, requests: Requests, monkeypatch: pytest.MonkeyPatch, default: bool | None
) -> None:
    paused(flyte_default)
    asking = Asking(response_timeout=0.1, default=default)
    asking.start()
    send = requests.send

    def answered_just_before(msg: Any) -> Any:
        if type(msg).__name__ == "UpdateHITLDetail":
            requests.respond(["Approve"], {"flyte_condition": requests.request.params["flyte_condition"]["value"]})
        return send(msg)

    monkeypatch.setattr(requests, "send", answered_just_before)
    done = asking.resume(asking.event())
    assert (done["value"], done["answered_by"], done["timed_out"]) == (True, "ann", False)


@pytest.mark.parametrize("away", [False, True])
def test_the_default_is_taken_also_where_airflow_cannot_ask(
    flyte_default: LocalFlyte, requests: Requests, monkeypatch: pytest.MonkeyPatch, away: bool
) -> None:
    monkeypatch.setattr("airflow_provider_flyte.approvals.approval.PATIENTLY", 0.1)
    paused(flyte_default)
    first = Asking()
    first.start()
    flyte_default.run("r2").move("RUNNING").condition("approve", prompt="Delete?")
    again = Asking(run_name="r2", response_timeout=0.1, default=False)
    again.ti.id, again.ti.try_number = first.ti.id, 2
    again.start()
    again.resume(again.event())
    assert (again.stage, again.deferred.trigger.request_matches) == (WATCH, False)
    if away:
        with _away(flyte_default):
            again.resume(again.event())
        assert again.stage == SEEK
    done = again.resume(again.event())
    assert (done["run_name"], done["value"], done["timed_out"]) == ("r2", False, True)


def test_xcom_gets_what_a_database_takes(flyte_default: LocalFlyte, requests: Requests) -> None:
    run = flyte_default.run("r1").move("RUNNING")
    condition = run.condition("approve", str, prompt="Publish\0?" * 100_000)
    answer(flyte_default, condition, "a\0b")
    done = Asking().start()
    assert (done["value"], "\0" in done["prompt"], len(done["prompt"]) <= LONGEST) == ("ab", False, True)


def test_a_crash_between_answer_and_signal_loses_nothing(flyte_default: LocalFlyte, requests: Requests) -> None:
    _, condition = paused(flyte_default)
    asking = Asking()
    asking.start()
    fields = {"flyte_condition": requests.request.params["flyte_condition"]["value"]}
    requests.respond(["Approve"], fields)
    # The worker dies with the answer. The next try must not ask anew, which would remove it.
    asking.ti.try_number = 2
    asking.start()
    assert asking.stage == SEEK
    done = asking.resume(asking.event())
    assert (done["value"], done["answered_by"], given(condition)) == (True, "ann", True)


def test_nobody_is_shown_one_prompt_while_another_is_answered(flyte_default: LocalFlyte, requests: Requests) -> None:
    first = Asking()
    paused(flyte_default)
    first.start()
    shown = requests.request
    requests.respond(["Approve"], {"flyte_condition": shown.params["flyte_condition"]["value"]})
    # Cleared, with another run: Airflow keeps the text and, here, the answer.
    _, other = flyte_default.run("r2").move("RUNNING"), flyte_default.run("r2").condition("approve", prompt="Delete?")
    again = Asking(run_name="r2")
    again.ti.id, again.ti.try_number = first.ti.id, 2
    lines = lines_of(again.task)
    again.start()
    again.resume(again.event())
    assert requests.request is shown
    assert (again.stage, again.deferred.trigger.request_matches) == (WATCH, False)
    assert any("Airflow cannot ask for it" in line for line in lines)
    # Who answers the old text all the same answers nothing.
    requests.respond(["Approve"], {"flyte_condition": shown.params["flyte_condition"]["value"]})
    again.resume(requests.as_event())
    assert not flyte_default.calls("SignalEvent")
    answer(flyte_default, other, False)
    assert again.resume(again.event())["value"] is False


def test_several_of_a_name(flyte_default: LocalFlyte, requests: Requests) -> None:
    run, _ = paused(flyte_default)
    second = run.condition("approve")
    with pytest.raises(FlyteArgumentError, match="2 conditions named 'approve' wait"):
        Asking().start()
    asking = Asking(condition=second.action)
    asking.start()
    assert asking.deferred.trigger.condition == second.action


def test_a_default_of_another_type(flyte_default: LocalFlyte, requests: Requests) -> None:
    paused(flyte_default)
    with pytest.raises(FlyteArgumentError, match=r"default: .* asks for a bool, not 3"):
        Asking(default=3).start()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"assigned_users": {"id": "1"}}, "assigned_users has {'id': '1'}. Give a dict with 'id' and 'name'"),
        ({"assigned_users": [{"id": "1", "name": "a"}, {"id": 2, "name": " "}]}, "assigned_users has {'id': 2,"),
        ({"assigned_users": "ann"}, "assigned_users is 'ann'. Give one, or a list of them."),
        ({"assigned_users": ["ann"]}, "assigned_users has 'ann'."),
        ({"assigned_users": None}, "assigned_users is None."),
        ({"notifiers": ["mail"]}, "notifiers has 'mail'."),
        ({"notifiers": 1}, "notifiers is 1."),
    ],
    ids=range(7),
)
def test_what_is_no_user_and_no_notifier_is_refused_when_the_dag_is_parsed(
    arguments: dict[str, Any], said: str
) -> None:
    with pytest.raises(FlyteArgumentError, match=re.escape(said)):
        FlyteConditionOperator(task_id="ask", run_name="r1", condition="approve", **arguments)


def test_an_older_airflow_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow_provider_flyte.compat.versions.airflow_version", lambda: "3.0.6")
    with pytest.raises(FlyteArgumentError, match=r"needs Airflow 3\.1 or newer"):
        FlyteConditionOperator(task_id="approve", run_name="r1", condition="approve")
