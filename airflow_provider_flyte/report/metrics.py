"""Airflow's metrics (StatsD, OpenTelemetry) about waits, launches and outcomes."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from airflow_provider_flyte.compat import airflow_stats

if TYPE_CHECKING:
    from airflow_provider_flyte.client import RunDetails
    from airflow_provider_flyte.client.verdict import Verdict
    from airflow_provider_flyte.client.watch.status import WatcherStatus


log = logging.getLogger(__name__)

_failed: set[str] = set()
"""Metrics whose failure this process has logged; the next ones would fill a log."""


def _send(kind: str, name: str, *value: Any, tags: dict[str, str]) -> None:
    """Send one metric; all of them go through here. A failure is only logged: it must not end a wait or a launch.

    :param kind: the method of Airflow's ``Stats``.
    :param name: the metric's name.
    :param value: what it takes.
    :param tags: its tags.
    """
    try:
        getattr(airflow_stats(), kind)(name, *value, tags=tags)
    except Exception as error:
        if name not in _failed:
            _failed.add(name)
            log.warning(
                "The metric %s could not be sent; no task is affected. Check Airflow's section [metrics]. %s: %s",
                name,
                type(error).__name__,
                error,
            )


class Metrics:
    """Airflow's metrics of one connection's watcher: ``flyte.waits`` and the others, tagged with the connection."""

    def __init__(self, flyte_conn_id: str) -> None:
        self._tags = {"flyte_conn_id": flyte_conn_id}
        self._before: dict[str, int] = {}

    def report(self, status: WatcherStatus) -> None:
        """Send gauges of the watcher's state, and counters of what was done since the last report."""
        _send("gauge", "flyte.waits", status.waits, tags=self._tags)
        _send("gauge", "flyte.stream_up", int(status.stream_up), tags=self._tags)
        counts = {
            "flyte.calls": status.calls,
            "flyte.streams": status.streams,
            "flyte.ends_by_stream": status.ends_by_stream,
            "flyte.ends_by_poll": status.ends_by_poll,
        }
        for name, count in counts.items():
            if more := count - self._before.get(name, 0):
                _send("incr", name, more, tags=self._tags)
        self._before = counts


def count_garbled_answer(flyte_conn_id: str) -> None:
    """``flyte.garbled_answers``: count an answer that could not be read although Flyte was reached before."""
    _send("incr", "flyte.garbled_answers", tags={"flyte_conn_id": flyte_conn_id})


def count_launch(flyte_conn_id: str) -> None:
    """``flyte.launches``: count a launch."""
    _send("incr", "flyte.launches", tags={"flyte_conn_id": flyte_conn_id})


def count_outcome(flyte_conn_id: str, details: RunDetails | None, verdict: Verdict) -> None:
    """``flyte.outcomes`` and ``flyte.run_duration``: count the end of a run that a task has launched and waited for."""
    tags = {"flyte_conn_id": flyte_conn_id, "outcome": verdict.outcome.value}
    _send("incr", "flyte.outcomes", tags=tags)
    if details is None:
        return
    from airflow_provider_flyte.client.timeline import moment

    status = details.pb2.action.status
    started, ended = moment(status.start_time), moment(status.end_time)
    if started and ended:
        _send("timing", "flyte.run_duration", ended - started, tags=tags)
