"""Runs tests in a copy of the project, each time in a process forked from one that has imported what is heavy.

One JSON object a line: asked on stdin, answered on stdout. Each run begins with the same empty Airflow database.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import shutil
import signal
import sys
import time
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Any

import coverage
import hypothesis
import pytest

_OF_AIRFLOW = (
    "airflow.models.dag",
    "airflow.providers_manager",
    "airflow.sdk",
    "airflow.triggers.base",
    "airflow.jobs.triggerer_job_runner",
)
_OTHERS = (
    "grpc",
    "httpx",
    "hypothesis",
    "msgspec",
    "pytest",
    "anyio.pytest_plugin",
    "pytest_asyncio",
    "pytest_timeout",
    "tenacity",
    "uvicorn",
)


def serve(copy: Path) -> None:
    os.chdir(copy)
    sys.path.insert(0, str(copy))
    os.environ["PYTHONPATH"] = str(copy)
    sys.dont_write_bytecode = False
    home = importlib.import_module("tests.support.own_airflow").__dict__["_HOME"]
    for name in (*_OTHERS, *_OF_AIRFLOW):
        with suppress(ImportError):
            importlib.import_module(name)
    # Airflow imports a little of each provider; a mutant of it has to be imported anew.
    for name in [name for name in sys.modules if name.partition(".")[0] == "airflow_provider_flyte"]:
        del sys.modules[name]
    database, empty = Path(home) / "airflow.db", Path(home) / "empty.db"
    code, output = _forked(_make_database, 300, copy)
    if code == 0 and database.exists():
        shutil.copy(database, empty)
    else:
        print(f"There is no Airflow database: {output}", file=sys.stderr)
    # A fork that collects garbage would copy all of it.
    gc.collect()
    gc.freeze()
    for line in sys.stdin:
        asked = json.loads(line)
        if empty.exists():
            shutil.copy(empty, database)
        record = asked.get("record")
        began = time.monotonic()
        code, output = _forked(
            lambda asked=asked, record=record: (
                _record(asked["tests"], copy, Path(record), asked["files"]) if record else _run(asked["tests"])
            ),
            asked["most"],
            copy,
        )
        print(json.dumps({"code": code, "output": output, "seconds": time.monotonic() - began}), flush=True)


def _forked(work: Any, most: float, copy: Path) -> tuple[int | None, str]:
    """The exit code, None when the time is over, and the end of what was printed."""
    log = copy / ".mutant.log"
    pid = os.fork()
    if pid == 0:
        os.setsid()
        out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.dup2(out, 1)
        os.dup2(out, 2)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            code = int(work())
        except BaseException:
            traceback.print_exc()
            code = 99
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    until, code = time.monotonic() + most, None
    while time.monotonic() < until:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            code = os.waitstatus_to_exitcode(status)
            break
        time.sleep(0.02)
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
    if code is None:
        os.waitpid(pid, 0)
    return code, log.read_text(errors="replace")[-4000:]


def _make_database() -> int:
    importlib.import_module("airflow.utils.db").initdb()
    return 0


def _run(tests: dict[str, float]) -> int:
    """Run these tests up to the first that fails or takes longer than so many seconds."""

    class Limits:
        def pytest_collection_modifyitems(self, items: list[Any]) -> None:
            for item in items:
                item.add_marker(pytest.mark.timeout(tests[item.nodeid]), append=False)

    options = ["-x", "-q", "--no-header", "--tb=line", "-p", "no:cacheprovider", "-p", "no:xdist"]
    return int(pytest.main([*options, *tests], plugins=[Limits()]))


def _record(tests: list[str], copy: Path, into: Path, watched: list[str]) -> int:
    """Run these tests, and note which lines of these files each of them runs and how long it takes."""
    # Whoever is watched is slow.
    slow = {"deadline": None, "suppress_health_check": list(hypothesis.HealthCheck)}
    hypothesis.settings.register_profile("recorded", **slow)
    hypothesis.settings.load_profile("recorded")
    include = [str(copy / name) for name in watched]
    recording = coverage.Coverage(data_file=None, include=include, config_file=False)
    took: dict[str, float] = {}
    bad: set[str] = set()

    class Notes:
        @pytest.hookimpl(wrapper=True)
        def pytest_runtest_protocol(self, item: Any) -> Any:
            recording.switch_context(item.nodeid)
            began = time.monotonic()
            try:
                return (yield)
            finally:
                took[item.nodeid] = time.monotonic() - began

        def pytest_runtest_logreport(self, report: Any) -> None:
            if not report.passed:
                bad.add(report.nodeid)

    recording.start()
    pytest.main(["-q", "--no-header", "-p", "no:cacheprovider", "-p", "no:xdist", *tests], plugins=[Notes()])
    recording.stop()
    data = recording.get_data()
    lines: dict[str, dict[int, list[str]]] = {}
    for file in data.measured_files():
        of_file = {line: [name for name in names if name] for line, names in data.contexts_by_lineno(file).items()}
        lines[str(Path(file).relative_to(copy))] = of_file
    into.write_text(json.dumps({"lines": lines, "took": took, "bad": sorted(bad)}))
    return 0


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
