"""What ``retry_policy=`` of Airflow 3.3 takes: which errors about Flyte are retried, and how soon.

Nothing else imports this module, because an older Airflow has no retry policies: there, importing it is an ImportError.
"""

from __future__ import annotations

from datetime import timedelta
from enum import Enum
from typing import TYPE_CHECKING, Any

from airflow_provider_flyte.arguments import argument_errors
from airflow_provider_flyte.client.arguments import seconds
from airflow_provider_flyte.client.backoff import backoff
from airflow_provider_flyte.client.errors import FlyteError, LaunchUncertainError, RpcError, Status, is_transient
from airflow_provider_flyte.exceptions import (
    FlyteConfigurationError,
    FlyteRunError,
    FlyteRunFailed,
    FlyteRunStuck,
    FlyteUnreachable,
)

try:
    from airflow.sdk import RetryDecision, RetryPolicy
except ImportError:
    from airflow import __version__

    raise ImportError(
        "FlyteRetryPolicy needs Airflow 3.3 or newer, whose tasks take retry_policy=. This is Airflow "
        f"{__version__}: use retries, retry_delay and FlyteRunOperator's fail_fast_on='user' there."
    ) from None

if TYPE_CHECKING:
    from airflow_provider_flyte.compat import Context


class _Cause(Enum):
    """What a failed try is put down to, in the words of Airflow's log."""

    USER = (
        "The error is the run's own code's (USER error), so the task is not retried. When the code is mended, clear "
        "the task."
    )
    SYSTEM = "Flyte or its cluster failed the run (SYSTEM error)."
    UNREACHABLE = "Flyte could not be reached."
    QUEUE = "Flyte has no room: the run did not leave its queue, or Flyte answered RESOURCE_EXHAUSTED."


class FlyteRetryPolicy(RetryPolicy):
    """Retries a task by what went wrong in Flyte: ``retry_policy=FlyteRetryPolicy()``. For Airflow 3.3 and newer.

    An error of the run's own code (USER) fails the task at once. An error of Flyte or its cluster (SYSTEM), a Flyte
    that cannot be reached, and a full queue are retried after a pause, which is twice as long after each try and whose
    second half is random. All else is retried as Airflow does without a policy. ``retries`` stays the limit.

    Times are seconds or a timedelta. A wrong one raises FlyteArgumentError, an import error of the DAG.

    :param system_delay: the first pause after a SYSTEM error.
    :param unreachable_delay: the first pause after Flyte could not be reached.
    :param queue_delay: the first pause after a run did not leave its queue within ``queued_timeout``, or Flyte answered
        RESOURCE_EXHAUSTED.
    :param max_delay: the longest pause.
    """

    def __init__(
        self,
        *,
        system_delay: float | timedelta = 30,
        unreachable_delay: float | timedelta = 120,
        queue_delay: float | timedelta = 600,
        max_delay: float | timedelta = 3600,
    ) -> None:
        with argument_errors():
            self.system_delay = seconds("system_delay", system_delay)
            self.unreachable_delay = seconds("unreachable_delay", unreachable_delay)
            self.queue_delay = seconds("queue_delay", queue_delay)
            self.max_delay = seconds("max_delay", max_delay)

    def evaluate(
        self, exception: BaseException, try_number: int, max_tries: int, context: Context | None = None
    ) -> RetryDecision:
        """Decide on a failed try. Airflow calls this on the worker, also for a task that had been deferred.

        :param exception: what the try ended with.
        :param try_number: the try's number, from 1.
        :param max_tries: Airflow's: one less than the number of the last try.
        :param context: the task's context.
        """
        cause = _cause(exception)
        if cause is _Cause.USER:
            return RetryDecision.fail(cause.value)
        if cause is None or try_number > max_tries:
            return RetryDecision.default()
        first = {
            _Cause.SYSTEM: self.system_delay,
            _Cause.UNREACHABLE: self.unreachable_delay,
            _Cause.QUEUE: self.queue_delay,
        }[cause]
        delay = backoff(_failures_before(try_number, max_tries, context), first, self.max_delay)
        return RetryDecision.retry(timedelta(seconds=delay), f"{cause.value} The next try is due in {delay:.0f} s.")

    def serialize(self) -> dict[str, Any]:
        """The arguments, in seconds."""
        return dict(vars(self))

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> FlyteRetryPolicy:
        """The policy of what :meth:`serialize` gave."""
        return cls(**data)


def _cause(error: BaseException) -> _Cause | None:
    """What is to blame, by the errors of this provider alone; None: Airflow's own rule applies."""
    if isinstance(error, FlyteRunStuck):
        return _Cause.QUEUE
    if isinstance(error, FlyteRunFailed):
        return {"USER": _Cause.USER, "SYSTEM": _Cause.SYSTEM}.get(error.kind)
    if not isinstance(error, (FlyteRunError, FlyteConfigurationError, FlyteError)):
        return None
    chain: list[BaseException] = [error]
    while (cause := chain[-1].__cause__) is not None and cause not in chain:
        chain.append(cause)
    if any(isinstance(each, RpcError) and each.status is Status.RESOURCE_EXHAUSTED for each in chain):
        return _Cause.QUEUE
    if any(isinstance(each, (FlyteUnreachable, LaunchUncertainError)) or is_transient(each) for each in chain):
        return _Cause.UNREACHABLE
    return None


def _failures_before(try_number: int, max_tries: int, context: Context | None) -> int:
    """How many tries have failed before this one since the task was last cleared.

    Clearing a task raises ``max_tries`` to its newest try and ``retries`` more.
    """
    before = max(0, max_tries - (context["task"].retries or 0)) if context else 0
    return max(0, try_number - 1 - before)
