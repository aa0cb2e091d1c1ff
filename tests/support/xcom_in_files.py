"""An XCom backend that keeps values elsewhere, and a program that runs tasks with it and reads their buttons.

A program of its own, because Airflow makes its XCom class once: ``python -m tests.support.xcom_in_files`` prints, as
JSON, where the button of each task leads while the task waits and after it, and what is stored.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import threading
import time
import uuid
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tests.support.own_airflow import connection_json, load_dag_file, make_database, stored_again

if __name__ == "__main__":
    os.environ["AIRFLOW__CORE__XCOM_BACKEND"] = "tests.support.xcom_in_files.FilesBackend"
    os.environ["XCOM_FILES"] = tempfile.mkdtemp(dir=os.environ["AIRFLOW_HOME"])

try:
    from airflow.sdk.bases.xcom import BaseXCom
except ImportError:
    from airflow.models.xcom import BaseXCom  # type: ignore[no-redef]

REFERENCE = "file-store:"


class FilesBackend(BaseXCom):
    """Store values in files, and references to them in the database; fail to read what is no reference."""

    @staticmethod
    def serialize_value(value: Any, **kwargs: Any) -> Any:
        name = uuid.uuid4().hex
        (Path(os.environ["XCOM_FILES"]) / name).write_text(json.dumps(value))
        return BaseXCom.serialize_value(REFERENCE + name)

    @staticmethod
    def deserialize_value(result: Any) -> Any:
        reference = BaseXCom.deserialize_value(result)
        if not reference.startswith(REFERENCE):
            raise ValueError(f"{reference!r} is no reference of this backend")
        return json.loads((Path(os.environ["XCOM_FILES"]) / reference.removeprefix(REFERENCE)).read_text())


def main() -> None:
    """Run the DAG ``elsewhere``; each run ends once the button of the task that waits for it leads somewhere."""
    from airflow.models.taskinstancekey import TaskInstanceKey

    from airflow_provider_flyte.testing import LocalFlyte

    make_database()
    dag = load_dag_file("elsewhere").dag
    stored = stored_again(dag)
    while_waiting: dict[str, str] = {}

    def button(task_id: str, run_id: str) -> str:
        key = TaskInstanceKey("elsewhere", task_id, run_id, 1, -1)
        return stored.get_task(task_id).get_extra_links(SimpleNamespace(key=key), "Flyte run") or ""

    with LocalFlyte() as flyte:
        os.environ["AIRFLOW_CONN_FLYTE_DEFAULT"] = connection_json(flyte)
        flyte.deploy("demo.train", outputs={"o0": int})

        def end_when_shown(run: Any, task_id: str, run_id: str) -> None:
            # From the launch of the task before on, which takes half a minute on a busy machine.
            until = time.monotonic() + 150
            while not while_waiting.get(task_id) and time.monotonic() < until:
                time.sleep(0.05)
                while_waiting[task_id] = button(task_id, run_id)
            run.succeeds({"o0": 7})

        def on_launch(run: Any) -> None:
            run.move("RUNNING")
            hits = run.run_spec.annotations.values
            task_id, run_id = hits["airflow.apache.org/task_id"], hits["airflow.apache.org/run_id"]
            threading.Thread(target=end_when_shown, args=(run, task_id, run_id), daemon=True).start()
            if task_id == "deferred":
                waited_for = flyte.run("r1")
                waited_for.move("RUNNING")
                threading.Thread(target=end_when_shown, args=(waited_for, "poke", run_id), daemon=True).start()

        flyte.on_launch(on_launch)
        instances = dag.test().get_task_instances()
        pages = {
            "worker": flyte.runs()[0].name,
            "deferred": next(run.name for run in flyte.runs() if run.name not in (flyte.runs()[0].name, "r1")),
            "poke": "r1",
        }
    sys.stdout.write(
        "\n"
        + json.dumps(
            {
                "pages": pages,
                "states": {ti.task_id: str(ti.state) for ti in instances},
                "while waiting": {name: url.rpartition("/runs/")[2] for name, url in while_waiting.items()},
                "afterwards": {name: button(name, instances[0].run_id).rpartition("/runs/")[2] for name in pages},
                "in files": [json.loads(file.read_text()) for file in Path(os.environ["XCOM_FILES"]).iterdir()],
            }
        )
        + "\n"
    )


if __name__ == "__main__":
    main()
