"""What the tab asks about a run beside its details: its log's end, its child actions, and its values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_provider_flyte.plugin.live_runs import FRESH_WHEN_OVER, SMALL, RunQuery

if TYPE_CHECKING:
    from airflow_provider_flyte.client import FlyteClient
    from airflow_provider_flyte.client.flows.action_tree import ActionTree
    from airflow_provider_flyte.client.flows.failed_actions import FailedActions
    from airflow_provider_flyte.client.flows.log_tail import LogTail
    from airflow_provider_flyte.client.run_key import RunKey

LINES = 200
"""How many lines of the log are shown: the last ones."""

_WITHIN = 3.0
"""Seconds: what came of the log until then is shown."""

_FAILED_ACTIONS = 20
"""Of how many failed child actions the errors are read."""


def log_of(attempt: int) -> RunQuery[LogTail]:
    """The end of an attempt's log.

    :param attempt: its number, from 1.
    """

    async def ask(client: FlyteClient, key: RunKey) -> LogTail:
        from airflow_provider_flyte.client.flows.log_tail import tail_log

        return await client.aexecute(tail_log(key, client.config.org, attempt, LINES, _WITHIN), retry_for=0.0)

    return RunQuery(f"log {attempt}", ask, lambda tail: 5.0, lambda tail: SMALL + sum(map(len, tail.lines)))


class Values(NamedTuple):
    """The inputs and outputs of a run."""

    inputs: dict[str, Any]
    outputs: dict[str, Any]
    size: int
    """Bytes of the message that they were in."""


async def _ask_values(client: FlyteClient, key: RunKey) -> Values:
    from airflow_provider_flyte.client.flows import calls
    from airflow_provider_flyte.client.idl.common.identifier_pb2 import ActionIdentifier
    from airflow_provider_flyte.client.literals.reader import named_values

    root = ActionIdentifier(run=calls.run_identifier(key, client.config.org), name=calls.ROOT_ACTION)
    data = await client.aexecute(calls.get_action_data(root), retry_for=0.0)
    return Values(named_values(data.inputs), named_values(data.outputs), data.ByteSize())


VALUES: RunQuery[Values] = RunQuery("values", _ask_values, lambda values: 10.0, lambda values: SMALL + 4 * values.size)
"""The inputs and outputs, as plain Python values."""


async def _ask_failed(client: FlyteClient, key: RunKey) -> FailedActions:
    from airflow_provider_flyte.client.flows.failed_actions import failed_actions

    return await client.aexecute(failed_actions(key, client.config.org, most=_FAILED_ACTIONS), retry_for=0.0)


FAILED_ACTIONS: RunQuery[FailedActions] = RunQuery("failed actions", _ask_failed, lambda found: 10.0)
"""The child actions that failed first, with their errors."""


async def _ask_actions(client: FlyteClient, key: RunKey) -> ActionTree:
    from airflow_provider_flyte.client.flows.action_tree import action_tree

    return await client.aexecute(action_tree(key, client.config.org), retry_for=0.0)


_ROW = 1_000
"""Bytes of an action, roughly; measured: 730, with names of 25 characters."""

ACTIONS: RunQuery[ActionTree] = RunQuery(
    "actions",
    _ask_actions,
    lambda tree: FRESH_WHEN_OVER if tree.over else 10.0,
    lambda tree: SMALL + _ROW * len(tree.rows),
)
"""All child actions, without their errors."""
