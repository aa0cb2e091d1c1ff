"""What a task instance's run waits for, in its tab, and the answer to it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter
from pydantic import BaseModel, Field

from airflow_provider_flyte.client.outside import LONGEST_NAME, one_line, some_lines
from airflow_provider_flyte.plugin.access import Editor, MayEdit, UserName
from airflow_provider_flyte.plugin.chosen_run import Chosen, ChosenRun
from airflow_provider_flyte.plugin.from_the_page import FromThePage
from airflow_provider_flyte.plugin.live_runs import SMALL, RunQuery

if TYPE_CHECKING:
    from airflow_provider_flyte.client import FlyteClient
    from airflow_provider_flyte.client.flows.conditions import Condition, Waiting
    from airflow_provider_flyte.client.flows.signal import SignalledCondition
    from airflow_provider_flyte.client.run_key import RunKey

log = logging.getLogger(__name__)

router = APIRouter()


async def _ask_conditions(client: FlyteClient, key: RunKey) -> Waiting:
    from airflow_provider_flyte.client.flows.conditions import MOST_SHOWN, waiting_conditions

    return await client.aexecute(waiting_conditions(key, client.config.org, most=MOST_SHOWN), retry_for=0.0)


def _size(found: Waiting) -> int:
    return SMALL + 2 * sum(len(each.prompt) + len(each.description) for each in found.conditions)


CONDITIONS: RunQuery[Waiting] = RunQuery("conditions", _ask_conditions, lambda found: 5.0, _size)
"""The conditions that wait for an answer."""


@router.get("/api/conditions")
async def show_conditions(chosen: ChosenRun, edit: MayEdit) -> dict[str, Any]:
    """What the run waits for, and in ``trouble`` what of it is not shown, in the words of ``airflow flyte show``."""
    from airflow_provider_flyte.client.flows.conditions import conditions_not_known

    reply = await chosen.ask(CONDITIONS)
    shown = [
        {
            "shown": chosen.digest(*_all_shown(each)),
            "action": each.action,
            "name": one_line(each.name, LONGEST_NAME),
            "prompt": some_lines(each.prompt),
            "description": some_lines(each.description),
            "kind": _kind(each),
        }
        for each in (reply.answer.conditions if reply.answer else ())
    ]
    unsaid = (
        reply.answer.left_unsaid(reply.url_of(chosen.key)) if reply.answer else [conditions_not_known(reply.trouble)]
    )
    return {
        "shown": chosen.digest(),
        "conditions": shown,
        "may_answer": edit,
        "trouble": " ".join(map(one_line, unsaid)),
        # None: all of them. What the page has of these stays, with what somebody has typed.
        "unread": reply.answer.unread if reply.answer else None,
    }


def _kind(condition: Condition) -> str | None:
    return condition.kind.__name__ if condition.kind else None


def _all_shown(condition: Condition) -> tuple[str | None, ...]:
    """All that is shown of a condition, before it is cleaned and cut."""
    return condition.action, condition.name, condition.prompt, condition.description, _kind(condition)


class Given(BaseModel):
    """What the page sends."""

    shown: str = Field(max_length=LONGEST_NAME)
    """The digest of the condition that the page shows: the task may have another run by now."""

    action: str = Field(min_length=1, max_length=LONGEST_NAME)
    """The condition's action."""

    value: str = Field(max_length=10_000)
    """The answer as text: JSON's numbers have no 64 bits in a browser."""


@router.post("/api/answer", dependencies=[Editor, FromThePage])
async def answer_condition(user: UserName, chosen: ChosenRun, given: Given) -> dict[str, Any]:
    """Answer a condition that the run waits for."""
    done = await chosen.do(lambda client, _: _answer(client, chosen, given))
    said = done.trouble if done.answer is None else f"{done.answer}."
    log.info("%s gave an answer in the tab of a task instance: %s", one_line(user, LONGEST_NAME), one_line(said))
    return {"said": one_line(said)}


async def _answer(client: FlyteClient, chosen: Chosen, given: Given) -> SignalledCondition:
    from airflow_provider_flyte.client.errors import ConditionError, NotFoundError
    from airflow_provider_flyte.client.flows.conditions import read_condition
    from airflow_provider_flyte.client.flows.signal import answer, value_from_text
    from airflow_provider_flyte.wait.task_wait import BRIEFLY

    key, org = chosen.key, client.config.org
    try:
        condition = await client.aexecute(read_condition(key, org, given.action), retry_for=BRIEFLY)
    except NotFoundError:
        condition = None
    if condition is None:
        raise ConditionError(f"Flyte run {key} has no such condition.")
    chosen.check_shown(given.shown, "Nothing is answered.", *_all_shown(condition))
    value = value_from_text(given.value, condition.kind)
    # The reads around the answer are repeated; the answer itself never is.
    return await client.aexecute(answer(condition, org, value), retry_for=BRIEFLY)
