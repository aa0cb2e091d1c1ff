"""A Flyte in a process of its own whose runs end at a rate, and which notes when."""

from __future__ import annotations

import gc
import multiprocessing
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from airflow_provider_flyte.testing import (
    LocalFlyte,
    RunHandle,
    cut_stream,
    lost_updates,
    slow_first_message,
    unavailable,
)

OVER = "over"
"""A run that has ended before anybody waits."""

STREAMS = ("WatchRuns", "WatchRunDetails", "WatchActionDetails")
_SPAWN = multiprocessing.get_context("spawn")


def run_names(count: int) -> list[str]:
    """The runs that end."""
    return [f"run-{number}" for number in range(count)]


@dataclass(frozen=True)
class Shape:
    """What the server is like.

    :param lost: the share of updates that get lost.
    :param projects: over how many projects the runs are spread: ``project-0`` and so on; None: all in flytesnacks.
    :param opens_after: seconds until a stream's first message.
    :param cut_every: seconds after which a proxy cuts a stream; 0: never.
    """

    lost: float = 0.0
    projects: int | None = None
    opens_after: float = 0.0
    cut_every: float = 0.0

    def project(self, number: int) -> str:
        """Where a run is."""
        return f"project-{number % self.projects}" if self.projects else "flytesnacks"


@dataclass(frozen=True)
class Bound:
    """What the server was asked."""

    calls: int
    streams: int


class EndingFlyte:
    """The server, as the process that measures sees it; open until the block ends.

    :param count: how many runs there are.
    """

    def __init__(self, count: int, shape: Shape = Shape()) -> None:
        self._pipe, self._theirs = _SPAWN.Pipe()
        self._process = _SPAWN.Process(target=_serve, args=(self._theirs, count, shape), daemon=True)

    def __enter__(self) -> EndingFlyte:
        self._process.start()
        # Whoever dies, the other one is told by the end of the pipe.
        self._theirs.close()
        self.endpoint: str = self._pipe.recv()
        assert self._process.pid
        self.pid = self._process.pid
        return self

    def __exit__(self, *_: object) -> None:
        self._pipe.close()
        self._process.join(30)
        self._process.kill()

    def forget_calls(self) -> None:
        """Count calls from now on."""
        self._ask("forget_calls")

    def end_all(self, rate: float, most: int | None = None) -> list[float]:
        """End so many runs a second until all are over; the time of each run's end. The order is a random one.

        :param most: end no more than this; the time of the others is 0.
        """
        ends: list[float] = self._ask("end_all", rate, most)
        return ends

    def go_away(self) -> None:
        """Refuse every call from now on."""
        self._ask("go_away")

    def come_back(self) -> None:
        """Answer again."""
        self._ask("come_back")

    def asked(self) -> Bound:
        """What was asked since the calls were forgotten."""
        asked: Bound = self._ask("asked")
        return asked

    def _ask(self, what: str, *arguments: Any) -> Any:
        self._pipe.send((what, *arguments))
        return self._pipe.recv()


def _serve(pipe: Connection, count: int, shape: Shape) -> None:
    # Requests are kept whole, and here nobody looks at them.
    with LocalFlyte(keep_calls=1) as flyte:
        flyte.run(OVER).move("SUCCEEDED")
        runs = [
            flyte.run(name, project=shape.project(number)).move("RUNNING")
            for number, name in enumerate(run_names(count))
        ]
        if shape.lost:
            flyte.inject("WatchRuns", lost_updates(shape.lost, seed=1))
        if shape.opens_after:
            flyte.inject("WatchRuns", slow_first_message(shape.opens_after))
        if shape.cut_every:
            flyte.inject("WatchRuns", cut_stream(seconds=shape.cut_every))
        # Flyte is not written in Python: no collection of so many runs is to hold its answers up.
        gc.collect()
        gc.freeze()
        pipe.send(flyte.endpoint)
        while True:
            try:
                what, *arguments = pipe.recv()
            except EOFError:
                return
            if what == "forget_calls":
                pipe.send(flyte.calls.clear())
            elif what == "go_away":
                pipe.send(flyte.inject("*", unavailable()))
            elif what == "come_back":
                pipe.send(flyte.clear_faults())
            elif what == "end_all":
                pipe.send(_end_all(runs, *arguments))
            else:
                streams = sum(map(flyte.calls.count, STREAMS))
                pipe.send(Bound(calls=flyte.calls.count() - streams, streams=streams))


def _end_all(runs: Sequence[RunHandle], rate: float, most: int | None) -> list[float]:
    ends = [0.0] * len(runs)
    order = random.Random(1).sample(range(len(runs)), min(len(runs), most or len(runs)))
    began = time.monotonic()
    for place, number in enumerate(order, start=1):
        ahead = began + place / rate - time.monotonic()
        if ahead > 0:
            time.sleep(ahead)
        ends[number] = time.time()
        runs[number].move("SUCCEEDED")
    return ends
