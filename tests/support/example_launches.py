"""The Flyte tasks that the example DAGs launch, and what becomes of their runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from threading import Event, Thread
from typing import Any

from airflow_provider_flyte.client import FlyteClient, FlyteConfig
from airflow_provider_flyte.testing import LocalFlyte, RunHandle
from tests.support.blobs import FILE, blob

ASKS = "models.train"
"""The Flyte task whose runs wait for an answer."""


def deploy(flyte: LocalFlyte) -> None:
    """Deploy the tasks, as ``flyte deploy`` would have done."""
    flyte.deploy("train.fit", inputs={"rows": int, "rate": (float, 0.5)}, outputs={"o0": float})
    flyte.deploy("sales.summarize", inputs={"month": datetime}, outputs={"o0": int})
    flyte.deploy("sales.export", outputs={"o0": FILE})
    flyte.deploy(ASKS)
    flyte.deploy("train.pipeline", inputs={"since": datetime, "timeout": timedelta})


def plays(every: float) -> Callable[[RunHandle], RunHandle]:
    """The script of each run, for ``LocalFlyte.on_launch``.

    :param every: seconds between two steps.
    """

    def play(run: RunHandle) -> RunHandle:
        if run.task[0] == ASKS:
            run.move("RUNNING").condition("approve", prompt="Publish the model?")
            return run
        run.phases("QUEUED", "RUNNING", "RUNNING", every=every)
        name, _ = run.task
        if name == "train.pipeline" and not run.run_spec.HasField("relation"):
            return run.fails(kind="SYSTEM", message="the node was lost")
        outputs: dict[str, dict[str, Any]] = {
            "train.fit": {"o0": 0.934},
            "sales.summarize": {"o0": 100},
            "sales.export": {"o0": blob("s3://sales/export.csv?X-Amz-Signature=5ec2e7")},
        }
        return run.succeeds(outputs.get(name))

    return play


@contextmanager
def somebody_approves(flyte: LocalFlyte) -> Iterator[None]:
    """Answer in Flyte what the runs of the examples wait for, once a task has looked at it, and end those runs."""
    over = Event()
    config = FlyteConfig(flyte.endpoint, insecure=True, project="flytesnacks", domain="development")

    def answer() -> None:
        answered: set[str] = set()
        with FlyteClient(config) as client:
            while not over.wait(0.1):
                looked_at = {call.request.run_id.name for call in flyte.calls("ListActions")} - answered
                for run in flyte.runs():
                    if run.name in looked_at and run.task[0] == ASKS:
                        answered.add(run.name)
                        client.signal(run.name, "approve", True)
                        run.succeeds()

    thread = Thread(target=answer, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
