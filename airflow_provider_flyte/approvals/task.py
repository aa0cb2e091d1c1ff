"""What an approval needs of its task, which is a FlyteConditionOperator."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

if TYPE_CHECKING:
    from airflow_provider_flyte.compat import BaseTrigger
    from airflow_provider_flyte.task_log import TaskLog


class ConditionTask(Protocol):
    """The operator's arguments, rendered, and how it defers."""

    @property
    def log(self) -> TaskLog: ...
    @property
    def condition(self) -> str: ...
    @property
    def flyte_conn_id(self) -> str: ...
    @property
    def assigned_users(self) -> Sequence[Mapping[str, str]]: ...
    @property
    def notifiers(self) -> Sequence[Callable[..., Any]]: ...
    @property
    def response_timeout(self) -> float | None: ...
    @property
    def poll_interval(self) -> float: ...
    @property
    def resume_after(self) -> float: ...
    @property
    def default(self) -> bool | int | float | str | None: ...

    def defer(self, *, trigger: BaseTrigger, method_name: str, kwargs: dict[str, Any] | None = None) -> NoReturn: ...
