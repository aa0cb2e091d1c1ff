"""What importing our sensor and operator costs a DAG file, beside other providers' operators.

    python benchmarks/dag_import.py --processes 10

Each figure is the median CPU time of as many new processes, with Airflow's own classes imported before and without
garbage collection. Bytecode is there, as where a package is installed; ``--compile`` is for an image without it. A
provider that is not installed is left out; ``make bench-import`` lays the others beside Airflow.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version

MEASURED = {
    "flyte": "airflow_provider_flyte.sensors, airflow_provider_flyte.operators",
    "flyte, operators first": "airflow_provider_flyte.operators, airflow_provider_flyte.sensors",
    "dbt-cloud": "airflow.providers.dbt.cloud.operators.dbt",
    "databricks": "airflow.providers.databricks.operators.databricks",
    "airbyte": "airflow.providers.airbyte.operators.airbyte",
    "standard": "airflow.providers.standard.operators.bash, airflow.providers.standard.operators.python",
}

CODE = """
import gc, time
gc.disable()
import airflow.exceptions, airflow.triggers.base
try:
    from airflow.sdk import BaseHook, BaseOperator, BaseOperatorLink, BaseSensorOperator, Context, XComArg
    from airflow.sdk.configuration import conf
    from airflow.sdk.exceptions import AirflowException
    from airflow.sdk.execution_time.xcom import XCom
except ImportError:
    from airflow.configuration import conf
    from airflow.hooks.base import BaseHook
    from airflow.models import BaseOperator, XCom
    from airflow.models.baseoperatorlink import BaseOperatorLink
    from airflow.models.xcom_arg import XComArg
    from airflow.sensors.base import BaseSensorOperator
began = time.process_time()
import {modules}
print("took", time.process_time() - began)
"""


def is_there(name: str) -> bool:
    """Whether the provider is installed; to ask by importing it would import Airflow first, for nothing."""
    if name.startswith("flyte"):
        return True
    try:
        return bool(version(f"apache-airflow-providers-{name}"))
    except PackageNotFoundError:
        return False


def cost(modules: str, environment: Mapping[str, str]) -> float:
    """Milliseconds of CPU that the import costs one new process."""
    command = [sys.executable, "-c", CODE.format(modules=modules)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode:
        raise RuntimeError(done.stderr)
    [took] = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("took ")]
    return float(took) * 1000


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--processes", type=int, default=10, metavar="N", help="for each figure")
    arguments.add_argument("--compile", action="store_true", help="without bytecode, of whichever provider")
    given = arguments.parse_args()
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with tempfile.TemporaryDirectory() as bytecode:
        environment["PYTHONPYCACHEPREFIX"] = bytecode
        # Once before it counts: this leaves the bytecode, Airflow's too.
        there = [name for name in MEASURED if is_there(name)]
        for name in there:
            cost(MEASURED[name], environment)
        if given.compile:
            environment |= {"PYTHONPYCACHEPREFIX": os.devnull, "PYTHONDONTWRITEBYTECODE": "1"}
        times: dict[str, list[float]] = {name: [] for name in there}
        # In turns, so that a busy machine troubles all.
        for _ in range(given.processes):
            for name in there:
                times[name].append(cost(MEASURED[name], environment))
    ours = statistics.median(times["flyte"])
    print(f"{'operators of':24}{'CPU, ms':>10}{'least':>8}{'most':>8}{'times ours':>12}")
    for name, each in times.items():
        median = statistics.median(each)
        print(f"{name:24}{median:10.1f}{min(each):8.1f}{max(each):8.1f}{median / ours:12.1f}")


if __name__ == "__main__":
    main()
