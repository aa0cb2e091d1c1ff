"""Runs that an earlier try's process launches although Airflow has given it up: a later try ends them.

Right before CreateRun such a process sees that its try is over (``kill.check_before_create``); a call that is on its
way by then still arrives, after the later try has searched for earlier runs. Nobody would wait for its run, or end it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_flyte.client.run_key import RunKey
from airflow_provider_flyte.tries.abort import abort_own
from airflow_provider_flyte.tries.decision import stragglers
from airflow_provider_flyte.tries.lookup import find_tries

if TYPE_CHECKING:
    from airflow_provider_flyte.client import FlyteConfig
    from airflow_provider_flyte.client.flows.calls import Flow
    from airflow_provider_flyte.task_log import TaskLog
    from airflow_provider_flyte.tries.identity import Try

ON_ITS_WAY = 60.0
"""Seconds for which a worker asks for such runs with each poll: longer than a call takes to arrive."""


def not_known(error: object) -> str:
    """The line for trouble meanwhile, which is no reason to fail."""
    return f"Whether an earlier try of this task has launched another run since is not known. {error}"


def end_stragglers(config: FlyteConfig, trying: Try, key: RunKey, launched_at: str | None, log: TaskLog) -> Flow[None]:
    """Abort the runs of earlier tries that are running beside the one that this try has.

    :param config: of the client that asks.
    :param trying: the task instance and its try.
    :param key: the try's run, which this task instance has launched.
    :param launched_at: where that was, ``host:port``: at another endpoint nothing is looked for. None: not known.
    :param log: the task's log.
    """
    if launched_at not in (None, config.endpoint):
        return

    def key_of(name: str) -> RunKey:
        return RunKey(key.project, key.domain, name)

    found = yield from find_tries(trying, key_of, config.org)
    for name in stragglers(trying, found, key.name):
        why = f"try {trying.number} of the task has another run"
        done = yield from abort_own(config, key_of(name), None, trying.task, why)
        log.warning(
            "Flyte run %s was launched by a process of an earlier try of this task after Airflow had given that "
            "try up. This try has run %s, so the other one is aborted. %s.",
            key_of(name),
            key.name,
            done,
        )
