"""Runs that an earlier try's process launches although Airflow has given it up: a later try ends them.

Right before CreateRun such a process sees that its try is over (``kill.check_before_create``); a call that is on its
way by then still arrives, after the later try has searched for earlier runs. Nobody would wait for its run, or end it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from airflow_provider_flyte.client.errors import FlyteError
from airflow_provider_flyte.client.run_key import RunKey
from airflow_provider_flyte.tries.abort import abort_own
from airflow_provider_flyte.tries.decision import stragglers
from airflow_provider_flyte.tries.lookup import find_tries

if TYPE_CHECKING:
    from airflow_provider_flyte.client import FlyteClient
    from airflow_provider_flyte.task_log import TaskLog
    from airflow_provider_flyte.tries.attempt import TryRun
    from airflow_provider_flyte.tries.identity import Try

ON_ITS_WAY = 60.0
"""Seconds for which a worker asks for such runs with each poll: longer than a call takes to arrive."""


def end_stragglers(
    client: FlyteClient, try_now: Callable[[], Try], run: TryRun, retry_for: float, log: TaskLog
) -> None:
    """Abort the runs of earlier tries that are running beside the one that this try has.

    :param client: whom to ask.
    :param try_now: gives the task instance and its try, by the connection and the ``run_name`` as they are now.
    :param run: the try's run.
    :param retry_for: seconds for which trouble is tolerated; then it is logged, and no reason to fail.
    :param log: the task's log.
    """
    config = client.config
    if not run.ours or run.endpoint != config.endpoint:
        return

    def key_of(name: str) -> RunKey:
        return RunKey(run.key.project, run.key.domain, name)

    try:
        trying = try_now()
        found = client.execute(find_tries(trying, key_of, config.org), retry_for=retry_for)
        for name in stragglers(trying, found, run.key.name):
            why = f"try {trying.number} of the task has another run"
            done = client.execute(abort_own(config, key_of(name), run.endpoint, trying.task, why), retry_for=retry_for)
            log.warning(
                "Flyte run %s was launched by a process of an earlier try of this task after Airflow had given that "
                "try up. This try has run %s, so the other one is aborted. %s.",
                key_of(name),
                run.key.name,
                done,
            )
    except FlyteError as error:
        log.warning("Whether an earlier try of this task has launched another run since is not known. %s", error)
