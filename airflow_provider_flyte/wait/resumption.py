"""The facts that a deferred task resumes with: what was settled before it deferred, and in which try.

Airflow hands it over as the arguments of the resumption, but not always: ``dag.test()`` and a trigger that fails put
their own in their place. So it is in XCom as well, which Airflow keeps over a deferral. And it may hand it to a try
that it does not belong to: 3.0 to the retry after a deferred try has failed, 2.11 to the try after a scheduler's reset.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_flyte.compat import Context
    from airflow_provider_flyte.task_log import TaskLog
    from airflow_provider_flyte.wait.event import RunEvent

XCOM_KEY = "_flyte_resumption"

OPERATOR, SENSOR = "FlyteRunOperator", "FlyteRunSensor"


@dataclass(frozen=True)
class Settled:
    """The facts that were settled in a try. JSON types only; times are seconds since the epoch.

    A connection that changes while the task waits moves neither the wait nor an abort.
    """

    kind: str
    """What has settled it: :data:`OPERATOR` or :data:`SENSOR`. An edited DAG may have the other one now."""

    try_number: int
    """The try that it belongs to."""

    project: str | None
    """None: the connection's, which could not be read yet."""

    domain: str | None
    run_names: list[str]
    """The runs that are waited for, each once."""

    endpoint: str | None = None
    """Where Flyte was, ``host:port``: a run that another Flyte does not have is not missing."""

    launched: bool | None = True
    """Whether an operator has its run; None: it is not known whether it was launched."""

    asked_name: str | None = None
    """An operator's ``run_name`` as it was rendered: for a launch that is still to come, and other tries' names."""

    returned: str | None = None
    """What the function of ``@task.flyte`` returned, for a launch that is still to come (``launch/returned.py``)."""

    began: float = 0.0
    """When this try polled first; before a launch, since when Flyte has given no answer."""

    deadline: float | None = None
    """End of a sensor's ``timeout``."""

    execution_deadline: float | None = None
    """End of ``execution_timeout``."""

    ours: bool = False
    """Whether this task instance launched the run."""

    queued_until: float | None = None
    """When the run has to have left its queue."""

    logs: dict[str, Any] | None = None
    """How far the logs of the runs were written into the task's, by their names."""

    def belongs_to(self, context: Context, kind: str, log: TaskLog) -> bool:
        """Whether it was settled in the try that runs now, by a task of the same kind."""
        if kind != self.kind:
            from airflow_provider_flyte.client.outside import first_names

            log.warning(
                "The DAG was edited while this task was deferred: it was a %s, which %s %s, and is a %s now. So this "
                "try begins from the start.%s",
                self.kind,
                "was to wait for" if self.kind == SENSOR else "had launched or was to launch",
                first_names(self.run_names),
                kind,
                ""
                if self.kind == SENSOR
                else " A run that was launched is not aborted, and runs until it ends or somebody aborts it in Flyte.",
            )
            return False
        number = context["ti"].try_number
        if number != self.try_number:
            log.info(
                "Airflow resumes try %s with what try %s waited for, so this try begins from the start.",
                number,
                self.try_number,
            )
        return bool(number == self.try_number)

    def after(self, event: RunEvent | None) -> Settled:
        """The same after a trigger's event, which tells how far it has written logs."""
        return replace(self, logs={**(self.logs or {}), **event.logs}) if event and event.logs else self

    @property
    def late(self) -> bool:
        """Whether the deadline has passed."""
        return self.deadline is not None and time.time() >= self.deadline

    def keep(self, context: Context, log: TaskLog) -> dict[str, Any]:
        """The arguments of the resumption, which are in XCom from now on too."""
        values = asdict(self)
        try:
            context["ti"].xcom_push(key=XCOM_KEY, value=values)
        except Exception as error:
            log.warning(
                "XCom did not take what the task resumes with. It is needed only where Airflow loses its own copy. %s",
                error,
            )
        return values


def settled_before(context: Context, given: Mapping[str, Any], log: TaskLog) -> Settled | None:
    """The facts that were settled before the deferral, in whichever try; None where Airflow has lost them.

    :param given: the arguments of the resumption.
    :param log: the task's log.
    """
    return _read(given) or _read(_stored(context, log))


def _stored(context: Context, log: TaskLog) -> object:
    from airflow_provider_flyte.tries.task_instance import is_in_loop

    if is_in_loop(context):
        # The iterations of a task loop share one XCom, where another one's runs may be.
        return None
    ti: Any = context["ti"]
    try:
        return ti.xcom_pull(task_ids=ti.task_id, key=XCOM_KEY, map_indexes=-1 if ti.map_index is None else ti.map_index)
    except Exception as error:
        log.warning("Airflow has lost what the task resumes with, and it could not be read from XCom. %s", error)
        return None


def _read(values: object) -> Settled | None:
    if not isinstance(values, Mapping):
        return None
    known = {field.name: values[field.name] for field in fields(Settled) if field.name in values}
    try:
        return Settled(**known)
    except TypeError:
        # An older version's, or nothing.
        return None
