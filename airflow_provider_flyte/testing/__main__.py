"""``python -m airflow_provider_flyte.testing --port 8090``: a local Flyte 2 control plane to try things out on."""

from __future__ import annotations

import argparse
import importlib.util
import signal
import sys
from collections.abc import Sequence

from airflow_provider_flyte.testing import LocalFlyte
from airflow_provider_flyte.testing.calls import Refusal
from airflow_provider_flyte.testing.script import RunHandle
from airflow_provider_flyte.testing.signature import parse

STOP_SIGNALS = {signal.SIGINT, signal.SIGTERM}


def main() -> int:
    """Serve until SIGINT or SIGTERM. Return 1 if the port is taken; exit with 2 if the arguments are wrong."""
    # Blocked before any thread starts, so that no thread receives them; a handler might run at a bad moment.
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    parser = argparse.ArgumentParser(prog="python -m airflow_provider_flyte.testing", description=__doc__)
    parser.add_argument("--port", type=int, default=8090, help="for gRPC; 0 takes a free one (default: %(default)s)")
    parser.add_argument("--connect-port", type=int, default=0, help="for Connect; 0, the default, takes a free one")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument(
        "--run",
        action="append",
        default=[],
        metavar="NAME=PHASE,PHASE,...",
        help="a run and the phases it goes through; may be given more than once",
    )
    parser.add_argument(
        "--condition",
        action="append",
        default=[],
        metavar="RUN=CONDITION:PROMPT",
        help="one of these runs waits for a yes or no, with this prompt; may be given more than once",
    )
    parser.add_argument(
        "--log", action="append", default=[], metavar="RUN=LINE", help="a line in the log of one of these runs"
    )
    parser.add_argument(
        "--deploy",
        action="append",
        default=[],
        metavar="SIGNATURE",
        help="a task that can be launched, such as 'train.fit(rows: int) -> str'; may be given more than once. Its "
        "runs are queued, run, and succeed with a value of each output's type",
    )
    parser.add_argument("--every", type=_seconds, default=1.0, help="seconds between two phases (default: %(default)s)")
    given = parser.parse_args()

    transports = {"grpc": given.port}
    if importlib.util.find_spec("uvicorn"):
        transports["connect"] = given.connect_port
    else:
        print("no Connect transport: it needs pip install 'airflow-provider-flyte2[testing]'", file=sys.stderr)
    try:
        flyte = LocalFlyte(transports=transports, host=given.host, keep_calls=100)
    except ValueError as error:
        parser.error(str(error))
    try:
        flyte.start()
    except OSError as error:
        print(error, file=sys.stderr)
        return 1
    with flyte:
        try:
            _deploy(flyte, given.deploy, given.every)
        except (ValueError, TypeError, Refusal) as error:
            parser.error(f"argument --deploy: {error}")
        runs = {}
        for text in given.run:
            name, _, phases = text.partition("=")
            try:
                runs[name] = flyte.run(name).phases(*(phases or "QUEUED").split(","), every=given.every)
            except (ValueError, Refusal) as error:
                parser.error(f"argument --run: {error}")
        for option, texts in (("--condition", given.condition), ("--log", given.log)):
            for text in texts:
                name, _, rest = text.partition("=")
                if name not in runs or not rest:
                    parser.error(f"argument {option}: no text for a run that --run names: {text!r}")
                if option == "--log":
                    runs[name].logs(rest, attempt=1)
                else:
                    condition, _, prompt = rest.partition(":")
                    runs[name].condition(condition, prompt=prompt)
        print(f"ready {flyte.endpoint}", flush=True)
        if "connect" in transports:
            print(f"connect {flyte.connect_endpoint}", flush=True)
        signal.sigwait(STOP_SIGNALS)
    return 0


def _deploy(flyte: LocalFlyte, signatures: Sequence[str], every: float) -> None:
    """Deploy these tasks, and let their runs succeed."""
    tasks = {task.name: task for task in map(parse, signatures)}
    for task in tasks.values():
        flyte.deploy(task.name, inputs=task.inputs, outputs=task.outputs)

    def succeed(run: RunHandle) -> None:
        if task := tasks.get(run.task[0]):
            run.writes(task.examples).phases("QUEUED", "RUNNING", "SUCCEEDED", every=every)

    flyte.on_launch(succeed)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"not a number of seconds: {text!r}")
    return seconds


if __name__ == "__main__":
    sys.exit(main())
