"""How the wait of one task ended without success, as one exception, whether it has one run or several."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from airflow_provider_flyte.client.outside import MOST_NAMED
from airflow_provider_flyte.client.verdict import Outcome, Verdict
from airflow_provider_flyte.exceptions import (
    FlyteConfigurationError,
    FlyteRunError,
    FlyteRunFailed,
    FlyteRunMissing,
    FlyteRunPaused,
    FlyteRunTimeout,
    FlyteUnreachable,
    FlyteWaitBroken,
)
from airflow_provider_flyte.task_log import TaskLog
from airflow_provider_flyte.wait.event import ANSWERED, Ending, RunEvent
from airflow_provider_flyte.wait.run_wait import RunWait, trouble_in

if TYPE_CHECKING:
    from airflow_provider_flyte.client.flows.conditions import Condition


class WaitErrors:
    """The exceptions of one task's wait.

    :param runs: its runs.
    :param several: whether the task gets a dict of runs, which may have but one.
    :param log: the task's log.
    """

    def __init__(self, runs: Sequence[RunWait], several: bool, log: TaskLog) -> None:
        self._runs = runs
        self._several = several
        self._log = log

    def explain(self, event: RunEvent) -> Exception | None:
        """What a wait ends with whose run is not over as far as the worker sees, where the trigger's event still
        holds; None where it does not, which is logged.

        :param event: the trigger's event; its timeouts are the caller's.
        """
        trouble = trouble_in(self._runs)
        if event.ending is Ending.MISSING and any(run.absent for run in self._runs):
            return self.missing()
        if trouble and event.ending in ANSWERED:
            return self.unreachable(_unanswered_here(trouble, event))
        if trouble and event.ending is Ending.UNREACHABLE:
            return self.unreachable(trouble)
        if event.ending is Ending.CRASHED:
            return self.broken(event.message)
        if event.ending is Ending.NO_CONNECTION:
            return FlyteConfigurationError(
                "The triggerer could not use the Airflow connection, which this worker can use. The Flyte run may "
                f"still be running: {self._runs[0].url} {event.message}"
            )
        if event.ending is Ending.UNREACHABLE:
            self._log.warning(
                "Flyte answers this worker, and gave the triggerer no usable answer. The task keeps waiting. If this "
                "comes again, compare how the two reach Flyte (network, proxy, DNS, certificates). %s",
                event.message,
            )
            return None
        self._log.info(
            "The trigger reported that %s. This is no longer so, and the task keeps waiting.", event.describe()
        )
        return None

    def error(self, verdict: Verdict, event: RunEvent | None = None) -> FlyteRunError:
        """The exception for a wait that ended without success.

        :param event: the trigger's, if there was one.
        """
        if not self._several:
            return _error(self._runs[0], verdict, event)
        runs = [run for run in self._runs if run.verdict.over and not run.is_good]
        if verdict.outcome is Outcome.SUCCEEDED:
            # Enough runs have succeeded, but their details cannot be read.
            runs = [run for run in runs if run.verdict.outcome is Outcome.SUCCEEDED]
        return self._together([_error(run, run.verdict, event) for run in runs])

    def missing(self) -> FlyteRunError:
        """The exception for runs that ListRuns does not have."""
        return self._together([run.missing() for run in self._those(lambda run: run.absent)])

    def paused(self, condition: Condition) -> FlyteRunError:
        """The exception for a run that waits for an answer, which nobody is to wait for."""
        return self._together([run.paused(condition) for run in self._those(lambda run: run.key == condition.key)])

    def unreachable(self, why: str) -> FlyteRunError:
        """The exception for runs whose state could not be read."""
        return self._together([run.unreachable(why) for run in self._those(lambda run: bool(run.trouble))])

    def timed_out(self, timeout: float) -> FlyteRunError:
        """The exception for the sensor's own ``timeout``."""
        return self._together([run.timed_out(timeout) for run in self._those(lambda run: not run.settled)])

    def broken(self, why: str) -> FlyteRunError:
        """The exception for a trigger that ended without an answer."""
        return self._together([run.broken(why) for run in self._those(lambda run: not run.settled)])

    def _those(self, concerned: Callable[[RunWait], bool]) -> Sequence[RunWait]:
        """The runs that an error is about; all of them where it is about none in particular."""
        return [run for run in self._runs if concerned(run)] or self._runs

    def _together(self, errors: list[FlyteRunError]) -> FlyteRunError:
        """One error for all, of the kind whose run is least likely to succeed."""
        if not self._several:
            return errors[0]
        errors = sorted(errors, key=_hope)
        first = errors[0]
        lines = []
        for error in errors[:MOST_NAMED]:
            line = str(error).partition("\n")[0]
            lines.append(line if error.url in line else f"{line} {error.url}")
        if len(errors) > MOST_NAMED:
            lines.append(f"... and {len(errors) - MOST_NAMED} more")
        if isinstance(first, FlyteRunFailed):
            lines.append(
                "Runs that are over cannot change, so the task is not retried. Launch them anew, then clear this task."
            )
        text = f"Of {len(self._runs)} Flyte runs, {len(errors)} did not succeed:\n" + "\n".join(lines)
        return type(first)(text, **(vars(first) | {"errors": errors}))


def _unanswered_here(trouble: str, event: RunEvent) -> str:
    """Why the worker knows nothing of a run of which the triggerer had an answer."""
    return (
        f"Flyte answered the triggerer, which reported that {event.describe()}, and this worker got no usable "
        f"answer: compare how the two reach Flyte (network, proxy, DNS, certificates). {trouble}"
    )


def _error(run: RunWait, verdict: Verdict, event: RunEvent | None) -> FlyteRunError:
    if event and event.ending in ANSWERED and verdict.outcome is Outcome.UNREACHABLE:
        return run.unreachable(_unanswered_here(verdict.message, event))
    return run.error(verdict)


_HOPELESS_FIRST = (FlyteRunFailed, FlyteRunTimeout, FlyteRunMissing, FlyteRunPaused, FlyteUnreachable, FlyteWaitBroken)


def _hope(error: FlyteRunError) -> int:
    return next(rank for rank, kind in enumerate(_HOPELESS_FIRST) if isinstance(error, kind))
