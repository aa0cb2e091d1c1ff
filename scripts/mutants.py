"""Change the code one line at a time, and see whether a test notices: ``make mutants``.

For each file the tests that protect it are in ``tests/mutants/protected_by.json``. They are run once to record which
of them run which line; a mutant is then shown to those that run its line, the quickest first. One that hangs is
noticed. All happens in a copy of the project. Mutants that change nothing that anybody could see are in
``tests/mutants/equivalents.json``, each with its reason, and do not count.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import os
import queue
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from mutations import Mutant, mutants_of
from tracked_files import copy_tracked

ROOT = Path(__file__).resolve().parent.parent
LISTED = "tests/mutants/protected_by.json"
PROTECTED_BY = ROOT / LISTED
EQUIVALENTS = ROOT / "tests/mutants/equivalents.json"
RECORDS = ROOT / ".run/mutants"
PACKAGE = "airflow_provider_flyte"

MOST_AT_ONCE = 2

_ticks = itertools.count(int(time.time()))
"""Python takes a compiled file for that of a source of the same size and second."""


@dataclass(frozen=True)
class Tests:
    """The tests that run each line of one file, the quickest first."""

    by_line: dict[int, set[str]]
    took: dict[str, float]

    def of(self, lines: Iterable[int], most: float) -> list[str]:
        """Those that run one of these lines, as many as take so many seconds; all of the file's where none does by
        itself, because it is run by the import.
        """
        names = set[str]().union(*(self.by_line.get(line, set()) for line in lines))
        names = names or set[str]().union(*self.by_line.values())
        chosen, spent = [], 0.0
        for name in sorted(names, key=lambda name: (self.took[name], name)):
            spent += self.took[name]
            if spent > most and chosen:
                break
            chosen.append(name)
        return chosen


class Worker:
    """A copy of the project and the process that runs tests in it."""

    def __init__(self, number: int, folder: Path) -> None:
        self.copy = folder / f"copy{number}"
        copy_tracked(ROOT, self.copy, with_new=True)
        self.sources = {
            str(path.relative_to(self.copy)): path.read_text() for path in (self.copy / PACKAGE).rglob("*.py")
        }
        """What is mutated: the work tree may be edited meanwhile."""

        self._process = subprocess.Popen(
            [sys.executable, str(self.copy / "scripts/mutants_worker.py"), str(self.copy)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, **asked: Any) -> dict[str, Any]:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit("The process that runs the tests has ended; its words are above.")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def write(self, file: str, source: str) -> None:
        path = self.copy / file
        path.write_text(source)
        tick = next(_ticks)
        os.utime(path, (tick, tick))

    def close(self) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait()


def _protectors(root: Path, patterns: list[str]) -> list[str]:
    """The test files that these patterns mean."""
    return sorted({str(path.relative_to(root)) for pattern in patterns for path in root.glob(pattern)})


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def _record(worker: Worker, test_file: str, file: str) -> dict[str, Any]:
    """Which lines the tests of a file run; from the last time, if they and the file to be mutated are the same.

    Another file that has changed may run other lines of it; that a mutant is then shown to a test too few is seen, and
    to record all anew after each change would take longer than all else.
    """
    record = RECORDS / f"{test_file.replace('/', '.')}.{_hash(worker.copy / test_file)}.json"
    read: dict[str, Any] = json.loads(record.read_text()) if record.exists() else {}
    if not read or read["files"].get(file) != _hash(worker.copy / file):
        RECORDS.mkdir(parents=True, exist_ok=True)
        for old in RECORDS.glob(f"{test_file.replace('/', '.')}.*.json"):
            old.unlink()
        print(f"  recording {test_file}", flush=True)
        watched = [name for name in json.loads((worker.copy / LISTED).read_text()) if name != "*"]
        answer = worker.ask(tests=[test_file], record=str(record), files=watched, most=900)
        if not record.exists():
            raise SystemExit(f"{test_file} could not be recorded:\n{answer['output'][-1500:]}")
        read = json.loads(record.read_text())
        read["files"] = {name: _hash(worker.copy / name) for name in watched}
        record.write_text(json.dumps(read))
    if not read["took"]:
        record.unlink()
        raise SystemExit(f"{test_file} has no tests")
    if read["bad"]:
        print(f"  left out of {test_file}: {', '.join(read['bad'])}")
    return read


def _tests(worker: Worker, file: str, test_files: list[str]) -> Tests:
    by_line: dict[int, set[str]] = {}
    took: dict[str, float] = {}
    for test_file in test_files:
        record = _record(worker, test_file, file)
        good = {name for name in record["took"] if name not in record["bad"]}
        for line, names in record["lines"].get(file, {}).items():
            by_line.setdefault(int(line), set()).update(good & set(names))
        took |= record["took"]
    return Tests(by_line, took)


def _noticed(worker: Worker, file: str, mutant: Mutant, tests: Tests, most: float) -> str:
    """How the tests noticed the mutant, '' if they did not."""
    chosen = tests.of(mutant.lines, most)
    if not chosen:
        return ""
    limits = {name: 5 + 4 * tests.took[name] for name in chosen}
    worker.write(file, mutant.source)
    try:
        answer = worker.ask(tests=limits, most=30 + 5 * sum(tests.took[name] for name in chosen))
    finally:
        worker.write(file, worker.sources[file])
    if answer["code"] is None:
        return "hangs"
    return "fails" if answer["code"] else ""


def _of(file: str, mutants: list[Mutant], known: list[dict[str, str]]) -> list[Mutant]:
    """Those that are no equivalents; tells of entries that fit none."""
    entries = {(each["where"], each["before"], each["after"]) for each in known if each["file"] == file}
    for where, before, after in sorted(entries - {mutant.key for mutant in mutants}):
        print(f"  no such mutant any more: {file} {where}: {before} -> {after}")
    return [mutant for mutant in mutants if mutant.key not in entries]


def _show(file: str, mutant: Mutant, why: str) -> None:
    print(f"{file}:{mutant.line}  {mutant.where or 'module'}{why}")
    for sign, text in (("-", mutant.before), ("+", mutant.after)):
        for line in text.splitlines():
            print(f"    {sign} {line}")
    sys.stdout.flush()


def _try_all(file: str, mutants: list[Mutant], workers: list[Worker], tests: Tests, most: float) -> int:
    """How many were noticed."""
    left: queue.SimpleQueue[Mutant] = queue.SimpleQueue()
    for mutant in mutants:
        left.put(mutant)
    noticed: list[str] = []
    talking = threading.Lock()

    def work(worker: Worker) -> None:
        while True:
            try:
                mutant = left.get_nowait()
            except queue.Empty:
                return
            how = _noticed(worker, file, mutant, tests, most)
            with talking:
                if how:
                    noticed.append(how)
                else:
                    ran = not mutant.lines or any(tests.by_line.get(line) for line in mutant.lines)
                    _show(file, mutant, "" if ran else "  (no test runs it by itself)")

    threads = [threading.Thread(target=work, args=(worker,)) for worker in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(noticed)


def main() -> None:
    parser = argparse.ArgumentParser(prog="make mutants", description=__doc__)
    parser.add_argument("files", nargs="*", help="files of the package, or patterns; by default all that are listed")
    parser.add_argument("--sample", type=int, help="so many mutants of each file, by chance; by default all")
    parser.add_argument("--seed", type=int, default=1, help="which sample (default: 1)")
    parser.add_argument("--jobs", type=int, default=1, choices=range(1, MOST_AT_ONCE + 1), help="at once (default: 1)")
    parser.add_argument("--most", type=float, default=20.0, help="seconds of tests for a mutant (default: 20)")
    parser.add_argument("--line", type=int, action="append", help="only mutants of this line")
    parser.add_argument("--list", action="store_true", help="show the mutants, and run nothing")
    arguments = parser.parse_args()

    rules: dict[str, list[str]] = json.loads(PROTECTED_BY.read_text())
    known: list[dict[str, str]] = json.loads(EQUIVALENTS.read_text())
    files = [name for name in rules if name != "*"]
    if arguments.files:
        wanted = [name.removeprefix("./") for name in arguments.files]
        # In the order in which they are asked for, each once.
        files = list(dict.fromkeys(name for each in wanted for name in files if fnmatch(name, f"*{each}")))
    if not files:
        parser.error(f"no such file in {PROTECTED_BY.relative_to(ROOT)}")

    def chosen(file: str, source: str) -> list[Mutant]:
        mutants = _of(file, mutants_of(source), known)
        if arguments.line:
            mutants = [mutant for mutant in mutants if mutant.line in arguments.line]
        if arguments.sample is not None and arguments.sample < len(mutants):
            mutants = random.Random(f"{arguments.seed} {file}").sample(mutants, arguments.sample)
        return mutants

    if arguments.list:
        for file in files:
            for mutant in chosen(file, (ROOT / file).read_text()):
                _show(file, mutant, "")
        return

    table: list[tuple[str, int, int]] = []
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        workers = [Worker(number, Path(folder)) for number in range(arguments.jobs)]
        try:
            for file in files:
                mutants = chosen(file, workers[0].sources[file])
                print(f"{file}: {len(mutants)} mutants", flush=True)
                tests = _tests(workers[0], file, _protectors(workers[0].copy, [*rules[file], *rules["*"]]))
                table.append((file, _try_all(file, mutants, workers, tests, arguments.most), len(mutants)))
                print(f"  {_row(*table[-1])}", flush=True)
        finally:
            for worker in workers:
                worker.close()
    print()
    for row in [*table, ("all", sum(row[1] for row in table), sum(row[2] for row in table))]:
        print(_row(*row))


def _row(file: str, noticed: int, mutants: int) -> str:
    return f"{file:50} {noticed:5} of {mutants:5}  {100 * noticed / max(1, mutants):5.1f} %"


if __name__ == "__main__":
    main()
