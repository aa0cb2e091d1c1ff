"""The provider on each Airflow as it was released, and on each Python.

    matrix.py pin              # write requirements/matrix/*.txt anew
    matrix.py constraints      # write constraints/*.txt anew: of these what the provider and its Airflow need
    matrix.py run 3.0.6        # one environment: install, import, tests, a whole Airflow; without a name, all
    matrix.py run 3.0.6 --part units   # after its import, only the tests that meet Airflow
    matrix.py run --quick      # of those the part that CI has time for
    matrix.py table            # what the README says of the last runs

An environment has what an installation had on the day of that Airflow's release; the wheel is installed over it, with
nothing newer either, and whatever that adds or changes is printed.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
UV = ROOT / ".tools" / "bin" / "uv"
PINS = ROOT / "requirements" / "matrix"
CONSTRAINTS = ROOT / "constraints"
RESULTS = ROOT / ".run" / "matrix"

DISTRIBUTION = "airflow-provider-flyte2"

RELEASED = {
    "2.11.0": "2025-05-20",
    "2.11.2": "2026-03-14",
    "3.0.6": "2025-08-29",
    "3.1.8": "2026-03-11",
    "3.2.2": "2026-05-29",
    "3.3.2": "2026-09-17",
}
"""An Airflow and the day of its release, whose evening is the newest that anything in its environment may be."""

UNIT_TESTS = (
    "compat",
    "connection",
    "event",
    "hooks",
    "launch_in_dags",
    "links",
    "metrics",
    "operator",
    "outlets",
    "run_wait",
    "sensor_deferred",
    "sensor_flags",
    "sensor_poke",
    "several_runs",
    "shared_watcher",
    "task_flyte",
    "triggers",
    "xcom",
)
"""Those of the tests that meet Airflow."""


def series(airflow: str) -> tuple[int, ...]:
    return tuple(map(int, airflow.split(".")[:2]))


def unit_tests(airflow: str) -> tuple[str, ...]:
    """Those that an Airflow can run: 3.0 brought watchers of assets, 3.3 retry policies and confirmed events."""
    if series(airflow) < (3,):
        return (*UNIT_TESTS, "event_trigger_of_2")
    more = ("event_trigger", "retry_policies") if series(airflow) >= (3, 3) else ()
    return (*UNIT_TESTS, "event_trigger_unconfirmed", *more)


@dataclass(frozen=True)
class Environment:
    """An Airflow on a Python."""

    name: str
    airflow: str
    python: str
    whole: bool = True
    """Whether a whole Airflow is started; where only the Python differs, ``dag.test()`` has to do."""

    lowest: bool = False
    adds: frozenset[str] = frozenset()
    """What the provider adds beside itself."""

    @property
    def pins(self) -> Path:
        return PINS / ("lowest.txt" if self.lowest else f"airflow-{self.airflow}.txt")

    @property
    def python_bin(self) -> Path:
        return ROOT / ".venv-matrix" / self.name / "bin" / "python"


ENVIRONMENTS = [
    Environment("2.11.2", "2.11.2", "3.12"),
    Environment("3.0.6", "3.0.6", "3.12"),
    Environment("3.1.8", "3.1.8", "3.13"),
    Environment("3.2.2", "3.2.2", "3.11"),
    Environment("3.3.2", "3.3.2", "3.11"),
    *(Environment(f"3.3.2-py{python}", "3.3.2", python, whole=False) for python in ("3.10", "3.12", "3.13", "3.14")),
    # Airflow 2.11.0 does not bring msgspec.
    Environment("lowest", "2.11.0", "3.10", whole=False, lowest=True, adds=frozenset({"msgspec"})),
]


PARTS = ("import", "dags", "units", "whole")
WHOLE = {False: "a whole Airflow", True: "8 deferred waits in a whole Airflow"}
"""What the table says of the last part, by whether it was quick."""


class Failed(Exception):
    """A part of the matrix did not pass."""


def call(*command: str | Path, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(list(map(str, command)), cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Failed(f"{' '.join(map(str, command[:6]))} ...\n{done.stdout[-6000:]}\n{done.stderr[-6000:]}")
    return done.stdout


def uv(*arguments: str | Path) -> str:
    return call(UV, *arguments)


# -- pins


def pin() -> None:
    common = ["--quiet", "--no-header", "--no-annotate", "--no-emit-package", DISTRIBUTION]
    for airflow in {one.airflow for one in ENVIRONMENTS if not one.lowest}:
        limit = "; python_version < '3.13'" if series(airflow) < (3, 1) else ""
        source = PINS / f"airflow-{airflow}.in"
        source.write_text(f"apache-airflow=={airflow}{limit}\n")
        universal = ["--universal", "--python-version", "3.10"]
        uv("pip", "compile", *common, *universal, "--exclude-newer", RELEASED[airflow], source, PINS / "tools.in",
           "-o", source.with_suffix(".txt"))  # fmt: skip
    [lowest] = [one for one in ENVIRONMENTS if one.lowest]
    # Without what Airflow 2.11.0 does not bring: the provider's wheel adds it.
    uv("pip", "compile", *common, "--resolution", "lowest-direct", "--python-version", lowest.python,
       *(f"--no-emit-package={name}" for name in lowest.adds),
       "--exclude-newer", RELEASED[lowest.airflow], "pyproject.toml", PINS / "tools.in", "-o", lowest.pins)  # fmt: skip


def constraints() -> None:
    """For each Airflow what the provider and it need, without the tools of the tests."""
    CONSTRAINTS.mkdir(exist_ok=True)
    for airflow in sorted({one.airflow for one in ENVIRONMENTS if not one.lowest}):
        pins = PINS / f"airflow-{airflow}.txt"
        options = ["--quiet", "--no-header", "--no-annotate", "--universal", "--python-version", "3.10"]
        source = PINS / f"airflow-{airflow}.in"
        needed = uv("pip", "compile", *options, "--constraint", pins, source, "pyproject.toml")
        names = {line.partition("==")[0] for line in needed.splitlines()}
        lines = [line for line in pins.read_text().splitlines() if line.partition("==")[0] in names]
        title = f"# The provider is tested with these beside Airflow {airflow}, as it was on {RELEASED[airflow]}."
        (CONSTRAINTS / pins.name).write_text("\n".join([title, *lines]) + "\n")


# -- one environment


def find_python(version: str) -> str | None:
    """One on the PATH, one of pyenv's, or one that ``debian_python.sh`` has made."""
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    folders = [*sorted(root.glob("versions/*/bin")), *ROOT.glob(".tools/python-*/usr/bin")]
    path = os.pathsep.join([*map(str, folders), os.environ["PATH"]])
    command = [str(UV), "python", "find", "--system", version]
    done = subprocess.run(command, env=os.environ | {"PATH": path}, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else None


def wheel() -> Path:
    folder = ROOT / ".run" / f"wheel-{os.getpid()}"
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.whl"):
        old.unlink()
    uv("build", "--quiet", "--wheel", "--python", sys.executable, "--out-dir", folder, ROOT)
    [built] = folder.glob("*.whl")
    return built


def installed(one: Environment) -> dict[str, str]:
    listed = json.loads(uv("pip", "list", "--python", one.python_bin, "--format", "json"))
    return {package["name"]: package["version"] for package in listed}


def install(one: Environment, python: str, built: Path) -> str:
    """Make the environment and install the wheel; what that has added or changed."""
    uv("venv", "--quiet", "--clear", "--python", python, one.python_bin.parents[1])
    uv("pip", "install", "--quiet", "--python", one.python_bin, "-r", one.pins)
    before = installed(one)
    resolution = ["--resolution", "lowest"] if one.lowest else []
    uv("pip", "install", "--quiet", "--python", one.python_bin, "--exclude-newer", RELEASED[one.airflow],
       *resolution, built)  # fmt: skip
    after = installed(one)
    added = {name for name in after if name not in before} - {DISTRIBUTION}
    changed = {name for name, version in before.items() if after.get(name) != version}
    if added != one.adds or changed:
        raise Failed(f"The provider adds {sorted(added)} and changes {sorted(changed)}.")
    return ", ".join(f"{name} {after[name]}" for name in sorted(added)) or "nothing"


def run(one: Environment, built: Path, parts: Sequence[str], *, quick: bool) -> None:
    """The parts that are asked for of one environment, each written down with the day once it has passed."""
    result = RESULTS / f"{one.name}.json"
    python = find_python(one.python)
    if python is None:
        uv("pip", "compile", "--quiet", "--python-version", one.python, "--exclude-newer", RELEASED[one.airflow],
           one.pins.with_suffix(".in"), "pyproject.toml")  # fmt: skip
        say(one, f"no Python {one.python} here: it resolves")
        result.write_text(json.dumps({"adds": "", "tried": {"it resolves": today()}}))
        return
    took = Stopwatch()

    def passed(what: str) -> None:
        say(one, f"{what}: passed after {took}")
        told = json.loads(result.read_text())
        told["tried"][what] = today()
        result.write_text(json.dumps(told))

    if "import" in parts:
        result.unlink(missing_ok=True)
        adds = install(one, python, built)
        say(one, f"installed in {took}; beside Airflow it adds {adds}")
        result.write_text(json.dumps({"adds": adds, "tried": {}}))
        home = ROOT / ".run" / "matrix" / f"home-{one.name}"
        own = {"AIRFLOW_HOME": str(home), "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
        hooks = call(one.python_bin, "-m", "airflow", "providers", "hooks", "--output", "plain", env=os.environ | own)
        if not re.search(r"^flyte\s+airflow_provider_flyte\.hooks\.FlyteHook\s", hooks, re.M):
            raise Failed(f"airflow providers hooks does not know the hook:\n{hooks}")
        passed("import")
    elif not result.exists():
        raise Failed("It is not installed yet: run it with --part import, or without --part.")
    if "dags" in parts:
        pytest(one, "tests/test_docs.py", "-k", "first_dag")
        passed("first DAGs")
    if "units" in parts and not quick:
        pytest(one, *(f"tests/airflow/test_{name}.py" for name in unit_tests(one.airflow)))
        passed("unit tests")
    if "whole" in parts and one.whole:
        pytest(one, "tests/matrix", *(["-k", "eight_deferred_waits"] if quick else []))
        passed(WHOLE[quick])


def today() -> str:
    return time.strftime("%Y-%m-%d")


def pytest(one: Environment, *arguments: str) -> None:
    nice = ["nice", "-n", "0" if one.whole else "5"]
    call(*nice, one.python_bin, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments)


class Stopwatch:
    """The seconds since it was made."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def __str__(self) -> str:
        return f"{time.monotonic() - self._began:.0f} s"


def say(one: Environment, line: str) -> None:
    print(f"{one.name}: {line}", flush=True)


def table(environments: Iterable[Environment]) -> str:
    lines = ["| Airflow | released | Python | beside it, the provider adds | tried | on |", "|---|---|---|---|---|---|"]
    for one in environments:
        result = json.loads((RESULTS / f"{one.name}.json").read_text())
        tried = ", ".join([*result["tried"], *(["with the lowest of every library"] if one.lowest else [])])
        days = ", ".join(sorted(set(result["tried"].values())))
        lines.append(
            f"| {one.airflow} | {RELEASED[one.airflow]} | {one.python} | {result['adds']} | {tried} | {days} |"
        )
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["pin", "constraints", "run", "table"])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(one.name for one in ENVIRONMENTS))
    parser.add_argument("--part", action="append", choices=PARTS, help="only this one; import begins anew")
    parser.add_argument("--quick", action="store_true", help="import, first DAGs, eight deferred waits")
    asked = parser.parse_args()
    chosen = [one for one in ENVIRONMENTS if not asked.names or one.name in asked.names]
    if missing := set(asked.names) - {one.name for one in chosen}:
        parser.error(f"no such environment: {', '.join(missing)}")
    if asked.what == "pin":
        pin()
        return 0
    if asked.what == "constraints":
        constraints()
        return 0
    if asked.what == "run":
        RESULTS.mkdir(parents=True, exist_ok=True)
        built = wheel()

        def run_all(some: list[Environment]) -> bool:
            failed = False
            for one in some:
                try:
                    run(one, built, asked.part or PARTS, quick=asked.quick)
                except Failed as failure:
                    failed = True
                    say(one, f"FAILED: {failure}")
            return failed

        # A whole Airflow mostly waits, so the others run beside it, and give way to it.
        lanes = [[one for one in chosen if one.whole is whole] for whole in (True, False)]
        with ThreadPoolExecutor() as threads:
            if any(list(threads.map(run_all, lanes))):
                return 1
    print(table([one for one in chosen if (RESULTS / f"{one.name}.json").exists()]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
