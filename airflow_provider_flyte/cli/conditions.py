"""What a run waits for, as the commands show it."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from airflow_provider_flyte.client import FlyteClient, RunDetails, RunKey
    from airflow_provider_flyte.client.flows.calls import Flow
    from airflow_provider_flyte.client.flows.conditions import Condition

_T = TypeVar("_T")


def waiting_of(client: FlyteClient, details: RunDetails) -> list[Condition] | None:
    """The conditions that wait for an answer; None where Flyte does not tell. Standard error says what is missing.

    :param client: the client to ask with.
    :param details: of the run; of one that is over nothing is asked.
    """
    from airflow_provider_flyte.client.errors import RpcError
    from airflow_provider_flyte.client.flows.conditions import MOST_SHOWN, conditions_not_known, waiting_conditions

    if details.done():
        return []
    try:
        waiting = _execute_briefly(client, waiting_conditions(details.key, client.config.org, most=MOST_SHOWN))
    except RpcError as error:
        sys.stderr.write(f"{conditions_not_known(error)}\n")
        return None
    for line in waiting.left_unsaid(details.url):
        sys.stderr.write(f"{line}\n")
    return waiting.conditions or (None if waiting.trouble else [])


def which_are_paused(client: FlyteClient, runs: Iterable[RunDetails]) -> set[RunKey]:
    """Which of these runs have a paused action, as far as Flyte tells; a call for each project and domain.

    The list does not say whether it is a condition, nor whether it is the run itself.
    """
    from airflow_provider_flyte.client.errors import RpcError
    from airflow_provider_flyte.client.flows.calls import NAMES_A_CALL, chunks
    from airflow_provider_flyte.client.flows.conditions import paused_runs

    asked: dict[tuple[str, str], list[str]] = defaultdict(list)
    for details in runs:
        if not details.done():
            asked[details.key.project, details.key.domain].append(details.key.name)
    paused: set[RunKey] = set()
    try:
        for place, names in asked.items():
            for some in chunks(sorted(set(names)), NAMES_A_CALL):
                paused.update(_execute_briefly(client, paused_runs(*place, some, client.config.org)))
    except RpcError as error:
        # The rest was read: some deployments do not list what is paused.
        sys.stderr.write(f"Which runs have a paused action is not known: {error}\n")
    return paused


def _execute_briefly(client: FlyteClient, flow: Flow[_T]) -> _T:
    from airflow_provider_flyte.wait.task_wait import BRIEFLY

    # What was asked for is known by then.
    return client.execute(flow, retry_for=min(BRIEFLY, client.config.retry_budget))


def condition_data(condition: Condition, conn_id: str) -> dict[str, Any]:
    """A condition in JSON types.

    :param conn_id: the Airflow connection, for the command that answers.
    """
    from airflow_provider_flyte.wait.answering import command_of

    return {
        "condition": condition.name,
        "action": condition.action,
        "type": condition.kind.__name__ if condition.kind else None,
        "prompt": condition.prompt,
        "description": condition.description or None,
        "answer_by": command_of(condition, conn_id) or None,
    }


def sentence(condition: Condition, conn_id: str, page: str) -> str:
    """The same for people, as the task's log has it: what is asked, and where to answer."""
    from airflow_provider_flyte.wait.answering import ways_to_answer
    from airflow_provider_flyte.wait.conditions import asked

    return f"{asked(condition)} Give it {ways_to_answer(condition, conn_id, page)}"


def say_what_waits(client: FlyteClient, details: RunDetails, conn_id: str) -> None:
    """Say on standard error what the run waits for; nothing where it waits for no answer."""
    for each in waiting_of(client, details) or ():
        sys.stderr.write(f"Flyte run {details.key} waits for an answer: {sentence(each, conn_id, details.url)}\n")
