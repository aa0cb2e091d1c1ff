"""The event: what goes in comes out, and nothing else is believed."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_flyte.client.outside import LONGEST_IN_EVENT, one_line
from airflow_provider_flyte.wait.event import Ending, EventError, RunEvent

ANY = st.text(st.characters(exclude_categories=[]))
EVENTS = st.builds(
    RunEvent,
    st.sampled_from(Ending),
    ANY,
    st.none() | st.integers(0, 200),
    st.builds(str.__mul__, ANY, st.integers(0, 99)),
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
    assert read == event
    # Airflow encodes an event, stores it in a database, and logs it in full.
    for text in (payload["message"], payload["run_name"]):
        assert text.isprintable()
        assert len(text) <= 500


@given(JSON)
def test_what_no_trigger_has_sent_is_refused(payload: Any) -> None:
    with pytest.raises(EventError):
        RunEvent.from_payload(payload)


@given(EVENTS, st.sampled_from(["ending", "run_name", "phase", "message", "version"]), JSON)
def test_a_spoilt_event_is_refused_or_means_what_it_says(event: RunEvent, field: str, value: Any) -> None:
    payload = event.to_payload() | {field: value}
    with suppress(EventError):
        read = RunEvent.from_payload(payload).to_payload()
        texts = {name: one_line(payload[name], LONGEST_IN_EVENT) for name in ("run_name", "message")}
        assert read == payload | texts


def test_a_missing_field_is_named() -> None:
    payload = RunEvent(Ending.MISSING, "r1").to_payload()
    del payload["phase"]
    with pytest.raises(EventError, match="phase"):
        RunEvent.from_payload(payload)
