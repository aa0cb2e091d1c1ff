"""A state of Airflow -> was the task killed, and what is logged. By tables, without a server."""

from __future__ import annotations

from enum import Enum
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_flyte.client.run_key import RunKey
from airflow_provider_flyte.compat.task_states import UNKNOWN, plain_state, state_in
from airflow_provider_flyte.tries.kill_reason import CLEARED, because_of, interrupted, why_killed

KILLED = {
    "failed": "the task was marked failed, or its DAG run was",
    "success": "the task was marked success",
    "skipped": "the task was marked skipped, or its DAG run timed out",
    "restarting": "the task was cleared",
    "removed": "the task was removed from its DAG",
}
NOT_KILLED = [
    *("running", "deferred", "queued", "scheduled", "up_for_retry", "up_for_reschedule", "upstream_failed"),
    *("awaiting_input", "a state to come", "", UNKNOWN),
]


@pytest.mark.parametrize("deferred", [False, True])
@pytest.mark.parametrize("state", [*KILLED, *NOT_KILLED])
def test_why_a_task_was_killed(state: str, deferred: bool) -> None:
    assert why_killed(state, deferred=deferred) == KILLED.get(state, "")


@pytest.mark.parametrize(("deferred", "why"), [(True, "the task was cleared"), (False, "")])
def test_no_state_is_a_clear_only_in_the_triggerer(deferred: bool, why: str) -> None:
    assert why_killed(None, deferred=deferred) == why


def test_a_state_that_could_not_be_read_is_no_state() -> None:
    """Otherwise each Airflow that does not answer would abort runs."""
    assert UNKNOWN not in (None, CLEARED, *KILLED)
    assert CLEARED == "restarting"


@pytest.mark.parametrize(
    ("state", "because"),
    [
        (UNKNOWN, "and whether somebody stopped the task is not known, because its state could not be read"),
        (None, "but nobody stopped the task: the scheduler has reset it"),
        ("running", "but nobody stopped the task: it is running"),
    ],
)
def test_what_a_state_means_for_a_process_that_was_asked_to_stop(state: str | None, because: str) -> None:
    assert because_of(state) == because


# -- Airflow's answer about many task instances


class State(str, Enum):
    """As Airflow has it."""

    FAILED = "failed"


@pytest.mark.parametrize(("state", "text"), [(None, None), ("failed", "failed"), (State.FAILED, "failed"), (3, "3")])
def test_a_state_as_a_text(state: Any, text: str | None) -> None:
    assert plain_state(state) == text
    assert type(plain_state(state)) is type(text)


STATES = {"run1": {"train": "running", "train_0": "failed", "train_1": "success", "gone": None}, "run2": {"train": "x"}}


@pytest.mark.parametrize(
    ("run_id", "task_id", "map_index", "state"),
    [
        ("run1", "train", -1, "running"),
        ("run1", "train", None, "running"),
        ("run1", "train", 0, "failed"),
        ("run1", "train", 1, "success"),
        ("run2", "train", -1, "x"),
        # There, and without a state: cleared.
        ("run1", "gone", -1, None),
        # Not there: not known, which is something else.
        ("run1", "train", 2, UNKNOWN),
        ("run1", "other", -1, UNKNOWN),
        ("run3", "train", -1, UNKNOWN),
    ],
)
def test_the_state_of_one_of_many(run_id: str, task_id: str, map_index: int | None, state: str | None) -> None:
    assert state_in(STATES, SimpleNamespace(run_id=run_id, task_id=task_id, map_index=map_index)) == state


@pytest.mark.parametrize("states", [None, {}, [], {"run1": None}, {"run1": {}}, {"run1": []}, 3])
def test_an_answer_that_proves_nothing(states: Any) -> None:
    assert state_in(states, SimpleNamespace(run_id="run1", task_id="train", map_index=-1)) == UNKNOWN


# -- what is logged

RUN = RunKey("p", "d", "r1")


@pytest.mark.parametrize(("url", "page"), [("", ""), ("http://f/r1", ", or its page: http://f/r1")])
def test_ctrl_c_tells_how_to_end_the_run(url: str, page: str) -> None:
    assert interrupted(RUN, url).endswith(f": flyte abort run r1 --project p --domain d{page}")
