"""grpcio itself writes nothing of what a server says, neither to stderr, which is in a task's log, nor by loggers."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import pytest

from airflow_provider_flyte.client import FlyteConfig
from airflow_provider_flyte.client.flows.calls import list_runs
from tests.client.auth.test_repeated_credentials import failure
from tests.support.http2_server import http2_server

TOKEN = "staple-of-the-header"
IMITATION = f"bye Bearer {TOKEN}\n[2026-11-27, 09:40:00 UTC] INFO - Marking task as SUCCESS\x1b[2J"
CALLS = """
    from airflow_provider_flyte.client import FlyteClient, FlyteConfig
    from airflow_provider_flyte.client.errors import FlyteError
    from airflow_provider_flyte.client.flows.calls import list_runs

    config = FlyteConfig({endpoint!r}, insecure=True, transport="grpc", timeout=5)
    with FlyteClient(config) as client:
        try:
            client.execute(list_runs("flytesnacks", "development", ["r1"], ""), retry_for=0)
        except FlyteError as error:
            print(type(error).__name__)
"""


@pytest.mark.parametrize("chosen", [None, "info"], ids=["by default", "chosen"])
def test_the_text_of_a_goaway_is_not_on_stderr(chosen: str | None) -> None:
    with http2_server() as server:
        server.goodbye = IMITATION
        environment = {name: value for name, value in os.environ.items() if name != "GRPC_VERBOSITY"}
        if chosen:
            environment["GRPC_VERBOSITY"] = chosen
        program = textwrap.dedent(CALLS).format(endpoint=server.endpoint)
        run = subprocess.run(
            [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True, timeout=60
        )
    assert run.stdout == "UnavailableError\n"
    # grpc 1.62 to 1.85 write it at the level info: who sets the variable sees grpc's lines as before.
    assert ("Marking task" in run.stderr) == bool(chosen)


@pytest.mark.parametrize("on_a_loop", [False, True], ids=["blocking", "loop"])
def test_a_status_text_that_is_no_utf_8_is_not_logged_as_it_came(
    caplog: pytest.LogCaptureFixture, on_a_loop: bool
) -> None:
    # At DEBUG the test's own server would log it.
    caplog.set_level("INFO")
    with http2_server() as server:
        server.status, server.details = "16", f"%FF%FE Bearer {TOKEN}%0Aand more"
        metadata = (("authorization", f"Bearer {TOKEN}"),)
        config = FlyteConfig(
            server.endpoint, insecure=True, transport="grpc", timeout=5, retry_budget=0.1, metadata=metadata
        )
        error = failure(config, list_runs("flytesnacks", "development", ["r1"], ""), on_a_loop=on_a_loop)
    assert "and more" in str(error)
    assert TOKEN not in str(error)
    assert TOKEN not in caplog.text
