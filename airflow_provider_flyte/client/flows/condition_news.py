"""What a run that is waited for waits for itself: each condition once, and again when it waits no more. No I/O."""

from __future__ import annotations

from airflow_provider_flyte.client.errors import (
    InvalidArgumentError,
    NotFoundError,
    PermissionDeniedError,
    RpcError,
    UnimplementedError,
)
from airflow_provider_flyte.client.flows.calls import Flow
from airflow_provider_flyte.client.flows.conditions import Condition, read_condition, waiting_conditions
from airflow_provider_flyte.client.outside import one_line
from airflow_provider_flyte.client.run_key import RunKey

FIRST_AFTER = 5.0
"""Seconds until it is first asked what runs wait for."""

EVERY = 15.0
"""Seconds between two such questions."""

MOST_OF_A_RUN = 20
"""How many conditions of one run are followed at once."""

REFUSALS = (InvalidArgumentError, UnimplementedError, PermissionDeniedError)
"""What a backend answers that will not list paused runs by their names, now or later."""


class ConditionNews:
    """The conditions of one run, as they come and go.

    :param key: the run.
    """

    def __init__(self, key: RunKey) -> None:
        self.key = key
        self.open: dict[str, Condition] = {}
        """Those that wait, by their actions."""

    def look(self, org: str, *, paused: bool) -> Flow[list[Condition]]:
        """Bring ``open`` up to date; returns those of it that wait no more.

        :param org: of the config.
        :param paused: whether an action of the run is paused, as a list has just shown.
        """
        actions: list[str] = []
        if paused:
            room = MOST_OF_A_RUN - len(self.open)
            waiting, actions = yield from waiting_conditions(self.key, org, most=room, known=self.open)
            self.open.update((each.action, each) for each in waiting)
        gone = []
        for action in [action for action in self.open if action not in actions]:
            try:
                read = yield from read_condition(self.key, org, action)
            except NotFoundError:
                # It answers so for every error of its database, too.
                continue
            except RpcError:
                # What is known of the others is told all the same.
                break
            if read is not None and read.over:
                del self.open[action]
                gone.append(read)
        return gone


def not_told(error: RpcError) -> str:
    """The line that says that nothing is known of conditions."""
    return f"What Flyte runs wait for is not told here, because Flyte does not list it. {one_line(str(error))}"
