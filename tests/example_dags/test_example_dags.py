"""The example DAGs on the Airflow of this environment: read without a warning or a heavy import, and run."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_flyte.testing import LocalFlyte, RunHandle
from tests.support import example_launches
from tests.support.after_first_poll import AfterFirstPoll
from tests.support.own_airflow import AIRFLOW, DAGS_FOLDER, for_this_airflow, load_dag_file

ROOT = Path(__file__).parents[2]
# No trigger of Airflow 2 can fire for assets, and before 3.1 nobody can be asked.
SINCE = {"AssetWatcher": (3,), "FlyteConditionOperator": (3, 1)}
EXAMPLES = [
    path
    for path in sorted((ROOT / "example_dags").glob("*.py"))
    if all(since <= AIRFLOW for name, since in SINCE.items() if name in path.read_text())
]

# In a process of its own: what this one has imported already would hide an import or a warning.
READ = """
import json, sys, warnings
import airflow.settings  # Airflow 2.11 puts its own handler of warnings in place here
try:
    from airflow.dag_processing.dagbag import DagBag
except ImportError:
    from airflow.models.dagbag import DagBag

calls = []
sys.addaudithook(lambda event, args: calls.append(repr(args)) if event == "socket.connect" else None)
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    bag = DagBag(sys.argv[1])
json.dump(
    {
        "dags": list(bag.dags),
        "errors": bag.import_errors,
        "warnings": [[one.filename, str(one.message)] for one in caught],
        "heavy": [name for name in ("grpc", "google.protobuf") if name in sys.modules],
        "calls": calls,
    },
    open(sys.argv[2], "w"),
)
"""

Script = Callable[[RunHandle], Any]
SCRIPTS: Mapping[str, dict[str, Script]] = {
    "flyte_wait": {"nightly-training": RunHandle.succeeds},
    "flyte_wait_on_worker": {"hourly-cleaning": RunHandle.succeeds, "hourly-scoring": RunHandle.succeeds},
    "flyte_wait_name_from_xcom": {"ingest-of-today": partial(RunHandle.succeeds, outputs={"rows": 3})},
    "flyte_wait_soft_fail": {"optional-forecast": partial(RunHandle.fails, message="no weather today")},
    "flyte_wait_mapped": {f"shard-{number}": RunHandle.succeeds for number in range(3)},
    "flyte_wait_scheduled": {"nightly-load": RunHandle.succeeds},
    "flyte_wait_several": {f"region-{name}": RunHandle.succeeds for name in ("north", "south", "west")},
}

STATES: Mapping[str, dict[str, str]] = {
    "flyte_approval": dict.fromkeys(("train", "approve", "published", "report"), "success"),
    "flyte_launch": {"train": "success", "report": "success"},
    "flyte_launch_from_function": {"count": "success", "train": "success", "report": "success"},
    "flyte_launch_mapped": {"months": "success", "summarize": "success", "total": "success"},
    # On 2.11 in a DAG run of dag.test() on SQLite nothing tells a retry from the first try of another DAG run, so it
    # launches anew instead of recovering.
    "flyte_launch_recover": {"pipeline": "success" if AIRFLOW >= (3,) else "failed"},
    "flyte_outlet_launch": {"export": "success"},
    "flyte_outlet_used": {"publish": "success"},
    # With no event yet: what an event makes of it is in tests/e2e/test_triggerer_killed_with_watchers.py.
    "flyte_schedule_ended": {"publish": "success"},
    "flyte_wait": {"wait": "success", "report": "success"},
    "flyte_wait_on_worker": {"clean": "success", "score": "success", "attempts": "success"},
    "flyte_wait_name_from_xcom": {"launched": "success", "wait": "success", "written_to": "success"},
    "flyte_wait_soft_fail": {"wait": "skipped", "publish": "skipped", "note": "success"},
    "flyte_wait_mapped": {"shards": "success", "wait": "success", "succeeded": "success"},
    "flyte_wait_scheduled": {"wait": "success", "loaded": "success"},
    "flyte_wait_several": {"names": "success", "wait": "success", "slowest": "success"},
}
GIVES: Mapping[str, tuple[str, Any]] = {
    "flyte_approval": ("report", "Publish the model? yes"),
    "flyte_launch": ("report", "accuracy 0.93"),
    "flyte_launch_from_function": ("report", "accuracy 0.93"),
    "flyte_launch_mapped": ("total", 300),
    "flyte_wait_scheduled": ("loaded", "loaded by nightly-load"),
}


def test_reading_the_examples_warns_of_nothing_and_loads_nothing_heavy(tmp_path: Path) -> None:
    answer, folder = tmp_path / "answer.json", tmp_path / "examples"
    folder.mkdir()
    for path in EXAMPLES:
        (folder / path.name).write_text(for_this_airflow(path.read_text()))
    command = [sys.executable, "-c", READ, str(folder), str(answer)]
    process = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=110)
    assert process.returncode == 0, process.stdout
    read = json.loads(answer.read_text())
    assert read["errors"] == {}
    assert sorted(read["dags"]) == [path.stem for path in EXAMPLES]
    assert [
        one for one in read["warnings"] if one[0].startswith((str(folder), str(ROOT / "airflow_provider_flyte")))
    ] == []
    assert read["heavy"] == []
    assert read["calls"] == []


@pytest.mark.timeout(180)
@pytest.mark.usefixtures("airflow_db")
@pytest.mark.parametrize(
    ("path", "protocol"),
    # By turns, because each takes seconds.
    [
        pytest.param(path, protocol, id=path.stem)
        for path, protocol in zip(EXAMPLES, cycle(("grpc", "connect")), strict=False)
    ],
)
def test_an_example_runs(path: Path, flyte_default: LocalFlyte) -> None:
    (DAGS_FOLDER / path.name).write_text(for_this_airflow(path.read_text()))
    example_launches.deploy(flyte_default)
    flyte_default.on_launch(example_launches.plays(every=0.2))
    dag = _hurried(load_dag_file(path.stem).dag)
    if AIRFLOW < (3,) and any(task.outlets for task in dag.tasks):
        # As the scheduler does: dag.test() of 2.11 makes no rows of aliases, and breaks without.
        dag.sync_to_db()
    if path.stem == "flyte_wait_scheduled":
        # Flyte's schedule has launched it.
        flyte_default.run("nightly-load", task="nightly.load").phases("RUNNING")
    scripts = SCRIPTS.get(path.stem, {})
    with AfterFirstPoll(flyte_default, scripts), example_launches.somebody_approves(flyte_default):
        dag_run = dag.test()
    ends = {ti.task_id: ti for ti in dag_run.get_task_instances()}
    assert {task_id: ti.state for task_id, ti in ends.items()} == STATES[path.stem]
    if path.stem in GIVES:
        task_id, value = GIVES[path.stem]
        assert ends[task_id].xcom_pull(task_ids=task_id) == value


def _hurried(dag: Any) -> Any:
    """Nothing here needs the patience that a real scheduler does."""
    for task in dag.tasks:
        arguments = getattr(task, "partial_kwargs", task.__dict__)
        if "run_names" not in task.template_fields and "task_name" in task.template_fields:
            arguments |= {"poll_interval": 0.5, "resume_after": 0, "retry_delay": timedelta(0)}
        elif "condition" in task.template_fields:
            arguments |= {"poll_interval": 1, "resume_after": 0}
        elif "run_name" in task.template_fields:
            arguments |= {"poke_interval": 1, "resume_after": 0}
    return dag
