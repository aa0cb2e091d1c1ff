"""``airflow flyte logs``: the log of a run, as it is or while it is written."""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING

from airflow_provider_flyte.cli.conditions import say_what_waits
from airflow_provider_flyte.cli.execution import NotThere, executed
from airflow_provider_flyte.cli.output import print_line
from airflow_provider_flyte.cli.run_argument import client_and_run, details_of

if TYPE_CHECKING:
    from airflow_provider_flyte.client import FlyteClient, RunKey
    from airflow_provider_flyte.client.flows.calls import Flow
    from airflow_provider_flyte.client.flows.run_log import LogOfRun

WITHIN = 5.0
"""Seconds after which what came is the log of a run that is running: Flyte leaves its stream open."""


@executed
def logs(args: argparse.Namespace) -> int:
    """Print the end of the log, or all of it as it comes."""
    with client_and_run(args) as (client, key):
        details = details_of(client, key)
        attempts = int(details.pb2.action.status.attempts)
        # Nothing may be written until somebody has answered.
        say_what_waits(client, details, args.conn_id)
        if args.follow:
            _follow(client, key, args.output)
        else:
            _print_end(client, key, max(1, attempts), args)
    return 0


def _print_end(client: FlyteClient, key: RunKey, attempt: int, args: argparse.Namespace) -> None:
    from airflow_provider_flyte.client.errors import NotFoundError, UnimplementedError
    from airflow_provider_flyte.client.flows.run_log import LogOfRun, LogPosition, time_text

    kept: deque[tuple[int, str]] = deque(maxlen=args.lines)
    run = LogOfRun(
        key,
        client.config.org,
        time.monotonic,
        on_log=_say,
        position=LogPosition(attempt),
        on_line=lambda at, text: kept.append((at, text)),
    )
    try:
        client.execute(_read(run))
    except (NotFoundError, UnimplementedError) as error:
        raise NotThere(
            f"Flyte has no log of attempt {attempt} of run {key} ({error.status.name}: {error.details}). It keeps a "
            "log as long as the pod exists; the run's page may have more."
        ) from error
    for at, text in kept:
        print_line(time_text(at), text, args.output)


def _read(run: LogOfRun) -> Flow[None]:
    yield replace(run.stream(), timeout=WITHIN)


def _follow(client: FlyteClient, key: RunKey, output: str) -> None:
    from airflow_provider_flyte.client.flows.run_log import LogOfRun, time_text
    from airflow_provider_flyte.client.watch.run_logs import RunLogs

    broken: list[BrokenPipeError] = []

    async def follow() -> None:
        def print_one(at: int, text: str) -> None:
            try:
                print_line(time_text(at), text, output)
            except BrokenPipeError as error:
                # Whoever follows a log goes on after any error.
                broken.append(error)
                following.cancel()

        run = LogOfRun(key, client.config.org, time.monotonic, on_log=_say, on_line=print_one)
        following = asyncio.ensure_future(RunLogs(lambda: client, time.monotonic, asyncio.sleep).follow(run))
        try:
            await asyncio.wait({following})
        finally:
            following.cancel()
            await client.close_on_loop()
        if not run.position.count and not broken:
            raise NotThere(f"Flyte has sent no line of the log of run {key}. The run's page may have more.")

    asyncio.run(follow())
    if broken:
        raise broken[0]


def _say(line: str) -> None:
    """Print what is no line of the log itself."""
    sys.stderr.write(f"{line}\n")
