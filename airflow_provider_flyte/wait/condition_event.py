"""The stages of a wait for a condition, how each ends, and the event of its trigger."""

from __future__ import annotations

from typing import Any

from airflow_provider_flyte.client.outside import LONGEST_IN_EVENT, one_line, storable

SEEK, WATCH, SEND = "find_condition", "wait_for_answer", "send_answer"

WAITS, GONE, RUN_OVER, MISSING, LATE, SENT, REFUSED, NO_CONNECTION, CRASHED = (
    "waits",
    "gone",
    "run_over",
    "missing",
    "late",
    "sent",
    "refused",
    "no_connection",
    "crashed",
)
"""How a stage ends: the condition waits; waits no more; the run is over; there is no such run; ``response_timeout`` has
passed; the answer has arrived; several have the name; and what prevents all of that."""


def condition_event(ending: str, *, action: str = "", message: str = "") -> dict[str, Any]:
    """The event with which a stage ends."""
    return {"ending": ending, "action": storable(action), "message": one_line(message, LONGEST_IN_EVENT)}
