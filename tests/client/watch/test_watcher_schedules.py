"""Random schedules of starts, ends, faults and cancellations: whatever happens, every wait ends as its run did."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from airflow_provider_flyte.client import FlyteClient, RunWatcher
from airflow_provider_flyte.client.phase import RunPhase, is_successful, is_terminal
from airflow_provider_flyte.client.transport.selector import forget
from airflow_provider_flyte.client.verdict import Outcome, WaitRules
from airflow_provider_flyte.testing import (
    LocalFlyte,
    cut_stream,
    delay,
    garbled,
    lost_updates,
    silent_stream,
    status,
    unavailable,
)
from tests.client.conftest import config_for

NAMES = [f"r{number}" for number in range(6)]
ENDS = ["succeeds", "fails", "aborts", "times_out", "recovers"]
FAULTS: list[tuple[str, Any]] = [
    ("WatchRuns", lambda: lost_updates(0.5)),
    ("WatchRuns", lambda: lost_updates(1.0)),
    ("WatchRuns", lambda: cut_stream(seconds=0.05)),
    ("WatchRuns", lambda: cut_stream(after=1, code="OK")),
    ("WatchRuns", lambda: silent_stream(after=1)),
    ("WatchRuns", lambda: status("UNIMPLEMENTED", "no stream")),
    ("WatchRuns", lambda: garbled()),
    ("ListRuns", lambda: unavailable()),
    ("ListRuns", lambda: delay(0.05)),
    ("ListRuns", lambda: status("INVALID_ARGUMENT", "no such field")),
    ("ListRuns", lambda: status("INTERNAL", "broken")),
    ("ListRuns", lambda: status("NOT_FOUND", "failed")),
    ("*", lambda: unavailable()),
    ("*", lambda: status("UNKNOWN", "what?")),
]
FOREVER = WaitRules(missing_after=None, unreachable_after=None)


class Schedules(RuleBasedStateMachine):
    """One server, one watcher, a handful of runs."""

    protocol = "grpc"

    def __init__(self) -> None:
        super().__init__()
        forget()
        self.loop = asyncio.new_event_loop()
        self.flyte = LocalFlyte(transports=(self.protocol,)).start()
        self.up = True
        self.client = FlyteClient(config_for(self.flyte))
        self.waits: list[tuple[str, asyncio.Task[Any]]] = []

    @initialize()
    def begin(self) -> None:
        async def make() -> RunWatcher:
            return RunWatcher(
                self.client, poll_interval=0.05, min_poll_interval=0.02, max_calls_per_second=1000, rules=FOREVER
            )

        self.watcher = self.loop.run_until_complete(make())

    def some_time(self, seconds: float = 0.01) -> None:
        self.loop.run_until_complete(asyncio.sleep(seconds))

    @rule(name=st.sampled_from(NAMES))
    def wait(self, name: str) -> None:
        self.waits.append((name, self.loop.create_task(self.watcher.wait(name))))
        self.some_time()

    @rule(name=st.sampled_from(NAMES), phase=st.sampled_from(["QUEUED", "RUNNING", "PAUSED", 99]))
    def goes_on(self, name: str, phase: Any) -> None:
        run = self.flyte.run(name)
        if not is_terminal(run.phase):
            run.move(phase)
        self.some_time()

    @rule(name=st.sampled_from(NAMES), end=st.sampled_from(ENDS))
    def ends(self, name: str, end: str) -> None:
        run = self.flyte.run(name)
        if not is_terminal(run.phase):
            getattr(run, end)()
        self.some_time()

    @precondition(lambda self: self.waits)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        entry = data.draw(st.sampled_from(self.waits))
        self.waits.remove(entry)
        self.check(*entry)
        entry[1].cancel()
        self.some_time()

    @rule(fault=st.sampled_from(FAULTS))
    def fault(self, fault: tuple[str, Any]) -> None:
        self.flyte.inject(fault[0], fault[1]())
        self.some_time(0.03)

    @rule()
    def mend(self) -> None:
        self.flyte.clear_faults()
        self.some_time()

    @rule()
    def restart(self) -> None:
        """An outage, or its end."""
        (self.flyte.stop if self.up else self.flyte.start)()
        self.up = not self.up
        self.some_time()

    def check(self, name: str, wait: asyncio.Task[Any]) -> None:
        """A wait that has ended did so as its run did."""
        if wait.done():
            phase = self.flyte.run(name).phase
            assert is_terminal(phase), f"{name} goes on in {phase}"
            good = is_successful(phase)
            assert wait.result().outcome is (Outcome.SUCCEEDED if good else Outcome.FAILED)

    def teardown(self) -> None:
        try:
            for each in self.waits:
                self.check(*each)
            self.flyte.clear_faults()
            if not self.up:
                self.flyte.start()
            for name in NAMES:
                if not is_terminal(self.flyte.run(name).phase):
                    self.flyte.run(name).move(RunPhase.SUCCEEDED.name)
            self.loop.run_until_complete(self.all_end())
        finally:
            self.flyte.stop()
            self.loop.close()

    async def all_end(self) -> None:
        try:
            await asyncio.wait_for(asyncio.gather(*(wait for _, wait in self.waits)), 20)
            for each in self.waits:
                self.check(*each)
            assert len(self.watcher) == 0
        finally:
            await self.watcher.aclose()
            await self.client.aclose()


@pytest.mark.timeout(300)
def test_every_wait_ends_as_its_run_did(protocol: str) -> None:
    made = type(f"SchedulesOver{protocol.title()}", (Schedules,), {"protocol": protocol})
    run_state_machine_as_test(
        made,
        settings=settings(
            max_examples=12,
            stateful_step_count=30,
            suppress_health_check=list(HealthCheck),
            derandomize=True,
        ),
    )
