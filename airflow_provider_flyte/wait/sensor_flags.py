"""What Airflow's flags make of a sensor's end: ``soft_fail``, ``silent_fail`` and ``never_fail``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow_provider_flyte.compat import AirflowException, AirflowSensorTimeout, AirflowSkipException
from airflow_provider_flyte.exceptions import FlyteRunFailed, FlyteRunMissing

if TYPE_CHECKING:
    from airflow_provider_flyte.compat import Context
    from airflow_provider_flyte.wait.task_wait import TaskWait

_SKIPPED_BY_SOFT_FAIL = (FlyteRunFailed, FlyteRunMissing, AirflowSensorTimeout)
_NOT_SILENCED = (FlyteRunFailed, AirflowSensorTimeout)


class EndsByFlags:
    """A mixin for the sensor. The flags mean the same in every mode."""

    log: Any
    silent_fail: bool
    soft_fail: bool
    never_fail: bool
    _what: Any

    def _end(self, context: Context, wait: TaskWait | None, error: Exception) -> None:
        """End the wait by Airflow's flags, or return when it continues (silent_fail). The same in every mode."""
        from airflow_provider_flyte.report.xcom import push_details

        if self.silent_fail and not isinstance(error, _NOT_SILENCED):
            self.log.error("Still waiting for %s because of silent_fail. %s", self._what, error)
            return
        push_details(self, context, wait)
        if self.never_fail:
            raise AirflowSkipException(f"Skipped because of never_fail. {error}") from error
        if self.soft_fail and isinstance(error, _SKIPPED_BY_SOFT_FAIL):
            raise AirflowSkipException(f"Skipped because of soft_fail. {error}") from error
        raise error

    @contextmanager
    def _never_failing(self) -> Iterator[None]:
        """Skip where never_fail asks for it, as BaseSensorOperator.execute does when poking, for deferred waits too."""
        try:
            yield
        except AirflowException:
            raise
        except Exception as error:
            if self.never_fail:
                raise AirflowSkipException(f"Skipped because of never_fail. {error}") from error
            raise
