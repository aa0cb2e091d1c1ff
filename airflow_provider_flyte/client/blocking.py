"""Methods that are written once, as a client and a flow, and called as ``f()`` and ``await f.aio()``."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import partial
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, TypeVar

from airflow_provider_flyte.client.flows.calls import Flow

if TYPE_CHECKING:
    from airflow_provider_flyte.client.client import FlyteClient

P = ParamSpec("P")
T = TypeVar("T")

Bound = tuple["FlyteClient", Flow[T]]


class _Bound(Generic[P, T]):
    """A bound :class:`blocking` method: blocks when called, awaits through ``.aio``."""

    def __init__(self, ask: Callable[P, Bound[T]]) -> None:
        self._ask = ask

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> T:
        client, flow = self._ask(*args, **kwargs)
        return client.execute(flow)

    def aio(self, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, T]:
        client, flow = self._ask(*args, **kwargs)
        return client.aexecute(flow)


class _Blocking(Generic[P, T]):
    def __init__(self, ask: Callable[Concatenate[Any, P], Bound[T]], *, on_class: bool = False) -> None:
        self._ask = ask
        self._on_class = on_class
        self.__doc__ = ask.__doc__

    def __get__(self, instance: object, owner: type) -> _Bound[P, T]:
        if instance is None and not self._on_class:
            return self  # type: ignore[return-value]  # for help() and documentation tools
        return _Bound(partial(self._ask, owner if self._on_class else instance))


def blocking(ask: Callable[Concatenate[Any, P], Bound[T]]) -> _Blocking[P, T]:
    return _Blocking(ask)


def blocking_on_class(ask: Callable[Concatenate[Any, P], Bound[T]]) -> _Blocking[P, T]:
    return _Blocking(ask, on_class=True)
