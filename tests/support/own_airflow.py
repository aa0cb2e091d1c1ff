"""An Airflow of the tests' own: a temporary home, made when this is imported, before anything imports Airflow.

Not in conftest.py, because pytest imports that one under another name than a test does, so that it would run twice.
"""

from __future__ import annotations

import atexit
import importlib.util
import json
import os
import re
import shutil
import tempfile
from functools import cache
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_flyte.testing import LocalFlyte
    from tests.support.strangers import Stranger

_HOME = tempfile.mkdtemp(prefix="airflow-home-")
atexit.register(shutil.rmtree, _HOME, ignore_errors=True)

# dag.test() of Airflow 3 runs only what is in the DAGs folder.
DAGS_FOLDER = Path(_HOME) / "dags"
shutil.copytree(Path(__file__).parents[1] / "airflow" / "dags", DAGS_FOLDER)

for name in [name for name in os.environ if name.startswith("AIRFLOW_")]:
    del os.environ[name]
os.environ |= {
    "AIRFLOW_HOME": _HOME,
    "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS_FOLDER),
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{_HOME}/airflow.db",
}
# What the tests talk to is on this machine, whatever proxy it is told to use.
for name in ("NO_PROXY", "no_proxy"):
    os.environ[name] = ",".join(filter(None, [os.environ.get(name), "localhost", "127.0.0.1"]))


AIRFLOW = tuple(int(part) for part in version("apache-airflow").split(".")[:3])

if AIRFLOW >= (3,):
    # dag.test() may draw the traceback of each failed task with rich, colours or not. On 3.0.6 that was 60 % of
    # the time of sixty tasks that fail: five minutes on a busy machine.
    import structlog.dev

    structlog.dev.RichTracebackFormatter.__call__ = (  # type: ignore[method-assign]
        lambda self, *error: structlog.dev.plain_traceback(*error)
    )


_IN_2 = {
    "DAG": "from airflow import DAG",
    "Asset": "from airflow.datasets import Dataset as Asset",
    "AssetAlias": "from airflow.datasets import DatasetAlias as AssetAlias",
    "task": "from airflow.decorators import task",
}
"""Where names of ``airflow.sdk`` are in 2.11."""


def for_this_airflow(text: str) -> str:
    """A DAG file of the docs or the examples, with its imports of Airflow 3 rewritten for 2.11 if need be."""
    if AIRFLOW >= (3,):
        return text

    def in_2(found: re.Match[str]) -> str:
        return "\n".join(_IN_2[name] for name in re.findall(r"\w+", found[1]) if name in _IN_2)

    return re.sub(r"^from airflow\.sdk import (DAG\b[\w, ]*).*$", in_2, text, flags=re.M)


def make_database() -> None:
    """Make the metadata database, which ``dag.test()`` needs."""
    from airflow.utils.db import initdb

    initdb()
    if AIRFLOW >= (3,):
        from airflow.sdk.execution_time import supervisor

        # As Airflow 3.3 has it. Before, dag.test() makes a server for each task: seconds each, and a thread that stays.
        supervisor.in_process_api_server = cache(supervisor.in_process_api_server)


def load_dag_file(name: str) -> ModuleType:
    """Load a file of the DAGs folder as a module."""
    spec = importlib.util.spec_from_file_location(name, DAGS_FOLDER / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def airflow(*command: str) -> None:
    """Run a command of Airflow's command line in this process."""
    from airflow.cli.cli_parser import get_parser

    arguments = get_parser().parse_args(command)
    arguments.func(arguments)


def connection_json(flyte: LocalFlyte | Stranger, **extra: object) -> str:
    """An Airflow connection to a local Flyte, as an environment variable takes it."""
    fields = {"insecure": True, "project": "flytesnacks", "domain": "development"} | extra
    return json.dumps({"conn_type": "flyte", "host": flyte.host, "port": flyte.port, "extra": fields})


def serialization() -> Any:
    """Airflow's class that makes a DAG JSON and reads it again."""
    try:
        from airflow.serialization.serialized_objects import DagSerialization as Serialized
    except ImportError:
        from airflow.serialization.serialized_objects import (  # type: ignore[assignment,attr-defined]
            SerializedDAG as Serialized,
        )
    return Serialized


def stored_again(dag: Any) -> Any:
    """The DAG as the UI has it: serialized, and read again."""
    Serialized = serialization()
    # Whoever clears a task, dag.test() too, reads its DAG as the scheduler does, without links, and Airflow keeps that
    # for the whole process. The UI's process reads them.
    Serialized._load_operator_extra_links = True
    return Serialized.from_dict(json.loads(json.dumps(Serialized.to_dict(dag))))
