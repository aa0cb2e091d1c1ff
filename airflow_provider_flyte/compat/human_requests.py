"""Airflow's requests to persons (human in the loop), from 3.1 on."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from airflow_provider_flyte.compat.event_loop import in_airflow


def ask_person(ti_id: object, request: Mapping[str, Any]) -> Any:
    """Have Airflow ask a person, on a worker; returns the request as Airflow has it now.

    Of a task instance it keeps the first request for good, over its tries, too; another one only removes the answer.

    :param ti_id: the task instance's id.
    :param request: subject, body, options, defaults, params and assigned_users.
    """
    from uuid import UUID

    comms = import_module("airflow.sdk.execution_time.comms")
    runner = import_module("airflow.sdk.execution_time.task_runner")
    made = comms.CreateHITLDetailPayload(ti_id=UUID(str(ti_id)), multiple=False, **request)
    return runner.SUPERVISOR_COMMS.send(msg=made)


async def persons_answer(ti_id: str) -> Any:
    """What a person has answered to a task instance's request, in the triggerer; None where nobody has."""
    from uuid import UUID

    hitl = import_module("airflow.sdk.execution_time.hitl")
    answer = await in_airflow(hitl.get_hitl_detail_content_detail, ti_id=UUID(str(ti_id)))
    return answer if getattr(answer, "response_received", False) else None


async def close_persons_request(ti_id: str, chosen: list[str], params_input: Mapping[str, Any]) -> None:
    """Answer a task instance's request in nobody's name, in the triggerer.

    :raises Exception: Airflow's own, where it was answered already.
    """
    from uuid import UUID

    hitl = import_module("airflow.sdk.execution_time.hitl")
    await in_airflow(
        hitl.update_hitl_detail_response,
        ti_id=UUID(str(ti_id)),
        chosen_options=chosen,
        params_input=dict(params_input),
    )
