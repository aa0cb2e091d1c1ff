"""``@task.flyte``: a Flyte run whose inputs a function returns."""

from __future__ import annotations

import asyncio
import copy
import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_flyte import compat
from airflow_provider_flyte.compat import DecoratedOperator, task_decorator_factory
from airflow_provider_flyte.compat.versions import awaits_functions
from airflow_provider_flyte.exceptions import FlyteArgumentError
from airflow_provider_flyte.operators import FlyteRunOperator

__all__ = ["flyte_task"]

if TYPE_CHECKING:
    from airflow_provider_flyte.compat import Context
    from airflow_provider_flyte.flyte_task import FlyteTask, TaskDecorators
    from airflow_provider_flyte.tries.attempt import TryRun
    from airflow_provider_flyte.tries.held_client import HeldClient
    from airflow_provider_flyte.tries.kill import Stopping
    from airflow_provider_flyte.wait.event import RunEvent
    from airflow_provider_flyte.wait.resumption import Settled

    task: TaskDecorators
    """Airflow's ``task``, as type checkers and editors are to know it: with ``task.flyte`` and its arguments."""


def __getattr__(name: str) -> Any:
    """``task`` is Airflow's own."""
    if name == "task":
        return compat.task
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


class _FlyteDecoratedOperator(DecoratedOperator, FlyteRunOperator):
    """A Flyte run whose inputs a function returns.

    The function runs where a try begins from the start, before anything is asked of Flyte; a try that resumes after a
    deferral has what it returned.

    :param python_callable: the function.
    :param op_args: its positional arguments.
    :param op_kwargs: its keyword arguments; it gets what else it names of the context.
    """

    template_fields: Sequence[str] = (*DecoratedOperator.template_fields, *FlyteRunOperator.template_fields)
    template_fields_renderers = {  # noqa: RUF012
        **DecoratedOperator.template_fields_renderers,
        **FlyteRunOperator.template_fields_renderers,
    }
    custom_operator_name = "@task.flyte"
    overwrite_rtif_after_execution = True
    """Whether Airflow 3 shows the inputs as they were launched in Rendered Templates."""

    _returned: Mapping[str, Any] | None = None

    def returned(self) -> str | None:
        from airflow_provider_flyte.launch.returned import pack

        return None if self._returned is None else pack(self._returned)

    def execute(self, context: Context) -> Any:
        # Past Airflow's DecoratedOperator, which on 3.0 fails for want of a method of 2's.
        return FlyteRunOperator.execute(self, context)

    def _launch(
        self, context: Context, client: HeldClient, stopping: Stopping, before: Settled | None, event: RunEvent | None
    ) -> tuple[TryRun, Settled]:
        from airflow_provider_flyte.launch.returned import unpack

        kept = before.returned if before else None
        self._returned = self._called(context) if kept is None else unpack(kept)
        # What is no dict is left for the launch to refuse.
        if isinstance(self.inputs, Mapping | None):
            if twice := [name for name in self._returned if name in (self.inputs or {})]:
                raise FlyteArgumentError(
                    f"{', '.join(map(repr, twice))} is in inputs and in what the function of {self.task_id!r} "
                    "returned. Give each input once."
                )
            self.extend("inputs", self._returned)
        return super()._launch(context, client, stopping, before, event)

    def _called(self, context: Context) -> Mapping[str, Any]:
        """What the function returns. Its arguments do not get into the context, where they would hide Airflow's own."""
        known: Any = copy.copy(context)
        known.update(self.op_kwargs)
        kwargs = compat.determine_kwargs(self.python_callable, self.op_args, known)
        returned: Any = self.python_callable(*self.op_args, **kwargs)
        if inspect.isawaitable(returned):
            returned = asyncio.run(_result(returned))
        if not isinstance(returned, Mapping | None):
            raise FlyteArgumentError(
                f"The function of {self.task_id!r} returned a {type(returned).__name__}. Return a dict of the run's "
                "inputs by their names, or None for a run without inputs."
            )
        return returned or {}


async def _result(awaitable: Awaitable[Any]) -> Any:
    return await awaitable


def _flyte_task(task_name: Any = None, *, multiple_outputs: bool | None = None, **arguments: Any) -> Any:
    """``@task.flyte``: a function whose return value is the inputs of a Flyte run.

    :param task_name: the name of a deployed Flyte task, such as ``train.fit``.
    :param multiple_outputs: Airflow's: whether each of the run's details gets an XCom key of its own. By default not,
        whatever type the function returns: that is the inputs'.
    :param arguments: those of :class:`~airflow_provider_flyte.operators.FlyteRunOperator`. ``inputs`` are further
        inputs, which may be templates; what the function returns is not rendered.
    :raises FlyteArgumentError: where the DAG is read, for what cannot work.
    """
    if task_name is None or callable(task_name):
        raise FlyteArgumentError('@task.flyte needs the name of a Flyte task: @task.flyte("train.fit").')
    decorate = task_decorator_factory(
        # Airflow would take the type of the inputs for that of the task's own result.
        multiple_outputs=bool(multiple_outputs),
        decorated_operator_class=_FlyteDecoratedOperator,
        task_name=task_name,
        **arguments,
    )

    def decorated(function: Callable[..., Any]) -> Any:
        if _is_async(function) and not awaits_functions():
            raise FlyteArgumentError(
                f"{getattr(function, '__name__', function)!r} is an async function, which a task may have from Airflow "
                "3.2 on. Write def instead of async def."
            )
        return decorate(function)

    return decorated


def _is_async(function: Any) -> bool:
    while isinstance(function, partial):
        function = function.func
    function = inspect.unwrap(function)
    return any(map(inspect.iscoroutinefunction, (function, getattr(function, "__call__", None))))  # noqa: B004


flyte_task: FlyteTask = _flyte_task
"""What ``task.flyte`` is: ``@flyte_task("train.fit", ...)`` is the same, and editors know its arguments.

They are those of :class:`~airflow_provider_flyte.operators.FlyteRunOperator`, and Airflow's. ``inputs`` are further
inputs beside those that the function returns, and may be templates; what the function returns is not rendered.
"""
