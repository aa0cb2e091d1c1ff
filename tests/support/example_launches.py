"""The Flyte tasks that the example DAGs launch, and what becomes of their runs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from airflow_provider_flyte.testing import LocalFlyte, RunHandle
from tests.support.blobs import FILE, blob


def deploy(flyte: LocalFlyte) -> None:
    """Deploy the tasks, as ``flyte deploy`` would have done."""
    flyte.deploy("train.fit", inputs={"rows": int, "rate": (float, 0.5)}, outputs={"o0": float})
    flyte.deploy("sales.summarize", inputs={"month": datetime}, outputs={"o0": int})
    flyte.deploy("sales.export", outputs={"o0": FILE})
    flyte.deploy("train.pipeline", inputs={"since": datetime, "timeout": timedelta})


def plays(every: float) -> Callable[[RunHandle], RunHandle]:
    """The script of each run, for ``LocalFlyte.on_launch``.

    :param every: seconds between two steps.
    """

    def play(run: RunHandle) -> RunHandle:
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
