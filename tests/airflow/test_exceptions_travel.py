"""Exceptions of ours are copied and pickled as they are, also out of another process."""

from __future__ import annotations

import copy
import multiprocessing
import pickle
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import pytest

from airflow_provider_flyte import exceptions
from airflow_provider_flyte.client import errors
from airflow_provider_flyte.client.errors import InputsError, RpcError, Status
from airflow_provider_flyte.connection.reader import ConnectionProblem
from airflow_provider_flyte.exceptions import FlyteRunError, FlyteRunFailed
from airflow_provider_flyte.testing.calls import Refusal


def kinds(module: Any) -> Iterator[type[Exception]]:
    for kind in vars(module).values():
        if isinstance(kind, type) and issubclass(kind, Exception) and kind.__module__ == module.__name__:
            yield kind


def one_of(kind: type[Exception]) -> Exception:
    """An exception of this kind with all that it can have."""
    if issubclass(kind, RpcError):
        error = kind(Status.NOT_FOUND, "no", method="S/M", endpoint="localhost:1", run="r1")
        error.http_status, error.answered, error.transient = 404, True, True
        return error
    if issubclass(kind, FlyteRunError):
        named: dict[str, Any] = {"run": "r1", "project": "p", "domain": "d", "url": "http://x"}
        more: dict[str, Any] = {"phase": "FAILED", "kind": "USER", "message": "a\nb", "attempts": 3}
        errors = (FlyteRunFailed("one", **named, **more),)
        return kind("text", errors=errors, **named, **(more if issubclass(kind, FlyteRunFailed) else {}))
    if issubclass(kind, InputsError):
        return kind("text", mixes_texts=True)
    if kind in (ConnectionProblem, Refusal):
        return kind("one", "text")
    return kind("text")


ALL = [*kinds(errors), *kinds(exceptions), ConnectionProblem, Refusal]


def facts(error: Exception) -> tuple[Any, ...]:
    """What there is to see of it."""
    seen = {name: value for name, value in vars(error).items() if name != "errors"}
    return type(error), str(error), error.args, seen, [facts(each) for each in getattr(error, "errors", ())]


WAYS: list[Callable[[Exception], Exception]] = [copy.copy, copy.deepcopy]
WAYS += [lambda error, protocol=protocol: pickle.loads(pickle.dumps(error, protocol)) for protocol in range(2, 6)]  # type: ignore[misc]


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: str(kind.__name__))
def test_an_exception_is_copied(kind: type[Exception]) -> None:
    error = one_of(kind)
    for way in WAYS:
        again = way(error)
        assert facts(again) == facts(error)


def raise_one(kind: type[Exception]) -> None:
    raise one_of(kind)


@pytest.mark.timeout(180)
def test_exceptions_come_out_of_a_pool_of_processes() -> None:
    spawning = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawning) as pool:
        for kind in (
            errors.NotFoundError,
            errors.InputsError,
            exceptions.FlyteRunFailedForGood,
            exceptions.FlyteRunTimeout,
        ):
            raised = pool.submit(raise_one, kind).exception(timeout=120)
            assert isinstance(raised, Exception)
            assert facts(raised) == facts(one_of(kind))
