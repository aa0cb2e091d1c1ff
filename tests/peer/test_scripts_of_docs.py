"""The scripts in docs that use Flyte's SDK, which Airflow's environment has not."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from airflow_provider_flyte.testing import LocalFlyte

DOCS = Path(__file__).parents[2] / "docs"
PEER = os.environ.get("PEER_PYTHON", str(Path(__file__).parents[2] / ".venv-peer" / "bin" / "python"))


def script(page: str, word: str) -> str:
    """The one block of a page that has this word."""
    blocks = re.findall(r"^```py\n(.*?)^```", (DOCS / f"{page}.md").read_text(), re.M | re.S)
    [block] = [block for block in blocks if word in block]
    return str(block)


def run(code: str, *arguments: str, **environment: str) -> str:
    command = [PEER, "-c", code, *arguments]
    done = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, timeout=90)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("page", sorted(DOCS.glob("*.md")), ids=lambda page: page.name)
def test_what_is_not_run_is_python(page: Path) -> None:
    for block in re.findall(r"^```py\n(.*?)^```", page.read_text(), re.M | re.S):
        compile(block, page.name, "exec")


def test_the_script_of_a_pod(tmp_path: Path) -> None:
    file = tmp_path / "return.json"
    with LocalFlyte(transports=("grpc",)) as flyte:
        flyte.deploy("train.fit", version="v7", inputs={"rows": int})
        flyte.on_launch(lambda run: run.succeeds())
        endpoint = f"dns:///{flyte.endpoint}"
        run(script("coming-from", "sys.argv"), "1000", FLYTE_ENDPOINT=endpoint, XCOM_FILE=str(file))
        [launched] = flyte.runs()
    assert json.loads(file.read_text())["run"] == launched.name
    assert launched.inputs["rows"].scalar.primitive.integer == 1000


def test_the_function_of_a_python_task() -> None:
    with LocalFlyte(transports=("grpc",)) as flyte:
        flyte.deploy("train.fit", version="v7", inputs={"rows": int})
        flyte.on_launch(lambda run: run.succeeds())
        body = re.sub(r"^.*\n\n\n@task.*\n", "", script("coming-from", "@task(retries"))
        body = body.replace("dns:///flyte.example:443", f"dns:///{flyte.endpoint}").replace(
            "endpoint=", "insecure=True, endpoint="
        )
        assert run(f"{body}\nprint(fit(1000))").strip().endswith(flyte.runs()[0].name)


def test_the_trigger_of_a_flyte_schedule() -> None:
    code = script("scheduled", "TaskEnvironment")
    assert run(f"{code}\n[trigger] = load.triggers\nprint(trigger.automation.expression)") == "0 5 * * *\n"
