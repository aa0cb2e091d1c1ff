"""The trigger that fires for assets. DAGs import it from ``airflow_provider_flyte.triggers``."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Hashable, Mapping, Sequence, Set
from contextlib import aclosing
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_flyte.arguments import (
    LEAST_INTERVAL,
    POLL_INTERVAL,
    argument_errors,
    label_values,
    moment,
    moment_in_microseconds,
)
from airflow_provider_flyte.client.arguments import seconds, sendable
from airflow_provider_flyte.compat import BaseEventTrigger, TriggerEvent
from airflow_provider_flyte.compat.triggers import asset_stores
from airflow_provider_flyte.compat.versions import confirms_events, has_event_triggers
from airflow_provider_flyte.connection.fields import DEFAULT_CONN_ID
from airflow_provider_flyte.exceptions import FlyteArgumentError

if TYPE_CHECKING:
    from airflow_provider_flyte.compat import SharedStreamProducer
    from airflow_provider_flyte.wait.run_ends import Watched

OUTCOMES = ("succeeded", "failed")


class FlyteRunsTrigger(BaseEventTrigger):
    """Fires for each run of a Flyte task that ends, whoever launched it; for ``AssetWatcher`` (Airflow 3.0 and newer).

    The event's payload has ``run_name``, ``project``, ``domain``, ``phase``, ``task_name``, ``task_version``,
    ``start_time``, ``end_time``, ``url`` and ``id``, which is the same where an event is repeated. Where Airflow
    confirms events and has an asset state store (3.3.2), no end is lost while no triggerer runs, and the ends of the
    last seconds are repeated after a crash. Before that, each start of the trigger begins at ``since``.

    :param task_name: the task; '' for the runs of all tasks of the project and domain.
    :param outcomes: which ends: ``succeeded``, ``failed`` (which is also aborted and timed out), or both.
    :param project: by default the connection's.
    :param domain: by default the connection's.
    :param labels: only runs with these labels, which then are in the payload, too, at the price of a call for each run
        that has ended where Flyte's lists show no labels; {} for the labels of all runs; None: labels are not read.
    :param flyte_conn_id: the Airflow connection.
    :param since: where to begin when nothing is kept from before: with runs that were created since then, a datetime or
        a text in ISO format, or since so long ago, a timedelta or seconds; None: with those that are not over
        when Flyte first answers.
    :param poll_interval: maximum seconds until a new run is noticed, and an end that Flyte does not send by itself.
    :raises FlyteArgumentError: for anything else.
    """

    def __init__(
        self,
        task_name: str = "",
        outcomes: Sequence[str] = ("succeeded",),
        project: str | None = None,
        domain: str | None = None,
        labels: Mapping[str, str] | Sequence[Sequence[str]] | None = None,
        flyte_conn_id: str = DEFAULT_CONN_ID,
        since: datetime | timedelta | str | float | None = None,
        poll_interval: float = POLL_INTERVAL,
    ) -> None:
        if not has_event_triggers():
            raise FlyteArgumentError(
                "FlyteRunsTrigger needs Airflow 3.0 or newer: before that, no trigger can fire for assets."
            )
        super().__init__()  # type: ignore[no-untyped-call]
        self.task_name = _text("task_name", task_name, optional=True)
        self.outcomes = _outcomes(outcomes)
        self.project = None if project is None else _text("project", project)
        self.domain = None if domain is None else _text("domain", domain)
        self.flyte_conn_id = _text("flyte_conn_id", flyte_conn_id)
        with argument_errors():
            self.labels = label_values(labels)
            self.since = _since(since)
            self.poll_interval = seconds("poll_interval", poll_interval, least=LEAST_INTERVAL)

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The class path that DAGs use, and the arguments as values that each Airflow reads as it wrote them."""
        return "airflow_provider_flyte.triggers.FlyteRunsTrigger", {
            "task_name": self.task_name,
            "outcomes": list(self.outcomes),
            "project": self.project,
            "domain": self.domain,
            # Pairs, because some versions give a dict back in its wrapping.
            "labels": None if self.labels is None else [list(pair) for pair in sorted(self.labels.items())],
            "flyte_conn_id": self.flyte_conn_id,
            "since": self.since,
            "poll_interval": self.poll_interval,
        }

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield the events, for an Airflow that does not confirm them."""
        from airflow_provider_flyte.wait.run_ends import RunEnds

        ends = RunEnds(self._watched)
        async with aclosing(ends.payloads()) as payloads:
            async for name, payload in payloads:
                yield TriggerEvent(payload)
                ends.settle(name)

    # -- for an Airflow that confirms events. No other trigger has the same key: a late one would miss what came before.

    def shared_stream_key(self) -> Hashable | None:
        """What distinguishes this trigger from all others; None where this Airflow does not confirm events."""
        return repr(self.serialize()) if confirms_events() else None

    @classmethod
    def create_shared_stream_producer(cls, kwargs: dict[str, Any]) -> SharedStreamProducer:
        """Where the events come from."""
        from airflow_provider_flyte.wait.confirmed_ends import ConfirmedEnds

        trigger = cls(**kwargs)
        return ConfirmedEnds(trigger._watched, trigger.shared_stream_key())

    async def filter_shared_stream(self, shared_stream: AsyncIterator[Any]) -> AsyncIterator[TriggerEvent]:
        """Yield the events, and leave the assets' stores to the producer."""
        from airflow_provider_flyte.wait.kept_state import hand_over

        take_away = hand_over(self.shared_stream_key(), asset_stores(getattr(self, "asset_state_store", None)))
        try:
            async for payload in shared_stream:
                yield TriggerEvent(payload)
        finally:
            take_away()

    @property
    def _watched(self) -> Watched:
        from airflow_provider_flyte.wait.run_ends import Watched

        return Watched(
            flyte_conn_id=self.flyte_conn_id,
            project=self.project,
            domain=self.domain,
            task_name=self.task_name,
            outcomes=self.outcomes,
            labels=self.labels,
            poll_interval=self.poll_interval,
            since=moment_in_microseconds("since", self.since, time.time()),
        )


def _text(name: str, value: object, *, optional: bool = False) -> str:
    if not isinstance(value, str) or not (value.strip() or optional):
        raise FlyteArgumentError(f"{name} is {value!r}; give a text{' (empty for all)' if optional else ''}.")
    with argument_errors():
        return sendable(name, value)


def _outcomes(value: object) -> tuple[str, ...]:
    given = list(value) if isinstance(value, Sequence | Set) and not isinstance(value, str) else []
    if given and all(outcome in OUTCOMES for outcome in given):
        return tuple(outcome for outcome in OUTCOMES if outcome in given)
    raise FlyteArgumentError(f"outcomes is {value!r}; give a list of 'succeeded', 'failed', or both.")


def _since(value: object) -> str | float | None:
    """A text in ISO format, seconds before the trigger's start, or None."""
    since = moment("since", value)
    return since.isoformat() if isinstance(since, datetime) else since
