"""What a backend refuses or cannot do -> what is known of runs by their names. By a table of runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_flyte.client.errors import InternalError, NotFoundError, Status, UnavailableError
from airflow_provider_flyte.client.flows.named_runs import (
    NameFilterRefused,
    details_of,
    list_by_name,
    observe_run,
    phase_of,
    read_run,
)
from airflow_provider_flyte.client.phase import RunPhase
from airflow_provider_flyte.client.verdict import Absent, Seen
from tests.support.scripted_flyte import HERE, Asked, ScriptedFlyte, refusal

RUNNING = RunPhase.RUNNING
R1, GONE = HERE.run("r1"), HERE.run("gone")
Fails = Callable[[Asked], bool]


def by_name(asked: Asked) -> bool:
    return asked.rpc == "ListRuns" and bool(asked.names)


def lists(asked: Asked) -> bool:
    return asked.rpc == "ListRuns"


def reads(asked: Asked) -> bool:
    return asked.rpc == "GetRunDetails"


def everything(asked: Asked) -> bool:
    return True


@pytest.fixture
def flyte() -> ScriptedFlyte:
    made = ScriptedFlyte(lambda: 0.0)
    made.run("r1", RUNNING)
    return made


def fails(flyte: ScriptedFlyte, code: Status, what: Fails, times: int = 1000) -> None:
    left = [times]

    def end(asked: Asked) -> Exception | None:
        if not what(asked) or not left[0]:
            return None
        left[0] -= 1
        return refusal(code)

    flyte.fails = end


def followed(flyte: ScriptedFlyte, flow: Any) -> Any:
    return flyte.client.execute(flow, retry_for=0.0)


def listed(flyte: ScriptedFlyte) -> Any:
    return followed(flyte, list_by_name("p", "development", ["r1", "gone"], ""))


def test_runs_that_exist(flyte: ScriptedFlyte) -> None:
    assert listed(flyte) == {R1: RUNNING}
    assert len(flyte.asked) == 1


@pytest.mark.parametrize("code", [Status.INVALID_ARGUMENT, Status.UNIMPLEMENTED])
def test_a_refusal_of_the_filter(flyte: ScriptedFlyte, code: Status) -> None:
    fails(flyte, code, by_name)
    with pytest.raises(NameFilterRefused) as refused:
        listed(flyte)
    assert refused.value.error.status is code
    assert str(refused.value) == str(refused.value.error)
    assert len(flyte.asked) == 1


@pytest.mark.parametrize(
    ("what", "times", "kind", "asked"),
    [
        # The database was away for a moment.
        (by_name, 1, None, ["ListRuns", "ListRuns", "ListRuns"]),
        # It reads whatever is not asked for by name, so the filter is the reason.
        (by_name, 1000, NameFilterRefused, ["ListRuns", "ListRuns", "ListRuns"]),
        # One that lists nothing at all.
        (lists, 1000, NameFilterRefused, ["ListRuns", "ListRuns", "GetRunDetails", "ListRuns"]),
        # It is away.
        (everything, 1000, InternalError, ["ListRuns", "ListRuns", "GetRunDetails", "ListRuns"]),
        (everything, 3, None, ["ListRuns", "ListRuns", "GetRunDetails", "ListRuns"]),
    ],
)
def test_what_the_status_internal_means(
    flyte: ScriptedFlyte, what: Fails, times: int, kind: type[Exception] | None, asked: list[str]
) -> None:
    fails(flyte, Status.INTERNAL, what, times)
    if kind is None:
        assert listed(flyte) == {R1: RUNNING}
    else:
        with pytest.raises(kind) as raised:
            listed(flyte)
        assert type(raised.value) is kind
    assert [each.rpc for each in flyte.asked] == asked
    assert flyte.asked[1].names == ()


def test_other_trouble_is_no_refusal(flyte: ScriptedFlyte) -> None:
    fails(flyte, Status.UNAVAILABLE, by_name)
    with pytest.raises(UnavailableError):
        listed(flyte)


# -- one by one


def test_a_run_that_is_read(flyte: ScriptedFlyte) -> None:
    details: Any = followed(flyte, read_run(R1, ""))
    assert details.action.status.phase == RUNNING
    assert [each.rpc for each in flyte.asked] == ["GetRunDetails"]


@pytest.mark.parametrize("to_launch", [False, True])
@pytest.mark.parametrize(
    ("code", "missing", "launches", "error"),
    [
        (None, True, True, None),
        (Status.INVALID_ARGUMENT, False, True, NotFoundError),
        (Status.UNIMPLEMENTED, False, True, NotFoundError),
        (Status.INTERNAL, False, False, InternalError),
        (Status.UNAVAILABLE, False, False, UnavailableError),
    ],
)
def test_not_found_is_believed_where_something_else_can_be_read(
    flyte: ScriptedFlyte,
    to_launch: bool,
    code: Status | None,
    missing: bool,
    launches: bool,
    error: type[Exception] | None,
) -> None:
    if code is not None:
        fails(flyte, code, lists)
    if missing or (to_launch and launches):
        assert followed(flyte, read_run(GONE, "", to_launch=to_launch)) is None
        assert [each.rpc for each in flyte.asked] == ["GetRunDetails", "ListRuns"]
        return
    assert error is not None
    with pytest.raises(error):
        followed(flyte, read_run(GONE, "", to_launch=to_launch))


@pytest.mark.parametrize("refused", [False, True])
def test_the_phase_of_a_run(flyte: ScriptedFlyte, refused: bool) -> None:
    if refused:
        fails(flyte, Status.UNIMPLEMENTED, by_name)
    assert followed(flyte, phase_of(R1, "")) == RUNNING
    assert followed(flyte, phase_of(GONE, "")) is None


def test_whether_a_phase_is_known_before_a_launch(flyte: ScriptedFlyte) -> None:
    fails(flyte, Status.UNIMPLEMENTED, lists)
    assert followed(flyte, phase_of(GONE, "", to_launch=True)) is None
    with pytest.raises(NotFoundError):
        followed(flyte, phase_of(GONE, ""))


def test_an_observation(flyte: ScriptedFlyte) -> None:
    observation, details = followed(flyte, observe_run(R1, ""))
    assert (observation, details.action.status.phase) == (Seen(RUNNING), RUNNING)
    assert len(flyte.asked) == 1
    assert followed(flyte, observe_run(GONE, "")) == (Absent(), None)
    # What a database that is away answers, and the list has it.
    fails(flyte, Status.NOT_FOUND, reads)
    assert followed(flyte, observe_run(R1, "")) == (Seen(RUNNING), None)


@pytest.mark.parametrize("refused", [False, True])
def test_the_details_of_those_that_exist(flyte: ScriptedFlyte, refused: bool) -> None:
    flyte.run("r2", RUNNING)
    if refused:
        fails(flyte, Status.UNIMPLEMENTED, lists)
    found = followed(flyte, details_of([R1, GONE, HERE.run("r2")], ""))
    assert list(found) == [R1, HERE.run("r2")]
    assert [each.action.status.phase for each in found.values()] == [RUNNING, RUNNING]
    if not refused:
        assert [each.rpc for each in flyte.asked] == ["ListRuns", "GetRunDetails", "GetRunDetails"]


def test_details_that_a_list_denies_prove_that_the_database_is_in_trouble(flyte: ScriptedFlyte) -> None:
    fails(flyte, Status.NOT_FOUND, reads)
    with pytest.raises(NotFoundError):
        followed(flyte, details_of([R1], ""))
