"""The exceptions that a DAG author may catch.

FlyteRunError (AirflowException)    .run .project .domain .url .errors
+-- FlyteRunFailed                  the run is over and has not succeeded: .phase .kind .message .attempts
|   +-- FlyteRunAborted                 somebody stopped it
|   +-- FlyteRunTimedOut                it ran into a time limit of Flyte's
|   +-- FlyteRunStuck                   it never left its queue, and queued_timeout has passed
+-- FlyteRunMissing                 Flyte does not have the run; a retry waits for it again
+-- FlyteRunTimeout                 the sensor's timeout has passed; the task fails without a retry
+-- FlyteRunPaused                  the run waits for an answer, and on_paused="fail"; a retry waits for it again
+-- FlyteConditionUnanswered        the condition ended without an answer; the task fails without a retry
+-- FlyteUnreachable                the run's state is unknown; a retry polls again
|   +-- FlyteLaunchUncertain            whether it was launched is unknown too; a retry finds it if it was
+-- FlyteOutputsUnreadable          the run has succeeded, its outputs cannot be read; a retry launches nothing
+-- FlyteWaitBroken                 the trigger broke, not the run; a retry waits again
+-- FlyteLaunchFailed               nothing was launched: Flyte refuses it, or was not reached; a retry tries again
+-- FlyteTaskKilled                 the task was stopped; the log has whether its run was aborted or keeps running
+-- FlyteRunTaken                   the run's name belongs to somebody else; the task fails without a retry
FlyteConfigurationError (AirflowException)    the connection cannot work
+-- FlyteArgumentError              an argument cannot work; the task fails without a retry
+-- FlyteTaskMissing                no such Flyte task is deployed; a retry tries again

A sensor never retries a failed run, an operator does unless ``fail_fast_on`` is set. What is not to be
retried is also an AirflowFailException: FlyteRunFailedForGood is a FlyteRunFailed, and so on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow_provider_flyte.compat import AirflowException, AirflowFailException, AirflowSensorTimeout


class FlyteRunError(AirflowException):
    """The wait for a run did not end in its success.

    :param text: the sentence that the log shows.
    :param run: the run's name.
    :param project: its project.
    :param domain: its domain.
    :param url: its page in the Flyte console.
    :param errors: of a task that waits for several runs, the error of each that did not succeed; the other arguments
        are those of the first of them.
    """

    def __init__(
        self,
        text: str,
        *,
        run: str,
        project: str,
        domain: str,
        url: str = "",
        errors: Sequence[FlyteRunError] = (),
    ) -> None:
        super().__init__(text)
        self.run = run
        self.project = project
        self.domain = domain
        self.url = url
        self.errors = tuple(errors)

    def __reduce__(self) -> tuple[Any, ...]:
        # Exceptions are copied and pickled by their arguments, and most of these have names.
        return _error_again, (type(self), str(self)), vars(self)


def _error_again(cls: type[FlyteRunError], text: str) -> FlyteRunError:
    return cls(text, run="", project="", domain="")


class FlyteRunFailed(FlyteRunError):
    """The run is over and has not succeeded. Waiting again cannot change it.

    :param phase: ``FAILED``, ``ABORTED`` or ``TIMED_OUT``.
    :param kind: ``USER`` (the run's own code), ``SYSTEM`` (Flyte or its cluster), ``ABORTED``, ``UNKNOWN`` or ''.
    :param message: Flyte's message.
    :param attempts: how many attempts Flyte made; 0 where it is not known.
    """

    def __init__(
        self,
        text: str,
        *,
        run: str,
        project: str,
        domain: str,
        url: str = "",
        phase: str = "",
        kind: str = "",
        message: str = "",
        attempts: int = 0,
        errors: Sequence[FlyteRunError] = (),
    ) -> None:
        super().__init__(text, run=run, project=project, domain=domain, url=url, errors=errors)
        self.phase = phase
        self.kind = kind
        self.message = message
        self.attempts = attempts


class FlyteRunAborted(FlyteRunFailed):
    """Somebody stopped the run, or Airflow did; ``message`` is the reason that was given."""


class FlyteRunTimedOut(FlyteRunFailed):
    """The run ran into a time limit of Flyte's. FlyteRunTimeout is a sensor's."""


class FlyteRunStuck(FlyteRunFailed):
    """The run never left its queue: ``queued_timeout`` has passed, and it was aborted."""


class FlyteRunFailedForGood(FlyteRunFailed, AirflowFailException):
    """Not to be retried."""


class FlyteRunAbortedForGood(FlyteRunAborted, AirflowFailException):
    """Not to be retried."""


class FlyteRunTimedOutForGood(FlyteRunTimedOut, AirflowFailException):
    """Not to be retried."""


class FlyteRunMissing(FlyteRunError):
    """ListRuns does not have the run, and the grace period is over."""


class FlyteRunTimeout(FlyteRunError, AirflowSensorTimeout):
    """The sensor's ``timeout`` has passed and the run is not over. The run itself keeps running."""


class FlyteUnreachable(FlyteRunError):
    """Flyte gave no usable answer for longer than the budget: whether the run is over is not known."""


class FlyteRunPaused(FlyteRunError):
    """The run waits for an answer, and ``on_paused="fail"``. It is not aborted; a retry waits for it."""


class FlyteConditionUnanswered(FlyteRunError, AirflowFailException):
    """The condition was not answered: its run is over, it ended otherwise, or ``response_timeout`` has passed."""


class FlyteLaunchUncertain(FlyteUnreachable):
    """It is not known whether the run was launched: the answer was lost, and Flyte could not be asked afterwards."""


class FlyteOutputsUnreadable(FlyteRunError):
    """The run has succeeded, and Flyte does not give its outputs. A retry reads them again and launches nothing."""


class FlyteLaunchFailed(FlyteRunError):
    """Nothing was launched: Flyte refuses it, or could not be reached any more."""


class FlyteTaskKilled(FlyteRunError):
    """The task's process was asked to end. Airflow has already decided the task's state."""


class FlyteRunTaken(FlyteRunError, AirflowFailException):
    """A run has the name that this task's run would have, and it is not this task instance's."""


class FlyteWaitBroken(FlyteRunError):
    """The trigger ended without an answer; this means nothing for the run."""


class FlyteConfigurationError(AirflowException):
    """The connection is missing or cannot be used; nothing was asked of Flyte."""


class FlyteArgumentError(FlyteConfigurationError, AirflowFailException):
    """An argument of the task cannot work, so a retry cannot either; nothing was asked of Flyte."""


class FlyteTaskMissing(FlyteConfigurationError):
    """No such Flyte task is deployed, or not in this version, or without this trigger; nothing was launched. It may be
    deployed later.
    """
