"""What an editor and a type checker know of ``task.flyte``. It does not exist at run time.

A test compares the arguments with the operator's.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any, ParamSpec, Protocol, TypeVar

from airflow.sdk.bases.decorator import Task
from airflow.sdk.definitions.decorators import TaskDecoratorCollection

FParams = ParamSpec("FParams")
FInputs = TypeVar("FInputs", bound=Mapping[str, Any] | Awaitable[Mapping[str, Any] | None] | None)

class FlyteTask(Protocol):
    """``@task.flyte("train.fit")`` over a function that returns the run's inputs, with the operator's arguments."""

    def __call__(
        self,
        task_name: str,
        *,
        version: str | None = ...,
        trigger_name: str | None = ...,
        inputs: Mapping[str, Any] | None = ...,
        run_start_time: str | date | None = ...,
        project: str | None = ...,
        domain: str | None = ...,
        flyte_conn_id: str = ...,
        run_name: str | None = ...,
        labels: Mapping[str, str] | None = ...,
        annotations: Mapping[str, str] | None = ...,
        env_vars: Mapping[str, str] | None = ...,
        run_context: Mapping[str, str] | None = ...,
        flyte_queue: str | None = ...,
        interruptible: bool | None = ...,
        overwrite_cache: bool = ...,
        cache_lookup_scope: str | None = ...,
        service_account: str | None = ...,
        raw_data_prefix: str | None = ...,
        run_base_dir: str | None = ...,
        max_action_concurrency: int | None = ...,
        notification_rule: str | None = ...,
        notifications: Sequence[Mapping[str, Any]] = ...,
        wait: bool = ...,
        deferrable: bool = ...,
        poll_interval: float | timedelta = ...,
        retry_as: str = ...,
        force_rerun_actions: Sequence[str] = ...,
        fail_fast_on: str | None = ...,
        queued_timeout: float | timedelta | None = ...,
        abort_on_kill: bool = ...,
        abort_on_timeout: bool = ...,
        missing_after: float | timedelta | None = ...,
        unreachable_after: float | timedelta | None = ...,
        launch_unreachable_after: float | timedelta | None = ...,
        resume_after: float | timedelta = ...,
        log_progress: bool = ...,
        stream_logs: bool | None = ...,
        on_paused: str | None = ...,
        log_lines: int = ...,
        redact_env: bool = ...,
        multiple_outputs: bool | None = ...,
        **kwargs: Any,
    ) -> Callable[[Callable[FParams, FInputs]], Task[FParams, FInputs]]: ...

class TaskDecorators(TaskDecoratorCollection):
    """Airflow's ``task``, with ``task.flyte``."""

    flyte: FlyteTask
