"""An answer that cannot be read -> what it means, and what is logged of it. Without a server."""

from __future__ import annotations

import asyncio
import logging
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_flyte.client import FlyteConfig
from airflow_provider_flyte.client.errors import BadAnswerError, GarbledAnswerError, RpcError, Status, error_for
from airflow_provider_flyte.client.transport import unreadable
from airflow_provider_flyte.client.transport.discovery import endpoint_of
from airflow_provider_flyte.client.transport.unreadable import AsyncJudgingTransport, Judge, JudgingTransport

CONFIG = FlyteConfig(endpoint="flyte.example:443", insecure=True, project="p", domain="d")


class Judged:
    """A judge, by a clock of the test's."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        self.garbled = 0
        monkeypatch.setattr(unreadable, "time", SimpleNamespace(monotonic=lambda: self.now))
        self.judge = Judge(CONFIG, self._count)

    def _count(self) -> None:
        self.garbled += 1
        if self.garbled > 5:
            raise OSError("no metrics")

    def meets(self, error: Exception | None) -> BaseException | None:
        """The error that a call ends with after this one."""
        try:
            with self.judge.judging():
                if error:
                    raise error
        except Exception as raised:
            return raised
        return None


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Judged:
    caplog.set_level(logging.DEBUG, unreadable.__name__)
    return Judged(monkeypatch)


def bad() -> RpcError:
    return error_for(Status.INTERNAL, "no message", method="ListRuns", endpoint="here").turned_into(BadAnswerError)


def test_other_errors_are_left_alone(judged: Judged) -> None:
    endpoint_of(CONFIG).answered("grpc")
    error = error_for(Status.UNAVAILABLE, "away", method="ListRuns", endpoint="here")
    assert judged.meets(error) is error
    assert judged.meets(None) is None
    assert judged.garbled == 0


def test_answers_before_flyte_was_reached_mean_that_there_is_no_flyte(
    judged: Judged, caplog: pytest.LogCaptureFixture
) -> None:
    error = bad()
    assert judged.meets(error) is error
    assert (judged.garbled, caplog.records) == (0, [])


def test_answers_after_flyte_was_reached_are_garbled_on_the_way(
    judged: Judged, caplog: pytest.LogCaptureFixture
) -> None:
    endpoint_of(CONFIG).answered("grpc")
    error = bad()
    met = judged.meets(error)
    assert isinstance(met, GarbledAnswerError)
    assert met.__cause__ is error
    assert judged.garbled == 1
    [record] = caplog.records
    assert (record.levelno, record.getMessage()) == (logging.WARNING, f"An answer could not be read. {met}")


def test_it_is_logged_once_a_minute(judged: Judged, caplog: pytest.LogCaptureFixture) -> None:
    endpoint_of(CONFIG).answered("grpc")
    levels: list[int] = []
    for now in (1000.0, 1059.9, 1060.0, 1119.9, 1120.1):
        judged.now = now
        judged.meets(bad())
        levels.append(caplog.records[-1].levelno)
    assert levels == [logging.WARNING, logging.DEBUG, logging.WARNING, logging.DEBUG, logging.WARNING]
    assert judged.garbled == 5
    # An answer that cannot be counted is the same error all the same.
    assert isinstance(judged.meets(bad()), GarbledAnswerError)


@pytest.mark.parametrize("way", ["blocking", "loop"])
def test_each_call_is_judged(judged: Judged, way: str) -> None:
    endpoint_of(CONFIG).answered("grpc")
    closed: list[str] = []

    def unary(*_: Any, **__: Any) -> Any:
        raise bad()

    async def unary_on_loop(*_: Any, **__: Any) -> Any:
        raise bad()

    async def close() -> None:
        closed.append("loop")

    method: Any = SimpleNamespace(name="RunService/ListRuns")
    if way == "blocking":
        inner: Any = SimpleNamespace(unary=unary, close=lambda: closed.append("blocking"))
        transport = JudgingTransport(inner, judged.judge)
        with pytest.raises(GarbledAnswerError):
            transport.unary(method, None, timeout=1.0)
        transport.close()
    else:
        on_loop: Any = SimpleNamespace(unary=unary_on_loop, close=close)

        async def main() -> None:
            async_transport = AsyncJudgingTransport(on_loop, judged.judge)
            with pytest.raises(GarbledAnswerError):
                await async_transport.unary(method, None, timeout=1.0)
            await async_transport.close()

        asyncio.run(main())
    assert closed == [way]
