"""What is kept of followed runs: bounded, and enough to lose nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_flyte.client.flows.runs_by_creation import RunRow
from airflow_provider_flyte.client.phase import RunPhase
from airflow_provider_flyte.client.run_key import RunKey
from airflow_provider_flyte.client.watch.feed_state import LARGEST, OVERLAP, FeedState, newest

NOW = 1_795_000_000_000_000


def row(number: int, created_at: int, *, ended_at: int | None = None) -> RunRow:
    name = f"r{number:029}"
    phase = RunPhase.RUNNING if ended_at is None else RunPhase.SUCCEEDED
    return RunRow(RunKey("p", "development", name), phase, "demo.train", "v1", created_at, ended_at)


def again(state: FeedState, now: int = NOW) -> FeedState:
    return FeedState.from_json(json.loads(json.dumps(state.to_json(now))))


def test_who_goes_on_knows_what_is_open_and_what_is_settled() -> None:
    state = FeedState(NOW - OVERLAP)
    rows = [row(number, NOW) for number in range(10)]
    assert state.new(rows) == rows
    for each in rows[:5]:
        state.settle(each.name)
    for known in (state, again(state)):
        assert known.new(rows) == []
        assert list(known.open) == [each.name for each in rows[5:]]
    assert again(state).to_json(NOW) == state.to_json(NOW)


@pytest.mark.parametrize(("going", "settled"), [(3000, 3000), (0, 10_000), (5000, 0), (1000, 10_000)])
def test_it_is_bounded_and_what_does_not_fit_is_listed_again(going: int, settled: int) -> None:
    state = FeedState(NOW - OVERLAP)
    rows = [row(number, NOW + number) for number in range(settled + going)]
    state.new(rows)
    for each in rows[:settled]:
        state.settle(each.name)
    value = state.to_json(NOW)
    size = len(json.dumps(value))
    assert LARGEST * 0.98 < size <= LARGEST
    known = again(state)
    found = {each.name for each in known.new(each for each in rows if each.created_at >= known.since)}
    # What goes on is known, or found; of what is settled the newest are known, and nothing that is open is lost.
    assert {each.name for each in rows[settled:]} <= set(known.open)
    assert not found & {each.name for each in rows[max(0, settled - 1990) : settled]}


def test_the_oldest_open_runs_are_kept_by_name_so_that_no_list_goes_back_to_their_creation() -> None:
    state = FeedState(NOW - OVERLAP)
    week = 7 * 24 * 3600 * 1_000_000
    state.new([row(0, NOW - week), *(row(number, NOW) for number in range(1, 5000))])
    known = again(state)
    assert known.since == state.since
    assert row(0, 0).name in known.open
    # Those that a restart brought are the first to be kept the next time, too.
    known.new(row(number, NOW + 1) for number in range(5000, 9000))
    assert again(known).since == state.since


def test_a_fingerprint_is_kept_for_as_long_as_its_run_may_be_listed() -> None:
    state = FeedState(NOW)
    state.new([row(1, NOW + 1), row(2, NOW + OVERLAP)])
    state.settle(row(1, 0).name)
    state.settle(row(2, 0).name)
    state.listed(NOW + OVERLAP + 1)
    assert state.since == NOW + 1
    assert state.new([row(1, NOW + 1)]) == []
    state.listed(NOW + 2 * OVERLAP)
    assert [each.name for each in state.new([row(1, NOW + OVERLAP), row(2, NOW + OVERLAP)])] == [row(1, 0).name]
    # A clock that goes back moves nothing.
    state.listed(NOW)
    assert state.since == NOW + OVERLAP


def test_what_had_ended_is_settled_only_until_all_were_listed_once() -> None:
    state = FeedState(NOW - OVERLAP, began=NOW)
    assert state.new([row(1, NOW - 5, ended_at=NOW - 1), row(2, NOW - 5, ended_at=NOW)]) == [
        row(2, NOW - 5, ended_at=NOW)
    ]
    assert again(state).began == NOW
    state.listed(NOW)
    assert [each.name for each in state.new([row(3, NOW - 5, ended_at=NOW - 1)])] == [row(3, 0).name]


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (None, "it is NoneType, not a mapping"),
        ({"version": 2}, "it has version 2, this provider reads 1"),
        ({"since": "now"}, "a time in it is no number"),
        ({"open": "r1"}, "'open' in it is no list of run names"),
        ({"open": ["R 1"]}, "'open' in it is no list of run names"),
        ({"settled": "abc"}, "'settled' in it is no text of fingerprints"),
    ],
)
def test_what_nobody_here_wrote_is_not_read(changed: Any, words: str) -> None:
    value = None if changed is None else FeedState(NOW).to_json(NOW) | changed
    with pytest.raises(ValueError, match="^" + words.replace("(", r"\(") + "$"):
        FeedState.from_json(value)


def test_of_several_the_newest_counts() -> None:
    old, new = FeedState(1).to_json(NOW), FeedState(2).to_json(NOW + 1)
    for values in ([old, new], [new, old], [None, new], [{"version": 9}, new]):
        state, problems = newest(values)
        assert state is not None
        assert state.since == 2
        assert len(problems) == ({"version": 9} in values)
    assert newest([None, None]) == (None, [])


def test_a_creation_moves_back_and_never_forward() -> None:
    state = FeedState(NOW - OVERLAP)
    [first] = state.new([row(1, NOW)])
    assert state.new([row(1, NOW - 5)]) == []
    assert state.open == {first.name: NOW - 5}
    assert state.new([row(1, NOW)]) == []
    assert state.open == {first.name: NOW - 5}


def test_what_had_ended_before_anybody_watched_is_settled() -> None:
    state = FeedState(NOW - OVERLAP, began=NOW)
    late, now = row(1, NOW - 9, ended_at=NOW - 1), row(2, NOW - 9, ended_at=NOW)
    assert state.new([late, now]) == [now]
    # Whoever goes on waits for what is open.
    assert list(state.open) == [now.name]
    assert again(state).new([late]) == []


def test_what_is_settled_was_reported_and_is_no_more() -> None:
    state = FeedState(NOW - OVERLAP)
    one, other = state.new([row(1, NOW), row(2, NOW)])
    state.reported.update((one.name, other.name))
    state.settle(one.name)
    state.forget(other.name)
    assert state.reported == set()


def test_what_is_not_open_can_be_settled_and_changes_nothing() -> None:
    """Airflow may confirm an event twice, or that of a run which Flyte has deleted meanwhile."""
    state = FeedState(NOW - OVERLAP)
    [found] = state.new([row(1, NOW)])
    for _ in range(2):
        state.settle(found.name)
    state.settle(row(2, NOW).name)
    state.listed(NOW)
    assert state.new([row(1, NOW)]) == []
    assert len(state.new([row(2, NOW)])) == 1


def test_a_run_that_is_gone_and_comes_again_is_new() -> None:
    state = FeedState(NOW - OVERLAP)
    state.new([row(1, NOW)])
    for known in (state, again(state)):
        known.forget(row(1, NOW).name)
        assert list(known.open) == []
        assert known.new([row(1, NOW)]) == [row(1, NOW)]
