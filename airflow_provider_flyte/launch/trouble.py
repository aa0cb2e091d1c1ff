"""Trouble before a launch: without an answer from Flyte nothing may be launched. Logged at once, and bounded."""

from __future__ import annotations

import time

from airflow_provider_flyte.client.errors import DeadlineExceededError, LaunchUncertainError, is_lasting, is_transient
from airflow_provider_flyte.exceptions import FlyteLaunchFailed, FlyteLaunchUncertain, FlyteRunError, FlyteUnreachable
from airflow_provider_flyte.task_log import TaskLog, TroubleLog

_GATEWAY_TIMEOUT = 504


class LaunchTrouble:
    """The trouble of a try before its launch.

    :param limit: seconds for which trouble is tolerated; None: for ever.
    :param since: when it began, in seconds since the epoch; None: there is none yet.
    :param uncertain: whether the run may have been launched all the same.
    :param answers_triggerer: whether Flyte has just answered the triggerer.
    :param log: the task's log.
    """

    def __init__(
        self,
        limit: float | None,
        log: TaskLog,
        *,
        since: float | None = None,
        uncertain: bool = False,
        answers_triggerer: bool = False,
    ) -> None:
        self._limit = limit
        self.since = since
        self.uncertain = uncertain
        self._answers_triggerer = answers_triggerer
        self._log = log
        self._trouble_log = TroubleLog(log)

    @property
    def left(self) -> float | None:
        """Seconds that are left of the limit."""
        return None if self._limit is None or self.since is None else max(0.0, self.since + self._limit - time.time())

    def met(self, error: FlyteRunError, began: float) -> None:
        """Note an attempt to read or to launch that failed.

        :param began: when it began.
        :raises FlyteRunError: where waiting cannot help, or has taken too long.
        """
        if not _may_pass(error):
            raise error
        self.uncertain |= isinstance(error, FlyteLaunchUncertain)
        # An answer to the triggerer in between ends nothing: the worker launches, and may be without a way to Flyte.
        if self.since is None:
            self.since = began
        if self._answers_triggerer and isinstance(error, FlyteUnreachable):
            self._log.warning(
                "Flyte has just answered the triggerer, and does not answer this worker. The run is launched from a "
                "worker: compare how the two reach Flyte (network, proxy, DNS, certificates)."
            )
            self._answers_triggerer = False
        if self.left == 0:
            raise self._last(error)
        self._trouble_log.log(_while_waiting(error), " before the launch", over=False)

    def give_up(self) -> None:
        """Let the next error end the try."""
        self._limit = 0.0

    def over(self) -> None:
        """Note that the try has its run."""
        if self.since is not None:
            self._log.info("Flyte answers again.")

    def _last(self, error: FlyteRunError) -> FlyteRunError:
        if not self.uncertain or isinstance(error, FlyteLaunchUncertain):
            return error
        return FlyteLaunchUncertain(
            f"Whether a Flyte run was launched is not known, it may still be running. {error}",
            run=error.run,
            project=error.project,
            domain=error.domain,
            url=error.url,
        )


def _while_waiting(error: FlyteRunError) -> str:
    """What went wrong, without the advice to search for the run: the task itself is about to do so."""
    if not isinstance(error.__cause__, LaunchUncertainError):
        return str(error)
    return (
        f"It is not known whether Flyte run {error.run} was launched. The task looks for it, and launches only if "
        f"Flyte does not have it. {error.__cause__.__cause__}"
    )


def _may_pass(error: FlyteRunError) -> bool:
    """Whether the next attempt may succeed.

    Not after a deadline, ours or a proxy's, of the launch itself: then Flyte has the request and may yet carry it out.
    """
    cause = error.__cause__
    if isinstance(error, FlyteLaunchFailed):
        return cause is not None and not is_lasting(cause)
    if isinstance(cause, LaunchUncertainError):
        first = cause.__cause__
        late = isinstance(first, DeadlineExceededError) or cause.http_status == _GATEWAY_TIMEOUT
        return first is not None and is_transient(first) and not late
    return cause is not None and not is_lasting(cause)
