"""One condition and its run, read again and again: whether it waits, or why no answer to it can come any more."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from airflow_provider_flyte.client.arguments import MISSING_AFTER
from airflow_provider_flyte.client.errors import ConditionError, FlyteError
from airflow_provider_flyte.client.phase import is_terminal
from airflow_provider_flyte.client.run_key import RunKey
from airflow_provider_flyte.task_log import TaskLog, TroubleLog

if TYPE_CHECKING:
    from airflow_provider_flyte.client import RunWatcher
    from airflow_provider_flyte.client.flows.calls import Flow
    from airflow_provider_flyte.client.flows.conditions import Condition

_T = TypeVar("_T")

_How: TypeAlias = "Callable[[RunKey, str, str], Flow[Condition | None]]"


class ConditionReader:
    """Reads a condition with the shared watcher.

    :param watcher: makes the calls.
    :param key: the run.
    :param condition: the condition's name, or its action's.
    :param log: gets trouble, once.
    :param now: seconds since the epoch.
    """

    def __init__(
        self, watcher: RunWatcher, key: RunKey, condition: str, log: TaskLog, now: Callable[[], float]
    ) -> None:
        self.watcher = watcher
        self.key = key
        self._condition = condition
        self._trouble = TroubleLog(log)
        self._now = now
        self._absent_since: float | None = None
        self._over_since: float | None = None
        self._in_trouble = False

    @property
    def missing(self) -> bool:
        """Whether Flyte has said for so long that it has no such run; any trouble begins that time anew."""
        return self._absent_since is not None and self._now() - self._absent_since >= MISSING_AFTER

    def is_hopeless(self, over: bool | None) -> bool:
        """Whether no answer can come any more: the run is over, and its condition was read after that.

        Or it could not be read for so long.

        :param over: whether the run was over before the condition was read; None where Flyte gave no answer.
        """
        if not over:
            self._over_since = None
            return False
        if self._over_since is None:
            self._over_since = self._now()
        return not self._in_trouble or self._now() - self._over_since >= MISSING_AFTER

    async def read(self, how: _How) -> tuple[bool | None, Condition | None]:
        """Whether the run is over, and its condition; None for what Flyte does not answer, which is logged once.

        :param how: how the condition is searched for: of the run, the org and its name.
        """
        # The run first, so that no condition is overlooked that came last.
        over, of_run = await _answer(self._run_is_over())
        found, of_condition = await _answer(
            self.watcher.asking.ask(lambda client: how(self.key, client.config.org, self._condition))
        )
        trouble = of_run or of_condition
        self._in_trouble = bool(trouble)
        # Both together: an answer to one of them does not end the trouble with the other.
        self._trouble.log(trouble, f" about run {self.key.name}", over=False)
        return over, found

    async def _run_is_over(self) -> bool:
        from airflow_provider_flyte.client.flows.named_runs import phase_of

        absent_since, self._absent_since = self._absent_since, None
        phase = await self.watcher.asking.ask(lambda client: phase_of(self.key, client.config.org))
        if phase is None:
            self._absent_since = self._now() if absent_since is None else absent_since
        return phase is not None and is_terminal(phase)


async def _answer(asked: Awaitable[_T]) -> tuple[_T | None, str]:
    """Flyte's answer, or else why there is none."""
    try:
        return await asked, ""
    except ConditionError:
        raise
    except FlyteError as error:
        return None, str(error)
