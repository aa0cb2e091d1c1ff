"""What README and docs say: every Python snippet runs, every local link leads somewhere."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from airflow_provider_flyte.testing import LocalFlyte
from tests.own_airflow import DAGS_FOLDER, load_dag_file

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "protos" / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
SNIPPETS = [
    pytest.param(block, id=f"{page.relative_to(ROOT)}-{number}")
    for page in PAGES
    for number, block in enumerate(re.findall(r"^```python\n(.*?)^```", page.read_text(), re.M | re.S), start=1)
]


@pytest.mark.parametrize("snippet", SNIPPETS)
def test_every_snippet_runs(snippet: str, tmp_path: Path) -> None:
    # A snippet that holds tests is run by pytest, as its reader would.
    if re.search(r"^(async )?def test_", snippet, re.M):
        file = tmp_path / "test_snippet.py"
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "--rootdir",
            str(tmp_path),
            str(file),
        ]
    else:
        file = tmp_path / "snippet.py"
        command = [sys.executable, "-W", "error::DeprecationWarning:__main__", str(file)]
    file.write_text(snippet)
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_first_dag_is_short() -> None:
    [block] = re.findall(r"^```python\n(.*?)^```", (ROOT / "README.md").read_text(), re.M | re.S)
    assert len([line for line in block.splitlines() if line.strip()]) <= 15


def test_the_first_dag_waits(airflow_db: None, flyte_default: LocalFlyte) -> None:
    [block] = re.findall(r"^```python\n(.*?)^```", (ROOT / "README.md").read_text(), re.M | re.S)
    (DAGS_FOLDER / "first_flyte_dag.py").write_text(block)
    flyte_default.run("nightly-training").phases("QUEUED", "RUNNING", "SUCCEEDED", every=0.2)
    dag = load_dag_file("first_flyte_dag").wait.dag
    # The event would be held for ten seconds after the deferral.
    dag.task_dict["wait"].resume_after = 0
    ends = {ti.task_id: ti for ti in dag.test().get_task_instances()}
    assert {task_id: ti.state for task_id, ti in ends.items()} == {"wait": "success", "report": "success"}
    assert ends["report"].xcom_pull(task_ids="report").startswith("nightly-training took ")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_local_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def test_the_table_of_flags_is_the_tested_one() -> None:
    from tests.test_sensor_flags import ERRORS, TABLE

    words = {"fails": "fails", "fails for good": "fails, no retry", "skips": "skipped", "waits on": "waits on"}
    page = (ROOT / "docs" / "sensor.md").read_text()
    for condition, cells in TABLE.items():
        row = " | ".join(words[cell] for cell in cells)
        assert f"`{ERRORS[condition]}` | {row} |" in page
