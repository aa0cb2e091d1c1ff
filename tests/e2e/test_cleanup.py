"""However an Airflow of the tests or the demo ends, none of its processes is left, and neither is its home."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.support import keeper
from tests.support.airflow_api import until
from tests.support.airflow_process import AirflowProcessError, StandaloneAirflow

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

ROOT = Path(__file__).parents[2]


@pytest.fixture
def demo() -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "tests.e2e.demo"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        yield process
        process.kill()


@pytest.mark.parametrize(
    ("moment", "number", "code"),
    [
        ("making its database", signal.SIGTERM, 130),
        ("the connection flyte_default is in its database", signal.SIGINT, 130),
        ("starting api-server", signal.SIGKILL, -signal.SIGKILL),
    ],
)
def test_the_demo_leaves_nothing(demo: subprocess.Popen[str], moment: str, number: signal.Signals, code: int) -> None:
    assert demo.stdout is not None
    for line in demo.stdout:
        if moment in line:
            break
    else:
        pytest.fail("the demo ended too soon")
    family = until(lambda: _descendants(demo.pid), 10, "processes of Airflow")
    sessions, commands = {demo.pid}, []
    for process in family:
        with keeper.already_gone():
            sessions.add(os.getsid(process.pid))
            commands.append(process.cmdline())
    homes = {Path(command[2]) for command in commands if keeper.__file__ in command}
    assert len(homes) == 1

    demo.send_signal(number)
    assert demo.wait(30) == code
    if number == signal.SIGKILL:
        until(lambda: not keeper.members(sessions), 30, "the end of all processes")
    assert keeper.members(sessions) == []
    assert not any(home.exists() for home in homes)


def test_a_start_that_fails_says_why_and_leaves_nothing() -> None:
    # The Airflow that other tests share may be running already.
    before = set(psutil.Process().children(recursive=True))
    started: set[psutil.Process] = set()

    def note(line: str) -> None:
        started.update(set(psutil.Process().children(recursive=True)) - before)

    airflow = StandaloneAirflow({}, connections={"broken": "no JSON"}, say=note)
    with pytest.raises(AirflowProcessError) as raised, airflow:
        pytest.fail("it has started")
    assert "airflow connections ended with" in str(raised.value)
    assert "the end of connection-broken.log" in str(raised.value)
    assert len(started) > 1
    assert [process for process in started if process.is_running()] == []


def _descendants(pid: int) -> list[psutil.Process]:
    """More than the keeper alone."""
    found = psutil.Process(pid).children(recursive=True)
    return found if len(found) > 1 else []
