"""``python -m airflow_provider_flyte.testing``, as a process of its own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from airflow_provider_flyte.client import FlyteClient, FlyteConfig, Launch, RunDetails
from airflow_provider_flyte.client.phase import RunPhase
from airflow_provider_flyte.testing import LocalFlyte
from tests.testing.conftest import RawClient

COMMAND = [sys.executable, "-W", "error", "-m", "airflow_provider_flyte.testing"]

Start = Callable[..., "tuple[subprocess.Popen[str], RawClient]"]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start the command on a free port and wait for its ``ready`` line."""
    started: list[tuple[subprocess.Popen[str], grpc.Channel]] = []

    def start_one(*arguments: str) -> tuple[subprocess.Popen[str], RawClient]:
        process = subprocess.Popen(
            [*COMMAND, "--port", "0", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert process.stdout
        word, endpoint = process.stdout.readline().split()
        assert word == "ready"
        assert re.fullmatch(r"connect localhost:\d+\n", process.stdout.readline())
        channel = grpc.insecure_channel(endpoint)
        started.append((process, channel))
        return process, RawClient(channel)

    yield start_one
    for process, channel in started:
        channel.close()
        process.kill()
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_and_ends_by_itself_on_a_signal(start: Start, number: signal.Signals) -> None:
    process, client = start("--run", "r1")
    stream = client.watch_runs()
    assert next(stream)
    process.send_signal(number)
    assert process.communicate(timeout=20) == ("", "")
    assert process.returncode == 0


def test_runs_go_through_their_phases(start: Start) -> None:
    _, client = start("--run", "r1=QUEUED,RUNNING,SUCCEEDED", "--run", "r2=RUNNING", "--every", "0.05")
    assert list(client.watch_action("r1"))  # ends with the run
    phases = {run.action.id.run.name: run.action.status.phase for run in client.list_runs().runs}
    assert phases["r2"] == RunPhase.RUNNING
    assert client.details("r1").action.attempts[0].phase == RunPhase.SUCCEEDED


def test_a_run_waits_for_an_answer_and_has_a_log() -> None:
    given = ["--run", "r1=RUNNING", "--condition", "r1=approve:Publish: yes?", "--log", "r1=a=b", "--log", "r1=c"]
    process = subprocess.Popen([*COMMAND, "--port", "0", *given], stdout=subprocess.PIPE, text=True)
    with process:
        assert process.stdout
        endpoint = process.stdout.readline().split()[1]
        config = FlyteConfig(endpoint=endpoint, insecure=True, project="flytesnacks", domain="development")
        with FlyteClient(config) as client:
            assert client.tail_log("r1").lines == ("a=b", "c")
            assert client.signal("r1", "approve", value=True).prompt == "Publish: yes?"
        process.terminate()


def test_a_deployed_task_is_launched_and_succeeds() -> None:
    command = [*COMMAND, "--port", "0", "--every", "0.05"]
    fit, copy = "train.fit(rows: int, rate: float = 0.1) -> tuple[str, dict[str, list[int]]]", "train.copy"
    process = subprocess.Popen([*command, "--deploy", fit, "--deploy", copy], stdout=subprocess.PIPE, text=True)
    with process:
        assert process.stdout
        endpoint = process.stdout.readline().split()[1]
        config = FlyteConfig(endpoint=endpoint, insecure=True, project="flytesnacks", domain="development")
        with FlyteClient(config) as client:
            client.launch(Launch("train.fit", inputs={"rows": 3}, run_name="r1"))
            client.launch(Launch("train.copy", run_name="r2"))
            fitted = wait_until_done("r1")
            assert fitted.phase == wait_until_done("r2").phase == RunPhase.SUCCEEDED
            assert fitted.inputs() == {"rows": 3, "rate": 0.1}
            assert fitted.outputs() == {"o0": "text", "o1": {"key": [1]}}
        process.terminate()
    assert process.returncode == 0


def wait_until_done(name: str) -> RunDetails:
    while not (details := RunDetails.get(name)).done():
        time.sleep(0.02)
    return details


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--deploy", "train.fit(rows"], "argument --deploy: no signature of a task: 'train.fit(rows'; write it as"),
        (["--deploy", "train.fit(rows: path)"], "argument --deploy: no type of an input or output: path; known"),
        (["--deploy", "train.fit(rows)"], "argument --deploy: no type of an input or output: nothing; known are"),
        (["--deploy", "train.fit(*rows: int)"], "argument --deploy: inputs are named one by one"),
        (["--deploy", "train.fit(rows: int = x)"], "argument --deploy: no plain value as a default: x"),
        (["--deploy", "train fit"], "argument --deploy: no name of a task: 'train fit'"),
        (["--port", "99999"], "a port is a number from 0 to 65535, not 99999"),
        (["--connect-port", "-1"], "a port is a number from 0 to 65535, not -1"),
        (["--port", "x"], "argument --port: invalid int value: 'x'"),
        (["--run", "r1=SUCEEDED"], "argument --run: no such phase: 'SUCEEDED'; known are"),
        (["--run", "Bad_Name"], 'argument --run: INVALID_ARGUMENT: invalid run name "Bad_Name"'),
        (
            ["--run", "r1", "--condition", "r2=approve"],
            "argument --condition: no text for a run that --run names: 'r2=",
        ),
        (["--run", "r1", "--log", "r1"], "argument --log: no text for a run that --run names: 'r1'"),
        (["--every", "-1"], "argument --every: not a number of seconds: '-1'"),
        (["--every", "nan"], "argument --every: not a number of seconds: 'nan'"),
    ],
)
def test_bad_arguments(arguments: list[str], words: str) -> None:
    ended = run_to_the_end("--port", "0", *arguments)
    assert ended.returncode == 2
    assert words in ended.stderr
    assert "Traceback" not in ended.stderr
    assert ended.stdout == ""


def test_it_answers_over_connect_too() -> None:
    process = subprocess.Popen([*COMMAND, "--port", "0", "--run", "r1"], stdout=subprocess.PIPE, text=True)
    with process:
        assert process.stdout
        lines = dict(process.stdout.readline().split() for _ in range(2))
        config = FlyteConfig(
            endpoint=lines["connect"],
            insecure=True,
            transport="connect",
            project="flytesnacks",
            domain="development",
        )
        with FlyteClient(config):
            assert RunDetails.get("r1").name == "r1"
        process.terminate()
    assert process.returncode == 0


def test_without_uvicorn_it_answers_over_grpc_alone(tmp_path: Path) -> None:
    """As where the ``testing`` extra is not installed on Airflow 2."""
    (tmp_path / "sitecustomize.py").write_text(
        "import importlib.util as u\nfound = u.find_spec\n"
        "u.find_spec = lambda name, *package: None if name == 'uvicorn' else found(name, *package)\n"
    )
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    process = subprocess.Popen(
        [*COMMAND, "--port", "0"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )
    with process:
        assert process.stdout
        assert process.stderr
        assert process.stdout.readline().startswith("ready localhost:")
        process.terminate()
        assert process.stdout.read() == ""
        assert (
            process.stderr.read() == "no Connect transport: it needs pip install 'airflow-provider-flyte2[testing]'\n"
        )


@pytest.mark.parametrize("option", ["--port", "--connect-port"])
def test_a_port_that_is_taken(flyte: LocalFlyte, option: str) -> None:
    ended = run_to_the_end(option, str(flyte.port), *(["--port", "0"] if option != "--port" else []))
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"cannot listen on 127.0.0.1:{flyte.port}: Address already in use")
    assert len(ended.stderr.splitlines()) == 1


def run_to_the_end(*arguments: str) -> Any:
    return subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, timeout=60, check=False)
