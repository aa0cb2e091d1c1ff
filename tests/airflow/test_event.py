"""The event: what goes in comes out, and nothing else is believed."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_flyte.wait.event import Ending, EventError, RunEvent

EVENTS = st.builds(
    RunEvent, st.sampled_from(Ending), st.text(max_size=40), st.none() | st.integers(0, 200), st.text(max_size=2000)
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(EVENTS)
def test_an_event_survives_airflow(event: RunEvent) -> None:
    payload = event.to_payload()
    read = RunEvent.from_payload(json.loads(json.dumps(payload)))
    assert (read.ending, read.run_name, read.phase) == (event.ending, event.run_name, event.phase)
    # PostgreSQL's JSONB refuses NUL, and Airflow logs an event in full.
    assert "\0" not in payload["message"]
    assert len(payload["message"]) <= 500


@given(JSON)
def test_what_no_trigger_has_sent_is_refused(payload: Any) -> None:
    with pytest.raises(EventError):
        RunEvent.from_payload(payload)


@given(EVENTS, st.sampled_from(["ending", "run_name", "phase", "message", "version"]), JSON)
def test_a_spoilt_event_is_refused_or_means_what_it_says(event: RunEvent, field: str, value: Any) -> None:
    payload = event.to_payload() | {field: value}
    with suppress(EventError):
        assert RunEvent.from_payload(payload).to_payload() == payload


def test_a_missing_field_is_named() -> None:
    payload = RunEvent(Ending.MISSING, "r1").to_payload()
    del payload["phase"]
    with pytest.raises(EventError, match="phase"):
        RunEvent.from_payload(payload)
