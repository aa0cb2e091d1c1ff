"""Airflow's request to a person, as the triggerer reads and closes it."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from airflow_provider_flyte.compat.human_requests import close_persons_request, persons_answer

log = logging.getLogger(__name__)


class AirflowRequest:
    """The request of one task instance.

    :param task_instance_id: whose it is.
    """

    closed = False
    """Whether it was closed without an answer, maybe by a trigger whose event came no further."""

    def __init__(self, task_instance_id: str) -> None:
        self._id = task_instance_id

    async def response(self) -> dict[str, Any] | None:
        """What a person has answered, as Airflow 3.3 gives it to the task; None where nobody has."""
        from airflow_provider_flyte.wait.human_request import CLOSED

        try:
            given = await persons_answer(self._id)
        except Exception as error:
            log.debug("Airflow's request could not be read: %s", error)
            return None
        if given is None or not given.chosen_options:
            return None
        self.closed = list(given.chosen_options) == [CLOSED]
        if self.closed:
            return None
        user = given.responded_by_user
        return {
            "chosen_options": list(given.chosen_options),
            "params_input": dict(given.params_input or {}),
            "responded_by_user": None if user is None else {"id": user.id, "name": user.name},
            "timedout": user is None,
        }

    async def close(self, chosen_options: Sequence[str] = (), params_input: Mapping[str, Any] | None = None) -> bool:
        """Close the request, so that nobody answers what waits no more; False where somebody has answered before."""
        from airflow_provider_flyte.wait.human_request import CLOSED

        try:
            await close_persons_request(self._id, list(chosen_options) or [CLOSED], params_input or {})
        except Exception as error:
            log.debug("Airflow's request could not be closed: %s", error)
            return False
        return True
