"""``python -m airflow_provider_flyte.testing --port 8090``: a local Flyte 2 control plane to try things out on."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from collections.abc import Sequence

from airflow_provider_flyte.testing import LocalFlyte


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGINT or SIGTERM; 1 where the port is taken."""
    parser = argparse.ArgumentParser(prog="python -m airflow_provider_flyte.testing", description=__doc__)
    parser.add_argument("--port", type=int, default=8090, help="0 takes a free one (default: %(default)s)")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument(
        "--run",
        action="append",
        default=[],
        type=_script,
        metavar="NAME=PHASE,PHASE,...",
        help="a run and the phases it goes through; may be given more than once",
    )
    parser.add_argument(
        "--launched",
        type=_phases,
        metavar="PHASE,PHASE,...",
        help="the phases that a run goes through which a client launches",
    )
    parser.add_argument("--every", type=float, default=1.0, help="seconds between two phases (default: %(default)s)")
    given = parser.parse_args(arguments)

    over = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: over.set())
    flyte = LocalFlyte(given.port, host=given.host, keep_calls=100)
    if given.launched:
        flyte.on_launch(lambda run: run.phases(*given.launched, every=given.every))
    try:
        flyte.start()
    except OSError as error:
        print(error, file=sys.stderr)
        return 1
    with flyte:
        for name, phases in given.run:
            flyte.run(name).phases(*phases, every=given.every)
        print(f"ready {flyte.endpoint}", flush=True)
        over.wait()
    return 0


def _script(text: str) -> tuple[str, list[str]]:
    name, _, phases = text.partition("=")
    return name, _phases(phases or "QUEUED")


def _phases(text: str) -> list[str]:
    from airflow_provider_flyte.client.phase import RunPhase

    phases = text.split(",")
    unknown = [phase for phase in phases if phase not in RunPhase.__members__]
    if unknown:
        raise argparse.ArgumentTypeError(f"no such phase: {', '.join(unknown)}")
    return phases


if __name__ == "__main__":
    sys.exit(main())
